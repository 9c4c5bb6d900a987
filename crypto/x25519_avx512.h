// X25519 (RFC 7748), eight at once. Each is the contract of sp_curve_tier, after sp_ge_init_base.
#ifndef SEALCRYPTO_X25519_AVX512_H
#define SEALCRYPTO_X25519_AVX512_H

#include <stddef.h>
#include <stdint.h>

void sp_x25519_avx512(uint8_t (*out)[32], const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                      size_t count);
void sp_x25519_base_avx512(uint8_t (*out)[32], const uint8_t (*scalar)[32], size_t count);

#endif
