// A live run as the outcome it would be if it ended now: what the result's writer turns into JSON.
#ifndef SEALPOST_LIVE_REPORT_H
#define SEALPOST_LIVE_REPORT_H

#include <yyjson.h>

#include "live.h"
#include "run.h"

// Fill in an outcome from a live run. Its histograms are empty and its series borrows the live
// run's points: nothing of it is to be freed.
void live_report_fill(struct outcome *out, const struct live *l);
// What only a live document has: `live`, `agents` as far as they are, and the coarse latencies (7
// %) in `latency_us`. What it cannot have yet goes: `thresholds`, `aborted_by`.
void live_report_add(yyjson_mut_doc *d, yyjson_mut_val *root, const struct live *l);

#endif
