// JSON of the control plane, client side. Any thread; never allocates: yyjson works in the scratch
// memory it is given, and what we write has a fixed shape.
#include "user_control.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <yyjson.h>

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define BASE64_32_BYTES 44u // 43 characters and a zero
#define BASE64_64_BYTES 87u
#define BASE64_16_BYTES 23u

static const char *text_32(char out[BASE64_32_BYTES], const uint8_t bytes[32])
{
    return sodium_bin2base64(out, BASE64_32_BYTES, bytes, 32, BASE64);
}

static const char *text_64(char out[BASE64_64_BYTES], const uint8_t bytes[64])
{
    return sodium_bin2base64(out, BASE64_64_BYTES, bytes, 64, BASE64);
}

size_t user_control_encode_register(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                    const uint8_t signature[64])
{
    char key[BASE64_32_BYTES], signed_text[BASE64_64_BYTES];

    return (size_t)snprintf(out, USER_CONTROL_MAX_BYTES,
                            "{\"type\":\"register\",\"id\":1,\"name\":\"%s\","
                            "\"identity_keys\":{\"ed25519\":\"%s\"},"
                            "\"signatures\":{\"ed25519\":\"%s\"}}",
                            p->name, text_32(key, p->key), text_64(signed_text, signature));
}

size_t user_control_encode_prekeys(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                   bool with_signed, const uint8_t (*keys)[32], uint32_t first_id,
                                   uint32_t count)
{
    char key[BASE64_32_BYTES], signature[BASE64_64_BYTES];
    size_t len, cap = USER_CONTROL_MAX_BYTES;

    assert(count <= PERSONA_BATCH_MAX);
    len = (size_t)snprintf(out, cap, "{\"type\":\"publish_prekeys\",\"id\":2");
    if (with_signed)
        len +=
            (size_t)snprintf(out + len, cap - len,
                             ",\"signed_prekey\":{\"id\":%u,\"key\":\"%s\",\"signature\":\"%s\"}",
                             PERSONA_SIGNED_PREKEY_ID, text_32(key, p->signed_prekey),
                             text_64(signature, p->signed_prekey_signature));
    len += (size_t)snprintf(out + len, cap - len, ",\"one_time_prekeys\":[");
    for (uint32_t i = 0; i < count; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s{\"id\":%u,\"key\":\"%s\"}", i ? "," : "",
                                first_id + i, text_32(key, keys[i]));
    len += (size_t)snprintf(out + len, cap - len, "]}");
    assert(len < cap);
    return len;
}

size_t user_control_encode_get_bundle(char out[USER_CONTROL_MAX_BYTES], const char *name)
{
    return (size_t)snprintf(out, USER_CONTROL_MAX_BYTES,
                            "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"%s\"}", name);
}

size_t user_control_encode_ack(char out[USER_CONTROL_MAX_BYTES], const uint8_t (*message_ids)[16],
                               uint32_t count)
{
    char id[BASE64_16_BYTES];
    size_t len, cap = USER_CONTROL_MAX_BYTES;

    assert(count > 0 && count <= USER_CONTROL_ACK_MAX);
    len = (size_t)snprintf(out, cap, "{\"type\":\"ack\",\"message_ids\":[");
    for (uint32_t i = 0; i < count; i++) {
        sodium_bin2base64(id, sizeof id, message_ids[i], 16, BASE64);
        len += (size_t)snprintf(out + len, cap - len, "%s\"%s\"", i ? "," : "", id);
    }
    len += (size_t)snprintf(out + len, cap - len, "]}");
    assert(len < cap);
    return len;
}

static bool get_bytes(yyjson_val *object, const char *name, uint8_t *out, size_t len)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    const char *text = yyjson_get_str(value);
    size_t done = 0;

    return text &&
           sodium_base642bin(out, len, text, yyjson_get_len(value), NULL, &done, NULL, BASE64) ==
               0 &&
           done == len;
}

static bool get_number(yyjson_val *object, const char *name, uint32_t *out)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > UINT32_MAX)
        return false;
    *out = (uint32_t)yyjson_get_uint(value);
    return true;
}

static bool decode_hello(struct user_control *out, yyjson_val *root)
{
    yyjson_val *limits = yyjson_obj_get(root, "limits");

    return get_bytes(root, "challenge", out->challenge, sizeof out->challenge) &&
           get_number(limits, "envelope_bytes", &out->envelope_bytes) &&
           get_number(limits, "one_time_prekeys", &out->one_time_prekeys);
}

static bool decode_bundle(struct user_control *out, yyjson_val *root)
{
    struct sp_bundle *b = &out->bundle;
    yyjson_val *signed_prekey = yyjson_obj_get(root, "signed_prekey");
    yyjson_val *one_time = yyjson_obj_get(root, "one_time_prekey");

    b->has_one_time_prekey = !yyjson_is_null(one_time);
    b->one_time_prekey_id = 0;
    return get_bytes(yyjson_obj_get(root, "identity_keys"), "ed25519", b->identity_key, 32) &&
           get_number(signed_prekey, "id", &b->signed_prekey_id) &&
           get_bytes(signed_prekey, "key", b->signed_prekey, 32) &&
           get_bytes(signed_prekey, "signature", b->signed_prekey_signature, 64) &&
           (!b->has_one_time_prekey || (get_number(one_time, "id", &b->one_time_prekey_id) &&
                                        get_bytes(one_time, "key", b->one_time_prekey, 32)));
}

static bool decode_error(struct user_control *out, yyjson_val *root)
{
    const char *code = yyjson_get_str(yyjson_obj_get(root, "code"));

    if (!code)
        return false;
    snprintf(out->code, sizeof out->code, "%s", code);
    out->has_message_id = yyjson_obj_get(root, "message_id") != NULL;
    return !out->has_message_id || get_bytes(root, "message_id", out->message_id, 16);
}

static bool decode_object(struct user_control *out, yyjson_val *root)
{
    yyjson_val *type = yyjson_obj_get(root, "type");

    out->type = USER_CONTROL_OTHER;
    if (!yyjson_is_str(type))
        return false;
    if (yyjson_equals_str(type, "accepted")) {
        out->type = USER_CONTROL_ACCEPTED;
        return get_bytes(root, "message_id", out->message_id, 16);
    }
    if (yyjson_equals_str(type, "error")) {
        out->type = USER_CONTROL_ERROR;
        return decode_error(out, root);
    }
    if (yyjson_equals_str(type, "bundle")) {
        out->type = USER_CONTROL_BUNDLE;
        return decode_bundle(out, root);
    }
    if (yyjson_equals_str(type, "hello")) {
        out->type = USER_CONTROL_HELLO;
        return decode_hello(out, root);
    }
    if (yyjson_equals_str(type, "registered"))
        out->type = USER_CONTROL_REGISTERED;
    else if (yyjson_equals_str(type, "prekeys_low"))
        out->type = USER_CONTROL_PREKEYS_LOW;
    else if (yyjson_equals_str(type, "published"))
        out->type = USER_CONTROL_PUBLISHED;
    return true;
}

bool user_control_decode(struct user_control *out, const uint8_t *text, size_t len, void *scratch)
{
    yyjson_alc alc;
    yyjson_doc *parsed;

    // Reading needs no more than the text itself and 16 B for each value and separator.
    if (!yyjson_alc_pool_init(&alc, scratch, USER_CONTROL_SCRATCH_BYTES))
        return false;
    parsed = yyjson_read_opts((char *)(uintptr_t)text, len, 0, &alc, NULL);
    return parsed && decode_object(out, yyjson_doc_get_root(parsed));
}
