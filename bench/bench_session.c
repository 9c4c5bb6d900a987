// `sealpost-bench session`: session messages, one of each of as many sessions as a batch has, in
// counter and in ratchet mode: counter, key, associated data, frame and replay window. Main thread
// only.
#include "bench_session.h"

#include <stdlib.h>

#include "bench.h"

#define HANDSHAKE_AD_BYTES 66u // X3DH's

// The library's sessions of a cell.
struct sessions {
    struct sp_session *a, *b;    // the initiator sends
    struct sp_receiving *before; // of b, before the message that is opened; what a message changes
    struct sp_session_job *jobs; // one for each slot
};

// ---- inputs -------------------------------------------------------------------------------------

static struct sp_session_init_job init_job(const struct bench_session_cell *c, unsigned slot,
                                           struct sp_session *session, bool initiator)
{
    return (struct sp_session_init_job){
        .session = session,
        .handshake = &c->handshakes[slot],
        .initiator = initiator,
        .local.ed25519 = initiator ? c->initiator : c->responder,
        .remote.ed25519 = initiator ? c->responder : c->initiator,
        .mode = bench_session_is_ratchet(c) ? SP_SESSION_RATCHET : SP_SESSION_COUNTER,
        .skipped_max = 1,
    };
}

static void start_session(const struct bench_session_cell *c, unsigned slot,
                          struct sp_session *session, bool initiator)
{
    struct sp_session_init_job job = init_job(c, slot, session, initiator);

    sp_session_init_batch(&job, 1);
    BENCH_MICRO_NEED(job.result == 0);
}

static void seal_into(struct sp_session *s, const struct bench_session_cell *c, uint8_t *out)
{
    struct sp_session_job job = {.session = s, .in = c->text, .len = c->point.bytes, .out = out};

    sp_session_seal_batch(&job, 1);
    BENCH_MICRO_NEED(job.result == 0);
}

// The second session message of each slot's initiator: the first one goes past the counter of the
// initial message, which is no ordinary step.
static void seal_messages(struct bench_session_cell *c)
{
    for (unsigned i = 0; i < c->point.slots; i++) {
        uint8_t *message = c->messages + i * c->stride;
        struct sp_session a;

        start_session(c, i, &a, true);
        seal_into(&a, c, message);
        seal_into(&a, c, message);
        sp_session_free(&a);
    }
}

struct bench_session_cell *bench_session_create(const struct bench_micro_point *p)
{
    struct bench_session_cell *c = bench_micro_alloc(1, sizeof *c);

    c->point = *p;
    c->stride = (p->bytes + SP_SESSION_OVERHEAD_BYTES + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES *
                CACHE_LINE_BYTES;
    c->out = bench_micro_alloc(p->slots, c->stride);
    c->messages = bench_micro_alloc(p->slots, c->stride);
    c->text = bench_micro_alloc(p->bytes, 1);
    c->handshakes = bench_micro_alloc(p->slots, sizeof *c->handshakes);
    bench_micro_fill(c->text, p->bytes, 1);
    bench_micro_fill(c->initiator, sizeof c->initiator, 2);
    bench_micro_fill(c->responder, sizeof c->responder, 3);
    for (unsigned i = 0; i < p->slots; i++) {
        struct sp_handshake *handshake = &c->handshakes[i];

        handshake->suite = SP_SUITE_X3DH;
        handshake->ad_len = HANDSHAKE_AD_BYTES;
        bench_micro_fill(handshake->sk, sizeof handshake->sk, 1000 + i);
        bench_micro_fill(handshake->ad, handshake->ad_len, 2000 + i);
    }
    if (!bench_session_is_sealing(c))
        seal_messages(c);
    c->cell = (struct bench_micro_cell){.output = c->out, .output_len = p->slots * c->stride};
    return c;
}

void bench_session_destroy(struct bench_session_cell *c)
{
    free(c->out);
    free(c->messages);
    free(c->text);
    free(c->handshakes);
    free(c);
}

// ---- libsealcrypto ------------------------------------------------------------------------------

// The responder's session as it is before the message to open.
static void start_responder(struct bench_session_cell *c, struct sessions *own, unsigned slot)
{
    struct sp_session *b = &own->b[slot];
    uint8_t *message = c->out + slot * c->stride; // only borrowed: opening writes it anew
    struct sp_session_job job = {.session = b,
                                 .in = message,
                                 .len = c->point.bytes + SP_SESSION_OVERHEAD_BYTES,
                                 .out = message + 16};

    start_session(c, slot, &own->a[slot], true);
    start_session(c, slot, b, false);
    seal_into(&own->a[slot], c, message);
    sp_session_open_batch(&job, 1);
    BENCH_MICRO_NEED(job.result == 0);
    memset(message, 0, c->stride);
    own->before[slot] = b->receiving;
}

static struct bench_micro_cell *sealcrypto_prepare(const struct bench_micro_point *p)
{
    struct bench_session_cell *c = bench_session_create(p);
    struct sessions *own = bench_micro_alloc(1, sizeof *own);
    const bool sealing = bench_session_is_sealing(c);

