// Live counters of the generator threads. The reader's half: the coordinator's thread.
#include "pulse.h"

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)counter, memory_order_relaxed);
}

static uint32_t load_32(const _Atomic uint32_t *counter)
{
    return atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)counter, memory_order_relaxed);
}

void pulse_collect(struct pulse_sample *into, const struct pulse *p)
{
    into->sent += load(&p->sent);
    into->delivered += load(&p->delivered);
    into->refused += load(&p->refused);
    into->faults += load(&p->faults);
    into->handshakes += load(&p->handshakes);
    into->waiting += load(&p->waiting);
    into->connected += load_32(&p->connected);
    into->settled += load_32(&p->settled);
    into->alive += load_32(&p->alive);
    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        into->buckets[i] += load(&p->buckets[i]);
}

uint64_t pulse_count(const uint64_t buckets[PULSE_BUCKETS])
{
    uint64_t total = 0;

    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        total += buckets[i];
    return total;
}

uint64_t pulse_value_at(const uint64_t buckets[PULSE_BUCKETS], uint64_t count, double p)
{
    uint64_t rank, seen = 0;

    if (count == 0)
        return 0;
    rank = (uint64_t)(p / 100 * (double)(count - 1)) + 1;
    for (uint32_t i = 0; i < PULSE_BUCKETS; i++) {
        seen += buckets[i];
        if (seen >= rank)
            return pulse_bucket_high(i);
    }
    return pulse_bucket_high(PULSE_BUCKETS - 1);
}

uint64_t pulse_percentile(const struct pulse_sample *from, const struct pulse_sample *to, double p)
{
    uint64_t buckets[PULSE_BUCKETS];

    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        buckets[i] = to->buckets[i] - from->buckets[i];
    return pulse_value_at(buckets, pulse_count(buckets), p);
}
