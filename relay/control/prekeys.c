// Prekeys: publish, hand out, tell when they run low. Control thread. Memory for them exists from a
// user's first publication on, is as large as the stock, and comes out of one bound for all users.
// Never hands out a one-time prekey twice: it leaves the stock before the answer is built. Never
// stores a publication in part: it is read and given room whole before anything changes, so that
// while it is read the keys it replaces are still there, and counted.
#include <assert.h>

#include "ml_dsa_verifier.h"
#include "prekeys.h"
#include "presence.h"
#include "relay/limits.h"

#define KEY_BYTES 32u       // X25519
#define KEM_KEY_BYTES 1184u // ML-KEM-768
#define SIGNATURE_BYTES crypto_sign_BYTES

struct one_time_prekey {
    uint32_t id;
    uint8_t key[KEY_BYTES];
};

// A key with its owner's signatures: the signed prekey, and KEM prekeys of both sorts.
struct signed_key {
    uint32_t id;
    uint16_t len;    // of bytes
    uint8_t bytes[]; // key, Ed25519 signature and, if the owner is hybrid, ML-DSA-65 signature
};

struct kem_prekeys {
    struct signed_key *last_resort; // NULL: none yet
    uint32_t count;
    struct signed_key *one_time[LIMIT_ONE_TIME_KEM_PREKEYS]; // oldest first
};

struct prekeys {
    struct signed_key *signed_prekey; // NULL: none yet
    struct kem_prekeys kem;
    // stock[first … first + count) are there, oldest first, and nothing behind them: what is
    // allocated ends with the newest. NULL without any.
    struct one_time_prekey *stock;
    uint16_t first;
    uint16_t count;
};

// Who publishes, and where the memory for it comes from.
struct publisher {
    struct user *user;
    struct prekey_memory *memory;
};

// One publication. What is left in it at the end is freed.
struct publication {
    struct signed_key *signed_prekey; // NULL: none
    struct kem_prekeys kem;
    uint32_t count;
    struct one_time_prekey one_time[LIMIT_ONE_TIME_PREKEYS];
};

void prekeys_write_counts(struct control_json_writer *w, const struct user *user)
{
    const struct prekeys *p = user->prekeys;

    control_json_write_u64(w, "one_time_prekeys", p ? p->count : 0);
    control_json_write_u64(w, "one_time_kem_prekeys", p ? p->kem.count : 0);
}

static struct signed_key *alloc_signed_key(struct prekey_memory *memory, size_t len)
{
    struct signed_key *key = prekey_memory_alloc(memory, sizeof *key + len);

    if (key)
        key->len = (uint16_t)len;
    return key;
}

static void free_signed_key(struct prekey_memory *memory, struct signed_key *key)
{
    if (key)
        prekey_memory_free(memory, key, sizeof *key + key->len);
}

static void free_kem_keys(struct prekey_memory *memory, struct kem_prekeys *kem)
{
    for (uint32_t i = 0; i < kem->count; i++)
        free_signed_key(memory, kem->one_time[i]);
    free_signed_key(memory, kem->last_resort);
}

static void free_stock(struct prekey_memory *memory, struct prekeys *p)
{
    prekey_memory_free(memory, p->stock, (p->first + p->count) * sizeof *p->stock);
}

void prekeys_destroy(struct prekey_memory *memory, struct prekeys *prekeys)
{
    if (!prekeys)
        return;
    free_kem_keys(memory, &prekeys->kem);
    free_signed_key(memory, prekeys->signed_prekey);
    free_stock(memory, prekeys);
    prekey_memory_free(memory, prekeys, sizeof *prekeys);
}

// ---- publish ------------------------------------------------------------------------------------

static bool read_key(yyjson_val *object, uint32_t *id, uint8_t *key, size_t key_bytes)
{
    uint64_t value;

    if (!yyjson_is_obj(object) ||
        control_json_read_u64(object, "id", UINT32_MAX, &value) != CONTROL_JSON_FOUND || value == 0)
        return false;
    *id = (uint32_t)value;
    return control_json_read_bytes(object, "key", key, key_bytes) == CONTROL_JSON_FOUND;
}

