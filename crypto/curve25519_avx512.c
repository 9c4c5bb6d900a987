// Curve25519 in the AVX-512 tier: what of it runs eight lanes wide. Any thread.
#include "ed25519_avx512.h"
#include "ge25519_avx512.h"
#include "internal.h"
#include "x25519_avx512.h"

static void init(void)
{
    sp_ge_init_base();
    sp_ed25519_init_verify();
}

const struct sp_curve_tier sp_curve_avx512 = {
    .init = init,
    .x25519 = sp_x25519_avx512,
    .x25519_base = sp_x25519_base_avx512,
    .ed25519_public = sp_ed25519_public_avx512,
    .ed25519_sign = sp_ed25519_sign_avx512,
    .ed25519_verify = sp_ed25519_verify_avx512,
    .ed25519_to_x25519 = sp_ed25519_to_x25519_avx512,
};
