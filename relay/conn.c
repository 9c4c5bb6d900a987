// The life of a connection: accepted, upgraded, logged in, closing, dead, free.
#include "conn.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "control_link.h"
#include "events.h"
#include "http_upgrade.h"
#include "outbox.h"
#include "receive.h"
#include "tls.h"
#include "worker.h"
#include "worker_op.h"

struct conn *conn_find(struct worker *w, uint32_t slot, uint32_t generation)
{
    struct conn *c = &w->conns[slot];

    assert(slot < w->conn_count);
    return c->generation == generation && c->state != CONN_FREE ? c : NULL;
}

struct peer conn_address(const struct worker *w, const struct conn *c)
{
    return (struct peer){.slot = c->slot, .generation = c->generation, .worker = w->number};
}

static void mark_dirty(struct worker *w, struct conn *c)
{
    if (!list_is_linked(&c->dirty))
        list_push(&w->dirty, &c->dirty);
}

// The one place that changes a state, and what goes with it.
static void conn_move(struct worker *w, struct conn *c, enum conn_state to)
{
    enum conn_state from = c->state;

    c->state = to;
    if (from == CONN_UPGRADE && c->upgrade) {
        pool_put(&w->upgrades, c->upgrade);
        c->upgrade = NULL;
    }
    if (from == CONN_OPEN)
        events_drop(w, c);
    if (to == CONN_CLOSING || to == CONN_DEAD) {
        c->logged_in = c->reachable = false;
        c->message_deadline_ns = c->record_deadline_ns = 0;
        receive_drop_partial(w, c);
    }
}

void conn_arm_timer(struct worker *w, struct conn *c, uint64_t deadline_ns)
{
    if (!timer_is_armed(&c->timer) || c->timer.deadline_tick * TIMER_TICK_NS > deadline_ns)
        timer_arm(&w->wheel, &c->timer, deadline_ns);
}

static void set_phase_deadline(struct worker *w, struct conn *c, uint32_t ms)
{
    c->phase_deadline_ns = ms > 0 ? w->now_ns + ms * NS_PER_MS : 0;
    if (ms > 0)
        conn_arm_timer(w, c, c->phase_deadline_ns);
}

void conn_receive(struct worker *w, struct conn *c)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&w->ring);

    c->handshake_receive = c->state == CONN_TLS;
    if (c->handshake_receive) {
        io_uring_prep_recv(sqe, (int)c->slot, NULL, 0, 0);
        sqe->buf_group = w->handshake_buffers.group;
    } else {
        io_uring_prep_recv_multishot(sqe, (int)c->slot, NULL, 0, 0);
        sqe->buf_group = w->buffers.group;
    }
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_RECEIVE, c->generation, c->slot));
    c->receiving = true;
    c->operations++;
}

void conn_refuse_full(struct worker *w, struct conn *c)
{
    char text[HTTP_RESPONSE_MAX_BYTES];
    size_t len = http_upgrade_encode_refusal(503, text);

    stats_bump(&w->stats, STATS_refused_full);
    if (!outbox_push_copy(w, c, OUTBOX_UNFRAMED, text, len)) {
        conn_kill(w, c);
        return;
    }
    conn_close(w, c, 0);
}

void conn_open(struct worker *w, uint32_t slot, bool tls)
{
    struct conn *c = &w->conns[slot];
    uint32_t generation = c->generation;

    assert(c->state == CONN_FREE);
    *c = (struct conn){.slot = slot,
                       .generation = (generation + 1) & 0xFFFFFFu,
                       .first_piece = OUTBOX_NONE,
                       .last_piece = OUTBOX_NONE,
                       .route_slot = slot};
    list_init(&c->dirty);
    list_init(&c->waiting);
    timer_init(&c->timer);
    w->live++;
    stats_bump(&w->stats, STATS_connections_accepted);
    c->secure = tls;
    conn_move(w, c, tls ? CONN_TLS : CONN_UPGRADE);
    conn_receive(w, c);
    set_phase_deadline(w, c, LIMIT_HANDSHAKE_MS);
}

bool conn_begin_tls(struct worker *w, struct conn *c)
{
    c->tls = tls_create(w->tls, NULL, &w->receive.records);
    if (c->tls)
        return true;
    stats_bump(&w->stats, STATS_refused_full);
    conn_kill(w, c);
    return false;
}

void conn_secured(struct worker *w, struct conn *c)
{
    stats_bump(&w->stats, STATS_tls_handshakes);
    if (tls_was_resumed(c->tls))
        stats_bump(&w->stats, STATS_tls_resumed);
    conn_move(w, c, CONN_UPGRADE);
}

bool conn_begin_upgrade(struct worker *w, struct conn *c)
{
    c->upgrade = w->drain_seen ? NULL : pool_get(&w->upgrades);
    if (!c->upgrade) {
        conn_refuse_full(w, c);
        return false;
    }
    http_upgrade_init(c->upgrade);
    return true;
}

void conn_upgraded(struct worker *w, struct conn *c, bool echo)
{
    conn_move(w, c, CONN_OPEN);
    c->echo = echo;
    stats_bump(&w->stats, STATS_upgrades);
    set_phase_deadline(w, c, echo ? 0 : w->config->login_timeout_ms);
    if (echo)
        return;
    if (!control_link_push(w, CONTROL_OPENED, conn_address(w, c), NULL, 0)) {
        stats_bump(&w->stats, STATS_closed_no_buffers);
        conn_close(w, c, 1013);
        return;
    }
    c->known = true;
}

