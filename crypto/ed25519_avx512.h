// Ed25519 (RFC 8032), eight keys or signatures at once. For CPUs of the avx512 tier only, after
// sp_init. Each call is the contract of the sp_ed25519_ function of its name (sealcrypto.h), and
// fills all of ok[]. Eight cost what one does, and one costs less than on the portable tier.
#ifndef SEALCRYPTO_ED25519_AVX512_H
#define SEALCRYPTO_ED25519_AVX512_H

#include "sealcrypto.h"

void sp_ed25519_public_avx512(uint8_t (*public_key)[32], const uint8_t (*seed)[32], size_t count);
void sp_ed25519_sign_avx512(const struct sp_ed25519_job *jobs, size_t count);

// Compute the multiples of the base point that verification reads; by sp_init only, under its lock,
// after sp_ge_init_base.
void sp_ed25519_init_verify(void);
void sp_ed25519_verify_avx512(const struct sp_ed25519_job *jobs, size_t count, bool *ok);

void sp_ed25519_to_x25519_avx512(uint8_t (*out)[32], const uint8_t (*public_key)[32], size_t count,
                                 bool *ok);

#endif
