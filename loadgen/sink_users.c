// The sink's control plane: just enough of docs/PROTOCOL.md section 3 for the generator's clients
// to set themselves up. Runs on the sink's thread.
#include "sink_users.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "sealcrypto.h"

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SCRATCH_BYTES (1u * MIB)
#define KEY_BYTES 16u
#define ID_TEXT_BYTES 32u
#define NAME_BYTES 33u
// A hybrid signed KEM prekey has 6.1 KiB as text. An answer has four parts.
#define PART_MAX_BYTES (16u * KIB)

struct sink_users_slot {
    uint8_t key[KEY_BYTES];
    uint32_t user; // + 1; 0: empty
};

struct sink_user {
    uint8_t mailbox[KEY_BYTES];
    uint32_t conn;
    char name[NAME_BYTES];
    // Texts of JSON, NULL when not published.
    char *identity_keys, *signed_prekey, *kem_prekey;
    char *one_time[SINK_USERS_ONE_TIME_MAX];
    char *one_time_kem[SINK_USERS_ONE_TIME_KEM_MAX];
    uint32_t one_time_count, one_time_kem_count;
};

// A message as it grows.
struct answer {
    char *text;
    size_t len;
};

int sink_users_init(struct sink_users *u, uint32_t max)
{
    uint32_t slots = 16;

    while (slots < 2 * max)
        slots *= 2;
    *u = (struct sink_users){.max = max, .mask = slots - 1};
    u->users = calloc(max, sizeof *u->users);
    u->by_name = calloc(slots, sizeof *u->by_name);
    u->by_mailbox = calloc(slots, sizeof *u->by_mailbox);
    u->scratch = malloc(SCRATCH_BYTES);
    if (u->users && u->by_name && u->by_mailbox && u->scratch)
        return 0;
    sink_users_free(u);
    return -ENOMEM;
}

static void free_user(struct sink_user *user)
{
    free(user->identity_keys);
    free(user->signed_prekey);
    free(user->kem_prekey);
    while (user->one_time_count > 0)
        free(user->one_time[--user->one_time_count]);
    while (user->one_time_kem_count > 0)
        free(user->one_time_kem[--user->one_time_kem_count]);
}

void sink_users_free(struct sink_users *u)
{
    for (uint32_t i = 0; i < u->count; i++)
        free_user(&u->users[i]);
    free(u->users);
    free(u->by_name);
    free(u->by_mailbox);
    free(u->scratch);
    *u = (struct sink_users){0};
}

// The slot of `key`: its own, or the empty one where it belongs. Keys are hashes already.
static struct sink_users_slot *slot_of(struct sink_users_slot *slots, uint32_t mask,
                                       const uint8_t key[KEY_BYTES])
{
    uint32_t at;

    memcpy(&at, key, sizeof at);
    while (slots[at & mask].user != 0 && memcmp(slots[at & mask].key, key, KEY_BYTES) != 0)
        at++;
    return &slots[at & mask];
}

static struct sink_users_slot *slot_of_name(struct sink_users *u, const char *name)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];

    static_assert(crypto_generichash_BYTES_MIN >= KEY_BYTES, "the key is cut from it");
    crypto_generichash(hash, sizeof hash, (const uint8_t *)name, strlen(name), NULL, 0);
    struct sink_users_slot *slot = slot_of(u->by_name, u->mask, hash);
    memcpy(slot->key, hash, KEY_BYTES); // of an empty one; else the same
    return slot;
}

static struct sink_user *find(struct sink_users *u, const char *name)
{
    struct sink_users_slot *slot = slot_of_name(u, name);

    return slot->user == 0 ? NULL : &u->users[slot->user - 1];
}

uint32_t sink_users_find_conn(const struct sink_users *u, const uint8_t mailbox[16])
{
    const struct sink_users_slot *slot = slot_of(u->by_mailbox, u->mask, mailbox);

    return slot->user == 0 ? SINK_USERS_NOBODY : u->users[slot->user - 1].conn;
}

void sink_users_leave(struct sink_users *u, uint32_t user, uint32_t conn)
{
    if (user != SINK_USERS_NOBODY && u->users[user].conn == conn)
        u->users[user].conn = SINK_USERS_NOBODY;
}

PRINTF_LIKE(2, 3) static void put(struct answer *a, const char *format, ...)
{
    size_t room = SINK_USERS_TEXT_MAX_BYTES - a->len;
    va_list args;

    va_start(args, format);
    a->len += (size_t)vsnprintf(a->text + a->len, room, format, args);
    va_end(args);
    assert(a->len < SINK_USERS_TEXT_MAX_BYTES); // four parts of PART_MAX_BYTES at most
}