// A hybrid owner's two signatures, or the one of another.
static bool read_signatures(yyjson_val *object, bool is_hybrid, uint8_t *out)
{
    yyjson_val *second;

    if (control_json_read_bytes(object, "signature", out, SIGNATURE_BYTES) != CONTROL_JSON_FOUND)
        return false;
    if (!is_hybrid)
        return control_json_read_member(object, "ml_dsa_65_signature", &second) ==
               CONTROL_JSON_ABSENT;
    return control_json_read_bytes(object, "ml_dsa_65_signature", out + SIGNATURE_BYTES,
                                   ML_DSA_65_SIGNATURE_BYTES) == CONTROL_JSON_FOUND;
}

static enum control_error read_signed_key(yyjson_val *object, const struct publisher *by,
                                          size_t key_bytes, struct signed_key **out)
{
    bool is_hybrid = by->user->ml_dsa_65 != NULL;
    struct signed_key *key =
        alloc_signed_key(by->memory, key_bytes + SIGNATURE_BYTES +
                                         (is_hybrid ? ML_DSA_65_SIGNATURE_BYTES : (size_t)0));

    if (!key)
        return CONTROL_ERROR_RELAY_BUSY;
    if (!read_key(object, &key->id, key->bytes, key_bytes) ||
        !read_signatures(object, is_hybrid, key->bytes + key_bytes)) {
        free_signed_key(by->memory, key);
        return CONTROL_ERROR_BAD_MESSAGE;
    }
    *out = key;
    return CONTROL_OK;
}

// The member of this name, if there is one.
static enum control_error read_signed_member(yyjson_val *root, const char *name,
                                             const struct publisher *by, size_t key_bytes,
                                             struct signed_key **out)
{
    yyjson_val *object;

    switch (control_json_read_member(root, name, &object)) {
    case CONTROL_JSON_FOUND:
        return read_signed_key(object, by, key_bytes, out);
    case CONTROL_JSON_ABSENT:
        return CONTROL_OK;
    default:
        return CONTROL_ERROR_BAD_MESSAGE;
    }
}

// The array of this name, NULL if there is none.
static enum control_error read_stock(yyjson_val *root, const char *name, size_t max,
                                     yyjson_val **out)
{
    *out = NULL;
    if (control_json_read_array(root, name, out) == CONTROL_JSON_BAD)
        return CONTROL_ERROR_BAD_MESSAGE;
    return yyjson_arr_size(*out) > max ? CONTROL_ERROR_TOO_MANY_PREKEYS : CONTROL_OK;
}

static bool has_id(const struct one_time_prekey *keys, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i].id == id)
            return true;
    }
    return false;
}

static bool has_kem_id(const struct kem_prekeys *kem, uint32_t id)
{
    if (kem->last_resort && kem->last_resort->id == id)
        return true;
    for (uint32_t i = 0; i < kem->count; i++) {
        if (kem->one_time[i]->id == id)
            return true;
    }
    return false;
}

static enum control_error read_one_time_prekeys(yyjson_val *root, struct publication *out)
{
    yyjson_val *array, *element;
    size_t index, count;
    enum control_error error = read_stock(root, "one_time_prekeys", LIMIT_ONE_TIME_PREKEYS, &array);

    if (error != CONTROL_OK)
        return error;
    yyjson_arr_foreach(array, index, count, element)
    {
        struct one_time_prekey *key = &out->one_time[out->count];

        if (!read_key(element, &key->id, key->key, KEY_BYTES) ||
            has_id(out->one_time, out->count, key->id))
            return CONTROL_ERROR_BAD_MESSAGE;
        out->count++;
    }
    return CONTROL_OK;
}

static enum control_error read_kem_prekeys(yyjson_val *root, const struct publisher *by,
                                           struct kem_prekeys *out)
{
    yyjson_val *array, *element;
    size_t index, count;
    enum control_error error =
        read_signed_member(root, "kem_prekey", by, KEM_KEY_BYTES, &out->last_resort);

