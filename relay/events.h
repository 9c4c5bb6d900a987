// Everything of WebSocket that is not a whole unfragmented data message goes to wslay: control
// frames, fragments, close. A context lives from the first such frame to the message boundary.
// Thread: the worker's.
#ifndef SEALPOST_EVENTS_H
#define SEALPOST_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "ws.h"

struct worker;
struct conn;

// One whole frame, header included, still masked.
void events_on_frame(struct worker *w, struct conn *c, const struct ws_frame *frame,
                     const uint8_t *bytes, size_t len);
void events_drop(struct worker *w, struct conn *c);

#endif
