// One simulated user's connection: its state and the steps of its set-up. The message path (uplink,
// downlink) works on the same struct. Thread: the shard's.
//
//   UNOPENED → CONNECTING → SECURING (wss) → UPGRADING → GREETING → REGISTERING → PUBLISHING →
//   READY
//
// and CLOSED from any of them. An idle user that stays anonymous is READY after UPGRADING.
#ifndef SEALPOST_CLIENT_H
#define SEALPOST_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "budget.h"
#include "http_upgrade.h"
#include "ledger.h"
#include "persona.h"
#include "sealcrypto.h"
#include "timer.h"
#include "tls.h"
#include "units.h"
#include "wire.h"

struct shard;
struct user_control;

enum client_state {
    CLIENT_UNOPENED,
    CLIENT_CONNECTING,  // connect submitted
    CLIENT_SECURING,    // TLS handshake
    CLIENT_UPGRADING,   // HTTP request sent
    CLIENT_GREETING,    // waiting for hello
    CLIENT_REGISTERING, // waiting for registered
    CLIENT_PUBLISHING,  // waiting for published
    CLIENT_READY,       // handshakes and envelopes
    CLIENT_CLOSED,
};

// The initiator's (even user's) part of a handshake.
enum client_handshake {
    CLIENT_HANDSHAKE_NONE,
    CLIENT_HANDSHAKE_ASKED,     // get_bundle sent
    CLIENT_HANDSHAKE_BUNDLE,    // bundle here, waits for the turn's batch
    CLIENT_HANDSHAKE_INITIATED, // initial message sent
};

// An envelope to send.
struct client_due {
    uint64_t intended_ns; // open loop: by schedule; closed loop: when the slot became free
    uint64_t noticed_ns;
};

// Bytes waiting for the next send, in a chunk of the shard's pool; NULL when there are none.
struct client_bytes {
    uint8_t *bytes;
    uint32_t len;
};

struct client {
    // What every message touches.
    enum client_state state;
    bool is_ready;   // in the uplink's list
    bool is_sending; // one send in flight for each socket
    uint16_t send_segment;
    uint32_t send_len;
    uint32_t number;        // in the run
    uint32_t slot;          // in the shard, and its direct descriptor
    struct client *partner; // NULL in idle mode
    struct client_due *due; // ring
    uint32_t due_head, due_count, due_mask;
    struct budget_trail trail; // of its sends
    uint64_t next_sequence;
    uint64_t next_message_id;
    uint8_t header[WIRE_HEADER_BYTES]; // of its session messages; the message id's end varies
    struct ledger_flow flow;           // what it receives
    struct sp_session session;
    // What some messages touch.
    struct client_bytes carry;   // an incoming frame that is not whole yet
    uint64_t carry_need;         // its length, 0 while its header is not whole
    struct client_bytes control; // outgoing frames (and the HTTP request)
    struct client_bytes records; // outgoing TLS records of the handshake or a KeyUpdate
    struct client_bytes acks;    // message ids to acknowledge
    struct tls *tls;
    // Set-up and handshakes.
    enum client_handshake handshake;
    bool has_session;
    bool is_settled;
    bool is_responding;      // an initial message waits for the turn's batch
    bool is_publishing;      // one-time prekeys on their way
    bool with_one_time;      // this handshake's bundle had one
    bool with_last_resort;   // and the last-resort KEM prekey
    bool needs_rearm;        // receive ended for want of buffers
    uint32_t one_time_limit; // of what the relay keeps in stock
    uint32_t one_time_kem_limit;
    uint64_t tls_began_ns, handshake_began_ns;
    uint8_t upgrade_nonce[16];
    struct http_upgrade *upgrade; // only while UPGRADING
    struct timer retry;           // get_bundle again after rate_limited
    struct persona persona;
};

// Make the identity and connect. A failure ends the run (shard_fail).
void client_open(struct shard *s, struct client *c);
// The connect completed.
void client_on_connect(struct shard *s, struct client *c, int result);
// TLS is established.
void client_on_secured(struct shard *s, struct client *c);
// Bytes of the HTTP answer. Returns how many belong to it, or -1 when the client was closed.
NODISCARD int64_t client_on_answer(struct shard *s, struct client *c, const uint8_t *bytes,
                                   size_t len);
// A control message.
void client_on_control(struct shard *s, struct client *c, const uint8_t *text, size_t len);
// The session with its partner stands.
void client_settle(struct shard *s, struct client *c);
// Publish more one-time prekeys when the stock is low (handshake mode).
void client_restock(struct shard *s, struct client *c);
// The connection is over; `why` is a phrase for the report. In the set-up this ends the run, later
// it is counted. Harmless when closed already.
void client_close(struct shard *s, struct client *c, const char *why);
// Receive into the shard's buffers from now on.
void client_arm_receive(struct shard *s, struct client *c);
// Free what a client holds when its shard ends.
void client_free(struct shard *s, struct client *c);

#endif
