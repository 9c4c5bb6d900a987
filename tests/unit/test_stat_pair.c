// Wilcoxon's signed-rank test against values of scipy 1.10: scipy.stats.wilcoxon(log(ratios),
// method="exact", or "approx" with correction); with ties against counting all 2^n signs.
#include <criterion/criterion.h>
#include <math.h>

#include "stat_pair.h"

#define NEAR(a, b) (fabs((a) - (b)) < 1e-9)

static double p_of(const double *ratios, size_t count)
{
    double p = NAN;

    cr_assert(stat_pair_test(ratios, count, &p) == 0);
    return p;
}

#define PAIRS(ratios) p_of(ratios, sizeof(ratios) / sizeof *(ratios))

Test(stat_pair, test_exact_as_scipy)
{
    const double larger[] = {1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08};
    const double smaller[] = {0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92};
    const double mixed[] = {1.05, 0.98, 1.03, 1.01, 0.96, 1.07, 1.02, 1.09, 0.995, 1.04};

    cr_expect(NEAR(PAIRS(larger), 0.0078125)); // 2 / 2^8
    cr_expect(NEAR(PAIRS(smaller), 0.0078125));
    cr_expect(NEAR(PAIRS(mixed), 0.130859375));
}

Test(stat_pair, test_ties_and_nothing)
{
    const double ties[] = {2, 2, 0.5, 4, 1, 0.25, 2, 8}, one[] = {1.1}, same[] = {1, 1, 1};

    cr_expect(NEAR(PAIRS(ties), 0.40625));
    cr_expect(PAIRS(one) == 1);
    cr_expect(PAIRS(same) == 1);
}

Test(stat_pair, test_approximate_as_scipy)
{
    double ratios[60];
    size_t n = 0;

    for (int i = -20; i <= 40; i++)
        if (i != 0)
            ratios[n++] = 1 + 0.001 * i;
    cr_expect(NEAR(p_of(ratios, n), 0.00027230714991420443));
}

// As few as are asked for can reach what a verdict asks for, one less cannot.
Test(stat_pair, test_fewest)
{
    const double ratios[STAT_PAIR_COUNT_MIN] = {1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8};

    cr_expect(PAIRS(ratios) < 0.01);
    cr_expect(p_of(ratios, STAT_PAIR_COUNT_MIN - 1) > 0.01);
}
