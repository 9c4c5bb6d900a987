// Control messages from and to JSON. Control thread. Knows types and sizes, not what a message
// means; never allocates after init.
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "control_json.h"
#include "relay/limits.h"

// What yyjson takes at most to write a value of LIMIT_CHAT_BODY_BYTES, with room to spare: it
// reserves up to 32 bytes a value and 6 a character, and moves when it grows.
#define COPY_BYTES (64u * LIMIT_CHAT_BODY_BYTES)
// A number beyond 64 bits is no error in what we only forward.
#define READ_FLAGS YYJSON_READ_BIGNUM_AS_RAW
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

int control_json_init_reader(struct control_json_reader *r)
{
    r->parse_bytes = yyjson_read_max_memory_usage(LIMIT_CONTROL_BYTES, READ_FLAGS);
    r->memory = malloc(r->parse_bytes + COPY_BYTES);
    return r->memory ? 0 : -ENOMEM;
}

void control_json_free_reader(struct control_json_reader *r)
{
    free(r->memory);
    r->memory = NULL;
}

yyjson_val *control_json_parse(struct control_json_reader *r, const uint8_t *text, size_t len)
{
    yyjson_val *root;
    yyjson_alc pool;

    assert(len <= LIMIT_CONTROL_BYTES);
    if (len == 0)
        return NULL;
    yyjson_alc_pool_init(&pool, r->memory, r->parse_bytes);
    // Without the in-situ flag the text is not written to; the document lives in the pool, which
    // the next parse starts afresh, so it needs no free.
    root = yyjson_doc_get_root(
        yyjson_read_opts((char *)(uintptr_t)text, len, READ_FLAGS, &pool, NULL));
    return yyjson_is_obj(root) ? root : NULL;
}

enum control_json_result control_json_read_member(yyjson_val *object, const char *key,
                                                  yyjson_val **out)
{
    enum control_json_result result = CONTROL_JSON_ABSENT;
    size_t index, count;
    yyjson_val *name, *value;

    // Two members of one name mean different things to different readers: refused.
    yyjson_obj_foreach(object, index, count, name, value)
    {
        if (!yyjson_equals_str(name, key))
            continue;
        if (result == CONTROL_JSON_FOUND)
            return CONTROL_JSON_BAD;
        result = CONTROL_JSON_FOUND;
        *out = value;
    }
    return result;
}

enum control_json_result control_json_read_text(yyjson_val *object, const char *key,
                                                const char **out, size_t *len)
{
    yyjson_val *value;
    enum control_json_result result = control_json_read_member(object, key, &value);

    if (result != CONTROL_JSON_FOUND)
        return result;
    if (!yyjson_is_str(value))
        return CONTROL_JSON_BAD;
    *out = yyjson_get_str(value);
    *len = yyjson_get_len(value);
    return CONTROL_JSON_FOUND;
}

enum control_json_result control_json_read_name(yyjson_val *object, const char *key,
                                                struct user_name *out)
{
    const char *text;
    size_t len;
    enum control_json_result result = control_json_read_text(object, key, &text, &len);

    if (result != CONTROL_JSON_FOUND)
        return result;
    return users_parse_name(out, text, len) ? CONTROL_JSON_FOUND : CONTROL_JSON_BAD;
}

enum control_json_result control_json_read_u64(yyjson_val *object, const char *key, uint64_t max,
                                               uint64_t *out)
{
    yyjson_val *value;
    enum control_json_result result = control_json_read_member(object, key, &value);

    if (result != CONTROL_JSON_FOUND)
        return result;
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > max)
        return CONTROL_JSON_BAD;
    *out = yyjson_get_uint(value);
    return CONTROL_JSON_FOUND;
}

bool control_json_decode_bytes(yyjson_val *value, uint8_t *out, size_t size)
{
    size_t len;

    if (!yyjson_is_str(value) ||
        yyjson_get_len(value) != sodium_base64_encoded_len(size, BASE64_VARIANT) - 1)
        return false;
    // Without an end pointer libsodium takes the whole text or fails, bits left over included.
    return sodium_base642bin(out, size, yyjson_get_str(value), yyjson_get_len(value), NULL, &len,
                             NULL, BASE64_VARIANT) == 0 &&
           len == size;
}

