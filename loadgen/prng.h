// Random numbers that a seed repeats: statistics, never secrets. Pure.
// Thread: one owner for each struct.
#ifndef SEALPOST_PRNG_H
#define SEALPOST_PRNG_H

#include <stdint.h>

// xoshiro256**.
struct prng {
    uint64_t state[4];
};

// Another stream for every seed, also for seeds next to each other.
void prng_init(struct prng *p, uint64_t seed);
uint64_t prng_draw(struct prng *p);

// splitmix64: the next word of the sequence that `*state` stands in.
uint64_t prng_mix(uint64_t *state);

// The upper 53 bits of a word as a number in (0, 1]: its logarithm is always finite.
static inline double prng_unit(uint64_t word)
{
    return ((double)(word >> 11) + 1) * 0x1p-53;
}

#endif
