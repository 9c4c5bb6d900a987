// The offline queue's rules. Control thread. An envelope is in the store before its sender reads
// `accepted`, and leaves it by acknowledgement or expiry alone.
//
// Delivery: conn->sent_sequence is the newest entry sent on this connection; entries up to it that
// the store still holds are the unacknowledged ones, counted in the window. A login begins with a
// fresh connection, so from the oldest again.
#include <assert.h>
#include <stdlib.h>

#include <sodium.h>

#include "offline.h"
#include "relay/limits.h"

static uint64_t compute_expiry_ns(const struct control *c, uint32_t ttl_s, uint64_t now_ns)
{
    if (ttl_s == 0 || ttl_s > c->config.max_ttl_s)
        ttl_s = c->config.max_ttl_s;
    return now_ns + ttl_s * NS_PER_S;
}

// Answers that name one envelope: accepted, delivered.
static void send_notice(struct control *c, struct control_conn *conn, const char *type,
                        const uint8_t message_id[WIRE_MESSAGE_ID_BYTES])
{
    control_json_begin(&c->writer, type);
    control_json_write_bytes(&c->writer, "message_id", message_id, WIRE_MESSAGE_ID_BYTES);
    control_conn_send(c, conn);
}

static enum control_error keep(struct control *c, const struct store_entry *entry,
                               const struct wire_envelope *header, uint64_t now_ns)
{
    switch (store_put(c->store, header->mailbox, header->message_id, entry,
                      compute_expiry_ns(c, header->ttl_s, now_ns))) {
    case STORE_OK:
        stats_bump(c->stats, STATS_store_accepted);
        return CONTROL_OK;
    case STORE_DUPLICATE:
        stats_bump(c->stats, STATS_store_duplicates);
        return CONTROL_OK;
    case STORE_MAILBOX_FULL:
    case STORE_FULL:
        return CONTROL_ERROR_QUEUE_FULL;
    case STORE_FAILED:
        break;
    }
    return CONTROL_ERROR_RELAY_BUSY;
}

void offline_accept(struct control *c, struct control_conn *conn, const uint8_t *envelope,
                    uint32_t len, uint64_t now_ns)
{
    struct store_entry entry = {.envelope = envelope, .len = len, .receipt_to = conn->peer};
    enum control_error error = CONTROL_ERROR_UNKNOWN_MAILBOX;
    struct wire_envelope header;
    struct user *recipient;
    ssize_t used;

    used = wire_decode_envelope(&header, envelope, len, LIMIT_ENVELOPE_BYTES);
    assert(used > 0 && (header.flags & WIRE_FLAG_DURABLE));
    entry.receipt = (header.flags & WIRE_FLAG_RECEIPT) != 0;
    recipient = users_find_mailbox(&c->users, header.mailbox);
    if (recipient)
        error = keep(c, &entry, &header, now_ns);
    if (error != CONTROL_OK) {
        control_conn_refuse_envelope(c, conn, header.message_id, error);
        return;
    }
    send_notice(c, conn, "accepted", header.message_id);
    if (recipient->conn)
        offline_deliver(c, recipient->conn);
}

void offline_deliver(struct control *c, struct control_conn *conn)
{
    struct store_entry entry;

    // A send may end the connection: then the rest waits for the next login.
    while (conn->state == CONTROL_CONN_LOGGED_IN && conn->unacked_count < LIMIT_UNACKED_ENVELOPES &&
           store_next(c->store, conn->user->mailbox, conn->sent_sequence, &entry) &&
           (conn->unacked_count == 0 || conn->unacked_bytes + entry.len <= LIMIT_UNACKED_BYTES)) {
        conn->sent_sequence = entry.sequence;
        conn->unacked_count++;
        conn->unacked_bytes += entry.len;
        stats_bump(c->stats, STATS_store_delivered);
        control_conn_send_bytes(c, conn, CONTROL_SEND_ENVELOPE, entry.envelope, entry.len);
    }
}

// An entry has left the store: if it was sent on this connection, the window opens by it.
static void release(struct control_conn *conn, const struct store_entry *entry)
{
    if (entry->sequence > conn->sent_sequence)
        return;
    assert(conn->unacked_count > 0 && conn->unacked_bytes >= entry->len);
    conn->unacked_count--;
    conn->unacked_bytes -= entry->len;
}

