// A service level objective: `p99<20ms` for `response:p(99)<20ms`, or a threshold's whole text.
// Pure.
#ifndef SEALPOST_SLO_H
#define SEALPOST_SLO_H

#include <stdint.h>

#include "threshold_list.h"

#define SLO_TEXTS_BYTES 512u

// Add it to the list. Errors: -EINVAL with one sentence in reason.
NODISCARD int slo_add(struct threshold_list *list, const char *text,
                      char reason[THRESHOLD_REASON_BYTES]);
// Samples that a trial needs for every percentile of the list to be told: ten beyond the highest.
uint64_t slo_samples_needed(const struct threshold_list *list);
// All texts, with " and " between them, cut to the room.
void slo_join(const struct threshold_list *list, char out[SLO_TEXTS_BYTES]);

#endif
