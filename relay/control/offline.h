// Durable envelopes: stored, accepted, delivered until acknowledged; and envelopes that come as
// text. Thread: the control thread alone.
#ifndef SEALPOST_OFFLINE_H
#define SEALPOST_OFFLINE_H

#include "control_conn.h"

// Store one durable envelope, answer its sender, deliver if the recipient is connected. Answers
// UNKNOWN_MAILBOX, QUEUE_FULL, RELAY_BUSY with the message id.
void offline_accept(struct control *c, struct control_conn *conn, const uint8_t *envelope,
                    uint32_t len, uint64_t now_ns);
// Send the connection what its mailbox holds, oldest first, as far as its window is open.
void offline_deliver(struct control *c, struct control_conn *conn);
// Errors: BAD_MESSAGE, BAD_ENVELOPE, RELAY_BUSY.
enum control_error offline_relay(struct control *c, struct control_conn *conn,
                                 const struct control_request *request);
// Errors: BAD_MESSAGE.
enum control_error offline_acknowledge(struct control *c, struct control_conn *conn,
                                       const struct control_request *request);
// Delete what has expired, at most LIMIT_EXPIRED_AT_ONCE, and send what the open windows let
// through.
void offline_expire(struct control *c, uint64_t now_ns);

#endif
