// What other tools read: CSV, percentile distributions, Prometheus' text, OTLP's JSON.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "output_format.h"
#include "output_metric.h"
#include "output_otlp.h"

static struct options o;
static struct target t;
static struct outcome out;
static char *text;
static size_t text_len;

static void set_up(void)
{
    o = (struct options){.url = "ws://127.0.0.1:1", .connections = 10, .threads = 1};
    out = (struct outcome){.options = &o, .target = &t, .has_begun = true, .started = 1700000000};
    cr_assert_eq(tally_init(&out.tally), 0);
    cr_assert_eq(series_init(&out.series), 0);
    out.tally.window_ns = 2 * NS_PER_S;
    out.tally.delivered = 1000;
    out.tally.ledger.lost = 3;
    for (uint64_t i = 1; i <= 1000; i++)
        hist_record(&out.tally.response, i * 1000 - 10); // nearly 1 us … 1 ms
}

static void tear_down(void)
{
    free(text);
    text = NULL;
    run_free(&out);
}

TestSuite(output_format, .init = set_up, .fini = tear_down);

static FILE *begin(void)
{
    FILE *f = open_memstream(&text, &text_len);

    cr_assert_not_null(f);
    return f;
}

static void add_interval(bool has_server)
{
    struct series_mark from = {.pulse.at_ns = NS_PER_S},
                       to = {.pulse = {.at_ns = 2 * NS_PER_S, .sent = 20, .delivered = 10},
                             .busy_ns = NS_PER_S / 4,
                             .server_cpu_ns = NS_PER_S / 2};

    from.has_server = to.has_server = has_server;
    to.pulse.buckets[pulse_bucket(50000)] = 20; // enough for the median alone
    series_add(&out.series, NS_PER_S, &from, &to);
}

Test(output_format, csv)
{
    char high[32];
    FILE *f = begin();

    o.threads = 2; // their mean is what a thread was busy
    add_interval(true);
    add_interval(false);
    output_format_csv(f, &out);
    fclose(f);
    cr_assert_eq(strncmp(text, "at_s,length_s,sent,delivered,", 29), 0);
    snprintf(high, sizeof high, "%.3f", (double)pulse_bucket_high(pulse_bucket(50000)) / 1e3);
    char expected[256];
    snprintf(expected, sizeof expected,
             "\r\n0.000,1.000,20,10,0,0,0,10.000,%s,,,,%s,12.50,50.00\r\n", high, high);
    cr_assert_not_null(strstr(text, expected), "%s", text);
    snprintf(expected, sizeof expected, ",%s,,,,%s,12.50,\r\n", high, high);
    cr_assert_not_null(strstr(text, expected), "%s", text);
}

Test(output_format, hgrm)
{
    double last_level = -1, last_value = -1;
    unsigned long long last_count = 0;
    char *line;
    FILE *f = begin();

    output_format_hgrm(f, &out.tally.response);
    fclose(f);
    line = strstr(text, "\n\n");
    cr_assert_not_null(line);
    for (line += 2; *line != '#'; line = strchr(line, '\n') + 1) {
        double value, level;
        unsigned long long count;

        cr_assert_eq(sscanf(line, "%lf %lf %llu", &value, &level, &count), 3, "%s", line);
        cr_assert(value >= last_value && level > last_level && count >= last_count, "%s", line);
        // So many samples are at most this: the value's own share reaches the level.
        cr_assert_geq((double)count / 1000, level - 1e-9);
        cr_assert_float_eq(value * 1000, (double)count, 1.0);
        last_value = value, last_level = level, last_count = count;
    }
    cr_assert_eq(last_level, 1);
    cr_assert_eq(last_count, 1000);
    cr_assert_float_eq(last_value, 1.0, 1e-9);
    cr_assert_not_null(strstr(line, "#[Mean    =        0.50"), "%s", line);
    cr_assert_not_null(strstr(line, "Total count    =         1000]"), "%s", line);
}

Test(output_format, hgrm_of_one_sample)
{
    struct hist h;
    FILE *f = begin();

    cr_assert_eq(hist_init(&h), 0);
    hist_record(&h, 2000000);
    output_format_hgrm(f, &h);
    fclose(f);
    cr_assert_not_null(strstr(text, "       2.000 1.000000000000          1\n"), "%s", text);
    hist_free(&h);
}

