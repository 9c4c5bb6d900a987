// Waking a parked thread: a flag and an eventfd. The sleeper parks, looks at its queues once more,
// and sleeps only if they are empty; a waker writes the eventfd only if it finds the flag set.
// One wake for each batch.
#ifndef SEALPOST_WAKER_H
#define SEALPOST_WAKER_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "units.h"

struct waker {
    _Atomic bool parked;
    int fd;
};

// Errors: -errno.
NODISCARD static inline int waker_init(struct waker *w, int flags)
{
    atomic_init(&w->parked, false);
    w->fd = eventfd(0, EFD_CLOEXEC | flags);
    return w->fd < 0 ? -errno : 0;
}

static inline void waker_free(struct waker *w)
{
    close(w->fd);
}

// All three are read-modify-writes of one flag, so they have one order: a waker that comes before
// the parking is seen by it, with what it pushed; one that comes after finds the flag set.

// Thread: the sleeper, before it looks at its queues for the last time.
static inline void waker_park(struct waker *w)
{
    atomic_exchange_explicit(&w->parked, true, memory_order_acq_rel);
}

// Thread: the sleeper, awake.
static inline void waker_unpark(struct waker *w)
{
    atomic_exchange_explicit(&w->parked, false, memory_order_acq_rel);
}

// Thread: any, after pushing.
static inline void waker_wake(struct waker *w)
{
    static const uint64_t one = 1;

    if (atomic_exchange_explicit(&w->parked, false, memory_order_acq_rel) &&
        write(w->fd, &one, sizeof one) < 0)
        return; // EAGAIN: the counter is full, so it is awake anyway
}

#endif
