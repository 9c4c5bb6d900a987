// What the stages offer as a function of time: a rate, linear in each piece, and bursts beside it.
// Its integral is inverted analytically, so that arrival k comes exactly where the integral reaches
// k, however long the run. Pure; immutable after schedule_init, so every thread may read it.
//
//    envelopes a second                       integral of the rate
//    │      ╱──────╮                          │            ╱
//    │    ╱        │                          │        ╱╱
//    │──╱          ╰────                      │  __╱╱             arrival k at Λ⁻¹(k)
//    └────────────────── t                    └────────────────── t
//
// Time 0 is the load's start; the warm-up, at the first stage's first rate, is a piece of its own.
#ifndef SEALPOST_SCHEDULE_H
#define SEALPOST_SCHEDULE_H

#include <stdint.h>

#include "stage.h"
#include "units.h"

// Later than any run; adding an absolute time does not overflow.
#define SCHEDULE_NEVER_NS (UINT64_MAX / 4)

struct schedule_piece {
    uint64_t begin_ns, len_ns;
    double from_per_s, to_per_s;
    double smooth_before;   // the integral at its begin
    double smooth_after;    // and at its end
    uint64_t bursts_before; // envelopes of bursts
    uint64_t bursts_after;
    uint64_t burst_every_ns;
    uint32_t burst_count;
};

struct schedule {
    uint32_t count;
    uint32_t first_stage; // pieces before the first stage: 1 with a warm-up
    uint64_t end_ns;
    struct schedule_piece pieces[STAGE_MAX + 1];
};

void schedule_init(struct schedule *s, const struct stage_list *stages, uint64_t warmup_ns);

// When the integral of the rate reaches `k`; SCHEDULE_NEVER_NS if it does not. `*piece` is where to
// look first: 0 at the beginning, then what the call for a smaller k left there.
uint64_t schedule_smooth_ns(const struct schedule *s, double k, uint32_t *piece);
// When envelope number `k` of all bursts is due, in the same way.
uint64_t schedule_burst_ns(const struct schedule *s, uint64_t k, uint32_t *piece);

// The stage that a time lies in, or -1: warm-up, or after the end.
int schedule_find_stage(const struct schedule *s, uint64_t at_ns);

#endif
