// Arrival schedules: exact times, phases spread over all senders of all threads, bursts, Poisson
// statistics, determinism.
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "plan.h"

static struct schedule schedule;

static void build(const char *text)
{
    struct stage_list list = {0};
    char reason[STAGE_REASON_BYTES];

    cr_assert_eq(stage_list_parse(&list, text, reason), 0, "%s", reason);
    schedule_init(&schedule, &list, 0);
}

static void init(struct plan *p, enum plan_arrival arrival, uint32_t senders, uint64_t seed,
                 uint32_t part, uint32_t parts)
{
    struct plan_slots slots = plan_slots_of(senders, 1, part, parts);

    plan_init(p, &schedule, arrival, &slots, seed);
}

Test(plan, pop_constant_spacing_is_exact)
{
    struct plan p;

    build("hold 200s at 3000");
    init(&p, PLAN_CONSTANT, 7, 1, 0, 1);
    for (uint64_t n = 0; n < 300000; n++) {
        cr_assert_leq(llabs((long long)(plan_next_ns(&p) - n * 1000000000 / 3000)), 1,
                      "arrival %lu", n);
        cr_assert_eq(plan_pop(&p), n % 7);
    }
    // 300,000 arrivals at 3,000 a second are 100 s: the rounding never adds up.
    cr_assert_leq(llabs((long long)plan_next_ns(&p) - 100000000000ll), 1);
}

Test(plan, init_threads_have_spread_phases)
{
    struct plan p[4];

    build("hold 10s at 4000");
    for (uint32_t part = 0; part < 4; part++) {
        init(&p[part], PLAN_CONSTANT, 40, 1, part, 4);
        cr_assert_eq(plan_next_ns(&p[part]), part * 250000);
    }
}

Test(plan, slots_of_deals_units_evenly)
{
    uint32_t sum = 0, extra = 0;

    // 23 pairs over four threads: 6, 6, 6, 5.
    for (uint32_t part = 0; part < 4; part++) {
        struct plan_slots slots = plan_slots_of(46, 2, part, 4);

        cr_assert_eq(slots.senders, part < 3 ? 12 : 10);
        cr_assert_eq(slots.total, 46);
        cr_assert_eq(slots.base, 10);
        cr_assert_eq(slots.extra_before, extra);
        sum += slots.senders;
        extra += slots.senders - slots.base;
    }
    cr_assert_eq(sum, 46);
}

// All threads' arrivals together in the order of their times.
static void check_even(uint32_t senders, uint32_t unit, uint32_t parts, uint64_t spacing_ns)
{
    struct plan plans[8];
    uint64_t *last_of = calloc(senders, sizeof *last_of);
    uint32_t first_of[8], given = 0;

    for (uint32_t part = 0; part < parts; part++) {
        struct plan_slots slots = plan_slots_of(senders, unit, part, parts);

        plan_init(&plans[part], &schedule, PLAN_CONSTANT, &slots, 1);
        first_of[part] = given;
        given += slots.senders;
    }
    cr_assert_eq(given, senders);
    for (uint64_t n = 0; n < 5ull * senders; n++) {
        uint32_t next = 0, sender;

        for (uint32_t part = 1; part < parts; part++) {
            if (plan_next_ns(&plans[part]) < plan_next_ns(&plans[next]))
                next = part;
        }
        cr_assert_leq(llabs((long long)(plan_next_ns(&plans[next]) - n * spacing_ns)), 1,
                      "%u senders in %u parts: arrival %lu", senders, parts, n);
        sender = first_of[next] + (uint32_t)(plans[next].smooth.index % plans[next].slots.senders);
        // Every sender has its own phase and keeps it: once in each round, a period apart.
        if (n >= senders)
            cr_assert_leq(llabs((long long)(plan_next_ns(&plans[next]) - last_of[sender] -
                                            senders * spacing_ns)),
                          1);
        last_of[sender] = plan_next_ns(&plans[next]);
        cr_assert_eq(first_of[next] + plan_pop(&plans[next]), sender);
    }
    free(last_of);
}

Test(plan, pop_constant_senders_of_all_threads_never_burst)
{
    build("hold 60s at 10000");
    check_even(1000, 2, 1, 100000);
    check_even(1000, 2, 4, 100000);
    check_even(46, 2, 4, 100000); // 12, 12, 12 and 10 senders
    check_even(14, 2, 5, 100000);
    check_even(7, 1, 3, 100000);
    check_even(8, 1, 8, 100000);
}

