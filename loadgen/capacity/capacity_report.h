// What the capacity command found, for machines (JSON, schema sealpost.capacity/1) and for people.
#ifndef SEALPOST_CAPACITY_REPORT_H
#define SEALPOST_CAPACITY_REPORT_H

#include <stdio.h>

#include "capacity_options.h"

#define CAPACITY_REPORT_SCHEMA "sealpost.capacity/1"

struct capacity_findings {
    const struct capacity_options *options;
    time_t started;
    bool is_colocated;                      // the relay is on this machine
    struct search search;                   // when options->has_search
    struct trial trials[SEARCH_TRIALS_MAX]; // its trials, in the same order
    struct search_answer answer;
    struct sweep sweep;
    bool has_idle; // what an idle connection costs the relay was measured
    double rss_bytes_per_conn;
    bool has_plan;
    struct planner_answer plan;
    enum exit_code exit_code;
};

// Live lines.
void capacity_report_print_head(FILE *to, const char *first_column);
void capacity_report_print_trial(FILE *to, const struct trial *t, enum search_phase phase,
                                 enum search_verdict verdict);
void capacity_report_print_point(FILE *to, uint32_t size, const struct trial *t);
// The end.
void capacity_report_print(FILE *to, const struct capacity_findings *f);
// As JSON on many lines or on one, zero-terminated, for free(); NULL when memory is short.
char *capacity_report_format_json(const struct capacity_findings *f, bool is_pretty, int argc,
                                  char **argv);

#endif
