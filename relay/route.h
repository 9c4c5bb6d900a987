// From mailbox to connection: here, on another worker, or nowhere. Thread: the worker's.
#ifndef SEALPOST_ROUTE_H
#define SEALPOST_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include "wire.h"

struct worker;
struct conn;

enum route_result { ROUTE_DELIVERED, ROUTE_ABSENT, ROUTE_BUSY, ROUTE_RELAY_BUSY };

// Forward a valid transient envelope; `message` is its first byte, under the terms of
// message_on_data. Anything but success is answered to the sender.
void route_envelope(struct worker *w, struct conn *sender, const struct wire_envelope *envelope,
                    uint8_t *message, size_t len);
// Another worker's envelope for a connection of this one.
enum route_result route_deliver(struct worker *w, uint32_t slot, uint32_t generation,
                                uint8_t *message, size_t len);
// The answer to the sender for what did not go well. Bumps the counter.
void route_refuse(struct worker *w, struct conn *sender, enum route_result result,
                  const uint8_t message_id[WIRE_MESSAGE_ID_BYTES]);

#endif
