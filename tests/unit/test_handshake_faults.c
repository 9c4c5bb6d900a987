// Whatever the relay hands out or brings, the counters say exactly what happened, and a prekey or a
// session is gone when, and only when, an initial message that used it has opened.
#include "handshake_pairs.h"

#include <signal.h>

TestSuite(handshake_faults, .fini = stop);

// ---- bundles that are wrong ---------------------------------------------------------------------

// Alice refuses, says nothing, and asks again.
static void expect_bundle_refused(const struct sp_bundle_storage *bundle)
{
    bool has_too_much = (bundle->bundle.kem_prekey && options.suite != SP_SUITE_PQXDH) ||
                        (bundle->bundle.ml_dsa && !options.is_hybrid);

    handshake_begin(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    handshake_on_bundle(&s, &users[ALICE], bundle);
    cr_assert_eq(handshake_is_waiting(&s), !has_too_much, "for which there is no room");
    if (!has_too_much)
        handshake_flush(&s);
    expect_asked(&users[ALICE]);
    expect_counts(0, 1, 1);
    cr_assert_not(users[ALICE].dialog.has_session);
    cr_assert_not(handshake_is_waiting(&s));
    cr_assert_eq(users[BOB].persona.one_time_stock, 8);
}

Test(handshake_faults, on_bundle_bad_signature)
{
    for (int i = 0; i < 5; i++) {
        struct sp_bundle_storage bundle;

        start(SP_SUITE_PQXDH, true, SP_SESSION_COUNTER);
        make_good_bundle(&bundle);
        (i == 0   ? bundle.bundle.signed_prekey_signature
         : i == 1 ? bundle.kem_prekey.signature
         : i == 2 ? bundle.ml_dsa.signed_prekey_signature
         : i == 3 ? bundle.ml_dsa.kem_prekey_signature
                  : bundle.bundle.signed_prekey)[9] ^= 1;
        expect_bundle_refused(&bundle);
        if (i < 4)
            stop();
    }
}

Test(handshake_faults, on_bundle_of_somebody_else)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    make_bundle(&bundle, &users[ALICE], -1, NO_KEM); // her own: any but the partner's
    expect_bundle_refused(&bundle);
}

Test(handshake_faults, on_bundle_half_of_somebody_else)
{
    struct sp_bundle_storage bundle;
    uint8_t seed[32] = {1}, encoded[SP_ENCODED_KEY_BYTES];
    struct sp_ml_dsa_key mallory;

    // Whoever breaks Ed25519 alone must not pass for Bob: his Ed25519 key, Mallory's ML-DSA key.
    start(SP_SUITE_X3DH, true, SP_SESSION_COUNTER);
    make_good_bundle(&bundle);
    cr_assert_eq(sp_ml_dsa_key_init(&mallory, seed), 0);
    memcpy(bundle.ml_dsa.key, sp_ml_dsa_key_public(&mallory), sizeof bundle.ml_dsa.key);
    sp_encode_x25519(encoded, bundle.bundle.signed_prekey);
    struct sp_ml_dsa_job job = {.key = &mallory,
                                .message = encoded,
                                .message_len = sizeof encoded,
                                .signature = bundle.ml_dsa.signed_prekey_signature};
    cr_assert_eq(sp_ml_dsa_sign_batch(&job, 1), 0);
    expect_bundle_refused(&bundle);
    sp_ml_dsa_key_free(&mallory);
}

Test(handshake_faults, on_bundle_without_kem_prekey)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    make_bundle(&bundle, &users[BOB], 0, NO_KEM);
    expect_bundle_refused(&bundle);
}

Test(handshake_faults, on_bundle_with_a_kem_prekey_nobody_asked_for)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    make_good_bundle(&bundle);
    bundle.bundle.kem_prekey = &bundle.kem_prekey;
    expect_bundle_refused(&bundle);
}

Test(handshake_faults, on_bundle_of_the_wrong_kind_of_identity)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_X3DH, true, SP_SESSION_COUNTER);
    make_good_bundle(&bundle);
    bundle.bundle.ml_dsa = NULL;
    expect_bundle_refused(&bundle);
    stop();
    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    make_good_bundle(&bundle);
    bundle.bundle.ml_dsa = &bundle.ml_dsa;
    expect_bundle_refused(&bundle);
}

Test(handshake_faults, on_bundle_not_asked_for)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    make_good_bundle(&bundle);
    hand_out(&users[ALICE], &bundle);
    hand_out(&users[BOB], &bundle);
    cr_assert_null(users[ALICE].control.bytes);
    cr_assert_null(users[BOB].control.bytes);
    expect_counts(0, 0, 0);
}