    if (error == CONTROL_OK)
        error = read_stock(root, "one_time_kem_prekeys", LIMIT_ONE_TIME_KEM_PREKEYS, &array);
    if (error != CONTROL_OK)
        return error;
    yyjson_arr_foreach(array, index, count, element)
    {
        struct signed_key *key;
        bool is_known;

        error = read_signed_key(element, by, KEM_KEY_BYTES, &key);
        if (error != CONTROL_OK)
            return error;
        is_known = has_kem_id(out, key->id);
        out->one_time[out->count++] = key;
        if (is_known)
            return CONTROL_ERROR_BAD_MESSAGE;
    }
    return CONTROL_OK;
}

static enum control_error read_publication(yyjson_val *root, const struct publisher *by,
                                           struct publication *out)
{
    enum control_error error =
        read_signed_member(root, "signed_prekey", by, KEY_BYTES, &out->signed_prekey);

    if (error == CONTROL_OK)
        error = read_one_time_prekeys(root, out);
    if (error == CONTROL_OK)
        error = read_kem_prekeys(root, by, &out->kem);
    return error;
}

static enum control_error check_one_time(const struct prekeys *p,
                                         const struct publication *publication)
{
    for (uint32_t i = 0; i < publication->count; i++) {
        if (p->count > 0 && has_id(p->stock + p->first, p->count, publication->one_time[i].id))
            return CONTROL_ERROR_BAD_MESSAGE;
    }
    if (p->count + publication->count > LIMIT_ONE_TIME_PREKEYS)
        return CONTROL_ERROR_TOO_MANY_PREKEYS;
    return CONTROL_OK;
}

// `kem` with `added` must have no id twice. A last-resort prekey may take the id of the one before.
static enum control_error check_kem(const struct kem_prekeys *kem, const struct kem_prekeys *added)
{
    for (uint32_t i = 0; i < kem->count; i++) {
        if (has_kem_id(added, kem->one_time[i]->id))
            return CONTROL_ERROR_BAD_MESSAGE;
    }
    if (kem->last_resort && !added->last_resort && has_kem_id(added, kem->last_resort->id))
        return CONTROL_ERROR_BAD_MESSAGE;
    if (kem->count + added->count > LIMIT_ONE_TIME_KEM_PREKEYS)
        return CONTROL_ERROR_TOO_MANY_PREKEYS;
    return CONTROL_OK;
}

// The stock and what is added to it, in one piece; the only part of storing that can fail.
static bool extend_stock(struct prekey_memory *memory, struct prekeys *p,
                         const struct publication *publication)
{
    struct one_time_prekey *stock;

    if (publication->count == 0)
        return true;
    stock = prekey_memory_alloc(memory, (p->count + publication->count) * sizeof *stock);
    if (!stock)
        return false;
    if (p->count > 0)
        memcpy(stock, p->stock + p->first, p->count * sizeof *stock);
    memcpy(stock + p->count, publication->one_time, publication->count * sizeof *stock);
    free_stock(memory, p);
    p->stock = stock;
    p->first = 0;
    p->count = (uint16_t)(p->count + publication->count);
    return true;
}

// What was in `old` goes back in `newer`, to be freed there.
static void replace(struct signed_key **old, struct signed_key **newer)
{
    struct signed_key *key = *old;

    if (!*newer)
        return;
    *old = *newer;
    *newer = key;
}

static enum control_error add(struct prekey_memory *memory, struct prekeys *p,
                              struct publication *publication)
{
    struct kem_prekeys *kem = &p->kem, *added = &publication->kem;
    enum control_error error = check_one_time(p, publication);

    if (error == CONTROL_OK)
        error = check_kem(kem, added);
    if (error == CONTROL_OK && !extend_stock(memory, p, publication))
        error = CONTROL_ERROR_RELAY_BUSY;
    if (error != CONTROL_OK)
        return error;
    replace(&p->signed_prekey, &publication->signed_prekey);
    replace(&kem->last_resort, &added->last_resort);
    memcpy(kem->one_time + kem->count, added->one_time, added->count * sizeof *added->one_time);
    kem->count += added->count;
    added->count = 0;
    return CONTROL_OK;
}

