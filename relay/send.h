// Sending: once per loop turn, everything pending of each connection in one send.
// Thread: the worker's.
#ifndef SEALPOST_SEND_H
#define SEALPOST_SEND_H

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct conn;

// Flush every dirty connection: gather, seal (TLS), one send each, not yet submitted.
void send_flush(struct worker *w);
// A send came back with `result` bytes or -errno.
void send_complete(struct worker *w, struct conn *c, int result);
// The socket takes more.
void send_writable(struct worker *w, struct conn *c);
// Between messages: if the turn's memory is nearly used up, end the turn early.
void send_make_room(struct worker *w);
// Flush, submit, take the sends' completions and release what the turn held, now. What is being
// parsed must be held by something else than the turn.
void send_end_turn_early(struct worker *w);
// Offer what is queued for this connection to its socket now. False if that cannot make room: it
// is behind already.
bool send_early(struct worker *w, struct conn *c);
// No send is in the ring: release what the turn held.
void send_release_turn(struct worker *w);

#endif
