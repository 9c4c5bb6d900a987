// A run's figures as named metrics, once for all outputs that carry metrics. Pure.
#ifndef SEALPOST_OUTPUT_METRIC_H
#define SEALPOST_OUTPUT_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "run.h"

// Names after Prometheus' and OpenTelemetry's customs: base units, `_total` for what only grows.
struct output_metric {
    const char *name; // without the prefix every output adds
    const char *help;
    const char *unit; // UCUM: "s", "By", "%", "1"
    bool is_counter;  // else a gauge
    double value;
};

#define OUTPUT_METRICS_MAX 40u

// Those the run has. Returns how many.
uint32_t output_metric_list(const struct outcome *out,
                            struct output_metric metrics[OUTPUT_METRICS_MAX]);

// Latency histograms in fixed buckets, as both outputs have them: upper bounds in ns, 1-2-5 steps.
#define OUTPUT_BOUNDS_COUNT 22u
extern const uint64_t output_metric_bounds_ns[OUTPUT_BOUNDS_COUNT];
// counts[i]: samples in (bounds[i−1], bounds[i]]; the last one: above all bounds. A sample counts
// by its bucket's highest value, so at 0.05 % below a bound it may count above it.
void output_metric_count(const struct hist *h, uint64_t counts[OUTPUT_BOUNDS_COUNT + 1]);

#endif
