// Sending. Sends carry MSG_DONTWAIT, so each is over when the submission returns: whole, in part,
// or not at all. What the socket did not take moves to the connection's backlog, and a poll tells
// when it takes more.
#include "send.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "conn.h"
#include "link.h"
#include "outbox.h"
#include "worker.h"
#include "worker_op.h"

static void submit_flight(struct worker *w, struct conn *c)
{
    struct flight *f = &w->outbox.flights[c->slot];
    struct io_uring_sqe *sqe = ring_get_sqe(&w->ring);

    if (f->message.msg_iovlen == 1)
        io_uring_prep_send(sqe, (int)c->slot, f->message.msg_iov->iov_base,
                           f->message.msg_iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(sqe, (int)c->slot, &f->message, MSG_DONTWAIT | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_SEND, c->generation, c->slot));
    c->sending = true;
    c->operations++;
    w->outbox.in_flight++;
    stats_bump(&w->stats, STATS_sends);
}

static void begin_flight(struct worker *w, struct conn *c, bool from_backlog)
{
    struct flight *f = &w->outbox.flights[c->slot];

    *f = (struct flight){.from_backlog = from_backlog};
    f->message.msg_iov = &w->outbox.iovecs[w->outbox.iovec_count];
}

// False when this flight takes no more; adjacent bytes share an iovec.
static bool add_to_flight(struct worker *w, struct conn *c, uint8_t *bytes, size_t len)
{
    struct flight *f = &w->outbox.flights[c->slot];
    struct iovec *v = f->message.msg_iov + f->message.msg_iovlen;

    if (f->message.msg_iovlen > 0 && (uint8_t *)v[-1].iov_base + v[-1].iov_len == bytes) {
        v[-1].iov_len += len;
    } else {
        if (f->message.msg_iovlen == LIMIT_SEND_IOVECS ||
            w->outbox.iovec_count == LIMIT_SEND_IOVECS_PER_TURN)
            return false;
        *v = (struct iovec){bytes, len};
        f->message.msg_iovlen++;
        w->outbox.iovec_count++;
    }
    f->bytes += (uint32_t)len;
    return true;
}

static void no_buffers(struct worker *w, struct conn *c)
{
    stats_bump(&w->stats, STATS_closed_no_buffers);
    conn_kill(w, c);
}

// Hand bytes on: into the flight while it takes them, else to the backlog. Order is kept because
// once something went to the backlog everything does.
static bool emit(struct worker *w, struct conn *c, uint8_t *bytes, size_t len, bool *stalled)
{
    if (!*stalled && add_to_flight(w, c, bytes, len))
        return true;
    *stalled = true;
    return outbox_append_backlog(w, c, bytes, len);
}

static bool seal_and_emit(struct worker *w, struct conn *c, const uint8_t *plain, size_t len,
                          bool *stalled)
{
    struct tls_out out = outbox_records_begin(w);

    if (tls_write(c->tls, plain, len, &out) < 0)
        return false;
    w->outbox.sealed_len += out.len;
    return emit(w, c, out.bytes, out.len, stalled);
}

// Seal what is pending into as few records as it fills.
static bool emit_sealed(struct worker *w, struct conn *c, bool *stalled)
{
    struct outbox_arena *a = &w->outbox;
    size_t gathered = 0;

    // Records made while receiving (handshake, key update) were numbered before these.
    for (uint32_t i = c->first_piece; i != OUTBOX_NONE; i = a->pieces[i].next) {
        const struct piece *p = &a->pieces[i];

        if ((p->len & OUTBOX_SEALED) && !emit(w, c, p->bytes, p->len & ~OUTBOX_SEALED, stalled))
            return false;
    }
    for (uint32_t i = c->first_piece; i != OUTBOX_NONE; i = a->pieces[i].next) {
        const struct piece *p = &a->pieces[i];
        bool alone = gathered == 0 && p->next == OUTBOX_NONE;

        if (p->len & OUTBOX_SEALED)
            continue;
        if (alone || p->len > TLS_RECORD_PLAINTEXT_MAX - gathered) {
            if (gathered > 0 && !seal_and_emit(w, c, a->gather, gathered, stalled))
                return false;
            gathered = 0;
        }
        if (alone || p->len > TLS_RECORD_PLAINTEXT_MAX) {
            if (!seal_and_emit(w, c, p->bytes, p->len, stalled))
                return false;
            continue;
        }
        memcpy(a->gather + gathered, p->bytes, p->len);
        gathered += p->len;
    }
    if (gathered > 0 && !seal_and_emit(w, c, a->gather, gathered, stalled))
        return false;
    if (c->state == CONN_CLOSING && !c->notified && tls_is_established(c->tls)) {
        struct tls_out out = outbox_records_begin(w);

        tls_close(c->tls, &out);
        c->notified = true;
        w->outbox.sealed_len += out.len;
        return out.len == 0 || emit(w, c, out.bytes, out.len, stalled);
    }
    return true;
}

static bool emit_plain(struct worker *w, struct conn *c, bool *stalled)
{
    const struct piece *pieces = w->outbox.pieces;

    for (uint32_t i = c->first_piece; i != OUTBOX_NONE; i = pieces[i].next)
        if (!emit(w, c, pieces[i].bytes, pieces[i].len, stalled))
            return false;
    return true;
}

