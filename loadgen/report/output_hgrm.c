// HdrHistogram's percentile distribution, which its plotter draws.
#include <inttypes.h>
#include <math.h>

#include "hdr_encoding.h"
#include "output_format.h"

#define TICKS_PER_HALF_DISTANCE 5
#define NS_PER_UNIT 1e6

static double deviation(const struct hist *h)
{
    double mean = hist_mean(h), sum = 0;
    size_t bucket = 0;
    uint64_t value, count;

    while (hist_next(h, &bucket, &value, &count)) {
        double distance = (double)value - mean;

        sum += distance * distance * (double)count;
    }
    return h->total == 0 ? 0 : sqrt(sum / (double)h->total);
}

// The level after this one: five steps to half the distance that is left to 100, and so on.
static double next_level(double level)
{
    double halvings = floor(log2(100 / (100 - level))) + 1;

    return level + 100 / (TICKS_PER_HALF_DISTANCE * exp2(halvings));
}

static void put_line(FILE *to, uint64_t value, double level, uint64_t seen)
{
    fprintf(to, "%12.3f %2.12f %10" PRIu64, (double)value / NS_PER_UNIT, level / 100, seen);
    if (level < 100)
        fprintf(to, " %14.2f", 1 / (1 - level / 100));
    fputc('\n', to);
}

void output_format_hgrm(FILE *to, const struct hist *h)
{
    size_t bucket = 0;
    uint64_t value, count, seen = 0;
    double level = 0;

    fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    while (hist_next(h, &bucket, &value, &count)) {
        double reached;

        seen += count;
        reached = 100.0 * (double)seen / (double)h->total;
        for (; level <= reached && level < 100 && seen < h->total; level = next_level(level))
            put_line(to, value, level, seen);
        if (seen == h->total)
            put_line(to, value, 100, seen);
    }
    fprintf(to, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", hist_mean(h) / NS_PER_UNIT,
            deviation(h) / NS_PER_UNIT);
    fprintf(to, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n",
            (double)h->max / NS_PER_UNIT, h->total);
    fprintf(to, "#[Buckets = %12u, SubBuckets     = %12u]\n", HDR_ENCODING_BUCKETS,
            HDR_ENCODING_SUB_BUCKETS);
}
