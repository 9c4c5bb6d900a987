// Scalars modulo L that halving finds hard: short ones, powers of two, such near a fraction of the
// modulus, and such whose short fractions all have an even denominator.
#ifndef SEALPOST_TEST_HARD_SCALARS_H
#define SEALPOST_TEST_HARD_SCALARS_H

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <stdint.h>

struct hard_scalars {
    BN_CTX *context;
    BIGNUM *order, *order_times_8;
};

static inline struct hard_scalars hard_scalars_create(void)
{
    struct hard_scalars h = {BN_CTX_new(), NULL, BN_new()};
    cr_assert(h.context != NULL && h.order_times_8 != NULL);
    cr_assert_gt(BN_hex2bn(&h.order, "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5"
                                     "d3ed"),
                 0);
    cr_assert_eq(BN_lshift(h.order_times_8, h.order, 3), 1);
    return h;
}

static inline void hard_scalars_destroy(struct hard_scalars *h)
{
    BN_free(h->order_times_8);
    BN_free(h->order);
    BN_CTX_free(h->context);
}

// n/m modulo 8L, or (n + 4L)/m, of which m is the shortest denominator but twice that the shortest
// with a short numerator. Drawn again until it is below L.
static inline void hard_scalars_find_fraction(const struct hard_scalars *h, BIGNUM *out, int bits,
                                              bool even)
{
    BIGNUM *m = BN_new(), *half = BN_new();
    cr_assert(m != NULL && half != NULL);
    do {
        cr_assert_eq(BN_rand(m, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
        cr_assert_eq(BN_rand(out, bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), 1);
        cr_assert_eq(BN_lshift(half, h->order, 2), 1);
        cr_assert_not_null(BN_mod_inverse(m, m, h->order_times_8, h->context));
        if (even)
            cr_assert_eq(BN_add(out, out, half), 1);
        cr_assert_eq(BN_mod_mul(out, out, m, h->order_times_8, h->context), 1);
    } while (BN_cmp(out, h->order) >= 0);
    BN_free(half);
    BN_free(m);
}

// Round after round another kind.
static inline void hard_scalars_draw(const struct hard_scalars *h, uint8_t out[32], unsigned round)
{
    const unsigned bit = round / 8 % 252;
    BIGNUM *k = BN_new();
    cr_assert_not_null(k);
    switch (round % 8) {
    case 0:
        cr_assert_eq(BN_set_word(k, round / 8), 1);
        break;
    case 1:
        cr_assert_eq(BN_set_bit(k, (int)bit), 1);
        break;
    case 2:
        cr_assert(BN_set_bit(k, (int)bit) == 1 && BN_sub_word(k, 1) == 1);
        break;
    case 3: // L − 1, L − 2 …
        cr_assert(BN_copy(k, h->order) != NULL && BN_sub_word(k, 1 + round / 8) == 1);
        break;
    case 4:
        cr_assert_eq(BN_rand_range(k, h->order), 1);
        break;
    case 5: // near a short fraction of the modulus
        cr_assert_not_null(BN_copy(k, h->order));
        cr_assert_neq(BN_div_word(k, 2 + round / 8), (BN_ULONG)-1);
        cr_assert_eq(BN_sub_word(k, round / 8 % 2), 1);
        break;
    default:
        hard_scalars_find_fraction(h, k, 8 + (int)(round / 8 % 120), round % 8 == 7);
    }
    cr_assert_eq(BN_bn2lebinpad(k, out, 32), 32);
    BN_free(k);
}

#endif
