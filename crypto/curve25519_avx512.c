// Curve25519 in the AVX-512 tier: what of it runs eight lanes wide. Any thread.
#include "ed25519_avx512.h"
#include "ge25519_avx512.h"
#include "internal.h"
#include "x25519_avx512.h"

static void ed25519_public(uint8_t (*public_key)[32], const uint8_t (*seed)[32], size_t count)
{
    sp_curve_portable.ed25519_public(public_key, seed, count);
}

static void ed25519_sign(const struct sp_ed25519_job *jobs, size_t count)
{
    sp_curve_portable.ed25519_sign(jobs, count);
}

static void init(void)
{
    sp_ge_init_base();
    sp_ed25519_init_verify();
}

static void ed25519_to_x25519(uint8_t (*out)[32], const uint8_t (*public_key)[32], size_t count,
                              bool *ok)
{
    sp_curve_portable.ed25519_to_x25519(out, public_key, count, ok);
}

const struct sp_curve_tier sp_curve_avx512 = {
    .init = init,
    .x25519 = sp_x25519_avx512,
    .x25519_base = sp_x25519_base_avx512,
    .ed25519_public = ed25519_public,
    .ed25519_sign = ed25519_sign,
    .ed25519_verify = sp_ed25519_verify_avx512,
    .ed25519_to_x25519 = ed25519_to_x25519,
};
