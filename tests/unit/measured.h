// Lists of measurements made by hand, for the tests of what compares and exports them.
#ifndef SEALPOST_TEST_MEASURED_H
#define SEALPOST_TEST_MEASURED_H

#include <stdio.h>
#include <stdlib.h>

#include "measurement_parse.h"

static inline struct measurement *measured_add(struct measurement_list *list, const char *name,
                                               const char *source)
{
    struct measurement *m;

    if (list->count == list->capacity) {
        list->capacity = 2 * list->capacity + 8;
        list->items = realloc(list->items, list->capacity * sizeof *list->items);
    }
    m = &list->items[list->count++];
    measurement_init(m);
    snprintf(m->name, sizeof m->name, "%s", name);
    snprintf(m->source, sizeof m->source, "%s", source);
    return m;
}

// `count` repeats from one file.
static inline void measured_add_all(struct measurement_list *list, const char *name,
                                    const char *source, enum metric metric, const double *values,
                                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        measured_add(list, name, source)->values[metric] = values[i];
}

static inline void measured_set(struct measurement_list *list, enum setting setting,
                                const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        snprintf(list->items[i].settings[setting], MEASUREMENT_TEXT_BYTES, "%s", text);
}

#endif
