// Conversations of one user with several others: each message finds its dialog, and only its own.
#include <criterion/criterion.h>
#include <string.h>

#include "client.h"
#include "clock.h"

enum { RECIPIENTS = 3 };

static struct client sender, recipients[RECIPIENTS];
static struct dialog dialogs[RECIPIENTS];

static void setup(void)
{
    cr_assert_eq(sp_init(), 0);
    memset(&sender, 0, sizeof sender);
    memset(recipients, 0, sizeof recipients);
    cr_assert_eq(persona_init(&sender.persona, 1, 0, false), 0);
    sender.dialogs = dialogs;
    sender.dialog_count = RECIPIENTS;
    for (uint32_t i = 0; i < RECIPIENTS; i++) {
        struct client *c = &recipients[i];

        cr_assert_eq(persona_init(&c->persona, 1, 1 + i, false), 0);
        c->dialogs = &c->dialog;
        c->dialog_count = 1;
        dialog_join(&dialogs[i], &sender, i, &c->dialog, c);
        dialog_build_header(&dialogs[i], 100, i == 1);
        dialog_build_header(&c->dialog, 100, false);
    }
}

static void teardown(void)
{
    for (uint32_t i = 0; i < RECIPIENTS; i++) {
        dialog_drop_session(&dialogs[i]);
        dialog_drop_session(&recipients[i].dialog);
        persona_free(&recipients[i].persona);
    }
    persona_free(&sender.persona);
}

TestSuite(dialog, .init = setup, .fini = teardown);

// The session id the other end of dialog `i` uses; `is_known` to the sender or not yet.
static void give_session(uint32_t i, bool is_known, uint8_t id)
{
    struct sp_receiving *r = &dialogs[i].session.receiving;

    dialogs[i].has_session = true;
    r->is_known = is_known;
    memset(r->id, id, sizeof r->id);
}

static const uint8_t *id_of(uint8_t byte)
{
    static uint8_t id[SP_SESSION_ID_BYTES];

    memset(id, byte, sizeof id);
    return id;
}

Test(dialog, join_is_mutual)
{
    for (uint32_t i = 0; i < RECIPIENTS; i++) {
        cr_assert_eq(dialogs[i].peer, &recipients[i].dialog);
        cr_assert_eq(dialogs[i].peer->peer, &dialogs[i]);
        cr_assert_eq(dialogs[i].owner, &sender);
        cr_assert_eq(dialogs[i].partner, &recipients[i]);
        cr_assert_eq(recipients[i].dialog.partner, &sender);
    }
}

Test(dialog, build_header_is_for_the_other_end)
{
    struct wire_envelope envelope;
    uint8_t message[WIRE_HEADER_BYTES + 132] = {0};

    for (uint32_t i = 0; i < RECIPIENTS; i++) {
        memcpy(message, dialogs[i].header, WIRE_HEADER_BYTES);
        cr_assert_eq(wire_decode_envelope(&envelope, message, sizeof message, 1000),
                     (ssize_t)sizeof message);
        cr_assert_eq(envelope.kind, WIRE_KIND_SESSION);
        cr_assert_eq(envelope.flags, i == 1 ? WIRE_FLAG_DURABLE : 0);
        cr_assert_arr_eq(envelope.mailbox, recipients[i].persona.mailbox, WIRE_MAILBOX_BYTES);
    }
}

Test(dialog, find_session_by_id)
{
    cr_assert_null(dialog_find_session(&sender, id_of(7)), "there is none");
    give_session(0, true, 7);
    give_session(2, true, 9);
    cr_assert_eq(dialog_find_session(&sender, id_of(7)), &dialogs[0]);
    cr_assert_eq(dialog_find_session(&sender, id_of(9)), &dialogs[2]);
    cr_assert_null(dialog_find_session(&sender, id_of(8)), "nobody's");
    memset(&dialogs[0].session, 0, sizeof dialogs[0].session);
    memset(&dialogs[2].session, 0, sizeof dialogs[2].session);
}

Test(dialog, find_session_of_the_handshake_under_way)
{
    give_session(0, true, 7);
    give_session(1, false, 0);
    cr_assert_null(dialog_find_session(&sender, id_of(8)), "nobody waits");
    dialogs[1].handshake = DIALOG_HANDSHAKE_INITIATED;
    cr_assert_eq(dialog_find_session(&sender, id_of(8)), &dialogs[1]);
    cr_assert_eq(dialog_find_session(&sender, id_of(7)), &dialogs[0], "a known one comes first");
    // Not known, so its bytes mean nothing.
    cr_assert_eq(dialog_find_session(&sender, id_of(0)), &dialogs[1]);
    dialogs[1].handshake = DIALOG_HANDSHAKE_NONE;
    memset(&dialogs[0].session, 0, sizeof dialogs[0].session);
    memset(&dialogs[1].session, 0, sizeof dialogs[1].session);
}

static void make_id(uint8_t out[WIRE_MESSAGE_ID_BYTES], uint32_t dialog, uint64_t number)
{
    memcpy(out, dialogs[dialog].header + 24, 8);
    store_be64(out + 8, number);
}

Test(dialog, find_message)
{
    struct dialog_message m;
    uint8_t id[WIRE_MESSAGE_ID_BYTES];

    dialogs[2].next_sequence = 5;
    dialogs[2].next_handshake_message = 1;
    make_id(id, 2, dialogs[2].message_base | 4);
    cr_assert(dialog_find_message(&m, &sender, id));
    cr_assert_eq(m.dialog, &dialogs[2]);
    cr_assert_not(m.is_handshake);
    cr_assert_eq(m.sequence, 4);
    make_id(id, 2, DIALOG_HANDSHAKE_MESSAGE | dialogs[2].message_base);
    cr_assert(dialog_find_message(&m, &sender, id));
    cr_assert(m.is_handshake);
}

Test(dialog, find_message_that_nobody_sent)
{
    struct dialog_message m;
    uint8_t id[WIRE_MESSAGE_ID_BYTES];

    dialogs[2].next_sequence = 5;
    make_id(id, 2, dialogs[2].message_base | 5);
    cr_assert_not(dialog_find_message(&m, &sender, id), "not yet sent");
    make_id(id, 2, DIALOG_HANDSHAKE_MESSAGE | dialogs[2].message_base);
    cr_assert_not(dialog_find_message(&m, &sender, id), "no such handshake");
    make_id(id, 2, (uint64_t)RECIPIENTS << DIALOG_NUMBER_BITS);
    cr_assert_not(dialog_find_message(&m, &sender, id), "no such dialog");
    make_id(id, 1, dialogs[2].message_base | 4);
    cr_assert_not(dialog_find_message(&m, &sender, id), "another random half");
}

Test(dialog, in_flight_is_what_neither_came_nor_was_refused)
{
    dialogs[0].next_sequence = 10;
    recipients[0].dialog.received = 6;
    dialogs[0].refused = 3;
    cr_assert_eq(dialog_in_flight(&dialogs[0]), 1);
    cr_assert_eq(dialog_in_flight(&recipients[0].dialog), 0);
}
