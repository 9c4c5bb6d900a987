// Eight points of the curve of Ed25519, against libsodium's: multiples of the base point, and sums
// of every kind that has ever needed a case of its own.
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "ge25519_avx512.h"
#include "internal.h"

#define LANES(array) ((const uint8_t(*)[32])(array))

static void start(void)
{
    if (!sp_cpu_has_avx512())
        cr_skip_test("this CPU has no avx512");
    cr_assert_eq(sp_init(), 0);
}

TestSuite(ge, .init = start);
TestSuite(sp_ge_mul_base, .init = start);

// Also checks that t is what it has to be, where it is.
static void encode(uint8_t out[FE_LANES][32], const struct ge *a)
{
    const struct fe inverse = sp_fe_invert(&a->z);
    const struct fe x = fe_mul(&a->x, &inverse), y = fe_mul(&a->y, &inverse);
    const struct fe xy = fe_mul(&a->x, &a->y), tz = fe_mul(&a->t, &a->z);
    const __mmask8 odd = sp_fe_is_negative(&x);
    cr_assert_eq(sp_fe_is_equal(&xy, &tz), 0xFF);
    sp_fe_store(out, &y);
    for (size_t i = 0; i < FE_LANES; i++)
        out[i][31] |= (uint8_t)((odd >> i & 1) << 7);
}

static void expect_equal(const struct ge *a, const struct ge *b)
{
    uint8_t encoded_a[FE_LANES][32], encoded_b[FE_LANES][32];
    encode(encoded_a, a);
    encode(encoded_b, b);
    cr_assert_arr_eq(encoded_a, encoded_b, sizeof(encoded_a));
}

static struct ge add(const struct ge *a, const struct ge *b, __mmask8 negate)
{
    const struct ge_cached cached = ge_cache(b);
    const struct ge_factors sum = ge_add(a, &cached, negate);
    return ge_complete(&sum);
}

static struct ge double_point(const struct ge *a)
{
    const struct ge_factors sum = ge_double(a);
    return ge_complete(&sum);
}

static struct ge random_points(void)
{
    uint8_t scalar[FE_LANES][32];
    struct ge out;
    cr_assert_eq(sp_random(scalar[0], sizeof(scalar)), 0);
    sp_ge_mul_base(&out, LANES(scalar));
    return out;
}

// ---- multiples of the base point ----------------------------------------------------------------

// Modulo the order of the base point, because libsodium leaves bit 255 out. The identity is its 0.
static void check_multiples(const uint8_t scalar[FE_LANES][32])
{
    uint8_t wide[64] = {0}, reduced[32], expected[32], out[FE_LANES][32];
    struct ge multiple;
    sp_ge_mul_base(&multiple, scalar);
    encode(out, &multiple);
    for (size_t i = 0; i < FE_LANES; i++) {
        memcpy(wide, scalar[i], 32);
        crypto_core_ed25519_scalar_reduce(reduced, wide);
        if (crypto_scalarmult_ed25519_base_noclamp(expected, reduced) != 0) {
            memset(expected, 0, 32);
            expected[0] = 1;
        }
        cr_assert_arr_eq(out[i], expected, 32, "lane %zu", i);
    }
}

Test(sp_ge_mul_base, agrees_with_libsodium)
{
    for (int i = 0; i < 50; i++) {
        uint8_t scalar[FE_LANES][32];
        cr_assert_eq(sp_random(scalar[0], sizeof(scalar)), 0);
        check_multiples(LANES(scalar));
    }
}

// One digit alone, of every value and at every place, each in another lane: all of the table.
Test(sp_ge_mul_base, reads_every_multiple_of_the_table)
{
    for (unsigned bit = 0; bit < 256; bit += 5) {
        for (unsigned digit = 0; digit < 32; digit += FE_LANES) {
            uint8_t scalar[FE_LANES][32] = {{0}};
            for (unsigned i = 0; i < FE_LANES; i++) {
                const unsigned shifted = (digit + i) << bit % 8;
                scalar[i][bit / 8] = (uint8_t)shifted;
                if (bit / 8 < 31)
                    scalar[i][bit / 8 + 1] = (uint8_t)(shifted >> 8);
            }
            check_multiples(LANES(scalar));
        }
    }
}

// 0, 1, all ones, L − 1, L, L + 1, and carries that run through all digits.
Test(sp_ge_mul_base, agrees_with_libsodium_at_the_limits)
{
    static const uint8_t order[32] = {0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58,       0xD6,
                                      0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, [31] = 0x10};
    uint8_t scalar[FE_LANES][32] = {{0}, {1}};
    memset(scalar[2], 0xFF, 32);
    for (size_t i = 3; i < 6; i++) {
        memcpy(scalar[i], order, 32);
        scalar[i][0] = (uint8_t)(order[0] + i - 4);
    }
    for (unsigned bit = 4; bit < 256; bit += 5) // digits of 16 …
        scalar[6][bit / 8] |= (uint8_t)(1 << bit % 8);
    memcpy(scalar[7], scalar[6], 32); // … which all become −15 when the lowest is 17
    scalar[7][0] |= 1;
    check_multiples(LANES(scalar));
}

