// The live view: a screen of figures on the terminal, redrawn in place a few times a second. Given
// back at the end of the run, however it ends.
// Thread: the coordinator's.
#ifndef SEALPOST_VIEW_H
#define SEALPOST_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "live.h"
#include "screen.h"
#include "terminal.h"

#define VIEW_INTERVAL_NS (250 * NS_PER_MS)

struct view {
    struct terminal terminal;
    struct screen screen;
    struct pulse_sample from; // what the rates are since: a second, the frames are closer
};

// True: standard error is a terminal of enough size. `always`: of any size.
NODISCARD bool view_open(struct view *v, bool always, uint64_t now_ns);
void view_show(struct view *v, const struct live *l);
void view_close(struct view *v);

#endif
