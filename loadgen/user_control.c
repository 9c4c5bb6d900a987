// JSON of the control plane, client side. Any thread; never allocates: yyjson works in the scratch
// memory it is given, and what we write has a fixed shape.
#include "user_control.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

// A message as it grows; its bound is far above what a message has.
struct writer {
    char *text;
    size_t len;
};

PRINTF_LIKE(2, 3) static void put(struct writer *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    w->len += (size_t)vsnprintf(w->text + w->len, USER_CONTROL_MAX_BYTES - w->len, format, args);
    va_end(args);
    assert(w->len < USER_CONTROL_MAX_BYTES);
}

// `"name":"<base64url>"` behind `before`.
static void put_bytes(struct writer *w, const char *before, const char *name, const uint8_t *bytes,
                      size_t len)
{
    size_t cap = sodium_base64_encoded_len(len, BASE64);

    put(w, "%s\"%s\":\"", before, name);
    assert(cap < USER_CONTROL_MAX_BYTES - w->len);
    sodium_bin2base64(w->text + w->len, cap, bytes, len, BASE64);
    w->len += cap - 1; // its zero byte is overwritten
    put(w, "\"");
}

// The last member of a register or login, and the message's end.
static void put_login_signatures(struct writer *w, const struct persona *p,
                                 const struct persona_signatures *signatures)
{
    put(w, ",\"signatures\":{");
    put_bytes(w, "", "ed25519", signatures->ed25519, sizeof signatures->ed25519);
    if (persona_is_hybrid(p))
        put_bytes(w, ",", "ml_dsa_65", signatures->ml_dsa_65, sizeof signatures->ml_dsa_65);
    put(w, "}}");
}

size_t user_control_encode_register(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                    const struct persona_signatures *signatures)
{
    struct writer w = {out, 0};
    struct sp_identity_key key = sp_identity_public(&p->identity);

    put(&w, "{\"type\":\"register\",\"id\":1,\"name\":\"%s\",\"identity_keys\":{", p->name);
    put_bytes(&w, "", "ed25519", key.ed25519, 32);
    if (key.ml_dsa_65)
        put_bytes(&w, ",", "ml_dsa_65", key.ml_dsa_65, SP_ML_DSA_PUBLIC_BYTES);
    put(&w, "}");
    put_login_signatures(&w, p, signatures);
    return w.len;
}

size_t user_control_encode_login(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                 const struct persona_signatures *signatures)
{
    struct writer w = {out, 0};

    put(&w, "{\"type\":\"login\",\"id\":1,\"name\":\"%s\"", p->name);
    put_login_signatures(&w, p, signatures);
    return w.len;
}

// The signatures of a prekey and the end of its object.
static void put_signatures(struct writer *w, const struct persona *p, const uint8_t ed25519[64],
                           const uint8_t *ml_dsa_65)
{
    put_bytes(w, ",", "signature", ed25519, 64);
    if (persona_is_hybrid(p))
        put_bytes(w, ",", "ml_dsa_65_signature", ml_dsa_65, SP_ML_DSA_SIGNATURE_BYTES);
    put(w, "}");
}

static void put_kem_prekey(struct writer *w, const struct persona *p,
                           const struct persona_kem_prekey *kem)
{
    put(w, "{\"id\":%u", kem->prekey.id);
    put_bytes(w, ",", "key", kem->prekey.key, sizeof kem->prekey.key);
    put_signatures(w, p, kem->prekey.signature, kem->ml_dsa_65_signature);
}

static void put_signed(struct writer *w, const struct persona *p)
{
    put(w, ",\"signed_prekey\":{\"id\":%u", PERSONA_SIGNED_PREKEY_ID);
    put_bytes(w, ",", "key", p->signed_prekey, 32);
    put_signatures(w, p, p->signed_prekey_signature, p->pq ? p->pq->signed_prekey_signature : NULL);
    if (p->pq && p->pq->last_resort.prekey.id != 0) {
        put(w, ",\"kem_prekey\":");
        put_kem_prekey(w, p, &p->pq->last_resort);
    }
}

size_t user_control_encode_prekeys(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                   const struct user_control_prekeys *prekeys)
{
    struct writer w = {out, 0};

    assert(prekeys->count <= PERSONA_BATCH_MAX && prekeys->kem_count <= PERSONA_KEM_BATCH_MAX);
    put(&w, "{\"type\":\"publish_prekeys\",\"id\":2");
    if (prekeys->with_signed)
        put_signed(&w, p);
    put(&w, ",\"one_time_prekeys\":[");
    for (uint32_t i = 0; i < prekeys->count; i++) {
        put(&w, "%s{\"id\":%u", i ? "," : "", prekeys->first_id + i);
        put_bytes(&w, ",", "key", prekeys->keys[i], 32);
        put(&w, "}");
    }
    put(&w, "]");
    if (prekeys->kem_count > 0)
        put(&w, ",\"one_time_kem_prekeys\":[");
    for (uint32_t i = 0; i < prekeys->kem_count; i++) {
        put(&w, "%s", i ? "," : "");
        put_kem_prekey(&w, p, &prekeys->kem[i]);
    }
    put(&w, prekeys->kem_count > 0 ? "]}" : "}");
    return w.len;
}

