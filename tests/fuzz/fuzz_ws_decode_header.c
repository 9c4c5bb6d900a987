// Any bytes as a WebSocket frame, ours against wslay's frame reader. Both must agree on whether a
// header is complete, well-formed, what it says, and on the unmasked payload.
// Known differences, each checked to be one: wslay's frame layer leaves to its event layer
// reserved bits, reserved opcodes, whether a mask may or must be there, and size limits; and it
// judges nothing before it has two bytes.
// Input: role (bit 0) and limit (bits 1 …), the stream.
#include <assert.h>
#include <stdlib.h>

#include <wslay/wslay.h>

#include "ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    const uint8_t *at;
    size_t left;
};

// -1 when there is nothing: what WSLAY_ERR_WANT_READ comes from.
static ssize_t receive(uint8_t *buf, size_t len, int flags, void *ctx)
{
    struct source *s = ctx;

    (void)flags;
    if (s->left == 0)
        return -1;
    if (len > s->left)
        len = s->left;
    memcpy(buf, s->at, len);
    s->at += len;
    s->left -= len;
    return (ssize_t)len;
}

static wslay_frame_context_ptr open_wslay(struct source *source)
{
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = receive};
    wslay_frame_context_ptr context;

    int rc = wslay_frame_context_init(&context, &callbacks, source);
    assert(rc == 0);
    return context;
}

// The payload behind our header, unmasked by us, and wslay's in as many calls as it takes.
static void check_payload(const struct ws_frame *frame, const uint8_t *stream, size_t len)
{
    size_t have = len - frame->header_len;
    if (have > frame->payload_len)
        have = (size_t)frame->payload_len;
    // With no byte of a payload wslay does not give the header out: lend it one.
    size_t lent = have == 0 && frame->payload_len > 0;
    uint8_t *copy = malloc(frame->header_len + have + 1);
    assert(copy != NULL);
    memcpy(copy, stream, frame->header_len + have);
    copy[frame->header_len + have] = 0;
    have += lent;

    struct source source = {copy, frame->header_len + have};
    wslay_frame_context_ptr context = open_wslay(&source);
    uint8_t *payload = malloc(have + 1);
    assert(payload != NULL);
    memcpy(payload, copy + frame->header_len, have);
    ws_mask(payload, have, frame->mask);

    size_t seen = 0;
    do {
        struct wslay_frame_iocb iocb;
        memset(&iocb, 0, sizeof iocb);
        ssize_t n = wslay_frame_recv(context, &iocb);
        assert(n >= 0);
        assert(iocb.fin == frame->fin && iocb.rsv == 0 && iocb.opcode == frame->opcode);
        assert(iocb.payload_length == frame->payload_len);
        assert(iocb.data_length == (size_t)n && (size_t)n <= have - seen);
        assert(n == 0 || memcmp(iocb.data, payload + seen, (size_t)n) == 0);
        assert(n > 0 || have == 0);
        seen += (size_t)n;
    } while (seen < have);
    wslay_frame_context_free(context);
    free(payload);
    free(copy);
}

// What wslay says to these bytes: accepted (0 or more), WSLAY_ERR_PROTO, or it waits.
static ssize_t ask_wslay(const uint8_t *stream, size_t len)
{
    struct source source = {stream, len};
    wslay_frame_context_ptr context = open_wslay(&source);
    struct wslay_frame_iocb iocb;

    ssize_t result = wslay_frame_recv(context, &iocb);
    wslay_frame_context_free(context);
    return result;
}

static void check_refused(enum ws_error error, const uint8_t *stream, size_t len, bool from_client,
                          uint64_t max_bytes)
{
    uint8_t opcode = stream[0] & 0x0F;

    switch (error) {
    case WS_BAD_RESERVED_BITS:
        assert((stream[0] & 0x70) != 0);
        break;
    case WS_BAD_OPCODE:
        assert((opcode >= 3 && opcode <= 7) || opcode >= 11);
        break;
    case WS_NOT_MASKED:
        assert(from_client && (stream[1] & 0x80) == 0);
        break;
    case WS_MASKED:
        assert(!from_client && (stream[1] & 0x80) != 0);
        break;
    case WS_TOO_LARGE:
        assert((stream[1] & 0x7F) >= 126 || (stream[1] & 0x7Fu) > max_bytes);
        assert(ask_wslay(stream, len) != WSLAY_ERR_PROTO);
        break;
    case WS_BAD_CONTROL:
        assert(opcode >= 8);
        assert(len < 2 || ask_wslay(stream, len) == WSLAY_ERR_PROTO);
        break;
    case WS_BAD_LENGTH:
        assert(ask_wslay(stream, len) == WSLAY_ERR_PROTO);
        break;
    default:
        assert(false && "a result without a name");
    }
}

// Cut anywhere, a prefix says "more" or what the whole says, and the whole is unchanged by the cut.
static void check_prefixes(ssize_t result, const uint8_t *stream, size_t len, enum ws_role from,
                           uint64_t max_bytes)
{
    struct ws_frame frame;

    for (size_t cut = 0; cut < len && cut < WS_HEADER_MAX_BYTES; cut++) {
        ssize_t early = ws_decode_header(&frame, stream, cut, from, max_bytes);
        assert(early == 0 || early == result);
        assert(early <= 0 || (size_t)early <= cut);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_frame frame;

    if (size < 2)
        return 0;
    enum ws_role from = (data[0] & 1) != 0 ? WS_FROM_CLIENT : WS_FROM_SERVER;
    uint64_t max_bytes = data[0] < 128 ? (1ull << (data[0] >> 1)) - 1 : UINT64_MAX;
    const uint8_t *stream = data + 1;
    size_t len = size - 1;
    ssize_t result = ws_decode_header(&frame, stream, len, from, max_bytes);

    check_prefixes(result, stream, len, from, max_bytes);
    if (result < 0) {
        check_refused((enum ws_error)result, stream, len, from == WS_FROM_CLIENT, max_bytes);
        return 0;
    }
    if (result == 0) {
        assert(ask_wslay(stream, len) == WSLAY_ERR_WANT_READ);
        return 0;
    }
    assert((size_t)result == frame.header_len && frame.header_len <= len);
    assert(frame.payload_len <= max_bytes);
    if (frame.fin) { // only final frames are encoded
        uint8_t header[WS_HEADER_MAX_BYTES];
        size_t header_len =
            ws_encode_header(header, (enum ws_opcode)frame.opcode, frame.payload_len,
                             from == WS_FROM_CLIENT ? frame.mask : NULL);
        assert(header_len == frame.header_len && memcmp(header, stream, header_len) == 0);
    }
    check_payload(&frame, stream, len);
    return 0;
}
