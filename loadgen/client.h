// One simulated user's connection: its state and the steps of its set-up. The message path (uplink,
// downlink) works on the same struct. Thread: the shard's.
//
//   UNOPENED → CONNECTING → SECURING (wss) → UPGRADING → GREETING → REGISTERING → PUBLISHING →
//   READY
//
// and CLOSED from any of them. An idle user that stays anonymous is READY after UPGRADING. One that
// leaves for a while is AWAY, then CONNECTING again; REGISTERING, it logs in, and is READY.
//
// A slot is used again when every operation of the connection before is back; its generation, in
// the tag of each operation, is one higher then.
#ifndef SEALPOST_CLIENT_H
#define SEALPOST_CLIENT_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "budget.h"
#include "dialog.h"
#include "group.h"
#include "http_upgrade.h"
#include "persona.h"
#include "sealcrypto.h"
#include "timer.h"
#include "tls.h"
#include "units.h"

// What a session to resume takes of the heap: 6,000 bytes measured (OpenSSL 3.5, one certificate of
// P-256; the certificates of a longer chain come on top). One for each user of a group with
// resume=yes.
#define CLIENT_TLS_SESSION_BYTES 6000u

struct shard;
struct tally_group;
struct user_control;

enum client_state {
    CLIENT_UNOPENED,
    CLIENT_CONNECTING,  // connect submitted
    CLIENT_SECURING,    // TLS handshake
    CLIENT_UPGRADING,   // HTTP request sent
    CLIENT_GREETING,    // waiting for hello
    CLIENT_REGISTERING, // waiting for registered or logged_in
    CLIENT_PUBLISHING,  // waiting for published
    CLIENT_READY,       // handshakes and envelopes
    CLIENT_AWAY,        // no connection, comes back
    CLIENT_CLOSED,      // for good
};

// What the leader's unit does (travel.h); the first user of a unit is its leader.
enum client_travel {
    CLIENT_PRESENT,
    CLIENT_STOPPING,  // nothing new is sent; what is in flight arrives
    CLIENT_LEAVING,   // connections end
    CLIENT_ABSENT,    // nobody of those who left is connected
    CLIENT_RETURNING, // connections begin
};

// An envelope to send, with several dialogs one to each of them.
struct client_due {
    uint64_t intended_ns; // open loop: by schedule; closed loop: when the slot became free
    uint64_t noticed_ns;
};

// Bytes waiting for the next send, in a chunk of the shard's pool; NULL when there are none.
struct client_bytes {
    uint8_t *bytes;
    uint32_t len;
};

// Closed loop, several dialogs: the envelopes of one due that have not arrived.
struct client_round {
    uint64_t sequence;
    uint32_t missing;
};

struct client {
    // What every message touches.
    alignas(CACHE_LINE_BYTES) enum client_state state;
    bool is_ready;     // in the uplink's list
    bool is_sending;   // one send in flight for each socket
    bool is_receiving; // a receive is armed
    bool is_talking;   // sends what the schedule or the closed loop makes due
    bool is_held;      // what is due fills its ring because a send was not taken; until it is empty
    bool is_apart;     // its envelopes are measured for its group, too
    uint16_t send_segment;
    uint32_t send_len;
    uint32_t number; // in the run
    uint32_t slot;   // in the shard, and its direct descriptor
    uint32_t generation;
    uint32_t dialog_count;
    struct dialog *dialogs; // &dialog, or more of the shard's; NULL: talks to nobody
    const struct group *group;
    struct tally_group *tally; // its group's
    struct client_due *due;    // ring
    uint32_t due_head, due_count, due_mask;
    uint32_t due_dialog;       // of the first one due: the dialog whose envelope is next
    struct budget_trail trail; // of its sends
    struct dialog dialog;      // the only one of most
    // What some messages touch; whether there are bytes is looked at for each.
    uint64_t carry_need; // length of the incoming frame that is not whole yet, 0: not known
    struct tls *tls;
    struct client_round *rounds; // closed loop, several dialogs: ring, as long as `due`
    struct client_bytes carry;   // what is there of that frame
    struct client_bytes control; // outgoing frames (and the HTTP request)
    struct client_bytes records; // outgoing TLS records of the handshake or a KeyUpdate
    struct client_bytes acks;    // message ids to acknowledge
    // Set-up, handshakes, absences.
    struct client *leader; // of its unit, which initiates; NULL: talks to nobody
    uint32_t missing;      // of a leader: users of its unit that are not ready
    uint32_t current;      // of a leader: the dialog whose handshake is under way
    enum client_travel travel;
    uint64_t travel_since_ns; // of a leader
    uint64_t connect_began_ns;
    uint64_t last_read_ns; // slow reader
    uint32_t read_credit;  // slow reader: bytes
    uint32_t accepted;     // durable envelopes the relay took; wraps
    uint32_t left_to_send; // offline, closed loop: of this absence
    uint32_t resting;   // slow-reader, closed loop: refused ones that are due again a little later
    uint8_t operations; // connect, shutdown, close in the ring
    uint8_t tries;      // to come back
    bool is_registered;
    bool is_draining; // of a leader, offline: the recipient is back, its mailbox is not empty
    uint32_t queued;  // of a leader, offline: envelopes that waited at the return
    bool is_leaving;  // the end of the connection is expected
    bool is_settled;
    bool is_responding;      // an initial message waits for the turn's batch
    bool is_publishing;      // prekeys on their way
    bool needs_rearm;        // receive ended for want of buffers
    uint32_t one_time_limit; // of what the relay keeps in stock
    uint32_t one_time_kem_limit;
    uint64_t tls_began_ns;
    struct ssl_session_st *tls_session; // resume=yes: for the next connection; NULL: none came
    uint8_t upgrade_nonce[16];
    struct http_upgrade *upgrade; // only while UPGRADING
    struct timer timer;           // one purpose at a time: ask again, read again, leave, return
    alignas(CACHE_LINE_BYTES) struct persona persona; // the mailbox, in its first line, is hot
};

// Has it no connection?
static inline bool client_is_gone(const struct client *c)
{
    return c->state >= CLIENT_AWAY;
}
static inline bool client_is_leader(const struct client *c)
{
    return c->leader == c;
}

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
// Its sessions stand.
void client_settle(struct shard *s, struct client *c);
// Publish more one-time prekeys when the stock is low (handshake group).
void client_restock(struct shard *s, struct client *c);
// Leave for a while: say so and wait for the relay's answer; or at once and without a word.
void client_leave(struct shard *s, struct client *c);
void client_drop(struct shard *s, struct client *c);
// Every operation of the connection that ended is back?
bool client_is_back(const struct client *c);
// Connect again and log in; the slot is free (client_is_back).
void client_reopen(struct shard *s, struct client *c);
// The connection is over; `why` is a phrase for the report. In the set-up this ends the run, later
// it is counted, unless it was to be expected. Harmless when closed already.
void client_close(struct shard *s, struct client *c, const char *why);
// Receive into the shard's buffers from now on.
void client_arm_receive(struct shard *s, struct client *c);
// Free what a client holds when its shard ends.
void client_free(struct shard *s, struct client *c);

#endif
