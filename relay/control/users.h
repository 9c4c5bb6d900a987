// Who is registered: name → user, mailbox → user, Ed25519 key → user. Users are never removed (a
// name stays pinned to its identity), so a pointer to one stays good, and to its keys.
// Thread: the control thread alone.
#ifndef SEALPOST_USERS_H
#define SEALPOST_USERS_H

#include <stdbool.h>
#include <stdint.h>

#include "keyed_table.h"
#include "ml_dsa_verifier.h"
#include "prekey_memory.h"
#include "relay/limits.h"
#include "units.h"
#include "wire.h"

#define USER_ED25519_BYTES 32u

struct control_conn;
struct prekeys;

struct user_name {
    uint8_t len; // 1 … LIMIT_NAME_BYTES
    char text[LIMIT_NAME_BYTES];
};

// The public keys of an identity, borrowed.
struct user_identity {
    const uint8_t *ed25519;   // [USER_ED25519_BYTES]
    const uint8_t *ml_dsa_65; // [ML_DSA_65_KEY_BYTES] of a hybrid identity, or NULL
};

// Kept small: there may be LIMIT_USERS of them, most of them idle.
struct user {
    struct keyed_node by_name;
    struct keyed_node by_mailbox;
    struct keyed_node by_ed25519;
    struct control_conn *conn; // where this user is logged in, or NULL
    struct prekeys *prekeys;   // owned; NULL until the first are published
    uint8_t *ml_dsa_65;        // owned; NULL unless the identity is hybrid
    uint8_t ed25519[USER_ED25519_BYTES];
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    struct user_name name;
};

struct users {
    struct user *all; // in the order of registration
    uint32_t count;
    uint32_t max;
    struct prekey_memory *memory; // borrowed; ML-DSA-65 keys come from it
    struct keyed_table by_name;
    struct keyed_table by_mailbox;
    struct keyed_table by_ed25519;
};

// Errors: -ENOMEM.
NODISCARD int users_init(struct users *u, uint32_t max, struct prekey_memory *memory);
void users_free(struct users *u);

// Whether these bytes are a name: 1 … 32 of `a-z 0-9 . _ -`; then `out` holds it.
NODISCARD bool users_parse_name(struct user_name *out, const char *text, size_t len);
// The first 16 bytes of SHA-256("sealpost.v1 mailbox" ‖ the keys).
// Source: docs/PROTOCOL.md section 2.
void users_compute_mailbox(uint8_t mailbox[WIRE_MAILBOX_BYTES],
                           const struct user_identity *identity);
// Owner: the keys stay the user's.
struct user_identity users_get_identity(const struct user *user);
// The same keys, none more and none less.
bool users_has_identity(const struct user *user, const struct user_identity *identity);

struct user *users_find_name(const struct users *u, const struct user_name *name);
struct user *users_find_mailbox(const struct users *u, const uint8_t mailbox[WIRE_MAILBOX_BYTES]);
struct user *users_find_ed25519(const struct users *u, const uint8_t key[USER_ED25519_BYTES]);
// Pin a new name to an identity. Neither name nor mailbox nor Ed25519 key may be there already.
// Errors: NULL when the table or the memory for keys is full, or memory is short.
NODISCARD struct user *users_add(struct users *u, const struct user_name *name,
                                 const struct user_identity *identity);

#endif
