// Exact measurements of a generator thread: set-up, merge, names. No clock, no I/O.
#include "tally.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static int init_group(struct tally_group *g)
{
    int err = 0;

#define X(name) err = err ? err : hist_init(&g->name);
    TALLY_GROUP_HISTOGRAMS(X)
#undef X
    return err;
}

static void merge_group(struct tally_group *into, const struct tally_group *from)
{
#define X(name) hist_merge(&into->name, &from->name);
    TALLY_GROUP_HISTOGRAMS(X)
#undef X
#define X(name) into->name += from->name;
    TALLY_GROUP_COUNTS(X)
#undef X
    if (from->storms > into->storms)
        into->storms = from->storms;
}

int tally_init(struct tally *t)
{
    int err = 0;

    memset(t, 0, sizeof *t);
#define X(name) err = err ? err : hist_init(&t->name);
    TALLY_HISTOGRAMS(X)
#undef X
    if (err)
        tally_free(t);
    return err;
}

int tally_add_stages(struct tally *t, uint32_t count)
{
    assert(!t->stages);
    t->stage_count = count;
    return stage_tally_create(&t->stages, count);
}

int tally_add_groups(struct tally *t, uint32_t count)
{
    int err = 0;

    assert(t->group_count == 0 && count <= GROUPS_MAX);
    t->group_count = count;
    for (uint32_t i = 0; i < count && err == 0; i++)
        err = init_group(&t->groups[i]);
    return err;
}

void tally_free(struct tally *t)
{
    for (uint32_t i = 0; i < t->group_count; i++) {
#define X(name) hist_free(&t->groups[i].name);
        TALLY_GROUP_HISTOGRAMS(X)
#undef X
    }
    t->group_count = 0;
    stage_tally_destroy(t->stages, t->stage_count);
    t->stages = NULL;
    t->stage_count = 0;
#define X(name) hist_free(&t->name);
    TALLY_HISTOGRAMS(X)
#undef X
}

void tally_merge(struct tally *into, const struct tally *from)
{
    assert(into->group_count == from->group_count);
    for (uint32_t i = 0; i < from->group_count; i++)
        merge_group(&into->groups[i], &from->groups[i]);
#define X(name) hist_merge(&into->name, &from->name);
    TALLY_HISTOGRAMS(X)
#undef X
    assert(into->stage_count == from->stage_count);
    stage_tally_merge(into->stages, from->stages, into->stage_count);
    ledger_add(&into->ledger, &from->ledger);
    budget_merge(&into->budget, &from->budget);
    for (unsigned i = 0; i < TALLY_REFUSAL_COUNT; i++)
        into->refused[i] += from->refused[i];
#define X(name) into->name += from->name;
    TALLY_COUNTS(X)
#undef X
    if (from->window_ns > into->window_ns)
        into->window_ns = from->window_ns;
}

static const char *const refusal_names[] = {
#define X(name) #name,
    TALLY_REFUSALS(X)
#undef X
};

const char *tally_refusal_name(enum tally_refusal refusal)
{
    return refusal_names[refusal];
}

enum tally_refusal tally_find_refusal(const char *code)
{
    for (unsigned i = 0; i < TALLY_REFUSAL_other; i++) {
        if (strcmp(code, refusal_names[i]) == 0)
            return (enum tally_refusal)i;
    }
    return TALLY_REFUSAL_other;
}
