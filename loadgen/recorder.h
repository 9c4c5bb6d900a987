// Which envelope was sent when: a bounded list for each thread, written as CSV after the run.
// Thread: one writer for each recorder; written when the writers have ended.
#ifndef SEALPOST_RECORDER_H
#define SEALPOST_RECORDER_H

#include <stdint.h>
#include <stdio.h>

#include "units.h"

// Of all threads together: 24 MB. What comes later is counted, not recorded.
#define RECORDER_ROWS_MAX 1000000u

struct recorder_row {
    uint64_t intended_ns, sent_ns;
    uint32_t sender, payload_bytes;
};

struct recorder {
    struct recorder_row *rows; // NULL: nothing is recorded
    uint32_t count, cap;
    uint64_t dropped; // beyond cap
};

// Room for `cap` rows, 0 records nothing. Errors: -ENOMEM.
NODISCARD int recorder_init(struct recorder *r, uint32_t cap);
void recorder_free(struct recorder *r);

static inline void recorder_push(struct recorder *r, struct recorder_row row)
{
    if (!r->rows)
        return;
    if (r->count < r->cap)
        r->rows[r->count++] = row;
    else
        r->dropped++;
}

// A heading and the rows of all recorders by time sent; times are ns from start_ns. Each recorder's
// rows are in this order already. Errors: -errno.
NODISCARD int recorder_write(FILE *to, const struct recorder *const *recorders, uint32_t count,
                             uint64_t start_ns);

#endif
