// The set-up of a connection step by step, and its end. Runs on the shard's thread. Allocates only
// for what a connection keeps (TLS, prekeys) or needs until it is upgraded.
#include "client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "reader.h"
#include "shard.h"
#include "travel.h"
#include "uplink.h"
#include "user_control.h"

#define PATH_OF_SERVICE "/v1"
#define SUBPROTOCOL "sealpost.v1"
// Talk: one prekey for the pair's handshake, and five that keep the relay from calling it low.
#define TALK_PREKEYS 6u
#define TALK_PREKEYS_KEPT 8u
// Handshakes: new one-time prekeys at a time, two rounds of the curve's lanes.
#define RESTOCK_MAX 16u
// From our close frame to the relay's; longer, and the connection ends without it.
#define LEAVE_NS (2 * NS_PER_S)

static const char *subprotocol(const struct shard *s)
{
    return strcmp(s->target->path, PATH_OF_SERVICE) == 0 ? SUBPROTOCOL : NULL;
}

static bool is_opening(const struct client *c)
{
    return c->state >= CLIENT_CONNECTING && c->state <= CLIENT_REGISTERING;
}

void client_arm_receive(struct shard *s, struct client *c)
{
    struct io_uring_sqe *sqe;
    uint32_t single_bytes = 0;

    c->needs_rearm = false;
    if (reader_is_slow(c) && !reader_take(s, c, &single_bytes))
        return; // its timer goes on
    sqe = ring_get_sqe(&s->ring);
    if (reader_is_slow(c))
        io_uring_prep_recv(sqe, (int)c->slot, NULL, single_bytes, 0);
    else
        io_uring_prep_recv_multishot(sqe, (int)c->slot, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = s->receive_buffers.group;
    sqe->user_data = ring_tag(SHARD_OP_RECEIVE, c->generation, c->slot);
    c->is_receiving = true;
}

static bool is_limit(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -EADDRNOTAVAIL || error == -ENOBUFS ||
           error == -ENOMEM || error == -EADDRINUSE;
}

static void fail_socket(struct shard *s, int error)
{
    if (is_limit(error))
        shard_fail(s, SHARD_FAILURE_LIMITED,
                   "this machine has no more sockets or ports (%s); raise ulimit -n, or use more "
                   "--source-addresses or --threads",
                   strerror(-error));
    else
        shard_fail(s, SHARD_FAILURE_UNREACHABLE, "cannot connect to %s: %s", s->target->authority,
                   strerror(-error));
}

// False when there is none: the run ends.
static bool begin_connect(struct shard *s, struct client *c)
{
    struct io_uring_sqe *sqe;
    int fd = target_open_socket(s->target, c->number, s->source_addresses), err = fd;

    if (fd >= 0) {
        if (reader_is_slow(c))
            reader_limit_socket(fd);
        err = io_uring_register_files_update(&s->ring.uring, c->slot, &fd, 1);
        close(fd); // the ring's table keeps it
    }
    if (err < 0) {
        fail_socket(s, err);
        return false;
    }
    c->state = CLIENT_CONNECTING;
    c->operations++;
    c->connect_began_ns = clock_now_ns();
    s->opening++;
    sqe = ring_get_sqe(&s->ring);
    io_uring_prep_connect(sqe, (int)c->slot, (const struct sockaddr *)&s->target->address,
                          s->target->address_len);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = ring_tag(SHARD_OP_CONNECT, c->generation, c->slot);
    return true;
}

void client_open(struct shard *s, struct client *c)
{
    if (persona_init(&c->persona, s->run_id, c->number, s->options->is_hybrid) < 0)
        shard_fail(s, SHARD_FAILURE_INTERNAL, "no identity could be made");
    else if (begin_connect(s, c))
        s->alive++;
}

void client_reopen(struct shard *s, struct client *c)
{
    assert(c->state == CLIENT_AWAY && client_is_back(c));
    c->generation = (c->generation + 1) & 0xFFFFFFu;
    c->carry_need = 0;
    c->is_leaving = c->is_publishing = false;
    s->away--;
    if (!begin_connect(s, c))
        s->away++;
}

static void push_tls(struct shard *s, struct client *c, const struct tls_out *out)
{
    if (out->len > 0)
        uplink_push_records(s, c, out->bytes, out->len);
}

// Of the first connection and of every later one.
static void begin_tls(struct shard *s, struct client *c)
{
    struct tls_out out = {.bytes = s->tls_scratch, .cap = TLS_FLIGHT_MAX_BYTES};

    c->state = CLIENT_SECURING;
    c->tls_began_ns = clock_now_ns();
    c->tls = tls_create(s->tls, s->target->host, &s->tls_partials);
    if (c->tls && c->group->resumes) {
        tls_resume(c->tls, c->tls_session); // a session is used once
        c->tls_session = NULL;
    }
    if (!c->tls || tls_connect(c->tls, &out) < 0)
        client_close(s, c, "TLS cannot begin");
    else
        push_tls(s, c, &out);
}

void client_on_connect(struct shard *s, struct client *c, int result)
{
    c->operations--;
    if (c->state != CLIENT_CONNECTING)
        return;
    // On the way back the relay may be full for a while; that our ports are is not its fault.
    if (result < 0 && c->is_registered && !is_limit(result)) {
        client_close(s, c, strerror(-result));
        return;
    }
    if (result < 0) {
        fail_socket(s, result);
        return;
    }
    if (!c->is_registered) {
        s->tally.connected++;
        atomic_store_explicit(&s->pulse.connected, (uint32_t)s->tally.connected,
                              memory_order_relaxed);
    }
    client_arm_receive(s, c);
    if (s->tls)
        begin_tls(s, c);
    else
        client_on_secured(s, c);
}

void client_on_secured(struct shard *s, struct client *c)
{
    char request[1024];
    ssize_t len = -ENOMEM;

    if (c->tls) {
        hist_record(tls_was_resumed(c->tls) ? &s->tally.tls_resume : &s->tally.tls_handshake,
                    clock_now_ns() - c->tls_began_ns);
        if (s->tls_group[0] == '\0')
            snprintf(s->tls_group, sizeof s->tls_group, "%s", tls_group_name(c->tls));
    }
    c->state = CLIENT_UPGRADING;
    c->upgrade = malloc(http_upgrade_size_bytes);
    if (c->upgrade && sp_random(c->upgrade_nonce, sizeof c->upgrade_nonce) == 0) {
        http_upgrade_init(c->upgrade);
        len = http_upgrade_encode_request(request, sizeof request, s->target->authority,
                                          s->target->path, subprotocol(s), c->upgrade_nonce);
    }
    if (len < 0)
        client_close(s, c, "the upgrade request cannot be written");
    else
        uplink_push_bytes(s, c, request, (size_t)len);
}

int64_t client_on_answer(struct shard *s, struct client *c, const uint8_t *bytes, size_t len)
{
    ssize_t used =
        http_upgrade_decode_response(c->upgrade, bytes, len, c->upgrade_nonce, subprotocol(s));

    if (used < 0) {
        char why[64];

        snprintf(why, sizeof why, "the upgrade was refused (HTTP %d)",
                 http_upgrade_status(c->upgrade));
        client_close(s, c, why);
        return -1;
    }
    if (used == 0)
        return (int64_t)len;
    free(c->upgrade);
    c->upgrade = NULL;
    // The ticket came ahead of this answer.
    if (c->tls && c->group->resumes) {
        assert(!c->tls_session);
        c->tls_session = tls_take_session(c->tls);
    }
    c->state = CLIENT_GREETING;
    if (s->options->idle_anonymous) {
        s->opening--;
        c->state = CLIENT_READY;
        client_settle(s, c);
    }
    return used;
}

void client_settle(struct shard *s, struct client *c)
{
    if (c->is_settled)
        return;
    c->is_settled = true;
    s->settled++;
    atomic_store_explicit(&s->pulse.settled, s->settled, memory_order_relaxed);
}

static void push_text(struct shard *s, struct client *c, const char *text, size_t len)
{
    uplink_push_frame(s, c, WS_TEXT, (const uint8_t *)text, len);
}

static uint32_t at_most(uint32_t value, uint32_t max)
{
    return value < max ? value : max;
}

static void on_hello(struct shard *s, struct client *c, const struct user_control *m)
{
    char text[USER_CONTROL_MAX_BYTES];
    struct persona_signatures signatures;

    if (c->state != CLIENT_GREETING)
        return;
    if (s->options->mode == OPTIONS_TALK &&
        s->options->payload_bytes + SP_SESSION_OVERHEAD_BYTES > m->envelope_bytes) {
        shard_fail(s, SHARD_FAILURE_PROTOCOL, "the relay takes envelopes of %u bytes at most",
                   m->envelope_bytes);
        return;
    }
    // Half of what can be kept: the other half is for those handed out and on their way.
    c->one_time_limit = at_most(m->one_time_prekeys, PERSONA_ONE_TIME_MAX / 2);
    c->one_time_kem_limit = at_most(m->one_time_kem_prekeys, PERSONA_KEM_MAX / 2);
    if (c->group->prekeys > 0) {
        c->one_time_limit = at_most(c->one_time_limit, c->group->prekeys);
        c->one_time_kem_limit = at_most(c->one_time_kem_limit, c->group->prekeys);
    }
    if (persona_sign_login(&c->persona, c->is_registered ? "login" : "register", m->challenge,
                           &signatures) < 0) {
        shard_fail(s, SHARD_FAILURE_INTERNAL, "nothing can be signed");
        return;
    }
    c->state = CLIENT_REGISTERING;
    push_text(s, c, text,
              c->is_registered ? user_control_encode_login(text, &c->persona, &signatures)
                               : user_control_encode_register(text, &c->persona, &signatures));
}

// As many of each sort as one message takes; the rest follows with its answer.
static void publish(struct shard *s, struct client *c, bool with_signed, uint32_t count,
                    uint32_t kem_count)
{
    char text[USER_CONTROL_MAX_BYTES];
    uint8_t keys[PERSONA_BATCH_MAX][32];
    struct persona_kem_prekey kem[PERSONA_KEM_BATCH_MAX];
    struct user_control_prekeys prekeys = {.with_signed = with_signed,
                                           .keys = (const uint8_t(*)[32])keys,
                                           .count = at_most(count, PERSONA_BATCH_MAX),
                                           .kem = kem,
                                           .kem_count = at_most(kem_count, PERSONA_KEM_BATCH_MAX)};
    int err = 0;

    if (prekeys.count > 0)
        err = persona_make_one_time(&c->persona, keys, prekeys.count, &prekeys.first_id);
    if (err == 0 && prekeys.kem_count > 0)
        err = persona_make_one_time_kem(&c->persona, kem, prekeys.kem_count);
    if (err < 0) {
        shard_fail(s, SHARD_FAILURE_INTERNAL, "no prekeys can be made");
        return;
    }
    c->is_publishing = true;
    push_text(s, c, text, user_control_encode_prekeys(text, &c->persona, &prekeys));
}

static void on_registered(struct shard *s, struct client *c)
{
    bool initiates = client_is_leader(c), many = group_is_handshaking(c->group);
    uint32_t count = initiates ? 1 : many ? c->one_time_limit : TALK_PREKEYS;
    uint32_t kem_count = s->options->suite == SP_SUITE_PQXDH && !initiates ? 1 : 0;

    // Nobody asks for an initiator's prekeys: it has one as any user has.
    if (c->state != CLIENT_REGISTERING || c->is_registered)
        return;
    c->is_registered = true;
    s->opening--;
    if (!c->leader) {
        c->state = CLIENT_READY;
        client_settle(s, c);
        return;
    }
    if (persona_make_prekeys(&c->persona, s->options->suite,
                             many ? PERSONA_ONE_TIME_MAX : TALK_PREKEYS_KEPT) < 0) {
        shard_fail(s, SHARD_FAILURE_INTERNAL, "no signed prekey can be made");
        return;
    }
    c->state = CLIENT_PUBLISHING;
    publish(s, c, true, at_most(count, c->one_time_limit),
            at_most(kem_count, c->one_time_kem_limit));
}

static void on_logged_in(struct shard *s, struct client *c)
{
    if (c->state != CLIENT_REGISTERING || !c->is_registered)
        return;
    s->opening--;
    c->state = CLIENT_READY;
    travel_on_ready(s, c, clock_now_ns());
}

// What a stock lacks once it is half empty, a part at a time: all pairs get there together, and the
// turn must not wait for half a stock of each.
static uint32_t lack(uint32_t stock, uint32_t limit)
{
    return stock <= limit / 2 ? at_most(limit - stock, RESTOCK_MAX) : 0;
}

void client_restock(struct shard *s, struct client *c)
{
    // What is handed out and not used yet still counts as stock here, also if its handshake failed:
    // never less than what the relay has, so its limit is never exceeded.
    if (c->group->behaviour != GROUP_HANDSHAKE || c->is_publishing || c->state != CLIENT_READY ||
        client_is_leader(c))
        return;
    uint32_t count = lack(c->persona.one_time_stock, c->one_time_limit);
    uint32_t kem_count =
        s->options->suite == SP_SUITE_PQXDH ? lack(c->persona.pq->stock, c->one_time_kem_limit) : 0;

    if (count + kem_count > 0)
        publish(s, c, false, count, kem_count);
}

// A stock that nobody fills up later is filled at once. False when it is full.
static bool publish_rest(struct shard *s, struct client *c)
{
    uint32_t count, kem_count = 0;

    if (c->group->behaviour != GROUP_PREKEY_DRAIN || client_is_leader(c))
        return false;
    count = c->one_time_limit - at_most(c->persona.one_time_stock, c->one_time_limit);
    if (s->options->suite == SP_SUITE_PQXDH)
        kem_count = c->one_time_kem_limit - at_most(c->persona.pq->stock, c->one_time_kem_limit);
    if (count + kem_count == 0)
        return false;
    publish(s, c, false, count, kem_count);
    return true;
}

// All users of a unit are there: each of the leader's dialogs needs a session.
static void begin_unit(struct shard *s, struct client *leader)
{
    const struct options *o = s->options;
    bool durable = o->durable || leader->group->behaviour == GROUP_OFFLINE;

    for (uint32_t i = 0; i < leader->dialog_count; i++) {
        dialog_build_header(&leader->dialogs[i], o->payload_bytes, durable);
        dialog_build_header(leader->dialogs[i].peer, o->payload_bytes, durable);
    }
    handshake_begin(s, leader);
}

static void on_published(struct shard *s, struct client *c)
{
    c->is_publishing = false;
    if (c->state == CLIENT_READY) {
        client_restock(s, c);
        return;
    }
    if (c->state != CLIENT_PUBLISHING || publish_rest(s, c))
        return;
    c->state = CLIENT_READY;
    if (--c->leader->missing == 0)
        begin_unit(s, c->leader);
}

// An envelope was refused: it is accounted for, and in a closed loop its slot is free.
static void on_refused(struct shard *s, struct client *c, const struct user_control *m)
{
    struct dialog_message sent;

    if (s->phase <= SHARD_WAITING) {
        shard_fail(s, SHARD_FAILURE_PROTOCOL, "the relay refused an initial message: %s", m->code);
        return;
    }
    if (!dialog_find_message(&sent, c, m->message_id)) {
        client_close(s, c, "the relay refused an envelope that nobody sent");
        return;
    }
    s->tally.refused[tally_find_refusal(m->code)]++;
    if (sent.is_handshake) {
        handshake_on_refused(s, sent.dialog);
        return;
    }
    if (!ledger_refuse(&sent.dialog->peer->flow, &s->tally.ledger, sent.sequence)) {
        pulse_add(&s->pulse.faults, 1);
        return;
    }
    pulse_add(&s->pulse.refused, 1);
    sent.dialog->refused++;
    if (!shard_is_open_loop(s))
        uplink_push_next(s, c, sent.sequence, s->now_ns, true);
}

static void on_accepted(struct shard *s, struct client *c)
{
    s->tally.accepted++;
    c->accepted++;
    travel_on_taken(s, c);
}

static void on_error(struct shard *s, struct client *c, const struct user_control *m)
{
    char why[96];

    if (strcmp(m->code, "rate_limited") == 0) {
        handshake_on_rate_limit(s, c);
        return;
    }
    if (m->has_message_id) {
        on_refused(s, c, m);
        return;
    }
    snprintf(why, sizeof why, "the relay answered error %s", m->code);
    client_close(s, c, why);
}

void client_on_control(struct shard *s, struct client *c, const uint8_t *text, size_t len)
{
    struct user_control m;

    if (!user_control_decode(&m, text, len, s->downlink.control_scratch)) {
        client_close(s, c, "the relay sent a control message nobody understands");
        return;
    }
    switch (m.type) {
    case USER_CONTROL_HELLO:
        on_hello(s, c, &m);
        break;
    case USER_CONTROL_REGISTERED:
        on_registered(s, c);
        break;
    case USER_CONTROL_LOGGED_IN:
        on_logged_in(s, c);
        break;
    case USER_CONTROL_PUBLISHED:
        on_published(s, c);
        break;
    case USER_CONTROL_PREKEYS_LOW:
        client_restock(s, c);
        break;
    case USER_CONTROL_BUNDLE:
        handshake_on_bundle(s, c, &m.bundle);
        break;
    case USER_CONTROL_ACCEPTED:
        on_accepted(s, c);
        break;
    case USER_CONTROL_ERROR:
        on_error(s, c, &m);
        break;
    case USER_CONTROL_OTHER:
        break;
    }
}

static void put_bytes(struct shard *s, struct client_bytes *b)
{
    if (b->bytes)
        pool_put(&s->chunks, b->bytes);
    *b = (struct client_bytes){0};
}

static void let_go(struct shard *s, struct client *c)
{
    put_bytes(s, &c->carry);
    put_bytes(s, &c->control);
    put_bytes(s, &c->records);
    put_bytes(s, &c->acks);
    timer_cancel(&s->timers, &c->timer);
    tls_destroy(c->tls);
    c->tls = NULL;
    free(c->upgrade);
    c->upgrade = NULL;
}

static void close_socket(struct shard *s, struct client *c)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&s->ring);

    // The shutdown ends a receive or send that still holds the socket; the close frees the slot.
    io_uring_prep_shutdown(sqe, (int)c->slot, SHUT_RDWR);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
    sqe->user_data = ring_tag(SHARD_OP_CLOSE, c->generation, c->slot);
    sqe = ring_get_sqe(&s->ring);
    io_uring_prep_close_direct(sqe, c->slot);
    sqe->user_data = ring_tag(SHARD_OP_CLOSE, c->generation, c->slot);
    c->operations += 2;
}

