// Prekeys: publish, hand out, tell when they run low. Control thread. Memory for them exists from a
// user's first publication on and is as large as the stock.
// Never hands out a one-time prekey twice: it leaves the stock before the answer is built.
#include <assert.h>
#include <stdlib.h>

#include "prekeys.h"
#include "relay/limits.h"

#define KEY_BYTES 32u
#define SIGNATURE_BYTES 64u

struct signed_prekey {
    uint32_t id;
    uint8_t key[KEY_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
};

struct one_time_prekey {
    uint32_t id;
    uint8_t key[KEY_BYTES];
};

struct prekeys {
    struct signed_prekey signed_prekey; // id 0: none yet
    uint16_t first;                     // stock[first … first + count) are there, oldest first
    uint16_t count;
    struct one_time_prekey *stock;
};

// One publication, read whole before anything changes.
struct publication {
    bool has_signed_prekey;
    struct signed_prekey signed_prekey;
    uint32_t count;
    struct one_time_prekey one_time[LIMIT_ONE_TIME_PREKEYS];
};

uint32_t prekeys_count_one_time(const struct user *user)
{
    return user->prekeys ? user->prekeys->count : 0;
}

void prekeys_destroy(struct prekeys *prekeys)
{
    if (prekeys)
        free(prekeys->stock);
    free(prekeys);
}

static bool read_key(yyjson_val *object, uint32_t *id, uint8_t key[KEY_BYTES])
{
    uint64_t value;

    if (!yyjson_is_obj(object) ||
        control_json_read_u64(object, "id", UINT32_MAX, &value) != CONTROL_JSON_FOUND || value == 0)
        return false;
    *id = (uint32_t)value;
    return control_json_read_bytes(object, "key", key, KEY_BYTES) == CONTROL_JSON_FOUND;
}

static enum control_error read_signed_prekey(yyjson_val *root, struct publication *out)
{
    yyjson_val *object;
    enum control_json_result result = control_json_read_object(root, "signed_prekey", &object);

    if (result == CONTROL_JSON_ABSENT)
        return CONTROL_OK;
    if (result == CONTROL_JSON_BAD ||
        !read_key(object, &out->signed_prekey.id, out->signed_prekey.key) ||
        control_json_read_bytes(object, "signature", out->signed_prekey.signature,
                                SIGNATURE_BYTES) != CONTROL_JSON_FOUND)
        return CONTROL_ERROR_BAD_MESSAGE;
    out->has_signed_prekey = true;
    return CONTROL_OK;
}

static bool has_id(const struct one_time_prekey *keys, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i].id == id)
            return true;
    }
    return false;
}

static enum control_error read_one_time_prekeys(yyjson_val *root, struct publication *out)
{
    yyjson_val *array, *element;
    size_t index, count;
    enum control_json_result result = control_json_read_array(root, "one_time_prekeys", &array);

    if (result == CONTROL_JSON_ABSENT)
        return CONTROL_OK;
    if (result == CONTROL_JSON_BAD)
        return CONTROL_ERROR_BAD_MESSAGE;
    if (yyjson_arr_size(array) > LIMIT_ONE_TIME_PREKEYS)
        return CONTROL_ERROR_TOO_MANY_PREKEYS;
    yyjson_arr_foreach(array, index, count, element)
    {
        struct one_time_prekey *key = &out->one_time[out->count];

        if (!read_key(element, &key->id, key->key) || has_id(out->one_time, out->count, key->id))
            return CONTROL_ERROR_BAD_MESSAGE;
        out->count++;
    }
    return CONTROL_OK;
}

// The stock made as large as what it will hold, the oldest at its front.
static bool make_room(struct prekeys *p, uint32_t added)
{
    struct one_time_prekey *stock;

    if (added == 0)
        return true;
    if (p->first > 0) {
        memmove(p->stock, p->stock + p->first, p->count * sizeof *p->stock);
        p->first = 0;
    }
    stock = realloc(p->stock, (p->count + added) * sizeof *stock);
    if (!stock)
        return false;
    p->stock = stock;
    return true;
}

static enum control_error add(struct user *user, const struct publication *publication)
{
    struct prekeys *p = user->prekeys;

    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            return CONTROL_ERROR_RELAY_BUSY;
        user->prekeys = p;
    }
    for (uint32_t i = 0; i < publication->count; i++) {
        if (p->count > 0 && has_id(p->stock + p->first, p->count, publication->one_time[i].id))
            return CONTROL_ERROR_BAD_MESSAGE;
    }
    if (p->count + publication->count > LIMIT_ONE_TIME_PREKEYS)
        return CONTROL_ERROR_TOO_MANY_PREKEYS;
    if (!make_room(p, publication->count))
        return CONTROL_ERROR_RELAY_BUSY;
    if (publication->count > 0) {
        memcpy(p->stock + p->count, publication->one_time, publication->count * sizeof *p->stock);
        p->count = (uint16_t)(p->count + publication->count);
    }
    if (publication->has_signed_prekey)
        p->signed_prekey = publication->signed_prekey;
    return CONTROL_OK;
}

