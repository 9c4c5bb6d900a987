// A bootstrap interval of the ratio of two medians. Pure but for the table it allocates and frees.
#include "stat_bootstrap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "stat_sample.h"

// splitmix64: enough for drawing again, and one word of state.
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

static double median_again(const double *from, size_t count, uint64_t *random)
{
    double drawn[STAT_SAMPLE_MAX];

    for (size_t i = 0; i < count; i++)
        drawn[i] = from[((draw(random) >> 32) * count) >> 32];
    stat_sample_sort(drawn, count);
    return stat_sample_median(drawn, count);
}

// What lies between of STAT_BOOTSTRAP_DRAWS drawn values.
static struct stat_interval take_interval(double *drawn, double confidence)
{
    double outside = (1 - confidence) / 2;

    stat_sample_sort(drawn, STAT_BOOTSTRAP_DRAWS);
    return (struct stat_interval){
        .low = stat_sample_quantile(drawn, STAT_BOOTSTRAP_DRAWS, outside),
        .high = stat_sample_quantile(drawn, STAT_BOOTSTRAP_DRAWS, 1 - outside),
    };
}

int stat_bootstrap_ratio(const double *first, size_t first_count, const double *second,
                         size_t second_count, double confidence, uint64_t seed,
                         struct stat_interval *out)
{
    double *ratios = malloc(STAT_BOOTSTRAP_DRAWS * sizeof *ratios);

    assert(first_count > 0 && first_count <= STAT_SAMPLE_MAX);
    assert(second_count > 0 && second_count <= STAT_SAMPLE_MAX);
    if (!ratios)
        return -ENOMEM;
    for (size_t i = 0; i < STAT_BOOTSTRAP_DRAWS; i++) {
        double below = median_again(first, first_count, &seed);

        ratios[i] = median_again(second, second_count, &seed) / below;
    }
    *out = take_interval(ratios, confidence);
    free(ratios);
    return 0;
}

int stat_bootstrap_median(const double *values, size_t count, double confidence, uint64_t seed,
                          struct stat_interval *out)
{
    double *medians = malloc(STAT_BOOTSTRAP_DRAWS * sizeof *medians);

    assert(count > 0 && count <= STAT_SAMPLE_MAX);
    if (!medians)
        return -ENOMEM;
    for (size_t i = 0; i < STAT_BOOTSTRAP_DRAWS; i++)
        medians[i] = median_again(values, count, &seed);
    *out = take_interval(medians, confidence);
    free(medians);
    return 0;
}
