// MQTT 3.1.1 at quality of service 0, as much as publish and subscribe need. Pure.
// Source: OASIS MQTT 3.1.1, sections 2.2 (fixed header), 3.1, 3.2, 3.3, 3.8, 3.9.
//
//     byte 0        1 … 4              then
//     type|flags    remaining length   PUBLISH: topic length (2), topic, payload
#include "bench_protocol.h"

#include <stdio.h>
#include <string.h>

#define CONNECT 0x10
#define CONNACK 0x20
#define PUBLISH 0x30 // quality of service 0, not retained, not a duplicate
#define SUBSCRIBE 0x82
#define SUBACK 0x90
#define LENGTH_BYTES_MAX 4 // section 2.2.3

static size_t put_be16(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return 2;
}

static size_t put_text(uint8_t *out, const char *text)
{
    size_t len = strlen(text);

    put_be16(out, len);
    memcpy(out + 2, text, len);
    return 2 + len;
}

// Section 2.2.3: seven bits a byte, the lowest first.
static size_t put_length(uint8_t *out, size_t value)
{
    size_t len = 0;

    do {
        out[len] = (uint8_t)(value & 0x7F);
        value >>= 7;
        if (value > 0)
            out[len] |= 0x80;
        len++;
    } while (value > 0);
    return len;
}

// Returns the bytes used, 0: need more, < 0: error.
static ssize_t get_length(const uint8_t *in, size_t len, size_t *value)
{
    *value = 0;
    for (size_t i = 0; i < LENGTH_BYTES_MAX; i++) {
        if (i >= len)
            return 0;
        *value |= (size_t)(in[i] & 0x7F) << (7 * i);
        if (!(in[i] & 0x80))
            return (ssize_t)i + 1;
    }
    return BENCH_PROTOCOL_E_SYNTAX;
}

// CONNECT and SUBSCRIBE in one: a client need not wait for CONNACK (section 3.1.4).
static size_t encode_hello(uint8_t out[BENCH_HELLO_MAX], uint32_t index)
{
    static const uint8_t level_flags_keepalive[] = {4, 0x02 /* clean session */, 0, 0 /* none */};
    uint8_t body[64];
    size_t body_len, len = 0;
    char text[24];

    body_len = put_text(body, "MQTT");
    memcpy(body + body_len, level_flags_keepalive, sizeof level_flags_keepalive);
    body_len += sizeof level_flags_keepalive;
    snprintf(text, sizeof text, "sealpost%u", index);
    body_len += put_text(body + body_len, text);
    out[len++] = CONNECT;
    len += put_length(out + len, body_len);
    memcpy(out + len, body, body_len);
    len += body_len;

    body_len = put_be16(body, 1); // packet identifier
    snprintf(text, sizeof text, BENCH_SUBJECT_FORMAT, index);
    body_len += put_text(body + body_len, text);
    body[body_len++] = 0; // quality of service
    out[len++] = SUBSCRIBE;
    len += put_length(out + len, body_len);
    memcpy(out + len, body, body_len);
    return len + body_len;
}

static size_t encode_head(uint8_t out[BENCH_HEAD_MAX], uint32_t partner, size_t payload_bytes)
{
    char topic[16];
    size_t len = 0;
    size_t topic_len = (size_t)snprintf(topic, sizeof topic, BENCH_SUBJECT_FORMAT, partner);

    out[len++] = PUBLISH;
    len += put_length(out + len, 2 + topic_len + payload_bytes);
    return len + put_text(out + len, topic);
}

static ssize_t decode_publish(const uint8_t *in, size_t len, size_t at, size_t remaining,
                              size_t payload_bytes, struct bench_frame *out)
{
    size_t topic_len;

    if (len - at < 2)
        return 0;
    topic_len = (size_t)in[at] << 8 | in[at + 1];
    if (remaining < 2 + topic_len)
        return BENCH_PROTOCOL_E_SYNTAX;
    if (remaining - 2 - topic_len != payload_bytes)
        return BENCH_PROTOCOL_E_LENGTH;
    return bench_protocol_take_message(in, len, at + 2 + topic_len, payload_bytes, 0, out);
}

static ssize_t decode(const uint8_t *in, size_t len, size_t payload_bytes, struct bench_frame *out)
{
    size_t remaining, at;
    ssize_t used;

    if (len < 2)
        return 0;
    if (in[0] != PUBLISH && in[0] != CONNACK && in[0] != SUBACK)
        return BENCH_PROTOCOL_E_SYNTAX;
    used = get_length(in + 1, len - 1, &remaining);
    if (used <= 0)
        return used;
    at = 1 + (size_t)used;
    if (in[0] == PUBLISH)
        return decode_publish(in, len, at, remaining, payload_bytes, out);
    // CONNACK: flags, return code. SUBACK: packet identifier, granted quality of service.
    if (remaining != (in[0] == CONNACK ? 2u : 3u))
        return BENCH_PROTOCOL_E_SYNTAX;
    if (len - at < remaining)
        return 0;
    if (in[at + remaining - 1] != 0)
        return BENCH_PROTOCOL_E_REFUSED;
    *out = (struct bench_frame){.kind = in[0] == SUBACK ? BENCH_FRAME_READY : BENCH_FRAME_OTHER};
    return (ssize_t)(at + remaining);
}

const struct bench_protocol bench_protocol_mqtt = {
    .name = "mqtt",
    .tail = "",
    .encode_hello = encode_hello,
    .encode_head = encode_head,
    .decode = decode,
};
