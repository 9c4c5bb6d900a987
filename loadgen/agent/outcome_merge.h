// Parts of a run become the whole: histograms are merged, counters added, intervals put beside
// each other by their time since the window's begin. Nothing is averaged. Pure.
#ifndef SEALPOST_OUTCOME_MERGE_H
#define SEALPOST_OUTCOME_MERGE_H

#include "run.h"

// Add an agent's outcome to the whole's. `name` stands before what it says; its threads are
// busy_pct[first_thread] … of the whole. `from` is used up.
void outcome_merge(struct outcome *into, struct outcome *from, const char *name,
                   uint32_t first_thread, uint32_t thread_count);

#endif
