// The open-loop schedule of one thread: when is the next envelope due and whose is it. Pure and
// deterministic for a seed. Thread: one owner.
//
// Constant: one arrival each `spacing`, senders in turn, so each sender has constant spacing and
// the phases of all are spread evenly. Poisson: exponential gaps and a random sender, so each
// sender is a Poisson process too.
#ifndef SEALPOST_PLAN_H
#define SEALPOST_PLAN_H

#include <stdint.h>

#include "prng.h"
#include "units.h"

enum plan_arrival { PLAN_CONSTANT, PLAN_POISSON };

struct plan {
    enum plan_arrival arrival;
    struct prng random;
    double spacing_ns; // mean gap
    double phase_ns;   // constant: the first arrival
    double at_ns;      // Poisson: the running sum
    uint64_t index;    // arrivals so far
    uint64_t next_ns;
    uint32_t senders;
};

// `rate_per_s` > 0 over `senders` > 0; thread `part` of `parts` gets its own phase and stream.
void plan_init(struct plan *p, enum plan_arrival arrival, double rate_per_s, uint32_t senders,
               uint64_t seed, uint32_t part, uint32_t parts);

// ns from the schedule's start to the next arrival.
static inline uint64_t plan_next_ns(const struct plan *p)
{
    return p->next_ns;
}
// Take the next arrival: returns its sender, 0 … senders − 1.
uint32_t plan_pop(struct plan *p);

// Deterministic bytes that do not compress: the payload's filler.
void plan_fill(uint8_t *out, size_t len, uint64_t seed);

#endif
