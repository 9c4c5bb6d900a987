// Control messages of the client side: what we write is what the protocol wants, what we read is
// checked.
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "user_control.h"

static uint8_t scratch[USER_CONTROL_SCRATCH_BYTES];
static struct user_control m;
static char text[USER_CONTROL_MAX_BYTES];
static struct persona p;

#define B16 "AAECAwQFBgcICQoLDA0ODw"
#define B32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define B64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw"

static bool decode(const char *json)
{
    // An exact copy, so that a sanitizer sees a read beyond the end.
    size_t len = strlen(json);
    uint8_t *copy = malloc(len);
    bool ok;

    memcpy(copy, json, len);
    ok = user_control_decode(&m, copy, len, scratch);
    free(copy);
    return ok;
}

static void expect_counting(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(bytes[i], i);
}

Test(user_control, decode_hello)
{
    cr_assert(decode("{\"type\":\"hello\",\"protocol\":1,\"challenge\":\"" B32
                     "\",\"limits\":{\"envelope_bytes\":65536,\"one_time_prekeys\":100}}"));
    cr_assert_eq(m.type, USER_CONTROL_HELLO);
    expect_counting(m.challenge, 32);
    cr_assert_eq(m.envelope_bytes, 65536);
    cr_assert_eq(m.one_time_prekeys, 100);
    cr_assert_eq(m.one_time_kem_prekeys, 0); // a relay without them
    cr_assert(decode("{\"type\":\"hello\",\"challenge\":\"" B32
                     "\",\"limits\":{\"envelope_bytes\":65536,\"one_time_prekeys\":100,"
                     "\"one_time_kem_prekeys\":20}}"));
    cr_assert_eq(m.one_time_kem_prekeys, 20);
}

Test(user_control, decode_logged_in)
{
    cr_assert(decode("{\"type\":\"logged_in\",\"id\":1,\"name\":\"bob\",\"queued\":3}"));
    cr_assert_eq(m.type, USER_CONTROL_LOGGED_IN);
}

Test(user_control, decode_bundle)
{
    cr_assert(decode("{\"type\":\"bundle\",\"id\":3,\"name\":\"bob\",\"mailbox\":\"" B16
                     "\",\"identity_keys\":{\"ed25519\":\"" B32
                     "\"},\"signed_prekey\":{\"id\":9,\"key\":\"" B32 "\",\"signature\":\"" B64
                     "\"},\"one_time_prekey\":{\"id\":4294967295,\"key\":\"" B32 "\"}}"));
    cr_assert_eq(m.type, USER_CONTROL_BUNDLE);
    expect_counting(m.bundle.bundle.identity_key, 32);
    expect_counting(m.bundle.bundle.signed_prekey_signature, 64);
    cr_assert_eq(m.bundle.bundle.signed_prekey_id, 9);
    cr_assert(m.bundle.bundle.has_one_time_prekey);
    cr_assert_eq(m.bundle.bundle.one_time_prekey_id, UINT32_MAX);
    cr_assert(!m.bundle.bundle.kem_prekey && !m.bundle.bundle.ml_dsa);
}

Test(user_control, decode_bundle_without_one_time)
{
    cr_assert(decode("{\"type\":\"bundle\",\"identity_keys\":{\"ed25519\":\"" B32
                     "\"},\"signed_prekey\":{\"id\":9,\"key\":\"" B32 "\",\"signature\":\"" B64
                     "\"},\"one_time_prekey\":null}"));
    cr_assert_not(m.bundle.bundle.has_one_time_prekey);
    cr_assert_eq(m.bundle.bundle.one_time_prekey_id, 0);
}

