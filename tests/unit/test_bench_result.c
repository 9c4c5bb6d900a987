// The bench's statistics and the reading of client results.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench_result.h"

static const struct bench_pattern pattern = {.name = "sparse", .connections = 2, .in_flight = 1};

Test(bench_result, stat_of_odd_and_even)
{
    const double values[] = {5, 1, 4, 2};
    struct bench_stat odd = bench_stat_of(values, 3);
    struct bench_stat even = bench_stat_of(values, 4);

    cr_assert(odd.median == 4 && odd.min == 1 && odd.max == 5);
    cr_assert(even.median == 3 && even.min == 1 && even.max == 5);
}

Test(bench_result, stat_of_missing)
{
    const double values[] = {NAN, 7, NAN};

    cr_assert(bench_stat_of(values, 3).median == 7);
    cr_assert(isnan(bench_stat_of(values, 1).median));
    cr_assert(isnan(bench_stat_of(values, 0).max));
}

static struct bench_row row_of(const double *per_s, const double *cpu, unsigned count)
{
    struct bench_row row = {.pattern = &pattern, .server = "x", .count = count};

    for (unsigned i = 0; i < count; i++) {
        row.samples[i].per_s = per_s[i];
        row.samples[i].cpu_ns_per_msg = cpu[i];
        row.samples[i].client_busy_pct = 50;
        row.samples[i].latency_us[BENCH_P50] = 10 * (i + 1);
        row.samples[i].latency_us[BENCH_P99] = i == 0 ? NAN : 100;
        row.samples[i].counts[BENCH_COUNT_EXPECTED] = 100;
    }
    return row;
}

// Ratios belong to a round: the machine's speed in that round cancels out, which a ratio of the
// medians would not do.
Test(bench_result, summary_of_ratio_per_round)
{
    const double raw_rates[] = {100, 400, 200}, raw_cpu[] = {10, 40, 20};
    const double rates[] = {90, 200, 180}, cpu[] = {20, 40, 30};
    struct bench_row raw = row_of(raw_rates, raw_cpu, 3), row = row_of(rates, cpu, 3);
    struct bench_summary s;

    bench_summary_of(&row, &raw, &s);
    cr_assert(s.per_s.median == 180 && s.per_s.min == 90 && s.per_s.max == 200);
    cr_assert(s.ratio.median == 0.9 && s.ratio.min == 0.5 && s.ratio.max == 0.9);
    cr_assert(s.cpu_ratio.median == 1.5 && s.cpu_ratio.min == 1 && s.cpu_ratio.max == 2);
    cr_assert(s.client_busy_pct.median == 50);
    cr_assert(s.latency_us[BENCH_P50].median == 20);
    cr_assert(s.latency_us[BENCH_P99].median == 100);
    cr_assert(eq(u64, s.counts[BENCH_COUNT_EXPECTED], 300));
}

Test(bench_result, summary_of_without_raw)
{
    const double rates[] = {90}, cpu[] = {20};
    struct bench_row row = row_of(rates, cpu, 1);
    struct bench_summary s;

    bench_summary_of(&row, NULL, &s);
    cr_assert(isnan(s.ratio.median) && isnan(s.cpu_ratio.median));
    cr_assert(s.per_s.median == 90);
}

Test(bench_result, summary_of_unequal_rounds)
{
    const double raw_rates[] = {100, 0}, rates[] = {50, 70, 80}, cpu[] = {1, 1, 1};
    struct bench_row raw = row_of(raw_rates, cpu, 2), row = row_of(rates, cpu, 3);
    struct bench_summary s;

    bench_summary_of(&row, &raw, &s); // round 2 has no raw rate, round 3 no raw row
    cr_assert(s.ratio.median == 0.5 && s.ratio.min == 0.5 && s.ratio.max == 0.5);
}

Test(bench_result, counts_failed_each)
{
    uint64_t counts[BENCH_COUNTS] = {100, 100, 5};

    cr_assert(not(bench_counts_failed(counts)));
    for (size_t i = BENCH_COUNT_LOST; i < BENCH_COUNTS; i++) {
        counts[i] = 1;
        cr_assert(bench_counts_failed(counts), "%s", bench_count_names[i]);
        counts[i] = 0;
    }
}

static const char full[] =
    "{\"messages\": {\"per_s\": 1234.5}, \"delivery\": {\"expected\": 10, \"received\": 9, "
    "\"lost\": 1,"
    " \"auth_fail\": 2}, \"latency_us\": {\"response\": {\"p50\": 3.5, \"p99_9\": null, \"max\": "
    "9}},"
    " \"generator\": {\"busy_pct_per_thread\": [12.5, 80]}, \"server\": {\"cpu_ns_per_msg\": 77}}";

Test(bench_result, sample_parse_full)
{
    struct bench_sample s;

    cr_assert(eq(int, bench_sample_parse(full, strlen(full), &s), 0));
    cr_assert(s.per_s == 1234.5 && s.cpu_ns_per_msg == 77 && s.client_busy_pct == 80);
    cr_assert(fabs(s.client_cpu_ns_per_msg - 0.925e9 / 1234.5) < 1e-3);
    cr_assert(s.latency_us[BENCH_P50] == 3.5 && s.latency_us[BENCH_MAX] == 9);
    cr_assert(isnan(s.latency_us[BENCH_P999]) && isnan(s.latency_us[BENCH_P90]));
    cr_assert(eq(u64, s.counts[BENCH_COUNT_EXPECTED], 10));
    cr_assert(eq(u64, s.counts[BENCH_COUNT_LOST], 1));
    cr_assert(eq(u64, s.counts[BENCH_COUNT_AUTH_FAIL], 2));
    cr_assert(eq(u64, s.counts[BENCH_COUNT_DUPLICATE], 0));
}

Test(bench_result, sample_parse_unusable)
{
    static const char *const texts[] = {"",
                                        "no",
                                        "[]",
                                        "{}",
                                        "{\"messages\": {\"per_s\": 1}}",
                                        "{\"messages\": {\"per_s\": \"1\"}, \"delivery\": {}}",
                                        "{\"delivery\": {}}"};
    struct bench_sample s;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        cr_assert(eq(int, bench_sample_parse(texts[i], strlen(texts[i]), &s), -EBADMSG), "%s",
                  texts[i]);
    for (size_t len = 0; len < strlen(full); len++)
        cr_assert(eq(int, bench_sample_parse(full, len, &s), -EBADMSG));
}

Test(bench_result, json_number_paths)
{
    cr_assert(bench_json_number(full, strlen(full), "server.cpu_ns_per_msg") == 77);
    cr_assert(isnan(bench_json_number(full, strlen(full), "server.rss_bytes_per_conn")));
    cr_assert(isnan(bench_json_number(full, strlen(full), "server")));
    cr_assert(isnan(bench_json_number("{", 1, "server")));
}
