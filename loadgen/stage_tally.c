// Measurements for each stage: set-up and merge. No clock, no I/O.
#include "stage_tally.h"

#include <errno.h>
#include <stdlib.h>

int stage_tally_create(struct stage_tally **out, uint32_t count)
{
    *out = NULL;
    if (count == 0)
        return 0;
    *out = calloc(count, sizeof **out);
    for (uint32_t i = 0; *out && i < count; i++) {
        if (hist_init(&(*out)[i].response) < 0 || hist_init(&(*out)[i].schedule_lag) < 0) {
            stage_tally_destroy(*out, count);
            *out = NULL;
        }
    }
    return *out ? 0 : -ENOMEM;
}

void stage_tally_destroy(struct stage_tally *stages, uint32_t count)
{
    for (uint32_t i = 0; stages && i < count; i++) {
        hist_free(&stages[i].response);
        hist_free(&stages[i].schedule_lag);
    }
    free(stages);
}

void stage_tally_merge(struct stage_tally *into, const struct stage_tally *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        hist_merge(&into[i].response, &from[i].response);
        hist_merge(&into[i].schedule_lag, &from[i].schedule_lag);
        into[i].offered += from[i].offered;
        into[i].sent += from[i].sent;
        into[i].delivered += from[i].delivered;
    }
}
