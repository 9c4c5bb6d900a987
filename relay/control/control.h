// The control plane: registration, login, prekeys, look-ups, signalling, durable envelopes. A
// machine without I/O: events in, actions out. It never touches a socket or a ring.
// Thread: the control thread alone (control_link.c runs it); tests drive it directly.
#ifndef SEALPOST_CONTROL_H
#define SEALPOST_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/peer.h"
#include "relay/stats.h"
#include "units.h"
#include "wire.h"

enum control_event_op {
    CONTROL_OPENED,  // a connection finished its upgrade on /v1: answer with hello
    CONTROL_TEXT,    // one whole control message; valid UTF-8, at most LIMIT_CONTROL_BYTES
    CONTROL_DURABLE, // one whole valid durable envelope from a logged-in connection
    CONTROL_CLOSED,  // the connection is gone
};

struct control_event {
    enum control_event_op op;
    struct peer peer;
    uint8_t *data; // malloc'd; the control plane takes it over. NULL without data
    uint32_t len;
};

enum control_action_op {
    CONTROL_SEND_TEXT,     // data: JSON
    CONTROL_SEND_ENVELOPE, // data: envelope, sent as one binary message
    CONTROL_ROUTE,         // data: valid transient envelope that came in by `relay`: route as if
                           // the peer had sent it in binary
    CONTROL_LOGGED_IN,     // mailbox is the connection's; the next text is the answer to the login
    CONTROL_CLOSE,         // close with close_code after what was sent before
};

struct control_action {
    enum control_action_op op;
    struct peer peer;
    uint8_t *data; // malloc'd; the receiver of the action takes it over. NULL without data
    uint32_t len;
    uint16_t close_code;
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
};

// What the control plane needs from the outside. Actions for one peer take effect in order.
struct control_ops {
    void *ctx;
    void (*act)(void *ctx, const struct control_action *action);
    // Make the mailbox reachable at this peer, replacing an older one / take it away if it is still
    // this peer's. Errors of attach: -ENOMEM.
    int (*attach)(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer);
    void (*detach)(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer);
};

struct control_config {
    uint32_t workers; // peers' worker numbers are below it
    uint32_t slots;   // peers' slots are below it
    uint32_t max_users;
    uint32_t bundle_rate_per_s; // 0: no limit
    uint32_t bundle_burst;
    uint32_t login_timeout_ms; // told in hello
    uint32_t outbox_bytes;     // told in hello
    uint32_t max_ttl_s;
    uint64_t store_total_bytes;
    uint64_t prekey_total_bytes; // ML-DSA-65 identity keys included
};

struct control;

// What the control plane needs of the libraries and they have not, in words for people; NULL if
// nothing is missing.
const char *control_check_libraries(void);
// Allocates tables sized by config (touched lazily). `stats` has the control thread as its writer.
// Errors: NULL when memory is short, or control_check_libraries complains.
struct control *control_create(const struct control_config *config, const struct control_ops *ops,
                               struct stats *stats);
void control_destroy(struct control *c);

// Handle one event; takes event->data over in every case.
void control_handle_event(struct control *c, const struct control_event *event, uint64_t now_ns);
// Once a second or so: expiry. Bounded work.
void control_tick(struct control *c, uint64_t now_ns);

#endif
