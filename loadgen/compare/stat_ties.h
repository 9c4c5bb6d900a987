// Ranks of values, ties sharing theirs, for both rank tests.
//
// They are kept doubled: a tie of two values for ranks 3 and 4 gives both 3.5, which is 7 here, so
// that rank sums stay whole numbers and exact distributions can be counted with ties as well.
#ifndef SEALPOST_STAT_TIES_H
#define SEALPOST_STAT_TIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct stat_ranked {
    double value;
    bool is_marked; // its rank belongs to the sum that a test looks at
    uint32_t rank2; // out, doubled
};

static inline int stat_ties_order(const void *a, const void *b)
{
    const struct stat_ranked *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

// Sort, and give each its rank. Returns the sum of t³ − t over the groups of t ties; *sum2 is that
// of the marked ranks, doubled.
static inline double stat_ties_rank(struct stat_ranked *values, size_t count, uint64_t *sum2)
{
    double ties = 0;

    *sum2 = 0;
    qsort(values, count, sizeof *values, stat_ties_order);
    for (size_t from = 0, to; from < count; from = to) {
        double t;

        for (to = from + 1; to < count && !(values[to].value > values[from].value);)
            to++;
        for (size_t i = from; i < to; i++) { // ranks from + 1 … to: their mean, doubled
            values[i].rank2 = (uint32_t)(from + 1 + to);
            *sum2 += values[i].is_marked ? values[i].rank2 : 0;
        }
        t = (double)(to - from);
        ties += t * t * t - t;
    }
    return ties;
}

#endif
