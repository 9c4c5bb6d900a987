// A hierarchical timer wheel: O(1) arm and cancel, no allocation, one tick = 8 ms. Deadlines are
// rounded up, so a timer never fires early. Not thread-safe: one owner.
#ifndef SEALPOST_TIMER_H
#define SEALPOST_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "units.h"

#define TIMER_TICK_NS (8 * NS_PER_MS)
#define TIMER_LEVELS 4 // 64 slots each: 64^4 ticks = 37 hours; later deadlines are re-armed
#define TIMER_SLOTS 64

struct timer {
    struct list link;
    uint64_t deadline_tick;
};

struct timer_wheel {
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
    uint64_t occupied[TIMER_LEVELS]; // bit n is clear only if slot n is empty
    struct list due;                 // armed for the past: fire at the next advance
    uint64_t now_tick;
    uint32_t armed; // timers in the wheel
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns);
void timer_init(struct timer *t);
// Arm (or re-arm) for `deadline_ns`; a deadline in the past fires at the next advance.
void timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline_ns);
// Harmless when not armed.
void timer_cancel(struct timer_wheel *w, struct timer *t);
bool timer_is_armed(const struct timer *t);
// Move the wheel to now_ns; every due timer is unlinked and `fire` called with it. `fire` may arm
// and cancel any timer, also the one it got.
void timer_wheel_advance(struct timer_wheel *w, uint64_t now_ns,
                         void (*fire)(struct timer *t, void *ctx), void *ctx);
// ns until the wheel needs advancing (a lower bound of the next deadline), UINT64_MAX if empty.
uint64_t timer_wheel_wait_ns(const struct timer_wheel *w, uint64_t now_ns);

#endif