void conn_logged_in(struct worker *w, struct conn *c, const uint8_t mailbox[WIRE_MAILBOX_BYTES])
{
    (void)w;
    memcpy(c->mailbox, mailbox, WIRE_MAILBOX_BYTES);
    c->logged_in = true;
    c->phase_deadline_ns = 0;
}

static void submit_shutdown(struct worker *w, struct conn *c, int how)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&w->ring);

    io_uring_prep_shutdown(sqe, (int)c->slot, how);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_SHUTDOWN, c->generation, c->slot));
    c->operations++;
}

void conn_close(struct worker *w, struct conn *c, uint16_t code)
{
    uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    bool said = c->state == CONN_OPEN && code != 0;

    if (c->state == CONN_CLOSING || !conn_is_alive(c))
        return;
    if (said && !outbox_push_copy(w, c, WS_CLOSE, body, sizeof body)) {
        conn_kill(w, c);
        return;
    }
    conn_move(w, c, CONN_CLOSING);
    set_phase_deadline(w, c, LIMIT_CLOSE_MS);
    mark_dirty(w, c);
}

void conn_flushed(struct worker *w, struct conn *c)
{
    if (c->state != CONN_CLOSING || c->shut)
        return;
    if (!c->receiving && !list_is_linked(&c->waiting)) { // the peer's side has ended
        conn_kill(w, c);
        return;
    }
    // Our side ends; the peer's close frame and end of stream are read and thrown away, so that no
    // reset overtakes what we sent.
    c->shut = true;
    submit_shutdown(w, c, SHUT_WR);
}

// All operations are back and the control plane knows: nothing can name the slot any more.
static void close_descriptor(struct worker *w, struct conn *c)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&w->ring);

    io_uring_prep_close_direct(sqe, c->slot);
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_CLOSE, c->generation, c->slot));
}

static void finish(struct worker *w, struct conn *c)
{
    if (c->operations > 0 || list_is_linked(&c->waiting))
        return;
    if (c->known) {
        if (!control_link_push(w, CONTROL_CLOSED, conn_address(w, c), NULL, 0)) {
            list_push(&w->farewell, &c->waiting);
            return;
        }
        c->known = false;
    }
    close_descriptor(w, c);
}

void conn_retry_farewells(struct worker *w)
{
    while (!list_is_empty(&w->farewell)) {
        struct conn *c = CONTAINER_OF(w->farewell.next, struct conn, waiting);

        list_remove(&c->waiting);
        finish(w, c);
        if (list_is_linked(&c->waiting))
            return; // still no room
    }
}

void conn_kill(struct worker *w, struct conn *c)
{
    if (!conn_is_alive(c))
        return;
    conn_move(w, c, CONN_DEAD);
    timer_cancel(&w->wheel, &c->timer);
    list_remove(&c->waiting);
    list_remove(&c->dirty);
    c->first_piece = c->last_piece = OUTBOX_NONE;
    outbox_drop_backlog(w, c);
    tls_destroy(c->tls);
    c->tls = NULL;
    if (c->operations > 0)
        submit_shutdown(w, c, SHUT_RDWR); // brings the armed operations back
    finish(w, c);
}

void conn_operation_done(struct worker *w, struct conn *c)
{
    assert(c->operations > 0);
    c->operations--;
    if (c->state == CONN_DEAD)
        finish(w, c);
}

void conn_closed(struct worker *w, struct conn *c)
{
    assert(c->state == CONN_DEAD && c->operations == 0);
    conn_move(w, c, CONN_FREE);
    w->live--;
    stats_bump(&w->stats, STATS_connections_closed);
}

static void phase_expired(struct worker *w, struct conn *c)
{
    switch (c->state) {
    case CONN_TLS:
    case CONN_UPGRADE:
        stats_bump(&w->stats, STATS_closed_handshake_timeout);
        conn_kill(w, c);
        break;
    case CONN_OPEN:
        stats_bump(&w->stats, STATS_closed_login_timeout);
        conn_close(w, c, 4408);
        break;
    case CONN_CLOSING:
        conn_kill(w, c);
        break;
    case CONN_DEAD:
    case CONN_FREE:
        break;
    }
}

// The earlier of two deadlines, 0 being none.
static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a != 0 && (b == 0 || a < b) ? a : b;
}

void conn_timer_fired(struct worker *w, struct conn *c)
{
    uint64_t next;

    if (!conn_is_alive(c))
        return; // making room for the answer ended it
    if (c->write_deadline_ns != 0 && c->write_deadline_ns <= w->now_ns) {
        // The socket takes nothing: a close frame would not arrive either.
        stats_bump(&w->stats, STATS_closed_write_timeout);
        conn_kill(w, c);
        return;
    }
    if ((c->message_deadline_ns != 0 && c->message_deadline_ns <= w->now_ns) ||
        (c->record_deadline_ns != 0 && c->record_deadline_ns <= w->now_ns)) {
        stats_bump(&w->stats, STATS_closed_message_timeout);
        conn_close(w, c, 4408);
    }
    if (c->phase_deadline_ns != 0 && c->phase_deadline_ns <= w->now_ns) {
        phase_expired(w, c);
    }
    if (!conn_is_alive(c))
        return;
    next = earlier(
        c->phase_deadline_ns,
        earlier(c->message_deadline_ns, earlier(c->record_deadline_ns, c->write_deadline_ns)));
    if (next != 0)
        conn_arm_timer(w, c, next);
}
