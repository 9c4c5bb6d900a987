// Start of the library: which tier runs, randomness, wiping.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "sealcrypto.h"
#include "vectors.h"

static int getrandom_errors[2]; // what the next calls fail with; 0 lets them through
static size_t getrandom_calls;

ssize_t __real_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
    const size_t call = getrandom_calls++;
    if (call < 2 && getrandom_errors[call] != 0) {
        errno = getrandom_errors[call];
        return -1;
    }
    return __real_getrandom(out, len, flags);
}

static bool cpu_lacks_avx512, cpu_lacks_avx2, cpu_lacks_aesni;

bool __real_sp_cpu_has_avx512(void);
bool __wrap_sp_cpu_has_avx512(void);
bool __real_sp_cpu_has_avx2(void);
bool __wrap_sp_cpu_has_avx2(void);
bool __real_sp_cpu_has_aesni(void);
bool __wrap_sp_cpu_has_aesni(void);

bool __wrap_sp_cpu_has_avx512(void)
{
    return !cpu_lacks_avx512 && __real_sp_cpu_has_avx512();
}

bool __wrap_sp_cpu_has_avx2(void)
{
    return !cpu_lacks_avx2 && __real_sp_cpu_has_avx2();
}

bool __wrap_sp_cpu_has_aesni(void)
{
    return !cpu_lacks_aesni && __real_sp_cpu_has_aesni();
}

static const char *best_tier(void)
{
    if (__wrap_sp_cpu_has_avx512())
        return "avx512";
    if (__wrap_sp_cpu_has_avx2())
        return "avx2";
    return __wrap_sp_cpu_has_aesni() ? "aesni" : "portable";
}

Test(sp_init, runs_the_best_tier)
{
    cr_assert_str_eq(sp_tier(), "none");
    unsetenv("SEALPOST_CRYPTO_TIER");
    cr_assert_eq(sp_init(), 0);
    cr_assert_str_eq(sp_tier(), best_tier());
}

Test(sp_init, runs_the_next_best_tier_where_one_lacks)
{
    cpu_lacks_avx512 = true;
    unsetenv("SEALPOST_CRYPTO_TIER");
    cr_assert_eq(sp_init(), 0);
    cr_assert_str_eq(sp_tier(), best_tier());
}

Test(sp_init, runs_the_aesni_tier_where_wider_ones_lack)
{
    cpu_lacks_avx512 = cpu_lacks_avx2 = true;
    unsetenv("SEALPOST_CRYPTO_TIER");
    cr_assert_eq(sp_init(), 0);
    cr_assert_str_eq(sp_tier(), best_tier());
}

Test(sp_init, runs_the_portable_tier_on_any_cpu)
{
    cpu_lacks_avx512 = cpu_lacks_avx2 = cpu_lacks_aesni = true;
    unsetenv("SEALPOST_CRYPTO_TIER");
    cr_assert_eq(sp_init(), 0);
    cr_assert_str_eq(sp_tier(), "portable");
}

Test(sp_init, obeys_the_forced_tier)
{
    setenv("SEALPOST_CRYPTO_TIER", "portable", 1);
    cr_assert_eq(sp_init(), 0);
    cr_assert_str_eq(sp_tier(), "portable");
}

Test(sp_init, takes_an_empty_name_for_none)
{
    setenv("SEALPOST_CRYPTO_TIER", "", 1);
    cr_assert_eq(sp_init(), 0);
    cr_assert_str_eq(sp_tier(), best_tier());
}

Test(sp_init, refuses_an_unknown_tier)
{
    setenv("SEALPOST_CRYPTO_TIER", "abacus", 1);
    cr_assert_eq(sp_init(), -ENOTSUP);
    cr_assert_str_eq(sp_tier(), "none");
    setenv("SEALPOST_CRYPTO_TIER", "portable", 1);
    cr_assert_eq(sp_init(), 0);
}

Test(sp_init, refuses_a_tier_the_cpu_lacks)
{
    cpu_lacks_avx512 = true;
    setenv("SEALPOST_CRYPTO_TIER", "avx512", 1);
    cr_assert_eq(sp_init(), -ENOTSUP);
    cr_assert_str_eq(sp_tier(), "none");
}

Test(sp_init, may_come_twice)
{
    unsetenv("SEALPOST_CRYPTO_TIER");
    cr_assert_eq(sp_init(), 0);
    setenv("SEALPOST_CRYPTO_TIER", "abacus", 1); // too late to matter
    cr_assert_eq(sp_init(), 0);
    cr_assert_str_eq(sp_tier(), best_tier());
}

Test(sp_random, fills_every_byte)
{
    uint8_t seen[300] = {0}, out[300];
    for (int round = 0; round < 16; round++) { // a byte that stays 0 for 16 rounds: 2^-128
        cr_assert_eq(sp_random(out, sizeof(out)), 0);
        for (size_t i = 0; i < sizeof(out); i++)
            seen[i] |= out[i];
    }
    for (size_t i = 0; i < sizeof(seen); i++)
        cr_assert_neq(seen[i], 0, "byte %zu", i);
}

Test(sp_random, goes_on_after_a_signal)
{
    uint8_t out[32] = {0};
    getrandom_errors[0] = getrandom_errors[1] = EINTR;
    cr_assert_eq(sp_random(out, sizeof(out)), 0);
    cr_assert_eq(getrandom_calls, 3);
    cr_assert_not(vector_is_zero(out, sizeof(out)));
}

Test(sp_random, reports_an_error_and_zeroes)
{
    uint8_t out[32];
    memset(out, 0xAA, sizeof(out));
    getrandom_errors[0] = ENOSYS;
    cr_assert_eq(sp_random(out, sizeof(out)), -ENOSYS);
    cr_assert(vector_is_zero(out, sizeof(out)));
}

Test(sp_wipe, zeroes)
{
    uint8_t secret[40];
    memset(secret, 0x55, sizeof(secret));
    sp_wipe(secret, 32);
    cr_assert(vector_is_zero(secret, 32));
    cr_assert_eq(secret[32], 0x55);
}
