// Handshakes of a shard's pairs without a network: the test is the relay. Whatever it hands out or
// brings, the counters say exactly what happened, and a prekey is gone when, and only when, an
// initial message that used it has opened.
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "clock.h"
#include "shard.h"
#include "ws.h"

#define RUN 4711u
#define PAIRS_MAX 40u
#define PREKEYS_KEPT 64u
#define BUFFER_BYTES (16u * KIB)
#define MESSAGE_BYTES (48u * KIB)

enum { ALICE, BOB }; // the even user initiates
enum kem { NO_KEM = -1, LAST_RESORT = -2 };

static struct options options;
static struct target target;
static struct shard_clock run_clock;
static struct shard s;
static struct client users[2 * PAIRS_MAX];
// Of users[BOB].
static uint8_t one_time[8][32];
static uint32_t first_id;
static struct persona_kem_prekey kem_prekeys[PERSONA_KEM_BATCH_MAX];

// ---- a shard ------------------------------------------------------------------------------------

static void init_user(struct client *c, uint32_t number)
{
    cr_assert_eq(persona_init(&c->persona, RUN, number, options.is_hybrid), 0);
    cr_assert_eq(persona_make_prekeys(&c->persona, options.suite, PREKEYS_KEPT), 0);
    c->number = c->slot = number;
    c->partner = &users[number ^ 1];
    c->state = CLIENT_READY;
    c->is_settled = true;
    timer_init(&c->retry);
}

static void address(struct client *c)
{
    struct wire_envelope envelope = {.kind = WIRE_KIND_SESSION, .ciphertext_len = 1};

    memcpy(envelope.mailbox, c->partner->persona.mailbox, sizeof envelope.mailbox);
    wire_encode_header(c->header, &envelope);
}

static void start_pairs(enum sp_suite suite, bool is_hybrid, enum sp_session_mode session,
                        uint32_t pairs)
{
    options = (struct options){.mode = OPTIONS_HANDSHAKE,
                               .suite = suite,
                               .is_hybrid = is_hybrid,
                               .session = session,
                               .payload_bytes = 100,
                               .threads = 1,
                               .connections = 2 * pairs};
    cr_assert_eq(sp_init(), 0);
    s = (struct shard){.options = &options,
                       .target = &target,
                       .clock = &run_clock,
                       .coordinator = pthread_self(),
                       .client_count = 2 * pairs,
                       .opened = 2 * pairs,
                       .run_id = RUN,
                       .clients = users,
                       .phase = SHARD_MEASURE,
                       .end_ns = UINT64_MAX};
    cr_assert_eq(ring_init(&s.ring, 64, 2 * pairs), 0);
    cr_assert_eq(bufring_init(&s.receive_buffers, &s.ring, 1, 4, BUFFER_BYTES), 0);
    cr_assert_eq(pool_init(&s.chunks, SHARD_POST_QUANTUM_CHUNK_BYTES, 4 * pairs), 0);
    cr_assert_eq(tally_init(&s.tally), 0);
    cr_assert_eq(downlink_init(&s), 0);
    cr_assert_eq(handshake_init(&s), 0);
    cr_assert_eq(uplink_init(&s), 0);
    timer_wheel_init(&s.timers, 0);
    for (uint32_t i = 0; i < 2 * pairs; i++)
        init_user(&users[i], i);
    for (uint32_t i = 0; i < 2 * pairs; i++)
        address(&users[i]);
    cr_assert_eq(persona_make_one_time(&users[BOB].persona, one_time, 8, &first_id), 0);
    if (suite == SP_SUITE_PQXDH)
        cr_assert_eq(
            persona_make_one_time_kem(&users[BOB].persona, kem_prekeys, PERSONA_KEM_BATCH_MAX), 0);
}

static void start(enum sp_suite suite, bool is_hybrid, enum sp_session_mode session)
{
    start_pairs(suite, is_hybrid, session, 1);
}

static void stop(void)
{
    for (uint32_t i = 0; i < s.client_count; i++)
        client_free(&s, &users[i]);
    downlink_free(&s);
    handshake_free(&s);
    uplink_free(&s);
    tally_free(&s.tally);
    bufring_free(&s.receive_buffers);
    ring_free(&s.ring);
    pool_free(&s.chunks);
    memset(users, 0, sizeof users);
}

TestSuite(handshake, .fini = stop);

// ---- the relay ----------------------------------------------------------------------------------

// What `c` would send next, NULL if nothing. It is valid until the next call.
struct message {
    enum ws_opcode opcode;
    size_t len;
    uint8_t bytes[MESSAGE_BYTES];
};