size_t user_control_encode_get_bundle(char out[USER_CONTROL_MAX_BYTES], const char *name,
                                      enum sp_suite suite)
{
    struct writer w = {out, 0};

    put(&w, "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"%s\"%s}", name,
        suite == SP_SUITE_PQXDH ? ",\"suite\":\"pqxdh\"" : "");
    return w.len;
}

size_t user_control_encode_ack(char out[USER_CONTROL_MAX_BYTES], const uint8_t (*message_ids)[16],
                               uint32_t count)
{
    char id[sodium_base64_ENCODED_LEN(16, BASE64)];
    struct writer w = {out, 0};

    assert(count > 0 && count <= USER_CONTROL_ACK_MAX);
    put(&w, "{\"type\":\"ack\",\"message_ids\":[");
    for (uint32_t i = 0; i < count; i++) {
        sodium_bin2base64(id, sizeof id, message_ids[i], 16, BASE64);
        put(&w, "%s\"%s\"", i ? "," : "", id);
    }
    put(&w, "]}");
    return w.len;
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

    out->one_time_kem_prekeys = 0;
    return get_bytes(root, "challenge", out->challenge, sizeof out->challenge) &&
           get_number(limits, "envelope_bytes", &out->envelope_bytes) &&
           get_number(limits, "one_time_prekeys", &out->one_time_prekeys) &&
           (!yyjson_obj_get(limits, "one_time_kem_prekeys") ||
            get_number(limits, "one_time_kem_prekeys", &out->one_time_kem_prekeys));
}

// What a hybrid identity adds; its members are all there or none.
static bool decode_ml_dsa(struct sp_bundle_storage *b, yyjson_val *root, yyjson_val *kem)
{
    yyjson_val *keys = yyjson_obj_get(root, "identity_keys");
    yyjson_val *signed_prekey = yyjson_obj_get(root, "signed_prekey");

    if (!yyjson_obj_get(keys, "ml_dsa_65"))
        return true;
    b->bundle.ml_dsa = &b->ml_dsa;
    memset(b->ml_dsa.kem_prekey_signature, 0, sizeof b->ml_dsa.kem_prekey_signature);
    return get_bytes(keys, "ml_dsa_65", b->ml_dsa.key, sizeof b->ml_dsa.key) &&
           get_bytes(signed_prekey, "ml_dsa_65_signature", b->ml_dsa.signed_prekey_signature,
                     sizeof b->ml_dsa.signed_prekey_signature) &&
           (!kem || get_bytes(kem, "ml_dsa_65_signature", b->ml_dsa.kem_prekey_signature,
                              sizeof b->ml_dsa.kem_prekey_signature));
}

static bool decode_kem(struct sp_bundle_storage *b, yyjson_val *kem)
{
    if (!kem)
        return true;
    b->bundle.kem_prekey = &b->kem_prekey;
    b->kem_prekey.is_one_time = yyjson_is_true(yyjson_obj_get(kem, "one_time"));
    return get_number(kem, "id", &b->kem_prekey.id) &&
           get_bytes(kem, "key", b->kem_prekey.key, sizeof b->kem_prekey.key) &&
           get_bytes(kem, "signature", b->kem_prekey.signature, sizeof b->kem_prekey.signature);
}

static bool decode_bundle(struct user_control *out, yyjson_val *root)
{
    struct sp_bundle *b = &out->bundle.bundle;
    yyjson_val *signed_prekey = yyjson_obj_get(root, "signed_prekey");
    yyjson_val *one_time = yyjson_obj_get(root, "one_time_prekey");
    yyjson_val *kem = yyjson_obj_get(root, "kem_prekey");

    b->has_one_time_prekey = !yyjson_is_null(one_time);
    b->one_time_prekey_id = 0;
    b->kem_prekey = NULL;
    b->ml_dsa = NULL;
    return get_bytes(yyjson_obj_get(root, "identity_keys"), "ed25519", b->identity_key, 32) &&
           get_number(signed_prekey, "id", &b->signed_prekey_id) &&
           get_bytes(signed_prekey, "key", b->signed_prekey, 32) &&
           get_bytes(signed_prekey, "signature", b->signed_prekey_signature, 64) &&
           (!b->has_one_time_prekey || (get_number(one_time, "id", &b->one_time_prekey_id) &&
                                        get_bytes(one_time, "key", b->one_time_prekey, 32))) &&
           decode_kem(&out->bundle, kem) && decode_ml_dsa(&out->bundle, root, kem);
}

// It goes to a terminal and into the result: printable ASCII, whatever the relay says.
static void copy_code(char out[USER_CONTROL_CODE_BYTES], const char *code)
{
    size_t len = 0;

    for (; len < USER_CONTROL_CODE_BYTES - 1 && code[len] != '\0'; len++)
        out[len] = code[len] > ' ' && code[len] <= '~' ? code[len] : '?';
    out[len] = '\0';
}

static bool decode_error(struct user_control *out, yyjson_val *root)
{
    const char *code = yyjson_get_str(yyjson_obj_get(root, "code"));

    if (!code)
        return false;
    copy_code(out->code, code);
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
    else if (yyjson_equals_str(type, "logged_in"))
        out->type = USER_CONTROL_LOGGED_IN;
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
