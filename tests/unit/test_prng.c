// The generator of repeatable numbers: published values, and what depends on them.
#include <criterion/criterion.h>
#include <math.h>

#include "prng.h"

Test(prng, mix_matches_published_values)
{
    // splitmix64 from the seed 1234567, as its authors print it.
    uint64_t state = 1234567;

    cr_assert_eq(prng_mix(&state), 6457827717110365317ull);
    cr_assert_eq(prng_mix(&state), 3203168211198807973ull);
    cr_assert_eq(prng_mix(&state), 9817491932198370423ull);
}

Test(prng, draw_matches_published_values)
{
    // xoshiro256** from the state 1, 2, 3, 4.
    struct prng p = {{1, 2, 3, 4}};

    cr_assert_eq(prng_draw(&p), 11520);
    cr_assert_eq(prng_draw(&p), 0);
    cr_assert_eq(prng_draw(&p), 1509978240);
    cr_assert_eq(prng_draw(&p), 1215971899390074240ull);
}

Test(prng, init_seeds_next_to_each_other_differ)
{
    struct prng a, b, again;

    prng_init(&a, 1);
    prng_init(&b, 2);
    prng_init(&again, 1);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t drawn = prng_draw(&a);

        cr_assert_eq(drawn, prng_draw(&again));
        cr_assert_neq(drawn, prng_draw(&b));
    }
}

Test(prng, unit_has_no_zero)
{
    cr_assert_gt(prng_unit(0), 0);
    cr_assert(isfinite(log(prng_unit(0))));
    cr_assert_eq(prng_unit(UINT64_MAX), 1);
    cr_assert_float_eq(prng_unit(UINT64_MAX / 2), 0.5, 1e-9);
}
