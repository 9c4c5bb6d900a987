// What a run would do, in words, for --check. Runs instead of the run.
#ifndef SEALPOST_PREVIEW_H
#define SEALPOST_PREVIEW_H

#include <stdio.h>

#include "options.h"

void preview_print(const struct options *o, FILE *to);

// Memory of this process, from the sizes of what it holds: with nothing waiting, and with every
// user's buffers in use. Units: bytes.
struct preview_memory {
    uint64_t users_bytes, users_most_bytes;
    uint64_t threads_bytes, threads_most_bytes;
};
struct preview_memory preview_estimate_memory(const struct options *o);

#endif
