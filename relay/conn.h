// One connection: its state, what it waits for, and what is queued for it. A connection's slot is
// its direct descriptor's index in its worker's ring.
// Thread: the worker that owns the slot.
#ifndef SEALPOST_CONN_H
#define SEALPOST_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "peer.h"
#include "timer.h"
#include "units.h"
#include "wire.h"

struct worker;
struct tls;
struct http_upgrade;
struct events;
struct backlog_chunk;
struct partial;

// conn_move (conn.c) is the only place that changes a state.
enum conn_state {
    CONN_FREE,    // the slot has no descriptor
    CONN_TLS,     // TLS handshake under way
    CONN_UPGRADE, // HTTP request under way
    CONN_OPEN,    // WebSocket messages
    CONN_CLOSING, // close frame or refusal queued; input is thrown away
    CONN_DEAD,    // nothing is sent or read any more; waits for its operations to come back
};

struct conn {
    enum conn_state state;
    uint32_t slot;
    uint32_t generation;
    uint16_t deferred;   // receives put off to a later turn
    uint16_t operations; // of this connection in the ring; the descriptor closes at 0

    bool secure : 1;            // wss; `tls` comes with the first bytes
    bool receiving : 1;         // a receive is armed
    bool handshake_receive : 1; // … a single one, into the handshakes' buffers
    bool sending : 1;           // a send is in the ring
    bool polling : 1;           // waits for the socket to take more
    bool shut : 1;              // our side is shut down
    bool notified : 1;          // TLS close_notify is sealed: nothing can follow
    bool echo : 1;              // the resource is /echo
    bool logged_in : 1;         // `mailbox` is ours, envelopes are taken
    bool reachable : 1;         // the login is answered: envelopes may come now
    bool known : 1;             // the control plane heard of it and must hear of its end
    bool in_fragments : 1;      // a fragmented message is under way, `events` holds it

    struct tls *tls; // NULL on ws, and before the first bytes on wss
    union {
        struct http_upgrade *upgrade; // CONN_UPGRADE, from the first bytes on
        struct events *events;        // CONN_OPEN: only while wslay has something to do
    };
    uint32_t fragment_room;  // bytes the fragmented message under way may still have
    uint16_t fragment_count; // it has had
    uint8_t texts_before_login;
    struct partial *partial; // begin of a message whose rest has not come

    // Outbox: bytes the socket did not take, then messages of this turn (indexes into the worker's
    // pieces). Their sum is bounded.
    uint32_t first_piece, last_piece; // OUTBOX_NONE when empty
    uint32_t piece_bytes, backlog_bytes;
    uint32_t write_progress; // bytes the socket took since write_deadline_ns was set
    struct backlog_chunk *backlog_first, *backlog_last;

    struct list dirty;   // in worker->dirty: has pieces to flush or a state to finish
    struct list waiting; // alive: in worker->rearm (no buffer to receive into);
                         // dead: in worker->farewell (control plane not told yet)
    struct timer timer;
    // Deadlines, 0 for none. The timer may stand earlier than the earliest of them: it is armed
    // once and looks again when it fires, so that traffic does not re-arm it.
    uint64_t phase_deadline_ns;   // handshake, then login, then closing
    uint64_t message_deadline_ns; // a partial message
    uint64_t record_deadline_ns;  // a partial TLS record
    uint64_t write_deadline_ns;   // a full socket

    uint8_t mailbox[WIRE_MAILBOX_BYTES];

    // The last recipient on this worker, to spare the directory. Checked against the slot's
    // generation and mailbox, so it never misleads.
    uint32_t route_slot;
    uint32_t route_generation;
};

static inline bool conn_is_alive(const struct conn *c)
{
    return c->state != CONN_FREE && c->state != CONN_DEAD;
}

// A descriptor was accepted into `slot`: arm receive and the handshake's deadline.
void conn_open(struct worker *w, uint32_t slot, bool tls);
// The first bytes on wss: make the TLS channel. False when it is not to be had: the connection
// ended.
NODISCARD bool conn_begin_tls(struct worker *w, struct conn *c);
// The TLS handshake is done.
void conn_secured(struct worker *w, struct conn *c);
// The first bytes of the HTTP request: make its parser. False when full or draining: 503 is on its
// way.
NODISCARD bool conn_begin_upgrade(struct worker *w, struct conn *c);
// Answer 503 and close.
void conn_refuse_full(struct worker *w, struct conn *c);
// The upgrade is done. Tells the control plane unless it is /echo.
void conn_upgraded(struct worker *w, struct conn *c, bool echo);
// The control plane says the login is good.
void conn_logged_in(struct worker *w, struct conn *c, const uint8_t mailbox[WIRE_MAILBOX_BYTES]);
// Queue a close frame with this code (0: none, just flush) and end in time. Harmless twice.
void conn_close(struct worker *w, struct conn *c, uint16_t code);
// End at once; what is queued is dropped.
void conn_kill(struct worker *w, struct conn *c);
// Arm the receive: multishot, or a single one during the TLS handshake.
void conn_receive(struct worker *w, struct conn *c);
// One of the connection's operations came back for good.
void conn_operation_done(struct worker *w, struct conn *c);
// The outbox is empty: finish what waits for that.
void conn_flushed(struct worker *w, struct conn *c);
// A deadline field got a value: have the timer look at it in time.
void conn_arm_timer(struct worker *w, struct conn *c, uint64_t deadline_ns);
void conn_timer_fired(struct worker *w, struct conn *c);
// Tell the control plane of ends it could not take before, as far as it can now.
void conn_retry_farewells(struct worker *w);
// The descriptor is closed: the slot is free.
void conn_closed(struct worker *w, struct conn *c);

// What other threads call this connection.
struct peer conn_address(const struct worker *w, const struct conn *c);
// The connection a tag or peer means, or NULL if the slot has another tenant now.
struct conn *conn_find(struct worker *w, uint32_t slot, uint32_t generation);

#endif
