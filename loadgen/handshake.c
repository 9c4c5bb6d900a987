// X3DH and PQXDH of the shard's dialogs, batched over dialogs. Public-key work takes tens to
// hundreds of microseconds a handshake, milliseconds with a hybrid identity, so each turn does a
// bounded number of them. Never allocates on the way but inside the library: prepared keys,
// post-quantum work.
#include "handshake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "shard.h"
#include "user_control.h"

#define RETRY_NS (20 * NS_PER_MS)
// Handshakes of each side in a turn. One takes up to 0.4 ms; with a hybrid identity the initiator's
// side takes 1.5 ms, the responder's 5 ms when it makes new KEM prekeys. The curve has eight lanes.
#define BATCH HANDSHAKE_BATCH_MAX
#define HYBRID_BATCH 8u
#define ANSWER_BYTES (LEDGER_RECORD_BYTES + SP_SESSION_OVERHEAD_BYTES)

// ---- what waits ---------------------------------------------------------------------------------

static int init_queue(struct handshake_queue *q, uint32_t capacity, size_t stride_bytes)
{
    *q = (struct handshake_queue){.stride_bytes = stride_bytes, .capacity = capacity};
    q->dialogs = calloc(capacity, sizeof(*q->dialogs));
    q->places = calloc(capacity, stride_bytes);
    return q->dialogs && q->places ? 0 : -ENOMEM;
}

static void free_queue(struct handshake_queue *q)
{
    free(q->dialogs);
    free(q->places);
}

// Each initiator and each responder waits once at most, so there is always a place.
static void *push(struct handshake_queue *q, struct dialog *d)
{
    uint32_t at = (q->head + q->count++) % q->capacity;

    assert(q->count <= q->capacity);
    q->dialogs[at] = d;
    return q->places + at * q->stride_bytes;
}

static struct dialog *peek(const struct handshake_queue *q, uint32_t index, void **place)
{
    uint32_t at = (q->head + index) % q->capacity;

    *place = q->places + at * q->stride_bytes;
    return q->dialogs[at];
}

static void drop(struct handshake_queue *q, uint32_t count)
{
    q->count -= count;
    // An empty ring begins anew: only the places that a backlog needed become resident.
    q->head = q->count > 0 ? (q->head + count) % q->capacity : 0;
}

// All places are fronts of a struct sp_bundle_storage, as long as what was asked for.
static size_t bundle_bytes(const struct options *o)
{
    return o->is_hybrid                 ? sizeof(struct sp_bundle_storage)
           : o->suite == SP_SUITE_PQXDH ? offsetof(struct sp_bundle_storage, ml_dsa)
                                        : offsetof(struct sp_bundle_storage, kem_prekey);
}

int handshake_init(struct shard *s)
{
    struct handshakes *h = &s->handshakes;
    const struct options *o = s->options;
    int err;

    if (s->initiator_count == 0)
        return 0;
    h->batch = o->is_hybrid ? HYBRID_BATCH : BATCH;
    h->initial_bytes =
        LEDGER_RECORD_BYTES + (uint32_t)sp_initial_overhead_bytes(o->suite, o->is_hybrid);
    err = init_queue(&h->bundles, s->initiator_count, bundle_bytes(o));
    return err < 0 ? err : init_queue(&h->initials, s->responder_count, h->initial_bytes);
}

