// The ends of conversations: how they are joined, named on the wire, and found again.
#include "dialog.h"

#include <assert.h>
#include <string.h>

#include "client.h"

#define RANDOM_BYTES 8u // first half of a message id
#define MESSAGE_ID_AT 24u
#define NUMBER_MASK ((1ull << DIALOG_NUMBER_BITS) - 1)

static void join_one(struct dialog *d, struct client *owner, uint32_t index, struct client *partner,
                     struct dialog *peer)
{
    *d = (struct dialog){.owner = owner,
                         .partner = partner,
                         .peer = peer,
                         .message_base = (uint64_t)index << DIALOG_NUMBER_BITS};
}

void dialog_join(struct dialog *a, struct client *a_owner, uint32_t index, struct dialog *b,
                 struct client *b_owner)
{
    join_one(a, a_owner, index, b_owner, b);
    join_one(b, b_owner, 0, a_owner, a);
}

void dialog_build_header(struct dialog *d, uint32_t payload_bytes, bool durable)
{
    struct wire_envelope envelope = {.kind = WIRE_KIND_SESSION,
                                     .flags = durable ? WIRE_FLAG_DURABLE : 0,
                                     .ciphertext_len = payload_bytes + SP_SESSION_OVERHEAD_BYTES};

    memcpy(envelope.mailbox, d->partner->persona.mailbox, WIRE_MAILBOX_BYTES);
    // Eight random bytes and a number: unique, and nothing in it tells who sends.
    if (sp_random(envelope.message_id, RANDOM_BYTES) < 0)
        memcpy(envelope.message_id, d->owner->persona.identity.ed25519, RANDOM_BYTES);
    wire_encode_header(d->header, &envelope);
}

void dialog_drop_session(struct dialog *d)
{
    if (d->has_session)
        sp_session_free(&d->session);
    d->has_session = false;
}

struct dialog *dialog_find_session(struct client *c, const uint8_t id[SP_SESSION_ID_BYTES])
{
    struct dialog *waits = NULL;

    for (uint32_t i = 0; i < c->dialog_count; i++) {
        struct dialog *d = &c->dialogs[i];
        const struct sp_receiving *r = &d->session.receiving;

        if (!d->has_session)
            continue;
        if (r->is_known && memcmp(r->id, id, SP_SESSION_ID_BYTES) == 0)
            return d;
        if (d->handshake == DIALOG_HANDSHAKE_INITIATED)
            waits = d;
    }
    return waits;
}

bool dialog_find_message(struct dialog_message *out, struct client *c,
                         const uint8_t message_id[WIRE_MESSAGE_ID_BYTES])
{
    uint64_t number = load_be64(message_id + RANDOM_BYTES);
    uint64_t index = (number & ~DIALOG_HANDSHAKE_MESSAGE) >> DIALOG_NUMBER_BITS;
    struct dialog *d;

    if (index >= c->dialog_count)
        return false;
    d = &c->dialogs[index];
    *out = (struct dialog_message){.dialog = d,
                                   .is_handshake = (number & DIALOG_HANDSHAKE_MESSAGE) != 0,
                                   .sequence = number & NUMBER_MASK};
    return memcmp(message_id, d->header + MESSAGE_ID_AT, RANDOM_BYTES) == 0 &&
           out->sequence < (out->is_handshake ? d->next_handshake_message : d->next_sequence);
}
