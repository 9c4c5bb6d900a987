// Order statistics: by hand, and quantiles as numpy.quantile([1, 2, 4, 8, 16], …) has them.
#include <criterion/criterion.h>
#include <math.h>

#include "stat_sample.h"

#define NEAR(a, b) (fabs((a) - (b)) < 1e-12)

Test(stat_sample, sort_and_median)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2};

    stat_sample_sort(odd, 3);
    stat_sample_sort(even, 4);
    cr_assert(odd[0] == 1 && odd[2] == 5);
    cr_assert(stat_sample_median(odd, 3) == 3);
    cr_assert(stat_sample_median(even, 4) == 2.5);
    cr_assert(isnan(stat_sample_median(even, 0)));
}

Test(stat_sample, quantile_as_numpy)
{
    const double values[] = {1, 2, 4, 8, 16};
    const struct {
        double p, quantile;
    } known[] = {{0, 1}, {0.1, 1.4}, {0.25, 2}, {0.5, 4}, {0.9, 12.8}, {1, 16}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        cr_assert(NEAR(stat_sample_quantile(values, 5, known[i].p), known[i].quantile));
    cr_assert(stat_sample_quantile(values, 1, 0.3) == 1);
    cr_assert(isnan(stat_sample_quantile(values, 0, 0.5)));
}

Test(stat_sample, spread)
{
    const double values[] = {100, 80, 90, 120}, zero[] = {0, 1};

    cr_assert(NEAR(stat_sample_spread(values, 4), 0.5));
    cr_assert(NEAR(stat_sample_spread(values, 2), 0.25));
    cr_assert(isnan(stat_sample_spread(values, 1)));
    cr_assert(isnan(stat_sample_spread(zero, 2)));
}
