// The envelope codec: every rule of docs/PROTOCOL.md section 4, one by one and in order.
#include <criterion/criterion.h>

#include "wire.h"

#define CIPHERTEXT_BYTES 40u
#define MESSAGE_BYTES (WIRE_HEADER_BYTES + CIPHERTEXT_BYTES)
#define MAX_BYTES 100u
#define ACCEPTED ((ssize_t)MESSAGE_BYTES)

// A good durable envelope, written out by hand from the drawing in wire.h.
static void make_message(uint8_t message[MESSAGE_BYTES])
{
    for (uint32_t i = 0; i < MESSAGE_BYTES; i++)
        message[i] = (uint8_t)(0x40 + i);
    memcpy(message, (uint8_t[]){1, 2, 1, 0, 0, 0, 0, CIPHERTEXT_BYTES}, 8);
    memcpy(message + 40, (uint8_t[]){0x01, 0x02, 0x03, 0x04, 0, 0, 0, 0}, 8);
}

static ssize_t decode(const uint8_t *message, size_t len)
{
    struct wire_envelope envelope;

    return wire_decode_envelope(&envelope, message, len, MAX_BYTES);
}

// The result for a good message with one byte changed.
static ssize_t decode_changed(size_t at, uint8_t value)
{
    uint8_t message[MESSAGE_BYTES];

    make_message(message);
    message[at] = value;
    return decode(message, sizeof message);
}

Test(wire_decode_envelope, whole)
{
    uint8_t message[MESSAGE_BYTES];
    struct wire_envelope envelope;

    make_message(message);
    cr_assert_eq(wire_decode_envelope(&envelope, message, sizeof message, MAX_BYTES),
                 MESSAGE_BYTES);
    cr_assert_eq(envelope.kind, WIRE_KIND_SESSION);
    cr_assert_eq(envelope.flags, WIRE_FLAG_DURABLE);
    cr_assert_arr_eq(envelope.mailbox, message + 8, WIRE_MAILBOX_BYTES);
    cr_assert_arr_eq(envelope.message_id, message + 24, WIRE_MESSAGE_ID_BYTES);
    cr_assert_eq(envelope.ttl_s, 0x01020304u);
    cr_assert_eq(envelope.ciphertext, message + 48);
    cr_assert_eq(envelope.ciphertext_len, CIPHERTEXT_BYTES);
}

Test(wire_decode_envelope, cut_at_every_byte)
{
    uint8_t message[MESSAGE_BYTES];

    make_message(message);
    for (size_t len = 0; len < WIRE_HEADER_BYTES; len++)
        cr_assert_eq(decode(message, len), WIRE_TRUNCATED, "%zu bytes", len);
    for (size_t len = WIRE_HEADER_BYTES; len < MESSAGE_BYTES; len++)
        cr_assert_eq(decode(message, len), WIRE_BAD_LENGTH, "%zu bytes", len);
    cr_assert_eq(decode(message, MESSAGE_BYTES), MESSAGE_BYTES);
}

Test(wire_decode_envelope, more_than_announced)
{
    uint8_t message[MESSAGE_BYTES + 1];

    make_message(message);
    message[MESSAGE_BYTES] = 0;
    cr_assert_eq(decode(message, sizeof message), WIRE_BAD_LENGTH);
}

Test(wire_decode_envelope, every_version)
{
    for (uint32_t version = 0; version < 256; version++)
        cr_assert_eq(decode_changed(0, (uint8_t)version),
                     version == 1 ? ACCEPTED : WIRE_BAD_VERSION, "%u", version);
}

Test(wire_decode_envelope, every_kind)
{
    for (uint32_t kind = 0; kind < 256; kind++)
        cr_assert_eq(decode_changed(1, (uint8_t)kind), kind != 0 ? ACCEPTED : WIRE_BAD_KIND, "%u",
                     kind);
}

Test(wire_decode_envelope, every_flag_byte)
{
    for (uint32_t flags = 0; flags < 256; flags++) {
        bool good = flags == 0 || flags == WIRE_FLAG_DURABLE ||
                    flags == (WIRE_FLAG_DURABLE | WIRE_FLAG_RECEIPT);
        cr_assert_eq(decode_changed(2, (uint8_t)flags), good ? ACCEPTED : WIRE_BAD_FLAGS, "%u",
                     flags);
    }
}

