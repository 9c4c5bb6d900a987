// Two parties, A the initiator and B the responder, for the tests of handshakes and sessions.
#ifndef SEALPOST_TEST_PARTIES_H
#define SEALPOST_TEST_PARTIES_H

#include "sealcrypto.h"
#include "vectors.h"

struct parties {
    uint8_t seed_a[32], seed_b[32], identity_a[32], identity_b[32];
    uint8_t signed_prekey_secret[32], one_time_prekey_secret[32], ephemeral_secret[32];
    struct sp_bundle bundle;
    struct sp_x3dh_initiate_job initiate;
    struct sp_x3dh_respond_job respond;
    struct sp_session a, b;
};

static inline void parties_sign_prekey(struct parties *p)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    sp_encode_x25519(encoded, p->bundle.signed_prekey);
    const struct sp_ed25519_job job = {
        .public_key = p->identity_b,
        .seed = p->seed_b,
        .message = encoded,
        .message_len = sizeof(encoded),
        .signature = p->bundle.signed_prekey_signature,
    };
    sp_ed25519_sign_batch(&job, 1);
}

// The jobs point into `p`; A's ephemeral key is the given one if `fixed`.
static inline void parties_make_jobs(struct parties *p, bool fixed)
{
    p->initiate = (struct sp_x3dh_initiate_job){
        .identity_seed = p->seed_a,
        .identity_key = p->identity_a,
        .bundle = &p->bundle,
        .ephemeral_secret = fixed ? p->ephemeral_secret : NULL,
    };
    p->respond = (struct sp_x3dh_respond_job){
        .identity_seed = p->seed_b,
        .identity_key = p->identity_b,
        .signed_prekey_secret = p->signed_prekey_secret,
        .one_time_prekey_secret = p->bundle.has_one_time_prekey ? p->one_time_prekey_secret : NULL,
        .initiator_identity_key = p->identity_a,
        .ephemeral_public = p->initiate.ephemeral_public,
    };
}

static inline void parties_random(struct parties *p, bool one_time)
{
    memset(p, 0, sizeof(*p));
    cr_assert_eq(sp_random(p->seed_a, 32) | sp_random(p->seed_b, 32), 0);
    cr_assert_eq(sp_random(p->signed_prekey_secret, 32), 0);
    cr_assert_eq(sp_random(p->one_time_prekey_secret, 32), 0);
    sp_ed25519_public(p->identity_a, p->seed_a);
    sp_ed25519_public(p->identity_b, p->seed_b);
    memcpy(p->bundle.identity_key, p->identity_b, 32);
    sp_x25519_base_batch(&p->bundle.signed_prekey, (const uint8_t(*)[32]) & p->signed_prekey_secret,
                         1);
    p->bundle.signed_prekey_id = 1;
    p->bundle.has_one_time_prekey = one_time;
    if (one_time) {
        p->bundle.one_time_prekey_id = 7;
        sp_x25519_base_batch(&p->bundle.one_time_prekey,
                             (const uint8_t(*)[32]) & p->one_time_prekey_secret, 1);
    }
    parties_sign_prekey(p);
    parties_make_jobs(p, false);
}

static inline uint32_t parties_u32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

// From a record of x3dh.txt.
static inline void parties_load(struct parties *p, struct vector_record *v)
{
    memset(p, 0, sizeof(*p));
    memcpy(p->seed_a, vector_bytes(v, "identity_seed_a"), 32);
    memcpy(p->seed_b, vector_bytes(v, "identity_seed_b"), 32);
    memcpy(p->identity_a, vector_bytes(v, "identity_a"), 32);
    memcpy(p->identity_b, vector_bytes(v, "identity_b"), 32);
    memcpy(p->signed_prekey_secret, vector_bytes(v, "signed_prekey_secret"), 32);
    memcpy(p->ephemeral_secret, vector_bytes(v, "ephemeral_secret"), 32);
    memcpy(p->bundle.identity_key, p->identity_b, 32);
    memcpy(p->bundle.signed_prekey, vector_bytes(v, "signed_prekey"), 32);
    memcpy(p->bundle.signed_prekey_signature, vector_bytes(v, "signature"), 64);
    p->bundle.signed_prekey_id = parties_u32(vector_bytes(v, "signed_prekey_id"));
    p->bundle.has_one_time_prekey = vector_get(v, "one_time_prekey")->len > 0;
    if (p->bundle.has_one_time_prekey) {
        memcpy(p->one_time_prekey_secret, vector_bytes(v, "one_time_prekey_secret"), 32);
        memcpy(p->bundle.one_time_prekey, vector_bytes(v, "one_time_prekey"), 32);
        p->bundle.one_time_prekey_id = parties_u32(vector_bytes(v, "one_time_prekey_id"));
    }
    parties_make_jobs(p, true);
}

static inline void parties_shake_hands(struct parties *p)
{
    bool ok;
    cr_assert(sp_x3dh_initiate_batch(&p->initiate, 1, &ok));
    cr_assert(sp_x3dh_respond_batch(&p->respond, 1, &ok));
}

// Both sessions, after a handshake. parties_free ends them.
static inline void parties_open_sessions(struct parties *p)
{
    parties_shake_hands(p);
    cr_assert_eq(sp_session_init(&p->a, &p->initiate.result, true, p->identity_a, p->identity_b),
                 0);
    cr_assert_eq(sp_session_init(&p->b, &p->respond.result, false, p->identity_b, p->identity_a),
                 0);
}

static inline void parties_free(struct parties *p)
{
    sp_session_free(&p->a);
    sp_session_free(&p->b);
}

#endif