// A user's first publication makes the record, unless it is refused.
static enum control_error store(const struct publisher *by, struct publication *publication)
{
    struct prekeys *p = by->user->prekeys;
    enum control_error error;

    if (!p)
        p = prekey_memory_alloc(by->memory, sizeof *p);
    if (!p)
        return CONTROL_ERROR_RELAY_BUSY;
    error = add(by->memory, p, publication);
    if (error == CONTROL_OK)
        by->user->prekeys = p;
    else if (!by->user->prekeys)
        prekeys_destroy(by->memory, p);
    return error;
}

enum control_error prekeys_publish(struct control *c, struct control_conn *conn,
                                   const struct control_request *request)
{
    struct publication publication = {.signed_prekey = NULL, .count = 0};
    struct publisher by = {.user = conn->user, .memory = &c->prekey_memory};
    enum control_error error = read_publication(request->root, &by, &publication);

    if (error == CONTROL_OK)
        error = store(&by, &publication);
    free_signed_key(by.memory, publication.signed_prekey);
    free_kem_keys(by.memory, &publication.kem);
    if (error != CONTROL_OK)
        return error;
    stats_bump(c->stats, STATS_prekeys_published);
    control_conn_begin_answer(c, request, "published");
    prekeys_write_counts(&c->writer, conn->user);
    control_conn_send(c, conn);
    return CONTROL_OK;
}

// ---- hand out -----------------------------------------------------------------------------------

// What one get_bundle gets.
struct bundle {
    const struct user *owner;
    struct one_time_prekey one_time; // id 0: the stock was empty
    struct signed_key *kem;          // NULL: not asked for
    bool kem_is_one_time;            // then it is the bundle's to free
};

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

// `x3dh`, also when it is left out, or `pqxdh`.
static bool read_suite(yyjson_val *root, bool *is_pqxdh)
{
    yyjson_val *suite;
    enum control_json_result result = control_json_read_member(root, "suite", &suite);

    *is_pqxdh = result == CONTROL_JSON_FOUND && yyjson_equals_str(suite, "pqxdh");
    return *is_pqxdh || result == CONTROL_JSON_ABSENT ||
           (result == CONTROL_JSON_FOUND && yyjson_equals_str(suite, "x3dh"));
}

// The oldest of the stock, out of it for good.
static void take_one_time(struct prekey_memory *memory, struct prekeys *p,
                          struct one_time_prekey *out)
{
    out->id = 0;
    if (p->count == 0)
        return;
    *out = p->stock[p->first++];
    if (--p->count == 0) {
        free_stock(memory, p);
        p->stock = NULL;
        p->first = 0;
    }
}

// The oldest one-time KEM prekey, out of the stock for good, or the last-resort one, which stays.
static struct signed_key *take_kem(struct kem_prekeys *kem, bool *is_one_time)
{
    struct signed_key *oldest;

    *is_one_time = kem->count > 0;
    if (!*is_one_time)
        return kem->last_resort;
    oldest = kem->one_time[0];
    kem->count--;
    memmove(kem->one_time, kem->one_time + 1, kem->count * sizeof(struct signed_key *));
    return oldest;
}

static void take(struct prekey_memory *memory, struct user *owner, bool is_pqxdh,
                 struct bundle *out)
{
    *out = (struct bundle){.owner = owner};
    take_one_time(memory, owner->prekeys, &out->one_time);
    if (is_pqxdh)
        out->kem = take_kem(&owner->prekeys->kem, &out->kem_is_one_time);
}

static bool has_prekeys(const struct user *user, bool is_pqxdh)
{
    const struct prekeys *p = user->prekeys;

    return p && p->signed_prekey && (!is_pqxdh || p->kem.count > 0 || p->kem.last_resort);
}

