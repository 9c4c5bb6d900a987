// Diffie-Hellman and key derivation of X3DH and PQXDH, for a chunk of handshakes. Any thread, no
// allocation.
//
//     SK         = HKDF(0 × 32, 0xFF × 32 ‖ DH1 ‖ DH2 ‖ DH3 [‖ DH4] [‖ SS], suite's info, 32)
//     header key = HKDF(0 × 32, DH3 [‖ SS], "sealpost.v1 header", 32)
//
// Source: docs/PROTOCOL.md sections 5 and 6; X3DH section 3.3, PQXDH section 3.3.
#include "agreement.h"

#include <assert.h>
#include <string.h>

static const char x3dh_info[] = "sealpost.v1 x3dh";
static const char pqxdh_info[] = "sealpost.v1_CURVE25519_SHA-256_ML-KEM-768";
static const char header_info[] = "sealpost.v1 header";

static const uint8_t zero_salt[32];

void sp_agreement_begin(struct sp_agreement *a, struct sp_handshake *handshake, enum sp_suite suite,
                        bool has_one_time_prekey, int *result)
{
    a->handshake = handshake;
    a->result = result;
    a->dh_count = has_one_time_prekey ? 4 : 3;
    memset(a->input[0], 0xFF, 32);
    handshake->suite = suite;
    handshake->ad_len = suite == SP_SUITE_PQXDH ? SP_HANDSHAKE_AD_BYTES : SP_AD_KEM_AT;
}

uint8_t *sp_agreement_shared_secret(struct sp_agreement *a)
{
    assert(a->handshake->suite == SP_SUITE_PQXDH);
    return a->input[1 + a->dh_count];
}

void sp_exchange_add(struct sp_exchange *x, struct sp_agreement *a, enum sp_dh number,
                     const uint8_t secret[32], const uint8_t point[32])
{
    assert(x->count < SP_AGREEMENTS * SP_DH_MAX && (size_t)number < a->dh_count);
    memcpy(x->secret[x->count], secret, 32);
    memcpy(x->point[x->count], point, 32);
    x->agreement[x->count] = a;
    x->number[x->count] = number;
    x->count++;
}

void sp_exchange_run(struct sp_exchange *x)
{
    (void)!sp_x25519_batch(x->shared, (const uint8_t(*)[32])x->secret,
                           (const uint8_t(*)[32])x->point, x->count, x->ok);
    for (size_t i = 0; i < x->count; i++) {
        struct sp_agreement *a = x->agreement[i];
        if (!x->ok[i])
            *a->result = SP_HANDSHAKE_POINT;
        memcpy(a->input[1 + x->number[i]], x->shared[i], 32);
    }
    x->count = 0;
}

static struct sp_hkdf_job derivation(uint8_t out[32], const void *input, size_t input_len,
                                     const char *info)
{
    return (struct sp_hkdf_job){
        .salt = zero_salt,
        .salt_len = sizeof(zero_salt),
        .ikm = input,
        .ikm_len = input_len,
        .info = (const uint8_t *)info,
        .info_len = strlen(info),
        .out = out,
        .out_len = 32,
    };
}

static struct sp_hkdf_job header_key_derivation(struct sp_agreement *a)
{
    const bool has_kem = a->handshake->suite == SP_SUITE_PQXDH;
    memcpy(a->header_input[0], a->input[1 + SP_DH3], 32);
    if (has_kem)
        memcpy(a->header_input[1], sp_agreement_shared_secret(a), 32);
    return derivation(a->handshake->header_key, a->header_input, has_kem ? 64 : 32, header_info);
}

static struct sp_hkdf_job secret_derivation(struct sp_agreement *a)
{
    const bool has_kem = a->handshake->suite == SP_SUITE_PQXDH;
    return derivation(a->handshake->sk, a->input, 32 * (1 + a->dh_count + (has_kem ? 1 : 0)),
                      has_kem ? pqxdh_info : x3dh_info);
}

static void derive(struct sp_agreements *c, struct sp_hkdf_job (*job_of)(struct sp_agreement *))
{
    struct sp_hkdf_job jobs[SP_AGREEMENTS];
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (*c->of[i].result == 0)
            jobs[count++] = job_of(&c->of[i]);
    }
    const int error = sp_hkdf_sha256_batch(jobs, count);
    for (size_t i = 0; i < c->count; i++) {
        if (*c->of[i].result == 0)
            *c->of[i].result = error;
    }
}

void sp_agreements_derive_header_keys(struct sp_agreements *c)
{
    derive(c, header_key_derivation);
}

void sp_agreements_derive_secrets(struct sp_agreements *c)
{
    derive(c, secret_derivation);
}
