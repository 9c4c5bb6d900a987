// An io_uring set up the way every loop of ours wants it: one issuer, deferred task work, a big
// completion queue, direct descriptors. Thin: loops use liburing's prep functions on ring->uring.
// Thread: a ring belongs to the thread that called ring_init.
#ifndef SEALPOST_RING_H
#define SEALPOST_RING_H

#include <liburing.h>
#include <stdint.h>

#include "units.h"

struct ring {
    struct io_uring uring;
};

// `user_data`: operation (8 bits), generation (24), slot (32). A cancelled request completes late;
// the generation tells that its slot has a new tenant.
static inline uint64_t ring_tag(uint8_t op, uint32_t generation, uint32_t slot)
{
    return (uint64_t)op << 56 | (uint64_t)(generation & 0xFFFFFFu) << 32 | slot;
}
static inline uint8_t ring_tag_op(uint64_t tag)
{
    return (uint8_t)(tag >> 56);
}
static inline uint32_t ring_tag_generation(uint64_t tag)
{
    return (uint32_t)(tag >> 32) & 0xFFFFFFu;
}
static inline uint32_t ring_tag_slot(uint64_t tag)
{
    return (uint32_t)tag;
}

// Does this kernel have what our loops need (6.12: multishot receive, provided-buffer rings,
// direct accept, minimum wait)? Returns NULL if so, else one sentence that names what is missing
// and how to mend it.
const char *ring_check_kernel(void);

// Set up with `sq_entries` submission entries, 8 times as many completions, and a sparse table of
// `direct_descriptors` (0: none). Errors: -errno of the system call.
NODISCARD int ring_init(struct ring *r, uint32_t sq_entries, uint32_t direct_descriptors);
void ring_free(struct ring *r);

// A submission entry; submits what is pending first when the queue is full, so never NULL.
struct io_uring_sqe *ring_get_sqe(struct ring *r);

// Submit everything pending and wait until a completion is there or the time is over
// (timeout_ns: UINT64_MAX waits without bound, 0 only collects what is ready). With min_wait_us > 0
// and the kernel's support the wait lasts at least that long while fewer than `batch` completions
// are there. Returns 0, -ETIME, -EINTR or another -errno.
NODISCARD int ring_submit_and_wait(struct ring *r, unsigned batch, uint64_t timeout_ns,
                                   unsigned min_wait_us);

#endif
