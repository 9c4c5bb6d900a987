// Messages on their way through their sessions: which counter, which key, which associated data;
// then one AEAD call for many; then the books. The thread that owns the sessions. Never allocates.
//
// In ratchet mode the chain of a session can only be walked step by step. The messages of a chunk
// are therefore walked in waves: the first wave takes one step of every session that has a message,
// the second one of every session that has two, and each wave is one batch of hashes. Opening walks
// copies: a session's own chain moves only for messages that opened.
//
// Counter mode is here for what is rare: initial messages, and first messages of an epoch.
//
// Source: docs/PROTOCOL.md sections 5 and 6.
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "internal.h"
#include "window.h"

#define CHUNK_JOBS 64u // one AEAD call for so many messages, ≈ 11 KB of stack

// The ratchet's part of a chunk; by job. Holds secrets.
struct steps {
    uint8_t chain[CHUNK_JOBS][32];       // behind the job's message
    uint8_t message_key[CHUNK_JOBS][32]; // of the job's message
    uint32_t before[CHUNK_JOBS];         // the job whose chain it continues, plus one; 0: none
    uint32_t wave[CHUNK_JOBS];           // 1 …; 0 in counter mode
    uint32_t wave_count;
};

struct chunk {
    struct sp_aead_job aead[CHUNK_JOBS];
    struct sp_message_job *job[CHUNK_JOBS]; // whose aead[] that is
    uint8_t nonce[CHUNK_JOBS][SP_NONCE_BYTES];
    size_t count;
    struct steps steps;
};

// ---- what sealing and opening share -------------------------------------------------------------

static void begin(struct chunk *c)
{
    c->count = 0;
    c->steps.wave_count = 0;
}

static void end(struct chunk *c)
{
    if (c->steps.wave_count > 0) {
        sp_wipe(c->steps.chain, sizeof(c->steps.chain));
        sp_wipe(c->steps.message_key, sizeof(c->steps.message_key));
    }
}

// Give the job a place, its key left open. Returns the place.
static size_t add(struct chunk *c, struct sp_message_job *job, const uint8_t *sender,
                  const uint8_t *recipient)
{
    assert(job->len <= INT_MAX);
    const size_t i = c->count++;
    sp_nonce_encode(c->nonce[i], job->counter);
    sp_ad_encode(job->ad + job->ad_prefix_len, sender, recipient, job->kind, job->counter);
    c->job[i] = job;
    c->steps.wave[i] = 0;
    c->aead[i] = (struct sp_aead_job){
        .nonce = c->nonce[i],
        .ad = job->ad,
        .ad_len = job->ad_prefix_len + SP_AD_BYTES,
        .in = job->in,
        .out = job->out,
        .len = job->len,
        .tag = job->tag,
    };
    return i;
}

// The job at `i` takes the next step of a chain; `planned` is that direction's.
static void plan_step(struct chunk *c, size_t i, uint32_t *planned)
{
    struct steps *t = &c->steps;
    t->before[i] = *planned;
    t->wave[i] = *planned == 0 ? 1 : t->wave[*planned - 1] + 1;
    if (t->wave[i] > t->wave_count)
        t->wave_count = t->wave[i];
    *planned = (uint32_t)i + 1;
    c->aead[i].raw_key = t->message_key[i];
}

// Where a message is received: the epoch it was found to be of.
static struct sp_receiving *epoch_of(const struct sp_message_job *job)
{
    return job->receiving != NULL ? job->receiving : &job->session->receiving;
}

static const uint8_t *own_chain(const struct sp_message_job *job, bool sealing)
{
    return sealing ? job->session->sending.secret : epoch_of(job)->secret;
}

static void walk_wave(struct chunk *c, uint32_t wave, bool sealing)
{
    struct steps *t = &c->steps;
    uint8_t chain[CHUNK_JOBS][32], message_key[CHUNK_JOBS][32];
    size_t at[CHUNK_JOBS], count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (t->wave[i] != wave)
            continue;
        memcpy(chain[count],
               t->before[i] == 0 ? own_chain(c->job[i], sealing) : t->chain[t->before[i] - 1], 32);
        at[count++] = i;
    }
    sp_active->hash->chain_step(chain, message_key, count);
    for (size_t k = 0; k < count; k++) {
        memcpy(t->chain[at[k]], chain[k], 32);
        memcpy(t->message_key[at[k]], message_key[k], 32);
    }
    sp_wipe(chain, count * 32);
    sp_wipe(message_key, count * 32);
}