static void put_base64(struct answer *a, const uint8_t *bytes, size_t len)
{
    size_t cap = sodium_base64_encoded_len(len, BASE64);

    assert(cap < SINK_USERS_TEXT_MAX_BYTES - a->len);
    sodium_bin2base64(a->text + a->len, cap, bytes, len, BASE64);
    a->len += cap - 1;
}

size_t sink_users_greet(char *out)
{
    struct answer a = {out, 0};
    static const uint8_t challenge[32]; // nobody verifies what is signed over it

    put(&a, "{\"type\":\"hello\",\"protocol\":1,\"challenge\":\"");
    put_base64(&a, challenge, sizeof challenge);
    put(&a,
        "\",\"limits\":{\"envelope_bytes\":65536,\"control_bytes\":%u,\"outbox_bytes\":262144,"
        "\"one_time_prekeys\":%u,\"one_time_kem_prekeys\":%u,\"login_timeout_ms\":30000}}",
        SINK_USERS_TEXT_MAX_BYTES, SINK_USERS_ONE_TIME_MAX, SINK_USERS_ONE_TIME_KEM_MAX);
    return a.len;
}

// `,"id":N` when the request has one.
static const char *id_of(yyjson_val *root, char text[ID_TEXT_BYTES])
{
    yyjson_val *id = yyjson_obj_get(root, "id");

    text[0] = '\0';
    if (yyjson_is_uint(id))
        snprintf(text, ID_TEXT_BYTES, ",\"id\":%llu", (unsigned long long)yyjson_get_uint(id));
    return text;
}

static void put_error(struct answer *a, const char *code, const char *id)
{
    put(a, "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"%s\"%s}", code, code, id);
}

