// Routing by mailbox.
#include "route.h"

#include <string.h>

#include "conn.h"
#include "link.h"
#include "mailbox.h"
#include "message.h"
#include "outbox.h"
#include "send.h"
#include "worker.h"

static enum route_result deliver(struct worker *w, struct conn *recipient, uint8_t *message,
                                 size_t len)
{
    // Full because of this turn alone says nothing about the reader: ask its socket first.
    if (!outbox_push_message(w, recipient, WS_BINARY, message, len) &&
        !(send_early(w, recipient) && outbox_push_message(w, recipient, WS_BINARY, message, len)))
        return ROUTE_BUSY;
    stats_bump(&w->stats, STATS_envelopes_forwarded);
    return ROUTE_DELIVERED;
}

enum route_result route_deliver(struct worker *w, uint32_t slot, uint32_t generation,
                                uint8_t *message, size_t len)
{
    struct conn *recipient = conn_find(w, slot, generation);

    if (!recipient || !recipient->reachable)
        return ROUTE_ABSENT;
    return deliver(w, recipient, message, len);
}

// The recipient of the sender's last envelope, if it is still the one meant.
static struct conn *cached_recipient(struct worker *w, const struct conn *sender,
                                     const uint8_t *mailbox)
{
    struct conn *c = &w->conns[sender->route_slot];
    bool same = c->generation == sender->route_generation && c->reachable &&
                memcmp(c->mailbox, mailbox, WIRE_MAILBOX_BYTES) == 0;

    return same ? c : NULL;
}

static enum route_result route(struct worker *w, struct conn *sender,
                               const struct wire_envelope *envelope, uint8_t *message, size_t len)
{
    struct conn *recipient = cached_recipient(w, sender, envelope->mailbox);
    struct peer to;

    if (recipient)
        return deliver(w, recipient, message, len);
    if (!mailbox_find(w->directory, envelope->mailbox, &to))
        return ROUTE_ABSENT;
    if (to.worker != w->number) {
        if (!link_push(w, to, conn_address(w, sender), message, len, envelope->message_id))
            return ROUTE_RELAY_BUSY;
        stats_bump(&w->stats, STATS_envelopes_to_other_worker);
        return ROUTE_DELIVERED;
    }
    sender->route_slot = to.slot;
    sender->route_generation = to.generation;
    return route_deliver(w, to.slot, to.generation, message, len);
}

void route_refuse(struct worker *w, struct conn *sender, enum route_result result,
                  const uint8_t message_id[WIRE_MESSAGE_ID_BYTES])
{
    switch (result) {
    case ROUTE_DELIVERED:
        break;
    case ROUTE_ABSENT:
        stats_bump(&w->stats, STATS_refused_recipient_absent);
        message_refuse(w, sender, "recipient_absent", "the recipient is not connected", message_id);
        break;
    case ROUTE_BUSY:
        stats_bump(&w->stats, STATS_refused_recipient_busy);
        message_refuse(w, sender, "recipient_busy", "the recipient reads too slowly", message_id);
        break;
    case ROUTE_RELAY_BUSY:
        stats_bump(&w->stats, STATS_refused_relay_busy);
        message_refuse(w, sender, "relay_busy", "a queue inside the relay is full, try again",
                       message_id);
        break;
    }
}

void route_envelope(struct worker *w, struct conn *sender, const struct wire_envelope *envelope,
                    uint8_t *message, size_t len)
{
    enum route_result result = route(w, sender, envelope, message, len);

    if (__builtin_expect(result != ROUTE_DELIVERED, 0))
        route_refuse(w, sender, result, envelope->message_id);
}
