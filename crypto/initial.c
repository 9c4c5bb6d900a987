// The initial message, which goes with one handshake. The thread that owns the session. Allocates
// nothing itself.
//
//       0        1        2                 4                          8
//      +--------+--------+-----------------+--------------------------+
//      | suite  | flags  | 0 (2)           | signed prekey id (u32)   |
//      +--------+--------+-----------------+--------------------------+  8
//      | one-time prekey id (u32, or 0)    | EK_A (32) …              |
//      +-----------------------------------+--------------------------+ 44
//      | PQXDH: KEM prekey id (u32)        | CT (1,088) …             |
//      +-----------------------------------+--------------------------+  H = 44, or 1,136
//      | sealed: Ed25519 IK_A (32) …                                  |
//      | hybrid: ML-DSA-65 IK_A (1,952) ‖ both signatures (64, 3,309) |
//      +--------------------------------------------------------------+
//      | tag (16)                          | sealed bytes … ‖ tag (16)
//
// Source: docs/PROTOCOL.md section 6.
#include "initial.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "internal.h"

#define FLAG_ONE_TIME_PREKEY 0x01u
#define FLAG_HYBRID 0x02u
#define FLAG_RATCHET 0x04u
#define FLAGS (FLAG_ONE_TIME_PREKEY | FLAG_HYBRID | FLAG_RATCHET)

#define SIGNED_PREKEY_AT 4u
#define ONE_TIME_PREKEY_AT 8u
#define EPHEMERAL_AT 12u
#define KEM_PREKEY_AT 44u // where the clear part of X3DH ends
#define CIPHERTEXT_AT 48u

#define CHUNK_JOBS 8u // ≈ 52 KB of stack; as many curve lanes as there are
#define TEXT_BYTES (SP_INITIAL_OVERHEAD_MAX_BYTES - SP_TAG_BYTES + SP_AD_BYTES)

_Static_assert(SP_INITIAL_OVERHEAD_MAX_BYTES == SP_INITIAL_CLEAR_MAX_BYTES +
                                                    sizeof(struct sp_initial_identity) +
                                                    2 * SP_TAG_BYTES,
               "what the header says");
_Static_assert(SP_TRANSCRIPT_MAX_BYTES <= TEXT_BYTES, "a transcript has room, too");

static const uint8_t zero_nonce[SP_NONCE_BYTES]; // counter 0

