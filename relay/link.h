// Envelopes between two workers: a bounded ring there, a bounded ring back. The bytes stay where
// the first worker received them; the way back returns the reference and the outcome.
#ifndef SEALPOST_LINK_H
#define SEALPOST_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include "receive.h"
#include "route.h"
#include "spsc.h"
#include "units.h"

struct worker;

struct link_item {
    uint8_t *message;
    uint32_t len;
    struct hold hold; // the first worker's
    struct peer to, from;
    uint8_t message_id[WIRE_MESSAGE_ID_BYTES];
    enum route_result result; // on the way back
};

// One direction of traffic: from `first` to `second`.
struct link {
    struct spsc there;    // first pushes
    struct spsc back;     // second pushes
    uint32_t outstanding; // first's: pushed and not back; bounded by `back`'s capacity
    bool wake;            // first pushed since its last wake of second
    // second's, of the running turn: delivered, to be returned at its end
    struct link_item *turn;
    uint32_t turn_count;
};

// Errors: -ENOMEM.
NODISCARD int link_init(struct link *l);
void link_free(struct link *l);

// Thread: the sending worker. False when full: nothing was taken.
NODISCARD bool link_push(struct worker *w, struct peer to, struct peer from, uint8_t *message,
                         size_t len, const uint8_t message_id[WIRE_MESSAGE_ID_BYTES]);
// Thread: the receiving worker. Deliver what has come from all others.
void link_deliver(struct worker *w);
// Thread: the receiving worker, at its turn's end: return references and outcomes.
void link_return_turn(struct worker *w);
// Thread: the sending worker. Take back references, answer refusals.
void link_collect(struct worker *w);
// Thread: any worker, once per turn: wake the others it pushed to.
void link_wake(struct worker *w);
// Is anything waiting for this worker?
bool link_is_idle(const struct worker *w);
// Thread: a worker. Everything it pushed is back, everything it got is returned.
bool link_is_settled(const struct worker *w);

#endif
