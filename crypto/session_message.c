// Session messages in batches: their frame, their epochs, and the way of counter mode, where one
// pass fills the AEAD jobs straight from the caller's. A ratchet's messages go by sealed_message.c.
// The thread that owns the sessions. Allocates for the first message of an epoch only.
// Source: docs/PROTOCOL.md sections 5 and 6.
//
//     session message = session id (8) ‖ counter (u64) ‖ sealed bytes ‖ tag (16)
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "window.h"

#define HEADER_BYTES 16u // session id, counter
#define CHUNK_JOBS 64u   // one AEAD call for so many messages, ≈ 11 KB of stack
// With many sessions each one has left the near caches by its next message. Filling a job takes
// some nanoseconds, so that a few jobs ahead is as long as memory takes.
#define PREFETCH_JOBS 8u
// The AEAD driver fetches keys while it works on the messages before; those of the first ones are
// fetched here. With many sessions and few messages in a batch that is nearly all there is to wait
// for.
#define PREFETCH_KEYS 8u
#define PREFETCH_KEY_BYTES 768u // a prepared key of the largest tier; a hint, nothing is read
#define LINE_BYTES 64u

// What a message adds to its AEAD job; a cache line.
struct context {
    _Alignas(LINE_BYTES) uint8_t ad[SP_AD_BYTES];
    uint8_t nonce[SP_NONCE_BYTES];
};
_Static_assert(sizeof(struct context) == LINE_BYTES, "a cache line");

// Some of the caller's jobs. Those of counter mode become AEAD jobs as they are looked at.
struct chunk {
    struct context context[CHUNK_JOBS];
    struct sp_aead_job aead[CHUNK_JOBS];
    struct sp_session_job *job[CHUNK_JOBS]; // whose aead[] that is
    struct sp_receiving *epoch[CHUNK_JOBS]; // of the same, if it is to be opened
    struct sp_session_job *ratchet[CHUNK_JOBS];
    size_t count, ratchet_count;
};

static void begin(struct chunk *c)
{
    c->count = c->ratchet_count = 0;
}

// What a message touches of its session, from sending.key to the first words of the window.
static void prefetch_session(const struct sp_session *s)
{
    const char *first = (const char *)&s->sending.key;
    const char *last = (const char *)&s->receiving.window[0];
    for (const char *line = first; line <= last; line += LINE_BYTES)
        __builtin_prefetch(line, 1);
    __builtin_prefetch(last, 1);
}

static void prefetch_key(const struct sp_aead_key *key)
{
    const uintptr_t state = (uintptr_t)key->state;
    for (uintptr_t line = state; line < state + PREFETCH_KEY_BYTES; line += LINE_BYTES)
        __builtin_prefetch((const void *)line);
}

// Give the job a place. Returns it, text and tag left open.
static inline struct sp_aead_job *add(struct chunk *c, struct sp_session_job *job,
                                      struct sp_aead_key *key, const uint8_t *sender,
                                      const uint8_t *recipient)
{
    const size_t i = c->count++;
    struct context *context = &c->context[i];
    struct sp_aead_job *aead = &c->aead[i];
    if (i < PREFETCH_KEYS && (i == 0 || c->aead[i - 1].key != key))
        prefetch_key(key);
    sp_ad_encode(context->ad, sender, recipient, SP_KIND_SESSION, job->counter);
    sp_nonce_encode(context->nonce, job->counter);
    c->job[i] = job;
    aead->key = key;
    aead->raw_key = NULL;
    aead->nonce = context->nonce;
    aead->ad = context->ad;
    aead->ad_len = SP_AD_BYTES;
    return aead;
}

// ---- sealing ------------------------------------------------------------------------------------

static void refuse_seal(struct sp_session_job *job, int result)
{
    memset(job->out, 0, job->len + SP_SESSION_OVERHEAD_BYTES);
    job->result = result;
}

static void write_header(const struct sp_session_job *job)
{
    memcpy(job->out, job->session->sending.id, SP_SESSION_ID_BYTES);
    sp_put_u64(job->out + SP_SESSION_ID_BYTES, job->counter);
}

static void seal_ratchet(struct sp_session_job *const *jobs, size_t count)
{
    struct sp_message_job messages[CHUNK_JOBS];
    uint8_t ad[CHUNK_JOBS][SP_AD_BYTES];
    for (size_t i = 0; i < count; i++) {
        uint8_t *sealed = jobs[i]->out + HEADER_BYTES;
        messages[i] = (struct sp_message_job){
            .session = jobs[i]->session,
            .kind = SP_KIND_SESSION,
            .ad = ad[i],
            .in = jobs[i]->in,
            .out = sealed,
            .len = jobs[i]->len,
            .tag = sealed + jobs[i]->len,
        };
    }
    sp_message_seal_batch(messages, count);
    for (size_t i = 0; i < count; i++) {
        jobs[i]->counter = messages[i].counter;
        jobs[i]->result = messages[i].result;
        if (messages[i].result == 0)
            write_header(jobs[i]);
        else
            refuse_seal(jobs[i], messages[i].result);
    }
}

