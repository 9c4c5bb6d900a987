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

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct threshold_option *to = state->input;

    if (key != 'T')
        return ARGP_ERR_UNKNOWN;
    return threshold_list_add(to->list, arg, to->reason) < 0 ? EINVAL : 0;
}

static const struct argp_option option_table[] = {
    {0, 0, 0, 0, "Objectives:", 7},
    {"threshold", 'T', "TEXT", 0,
     "METRIC:EXPRESSION[,abort[=DELAY]], like 'response:p(99)<20ms' or 'lost:count==0'; a missed "
     "one makes the exit code 99, with abort the run ends at once (can be given 32 times)",
     7},
    {0},
};

const struct argp threshold_list_argp = {.options = option_table, .parser = parse_one};

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