enum control_error prekeys_publish(struct control *c, struct control_conn *conn,
                                   const struct control_request *request)
{
    struct publication publication = {.has_signed_prekey = false, .count = 0};
    enum control_error error = read_signed_prekey(request->root, &publication);

    if (error == CONTROL_OK)
        error = read_one_time_prekeys(request->root, &publication);
    if (error == CONTROL_OK)
        error = add(conn->user, &publication);
    if (error != CONTROL_OK)
        return error;
    stats_bump(c->stats, STATS_prekeys_published);
    control_conn_begin_answer(c, request, "published");
    control_json_write_u64(&c->writer, "one_time_prekeys", prekeys_count_one_time(conn->user));
    control_conn_send(c, conn);
    return CONTROL_OK;
}

// A bucket of bundle_burst tokens, filled at bundle_rate_per_s, kept as one time: a hand-out moves
// it on by one interval, and it may run ahead of now by the burst.
static bool take_token(const struct control_config *config, struct control_conn *conn,
                       uint64_t now_ns)
{
    uint64_t interval_ns, ahead_ns;

    if (config->bundle_rate_per_s == 0)
        return true;
    interval_ns = NS_PER_S / config->bundle_rate_per_s;
    ahead_ns = interval_ns * (config->bundle_burst > 0 ? config->bundle_burst - 1 : 0);
    if (conn->bundle_due_ns < now_ns)
        conn->bundle_due_ns = now_ns;
    if (conn->bundle_due_ns - now_ns > ahead_ns)
        return false;
    conn->bundle_due_ns += interval_ns;
    return true;
}

// The oldest of the stock, out of it for good.
static bool take_one_time(struct prekeys *p, struct one_time_prekey *out)
{
    if (p->count == 0)
        return false;
    *out = p->stock[p->first++];
    if (--p->count == 0) {
        free(p->stock);
        p->stock = NULL;
        p->first = 0;
    }
    return true;
}

// Told when a hand-out crosses the line, so once until the stock has been above it again. Who is
// away then reads the stock in the answer to the next login.
static void tell_low(struct control *c, const struct user *user)
{
    if (user->prekeys->count + 1 != LIMIT_PREKEYS_LOW || !user->conn)
        return;
    stats_bump(c->stats, STATS_prekeys_low_sent);
    control_json_begin(&c->writer, "prekeys_low");
    control_json_write_u64(&c->writer, "one_time_prekeys", user->prekeys->count);
    control_conn_send(c, user->conn);
}

static void write_bundle(struct control_json_writer *w, const struct user *user,
                         const struct one_time_prekey *one_time)
{
    const struct signed_prekey *key = &user->prekeys->signed_prekey;

    control_json_write_text(w, "name", user->name.text, user->name.len);
    control_json_write_bytes(w, "mailbox", user->mailbox, sizeof user->mailbox);
    control_json_open_object(w, "identity_keys");
    control_json_write_bytes(w, "ed25519", user->identity_key, sizeof user->identity_key);
    control_json_close_object(w);
    control_json_open_object(w, "signed_prekey");
    control_json_write_u64(w, "id", key->id);
    control_json_write_bytes(w, "key", key->key, sizeof key->key);
    control_json_write_bytes(w, "signature", key->signature, sizeof key->signature);
    control_json_close_object(w);
    if (!one_time) {
        control_json_write_value(w, "one_time_prekey", "null", 4);
        return;
    }
    control_json_open_object(w, "one_time_prekey");
    control_json_write_u64(w, "id", one_time->id);
    control_json_write_bytes(w, "key", one_time->key, sizeof one_time->key);
    control_json_close_object(w);
}

enum control_error prekeys_get_bundle(struct control *c, struct control_conn *conn,
                                      const struct control_request *request)
{
    struct one_time_prekey one_time;
    struct user_name name;
    struct user *user;
    bool taken;

    if (control_json_read_name(request->root, "name", &name) != CONTROL_JSON_FOUND)
        return CONTROL_ERROR_BAD_MESSAGE;
    if (!take_token(&c->config, conn, request->now_ns))
        return CONTROL_ERROR_RATE_LIMITED;
    user = users_find_name(&c->users, &name);
    if (!user)
        return CONTROL_ERROR_UNKNOWN_LOOKUP;
    if (!user->prekeys || user->prekeys->signed_prekey.id == 0)
        return CONTROL_ERROR_NO_PREKEYS;

    taken = take_one_time(user->prekeys, &one_time);
    stats_bump(c->stats, STATS_bundles);
    if (!taken)
        stats_bump(c->stats, STATS_bundles_without_one_time_prekey);
    control_conn_begin_answer(c, request, "bundle");
    write_bundle(&c->writer, user, taken ? &one_time : NULL);
    control_conn_send(c, conn);
    if (taken)
        tell_low(c, user);
    return CONTROL_OK;
}
