// What the control plane holds, and its view of one connection: found by peer, spoken to, ended.
// Internal to relay/control. Thread: the control thread alone.
#ifndef SEALPOST_CONTROL_CONN_H
#define SEALPOST_CONTROL_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "control_error.h"
#include "control_json.h"
#include "ml_dsa_verifier.h"
#include "prekey_memory.h"
#include "store.h"
#include "users.h"

#define CONTROL_CHALLENGE_BYTES 32u

// FREE → OPEN → LOGGED_IN → ENDED → FREE; OPEN may end too, and every state but FREE may be freed.
enum control_conn_state {
    CONTROL_CONN_FREE = 0,  // no connection in this slot
    CONTROL_CONN_OPEN,      // hello was sent, the challenge stands
    CONTROL_CONN_LOGGED_IN, // user is set and user->conn points here
    CONTROL_CONN_ENDED,     // told to close: nothing is said to it or heard from it any more
};

struct control_conn {
    struct peer peer;
    uint8_t state; // enum control_conn_state
    struct user *user;
    uint8_t challenge[CONTROL_CHALLENGE_BYTES];
    uint64_t bundle_due_ns; // when the bundles handed out so far would have been due at the rate
    // Durable envelopes up to this sequence were sent here; those not acknowledged yet.
    uint64_t sent_sequence;
    uint32_t unacked_count;
    uint32_t unacked_bytes;
};

struct control {
    struct control_config config;
    struct control_ops ops;
    struct stats *stats;
    struct store *store;
    struct control_conn *conns; // [worker × config.slots + slot]
    struct prekey_memory prekey_memory;
    struct users users;
    struct ml_dsa_verifier verifier;
    struct control_json_reader reader;
    struct control_json_writer writer; // the one answer under construction
};

// One message of a client, parsed.
struct control_request {
    yyjson_val *root;
    const char *type; // of the relay's own constants
    uint64_t now_ns;
    uint64_t id;
    bool has_id;
};

// The connection with this very generation, ended or not; NULL if it is gone.
struct control_conn *control_conn_find(struct control *c, struct peer peer);
// Take the slot for a new connection. NULL if the event repeats what is known.
struct control_conn *control_conn_open(struct control *c, struct peer peer);
// The connection is gone: its login ends, the slot is free.
void control_conn_free(struct control *c, struct control_conn *conn);

// Begin an answer in c->writer: type, and the id of the request if it had one.
void control_conn_begin_answer(struct control *c, const struct control_request *request,
                               const char *type);
// End and send what is in c->writer. Without memory the connection ends (1013). Nothing is sent to
// one that has ended.
void control_conn_send(struct control *c, struct control_conn *conn);
// Send a copy of these bytes as CONTROL_SEND_TEXT or CONTROL_SEND_ENVELOPE, as above.
void control_conn_send_bytes(struct control *c, struct control_conn *conn,
                             enum control_action_op op, const void *bytes, uint32_t len);
// Count, tell, and end the connection if this error closes it.
void control_conn_refuse(struct control *c, struct control_conn *conn,
                         const struct control_request *request, enum control_error error);
// Count and tell, for an envelope, named by its message id; no such error closes.
void control_conn_refuse_envelope(struct control *c, struct control_conn *conn,
                                  const uint8_t message_id[WIRE_MESSAGE_ID_BYTES],
                                  enum control_error error);
// Close and forget the login: the mailbox is taken away from it.
void control_conn_end(struct control *c, struct control_conn *conn, uint16_t close_code);
// Close because a newer connection has the mailbox already.
void control_conn_displace(struct control *c, struct control_conn *conn);

#endif
