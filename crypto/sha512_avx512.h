// SHA-512 of many messages at once. For CPUs of the avx512 tier only.
#ifndef SEALCRYPTO_SHA512_AVX512_H
#define SEALCRYPTO_SHA512_AVX512_H

#include <stddef.h>
#include <stdint.h>

#define SP_SHA512_BYTES 64u
#define SP_SHA512_PARTS 3u

// A message is part[0] ‖ part[1] ‖ part[2]; a part of length 0 may be NULL. All lengths together
// stay below 2^60. Lengths are public, contents are not.
struct sp_sha512_message {
    const uint8_t *part[SP_SHA512_PARTS];
    size_t len[SP_SHA512_PARTS];
};

// out[i] = SHA-512(messages[i]). Best for eight messages of like length, or a multiple of eight;
// one costs as much as eight.
// Source: FIPS 180-4 section 6.4.
void sp_sha512_avx512(uint8_t (*out)[SP_SHA512_BYTES], const struct sp_sha512_message *messages,
                      size_t count);

#endif
