// What one stage of the schedule got: its envelopes are those intended in it, whenever they were
// sent or arrived. Thread: one writer; merge afterwards.
#ifndef SEALPOST_STAGE_TALLY_H
#define SEALPOST_STAGE_TALLY_H

#include <stdint.h>

#include "hist.h"
#include "units.h"

struct stage_tally {
    struct hist response;     // received − intended, ns
    struct hist schedule_lag; // noticed − intended, ns
    uint64_t offered, sent, delivered;
};

// An array of `count` in *out, NULL for 0; each takes 1 MiB at most. Errors: -ENOMEM.
NODISCARD int stage_tally_create(struct stage_tally **out, uint32_t count);
void stage_tally_destroy(struct stage_tally *stages, uint32_t count);
void stage_tally_merge(struct stage_tally *into, const struct stage_tally *from, uint32_t count);

#endif
