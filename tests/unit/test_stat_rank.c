// Mann-Whitney U against values of scipy 1.10: scipy.stats.mannwhitneyu(a, b, method="exact" or
// "asymptotic"); with ties, where scipy has no exact form, against counting all choices of ranks:
//   ranks = rankdata(a + b); sums = [sum(c) for c in itertools.combinations(ranks, len(a))]
//   p = min(1, 2 · min(share of sums ≤ sum(ranks[:len(a)]), share of sums ≥ it))
#include <criterion/criterion.h>
#include <math.h>

#include "stat_rank.h"

#define NEAR(a, b) (fabs((a) - (b)) < 1e-9)

static struct stat_rank test_of(const double *a, size_t a_count, const double *b, size_t b_count)
{
    struct stat_rank r;

    cr_assert(stat_rank_test(a, a_count, b, b_count, &r) == 0);
    return r;
}

#define RANK(a, b) test_of(a, sizeof(a) / sizeof *(a), b, sizeof(b) / sizeof *(b))

Test(stat_rank, test_exact_as_scipy)
{
    const double low[] = {1, 2, 3, 4, 5}, high[] = {6, 7, 8, 9, 10};
    const double mixed_a[] = {1, 4, 2, 9, 7}, mixed_b[] = {3, 8, 6, 10, 5};
    const double drug[] = {19, 22, 16, 29, 24}, placebo[] = {20, 11, 17, 12};
    const double three[] = {1, 2, 3}, four[] = {4, 5, 6, 7};
    struct stat_rank r = RANK(low, high);

    cr_assert(r.is_exact && r.u == 0 && NEAR(r.p, 0.007936507936507936)); // 2 / 252
    r = RANK(high, low);
    cr_assert(r.u == 25 && NEAR(r.p, 0.007936507936507936));
    r = RANK(mixed_a, mixed_b);
    cr_assert(r.u == 8 && NEAR(r.p, 0.42063492063492064));
    r = RANK(drug, placebo);
    cr_assert(r.u == 17 && NEAR(r.p, 0.1111111111111111));
    r = RANK(three, four);
    cr_assert(r.u == 0 && NEAR(r.p, 0.05714285714285714)); // 2 / 35
}

Test(stat_rank, test_exact_with_ties)
{
    const double a[] = {5, 5, 6, 7, 8}, b[] = {8, 9, 9, 10, 11};
    const double c[] = {1, 1, 1, 2}, d[] = {1, 2, 2, 3, 3};
    struct stat_rank r = RANK(a, b);

    cr_assert(r.is_exact && r.u == 0.5 && NEAR(r.p, 4.0 / 252));
    r = RANK(c, d);
    cr_assert(r.u == 3.5 && NEAR(r.p, 26.0 / 126));
}

Test(stat_rank, test_of_equal_values)
{
    const double a[] = {3, 3, 3}, b[] = {3, 3, 3, 3};
    double many[60];
    struct stat_rank r = RANK(a, b);

    cr_assert(r.u == 6 && r.p == 1);
    for (size_t i = 0; i < 60; i++)
        many[i] = 3;
    r = test_of(many, 30, many + 30, 30);
    cr_assert(!r.is_exact && r.p == 1);
}

Test(stat_rank, test_normal_with_ties_as_scipy)
{
    double a[60], b[45];
    struct stat_rank r;

    for (int i = 0; i < 60; i++)
        a[i] = i % 17;
    for (int i = 0; i < 45; i++)
        b[i] = i * 7 % 19 + 1;
    r = RANK(a, b);
    cr_assert(!r.is_exact && r.u == 1020 && NEAR(r.p, 0.032618312479962365));
}

// Where the exact form ends the two forms agree: 25 against 25, exactly and (26 against 25) not.
Test(stat_rank, test_at_the_exact_bound)
{
    double a[26], b[25], wide[40], shifted[40];
    struct stat_rank r;

    for (int i = 0; i < 25; i++) {
        a[i] = 0.5 * i;
        b[i] = 0.5 * i + 2.25;
    }
    r = test_of(a, 25, b, 25);
    cr_assert(r.is_exact && r.u == 210 && NEAR(r.p, 0.04716170680683919));
    a[25] = 12.5;
    cr_assert(!test_of(a, 26, b, 25).is_exact);
    for (int i = 0; i < 40; i++) {
        wide[i] = 0.5 * i;
        shifted[i] = 0.5 * i + 4.25;
    }
    r = RANK(wide, shifted);
    cr_assert(!r.is_exact && r.u == 496 && NEAR(r.p, 0.0034954858899693356));
}

Test(stat_rank, test_of_single_values)
{
    const double a[] = {1}, b[] = {2};

    cr_assert(RANK(a, b).p == 1);
}
