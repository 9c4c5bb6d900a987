// The histogram against sorted samples.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "hist.h"

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

// xorshift: the same samples in every run.
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Spread over all magnitudes up to 2^40.
static uint64_t next_sample(uint64_t *state)
{
    uint64_t value = next_random(state);

    return value >> (24 + next_random(state) % 40);
}

Test(hist_percentile, within_a_thousandth_of_sorted_samples)
{
    static uint64_t samples[100000];
    uint64_t state = 88172645463325252ull;
    struct hist h;

    cr_assert_eq(hist_init(&h), 0);
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        samples[i] = next_sample(&state);
        hist_record(&h, samples[i]);
    }
    qsort(samples, COUNT_OF(samples), sizeof samples[0], compare_u64);
    for (uint64_t permille = 1; permille <= 1000; permille++) {
        size_t rank = (permille * COUNT_OF(samples) + 999) / 1000;
        uint64_t exact = samples[rank - 1];
        uint64_t got = hist_percentile(&h, (double)permille / 10);
        cr_assert_geq(got, exact);
        cr_assert_leq(got - exact, exact / 1000, "p%.1f: %lu for %lu", (double)permille / 10, got,
                      exact);
    }
    cr_assert_eq(h.min, samples[0]);
    cr_assert_eq(h.max, samples[COUNT_OF(samples) - 1]);
    cr_assert_eq(hist_percentile(&h, 100), h.max);
    cr_assert_eq(h.total, COUNT_OF(samples));
    hist_free(&h);
}

Test(hist_percentile, exact_ranks)
{
    struct hist h;

    cr_assert_eq(hist_init(&h), 0);
    for (uint64_t value = 1; value <= 1000; value++)
        hist_record(&h, value);
    cr_assert_eq(hist_percentile(&h, 0), 1);
    cr_assert_eq(hist_percentile(&h, 0.1), 1);
    cr_assert_eq(hist_percentile(&h, 50), 500);
    cr_assert_eq(hist_percentile(&h, 50.01), 501);
    cr_assert_eq(hist_percentile(&h, 99), 990);
    cr_assert_eq(hist_percentile(&h, 99.9), 999);
    cr_assert_eq(hist_percentile(&h, 99.99), 1000);
    cr_assert_eq(hist_percentile(&h, 100), 1000);
    hist_free(&h);
}

Test(hist_percentile, bucket_edges)
{
    for (uint32_t bit = 0; bit <= 40; bit++) {
        for (int step = -1; step <= 1; step++) {
            uint64_t value = (1ull << bit) + (uint64_t)step;
            struct hist h;

            cr_assert_eq(hist_init(&h), 0);
            hist_record(&h, value);
            hist_record(&h, UINT64_MAX);
            // Not cut down to max: the highest value of the bucket itself.
            uint64_t got = hist_percentile(&h, 50);
            if (value >> 40 == 0) {
                cr_assert_geq(got, value);
                cr_assert_leq(got - value, value / 2048, "%lu", value);
            } else {
                cr_assert_eq(got, UINT64_MAX);
            }
            if (value < 4096)
                cr_assert_eq(got, value);
            hist_free(&h);
        }
    }
}

Test(hist_percentile, overflow_bucket)
{
    struct hist h;

    cr_assert_eq(hist_init(&h), 0);
    hist_record(&h, 5);
    hist_record(&h, 1ull << 40);
    hist_record(&h, 1ull << 50);
    cr_assert_eq(h.total, 3);
    cr_assert_eq(h.counts[h.bucket_count - 1], 2);
    cr_assert_eq(hist_percentile(&h, 33), 5);
    cr_assert_eq(hist_percentile(&h, 60), 1ull << 50);
    cr_assert_eq(h.max, 1ull << 50);
    hist_free(&h);
}

Test(hist_percentile, empty_and_cleared)
{
    struct hist h;

    cr_assert_eq(hist_init(&h), 0);
    cr_assert_eq(hist_percentile(&h, 50), 0);
    cr_assert_eq(hist_mean(&h), 0);
    hist_record(&h, 77);
    cr_assert_eq(h.min, 77);
    hist_clear(&h);
    cr_assert_eq(h.total, 0);
    cr_assert_eq(h.min, 0);
    cr_assert_eq(h.max, 0);
    cr_assert_eq(hist_percentile(&h, 50), 0);
    hist_record(&h, 99);
    cr_assert_eq(h.min, 99);
    cr_assert_eq(hist_percentile(&h, 1), 99);
    hist_free(&h);
}

