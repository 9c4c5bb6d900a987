// What is compared of a result. Pure.
#include "metric.h"

#include <string.h>

const struct metric_kind metric_kinds[METRIC_COUNT] = {
#define X(name, ...) {#name, __VA_ARGS__},
    METRICS(X)
#undef X
};

enum metric metric_find(const char *name)
{
    unsigned i = 0;

    while (i < METRIC_COUNT && strcmp(metric_kinds[i].name, name) != 0)
        i++;
    return (enum metric)i;
}

const char *metric_list_names(void)
{
    return "" // begins the list of string literals
#define X(name, ...) #name " "
        METRICS(X)
#undef X
            ;
}