static const struct message *take(struct client *c)
{
    static struct message m;
    struct ws_frame frame;
    ssize_t used;

    if (!c->control.bytes)
        return NULL;
    used =
        ws_decode_header(&frame, c->control.bytes, c->control.len, WS_FROM_CLIENT, sizeof m.bytes);
    cr_assert_gt(used, 0);
    m.opcode = frame.opcode;
    m.len = frame.payload_len;
    ws_mask_to(m.bytes, c->control.bytes + used, m.len, frame.mask);
    c->control.len -= (uint32_t)((size_t)used + m.len);
    memmove(c->control.bytes, c->control.bytes + used + m.len, c->control.len);
    if (c->control.len == 0) {
        pool_put(&s.chunks, c->control.bytes);
        c->control.bytes = NULL;
    }
    return &m;
}

static void expect_asked(struct client *c)
{
    const struct message *m = take(c);

    cr_assert(m && m->opcode == WS_TEXT);
    cr_assert(memmem(m->bytes, m->len, "get_bundle", 10));
    cr_assert(memmem(m->bytes, m->len, c->partner->persona.name, strlen(c->partner->persona.name)));
    cr_assert_eq(memmem(m->bytes, m->len, "pqxdh", 5) != NULL, options.suite == SP_SUITE_PQXDH);
    cr_assert_eq(c->handshake, CLIENT_HANDSHAKE_ASKED);
    cr_assert_null(c->control.bytes, "asked once");
}

// The envelope that `c` sends to its partner; its ciphertext is copied.
static size_t take_envelope(struct client *c, enum wire_kind kind, uint8_t *ciphertext)
{
    const struct message *m = take(c);
    struct wire_envelope envelope;

    cr_assert(m && m->opcode == WS_BINARY);
    cr_assert_eq(wire_decode_envelope(&envelope, m->bytes, m->len, MESSAGE_BYTES), (ssize_t)m->len);
    cr_assert_eq(envelope.kind, kind);
    cr_assert_arr_eq(envelope.mailbox, c->partner->persona.mailbox, WIRE_MAILBOX_BYTES);
    memcpy(ciphertext, envelope.ciphertext, envelope.ciphertext_len);
    return envelope.ciphertext_len;
}

// A session message arrives at `c`.
static void deliver(struct client *c, const uint8_t *ciphertext, size_t len)
{
    struct wire_envelope envelope = {.kind = WIRE_KIND_SESSION, .ciphertext_len = (uint32_t)len};
    uint8_t *at = bufring_at(&s.receive_buffers, 0);
    size_t header = ws_encode_header(at, WS_BINARY, WIRE_HEADER_BYTES + len, NULL);

    memcpy(envelope.mailbox, c->persona.mailbox, sizeof envelope.mailbox);
    wire_encode_header(at + header, &envelope);
    memcpy(at + header + WIRE_HEADER_BYTES, ciphertext, len);
    downlink_on_data(&s, c, 0, header + WIRE_HEADER_BYTES + len);
    downlink_flush(&s);
    bufring_commit(&s.receive_buffers);
}

// The bundle of `owner`, with one_time[n] and kem_prekeys[n] (of users[BOB]) or without.
static void make_bundle(struct sp_bundle_storage *out, const struct client *owner, int one_time_at,
                        int kem_at)
{
    const struct persona *p = &owner->persona;
    const struct persona_kem_prekey *kem =
        kem_at == LAST_RESORT ? &p->pq->last_resort : &kem_prekeys[kem_at < 0 ? 0 : kem_at];
    struct sp_bundle *b = &out->bundle;

    memset(out, 0, sizeof *out);
    memcpy(b->identity_key, p->identity.ed25519, 32);
    b->signed_prekey_id = PERSONA_SIGNED_PREKEY_ID;
    memcpy(b->signed_prekey, p->signed_prekey, 32);
    memcpy(b->signed_prekey_signature, p->signed_prekey_signature, 64);
    if (one_time_at >= 0) {
        b->has_one_time_prekey = true;
        b->one_time_prekey_id = first_id + (uint32_t)one_time_at;
        memcpy(b->one_time_prekey, one_time[one_time_at], 32);
    }
    if (kem_at != NO_KEM) {
        out->kem_prekey = kem->prekey;
        b->kem_prekey = &out->kem_prekey;
    }
    if (!options.is_hybrid)
        return;
    b->ml_dsa = &out->ml_dsa;
    memcpy(out->ml_dsa.key, sp_identity_public(&p->identity).ml_dsa_65, sizeof out->ml_dsa.key);
    memcpy(out->ml_dsa.signed_prekey_signature, p->pq->signed_prekey_signature,
           SP_ML_DSA_SIGNATURE_BYTES);
    if (kem_at != NO_KEM)
        memcpy(out->ml_dsa.kem_prekey_signature, kem->ml_dsa_65_signature,
               SP_ML_DSA_SIGNATURE_BYTES);
}

