// Do the envelopes that wait (scheduled, not yet answered) grow through the window? Then the relay
// takes less than it is offered, and every percentile depends on how long one looked. Pure.
// Thread: one owner.
#ifndef SEALPOST_BACKLOG_H
#define SEALPOST_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

// The window's begin and the end of each quarter.
#define BACKLOG_POINTS 5u

struct backlog {
    uint64_t quarter_ns, next_ns; // a quarter of the window; when the next point is due
    uint64_t waiting[BACKLOG_POINTS];
    uint32_t count;
    uint32_t parts; // that were added to it
};

// The window, and what waits at its begin.
void backlog_begin(struct backlog *b, uint64_t begin_ns, uint64_t end_ns, uint64_t waiting);
// What waits now; kept when it is the first look after a quarter's end.
void backlog_sample(struct backlog *b, uint64_t now_ns, uint64_t waiting);
// Add what waited at a part of the run. A point that one of the parts has not is not known of the
// whole.
void backlog_merge(struct backlog *into, const struct backlog *part);
// More at each point than at the one before, three points at least, and in all by a hundredth of
// what was scheduled and by a hundred envelopes.
bool backlog_is_growing(const struct backlog *b, uint64_t scheduled);

#endif
