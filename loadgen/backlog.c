// The envelopes that wait, at five points of the window. Called by the coordinator each time it
// wakes.
#include "backlog.h"

#define GROWTH_MIN 100u
#define GROWTH_SHARE 100u // of the scheduled: 1 / 100

void backlog_begin(struct backlog *b, uint64_t begin_ns, uint64_t end_ns, uint64_t waiting)
{
    uint64_t quarter_ns = (end_ns - begin_ns) / (BACKLOG_POINTS - 1) + 1;

    *b = (struct backlog){.quarter_ns = quarter_ns,
                          .next_ns = begin_ns + quarter_ns,
                          .waiting = {waiting},
                          .count = 1};
}

void backlog_sample(struct backlog *b, uint64_t now_ns, uint64_t waiting)
{
    if (b->count == 0 || b->count == BACKLOG_POINTS || now_ns < b->next_ns)
        return;
    b->waiting[b->count++] = waiting;
    // One look stands for every quarter that passed without one.
    while (b->next_ns <= now_ns)
        b->next_ns += b->quarter_ns;
}

void backlog_merge(struct backlog *into, const struct backlog *part)
{
    if (into->parts++ == 0 || part->count < into->count)
        into->count = part->count;
    for (uint32_t i = 0; i < into->count; i++)
        into->waiting[i] += part->waiting[i];
}

bool backlog_is_growing(const struct backlog *b, uint64_t scheduled)
{
    uint64_t growth;

    if (b->count < 3)
        return false;
    for (uint32_t i = 1; i < b->count; i++) {
        if (b->waiting[i] <= b->waiting[i - 1])
            return false;
    }
    growth = b->waiting[b->count - 1] - b->waiting[0];
    return growth >= GROWTH_MIN && growth * GROWTH_SHARE >= scheduled;
}
