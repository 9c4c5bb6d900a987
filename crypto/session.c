// Sessions: set-up and epochs. The thread that owns the session. Allocates in init and in rekey.
// Source: docs/PROTOCOL.md sections 5 and 6.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define INIT_JOBS 16u // as many as the widest hash has lanes

#define LABEL_BYTES 19u // both have as many
static const char counter_label[] = "sealpost.v1 session";
static const char ratchet_label[] = "sealpost.v1 ratchet";
static const char answer_label[] = "sealpost.v1 answer";
static const char rekey_label[] = "sealpost.v1 rekey";

static const uint8_t zero_salt[32];

// What the KDFs give, in their order. Secrets.
struct directions {
    uint8_t key[32];    // A→B; of a ratchet the chain key
    uint8_t answer[32]; // B→A: leads to its key, with the session id that B draws
    uint8_t id[SP_SESSION_ID_BYTES];
    uint8_t root[32]; // counter mode only
};
_Static_assert(sizeof(struct directions) == 104, "one run of bytes");

struct answer {
    uint8_t key[32];
    uint8_t root[32]; // of no use to a ratchet
};
_Static_assert(sizeof(struct answer) == 64, "one run of bytes");

struct epoch {
    uint8_t key[32];
    uint8_t id[SP_SESSION_ID_BYTES];
    uint8_t root[32];
};
_Static_assert(sizeof(struct epoch) == 72, "one run of bytes");

#define ANSWER_INFO_BYTES (sizeof(answer_label) - 1 + SP_SESSION_ID_BYTES)

static struct sp_hkdf_job derivation(void *out, size_t out_len, const uint8_t secret[32],
                                     const void *info, size_t info_len)
{
    return (struct sp_hkdf_job){
        .salt = zero_salt,
        .salt_len = sizeof(zero_salt),
        .ikm = secret,
        .ikm_len = 32,
        .info = info,
        .info_len = info_len,
        .out = out,
        .out_len = out_len,
    };
}

static struct sp_hkdf_job next_epoch_derivation(struct epoch *out, const uint8_t root[32])
{
    return derivation(out, sizeof(*out), root, rekey_label, sizeof(rekey_label) - 1);
}

static struct sp_hkdf_job answer_derivation(struct answer *out, uint8_t info[ANSWER_INFO_BYTES],
                                            const uint8_t secret[32],
                                            const uint8_t id[SP_SESSION_ID_BYTES])
{
    memcpy(info, answer_label, sizeof(answer_label) - 1);
    memcpy(info + sizeof(answer_label) - 1, id, SP_SESSION_ID_BYTES);
    return derivation(out, sizeof(*out), secret, info, ANSWER_INFO_BYTES);
}

// ---- set-up -------------------------------------------------------------------------------------

// A group of sessions on its way. Holds secrets.
struct init {
    struct directions directions[INIT_JOBS];
    struct answer answers[INIT_JOBS]; // responders only
    struct epoch next[INIT_JOBS];     // responders in counter mode only: of the direction received
    uint8_t answer_id[INIT_JOBS][SP_SESSION_ID_BYTES];
};

static int begin_session(const struct sp_session_init_job *job, uint8_t id[SP_SESSION_ID_BYTES])
{
    struct sp_session *s = job->session;
    memset(s, 0, sizeof(*s));
    s->mode = job->mode;
    s->initiator = job->initiator;
    sp_mailbox_id(s->local_mailbox, &job->local);
    sp_mailbox_id(s->remote_mailbox, &job->remote);
    if (s->mode == SP_SESSION_RATCHET) {
        s->receiving.skipped = sp_skipped_create(job->skipped_max);
        if (s->receiving.skipped == NULL)
            return -ENOMEM;
    }
    if (job->answer_id == NULL)
        return sp_random(id, SP_SESSION_ID_BYTES);
    memcpy(id, job->answer_id, SP_SESSION_ID_BYTES);
    return 0;
}

