// The raw forwarder's protocol: payloads of one known length, nothing around them. Pure.
#include "bench_protocol.h"

static size_t encode_hello(uint8_t out[BENCH_HELLO_MAX], uint32_t index)
{
    (void)out;
    (void)index;
    return 0;
}

static size_t encode_head(uint8_t out[BENCH_HEAD_MAX], uint32_t partner, size_t payload_bytes)
{
    (void)out;
    (void)partner;
    (void)payload_bytes;
    return 0;
}

static ssize_t decode(const uint8_t *in, size_t len, size_t payload_bytes, struct bench_frame *out)
{
    return bench_protocol_take_message(in, len, 0, payload_bytes, 0, out);
}

const struct bench_protocol bench_protocol_raw = {
    .name = "raw",
    .tail = "",
    .encode_hello = encode_hello,
    .encode_head = encode_head,
    .decode = decode,
};
