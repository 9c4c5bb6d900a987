// The percentile curve of a histogram: what a plot over a logarithmic percentile axis needs. Pure.
#ifndef SEALPOST_PERCENTILE_CURVE_H
#define SEALPOST_PERCENTILE_CURVE_H

#include <stdint.h>

#include "hist.h"

#define PERCENTILE_CURVE_POINTS_MAX 60u
// Points between a percentile and the one half as far from 100.
#define PERCENTILE_CURVE_STEPS 3u

struct percentile_point {
    double percentile;
    uint64_t value;
};

// The percentile of a point: 0, then in steps whose width halves each time the distance to 100 has
// (as in .hgrm files).
double percentile_curve_at(uint32_t point);
// Fill in the points of `h`, from 0 to the last one with ten samples beyond it. Returns how many.
uint32_t percentile_curve_of(const struct hist *h,
                             struct percentile_point points[PERCENTILE_CURVE_POINTS_MAX]);

#endif
