// Handshakes of a shard's pairs when all is well, when the relay refuses, and at the bounds: how
// many in a turn, how many wait, what the ends of window and drain cut off.
#include "handshake_pairs.h"

TestSuite(handshake, .fini = stop);

// ---- all is well --------------------------------------------------------------------------------

static void complete(void)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    bool is_pqxdh = options.suite == SP_SUITE_PQXDH;
    size_t len = begin(initial);

    cr_assert(has_one_time(0) && (!is_pqxdh || has_kem(0)));
    bring_initial(&users[BOB], initial, len);
    cr_assert_not(has_one_time(0), "used once");
    cr_assert(has_one_time(1));
    cr_assert_not(is_pqxdh && has_kem(0));
    cr_assert_eq(users[BOB].persona.one_time_stock, 7);
    finish();
    expect_counts(1, 0, 0);
    cr_assert_eq(s.tally.handshakes, 1);
    cr_assert_eq(s.tally.handshakes_with_last_resort, 0);
    cr_assert_eq(s.tally.handshake.total, 1);
    cr_assert_eq(s.tally.response.total, 1);
    cr_assert(s.tally.initiate.total == 1 && s.tally.respond.total == 1);
    cr_assert_eq(users[ALICE].dialog.session.mode, options.session);
    cr_assert_not(handshake_is_waiting(&s));
}

Test(handshake, flush_completes_every_suite_identity_and_session)
{
    for (int i = 0; i < 8; i++) {
        start(i & 1 ? SP_SUITE_PQXDH : SP_SUITE_X3DH, (i & 2) != 0,
              i & 4 ? SP_SESSION_RATCHET : SP_SESSION_COUNTER);
        complete();
        if (i < 7)
            stop();
    }
}

Test(handshake, flush_without_one_time_prekeys)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    struct sp_bundle_storage bundle;
    size_t len;

    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    make_bundle(&bundle, &users[BOB], -1, LAST_RESORT);
    len = begin_with(&bundle, initial);
    bring_initial(&users[BOB], initial, len);
    finish();
    expect_counts(1, 0, 0);
    cr_assert_eq(s.tally.handshakes, 0);
    cr_assert_eq(s.tally.handshakes_without_one_time, 1);
    cr_assert_eq(s.tally.handshakes_with_last_resort, 1);
    cr_assert_eq(users[BOB].persona.one_time_stock, 8);
    cr_assert_eq(users[BOB].persona.pq->stock, PERSONA_KEM_BATCH_MAX);
}

Test(handshake, flush_restocks_what_is_half_used)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES], answer[256];
    const struct message *m;
    size_t len;

    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    users[BOB].one_time_limit = 8;
    users[BOB].one_time_kem_limit = 6; // 3 of 4 are left: half
    len = begin(initial);
    bring_initial(&users[BOB], initial, len);
    take_envelope(&users[BOB], WIRE_KIND_SESSION, answer);
    m = take(&users[BOB]);
    cr_assert(m && m->opcode == WS_TEXT && memmem(m->bytes, m->len, "publish_prekeys", 15));
    cr_assert(memmem(m->bytes, m->len, "\"one_time_prekeys\":[]", 21), "7 of 8 are enough");
    cr_assert(memmem(m->bytes, m->len, "\"one_time_kem_prekeys\":[{", 25));
    cr_assert_eq(users[BOB].persona.pq->stock, 6);
    cr_assert(users[BOB].is_publishing);
    client_restock(&s, &users[BOB]);
    cr_assert_null(users[BOB].control.bytes, "one publication at a time");
}

Test(handshake, flush_restocks_a_part_at_a_time)
{
    static const uint8_t published[] = "{\"type\":\"published\"}";
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES], answer[256];
    const struct message *m;
    size_t len;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    users[BOB].one_time_limit = PREKEYS_KEPT;
    len = begin(initial);
    bring_initial(&users[BOB], initial, len);
    take_envelope(&users[BOB], WIRE_KIND_SESSION, answer);
    m = take(&users[BOB]);
    cr_assert(m && memmem(m->bytes, m->len, "publish_prekeys", 15));
    cr_assert_null(memmem(m->bytes, m->len, "one_time_kem_prekeys", 20));
    cr_assert_eq(users[BOB].persona.one_time_stock, 7 + 16);
    // Published: the next part, until more than half is there.
    for (int i = 0; i < 3; i++)
        client_on_control(&s, &users[BOB], published, sizeof published - 1);
    cr_assert_eq(users[BOB].persona.one_time_stock, 7 + 2 * 16);
}