static void put_u32(uint8_t out[4], uint32_t value)
{
    for (int i = 3; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

static uint32_t get_u32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

// ---- layout -------------------------------------------------------------------------------------

static size_t clear_bytes(enum sp_suite suite)
{
    return suite == SP_SUITE_PQXDH ? SP_INITIAL_CLEAR_MAX_BYTES : KEM_PREKEY_AT;
}

static size_t identity_bytes(bool is_hybrid)
{
    return is_hybrid ? sizeof(struct sp_initial_identity) : SP_KEY_BYTES;
}

static size_t payload_at(enum sp_suite suite, bool is_hybrid)
{
    return clear_bytes(suite) + identity_bytes(is_hybrid) + SP_TAG_BYTES;
}

size_t sp_initial_overhead_bytes(enum sp_suite suite, bool is_hybrid)
{
    return payload_at(suite, is_hybrid) + SP_TAG_BYTES;
}

uint8_t *sp_initial_kem_ciphertext(const uint8_t *message)
{
    return (uint8_t *)(uintptr_t)(message + CIPHERTEXT_AT);
}

static int decode(struct sp_initial_header *out, const uint8_t *in, size_t len)
{
    if (len < KEM_PREKEY_AT || (in[0] != SP_SUITE_X3DH && in[0] != SP_SUITE_PQXDH) ||
        (in[1] & ~FLAGS) != 0 || in[2] != 0 || in[3] != 0)
        return SP_HANDSHAKE_MALFORMED;
    out->suite = in[0];
    out->is_hybrid = (in[1] & FLAG_HYBRID) != 0;
    out->is_ratchet = (in[1] & FLAG_RATCHET) != 0;
    out->overhead_bytes = sp_initial_overhead_bytes(out->suite, out->is_hybrid);
    if (len < out->overhead_bytes)
        return SP_HANDSHAKE_MALFORMED;
    out->signed_prekey_id = get_u32(in + SIGNED_PREKEY_AT);
    out->one_time_prekey_id = get_u32(in + ONE_TIME_PREKEY_AT);
    out->kem_prekey_id = out->suite == SP_SUITE_PQXDH ? get_u32(in + KEM_PREKEY_AT) : 0;
    memcpy(out->ephemeral_public, in + EPHEMERAL_AT, 32);
    // No prekey has the id 0.
    const bool has_one_time = (in[1] & FLAG_ONE_TIME_PREKEY) != 0;
    if (out->signed_prekey_id == 0 || has_one_time != (out->one_time_prekey_id != 0) ||
        (out->suite == SP_SUITE_PQXDH) != (out->kem_prekey_id != 0))
        return SP_HANDSHAKE_MALFORMED;
    return 0;
}

int sp_initial_decode(struct sp_initial_header *out, const uint8_t *in, size_t len)
{
    memset(out, 0, sizeof(*out));
    const int error = decode(out, in, len);
    if (error != 0)
        memset(out, 0, sizeof(*out));
    return error;
}

static uint8_t *append(uint8_t *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

size_t sp_transcript_encode(uint8_t out[SP_TRANSCRIPT_MAX_BYTES], const uint8_t *message,
                            const struct sp_handshake *handshake,
                            const uint8_t initiator[SP_MAILBOX_BYTES],
                            const uint8_t responder[SP_MAILBOX_BYTES])
{
    static const char label[] = "sealpost.v1 transcript";
    uint8_t *to = append(out, label, sizeof(label) - 1);
    to = append(to, message, clear_bytes(handshake->suite));
    to = append(to, handshake->ad, handshake->ad_len);
    to = append(to, initiator, SP_MAILBOX_BYTES);
    to = append(to, responder, SP_MAILBOX_BYTES);
    return (size_t)(to - out);
}

struct sp_aead_job sp_initial_identity_job(const struct sp_initial_header *header,
                                           const uint8_t *message, const uint8_t header_key[32],
                                           void *out)
{
    const size_t at = clear_bytes(header->suite), len = identity_bytes(header->is_hybrid);
    return (struct sp_aead_job){
        .raw_key = header_key,
        .nonce = zero_nonce,
        .ad = message,
        .ad_len = at,
        .in = message + at,
        .out = out,
        .len = len,
        .tag = (uint8_t *)(uintptr_t)(message + at + len), // only read
    };
}

// ---- sealing ------------------------------------------------------------------------------------

// By job: a transcript first, then the payload's associated data.
struct texts {
    uint8_t of[CHUNK_JOBS][TEXT_BYTES];
};

static bool is_hybrid(const struct sp_initial_seal_job *job)
{
    return job->handshake->identity->ml_dsa.state != NULL;
}

static void encode_clear(const struct sp_initial_seal_job *job)
{
    const struct sp_initiate_job *handshake = job->handshake;
    const struct sp_bundle *bundle = handshake->bundle;
    uint8_t *out = job->out;
    out[0] = (uint8_t)handshake->suite;
    out[1] = (uint8_t)((bundle->has_one_time_prekey ? FLAG_ONE_TIME_PREKEY : 0) |
                       (is_hybrid(job) ? FLAG_HYBRID : 0) |
                       (job->session->mode == SP_SESSION_RATCHET ? FLAG_RATCHET : 0));
    out[2] = out[3] = 0;
    put_u32(out + SIGNED_PREKEY_AT, bundle->signed_prekey_id);
    put_u32(out + ONE_TIME_PREKEY_AT, bundle->one_time_prekey_id);
    memcpy(out + EPHEMERAL_AT, handshake->ephemeral_public, 32);
    if (handshake->suite != SP_SUITE_PQXDH)
        return;
    put_u32(out + KEM_PREKEY_AT, bundle->kem_prekey->id);
    memcpy(out + CIPHERTEXT_AT, handshake->kem_ciphertext, SP_ML_KEM_CIPHERTEXT_BYTES);
}

// All but the payload, the identity still readable. Errors: -EIO.
static int write_fronts(struct sp_initial_seal_job *jobs, size_t count, struct texts *transcripts)
{
    struct sp_ed25519_job ed25519[CHUNK_JOBS] = {{0}};
    struct sp_ml_dsa_job ml_dsa[CHUNK_JOBS] = {{0}};
    size_t hybrids = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sp_initiate_job *handshake = jobs[i].handshake;
        const struct sp_identity *own = handshake->identity;
        const struct sp_session *s = jobs[i].session;
        struct sp_initial_identity *identity =
            (void *)(jobs[i].out + clear_bytes(handshake->suite));
        uint8_t *transcript = transcripts->of[hybrids];
        assert(s->initiator && handshake->result == 0);
        encode_clear(&jobs[i]);
        memcpy(identity->ed25519, own->ed25519, 32);
        if (!is_hybrid(&jobs[i]))
            continue;
        memcpy(identity->ml_dsa_65, sp_ml_dsa_key_public(&own->ml_dsa), SP_ML_DSA_PUBLIC_BYTES);
        const size_t len = sp_transcript_encode(transcript, jobs[i].out, &handshake->handshake,
                                                s->local_mailbox, s->remote_mailbox);
        ed25519[hybrids] = (struct sp_ed25519_job){
            .public_key = own->ed25519,
            .seed = own->seed,
            .message = transcript,
            .message_len = len,
            .signature = identity->ed25519_signature,
        };
        ml_dsa[hybrids++] = (struct sp_ml_dsa_job){
            .key = &own->ml_dsa,
            .message = transcript,
            .message_len = len,
            .signature = identity->ml_dsa_65_signature,
        };
    }
    sp_ed25519_sign_batch(ed25519, hybrids);
    return sp_ml_dsa_sign_batch(ml_dsa, hybrids);
}

static int seal_identities(struct sp_initial_seal_job *jobs, size_t count)
{
    struct sp_aead_job aead[CHUNK_JOBS];
    for (size_t i = 0; i < count; i++) {
        const struct sp_initiate_job *handshake = jobs[i].handshake;
        const size_t at = clear_bytes(handshake->suite), len = identity_bytes(is_hybrid(&jobs[i]));
        aead[i] = (struct sp_aead_job){
            .raw_key = handshake->handshake.header_key,
            .nonce = zero_nonce,
            .ad = jobs[i].out,
            .ad_len = at,
            .in = jobs[i].out + at,
            .out = jobs[i].out + at,
            .len = len,
            .tag = jobs[i].out + at + len,
        };
    }
    return sp_aead_seal_batch(aead, count);
}

static void seal_payloads(struct sp_initial_seal_job *jobs, size_t count, struct texts *ad)
{
    struct sp_message_job messages[CHUNK_JOBS];
    for (size_t i = 0; i < count; i++) {
        const size_t at = payload_at(jobs[i].handshake->suite, is_hybrid(&jobs[i]));
        memcpy(ad->of[i], jobs[i].out, at);
        messages[i] = (struct sp_message_job){
            .session = jobs[i].session,
            .kind = SP_KIND_INITIAL,
            .ad = ad->of[i],
            .ad_prefix_len = at,
            .in = jobs[i].in,
            .out = jobs[i].out + at,
            .len = jobs[i].len,
            .tag = jobs[i].out + at + jobs[i].len,
        };
    }
    sp_message_seal_batch(messages, count);
    for (size_t i = 0; i < count; i++)
        jobs[i].result = messages[i].result;
}

static void seal_chunk(struct sp_initial_seal_job *jobs, size_t count)
{
    struct texts texts;
    int error = write_fronts(jobs, count, &texts);
    if (error == 0)
        error = seal_identities(jobs, count);
    for (size_t i = 0; i < count; i++)
        jobs[i].result = error;
    if (error == 0)
        seal_payloads(jobs, count, &texts);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].result != 0)
            memset(jobs[i].out, 0,
                   jobs[i].len +
                       sp_initial_overhead_bytes(jobs[i].handshake->suite, is_hybrid(&jobs[i])));
    }
}

