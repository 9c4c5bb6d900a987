// The responder's side of X3DH and PQXDH: from an initial message to who sent it and what both
// share. Any thread; allocates nothing itself. Jobs are worked on in chunks, phase by phase; a job
// that met an error takes no further part. Source: docs/PROTOCOL.md sections 5 and 6.
//
// DH3 and the KEM's secret open the initiator's identity, without which DH1 cannot be computed: the
// curve is called twice.
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "agreement.h"
#include "initial.h"
#include "signatures.h"

#define HYBRIDS 4u // a hybrid identity and its transcript: ≈ 31 KB of stack for so many

// Holds secrets: wiped as a whole.
struct chunk {
    struct sp_agreements agreements;
    struct sp_initial_header header[SP_AGREEMENTS];
};

// Hybrid initiators, whose identities are too large for the chunk.
struct hybrids {
    struct sp_initial_identity identity[HYBRIDS];
    uint8_t transcript[HYBRIDS][SP_TRANSCRIPT_MAX_BYTES];
};

static bool is_hybrid(const struct sp_respond_job *job)
{
    return job->identity->ml_dsa.state != NULL;
}

static int judge(const struct sp_respond_job *job, struct sp_initial_header *header)
{
    const int error = sp_initial_decode(header, job->message, job->len);
    if (error != 0)
        return error;
    if (header->suite != job->suite || header->is_hybrid != is_hybrid(job))
        return SP_HANDSHAKE_SUITE;
    if (job->signed_prekey_secret == NULL ||
        (header->one_time_prekey_id != 0) != (job->one_time_prekey_secret != NULL) ||
        (header->kem_prekey_id != 0) != (job->kem_key != NULL) ||
        !sp_initial_has_secrets(job->one_time_prekey_secret, job->kem_key))
        return SP_HANDSHAKE_PREKEY;
    return 0;
}

static void begin(struct chunk *c, struct sp_respond_job *jobs, size_t count)
{
    c->agreements.count = count;
    c->agreements.exchange.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct sp_respond_job *job = &jobs[i];
        assert(is_hybrid(job) == (job->initiator_ml_dsa_65 != NULL));
        job->result = judge(job, &c->header[i]);
        memset(&job->handshake, 0, sizeof(job->handshake));
        sp_agreement_begin(&c->agreements.of[i], &job->handshake, job->suite,
                           job->one_time_prekey_secret != NULL, &job->result);
        sp_encode_x25519(job->handshake.ad + SP_AD_RESPONDER_AT, job->identity->x25519);
        if (job->result == 0 && job->suite == SP_SUITE_PQXDH)
            sp_encode_ml_kem(job->handshake.ad + SP_AD_KEM_AT, sp_ml_kem_key_public(job->kem_key));
    }
}

// All that hangs on the ephemeral key.
static void exchange_ephemeral(struct chunk *c, const struct sp_respond_job *jobs, size_t count)
{
    struct sp_exchange *x = &c->agreements.exchange;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *ephemeral = c->header[i].ephemeral_public;
        struct sp_agreement *a = &c->agreements.of[i];
        if (jobs[i].result != 0)
            continue;
        sp_exchange_add(x, a, SP_DH2, jobs[i].identity->x25519_secret, ephemeral);
        sp_exchange_add(x, a, SP_DH3, jobs[i].signed_prekey_secret, ephemeral);
        if (jobs[i].one_time_prekey_secret != NULL)
            sp_exchange_add(x, a, SP_DH4, jobs[i].one_time_prekey_secret, ephemeral);
    }
    sp_exchange_run(x);
}

static void decapsulate(struct chunk *c, struct sp_respond_job *jobs, size_t count)
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
            .key = jobs[i].kem_key,
            .ciphertext = sp_initial_kem_ciphertext(jobs[i].message),
            .shared_secret = sp_agreement_shared_secret(&c->agreements.of[i]),
        };
    }
    (void)!sp_ml_kem_decapsulate_batch(kem, kem_count, ok);
    for (size_t i = 0; i < kem_count; i++) {
        if (!ok[i])
            *result[i] = -EIO;
    }
}

// ---- who the initiator is -----------------------------------------------------------------------

// Of the jobs named by `at`; room for hybrid ones is in `hybrids`, else it is NULL.
static void open_identities(struct chunk *c, struct sp_respond_job *jobs, const size_t *at,
                            size_t count, struct hybrids *hybrids)
{
    struct sp_aead_job aead[SP_AGREEMENTS] = {{0}};
    bool ok[SP_AGREEMENTS];
    for (size_t k = 0; k < count; k++) {
        struct sp_respond_job *job = &jobs[at[k]];
        void *out = hybrids ? (void *)&hybrids->identity[k] : job->initiator_ed25519;
        aead[k] = sp_initial_identity_job(&c->header[at[k]], job->message,
                                          job->handshake.header_key, out);
    }
    (void)!sp_aead_open_batch(aead, count, ok);
    for (size_t k = 0; k < count; k++) {
        struct sp_respond_job *job = &jobs[at[k]];
        if (!ok[k])
            job->result = SP_HANDSHAKE_IDENTITY;
        if (hybrids == NULL)
            continue;
        memcpy(job->initiator_ed25519, hybrids->identity[k].ed25519, 32);
        memcpy(job->initiator_ml_dsa_65, hybrids->identity[k].ml_dsa_65, SP_ML_DSA_PUBLIC_BYTES);
    }
}