Test(handshake_faults, on_bundle_bad_ends_the_set_up)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    s.phase = SHARD_SETUP;
    signal(SIGUSR1, SIG_IGN); // what wakes the coordinator
    make_good_bundle(&bundle);
    bundle.bundle.signed_prekey_signature[0] ^= 1;
    handshake_begin(&s, &users[ALICE]);
    hand_out(&users[ALICE], &bundle);
    cr_assert_eq(s.failure, SHARD_FAILURE_PROTOCOL);
    cr_assert(strstr(s.failure_text, "signature"), "'%s'", s.failure_text);
}

// ---- initial messages that are wrong ------------------------------------------------------------

struct mark {
    uint8_t session_id[SP_SESSION_ID_BYTES];
    uint32_t one_time_stock, kem_stock;
    bool has_session;
};

static struct mark mark_bob(void)
{
    const struct client *bob = &users[BOB];
    struct mark m = {.one_time_stock = bob->persona.one_time_stock,
                     .kem_stock = bob->persona.pq ? bob->persona.pq->stock : 0,
                     .has_session = bob->dialog.has_session};

    memcpy(m.session_id, bob->dialog.session.sending.id, sizeof m.session_id);
    return m;
}

// Bob says nothing and has what he had.
static void expect_untouched(const struct mark *before)
{
    struct mark now = mark_bob();

    cr_assert_null(users[BOB].control.bytes, "no answer");
    cr_assert_eq(now.has_session, before->has_session);
    cr_assert_arr_eq(now.session_id, before->session_id, sizeof now.session_id);
    cr_assert_eq(now.one_time_stock, before->one_time_stock);
    cr_assert_eq(now.kem_stock, before->kem_stock);
    for (uint32_t i = 8 - now.one_time_stock; i < 8; i++)
        cr_assert(has_one_time((int)i), "its secret is whole");
    cr_assert_not(users[BOB].is_responding);
}

// A first handshake that is well, so that Bob has a session; Alice has asked again.
static void settle(uint8_t *initial, size_t *len)
{
    *len = begin(initial);
    bring_initial(&users[BOB], initial, *len);
    finish();
}

Test(handshake_faults, on_initial_replayed)
{
    static const enum sp_session_mode modes[] = {SP_SESSION_COUNTER, SP_SESSION_RATCHET};

    for (size_t i = 0; i < 2; i++) {
        uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
        struct mark before;
        size_t len;

        start(SP_SUITE_X3DH, false, modes[i]);
        settle(initial, &len);
        before = mark_bob();
        bring_initial(&users[BOB], initial, len);
        // Alice's next handshake goes on: nothing was wrong with it.
        expect_counts(1, 0, 1);
        cr_assert_eq(users[ALICE].dialog.handshake, DIALOG_HANDSHAKE_ASKED);
        cr_assert_null(users[ALICE].control.bytes, "she does not ask twice");
        expect_untouched(&before);
        if (i == 0)
            stop();
    }
}

// Only a one-time KEM prekey was in the bundle.
Test(handshake_faults, on_initial_with_a_used_kem_prekey)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    struct sp_bundle_storage bundle;
    struct mark before;
    size_t len;

    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    make_bundle(&bundle, &users[BOB], -1, 2);
    len = begin_with(&bundle, initial);
    bring_initial(&users[BOB], initial, len);
    cr_assert_not(has_kem(2));
    cr_assert(has_kem(0) && has_kem(1) && has_kem(3));
    finish();
    before = mark_bob();
    bring_initial(&users[BOB], initial, len);
    expect_counts(1, 0, 1);
    expect_untouched(&before);
}

Test(handshake_faults, on_initial_with_a_used_one_time_prekey)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    struct sp_bundle_storage bundle;
    struct mark before;
    size_t len;

    start(SP_SUITE_PQXDH, true, SP_SESSION_COUNTER);
    settle(initial, &len);
    before = mark_bob();
    // The relay hands the same one out again: Alice cannot know.
    make_bundle(&bundle, &users[BOB], 0, LAST_RESORT);
    hand_out(&users[ALICE], &bundle);
    len = take_envelope(&users[ALICE], WIRE_KIND_INITIAL, initial);
    bring_initial(&users[BOB], initial, len);
    expect_asked(&users[ALICE]);
    expect_counts(1, 1, 1);
    expect_untouched(&before);
}

Test(handshake_faults, on_initial_truncated)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES + 1];
    struct mark before;

    for (int i = 0; i < 3; i++) {
        start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
        before = mark_bob();
        size_t len = begin(initial);
        bring_initial(&users[BOB], initial, i == 0 ? len - 1 : i == 1 ? 0 : len + 1);
        expect_asked(&users[ALICE]);
        expect_counts(0, 1, 1);
        expect_untouched(&before);
        if (i < 2)
            stop();
    }
}

