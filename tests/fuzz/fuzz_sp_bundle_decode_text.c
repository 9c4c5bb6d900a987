// Any text as a bundle. What decodes encodes to the same text; what does not leaves nothing behind.
//
// The first byte of the input chooses: even, the rest is a text; odd, the rest is the bytes under
// one and gets its base32 and its checksum here, so that inputs get past both.
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "sealcrypto.h"

#define PREFIX "SEALPOST:"
#define CHECKSUM_BYTES 4u
#define PACKED_BYTES_MAX 10000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t len)
{
    static struct sp_bundle_storage bundle, nothing;
    static char again[SP_BUNDLE_TEXT_BYTES];
    memset(&bundle, 0xAA, sizeof(bundle));
    const int error = sp_bundle_decode_text(&bundle, text, len);
    if (error != 0) {
        assert(error <= SP_BUNDLE_TEXT && error >= SP_BUNDLE_FIELD);
        assert(memcmp(&bundle, &nothing, sizeof(bundle)) == 0);
        return;
    }
    assert(sp_bundle_encode_text(again, &bundle.bundle) == len);
    assert(memcmp(again, text, len) == 0);
}

static size_t make_text(char *out, const uint8_t *packed, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    size_t out_len = sizeof(PREFIX) - 1;
    memcpy(out, PREFIX, out_len);
    for (size_t bit = 0; bit < 8 * len; bit += 5) {
        unsigned value = 0;
        for (size_t i = bit; i < bit + 5; i++)
            value = value << 1 | (i < 8 * len ? packed[i / 8] >> (7 - i % 8) & 1u : 0);
        out[out_len++] = digits[value];
    }
    return out_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t packed[PACKED_BYTES_MAX + CHECKSUM_BYTES];
    static char text[SP_BUNDLE_TEXT_BYTES];
    uint8_t hash[crypto_hash_sha256_BYTES];
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        check((const char *)data + 1, size - 1);
        return 0;
    }
    const size_t len = size - 1 < PACKED_BYTES_MAX ? size - 1 : PACKED_BYTES_MAX;
    memcpy(packed, data + 1, len);
    crypto_hash_sha256(hash, packed, len);
    memcpy(packed + len, hash, CHECKSUM_BYTES);
    check(text, make_text(text, packed, len + CHECKSUM_BYTES));
    return 0;
}
