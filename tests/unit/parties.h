// Two parties, A the initiator and B the responder, for the tests of handshakes: their keys, B's
// bundle, and the way from one to the other.
#ifndef SEALPOST_TEST_PARTIES_H
#define SEALPOST_TEST_PARTIES_H

#include <criterion/criterion.h>
#include <sodium.h>

#include "sealcrypto.h"
#include "vectors.h"

// A kind of handshake: any of these together.
enum {
    PARTIES_ONE_TIME = 1,
    PARTIES_PQXDH = 2,
    PARTIES_HYBRID = 4,
    PARTIES_RATCHET = 8,
    PARTIES_KINDS = 16,
};

#define PARTIES_TEXT "hello, Bob!"
#define PARTIES_TEXT_BYTES 12u
#define PARTIES_MESSAGE_BYTES (64u + SP_INITIAL_OVERHEAD_MAX_BYTES) // 64 of text at most

struct parties {
    unsigned kind;
    struct sp_identity a, b;
    uint8_t signed_prekey_secret[32], one_time_prekey_secret[32], kem_seed[64];
    uint8_t ephemeral_secret[32], kem_randomness[32]; // used if they were given
    struct sp_ml_kem_key kem_key;
    struct sp_bundle bundle;
    struct sp_kem_prekey kem_prekey;
    struct sp_ml_dsa_bundle ml_dsa;
    struct sp_initiate_job initiate;
    struct sp_respond_job respond;
    uint8_t initiator_ml_dsa_65[SP_ML_DSA_PUBLIC_BYTES];
    struct sp_session a_session, b_session;
    const uint8_t *answer_id;               // of B, NULL: drawn
    uint8_t message[PARTIES_MESSAGE_BYTES]; // of A
    size_t overhead_bytes, message_len;
};

static inline void parties_sign_message(const struct sp_identity *signer, const uint8_t *message,
                                        size_t len, uint8_t *ed25519, uint8_t *ml_dsa)
{
    const struct sp_ed25519_job job = {signer->ed25519, signer->seed, message, len, ed25519};
    sp_ed25519_sign_batch(&job, 1);
    if (signer->ml_dsa.state == NULL)
        return;
    const struct sp_ml_dsa_job pq = {
        .key = &signer->ml_dsa, .message = message, .message_len = len, .signature = ml_dsa};
    cr_assert_eq(sp_ml_dsa_sign_batch(&pq, 1), 0);
}

// B signs what the bundle has.
static inline void parties_sign_prekeys(struct parties *p)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES], encoded_kem[SP_ENCODED_KEM_KEY_BYTES];
    sp_encode_x25519(encoded, p->bundle.signed_prekey);
    parties_sign_message(&p->b, encoded, sizeof(encoded), p->bundle.signed_prekey_signature,
                         p->ml_dsa.signed_prekey_signature);
    sp_encode_ml_kem(encoded_kem, p->kem_prekey.key);
    if (p->kind & PARTIES_PQXDH)
        parties_sign_message(&p->b, encoded_kem, sizeof(encoded_kem), p->kem_prekey.signature,
                             p->ml_dsa.kem_prekey_signature);
}

static inline void parties_derive(uint8_t public_key[32], const uint8_t secret[32])
{
    uint8_t in[1][32], out[1][32];
    memcpy(in[0], secret, 32);
    sp_x25519_base_batch(out, (const uint8_t(*)[32])in, 1);
    memcpy(public_key, out[0], 32);
}

// The bundle out of B's secrets, unsigned.
static inline void parties_make_bundle(struct parties *p)
{
    memcpy(p->bundle.identity_key, p->b.ed25519, 32);
    parties_derive(p->bundle.signed_prekey, p->signed_prekey_secret);
    p->bundle.has_one_time_prekey = p->kind & PARTIES_ONE_TIME;
    if (p->kind & PARTIES_ONE_TIME)
        parties_derive(p->bundle.one_time_prekey, p->one_time_prekey_secret);
    if (p->kind & PARTIES_PQXDH) {
        cr_assert_eq(sp_ml_kem_key_init(&p->kem_key, p->kem_seed), 0);
        memcpy(p->kem_prekey.key, sp_ml_kem_key_public(&p->kem_key), SP_ML_KEM_PUBLIC_BYTES);
        p->bundle.kem_prekey = &p->kem_prekey;
    }
    if (p->kind & PARTIES_HYBRID) {
        memcpy(p->ml_dsa.key, sp_ml_dsa_key_public(&p->b.ml_dsa), SP_ML_DSA_PUBLIC_BYTES);
        p->bundle.ml_dsa = &p->ml_dsa;
    }
}