static void await_writable(struct worker *w, struct conn *c)
{
    struct io_uring_sqe *sqe;

    if (c->polling)
        return;
    sqe = ring_get_sqe(&w->ring);
    io_uring_prep_poll_add(sqe, (int)c->slot, POLLOUT);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_WRITABLE, c->generation, c->slot));
    c->polling = true;
    c->operations++;
}

static void send_backlog(struct worker *w, struct conn *c)
{
    begin_flight(w, c, true);
    for (struct backlog_chunk *chunk = c->backlog_first; chunk; chunk = chunk->next)
        if (!add_to_flight(w, c, chunk->bytes + chunk->begin, chunk->end - chunk->begin))
            break;
    if (w->outbox.flights[c->slot].bytes > 0)
        submit_flight(w, c);
    else
        await_writable(w, c); // the turn's iovecs are used up: the poll comes back in the next
}

static void flush(struct worker *w, struct conn *c)
{
    bool behind = c->sending || c->backlog_first != NULL;
    bool stalled = behind; // once something waits, everything behind it waits
    if (!behind)
        begin_flight(w, c, false);
    if (!(c->tls ? emit_sealed(w, c, &stalled) : emit_plain(w, c, &stalled))) {
        no_buffers(w, c);
        return;
    }
    c->first_piece = c->last_piece = OUTBOX_NONE;
    c->piece_bytes = 0;
    // Messages were bounded when they were pushed; what TLS itself adds is bounded here.
    if (c->backlog_bytes > w->config->outbox_bytes + TLS_FLIGHT_MAX_BYTES) {
        stats_bump(&w->stats, STATS_closed_outbox_full);
        conn_kill(w, c);
        return;
    }
    if (!behind && w->outbox.flights[c->slot].bytes > 0)
        submit_flight(w, c);
    else if (c->backlog_first && !c->sending && !c->polling)
        send_backlog(w, c);
    else if (!behind)
        conn_flushed(w, c);
}

void send_flush(struct worker *w)
{
    struct list *node;

    while ((node = list_pop(&w->dirty)) != NULL) {
        flush(w, CONTAINER_OF(node, struct conn, dirty));
        if (w->outbox.in_flight >= LIMIT_SENDS_UNREAPED) {
            io_uring_submit(&w->ring.uring);
            worker_reap_sends(w);
        }
    }
}

void send_writable(struct worker *w, struct conn *c)
{
    if (conn_is_alive(c) && !c->sending && c->backlog_first)
        send_backlog(w, c);
}

// A reader that takes a byte now and then is as slow as one that takes none: only a chunk renews
// its time.
static void note_progress(struct worker *w, struct conn *c, size_t sent)
{
    c->write_progress += (uint32_t)sent;
    if (c->write_deadline_ns != 0 && c->write_progress < LIMIT_BACKLOG_CHUNK_BYTES)
        return;
    c->write_progress = 0;
    c->write_deadline_ns = w->now_ns + w->config->write_timeout_ms * NS_PER_MS;
    conn_arm_timer(w, c, c->write_deadline_ns);
}

void send_complete(struct worker *w, struct conn *c, int result)
{
    struct flight *f = &w->outbox.flights[c->slot];
    size_t sent = result > 0 ? (size_t)result : 0;

    c->sending = false;
    w->outbox.in_flight--;
    conn_operation_done(w, c);
    if (!conn_is_alive(c))
        return;
    if (result < 0 && result != -EAGAIN) {
        stats_bump(&w->stats, STATS_closed_socket_error);
        conn_kill(w, c);
        return;
    }
    if (f->from_backlog) {
        outbox_consume_backlog(w, c, sent);
    } else if (sent < f->bytes) {
        stats_bump(&w->stats, STATS_backlog_stalls);
        if (!outbox_keep_rest(w, c, &f->message, sent)) {
            no_buffers(w, c);
            return;
        }
    }
    if (!c->backlog_first) {
        c->write_deadline_ns = 0;
        if (c->first_piece == OUTBOX_NONE)
            conn_flushed(w, c);
        return;
    }
    note_progress(w, c, sent);
    // More goes at the turn's end, with what has come by then: a send now would keep the memory of
    // a turn that has not begun.
    if (sent < f->bytes)
        await_writable(w, c);
    else if (!list_is_linked(&c->dirty))
        list_push(&w->dirty, &c->dirty);
}

void send_release_turn(struct worker *w)
{
    assert(w->outbox.in_flight == 0);
    receive_release_turn(w);
    link_return_turn(w);
    outbox_arena_reset(&w->outbox);
}

void send_end_turn_early(struct worker *w)
{
    do {
        send_flush(w);
        io_uring_submit(&w->ring.uring);
        worker_reap_sends(w);
    } while (w->outbox.in_flight > 0 || !list_is_empty(&w->dirty));
    send_release_turn(w);
}

void send_make_room(struct worker *w)
{
    if (!outbox_has_room(&w->outbox) || !receive_has_room(&w->receive))
        send_end_turn_early(w);
}

bool send_early(struct worker *w, struct conn *c)
{
    if (!conn_is_alive(c) || c->backlog_first || c->sending || c->first_piece == OUTBOX_NONE)
        return false;
    list_remove(&c->dirty);
    flush(w, c);
    io_uring_submit(&w->ring.uring);
    worker_reap_sends(w);
    return true;
}