// Bob's, with the first prekeys of each sort that the suite has.
static void make_good_bundle(struct sp_bundle_storage *out)
{
    make_bundle(out, &users[BOB], 0, options.suite == SP_SUITE_PQXDH ? 0 : NO_KEM);
}

static void hand_out(struct client *c, const struct sp_bundle_storage *bundle)
{
    handshake_on_bundle(&s, c, bundle);
    handshake_flush(&s);
}

// Alice asks, gets `bundle` and sends her initial message.
static size_t begin_with(const struct sp_bundle_storage *bundle, uint8_t *initial)
{
    handshake_begin(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    hand_out(&users[ALICE], bundle);
    cr_assert_eq(users[ALICE].handshake, CLIENT_HANDSHAKE_INITIATED);
    return take_envelope(&users[ALICE], WIRE_KIND_INITIAL, initial);
}

static size_t begin(uint8_t *initial)
{
    struct sp_bundle_storage bundle;

    make_good_bundle(&bundle);
    return begin_with(&bundle, initial);
}

static void bring_initial(struct client *c, const uint8_t *initial, size_t len)
{
    handshake_on_initial(&s, c, initial, len);
    if (handshake_is_waiting(&s))
        handshake_flush(&s);
}

// Bob's answer goes to Alice, who then asks for the next bundle.
static void finish(void)
{
    uint8_t answer[256];
    size_t len = take_envelope(&users[BOB], WIRE_KIND_SESSION, answer);

    deliver(&users[ALICE], answer, len);
    expect_asked(&users[ALICE]);
}

static bool has_one_time(int at)
{
    const uint8_t *secret = persona_find_one_time(&users[BOB].persona, first_id + (uint32_t)at);
    uint8_t public_key[1][32];

    if (!secret)
        return false;
    sp_x25519_base_batch(public_key, (const uint8_t(*)[32])secret, 1);
    return memcmp(public_key[0], one_time[at], 32) == 0;
}

static bool has_kem(int at)
{
    struct sp_ml_kem_key room = {NULL};
    bool found = persona_find_kem(&users[BOB].persona, kem_prekeys[at].prekey.id, &room) != NULL;

    sp_ml_kem_key_free(&room);
    return found;
}

static void expect_counts(uint64_t done, uint64_t failed, uint64_t auth_fail)
{
    const struct tally *t = &s.tally;
    bool is_open = users[ALICE].handshake != CLIENT_HANDSHAKE_NONE;

    cr_assert_eq(t->handshakes_done, done, "done: %lu", t->handshakes_done);
    cr_assert_eq(t->handshakes_failed, failed, "failed: %lu", t->handshakes_failed);
    cr_assert_eq(t->ledger.auth_fail, auth_fail, "not opened: %lu", t->ledger.auth_fail);
    cr_assert_eq(t->handshakes_started, done + failed + is_open, "none is unaccounted for");
}

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
    cr_assert_eq(users[ALICE].session.mode, options.session);
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

// ---- bundles that are wrong ---------------------------------------------------------------------

// Alice refuses, says nothing, and asks again.
static void expect_bundle_refused(const struct sp_bundle_storage *bundle)
{
    handshake_begin(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    handshake_on_bundle(&s, &users[ALICE], bundle);
    if (handshake_is_waiting(&s))
        handshake_flush(&s);
    expect_asked(&users[ALICE]);
    expect_counts(0, 1, 1);
    cr_assert_not(users[ALICE].has_session);
    cr_assert_not(handshake_is_waiting(&s));
    cr_assert_eq(users[BOB].persona.one_time_stock, 8);
}

Test(handshake, on_bundle_bad_signature)
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

Test(handshake, on_bundle_of_somebody_else)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    make_bundle(&bundle, &users[ALICE], -1, NO_KEM); // her own: any but the partner's
    expect_bundle_refused(&bundle);
}

Test(handshake, on_bundle_half_of_somebody_else)
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

Test(handshake, on_bundle_without_kem_prekey)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_PQXDH, false, SP_SESSION_COUNTER);
    make_bundle(&bundle, &users[BOB], 0, NO_KEM);
    expect_bundle_refused(&bundle);
}

