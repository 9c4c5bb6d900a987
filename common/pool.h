// A bounded pool of equal objects over one lazily touched mapping: memory becomes resident only
// when an object is first used. Not thread-safe: one owner.
#ifndef SEALPOST_POOL_H
#define SEALPOST_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "units.h"

struct pool {
    uint8_t *base;
    size_t stride_bytes; // object size rounded up to 64
    uint32_t capacity;   // objects
    uint32_t touched;    // objects handed out at least once
    uint32_t used;       // objects out now
    uint32_t free_head;  // index + 1 of the first free object, 0 if none
};

// Reserve address space for `capacity` objects. Errors: -ENOMEM, -EINVAL (zero size or capacity).
NODISCARD int pool_init(struct pool *p, size_t object_bytes, uint32_t capacity);
// All objects must be back (asserted).
void pool_free(struct pool *p);
// An object with undefined content, or NULL when all are out. LIFO: the warmest one first.
NODISCARD void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *object);
// Index of an object in the pool, and back.
uint32_t pool_index(const struct pool *p, const void *object);
void *pool_at(const struct pool *p, uint32_t index);

#endif
