// Measuring cells side by side: warm-up, interleaved and rotated rounds, one row of figures for
// each cell.
#ifndef SEALPOST_BENCH_MICRO_ROUNDS_H
#define SEALPOST_BENCH_MICRO_ROUNDS_H

#include "bench_micro.h"
#include "bench_result.h"

struct bench_micro_row {
    const char *op, *impl, *tier; // tier: NULL if it does not tell
    bool keyed;                   // `point.fresh` means something
    struct bench_micro_point point;
    unsigned rounds;
    double ns[BENCH_ROUNDS_MAX]; // for each operation, round by round
};

struct bench_micro_seat {
    const struct bench_micro_impl *impl;
    struct bench_micro_cell *cell;
    unsigned calls; // in the last round
    double call_ns; // at best
    struct bench_micro_row row;
};

// The seat that has its turn at `position` of `round`. Every round is a permutation of the seats;
// the start moves on, and every other round goes backwards, so that who follows whom changes too.
unsigned bench_micro_turn(unsigned round, unsigned position, unsigned count);

// Measure `count` seats in rounds of round_ns each; with cold keys a round is at most one visit to
// every session, begun with swept caches. Fills each row's rounds and ns. is_stopped() ends it
// early. Errors: -EBADMSG (*failed is the seat whose operation did not work), -EINTR (stopped),
// -ENOMEM.
NODISCARD int bench_micro_measure(struct bench_micro_seat *seats, unsigned count, unsigned rounds,
                                  uint64_t round_ns, bool (*is_stopped)(void),
                                  const struct bench_micro_seat **failed);

// The row's nanoseconds for each operation.
struct bench_stat bench_micro_ns(const struct bench_micro_row *row);
// How many times the row's time the peer takes: the median over rounds of the ratio within a round,
// in which the machine's speed at that time cancels out.
double bench_micro_ratio(const struct bench_micro_row *row, const struct bench_micro_row *peer);
// Are they the same operation, keys and size?
bool bench_micro_is_same_work(const struct bench_micro_row *a, const struct bench_micro_row *b);
// The peer's row of the same work: of the same batch if it has one, else of batch 1. NULL if it has
// none.
const struct bench_micro_row *bench_micro_peer_row(const struct bench_micro_row *rows, size_t count,
                                                   const struct bench_micro_row *row,
                                                   const char *impl);

#endif
