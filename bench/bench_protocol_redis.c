// Redis publish and subscribe over RESP3, which lets one connection do both. Pure.
// Source: the RESP3 specification (redis.io, "RESP protocol specification").
//
//     C: HELLO 3\r\n  SUBSCRIBE b00007\r\n
//     S: %7\r\n…                          (a map: taken apart into its lines)
//        >3\r\n$9\r\nsubscribe\r\n$6\r\nb00007\r\n:1\r\n          (the subscription stands)
//     C: *3\r\n$7\r\nPUBLISH\r\n$6\r\nb00006\r\n$288\r\n<payload>\r\n
//     S: :1\r\n   >3\r\n$7\r\nmessage\r\n$6\r\nb00007\r\n$288\r\n<payload>\r\n
#include "bench_protocol.h"

#include <stdio.h>
#include <string.h>

#define PUSH_START ">3\r\n$7\r\nmessage\r\n"
#define SUBSCRIBED_START ">3\r\n$9\r\nsubscribe\r\n"
#define LITERAL_LEN(text) (sizeof(text) - 1)

static size_t encode_hello(uint8_t out[BENCH_HELLO_MAX], uint32_t index)
{
    return (size_t)snprintf((char *)out, BENCH_HELLO_MAX,
                            "HELLO 3\r\nSUBSCRIBE " BENCH_SUBJECT_FORMAT "\r\n", index);
}

static size_t encode_head(uint8_t out[BENCH_HEAD_MAX], uint32_t partner, size_t payload_bytes)
{
    return (size_t)snprintf((char *)out, BENCH_HEAD_MAX,
                            "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n" BENCH_SUBJECT_FORMAT "\r\n$%zu\r\n",
                            BENCH_SUBJECT_LEN, partner, payload_bytes);
}

// "$<n>\r\n" at `at`. Returns its length, 0: need more, < 0: error; *value is n.
static ssize_t decode_bulk_length(const uint8_t *at, size_t len, int64_t *value)
{
    size_t line_len = bench_protocol_line_len(at, len);

    if (len > 0 && at[0] != '$')
        return BENCH_PROTOCOL_E_SYNTAX;
    if (line_len == 0)
        return 0;
    if (line_len < 4 || at[line_len - 2] != '\r')
        return BENCH_PROTOCOL_E_SYNTAX;
    *value = bench_protocol_decimal(at + 1, at + line_len - 2);
    return *value < 0 ? BENCH_PROTOCOL_E_SYNTAX : (ssize_t)line_len;
}

// Behind the start of a push: the channel, then the payload or the count of subscriptions.
static ssize_t decode_push(const uint8_t *in, size_t len, size_t at, size_t payload_bytes,
                           enum bench_frame_kind kind, struct bench_frame *out)
{
    int64_t length;
    size_t line_len;
    ssize_t used = decode_bulk_length(in + at, len - at, &length);

    if (used <= 0)
        return used;
    at += (size_t)used;
    if (len - at < (size_t)length + 2)
        return 0;
    at += (size_t)length + 2;
    if (kind == BENCH_FRAME_READY) {
        line_len = bench_protocol_line_len(in + at, len - at);
        *out = (struct bench_frame){.kind = BENCH_FRAME_READY};
        return line_len == 0 ? 0 : (ssize_t)(at + line_len);
    }
    used = decode_bulk_length(in + at, len - at, &length);
    if (used <= 0)
        return used;
    if ((size_t)length != payload_bytes)
        return BENCH_PROTOCOL_E_LENGTH;
    return bench_protocol_take_message(in, len, at + (size_t)used, payload_bytes, 2, out);
}

// Does `in` begin with `start`? 1 yes, 0 not known yet, -1 no.
static int begins_with(const uint8_t *in, size_t len, const char *start, size_t start_len)
{
    if (memcmp(in, start, len < start_len ? len : start_len) != 0)
        return -1;
    return len >= start_len;
}

static ssize_t decode_line(const uint8_t *in, size_t len, struct bench_frame *out)
{
    size_t line_len;
    int64_t length;
    ssize_t used;

    *out = (struct bench_frame){.kind = BENCH_FRAME_OTHER};
    switch (in[0]) {
    case '$':
        used = decode_bulk_length(in, len, &length);
        if (used > 0)
            out->skip_bytes = (size_t)length + 2;
        return used;
    case '-':
    case '!':
        return BENCH_PROTOCOL_E_REFUSED;
    case ':':
    case '+':
    case '%':
    case '*':
    case '#':
    case '_':
        line_len = bench_protocol_line_len(in, len);
        if (line_len == 0)
            return 0;
        return line_len >= 3 && in[line_len - 2] == '\r' ? (ssize_t)line_len
                                                         : BENCH_PROTOCOL_E_SYNTAX;
    default:
        return BENCH_PROTOCOL_E_SYNTAX;
    }
}

static ssize_t decode(const uint8_t *in, size_t len, size_t payload_bytes, struct bench_frame *out)
{
    int message, subscribed;

    if (len == 0)
        return 0;
    if (in[0] != '>')
        return decode_line(in, len, out);
    message = begins_with(in, len, PUSH_START, LITERAL_LEN(PUSH_START));
    if (message > 0)
        return decode_push(in, len, LITERAL_LEN(PUSH_START), payload_bytes, BENCH_FRAME_MESSAGE,
                           out);
    subscribed = begins_with(in, len, SUBSCRIBED_START, LITERAL_LEN(SUBSCRIBED_START));
    if (subscribed > 0)
        return decode_push(in, len, LITERAL_LEN(SUBSCRIBED_START), payload_bytes, BENCH_FRAME_READY,
                           out);
    return message == 0 || subscribed == 0 ? 0 : BENCH_PROTOCOL_E_SYNTAX;
}

const struct bench_protocol bench_protocol_redis = {
    .name = "redis",
    .tail = "\r\n",
    .encode_hello = encode_hello,
    .encode_head = encode_head,
    .decode = decode,
};
