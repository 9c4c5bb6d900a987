// Order statistics of a small sample. Pure.
#include "stat_sample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void stat_sample_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
}

double stat_sample_median(const double *sorted, size_t count)
{
    if (count == 0)
        return NAN;
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double stat_sample_quantile(const double *sorted, size_t count, double p)
{
    double at, below;
    size_t i;

    assert(p >= 0 && p <= 1);
    if (count == 0)
        return NAN;
    at = p * (double)(count - 1);
    below = floor(at);
    i = (size_t)below;
    if (i + 1 >= count)
        return sorted[count - 1];
    return sorted[i] + (at - below) * (sorted[i + 1] - sorted[i]);
}

double stat_sample_spread(const double *values, size_t count)
{
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    return count < 2 || !(low > 0) ? NAN : high / low - 1;
}
