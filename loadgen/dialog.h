// One end of a conversation between two users: the session, what was sent on it, and the ledger of
// what came. A user of a pair has one, who sends to many has one for each of them. The other end is
// in the same shard. Thread: the shard's.
//
// The second half of a message id, unique with the random first half:
//
//     | handshake (1 bit) | index of the dialog (15) | number (48) |
//
// An envelope's number is its sequence; messages of handshakes count by themselves.
#ifndef SEALPOST_DIALOG_H
#define SEALPOST_DIALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"
#include "sealcrypto.h"
#include "units.h"
#include "wire.h"

struct client;

// The initiator's part of a handshake.
enum dialog_handshake {
    DIALOG_HANDSHAKE_NONE,
    DIALOG_HANDSHAKE_ASKED,     // get_bundle sent
    DIALOG_HANDSHAKE_BUNDLE,    // bundle here, waits for the turn's batch
    DIALOG_HANDSHAKE_INITIATED, // initial message sent
};

#define DIALOG_NUMBER_BITS 48u
#define DIALOG_HANDSHAKE_MESSAGE (1ull << 63)

struct dialog {
    // What every message touches, in the order that its lines of cache are.
    uint64_t next_sequence; // envelopes sent
    uint64_t message_base;  // index of the dialog, at its place in a message id
    struct client *partner, *owner;
    uint8_t header[WIRE_HEADER_BYTES]; // of its session messages; the message id's end varies
    uint64_t received;                 // envelopes of the other end that came, each once
    struct ledger_flow flow;           // what it receives
    struct sp_session session;
    bool has_session;
    bool with_one_time;    // this handshake's bundle had one
    bool with_last_resort; // and the last-resort KEM prekey
    enum dialog_handshake handshake;
    struct dialog *peer; // the other end
    uint64_t refused;    // envelopes the relay answered with an error
    uint64_t next_handshake_message;
    uint64_t handshake_began_ns;
};

// The message a relay's answer names.
struct dialog_message {
    struct dialog *dialog;
    bool is_handshake;
    uint64_t sequence; // of an envelope
};

// Join two users: `a` is the index-th dialog of its owner, `b` the only one of its own.
void dialog_join(struct dialog *a, struct client *a_owner, uint32_t index, struct dialog *b,
                 struct client *b_owner);
// Both mailboxes are known: prepare what its envelopes begin with.
void dialog_build_header(struct dialog *d, uint32_t payload_bytes, bool durable);
void dialog_drop_session(struct dialog *d);
// The dialog of c that a session message with this id belongs to: the one whose other end is known
// to use it, else the one that waits for the first message of the other end; NULL if there is none.
struct dialog *dialog_find_session(struct client *c, const uint8_t id[SP_SESSION_ID_BYTES]);
// What c sent under this message id. False: nothing.
NODISCARD bool dialog_find_message(struct dialog_message *out, struct client *c,
                                   const uint8_t message_id[WIRE_MESSAGE_ID_BYTES]);

// Envelopes sent that neither came nor were refused.
static inline uint64_t dialog_in_flight(const struct dialog *d)
{
    return d->next_sequence - d->peer->received - d->refused;
}

#endif
