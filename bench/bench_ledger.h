// What became of the messages of one sender, seen by its one receiver. Pure.
#ifndef SEALPOST_BENCH_LEDGER_H
#define SEALPOST_BENCH_LEDGER_H

#include <stdint.h>

#define BENCH_LEDGER_WINDOW 64u // older than this, a message counts as a duplicate

struct bench_ledger {
    uint64_t next; // the sequence after the highest delivered one
    uint64_t seen; // bit i: sequence next − 1 − i was delivered
};

enum bench_ledger_verdict { BENCH_LEDGER_FRESH, BENCH_LEDGER_REORDERED, BENCH_LEDGER_DUPLICATE };

// Counts over all receivers. lost = sent − (received − duplicate), once nothing is on its way.
struct bench_delivery {
    uint64_t sent;
    uint64_t received;
    uint64_t lost;
    uint64_t duplicate;
    uint64_t reordered;
    uint64_t misrouted; // delivered to another than its sender's partner
};

static inline enum bench_ledger_verdict bench_ledger_take(struct bench_ledger *l, uint64_t sequence)
{
    uint64_t ahead, behind;

    if (sequence >= l->next) {
        ahead = sequence - l->next + 1;
        l->seen = (ahead < BENCH_LEDGER_WINDOW ? l->seen << ahead : 0) | 1;
        l->next = sequence + 1;
        return BENCH_LEDGER_FRESH;
    }
    behind = l->next - 1 - sequence;
    if (behind >= BENCH_LEDGER_WINDOW || (l->seen >> behind & 1))
        return BENCH_LEDGER_DUPLICATE;
    l->seen |= UINT64_C(1) << behind;
    return BENCH_LEDGER_REORDERED;
}

#endif