// The sessions' own secrets, then what depends on the id of the answer.
static int derive(struct init *t, const struct sp_session_init_job *jobs, size_t count)
{
    uint8_t info[INIT_JOBS][LABEL_BYTES + SP_HANDSHAKE_AD_BYTES];
    uint8_t answer_info[INIT_JOBS][ANSWER_INFO_BYTES];
    struct sp_hkdf_job hkdf[2 * INIT_JOBS] = {{0}};
    for (size_t i = 0; i < count; i++) {
        const struct sp_handshake *handshake = jobs[i].handshake;
        const bool ratchet = jobs[i].mode == SP_SESSION_RATCHET;
        // One that failed is zeroed: the keys of its session would be known to everybody.
        assert(handshake->ad_len > 0 && handshake->ad_len <= SP_HANDSHAKE_AD_BYTES);
        memcpy(info[i], ratchet ? ratchet_label : counter_label, LABEL_BYTES);
        memcpy(info[i] + LABEL_BYTES, handshake->ad, handshake->ad_len);
        hkdf[i] = derivation(&t->directions[i],
                             ratchet ? offsetof(struct directions, root) : sizeof(t->directions[i]),
                             handshake->sk, info[i], LABEL_BYTES + handshake->ad_len);
    }
    int error = sp_hkdf_sha256_batch(hkdf, count);
    size_t more = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        if (jobs[i].initiator)
            continue;
        hkdf[more++] = answer_derivation(&t->answers[i], answer_info[i], t->directions[i].answer,
                                         t->answer_id[i]);
        if (jobs[i].mode == SP_SESSION_COUNTER)
            hkdf[more++] = next_epoch_derivation(&t->next[i], t->directions[i].root);
    }
    return error != 0 ? error : sp_hkdf_sha256_batch(hkdf, more);
}

// The initiator cannot receive yet: the key of that direction depends on an id to come.
static int take_initiator(struct sp_session *s, const struct directions *d)
{
    const bool ratchet = s->mode == SP_SESSION_RATCHET;
    memcpy(s->sending.id, d->id, SP_SESSION_ID_BYTES);
    memcpy(s->sending.secret, ratchet ? d->key : d->root, 32);
    memcpy(s->receiving.secret, d->answer, 32);
    return ratchet ? 0 : sp_aead_key_init(&s->sending.key, d->key);
}

static int take_responder(struct sp_session *s, const struct init *t, size_t i)
{
    const struct directions *d = &t->directions[i];
    const bool ratchet = s->mode == SP_SESSION_RATCHET;
    memcpy(s->sending.id, t->answer_id[i], SP_SESSION_ID_BYTES);
    memcpy(s->sending.secret, ratchet ? t->answers[i].key : t->answers[i].root, 32);
    memcpy(s->receiving.id, d->id, SP_SESSION_ID_BYTES);
    memcpy(s->receiving.secret, ratchet ? d->key : d->root, 32);
    s->receiving.is_known = true;
    if (ratchet)
        return 0;
    memcpy(s->receiving.next_id, t->next[i].id, SP_SESSION_ID_BYTES);
    const int error = sp_aead_key_init(&s->sending.key, t->answers[i].key);
    return error != 0 ? error : sp_aead_key_init(&s->receiving.key, d->key);
}

// Keys are prepared here, the only step of the set-up that is not a batch.
static void init_chunk(struct sp_session_init_job *jobs, size_t count)
{
    struct init t;
    for (size_t i = 0; i < count; i++)
        jobs[i].result = begin_session(&jobs[i], t.answer_id[i]);
    const int error = derive(&t, jobs, count);
    for (size_t i = 0; i < count; i++) {
        struct sp_session *s = jobs[i].session;
        if (jobs[i].result == 0)
            jobs[i].result = error;
        if (jobs[i].result == 0)
            jobs[i].result =
                jobs[i].initiator ? take_initiator(s, &t.directions[i]) : take_responder(s, &t, i);
        if (jobs[i].result != 0)
            sp_session_free(s);
    }
    sp_wipe(&t, sizeof(t));
}

void sp_session_init_batch(struct sp_session_init_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += INIT_JOBS)
        init_chunk(jobs + i, count - i < INIT_JOBS ? count - i : INIT_JOBS);
}