// ---- sums ---------------------------------------------------------------------------------------

Test(ge, add_agrees_with_libsodium)
{
    const struct ge a = random_points(), b = random_points();
    const struct ge sum = add(&a, &b, 0), difference = add(&a, &b, 0xFF), mixed = add(&a, &b, 0xA5);
    uint8_t in_a[FE_LANES][32], in_b[FE_LANES][32], out[3][FE_LANES][32], plus[32], minus[32];
    encode(in_a, &a);
    encode(in_b, &b);
    encode(out[0], &sum);
    encode(out[1], &difference);
    encode(out[2], &mixed);
    for (size_t i = 0; i < FE_LANES; i++) {
        cr_assert_eq(crypto_core_ed25519_add(plus, in_a[i], in_b[i]), 0);
        cr_assert_eq(crypto_core_ed25519_sub(minus, in_a[i], in_b[i]), 0);
        cr_assert_arr_eq(out[0][i], plus, 32);
        cr_assert_arr_eq(out[1][i], minus, 32);
        cr_assert_arr_eq(out[2][i], (0xA5 >> i & 1) != 0 ? minus : plus, 32);
    }
}

Test(ge, add_is_complete)
{
    const struct ge a = random_points(), identity = ge_identity();
    const struct ge with_identity = add(&a, &identity, 0), from_identity = add(&identity, &a, 0);
    const struct ge twice = add(&a, &a, 0), nothing = add(&a, &a, 0xFF), doubled = double_point(&a);
    const struct ge still_nothing = double_point(&identity), both = add(&identity, &identity, 0xF0);
    expect_equal(&with_identity, &a);
    expect_equal(&from_identity, &a);
    expect_equal(&twice, &doubled);
    expect_equal(&nothing, &identity);
    expect_equal(&still_nothing, &identity);
    expect_equal(&both, &identity);
}

// (√−1, 0) has order 4.
Test(ge, add_is_complete_on_small_order)
{
    const struct ge four = {fe_constant(0x61B274A0EA0B0, 0x0D5A5FC8F189D, 0x7EF5E9CBD0C60,
                                        0x78595A6804C9E, 0x2B8324804FC1D),
                            fe_small(0), fe_small(1), fe_small(0)};
    const struct ge identity = ge_identity(), two = add(&four, &four, 0),
                    doubled = double_point(&four);
    const struct ge one = add(&two, &two, 0), three = add(&two, &four, 0);
    const struct ge inverse = add(&identity, &four, 0xFF), a = random_points();
    const struct ge shifted = add(&a, &four, 0), back = add(&shifted, &four, 0xFF);
    expect_equal(&two, &doubled);
    expect_equal(&one, &identity);
    expect_equal(&three, &inverse);
    expect_equal(&back, &a);
    cr_assert_eq(sp_fe_is_zero(&two.x), 0xFF);
}

Test(ge, add_affine_is_add)
{
    const struct ge a = random_points(), b = random_points();
    const struct fe inverse = sp_fe_invert(&b.z);
    const struct fe x = fe_mul(&b.x, &inverse), y = fe_mul(&b.y, &inverse), t = fe_mul(&x, &y);
    const struct fe double_d = ge_2d();
    const struct ge_affine affine = {fe_add(&y, &x), fe_sub(&y, &x), fe_mul(&t, &double_d)};
    const struct ge_affine none = ge_affine_identity();
    const struct ge_factors factors = ge_add_affine(&a, &affine, 0x3C);
    const struct ge_factors same_factors = ge_add_affine(&a, &none, 0x3C);
    const struct ge sum = ge_complete(&factors), expected = add(&a, &b, 0x3C);
    const struct ge same = ge_complete(&same_factors);
    expect_equal(&sum, &expected);
    expect_equal(&same, &a);
}

Test(ge, complete_without_t_is_enough_to_double)
{
    const struct ge a = random_points();
    const struct ge_factors factors = ge_double(&a);
    const struct ge whole = ge_complete(&factors), part = ge_complete_without_t(&factors);
    const struct ge expected = double_point(&whole), doubled = double_point(&part);
    expect_equal(&doubled, &expected);
}

Test(ge, constants_are_what_they_are_called)
{
    const struct fe numerator = fe_small(121665), denominator = fe_small(121666), d = ge_d();
    const struct fe product = fe_mul(&d, &denominator), minus = fe_neg(&numerator);
    const struct fe twice = fe_add(&d, &d), double_d = ge_2d();
    cr_assert_eq(sp_fe_is_equal(&product, &minus), 0xFF);
    cr_assert_eq(sp_fe_is_equal(&twice, &double_d), 0xFF);
}
