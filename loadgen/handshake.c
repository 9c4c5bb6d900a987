// X3DH and PQXDH of the shard's pairs, batched over pairs. Public-key work takes tens to hundreds
// of microseconds a handshake, milliseconds with a hybrid identity, so each turn does a bounded
// number of them. Never allocates on the way but inside the library: prepared keys, post-quantum
// work.
#include "handshake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "shard.h"
#include "user_control.h"

#define RETRY_NS (20 * NS_PER_MS)
#define ANSWER_BYTES (LEDGER_RECORD_BYTES + SP_SESSION_OVERHEAD_BYTES)
// A ratchet's keys for messages that were overtaken: the relay keeps the order, so few are needed.
#define SKIPPED_MAX 64u

// ---- what waits ---------------------------------------------------------------------------------

static int init_queue(struct handshake_queue *q, uint32_t capacity, size_t stride_bytes)
{
    *q = (struct handshake_queue){.stride_bytes = stride_bytes, .capacity = capacity};
    q->clients = calloc(capacity, sizeof(*q->clients));
    q->places = calloc(capacity, stride_bytes);
    return q->clients && q->places ? 0 : -ENOMEM;
}

static void free_queue(struct handshake_queue *q)
{
    free(q->clients);
    free(q->places);
}

// A client waits once at most in each queue, so there is always a place.
static void *push(struct handshake_queue *q, struct client *c)
{
    uint32_t at = (q->head + q->count++) % q->capacity;

    assert(q->count <= q->capacity);
    q->clients[at] = c;
    return q->places + at * q->stride_bytes;
}

static struct client *peek(const struct handshake_queue *q, uint32_t index, void **place)
{
    uint32_t at = (q->head + index) % q->capacity;

    *place = q->places + at * q->stride_bytes;
    return q->clients[at];
}

static void drop(struct handshake_queue *q, uint32_t count)
{
    q->head = (q->head + count) % q->capacity;
    q->count -= count;
}

int handshake_init(struct shard *s)
{
    struct handshakes *h = &s->handshakes;
    const struct options *o = s->options;
    int err;

    if (o->mode == OPTIONS_IDLE)
        return 0;
    h->initial_bytes =
        LEDGER_RECORD_BYTES + (uint32_t)sp_initial_overhead_bytes(o->suite, o->is_hybrid);
    err = init_queue(&h->bundles, s->client_count,
                     options_are_post_quantum(o) ? sizeof(struct sp_bundle_storage)
                                                 : sizeof(struct sp_bundle));
    return err < 0 ? err : init_queue(&h->initials, s->client_count, h->initial_bytes);
}

void handshake_free(struct shard *s)
{
    free_queue(&s->handshakes.bundles);
    free_queue(&s->handshakes.initials);
}

// ---- what comes in ------------------------------------------------------------------------------

static bool is_loading(const struct shard *s)
{
    return s->phase == SHARD_WARMUP || s->phase == SHARD_MEASURE;
}

static void ask(struct shard *s, struct client *c)
{
    char text[USER_CONTROL_MAX_BYTES];
    size_t len = user_control_encode_get_bundle(text, c->partner->persona.name, s->options->suite);

    c->x3dh = CLIENT_X3DH_ASKED;
    uplink_push_frame(s, c, WS_TEXT, (const uint8_t *)text, len);
}

void handshake_begin(struct shard *s, struct client *c)
{
    s->tally.handshakes_started++;
    c->x3dh_began_ns = clock_now_ns();
    ask(s, c);
}

void handshake_on_rate_limit(struct shard *s, struct client *c)
{
    s->tally.rate_limited++;
    timer_arm(&s->timers, &c->retry, clock_now_ns() + RETRY_NS);
}

void handshake_on_retry(struct shard *s, struct client *c)
{
    if (c->state == CLIENT_READY && c->x3dh == CLIENT_X3DH_ASKED)
        ask(s, c);
}