void handshake_free(struct shard *s)
{
    free_queue(&s->handshakes.bundles);
    free_queue(&s->handshakes.initials);
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

// ---- what comes in ------------------------------------------------------------------------------

static struct dialog *current(struct client *leader)
{
    return &leader->dialogs[leader->current];
}

static void ask(struct shard *s, struct dialog *d)
{
    char text[USER_CONTROL_MAX_BYTES];
    size_t len = user_control_encode_get_bundle(text, d->partner->persona.name, s->options->suite);

    d->handshake = DIALOG_HANDSHAKE_ASKED;
    uplink_push_frame(s, d->owner, WS_TEXT, (const uint8_t *)text, len);
}

void handshake_begin(struct shard *s, struct client *c)
{
    struct dialog *d = current(c);

    s->tally.handshakes_started++;
    d->handshake_began_ns = clock_now_ns();
    ask(s, d);
}

void handshake_on_rate_limit(struct shard *s, struct client *c)
{
    s->tally.rate_limited++;
    timer_arm(&s->timers, &c->timer, clock_now_ns() + RETRY_NS);
}

void handshake_on_retry(struct shard *s, struct client *c)
{
    struct dialog *d = current(c);

    if (c->state == CLIENT_READY && d->handshake == DIALOG_HANDSHAKE_ASKED &&
        s->phase < SHARD_CLOSING)
        ask(s, d);
}

// Something did not verify or open, or nobody waited for it.
static void count_fault(struct shard *s)
{
    s->tally.ledger.auth_fail++;
    pulse_add(&s->pulse.faults, 1);
}

// The handshake under way cannot complete: ends the set-up, later counts and makes room for the
// next.
static void abandon(struct shard *s, struct dialog *initiator, const char *why)
{
    if (s->phase <= SHARD_WAITING) {
        shard_fail(s, SHARD_FAILURE_PROTOCOL, "a handshake failed: %s", why);
        return;
    }
    s->tally.handshakes_failed++;
    initiator->handshake = DIALOG_HANDSHAKE_NONE;
    if (shard_is_loading(s) && initiator->owner->state == CLIENT_READY &&
        initiator->partner->state == CLIENT_READY)
        handshake_begin(s, initiator->owner);
}

// Abandon the handshake whose initial message came to `responder`. If none is under way, the relay
// made the message up or repeats an old one.
static void abandon_from(struct shard *s, struct dialog *responder, const char *why)
{
    if (responder->peer->handshake == DIALOG_HANDSHAKE_INITIATED || s->phase <= SHARD_WAITING)
        abandon(s, responder->peer, why);
}

static void reject_bundle(struct shard *s, struct dialog *initiator, const char *why)
{
    count_fault(s);
    abandon(s, initiator, why);
}

static void reject_initial(struct shard *s, struct dialog *responder, const char *why)
{
    count_fault(s);
    abandon_from(s, responder, why);
}

void handshake_on_refused(struct shard *s, struct dialog *d)
{
    struct dialog *initiator = client_is_leader(d->owner) ? d : d->peer;

    if (initiator->handshake == DIALOG_HANDSHAKE_INITIATED)
        abandon(s, initiator, "the relay refused a message of it");
}

void handshake_on_bundle(struct shard *s, struct client *c, const struct sp_bundle_storage *bundle)
{
    struct handshake_queue *q = &s->handshakes.bundles;
    const struct options *o = s->options;
    struct sp_bundle_storage *copy;
    struct dialog *d;

    if (!client_is_leader(c) || current(c)->handshake != DIALOG_HANDSHAKE_ASKED)
        return;
    d = current(c);
    // There is no room for more than was asked for, and it is wrong; less is the library's to see.
    if ((bundle->bundle.kem_prekey && o->suite != SP_SUITE_PQXDH) ||
        (bundle->bundle.ml_dsa && !o->is_hybrid)) {
        reject_bundle(s, d, reason(SP_HANDSHAKE_SUITE));
        return;
    }
    d->handshake = DIALOG_HANDSHAKE_BUNDLE;
    copy = push(q, d);
    memcpy(copy, bundle, q->stride_bytes);
    if (bundle->bundle.kem_prekey)
        copy->bundle.kem_prekey = &copy->kem_prekey;
    if (bundle->bundle.ml_dsa)
        copy->bundle.ml_dsa = &copy->ml_dsa;
}

void handshake_on_initial(struct shard *s, struct client *c, const uint8_t *ciphertext, size_t len)
{
    struct handshakes *h = &s->handshakes;

    if (!c->leader || client_is_leader(c) || c->state != CLIENT_READY || c->is_responding) {
        count_fault(s);
        return;
    }
    if (len != h->initial_bytes) {
        reject_initial(s, c->dialogs, reason(SP_HANDSHAKE_MALFORMED));
        return;
    }
    c->is_responding = true;
    memcpy(push(&h->initials, c->dialogs), ciphertext, len);
}

// ---- the initiator ------------------------------------------------------------------------------

static struct ledger_record make_record(const struct shard *s, const struct dialog *from)
{
    return (struct ledger_record){.run_id = s->run_id,
                                  .sender = from->owner->number,
                                  .receiver = from->partner->number,
                                  .intended_ns = s->now_ns,
                                  .sent_ns = s->now_ns,
                                  .flags = LEDGER_FLAG_HANDSHAKE};
}

static bool is_partner(const struct dialog *d, const uint8_t *ed25519, const uint8_t *ml_dsa_65)
{
    struct sp_identity_key partner = sp_identity_public(&d->partner->persona.identity);

    return memcmp(ed25519, partner.ed25519, 32) == 0 &&
           (!partner.ml_dsa_65 ||
            memcmp(ml_dsa_65, partner.ml_dsa_65, SP_ML_DSA_PUBLIC_BYTES) == 0);
}

static struct sp_session_init_job session_job(const struct shard *s, const struct dialog *d,
                                              struct sp_session *session,
                                              const struct sp_handshake *handshake)
{
    bool initiates = client_is_leader(d->owner);
    bool is_away = group_is_offline(d->owner->group) && !initiates; // from time to time

    return (struct sp_session_init_job){.session = session,
                                        .handshake = handshake,
                                        .initiator = initiates,
                                        .local = sp_identity_public(&d->owner->persona.identity),
                                        .remote = sp_identity_public(&d->partner->persona.identity),
                                        .mode = s->options->session,
                                        .skipped_max = is_away ? HANDSHAKE_SKIPPED_AWAY_MAX
                                                               : HANDSHAKE_SKIPPED_MAX};
}

// The initial messages of those whose bundle was good.
static void send_initials(struct shard *s, struct dialog **dialogs,
                          const struct sp_initiate_job **handshakes, uint32_t count)
{
    static_assert(sizeof(uint8_t[HANDSHAKE_BATCH_MAX][HANDSHAKE_INITIAL_MAX_BYTES]) <= 256 * KIB,
                  "a batch fits the stack");
    uint8_t plain[HANDSHAKE_BATCH_MAX][LEDGER_RECORD_BYTES];
    uint8_t sealed[HANDSHAKE_BATCH_MAX][HANDSHAKE_INITIAL_MAX_BYTES];
    struct sp_session_init_job sessions[HANDSHAKE_BATCH_MAX];
    struct sp_initial_seal_job seals[HANDSHAKE_BATCH_MAX];
    bool all = true;

    for (uint32_t i = 0; i < count; i++) {
        struct ledger_record record = make_record(s, dialogs[i]);

        ledger_encode_record(plain[i], &record);
        dialog_drop_session(dialogs[i]);
        sessions[i] = session_job(s, dialogs[i], &dialogs[i]->session, &handshakes[i]->handshake);
        seals[i] = (struct sp_initial_seal_job){.session = &dialogs[i]->session,
                                                .handshake = handshakes[i],
                                                .in = plain[i],
                                                .len = LEDGER_RECORD_BYTES,
                                                .out = sealed[i]};
    }
    sp_session_init_batch(sessions, count);
    for (uint32_t i = 0; i < count; i++) {
        dialogs[i]->has_session = sessions[i].result == 0;
        all = all && dialogs[i]->has_session;
    }
    if (!all) {
        shard_fail(s, SHARD_FAILURE_INTERNAL, "no session could be made");
        return;
    }
    sp_initial_seal_batch(seals, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct sp_bundle *bundle = handshakes[i]->bundle;

        if (seals[i].result != 0) {
            shard_fail(s, SHARD_FAILURE_INTERNAL, "an initial message could not be sealed");
            return;
        }
        dialogs[i]->handshake = DIALOG_HANDSHAKE_INITIATED;
        dialogs[i]->with_one_time = bundle->has_one_time_prekey;
        dialogs[i]->with_last_resort = bundle->kem_prekey && !bundle->kem_prekey->is_one_time;
        uplink_push_envelope(s, dialogs[i], WIRE_KIND_INITIAL, sealed[i],
                             s->handshakes.initial_bytes);
    }
}

static void initiate(struct shard *s, uint32_t count)
{
    struct handshake_queue *q = &s->handshakes.bundles;
    struct sp_initiate_job jobs[HANDSHAKE_BATCH_MAX];
    const struct sp_initiate_job *good[HANDSHAKE_BATCH_MAX];
    struct dialog *dialogs[HANDSHAKE_BATCH_MAX], *good_dialogs[HANDSHAKE_BATCH_MAX];
    uint32_t good_count = 0;

    for (uint32_t i = 0; i < count; i++) {
        void *bundle; // each place begins with it

        dialogs[i] = peek(q, i, &bundle);
        jobs[i] = (struct sp_initiate_job){.identity = &dialogs[i]->owner->persona.identity,
                                           .bundle = bundle,
                                           .suite = s->options->suite};
    }
    sp_handshake_initiate_batch(jobs, count);
    for (uint32_t i = 0; i < count; i++) {
        struct dialog *d = dialogs[i];
        const struct sp_bundle *bundle = jobs[i].bundle;

        if (client_is_gone(d->owner))
            continue;
        if (jobs[i].result != 0) {
            reject_bundle(s, d, reason(jobs[i].result));
        } else if (!is_partner(d, bundle->identity_key,
                               bundle->ml_dsa ? bundle->ml_dsa->key : NULL)) {
            reject_bundle(s, d, "the bundle is somebody else's");
        } else {
            good_dialogs[good_count] = d;
            good[good_count++] = &jobs[i];
        }
    }
    send_initials(s, good_dialogs, good, good_count);
    drop(q, count);
    sp_wipe(jobs, sizeof jobs);
}

// ---- the responder ------------------------------------------------------------------------------

// One initial message on its way: what it names, and the secrets of that.
struct response {
    struct dialog *dialog;
    struct sp_initial_header header;
    uint8_t *one_time_secret;
    struct sp_ml_kem_key one_time_kem; // empty unless the message names a one-time KEM prekey
    uint8_t initiator_ml_dsa_65[SP_ML_DSA_PUBLIC_BYTES];
};

static const char *prepare(const struct shard *s, struct response *r, const uint8_t *message,
                           struct sp_respond_job *job)
{
    struct persona *p = &r->dialog->owner->persona;
    const struct sp_ml_kem_key *kem = NULL;
    const struct sp_initial_header *header = &r->header;

    if (sp_initial_decode(&r->header, message, s->handshakes.initial_bytes) != 0 ||
        header->signed_prekey_id != PERSONA_SIGNED_PREKEY_ID)
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

// The payload opened, so it is the partner's: the session takes the place of the old one, and the
// prekeys it used are gone. False: the message inside is another one than the partner's.
static bool admit(struct shard *s, struct response *r, struct sp_session *fresh,
                  const uint8_t plain[LEDGER_RECORD_BYTES])
{
    struct dialog *d = r->dialog;
    struct client *c = d->owner;
    struct ledger_record record;

    dialog_drop_session(d);
    d->session = *fresh;
    d->has_session = true;
    if (r->header.one_time_prekey_id != 0)
        persona_drop_one_time(&c->persona, r->header.one_time_prekey_id);
    if (r->header.kem_prekey_id != 0)
        persona_drop_kem(&c->persona, r->header.kem_prekey_id);
    ledger_decode_record(&record, plain);
    return ledger_check(&d->flow, &s->tally.ledger, &record, s->run_id, d->partner->number,
                        c->number, false) == LEDGER_IN_ORDER;
}

static void answer(struct shard *s, struct dialog **dialogs, uint32_t count)
{
    struct sp_session_job jobs[HANDSHAKE_BATCH_MAX];
    uint8_t sealed[HANDSHAKE_BATCH_MAX][ANSWER_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        struct ledger_record record = make_record(s, dialogs[i]);

        ledger_encode_record(sealed[i] + 16, &record);
        jobs[i] = (struct sp_session_job){.session = &dialogs[i]->session,
                                          .in = sealed[i] + 16,
                                          .len = LEDGER_RECORD_BYTES,
                                          .out = sealed[i]};
    }
    sp_session_seal_batch(jobs, count);
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].result != 0) {
            shard_fail(s, SHARD_FAILURE_INTERNAL, "an answer could not be sealed");
            return;
        }
        uplink_push_envelope(s, dialogs[i], WIRE_KIND_SESSION, sealed[i], ANSWER_BYTES);
        client_settle(s, dialogs[i]->owner);
        client_restock(s, dialogs[i]->owner);
    }
}

