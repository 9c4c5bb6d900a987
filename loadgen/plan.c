// Arrival times of the open loop. Pure; runs on the generator thread that owns the plan.
#include "plan.h"

#include <assert.h>
#include <math.h>

// splitmix64: spreads a seed over the state below.
static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

// xoshiro256**: statistics, not secrets.
static uint64_t draw(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static double exponential_gap(struct plan *p)
{
    // (0, 1]: 53 bits, never 0.
    double u = ((double)(draw(p->random) >> 11) + 1) * 0x1p-53;

    return -log(u) * p->spacing_ns;
}

void plan_init(struct plan *p, enum plan_arrival arrival, double rate_per_s, uint32_t senders,
               uint64_t seed, uint32_t part, uint32_t parts)
{
    assert(rate_per_s > 0 && senders > 0 && part < parts);
    *p = (struct plan){
        .arrival = arrival, .spacing_ns = (double)NS_PER_S / rate_per_s, .senders = senders};
    seed ^= (uint64_t)(part + 1) * 0xD1B54A32D192ED03ull;
    for (unsigned i = 0; i < COUNT_OF(p->random); i++)
        p->random[i] = mix(&seed);
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
    sender = (uint32_t)(((draw(p->random) >> 32) * p->senders) >> 32);
    p->at_ns += exponential_gap(p);
    p->next_ns = (uint64_t)p->at_ns;
    return sender;
}

void plan_fill(uint8_t *out, size_t len, uint64_t seed)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = mix(&seed);
        memcpy(out + at, &word, len - at < 8 ? len - at : 8);
    }
}
