// Registration and login. Control thread. A name belongs to the identity of its first registration
// for good; a login is a signature by each of its keys over this connection's challenge.
// Never keeps a challenge after the attempt it was used for. Never verifies twice for a connection:
// whatever the signatures are worth, it is logged in or closed then, which bounds a flood of them.
#include <errno.h>

#include <sodium.h>

#include "auth.h"
#include "offline.h"
#include "prekeys.h"

#define SIGNED_LABEL "sealpost.v1 "
#define SIGNED_MAX_BYTES                                                                           \
    (sizeof SIGNED_LABEL - 1 + sizeof "register" + CONTROL_CHALLENGE_BYTES + 1 +                   \
     LIMIT_NAME_BYTES + USER_ED25519_BYTES + ML_DSA_65_KEY_BYTES)

struct claim {
    struct user_name name;
    bool has_ml_dsa_65;
    uint8_t ed25519[crypto_sign_BYTES];
    uint8_t ml_dsa_65[ML_DSA_65_SIGNATURE_BYTES];
};

struct identity_keys {
    uint8_t ed25519[USER_ED25519_BYTES];
    uint8_t ml_dsa_65[ML_DSA_65_KEY_BYTES];
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
    control_json_write_u64(w, "one_time_kem_prekeys", LIMIT_ONE_TIME_KEM_PREKEYS);
    control_json_write_u64(w, "login_timeout_ms", c->config.login_timeout_ms);
    control_json_close_object(w);
    control_conn_send(c, conn);
}

static size_t append(uint8_t *to, size_t len, const void *bytes, size_t count)
{
    memcpy(to + len, bytes, count);
    return len + count;
}

// Source: docs/PROTOCOL.md section 3, register and login.
static size_t encode_signed(uint8_t out[SIGNED_MAX_BYTES], const struct control_conn *conn,
                            const char *verb, const struct user_name *name,
                            const struct user_identity *identity)
{
    size_t len = append(out, 0, SIGNED_LABEL, sizeof SIGNED_LABEL - 1);

    len = append(out, len, verb, strlen(verb) + 1); // with its zero byte
    len = append(out, len, conn->challenge, CONTROL_CHALLENGE_BYTES);
    len = append(out, len, &name->len, 1);
    len = append(out, len, name->text, name->len);
    len = append(out, len, identity->ed25519, USER_ED25519_BYTES);
    if (identity->ml_dsa_65)
        len = append(out, len, identity->ml_dsa_65, ML_DSA_65_KEY_BYTES);
    return len;
}

static enum control_error verify(const struct control *c, const struct control_conn *conn,
                                 const char *verb, const struct claim *claim,
                                 const struct user_identity *identity)
{
    uint8_t message[SIGNED_MAX_BYTES];
    size_t len;

    // As many signatures as keys, or the second key would protect nothing.
    if (claim->has_ml_dsa_65 != (identity->ml_dsa_65 != NULL))
        return CONTROL_ERROR_BAD_SIGNATURE;
    len = encode_signed(message, conn, verb, &claim->name, identity);
    // The cheaper one first, a third of the other's time.
    if (crypto_sign_verify_detached(claim->ed25519, message, len, identity->ed25519) != 0)
        return CONTROL_ERROR_BAD_SIGNATURE;
    if (!identity->ml_dsa_65)
        return CONTROL_OK;
    switch (
        ml_dsa_verifier_check(&c->verifier, claim->ml_dsa_65, message, len, identity->ml_dsa_65)) {
    case 0:
        return CONTROL_OK;
    case -ENOMEM:
        return CONTROL_ERROR_RELAY_FULL;
    default:
        return CONTROL_ERROR_BAD_SIGNATURE;
    }
}

static bool read_claim(const struct control_request *request, struct claim *out)
{
    enum control_json_result second;
    yyjson_val *signatures;

    if (control_json_read_name(request->root, "name", &out->name) != CONTROL_JSON_FOUND ||
        control_json_read_object(request->root, "signatures", &signatures) != CONTROL_JSON_FOUND ||
        control_json_read_bytes(signatures, "ed25519", out->ed25519, sizeof out->ed25519) !=
            CONTROL_JSON_FOUND)
        return false;
    second =
        control_json_read_bytes(signatures, "ml_dsa_65", out->ml_dsa_65, sizeof out->ml_dsa_65);
    out->has_ml_dsa_65 = second == CONTROL_JSON_FOUND;
    return second != CONTROL_JSON_BAD;
}

