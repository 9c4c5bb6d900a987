// Wilcoxon's signed-rank test of pairs, as ratios: is the second of a pair larger than the first?
// For measurements made at the same time, of which most of what differs between pairs is the
// machine's. Pure.
#ifndef SEALPOST_STAT_PAIR_H
#define SEALPOST_STAT_PAIR_H

#include <stdbool.h>
#include <stddef.h>

#include "units.h"

// Up to so many pairs the distribution is counted out, ties included; beyond it the normal
// approximation is right to three digits.
#define STAT_PAIR_EXACT_MAX 50u
// Fewer pairs cannot reach p < 0.01: of eight all of one sign have 2 / 2^8.
#define STAT_PAIR_COUNT_MIN 8u

// Two-sided p of the ratios second ÷ first, all above 0. Ratios of exactly 1 tell nothing and are
// left out; without any others p = 1. Errors: -ENOMEM.
// Source: Wilcoxon 1945; zeros left out and normal approximation with continuity as in R's
// wilcox.test(paired = TRUE), of the logarithms.
NODISCARD int stat_pair_test(const double *ratios, size_t count, double *p);

#endif
