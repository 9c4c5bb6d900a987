// A run's objectives, in the order given. No clock, no I/O.
#include "threshold_list.h"

#include <errno.h>
#include <stdio.h>

int threshold_list_add(struct threshold_list *list, const char *text,
                       char reason[THRESHOLD_REASON_BYTES])
{
    int err;

    if (list->count == THRESHOLD_LIST_MAX) {
        snprintf(reason, THRESHOLD_REASON_BYTES, "--threshold can be given %u times at most",
                 THRESHOLD_LIST_MAX);
        return -EINVAL;
    }
    err = threshold_parse(&list->items[list->count], text, reason);
    if (err == 0)
        list->count++;
    return err;
}

int threshold_list_find_missed(const struct threshold_list *list, bool is_handshake,
                               const struct pulse_sample *from, const struct pulse_sample *to,
                               double *value)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct threshold *t = &list->items[i];

        if (t->abort && to->at_ns - from->at_ns >= t->abort_delay_ns &&
            threshold_is_missed(t, is_handshake, from, to, value))
            return (int)i;
    }
    return -1;
}

bool threshold_list_judge(const struct threshold_list *list, const struct threshold_metrics *m,
                          struct threshold_result results[THRESHOLD_LIST_MAX])
{
    bool ok = true;

    for (uint32_t i = 0; i < list->count; i++) {
        threshold_judge(&list->items[i], m, &results[i]);
        ok = ok && results[i].ok;
    }
    return ok;
}
