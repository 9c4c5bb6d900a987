// Every bound of the relay: unit, reason, and what happens when it is reached.
#ifndef SEALPOST_LIMITS_H
#define SEALPOST_LIMITS_H

#include "units.h"

// Largest ciphertext of one envelope. Signal allows 96 KiB, SimpleX 16 KiB. Over it: close 1009
// when the length is announced.
#define LIMIT_ENVELOPE_BYTES (64u * KIB)
// Largest control message. One that carries an envelope in base64 (`relay`) must fit, 4/3 × 64 KiB
// and some, and a hybrid user's ten KEM prekeys, 73 KB. Over it: close 1009.
#define LIMIT_CONTROL_BYTES (96u * KIB)
// Largest message of any kind, headers included: what an assembly buffer holds.
#define LIMIT_MESSAGE_BYTES LIMIT_CONTROL_BYTES

#define LIMIT_NAME_BYTES 32u
// Registered names. Full: `relay_full`, close 1013. Memory of a user: 136 B and 24 B of hash
// tables, and what LIMIT_PREKEY_TOTAL_BYTES counts.
#define LIMIT_USERS 1000000u
#define LIMIT_ONE_TIME_PREKEYS 100u    // in stock for each user; over it: `too_many_prekeys`
#define LIMIT_ONE_TIME_KEM_PREKEYS 20u // as above
#define LIMIT_PREKEYS_LOW 5u           // of either; below it the owner is told
#define LIMIT_USER_LIST 256u           // names in one answer; the rest by cursor
#define LIMIT_ACK_IDS 256u             // message ids in one ack; more: `bad_message`
#define LIMIT_CHAT_BODY_BYTES 4096u    // signalling is small; over it: `bad_message`
#define LIMIT_BUNDLE_RATE_PER_S 50u    // for each connection; over it: `rate_limited`
#define LIMIT_BUNDLE_BURST 100u

// Prekeys and ML-DSA-65 identity keys of all users, each allocation with the allocator's share: 2
// KB of a hybrid user; 3.9 KB with 100 one-time prekeys (hybrid: 7.3 KB), 27 KB more with 20
// one-time KEM prekeys and the last-resort one (hybrid: 96 KB). All users with all of that would
// need 105 GB; this is enough for ten thousand such hybrid users, or 270,000 with X25519 prekeys
// alone. Full: `relay_busy` for a publication, nothing stored; `relay_full`, close 1013, for the
// registration of a hybrid user. A prekey makes room when it is handed out.
#define LIMIT_PREKEY_TOTAL_BYTES (1024u * MIB) // default of --prekey-mib

// Offline queue. Full: `queue_full`, nothing stored.
#define LIMIT_STORE_MAILBOX_ENVELOPES 1024u
#define LIMIT_STORE_MAILBOX_BYTES (8u * MIB)
#define LIMIT_STORE_TOTAL_BYTES (512u * MIB)
// Expired envelopes deleted before one event, so that it waits a millisecond at most; the rest goes
// before the next one.
#define LIMIT_EXPIRED_AT_ONCE 1024u
#define LIMIT_TTL_S (7u * 24 * 3600)
// Durable envelopes sent to a recipient and not yet acknowledged; the rest waits for acks, so that
// a long queue never floods an outbox.
#define LIMIT_UNACKED_ENVELOPES 64u
#define LIMIT_UNACKED_BYTES (128u * KIB)
// Largest answer of the control plane: the bundle of a hybrid user has 14 KB, a user list 9 KB.
#define LIMIT_CONTROL_ANSWER_BYTES (16u * KIB)

// ---- workers ----------------------------------------------------------------------------------

#define LIMIT_WORKERS 64u
#define LIMIT_LISTENERS 16u
// Connections of one worker: its table of direct descriptors, itself bounded by RLIMIT_NOFILE.
// Full: nothing is accepted; the kernel's accept queue holds the rest until a slot is free.
#define LIMIT_CONNECTIONS_PER_WORKER 65536u
#define LIMIT_LISTEN_BACKLOG 4096

