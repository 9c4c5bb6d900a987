// Wilcoxon's signed-rank test. Pure but for the tables it allocates and frees. Ranks are kept
// doubled, so that sums stay whole numbers with ties as well (stat_rank.c).
#include "stat_pair.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct difference {
    double size; // of the logarithm
    uint32_t rank2;
    bool is_positive;
};

static int ascending(const void *a, const void *b)
{
    const struct difference *x = a, *y = b;

    return (x->size > y->size) - (x->size < y->size);
}

// Returns the sum of t³ − t over the groups of t ties.
static double rank_differences(struct difference *d, size_t count)
{
    double ties = 0;

    qsort(d, count, sizeof *d, ascending);
    for (size_t from = 0, to; from < count; from = to) {
        double t;

        for (to = from + 1; to < count && !(d[to].size > d[from].size);)
            to++;
        for (size_t i = from; i < to; i++)
            d[i].rank2 = (uint32_t)(from + 1 + to);
        t = (double)(to - from);
        ties += t * t * t - t;
    }
    return ties;
}

// When nothing differs every rank is of a positive difference or not with the same chance: count
// the 2^count choices by their sum.
static int count_exactly(const struct difference *d, size_t count, uint64_t observed2, double *p)
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
    struct difference *d = calloc(count + 1, sizeof *d);
    uint64_t sum2 = 0;
    size_t n = 0;
    double ties;
    int err = 0;

    if (!d)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        double log_ratio = log(ratios[i]);

        assert(ratios[i] > 0);
        if (fabs(log_ratio) > 0)
            d[n++] = (struct difference){.size = fabs(log_ratio), .is_positive = log_ratio > 0};
    }
    ties = rank_differences(d, n);
    for (size_t i = 0; i < n; i++)
        sum2 += d[i].is_positive ? d[i].rank2 : 0;
    if (n <= STAT_PAIR_EXACT_MAX)
        err = count_exactly(d, n, sum2, p);
    else
        *p = approximate(sum2, (double)n, ties);
    free(d);
    return err;
}
