// What the times of opened envelopes tell, recorded by runs: the envelopes of a pipelined
// connection come back together, with the same times to the nanosecond, because one clock read
// serves a batch. A run costs what one envelope would. Thread: the shard's.
#ifndef SEALPOST_ARRIVALS_H
#define SEALPOST_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include "budget.h"

struct shard;

// Envelopes since the last flush whose times are all the same.
struct arrivals {
    struct budget_times times;
    bool is_measured; // intended in the measured window
    uint32_t count;
};

// One more envelope.
void arrivals_push(struct shard *s, const struct budget_times *times, bool is_measured);
// Record what is not recorded yet. Due before the batch's end, so that the live view is right.
void arrivals_flush(struct shard *s);

#endif