Test(handshake, on_bundle_with_a_kem_prekey_nobody_asked_for)
{
    struct sp_bundle_storage bundle;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    make_good_bundle(&bundle);
    bundle.bundle.kem_prekey = &bundle.kem_prekey;
    expect_bundle_refused(&bundle);
}

Test(handshake, on_bundle_of_the_wrong_kind_of_identity)
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

Test(handshake, on_bundle_not_asked_for)
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

Test(handshake, on_bundle_bad_ends_the_set_up)
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
                     .has_session = bob->has_session};

    memcpy(m.session_id, bob->session.sending.id, sizeof m.session_id);
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

Test(handshake, on_initial_replayed)
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
        cr_assert_eq(users[ALICE].handshake, CLIENT_HANDSHAKE_ASKED);
        cr_assert_null(users[ALICE].control.bytes, "she does not ask twice");
        expect_untouched(&before);
        if (i == 0)
            stop();
    }
}

// Only a one-time KEM prekey was in the bundle.
Test(handshake, on_initial_with_a_used_kem_prekey)
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

Test(handshake, on_initial_with_a_used_one_time_prekey)
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

Test(handshake, on_initial_truncated)
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
Test(handshake, on_initial_tampered_with)
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
Test(handshake, on_initial_of_somebody_else)
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

Test(handshake, on_initial_of_another_run)
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

Test(handshake, on_initial_of_another_kind_of_session)
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

Test(handshake, on_initial_at_the_initiator)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];
    size_t len;

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    len = begin(initial);
    bring_initial(&users[ALICE], initial, len);
    cr_assert_eq(users[ALICE].handshake, CLIENT_HANDSHAKE_INITIATED);
    expect_counts(0, 0, 1);
    bring_initial(&users[BOB], initial, len);
    finish();
    expect_counts(1, 0, 1);
}

Test(handshake, on_initial_twice_in_a_turn)
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
Test(handshake, on_initial_replayed_while_talking)
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

// ---- answers, refusals, times -------------------------------------------------------------------

Test(handshake, on_answer_without_a_handshake)
{
    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    handshake_on_answer(&s, &users[ALICE], clock_now_ns());
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
        handshake_on_refused(&s, &users[i == 1 ? ALICE : BOB]); // the initial message, an answer
        expect_asked(&users[ALICE]);
        expect_counts(0, i, 0);
    }
    handshake_on_refused(&s, &users[ALICE]);
    expect_counts(0, 2, 0);
}

Test(handshake, on_refused_with_the_partner_gone)
{
    uint8_t initial[HANDSHAKE_INITIAL_MAX_BYTES];

    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    begin(initial);
    users[BOB].state = CLIENT_CLOSED;
    handshake_on_refused(&s, &users[ALICE]);
    cr_assert_null(users[ALICE].control.bytes, "nobody to ask for");
    expect_counts(0, 1, 0);
}

Test(handshake, on_rate_limit_asks_again)
{
    start(SP_SUITE_X3DH, false, SP_SESSION_COUNTER);
    handshake_begin(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    handshake_on_rate_limit(&s, &users[ALICE]);
    cr_assert(timer_is_armed(&users[ALICE].retry));
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

static uint32_t count_in(enum client_handshake state)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < s.client_count; i += 2)
        count += users[i].handshake == state;
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
    cr_assert_eq(count_in(CLIENT_HANDSHAKE_INITIATED), HANDSHAKE_BATCH_MAX, "a bounded number");
    handshake_flush(&s);
    cr_assert_eq(count_in(CLIENT_HANDSHAKE_INITIATED), PAIRS_MAX);
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
        handshake_on_refused(&s, &users[2 * i]);
        expect_asked(&users[2 * i]);
        hand_out_to(i);
    }
    cr_assert_eq(s.handshakes.bundles.count, PAIRS_MAX);
    handshake_flush(&s);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        bool waits = i >= HANDSHAKE_BATCH_MAX - LEFT && i < HANDSHAKE_BATCH_MAX;

        cr_assert_eq(users[2 * i].handshake,
                     waits ? CLIENT_HANDSHAKE_BUNDLE : CLIENT_HANDSHAKE_INITIATED, "pair %u", i);
    }
    handshake_flush(&s);
    cr_assert_eq(count_in(CLIENT_HANDSHAKE_INITIATED), PAIRS_MAX);
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
    cr_assert_eq(count_in(CLIENT_HANDSHAKE_INITIATED), 8);
    handshake_flush(&s);
    cr_assert_eq(count_in(CLIENT_HANDSHAKE_INITIATED), 9);
}
