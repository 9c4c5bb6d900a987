// The initiator's side of X3DH and PQXDH: judges a bundle, then makes what the initial message
// carries. Any thread; allocates nothing itself. Jobs are worked on in chunks, phase by phase; a
// job that met an error takes no further part. Source: docs/PROTOCOL.md section 5.
#include <errno.h>
#include <string.h>

#include "agreement.h"
#include "signatures.h"

_Static_assert(2 * SP_AGREEMENTS <= SP_SIGNATURES_MAX, "two prekeys of each bundle are signed");

// Holds secrets: wiped as a whole.
struct chunk {
    struct sp_agreements agreements;
    uint8_t ephemeral_secret[SP_AGREEMENTS][32];
};

static int judge(const struct sp_initiate_job *job)
{
    const struct sp_bundle *bundle = job->bundle;
    const bool is_hybrid = job->identity->ml_dsa.state != NULL;
    if (job->suite != SP_SUITE_X3DH && job->suite != SP_SUITE_PQXDH)
        return SP_HANDSHAKE_SUITE;
    if ((bundle->kem_prekey != NULL) != (job->suite == SP_SUITE_PQXDH) ||
        (bundle->ml_dsa != NULL) != is_hybrid)
        return SP_HANDSHAKE_SUITE;
    // What the initial message could not say.
    if (bundle->signed_prekey_id == 0 ||
        bundle->has_one_time_prekey != (bundle->one_time_prekey_id != 0) ||
        (bundle->kem_prekey != NULL && bundle->kem_prekey->id == 0))
        return SP_HANDSHAKE_PREKEY;
    return 0;
}

static void begin(struct chunk *c, struct sp_initiate_job *jobs, size_t count)
{
    c->agreements.count = count;
    c->agreements.exchange.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct sp_initiate_job *job = &jobs[i];
        job->result = judge(job);
        memset(job->kem_ciphertext, 0, sizeof(job->kem_ciphertext));
        memset(&job->handshake, 0, sizeof(job->handshake));
        sp_agreement_begin(&c->agreements.of[i], &job->handshake, job->suite,
                           job->bundle->has_one_time_prekey, &job->result);
    }
}

static void verify_prekeys(struct sp_initiate_job *jobs, size_t count)
{
    struct sp_signatures signatures;
    uint8_t encoded[SP_AGREEMENTS][SP_ENCODED_KEY_BYTES];
    signatures.ed25519_count = signatures.ml_dsa_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sp_bundle *bundle = jobs[i].bundle;
        const struct sp_kem_prekey *kem = bundle->kem_prekey;
        const struct sp_ml_dsa_bundle *ml_dsa = bundle->ml_dsa;
        const struct sp_identity_key signer = {bundle->identity_key, ml_dsa ? ml_dsa->key : NULL};
        if (jobs[i].result != 0)
            continue;
        sp_encode_x25519(encoded[i], bundle->signed_prekey);
        sp_signatures_add(&signatures, signer, encoded[i], sizeof(encoded[i]),
                          bundle->signed_prekey_signature,
                          ml_dsa ? ml_dsa->signed_prekey_signature : NULL, &jobs[i].result);
        if (kem == NULL)
            continue;
        uint8_t *encoded_kem = jobs[i].handshake.ad + SP_AD_KEM_AT; // as it stands there
        sp_encode_ml_kem(encoded_kem, kem->key);
        sp_signatures_add(&signatures, signer, encoded_kem, SP_ENCODED_KEM_KEY_BYTES,
                          kem->signature, ml_dsa ? ml_dsa->kem_prekey_signature : NULL,
                          &jobs[i].result);
    }
    sp_signatures_verify(&signatures);
}

// The X25519 images of both identities, where the associated data has them.
static void map_identities(struct sp_initiate_job *jobs, size_t count)
{
    uint8_t ed25519[SP_AGREEMENTS][32], x25519[SP_AGREEMENTS][32];
    bool ok[SP_AGREEMENTS];
    for (size_t i = 0; i < count; i++)
        memcpy(ed25519[i], jobs[i].bundle->identity_key, 32);
    (void)!sp_ed25519_public_to_x25519_batch(x25519, (const uint8_t(*)[32])ed25519, count, ok);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result == 0 && !ok[i])
            jobs[i].result = SP_HANDSHAKE_POINT;
        sp_encode_x25519(jobs[i].handshake.ad + SP_AD_INITIATOR_AT, jobs[i].identity->x25519);
        sp_encode_x25519(jobs[i].handshake.ad + SP_AD_RESPONDER_AT, x25519[i]);
    }
}