static void forget_previous(struct sp_receiving *receiving)
{
    if (receiving->previous == NULL)
        return;
    sp_aead_key_free(&receiving->previous->key);
    sp_wipe(receiving->previous, sizeof(*receiving->previous));
    free(receiving->previous);
    receiving->previous = NULL;
}

void sp_session_free(struct sp_session *s)
{
    sp_aead_key_free(&s->sending.key);
    sp_aead_key_free(&s->receiving.key);
    forget_previous(&s->receiving);
    sp_skipped_destroy(s->receiving.skipped);
    sp_wipe(s, sizeof(*s));
}

// ---- epochs (counter mode) ----------------------------------------------------------------------

int sp_session_rekey(struct sp_session *s)
{
    struct sp_sending *sending = &s->sending;
    struct sp_aead_key key;
    struct epoch next;
    if (s->mode == SP_SESSION_RATCHET)
        return -EINVAL;
    const struct sp_hkdf_job job = next_epoch_derivation(&next, sending->secret);
    int error = sp_hkdf_sha256_batch(&job, 1);
    if (error == 0)
        error = sp_aead_key_init(&key, next.key);
    if (error == 0) {
        sp_aead_key_free(&sending->key);
        sending->key = key;
        memcpy(sending->id, next.id, sizeof(next.id));
        memcpy(sending->secret, next.root, sizeof(next.root));
        sending->counter = 0;
        sending->epoch++;
    }
    sp_wipe(&next, sizeof(next));
    return error;
}

int sp_receiving_derive_following(struct sp_receiving *out, const struct sp_receiving *now)
{
    struct epoch next, after;
    struct sp_hkdf_job job = next_epoch_derivation(&next, now->secret);
    int error = sp_hkdf_sha256_batch(&job, 1);
    job = next_epoch_derivation(&after, next.root);
    if (error == 0)
        error = sp_hkdf_sha256_batch(&job, 1);
    memset(out, 0, sizeof(*out));
    if (error == 0)
        error = sp_aead_key_init(&out->key, next.key);
    if (error == 0) {
        out->is_known = true;
        memcpy(out->id, next.id, sizeof(next.id));
        memcpy(out->secret, next.root, sizeof(next.root));
        memcpy(out->next_id, after.id, sizeof(after.id));
    }
    sp_wipe(&next, sizeof(next));
    sp_wipe(&after, sizeof(after));
    return error;
}

int sp_receiving_derive_answer(struct sp_receiving *out, const struct sp_session *s,
                               const uint8_t id[SP_SESSION_ID_BYTES])
{
    const struct sp_receiving *now = &s->receiving;
    uint8_t info[ANSWER_INFO_BYTES];
    struct answer answer;
    struct epoch next;
    struct sp_hkdf_job job = answer_derivation(&answer, info, now->secret, id);
    int error = sp_hkdf_sha256_batch(&job, 1);
    *out = (struct sp_receiving){.is_known = true, .skipped = now->skipped};
    memcpy(out->id, id, SP_SESSION_ID_BYTES);
    if (error == 0 && s->mode == SP_SESSION_RATCHET) {
        memcpy(out->secret, answer.key, 32);
    } else if (error == 0) {
        job = next_epoch_derivation(&next, answer.root);
        error = sp_hkdf_sha256_batch(&job, 1);
        memcpy(out->secret, answer.root, 32);
        memcpy(out->next_id, next.id, SP_SESSION_ID_BYTES);
        if (error == 0)
            error = sp_aead_key_init(&out->key, answer.key);
        sp_wipe(&next, sizeof(next));
    }
    sp_wipe(&answer, sizeof(answer));
    return error;
}

void sp_receiving_follow(struct sp_receiving *receiving, const struct sp_receiving *next,
                         struct sp_receiving *room)
{
    forget_previous(receiving);
    *room = *receiving;
    sp_wipe(room->secret, sizeof(room->secret)); // its next epoch is this one
    *receiving = *next;
    receiving->previous = room;
}