// Receive buffers of one worker. Everything received in one loop turn stays until the turn's sends
// are done, so this bounds a turn. Empty: receiving rests until the next turn.
#define LIMIT_RECEIVE_BUFFERS 1024u
#define LIMIT_RECEIVE_BUFFER_BYTES (32u * KIB)
// Receive buffers of TLS handshakes, which may have to wait. Empty: handshakes wait.
#define LIMIT_HANDSHAKE_BUFFERS 256u
#define LIMIT_HANDSHAKE_BUFFER_BYTES (4u * KIB)
// Plaintext of TLS connections, for the same time. All out: the turn ends early; still out: closed.
#define LIMIT_PLAIN_BUFFERS 256u
#define LIMIT_PLAIN_BUFFER_BYTES (128u * KIB)
// Records sealed in one turn. Full: flushed early.
#define LIMIT_SEALED_BYTES (8u * MIB)
// Messages queued in one turn over all connections. Full: flushed early. The asan preset sets it so
// low that every turn ends early wherever it can.
#ifndef LIMIT_PIECES
#define LIMIT_PIECES 65536u
#endif
// Small answers (control text, close frames) copied in one turn. Full: flushed early.
#define LIMIT_ANSWER_BYTES (4u * MIB)
// Parts of messages waiting for the rest, also for the turn in which it comes. Small ones: one for
// each connection. Large ones: a whole message of any kind; all out: the turn ends early; still
// out: close 1013.
#define LIMIT_PARTIAL_SMALL_BYTES (4u * KIB)
#define LIMIT_PARTIAL_LARGE_BYTES (LIMIT_MESSAGE_BYTES + 64u)
#define LIMIT_PARTIAL_LARGE 2048u
// What a slow reader's socket did not take, in chunks. All out: closed.
#define LIMIT_BACKLOG_CHUNK_BYTES (4u * KIB)
#define LIMIT_BACKLOG_CHUNKS 65536u
// Bytes the kernel takes of one connection before they are sent (TCP_NOTSENT_LOWAT). Without it a
// slow reader's socket grows to 4 MiB, and its progress shows only every 1.3 MiB.
#define LIMIT_UNSENT_BYTES MIB
#define LIMIT_OUTBOX_BYTES (256u * KIB) // default of --outbox-bytes; full: `recipient_busy`
// Least of --outbox-bytes. What the control plane sends unasked at a login, durable envelopes of
// the whole window, fits with one answer beside it: a connection that cannot take either is closed.
#define LIMIT_OUTBOX_MIN_BYTES (LIMIT_UNACKED_BYTES + LIMIT_CONTROL_ANSWER_BYTES)
// Receives of TLS handshakes in one turn, about 0.3 ms each; the others wait for the next turn.
#define LIMIT_HANDSHAKE_STEPS_PER_TURN 4u
// Request heads that came in part, at once. Full: 503.
#define LIMIT_UPGRADES 4096u
// Of one send, and of one turn; the rest goes with the next.
#define LIMIT_SEND_IOVECS 1024u
#define LIMIT_SEND_IOVECS_PER_TURN (2u * LIMIT_PIECES)

// Sends in the ring before their completions are taken: half of what the queue holds.
#define LIMIT_SENDS_UNREAPED 16384u
// Fragments of one message, and fragmented messages under way in one worker; wslay allocates for
// each. Over the first: close 1008, over the second: 1013.
#define LIMIT_FRAGMENTS 1024u
#define LIMIT_FRAGMENTED_MESSAGES 1024u
// Control messages of one connection before its login. Over it: close 4401.
#define LIMIT_TEXTS_BEFORE_LOGIN 16u
// Bytes waiting for the control plane from one worker. Over it: `relay_busy`.
#define LIMIT_CONTROL_EVENT_BYTES (64u * MIB)

// Rings between threads. Full: `relay_busy`, nothing is queued.
#define LIMIT_LINK_ITEMS 4096u
#define LIMIT_CONTROL_EVENTS 8192u
#define LIMIT_CONTROL_ACTIONS 8192u

// Times.
#define LIMIT_HANDSHAKE_MS 10000u // TLS and upgrade together
#define LIMIT_LOGIN_MS 30000u     // default of --login-timeout
#define LIMIT_MESSAGE_MS 10000u   // from the first byte of a message to its last
#define LIMIT_WRITE_MS 10000u     // default of --write-timeout: a full socket without progress
#define LIMIT_CLOSE_MS 2000u      // from our close frame to the peer's
#define LIMIT_DRAIN_MS 5000u      // default of --drain: SIGTERM to exit
#define LIMIT_ACCEPT_REST_MS 100u // after the system's descriptors ran out
// Every connection is looked at once in this time, because a reset that comes together with data
// can leave a multishot receive asleep on a dead socket.
#define LIMIT_SWEEP_MS 10000u
#define LIMIT_SWEEP_STEP_MS 100u

#endif
