// A bootstrap interval of the ratio of two medians. Pure, and the same for the same seed.
#ifndef SEALPOST_STAT_BOOTSTRAP_H
#define SEALPOST_STAT_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "units.h"

// A hundred draws lie beyond each bound of a 95 % interval: another seed moves it by little.
#define STAT_BOOTSTRAP_DRAWS 4000u

struct stat_interval {
    double low, high;
};

// The percentile interval, at `confidence` (0.95), of median(second) ÷ median(first): both samples
// drawn again with replacement. All values are above 0, both counts 1 … STAT_SAMPLE_MAX.
// Errors: -ENOMEM.
// Source: Efron 1979; percentile interval.
NODISCARD int stat_bootstrap_ratio(const double *first, size_t first_count, const double *second,
                                   size_t second_count, double confidence, uint64_t seed,
                                   struct stat_interval *out);
// The same of median(values).
NODISCARD int stat_bootstrap_median(const double *values, size_t count, double confidence,
                                    uint64_t seed, struct stat_interval *out);

#endif
