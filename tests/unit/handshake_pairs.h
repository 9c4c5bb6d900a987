// A generator's shard of simulated users without a network, for the tests of its handshakes: the
// test is the relay. It takes what a user would send, and brings bundles and messages.
#ifndef SEALPOST_TEST_HANDSHAKE_PAIRS_H
#define SEALPOST_TEST_HANDSHAKE_PAIRS_H

#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "shard.h"
#include "ws.h"

#define RUN 4711u
#define PAIRS_MAX 40u
#define PREKEYS_KEPT 64u
#define BUFFER_BYTES (16u * KIB)
#define MESSAGE_BYTES (48u * KIB)

enum { ALICE, BOB };                    // the leader of the pair initiates
enum { NO_KEM = -1, LAST_RESORT = -2 }; // beside indexes of KEM prekeys

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

static inline void init_user(struct client *c, uint32_t number)
{
    cr_assert_eq(persona_init(&c->persona, RUN, number, options.is_hybrid), 0);
    cr_assert_eq(persona_make_prekeys(&c->persona, options.suite, PREKEYS_KEPT), 0);
    c->number = c->slot = number;
    c->group = &options.groups[0];
    c->tally = &s.tally.groups[0];
    c->leader = &users[number & ~1u];
    c->dialogs = &c->dialog;
    c->dialog_count = 1;
    c->state = CLIENT_READY;
    c->is_settled = true;
    timer_init(&c->timer);
}

static inline void start_pairs(enum sp_suite suite, bool is_hybrid, enum sp_session_mode session,
                               uint32_t pairs)
{
    options = (struct options){.mode = OPTIONS_HANDSHAKE,
                               .groups = {{.behaviour = GROUP_HANDSHAKE, .share = 1}},
                               .group_count = 1,
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
                       .initiator_count = pairs,
                       .responder_count = pairs,
                       .opened = 2 * pairs,
                       .run_id = RUN,
                       .clients = users,
                       .phase = SHARD_MEASURE,
                       .end_ns = UINT64_MAX};
    cr_assert_eq(ring_init(&s.ring, 64, 2 * pairs), 0);
    cr_assert_eq(bufring_init(&s.receive_buffers, &s.ring, 1, 4, BUFFER_BYTES), 0);
    cr_assert_eq(pool_init(&s.chunks, SHARD_POST_QUANTUM_CHUNK_BYTES, 4 * pairs), 0);
    cr_assert_eq(tally_init(&s.tally), 0);
    cr_assert_eq(tally_add_groups(&s.tally, 1), 0);
    cr_assert_eq(downlink_init(&s), 0);
    cr_assert_eq(handshake_init(&s), 0);
    cr_assert_eq(uplink_init(&s), 0);
    timer_wheel_init(&s.timers, 0);
    for (uint32_t i = 0; i < 2 * pairs; i++)
        init_user(&users[i], i);
    for (uint32_t i = 0; i < 2 * pairs; i += 2) {
        dialog_join(&users[i].dialog, &users[i], 0, &users[i + 1].dialog, &users[i + 1]);
        dialog_build_header(&users[i].dialog, 1, false);
        dialog_build_header(&users[i + 1].dialog, 1, false);
    }
    cr_assert_eq(persona_make_one_time(&users[BOB].persona, one_time, 8, &first_id), 0);
    if (suite == SP_SUITE_PQXDH)
        cr_assert_eq(
            persona_make_one_time_kem(&users[BOB].persona, kem_prekeys, PERSONA_KEM_BATCH_MAX), 0);
}

static inline void start(enum sp_suite suite, bool is_hybrid, enum sp_session_mode session)
{
    start_pairs(suite, is_hybrid, session, 1);
}

static inline void stop(void)
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

// ---- the relay ----------------------------------------------------------------------------------

// What `c` would send next, NULL if nothing. It is valid until the next call.
struct message {
    enum ws_opcode opcode;
    size_t len;
    uint8_t bytes[MESSAGE_BYTES];
};

static inline const struct message *take(struct client *c)
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

