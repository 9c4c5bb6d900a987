// The recording of sent envelopes. Pushing never allocates; writing runs once, after the run.
#include "recorder.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define RECORDERS_MAX 64u

int recorder_init(struct recorder *r, uint32_t cap)
{
    *r = (struct recorder){.cap = cap};
    if (cap == 0)
        return 0;
    r->rows = calloc(cap, sizeof *r->rows);
    return r->rows ? 0 : -ENOMEM;
}

void recorder_free(struct recorder *r)
{
    free(r->rows);
    r->rows = NULL;
}

// Whose row is next; `count` if nobody has one.
static uint32_t earliest(const struct recorder *const *recorders, const uint32_t *at,
                         uint32_t count)
{
    uint32_t best = count;

    for (uint32_t i = 0; i < count; i++) {
        if (at[i] < recorders[i]->count &&
            (best == count ||
             recorders[i]->rows[at[i]].sent_ns < recorders[best]->rows[at[best]].sent_ns))
            best = i;
    }
    return best;
}

int recorder_write(FILE *to, const struct recorder *const *recorders, uint32_t count,
                   uint64_t start_ns)
{
    uint32_t at[RECORDERS_MAX] = {0}, next;

    assert(count <= RECORDERS_MAX);
    if (fputs("sender,intended_ns,sent_ns,payload_bytes\n", to) < 0)
        return -errno;
    while ((next = earliest(recorders, at, count)) < count) {
        const struct recorder_row *row = &recorders[next]->rows[at[next]++];

        if (fprintf(to, "%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 "\n", row->sender,
                    row->intended_ns - start_ns, row->sent_ns - start_ns, row->payload_bytes) < 0)
            return -errno;
    }
    return fflush(to) == 0 ? 0 : -errno;
}