// A counting sequence of `len` bytes (modulo 256) as base64url.
static const char *counting(size_t len)
{
    static char texts[4][8192];
    static unsigned next;
    static uint8_t bytes[4096];
    char *out = texts[next++ % 4];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)i;
    return sodium_bin2base64(out, sizeof texts[0], bytes, len,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static char bundle_text[32768];

// A bundle with everything; `kem_len` and `ml_dsa_len` are the lengths of two of its fields.
static bool decode_post_quantum(size_t kem_len, size_t ml_dsa_len)
{
    size_t at = 0, cap = sizeof bundle_text;

    at += (size_t)snprintf(bundle_text, cap,
                           "{\"type\":\"bundle\",\"identity_keys\":{\"ed25519\":\"" B32
                           "\",\"ml_dsa_65\":\"%s\"},",
                           counting(ml_dsa_len));
    at += (size_t)snprintf(bundle_text + at, cap - at,
                           "\"signed_prekey\":{\"id\":9,\"key\":\"" B32 "\",\"signature\":\"" B64
                           "\",\"ml_dsa_65_signature\":\"%s\"},\"one_time_prekey\":null,",
                           counting(SP_ML_DSA_SIGNATURE_BYTES));
    at += (size_t)snprintf(bundle_text + at, cap - at,
                           "\"kem_prekey\":{\"id\":5,\"key\":\"%s\",\"signature\":\"" B64
                           "\",\"ml_dsa_65_signature\":\"%s\",\"one_time\":true}}",
                           counting(kem_len), counting(SP_ML_DSA_SIGNATURE_BYTES));
    return decode(bundle_text);
}

Test(user_control, decode_bundle_with_post_quantum_keys)
{
    cr_assert(decode_post_quantum(SP_ML_KEM_PUBLIC_BYTES, SP_ML_DSA_PUBLIC_BYTES));
    const struct sp_bundle *b = &m.bundle.bundle;

    cr_assert(b->kem_prekey == &m.bundle.kem_prekey && b->ml_dsa == &m.bundle.ml_dsa);
    cr_assert(b->kem_prekey->id == 5 && b->kem_prekey->is_one_time);
    for (size_t i = 0; i < SP_ML_KEM_PUBLIC_BYTES; i++)
        cr_assert_eq(b->kem_prekey->key[i], (uint8_t)i);
    for (size_t i = 0; i < SP_ML_DSA_SIGNATURE_BYTES; i++) {
        cr_assert_eq(b->ml_dsa->signed_prekey_signature[i], (uint8_t)i);
        cr_assert_eq(b->ml_dsa->kem_prekey_signature[i], (uint8_t)i);
    }
    cr_assert_eq(b->ml_dsa->key[SP_ML_DSA_PUBLIC_BYTES - 1], (uint8_t)(SP_ML_DSA_PUBLIC_BYTES - 1));

    cr_assert_not(decode_post_quantum(SP_ML_KEM_PUBLIC_BYTES - 1, SP_ML_DSA_PUBLIC_BYTES));
    cr_assert_not(decode_post_quantum(SP_ML_KEM_PUBLIC_BYTES, SP_ML_DSA_PUBLIC_BYTES + 1));
}

Test(user_control, decode_error_makes_its_code_printable)
{
    cr_assert(decode("{\"type\":\"error\",\"code\":\"\\u001b[2J\u00e9 x\"}"));
    cr_assert_str_eq(m.code, "?[2J???x");
    // Cut within a character of several bytes, it would be no UTF-8 and the result unwritable.
    cr_assert(
        decode("{\"type\":\"error\",\"code\":\"1234567890123456789012345678901\u00e9\u00e9\"}"));
    for (const char *at = m.code; *at; at++)
        cr_assert(*at > ' ' && *at <= '~');
}

Test(user_control, decode_error)
{
    cr_assert(decode("{\"type\":\"error\",\"code\":\"rate_limited\",\"message\":\"x\",\"id\":3}"));
    cr_assert_eq(m.type, USER_CONTROL_ERROR);
    cr_assert_str_eq(m.code, "rate_limited");
    cr_assert_not(m.has_message_id);
    cr_assert(
        decode("{\"type\":\"error\",\"code\":\"recipient_busy\",\"message_id\":\"" B16 "\"}"));
    cr_assert(m.has_message_id);
    expect_counting(m.message_id, 16);
}

Test(user_control, decode_small_ones)
{
    cr_assert(decode("{\"type\":\"accepted\",\"message_id\":\"" B16 "\"}"));
    cr_assert_eq(m.type, USER_CONTROL_ACCEPTED);
    cr_assert(decode("{\"type\":\"registered\",\"id\":1}"));
    cr_assert_eq(m.type, USER_CONTROL_REGISTERED);
    cr_assert(decode("{\"type\":\"published\",\"id\":2}"));
    cr_assert_eq(m.type, USER_CONTROL_PUBLISHED);
    cr_assert(decode("{\"type\":\"prekeys_low\",\"one_time_prekeys\":4}"));
    cr_assert_eq(m.type, USER_CONTROL_PREKEYS_LOW);
    cr_assert(decode("{\"type\":\"from_the_future\"}"));
    cr_assert_eq(m.type, USER_CONTROL_OTHER);
}

Test(user_control, decode_refuses)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "7",
        "{}",
        "{\"type\":5}",
        "{\"type\":\"hello\"}",
        "{\"type\":\"hello\",\"challenge\":\"" B16
        "\",\"limits\":{\"envelope_bytes\":1,\"one_time_prekeys\":1}}",
        "{\"type\":\"hello\",\"challenge\":\"" B32 "\",\"limits\":{\"envelope_bytes\":-1,"
        "\"one_time_prekeys\":1}}",
        "{\"type\":\"hello\",\"challenge\":\"" B32 "\",\"limits\":7}",
        "{\"type\":\"accepted\"}",
        "{\"type\":\"accepted\",\"message_id\":\"" B32 "\"}",
        "{\"type\":\"accepted\",\"message_id\":\"!!!!!!!!!!!!!!!!!!!!!!\"}",
        "{\"type\":\"error\"}",
        "{\"type\":\"error\",\"code\":\"x\",\"message_id\":7}",
        "{\"type\":\"bundle\"}",
        "{\"type\":\"bundle\",\"identity_keys\":{\"ed25519\":\"" B32
        "\"},\"signed_prekey\":{\"id\":9,\"key\":\"" B32 "\",\"signature\":\"" B64 "\"}}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(decode(bad[i]), "case %zu: %s", i, bad[i]);
}