// A handshake that cannot complete: ends the set-up, later counts and makes room for the next.
static void fail(struct shard *s, struct client *initiator, const char *why)
{
    if (!is_loading(s) && s->phase != SHARD_DRAIN) {
        shard_fail(s, SHARD_FAILURE_PROTOCOL, "a handshake failed: %s", why);
        return;
    }
    s->tally.handshakes_failed++;
    s->tally.ledger.auth_fail++;
    pulse_add(&s->pulse.faults, 1);
    initiator->x3dh = CLIENT_X3DH_NONE;
    if (is_loading(s) && initiator->state == CLIENT_READY)
        handshake_begin(s, initiator);
}

void handshake_on_refused(struct shard *s, struct client *c)
{
    struct client *initiator = c->number % 2 == 0 ? c : c->partner;

    if (initiator->x3dh == CLIENT_X3DH_INITIATED)
        fail(s, initiator, "the relay refused a message of it");
}

void handshake_on_bundle(struct shard *s, struct client *c, const struct sp_bundle_storage *bundle)
{
    struct handshake_queue *q = &s->handshakes.bundles;

    if (c->x3dh != CLIENT_X3DH_ASKED)
        return;
    c->x3dh = CLIENT_X3DH_BUNDLE;
    if (q->stride_bytes == sizeof(struct sp_bundle)) {
        struct sp_bundle *copy = push(q, c);

        *copy = bundle->bundle;
        copy->kem_prekey = NULL; // not asked for, and no room for it
        copy->ml_dsa = NULL;
        return;
    }
    struct sp_bundle_storage *copy = push(q, c);

    *copy = *bundle;
    copy->bundle.kem_prekey = bundle->bundle.kem_prekey ? &copy->kem_prekey : NULL;
    copy->bundle.ml_dsa = bundle->bundle.ml_dsa ? &copy->ml_dsa : NULL;
}

void handshake_on_initial(struct shard *s, struct client *c, const uint8_t *ciphertext, size_t len)
{
    struct handshakes *h = &s->handshakes;

    if (c->state != CLIENT_READY || len != h->initial_bytes || c->is_responding) {
        s->tally.ledger.auth_fail++;
        pulse_add(&s->pulse.faults, 1);
        return;
    }
    c->is_responding = true;
    memcpy(push(&h->initials, c), ciphertext, len);
}

// ---- the initiator ------------------------------------------------------------------------------

static struct ledger_record make_record(const struct shard *s, const struct client *from)
{
    return (struct ledger_record){.run_id = s->run_id,
                                  .sender = from->number,
                                  .receiver = from->partner->number,
                                  .intended_ns = s->now_ns,
                                  .sent_ns = s->now_ns,
                                  .flags = LEDGER_FLAG_HANDSHAKE};
}

// A new session takes the place of the old one.
static struct sp_session_init_job renewal(const struct shard *s, struct client *c,
                                          const struct sp_handshake *handshake, bool initiator)
{
    if (c->has_session)
        sp_session_free(&c->session);
    c->has_session = false;
    return (struct sp_session_init_job){.session = &c->session,
                                        .handshake = handshake,
                                        .initiator = initiator,
                                        .local = sp_identity_public(&c->persona.identity),
                                        .remote = sp_identity_public(&c->partner->persona.identity),
                                        .mode = s->options->session,
                                        .skipped_max = SKIPPED_MAX};
}

