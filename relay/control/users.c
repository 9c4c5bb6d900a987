// Registered users and the three ways to find one. Control thread. Never looks at a connection,
// never frees prekeys: users_free leaves those to the owner of the table.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "users.h"

static const char mailbox_label[] = "sealpost.v1 mailbox";

int users_init(struct users *u, uint32_t max, struct prekey_memory *memory)
{
    memset(u, 0, sizeof *u);
    // Touched user by user: a million free places cost address space only.
    u->all = calloc(max ? max : 1, sizeof *u->all);
    if (!u->all)
        return -ENOMEM;
    if (keyed_table_init(&u->by_name, max) || keyed_table_init(&u->by_mailbox, max) ||
        keyed_table_init(&u->by_ed25519, max)) {
        users_free(u);
        return -ENOMEM;
    }
    u->max = max;
    u->memory = memory;
    return 0;
}

void users_free(struct users *u)
{
    for (uint32_t i = 0; i < u->count; i++)
        prekey_memory_free(u->memory, u->all[i].ml_dsa_65, ML_DSA_65_KEY_BYTES);
    keyed_table_free(&u->by_ed25519);
    keyed_table_free(&u->by_mailbox);
    keyed_table_free(&u->by_name);
    free(u->all);
    u->all = NULL;
    u->count = 0;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool users_parse_name(struct user_name *out, const char *text, size_t len)
{
    if (len < 1 || len > LIMIT_NAME_BYTES)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_name_character(text[i]))
            return false;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->text, text, len);
    out->len = (uint8_t)len;
    return true;
}

void users_compute_mailbox(uint8_t mailbox[WIRE_MAILBOX_BYTES],
                           const struct user_identity *identity)
{
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)mailbox_label, sizeof mailbox_label - 1);
    crypto_hash_sha256_update(&state, identity->ed25519, USER_ED25519_BYTES);
    if (identity->ml_dsa_65)
        crypto_hash_sha256_update(&state, identity->ml_dsa_65, ML_DSA_65_KEY_BYTES);
    crypto_hash_sha256_final(&state, hash);
    memcpy(mailbox, hash, WIRE_MAILBOX_BYTES);
}

struct user_identity users_get_identity(const struct user *user)
{
    return (struct user_identity){.ed25519 = user->ed25519, .ml_dsa_65 = user->ml_dsa_65};
}

bool users_has_identity(const struct user *user, const struct user_identity *identity)
{
    if (memcmp(user->ed25519, identity->ed25519, USER_ED25519_BYTES) != 0)
        return false;
    if (!user->ml_dsa_65 || !identity->ml_dsa_65)
        return !user->ml_dsa_65 && !identity->ml_dsa_65;
    return memcmp(user->ml_dsa_65, identity->ml_dsa_65, ML_DSA_65_KEY_BYTES) == 0;
}

struct user *users_find_name(const struct users *u, const struct user_name *name)
{
    struct keyed_node *node = *keyed_table_find_bucket(&u->by_name, name->text, name->len);

    for (; node; node = node->next) {
        struct user *user = CONTAINER_OF(node, struct user, by_name);

        if (user->name.len == name->len && !memcmp(user->name.text, name->text, name->len))
            return user;
    }
    return NULL;
}

struct user *users_find_mailbox(const struct users *u, const uint8_t mailbox[WIRE_MAILBOX_BYTES])
{
    struct keyed_node *node = *keyed_table_find_bucket(&u->by_mailbox, mailbox, WIRE_MAILBOX_BYTES);

    for (; node; node = node->next) {
        struct user *user = CONTAINER_OF(node, struct user, by_mailbox);

        if (!memcmp(user->mailbox, mailbox, WIRE_MAILBOX_BYTES))
            return user;
    }
    return NULL;
}

struct user *users_find_ed25519(const struct users *u, const uint8_t key[USER_ED25519_BYTES])
{
    struct keyed_node *node = *keyed_table_find_bucket(&u->by_ed25519, key, USER_ED25519_BYTES);

    for (; node; node = node->next) {
        struct user *user = CONTAINER_OF(node, struct user, by_ed25519);

        if (!memcmp(user->ed25519, key, USER_ED25519_BYTES))
            return user;
    }
    return NULL;
}

struct user *users_add(struct users *u, const struct user_name *name,
                       const struct user_identity *identity)
{
    struct user *user;

    assert(!users_find_name(u, name));
    assert(!users_find_ed25519(u, identity->ed25519));
    if (u->count == u->max)
        return NULL;
    user = &u->all[u->count];
    if (identity->ml_dsa_65) {
        user->ml_dsa_65 = prekey_memory_alloc(u->memory, ML_DSA_65_KEY_BYTES);
        if (!user->ml_dsa_65)
            return NULL;
        memcpy(user->ml_dsa_65, identity->ml_dsa_65, ML_DSA_65_KEY_BYTES);
    }
    u->count++;
    user->name = *name;
    memcpy(user->ed25519, identity->ed25519, USER_ED25519_BYTES);
    users_compute_mailbox(user->mailbox, identity);
    assert(!users_find_mailbox(u, user->mailbox));
    keyed_table_push(keyed_table_find_bucket(&u->by_name, name->text, name->len), &user->by_name);
    keyed_table_push(keyed_table_find_bucket(&u->by_mailbox, user->mailbox, WIRE_MAILBOX_BYTES),
                     &user->by_mailbox);
    keyed_table_push(keyed_table_find_bucket(&u->by_ed25519, user->ed25519, USER_ED25519_BYTES),
                     &user->by_ed25519);
    return user;
}