void sp_initial_seal_batch(struct sp_initial_seal_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        seal_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS);
}

// ---- opening ------------------------------------------------------------------------------------

// The payload of a message that was decoded.
static struct sp_message_job payload_of(const struct sp_initial_open_job *job,
                                        const struct sp_initial_header *header,
                                        uint8_t ad[TEXT_BYTES])
{
    const size_t at = payload_at(header->suite, header->is_hybrid);
    memcpy(ad, job->in, at);
    return (struct sp_message_job){
        .session = job->session,
        .kind = SP_KIND_INITIAL,
        .ad = ad,
        .ad_prefix_len = at,
        .in = job->in + at,
        .out = job->out,
        .len = job->len - header->overhead_bytes,
        .tag = (uint8_t *)(uintptr_t)(job->in + job->len - SP_TAG_BYTES), // only read
    };
}

bool sp_initial_has_secrets(const uint8_t *one_time_prekey_secret,
                            const struct sp_ml_kem_key *kem_key)
{
    return (one_time_prekey_secret == NULL ||
            sodium_is_zero(one_time_prekey_secret, SP_KEY_BYTES) == 0) &&
           (kem_key == NULL || kem_key->state != NULL);
}

// Forward secrecy: what led here cannot lead here again.
static void destroy_one_time_secrets(struct sp_initial_open_job *job)
{
    if (job->one_time_prekey_secret != NULL)
        sp_wipe(job->one_time_prekey_secret, SP_KEY_BYTES);
    if (job->one_time_kem_key != NULL)
        sp_ml_kem_key_free(job->one_time_kem_key);
}

