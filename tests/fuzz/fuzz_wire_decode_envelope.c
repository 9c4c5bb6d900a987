// Any bytes as an envelope. What is accepted is encoded back to the same bytes; what is refused
// really breaks the rule it is refused for. Input: the limit (2), the message.
#include <assert.h>
#include <stdbool.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_good_flags(const uint8_t *message)
{
    return (message[2] == 0 || message[2] == 1 || message[2] == 3) && message[3] == 0 &&
           load_be32(message + 44) == 0;
}

static void check_accepted(const struct wire_envelope *envelope, const uint8_t *message, size_t len,
                           size_t max_bytes)
{
    uint8_t header[WIRE_HEADER_BYTES];
    struct wire_envelope again;

    assert(envelope->ciphertext == message + WIRE_HEADER_BYTES);
    assert(envelope->ciphertext_len == len - WIRE_HEADER_BYTES);
    assert(envelope->ciphertext_len >= 1 && envelope->ciphertext_len <= max_bytes);
    wire_encode_header(header, envelope);
    assert(memcmp(header, message, sizeof header) == 0);
    // One byte less or one less allowed, and it is none.
    assert(wire_decode_envelope(&again, message, len - 1, max_bytes) < 0);
    assert(wire_decode_envelope(&again, message, len, len - WIRE_HEADER_BYTES - 1) ==
           WIRE_TOO_LARGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_envelope envelope;

    if (size < 2)
        return 0;
    size_t max_bytes = (size_t)(data[0] << 8 | data[1]);
    const uint8_t *message = data + 2;
    size_t len = size - 2;
    ssize_t result = wire_decode_envelope(&envelope, message, len, max_bytes);

    if (result > 0) {
        assert((size_t)result == len);
        check_accepted(&envelope, message, len, max_bytes);
        return 0;
    }
    switch ((enum wire_error)result) {
    case WIRE_TRUNCATED:
        assert(len < WIRE_HEADER_BYTES);
        break;
    case WIRE_BAD_VERSION:
        assert(message[0] != WIRE_VERSION);
        break;
    case WIRE_BAD_KIND:
        assert(message[1] == 0);
        break;
    case WIRE_BAD_FLAGS:
        assert(!has_good_flags(message));
        break;
    case WIRE_TOO_LARGE:
        assert(load_be32(message + 4) > max_bytes);
        break;
    case WIRE_BAD_LENGTH:
        assert(load_be32(message + 4) == 0 || load_be32(message + 4) != len - WIRE_HEADER_BYTES);
        break;
    default:
        assert(false && "a result without a name");
    }
    return 0;
}