// Open the payloads of those whose key agreement held. What was there stays until they have opened.
static uint32_t open_initials(struct shard *s, struct response **responses,
                              const struct sp_respond_job **jobs, uint32_t count,
                              struct dialog **out)
{
    uint8_t plain[HANDSHAKE_BATCH_MAX][LEDGER_RECORD_BYTES];
    struct sp_session fresh[HANDSHAKE_BATCH_MAX];
    struct sp_session_init_job sessions[HANDSHAKE_BATCH_MAX];
    struct sp_initial_open_job opens[HANDSHAKE_BATCH_MAX];
    uint32_t opened = 0, made = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct response *r = responses[i];

        sessions[i] = session_job(s, r->dialog, &fresh[i], &jobs[i]->handshake);
        opens[i] = (struct sp_initial_open_job){
            .session = &fresh[i],
            .in = jobs[i]->message,
            .len = jobs[i]->len,
            .out = plain[i],
            .one_time_prekey_secret = r->one_time_secret,
            .one_time_kem_key = r->one_time_kem.state ? &r->one_time_kem : NULL,
        };
    }
    sp_session_init_batch(sessions, count);
    for (uint32_t i = 0; i < count; i++)
        made += sessions[i].result == 0;
    if (made < count) {
        shard_fail(s, SHARD_FAILURE_INTERNAL, "no session could be made");
        for (uint32_t i = 0; i < count; i++)
            sp_session_free(&fresh[i]); // zeroed ones, too
        return 0;
    }
    sp_initial_open_batch(opens, count);
    for (uint32_t i = 0; i < count; i++) {
        struct dialog *d = responses[i]->dialog;

        if (opens[i].result != 0) {
            sp_session_free(&fresh[i]);
            reject_initial(s, d, reason(opens[i].result));
        } else if (admit(s, responses[i], &fresh[i], plain[i])) {
            out[opened++] = d;
        } else {
            pulse_add(&s->pulse.faults, 1);
            abandon_from(s, d, "the initial message is not for this user");
        }
    }
    sp_wipe(fresh, sizeof fresh);
    return opened;
}

