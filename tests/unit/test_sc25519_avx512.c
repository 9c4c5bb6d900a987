// Fractions of half the length against OpenSSL's big numbers.
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <string.h>

#include "hard_scalars.h"
#include "internal.h"
#include "sc25519.h"
#include "sc25519_avx512.h"

#define ROUNDS 65536u // what goes wrong for one scalar in a hundred thousand shows
#define HARD_ROUNDS 4096u

static struct hard_scalars hard;

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
    if (!sp_cpu_has_avx512())
        cr_skip_test("this CPU has no avx512");
    hard = hard_scalars_create();
}

static void stop(void)
{
    if (sp_cpu_has_avx512())
        hard_scalars_destroy(&hard);
}

TestSuite(sp_sc25519_halve, .init = start, .fini = stop);

static BIGNUM *read_lane(const __m512i *limbs, size_t count, size_t lane)
{
    BIGNUM *out = BN_new(), *limb = BN_new();
    cr_assert(out != NULL && limb != NULL);
    for (size_t i = count; i-- > 0;) {
        uint64_t lanes[FE_LANES];
        memcpy(lanes, &limbs[i], sizeof(lanes));
        cr_assert_eq(lanes[lane] >> SP_SC25519_LIMB_BITS, 0);
        cr_assert(BN_lshift(out, out, SP_SC25519_LIMB_BITS) && BN_set_word(limb, lanes[lane]) &&
                  BN_add(out, out, limb));
    }
    BN_free(limb);
    return out;
}

// Checks what the header promises; how many bits the longer half of the fraction has.
static int expect_fraction(const struct sp_sc25519_fraction *f, const uint8_t k[32], size_t lane)
{
    BIGNUM *n = read_lane(f->numerator, SP_SC25519_LIMBS, lane);
    BIGNUM *m = read_lane(f->denominator, SP_SC25519_DENOMINATOR_LIMBS, lane);
    BIGNUM *product = BN_lebin2bn(k, 32, NULL);
    cr_assert_not_null(product);
    const int n_bits = BN_num_bits(n), m_bits = BN_num_bits(m);
    cr_assert(BN_is_odd(m));
    cr_assert_leq(m_bits, 132);
    cr_assert_eq(BN_mul(product, product, m, hard.context), 1);
    if ((f->negative >> lane & 1) != 0)
        cr_assert_eq(BN_add(product, product, n), 1);
    else
        cr_assert_eq(BN_sub(product, product, n), 1);
    cr_assert_eq(BN_nnmod(product, product, hard.order_times_8, hard.context), 1);
    cr_assert(BN_is_zero(product));
    BN_free(product);
    BN_free(m);
    BN_free(n);
    return n_bits > m_bits ? n_bits : m_bits;
}

Test(sp_sc25519_halve, makes_short_fractions_of_random_scalars)
{
    unsigned longer = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t k[FE_LANES][32], wide[64];
        struct sp_sc25519_fraction f;
        for (size_t i = 0; i < FE_LANES; i++) {
            cr_assert_eq(sp_random(wide, sizeof(wide)), 0);
            sp_sc25519_reduce(k[i], wide);
        }
        sp_sc25519_halve(&f, (const uint8_t(*)[32])k);
        for (size_t i = 0; i < FE_LANES; i++)
            longer += expect_fraction(&f, k[i], i) > 131;
    }
    cr_assert_lt(longer, ROUNDS * FE_LANES / 64);
}

Test(sp_sc25519_halve, is_exact_for_hard_scalars)
{
    int longest = 0;
    for (unsigned round = 0; round < HARD_ROUNDS; round += FE_LANES) {
        uint8_t k[FE_LANES][32];
        struct sp_sc25519_fraction f;
        for (unsigned i = 0; i < FE_LANES; i++) // each kind in each lane
            hard_scalars_draw(&hard, k[i], round + (i + round / FE_LANES) % 8);
        sp_sc25519_halve(&f, (const uint8_t(*)[32])k);
        for (size_t i = 0; i < FE_LANES; i++) {
            const int bits = expect_fraction(&f, k[i], i);
            longest = bits > longest ? bits : longest;
        }
    }
    cr_assert_gt(longest, 200); // there are such
}
