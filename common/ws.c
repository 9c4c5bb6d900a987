// WebSocket frame headers: decode and encode. Pure, any thread; never touches a payload.
#include <assert.h>

#include "ws.h"

#define FIN_BIT 0x80u
#define RSV_BITS 0x70u
#define OPCODE_BITS 0x0Fu
#define CONTROL_BIT 0x08u // of an opcode (RFC 6455 section 5.5)
#define MASK_BIT 0x80u
#define LENGTH_BITS 0x7Fu
#define LENGTH_IS_16_BITS 126u
#define LENGTH_IS_64_BITS 127u

// Bit n is set when opcode n is defined (RFC 6455 section 11.8).
#define DEFINED_OPCODES                                                                            \
    (1u << WS_CONTINUATION | 1u << WS_TEXT | 1u << WS_BINARY | 1u << WS_CLOSE | 1u << WS_PING |    \
     1u << WS_PONG)

static const char *const error_names[] = {
    [-WS_BAD_RESERVED_BITS] = "bad_reserved_bits",
    [-WS_BAD_OPCODE] = "bad_opcode",
    [-WS_BAD_CONTROL] = "bad_control",
    [-WS_BAD_LENGTH] = "bad_length",
    [-WS_NOT_MASKED] = "not_masked",
    [-WS_MASKED] = "masked",
    [-WS_TOO_LARGE] = "too_large",
};

static bool is_defined(uint32_t opcode)
{
    return (DEFINED_OPCODES >> opcode & 1u) != 0;
}

static bool first_byte_is_good(uint32_t first)
{
    bool whole_or_data = (first & FIN_BIT) != 0 || (first & CONTROL_BIT) == 0;

    return ((first & RSV_BITS) == 0) & is_defined(first & OPCODE_BITS) & whole_or_data;
}

// The first rule broken by a first byte that is known to break one.
__attribute__((cold, noinline)) static enum ws_error find_first_byte_error(uint32_t first)
{
    if ((first & RSV_BITS) != 0)
        return WS_BAD_RESERVED_BITS; // section 5.2: must be 0, we negotiate no extension
    if (!is_defined(first & OPCODE_BITS))
        return WS_BAD_OPCODE; // section 5.2
    return WS_BAD_CONTROL;    // section 5.5: control frames must not be fragmented
}

ssize_t ws_decode_header(struct ws_frame *out, const uint8_t *bytes, size_t len, enum ws_role from,
                         uint64_t max_payload_bytes)
{
    if (len == 0)
        return 0;
    uint32_t first = bytes[0];
    if (!first_byte_is_good(first))
        return find_first_byte_error(first);
    if (len < 2)
        return 0;

    bool masked = (bytes[1] & MASK_BIT) != 0;
    uint64_t payload_len = bytes[1] & LENGTH_BITS;
    if (masked != (from == WS_FROM_CLIENT))
        return masked ? WS_MASKED : WS_NOT_MASKED; // section 5.1
    if ((first & CONTROL_BIT) != 0 && payload_len > WS_CONTROL_MAX_BYTES)
        return WS_BAD_CONTROL; // section 5.5

    // The length in its shortest form, and less than 2^63 (section 5.2).
    size_t at = 2;
    if (payload_len == LENGTH_IS_16_BITS) {
        at += 2;
        if (len < at)
            return 0;
        payload_len = (uint64_t)bytes[2] << 8 | bytes[3];
        if (payload_len < LENGTH_IS_16_BITS)
            return WS_BAD_LENGTH;
    } else if (payload_len == LENGTH_IS_64_BITS) {
        at += 8;
        if (len < at)
            return 0;
        payload_len = load_be64(bytes + 2);
        if (payload_len <= UINT16_MAX || payload_len > INT64_MAX)
            return WS_BAD_LENGTH;
    }
    if (payload_len > max_payload_bytes)
        return WS_TOO_LARGE;

    uint32_t key = 0;
    if (masked) {
        if (len < at + sizeof key)
            return 0;
        memcpy(&key, bytes + at, sizeof key);
        at += sizeof key;
    }
    out->fin = (first & FIN_BIT) != 0;
    out->opcode = (uint8_t)(first & OPCODE_BITS);
    out->header_len = (uint8_t)at;
    memcpy(out->mask, &key, sizeof key);
    out->payload_len = payload_len;
    return (ssize_t)at;
}

size_t ws_encode_header(uint8_t *out, enum ws_opcode opcode, uint64_t payload_len,
                        const uint8_t *mask)
{
    uint32_t mask_bit = mask != NULL ? MASK_BIT : 0;
    size_t at = 2;

    assert(payload_len <= INT64_MAX);
    assert((opcode & CONTROL_BIT) == 0 || payload_len <= WS_CONTROL_MAX_BYTES);
    out[0] = (uint8_t)(FIN_BIT | opcode);
    if (payload_len < LENGTH_IS_16_BITS) {
        out[1] = (uint8_t)(mask_bit | payload_len);
    } else if (payload_len <= UINT16_MAX) {
        out[1] = (uint8_t)(mask_bit | LENGTH_IS_16_BITS);
        out[2] = (uint8_t)(payload_len >> 8);
        out[3] = (uint8_t)payload_len;
        at += 2;
    } else {
        out[1] = (uint8_t)(mask_bit | LENGTH_IS_64_BITS);
        store_be64(out + 2, payload_len);
        at += 8;
    }
    if (mask != NULL) {
        memcpy(out + at, mask, 4);
        at += 4;
    }
    return at;
}

const char *ws_error_name(enum ws_error error)
{
    assert(error < 0 && (size_t)-error < COUNT_OF(error_names));
    return error_names[-error];
}

uint16_t ws_error_close_code(enum ws_error error)
{
    return error == WS_TOO_LARGE ? 1009 : 1002;
}
