// Sessions: two directional keys, counters that never repeat, a replay window. The thread that owns
// the session. Only sp_session_init allocates. Source: docs/PROTOCOL.md sections 5 and 6.
//
//     session message = session id (8) ‖ counter (u64) ‖ sealed bytes ‖ tag (16)
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "internal.h"

#define HEADER_BYTES 16u // session id, counter
#define CHUNK_JOBS 64u   // one AEAD call for so many messages, ≈ 9 KB of stack

static const char session_label[] = "sealpost.v1 session";
#define SESSION_LABEL_BYTES (sizeof(session_label) - 1)

struct chunk {
    struct sp_aead_job aead[CHUNK_JOBS];
    struct sp_session_job *job[CHUNK_JOBS]; // whose aead[] that is
    uint8_t nonce[CHUNK_JOBS][SP_NONCE_BYTES];
    uint8_t ad[CHUNK_JOBS][SP_AD_BYTES];
    size_t count;
};

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get_u64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}

void sp_nonce_encode(uint8_t nonce[SP_NONCE_BYTES], uint64_t counter)
{
    memset(nonce, 0, 4);
    put_u64(nonce + 4, counter);
}

void sp_ad_encode(uint8_t ad[SP_AD_BYTES], const uint8_t sender[SP_MAILBOX_BYTES],
                  const uint8_t recipient[SP_MAILBOX_BYTES], enum sp_kind kind, uint64_t counter)
{
    memcpy(ad, sender, SP_MAILBOX_BYTES);
    memcpy(ad + SP_MAILBOX_BYTES, recipient, SP_MAILBOX_BYTES);
    ad[2 * SP_MAILBOX_BYTES] = (uint8_t)kind;
    put_u64(ad + 2 * SP_MAILBOX_BYTES + 1, counter);
}

// ---- the replay window (RFC 6479: bits by counter modulo, nothing is ever shifted) --------------

static uint64_t *window_word(struct sp_session *s, uint64_t counter)
{
    return &s->window[counter % SP_WINDOW_BITS / 64];
}

static uint64_t window_bit(uint64_t counter)
{
    return UINT64_C(1) << counter % 64;
}

bool sp_window_accepts(const struct sp_session *s, uint64_t counter)
{
    if (counter > s->receive_highest)
        return true;
    if (s->receive_highest - counter >= SP_WINDOW_BITS)
        return false;
    return (s->window[counter % SP_WINDOW_BITS / 64] & window_bit(counter)) == 0;
}

// Bits above receive_highest are those of counters that leave the window when it moves.
static void move_window(struct sp_session *s, uint64_t highest)
{
    if (highest - s->receive_highest >= SP_WINDOW_BITS) {
        memset(s->window, 0, sizeof(s->window));
        s->receive_highest = highest;
    }
    while (s->receive_highest < highest) { // at most SP_WINDOW_BITS - 1 turns
        s->receive_highest++;
        *window_word(s, s->receive_highest) &= ~window_bit(s->receive_highest);
    }
}

void sp_window_mark(struct sp_session *s, uint64_t counter)
{
    assert(sp_window_accepts(s, counter));
    if (counter > s->receive_highest)
        move_window(s, counter);
    *window_word(s, counter) |= window_bit(counter);
}

// ---- set-up -------------------------------------------------------------------------------------

int sp_session_init(struct sp_session *s, const struct sp_x3dh_result *x3dh, bool initiator,
                    const uint8_t local_identity_key[32], const uint8_t remote_identity_key[32])
{
    static const uint8_t zero_salt[32];
    uint8_t info[SESSION_LABEL_BYTES + SP_X3DH_AD_BYTES];
    uint8_t keys[2 * SP_KEY_BYTES + 2 * SP_SESSION_ID_BYTES]; // A→B, B→A; id A→B, id B→A
    memcpy(info, session_label, SESSION_LABEL_BYTES);
    memcpy(info + SESSION_LABEL_BYTES, x3dh->ad, SP_X3DH_AD_BYTES);
    const struct sp_hkdf_job job = {
        .salt = zero_salt,
        .salt_len = sizeof(zero_salt),
        .ikm = x3dh->sk,
        .ikm_len = sizeof(x3dh->sk),
        .info = info,
        .info_len = sizeof(info),
        .out = keys,
        .out_len = sizeof(keys),
    };
    const size_t send = initiator ? 0 : 1, receive = 1 - send;

    memset(s, 0, sizeof(*s));
    int error = sp_hkdf_sha256_batch(&job, 1);
    if (error != 0)
        goto cleanup;
    error = sp_aead_key_init(&s->send_key, keys + send * SP_KEY_BYTES);
    if (error != 0)
        goto cleanup;
    error = sp_aead_key_init(&s->receive_key, keys + receive * SP_KEY_BYTES);
    if (error != 0)
        goto cleanup;
    const uint8_t *ids = keys + 2 * SP_KEY_BYTES;
    memcpy(s->send_id, ids + send * SP_SESSION_ID_BYTES, SP_SESSION_ID_BYTES);
    memcpy(s->receive_id, ids + receive * SP_SESSION_ID_BYTES, SP_SESSION_ID_BYTES);
    sp_mailbox_id(s->local_mailbox, local_identity_key);
    sp_mailbox_id(s->remote_mailbox, remote_identity_key);
    s->initiator = initiator;

cleanup:
    if (error != 0)
        sp_session_free(s);
    sp_wipe(keys, sizeof(keys));
    return error;
}

