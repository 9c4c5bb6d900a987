// The sealed envelope: a fixed header of 48 bytes and an opaque ciphertext. Pure codec, no I/O.
//
//       0        1        2        3        4                          8
//      +--------+--------+--------+--------+--------------------------+
//      | version| kind   | flags  | 0      | ciphertext length (u32)  |
//      +--------+--------+--------+--------+--------------------------+  8
//      | recipient mailbox id (16)                                    |
//      +--------------------------------------------------------------+ 24
//      | message id (16)                                              |
//      +--------------------------------------------------------------+ 40
//      | time to live, s (u32)            | 0 (u32)                   |
//      +----------------------------------+---------------------------+ 48
//
// Integers are big-endian. Source: docs/PROTOCOL.md section 4.
#ifndef SEALPOST_WIRE_H
#define SEALPOST_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "units.h"

#define WIRE_HEADER_BYTES 48u
#define WIRE_MAILBOX_BYTES 16u
#define WIRE_MESSAGE_ID_BYTES 16u
#define WIRE_VERSION 1u

enum wire_kind { WIRE_KIND_INITIAL = 1, WIRE_KIND_SESSION = 2 };

#define WIRE_FLAG_DURABLE 0x01u
#define WIRE_FLAG_RECEIPT 0x02u

// What a peer can do wrong, by name.
enum wire_error {
    WIRE_BAD_VERSION = -1,
    WIRE_BAD_KIND = -2,
    WIRE_BAD_FLAGS = -3,  // unknown bit, receipt without durable, or a reserved byte not zero
    WIRE_BAD_LENGTH = -4, // announced length is 0 or not what follows
    WIRE_TOO_LARGE = -5,  // ciphertext over the limit
    WIRE_TRUNCATED = -6,  // a whole message shorter than the header
};

struct wire_envelope {
    uint8_t kind;
    uint8_t flags;
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    uint8_t message_id[WIRE_MESSAGE_ID_BYTES];
    uint32_t ttl_s;
    const uint8_t *ciphertext; // borrowed: points into the decoded message
    uint32_t ciphertext_len;
};

// Decode one whole binary message of `len` bytes.
// Owner: `out` borrows `message`.
// Errors: WIRE_TRUNCATED, WIRE_BAD_VERSION, WIRE_BAD_KIND, WIRE_BAD_FLAGS, WIRE_TOO_LARGE,
//         WIRE_BAD_LENGTH (checked in this order). Returns `len` on success.
NODISCARD ssize_t wire_decode_envelope(struct wire_envelope *out, const uint8_t *message,
                                       size_t len, size_t max_ciphertext_bytes);

// Encode the header of `in` into out[48]; the ciphertext is the caller's to place behind it.
void wire_encode_header(uint8_t out[WIRE_HEADER_BYTES], const struct wire_envelope *in);

// The error's name as it stands in logs and counters ("bad_version" …).
const char *wire_error_name(enum wire_error error);

#endif
