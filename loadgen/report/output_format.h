// A run as files that other tools read: each function writes one format. Thread: the coordinator's,
// after the run. Errors of writing are the stream's (ferror).
#ifndef SEALPOST_OUTPUT_FORMAT_H
#define SEALPOST_OUTPUT_FORMAT_H

#include <stdio.h>

#include "run.h"

// Intervals as CSV (RFC 4180) with a header line; one row each, times in s, latencies in us, empty
// where there is nothing to tell.
void output_format_csv(FILE *to, const struct outcome *out);
// One histogram as HdrHistogram's percentile distribution, in ms.
void output_format_hgrm(FILE *to, const struct hist *h);
// HdrHistogram's log, version 1.3. Lines without a tag: the intervals' response latency, in coarse
// buckets (7 %). Lines with Tag=NAME: each histogram of the whole window, exact to three digits.
// Values are ns, Interval_Max is in ms. Errors: -ENOMEM.
NODISCARD int output_format_hlog(FILE *to, const struct outcome *out);
// The text format Prometheus scrapes (version 0.0.4), for its textfile collector or a push gateway.
void output_format_prometheus(FILE *to, const struct outcome *out);

#endif