// The jobs point into `p`. A's randomness is the given one if `fixed`.
static inline void parties_make_jobs(struct parties *p, bool fixed)
{
    const enum sp_suite suite = p->kind & PARTIES_PQXDH ? SP_SUITE_PQXDH : SP_SUITE_X3DH;
    p->overhead_bytes = sp_initial_overhead_bytes(suite, p->kind & PARTIES_HYBRID);
    p->initiate = (struct sp_initiate_job){
        .identity = &p->a,
        .bundle = &p->bundle,
        .suite = suite,
        .ephemeral_secret = fixed ? p->ephemeral_secret : NULL,
        .kem_randomness = fixed ? p->kem_randomness : NULL,
        .result = -1,
    };
    p->respond = (struct sp_respond_job){
        .identity = &p->b,
        .suite = suite,
        .message = p->message,
        .signed_prekey_secret = p->signed_prekey_secret,
        .one_time_prekey_secret = p->kind & PARTIES_ONE_TIME ? p->one_time_prekey_secret : NULL,
        .kem_key = p->kind & PARTIES_PQXDH ? &p->kem_key : NULL,
        .initiator_ml_dsa_65 = p->kind & PARTIES_HYBRID ? p->initiator_ml_dsa_65 : NULL,
        .result = -1,
    };
}

static inline void parties_random(struct parties *p, unsigned kind)
{
    uint8_t seed[4][32];
    memset(p, 0, sizeof(*p));
    p->kind = kind;
    cr_assert_eq(sp_random(seed[0], sizeof(seed)), 0);
    cr_assert_eq(sp_random(p->signed_prekey_secret, 32), 0);
    cr_assert_eq(sp_random(p->one_time_prekey_secret, 32), 0);
    cr_assert_eq(sp_random(p->kem_seed, 64), 0);
    const bool is_hybrid = kind & PARTIES_HYBRID;
    cr_assert_eq(sp_identity_init(&p->a, seed[0], is_hybrid ? seed[1] : NULL), 0);
    cr_assert_eq(sp_identity_init(&p->b, seed[2], is_hybrid ? seed[3] : NULL), 0);
    p->bundle.signed_prekey_id = 1;
    p->bundle.one_time_prekey_id = kind & PARTIES_ONE_TIME ? 7 : 0;
    p->kem_prekey.id = 9;
    parties_make_bundle(p);
    parties_sign_prekeys(p);
    parties_make_jobs(p, false);
}

// ---- from a record of x3dh.txt or pqxdh.txt -----------------------------------------------------

static inline uint32_t parties_u32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

// False when the record has no such field, or an empty one.
static inline bool parties_copy(void *out, size_t len, struct vector_record *v, const char *name)
{
    const struct vector_field *field = vector_find(v, name);
    if (field == NULL || field->len == 0)
        return false;
    cr_assert_eq(field->len, len, "%s has %zu bytes", name, field->len);
    memcpy(out, field->bytes, len);
    return true;
}

