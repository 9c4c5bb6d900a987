// X3DH of the shard's pairs, batched over pairs. Public-key work takes hundreds of microseconds a
// handshake, so each turn does a bounded number of them. Never allocates on the way but for the
// prepared keys inside sp_session_init.
#include "handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "shard.h"
#include "user_control.h"

#define RETRY_NS (20 * NS_PER_MS)
#define ANSWER_BYTES (LEDGER_RECORD_BYTES + SP_SESSION_OVERHEAD_BYTES)

int handshake_init(struct shard *s)
{
    struct handshakes *h = &s->handshakes;

    if (s->options->mode == OPTIONS_IDLE)
        return 0;
    h->bundles = calloc(s->client_count, sizeof *h->bundles);
    h->initials = calloc(s->client_count, sizeof *h->initials);
    return h->bundles && h->initials ? 0 : -ENOMEM;
}

void handshake_free(struct shard *s)
{
    free(s->handshakes.bundles);
    free(s->handshakes.initials);
}

static bool is_loading(const struct shard *s)
{
    return s->phase == SHARD_WARMUP || s->phase == SHARD_MEASURE;
}

static void ask(struct shard *s, struct client *c)
{
    char text[USER_CONTROL_MAX_BYTES];
    size_t len = user_control_encode_get_bundle(text, c->partner->persona.name);

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

void handshake_on_bundle(struct shard *s, struct client *c, const struct sp_bundle *bundle)
{
    struct handshakes *h = &s->handshakes;

    if (c->x3dh != CLIENT_X3DH_ASKED)
        return;
    c->x3dh = CLIENT_X3DH_BUNDLE;
    h->bundles[h->bundle_count++] = (struct handshake_bundle){c, *bundle};
}

void handshake_on_initial(struct shard *s, struct client *c, const uint8_t *ciphertext, size_t len)
{
    struct handshakes *h = &s->handshakes;

    if (c->state != CLIENT_READY || len != HANDSHAKE_INITIAL_BYTES || c->is_responding) {
        s->tally.ledger.auth_fail++;
        pulse_add(&s->pulse.faults, 1);
        return;
    }
    c->is_responding = true;
    h->initials[h->initial_count].client = c;
    memcpy(h->initials[h->initial_count++].bytes, ciphertext, len);
}

static struct ledger_record make_record(const struct shard *s, const struct client *from)
{
    return (struct ledger_record){.run_id = s->run_id,
                                  .sender = from->number,
                                  .receiver = from->partner->number,
                                  .intended_ns = s->now_ns,
                                  .sent_ns = s->now_ns,
                                  .flags = LEDGER_FLAG_HANDSHAKE};
}

static bool renew_session(struct client *c, const struct sp_x3dh_result *x3dh, bool initiator)
{
    if (c->has_session)
        sp_session_free(&c->session);
    c->has_session =
        sp_session_init(&c->session, x3dh, initiator, c->persona.key, c->partner->persona.key) == 0;
    return c->has_session;
}

static void send_initial(struct shard *s, struct client *c, const struct sp_x3dh_initiate_job *job)
{
    struct ledger_record record = make_record(s, c);
    uint8_t plain[LEDGER_RECORD_BYTES], sealed[HANDSHAKE_INITIAL_BYTES];

    if (!renew_session(c, &job->result, true)) {
        shard_fail(s, SHARD_FAILURE_INTERNAL, "no session could be made");
        return;
    }
    ledger_encode_record(plain, &record);
    if (sp_initial_seal(sealed, &c->session, job, plain, sizeof plain) < 0) {
        shard_fail(s, SHARD_FAILURE_INTERNAL, "an initial message could not be sealed");
        return;
    }
    c->x3dh = CLIENT_X3DH_INITIATED;
    c->with_one_time = job->bundle->has_one_time_prekey;
    uplink_push_envelope(s, c, WIRE_KIND_INITIAL, sealed, sizeof sealed);
}

static void initiate(struct shard *s, struct handshake_bundle *entries, uint32_t count)
{
    struct sp_x3dh_initiate_job jobs[HANDSHAKE_BATCH];
    bool ok[HANDSHAKE_BATCH];

    for (uint32_t i = 0; i < count; i++)
        jobs[i] = (struct sp_x3dh_initiate_job){.identity_seed = entries[i].client->persona.seed,
                                                .identity_key = entries[i].client->persona.key,
                                                .bundle = &entries[i].bundle};
    bool all = sp_x3dh_initiate_batch(jobs, count, ok);
    for (uint32_t i = 0; i < count; i++) {
        struct client *c = entries[i].client;

        if (c->state == CLIENT_CLOSED)
            continue;
        if (!all && !ok[i])
            fail(s, c, "the bundle's signature or keys are wrong");
        else if (memcmp(entries[i].bundle.identity_key, c->partner->persona.key, 32) != 0)
            fail(s, c, "the bundle is somebody else's");
        else
            send_initial(s, c, &jobs[i]);
    }
    sp_wipe(jobs, sizeof jobs);
}

// What a responder needs before the batch: prekey secrets and the initiator's identity.
struct respond_entry {
    struct client *client;
    const uint8_t *message;
    struct sp_initial_header header;
    uint8_t initiator_key[32];
};

static const char *prepare(struct respond_entry *e, struct sp_x3dh_respond_job *job)
{
    const struct persona *p = &e->client->persona;
    const uint8_t *one_time = NULL;
    uint8_t header_key[32];
    bool is_open;

    if (sp_initial_decode(&e->header, e->message, HANDSHAKE_INITIAL_BYTES) != 0 ||
        e->header.signed_prekey_id != PERSONA_SIGNED_PREKEY_ID)
        return "the initial message is malformed";
    if (e->header.one_time_prekey_id != 0) {
        one_time = persona_find_one_time(p, e->header.one_time_prekey_id);
        if (!one_time)
            return "its one-time prekey is unknown or used";
    }
    if (!sp_x3dh_header_key(header_key, p->signed_prekey_secret, e->header.ephemeral_public))
        return "its ephemeral key is wrong";
    is_open =
        sp_initial_open_identity(e->initiator_key, header_key, e->message, HANDSHAKE_INITIAL_BYTES);
    sp_wipe(header_key, sizeof header_key);
    if (!is_open || memcmp(e->initiator_key, e->client->partner->persona.key, 32) != 0)
        return "its sender's identity does not open";
    *job = (struct sp_x3dh_respond_job){.identity_seed = p->seed,
                                        .identity_key = p->key,
                                        .signed_prekey_secret = p->signed_prekey_secret,
                                        .one_time_prekey_secret = one_time,
                                        .initiator_identity_key = e->initiator_key,
                                        .ephemeral_public = e->header.ephemeral_public};
    return NULL;
}

static const char *open_initial(struct shard *s, struct respond_entry *e,
                                const struct sp_x3dh_respond_job *job)
{
    struct client *c = e->client;
    struct ledger_record record;
    uint8_t plain[LEDGER_RECORD_BYTES];

    if (!renew_session(c, &job->result, false))
        return "no session could be made";
    if (sp_initial_open(plain, &c->session, e->message, HANDSHAKE_INITIAL_BYTES) != 0)
        return "the initial message does not open";
    if (e->header.one_time_prekey_id != 0)
        persona_drop_one_time(&c->persona, e->header.one_time_prekey_id);
    ledger_decode_record(&record, plain);
    if (ledger_check(&c->flow, &s->tally.ledger, &record, s->run_id, c->partner->number, c->number,
                     false) != LEDGER_IN_ORDER)
        return "the initial message is not for this user";
    return NULL;
}

static void answer(struct shard *s, struct respond_entry *entries,
                   const struct sp_x3dh_respond_job *responds, bool all, const bool *ok,
                   uint32_t count)
{
    struct sp_session_job jobs[HANDSHAKE_BATCH];
    uint8_t sealed[HANDSHAKE_BATCH][ANSWER_BYTES];
    struct client *clients[HANDSHAKE_BATCH];
    uint32_t answers = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct client *c = entries[i].client;
        const char *why = all || ok[i] ? open_initial(s, &entries[i], &responds[i]) : "X3DH failed";
        struct ledger_record record = make_record(s, c);

        if (why) {
            fail(s, c->partner, why);
            continue;
        }
        ledger_encode_record(sealed[answers] + 16, &record);
        jobs[answers] = (struct sp_session_job){.session = &c->session,
                                                .in = sealed[answers] + 16,
                                                .len = LEDGER_RECORD_BYTES,
                                                .out = sealed[answers]};
        clients[answers++] = c;
    }
    sp_session_seal_batch(jobs, answers);
    for (uint32_t i = 0; i < answers; i++) {
        if (jobs[i].result != 0)
            shard_fail(s, SHARD_FAILURE_INTERNAL, "an answer could not be sealed");
        uplink_push_envelope(s, clients[i], WIRE_KIND_SESSION, sealed[i], ANSWER_BYTES);
        client_settle(s, clients[i]);
        client_restock(s, clients[i]);
    }
}

