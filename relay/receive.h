// Receiving: bytes to TLS records to HTTP to WebSocket frames to whole messages.
// Thread: the worker's.
#ifndef SEALPOST_RECEIVE_H
#define SEALPOST_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "pool.h"
#include "units.h"

struct worker;
struct conn;

// What keeps a piece of received memory alive.
enum hold_kind { HOLD_NONE, HOLD_RECEIVED, HOLD_PLAIN, HOLD_PARTIAL };
struct hold {
    enum hold_kind kind;
    uint32_t id;             // of HOLD_RECEIVED, HOLD_PLAIN
    struct partial *partial; // of HOLD_PARTIAL
};

// The begin of a message whose rest has not come.
struct partial {
    uint32_t len, cap;
    uint16_t refs;
    bool large;
    uint8_t bytes[];
};

#define RECEIVE_HOLDS_MAX (4u * LIMIT_RECEIVE_BUFFERS)

struct receive_arena {
    struct hold current; // of the bytes being parsed
    struct hold *holds;  // of the turn: released when its sends are back
    uint32_t hold_count;
    uint8_t *plain; // LIMIT_PLAIN_BUFFERS
    uint16_t plain_refs[LIMIT_PLAIN_BUFFERS];
    uint16_t plain_free[LIMIT_PLAIN_BUFFERS]; // stack of free ones
    uint32_t plain_free_count;
    uint32_t plain_current; // being filled, LIMIT_PLAIN_BUFFERS if none
    uint32_t plain_used;    // bytes of it
    struct pool small, large;
    struct pool records; // TLS records that came in part
};

// Errors: -ENOMEM.
NODISCARD int receive_arena_init(struct receive_arena *a, uint32_t connections);
void receive_arena_free(struct receive_arena *a);
// Is there memory for one more receive, whatever it brings?
bool receive_has_room(const struct receive_arena *a);

// A completion of the multishot receive: bytes in buffer `id`, end of stream (0) or -errno.
void receive_complete(struct worker *w, struct conn *c, int result, uint32_t cqe_flags);
// The peer's side ended (0) or failed (-errno).
void receive_ended(struct worker *w, struct conn *c, int result);
// Have a partial message, if any, forgotten.
void receive_drop_partial(struct worker *w, struct conn *c);
// Copy bytes into memory that lives to the turn's end, WS_SERVER_HEADER_MAX_BYTES free in front,
// and make it the current hold. NULL when the buffers are all out.
uint8_t *receive_copy(struct worker *w, const uint8_t *bytes, size_t len);

void receive_hold_get(struct worker *w, struct hold h);
void receive_hold_put(struct worker *w, struct hold h);
// Keep `h`'s reference until the turn's end.
void receive_hold_until_turn_end(struct worker *w, struct hold h);
void receive_release_turn(struct worker *w);

#endif