// Take those whose key agreement held and that are the partner's further, and answer.
static void conclude(struct shard *s, struct response *responses, const struct sp_respond_job *jobs,
                     uint32_t count)
{
    struct response *good[HANDSHAKE_BATCH_MAX];
    const struct sp_respond_job *good_jobs[HANDSHAKE_BATCH_MAX];
    struct dialog *dialogs[HANDSHAKE_BATCH_MAX];
    uint32_t good_count = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct dialog *d = responses[i].dialog;

        if (jobs[i].result != 0) {
            reject_initial(s, d, reason(jobs[i].result));
        } else if (!is_partner(d, jobs[i].initiator_ed25519, jobs[i].initiator_ml_dsa_65)) {
            reject_initial(s, d, "the initial message is somebody else's");
        } else {
            good[good_count] = &responses[i];
            good_jobs[good_count++] = &jobs[i];
        }
    }
    answer(s, dialogs, open_initials(s, good, good_jobs, good_count, dialogs));
}

static void respond(struct shard *s, uint32_t count)
{
    struct handshake_queue *q = &s->handshakes.initials;
    struct response responses[HANDSHAKE_BATCH_MAX];
    struct sp_respond_job jobs[HANDSHAKE_BATCH_MAX];
    uint32_t prepared = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct response *r = &responses[prepared];
        void *message;
        const char *why;

        *r = (struct response){.dialog = peek(q, i, &message)};
        r->dialog->owner->is_responding = false;
        if (client_is_gone(r->dialog->owner))
            continue;
        why = prepare(s, r, message, &jobs[prepared]);
        if (why)
            reject_initial(s, r->dialog, why);
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

// In the window: how it went.
static void count_done(struct shard *s, const struct dialog *d, uint64_t took_ns)
{
    struct tally *t = &s->tally;
    struct tally_group *g = d->owner->tally;

    if (d->with_one_time) {
        t->handshakes++;
        g->handshakes++;
    } else {
        t->handshakes_without_one_time++;
        g->handshakes_without_one_time++;
        hist_record(&g->without_one_time, took_ns);
    }
    t->handshakes_with_last_resort += d->with_last_resort;
    g->handshakes_with_last_resort += d->with_last_resort;
}

// The set-up's handshakes: the next of the leader's dialogs, or all are done.
static void go_on(struct shard *s, struct client *c)
{
    if (c->current + 1 < c->dialog_count) {
        c->current++;
        handshake_begin(s, c);
        return;
    }
    client_settle(s, c);
}

// Without groups that make one handshake after the other those of the set-up are all there are.
static bool is_set_up_shown(const struct options *o)
{
    for (uint32_t i = 0; i < o->group_count; i++) {
        if (group_is_handshaking(&o->groups[i]))
            return false;
    }
    return true;
}

void handshake_on_answer(struct shard *s, struct dialog *d, uint64_t received_ns)
{
    bool is_measured = d->handshake_began_ns >= s->measure_ns && d->handshake_began_ns < s->end_ns;
    struct tally *t = &s->tally;
    struct client *c = d->owner;
    uint64_t took_ns = received_ns - d->handshake_began_ns;

    if (d->handshake != DIALOG_HANDSHAKE_INITIATED) {
        count_fault(s);
        return;
    }
    d->handshake = DIALOG_HANDSHAKE_NONE;
    t->handshakes_done++;
    if (is_measured || is_set_up_shown(s->options))
        hist_record(&t->handshake, took_ns);
    if (received_ns >= s->measure_ns && received_ns < s->end_ns)
        count_done(s, d, took_ns);
    if (!c->is_settled) {
        go_on(s, c);
        return;
    }
    pulse_add(&s->pulse.handshakes, 1);
    if (is_measured) {
        if (s->options->mode == OPTIONS_HANDSHAKE) {
            pulse_record(&s->pulse, took_ns, 1);
            hist_record(&t->response, took_ns);
        }
        if (s->options->mode != OPTIONS_HANDSHAKE || s->options->group_count > 1)
            hist_record(&c->tally->response, took_ns);
    }
    if (group_is_handshaking(c->group) && shard_is_loading(s) && received_ns < s->end_ns)
        handshake_begin(s, c);
}

// A closed loop sends nothing after the window: handshakes without an initial message end here. No
// envelope of theirs is under way.
void handshake_end_load(struct shard *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];
        struct dialog *d;

        if (!client_is_leader(c) || !group_is_handshaking(c->group))
            continue;
        d = current(c);
        if (d->handshake == DIALOG_HANDSHAKE_ASKED || d->handshake == DIALOG_HANDSHAKE_BUNDLE) {
            d->handshake = DIALOG_HANDSHAKE_NONE;
            s->tally.handshakes_started--;
        }
    }
    drop(&s->handshakes.bundles, s->handshakes.bundles.count);
}