static void respond(struct shard *s, const struct handshake_initial *initials, uint32_t count)
{
    struct respond_entry entries[HANDSHAKE_BATCH];
    struct sp_x3dh_respond_job jobs[HANDSHAKE_BATCH];
    bool ok[HANDSHAKE_BATCH];
    uint32_t prepared = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct respond_entry *e = &entries[prepared];
        const char *why;

        *e = (struct respond_entry){.client = initials[i].client, .message = initials[i].bytes};
        e->client->is_responding = false;
        if (e->client->state == CLIENT_CLOSED)
            continue;
        why = prepare(e, &jobs[prepared]);
        if (why)
            fail(s, e->client->partner, why);
        else
            prepared++;
    }
    if (prepared > 0) {
        bool all = sp_x3dh_respond_batch(jobs, prepared, ok);

        answer(s, entries, jobs, all, ok, prepared);
    }
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
    return s->handshakes.bundle_count > 0 || s->handshakes.initial_count > 0;
}

void handshake_flush(struct shard *s)
{
    struct handshakes *h = &s->handshakes;
    uint32_t count = h->bundle_count < HANDSHAKE_BATCH ? h->bundle_count : HANDSHAKE_BATCH;

    if (count > 0) {
        initiate(s, h->bundles, count);
        h->bundle_count -= count;
        memmove(h->bundles, h->bundles + count, h->bundle_count * sizeof *h->bundles);
    }
    count = h->initial_count < HANDSHAKE_BATCH ? h->initial_count : HANDSHAKE_BATCH;
    if (count > 0) {
        respond(s, h->initials, count);
        h->initial_count -= count;
        memmove(h->initials, h->initials + count, h->initial_count * sizeof *h->initials);
    }
}
