// A terminal that a whole screen is drawn on, again and again, without ever waiting for it: what it
// does not take is dropped, never cut inside a control sequence that is then continued.
// Thread: the coordinator's.
#ifndef SEALPOST_TERMINAL_H
#define SEALPOST_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "units.h"

#define TERMINAL_FRAME_MAX_BYTES (32u * KIB)

struct terminal {
    int fd; // its own, non-blocking; -1: closed
    bool is_taken;
    size_t pending_len, pending_at; // of the frame under way
    char pending[TERMINAL_FRAME_MAX_BYTES];
};

// Open the terminal that `fd` is. False: it is none, or none that moves its cursor.
NODISCARD bool terminal_open(struct terminal *t, int fd);
// Its size now; false when it does not tell.
NODISCARD bool terminal_size(const struct terminal *t, unsigned *columns, unsigned *rows);
// Draw a frame from the top left corner, at most TERMINAL_FRAME_MAX_BYTES. The first one takes the
// screen. False: dropped, because the frame before is not taken yet.
bool terminal_draw(struct terminal *t, const char *frame, size_t len);
// Give the screen back as it was, if the terminal takes it at once, and close it.
void terminal_close(struct terminal *t);

#endif
