// The latency histogram: where a value's bucket is, and which value a percentile is.
// One writer; never allocates after hist_init.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "hist.h"

#define SUB_BITS 11u
#define SUB_COUNT (1u << SUB_BITS) // buckets for each power of two: 0.05 % wide
#define VALUE_BITS 40u

// 0 … 2^11−1 one bucket each, 2^11 … 2^40−1 one row for each power of two, then the larger ones.
#define BUCKET_COUNT ((VALUE_BITS - SUB_BITS + 1) * SUB_COUNT + 1)
#define OVERFLOW_BUCKET (BUCKET_COUNT - 1)

#define SUPPORTING_SAMPLES 10u

size_t hist_bucket_of(uint64_t value)
{
    if (value < SUB_COUNT)
        return value;
    if (value >> VALUE_BITS != 0)
        return OVERFLOW_BUCKET;

    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - SUB_BITS;
    // value >> shift has its top bit at SUB_COUNT, which counts the row before.
    return (size_t)shift * SUB_COUNT + (value >> shift);
}

static uint64_t highest_value_of(size_t bucket)
{
    if (bucket == OVERFLOW_BUCKET)
        return UINT64_MAX;
    if (bucket < SUB_COUNT)
        return bucket;

    uint64_t shift = bucket / SUB_COUNT - 1;
    return ((bucket % SUB_COUNT + SUB_COUNT + 1) << shift) - 1;
}

// ceil(p/100 × total), 1 … total. A rank that is whole but for p's rounding to binary (99.9 % of
// 1,000) is not rounded up.
static uint64_t rank_of(const struct hist *h, double p)
{
    double exact = p / 100 * (double)h->total * (1 - 1e-12);
    uint64_t rank = (uint64_t)exact;

    if ((double)rank < exact)
        rank++;
    if (rank == 0)
        rank = 1;
    return rank < h->total ? rank : h->total;
}

int hist_init(struct hist *h)
{
    h->counts = calloc(BUCKET_COUNT, sizeof *h->counts);
    if (h->counts == NULL)
        return -ENOMEM;
    h->bucket_count = BUCKET_COUNT;
    hist_clear(h);
    return 0;
}

void hist_free(struct hist *h)
{
    free(h->counts);
    memset(h, 0, sizeof *h);
}

void hist_clear(struct hist *h)
{
    memset(h->counts, 0, h->bucket_count * sizeof *h->counts);
    h->total = 0;
    h->min = 0;
    h->max = 0;
    h->sum = 0;
}

void hist_record(struct hist *h, uint64_t value)
{
    hist_record_many(h, value, 1);
}

void hist_record_many(struct hist *h, uint64_t value, uint64_t count)
{
    if (count == 0)
        return;
    h->counts[hist_bucket_of(value)] += count;
    if (h->total == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->total += count;
    h->sum += (double)value * (double)count;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    if (from->total == 0)
        return;
    for (size_t i = 0; i < BUCKET_COUNT; i++)
        into->counts[i] += from->counts[i];
    if (into->total == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->total += from->total;
    into->sum += from->sum;
}

uint64_t hist_percentile(const struct hist *h, double p)
{
    assert(p >= 0 && p <= 100);
    if (h->total == 0)
        return 0;

    uint64_t left = rank_of(h, p);
    size_t bucket = 0;
    while (h->counts[bucket] < left)
        left -= h->counts[bucket++];

    uint64_t value = highest_value_of(bucket);
    return value < h->max ? value : h->max;
}

int hist_percentile_supported(const struct hist *h, double p)
{
    return h->total > 0 && h->total - rank_of(h, p) >= SUPPORTING_SAMPLES;
}

double hist_mean(const struct hist *h)
{
    return h->total == 0 ? 0 : h->sum / (double)h->total;
}

bool hist_next(const struct hist *h, size_t *bucket, uint64_t *value, uint64_t *count)
{
    while (*bucket < BUCKET_COUNT && h->counts[*bucket] == 0)
        ++*bucket;
    if (*bucket == BUCKET_COUNT)
        return false;
    *count = h->counts[*bucket];
    *value = highest_value_of(*bucket);
    if (*value > h->max)
        *value = h->max;
    ++*bucket;
    return true;
}
