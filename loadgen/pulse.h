// What a generator thread shows while it runs: counters and a coarse latency histogram (7 % wide
// buckets) for the progress line and the intervals. The exact histograms are in tally.h.
// Thread: one writer, any reader; every field is a snapshot of its own.
#ifndef SEALPOST_PULSE_H
#define SEALPOST_PULSE_H

#include <stdatomic.h>
#include <stdint.h>

#include "units.h"

#define PULSE_SUB_BITS 4u
#define PULSE_BUCKETS (64u << PULSE_SUB_BITS)

struct pulse {
    _Atomic uint64_t sent, delivered, refused, faults, handshakes;
    _Atomic uint64_t waiting; // due, not built yet
    _Atomic uint32_t connected, settled, alive;
    _Atomic uint64_t buckets[PULSE_BUCKETS];
};

// The same, as plain numbers: what a reader collects, sums over threads and subtracts.
struct pulse_sample {
    uint64_t at_ns;
    uint64_t sent, delivered, refused, faults, handshakes;
    uint64_t waiting;
    uint32_t connected, settled, alive;
    uint64_t buckets[PULSE_BUCKETS];
};

// Thread: the writer.
static inline void pulse_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint32_t pulse_bucket(uint64_t value)
{
    uint32_t shift;

    if (value < 1u << PULSE_SUB_BITS)
        return (uint32_t)value;
    shift = 63u - (uint32_t)__builtin_clzll(value) - PULSE_SUB_BITS;
    return ((shift + 1) << PULSE_SUB_BITS) + (uint32_t)((value >> shift) & 15u);
}

// The smallest and the largest value of a bucket.
static inline uint64_t pulse_bucket_low(uint32_t bucket)
{
    if (bucket < 1u << PULSE_SUB_BITS)
        return bucket;
    return ((uint64_t)(bucket & 15u) + 16) << ((bucket >> PULSE_SUB_BITS) - 1);
}

static inline uint64_t pulse_bucket_high(uint32_t bucket)
{
    if (bucket < 1u << PULSE_SUB_BITS)
        return bucket;
    return (((uint64_t)(bucket & 15u) + 17) << ((bucket >> PULSE_SUB_BITS) - 1)) - 1;
}

static inline void pulse_record(struct pulse *p, uint64_t latency_ns, uint64_t count)
{
    pulse_add(&p->buckets[pulse_bucket(latency_ns)], count);
}

// Add a thread's counters to a sample that began as zero.
void pulse_collect(struct pulse_sample *into, const struct pulse *p);
uint64_t pulse_count(const uint64_t buckets[PULSE_BUCKETS]);
// The value at percentile p of buckets that hold `count`; 0 if that is 0.
uint64_t pulse_value_at(const uint64_t buckets[PULSE_BUCKETS], uint64_t count, double p);
// The value at percentile p of what came between two samples; 0 if nothing did.
uint64_t pulse_percentile(const struct pulse_sample *from, const struct pulse_sample *to, double p);

#endif