static void walk_chains(struct chunk *c, bool sealing)
{
    for (uint32_t wave = 1; wave <= c->steps.wave_count; wave++)
        walk_wave(c, wave, sealing);
}

static void zero(uint8_t *out, size_t len)
{
    if (len > 0)
        memset(out, 0, len);
}

// ---- sealing ------------------------------------------------------------------------------------

static void refuse_seal(struct sp_message_job *job, int result)
{
    zero(job->out, job->len);
    memset(job->tag, 0, SP_TAG_BYTES);
    job->result = result;
}

// Counter 0 of the initiator belongs to the initial message: a session message goes past it.
static void pass_initial(struct sp_session *s)
{
    uint8_t chain[1][32], unused[1][32];
    s->sending.counter = 1;
    if (s->mode != SP_SESSION_RATCHET)
        return;
    memcpy(chain[0], s->sending.secret, 32);
    sp_active->hash->chain_step(chain, unused, 1);
    memcpy(s->sending.secret, chain[0], 32);
    sp_wipe(chain, sizeof(chain));
    sp_wipe(unused, sizeof(unused));
}

int sp_sending_take_counter(struct sp_session *s, enum sp_kind kind, uint64_t *counter)
{
    const bool is_first = s->initiator && s->sending.epoch == 0 && s->sending.counter == 0;
    assert(kind == SP_KIND_SESSION || s->initiator);
    *counter = 0;
    if (kind == SP_KIND_INITIAL && !is_first)
        return -EINVAL;
    if (kind == SP_KIND_SESSION && is_first)
        pass_initial(s);
    if (s->sending.counter == UINT64_MAX)
        return SP_SESSION_EXHAUSTED;
    *counter = s->sending.counter++;
    return 0;
}

static void plan_seal(struct chunk *c, struct sp_message_job *job)
{
    struct sp_session *s = job->session;
    const int error = sp_sending_take_counter(s, job->kind, &job->counter);
    if (error != 0) {
        refuse_seal(job, error);
        return;
    }
    const size_t i = add(c, job, s->local_mailbox, s->remote_mailbox);
    if (s->mode == SP_SESSION_RATCHET)
        plan_step(c, i, &s->sending.planned);
    else
        c->aead[i].key = &s->sending.key;
}

static void seal_chunk(struct sp_message_job *jobs, size_t count)
{
    struct chunk c;
    begin(&c);
    for (size_t i = 0; i < count; i++)
        plan_seal(&c, &jobs[i]);
    walk_chains(&c, true);
    const int error = sp_aead_seal_batch(c.aead, c.count);
    for (size_t i = 0; i < c.count; i++) {
        struct sp_sending *sending = &c.job[i]->session->sending;
        c.job[i]->result = error;
        if (c.steps.wave[i] == 0)
            continue;
        memcpy(sending->secret, c.steps.chain[i], 32); // the last one stays
        sending->planned = 0;
    }
    end(&c);
}

void sp_message_seal_batch(struct sp_message_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        seal_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS);
}

// ---- opening ------------------------------------------------------------------------------------

static void refuse_open(struct sp_message_job *job, int result)
{
    zero(job->out, job->len);
    job->result = result;
}

// A message that opened with the key at `counter` of the chain; `chain` is the one behind it.
static int settle_step(struct sp_receiving *r, uint64_t counter, const uint8_t chain[32])
{
    assert(counter >= r->highest);
    if (counter - r->highest > sp_skipped_max(r->skipped))
        return SP_SESSION_AHEAD; // of messages before it that did not open
    sp_skipped_walk(r->skipped, r->secret, r->highest, counter);
    memcpy(r->secret, chain, 32);
    r->highest = counter + 1;
    return 0;
}

