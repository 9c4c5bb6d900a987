// Simulated users: names, prekeys, their secrets' life.
#include <criterion/criterion.h>
#include <string.h>

#include "persona.h"

static struct persona p, hybrid;

static void setup(void)
{
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(persona_init(&p, 0xFEDCBA9876543210ull, 999999, false), 0);
    cr_assert_eq(persona_init(&hybrid, 0xFEDCBA9876543210ull, 7, true), 0);
}

static void teardown(void)
{
    persona_free(&p);
    persona_free(&hybrid);
}

TestSuite(persona, .init = setup, .fini = teardown);

static bool verify(const struct persona *by, const uint8_t *message, size_t len,
                   const uint8_t *ed25519, const uint8_t *ml_dsa_65)
{
    struct sp_identity_key key = sp_identity_public(&by->identity);
    const struct sp_ed25519_job job = {.public_key = key.ed25519,
                                       .message = message,
                                       .message_len = len,
                                       .signature = (uint8_t *)(uintptr_t)ed25519};
    const struct sp_ml_dsa_job second = {.public_key = key.ml_dsa_65,
                                         .message = message,
                                         .message_len = len,
                                         .signature = (uint8_t *)(uintptr_t)ml_dsa_65};
    bool ok;

    return sp_ed25519_verify_batch(&job, 1, &ok) &&
           (!key.ml_dsa_65 || sp_ml_dsa_verify_batch(&second, 1, &ok));
}

Test(persona, init_name_and_keys)
{
    struct persona other;

    cr_assert_str_eq(p.name, "ufedcba9876543210-999999");
    cr_assert_leq(strlen(p.name), 32);
    cr_assert_eq(persona_init(&other, 0xFEDCBA9876543210ull, 1, false), 0);
    cr_assert_neq(memcmp(p.identity.seed, other.identity.seed, 32), 0,
                  "every user has its own identity");
    cr_assert_neq(memcmp(p.mailbox, other.mailbox, 16), 0);
    cr_assert(!persona_is_hybrid(&p) && persona_is_hybrid(&hybrid));
    persona_free(&other);
}

Test(persona, sign_login_verifies)
{
    struct persona *users[] = {&p, &hybrid};

    for (int i = 0; i < 2; i++) {
        struct persona *u = users[i];
        struct sp_identity_key key = sp_identity_public(&u->identity);
        uint8_t challenge[32] = {7}, text[SP_LOGIN_TEXT_BYTES];
        struct persona_signatures signatures;
        size_t len;

        cr_assert_eq(persona_sign_login(u, "register", challenge, &signatures), 0);
        len = sp_login_text(text, "register", challenge, u->name, &key);
        cr_assert(verify(u, text, len, signatures.ed25519, signatures.ml_dsa_65));
        challenge[0]++;
        len = sp_login_text(text, "register", challenge, u->name, &key);
        cr_assert_not(verify(u, text, len, signatures.ed25519, signatures.ml_dsa_65));
    }
}

Test(persona, make_prekeys_signatures_verify)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES], encoded_kem[SP_ENCODED_KEM_KEY_BYTES];

    cr_assert_eq(persona_make_prekeys(&p, SP_SUITE_X3DH, 8), 0);
    cr_assert_null(p.pq);
    sp_encode_x25519(encoded, p.signed_prekey);
    cr_assert(verify(&p, encoded, sizeof encoded, p.signed_prekey_signature, NULL));

    cr_assert_eq(persona_make_prekeys(&hybrid, SP_SUITE_PQXDH, 8), 0);
    sp_encode_x25519(encoded, hybrid.signed_prekey);
    cr_assert(verify(&hybrid, encoded, sizeof encoded, hybrid.signed_prekey_signature,
                     hybrid.pq->signed_prekey_signature));
    sp_encode_ml_kem(encoded_kem, hybrid.pq->last_resort.prekey.key);
    cr_assert(verify(&hybrid, encoded_kem, sizeof encoded_kem,
                     hybrid.pq->last_resort.prekey.signature,
                     hybrid.pq->last_resort.ml_dsa_65_signature));
}

Test(persona, one_time_kem_prekeys_are_used_once)
{
    struct persona_kem_prekey made[PERSONA_KEM_BATCH_MAX];
    struct sp_ml_kem_key room = {NULL};
    uint8_t encoded[SP_ENCODED_KEM_KEY_BYTES];

    cr_assert_null(persona_find_kem(&hybrid, PERSONA_LAST_RESORT_ID, &room));
    cr_assert_eq(persona_make_prekeys(&hybrid, SP_SUITE_PQXDH, 8), 0);
    cr_assert_eq(persona_make_one_time_kem(&hybrid, made, 3), 0);
    cr_assert_eq(hybrid.pq->stock, 3);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert(made[i].prekey.is_one_time &&
                  made[i].prekey.id == PERSONA_LAST_RESORT_ID + 1 + i);
        sp_encode_ml_kem(encoded, made[i].prekey.key);
        cr_assert(verify(&hybrid, encoded, sizeof encoded, made[i].prekey.signature,
                         made[i].ml_dsa_65_signature));
    }
    cr_assert_eq(persona_find_kem(&hybrid, 3, &room), &room);
    cr_assert_arr_eq(sp_ml_kem_key_public(&room), made[1].prekey.key, SP_ML_KEM_PUBLIC_BYTES);
    sp_ml_kem_key_free(&room);
    persona_drop_kem(&hybrid, 3);
    cr_assert_null(persona_find_kem(&hybrid, 3, &room));
    cr_assert_eq(hybrid.pq->stock, 2);
    persona_drop_kem(&hybrid, PERSONA_LAST_RESORT_ID); // stays
    cr_assert_eq(persona_find_kem(&hybrid, PERSONA_LAST_RESORT_ID, &room),
                 &hybrid.pq->last_resort_key);
    cr_assert_null(persona_find_kem(&hybrid, 0, &room));
    cr_assert_null(persona_find_kem(&hybrid, 99, &room));
}

Test(persona, find_kem_without_last_resort)
{
    struct sp_ml_kem_key room = {NULL};

    cr_assert_eq(persona_make_prekeys(&hybrid, SP_SUITE_X3DH, 8), 0);
    cr_assert_null(persona_find_kem(&hybrid, PERSONA_LAST_RESORT_ID, &room));
}

Test(persona, one_time_prekeys_are_used_once)
{
    uint8_t keys[8][32], public_key[1][32];
    uint32_t first = 0;
    const uint8_t *secret;

    cr_assert_null(persona_find_one_time(&p, 1), "none before they are made");
    cr_assert_eq(persona_make_prekeys(&p, SP_SUITE_X3DH, 16), 0);
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
