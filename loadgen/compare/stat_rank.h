// The Mann-Whitney U test: do two samples come from the same distribution? Pure.
#ifndef SEALPOST_STAT_RANK_H
#define SEALPOST_STAT_RANK_H

#include <stdbool.h>
#include <stddef.h>

#include "units.h"

// Up to so many values on both sides together the distribution of U is counted out, ties included;
// beyond it the normal approximation is right to three digits.
#define STAT_RANK_EXACT_MAX 50u

struct stat_rank {
    double u; // of the first sample: pairs in which it has the larger value, ties count half
    double p; // two-sided
    bool is_exact;
};

// Errors: -ENOMEM. Both counts are at least 1 and no value is NaN. Two samples of one and the same
// value have p = 1.
// Source: Mann and Whitney 1947; ties in the exact distribution by Streitberg and Röhmel 1986;
// normal approximation with correction for ties and continuity as in R's wilcox.test.
NODISCARD int stat_rank_test(const double *first, size_t first_count, const double *second,
                             size_t second_count, struct stat_rank *out);

#endif
