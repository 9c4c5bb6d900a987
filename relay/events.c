// WebSocket's less common frames through wslay's event API.
#include "events.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include "conn.h"
#include "message.h"
#include "outbox.h"
#include "receive.h"
#include "send.h"
#include "worker.h"

struct events {
    wslay_event_context_ptr context;
    struct worker *worker;
    struct conn *conn;
    const uint8_t *bytes; // of the frame being fed
    size_t len;
};

static ssize_t on_recv(wslay_event_context_ptr context, uint8_t *to, size_t cap, int flags,
                       void *user)
{
    struct events *e = user;
    size_t n = cap < e->len ? cap : e->len;

    (void)flags;
    if (n == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(to, e->bytes, n);
    e->bytes += n;
    e->len -= n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr context, const uint8_t *from, size_t len, int flags,
                       void *user)
{
    struct events *e = user;

    (void)flags;
    if (!outbox_push_copy(e->worker, e->conn, OUTBOX_UNFRAMED, from, len) &&
        !(send_early(e->worker, e->conn) &&
          outbox_push_copy(e->worker, e->conn, OUTBOX_UNFRAMED, from, len))) {
        wslay_event_set_error(context, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)len;
}

static void on_message(wslay_event_context_ptr context,
                       const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
    struct events *e = user;
    uint8_t *copy;

    (void)context;
    if (arg->opcode != WSLAY_TEXT_FRAME && arg->opcode != WSLAY_BINARY_FRAME)
        return;
    stats_bump(&e->worker->stats, STATS_messages_fragmented);
    copy = receive_copy(e->worker, arg->msg, arg->msg_length);
    if (!copy) {
        stats_bump(&e->worker->stats, STATS_closed_no_buffers);
        conn_close(e->worker, e->conn, 1013);
        return;
    }
    message_on_data(e->worker, e->conn, (enum ws_opcode)arg->opcode, copy, arg->msg_length);
}

static struct events *create(struct worker *w, struct conn *c)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv,
        .send_callback = on_send,
        .on_msg_recv_callback = on_message,
    };
    struct events *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->worker = w;
    e->conn = c;
    if (wslay_event_context_server_init(&e->context, &callbacks, e) != 0) {
        free(e);
        return NULL;
    }
    wslay_event_config_set_max_recv_msg_length(e->context, LIMIT_CONTROL_BYTES);
    return e;
}

static void leave_fragments(struct worker *w, struct conn *c)
{
    if (c->in_fragments)
        w->fragmented_messages--;
    c->in_fragments = false;
    c->fragment_count = 0;
}

static void destroy(struct events *e)
{
    wslay_event_context_free(e->context);
    free(e);
}

void events_drop(struct worker *w, struct conn *c)
{
    leave_fragments(w, c);
    if (c->events)
        destroy(c->events);
    c->events = NULL;
}

// wslay reads no more: the peer closed, or broke the protocol. Its answer is queued already.
static void on_closed(struct worker *w, struct conn *c, bool close_received, uint16_t status,
                      bool in_close)
{
    if (close_received)
        stats_bump(&w->stats, STATS_closed_by_peer);
    else if (status == WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA)
        stats_bump(&w->stats, STATS_text_not_utf8);
    else if (status == WSLAY_CODE_MESSAGE_TOO_BIG)
        stats_bump(&w->stats, STATS_frame_too_large);
    else
        stats_bump(&w->stats, in_close ? STATS_frame_bad_close : STATS_frame_bad_sequence);
    conn_close(w, c, 0);
}

static void track_fragments(struct worker *w, struct conn *c, const struct ws_frame *frame)
{
    uint32_t limit = frame->opcode == WS_BINARY && !c->echo
                         ? LIMIT_ENVELOPE_BYTES + WIRE_HEADER_BYTES
                         : LIMIT_CONTROL_BYTES;

    if (frame->opcode >= WS_CLOSE)
        return;
    // Each frame was decoded within the room there was.
    c->fragment_room = (frame->opcode == WS_CONTINUATION ? c->fragment_room : limit) -
                       (uint32_t)frame->payload_len;
    if (frame->fin) {
        leave_fragments(w, c);
        c->message_deadline_ns = 0;
        return;
    }
    if (!c->in_fragments)
        w->fragmented_messages++;
    c->in_fragments = true;
    c->fragment_count++;
    if (c->message_deadline_ns == 0) {
        c->message_deadline_ns = w->now_ns + LIMIT_MESSAGE_MS * NS_PER_MS;
        conn_arm_timer(w, c, c->message_deadline_ns);
    }
}

// wslay allocates for each fragment: bound them before it does.
static bool may_fragment(struct worker *w, struct conn *c, const struct ws_frame *frame)
{
    if (frame->opcode >= WS_CLOSE || (frame->fin && !c->in_fragments))
        return true;
    if (!c->in_fragments && w->fragmented_messages == LIMIT_FRAGMENTED_MESSAGES) {
        stats_bump(&w->stats, STATS_closed_no_buffers);
        conn_close(w, c, 1013);
        return false;
    }
    if (c->fragment_count == LIMIT_FRAGMENTS) {
        stats_bump(&w->stats, STATS_frame_too_many_fragments);
        conn_close(w, c, 1008);
        return false;
    }
    return true;
}

void events_on_frame(struct worker *w, struct conn *c, const struct ws_frame *frame,
                     const uint8_t *bytes, size_t len)
{
    struct events *e = c->events;
    bool failed, ended, close_received;
    uint16_t status;

    // wslay takes a body of one byte for none (RFC 6455 section 5.5.1: the code has two).
    if (frame->opcode == WS_CLOSE && frame->payload_len == 1) {
        stats_bump(&w->stats, STATS_frame_bad_close);
        conn_close(w, c, 1002);
        return;
    }
    if (!may_fragment(w, c, frame))
        return;
    if (!e)
        e = c->events = create(w, c);
    if (!e) {
        stats_bump(&w->stats, STATS_closed_no_buffers);
        conn_close(w, c, 1013);
        return;
    }
    e->bytes = bytes;
    e->len = len;
    // What wslay calls back may close the connection; the context must outlive the call.
    c->events = NULL;
    failed = wslay_event_recv(e->context) != 0;
    if (!failed && c->state == CONN_OPEN)
        failed = wslay_event_send(e->context) != 0;
    ended = !wslay_event_get_read_enabled(e->context);
    close_received = wslay_event_get_close_received(e->context);
    status = wslay_event_get_status_code_sent(e->context);
    if (c->state == CONN_OPEN)
        c->events = e;
    if (c->state != CONN_OPEN) {
        destroy(e);
    } else if (failed) {
        // Half a frame may be queued: nothing can follow it.
        stats_bump(&w->stats, STATS_closed_outbox_full);
        conn_kill(w, c);
    } else if (ended) {
        on_closed(w, c, close_received, status, frame->opcode == WS_CLOSE);
    } else {
        track_fragments(w, c, frame);
        if (!c->in_fragments)
            events_drop(w, c);
    }
}