static yyjson_doc *parse(size_t len)
{
    yyjson_doc *parsed = yyjson_read(text, len, 0);

    cr_assert_not_null(parsed, "%.*s", (int)len, text);
    return parsed;
}

Test(user_control, encode_register)
{
    static struct persona_signatures signatures;
    yyjson_doc *parsed;
    yyjson_val *root;

    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(persona_init(&p, 1, 2, false), 0);
    parsed = parse(user_control_encode_register(text, &p, &signatures));
    root = yyjson_doc_get_root(parsed);
    cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(root, "type")), "register");
    cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(root, "name")), p.name);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/identity_keys/ed25519")), 43);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/signatures/ed25519")), 86);
    cr_assert_null(yyjson_ptr_get(root, "/identity_keys/ml_dsa_65"));
    yyjson_doc_free(parsed);
    persona_free(&p);

    cr_assert_eq(persona_init(&p, 1, 2, true), 0);
    parsed = parse(user_control_encode_register(text, &p, &signatures));
    root = yyjson_doc_get_root(parsed);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/identity_keys/ml_dsa_65")), 2603);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/signatures/ml_dsa_65")), 4412);
    yyjson_doc_free(parsed);
    persona_free(&p);
}

Test(user_control, encode_login)
{
    static struct persona_signatures signatures;
    yyjson_doc *parsed;
    yyjson_val *root;

    cr_assert_eq(sp_init(), 0);
    for (int hybrid = 0; hybrid <= 1; hybrid++) {
        cr_assert_eq(persona_init(&p, 1, 2, hybrid), 0);
        parsed = parse(user_control_encode_login(text, &p, &signatures));
        root = yyjson_doc_get_root(parsed);
        cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(root, "type")), "login");
        cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(root, "name")), p.name);
        cr_assert_null(yyjson_obj_get(root, "identity_keys"), "the relay has them");
        cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/signatures/ed25519")), 86);
        cr_assert_eq(yyjson_ptr_get(root, "/signatures/ml_dsa_65") != NULL, hybrid);
        yyjson_doc_free(parsed);
        persona_free(&p);
    }
}

static const uint8_t keys[PERSONA_BATCH_MAX][32];

