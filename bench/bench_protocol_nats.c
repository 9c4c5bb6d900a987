// The NATS client protocol, as much as publish and subscribe need. Pure.
// Source: docs.nats.io, reference "NATS client protocol".
//
//     C: CONNECT {"verbose":false,…}\r\n  SUB b00007 1\r\n  PING\r\n
//     S: INFO {…}\r\n  PONG\r\n                       (PONG: the subscription stands)
//     C: PUB b00006 288\r\n<payload>\r\n
//     S: MSG b00007 1 288\r\n<payload>\r\n   PING\r\n      (to be answered with PONG)
#include "bench_protocol.h"

#include <stdio.h>
#include <string.h>

static size_t encode_hello(uint8_t out[BENCH_HELLO_MAX], uint32_t index)
{
    return (size_t)snprintf((char *)out, BENCH_HELLO_MAX,
                            "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,"
                            "\"lang\":\"c\",\"version\":\"1\",\"protocol\":0}\r\n"
                            "SUB " BENCH_SUBJECT_FORMAT " 1\r\nPING\r\n",
                            index);
}

static size_t encode_head(uint8_t out[BENCH_HEAD_MAX], uint32_t partner, size_t payload_bytes)
{
    return (size_t)snprintf((char *)out, BENCH_HEAD_MAX, "PUB " BENCH_SUBJECT_FORMAT " %zu\r\n",
                            partner, payload_bytes);
}

// MSG <subject> <sid> [reply-to] <bytes>: the length is the last word of the line.
static ssize_t decode_msg(const uint8_t *in, size_t len, size_t line_len, size_t payload_bytes,
                          struct bench_frame *out)
{
    const uint8_t *end = in + line_len - 2;
    const uint8_t *number = end;
    int64_t announced;

    while (number > in && number[-1] != ' ')
        number--;
    announced = bench_protocol_decimal(number, end);
    if (announced < 0)
        return BENCH_PROTOCOL_E_SYNTAX;
    if ((size_t)announced != payload_bytes)
        return BENCH_PROTOCOL_E_LENGTH;
    return bench_protocol_take_message(in, len, line_len, payload_bytes, 2, out);
}

static ssize_t decode(const uint8_t *in, size_t len, size_t payload_bytes, struct bench_frame *out)
{
    size_t line_len = bench_protocol_line_len(in, len);

    if (line_len == 0)
        return 0;
    if (line_len < 3 || in[line_len - 2] != '\r')
        return BENCH_PROTOCOL_E_SYNTAX;
    *out = (struct bench_frame){.kind = BENCH_FRAME_OTHER};
    if (line_len > 4 && memcmp(in, "MSG ", 4) == 0)
        return decode_msg(in, len, line_len, payload_bytes, out);
    if (line_len == 6 && memcmp(in, "PING", 4) == 0)
        out->kind = BENCH_FRAME_PING;
    else if (line_len == 6 && memcmp(in, "PONG", 4) == 0)
        out->kind = BENCH_FRAME_READY;
    else if (line_len > 4 && memcmp(in, "-ERR", 4) == 0)
        return BENCH_PROTOCOL_E_REFUSED;
    else if ((line_len < 5 || memcmp(in, "INFO", 4) != 0) && memcmp(in, "+OK", 3) != 0)
        return BENCH_PROTOCOL_E_SYNTAX;
    return (ssize_t)line_len;
}

const struct bench_protocol bench_protocol_nats = {
    .name = "nats",
    .tail = "\r\n",
    .pong = "PONG\r\n",
    .encode_hello = encode_hello,
    .encode_head = encode_head,
    .decode = decode,
};