// ---- answers, refusals, times -------------------------------------------------------------------

Test(handshake, on_answer_without_a_handshake)
{
    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    handshake_on_answer(&s, &users[ALICE].dialog, clock_now_ns());
    expect_counts(0, 0, 1);
}

Test(handshake, on_refused_makes_room_for_the_next)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    for (uint64_t i = 1; i <= 2; i++) {
        if (i == 1) {
            begin(initial);
        } else {
            struct sp_bundle_storage bundle;

            make_bundle(&bundle, &users[BOB], 1, NO_KEM);
            hand_out(&users[ALICE], &bundle);
            take_envelope(&users[ALICE], WIRE_KIND_INITIAL, initial);
        }
        handshake_on_refused(&s,
                             &users[i == 1 ? ALICE : BOB].dialog); // the initial message, an answer
        expect_asked(&users[ALICE]);
        expect_counts(0, i, 0);
    }
    handshake_on_refused(&s, &users[ALICE].dialog);
    expect_counts(0, 2, 0);
}

Test(handshake, on_refused_with_the_partner_gone)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    begin(initial);
    users[BOB].state = CLIENT_CLOSED;
    handshake_on_refused(&s, &users[ALICE].dialog);
    cr_assert_null(users[ALICE].control.bytes, "nobody to ask for");
    expect_counts(0, 1, 0);
}

Test(handshake, on_rate_limit_asks_again)
{
    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    handshake_begin(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    handshake_on_rate_limit(&s, &users[ALICE]);
    cr_assert(timer_is_armed(&users[ALICE].timer));
    handshake_on_retry(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    cr_assert_eq(s.tally.rate_limited, 1);
    expect_counts(0, 0, 0);
    s.phase = SHARD_CLOSING;
    handshake_on_retry(&s, &users[ALICE]);
    cr_assert_null(users[ALICE].control.bytes);
}

Test(handshake, end_load_drops_what_is_not_sent)
{
    struct sp_bundle_storage bundle;
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    size_t len;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    make_good_bundle(&bundle);
    handshake_begin(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    handshake_on_bundle(&s, &users[ALICE], &bundle);
    handshake_end_load(&s);
    cr_assert_not(handshake_is_waiting(&s));
    expect_counts(0, 0, 0);
    // What is sent goes on to its end; what has arrived at the end of the drain is not lost.
    len = begin_with(&bundle, initial);
    handshake_end_load(&s);
    s.phase = SHARD_DRAIN;
    handshake_on_initial(&s, &users[BOB], initial, len);
    cr_assert_eq(s.tally.handshakes_started, 1);
    handshake_end_drain(&s);
    cr_assert_eq(s.tally.handshakes_started, 0);
    s.phase = SHARD_CLOSING;
    cr_assert_not(handshake_is_waiting(&s));
}

// ---- many pairs ---------------------------------------------------------------------------------

static uint32_t count_in(enum dialog_handshake state)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < s.client_count; i += 2)
        count += users[i].dialog.handshake == state;
    return count;
}

static void pass_on(uint32_t pair)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    size_t len = take_envelope(&users[2 * pair], WIRE_KIND_INITIAL, initial);

    handshake_on_initial(&s, &users[2 * pair + 1], initial, len);
}

static void pass_back(uint32_t pair)
{
    uint8_t answer[256];
    size_t len = take_envelope(&users[2 * pair + 1], WIRE_KIND_SESSION, answer);

    deliver(&users[2 * pair], answer, len);
    expect_asked(&users[2 * pair]);
}

static void hand_out_to(uint32_t pair)
{
    struct sp_bundle_storage bundle;

    make_bundle(&bundle, &users[2 * pair + 1], -1, NO_KEM);
    handshake_on_bundle(&s, &users[2 * pair], &bundle);
}