Test(hist_merge, equals_one)
{
    struct hist one, parts[3], merged;
    uint64_t state = 1234567;

    cr_assert_eq(hist_init(&one), 0);
    cr_assert_eq(hist_init(&merged), 0);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(hist_init(&parts[i]), 0);
    for (size_t i = 0; i < 10000; i++) {
        uint64_t value = next_sample(&state);
        hist_record(&one, value);
        hist_record(&parts[i % 2], value); // the third stays empty
    }
    for (size_t i = 3; i-- > 0;)
        hist_merge(&merged, &parts[i]);
    cr_assert_arr_eq(merged.counts, one.counts, one.bucket_count * sizeof one.counts[0]);
    cr_assert_eq(merged.total, one.total);
    cr_assert_eq(merged.min, one.min);
    cr_assert_eq(merged.max, one.max);
    cr_assert_float_eq(merged.sum, one.sum, one.sum * 1e-9);
    for (size_t i = 0; i < 3; i++)
        hist_free(&parts[i]);
    hist_free(&one);
    hist_free(&merged);
}

Test(hist_percentile_supported, ten_samples_beyond)
{
    struct hist h;

    cr_assert_eq(hist_init(&h), 0);
    cr_assert_not(hist_percentile_supported(&h, 0));
    for (uint64_t i = 1; i <= 9999; i++)
        hist_record(&h, i);
    cr_assert_not(hist_percentile_supported(&h, 99.9)); // 9 beyond
    cr_assert(hist_percentile_supported(&h, 99));
    hist_record(&h, 1);
    cr_assert(hist_percentile_supported(&h, 99.9)); // 10 beyond
    cr_assert_not(hist_percentile_supported(&h, 99.91));
    cr_assert_not(hist_percentile_supported(&h, 100));
    hist_free(&h);
}

Test(hist_mean, of_samples)
{
    struct hist h;

    cr_assert_eq(hist_init(&h), 0);
    hist_record(&h, 10);
    hist_record(&h, 20);
    hist_record(&h, 60);
    cr_assert_float_eq(hist_mean(&h), 30, 1e-9);
    hist_free(&h);
}

Test(hist_record, memory_is_fixed)
{
    struct hist h;
    uint64_t *counts;

    cr_assert_eq(hist_init(&h), 0);
    counts = h.counts;
    cr_assert_eq(h.bucket_count * sizeof *h.counts / KIB, 480);
    for (uint64_t value = 1; value < UINT64_MAX / 3; value += value / 2 + 1)
        hist_record_many(&h, value, 1000000007);
    hist_record(&h, UINT64_MAX);
    cr_assert_eq(h.counts, counts);
    cr_assert_eq(h.bucket_count * sizeof *h.counts / KIB, 480);
    hist_free(&h);
}

Test(hist_record_many, equals_one_by_one)
{
    struct hist many, one;

    cr_assert_eq(hist_init(&many), 0);
    cr_assert_eq(hist_init(&one), 0);
    hist_record_many(&many, 12345, 0);
    cr_assert_eq(many.total, 0);
    hist_record_many(&many, 12345, 100);
    hist_record_many(&many, 7, 3);
    for (int i = 0; i < 100; i++)
        hist_record(&one, 12345);
    for (int i = 0; i < 3; i++)
        hist_record(&one, 7);
    cr_assert_eq(memcmp(many.counts, one.counts, many.bucket_count * sizeof *many.counts), 0);
    cr_assert_eq(many.total, one.total);
    cr_assert_eq(many.min, 7);
    cr_assert_eq(many.max, 12345);
    cr_assert_float_eq(hist_mean(&many), hist_mean(&one), 1e-6);
    hist_free(&many);
    hist_free(&one);
}

Test(hist, next_walks_what_is_there)
{
    static const uint64_t values[] = {0, 5, 5, 4096, 1000000, 1ull << 50};
    struct hist h;
    size_t bucket = 0;
    uint64_t value, count;

    cr_assert_eq(hist_init(&h), 0);
    cr_assert_not(hist_next(&h, &bucket, &value, &count));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        hist_record(&h, values[i]);
    bucket = 0;
    cr_assert(hist_next(&h, &bucket, &value, &count));
    cr_assert_eq(value, 0);
    cr_assert_eq(count, 1);
    cr_assert(hist_next(&h, &bucket, &value, &count));
    cr_assert_eq(value, 5);
    cr_assert_eq(count, 2);
    cr_assert(hist_next(&h, &bucket, &value, &count));
    cr_assert_eq(value, 4097); // two values share a bucket from 4,096 on
    cr_assert(hist_next(&h, &bucket, &value, &count));
    cr_assert(value >= 1000000 && value < 1000512);
    cr_assert(hist_next(&h, &bucket, &value, &count));
    cr_assert_eq(value, 1ull << 50); // the last bucket's is the largest value seen
    cr_assert_not(hist_next(&h, &bucket, &value, &count));
    hist_free(&h);
}