// The initial messages of those whose bundle was good.
static void send_initials(struct shard *s, struct client **clients,
                          const struct sp_initiate_job **handshakes, uint32_t count)
{
    static_assert(sizeof(uint8_t[HANDSHAKE_BATCH][HANDSHAKE_INITIAL_MAX_BYTES]) <= 256 * KIB,
                  "a batch fits the stack");
    uint8_t plain[HANDSHAKE_BATCH][LEDGER_RECORD_BYTES];
    uint8_t sealed[HANDSHAKE_BATCH][HANDSHAKE_INITIAL_MAX_BYTES];
    struct sp_session_init_job sessions[HANDSHAKE_BATCH];
    struct sp_initial_seal_job seals[HANDSHAKE_BATCH];

    for (uint32_t i = 0; i < count; i++) {
        struct ledger_record record = make_record(s, clients[i]);

        ledger_encode_record(plain[i], &record);
        sessions[i] = renewal(s, clients[i], &handshakes[i]->handshake, true);
        seals[i] = (struct sp_initial_seal_job){.session = &clients[i]->session,
                                                .handshake = handshakes[i],
                                                .in = plain[i],
                                                .len = LEDGER_RECORD_BYTES,
                                                .out = sealed[i]};
    }
    sp_session_init_batch(sessions, count);
    for (uint32_t i = 0; i < count; i++) {
        clients[i]->has_session = sessions[i].result == 0;
        if (!clients[i]->has_session) {
            shard_fail(s, SHARD_FAILURE_INTERNAL, "no session could be made");
            return;
        }
    }
    sp_initial_seal_batch(seals, count);
    for (uint32_t i = 0; i < count; i++) {
        if (seals[i].result != 0) {
            shard_fail(s, SHARD_FAILURE_INTERNAL, "an initial message could not be sealed");
            return;
        }
        clients[i]->x3dh = CLIENT_X3DH_INITIATED;
        clients[i]->with_one_time = handshakes[i]->bundle->has_one_time_prekey;
        uplink_push_envelope(s, clients[i], WIRE_KIND_INITIAL, sealed[i],
                             s->handshakes.initial_bytes);
    }
}

// A handshake that an sp_handshake_error ended, in words.
static const char *reason(int result)
{
    switch (result) {
    case SP_HANDSHAKE_SUITE:
        return "the other side offers another suite or kind of identity";
    case SP_HANDSHAKE_SIGNATURE:
        return "a signature does not verify";
    case SP_HANDSHAKE_POINT:
        return "a key is no good point of the curve";
    case SP_HANDSHAKE_KEM:
        return "a KEM key is malformed";
    case SP_HANDSHAKE_PREKEY:
        return "its one-time prekey is unknown or used";
    case SP_HANDSHAKE_MALFORMED:
        return "the initial message is malformed";
    case SP_HANDSHAKE_IDENTITY:
        return "the initiator's identity does not open";
    case SP_SESSION_REPLAY:
    case SP_SESSION_FORGED:
        return "the initial message does not open";
    default:
        return "the cryptography failed";
    }
}

static void initiate(struct shard *s, uint32_t count)
{
    struct handshake_queue *q = &s->handshakes.bundles;
    struct sp_initiate_job jobs[HANDSHAKE_BATCH];
    const struct sp_initiate_job *good[HANDSHAKE_BATCH];
    struct client *clients[HANDSHAKE_BATCH], *good_clients[HANDSHAKE_BATCH];
    uint32_t good_count = 0;

    for (uint32_t i = 0; i < count; i++) {
        void *bundle; // both kinds of place begin with it

        clients[i] = peek(q, i, &bundle);
        jobs[i] = (struct sp_initiate_job){.identity = &clients[i]->persona.identity,
                                           .bundle = bundle,
                                           .suite = s->options->suite};
    }
    sp_handshake_initiate_batch(jobs, count);
    for (uint32_t i = 0; i < count; i++) {
        struct client *c = clients[i];

        if (c->state == CLIENT_CLOSED)
            continue;
        if (jobs[i].result != 0) {
            fail(s, c, reason(jobs[i].result));
        } else if (memcmp(jobs[i].bundle->identity_key, c->partner->persona.identity.ed25519, 32) !=
                   0) {
            fail(s, c, "the bundle is somebody else's");
        } else {
            good_clients[good_count] = c;
            good[good_count++] = &jobs[i];
        }
    }
    send_initials(s, good_clients, good, good_count);
    drop(q, count);
    sp_wipe(jobs, sizeof jobs);
}

// ---- the responder ------------------------------------------------------------------------------

// One initial message on its way: what it names, and the secrets of that.
struct response {
    struct client *client;
    struct sp_initial_header header;
    uint8_t *one_time_secret;
    struct sp_ml_kem_key one_time_kem; // empty unless the message names a one-time KEM prekey
    uint8_t initiator_ml_dsa_65[SP_ML_DSA_PUBLIC_BYTES];
};

