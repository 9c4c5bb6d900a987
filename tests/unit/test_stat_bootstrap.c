// The bootstrap interval: what any right one must do, and that a seed is an interval.
#include <criterion/criterion.h>
#include <math.h>

#include "stat_bootstrap.h"
#include "stat_sample.h"

static struct stat_interval interval_of(const double *a, size_t a_count, const double *b,
                                        size_t b_count, uint64_t seed)
{
    struct stat_interval out;

    cr_assert(stat_bootstrap_ratio(a, a_count, b, b_count, 0.95, seed, &out) == 0);
    return out;
}

Test(stat_bootstrap, ratio_of_constants)
{
    const double a[] = {4, 4, 4}, b[] = {5, 5};
    struct stat_interval i = interval_of(a, 3, b, 2, 1);

    cr_assert(i.low == 1.25 && i.high == 1.25);
}

// With one value against three the only medians are the three: the interval is exact. The median of
// three draws from three is the smallest with probability 7/27, far above 2.5 %.
Test(stat_bootstrap, ratio_of_three_reaches_the_extremes)
{
    const double a[] = {10}, b[] = {8, 10, 14};
    struct stat_interval i = interval_of(a, 1, b, 3, 7);

    cr_assert(i.low == 0.8 && i.high == 1.4);
}

Test(stat_bootstrap, ratio_repeats_with_the_seed)
{
    const double a[] = {100, 103, 98, 101, 99, 104}, b[] = {110, 108, 113, 109, 111, 107};
    struct stat_interval first = interval_of(a, 6, b, 6, 42), again = interval_of(a, 6, b, 6, 42);

    cr_assert(first.low == again.low && first.high == again.high);
    cr_assert(first.low < 1.09 && 1.09 < first.high);
    cr_assert(first.low > 1.03 && first.high < 1.16);
}

// Coverage on a known distribution: of 200 pairs of samples from one uniform distribution the
// interval holds the true ratio, 1, in about 95 %. Binomial: fewer than 180 has p < 0.003; the
// percentile interval of a median is a little conservative, and the draws are the same every time.
Test(stat_bootstrap, ratio_covers)
{
    uint64_t state = 3;
    unsigned covered = 0;

    for (unsigned k = 0; k < 200; k++) {
        double a[15], b[15];
        struct stat_interval i;

        for (unsigned n = 0; n < 30; n++) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            *(n < 15 ? &a[n] : &b[n - 15]) = 1 + (double)(state >> 33) / 2147483648.0;
        }
        i = interval_of(a, 15, b, 15, k);
        covered += i.low <= 1 && 1 <= i.high;
    }
    cr_assert(covered >= 180, "%u", covered);
    cr_assert(covered < 200, "an interval that always covers is too wide");
}

Test(stat_bootstrap, ratio_of_the_largest_samples)
{
    static double many[STAT_SAMPLE_MAX];
    struct stat_interval i;

    for (unsigned n = 0; n < STAT_SAMPLE_MAX; n++)
        many[n] = 1000 + n % 7;
    i = interval_of(many, STAT_SAMPLE_MAX, many, 5, 1);
    cr_assert(i.low > 0.99 && i.high < 1.01);
}