Test(handshake, flush_queues_at_capacity)
{
    start_pairs(SP_SUITE_X3DH, false, SP_SESSION_COUNTER, PAIRS_MAX);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        handshake_begin(&s, &users[2 * i]);
        expect_asked(&users[2 * i]);
        hand_out_to(i);
    }
    cr_assert_eq(s.handshakes.bundles.count, s.handshakes.bundles.capacity);
    handshake_flush(&s);
    cr_assert_eq(count_in(DIALOG_HANDSHAKE_INITIATED), HANDSHAKE_BATCH_MAX, "a bounded number");
    handshake_flush(&s);
    cr_assert_eq(count_in(DIALOG_HANDSHAKE_INITIATED), PAIRS_MAX);
    for (uint32_t i = 0; i < PAIRS_MAX; i++)
        pass_on(i);
    cr_assert_eq(s.handshakes.initials.count, s.handshakes.initials.capacity);
    handshake_flush(&s);
    cr_assert_eq(s.handshakes.initials.count, PAIRS_MAX - HANDSHAKE_BATCH_MAX);
    handshake_flush(&s);
    for (uint32_t i = 0; i < PAIRS_MAX; i++)
        pass_back(i);
    cr_assert_eq(s.tally.handshakes_done, PAIRS_MAX);
    cr_assert_eq(s.tally.handshakes_without_one_time, PAIRS_MAX);
    cr_assert_eq(s.tally.ledger.auth_fail + s.tally.handshakes_failed, 0);
    cr_assert_not(handshake_is_waiting(&s));
}

Test(handshake, flush_first_come_first_served_across_the_rings_end)
{
    enum { LEFT = PAIRS_MAX - HANDSHAKE_BATCH_MAX };
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];

    start_pairs(SP_SUITE_X3DH, false, SP_SESSION_COUNTER, PAIRS_MAX);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        handshake_begin(&s, &users[2 * i]);
        expect_asked(&users[2 * i]);
        hand_out_to(i);
    }
    handshake_flush(&s);
    // The relay refuses what was sent: those ask again and stand behind the rest.
    for (uint32_t i = 0; i < HANDSHAKE_BATCH_MAX; i++) {
        take_envelope(&users[2 * i], WIRE_KIND_INITIAL, initial);
        handshake_on_refused(&s, &users[2 * i].dialog);
        expect_asked(&users[2 * i]);
        hand_out_to(i);
    }
    cr_assert_eq(s.handshakes.bundles.count, PAIRS_MAX);
    handshake_flush(&s);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        bool waits = i >= HANDSHAKE_BATCH_MAX - LEFT && i < HANDSHAKE_BATCH_MAX;

        cr_assert_eq(users[2 * i].dialog.handshake,
                     waits ? DIALOG_HANDSHAKE_BUNDLE : DIALOG_HANDSHAKE_INITIATED, "pair %u", i);
    }
    handshake_flush(&s);
    cr_assert_eq(count_in(DIALOG_HANDSHAKE_INITIATED), PAIRS_MAX);
    cr_assert_eq(s.tally.handshakes_failed, HANDSHAKE_BATCH_MAX);
}

// A hybrid identity's signatures take a millisecond each: fewer in a turn.
Test(handshake, flush_hybrid_batches_are_smaller)
{
    struct sp_bundle_storage bundle;

    start_pairs(SP_SUITE_X3DH, true, SP_SESSION_COUNTER, 9);
    for (uint32_t i = 0; i < 9; i++) {
        handshake_begin(&s, &users[2 * i]);
        expect_asked(&users[2 * i]);
        make_bundle(&bundle, &users[2 * i + 1], -1, NO_KEM);
        handshake_on_bundle(&s, &users[2 * i], &bundle);
    }
    handshake_flush(&s);
    cr_assert_eq(count_in(DIALOG_HANDSHAKE_INITIATED), 8);
    handshake_flush(&s);
    cr_assert_eq(count_in(DIALOG_HANDSHAKE_INITIATED), 9);
}