enum control_json_result control_json_read_bytes(yyjson_val *object, const char *key, uint8_t *out,
                                                 size_t size)
{
    yyjson_val *value;
    enum control_json_result result = control_json_read_member(object, key, &value);

    if (result != CONTROL_JSON_FOUND)
        return result;
    return control_json_decode_bytes(value, out, size) ? CONTROL_JSON_FOUND : CONTROL_JSON_BAD;
}

enum control_json_result control_json_read_object(yyjson_val *object, const char *key,
                                                  yyjson_val **out)
{
    enum control_json_result result = control_json_read_member(object, key, out);

    return result == CONTROL_JSON_FOUND && !yyjson_is_obj(*out) ? CONTROL_JSON_BAD : result;
}

enum control_json_result control_json_read_array(yyjson_val *object, const char *key,
                                                 yyjson_val **out)
{
    enum control_json_result result = control_json_read_member(object, key, out);

    return result == CONTROL_JSON_FOUND && !yyjson_is_arr(*out) ? CONTROL_JSON_BAD : result;
}

bool control_json_copy_value(struct control_json_reader *r, yyjson_val *value, size_t max,
                             const char **text, size_t *len)
{
    yyjson_alc pool;

    assert(max <= LIMIT_CHAT_BODY_BYTES);
    // Afresh each time, so the text needs no free; what does not fit the pool is too long.
    yyjson_alc_pool_init(&pool, r->memory + r->parse_bytes, COPY_BYTES);
    *text = yyjson_val_write_opts(value, YYJSON_WRITE_NOFLAG, &pool, len, NULL);
    return *text && *len <= max;
}

static void append(struct control_json_writer *w, const char *text, size_t len)
{
    assert(len <= sizeof w->text - w->len);
    memcpy(w->text + w->len, text, len);
    w->len += (uint32_t)len;
}

// What stands before a value: a comma unless it is the first, and the key.
static void begin_value(struct control_json_writer *w, const char *key)
{
    char last = w->text[w->len - 1];

    if (last != '{' && last != '[')
        append(w, ",", 1);
    if (key) {
        append(w, "\"", 1);
        append(w, key, strlen(key));
        append(w, "\":", 2);
    }
}

void control_json_begin(struct control_json_writer *w, const char *type)
{
    w->len = 0;
    append(w, "{", 1);
    control_json_write_text(w, "type", type, strlen(type));
}

void control_json_end(struct control_json_writer *w)
{
    append(w, "}", 1);
}

void control_json_write_text(struct control_json_writer *w, const char *key, const char *text,
                             size_t len)
{
    for (size_t i = 0; i < len; i++)
        assert(text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\');
    begin_value(w, key);
    append(w, "\"", 1);
    append(w, text, len);
    append(w, "\"", 1);
}

void control_json_write_u64(struct control_json_writer *w, const char *key, uint64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, value);

    begin_value(w, key);
    append(w, digits, (size_t)len);
}

void control_json_write_bytes(struct control_json_writer *w, const char *key, const uint8_t *bytes,
                              size_t len)
{
    size_t text_bytes = sodium_base64_encoded_len(len, BASE64_VARIANT); // with its NUL

    begin_value(w, key);
    append(w, "\"", 1);
    assert(text_bytes <= sizeof w->text - w->len);
    sodium_bin2base64(w->text + w->len, text_bytes, bytes, len, BASE64_VARIANT);
    w->len += (uint32_t)text_bytes - 1;
    append(w, "\"", 1);
}

void control_json_write_value(struct control_json_writer *w, const char *key, const char *json,
                              size_t len)
{
    begin_value(w, key);
    append(w, json, len);
}

void control_json_open_object(struct control_json_writer *w, const char *key)
{
    begin_value(w, key);
    append(w, "{", 1);
}

void control_json_close_object(struct control_json_writer *w)
{
    append(w, "}", 1);
}

void control_json_open_array(struct control_json_writer *w, const char *key)
{
    begin_value(w, key);
    append(w, "[", 1);
}

void control_json_close_array(struct control_json_writer *w)
{
    append(w, "]", 1);
}
