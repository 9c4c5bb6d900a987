// The command lines of `sealpost-load compare` and `sealpost-load export`.
#ifndef SEALPOST_COMPARE_OPTIONS_H
#define SEALPOST_COMPARE_OPTIONS_H

#include "comparison.h"

#define COMPARE_PATHS_MAX 256u

struct compare_paths {
    const char *paths[COMPARE_PATHS_MAX];
    unsigned count;
};

struct compare_options {
    struct comparison_options comparison;
    struct compare_paths base, new, noise;
    const char *json_file, *markdown_file, *junit_file; // NULL: not wanted
    const char *rerun;                                  // NULL: a regression is one at once
    bool quiet;
};

struct export_options {
    struct compare_paths results;
    const char *bencher_file, *go_file, *junit_file, *csv_file, *baseline_file;
};

// Parse; ends the program when the command line is wrong (compare: 1, export: 104) or asks for
// help.
void compare_options_parse(struct compare_options *o, int argc, char **argv);
void export_options_parse(struct export_options *o, int argc, char **argv);

#endif