// Neither the one that may be the initial message's nor the one that is never used.
static bool is_ordinary(uint64_t counter)
{
    return counter != 0 && counter != UINT64_MAX;
}

static void plan_seal(struct chunk *c, struct sp_session_job *job)
{
    struct sp_session *s = job->session;
    const size_t len = job->len;
    assert(len <= INT_MAX);
    if (s->mode == SP_SESSION_RATCHET) {
        c->ratchet[c->ratchet_count++] = job;
        return;
    }
    if (is_ordinary(s->sending.counter)) {
        job->counter = s->sending.counter++;
    } else {
        const int error = sp_sending_take_counter(s, SP_KIND_SESSION, &job->counter);
        if (error != 0) {
            refuse_seal(job, error);
            return;
        }
    }
    job->result = 0;
    struct sp_aead_job *aead = add(c, job, &s->sending.key, s->local_mailbox, s->remote_mailbox);
    aead->in = job->in;
    aead->out = job->out + HEADER_BYTES;
    aead->len = len;
    aead->tag = job->out + HEADER_BYTES + len;
    write_header(job);
}

static void seal_chunk(struct sp_session_job *jobs, size_t count, size_t ahead)
{
    struct chunk c;
    begin(&c);
    for (size_t i = 0; i < count; i++) {
        if (i + PREFETCH_JOBS < ahead)
            prefetch_session(jobs[i + PREFETCH_JOBS].session);
        plan_seal(&c, &jobs[i]);
    }
    const int error = c.count == 0 ? 0 : sp_aead_seal_batch(c.aead, c.count);
    for (size_t i = 0; i < c.count && error != 0; i++)
        refuse_seal(c.job[i], error);
    if (c.ratchet_count > 0)
        seal_ratchet(c.ratchet, c.ratchet_count);
}

void sp_session_seal_batch(struct sp_session_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        seal_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS, count - i);
}

// ---- opening ------------------------------------------------------------------------------------

static void refuse_open(struct sp_session_job *job, int result)
{
    if (job->len > SP_SESSION_OVERHEAD_BYTES)
        memset(job->out, 0, job->len - SP_SESSION_OVERHEAD_BYTES);
    job->result = result;
}

static uint8_t *tag_of(const struct sp_session_job *job)
{
    return (uint8_t *)(uintptr_t)(job->in + job->len - SP_TAG_BYTES); // only read
}

static struct sp_message_job message_of(struct sp_session_job *job, struct sp_receiving *epoch,
                                        uint8_t ad[SP_AD_BYTES])
{
    return (struct sp_message_job){
        .session = job->session,
        .receiving = epoch,
        .kind = SP_KIND_SESSION,
        .ad = ad,
        .in = job->in + HEADER_BYTES,
        .out = job->out,
        .len = job->len - SP_SESSION_OVERHEAD_BYTES,
        .tag = tag_of(job),
        .counter = job->counter,
    };
}

static void open_ratchet(struct sp_session_job *const *jobs, size_t count)
{
    struct sp_message_job messages[CHUNK_JOBS];
    uint8_t ad[CHUNK_JOBS][SP_AD_BYTES];
    for (size_t i = 0; i < count; i++)
        messages[i] = message_of(jobs[i], NULL, ad[i]);
    sp_message_open_batch(messages, count);
    for (size_t i = 0; i < count; i++)
        jobs[i]->result = messages[i].result;
}

// A message that opened, or did not, and its epoch.
static inline void settle(struct sp_session_job *job, struct sp_receiving *epoch, bool ok)
{
    // Asked again: an earlier message of this chunk may have taken the counter.
    if (!ok)
        refuse_open(job, SP_SESSION_FORGED);
    else if (!sp_window_take(epoch, job->counter))
        refuse_open(job, SP_SESSION_REPLAY);
    else
        job->result = 0;
}

static void open_gathered(struct chunk *c)
{
    bool ok[CHUNK_JOBS];
    if (c->count == 0)
        return;
    (void)!sp_aead_open_batch(c->aead, c->count, ok);
    for (size_t i = 0; i < c->count; i++)
        settle(c->job[i], c->epoch[i], ok[i]);
    c->count = 0;
}

