// The report of a side-by-side run: bench.json for programs, a table for people. No measuring.
#ifndef SEALPOST_BENCH_REPORT_H
#define SEALPOST_BENCH_REPORT_H

#include <limits.h>
#include <stdio.h>

#include "bench_result.h"
#include "bench_server.h"

struct bench_report_env {
    char cpu[128];
    char cpu_id[64]; // maker, family and model
    char kernel[160];
    char commit[64];
    char date[32]; // UTC, ISO 8601
    char command[512];
    unsigned cores;
    char base_commit[64];
    char pair[64]; // joins this result with the second build's; "" if there is none
    bool together; // the servers of a pattern at the same time: no rates, no latencies
    double seconds, warmup_seconds;
    unsigned rounds;
    int server_cpu, client_cpu;
    char versions[BENCH_SERVER_KINDS][128]; // of the peers, "" if not measured
};

struct bench_idle_row {
    const char *server;
    unsigned connections;
    double
        rss_bytes_per_conn; // growth since the relay's start ÷ connections, touched pools included
    double marginal_bytes_per_conn; // growth from a third of the connections to all, ÷ that many
};

struct bench_report {
    struct bench_report_env env;
    struct bench_row rows[BENCH_ROWS_MAX];
    unsigned row_count;
    double handshakes_per_s; // NaN: not measured
    struct bench_idle_row idle[2];
    unsigned idle_count;
};

// Fill what the machine and the checkout tell. `self` is the program's path: the commit is that of
// the repository it stands in.
void bench_report_describe(struct bench_report_env *env, const char *self, int argc, char **argv);
// The raw forwarder's row of the same pattern, NULL if it was not measured.
const struct bench_row *bench_report_raw_row(const struct bench_report *r,
                                             const struct bench_row *row);
// Errors: -errno, -EIO.
NODISCARD int bench_report_write_json(const struct bench_report *r, const char *path);
// The second build's rows, with those of the raw forwarder.
NODISCARD int bench_report_write_base_json(const struct bench_report *r, const char *path);
NODISCARD int bench_report_write_summary(const struct bench_report *r, const char *path);
void bench_report_print_table(const struct bench_report *r, FILE *out);

#endif
