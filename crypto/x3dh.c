// X3DH (Signal specification, revision 1), both sides. Any thread, no allocation. Jobs are worked
// on in chunks, phase by phase, so that every curve and hash call below gets as many lanes as there
// are. Source: docs/PROTOCOL.md section 5.
//
//     DH1 = DH(IK_A, SPK_B)  DH2 = DH(EK_A, IK_B)  DH3 = DH(EK_A, SPK_B)  [DH4 = DH(EK_A, OPK_B)]
//     SK  = HKDF(0 × 32, 0xFF × 32 ‖ DH1 ‖ DH2 ‖ DH3 [‖ DH4], "sealpost.v1 x3dh", 32)
#include <string.h>

#include "internal.h"

#define CHUNK_JOBS 16u // 64 curve operations in one call, ≈ 13 KB of stack
#define DH_MAX 4u
#define DH3 2u

// One job's part of a chunk.
struct agreement {
    size_t first, dh_count; // its curve operations
    uint8_t ad[SP_X3DH_AD_BYTES];
    struct sp_x3dh_result *result;
    bool *ok;
};

// Holds secrets: wiped as a whole.
struct chunk {
    uint8_t scalar[CHUNK_JOBS * DH_MAX][32];
    uint8_t point[CHUNK_JOBS * DH_MAX][32];
    uint8_t dh[CHUNK_JOBS * DH_MAX][32];
    bool dh_ok[CHUNK_JOBS * DH_MAX];
    size_t dh_count;
    struct agreement agreements[CHUNK_JOBS];
    size_t count;
    uint8_t ikm[CHUNK_JOBS][32 + DH_MAX * 32];
    struct sp_hkdf_job hkdf[CHUNK_JOBS * 2];
};

static const uint8_t zero_salt[32];

static struct agreement *begin(struct chunk *c, struct sp_x3dh_result *result, bool *ok,
                               const uint8_t initiator_x[32], const uint8_t responder_x[32])
{
    struct agreement *a = &c->agreements[c->count++];
    *a = (struct agreement){.first = c->dh_count, .result = result, .ok = ok};
    sp_encode_x25519(a->ad, initiator_x);
    sp_encode_x25519(a->ad + SP_ENCODED_KEY_BYTES, responder_x);
    return a;
}

// In the order of the DH's number.
static void add(struct chunk *c, struct agreement *a, const uint8_t secret[32],
                const uint8_t point[32])
{
    memcpy(c->scalar[c->dh_count], secret, 32);
    memcpy(c->point[c->dh_count], point, 32);
    c->dh_count++;
    a->dh_count++;
}

static struct sp_hkdf_job derivation(uint8_t out[32], const uint8_t *ikm, size_t ikm_len,
                                     const char *info)
{
    return (struct sp_hkdf_job){
        .salt = zero_salt,
        .salt_len = sizeof(zero_salt),
        .ikm = ikm,
        .ikm_len = ikm_len,
        .info = (const uint8_t *)info,
        .info_len = strlen(info),
        .out = out,
        .out_len = 32,
    };
}

static struct sp_hkdf_job header_key_derivation(uint8_t header_key[32], const uint8_t dh3[32])
{
    return derivation(header_key, dh3, 32, "sealpost.v1 header");
}

static bool all_nonzero(const struct chunk *c, const struct agreement *a)
{
    bool all = true;
    for (size_t i = 0; i < a->dh_count; i++)
        all = all && c->dh_ok[a->first + i];
    return all;
}

// Run what begin and add have gathered: *ok and result of every agreement. An all-zero DH rejects.
static void agree(struct chunk *c)
{
    size_t hkdf_count = 0;
    (void)!sp_x25519_batch(c->dh, (const uint8_t(*)[32])c->scalar, (const uint8_t(*)[32])c->point,
                           c->dh_count, c->dh_ok);
    for (size_t i = 0; i < c->count; i++) {
        struct agreement *a = &c->agreements[i];
        *a->ok = all_nonzero(c, a);
        if (!*a->ok)
            continue;
        memset(c->ikm[i], 0xFF, 32);
        memcpy(c->ikm[i] + 32, c->dh[a->first], 32 * a->dh_count);
        c->hkdf[hkdf_count++] =
            derivation(a->result->sk, c->ikm[i], 32 + 32 * a->dh_count, "sealpost.v1 x3dh");
        c->hkdf[hkdf_count++] = header_key_derivation(a->result->header_key, c->dh[a->first + DH3]);
        memcpy(a->result->ad, a->ad, sizeof(a->ad));
    }
    if (sp_hkdf_sha256_batch(c->hkdf, hkdf_count) == 0)
        return;
    for (size_t i = 0; i < c->count; i++) {
        *c->agreements[i].ok = false;
        memset(c->agreements[i].result, 0, sizeof(*c->agreements[i].result));
    }
}

// ---- the initiator ------------------------------------------------------------------------------

static void verify_bundles(const struct sp_x3dh_initiate_job *jobs, size_t count, bool *ok)
{
    struct sp_ed25519_job verifications[CHUNK_JOBS] = {{0}};
    uint8_t encoded[CHUNK_JOBS][SP_ENCODED_KEY_BYTES];
    uint8_t signature[CHUNK_JOBS][SP_SIGNATURE_BYTES];
    for (size_t i = 0; i < count; i++) {
        const struct sp_bundle *bundle = jobs[i].bundle;
        sp_encode_x25519(encoded[i], bundle->signed_prekey);
        memcpy(signature[i], bundle->signed_prekey_signature, SP_SIGNATURE_BYTES);
        verifications[i] = (struct sp_ed25519_job){
            .public_key = bundle->identity_key,
            .message = encoded[i],
            .message_len = SP_ENCODED_KEY_BYTES,
            .signature = signature[i],
        };
    }
    (void)!sp_ed25519_verify_batch(verifications, count, ok);
    for (size_t i = 0; i < count; i++) {
        // A flag and an id that disagree could not be said in the initial message.
        ok[i] = ok[i] &&
                (!jobs[i].bundle->has_one_time_prekey || jobs[i].bundle->one_time_prekey_id != 0);
    }
}

