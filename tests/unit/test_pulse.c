// Live counters: bucket edges, percentiles of a difference.
#include <criterion/criterion.h>

#include "pulse.h"

static struct pulse p;
static struct pulse_sample from, to;

static void sample(struct pulse_sample *s)
{
    memset(s, 0, sizeof *s);
    pulse_collect(s, &p);
}

Test(pulse, bucket_is_monotonic_and_narrow)
{
    uint32_t last = 0;

    for (uint64_t value = 1; value < 1ull << 40; value += 1 + value / 100) {
        uint32_t bucket = pulse_bucket(value);

        cr_assert_geq(bucket, last);
        cr_assert_leq(bucket, last + 1, "a bucket is wider than a step of 1 %%: none is skipped");
        last = bucket;
    }
    cr_assert_lt(pulse_bucket(UINT64_MAX), PULSE_BUCKETS);
}

Test(pulse, percentile_of_a_difference)
{
    for (unsigned i = 0; i < 1000; i++)
        pulse_record(&p, 5, 1); // before: must not count
    sample(&from);
    for (uint64_t us = 1; us <= 1000; us++)
        pulse_record(&p, us * 1000, 1);
    sample(&to);
    cr_assert_float_eq((double)pulse_percentile(&from, &to, 50), 500e3, 500e3 * 0.07);
    cr_assert_float_eq((double)pulse_percentile(&from, &to, 99), 990e3, 990e3 * 0.07);
    cr_assert_eq(pulse_percentile(&to, &to, 50), 0);
}

Test(pulse, collect_sums_threads)
{
    pulse_add(&p.sent, 3);
    pulse_add(&p.delivered, 2);
    atomic_store(&p.settled, 7);
    atomic_store(&p.waiting, 5);
    memset(&to, 0, sizeof to);
    pulse_collect(&to, &p);
    pulse_collect(&to, &p);
    cr_assert_eq(to.sent, 6);
    cr_assert_eq(to.delivered, 4);
    cr_assert_eq(to.settled, 14);
    cr_assert_eq(to.waiting, 10);
}