void handshake_end_drain(struct shard *s)
{
    const struct handshake_queue *q = &s->handshakes.initials;

    for (uint32_t i = 0; i < q->count; i++) {
        void *message;

        if (peek(q, i, &message)->peer->handshake == DIALOG_HANDSHAKE_INITIATED)
            s->tally.handshakes_started--;
    }
}

bool handshake_is_waiting(const struct shard *s)
{
    return s->phase < SHARD_CLOSING &&
           (s->handshakes.bundles.count > 0 || s->handshakes.initials.count > 0);
}

static uint32_t take(const struct handshakes *h, const struct handshake_queue *q)
{
    return q->count < h->batch ? q->count : h->batch;
}

// Work through a batch of one side; each handshake's share of the time is recorded.
static void run(struct shard *s, struct hist *shares, uint32_t count,
                void (*work)(struct shard *s, uint32_t count))
{
    uint64_t began_ns = clock_now_ns(), share_ns;

    if (count == 0)
        return;
    work(s, count);
    share_ns = (clock_now_ns() - began_ns) / count;
    for (uint32_t i = 0; i < count && s->phase == SHARD_MEASURE; i++)
        hist_record(shares, share_ns);
}

void handshake_flush(struct shard *s)
{
    struct handshakes *h = &s->handshakes;

    run(s, &s->tally.initiate, take(h, &h->bundles), initiate);
    run(s, &s->tally.respond, take(h, &h->initials), respond);
}
