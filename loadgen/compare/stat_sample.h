// Order statistics of a small sample. Pure.
#ifndef SEALPOST_STAT_SAMPLE_H
#define SEALPOST_STAT_SAMPLE_H

#include <stddef.h>

// Repeats of one measurement on one side; more are refused when they are read.
#define STAT_SAMPLE_MAX 1024u

// Ascending, in place. No value may be NaN.
void stat_sample_sort(double *values, size_t count);
// Of values in ascending order. NaN of an empty sample.
double stat_sample_median(const double *sorted, size_t count);
// The p-quantile, 0 … 1, of values in ascending order, linear between neighbours.
// Source: Hyndman and Fan 1996, definition 7 (the default of R and numpy).
double stat_sample_quantile(const double *sorted, size_t count, double p);
// The largest value over the smallest, less 1: how far the same thing differed from itself. In any
// order; NaN when a value is not above 0 or there are fewer than two.
double stat_sample_spread(const double *values, size_t count);

#endif
