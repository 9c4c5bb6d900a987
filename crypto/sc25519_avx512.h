// Scalars of eight Ed25519 verifications, each as a fraction of two numbers of half its length. For
// CPUs of the avx512 tier only, and for public scalars only: variable time.
#ifndef SEALCRYPTO_SC25519_AVX512_H
#define SEALCRYPTO_SC25519_AVX512_H

#include "fe25519_avx512.h"

#define SP_SC25519_LIMBS 5u
#define SP_SC25519_LIMB_BITS 52u
#define SP_SC25519_DENOMINATOR_LIMBS 3u

// numerator ≡ ± denominator · k modulo 8L, the order of the curve. Both are at least 0; the
// denominator is odd and below 2^132, so that multiplying a point by it loses nothing.
struct sp_sc25519_fraction {
    __m512i numerator[SP_SC25519_LIMBS]; // radix 2^52, a lane each
    __m512i denominator[SP_SC25519_DENOMINATOR_LIMBS];
    __mmask8 negative;
};

// k[0 … 7], each below L, as fractions. Numerators are about as short as denominators; for rare k
// they are longer, and k over 1 is the longest.
void sp_sc25519_halve(struct sp_sc25519_fraction *out, const uint8_t k[FE_LANES][32]);

#endif