static const char *prepare(const struct shard *s, struct response *r, const uint8_t *message,
                           struct sp_respond_job *job)
{
    struct persona *p = &r->client->persona;
    const struct sp_ml_kem_key *kem = NULL;
    const struct sp_initial_header *header = &r->header;

    if (sp_initial_decode(&r->header, message, s->handshakes.initial_bytes) != 0 ||
        header->signed_prekey_id != PERSONA_SIGNED_PREKEY_ID ||
        header->is_ratchet != (s->options->session == SP_SESSION_RATCHET))
        return "the initial message is malformed";
    r->one_time_secret = persona_find_one_time(p, header->one_time_prekey_id);
    if (header->one_time_prekey_id != 0 && !r->one_time_secret)
        return "its one-time prekey is unknown or used";
    if (header->suite == SP_SUITE_PQXDH)
        kem = persona_find_kem(p, header->kem_prekey_id, &r->one_time_kem);
    if (header->suite == SP_SUITE_PQXDH && !kem)
        return "its KEM prekey is unknown or used";
    *job = (struct sp_respond_job){
        .identity = &p->identity,
        .suite = s->options->suite,
        .message = message,
        .len = s->handshakes.initial_bytes,
        .signed_prekey_secret = p->signed_prekey_secret,
        .one_time_prekey_secret = r->one_time_secret,
        .kem_key = kem,
        .initiator_ml_dsa_65 = s->options->is_hybrid ? r->initiator_ml_dsa_65 : NULL,
    };
    return NULL;
}

// Was it the partner's? Then its record counts, and the prekeys it used are gone.
static const char *admit(struct shard *s, struct response *r, const struct sp_respond_job *job,
                         const uint8_t plain[LEDGER_RECORD_BYTES])
{
    struct client *c = r->client;
    struct ledger_record record;

    if (memcmp(job->initiator_ed25519, c->partner->persona.identity.ed25519, 32) != 0)
        return "the initial message is somebody else's";
    if (r->header.one_time_prekey_id != 0)
        persona_drop_one_time(&c->persona, r->header.one_time_prekey_id);
    if (r->header.kem_prekey_id != 0)
        persona_drop_kem(&c->persona, r->header.kem_prekey_id);
    ledger_decode_record(&record, plain);
    if (ledger_check(&c->flow, &s->tally.ledger, &record, s->run_id, c->partner->number, c->number,
                     false) != LEDGER_IN_ORDER)
        return "the initial message is not for this user";
    return NULL;
}

static void answer(struct shard *s, struct client **clients, uint32_t count)
{
    struct sp_session_job jobs[HANDSHAKE_BATCH];
    uint8_t sealed[HANDSHAKE_BATCH][ANSWER_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        struct ledger_record record = make_record(s, clients[i]);

        ledger_encode_record(sealed[i] + 16, &record);
        jobs[i] = (struct sp_session_job){.session = &clients[i]->session,
                                          .in = sealed[i] + 16,
                                          .len = LEDGER_RECORD_BYTES,
                                          .out = sealed[i]};
    }
    sp_session_seal_batch(jobs, count);
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].result != 0)
            shard_fail(s, SHARD_FAILURE_INTERNAL, "an answer could not be sealed");
        uplink_push_envelope(s, clients[i], WIRE_KIND_SESSION, sealed[i], ANSWER_BYTES);
        client_settle(s, clients[i]);
        client_restock(s, clients[i]);
    }
}