Test(wire_decode_envelope, reserved_bytes)
{
    static const size_t reserved[] = {3, 44, 45, 46, 47};

    for (size_t i = 0; i < COUNT_OF(reserved); i++) {
        cr_assert_eq(decode_changed(reserved[i], 1), WIRE_BAD_FLAGS, "byte %zu", reserved[i]);
        cr_assert_eq(decode_changed(reserved[i], 0x80), WIRE_BAD_FLAGS, "byte %zu", reserved[i]);
    }
}

Test(wire_decode_envelope, lengths)
{
    uint8_t message[WIRE_HEADER_BYTES + MAX_BYTES + 1];

    memset(message, 0, sizeof message);
    make_message(message);
    store_be32(message + 4, 0);
    cr_assert_eq(decode(message, WIRE_HEADER_BYTES), WIRE_BAD_LENGTH);
    store_be32(message + 4, 1);
    cr_assert_eq(decode(message, WIRE_HEADER_BYTES + 1), WIRE_HEADER_BYTES + 1);
    store_be32(message + 4, MAX_BYTES);
    cr_assert_eq(decode(message, WIRE_HEADER_BYTES + MAX_BYTES), WIRE_HEADER_BYTES + MAX_BYTES);
    store_be32(message + 4, MAX_BYTES + 1);
    cr_assert_eq(decode(message, sizeof message), WIRE_TOO_LARGE);
    // Too large wins over not being what follows, also for lengths near 2^32.
    store_be32(message + 4, UINT32_MAX);
    cr_assert_eq(decode(message, sizeof message), WIRE_TOO_LARGE);
    store_be32(message + 4, UINT32_MAX - WIRE_HEADER_BYTES + 1);
    cr_assert_eq(decode(message, WIRE_HEADER_BYTES), WIRE_TOO_LARGE);
}

Test(wire_decode_envelope, errors_in_order)
{
    uint8_t message[MESSAGE_BYTES];

    make_message(message);
    store_be32(message, 0);
    message[2] = 0xFF;
    store_be32(message + 4, MAX_BYTES + 1);
    cr_assert_eq(decode(message, WIRE_HEADER_BYTES - 1), WIRE_TRUNCATED);
    cr_assert_eq(decode(message, sizeof message), WIRE_BAD_VERSION);
    message[0] = WIRE_VERSION;
    cr_assert_eq(decode(message, sizeof message), WIRE_BAD_KIND);
    message[1] = WIRE_KIND_INITIAL;
    cr_assert_eq(decode(message, sizeof message), WIRE_BAD_FLAGS);
    message[2] = 0;
    cr_assert_eq(decode(message, sizeof message), WIRE_TOO_LARGE);
    store_be32(message + 4, 1);
    cr_assert_eq(decode(message, sizeof message), WIRE_BAD_LENGTH);
}

Test(wire_decode_envelope, leaves_out_alone_on_error)
{
    uint8_t message[MESSAGE_BYTES];
    struct wire_envelope envelope, before;

    make_message(message);
    message[2] = 0xFF;
    memset(&envelope, 0xAB, sizeof envelope);
    memcpy(&before, &envelope, sizeof before);
    cr_assert_eq(wire_decode_envelope(&envelope, message, sizeof message, MAX_BYTES),
                 WIRE_BAD_FLAGS);
    cr_assert_arr_eq((uint8_t *)&envelope, (uint8_t *)&before, sizeof before);
}

Test(wire_encode_header, bytes)
{
    uint8_t message[MESSAGE_BYTES];
    uint8_t header[WIRE_HEADER_BYTES];
    struct wire_envelope envelope;

    make_message(message);
    cr_assert_gt(wire_decode_envelope(&envelope, message, sizeof message, MAX_BYTES), 0);
    memset(header, 0xFF, sizeof header);
    wire_encode_header(header, &envelope);
    cr_assert_arr_eq(header, message, WIRE_HEADER_BYTES);
}

Test(wire_error_name, every_error)
{
    cr_assert_str_eq(wire_error_name(WIRE_BAD_VERSION), "bad_version");
    cr_assert_str_eq(wire_error_name(WIRE_BAD_KIND), "bad_kind");
    cr_assert_str_eq(wire_error_name(WIRE_BAD_FLAGS), "bad_flags");
    cr_assert_str_eq(wire_error_name(WIRE_BAD_LENGTH), "bad_length");
    cr_assert_str_eq(wire_error_name(WIRE_TOO_LARGE), "too_large");
    cr_assert_str_eq(wire_error_name(WIRE_TRUNCATED), "truncated");
}
