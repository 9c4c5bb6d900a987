// Control messages of the client side: what we write is what the protocol wants, what we read is
// checked.
#include <criterion/criterion.h>
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
}

Test(user_control, decode_bundle)
{
    cr_assert(decode("{\"type\":\"bundle\",\"id\":3,\"name\":\"bob\",\"mailbox\":\"" B16
                     "\",\"identity_keys\":{\"ed25519\":\"" B32
                     "\"},\"signed_prekey\":{\"id\":9,\"key\":\"" B32 "\",\"signature\":\"" B64
                     "\"},\"one_time_prekey\":{\"id\":4294967295,\"key\":\"" B32 "\"}}"));
    cr_assert_eq(m.type, USER_CONTROL_BUNDLE);
    expect_counting(m.bundle.identity_key, 32);
    expect_counting(m.bundle.signed_prekey_signature, 64);
    cr_assert_eq(m.bundle.signed_prekey_id, 9);
    cr_assert(m.bundle.has_one_time_prekey);
    cr_assert_eq(m.bundle.one_time_prekey_id, UINT32_MAX);
}

Test(user_control, decode_bundle_without_one_time)
{
    cr_assert(decode("{\"type\":\"bundle\",\"identity_keys\":{\"ed25519\":\"" B32
                     "\"},\"signed_prekey\":{\"id\":9,\"key\":\"" B32 "\",\"signature\":\"" B64
                     "\"},\"one_time_prekey\":null}"));
    cr_assert_not(m.bundle.has_one_time_prekey);
    cr_assert_eq(m.bundle.one_time_prekey_id, 0);
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
    uint8_t signature[64] = {0};
    yyjson_doc *parsed;
    yyjson_val *root;

    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(persona_init(&p, 1, 2), 0);
    parsed = parse(user_control_encode_register(text, &p, signature));
    root = yyjson_doc_get_root(parsed);
    cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(root, "type")), "register");
    cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(root, "name")), p.name);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/identity_keys/ed25519")), 43);
    cr_assert_eq(yyjson_get_len(yyjson_ptr_get(root, "/signatures/ed25519")), 86);
    yyjson_doc_free(parsed);
}

Test(user_control, encode_prekeys_at_most)
{
    uint8_t keys[PERSONA_BATCH_MAX][32] = {{0}};
    yyjson_doc *parsed =
        parse(user_control_encode_prekeys(text, &p, true, (const uint8_t(*)[32])keys,
                                          UINT32_MAX - PERSONA_BATCH_MAX, PERSONA_BATCH_MAX));
    yyjson_val *root = yyjson_doc_get_root(parsed);

    cr_assert_eq(yyjson_arr_size(yyjson_obj_get(root, "one_time_prekeys")), PERSONA_BATCH_MAX);
    cr_assert_eq(yyjson_get_uint(yyjson_ptr_get(root, "/one_time_prekeys/1/id")),
                 UINT32_MAX - PERSONA_BATCH_MAX + 1);
    cr_assert_eq(yyjson_get_uint(yyjson_ptr_get(root, "/signed_prekey/id")),
                 PERSONA_SIGNED_PREKEY_ID);
    yyjson_doc_free(parsed);
}

Test(user_control, encode_prekeys_without_signed)
{
    yyjson_doc *parsed = parse(user_control_encode_prekeys(text, &p, false, NULL, 1, 0));
    yyjson_val *root = yyjson_doc_get_root(parsed);

    cr_assert_null(yyjson_obj_get(root, "signed_prekey"));
    cr_assert_eq(yyjson_arr_size(yyjson_obj_get(root, "one_time_prekeys")), 0);
    yyjson_doc_free(parsed);
}

Test(user_control, encode_get_bundle_and_ack)
{
    uint8_t ids[USER_CONTROL_ACK_MAX][16] = {{0}};
    yyjson_doc *parsed = parse(user_control_encode_get_bundle(text, "bob"));

    cr_assert_str_eq(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(parsed), "name")), "bob");
    yyjson_doc_free(parsed);
    parsed = parse(user_control_encode_ack(text, (const uint8_t(*)[16])ids, USER_CONTROL_ACK_MAX));
    cr_assert_eq(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(parsed), "message_ids")),
                 USER_CONTROL_ACK_MAX);
    yyjson_doc_free(parsed);
}
