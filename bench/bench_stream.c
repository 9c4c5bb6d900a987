// A connection's received bytes, however they are cut, turned into events. Pure: no I/O.
#include "bench_stream.h"

#include <assert.h>
#include <string.h>

void bench_stream_init(struct bench_stream *s, const struct bench_protocol *protocol,
                       size_t payload_bytes)
{
    assert(payload_bytes >= BENCH_STAMP_BYTES);
    s->protocol = protocol;
    s->payload_bytes = payload_bytes;
    s->skip_bytes = 0;
    s->in_message = false;
    s->carry_len = 0;
}

static void advance(const uint8_t **in, size_t *len, size_t by)
{
    *in += by;
    *len -= by;
}

// Keep the input, all of it, for the next call.
static int carry(struct bench_stream *s, const uint8_t **in, size_t *len)
{
    if (*len > BENCH_CARRY_BYTES - s->carry_len)
        return BENCH_PROTOCOL_E_TOO_LONG;
    memcpy(s->carry + s->carry_len, *in, *len);
    s->carry_len += (uint32_t)*len;
    advance(in, len, *len);
    return 0;
}

// Decode a head that began in the carry. The carry is filled up from the input; what the head did
// not need of that stays in the input.
static ssize_t decode_carried(struct bench_stream *s, const uint8_t **in, size_t *len,
                              struct bench_frame *frame)
{
    size_t room = BENCH_CARRY_BYTES - s->carry_len;
    size_t added = *len < room ? *len : room;
    ssize_t used;

    memcpy(s->carry + s->carry_len, *in, added);
    used = s->protocol->decode(s->carry, s->carry_len + added, s->payload_bytes, frame);
    if (used < 0)
        return used;
    if (used == 0)
        return carry(s, in, len);
    assert((size_t)used > s->carry_len); // a shorter input was not enough before
    advance(in, len, (size_t)used - s->carry_len);
    s->carry_len = 0;
    return used;
}

static ssize_t decode_frame(struct bench_stream *s, const uint8_t **in, size_t *len,
                            struct bench_frame *frame)
{
    ssize_t used;

    if (s->carry_len > 0)
        return decode_carried(s, in, len, frame);
    used = s->protocol->decode(*in, *len, s->payload_bytes, frame);
    if (used == 0)
        return carry(s, in, len);
    if (used > 0)
        advance(in, len, (size_t)used);
    return used;
}

// Skip what belongs to the frame under way. Returns true once it is over.
static bool skip(struct bench_stream *s, const uint8_t **in, size_t *len)
{
    size_t n = *len < s->skip_bytes ? *len : s->skip_bytes;

    advance(in, len, n);
    s->skip_bytes -= n;
    return s->skip_bytes == 0;
}

int bench_stream_next(struct bench_stream *s, const uint8_t **in, size_t *len,
                      struct bench_event *out)
{
    struct bench_frame frame;
    ssize_t used;

    for (;;) {
        if (!skip(s, in, len))
            return 0;
        if (s->in_message) {
            s->in_message = false;
            *out = (struct bench_event){.kind = BENCH_FRAME_MESSAGE, .stamp = s->stamp};
            return 1;
        }
        if (*len == 0)
            return 0;
        used = decode_frame(s, in, len, &frame);
        if (used <= 0)
            return (int)used;
        s->skip_bytes = frame.skip_bytes;
        if (frame.kind == BENCH_FRAME_MESSAGE) {
            memcpy(&s->stamp, frame.stamp, sizeof s->stamp);
            if (s->stamp.mark != BENCH_STAMP_MARK)
                return BENCH_PROTOCOL_E_FOREIGN;
            s->in_message = true;
        } else if (frame.kind != BENCH_FRAME_OTHER) {
            *out = (struct bench_event){.kind = frame.kind};
            return 1;
        }
    }
}