    own->a = bench_micro_alloc(p->slots, sizeof *own->a);
    own->b = bench_micro_alloc(p->slots, sizeof *own->b);
    own->before = bench_micro_alloc(p->slots, sizeof *own->before);
    own->jobs = bench_micro_alloc(p->slots, sizeof *own->jobs);
    for (unsigned i = 0; i < p->slots; i++) {
        if (sealing)
            start_session(c, i, &own->a[i], true);
        else
            start_responder(c, own, i);
        own->jobs[i] = (struct sp_session_job){
            .session = sealing ? &own->a[i] : &own->b[i],
            .in = sealing ? c->text : c->messages + i * c->stride,
            .len = p->bytes + (sealing ? 0 : SP_SESSION_OVERHEAD_BYTES),
            .out = c->out + i * c->stride,
        };
    }
    c->own = own;
    return &c->cell;
}

static void sealcrypto_finish(struct bench_micro_cell *cell)
{
    struct bench_session_cell *c = bench_session_of(cell);
    struct sessions *own = c->own;

    for (unsigned i = 0; i < c->point.slots; i++) {
        sp_session_free(&own->a[i]);
        sp_session_free(&own->b[i]);
    }
    free(own->a);
    free(own->b);
    free(own->before);
    free(own->jobs);
    free(own);
    bench_session_destroy(c);
}

static bool are_done(const struct sp_session_job *jobs, unsigned count)
{
    bool good = true;

    for (unsigned i = 0; i < count; i++)
        good &= jobs[i].result == 0;
    return good;
}

static bool sealcrypto_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_session_cell *c = bench_session_of(cell);
    struct sessions *own = c->own;
    bool good = true;

    for (; calls > 0; calls--) {
        struct sp_session_job *jobs = own->jobs + bench_session_next_slots(c, c->point.batch);

        sp_session_seal_batch(jobs, c->point.batch);
        good &= are_done(jobs, c->point.batch);
    }
    return good;
}

// What a message changes, put back: the window or the chain.
static void put_back(struct sp_receiving *now, const struct sp_receiving *before, bool ratchet)
{
    now->highest = before->highest;
    now->window[0] = before->window[0];
    if (ratchet)
        memcpy(now->secret, before->secret, sizeof now->secret);
}

static bool sealcrypto_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_session_cell *c = bench_session_of(cell);
    struct sessions *own = c->own;
    const bool ratchet = bench_session_is_ratchet(c);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_session_next_slots(c, c->point.batch);

        for (unsigned i = slot; i < slot + c->point.batch; i++)
            put_back(&own->b[i].receiving, &own->before[i], ratchet);
        sp_session_open_batch(own->jobs + slot, c->point.batch);
        good &= are_done(own->jobs + slot, c->point.batch);
    }
    return good;
}

static const char *sealcrypto_tier(unsigned op)
{
    (void)op;
    return sp_tier();
}

static const struct bench_micro_impl sealcrypto = {
    .name = "sealcrypto",
    .batches = true,
    .tier = sealcrypto_tier,
    .prepare = sealcrypto_prepare,
    .run = {[BENCH_COUNTER_SEAL] = sealcrypto_seal,
            [BENCH_COUNTER_OPEN] = sealcrypto_open,
            [BENCH_RATCHET_SEAL] = sealcrypto_seal,
            [BENCH_RATCHET_OPEN] = sealcrypto_open},
    .finish = sealcrypto_finish,
};

// ---- the subject --------------------------------------------------------------------------------

static const struct bench_micro_impl *const impls[] = {&sealcrypto, &bench_session_evp};

#define OP(name, index)                                                                            \
    {                                                                                              \
        name, index, {64, 256, 1024}, impls, COUNT_OF(impls)                                       \
    }
static const struct bench_micro_op op_table[BENCH_SESSION_OPS] = {
    [BENCH_COUNTER_SEAL] = OP("counter_seal", BENCH_COUNTER_SEAL),
    [BENCH_COUNTER_OPEN] = OP("counter_open", BENCH_COUNTER_OPEN),
    [BENCH_RATCHET_SEAL] = OP("ratchet_seal", BENCH_RATCHET_SEAL),
    [BENCH_RATCHET_OPEN] = OP("ratchet_open", BENCH_RATCHET_OPEN),
};

int bench_session_main(int argc, char **argv)
{
    static const struct bench_micro_op *const ops[] = {&op_table[0], &op_table[1], &op_table[2],
                                                       &op_table[3]};
    static const struct bench_micro_subject subject = {
        .doc = "Measure session messages, one of each of as many sessions: libsealcrypto in "
               "batches beside OpenSSL (evp) with the same framing and no replay window, one "
               "message at a time.\v"
               "Operations: counter_seal, counter_open (a prepared key for each session), "
               "ratchet_seal, ratchet_open (a step of the chain and a fresh key for each "
               "message). Exit codes: 0 pass, 1 an implementation failed or disagreed, 104 bad "
               "command line, 105 interrupted.",
        .unit = "message",
        .sized = true,
        .ops = ops,
        .op_count = COUNT_OF(ops),
    };

    return bench_micro_main(&subject, argc, argv);
}
