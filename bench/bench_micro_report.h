// The report of a micro-benchmark: JSON for programs, a table for people. No measuring.
#ifndef SEALPOST_BENCH_MICRO_REPORT_H
#define SEALPOST_BENCH_MICRO_REPORT_H

#include <stdio.h>

#include "bench_micro_rounds.h"

struct bench_micro_version {
    const char *name; // of an implementation's library
    char text[64];
};

struct bench_micro_absence {
    const char *impl, *why;
};

struct bench_micro_env {
    char cpu[128];
    char flags[256]; // the extensions the implementations choose by
    char tier[32];   // of libsealcrypto
    char kernel[160];
    char compiler[64];
    char commit[64];
    char date[32]; // UTC, ISO 8601
    char command[512];
    unsigned cores, pinned_cpu;
    unsigned rounds;
    double round_ms;
    unsigned sessions;
    struct bench_micro_version versions[BENCH_MICRO_IMPLS_MAX];
    unsigned version_count;
};

struct bench_micro_report {
    struct bench_micro_env env;
    const char *unit; // what one operation is
    struct bench_micro_absence absences[BENCH_MICRO_IMPLS_MAX];
    unsigned absence_count;
    struct bench_micro_row *rows; // those of the same work stand together
    size_t row_count;
};

// Fill what the machine, the libraries and the checkout tell (bench_micro_env.c).
void bench_micro_describe(struct bench_micro_env *env, int argc, char **argv);
// Errors: -EIO.
NODISCARD int bench_micro_write_json(const struct bench_micro_report *r, const char *path);
void bench_micro_print_table(const struct bench_micro_report *r, FILE *out);

#endif