static void make_ephemeral_keys(struct chunk *c, struct sp_initiate_job *jobs, size_t count)
{
    uint8_t ephemeral_public[SP_AGREEMENTS][32];
    const int error = sp_random(c->ephemeral_secret[0], count * 32);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].ephemeral_secret != NULL)
            memcpy(c->ephemeral_secret[i], jobs[i].ephemeral_secret, 32);
        else if (jobs[i].result == 0 && error != 0)
            jobs[i].result = -EIO;
    }
    sp_x25519_base_batch(ephemeral_public, (const uint8_t(*)[32])c->ephemeral_secret, count);
    for (size_t i = 0; i < count; i++)
        memcpy(jobs[i].ephemeral_public, ephemeral_public[i], 32);
}

static void exchange(struct chunk *c, const struct sp_initiate_job *jobs, size_t count)
{
    struct sp_exchange *x = &c->agreements.exchange;
    for (size_t i = 0; i < count; i++) {
        const struct sp_bundle *bundle = jobs[i].bundle;
        const uint8_t *responder = jobs[i].handshake.ad + SP_AD_RESPONDER_AT + 1; // past its type
        const uint8_t *ephemeral = c->ephemeral_secret[i];
        struct sp_agreement *a = &c->agreements.of[i];
        if (jobs[i].result != 0)
            continue;
        sp_exchange_add(x, a, SP_DH1, jobs[i].identity->x25519_secret, bundle->signed_prekey);
        sp_exchange_add(x, a, SP_DH2, ephemeral, responder);
        sp_exchange_add(x, a, SP_DH3, ephemeral, bundle->signed_prekey);
        if (bundle->has_one_time_prekey)
            sp_exchange_add(x, a, SP_DH4, ephemeral, bundle->one_time_prekey);
    }
    sp_exchange_run(x);
}

static void encapsulate(struct chunk *c, struct sp_initiate_job *jobs, size_t count)
{
    struct sp_ml_kem_job kem[SP_AGREEMENTS];
    int *result[SP_AGREEMENTS];
    bool ok[SP_AGREEMENTS];
    size_t kem_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result != 0 || jobs[i].suite != SP_SUITE_PQXDH)
            continue;
        result[kem_count] = &jobs[i].result;
        kem[kem_count++] = (struct sp_ml_kem_job){
            .public_key = jobs[i].bundle->kem_prekey->key,
            .randomness = jobs[i].kem_randomness,
            .ciphertext = jobs[i].kem_ciphertext,
            .shared_secret = sp_agreement_shared_secret(&c->agreements.of[i]),
        };
    }
    (void)!sp_ml_kem_encapsulate_batch(kem, kem_count, ok);
    for (size_t i = 0; i < kem_count; i++) {
        if (!ok[i])
            *result[i] = SP_HANDSHAKE_KEM;
    }
}

static void zero_refused(struct sp_initiate_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result == 0)
            continue;
        memset(jobs[i].ephemeral_public, 0, sizeof(jobs[i].ephemeral_public));
        memset(jobs[i].kem_ciphertext, 0, sizeof(jobs[i].kem_ciphertext));
        sp_wipe(&jobs[i].handshake, sizeof(jobs[i].handshake));
    }
}

static void initiate(struct sp_initiate_job *jobs, size_t count)
{
    struct chunk c;
    begin(&c, jobs, count);
    verify_prekeys(jobs, count);
    map_identities(jobs, count);
    make_ephemeral_keys(&c, jobs, count);
    exchange(&c, jobs, count);
    encapsulate(&c, jobs, count);
    sp_agreements_derive_header_keys(&c.agreements);
    sp_agreements_derive_secrets(&c.agreements);
    sp_wipe(&c, sizeof(c));
    zero_refused(jobs, count);
}

void sp_handshake_initiate_batch(struct sp_initiate_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += SP_AGREEMENTS)
        initiate(jobs + i, count - i < SP_AGREEMENTS ? count - i : SP_AGREEMENTS);
}
