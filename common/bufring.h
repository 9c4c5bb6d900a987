// Receive buffers: a ring of equal buffers the kernel fills (io_uring provided buffers), each with
// a reference count. A received buffer has one reference, its receiver's; whoever keeps a piece of
// it beyond the call takes another. At zero the buffer goes back to the kernel with the next
// bufring_commit. Thread: the ring's owner.
#ifndef SEALPOST_BUFRING_H
#define SEALPOST_BUFRING_H

#include <assert.h>
#include <stdint.h>

#include "ring.h"
#include "units.h"

struct bufring {
    struct io_uring_buf_ring *entries;
    uint8_t *base;
    uint16_t *refs; // `count` long
    uint32_t buffer_bytes;
    uint32_t count;   // power of two, at most 32,768
    uint32_t held;    // buffers not with the kernel
    uint32_t pending; // recycled, not yet committed
    uint16_t group;
    struct ring *ring;
};

// Allocate `count` buffers and hand them all to the kernel as buffer group `group`.
// Errors: -EINVAL (count), -ENOMEM, -errno.
NODISCARD int bufring_init(struct bufring *b, struct ring *r, uint16_t group, uint32_t count,
                           uint32_t buffer_bytes);
void bufring_free(struct bufring *b);

static inline uint8_t *bufring_at(const struct bufring *b, uint16_t id)
{
    return b->base + (size_t)id * b->buffer_bytes;
}

// A completion brought buffer `id`: the caller holds one reference from now on.
static inline void bufring_take(struct bufring *b, uint16_t id)
{
    assert(b->refs[id] == 0);
    b->refs[id] = 1;
    b->held++;
}

static inline void bufring_get(struct bufring *b, uint16_t id)
{
    assert(b->refs[id] > 0);
    b->refs[id]++;
}

static inline void bufring_put(struct bufring *b, uint16_t id)
{
    assert(b->refs[id] > 0);
    if (--b->refs[id] > 0)
        return;
    io_uring_buf_ring_add(b->entries, bufring_at(b, id), b->buffer_bytes, id,
                          io_uring_buf_ring_mask(b->count), (int)b->pending);
    b->pending++;
    b->held--;
}

// Give the recycled buffers to the kernel: once per loop turn.
static inline void bufring_commit(struct bufring *b)
{
    if (b->pending == 0)
        return;
    io_uring_buf_ring_advance(b->entries, (int)b->pending);
    b->pending = 0;
}

#endif
