// A latency histogram of fixed memory (480 KiB), HDR-style: values 0 … 2^40−1 (ns: 18 minutes) with
// three significant digits (exact to 4,095, then 2,048 buckets for each power of two); larger ones
// share one last bucket.
// Thread: one histogram has one writer; merge after the writers have stopped.
#ifndef SEALPOST_HIST_H
#define SEALPOST_HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

struct hist {
    uint64_t *counts; // one allocation, `bucket_count` long
    size_t bucket_count;
    uint64_t total;
    uint64_t min, max; // exact; 0 when empty
    double sum;
};

// Allocate and clear. Errors: -ENOMEM.
NODISCARD int hist_init(struct hist *h);
void hist_free(struct hist *h);
void hist_clear(struct hist *h);
void hist_record(struct hist *h, uint64_t value);
// The same value `count` times.
void hist_record_many(struct hist *h, uint64_t value, uint64_t count);
void hist_merge(struct hist *into, const struct hist *from);

// The value at percentile p in [0, 100]: the highest value of the bucket that holds the sample of
// rank ceil(p/100 × total), or 1 for p = 0; never above max. 0 if empty.
uint64_t hist_percentile(const struct hist *h, double p);

// Is p worth printing: are there at least 10 samples beyond it?
int hist_percentile_supported(const struct hist *h, double p);

double hist_mean(const struct hist *h);

// Which of the counts a value is in.
size_t hist_bucket_of(uint64_t value);

// The next bucket with samples in it, from *bucket on, which must be 0 at first: its highest value
// (never above max) and how many they are. False when there is none left.
bool hist_next(const struct hist *h, size_t *bucket, uint64_t *value, uint64_t *count);

#endif
