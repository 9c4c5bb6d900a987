// JSON of control messages: typed readers over a parsed object, and a bounded writer for answers.
// Thread: one for each reader and writer; the control thread here.
#ifndef SEALPOST_CONTROL_JSON_H
#define SEALPOST_CONTROL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yyjson.h>

#include "relay/limits.h"
#include "units.h"
#include "users.h"

// The largest id of a request: what every JSON implementation keeps exact (2^53 − 1).
#define CONTROL_JSON_MAX_ID ((UINT64_C(1) << 53) - 1)

// Parses into memory reserved at start: the longest control message fits at its worst. Behind it
// is room to write one value again.
struct control_json_reader {
    uint8_t *memory;
    size_t parse_bytes;
};

enum control_json_result {
    CONTROL_JSON_FOUND = 1,
    CONTROL_JSON_ABSENT = 0,
    CONTROL_JSON_BAD = -1, // wrong type, size, range or characters; or there more than once
};

// Errors: -ENOMEM.
NODISCARD int control_json_init_reader(struct control_json_reader *r);
void control_json_free_reader(struct control_json_reader *r);
// The text as one JSON object, or NULL. Numbers that fit no 64 bits stay text.
// Owner: what is found in it is good until the next parse.
yyjson_val *control_json_parse(struct control_json_reader *r, const uint8_t *text, size_t len);

// Each reads one member of an object, known members once only.
enum control_json_result control_json_read_member(yyjson_val *object, const char *key,
                                                  yyjson_val **out);
enum control_json_result control_json_read_text(yyjson_val *object, const char *key,
                                                const char **out, size_t *len);
enum control_json_result control_json_read_name(yyjson_val *object, const char *key,
                                                struct user_name *out);
enum control_json_result control_json_read_u64(yyjson_val *object, const char *key, uint64_t max,
                                               uint64_t *out);
// base64url without padding of exactly `size` bytes.
enum control_json_result control_json_read_bytes(yyjson_val *object, const char *key, uint8_t *out,
                                                 size_t size);
enum control_json_result control_json_read_object(yyjson_val *object, const char *key,
                                                  yyjson_val **out);
enum control_json_result control_json_read_array(yyjson_val *object, const char *key,
                                                 yyjson_val **out);
// A string value as base64url without padding of exactly `size` bytes.
bool control_json_decode_bytes(yyjson_val *value, uint8_t *out, size_t size);

// Write a value again as JSON of at most `max` bytes, max ≤ LIMIT_CHAT_BODY_BYTES. False if it is
// longer. Owner: the text is good until the next call.
NODISCARD bool control_json_copy_value(struct control_json_reader *r, yyjson_val *value, size_t max,
                                       const char **text, size_t *len);

// One answer under construction. Texts are names and constants of ours, which need no escapes
// (asserted); what clients write freely comes in as JSON that yyjson has written.
struct control_json_writer {
    uint32_t len;
    char text[LIMIT_CONTROL_ANSWER_BYTES];
};

// `{"type":"<type>"`
void control_json_begin(struct control_json_writer *w, const char *type);
// The last `}`.
void control_json_end(struct control_json_writer *w);
// A member, or an element where key is NULL.
void control_json_write_text(struct control_json_writer *w, const char *key, const char *text,
                             size_t len);
void control_json_write_u64(struct control_json_writer *w, const char *key, uint64_t value);
void control_json_write_bytes(struct control_json_writer *w, const char *key, const uint8_t *bytes,
                              size_t len);
// `json` is one whole JSON value.
void control_json_write_value(struct control_json_writer *w, const char *key, const char *json,
                              size_t len);
void control_json_open_object(struct control_json_writer *w, const char *key);
void control_json_close_object(struct control_json_writer *w);
void control_json_open_array(struct control_json_writer *w, const char *key);
void control_json_close_array(struct control_json_writer *w);

#endif
