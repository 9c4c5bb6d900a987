// A whole message: envelope, control text, or echo. Thread: the worker's.
#ifndef SEALPOST_MESSAGE_H
#define SEALPOST_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "ws.h"

struct worker;
struct conn;

// `payload` is unmasked, writable, has room for a server's frame header in front, and lives to the
// turn's end (the worker's current hold).
void message_on_data(struct worker *w, struct conn *c, enum ws_opcode opcode, uint8_t *payload,
                     size_t len);
// Answer `error` with this code for this message id (NULL: none).
void message_refuse(struct worker *w, struct conn *c, const char *code, const char *text,
                    const uint8_t *message_id);

#endif
