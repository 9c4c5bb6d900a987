// Identities of both kinds, mailbox id, login text, Encode(K).
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>

#include "openssl_double.h"
#include "sealcrypto.h"
#include "vectors.h"

DOUBLE(void *, calloc, NULL, (size_t count, size_t size), (count, size))
DOUBLE(int, EVP_PKEY_generate, 0, (EVP_PKEY_CTX * ctx, EVP_PKEY **out), (ctx, out))

static const uint8_t ml_dsa_seed[SP_ML_DSA_SEED_BYTES] = "the seed of the ML-DSA-65 key";
static uint8_t elevens[32], twos[SP_ML_DSA_PUBLIC_BYTES];
static const struct sp_identity_key classical = {.ed25519 = elevens};
static const struct sp_identity_key hybrid = {.ed25519 = elevens, .ml_dsa_65 = twos};

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
    memset(elevens, 0x11, sizeof(elevens));
    memset(twos, 0x22, sizeof(twos));
}

// ---- init and free ------------------------------------------------------------------------------

static void expect_curve_keys(const struct sp_identity *identity, const uint8_t seed[32])
{
    uint8_t expected[32];
    cr_assert_arr_eq(identity->seed, seed, 32);
    sp_ed25519_public(expected, seed);
    cr_assert_arr_eq(identity->ed25519, expected, 32);
    sp_ed25519_seed_to_x25519(expected, seed);
    cr_assert_arr_eq(identity->x25519_secret, expected, 32);
    cr_assert(sp_ed25519_public_to_x25519(expected, identity->ed25519));
    cr_assert_arr_eq(identity->x25519, expected, 32);
}

Test(sp_identity_init, makes_one_of_ed25519_alone, .init = start)
{
    static struct vector_record v;
    FILE *in = vector_open("rfc8032.txt");
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        struct sp_identity identity;
        cr_assert_eq(sp_identity_init(&identity, vector_bytes(&v, "seed"), NULL), 0);
        expect_curve_keys(&identity, vector_bytes(&v, "seed"));
        cr_assert_null(identity.ml_dsa.state);
        const struct sp_identity_key public = sp_identity_public(&identity);
        cr_assert_eq(public.ed25519, identity.ed25519);
        cr_assert_arr_eq(public.ed25519, vector_bytes(&v, "public"), 32);
        cr_assert_null(public.ml_dsa_65);
        sp_identity_free(&identity);
    }
    fclose(in);
    cr_assert_gt(count, 2);
}

Test(sp_identity_init, makes_a_hybrid_one, .init = start)
{
    struct sp_identity identity;
    struct sp_ml_dsa_key key;
    cr_assert_eq(sp_ml_dsa_key_init(&key, ml_dsa_seed), 0);
    cr_assert_eq(sp_identity_init(&identity, elevens, ml_dsa_seed), 0);
    expect_curve_keys(&identity, elevens);
    const struct sp_identity_key public = sp_identity_public(&identity);
    cr_assert_eq(public.ed25519, identity.ed25519);
    cr_assert_arr_eq(public.ml_dsa_65, sp_ml_dsa_key_public(&key), SP_ML_DSA_PUBLIC_BYTES);
    sp_identity_free(&identity);
    sp_ml_dsa_key_free(&key);
}

Test(sp_identity_init, reports_want_of_memory, .init = start)
{
    struct sp_identity identity;
    memset(&identity, 0xAA, sizeof(identity));
    calloc_fails_after = 0;
    cr_assert_eq(sp_identity_init(&identity, elevens, ml_dsa_seed), -ENOMEM);
    cr_assert(vector_is_zero(&identity, sizeof(identity)));
}

Test(sp_identity_init, reports_a_failing_provider, .init = start)
{
    struct sp_identity identity;
    memset(&identity, 0xAA, sizeof(identity));
    EVP_PKEY_generate_fails_after = 0;
    cr_assert_eq(sp_identity_init(&identity, elevens, ml_dsa_seed), -EIO);
    cr_assert(vector_is_zero(&identity, sizeof(identity)));
}

Test(sp_identity_free, wipes_and_may_come_twice, .init = start)
{
    struct sp_identity identity;
    cr_assert_eq(sp_identity_init(&identity, elevens, ml_dsa_seed), 0);
    sp_identity_free(&identity);
    cr_assert(vector_is_zero(&identity, sizeof(identity)));
    sp_identity_free(&identity);
}