static inline void parties_load(struct parties *p, struct vector_record *v)
{
    uint8_t ml_dsa_seed[2][32];
    memset(p, 0, sizeof(*p));
    const bool is_hybrid = parties_copy(ml_dsa_seed[0], 32, v, "ml_dsa_seed_a") &&
                           parties_copy(ml_dsa_seed[1], 32, v, "ml_dsa_seed_b");
    cr_assert_eq(sp_identity_init(&p->a, vector_bytes(v, "identity_seed_a"),
                                  is_hybrid ? ml_dsa_seed[0] : NULL),
                 0);
    cr_assert_eq(sp_identity_init(&p->b, vector_bytes(v, "identity_seed_b"),
                                  is_hybrid ? ml_dsa_seed[1] : NULL),
                 0);
    p->kind |= is_hybrid ? PARTIES_HYBRID : 0;
    if (parties_copy(p->one_time_prekey_secret, 32, v, "one_time_prekey_secret"))
        p->kind |= PARTIES_ONE_TIME;
    if (parties_copy(p->kem_seed, 64, v, "kem_seed"))
        p->kind |= PARTIES_PQXDH;
    memcpy(p->signed_prekey_secret, vector_bytes(v, "signed_prekey_secret"), 32);
    memcpy(p->ephemeral_secret, vector_bytes(v, "ephemeral_secret"), 32);
    parties_copy(p->kem_randomness, 32, v, "kem_randomness");
    p->bundle.signed_prekey_id = parties_u32(vector_bytes(v, "signed_prekey_id"));
    p->bundle.one_time_prekey_id = parties_u32(vector_bytes(v, "one_time_prekey_id"));
    parties_make_bundle(p);
    memcpy(p->bundle.signed_prekey_signature, vector_bytes(v, "signature"), 64);
    parties_copy(p->ml_dsa.signed_prekey_signature, SP_ML_DSA_SIGNATURE_BYTES, v,
                 "ml_dsa_signature");
    if (p->kind & PARTIES_PQXDH)
        p->kem_prekey.id = parties_u32(vector_bytes(v, "kem_prekey_id"));
    parties_copy(p->kem_prekey.signature, 64, v, "kem_signature");
    parties_copy(p->ml_dsa.kem_prekey_signature, SP_ML_DSA_SIGNATURE_BYTES, v,
                 "kem_ml_dsa_signature");
    parties_make_jobs(p, true);
}

// ---- points that are no good --------------------------------------------------------------------

// Every u of X25519 whose order divides 8, in each of its encodings below 2^255.
static const uint8_t parties_small_order[][32] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};
#define PARTIES_SMALL_ORDERS (sizeof(parties_small_order) / sizeof(parties_small_order[0]))

// An identity key plus the point of order 2: outside of the prime-order subgroup.
static inline void parties_leave_subgroup(uint8_t ed25519[32])
{
    uint8_t order_two[32];
    memcpy(order_two, parties_small_order[4], 32); // as an Ed25519 key: y = -1
    cr_assert_eq(crypto_core_ed25519_add(ed25519, ed25519, order_two), 0);
}

// ---- the way ------------------------------------------------------------------------------------

static inline void parties_initiate(struct parties *p)
{
    sp_handshake_initiate_batch(&p->initiate, 1);
    cr_assert_eq(p->initiate.result, 0, "%d, kind %u", p->initiate.result, p->kind);
}

static inline void parties_init_session(struct parties *p, bool initiator)
{
    struct sp_session_init_job job = {
        .session = initiator ? &p->a_session : &p->b_session,
        .handshake = initiator ? &p->initiate.handshake : &p->respond.handshake,
        .initiator = initiator,
        .local = sp_identity_public(initiator ? &p->a : &p->b),
        .remote = sp_identity_public(initiator ? &p->b : &p->a),
        .mode = p->kind & PARTIES_RATCHET ? SP_SESSION_RATCHET : SP_SESSION_COUNTER,
        .skipped_max = 10,
        .answer_id = p->answer_id,
        .result = -1,
    };
    sp_session_free(job.session);
    sp_session_init_batch(&job, 1);
    cr_assert_eq(job.result, 0);
}

// A's initial message in p->message; its session is there.
static inline int parties_try_seal(struct parties *p, const void *text, size_t len)
{
    struct sp_initial_seal_job job = {
        .session = &p->a_session,
        .handshake = &p->initiate,
        .in = text,
        .len = len,
        .out = p->message,
        .result = 1,
    };
    cr_assert_leq(len, 64);
    sp_initial_seal_batch(&job, 1);
    p->respond.len = p->message_len = len + p->overhead_bytes;
    return job.result;
}

static inline void parties_seal(struct parties *p)
{
    parties_init_session(p, true);
    cr_assert_eq(parties_try_seal(p, PARTIES_TEXT, PARTIES_TEXT_BYTES), 0);
}

static inline void parties_respond(struct parties *p)
{
    sp_handshake_respond_batch(&p->respond, 1);
    cr_assert_eq(p->respond.result, 0, "%d, kind %u", p->respond.result, p->kind);
}

// Everything up to both sessions; B has not opened the payload.
static inline void parties_shake_hands(struct parties *p)
{
    parties_initiate(p);
    parties_seal(p);
    parties_respond(p);
    parties_init_session(p, false);
}

static inline void parties_free(struct parties *p)
{
    sp_session_free(&p->a_session);
    sp_session_free(&p->b_session);
    sp_identity_free(&p->a);
    sp_identity_free(&p->b);
    sp_ml_kem_key_free(&p->kem_key);
}

#endif
