// The live line on standard error: overwritten in place on a terminal, a line each otherwise.
#ifndef SEALPOST_PROGRESS_H
#define SEALPOST_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "live.h"

struct progress {
    bool is_terminal;
    bool is_dirty;        // the terminal's line is not finished
    uint64_t interval_ns; // 0: silent
    uint64_t next_ns;
    struct pulse_sample last;
    uint64_t last_server_cpu_ns;
};

void progress_init(struct progress *p, const struct options *o, uint64_t now_ns);
// Show what came since the last call.
void progress_show(struct progress *p, const struct live *l);
// End the terminal's line.
void progress_finish(struct progress *p);

#endif
