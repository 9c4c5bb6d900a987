// The sealed envelope's header: decode and encode. Pure, any thread.
// Runs once for each message: one test of everything at once, and only a bad envelope pays for
// finding out which rule it broke. Never looks into the ciphertext.
#include <assert.h>
#include <stdbool.h>

#include "wire.h"

enum {
    AT_VERSION = 0,
    AT_KIND = 1,
    AT_FLAGS = 2,
    AT_RESERVED = 3,
    AT_LENGTH = 4,
    AT_MAILBOX = 8,
    AT_MESSAGE_ID = 24,
    AT_TTL = 40,
    AT_RESERVED_WORD = 44,
};

// Bit n is set when flags value n is allowed: none, durable, durable with receipt.
#define ALLOWED_FLAGS                                                                              \
    (1u << 0 | 1u << WIRE_FLAG_DURABLE | 1u << (WIRE_FLAG_DURABLE | WIRE_FLAG_RECEIPT))

static const char *const error_names[] = {
    [-WIRE_BAD_VERSION] = "bad_version", [-WIRE_BAD_KIND] = "bad_kind",
    [-WIRE_BAD_FLAGS] = "bad_flags",     [-WIRE_BAD_LENGTH] = "bad_length",
    [-WIRE_TOO_LARGE] = "too_large",     [-WIRE_TRUNCATED] = "truncated",
};

static bool flags_are_good(const uint8_t *message)
{
    uint32_t flags = message[AT_FLAGS];

    // Without a branch: the shift count is cut to 5 bits, so larger values need their own test.
    return (flags < 32) & ((ALLOWED_FLAGS >> (flags & 31u) & 1u) != 0) &
           (message[AT_RESERVED] == 0) & (load_be32(message + AT_RESERVED_WORD) == 0);
}

// The first rule broken by a header that is known to break one.
__attribute__((cold, noinline)) static enum wire_error
find_error(const uint8_t *message, uint32_t ciphertext_len, size_t max_ciphertext_bytes)
{
    if (message[AT_VERSION] != WIRE_VERSION)
        return WIRE_BAD_VERSION;
    if (message[AT_KIND] == 0)
        return WIRE_BAD_KIND;
    if (!flags_are_good(message))
        return WIRE_BAD_FLAGS;
    return ciphertext_len > max_ciphertext_bytes ? WIRE_TOO_LARGE : WIRE_BAD_LENGTH;
}

ssize_t wire_decode_envelope(struct wire_envelope *out, const uint8_t *message, size_t len,
                             size_t max_ciphertext_bytes)
{
    if (len < WIRE_HEADER_BYTES)
        return WIRE_TRUNCATED;

    uint32_t ciphertext_len = load_be32(message + AT_LENGTH);
    // `&`, not `&&`: good envelopes are the rule, so one branch instead of eight.
    bool good = (message[AT_VERSION] == WIRE_VERSION) & (message[AT_KIND] != 0) &
                flags_are_good(message) & (ciphertext_len != 0) &
                (ciphertext_len <= max_ciphertext_bytes) &
                (ciphertext_len == len - WIRE_HEADER_BYTES);
    if (__builtin_expect(!good, 0))
        return find_error(message, ciphertext_len, max_ciphertext_bytes);

    out->kind = message[AT_KIND];
    out->flags = message[AT_FLAGS];
    memcpy(out->mailbox, message + AT_MAILBOX, WIRE_MAILBOX_BYTES);
    memcpy(out->message_id, message + AT_MESSAGE_ID, WIRE_MESSAGE_ID_BYTES);
    out->ttl_s = load_be32(message + AT_TTL);
    out->ciphertext = message + WIRE_HEADER_BYTES;
    out->ciphertext_len = ciphertext_len;
    return (ssize_t)len;
}

void wire_encode_header(uint8_t out[WIRE_HEADER_BYTES], const struct wire_envelope *in)
{
    out[AT_VERSION] = WIRE_VERSION;
    out[AT_KIND] = in->kind;
    out[AT_FLAGS] = in->flags;
    out[AT_RESERVED] = 0;
    store_be32(out + AT_LENGTH, in->ciphertext_len);
    memcpy(out + AT_MAILBOX, in->mailbox, WIRE_MAILBOX_BYTES);
    memcpy(out + AT_MESSAGE_ID, in->message_id, WIRE_MESSAGE_ID_BYTES);
    store_be32(out + AT_TTL, in->ttl_s);
    store_be32(out + AT_RESERVED_WORD, 0);
}

const char *wire_error_name(enum wire_error error)
{
    assert(error < 0 && (size_t)-error < COUNT_OF(error_names));
    return error_names[-error];
}