// Of messages that led here by the same one-time secrets one is taken. The handshakes of the others
// came out well if they were in one batch, before the secrets were destroyed; their sessions have
// the keys of the first, and what they would seal its nonces.
static void settle(struct sp_initial_open_job *job, struct sp_message_job *message)
{
    job->result = message->result;
    if (job->result == 0 &&
        !sp_initial_has_secrets(job->one_time_prekey_secret, job->one_time_kem_key)) {
        if (message->len > 0)
            memset(message->out, 0, message->len);
        job->result = SP_SESSION_REPLAY;
    }
    if (job->result == 0)
        destroy_one_time_secrets(job);
}

static void open_chunk(struct sp_initial_open_job *jobs, size_t count)
{
    struct sp_message_job messages[CHUNK_JOBS];
    struct sp_initial_open_job *job_of[CHUNK_JOBS];
    struct texts ad;
    size_t decoded = 0;
    for (size_t i = 0; i < count; i++) {
        struct sp_initial_header header;
        assert(!jobs[i].session->initiator);
        jobs[i].result = sp_initial_decode(&header, jobs[i].in, jobs[i].len);
        if (jobs[i].result != 0)
            continue;
        job_of[decoded] = &jobs[i];
        messages[decoded] = payload_of(&jobs[i], &header, ad.of[decoded]);
        decoded++;
    }
    sp_message_open_batch(messages, decoded);
    for (size_t k = 0; k < decoded; k++)
        settle(job_of[k], &messages[k]);
}

void sp_initial_open_batch(struct sp_initial_open_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        open_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS);
}