// Members of an object that the caller has opened.
static void write_signed_key(struct control_json_writer *w, const struct user *owner,
                             const struct signed_key *key, size_t key_bytes)
{
    const uint8_t *signature = key->bytes + key_bytes;

    control_json_write_u64(w, "id", key->id);
    control_json_write_bytes(w, "key", key->bytes, key_bytes);
    control_json_write_bytes(w, "signature", signature, SIGNATURE_BYTES);
    if (owner->ml_dsa_65)
        control_json_write_bytes(w, "ml_dsa_65_signature", signature + SIGNATURE_BYTES,
                                 ML_DSA_65_SIGNATURE_BYTES);
}

static void write_bundle(struct control_json_writer *w, const struct bundle *bundle)
{
    const struct user *owner = bundle->owner;

    presence_write_user(w, owner);
    control_json_open_object(w, "signed_prekey");
    write_signed_key(w, owner, owner->prekeys->signed_prekey, KEY_BYTES);
    control_json_close_object(w);
    if (bundle->one_time.id == 0) {
        control_json_write_value(w, "one_time_prekey", "null", 4);
    } else {
        control_json_open_object(w, "one_time_prekey");
        control_json_write_u64(w, "id", bundle->one_time.id);
        control_json_write_bytes(w, "key", bundle->one_time.key, KEY_BYTES);
        control_json_close_object(w);
    }
    if (!bundle->kem)
        return;
    control_json_open_object(w, "kem_prekey");
    write_signed_key(w, owner, bundle->kem, KEM_KEY_BYTES);
    if (bundle->kem_is_one_time)
        control_json_write_value(w, "one_time", "true", 4);
    else
        control_json_write_value(w, "one_time", "false", 5);
    control_json_close_object(w);
}

// Told when a hand-out crosses the line, so once until that stock has been above it again. Who is
// away then reads the stocks in the answer to the next login.
static void tell_low(struct control *c, const struct bundle *bundle)
{
    const struct user *owner = bundle->owner;
    bool low = bundle->one_time.id != 0 && owner->prekeys->count + 1 == LIMIT_PREKEYS_LOW;
    bool kem_low = bundle->kem_is_one_time && owner->prekeys->kem.count + 1 == LIMIT_PREKEYS_LOW;

    if (!(low || kem_low) || !owner->conn)
        return;
    stats_bump(c->stats, STATS_prekeys_low_sent);
    control_json_begin(&c->writer, "prekeys_low");
    prekeys_write_counts(&c->writer, owner);
    control_conn_send(c, owner->conn);
}

static void count(struct stats *stats, const struct bundle *bundle)
{
    stats_bump(stats, STATS_bundles);
    if (bundle->one_time.id == 0)
        stats_bump(stats, STATS_bundles_without_one_time_prekey);
    if (!bundle->kem)
        return;
    stats_bump(stats, STATS_bundles_pqxdh);
    if (!bundle->kem_is_one_time)
        stats_bump(stats, STATS_bundles_without_one_time_kem_prekey);
}

enum control_error prekeys_get_bundle(struct control *c, struct control_conn *conn,
                                      const struct control_request *request)
{
    struct user_name name;
    struct bundle bundle;
    struct user *owner;
    bool is_pqxdh;

    if (control_json_read_name(request->root, "name", &name) != CONTROL_JSON_FOUND ||
        !read_suite(request->root, &is_pqxdh))
        return CONTROL_ERROR_BAD_MESSAGE;
    if (!take_token(&c->config, conn, request->now_ns))
        return CONTROL_ERROR_RATE_LIMITED;
    owner = users_find_name(&c->users, &name);
    if (!owner)
        return CONTROL_ERROR_UNKNOWN_LOOKUP;
    if (!has_prekeys(owner, is_pqxdh))
        return CONTROL_ERROR_NO_PREKEYS;

    take(&c->prekey_memory, owner, is_pqxdh, &bundle);
    count(c->stats, &bundle);
    control_conn_begin_answer(c, request, "bundle");
    write_bundle(&c->writer, &bundle);
    control_conn_send(c, conn);
    tell_low(c, &bundle);
    if (bundle.kem_is_one_time)
        free_signed_key(&c->prekey_memory, bundle.kem);
    return CONTROL_OK;
}
