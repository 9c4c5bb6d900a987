// The open-loop schedule of one thread: when is the next envelope due and whose is it. Pure and
// deterministic for a seed. Thread: one owner.
//
// Constant: arrival k of the whole run comes where the integral of the rate reaches k. All senders
// of all threads take turns, so at a constant rate each sender has constant spacing and the phases
// of all are spread evenly: however many connections there are, no two send together. Poisson:
// exponential gaps in the integral, and a random sender, so each sender is a Poisson process too.
// Bursts are at once by intention; senders take turns from one to the next.
#ifndef SEALPOST_PLAN_H
#define SEALPOST_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "prng.h"
#include "schedule.h"
#include "units.h"

enum plan_arrival { PLAN_CONSTANT, PLAN_POISSON };

// A thread's places among the senders of the run: thread by thread in turn, one sender of each,
// while every thread has one; those that some threads have more of come last.
//
//    part   0 1 2 0 1 2 0 1 2 0 1       three parts, eleven senders; base is 3
struct plan_slots {
    uint32_t senders;      // of this part
    uint32_t total;        // of all
    uint32_t part, parts;  // this one; how many
    uint32_t base;         // senders that every part has
    uint32_t extra_before; // senders beyond that, in parts before this one
};

// One stream of arrivals.
struct plan_stream {
    uint64_t index; // of this part, the one that is next
    uint32_t piece; // of the schedule
    uint64_t next_ns;
};

struct plan {
    const struct schedule *schedule;
    enum plan_arrival arrival;
    struct plan_slots slots;
    struct prng random;
    double at; // Poisson: the integral at the next arrival
    struct plan_stream smooth, bursts;
};

// Senders are dealt in units of `unit` that stay together (pairs: 2), as many to each part as to
// any other or one unit more.
struct plan_slots plan_slots_of(uint32_t senders, uint32_t unit, uint32_t part, uint32_t parts);

// Owner: borrows the schedule. Each part has its own phases and its own random stream.
void plan_init(struct plan *p, const struct schedule *schedule, enum plan_arrival arrival,
               const struct plan_slots *slots, uint64_t seed);

// ns from the schedule's start to the next arrival; SCHEDULE_NEVER_NS when there is none.
static inline uint64_t plan_next_ns(const struct plan *p)
{
    return p->smooth.next_ns < p->bursts.next_ns ? p->smooth.next_ns : p->bursts.next_ns;
}
// Take the next arrival: returns its sender, 0 … senders − 1.
uint32_t plan_pop(struct plan *p);

// Deterministic bytes that do not compress: the payload's filler.
void plan_fill(uint8_t *out, size_t len, uint64_t seed);

#endif
