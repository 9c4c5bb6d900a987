// Registration and login. Control thread. A name belongs to the identity key of its first
// registration for good; a login is a signature over this connection's challenge.
// Never keeps a challenge after the attempt it was used for.
#include <assert.h>

#include <sodium.h>

#include "auth.h"
#include "offline.h"
#include "prekeys.h"

#define SIGNED_LABEL "sealpost.v1 "
#define SIGNED_MAX_BYTES 128u

struct claim {
    struct user_name name;
    uint8_t signature[crypto_sign_BYTES];
};

void auth_greet(struct control *c, struct control_conn *conn)
{
    struct control_json_writer *w = &c->writer;

    randombytes_buf(conn->challenge, sizeof conn->challenge);
    control_json_begin(w, "hello");
    control_json_write_u64(w, "protocol", 1);
    control_json_write_bytes(w, "challenge", conn->challenge, sizeof conn->challenge);
    control_json_open_object(w, "limits");
    control_json_write_u64(w, "envelope_bytes", LIMIT_ENVELOPE_BYTES);
    control_json_write_u64(w, "control_bytes", LIMIT_CONTROL_BYTES);
    control_json_write_u64(w, "outbox_bytes", c->config.outbox_bytes);
    control_json_write_u64(w, "one_time_prekeys", LIMIT_ONE_TIME_PREKEYS);
    control_json_write_u64(w, "login_timeout_ms", c->config.login_timeout_ms);
    control_json_close_object(w);
    control_conn_send(c, conn);
}

// Source: docs/PROTOCOL.md section 3, register and login.
static bool verify(const struct control_conn *conn, const char *verb, const struct claim *claim,
                   const uint8_t identity_key[USER_IDENTITY_BYTES])
{
    uint8_t message[SIGNED_MAX_BYTES];
    size_t verb_len = strlen(verb);
    size_t len = 0;

    static_assert(sizeof SIGNED_LABEL - 1 + sizeof "register" + CONTROL_CHALLENGE_BYTES + 1 +
                          LIMIT_NAME_BYTES + USER_IDENTITY_BYTES <=
                      SIGNED_MAX_BYTES,
                  "the longest signed message fits");
    memcpy(message, SIGNED_LABEL, sizeof SIGNED_LABEL - 1);
    len += sizeof SIGNED_LABEL - 1;
    memcpy(message + len, verb, verb_len + 1); // with its zero byte
    len += verb_len + 1;
    memcpy(message + len, conn->challenge, CONTROL_CHALLENGE_BYTES);
    len += CONTROL_CHALLENGE_BYTES;
    message[len++] = claim->name.len;
    memcpy(message + len, claim->name.text, claim->name.len);
    len += claim->name.len;
    memcpy(message + len, identity_key, USER_IDENTITY_BYTES);
    len += USER_IDENTITY_BYTES;
    return crypto_sign_verify_detached(claim->signature, message, len, identity_key) == 0;
}

static bool read_claim(const struct control_request *request, struct claim *out)
{
    yyjson_val *signatures;

    return control_json_read_name(request->root, "name", &out->name) == CONTROL_JSON_FOUND &&
           control_json_read_object(request->root, "signatures", &signatures) ==
               CONTROL_JSON_FOUND &&
           control_json_read_bytes(signatures, "ed25519", out->signature, sizeof out->signature) ==
               CONTROL_JSON_FOUND;
}

static void answer(struct control *c, struct control_conn *conn,
                   const struct control_request *request, const char *type)
{
    const struct user *user = conn->user;

    control_conn_begin_answer(c, request, type);
    control_json_write_text(&c->writer, "name", user->name.text, user->name.len);
    control_json_write_bytes(&c->writer, "mailbox", user->mailbox, sizeof user->mailbox);
    control_json_write_u64(&c->writer, "one_time_prekeys", prekeys_count_one_time(user));
    control_json_write_u64(&c->writer, "queued", store_count(c->store, user->mailbox));
    control_conn_send(c, conn);
}

// The signature was good. The mailbox moves first, so that the older connection can be told to go
// and its end later changes nothing; then the answer, then what waited.
static enum control_error admit(struct control *c, struct control_conn *conn, struct user *user,
                                const struct control_request *request, const char *type)
{
    struct control_action action = {.op = CONTROL_LOGGED_IN, .peer = conn->peer};

    if (c->ops.attach(c->ops.ctx, user->mailbox, conn->peer) < 0)
        return CONTROL_ERROR_RELAY_FULL;
    if (user->conn)
        control_conn_displace(c, user->conn);
    sodium_memzero(conn->challenge, sizeof conn->challenge);
    conn->state = CONTROL_CONN_LOGGED_IN;
    conn->user = user;
    user->conn = conn;
    stats_bump(c->stats, STATS_logged_in);
    memcpy(action.mailbox, user->mailbox, sizeof action.mailbox);
    c->ops.act(c->ops.ctx, &action);
    answer(c, conn, request, type);
    offline_deliver(c, conn);
    return CONTROL_OK;
}

enum control_error auth_register(struct control *c, struct control_conn *conn,
                                 const struct control_request *request)
{
    uint8_t identity_key[USER_IDENTITY_BYTES];
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    yyjson_val *keys;
    struct claim claim;
    struct user *user;

    if (!read_claim(request, &claim) ||
        control_json_read_object(request->root, "identity_keys", &keys) != CONTROL_JSON_FOUND ||
        control_json_read_bytes(keys, "ed25519", identity_key, sizeof identity_key) !=
            CONTROL_JSON_FOUND)
        return CONTROL_ERROR_BAD_MESSAGE;
    user = users_find_name(&c->users, &claim.name);
    if (user && memcmp(user->identity_key, identity_key, sizeof identity_key) != 0)
        return CONTROL_ERROR_IDENTITY_MISMATCH;
    if (!verify(conn, "register", &claim, identity_key))
        return CONTROL_ERROR_BAD_SIGNATURE;
    if (!user) {
        // One mailbox has one owner: an identity key has one name, as a name has one key.
        users_compute_mailbox(mailbox, identity_key);
        if (users_find_mailbox(&c->users, mailbox))
            return CONTROL_ERROR_IDENTITY_MISMATCH;
        user = users_add(&c->users, &claim.name, identity_key);
        if (!user)
            return CONTROL_ERROR_RELAY_FULL;
        stats_bump(c->stats, STATS_registered);
    }
    return admit(c, conn, user, request, "registered");
}

enum control_error auth_login(struct control *c, struct control_conn *conn,
                              const struct control_request *request)
{
    struct claim claim;
    struct user *user;

    if (!read_claim(request, &claim))
        return CONTROL_ERROR_BAD_MESSAGE;
    user = users_find_name(&c->users, &claim.name);
    if (!user)
        return CONTROL_ERROR_UNKNOWN_LOGIN;
    if (!verify(conn, "login", &claim, user->identity_key))
        return CONTROL_ERROR_BAD_SIGNATURE;
    return admit(c, conn, user, request, "logged_in");
}
