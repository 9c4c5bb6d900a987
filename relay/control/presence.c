// Look-ups and signalling. Control thread. Never reads the body of a signal: parsed and written
// again by the JSON library, it can carry nothing but one value.
#include "presence.h"
#include "relay/limits.h"

void presence_write_user(struct control_json_writer *w, const struct user *user)
{
    control_json_write_text(w, "name", user->name.text, user->name.len);
    control_json_write_bytes(w, "mailbox", user->mailbox, sizeof user->mailbox);
    control_json_open_object(w, "identity_keys");
    control_json_write_bytes(w, "ed25519", user->ed25519, sizeof user->ed25519);
    if (user->ml_dsa_65)
        control_json_write_bytes(w, "ml_dsa_65", user->ml_dsa_65, ML_DSA_65_KEY_BYTES);
    control_json_close_object(w);
}

enum control_error presence_get_pubkey(struct control *c, struct control_conn *conn,
                                       const struct control_request *request)
{
    struct user_name name;
    const struct user *user;

    if (control_json_read_name(request->root, "name", &name) != CONTROL_JSON_FOUND)
        return CONTROL_ERROR_BAD_MESSAGE;
    user = users_find_name(&c->users, &name);
    if (!user)
        return CONTROL_ERROR_UNKNOWN_LOOKUP;
    control_conn_begin_answer(c, request, "pubkey");
    presence_write_user(&c->writer, user);
    control_conn_send(c, conn);
    return CONTROL_OK;
}

enum control_error presence_list_users(struct control *c, struct control_conn *conn,
                                       const struct control_request *request)
{
    struct control_json_writer *w = &c->writer;
    uint64_t cursor = 0;
    uint64_t end;

    if (control_json_read_u64(request->root, "cursor", CONTROL_JSON_MAX_ID, &cursor) ==
        CONTROL_JSON_BAD)
        return CONTROL_ERROR_BAD_MESSAGE;
    end = cursor + LIMIT_USER_LIST;
    if (end > c->users.count)
        end = c->users.count;
    control_conn_begin_answer(c, request, "user_list");
    control_json_open_array(w, "users");
    for (; cursor < end; cursor++) {
        const struct user_name *name = &c->users.all[cursor].name;

        control_json_write_text(w, NULL, name->text, name->len);
    }
    control_json_close_array(w);
    if (end < c->users.count)
        control_json_write_u64(w, "next", end);
    else
        control_json_write_value(w, "next", "null", 4);
    control_conn_send(c, conn);
    return CONTROL_OK;
}

enum control_error presence_forward_signal(struct control *c, struct control_conn *conn,
                                           const struct control_request *request)
{
    const struct user *from = conn->user;
    enum control_json_result has_body;
    struct control_conn *to_conn;
    const struct user *to;
    struct user_name name;
    const char *text = NULL;
    yyjson_val *body;
    size_t len;

    has_body = control_json_read_member(request->root, "body", &body);
    if (control_json_read_name(request->root, "to", &name) != CONTROL_JSON_FOUND ||
        has_body == CONTROL_JSON_BAD ||
        (has_body == CONTROL_JSON_FOUND &&
         !control_json_copy_value(&c->reader, body, LIMIT_CHAT_BODY_BYTES, &text, &len)))
        return CONTROL_ERROR_BAD_MESSAGE;
    to = users_find_name(&c->users, &name);
    if (!to || !to->conn)
        return CONTROL_ERROR_RECIPIENT_ABSENT;

    to_conn = to->conn;
    control_json_begin(&c->writer, request->type);
    control_json_write_text(&c->writer, "from", from->name.text, from->name.len);
    if (text)
        control_json_write_value(&c->writer, "body", text, len);
    control_conn_send(c, to_conn);
    if (to_conn->state == CONTROL_CONN_ENDED)
        return CONTROL_ERROR_RELAY_BUSY;
    stats_bump(c->stats, STATS_signals_forwarded);
    control_conn_begin_answer(c, request, "forwarded");
    control_conn_send(c, conn);
    return CONTROL_OK;
}
