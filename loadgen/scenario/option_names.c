// Options by their long names. Runs once, before any thread.
#include "option_names.h"

#include <assert.h>
#include <string.h>

// argp has children below children; ours have none deeper than this.
#define DEPTH_MAX 4u

static void collect(struct option_names *names, const struct argp *argp, unsigned depth)
{
    assert(depth < DEPTH_MAX);
    for (const struct argp_option *o = argp->options; o && (o->name || o->key || o->doc); o++) {
        if (!o->name || (o->flags & OPTION_ALIAS))
            continue;
        assert(names->count < OPTION_NAMES_MAX);
        names->items[names->count++] =
            (struct option_name){o->name, o->arg != NULL, o->key, o->flags};
    }
    for (const struct argp_child *c = argp->children; c && c->argp; c++)
        collect(names, c->argp, depth + 1);
}

void option_names_collect(struct option_names *names, const struct argp *argp)
{
    names->count = 0;
    collect(names, argp, 0);
}

int option_names_find(const struct option_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}
