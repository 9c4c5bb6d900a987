// Users: names, mailbox ids, both look-ups, the bound.
#include <criterion/criterion.h>
#include <stdio.h>

#include "relay/control/users.h"

static struct stats stats;
static struct prekey_memory memory = {.max_bytes = 100 * MIB, .stats = &stats};

static void name_of(struct user_name *out, const char *text)
{
    cr_assert(users_parse_name(out, text, strlen(text)), "%s", text);
}

Test(users, parse_name_accepts_the_whole_alphabet)
{
    struct user_name name;

    name_of(&name, "a");
    cr_assert_eq(name.len, 1);
    name_of(&name, "abcdefghijklmnopqrstuvwxyz012345");
    cr_assert_eq(name.len, 32);
    name_of(&name, "6789._-");
    cr_assert_arr_eq(name.text, "6789._-", 7);
}

Test(users, parse_name_refuses_the_rest)
{
    struct user_name name;

    cr_assert_not(users_parse_name(&name, "", 0));
    cr_assert_not(users_parse_name(&name, "abcdefghijklmnopqrstuvwxyz0123456", 33));
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool good = c != 0 && strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", c) != NULL;

        cr_assert_eq(users_parse_name(&name, text, 3), good, "character %d", c);
    }
}

// The expected values were computed with sha256sum.
Test(users, compute_mailbox_known_answer)
{
    static const uint8_t expected[WIRE_MAILBOX_BYTES] = {0x78, 0x58, 0x39, 0xa1, 0xd1, 0x21,
                                                         0x79, 0x8e, 0x33, 0x48, 0xd0, 0x0d,
                                                         0xd2, 0x9e, 0x58, 0x16};
    static const uint8_t expected_hybrid[WIRE_MAILBOX_BYTES] = {0x31, 0x53, 0xdb, 0x94, 0xfb, 0x43,
                                                                0xc4, 0x4f, 0xad, 0x4b, 0x7b, 0x65,
                                                                0x72, 0x00, 0x17, 0x27};
    uint8_t key[USER_ED25519_BYTES] = {0};
    uint8_t second[ML_DSA_65_KEY_BYTES] = {0};
    struct user_identity identity = {.ed25519 = key};
    uint8_t mailbox[WIRE_MAILBOX_BYTES];

    users_compute_mailbox(mailbox, &identity);
    cr_assert_arr_eq(mailbox, expected, sizeof expected);
    identity.ml_dsa_65 = second;
    users_compute_mailbox(mailbox, &identity);
    cr_assert_arr_eq(mailbox, expected_hybrid, sizeof expected_hybrid);
}

Test(users, add_and_find_many)
{
    enum { COUNT = 5000 };
    struct users users;
    struct user_name name;
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    uint8_t key[USER_ED25519_BYTES] = {0};
    uint8_t second[ML_DSA_65_KEY_BYTES] = {0};
    struct user_identity identity = {.ed25519 = key};
    char text[16];

    cr_assert_eq(sodium_init() < 0, 0);
    cr_assert_eq(users_init(&users, COUNT, &memory), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "user%u", i);
        name_of(&name, text);
        store_be32(key, i);
        identity.ml_dsa_65 = i % 3 ? NULL : second;
        cr_assert_null(users_find_name(&users, &name));
        cr_assert_null(users_find_ed25519(&users, key));
        cr_assert_not_null(users_add(&users, &name, &identity));
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "user%u", i);
        name_of(&name, text);
        store_be32(key, i);
        identity.ml_dsa_65 = i % 3 ? NULL : second;
        users_compute_mailbox(mailbox, &identity);
        cr_assert_eq(users_find_ed25519(&users, key), &users.all[i]);
        cr_assert_eq(users_find_name(&users, &name), &users.all[i]);
        cr_assert_eq(users_find_mailbox(&users, mailbox), &users.all[i]);
    }
    // A name that only begins like another is another name.
    name_of(&name, "user");
    cr_assert_null(users_find_name(&users, &name));
    mailbox[0] ^= 1;
    cr_assert_null(users_find_mailbox(&users, mailbox));
    key[31] ^= 1;
    cr_assert_null(users_find_ed25519(&users, key));
    users_free(&users);
}

Test(users, has_identity_compares_both_keys)
{
    struct users users;
    struct user_name name;
    uint8_t key[USER_ED25519_BYTES] = {1}, other_key[USER_ED25519_BYTES] = {2};
    uint8_t second[ML_DSA_65_KEY_BYTES] = {0}, other_second[ML_DSA_65_KEY_BYTES] = {0};
    struct user_identity plain = {.ed25519 = key}, hybrid = {key, second}, identity;
    struct user *user;

    cr_assert_eq(sodium_init() < 0, 0);
    cr_assert_eq(users_init(&users, 2, &memory), 0);
    name_of(&name, "hybrid");
    user = users_add(&users, &name, &hybrid);
    // A copy of its own.
    second[0] = 1;
    cr_assert_not(users_has_identity(user, &hybrid));
    second[0] = 0;
    cr_assert(users_has_identity(user, &hybrid));
    cr_assert_not(users_has_identity(user, &plain));
    cr_assert_not(users_has_identity(user, &(struct user_identity){other_key, second}));
    other_second[ML_DSA_65_KEY_BYTES - 1] = 1;
    cr_assert_not(users_has_identity(user, &(struct user_identity){key, other_second}));
    identity = users_get_identity(user);
    cr_assert(users_has_identity(user, &identity));
    name_of(&name, "plain");
    plain.ed25519 = other_key;
    user = users_add(&users, &name, &plain);
    cr_assert(users_has_identity(user, &plain));
    cr_assert_not(users_has_identity(user, &(struct user_identity){other_key, second}));
    users_free(&users);
}

Test(users, add_refuses_one_too_many)
{
    struct users users;
    struct user_name name;
    uint8_t key[USER_ED25519_BYTES] = {0};
    struct user_identity identity = {.ed25519 = key};

    cr_assert_eq(sodium_init() < 0, 0);
    cr_assert_eq(users_init(&users, 1, &memory), 0);
    name_of(&name, "first");
    cr_assert_not_null(users_add(&users, &name, &identity));
    name_of(&name, "second");
    key[0] = 1;
    cr_assert_null(users_add(&users, &name, &identity));
    cr_assert_null(users_find_name(&users, &name));
    users_free(&users);
}

// A million idle users must fit a small machine.
Test(users, user_is_small)
{
    cr_assert_leq(sizeof(struct user), 136);
}