static inline void expect_asked(struct client *c)
{
    const struct message *m = take(c);

    cr_assert(m && m->opcode == WS_TEXT);
    cr_assert(memmem(m->bytes, m->len, "get_bundle", 10));
    cr_assert(memmem(m->bytes, m->len, c->dialog.partner->persona.name,
                     strlen(c->dialog.partner->persona.name)));
    cr_assert_eq(memmem(m->bytes, m->len, "pqxdh", 5) != NULL, options.suite == SP_SUITE_PQXDH);
    cr_assert_eq(c->dialog.handshake, DIALOG_HANDSHAKE_ASKED);
    cr_assert_null(c->control.bytes, "asked once");
}

// The envelope that `c` sends to its partner; its ciphertext is copied.
static inline size_t take_envelope(struct client *c, enum wire_kind kind, uint8_t *ciphertext)
{
    const struct message *m = take(c);
    struct wire_envelope envelope;

    cr_assert(m && m->opcode == WS_BINARY);
    cr_assert_eq(wire_decode_envelope(&envelope, m->bytes, m->len, MESSAGE_BYTES), (ssize_t)m->len);
    cr_assert_eq(envelope.kind, kind);
    cr_assert_arr_eq(envelope.mailbox, c->dialog.partner->persona.mailbox, WIRE_MAILBOX_BYTES);
    memcpy(ciphertext, envelope.ciphertext, envelope.ciphertext_len);
    return envelope.ciphertext_len;
}

// A session message arrives at `c`.
static inline void deliver(struct client *c, const uint8_t *ciphertext, size_t len)
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
static inline void make_bundle(struct sp_bundle_storage *out, const struct client *owner,
                               int one_time_at, int kem_at)
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
static inline void make_good_bundle(struct sp_bundle_storage *out)
{
    make_bundle(out, &users[BOB], 0, options.suite == SP_SUITE_PQXDH ? 0 : NO_KEM);
}

static inline void hand_out(struct client *c, const struct sp_bundle_storage *bundle)
{
    handshake_on_bundle(&s, c, bundle);
    handshake_flush(&s);
}

// Alice asks, gets `bundle` and sends her initial message.
static inline size_t begin_with(const struct sp_bundle_storage *bundle, uint8_t *initial)
{
    handshake_begin(&s, &users[ALICE]);
    expect_asked(&users[ALICE]);
    hand_out(&users[ALICE], bundle);
    cr_assert_eq(users[ALICE].dialog.handshake, DIALOG_HANDSHAKE_INITIATED);
    return take_envelope(&users[ALICE], WIRE_KIND_INITIAL, initial);
}

static inline size_t begin(uint8_t *initial)
{
    struct sp_bundle_storage bundle;

    make_good_bundle(&bundle);
    return begin_with(&bundle, initial);
}

static inline void bring_initial(struct client *c, const uint8_t *initial, size_t len)
{
    handshake_on_initial(&s, c, initial, len);
    if (handshake_is_waiting(&s))
        handshake_flush(&s);
}

// Bob's answer goes to Alice, who then asks for the next bundle.
static inline void finish(void)
{
    uint8_t answer[256];
    size_t len = take_envelope(&users[BOB], WIRE_KIND_SESSION, answer);

    deliver(&users[ALICE], answer, len);
    expect_asked(&users[ALICE]);
}

static inline bool has_one_time(int at)
{
    const uint8_t *secret = persona_find_one_time(&users[BOB].persona, first_id + (uint32_t)at);
    uint8_t public_key[1][32];

    if (!secret)
        return false;
    sp_x25519_base_batch(public_key, (const uint8_t(*)[32])secret, 1);
    return memcmp(public_key[0], one_time[at], 32) == 0;
}

static inline bool has_kem(int at)
{
    struct sp_ml_kem_key room = {NULL};
    bool found = persona_find_kem(&users[BOB].persona, kem_prekeys[at].prekey.id, &room) != NULL;

    sp_ml_kem_key_free(&room);
    return found;
}

static inline void expect_counts(uint64_t done, uint64_t failed, uint64_t auth_fail)
{
    const struct tally *t = &s.tally;
    bool is_open = users[ALICE].dialog.handshake != DIALOG_HANDSHAKE_NONE;

    cr_assert_eq(t->handshakes_done, done, "done: %lu", t->handshakes_done);
    cr_assert_eq(t->handshakes_failed, failed, "failed: %lu", t->handshakes_failed);
    cr_assert_eq(t->ledger.auth_fail, auth_fail, "not opened: %lu", t->ledger.auth_fail);
    cr_assert_eq(t->handshakes_started, done + failed + is_open, "none is unaccounted for");
}

#endif
