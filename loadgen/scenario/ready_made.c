// Ready-made scenarios by name. Runs once, before any thread.
#include "ready_made.h"

#include <stdio.h>
#include <string.h>

const struct ready_made *ready_made_find(const char *name)
{
    for (uint32_t i = 0; i < ready_made_count; i++) {
        if (strcmp(ready_made_all[i].name, name) == 0)
            return &ready_made_all[i];
    }
    return NULL;
}

void ready_made_list_names(char *out, size_t cap)
{
    size_t len = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < ready_made_count && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s%s", i > 0 ? ", " : "",
                                ready_made_all[i].name);
}
