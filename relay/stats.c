// The counters' names, for the statistics file. Pure, any thread.
#include <assert.h>

#include "stats.h"

static const char *const names[] = {
#define X(name) #name,
    STATS_COUNTERS(X)
#undef X
};

const char *stats_counter_name(enum stats_counter c)
{
    assert((unsigned)c < STATS_COUNT);
    return names[c];
}
