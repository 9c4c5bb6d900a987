// Simulated users: names, prekeys, their secrets' life.
#include <criterion/criterion.h>
#include <string.h>

#include "persona.h"

static struct persona p;

static void setup(void)
{
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(persona_init(&p, 0xFEDCBA9876543210ull, 999999), 0);
}

static void teardown(void)
{
    persona_free(&p);
}

TestSuite(persona, .init = setup, .fini = teardown);

Test(persona, init_name_and_keys)
{
    struct persona other;

    cr_assert_str_eq(p.name, "ufedcba9876543210-999999");
    cr_assert_leq(strlen(p.name), 32);
    cr_assert_eq(persona_init(&other, 0xFEDCBA9876543210ull, 1), 0);
    cr_assert_neq(memcmp(p.seed, other.seed, 32), 0, "every user has its own identity");
    cr_assert_neq(memcmp(p.mailbox, other.mailbox, 16), 0);
    persona_free(&other);
}

Test(persona, sign_login_verifies)
{
    uint8_t challenge[32] = {7}, signature[64], text[SP_LOGIN_TEXT_BYTES];
    struct sp_ed25519_job job = {.public_key = p.key, .message = text, .signature = signature};
    bool ok;

    cr_assert_eq(persona_sign_login(&p, "register", challenge, signature), 0);
    job.message_len = sp_login_text(text, "register", challenge, p.name, p.key);
    cr_assert(sp_ed25519_verify_batch(&job, 1, &ok));
    challenge[0]++;
    job.message_len = sp_login_text(text, "register", challenge, p.name, p.key);
    cr_assert_not(sp_ed25519_verify_batch(&job, 1, &ok));
}

Test(persona, make_signed_prekey_signature_verifies)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    struct sp_ed25519_job job = {.public_key = p.key,
                                 .message = encoded,
                                 .message_len = sizeof encoded,
                                 .signature = p.signed_prekey_signature};
    bool ok;

    cr_assert_eq(persona_make_signed_prekey(&p, 8), 0);
    sp_encode_x25519(encoded, p.signed_prekey);
    cr_assert(sp_ed25519_verify_batch(&job, 1, &ok));
}

Test(persona, one_time_prekeys_are_used_once)
{
    uint8_t keys[8][32], public_key[1][32];
    uint32_t first = 0;
    const uint8_t *secret;

    cr_assert_null(persona_find_one_time(&p, 1), "none before they are made");
    cr_assert_eq(persona_make_signed_prekey(&p, 16), 0);
    cr_assert_eq(persona_make_one_time(&p, keys, 8, &first), 0);
    cr_assert_eq(first, 1);
    cr_assert_eq(p.one_time_stock, 8);
    secret = persona_find_one_time(&p, 3);
    cr_assert_not_null(secret);
    sp_x25519_base_batch(public_key, (const uint8_t(*)[32])secret, 1);
    cr_assert_eq(memcmp(public_key[0], keys[2], 32), 0);
    persona_drop_one_time(&p, 3);
    cr_assert_null(persona_find_one_time(&p, 3));
    cr_assert_eq(p.one_time_stock, 7);
    cr_assert_eq(persona_make_one_time(&p, keys, 8, &first), 0);
    cr_assert_eq(first, 9);
    cr_assert_not_null(persona_find_one_time(&p, 16));
    cr_assert_null(persona_find_one_time(&p, 17));
    cr_assert_null(persona_find_one_time(&p, 0));
}