// A bit flipped at every place of the message: nothing is used up, no session is replaced.
Test(handshake_faults, on_initial_tampered_with)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    struct sp_bundle_storage bundle;
    uint64_t failed = 0;
    size_t len;

    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    settle(initial, &len);
    make_bundle(&bundle, &users[BOB], 1, 1);
    for (size_t at = 0; at < len; at += at < 48 || at >= 1136 ? 1 : 64) {
        struct mark before = mark_bob();

        hand_out(&users[ALICE], &bundle);
        len = take_envelope(&users[ALICE], WIRE_KIND_INITIAL, initial);
        initial[at] ^= 0x20;
        bring_initial(&users[BOB], initial, len);
        expect_asked(&users[ALICE]);
        failed++;
        expect_counts(1, failed, failed);
        expect_untouched(&before);
    }
    // And then untouched.
    hand_out(&users[ALICE], &bundle);
    len = take_envelope(&users[ALICE], WIRE_KIND_INITIAL, initial);
    bring_initial(&users[BOB], initial, len);
    cr_assert_not(has_one_time(1) || has_kem(1));
    finish();
    expect_counts(2, failed, failed);
}

// A stranger with a bundle of Bob's: all is well with the message but who sent it.
Test(handshake_faults, on_initial_of_somebody_else)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    struct persona partner;
    struct mark before;
    size_t len;

    for (int i = 0; i < 2; i++) {
        start(SP_SUITE_PQXDH, i == 1, SP_SESSION_COUNTER);
        settle(initial, &len);
        before = mark_bob();
        partner = users[ALICE].persona;
        cr_assert_eq(persona_init(&users[ALICE].persona, RUN, 99, i == 1), 0);
        struct sp_bundle_storage bundle;
        make_bundle(&bundle, &users[BOB], 1, 1);
        hand_out(&users[ALICE], &bundle);
        len = take_envelope(&users[ALICE], WIRE_KIND_INITIAL, initial);
        persona_free(&users[ALICE].persona);
        users[ALICE].persona = partner;
        bring_initial(&users[BOB], initial, len);
        expect_asked(&users[ALICE]);
        expect_counts(1, 1, 1);
        expect_untouched(&before);
        if (i == 0)
            stop();
    }
}

Test(handshake_faults, on_initial_of_another_run)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    size_t len;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    len = begin(initial);
    s.run_id++;
    bring_initial(&users[BOB], initial, len);
    expect_asked(&users[ALICE]);
    expect_counts(0, 1, 0);
    cr_assert_eq(s.tally.ledger.foreign, 1);
    cr_assert_null(users[BOB].control.bytes, "no answer");
    cr_assert_not(has_one_time(0), "it has opened: the prekey is gone");
}

Test(handshake_faults, on_initial_of_another_kind_of_session)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    struct mark before;
    size_t len;

    start(SP_SUITE_X3DH, false, SP_SESSION_RATCHET);
    before = mark_bob();
    len = begin(initial);
    options.session = SP_SESSION_COUNTER;
    bring_initial(&users[BOB], initial, len);
    expect_asked(&users[ALICE]);
    expect_counts(0, 1, 1);
    expect_untouched(&before);
}

Test(handshake_faults, on_initial_at_the_initiator)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    size_t len;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    len = begin(initial);
    handshake_on_initial(&s, &users[ALICE], initial, len);
    cr_assert_not(handshake_is_waiting(&s));
    cr_assert_eq(users[ALICE].dialog.handshake, DIALOG_HANDSHAKE_INITIATED);
    expect_counts(0, 0, 1);
    bring_initial(&users[BOB], initial, len);
    finish();
    expect_counts(1, 0, 1);
}

Test(handshake_faults, on_initial_twice_in_a_turn)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    size_t len;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    len = begin(initial);
    handshake_on_initial(&s, &users[BOB], initial, len);
    handshake_on_initial(&s, &users[BOB], initial, len);
    expect_counts(0, 0, 1);
    cr_assert_eq(s.handshakes.initials.count, 1);
    handshake_flush(&s);
    finish();
    expect_counts(1, 0, 1);
}

// In talk mode no handshake follows the first one, whatever the relay brings.
Test(handshake_faults, on_initial_replayed_while_talking)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES], answer[256];
    struct sp_bundle_storage bundle;
    struct mark before;
    size_t len;

    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    options.mode = OPTIONS_TALK;
    s.phase = SHARD_SETUP;
    make_bundle(&bundle, &users[BOB], 0, 0);
    len = begin_with(&bundle, initial);
    bring_initial(&users[BOB], initial, len);
    deliver(&users[ALICE], answer, take_envelope(&users[BOB], WIRE_KIND_SESSION, answer));
    s.phase = SHARD_MEASURE;
    before = mark_bob();
    for (uint64_t i = 1; i <= 3; i++) {
        bring_initial(&users[BOB], initial, len);
        expect_counts(1, 0, i);
        expect_untouched(&before);
    }
    cr_assert_null(users[ALICE].control.bytes);
}