// A message under keys that are the session's only if it opens.
static bool open_under(struct sp_session_job *job, struct sp_receiving *candidate)
{
    uint8_t ad[SP_AD_BYTES];
    struct sp_message_job message = message_of(job, candidate, ad);
    sp_message_open_batch(&message, 1);
    job->result = message.result;
    if (message.result != 0)
        sp_aead_key_free(&candidate->key);
    return message.result == 0;
}

// The responder's first message to arrive: whatever its id, the key for it can be derived.
static void open_first(struct sp_session_job *job)
{
    struct sp_receiving first;
    const int error = sp_receiving_derive_answer(&first, job->session, job->in);
    if (error != 0)
        refuse_open(job, error);
    else if (open_under(job, &first))
        job->session->receiving = first;
    sp_wipe(&first, sizeof(first));
}

// The first message of an epoch.
static void open_following(struct sp_session_job *job)
{
    struct sp_receiving *receiving = &job->session->receiving, next;
    struct sp_receiving *room = malloc(sizeof(*room));
    if (room == NULL) {
        refuse_open(job, -ENOMEM);
        return;
    }
    const int error = sp_receiving_derive_following(&next, receiving);
    if (error != 0)
        refuse_open(job, error);
    else if (open_under(job, &next))
        sp_receiving_follow(receiving, &next, room);
    if (job->result != 0)
        free(room);
    sp_wipe(&next, sizeof(next));
}

static bool is_id(const uint8_t a[SP_SESSION_ID_BYTES], const uint8_t b[SP_SESSION_ID_BYTES])
{
    return memcmp(a, b, SP_SESSION_ID_BYTES) == 0;
}

// The epoch a message belongs to, by its session id: the one received or the one before, else NULL.
static struct sp_receiving *find_epoch(struct sp_receiving *receiving, const uint8_t *id)
{
    if (receiving->is_known && is_id(id, receiving->id))
        return receiving;
    return receiving->previous != NULL && is_id(id, receiving->previous->id) ? receiving->previous
                                                                             : NULL;
}

// A message of an epoch that is not known, and may be the one to make it known.
static void open_unknown(struct chunk *c, struct sp_session_job *job)
{
    struct sp_receiving *receiving = &job->session->receiving;
    if (!receiving->is_known) {
        open_first(job);
    } else if (job->session->mode == SP_SESSION_COUNTER && is_id(job->in, receiving->next_id)) {
        open_gathered(c); // they point to the epochs as they are
        open_following(job);
    } else {
        refuse_open(job, SP_SESSION_UNKNOWN);
    }
}

static void plan_open(struct chunk *c, struct sp_session_job *job)
{
    struct sp_session *s = job->session;
    if (job->len < SP_SESSION_OVERHEAD_BYTES) {
        refuse_open(job, SP_SESSION_TRUNCATED);
        return;
    }
    const size_t len = job->len - SP_SESSION_OVERHEAD_BYTES;
    job->counter = sp_get_u64(job->in + SP_SESSION_ID_BYTES);
    struct sp_receiving *epoch = find_epoch(&s->receiving, job->in);
    if (epoch == NULL) {
        open_unknown(c, job);
    } else if (s->mode == SP_SESSION_RATCHET) {
        c->ratchet[c->ratchet_count++] = job;
    } else if (len > INT_MAX) { // the peer chose it; nobody seals as much
        refuse_open(job, SP_SESSION_FORGED);
    } else if (!sp_window_accepts(epoch, job->counter)) {
        refuse_open(job, SP_SESSION_REPLAY);
    } else {
        c->epoch[c->count] = epoch;
        struct sp_aead_job *aead = add(c, job, &epoch->key, s->remote_mailbox, s->local_mailbox);
        aead->in = job->in + HEADER_BYTES;
        aead->out = job->out;
        aead->len = len;
        aead->tag = tag_of(job);
        __builtin_prefetch(sp_window_word(epoch, job->counter), 1); // for when it has opened
    }
}

static void open_chunk(struct sp_session_job *jobs, size_t count, size_t ahead)
{
    struct chunk c;
    begin(&c);
    for (size_t i = 0; i < count; i++) {
        if (i + PREFETCH_JOBS < ahead)
            prefetch_session(jobs[i + PREFETCH_JOBS].session);
        plan_open(&c, &jobs[i]);
    }
    open_gathered(&c);
    if (c.ratchet_count > 0)
        open_ratchet(c.ratchet, c.ratchet_count);
}

void sp_session_open_batch(struct sp_session_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        open_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS, count - i);
}