// The connection ends, for a while (AWAY) or for good (CLOSED).
static void end_connection(struct shard *s, struct client *c, enum client_state to)
{
    if (is_opening(c))
        s->opening--;
    uplink_drop_due(s, c);
    c->state = to;
    c->is_talking = false;
    if (to == CLIENT_AWAY)
        s->away++;
    else
        s->alive--;
    atomic_store_explicit(&s->pulse.alive, s->alive - s->away, memory_order_relaxed);
    let_go(s, c);
    close_socket(s, c);
}

void client_leave(struct shard *s, struct client *c)
{
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 0xFF};

    c->is_leaving = true;
    c->is_talking = false;
    timer_arm(&s->timers, &c->timer, clock_now_ns() + LEAVE_NS);
    uplink_push_frame(s, c, WS_CLOSE, normal, sizeof normal);
}

void client_drop(struct shard *s, struct client *c)
{
    end_connection(s, c, CLIENT_AWAY);
}

bool client_is_back(const struct client *c)
{
    return c->operations == 0 && !c->is_sending && !c->is_receiving;
}

// Is this end no loss, because the user comes back?
static bool is_expected(struct shard *s, struct client *c)
{
    if (s->phase <= SHARD_WAITING || s->phase >= SHARD_CLOSING)
        return false;
    return c->is_leaving || (c->state < CLIENT_READY && travel_retry(s, c));
}