static void map_identities(struct sp_respond_job *jobs, const size_t *at, size_t count)
{
    uint8_t ed25519[SP_AGREEMENTS][32], x25519[SP_AGREEMENTS][32];
    bool ok[SP_AGREEMENTS];
    for (size_t k = 0; k < count; k++)
        memcpy(ed25519[k], jobs[at[k]].initiator_ed25519, 32);
    (void)!sp_ed25519_public_to_x25519_batch(x25519, (const uint8_t(*)[32])ed25519, count, ok);
    for (size_t k = 0; k < count; k++) {
        struct sp_respond_job *job = &jobs[at[k]];
        if (job->result == 0 && !ok[k])
            job->result = SP_HANDSHAKE_POINT;
        sp_encode_x25519(job->handshake.ad + SP_AD_INITIATOR_AT, x25519[k]);
    }
}

static void verify_transcripts(struct sp_respond_job *jobs, const size_t *at, size_t count,
                               struct hybrids *hybrids)
{
    struct sp_signatures signatures;
    signatures.ed25519_count = signatures.ml_dsa_count = 0;
    for (size_t k = 0; k < count; k++) {
        struct sp_respond_job *job = &jobs[at[k]];
        const struct sp_initial_identity *identity = &hybrids->identity[k];
        const struct sp_identity_key initiator = {identity->ed25519, identity->ml_dsa_65};
        const struct sp_identity_key responder = sp_identity_public(job->identity);
        uint8_t mailbox[2][SP_MAILBOX_BYTES];
        if (job->result != 0)
            continue;
        sp_mailbox_id(mailbox[0], &initiator);
        sp_mailbox_id(mailbox[1], &responder);
        const size_t len = sp_transcript_encode(hybrids->transcript[k], job->message,
                                                &job->handshake, mailbox[0], mailbox[1]);
        sp_signatures_add(&signatures, initiator, hybrids->transcript[k], len,
                          identity->ed25519_signature, identity->ml_dsa_65_signature, &job->result);
    }
    sp_signatures_verify(&signatures);
}

static void identify_hybrids(struct chunk *c, struct sp_respond_job *jobs, const size_t *at,
                             size_t count)
{
    struct hybrids hybrids;
    for (size_t k = 0; k < count; k += HYBRIDS) {
        const size_t part = count - k < HYBRIDS ? count - k : HYBRIDS;
        open_identities(c, jobs, at + k, part, &hybrids);
        map_identities(jobs, at + k, part);
        verify_transcripts(jobs, at + k, part, &hybrids);
    }
}

static void identify(struct chunk *c, struct sp_respond_job *jobs, size_t count)
{
    size_t plain[SP_AGREEMENTS] = {0}, hybrid[SP_AGREEMENTS] = {0};
    size_t plain_count = 0, hybrid_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result != 0)
            continue;
        if (is_hybrid(&jobs[i]))
            hybrid[hybrid_count++] = i;
        else
            plain[plain_count++] = i;
    }
    open_identities(c, jobs, plain, plain_count, NULL);
    map_identities(jobs, plain, plain_count);
    identify_hybrids(c, jobs, hybrid, hybrid_count);
}

// -------------------------------------------------------------------------------------------------

static void exchange_identity(struct chunk *c, const struct sp_respond_job *jobs, size_t count)
{
    struct sp_exchange *x = &c->agreements.exchange;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result == 0)
            sp_exchange_add(x, &c->agreements.of[i], SP_DH1, jobs[i].signed_prekey_secret,
                            jobs[i].handshake.ad + SP_AD_INITIATOR_AT + 1); // past its type
    }
    sp_exchange_run(x);
}

static void zero_refused(struct sp_respond_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result == 0)
            continue;
        memset(jobs[i].initiator_ed25519, 0, sizeof(jobs[i].initiator_ed25519));
        if (jobs[i].initiator_ml_dsa_65 != NULL)
            memset(jobs[i].initiator_ml_dsa_65, 0, SP_ML_DSA_PUBLIC_BYTES);
        sp_wipe(&jobs[i].handshake, sizeof(jobs[i].handshake));
    }
}

static void respond(struct sp_respond_job *jobs, size_t count)
{
    struct chunk c;
    begin(&c, jobs, count);
    exchange_ephemeral(&c, jobs, count);
    decapsulate(&c, jobs, count);
    sp_agreements_derive_header_keys(&c.agreements);
    identify(&c, jobs, count);
    exchange_identity(&c, jobs, count);
    sp_agreements_derive_secrets(&c.agreements);
    sp_wipe(&c, sizeof(c));
    zero_refused(jobs, count);
}

void sp_handshake_respond_batch(struct sp_respond_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += SP_AGREEMENTS)
        respond(jobs + i, count - i < SP_AGREEMENTS ? count - i : SP_AGREEMENTS);
}