static void answer(struct control *c, struct control_conn *conn,
                   const struct control_request *request, const char *type)
{
    const struct user *user = conn->user;

    control_conn_begin_answer(c, request, type);
    control_json_write_text(&c->writer, "name", user->name.text, user->name.len);
    control_json_write_bytes(&c->writer, "mailbox", user->mailbox, sizeof user->mailbox);
    prekeys_write_counts(&c->writer, user);
    control_json_write_u64(&c->writer, "queued", store_count(c->store, user->mailbox));
    control_conn_send(c, conn);
}

// The signatures were good. The mailbox moves first, so that the older connection can be told to go
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

// `keys` is where the keys are decoded to, and borrowed from.
static bool read_identity(const struct control_request *request, struct identity_keys *keys,
                          struct user_identity *out)
{
    enum control_json_result second;
    yyjson_val *object;

    if (control_json_read_object(request->root, "identity_keys", &object) != CONTROL_JSON_FOUND ||
        control_json_read_bytes(object, "ed25519", keys->ed25519, sizeof keys->ed25519) !=
            CONTROL_JSON_FOUND)
        return false;
    second = control_json_read_bytes(object, "ml_dsa_65", keys->ml_dsa_65, sizeof keys->ml_dsa_65);
    out->ed25519 = keys->ed25519;
    out->ml_dsa_65 = second == CONTROL_JSON_FOUND ? keys->ml_dsa_65 : NULL;
    return second != CONTROL_JSON_BAD;
}

// A new name, its signatures good. One Ed25519 key has one name, as a name has one identity, and a
// mailbox one owner: whoever finds two identities of one mailbox id, by 2^64 tries, has both.
static enum control_error pin(struct control *c, const struct user_name *name,
                              const struct user_identity *identity, struct user **out)
{
    uint8_t mailbox[WIRE_MAILBOX_BYTES];

    users_compute_mailbox(mailbox, identity);
    if (users_find_ed25519(&c->users, identity->ed25519) || users_find_mailbox(&c->users, mailbox))
        return CONTROL_ERROR_IDENTITY_MISMATCH;
    *out = users_add(&c->users, name, identity);
    if (!*out)
        return CONTROL_ERROR_RELAY_FULL;
    stats_bump(c->stats, STATS_registered);
    return CONTROL_OK;
}

enum control_error auth_register(struct control *c, struct control_conn *conn,
                                 const struct control_request *request)
{
    struct user_identity identity;
    struct identity_keys keys;
    enum control_error error;
    struct claim claim;
    struct user *user;

    if (!read_claim(request, &claim) || !read_identity(request, &keys, &identity))
        return CONTROL_ERROR_BAD_MESSAGE;
    user = users_find_name(&c->users, &claim.name);
    if (user && !users_has_identity(user, &identity))
        return CONTROL_ERROR_IDENTITY_MISMATCH;
    error = verify(c, conn, "register", &claim, &identity);
    if (error == CONTROL_OK && !user)
        error = pin(c, &claim.name, &identity, &user);
    return error == CONTROL_OK ? admit(c, conn, user, request, "registered") : error;
}

enum control_error auth_login(struct control *c, struct control_conn *conn,
                              const struct control_request *request)
{
    struct user_identity identity;
    enum control_error error;
    struct claim claim;
    struct user *user;

    if (!read_claim(request, &claim))
        return CONTROL_ERROR_BAD_MESSAGE;
    user = users_find_name(&c->users, &claim.name);
    if (!user)
        return CONTROL_ERROR_UNKNOWN_LOGIN;
    identity = users_get_identity(user);
    error = verify(c, conn, "login", &claim, &identity);
    return error == CONTROL_OK ? admit(c, conn, user, request, "logged_in") : error;
}