void client_close(struct shard *s, struct client *c, const char *why)
{
    if (client_is_gone(c))
        return;
    if (is_expected(s, c)) {
        end_connection(s, c, CLIENT_AWAY);
        return;
    }
    if (s->phase <= SHARD_WAITING) {
        shard_fail(
            s, c->state <= CLIENT_UPGRADING ? SHARD_FAILURE_UNREACHABLE : SHARD_FAILURE_PROTOCOL,
            "set-up failed at user %u: %s", c->number, why);
    } else if (s->phase < SHARD_CLOSING) {
        if (s->tally.disconnected++ == 0)
            snprintf(s->disconnect_text, sizeof s->disconnect_text, "%s", why);
    }
    end_connection(s, c, CLIENT_CLOSED);
    // A pair has nothing to say any more; who talks to many goes on with the others.
    if (c->dialog_count == 1 && c->dialogs[0].partner->dialog_count == 1)
        c->dialogs[0].partner->is_talking = false;
    travel_on_lost(s, c);
}

void client_free(struct shard *s, struct client *c)
{
    let_go(s, c);
    for (uint32_t i = 0; i < c->dialog_count; i++)
        dialog_drop_session(&c->dialogs[i]);
    tls_session_free(c->tls_session);
    c->tls_session = NULL;
    persona_free(&c->persona);
}
