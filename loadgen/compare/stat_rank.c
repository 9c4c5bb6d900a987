// The Mann-Whitney U test. Pure but for the tables it allocates and frees.
#include "stat_rank.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "stat_ties.h"

// Every choice of first_count of the ranks is equally likely when nothing differs: count the
// choices by their sum, ways[k][s] of k ranks that add up to s, one rank after the other.
static int count_exactly(const struct stat_ranked *items, size_t count, size_t first_count,
                         uint64_t observed2, double *p)
{
    size_t sums = count * (count + 1) + 1; // all doubled ranks add up to count (count + 1)
    double *ways = calloc((first_count + 1) * sums, sizeof *ways);
    double all = 0, below = 0, above = 0;

    if (!ways)
        return -ENOMEM;
    ways[0] = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = first_count; k > 0; k--)
            for (size_t s = sums - 1; s >= items[i].rank2; s--)
                ways[k * sums + s] += ways[(k - 1) * sums + s - items[i].rank2];
    for (size_t s = 0; s < sums; s++) {
        double n = ways[first_count * sums + s];

        all += n;
        below += s <= observed2 ? n : 0;
        above += s >= observed2 ? n : 0;
    }
    free(ways);
    *p = fmin(1, 2 * fmin(below, above) / all);
    return 0;
}

static double approximate(double u, double n, double m, double ties)
{
    double all = n + m;
    double deviation = sqrt(n * m / 12 * (all + 1 - ties / (all * (all - 1))));
    double distance = fmax(0, fabs(u - n * m / 2) - 0.5); // continuity

    return deviation > 0 ? erfc(distance / deviation / sqrt(2)) : 1;
}

int stat_rank_test(const double *first, size_t first_count, const double *second,
                   size_t second_count, struct stat_rank *out)
{
    size_t count = first_count + second_count;
    struct stat_ranked *items = calloc(count, sizeof *items);
    uint64_t sum2;
    double ties;
    int err = 0;

    assert(first_count > 0 && second_count > 0);
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < first_count; i++)
        items[i] = (struct stat_ranked){.value = first[i], .is_marked = true};
    for (size_t i = 0; i < second_count; i++)
        items[first_count + i] = (struct stat_ranked){.value = second[i]};
    ties = stat_ties_rank(items, count, &sum2);
    *out = (struct stat_rank){
        .u = ((double)sum2 - (double)(first_count * (first_count + 1))) / 2,
        .is_exact = count <= STAT_RANK_EXACT_MAX,
    };
    if (out->is_exact)
        err = count_exactly(items, count, first_count, sum2, &out->p);
    else
        out->p = approximate(out->u, (double)first_count, (double)second_count, ties);
    free(items);
    return err;
}