// Open the payloads of those whose key agreement held, and answer.
static void conclude(struct shard *s, struct response *responses, const struct sp_respond_job *jobs,
                     uint32_t count)
{
    uint8_t plain[HANDSHAKE_BATCH][LEDGER_RECORD_BYTES];
    struct sp_session_init_job sessions[HANDSHAKE_BATCH];
    struct sp_initial_open_job opens[HANDSHAKE_BATCH];
    struct client *clients[HANDSHAKE_BATCH];
    uint32_t at[HANDSHAKE_BATCH], good = 0, answers = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct client *c = responses[i].client;

        if (jobs[i].result != 0) {
            fail(s, c->partner, reason(jobs[i].result));
            continue;
        }
        sessions[good] = renewal(s, c, &jobs[i].handshake, false);
        opens[good] = (struct sp_initial_open_job){
            .session = &c->session,
            .in = jobs[i].message,
            .len = jobs[i].len,
            .out = plain[good],
            .one_time_prekey_secret = responses[i].one_time_secret,
            .one_time_kem_key = responses[i].one_time_kem.state ? &responses[i].one_time_kem : NULL,
        };
        at[good++] = i;
    }
    sp_session_init_batch(sessions, good);
    for (uint32_t k = 0; k < good; k++) {
        responses[at[k]].client->has_session = sessions[k].result == 0;
        if (sessions[k].result != 0) {
            shard_fail(s, SHARD_FAILURE_INTERNAL, "no session could be made");
            return;
        }
    }
    sp_initial_open_batch(opens, good);
    for (uint32_t k = 0; k < good; k++) {
        struct response *r = &responses[at[k]];
        const char *why =
            opens[k].result != 0 ? reason(opens[k].result) : admit(s, r, &jobs[at[k]], plain[k]);

        if (why)
            fail(s, r->client->partner, why);
        else
            clients[answers++] = r->client;
    }
    answer(s, clients, answers);
}

static void respond(struct shard *s, uint32_t count)
{
    struct handshake_queue *q = &s->handshakes.initials;
    struct response responses[HANDSHAKE_BATCH];
    struct sp_respond_job jobs[HANDSHAKE_BATCH];
    uint32_t prepared = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct response *r = &responses[prepared];
        void *message;
        const char *why;

        *r = (struct response){.client = peek(q, i, &message)};
        r->client->is_responding = false;
        if (r->client->state == CLIENT_CLOSED)
            continue;
        why = prepare(s, r, message, &jobs[prepared]);
        if (why)
            fail(s, r->client->partner, why);
        else
            prepared++;
    }
    if (prepared > 0) {
        sp_handshake_respond_batch(jobs, prepared);
        conclude(s, responses, jobs, prepared);
    }
    for (uint32_t i = 0; i < prepared; i++)
        sp_ml_kem_key_free(&responses[i].one_time_kem);
    drop(q, count);
    sp_wipe(jobs, sizeof jobs);
}

void handshake_on_answer(struct shard *s, struct client *c, uint64_t received_ns)
{
    struct tally *t = &s->tally;
    uint64_t took_ns = received_ns - c->x3dh_began_ns;

    if (c->x3dh != CLIENT_X3DH_INITIATED) {
        t->ledger.auth_fail++;
        return;
    }
    c->x3dh = CLIENT_X3DH_NONE;
    t->handshakes_done++;
    hist_record(&t->x3dh, took_ns);
    if (received_ns >= s->measure_ns && received_ns < s->end_ns) {
        if (c->with_one_time)
            t->handshakes++;
        else
            t->handshakes_without_one_time++;
    }
    if (shard_is_handshaking(s) && c->is_settled) {
        pulse_add(&s->pulse.handshakes, 1);
        pulse_record(&s->pulse, took_ns);
        if (c->x3dh_began_ns >= s->measure_ns && c->x3dh_began_ns < s->end_ns)
            hist_record(&t->response, took_ns);
    }
    client_settle(s, c);
    if (shard_is_handshaking(s) && is_loading(s) && received_ns < s->end_ns)
        handshake_begin(s, c);
}

bool handshake_is_waiting(const struct shard *s)
{
    return s->handshakes.bundles.count > 0 || s->handshakes.initials.count > 0;
}

void handshake_flush(struct shard *s)
{
    struct handshakes *h = &s->handshakes;
    uint32_t bundles = h->bundles.count < HANDSHAKE_BATCH ? h->bundles.count : HANDSHAKE_BATCH;
    uint32_t initials = h->initials.count < HANDSHAKE_BATCH ? h->initials.count : HANDSHAKE_BATCH;

    if (bundles > 0)
        initiate(s, bundles);
    if (initials > 0)
        respond(s, initials);
}
