// Points of a percentile curve. Runs once for each histogram, after the run.
#include "percentile_curve.h"

#include <math.h>

double percentile_curve_at(uint32_t point)
{
    // The distance to 100 at the begin of this half, less the steps taken in it.
    double distance = ldexp(100.0, -(int)(point / PERCENTILE_CURVE_STEPS));

    return 100.0 - distance +
           distance / 2 * (point % PERCENTILE_CURVE_STEPS) / PERCENTILE_CURVE_STEPS;
}

uint32_t percentile_curve_of(const struct hist *h,
                             struct percentile_point points[PERCENTILE_CURVE_POINTS_MAX])
{
    uint32_t count = 0;

    while (count < PERCENTILE_CURVE_POINTS_MAX) {
        double p = percentile_curve_at(count);

        if (!hist_percentile_supported(h, p))
            break;
        points[count++] = (struct percentile_point){p, hist_percentile(h, p)};
    }
    return count;
}
