// A bounded ring of equal items between exactly one producer thread and one consumer thread.
// Items are copied in and out. Capacity is a power of two.
#ifndef SEALPOST_SPSC_H
#define SEALPOST_SPSC_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

struct spsc {
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t head; // next to pop; written by the consumer
    uint32_t cached_tail;                            // consumer's copy
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t tail; // next to push; written by the producer
    uint32_t cached_head;                            // producer's copy
    alignas(CACHE_LINE_BYTES) uint8_t *items;
    uint32_t mask;
    uint32_t item_bytes;
};

// Errors: -EINVAL (capacity not a power of two, or zero sizes), -ENOMEM.
NODISCARD int spsc_init(struct spsc *q, uint32_t item_bytes, uint32_t capacity);
void spsc_free(struct spsc *q);
// Thread: the producer. False when full; nothing was copied then.
NODISCARD bool spsc_push(struct spsc *q, const void *item);
// Thread: the producer. Items that can be pushed now at least.
uint32_t spsc_room(struct spsc *q);
// Thread: the consumer. False when empty.
NODISCARD bool spsc_pop(struct spsc *q, void *item);
// Thread: any; a snapshot.
bool spsc_is_empty(const struct spsc *q);

#endif