void sp_session_free(struct sp_session *s)
{
    sp_aead_key_free(&s->send_key);
    sp_aead_key_free(&s->receive_key);
    sp_wipe(s, sizeof(*s));
}

// ---- sealing ------------------------------------------------------------------------------------

static void refuse_seal(struct sp_session_job *job, int result)
{
    memset(job->out, 0, job->len + SP_SESSION_OVERHEAD_BYTES);
    job->result = result;
}

// Takes the counter: from here on it is spent, whatever becomes of the message.
static void plan_seal(struct chunk *c, struct sp_session_job *job)
{
    struct sp_session *s = job->session;
    assert(job->len <= INT_MAX);
    if (s->initiator && s->send_counter == 0)
        s->send_counter = 1; // 0 belongs to the initial message, sent or not
    job->counter = s->send_counter;
    if (s->send_counter == UINT64_MAX) {
        refuse_seal(job, SP_SESSION_EXHAUSTED);
        return;
    }
    s->send_counter++;

    const size_t i = c->count++;
    memcpy(job->out, s->send_id, SP_SESSION_ID_BYTES);
    put_u64(job->out + SP_SESSION_ID_BYTES, job->counter);
    sp_nonce_encode(c->nonce[i], job->counter);
    sp_ad_encode(c->ad[i], s->local_mailbox, s->remote_mailbox, SP_KIND_SESSION, job->counter);
    c->job[i] = job;
    c->aead[i] = (struct sp_aead_job){
        .key = &s->send_key,
        .nonce = c->nonce[i],
        .ad = c->ad[i],
        .ad_len = SP_AD_BYTES,
        .in = job->in,
        .out = job->out + HEADER_BYTES,
        .len = job->len,
        .tag = job->out + HEADER_BYTES + job->len,
    };
}

static void seal_chunk(struct sp_session_job *jobs, size_t count)
{
    struct chunk c;
    c.count = 0;
    for (size_t i = 0; i < count; i++)
        plan_seal(&c, &jobs[i]);
    const int error = sp_aead_seal_batch(c.aead, c.count);
    for (size_t i = 0; i < c.count; i++) {
        if (error == 0)
            c.job[i]->result = 0;
        else
            refuse_seal(c.job[i], error);
    }
}

void sp_session_seal_batch(struct sp_session_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        seal_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS);
}

// ---- opening ------------------------------------------------------------------------------------

static void refuse_open(struct sp_session_job *job, enum sp_session_error error)
{
    if (job->len > SP_SESSION_OVERHEAD_BYTES)
        memset(job->out, 0, job->len - SP_SESSION_OVERHEAD_BYTES);
    job->result = error;
}

// What can be told without opening.
static int check(struct sp_session_job *job)
{
    job->counter = 0;
    if (job->len < SP_SESSION_OVERHEAD_BYTES)
        return SP_SESSION_TRUNCATED;
    assert(job->len - SP_SESSION_OVERHEAD_BYTES <= INT_MAX);
    job->counter = get_u64(job->in + SP_SESSION_ID_BYTES);
    if (memcmp(job->in, job->session->receive_id, SP_SESSION_ID_BYTES) != 0)
        return SP_SESSION_UNKNOWN;
    if (!sp_window_accepts(job->session, job->counter))
        return SP_SESSION_REPLAY;
    return 0;
}

static void plan_open(struct chunk *c, struct sp_session_job *job)
{
    struct sp_session *s = job->session;
    const int error = check(job);
    if (error != 0) {
        refuse_open(job, error);
        return;
    }
    const size_t i = c->count++;
    sp_nonce_encode(c->nonce[i], job->counter);
    sp_ad_encode(c->ad[i], s->remote_mailbox, s->local_mailbox, SP_KIND_SESSION, job->counter);
    c->job[i] = job;
    c->aead[i] = (struct sp_aead_job){
        .key = &s->receive_key,
        .nonce = c->nonce[i],
        .ad = c->ad[i],
        .ad_len = SP_AD_BYTES,
        .in = job->in + HEADER_BYTES,
        .out = job->out,
        .len = job->len - SP_SESSION_OVERHEAD_BYTES,
        .tag = (uint8_t *)(uintptr_t)(job->in + job->len - SP_TAG_BYTES), // only read
    };
}

static void open_chunk(struct sp_session_job *jobs, size_t count)
{
    struct chunk c;
    bool ok[CHUNK_JOBS];
    c.count = 0;
    for (size_t i = 0; i < count; i++)
        plan_open(&c, &jobs[i]);
    (void)!sp_aead_open_batch(c.aead, c.count, ok);
    for (size_t i = 0; i < c.count; i++) {
        struct sp_session_job *job = c.job[i];
        // Asked again: an earlier message of this chunk may have taken the counter.
        if (!ok[i])
            refuse_open(job, SP_SESSION_FORGED);
        else if (!sp_window_accepts(job->session, job->counter))
            refuse_open(job, SP_SESSION_REPLAY);
        else {
            sp_window_mark(job->session, job->counter);
            job->result = 0;
        }
    }
}

void sp_session_open_batch(struct sp_session_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        open_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS);
}
