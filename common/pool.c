// A bounded pool of equal objects. Free objects are chained through their own first bytes, and
// objects never used before are handed out in order, so an untouched page stays untouched.
// One owner; never grows, never gives memory back before pool_free.
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "pool.h"

#define STRIDE_BYTES 64u // objects do not share cache lines

int pool_init(struct pool *p, size_t object_bytes, uint32_t capacity)
{
    size_t padded_bytes, stride_bytes, size_bytes;

    memset(p, 0, sizeof *p);
    if (object_bytes == 0 || capacity == 0)
        return -EINVAL;
    if (__builtin_add_overflow(object_bytes, STRIDE_BYTES - 1, &padded_bytes))
        return -ENOMEM;
    stride_bytes = padded_bytes / STRIDE_BYTES * STRIDE_BYTES;
    if (__builtin_mul_overflow(stride_bytes, capacity, &size_bytes))
        return -ENOMEM;

    void *base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return -ENOMEM;
    p->base = base;
    p->stride_bytes = stride_bytes;
    p->capacity = capacity;
    return 0;
}

void pool_free(struct pool *p)
{
    assert(p->used == 0);
    if (p->base != NULL)
        munmap(p->base, p->stride_bytes * p->capacity);
    memset(p, 0, sizeof *p);
}

void *pool_get(struct pool *p)
{
    uint32_t index;

    if (p->free_head != 0) {
        index = p->free_head - 1;
        memcpy(&p->free_head, pool_at(p, index), sizeof p->free_head);
    } else if (p->touched < p->capacity) {
        index = p->touched++;
    } else {
        return NULL;
    }
    p->used++;
    return pool_at(p, index);
}

void pool_put(struct pool *p, void *object)
{
    uint32_t index = pool_index(p, object);

    assert(p->used > 0);
    memcpy(object, &p->free_head, sizeof p->free_head);
    p->free_head = index + 1;
    p->used--;
}

uint32_t pool_index(const struct pool *p, const void *object)
{
    size_t offset = (size_t)((const uint8_t *)object - p->base);
    size_t index = offset / p->stride_bytes;

    assert(index < p->touched && index * p->stride_bytes == offset);
    return (uint32_t)index;
}

void *pool_at(const struct pool *p, uint32_t index)
{
    assert(index < p->touched);
    return p->base + index * p->stride_bytes;
}
