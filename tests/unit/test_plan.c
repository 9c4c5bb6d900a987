// Arrival schedules: exact spacing, spread phases, Poisson statistics, determinism.
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "plan.h"

Test(plan, pop_constant_spacing_is_exact)
{
    struct plan p;

    plan_init(&p, PLAN_CONSTANT, 3000, 7, 1, 0, 1);
    for (uint64_t n = 0; n < 300000; n++) {
        cr_assert_eq(plan_next_ns(&p), (uint64_t)((double)n * (1e9 / 3000)), "arrival %lu", n);
        cr_assert_eq(plan_pop(&p), n % 7);
    }
    // 300,000 arrivals at 3,000 a second are 100 s: the rounding never adds up.
    cr_assert_leq(llabs((long long)plan_next_ns(&p) - 100000000000ll), 1);
}

Test(plan, init_threads_have_spread_phases)
{
    struct plan p[4];

    for (uint32_t part = 0; part < 4; part++) {
        plan_init(&p[part], PLAN_CONSTANT, 1000, 10, 1, part, 4);
        cr_assert_eq(plan_next_ns(&p[part]), part * 250000);
    }
}

Test(plan, pop_constant_senders_never_burst)
{
    // Over one sender's period every sender is due once, evenly apart: no two together.
    struct plan p;
    uint64_t last = 0;

    plan_init(&p, PLAN_CONSTANT, 100000, 1000, 1, 0, 1);
    for (unsigned n = 0; n < 1000; n++) {
        if (n > 0)
            cr_assert_eq(plan_next_ns(&p) - last, 10000);
        last = plan_next_ns(&p);
        plan_pop(&p);
    }
}

Test(plan, pop_poisson_mean_and_variance)
{
    enum { COUNT = 200000 };
    struct plan p;
    double sum = 0, squares = 0, last = 0;
    unsigned senders[8] = {0};

    plan_init(&p, PLAN_POISSON, 10000, 8, 42, 0, 1);
    for (unsigned n = 0; n < COUNT; n++) {
        double gap = (double)plan_next_ns(&p) - last;

        last = (double)plan_next_ns(&p);
        sum += gap;
        squares += gap * gap;
        senders[plan_pop(&p)]++;
    }
    double mean = sum / COUNT, deviation = sqrt(squares / COUNT - mean * mean);

    // 100 µs both; the standard errors are 0.22 % and 0.32 %.
    cr_assert_float_eq(mean, 100000, 1000, "mean %.0f", mean);
    cr_assert_float_eq(deviation, 100000, 2000, "deviation %.0f", deviation);
    for (unsigned i = 0; i < 8; i++)
        cr_assert_float_eq(senders[i], COUNT / 8.0, 800, "sender %u: %u", i, senders[i]);
}

Test(plan, pop_poisson_gaps_are_exponential)
{
    enum { COUNT = 100000 };
    struct plan p;
    unsigned longer_than_mean = 0;
    uint64_t last = 0;

    plan_init(&p, PLAN_POISSON, 1000, 1, 7, 0, 1);
    for (unsigned n = 0; n < COUNT; n++) {
        longer_than_mean += plan_next_ns(&p) - last > 1000000;
        last = plan_next_ns(&p);
        plan_pop(&p);
    }
    cr_assert_float_eq((double)longer_than_mean / COUNT, exp(-1), 0.01);
}

static bool is_same(uint64_t seed_a, uint32_t part_a, uint64_t seed_b, uint32_t part_b)
{
    struct plan a, b;

    plan_init(&a, PLAN_POISSON, 1000, 100, seed_a, part_a, 4);
    plan_init(&b, PLAN_POISSON, 1000, 100, seed_b, part_b, 4);
    for (unsigned n = 0; n < 1000; n++) {
        if (plan_next_ns(&a) != plan_next_ns(&b) || plan_pop(&a) != plan_pop(&b))
            return false;
    }
    return true;
}

Test(plan, init_seed_decides)
{
    cr_assert(is_same(5, 0, 5, 0));
    cr_assert_not(is_same(5, 0, 6, 0), "another seed is another schedule");
    cr_assert_not(is_same(5, 0, 5, 1), "each thread has its own stream");
}

Test(plan, fill_is_deterministic_for_any_length)
{
    uint8_t long_one[100], short_one[100];

    plan_fill(long_one, sizeof long_one, 9);
    for (size_t len = 0; len <= sizeof short_one; len++) {
        memset(short_one, 0xA5, sizeof short_one);
        plan_fill(short_one, len, 9);
        cr_assert_eq(memcmp(short_one, long_one, len), 0);
        for (size_t i = len; i < sizeof short_one; i++)
            cr_assert_eq(short_one[i], 0xA5, "nothing behind the end is written");
    }
    plan_fill(short_one, sizeof short_one, 10);
    cr_assert_neq(memcmp(short_one, long_one, sizeof short_one), 0);
}
