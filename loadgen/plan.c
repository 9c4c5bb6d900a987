// Arrival times of the open loop. Pure; runs on the generator thread that owns the plan.
#include "plan.h"

#include <assert.h>
#include <math.h>

static double exponential_gap(struct plan *p)
{
    return -log(prng_unit(prng_draw(&p->random))) * p->spacing_ns;
}

void plan_init(struct plan *p, enum plan_arrival arrival, double rate_per_s, uint32_t senders,
               uint64_t seed, uint32_t part, uint32_t parts)
{
    assert(rate_per_s > 0 && senders > 0 && part < parts);
    *p = (struct plan){
        .arrival = arrival, .spacing_ns = (double)NS_PER_S / rate_per_s, .senders = senders};
    seed ^= (uint64_t)(part + 1) * 0xD1B54A32D192ED03ull;
    prng_init(&p->random, seed);
    p->phase_ns = p->spacing_ns * part / parts;
    if (arrival == PLAN_POISSON)
        p->at_ns = exponential_gap(p);
    p->next_ns = (uint64_t)(arrival == PLAN_POISSON ? p->at_ns : p->phase_ns);
}

uint32_t plan_pop(struct plan *p)
{
    uint32_t sender;

    p->index++;
    if (p->arrival == PLAN_CONSTANT) {
        sender = (uint32_t)((p->index - 1) % p->senders);
        p->next_ns = (uint64_t)(p->phase_ns + (double)p->index * p->spacing_ns);
        return sender;
    }
    sender = (uint32_t)(((prng_draw(&p->random) >> 32) * p->senders) >> 32);
    p->at_ns += exponential_gap(p);
    p->next_ns = (uint64_t)p->at_ns;
    return sender;
}

void plan_fill(uint8_t *out, size_t len, uint64_t seed)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = prng_mix(&seed);
        memcpy(out + at, &word, len - at < 8 ? len - at : 8);
    }
}