static bool get_key(yyjson_val *keys, const char *name, uint8_t *out, size_t len)
{
    yyjson_val *value = yyjson_obj_get(keys, name);
    size_t done = 0;

    return yyjson_is_str(value) &&
           sodium_base642bin(out, len, yyjson_get_str(value), yyjson_get_len(value), NULL, &done,
                             NULL, BASE64) == 0 &&
           done == len;
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len < NAME_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

// What a client sent, to be given to others; NULL when it is no object with members or longer than
// any key of the protocol needs, or there is no memory.
static char *text_of(yyjson_val *value)
{
    size_t len;
    char *text = yyjson_obj_size(value) > 0 ? yyjson_val_write(value, 0, &len) : NULL;

    if (!text || len <= PART_MAX_BYTES)
        return text;
    free(text);
    return NULL;
}

// NULL when there is no room, or what is registered is no identity.
static struct sink_user *add_user(struct sink_users *u, const char *name, yyjson_val *keys)
{
    struct sink_user *user = &u->users[u->count];
    struct sink_users_slot *slot;
    uint8_t ed25519[32], ml_dsa[SP_ML_DSA_PUBLIC_BYTES];
    struct sp_identity_key key = {.ed25519 = ed25519};

    if (u->count == u->max || !is_name(name) || !get_key(keys, "ed25519", ed25519, sizeof ed25519))
        return NULL;
    if (get_key(keys, "ml_dsa_65", ml_dsa, sizeof ml_dsa))
        key.ml_dsa_65 = ml_dsa;
    sp_mailbox_id(user->mailbox, &key);
    user->identity_keys = text_of(keys);
    if (!user->identity_keys)
        return NULL;
    snprintf(user->name, sizeof user->name, "%s", name);
    u->count++;
    slot_of_name(u, name)->user = u->count;
    slot = slot_of(u->by_mailbox, u->mask, user->mailbox);
    memcpy(slot->key, user->mailbox, KEY_BYTES);
    slot->user = u->count;
    return user;
}

static void log_in(struct sink_users *u, uint32_t conn, uint32_t *user, yyjson_val *root,
                   bool registers, const char *id, struct answer *a)
{
    const char *name = yyjson_get_str(yyjson_obj_get(root, "name"));
    struct sink_user *found = name ? find(u, name) : NULL;

    if (name && !found && registers)
        found = add_user(u, name, yyjson_obj_get(root, "identity_keys"));
    if (!found) {
        put_error(a, !name ? "bad_message" : registers ? "relay_full" : "unknown_user", id);
        return;
    }
    found->conn = conn;
    *user = (uint32_t)(found - u->users);
    put(a, "{\"type\":\"%s\"%s,\"name\":\"%s\",\"mailbox\":\"",
        registers ? "registered" : "logged_in", id, found->name);
    put_base64(a, found->mailbox, sizeof found->mailbox);
    put(a, "\",\"one_time_prekeys\":%u,\"one_time_kem_prekeys\":%u,\"queued\":0}",
        found->one_time_count, found->one_time_kem_count);
}

static void replace(char **text, yyjson_val *value)
{
    if (!value)
        return;
    free(*text);
    *text = text_of(value);
}

// What does not fit is forgotten: the generator keeps to the limits.
static void add_all(char **texts, uint32_t *count, uint32_t max, yyjson_val *list)
{
    size_t index, total;
    yyjson_val *value;

    yyjson_arr_foreach(list, index, total, value)
    {
        char *text = *count < max ? text_of(value) : NULL;

        if (text)
            texts[(*count)++] = text;
    }
}

static void publish(struct sink_user *user, yyjson_val *root, const char *id, struct answer *a)
{
    replace(&user->signed_prekey, yyjson_obj_get(root, "signed_prekey"));
    replace(&user->kem_prekey, yyjson_obj_get(root, "kem_prekey"));
    add_all(user->one_time, &user->one_time_count, SINK_USERS_ONE_TIME_MAX,
            yyjson_obj_get(root, "one_time_prekeys"));
    add_all(user->one_time_kem, &user->one_time_kem_count, SINK_USERS_ONE_TIME_KEM_MAX,
            yyjson_obj_get(root, "one_time_kem_prekeys"));
    put(a, "{\"type\":\"published\"%s,\"one_time_prekeys\":%u,\"one_time_kem_prekeys\":%u}", id,
        user->one_time_count, user->one_time_kem_count);
}

// The object's text with one more member.
static void put_kem(struct sink_user *user, struct answer *a)
{
    bool one_time = user->one_time_kem_count > 0;
    char *text = one_time ? user->one_time_kem[--user->one_time_kem_count] : user->kem_prekey;

    put(a, ",\"kem_prekey\":%.*s,\"one_time\":%s}", (int)strlen(text) - 1, text,
        one_time ? "true" : "false");
    if (one_time)
        free(text);
}

static void give_bundle(struct sink_users *u, yyjson_val *root, const char *id, struct answer *a)
{
    const char *name = yyjson_get_str(yyjson_obj_get(root, "name"));
    bool pqxdh = yyjson_equals_str(yyjson_obj_get(root, "suite"), "pqxdh");
    struct sink_user *user = name ? find(u, name) : NULL;

    if (!user) {
        put_error(a, "unknown_user", id);
        return;
    }
    if (!user->signed_prekey || (pqxdh && !user->kem_prekey && user->one_time_kem_count == 0)) {
        put_error(a, "no_prekeys", id);
        return;
    }
    put(a, "{\"type\":\"bundle\"%s,\"name\":\"%s\",\"mailbox\":\"", id, user->name);
    put_base64(a, user->mailbox, sizeof user->mailbox);
    put(a, "\",\"identity_keys\":%s,\"signed_prekey\":%s,\"one_time_prekey\":", user->identity_keys,
        user->signed_prekey);
    if (user->one_time_count > 0) {
        char *text = user->one_time[--user->one_time_count];

        put(a, "%s", text);
        free(text);
    } else {
        put(a, "null");
    }
    if (pqxdh)
        put_kem(user, a);
    put(a, "}");
}

size_t sink_users_answer(struct sink_users *u, uint32_t conn, uint32_t *user, const char *text,
                         size_t len, char *out)
{
    struct answer a = {out, 0};
    char id[ID_TEXT_BYTES];
    yyjson_alc alc;
    yyjson_doc *parsed = NULL;
    yyjson_val *root, *type;

    if (len <= SINK_USERS_TEXT_MAX_BYTES && yyjson_alc_pool_init(&alc, u->scratch, SCRATCH_BYTES))
        parsed = yyjson_read_opts((char *)(uintptr_t)text, len, 0, &alc, NULL);
    root = yyjson_doc_get_root(parsed);
    type = yyjson_obj_get(root, "type");
    id_of(root, id);
    if (yyjson_equals_str(type, "register"))
        log_in(u, conn, user, root, true, id, &a);
    else if (yyjson_equals_str(type, "login"))
        log_in(u, conn, user, root, false, id, &a);
    else if (*user == SINK_USERS_NOBODY)
        put_error(&a, "not_logged_in", id);
    else if (yyjson_equals_str(type, "publish_prekeys"))
        publish(&u->users[*user], root, id, &a);
    else if (yyjson_equals_str(type, "get_bundle"))
        give_bundle(u, root, id, &a);
    else if (!yyjson_equals_str(type, "ack"))
        put_error(&a, "bad_message", id);
    return a.len;
}

size_t sink_users_refuse(char *out, const char *code, const uint8_t message_id[16])
{
    struct answer a = {out, 0};

    put(&a, "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"%s\",\"message_id\":\"", code, code);
    put_base64(&a, message_id, KEY_BYTES);
    put(&a, "\"}");
    return a.len;
}

size_t sink_users_accept(char *out, const uint8_t message_id[16])
{
    struct answer a = {out, 0};

    put(&a, "{\"type\":\"accepted\",\"message_id\":\"");
    put_base64(&a, message_id, KEY_BYTES);
    put(&a, "\"}");
    return a.len;
}