Test(plan, pop_bursts_are_at_once_and_every_sender_takes_its_turn)
{
    struct plan plans[3];
    unsigned of_sender[10] = {0}, at_once = 0;

    // Seven envelopes, ten senders: 3 of the bursts give each sender two, one sender a third.
    build("burst 7 every 100ms for 300ms at 0");
    for (uint32_t part = 0, first = 0; part < 3; part++) {
        struct plan *p = &plans[part];
        struct plan_slots slots = plan_slots_of(10, 1, part, 3);

        plan_init(p, &schedule, PLAN_POISSON, &slots, 1);
        while (plan_next_ns(p) < SCHEDULE_NEVER_NS) {
            cr_assert_eq(plan_next_ns(p) % (100 * NS_PER_MS), 0);
            at_once += plan_next_ns(p) == 100 * NS_PER_MS;
            of_sender[first + plan_pop(p)]++;
        }
        first += slots.senders;
    }
    cr_assert_eq(at_once, 7);
    for (unsigned i = 0, sum = 0; i < 10; i++) {
        cr_assert(of_sender[i] == 2 || of_sender[i] == 3, "sender %u: %u", i, of_sender[i]);
        sum += of_sender[i];
        if (i == 9)
            cr_assert_eq(sum, 21);
    }
}

Test(plan, pop_bursts_lie_on_top_of_the_rate)
{
    struct plan p;
    uint64_t last_ns = 0, smooth = 0, burst = 0;

    build("burst 50 every 100ms for 1s at 1000");
    init(&p, PLAN_CONSTANT, 4, 1, 0, 1);
    while (plan_next_ns(&p) < SCHEDULE_NEVER_NS) {
        cr_assert_geq(plan_next_ns(&p), last_ns);
        last_ns = plan_next_ns(&p);
        if (last_ns % (100 * NS_PER_MS) == 0)
            burst++;
        else
            smooth++;
        plan_pop(&p);
    }
    // Of the 1,000 smooth ones ten fall on a burst's time.
    cr_assert_eq(smooth, 990);
    cr_assert_eq(burst, 510);
}

Test(plan, pop_poisson_mean_and_variance)
{
    enum { COUNT = 200000 };
    struct plan p;
    double sum = 0, squares = 0, last = 0;
    unsigned senders[8] = {0};

    build("hold 100s at 10000");
    init(&p, PLAN_POISSON, 8, 42, 0, 1);
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

    build("hold 200s at 1000");
    init(&p, PLAN_POISSON, 1, 7, 0, 1);
    for (unsigned n = 0; n < COUNT; n++) {
        longer_than_mean += plan_next_ns(&p) - last > 1000000;
        last = plan_next_ns(&p);
        plan_pop(&p);
    }
    cr_assert_float_eq((double)longer_than_mean / COUNT, exp(-1), 0.01);
}

Test(plan, pop_poisson_follows_a_ramp)
{
    unsigned quarter[4] = {0}, all = 0;

    // Four threads of unequal size; a quarter's share of a ramp is 1, 3, 5, 7 sixteenths.
    build("ramp 40s to 8000");
    for (uint32_t part = 0; part < 4; part++) {
        struct plan p;

        init(&p, PLAN_POISSON, 10, 3, part, 4);
        while (plan_next_ns(&p) < SCHEDULE_NEVER_NS) {
            quarter[plan_next_ns(&p) / (10 * NS_PER_S)]++;
            all++;
            plan_pop(&p);
        }
    }
    cr_assert_float_eq(all, 160000.0, 2000.0, "%u in all", all); // 5 standard errors
    for (unsigned i = 0; i < 4; i++)
        cr_assert_float_eq(quarter[i], (2 * i + 1) * 10000.0, 1500.0, "%u: %u", i, quarter[i]);
}

static bool is_same(uint64_t seed_a, uint32_t part_a, uint64_t seed_b, uint32_t part_b)
{
    struct plan a, b;

    build("ramp 10s from 100 to 5000");
    init(&a, PLAN_POISSON, 400, seed_a, part_a, 4);
    init(&b, PLAN_POISSON, 400, seed_b, part_b, 4);
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
