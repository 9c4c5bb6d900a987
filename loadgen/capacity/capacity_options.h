// The options of the capacity command beside those of a run.
#ifndef SEALPOST_CAPACITY_OPTIONS_H
#define SEALPOST_CAPACITY_OPTIONS_H

#include <stdbool.h>

#include "options.h"
#include "planner.h"
#include "search.h"
#include "sweep.h"

struct capacity_options {
    struct options run;
    bool has_search; // an objective was given; the objectives are run.thresholds
    struct search_config search;
    struct sweep_range sweep;   // count 0: none
    const char *server_command; // NULL: the relay runs already
    bool has_plan;
    struct planner_demand plan;
};

// Parse and check, as options_parse does; options_free(&c->run) when it is no longer used. Errors:
// -EINVAL with one sentence in reason.
NODISCARD int capacity_options_parse(struct capacity_options *c, int argc, char **argv,
                                     char reason[OPTIONS_REASON_BYTES]);

#endif
