// Options of the objectives. Runs once, before any thread.
#include "options_threshold.h"

#include "option_value.h"

_Static_assert(THRESHOLD_REASON_BYTES <= OPTIONS_REASON_BYTES, "the reason fits");

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;

    if (key != 'T')
        return ARGP_ERR_UNKNOWN;
    return threshold_list_add(&p->o->thresholds, arg, p->reason) < 0 ? EINVAL : 0;
}

static const struct argp_option option_table[] = {
    {"threshold", 'T', "TEXT", 0,
     "METRIC:EXPRESSION[,abort[=DELAY]], like 'response:p(99)<20ms' or 'lost:count==0'; a missed "
     "one makes the exit code 99, with abort the run ends at once (can be given 32 times)",
     0},
    {0},
};

const struct argp options_threshold_argp = {.options = option_table, .parser = parse_one};
