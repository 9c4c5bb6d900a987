// What the terminal view shows of a live run, as text with control sequences. Pure.
#ifndef SEALPOST_SCREEN_H
#define SEALPOST_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "live.h"

// Below these the plain line says more.
#define SCREEN_COLUMNS_MIN 64u
#define SCREEN_ROWS_MIN 16u
#define SCREEN_COLUMNS_MAX 200u // wider terminals are not filled

struct screen {
    unsigned columns, rows;
    bool has_unicode, has_colour;
    double per_s, sent_per_s; // since the frame before
    uint64_t p50_ns, p99_ns;  // the same
};

// Write a frame; every line ends by clearing the rest of it, the last by clearing what is below.
// Returns its length, at most `cap`: lines that do not fit there
// or on the screen are left out whole.
size_t screen_format(const struct screen *s, const struct live *l, char *out, size_t cap);

#endif
