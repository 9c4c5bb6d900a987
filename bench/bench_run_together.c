// All servers of a pattern at the same time: started one after the other, driven by clients that
// hold their load until the last of them is ready. Main thread only.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_run.h"

#define LANE_NAME_BYTES 32

struct lanes {
    struct bench_lane lane[BENCH_ROWS_MAX];
    char name[BENCH_ROWS_MAX][LANE_NAME_BYTES];
    unsigned count;
};

static const struct bench_server_kind *find_kind(const char *name)
{
    size_t i = 0;

    while (strcmp(bench_server_kinds[i].name, name) != 0)
        i++;
    return &bench_server_kinds[i];
}

// Rotated from round to round, so that none is always started first.
static int start_all(struct bench_run *run, struct lanes *l, struct bench_row *rows, unsigned round)
{
    int err = 0;

    for (unsigned i = 0; err == 0 && i < l->count; i++) {
        unsigned at = (i + round) % l->count;
        const struct bench_row *row = &rows[at];

        snprintf(l->name[at], LANE_NAME_BYTES, "%s%s", row->is_base ? "base-" : "", row->server);
        err = bench_lane_start(&l->lane[at], find_kind(row->server),
                               row->is_base ? &run->base_place : &run->options.place, l->name[at]);
        if (err == 0)
            err = bench_lane_drive(run, &l->lane[at], true, bench_run_extend_pattern, row);
    }
    for (unsigned i = 0; err == 0 && i < l->count; i++)
        err = bench_lane_await(&l->lane[i]);
    return err;
}

int bench_run_together(struct bench_run *run, struct bench_row *rows, unsigned count,
                       unsigned round)
{
    struct lanes *l = calloc(1, sizeof *l);
    int err;

    if (!l)
        return -ENOMEM;
    l->count = count;
    err = start_all(run, l, rows, round);
    for (unsigned i = 0; err == 0 && i < count; i++)
        bench_child_release(&l->lane[i].client);
    for (unsigned i = 0; err == 0 && i < count; i++)
        err = bench_lane_finish(run, &l->lane[i]);
    for (unsigned i = 0; err == 0 && i < count; i++)
        err = bench_run_take(run, &rows[i], l->lane[i].text, l->lane[i].len, round);
    for (unsigned i = 0; i < count; i++)
        bench_lane_kill(&l->lane[i]);
    free(l);
    return err;
}
