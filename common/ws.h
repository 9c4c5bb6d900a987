// WebSocket frames (RFC 6455 section 5.2): header codec and masking, in place. Pure, no I/O.
//
//       0                   1                   2                   3
//       0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//      +-+-+-+-+-------+-+-------------+-------------------------------+
//      |F|R|R|R| opcode|M| length (7)  | 16 bits if 126, 64 bits if 127|
//      +-+-+-+-+-------+-+-------------+-------------------------------+
//      | masking key (4), if M         | payload …
//
// A server header is never longer than the client header it replaces (no masking key), so a
// forwarded message gets its new header written right in front of the payload.
#ifndef SEALPOST_WS_H
#define SEALPOST_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "units.h"

#define WS_HEADER_MAX_BYTES 14u        // 2 + 8 + 4
#define WS_SERVER_HEADER_MAX_BYTES 10u // no masking key
#define WS_CONTROL_MAX_BYTES 125u      // RFC 6455 section 5.5

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA,
};

enum ws_error {
    WS_BAD_RESERVED_BITS = -1, // RSV set, no extension negotiated (5.2)
    WS_BAD_OPCODE = -2,        // reserved opcode (5.2)
    WS_BAD_CONTROL = -3,       // control frame fragmented or over 125 bytes (5.5)
    WS_BAD_LENGTH = -4,        // length not in its shortest form, or top bit set (5.2)
    WS_NOT_MASKED = -5,        // client frame without a mask (5.1)
    WS_MASKED = -6,            // server frame with a mask (5.1)
    WS_TOO_LARGE = -7,         // payload over the limit, known before it is buffered
};

enum ws_role { WS_FROM_CLIENT, WS_FROM_SERVER };

struct ws_frame {
    bool fin;
    uint8_t opcode;
    uint8_t header_len;
    uint8_t mask[4];      // all zero when the frame is not masked
    uint64_t payload_len; // bytes
};

// Decode one frame header from `len` bytes at `bytes`.
// Returns header bytes used, 0 if more bytes are needed, or an error. An error is reported as soon
// as the byte (or the whole length field) it shows in is there, without waiting for the rest of the
// header; no read goes past `len`. `out` is written on success only.
// Errors: every name of enum ws_error; WS_TOO_LARGE when payload_len > max_payload_bytes.
NODISCARD ssize_t ws_decode_header(struct ws_frame *out, const uint8_t *bytes, size_t len,
                                   enum ws_role from, uint64_t max_payload_bytes);

// Bytes of a header for this payload; `masked` adds the key.
static inline size_t ws_header_len(uint64_t payload_len, bool masked)
{
    return 2u + (payload_len < 126 ? 0u : payload_len < 65536 ? 2u : 8u) + (masked ? 4u : 0u);
}

// Encode a final frame's header; `mask` is the 4-byte key or NULL for a server's frame.
// Returns the header's length, ws_header_len(payload_len, mask != NULL).
size_t ws_encode_header(uint8_t *out, enum ws_opcode opcode, uint64_t payload_len,
                        const uint8_t *mask);

// XOR `len` bytes with the 4-byte key, starting at key byte 0, from `in` to `out`: the same place,
// or any place before it, overlapping or not. Any alignment. Moving costs nothing: every byte is
// read and written anyway, and messages that follow one another can be closed up to one run of
// bytes.
void ws_mask_to(uint8_t *out, const uint8_t *in, size_t len, const uint8_t mask[4]);

// The same in place.
// The kernel is chosen at the first call: the best of avx512, avx2 and portable that the CPU has.
// The environment's SEALPOST_WS_TIER names another; one the CPU lacks falls back to the next below
// it, an unknown name is ignored.
void ws_mask(uint8_t *bytes, size_t len, const uint8_t mask[4]);

// The kernel that runs: "avx512", "avx2" or "portable".
const char *ws_mask_tier(void);

// The error's name as it stands in logs and counters ("bad_opcode" …).
const char *ws_error_name(enum ws_error error);

// The close code (RFC 6455 section 7.4.1) this error closes with: 1009 for WS_TOO_LARGE, else 1002.
uint16_t ws_error_close_code(enum ws_error error);

#endif
