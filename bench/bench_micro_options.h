// The command line of the micro-benchmarks, the same for all of them.
#ifndef SEALPOST_BENCH_MICRO_OPTIONS_H
#define SEALPOST_BENCH_MICRO_OPTIONS_H

#include "bench_micro.h"

struct bench_micro_options {
    const struct bench_micro_subject *subject;
    const char *json;
    uint64_t cell_ns; // measured time of a cell, over all rounds
    unsigned rounds;
    int pin; // -1: the last processor allowed
    bool quick;
    bool ops[BENCH_MICRO_OPS_MAX];
    bool keys[2], caches[2];                  // prepared and fresh, hot and cold
    const char *impls[BENCH_MICRO_IMPLS_MAX]; // by name; none: all
    unsigned impl_count;
    unsigned batches[BENCH_MICRO_BATCHES_MAX], batch_count;
    size_t bytes[BENCH_MICRO_SIZES_MAX]; // of a sized subject
    unsigned size_count;                 // 0: each operation's own
    unsigned sessions;
};

// Ends the program on --help and on errors.
void bench_micro_options_parse(const struct bench_micro_subject *subject, int argc, char **argv,
                               struct bench_micro_options *out);
// Is the implementation of this name among those chosen?
bool bench_micro_options_has(const struct bench_micro_options *o, const char *impl);

#endif
