// Wilcoxon's signed-rank test. Pure but for the tables it allocates and frees.
#include "stat_pair.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "stat_ties.h"

// When nothing differs every rank is of a positive difference or not with the same chance: count
// the 2^count choices by their sum.
static int count_exactly(const struct stat_ranked *d, size_t count, uint64_t observed2, double *p)
{
    size_t sums = count * (count + 1) + 1;
    double *ways = calloc(sums, sizeof *ways);
    double below = 0, above = 0;

    if (!ways)
        return -ENOMEM;
    ways[0] = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t s = sums - 1; s >= d[i].rank2; s--)
            ways[s] += ways[s - d[i].rank2];
    for (size_t s = 0; s < sums; s++) {
        below += s <= observed2 ? ways[s] : 0;
        above += s >= observed2 ? ways[s] : 0;
    }
    free(ways);
    *p = fmin(1, 2 * fmin(below, above) / ldexp(1, (int)count));
    return 0;
}

static double approximate(uint64_t observed2, double n, double ties)
{
    double deviation = sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48);
    double distance = fmax(0, fabs((double)observed2 / 2 - n * (n + 1) / 4) - 0.5); // continuity

    return deviation > 0 ? erfc(distance / deviation / sqrt(2)) : 1;
}

int stat_pair_test(const double *ratios, size_t count, double *p)
{
    struct stat_ranked *d = calloc(count + 1, sizeof *d);
    uint64_t sum2;
    size_t n = 0;
    double ties;
    int err = 0;

    if (!d)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        double log_ratio = log(ratios[i]);

        assert(ratios[i] > 0);
        if (fabs(log_ratio) > 0)
            d[n++] = (struct stat_ranked){.value = fabs(log_ratio), .is_marked = log_ratio > 0};
    }
    ties = stat_ties_rank(d, n, &sum2);
    if (n <= STAT_PAIR_EXACT_MAX)
        err = count_exactly(d, n, sum2, p);
    else
        *p = approximate(sum2, (double)n, ties);
    free(d);
    return err;
}
