// What shows a run while it goes on: the plain line or the terminal view, and the web page.
// Thread: the coordinator's.
#ifndef SEALPOST_DISPLAY_H
#define SEALPOST_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "live.h"
#include "progress.h"
#include "view.h"
#include "web.h"

struct display {
    bool has_view;
    struct view view;
    struct progress line;
    struct web *web; // NULL: none; borrowed
    uint64_t view_next_ns, web_next_ns;
};

// Choose between view and line by the options and the terminal. `web` is borrowed, may be NULL.
void display_init(struct display *d, const struct options *o, struct web *web, uint64_t now_ns);
// When display_show has something to do next.
uint64_t display_next_ns(const struct display *d);
// Show what is due.
void display_show(struct display *d, const struct live *l);
// Give the terminal back.
void display_finish(struct display *d);

#endif
