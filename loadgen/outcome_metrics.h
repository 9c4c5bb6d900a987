// What an outcome's figures come to. Pure.
#ifndef SEALPOST_OUTCOME_METRICS_H
#define SEALPOST_OUTCOME_METRICS_H

#include "run.h"
#include "threshold.h"

// What the relay did for us in the window: what its cost is divided by.
uint64_t outcome_metrics_operations(const struct outcome *out);
double outcome_metrics_rss_per_connection(const struct outcome *out);
double outcome_metrics_per_second(const struct outcome *out, uint64_t count);
// As thresholds see it; histograms are lent.
void outcome_metrics_collect(const struct outcome *out, struct threshold_metrics *m);

#endif
