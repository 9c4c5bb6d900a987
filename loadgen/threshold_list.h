// The objectives of a run: the option --threshold, and what became of each.
#ifndef SEALPOST_THRESHOLD_LIST_H
#define SEALPOST_THRESHOLD_LIST_H

#include <argp.h>
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

// The option as a child parser. Its input says where things go; a refusal fills reason.
struct threshold_option {
    struct threshold_list *list;
    char *reason; // THRESHOLD_REASON_BYTES
};
extern const struct argp threshold_list_argp;

// The first objective that asks for the run's end and is certainly missed since the window's begin,
// or -1. `value` is how.
int threshold_list_find_missed(const struct threshold_list *list, bool is_handshake,
                               const struct pulse_sample *from, const struct pulse_sample *to,
                               double *value);

// Judge all. False if one failed.
bool threshold_list_judge(const struct threshold_list *list, const struct threshold_metrics *m,
                          struct threshold_result results[THRESHOLD_LIST_MAX]);

#endif
