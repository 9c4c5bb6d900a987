// The sum of outcomes. Pure.
#include "outcome_merge.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void merge_texts(struct outcome *into, const struct outcome *from, const char *name)
{
    // The first failure stands, as among threads.
    if (from->failure != SHARD_FAILURE_NONE && into->failure == SHARD_FAILURE_NONE) {
        into->failure = from->failure;
        snprintf(into->failure_text, sizeof into->failure_text, "%.60s: %.180s", name,
                 from->failure_text);
    }
    if (into->disconnect_text[0] == '\0' && from->disconnect_text[0] != '\0')
        snprintf(into->disconnect_text, sizeof into->disconnect_text, "%.60s: %.180s", name,
                 from->disconnect_text);
    if (into->tls_group[0] == '\0')
        memcpy(into->tls_group, from->tls_group, sizeof into->tls_group);
}

void outcome_merge(struct outcome *into, struct outcome *from, const char *name,
                   uint32_t first_thread, uint32_t thread_count)
{
    assert(first_thread + thread_count <= OPTIONS_THREADS_MAX);
    merge_texts(into, from, name);
    into->has_begun = into->has_begun || from->has_begun;
    tally_merge(&into->tally, &from->tally);
    series_merge(&into->series, &from->series);
    backlog_merge(&into->backlog, &from->backlog);
    for (uint32_t i = 0; i < thread_count; i++)
        into->busy_pct[first_thread + i] = from->busy_pct[i];
    if (from->steal_pct > into->steal_pct)
        into->steal_pct = from->steal_pct;
    if (from->setup_ns > into->setup_ns)
        into->setup_ns = from->setup_ns;
    // Processes of one machine are stopped by one quota, at the same time.
    if (from->throttled_ns > into->throttled_ns)
        into->throttled_ns = from->throttled_ns;
}
