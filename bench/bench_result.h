// The figures of a side-by-side run and their statistics: medians over rounds, ratios to the raw
// forwarder within one round. Pure.
#ifndef SEALPOST_BENCH_RESULT_H
#define SEALPOST_BENCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

#define BENCH_ROUNDS_MAX 25u
#define BENCH_ROWS_MAX 16u

// Counts of the delivery ledger, as they are named in the JSON of both load programs. The first
// three say how much there was (late: delivered after the measured window); any other that is not 0
// is a failure.
enum bench_count {
    BENCH_COUNT_EXPECTED,
    BENCH_COUNT_RECEIVED,
    BENCH_COUNT_LATE,
    BENCH_COUNT_LOST,
    BENCH_COUNT_DUPLICATE,
    BENCH_COUNT_REORDERED,
    BENCH_COUNT_MISROUTED,
    BENCH_COUNT_AUTH_FAIL,
    BENCH_COUNT_FOREIGN,
    BENCH_COUNT_REFUSED,
    BENCH_COUNT_DISCONNECTED,
    BENCH_COUNTS
};
#define BENCH_COUNT_FIRST_FAULT BENCH_COUNT_LOST
extern const char *const bench_count_names[BENCH_COUNTS];

enum bench_point { BENCH_P50, BENCH_P90, BENCH_P99, BENCH_P999, BENCH_MAX, BENCH_POINTS };
extern const char *const bench_point_names[BENCH_POINTS];

// One server in one pattern in one round.
struct bench_sample {
    double per_s;
    double cpu_ns_per_msg;
    double client_busy_pct;
    double client_cpu_ns_per_msg;    // of all the client's threads
    double latency_us[BENCH_POINTS]; // NaN where there were too few samples
    uint64_t counts[BENCH_COUNTS];
};

struct bench_pattern {
    const char *name;
    unsigned connections;
    unsigned in_flight;
};

struct bench_row {
    const struct bench_pattern *pattern;
    const char *server;
    bool is_base;           // of the second build
    unsigned payload_bytes; // on the wire of this server's protocol
    unsigned count;         // of samples: round r is samples[r]
    struct bench_sample samples[BENCH_ROUNDS_MAX];
};

struct bench_stat {
    double median, min, max; // NaN without values
};

struct bench_summary {
    struct bench_stat per_s, cpu_ns_per_msg, client_busy_pct, client_cpu_ns_per_msg;
    struct bench_stat ratio, cpu_ratio, client_cpu_ratio; // to the raw forwarder
    struct bench_stat latency_us[BENCH_POINTS];
    uint64_t counts[BENCH_COUNTS]; // sums
};

// Median, minimum and maximum; values that are NaN are left out.
struct bench_stat bench_stat_of(const double *values, size_t count);
// The row's figures; `raw` is the raw forwarder's row of the same pattern, or NULL: no ratios.
// Only rounds that both rows have make a ratio.
void bench_summary_of(const struct bench_row *row, const struct bench_row *raw,
                      struct bench_summary *out);
// The ratios to the raw forwarder in one round: rate, the server's processor time for each message,
// the client's; NaN where there is no raw row or it lacks that round.
double bench_sample_ratio(const struct bench_row *row, const struct bench_row *raw, unsigned round);
double bench_sample_cpu_ratio(const struct bench_row *row, const struct bench_row *raw,
                              unsigned round);
double bench_sample_client_ratio(const struct bench_row *row, const struct bench_row *raw,
                                 unsigned round);
bool bench_counts_failed(const uint64_t counts[BENCH_COUNTS]);

// Read the result file of sealpost-load or `sealpost-bench drive`, from its text. Errors: -EBADMSG
// (not JSON, or without messages.per_s or delivery).
NODISCARD int bench_sample_parse(const char *json, size_t len, struct bench_sample *out);
// A number below the root, "server.cpu_ns_per_msg" for example. NaN if there is none.
double bench_json_number(const char *json, size_t len, const char *path);

#endif
