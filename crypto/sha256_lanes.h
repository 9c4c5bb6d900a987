// SHA-256 and HMAC-SHA-256 of up to sixteen messages in step, one in each lane: what the kernels
// of the avx512 tier offer. Any thread; contents may be secret, lengths and lanes are public.
#ifndef SEALCRYPTO_SHA256_LANES_H
#define SEALCRYPTO_SHA256_LANES_H

#include <stddef.h>
#include <stdint.h>

#define SP_LANES 16u
#define SP_SHA256_BYTES 32u
#define SP_SHA256_BLOCK_BYTES 64u
#define SP_SHA256_WORDS 8u

// Sixteen states, laid out as the kernel that filled them likes.
struct sp_lanes {
    _Alignas(64) uint32_t word[SP_LANES * SP_SHA256_WORDS];
};

// One implementation. Arrays have a row for each lane and begin at a multiple of 64 bytes. The bits
// of `active` tell the lanes that count: rows of others may be read and written at will, but absorb
// leaves their states alone. Rows of blocks and keys are used up. Source: FIPS 180-4, RFC 2104.
struct sp_sha256_kernel {
    // Every lane := this state.
    void (*fill)(struct sp_lanes *state, const uint32_t words[SP_SHA256_WORDS]);
    // The states after HMAC's two key blocks; a key is padded with zeros.
    void (*start_key)(struct sp_lanes *inner, struct sp_lanes *outer,
                      uint8_t (*key)[SP_SHA256_BLOCK_BYTES], uint32_t active);
    void (*absorb)(struct sp_lanes *state, uint8_t (*block)[SP_SHA256_BLOCK_BYTES],
                   uint32_t active);
    // HMAC's last step: the digest of `outer` continued with the inner digest.
    void (*finish)(uint8_t (*digest)[SP_SHA256_BYTES], const struct sp_lanes *inner,
                   const struct sp_lanes *outer, uint32_t active);
};
// One vector lane each: all sixteen cost what few cost.
extern const struct sp_sha256_kernel sp_sha256_avx512;
// The CPU's SHA instructions, lane after lane: costs by the lane.
extern const struct sp_sha256_kernel sp_sha256_ni;

// Sections 4.2.2 and 5.3.3.
#define SP_SHA256_ROUNDS 64u
extern const uint32_t sp_sha256_constants[SP_SHA256_ROUNDS];
extern const uint32_t sp_sha256_initial[SP_SHA256_WORDS];

#endif
