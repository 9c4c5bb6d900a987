// The control plane's front: tables made and freed, each event to whoever answers it.
// Control thread. Never touches a socket; never waits. What has expired is gone before an event.
#include <assert.h>
#include <stdlib.h>

#include <sodium.h>

#include "auth.h"
#include "control.h"
#include "control_conn.h"
#include "offline.h"
#include "prekeys.h"
#include "presence.h"
#include "relay/limits.h"

typedef enum control_error (*control_handler)(struct control *c, struct control_conn *conn,
                                              const struct control_request *request);

struct message_type {
    const char *name;
    bool is_login; // the only ones before a login, and none of them after
    control_handler handle;
};

static const struct message_type types[] = {
    {"register", true, auth_register},
    {"login", true, auth_login},
    {"publish_prekeys", false, prekeys_publish},
    {"get_bundle", false, prekeys_get_bundle},
    {"get_pubkey", false, presence_get_pubkey},
    {"user_list", false, presence_list_users},
    {"chat_request", false, presence_forward_signal},
    {"chat_response", false, presence_forward_signal},
    {"chat_terminate", false, presence_forward_signal},
    {"relay", false, offline_relay},
    {"ack", false, offline_acknowledge},
};

const char *control_check_libraries(void)
{
    struct ml_dsa_verifier verifier;

    if (sodium_init() < 0)
        return "libsodium cannot be initialised";
    if (ml_dsa_verifier_init(&verifier) < 0)
        return "OpenSSL offers no ML-DSA-65; it takes version 3.5 with the default provider";
    ml_dsa_verifier_free(&verifier);
    return NULL;
}

struct control *control_create(const struct control_config *config, const struct control_ops *ops,
                               struct stats *stats)
{
    struct store_limits limits = {.mailbox_envelopes = LIMIT_STORE_MAILBOX_ENVELOPES,
                                  .mailbox_bytes = LIMIT_STORE_MAILBOX_BYTES,
                                  .total_bytes = config->store_total_bytes};
    struct control *c;

    if (sodium_init() < 0)
        return NULL;
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->config = *config;
    c->ops = *ops;
    c->stats = stats;
    c->prekey_memory =
        (struct prekey_memory){.max_bytes = config->prekey_total_bytes, .stats = stats};
    c->conns = calloc((size_t)config->workers * config->slots, sizeof *c->conns);
    c->store = store_create(&limits);
    if (!c->conns || !c->store || users_init(&c->users, config->max_users, &c->prekey_memory) < 0 ||
        ml_dsa_verifier_init(&c->verifier) < 0 || control_json_init_reader(&c->reader) < 0) {
        control_destroy(c);
        return NULL;
    }
    return c;
}

void control_destroy(struct control *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->users.count; i++)
        prekeys_destroy(&c->prekey_memory, c->users.all[i].prekeys);
    control_json_free_reader(&c->reader);
    ml_dsa_verifier_free(&c->verifier);
    users_free(&c->users);
    assert(c->prekey_memory.used_bytes == 0);
    store_destroy(c->store);
    free(c->conns);
    free(c);
}

static const struct message_type *find_type(yyjson_val *root)
{
    const char *name;
    size_t len;

    if (control_json_read_text(root, "type", &name, &len) != CONTROL_JSON_FOUND)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (len == strlen(types[i].name) && !memcmp(name, types[i].name, len))
            return &types[i];
    }
    return NULL;
}

static enum control_error dispatch(struct control *c, struct control_conn *conn,
                                   struct control_request *request)
{
    const struct message_type *type = find_type(request->root);
    enum control_json_result id;

    id = control_json_read_u64(request->root, "id", CONTROL_JSON_MAX_ID, &request->id);
    request->has_id = id == CONTROL_JSON_FOUND;
    if (conn->state == CONTROL_CONN_OPEN && !(type && type->is_login))
        return CONTROL_ERROR_NOT_LOGGED_IN;
    if (conn->state == CONTROL_CONN_LOGGED_IN && type && type->is_login)
        return CONTROL_ERROR_ALREADY_LOGGED_IN;
    if (!type || id == CONTROL_JSON_BAD)
        return CONTROL_ERROR_BAD_MESSAGE;
    request->type = type->name;
    return type->handle(c, conn, request);
}

static void handle_text(struct control *c, struct control_conn *conn,
                        const struct control_event *event, uint64_t now_ns)
{
    struct control_request request = {.now_ns = now_ns};
    enum control_error error = CONTROL_ERROR_BAD_JSON;

    request.root = control_json_parse(&c->reader, event->data, event->len);
    if (request.root)
        error = dispatch(c, conn, &request);
    if (error != CONTROL_OK)
        control_conn_refuse(c, conn, &request, error);
}

static void handle_durable(struct control *c, struct control_conn *conn,
                           const struct control_event *event, uint64_t now_ns)
{
    struct control_request request = {.now_ns = now_ns};

    if (conn->state == CONTROL_CONN_LOGGED_IN)
        offline_accept(c, conn, event->data, event->len, now_ns);
    else
        control_conn_refuse(c, conn, &request, CONTROL_ERROR_NOT_LOGGED_IN);
}

void control_handle_event(struct control *c, const struct control_event *event, uint64_t now_ns)
{
    struct control_conn *conn;

    offline_expire(c, now_ns);
    if (event->op == CONTROL_OPENED) {
        conn = control_conn_open(c, event->peer);
        if (conn)
            auth_greet(c, conn);
        free(event->data);
        return;
    }
    // What a connection said before it was gone, displaced or closed counts no more.
    conn = control_conn_find(c, event->peer);
    if (conn && event->op == CONTROL_CLOSED) {
        control_conn_free(c, conn);
    } else if (conn && conn->state != CONTROL_CONN_ENDED) {
        if (event->op == CONTROL_TEXT)
            handle_text(c, conn, event, now_ns);
        else
            handle_durable(c, conn, event, now_ns);
    }
    free(event->data);
}

void control_tick(struct control *c, uint64_t now_ns)
{
    offline_expire(c, now_ns);
}
