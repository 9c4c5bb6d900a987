// Connections as the control plane sees them. Control thread. Every action leaves from here.
// Never speaks to a connection after telling it to close.
#include <assert.h>
#include <stdlib.h>

#include <sodium.h>

#include "control_conn.h"

static struct control_conn *find_slot(struct control *c, struct peer peer)
{
    assert(peer.worker < c->config.workers && peer.slot < c->config.slots);
    return &c->conns[(size_t)peer.worker * c->config.slots + peer.slot];
}

struct control_conn *control_conn_find(struct control *c, struct peer peer)
{
    struct control_conn *conn = find_slot(c, peer);

    if (conn->state == CONTROL_CONN_FREE || !peer_is_same(conn->peer, peer))
        return NULL;
    return conn;
}

// After this nothing leads from the user to the connection or back.
static void forget_login(struct control *c, struct control_conn *conn, bool detach)
{
    if (conn->state == CONTROL_CONN_LOGGED_IN) {
        assert(conn->user->conn == conn);
        if (detach)
            c->ops.detach(c->ops.ctx, conn->user->mailbox, conn->peer);
        conn->user->conn = NULL;
        conn->user = NULL;
    }
    sodium_memzero(conn->challenge, sizeof conn->challenge);
}

struct control_conn *control_conn_open(struct control *c, struct peer peer)
{
    struct control_conn *conn = find_slot(c, peer);

    if (conn->state != CONTROL_CONN_FREE) {
        if (peer_is_same(conn->peer, peer))
            return NULL;
        // The slot has a new connection, so the old one is gone, whether we were told or not.
        control_conn_free(c, conn);
    }
    *conn = (struct control_conn){.peer = peer, .state = CONTROL_CONN_OPEN};
    return conn;
}

void control_conn_free(struct control *c, struct control_conn *conn)
{
    forget_login(c, conn, true);
    conn->state = CONTROL_CONN_FREE;
}

static void close_conn(struct control *c, struct control_conn *conn, uint16_t close_code,
                       bool detach)
{
    struct control_action action = {
        .op = CONTROL_CLOSE, .peer = conn->peer, .close_code = close_code};

    if (conn->state == CONTROL_CONN_ENDED)
        return;
    forget_login(c, conn, detach);
    conn->state = CONTROL_CONN_ENDED;
    c->ops.act(c->ops.ctx, &action);
}

void control_conn_end(struct control *c, struct control_conn *conn, uint16_t close_code)
{
    close_conn(c, conn, close_code, true);
}

void control_conn_displace(struct control *c, struct control_conn *conn)
{
    close_conn(c, conn, CLOSE_DISPLACED, false);
}

void control_conn_begin_answer(struct control *c, const struct control_request *request,
                               const char *type)
{
    control_json_begin(&c->writer, type);
    if (request->has_id)
        control_json_write_u64(&c->writer, "id", request->id);
}

void control_conn_send_bytes(struct control *c, struct control_conn *conn,
                             enum control_action_op op, const void *bytes, uint32_t len)
{
    struct control_action action = {.op = op, .peer = conn->peer, .len = len};

    if (conn->state == CONTROL_CONN_ENDED)
        return;
    action.data = malloc(len);
    if (!action.data) {
        // An answer left out would leave the client waiting or out of step: better it comes again.
        stats_bump(c->stats, STATS_control_memory_short);
        control_conn_end(c, conn, CLOSE_TRY_AGAIN_LATER);
        return;
    }
    memcpy(action.data, bytes, len);
    c->ops.act(c->ops.ctx, &action);
}

void control_conn_send(struct control *c, struct control_conn *conn)
{
    control_json_end(&c->writer);
    control_conn_send_bytes(c, conn, CONTROL_SEND_TEXT, c->writer.text, c->writer.len);
}

static const struct control_error_info *begin_error(struct control *c, enum control_error error)
{
    const struct control_error_info *info = control_error_find_info(error);

    stats_bump(c->stats, info->counter);
    control_json_begin(&c->writer, "error");
    control_json_write_text(&c->writer, "code", info->code, strlen(info->code));
    control_json_write_text(&c->writer, "message", info->message, strlen(info->message));
    return info;
}

void control_conn_refuse(struct control *c, struct control_conn *conn,
                         const struct control_request *request, enum control_error error)
{
    const struct control_error_info *info = begin_error(c, error);

    if (request->has_id)
        control_json_write_u64(&c->writer, "id", request->id);
    control_conn_send(c, conn);
    if (info->close_code)
        control_conn_end(c, conn, info->close_code);
}

void control_conn_refuse_envelope(struct control *c, struct control_conn *conn,
                                  const uint8_t message_id[WIRE_MESSAGE_ID_BYTES],
                                  enum control_error error)
{
    const struct control_error_info *info = begin_error(c, error);

    assert(info->close_code == 0);
    control_json_write_bytes(&c->writer, "message_id", message_id, WIRE_MESSAGE_ID_BYTES);
    control_conn_send(c, conn);
}
