// A run as OTLP metrics over HTTP, in JSON (OpenTelemetry protocol 1.x, section OTLP/HTTP).
#ifndef SEALPOST_OUTPUT_OTLP_H
#define SEALPOST_OUTPUT_OTLP_H

#include "run.h"

#define OUTPUT_OTLP_REASON_BYTES 256u

// An ExportMetricsServiceRequest, zero-terminated, for free(); NULL when memory is short. Sums and
// histograms are cumulative from the run's start; `now_ns` is the time of day in ns.
char *output_otlp_format(const struct outcome *out, uint64_t now_ns);
// Send it to a collector, "http://HOST:4318" (the path /v1/metrics is added when there is none).
// Waits ten seconds at most. False with a sentence in reason.
NODISCARD bool output_otlp_send(const struct outcome *out, const char *url,
                                char reason[OUTPUT_OTLP_REASON_BYTES]);

#endif