static void open_planned(struct chunk *c)
{
    bool ok[CHUNK_JOBS];
    walk_chains(c, false);
    (void)!sp_aead_open_batch(c->aead, c->count, ok);
    for (size_t i = 0; i < c->count; i++) {
        struct sp_message_job *job = c->job[i];
        struct sp_receiving *r = epoch_of(job);
        int result = SP_SESSION_FORGED;
        if (ok[i] && c->steps.wave[i] == 0)
            // Asked again: an earlier message of this chunk may have taken the counter.
            result = sp_window_take(r, job->counter) ? 0 : SP_SESSION_REPLAY;
        else if (ok[i])
            result = settle_step(r, job->counter, c->steps.chain[i]);
        r->planned = 0;
        if (result != 0)
            refuse_open(job, result);
        job->result = result;
    }
    end(c);
    begin(c);
}

// One message under its message key, outside of the chunk's order.
static bool open_with(struct sp_message_job *job, const uint8_t message_key[32])
{
    struct chunk c;
    bool ok;
    begin(&c);
    add(&c, job, job->session->remote_mailbox, job->session->local_mailbox);
    c.aead[0].raw_key = message_key;
    (void)!sp_aead_open_batch(c.aead, 1, &ok);
    return ok;
}

// A message of a counter that the chain has passed.
static int open_skipped(struct sp_message_job *job)
{
    struct sp_skipped *store = epoch_of(job)->skipped;
    uint8_t message_key[32];
    if (!sp_skipped_find(store, job->counter, message_key))
        return SP_SESSION_REPLAY;
    const bool ok = open_with(job, message_key);
    sp_wipe(message_key, sizeof(message_key));
    if (ok)
        sp_skipped_drop(store, job->counter);
    return ok ? 0 : SP_SESSION_FORGED;
}

// A message ahead of the chain. The chain is walked twice, so that a forged one leaves no trace.
static int open_ahead(struct sp_message_job *job)
{
    struct sp_receiving *r = epoch_of(job);
    uint8_t chain[1][32], message_key[1][32];
    if (job->counter - r->highest > sp_skipped_max(r->skipped) || job->counter == UINT64_MAX)
        return SP_SESSION_AHEAD;
    memcpy(chain[0], r->secret, 32);
    for (uint64_t n = r->highest; n <= job->counter; n++)
        sp_active->hash->chain_step(chain, message_key, 1);
    int result = SP_SESSION_FORGED;
    if (open_with(job, message_key[0]))
        result = settle_step(r, job->counter, chain[0]);
    sp_wipe(chain, sizeof(chain));
    sp_wipe(message_key, sizeof(message_key));
    return result;
}

static void open_out_of_order(struct sp_message_job *job)
{
    const bool is_behind = job->counter < epoch_of(job)->highest;
    const int result = is_behind ? open_skipped(job) : open_ahead(job);
    if (result != 0)
        refuse_open(job, result);
    job->result = result;
}

static void plan_open(struct chunk *c, struct sp_message_job *job)
{
    struct sp_session *s = job->session;
    struct sp_receiving *r = epoch_of(job);
    if (job->len > INT_MAX) { // the peer chose it; nobody seals as much
        refuse_open(job, SP_SESSION_FORGED);
        return;
    }
    if (s->mode == SP_SESSION_COUNTER) {
        if (!sp_window_accepts(r, job->counter)) {
            refuse_open(job, SP_SESSION_REPLAY);
            return;
        }
        c->aead[add(c, job, s->remote_mailbox, s->local_mailbox)].key = &r->key;
        return;
    }
    const uint64_t next = r->planned == 0 ? r->highest : c->job[r->planned - 1]->counter + 1;
    if (job->counter == next && next != UINT64_MAX) {
        plan_step(c, add(c, job, s->remote_mailbox, s->local_mailbox), &r->planned);
        return;
    }
    open_planned(c); // those before it come first
    open_out_of_order(job);
}

static void open_chunk(struct sp_message_job *jobs, size_t count)
{
    struct chunk c;
    begin(&c);
    for (size_t i = 0; i < count; i++)
        plan_open(&c, &jobs[i]);
    open_planned(&c);
}

void sp_message_open_batch(struct sp_message_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i += CHUNK_JOBS)
        open_chunk(jobs + i, count - i < CHUNK_JOBS ? count - i : CHUNK_JOBS);
}
