// The sweep's sizes, points and fit. No I/O.
#include "sweep.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 1024u

static const char *const over_names[] = {"connections", "workers"};

const char *sweep_over_name(enum sweep_over over)
{
    return over_names[over];
}

static int refuse(char *reason, const char *text)
{
    snprintf(reason, SWEEP_REASON_BYTES,
             "--sweep takes connections=10,100,1000 (even ones, for users talk in pairs) or "
             "workers=1,2,4, %u at most, not '%.100s'",
             SWEEP_POINTS_MAX, text);
    return -EINVAL;
}

static bool is_size(const struct sweep_range *range, unsigned long size)
{
    if (range->over == SWEEP_WORKERS)
        return size >= 1 && size <= WORKERS_MAX;
    return size >= 2 && size <= OPTIONS_CONNECTIONS_MAX && size % 2 == 0;
}

int sweep_parse(struct sweep_range *range, const char *text, char reason[SWEEP_REASON_BYTES])
{
    const char *at = strchr(text, '=');
    unsigned over = 0;

    memset(range, 0, sizeof *range);
    if (!at)
        return refuse(reason, text);
    while (over < COUNT_OF(over_names) &&
           (strncmp(text, over_names[over], (size_t)(at - text)) != 0 ||
            over_names[over][at - text] != '\0'))
        over++;
    if (over == COUNT_OF(over_names))
        return refuse(reason, text);
    range->over = (enum sweep_over)over;
    do {
        unsigned long size;
        char *end;

        at++;
        if (!isdigit((unsigned char)*at) || range->count == SWEEP_POINTS_MAX)
            return refuse(reason, text);
        size = strtoul(at, &end, 10);
        if (!is_size(range, size))
            return refuse(reason, text);
        range->sizes[range->count++] = (uint32_t)size;
        at = end;
    } while (*at == ',');
    return *at == '\0' ? 0 : refuse(reason, text);
}

void sweep_add(struct sweep *s, const struct trial *trial)
{
    assert(s->point_count < s->range.count);
    s->points[s->point_count++] = *trial;
}

void sweep_fit(struct sweep *s)
{
    struct usl_point points[SWEEP_POINTS_MAX];

    for (uint32_t i = 0; i < s->point_count; i++)
        points[i] = (struct usl_point){.n = s->range.sizes[i],
                                       .x = s->points[i].achieved_per_s,
                                       .is_limited = s->points[i].level == VERDICT_LIMITED ||
                                                     s->points[i].is_faulty};
    usl_fit(&s->fit, points, s->point_count);
}
