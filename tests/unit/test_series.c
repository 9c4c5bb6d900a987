// Intervals of a run: sums, percentiles, and their bound.
#include <criterion/criterion.h>

#include "series.h"

static struct series s;
static struct series_mark from, to;

static void setup(void)
{
    cr_assert_eq(series_init(&s), 0);
    from = to = (struct series_mark){.has_server = true};
}

static void teardown(void)
{
    series_free(&s);
}

TestSuite(series, .init = setup, .fini = teardown);

// A second in which `count` envelopes took `latency_ns`.
static void add_second(uint64_t count, uint64_t latency_ns)
{
    to.pulse.at_ns += NS_PER_S;
    to.pulse.sent += count + 1;
    to.pulse.delivered += count;
    to.pulse.buckets[pulse_bucket(latency_ns)] += count;
    to.server_cpu_ns += 1000;
    to.busy_ns += 500;
    series_add(&s, 0, &from, &to);
    from = to;
}

Test(series, add_keeps_each_second)
{
    add_second(10, NS_PER_MS);
    add_second(0, 0);
    add_second(20, 2 * NS_PER_MS);
    cr_assert_eq(s.count, 3);
    cr_assert_eq(s.points[2].at_ns, 2 * NS_PER_S);
    cr_assert_eq(s.points[2].len_ns, NS_PER_S);
    cr_assert_eq(s.points[2].delivered, 20);
    cr_assert_eq(s.points[2].sent, 21);
    cr_assert_eq(s.points[1].latency_count, 0);
    cr_assert_eq(s.points[1].p50_ns, 0);
    cr_assert_float_eq((double)s.points[2].p99_ns, 2e6, 2e6 * 0.07);
    cr_assert_eq(s.points[2].server_cpu_ns, 1000);
    cr_assert(s.points[2].has_server);
}

Test(series, add_merges_neighbours_when_full)
{
    uint64_t delivered = 0, at_ns = 0;

    for (uint32_t i = 0; i < SERIES_POINTS_MAX; i++)
        add_second(1, i % 2 == 0 ? NS_PER_MS : 8 * NS_PER_MS);
    cr_assert_eq(s.count, SERIES_POINTS_MAX);
    add_second(1, NS_PER_MS);
    cr_assert_eq(s.count, SERIES_POINTS_MAX / 2 + 1);
    cr_assert_eq(s.points[0].len_ns, 2 * NS_PER_S);
    cr_assert_eq(s.points[0].delivered, 2);
    // Percentiles of both together, not of one of them.
    cr_assert_float_eq((double)s.points[0].p50_ns, 1e6, 1e6 * 0.07);
    cr_assert_float_eq((double)s.points[0].max_ns, 8e6, 8e6 * 0.07);
    add_second(1, NS_PER_MS);
    cr_assert_eq(s.count, SERIES_POINTS_MAX / 2 + 1, "the second joins the first");
    cr_assert_eq(s.points[s.count - 1].len_ns, 2 * NS_PER_S);
    for (uint32_t i = 0; i < s.count; i++) {
        cr_assert_eq(s.points[i].at_ns, at_ns, "no gap, no overlap");
        at_ns += s.points[i].len_ns;
        delivered += s.points[i].delivered;
    }
    cr_assert_eq(delivered, SERIES_POINTS_MAX + 2);
}

Test(series, add_is_bounded_whatever_the_duration)
{
    struct series_point *points = s.points;
    uint64_t delivered = 0, cpu_ns = 0;

    for (uint32_t i = 0; i < 20 * SERIES_POINTS_MAX + 7; i++) {
        add_second(3, NS_PER_MS);
        cr_assert_leq(s.count, SERIES_POINTS_MAX);
    }
    cr_assert_eq(s.points, points, "the same memory");
    cr_assert_eq(s.steps_per_point, 32);
    for (uint32_t i = 0; i < s.count; i++) {
        delivered += s.points[i].delivered;
        cpu_ns += s.points[i].server_cpu_ns;
    }
    cr_assert_eq(delivered, 3 * (20 * SERIES_POINTS_MAX + 7));
    cr_assert_eq(cpu_ns, 1000 * (20 * SERIES_POINTS_MAX + 7));
}

Test(series, add_without_server)
{
    add_second(1, NS_PER_MS);
    to.has_server = false;
    add_second(1, NS_PER_MS);
    cr_assert(s.points[0].has_server);
    cr_assert_not(s.points[1].has_server);
}

Test(series, supports_with_ten_beyond)
{
    static const struct {
        double percentile;
        uint64_t count;
    } least[] = {{50, 20}, {90, 100}, {99, 1000}, {99.9, 10000}};

    for (unsigned i = 0; i < COUNT_OF(least); i++) {
        struct series_point p = {.latency_count = least[i].count};

        cr_assert(series_supports(&p, least[i].percentile));
        p.latency_count--;
        cr_assert_not(series_supports(&p, least[i].percentile));
    }
}

Test(series, merge_puts_the_same_time_together)
{
    struct series whole;

    cr_assert_eq(series_init(&whole), 0);
    add_second(10, NS_PER_MS);
    add_second(20, NS_PER_MS);
    add_second(30, NS_PER_MS);
    series_merge(&whole, &s);
    s.count = 2; // the other one ended a second earlier
    series_merge(&whole, &s);
    cr_assert_eq(whole.count, 3);
    cr_assert_eq(whole.points[0].delivered, 20);
    cr_assert_eq(whole.points[1].latency_count, 40);
    cr_assert_eq(whole.points[1].server_cpu_ns, 2000);
    cr_assert_eq(whole.points[2].delivered, 30);
    cr_assert_eq(whole.points[1].len_ns, NS_PER_S);
    series_free(&whole);
}

// One that ran longer has coarser intervals; of an odd number the last one stands alone.
Test(series, merge_makes_the_finer_one_coarser)
{
    struct series whole;

    cr_assert_eq(series_init(&whole), 0);
    for (uint32_t i = 0; i < 3; i++)
        add_second(10, NS_PER_MS);
    series_merge(&whole, &s);
    series_free(&s);
    setup();
    for (uint32_t i = 0; i < SERIES_POINTS_MAX + 1; i++)
        add_second(1, NS_PER_MS);
    cr_assert_eq(s.steps_per_point, 2);
    series_merge(&whole, &s);
    cr_assert_eq(whole.steps_per_point, 2);
    cr_assert_eq(whole.count, SERIES_POINTS_MAX / 2 + 1);
    cr_assert_eq(whole.points[0].delivered, 20 + 2);
    cr_assert_eq(whole.points[1].delivered, 10 + 2);
    cr_assert_eq(whole.points[2].delivered, 2);
    cr_assert_eq(whole.points[0].latency_count, 22);
    series_free(&whole);
}