Test(output_format, hlog)
{
    int lines = 0, tagged = 0;
    FILE *f = begin();

    add_interval(false);
    cr_assert_eq(output_format_hlog(f, &out), 0);
    fclose(f);
    cr_assert_not_null(strstr(text, "#[Histogram log format version 1.3]\n"));
    cr_assert_not_null(strstr(text, "#[StartTime: 1700000000.000 "));
    cr_assert_not_null(strstr(text, "\nTag=response,0.000,2.000,1.000,HISTFAAA"));
    for (char *at = text; (at = strstr(at, "HISTFAAA")); at++)
        lines++;
    for (char *at = text; (at = strstr(at, "Tag=")); at++)
        tagged++;
    cr_assert_eq(lines, 2);
    cr_assert_eq(tagged, 1); // histograms without samples are left out
}

Test(output_format, prometheus)
{
    FILE *f = begin();

    output_format_prometheus(f, &out);
    fclose(f);
    cr_assert_not_null(strstr(text, "# TYPE sealpost_load_envelopes_lost_total counter\n"
                                    "sealpost_load_envelopes_lost_total 3\n"));
    cr_assert_not_null(strstr(text, "sealpost_load_envelopes_per_second 500\n"));
    cr_assert_not_null(strstr(text, "sealpost_load_response_seconds_bucket{le=\"5e-06\"} 5\n"));
    cr_assert_not_null(strstr(text, "sealpost_load_response_seconds_bucket{le=\"0.001\"} 1000\n"));
    cr_assert_not_null(strstr(text, "sealpost_load_response_seconds_bucket{le=\"+Inf\"} 1000\n"));
    cr_assert_not_null(strstr(text, "sealpost_load_response_seconds_count 1000\n"));
    cr_assert_null(strstr(text, "server_cpu")); // not measured
    cr_assert_null(strstr(text, "uncorrected_seconds_count"));
}

Test(output_format, metric_count_covers_every_sample)
{
    uint64_t counts[OUTPUT_BOUNDS_COUNT + 1], sum = 0;

    hist_record(&out.tally.response, 100 * NS_PER_S);
    output_metric_count(&out.tally.response, counts);
    for (unsigned i = 0; i <= OUTPUT_BOUNDS_COUNT; i++)
        sum += counts[i];
    cr_assert_eq(sum, 1001);
    cr_assert_eq(counts[OUTPUT_BOUNDS_COUNT], 1);
}

Test(output_format, otlp)
{
    yyjson_doc *d;
    yyjson_val *root, *metrics, *metric;
    size_t i, n, sums = 0, histograms = 0;

    text = output_otlp_format(&out, 1700000002000000000u);
    cr_assert_not_null(text);
    d = yyjson_read(text, strlen(text), 0);
    root = yyjson_doc_get_root(d);
    metrics = yyjson_ptr_get(root, "/resourceMetrics/0/scopeMetrics/0/metrics");
    cr_assert(yyjson_is_arr(metrics));
    yyjson_arr_foreach(metrics, i, n, metric)
    {
        yyjson_val *point;

        if (strcmp(yyjson_get_str(yyjson_obj_get(metric, "name")),
                   "sealpost.load.envelopes_lost_total") == 0) {
            point = yyjson_ptr_get(metric, "/sum/dataPoints/0");
            cr_assert_eq(yyjson_get_real(yyjson_obj_get(point, "asDouble")), 3.0);
            cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(point, "startTimeUnixNano")),
                             "1700000000000000000");
            cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(point, "timeUnixNano")),
                             "1700000002000000000");
            sums++;
        }
        point = yyjson_ptr_get(metric, "/histogram/dataPoints/0");
        if (!point)
            continue;
        histograms++;
        cr_assert_eq(yyjson_arr_size(yyjson_obj_get(point, "bucketCounts")),
                     yyjson_arr_size(yyjson_obj_get(point, "explicitBounds")) + 1);
        cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(point, "count")), "1000");
        cr_assert_eq(yyjson_get_int(yyjson_ptr_get(metric, "/histogram/aggregationTemporality")),
                     2);
    }
    cr_assert_eq(sums, 1);
    cr_assert_eq(histograms, 1);
    yyjson_doc_free(d);
}