// ---- mailbox id ---------------------------------------------------------------------------------

Test(sp_mailbox_id, covers_every_key, .init = start)
{
    // SHA-256 as Python's hashlib has it.
    static const uint8_t of_one[] = {0xf1, 0xb9, 0x41, 0x0f, 0x8d, 0x51, 0xd7, 0xef,
                                     0xc8, 0x93, 0x21, 0x19, 0x42, 0x79, 0xe9, 0x1c};
    static const uint8_t of_both[] = {0x20, 0x0d, 0xcb, 0xc7, 0x30, 0xf0, 0x05, 0x97,
                                      0xf1, 0x64, 0xe3, 0x5d, 0x62, 0x75, 0x64, 0xad};
    uint8_t mailbox[SP_MAILBOX_BYTES];
    sp_mailbox_id(mailbox, &classical);
    cr_assert_arr_eq(mailbox, of_one, sizeof(of_one));
    sp_mailbox_id(mailbox, &hybrid);
    cr_assert_arr_eq(mailbox, of_both, sizeof(of_both));
}

// ---- login text ---------------------------------------------------------------------------------

Test(sp_login_text, is_laid_out_as_the_protocol_says, .init = start)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], challenge[32], expected[86];
    memset(challenge, 0xC1, sizeof(challenge));
    memcpy(expected, "sealpost.v1 login\0", 18);
    memset(expected + 18, 0xC1, 32);
    memcpy(expected + 50, "\3bob", 4);
    memset(expected + 54, 0x11, 32);
    cr_assert_eq(sp_login_text(text, "login", challenge, "bob", &classical), 86);
    cr_assert_arr_eq(text, expected, 86);

    cr_assert_eq(sp_login_text(text, "register", challenge, "bob", &classical), 89);
    cr_assert_arr_eq(text, "sealpost.v1 register\0\xC1", 22);
    cr_assert_arr_eq(text + 21, expected + 18, 68);

    cr_assert_eq(sp_login_text(text, "login", challenge, "bob", &hybrid), 86 + sizeof(twos));
    cr_assert_arr_eq(text, expected, 86);
    cr_assert_arr_eq(text + 86, twos, sizeof(twos));
}

Test(sp_login_text, takes_the_longest_name, .init = start)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], zero[32] = {0};
    const char *name = "abcdefghijklmnopqrstuvwxyz012345";
    cr_assert_eq(sp_login_text(text, "register", zero, name, &hybrid), 118 + sizeof(twos));
    cr_assert_eq(text[53], 32);
    cr_assert_arr_eq(text + 54, name, 32);
    cr_assert_arr_eq(text + 86, elevens, 32);
    cr_assert_arr_eq(text + 118, twos, sizeof(twos));
}

Test(sp_login_text, asserts_a_name_that_is_not_too_long, .signal = SIGABRT)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], zero[32] = {0};
    sp_login_text(text, "register", zero, "abcdefghijklmnopqrstuvwxyz0123456", &classical);
}

Test(sp_login_text, asserts_a_name, .signal = SIGABRT)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], zero[32] = {0};
    sp_login_text(text, "register", zero, "", &classical);
}

Test(sp_login_text, asserts_a_verb_of_the_protocol, .signal = SIGABRT)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], zero[32] = {0};
    sp_login_text(text, "logout", zero, "bob", &classical);
}

// ---- Encode(K) ----------------------------------------------------------------------------------

Test(sp_encode_x25519, puts_the_type_first)
{
    uint8_t key[32], out[SP_ENCODED_KEY_BYTES];
    memset(key, 0x77, sizeof(key));
    sp_encode_x25519(out, key);
    cr_assert_eq(out[0], 0x05);
    cr_assert_arr_eq(out + 1, key, sizeof(key));
}

Test(sp_encode_ml_kem, puts_the_type_first)
{
    uint8_t key[SP_ML_KEM_PUBLIC_BYTES], out[SP_ENCODED_KEM_KEY_BYTES];
    memset(key, 0x77, sizeof(key));
    sp_encode_ml_kem(out, key);
    cr_assert_eq(out[0], 0x0C);
    cr_assert_arr_eq(out + 1, key, sizeof(key));
}
