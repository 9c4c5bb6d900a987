// The objectives of a run, in the order given, and what became of each.
#ifndef SEALPOST_THRESHOLD_LIST_H
#define SEALPOST_THRESHOLD_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "threshold.h"

#define THRESHOLD_LIST_MAX 32u

struct threshold_list {
    uint32_t count;
    struct threshold items[THRESHOLD_LIST_MAX];
};

// Errors: -EINVAL with one sentence in reason (the text is wrong, or the list is full).
NODISCARD int threshold_list_add(struct threshold_list *list, const char *text,
                                 char reason[THRESHOLD_REASON_BYTES]);

// The first objective that asks for the run's end and is certainly missed since the window's begin,
// or -1. `value` is how.
int threshold_list_find_missed(const struct threshold_list *list, bool is_handshake,
                               const struct pulse_sample *from, const struct pulse_sample *to,
                               double *value);

// Judge all. False if one failed.
bool threshold_list_judge(const struct threshold_list *list, const struct threshold_metrics *m,
                          struct threshold_result results[THRESHOLD_LIST_MAX]);

#endif