// The curve operations of one job whose bundle verified; its ephemeral secret is left in
// `ephemeral`.
static bool plan_initiator(struct chunk *c, struct sp_x3dh_initiate_job *job, bool *ok,
                           uint8_t ephemeral[32])
{
    const struct sp_bundle *bundle = job->bundle;
    uint8_t initiator_x[32], responder_x[32], identity_secret[32];
    if (!sp_ed25519_public_to_x25519(initiator_x, job->identity_key) ||
        !sp_ed25519_public_to_x25519(responder_x, bundle->identity_key))
        return false;
    if (job->ephemeral_secret != NULL)
        memcpy(ephemeral, job->ephemeral_secret, 32);
    else if (sp_random(ephemeral, 32) != 0)
        return false;

    sp_ed25519_seed_to_x25519(identity_secret, job->identity_seed);
    struct agreement *a = begin(c, &job->result, ok, initiator_x, responder_x);
    add(c, a, identity_secret, bundle->signed_prekey);
    add(c, a, ephemeral, responder_x);
    add(c, a, ephemeral, bundle->signed_prekey);
    if (bundle->has_one_time_prekey)
        add(c, a, ephemeral, bundle->one_time_prekey);
    sp_wipe(identity_secret, sizeof(identity_secret));
    return true;
}

static void initiate(struct sp_x3dh_initiate_job *jobs, size_t count, bool *ok)
{
    struct chunk c;
    uint8_t ephemeral[CHUNK_JOBS][32] = {{0}}, ephemeral_public[CHUNK_JOBS][32];
    c.dh_count = c.count = 0;
    for (size_t i = 0; i < count; i++)
        memset(&jobs[i].result, 0, sizeof(jobs[i].result));
    verify_bundles(jobs, count, ok);
    for (size_t i = 0; i < count; i++)
        ok[i] = ok[i] && plan_initiator(&c, &jobs[i], &ok[i], ephemeral[i]);
    agree(&c);
    sp_x25519_base_batch(ephemeral_public, (const uint8_t(*)[32])ephemeral, count);
    for (size_t i = 0; i < count; i++) {
        if (ok[i])
            memcpy(jobs[i].ephemeral_public, ephemeral_public[i], 32);
        else
            memset(jobs[i].ephemeral_public, 0, 32);
    }
    sp_wipe(ephemeral, sizeof(ephemeral));
    sp_wipe(&c, sizeof(c));
}

bool sp_x3dh_initiate_batch(struct sp_x3dh_initiate_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        initiate(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS, ok + i);
    for (size_t i = 0; i < count; i++)
        all = all && ok[i];
    return all;
}

// ---- the responder ------------------------------------------------------------------------------

bool sp_x3dh_header_key(uint8_t header_key[32], const uint8_t signed_prekey_secret[32],
                        const uint8_t ephemeral_public[32])
{
    uint8_t secret[1][32], point[1][32], dh3[1][32];
    bool ok;
    memcpy(secret[0], signed_prekey_secret, 32);
    memcpy(point[0], ephemeral_public, 32);
    memset(header_key, 0, 32);
    if (sp_x25519_batch(dh3, (const uint8_t(*)[32])secret, (const uint8_t(*)[32])point, 1, &ok)) {
        const struct sp_hkdf_job job = header_key_derivation(header_key, dh3[0]);
        ok = sp_hkdf_sha256_batch(&job, 1) == 0;
    }
    sp_wipe(secret, sizeof(secret));
    sp_wipe(dh3, sizeof(dh3));
    return ok;
}

static bool plan_responder(struct chunk *c, struct sp_x3dh_respond_job *job, bool *ok)
{
    uint8_t initiator_x[32], responder_x[32], identity_secret[32];
    if (!sp_ed25519_public_to_x25519(initiator_x, job->initiator_identity_key) ||
        !sp_ed25519_public_to_x25519(responder_x, job->identity_key))
        return false;

    sp_ed25519_seed_to_x25519(identity_secret, job->identity_seed);
    struct agreement *a = begin(c, &job->result, ok, initiator_x, responder_x);
    add(c, a, job->signed_prekey_secret, initiator_x);
    add(c, a, identity_secret, job->ephemeral_public);
    add(c, a, job->signed_prekey_secret, job->ephemeral_public);
    if (job->one_time_prekey_secret != NULL)
        add(c, a, job->one_time_prekey_secret, job->ephemeral_public);
    sp_wipe(identity_secret, sizeof(identity_secret));
    return true;
}

static void respond(struct sp_x3dh_respond_job *jobs, size_t count, bool *ok)
{
    struct chunk c;
    c.dh_count = c.count = 0;
    for (size_t i = 0; i < count; i++) {
        memset(&jobs[i].result, 0, sizeof(jobs[i].result));
        ok[i] = plan_responder(&c, &jobs[i], &ok[i]);
    }
    agree(&c);
    sp_wipe(&c, sizeof(c));
}

bool sp_x3dh_respond_batch(struct sp_x3dh_respond_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        respond(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS, ok + i);
    for (size_t i = 0; i < count; i++)
        all = all && ok[i];
    return all;
}