static void acknowledge_one(struct control *c, struct control_conn *conn,
                            const uint8_t message_id[WIRE_MESSAGE_ID_BYTES])
{
    struct store_entry entry;
    struct control_conn *sender;

    if (!store_delete(c->store, conn->user->mailbox, message_id, &entry))
        return;
    stats_bump(c->stats, STATS_store_acknowledged);
    release(conn, &entry);
    if (!entry.receipt)
        return;
    sender = control_conn_find(c, entry.receipt_to);
    if (sender && sender->state == CONTROL_CONN_LOGGED_IN)
        send_notice(c, sender, "delivered", message_id);
}

enum control_error offline_acknowledge(struct control *c, struct control_conn *conn,
                                       const struct control_request *request)
{
    uint8_t ids[LIMIT_ACK_IDS][WIRE_MESSAGE_ID_BYTES];
    yyjson_val *array, *element;
    size_t index, count;

    if (control_json_read_array(request->root, "message_ids", &array) != CONTROL_JSON_FOUND ||
        yyjson_arr_size(array) > LIMIT_ACK_IDS)
        return CONTROL_ERROR_BAD_MESSAGE;
    // Read whole first: a bad message acknowledges nothing.
    yyjson_arr_foreach(array, index, count, element)
    {
        if (!control_json_decode_bytes(element, ids[index], WIRE_MESSAGE_ID_BYTES))
            return CONTROL_ERROR_BAD_MESSAGE;
    }
    // A receipt to oneself may end this very connection.
    for (size_t i = 0; i < count && conn->state == CONTROL_CONN_LOGGED_IN; i++)
        acknowledge_one(c, conn, ids[i]);
    offline_deliver(c, conn);
    return CONTROL_OK;
}

enum control_error offline_relay(struct control *c, struct control_conn *conn,
                                 const struct control_request *request)
{
    struct control_action action = {.op = CONTROL_ROUTE, .peer = conn->peer};
    struct wire_envelope header;
    const char *text;
    size_t text_len, len;
    uint8_t *envelope;

    if (control_json_read_text(request->root, "envelope", &text, &text_len) != CONTROL_JSON_FOUND)
        return CONTROL_ERROR_BAD_MESSAGE;
    envelope = malloc(text_len / 4 * 3 + 3);
    if (!envelope)
        return CONTROL_ERROR_RELAY_BUSY;
    if (sodium_base642bin(envelope, text_len / 4 * 3 + 3, text, text_len, NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0) {
        free(envelope);
        return CONTROL_ERROR_BAD_MESSAGE;
    }
    if (wire_decode_envelope(&header, envelope, len, LIMIT_ENVELOPE_BYTES) < 0) {
        free(envelope);
        return CONTROL_ERROR_BAD_ENVELOPE;
    }
    if (header.flags & WIRE_FLAG_DURABLE) {
        offline_accept(c, conn, envelope, (uint32_t)len, request->now_ns);
        free(envelope);
        return CONTROL_OK;
    }
    action.data = envelope;
    action.len = (uint32_t)len;
    c->ops.act(c->ops.ctx, &action);
    return CONTROL_OK;
}

void offline_expire(struct control *c, uint64_t now_ns)
{
    struct control_conn *opened[LIMIT_EXPIRED_AT_ONCE];
    uint32_t opened_count = 0;
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    struct store_entry entry;

    for (uint32_t i = 0; i < LIMIT_EXPIRED_AT_ONCE; i++) {
        struct user *user;

        if (!store_expire(c->store, now_ns, mailbox, &entry))
            break;
        stats_bump(c->stats, STATS_store_expired);
        user = users_find_mailbox(&c->users, mailbox);
        assert(user);
        if (user->conn) {
            release(user->conn, &entry);
            opened[opened_count++] = user->conn;
        }
    }
    // Only now, so that nothing goes out that has expired as well.
    for (uint32_t i = 0; i < opened_count; i++)
        offline_deliver(c, opened[i]);
}
