// Scalars modulo L against OpenSSL's big numbers.
#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <string.h>

#include "sc25519.h"
#include "sealcrypto.h"

#define ROUNDS 20000

static BIGNUM *order;
static BN_CTX *context;

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
    order = NULL;
    cr_assert_gt(BN_hex2bn(&order, "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3"
                                   "ed"),
                 0);
    context = BN_CTX_new();
    cr_assert_not_null(context);
}

static void stop(void)
{
    BN_CTX_free(context);
    BN_free(order);
}

TestSuite(sp_sc25519_reduce, .init = start, .fini = stop);
TestSuite(sp_sc25519_multiply_add, .init = start, .fini = stop);
TestSuite(sp_sc25519_is_canonical, .init = start, .fini = stop);

// Numbers of all lengths, of zeros and ones in runs, and such that lie near a multiple of L.
static void draw(uint8_t *out, size_t len, unsigned round)
{
    uint8_t shape[2];
    cr_assert_eq(sp_random(out, len) | sp_random(shape, sizeof(shape)), 0);
    if (round % 4 == 1)
        memset(out, shape[0] % 2 == 0 ? 0 : 0xFF, shape[1] % (len + 1));
    if (round % 4 == 2)
        memset(out + shape[1] % len, shape[0] % 2 == 0 ? 0 : 0xFF, len - shape[1] % len);
    if (round % 4 != 3)
        return;
    BIGNUM *x = BN_lebin2bn(out, (int)len, NULL);
    BIGNUM *rest = BN_new();
    cr_assert(x != NULL && rest != NULL);
    cr_assert_eq(BN_mod(rest, x, order, context), 1);
    cr_assert_eq(BN_sub(x, x, rest), 1);
    cr_assert_eq(BN_add_word(x, shape[0] % 3), 1);
    if (shape[0] % 7 == 0 && !BN_is_zero(x))
        cr_assert_eq(BN_sub_word(x, 1 + shape[0] % 3), 1);
    cr_assert_eq(BN_bn2lebinpad(x, out, (int)len), (int)len);
    BN_free(rest);
    BN_free(x);
}

static void expect_modulo(const BIGNUM *x, const uint8_t got[32])
{
    uint8_t expected[32];
    BIGNUM *rest = BN_new();
    cr_assert_not_null(rest);
    cr_assert_eq(BN_mod(rest, x, order, context), 1);
    cr_assert_eq(BN_bn2lebinpad(rest, expected, 32), 32);
    cr_assert_arr_eq(got, expected, 32);
    BN_free(rest);
}

Test(sp_sc25519_reduce, agrees_with_big_numbers)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t in[64], out[32];
        draw(in, sizeof(in), i);
        sp_sc25519_reduce(out, in);
        BIGNUM *x = BN_lebin2bn(in, sizeof(in), NULL);
        cr_assert_not_null(x);
        expect_modulo(x, out);
        BN_free(x);
    }
}

Test(sp_sc25519_reduce, takes_the_extremes)
{
    uint8_t in[64] = {0}, out[32];
    for (size_t bit = 0; bit <= 512; bit++) { // 2^bit − 1
        sp_sc25519_reduce(out, in);
        BIGNUM *x = BN_lebin2bn(in, sizeof(in), NULL);
        cr_assert_not_null(x);
        expect_modulo(x, out);
        BN_free(x);
        if (bit < 512)
            in[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

Test(sp_sc25519_multiply_add, agrees_with_big_numbers)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t a[32], b[32], c[32], out[32];
        draw(a, 32, i);
        draw(b, 32, i / 4);
        draw(c, 32, i / 16);
        sp_sc25519_multiply_add(out, a, b, c);
        BIGNUM *x = BN_lebin2bn(a, 32, NULL), *y = BN_lebin2bn(b, 32, NULL);
        BIGNUM *z = BN_lebin2bn(c, 32, NULL);
        cr_assert(x != NULL && y != NULL && z != NULL);
        cr_assert_eq(BN_mul(x, x, y, context) & BN_add(x, x, z), 1);
        expect_modulo(x, out);
        BN_free(x);
        BN_free(y);
        BN_free(z);
    }
}

Test(sp_sc25519_multiply_add, writes_over_its_operands)
{
    uint8_t a[32], b[32], c[32], out[32], over[32];
    cr_assert_eq(sp_random(a, 32) | sp_random(b, 32) | sp_random(c, 32), 0);
    sp_sc25519_multiply_add(out, a, b, c);
    memcpy(over, a, 32);
    sp_sc25519_multiply_add(over, over, b, c);
    cr_assert_arr_eq(over, out, 32);
    memcpy(over, b, 32);
    sp_sc25519_multiply_add(over, a, over, c);
    cr_assert_arr_eq(over, out, 32);
    memcpy(over, c, 32);
    sp_sc25519_multiply_add(over, a, b, over);
    cr_assert_arr_eq(over, out, 32);
}

Test(sp_sc25519_is_canonical, is_below_the_order)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t in[32];
        draw(in, 32, i);
        if (i % 2 == 0)
            in[31] = (uint8_t)(0x10 | (in[31] & 1));
        BIGNUM *x = BN_lebin2bn(in, 32, NULL);
        cr_assert_not_null(x);
        cr_assert_eq(sp_sc25519_is_canonical(in), BN_cmp(x, order) < 0);
        BN_free(x);
    }
    for (int offset = -2; offset <= 2; offset++) {
        uint8_t in[32];
        BIGNUM *x = BN_dup(order);
        cr_assert_eq(offset < 0 ? BN_sub_word(x, (BN_ULONG)-offset) : BN_add_word(x, offset), 1);
        cr_assert_eq(BN_bn2lebinpad(x, in, 32), 32);
        cr_assert_eq(sp_sc25519_is_canonical(in), offset < 0);
        BN_free(x);
    }
}