Test(user_control, encode_prekeys_at_most)
{
    static struct persona_kem_prekey kem[PERSONA_KEM_BATCH_MAX];
    const struct user_control_prekeys prekeys = {.with_signed = true,
                                                 .keys = keys,
                                                 .first_id = UINT32_MAX - PERSONA_BATCH_MAX,
                                                 .count = PERSONA_BATCH_MAX,
                                                 .kem = kem,
                                                 .kem_count = PERSONA_KEM_BATCH_MAX};
    yyjson_doc *parsed;
    yyjson_val *root;

    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(persona_init(&p, 1, 2, true), 0);
    cr_assert_eq(persona_make_prekeys(&p, SP_SUITE_PQXDH, 8), 0);
    kem[1].prekey.id = 77;
    parsed = parse(user_control_encode_prekeys(text, &p, &prekeys));
    root = yyjson_doc_get_root(parsed);
    cr_assert_eq(yyjson_arr_size(yyjson_obj_get(root, "one_time_prekeys")), PERSONA_BATCH_MAX);
    cr_assert_eq(yyjson_get_uint(yyjson_ptr_get(root, "/one_time_prekeys/1/id")),
                 UINT32_MAX - PERSONA_BATCH_MAX + 1);
    cr_assert_eq(yyjson_get_uint(yyjson_ptr_get(root, "/signed_prekey/id")),
                 PERSONA_SIGNED_PREKEY_ID);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/signed_prekey/ml_dsa_65_signature")), 4412);
    cr_assert_eq(yyjson_get_uint(yyjson_ptr_get(root, "/kem_prekey/id")), PERSONA_LAST_RESORT_ID);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/kem_prekey/key")), 1579);
    cr_assert_eq(yyjson_arr_size(yyjson_obj_get(root, "one_time_kem_prekeys")),
                 PERSONA_KEM_BATCH_MAX);
    cr_assert_eq(yyjson_get_uint(yyjson_ptr_get(root, "/one_time_kem_prekeys/1/id")), 77);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/one_time_kem_prekeys/3/signature")), 86);
    yyjson_doc_free(parsed);
    persona_free(&p);
}

// Without post-quantum keys a message fits the smaller room.
Test(user_control, encode_prekeys_classic)
{
    const struct user_control_prekeys prekeys = {.with_signed = true,
                                                 .keys = keys,
                                                 .first_id = UINT32_MAX - PERSONA_BATCH_MAX,
                                                 .count = PERSONA_BATCH_MAX};
    size_t len;
    yyjson_doc *parsed;

    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(persona_init(&p, 1, 2, false), 0);
    cr_assert_eq(persona_make_prekeys(&p, SP_SUITE_X3DH, 8), 0);
    len = user_control_encode_prekeys(text, &p, &prekeys);
    cr_assert_leq(len, USER_CONTROL_CLASSIC_MAX_BYTES);
    parsed = parse(len);
    cr_assert_null(yyjson_obj_get(yyjson_doc_get_root(parsed), "kem_prekey"));
    cr_assert_null(yyjson_obj_get(yyjson_doc_get_root(parsed), "one_time_kem_prekeys"));
    yyjson_doc_free(parsed);
    persona_free(&p);
}

Test(user_control, encode_prekeys_without_signed)
{
    const struct user_control_prekeys prekeys = {.first_id = 1};
    yyjson_doc *parsed = parse(user_control_encode_prekeys(text, &p, &prekeys));
    yyjson_val *root = yyjson_doc_get_root(parsed);

    cr_assert_null(yyjson_obj_get(root, "signed_prekey"));
    cr_assert_eq(yyjson_arr_size(yyjson_obj_get(root, "one_time_prekeys")), 0);
    yyjson_doc_free(parsed);
}

Test(user_control, encode_get_bundle_and_ack)
{
    uint8_t ids[USER_CONTROL_ACK_MAX][16] = {{0}};
    yyjson_doc *parsed = parse(user_control_encode_get_bundle(text, "bob", SP_SUITE_X3DH));

    cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(parsed), "name")), "bob");
    cr_assert_null(yyjson_obj_get(yyjson_doc_get_root(parsed), "suite"));
    yyjson_doc_free(parsed);
    parsed = parse(user_control_encode_get_bundle(text, "bob", SP_SUITE_PQXDH));
    cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(parsed), "suite")), "pqxdh");
    yyjson_doc_free(parsed);
    parsed = parse(user_control_encode_ack(text, (const uint8_t(*)[16])ids, USER_CONTROL_ACK_MAX));
    cr_assert_eq(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(parsed), "message_ids")),
                 USER_CONTROL_ACK_MAX);
    yyjson_doc_free(parsed);
}
