// Random numbers that a seed repeats. Pure; runs wherever its owner does.
#include "prng.h"

#include "units.h"

uint64_t prng_mix(uint64_t *state)
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

void prng_init(struct prng *p, uint64_t seed)
{
    for (unsigned i = 0; i < COUNT_OF(p->state); i++)
        p->state[i] = prng_mix(&seed);
}

uint64_t prng_draw(struct prng *p)
{
    uint64_t *s = p->state;
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
