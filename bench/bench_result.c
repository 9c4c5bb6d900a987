// The figures of a side-by-side run and their statistics. Pure.
#include "bench_result.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#define PATH_MAX_BYTES 128

const char *const bench_count_names[BENCH_COUNTS] = {
    "expected",  "received",  "late",    "lost",    "duplicate",   "reordered",
    "misrouted", "auth_fail", "foreign", "refused", "disconnected"};
const char *const bench_point_names[BENCH_POINTS] = {"p50", "p90", "p99", "p99_9", "max"};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct bench_stat bench_stat_of(const double *values, size_t count)
{
    double sorted[BENCH_ROUNDS_MAX];
    size_t n = 0;

    assert(count <= BENCH_ROUNDS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            sorted[n++] = values[i];
    if (n == 0)
        return (struct bench_stat){.median = NAN, .min = NAN, .max = NAN};
    qsort(sorted, n, sizeof *sorted, compare);
    return (struct bench_stat){.median =
                                   n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2,
                               .min = sorted[0],
                               .max = sorted[n - 1]};
}

// One member of each sample, found by its offset, as a statistic.
static struct bench_stat stat_member(const struct bench_row *row, size_t offset)
{
    double values[BENCH_ROUNDS_MAX];

    for (unsigned r = 0; r < row->count; r++)
        memcpy(&values[r], (const char *)&row->samples[r] + offset, sizeof values[r]);
    return bench_stat_of(values, row->count);
}

static double ratio_in_round(const struct bench_row *row, const struct bench_row *raw,
                             size_t offset, unsigned round)
{
    double ours, theirs;

    if (!raw || round >= row->count || round >= raw->count)
        return NAN;
    memcpy(&ours, (const char *)&row->samples[round] + offset, sizeof ours);
    memcpy(&theirs, (const char *)&raw->samples[round] + offset, sizeof theirs);
    return theirs > 0 ? ours / theirs : NAN;
}

double bench_sample_ratio(const struct bench_row *row, const struct bench_row *raw, unsigned round)
{
    return ratio_in_round(row, raw, offsetof(struct bench_sample, per_s), round);
}

double bench_sample_cpu_ratio(const struct bench_row *row, const struct bench_row *raw,
                              unsigned round)
{
    return ratio_in_round(row, raw, offsetof(struct bench_sample, cpu_ns_per_msg), round);
}

double bench_sample_client_ratio(const struct bench_row *row, const struct bench_row *raw,
                                 unsigned round)
{
    return ratio_in_round(row, raw, offsetof(struct bench_sample, client_cpu_ns_per_msg), round);
}

static struct bench_stat stat_ratio(const struct bench_row *row, const struct bench_row *raw,
                                    size_t offset)
{
    double ratios[BENCH_ROUNDS_MAX];

    for (unsigned r = 0; r < row->count; r++)
        ratios[r] = ratio_in_round(row, raw, offset, r);
    return bench_stat_of(ratios, row->count);
}

void bench_summary_of(const struct bench_row *row, const struct bench_row *raw,
                      struct bench_summary *out)
{
    const size_t per_s = offsetof(struct bench_sample, per_s);
    const size_t cpu = offsetof(struct bench_sample, cpu_ns_per_msg);
    const size_t client_cpu = offsetof(struct bench_sample, client_cpu_ns_per_msg);

    *out = (struct bench_summary){
        .per_s = stat_member(row, per_s),
        .cpu_ns_per_msg = stat_member(row, cpu),
        .client_busy_pct = stat_member(row, offsetof(struct bench_sample, client_busy_pct)),
        .client_cpu_ns_per_msg = stat_member(row, client_cpu),
        .ratio = stat_ratio(row, raw, per_s),
        .cpu_ratio = stat_ratio(row, raw, cpu),
        .client_cpu_ratio = stat_ratio(row, raw, client_cpu),
    };
    for (size_t p = 0; p < BENCH_POINTS; p++)
        out->latency_us[p] =
            stat_member(row, offsetof(struct bench_sample, latency_us) + p * sizeof(double));
    for (unsigned r = 0; r < row->count; r++)
        for (size_t i = 0; i < BENCH_COUNTS; i++)
            out->counts[i] += row->samples[r].counts[i];
}

bool bench_counts_failed(const uint64_t counts[BENCH_COUNTS])
{
    for (size_t i = BENCH_COUNT_FIRST_FAULT; i < BENCH_COUNTS; i++)
        if (counts[i] != 0)
            return true;
    return false;
}

// The member at a dotted path.
static yyjson_val *find(yyjson_val *at, const char *path)
{
    char copy[PATH_MAX_BYTES];
    char *rest = copy;

    assert(strlen(path) < sizeof copy);
    strcpy(copy, path);
    for (char *key; at && (key = strsep(&rest, ".")) != NULL;)
        at = yyjson_obj_get(at, key);
    return at;
}

static double number_or_nan(yyjson_val *v)
{
    return yyjson_is_num(v) ? yyjson_get_num(v) : NAN;
}

double bench_json_number(const char *json, size_t len, const char *path)
{
    yyjson_doc *doc = yyjson_read(json, len, 0);
    double value = number_or_nan(find(yyjson_doc_get_root(doc), path));

    yyjson_doc_free(doc);
    return value;
}

// The busiest of the client's threads.
static double busiest(yyjson_val *per_thread)
{
    double highest = NAN;
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(per_thread, i, n, v) highest = fmax(highest, number_or_nan(v));
    return highest;
}

// Of all its threads, whose busy shares are of the window the rate is of.
static double client_cpu_ns_per_msg(yyjson_val *per_thread, double per_s)
{
    double busy_pct = 0;
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(per_thread, i, n, v) busy_pct += number_or_nan(v);
    return n > 0 && per_s > 0 ? busy_pct / 100 * (double)NS_PER_S / per_s : NAN;
}

int bench_sample_parse(const char *json, size_t len, struct bench_sample *out)
{
    yyjson_doc *doc = yyjson_read(json, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *delivery = find(root, "delivery");
    yyjson_val *response = find(root, "latency_us.response");
    int err = 0;

    *out = (struct bench_sample){
        .per_s = number_or_nan(find(root, "messages.per_s")),
        .cpu_ns_per_msg = number_or_nan(find(root, "server.cpu_ns_per_msg")),
        .client_busy_pct = busiest(find(root, "generator.busy_pct_per_thread")),
    };
    out->client_cpu_ns_per_msg =
        client_cpu_ns_per_msg(find(root, "generator.busy_pct_per_thread"), out->per_s);
    if (isnan(out->per_s) || !yyjson_is_obj(delivery))
        err = -EBADMSG;
    for (size_t i = 0; i < BENCH_COUNTS; i++)
        out->counts[i] = yyjson_get_uint(yyjson_obj_get(delivery, bench_count_names[i]));
    for (size_t p = 0; p < BENCH_POINTS; p++)
        out->latency_us[p] = number_or_nan(yyjson_obj_get(response, bench_point_names[p]));
    yyjson_doc_free(doc);
    return err;
}
