// Micro-benchmarks of the cryptography: libsealcrypto beside what a user would pick instead, all in
// one run. A subject (one subcommand) is a list of operations, each with its implementations; a
// cell is one implementation of one operation at one size and batch. The harness checks that all
// give the same bytes, measures the cells in interleaved rounds, and reports. Main thread only.
#ifndef SEALPOST_BENCH_MICRO_H
#define SEALPOST_BENCH_MICRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

#define BENCH_MICRO_OPS_MAX 16u
#define BENCH_MICRO_IMPLS_MAX 6u
#define BENCH_MICRO_SIZES_MAX 8u
#define BENCH_MICRO_BATCHES_MAX 16u
#define BENCH_MICRO_BATCH_MAX 1024u
#define BENCH_MICRO_BYTES_MAX 65536u
// Slots of a cell: operations with inputs and outputs of their own, used in turn, so that a peer
// that takes one at a time never waits for its own last output.
#define BENCH_MICRO_SLOTS_MIN 4u

struct bench_micro_point {
    unsigned op; // index into the implementation's table
    bool fresh;  // keyed subjects: the key schedule is made for each message
    bool cold;   // keyed subjects: keys out of cache
    size_t bytes;
    unsigned batch;    // operations in one call
    unsigned slots;    // a multiple of batch
    unsigned sessions; // keyed subjects: so many keys, visited in turn
};

// What every implementation's cell starts with.
struct bench_micro_cell {
    const uint8_t *output; // what all slots' operations wrote, in the same form for all
    size_t output_len;     // implementations of a point
};

struct bench_micro_impl {
    const char *name;
    bool batches; // has array calls; without, it is measured at batch 1 only
    // Bring it up; may come again. Returns NULL, or why it cannot run on this machine. NULL:
    // nothing to do.
    const char *(*start)(void);
    // The variant that runs, for the report. NULL: it does not tell.
    const char *(*tier)(unsigned op);
    // Inputs are a function of the point alone. Never fails: what goes wrong here is a bug or an
    // empty machine and ends the program.
    struct bench_micro_cell *(*prepare)(const struct bench_micro_point *point);
    // Work through the next calls × batch slots. False if any operation failed. NULL: it does not
    // have the operation.
    bool (*run[BENCH_MICRO_OPS_MAX])(struct bench_micro_cell *cell, unsigned calls);
    // Is the output right? For what is random by design; NULL: compare the bytes with the others'.
    bool (*is_right)(const struct bench_micro_cell *cell);
    void (*finish)(struct bench_micro_cell *cell);
};

struct bench_micro_op {
    const char *name;
    unsigned index;                              // in the implementations' tables
    size_t bytes[BENCH_MICRO_SIZES_MAX];         // the default sizes; the rest is 0
    const struct bench_micro_impl *const *impls; // the library first: ratios are to the others
    unsigned impl_count;
};

struct bench_micro_subject {
    const char *doc;  // for --help
    const char *unit; // what is counted: "message", "operation"
    bool keyed;       // cells also differ in fresh and cold
    bool sized;       // --bytes may choose other sizes
    const struct bench_micro_op *const *ops;
    unsigned op_count;
};

// Parse the command line, measure and report. Returns the exit code.
int bench_micro_main(const struct bench_micro_subject *subject, int argc, char **argv);

// For the subjects: zeroed, aligned to a cache line, freed with free(); ends the program if there
// is no memory.
void *bench_micro_alloc(size_t count, size_t size);
// The same bytes for the same seed; no secret.
void bench_micro_fill(void *out, size_t len, uint64_t seed);
// End the program over a call of a peer that cannot fail unless it is used wrongly.
#define BENCH_MICRO_NEED(condition)                                                                \
    ((condition) ? (void)0 : bench_micro_fail(#condition, __FILE_NAME__, __LINE__))
_Noreturn void bench_micro_fail(const char *what, const char *file, int line);

#endif
