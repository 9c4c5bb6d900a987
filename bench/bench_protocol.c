// What the protocol codecs share. Pure.
#include "bench_protocol.h"

#include <string.h>

#include "units.h"

#define DECIMAL_DIGITS_MAX 12

const struct bench_protocol *bench_protocol_find(const char *name)
{
    static const struct bench_protocol *const all[] = {&bench_protocol_raw, &bench_protocol_nats,
                                                       &bench_protocol_redis, &bench_protocol_mqtt};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const char *bench_protocol_error_text(ssize_t err)
{
    switch (err) {
    case BENCH_PROTOCOL_E_SYNTAX:
        return "the server does not speak this protocol";
    case BENCH_PROTOCOL_E_REFUSED:
        return "the server answered with an error";
    case BENCH_PROTOCOL_E_LENGTH:
        return "a delivered payload has another length";
    case BENCH_PROTOCOL_E_FOREIGN:
        return "a delivered payload is not one of this run";
    case BENCH_PROTOCOL_E_TOO_LONG:
        return "the server sent an overlong line";
    default:
        return "unknown error";
    }
}

size_t bench_protocol_line_len(const uint8_t *in, size_t len)
{
    const uint8_t *lf = memchr(in, '\n', len);

    return lf ? (size_t)(lf - in) + 1 : 0;
}

int64_t bench_protocol_decimal(const uint8_t *at, const uint8_t *end)
{
    int64_t value = 0;

    if (at >= end || end - at > DECIMAL_DIGITS_MAX)
        return -1;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return -1;
        value = value * 10 + (*at - '0');
    }
    return value;
}

ssize_t bench_protocol_take_message(const uint8_t *in, size_t len, size_t head_bytes,
                                    size_t payload_bytes, size_t tail_bytes,
                                    struct bench_frame *out)
{
    if (len < head_bytes + BENCH_STAMP_BYTES)
        return 0;
    *out = (struct bench_frame){.kind = BENCH_FRAME_MESSAGE,
                                .stamp = in + head_bytes,
                                .skip_bytes = payload_bytes - BENCH_STAMP_BYTES + tail_bytes};
    return (ssize_t)(head_bytes + BENCH_STAMP_BYTES);
}
