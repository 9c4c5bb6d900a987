// Multiples of the base point of Ed25519, eight at once: a signed comb of radix 32 over a table of
// every digit at every place. Any thread, after sp_init.
//
// The table (52 rows, 98 KiB) is computed at start: that takes a quarter of a millisecond, and 780
// points need no proof that a file of numbers holds them.
#include "ge25519_avx512.h"

#include "internal.h"

#define DIGIT_BITS 5u
#define ROWS 52u // 260 bits: room for the last carry
#define ROW_COORDINATES 3u

// 1 … 16 times 32^row · B, as the limbs of struct ge_affine: lane i holds the multiple i + 1, and
// i + 9. So a vector is what one permutation reads, and every look-up reads all of a row.
struct base_row {
    struct ge_affine low, high;
};

static struct base_row base_table[ROWS];

// ---- encoded points -----------------------------------------------------------------------------

__mmask8 sp_ge_is_small_order(const struct fe *y)
{
    const struct fe zero = fe_small(0), one = fe_small(1);
    const struct fe order_8 = fe_constant(0x791859C155291, 0x6969E142075C8, 0x1827015AF7E78,
                                          0x12BE16175E15D, 0x76B9125B8BD5B);
    const struct fe yy = fe_square(y);
    return sp_fe_is_equal(&yy, &zero) | sp_fe_is_equal(&yy, &one) | sp_fe_is_equal(&yy, &order_8);
}

// x^2 = u/v = (y^2 − 1) / (d·y^2 + 1), and the two products that a root is made of.
struct ratio {
    struct fe u, v, uv3, uv7;
};

static struct ratio find_ratio(const struct fe *y)
{
    const struct fe one = fe_small(1), d = ge_d(), yy = fe_square(y), dyy = fe_mul(&d, &yy);
    struct ratio out = {.u = fe_sub(&yy, &one), .v = fe_add(&dyy, &one)};
    const struct fe vv = fe_square(&out.v), uv = fe_mul(&out.u, &out.v), v4 = fe_square(&vv);
    out.uv3 = fe_mul(&uv, &vv);
    out.uv7 = fe_mul(&out.uv3, &v4);
    return out;
}

// x = u·v^3·(u·v^7)^((p − 5)/8), or that times √−1, or there is none.
static __mmask8 find_x(struct fe *x, const struct ratio *ratio, const struct fe *power)
{
    const struct fe root = fe_sqrt_minus_1();
    const struct fe first = fe_mul(&ratio->uv3, power), second = fe_mul(&first, &root);
    const struct fe xx = fe_square(&first), vxx = fe_mul(&ratio->v, &xx);
    const struct fe minus_u = fe_neg(&ratio->u);
    const __mmask8 is_first = sp_fe_is_equal(&vxx, &ratio->u);
    const __mmask8 is_second = sp_fe_is_equal(&vxx, &minus_u);
    *x = fe_select(is_first, &second, &first);
    return is_first | is_second;
}

void sp_ge_decode_pair(struct ge out[2], __mmask8 found[2], const struct ge_encoded in[2])
{
    const struct ratio ratio[2] = {find_ratio(&in[0].y), find_ratio(&in[1].y)};
    const struct fe_pair base = {ratio[0].uv7, ratio[1].uv7};
    const struct fe_pair power = sp_fe_pow_p58(&base);
    for (size_t i = 0; i < 2; i++) {
        struct fe x;
        found[i] = find_x(&x, &ratio[i], i == 0 ? &power.a : &power.b);
        const struct fe minus_x = fe_neg(&x);
        x = fe_select(sp_fe_is_negative(&x) ^ in[i].odd, &x, &minus_x);
        out[i] = (struct ge){x, in[i].y, fe_small(1), fe_mul(&x, &in[i].y)};
    }
}

// ---- the table ----------------------------------------------------------------------------------

static struct ge base_point(void)
{
    const struct fe x = fe_constant(0x62D608F25D51A, 0x412A4B4F6592A, 0x75B7171A4B31D,
                                    0x1FF60527118FE, 0x216936D3CD6E5);
    const struct fe y = fe_constant(0x6666666666658, 0x4CCCCCCCCCCCC, 0x1999999999999,
                                    0x3333333333333, 0x6666666666666);
    return (struct ge){x, y, fe_small(1), fe_mul(&x, &y)};
}

static struct ge add(const struct ge *a, const struct ge *b)
{
    const struct ge_cached cached = ge_cache(b);
    const struct ge_factors sum = ge_add(a, &cached, 0);
    return ge_complete(&sum);
}

static struct ge double_times(const struct ge *a, unsigned count)
{
    struct ge out = *a;
    for (unsigned i = 0; i < count; i++) {
        const struct ge_factors sum = ge_double(&out);
        out = ge_complete(&sum);
    }
    return out;
}

static struct ge select_point(__mmask8 mask, const struct ge *a, const struct ge *b)
{
    return (struct ge){fe_select(mask, &a->x, &b->x), fe_select(mask, &a->y, &b->y),
                       fe_select(mask, &a->z, &b->z), fe_select(mask, &a->t, &b->t)};
}

static struct ge_affine divide_by_z(const struct ge *a, const struct fe *z_inverse)
{
    const struct fe x = fe_mul(&a->x, z_inverse), y = fe_mul(&a->y, z_inverse);
    const struct fe t = fe_mul(&x, &y), double_d = ge_2d();
    return (struct ge_affine){fe_add(&y, &x), fe_sub(&y, &x), fe_mul(&t, &double_d)};
}

void sp_ge_init_base(void)
{
    const struct ge base = base_point(), base_8 = double_times(&base, 3);
    struct ge low = base;
    for (unsigned i = 1; i < FE_LANES; i++) { // lane i ends with i additions
        const struct ge sum = add(&low, &base);
        low = select_point((__mmask8)(0xFF << i), &low, &sum);
    }
    struct ge high = add(&low, &base_8);
    for (unsigned i = 0; i < ROWS; i++) {
        struct fe z[2] = {low.z, high.z}, scratch[2];
        sp_fe_invert_batch(z, scratch, 2);
        base_table[i].low = divide_by_z(&low, &z[0]);
        base_table[i].high = divide_by_z(&high, &z[1]);
        low = double_times(&low, DIGIT_BITS);
        high = double_times(&high, DIGIT_BITS);
    }
}

// ---- multiplication -----------------------------------------------------------------------------

// Everything of the scalars that is in memory.
struct digits {
    __m512i magnitude[ROWS]; // 0 … 16
    __mmask8 negative[ROWS];
};

// Signed digits of radix 32, −15 … 16, from the lowest on.
static void split(struct digits *out, const uint8_t scalar[FE_LANES][32])
{
    const __m512i mask = _mm512_set1_epi64((1 << DIGIT_BITS) - 1);
    const __m512i sixteen = _mm512_set1_epi64(1 << (DIGIT_BITS - 1));
    const __m512i radix = _mm512_set1_epi64(1 << DIGIT_BITS);
    struct fe_words words = sp_fe_load_words(scalar);
    __m512i carry = _mm512_setzero_si512();
    for (unsigned i = 0; i < ROWS; i++) {
        const __m512i bits = fe_words_from(&words, DIGIT_BITS * i);
        const __m512i digit = _mm512_add_epi64(_mm512_and_si512(bits, mask), carry);
        out->negative[i] = _mm512_cmpgt_epu64_mask(digit, sixteen);
        out->magnitude[i] = _mm512_mask_sub_epi64(digit, out->negative[i], radix, digit);
        carry = _mm512_maskz_set1_epi64(out->negative[i], 1);
    }
    sp_wipe(&words, sizeof(words));
}

// The multiple of a row by its magnitude; 0 is the identity.
FE_INLINE struct ge_affine look_up(const struct base_row *row, __m512i magnitude)
{
    const __m512i index = _mm512_sub_epi64(magnitude, _mm512_set1_epi64(1)); // its low 4 bits count
    const __mmask8 any = _mm512_test_epi64_mask(magnitude, magnitude);
    struct ge_affine out = ge_affine_identity();
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++) {
        out.y_plus_x.limb[i] =
            _mm512_mask_mov_epi64(out.y_plus_x.limb[i], any,
                                  _mm512_permutex2var_epi64(row->low.y_plus_x.limb[i], index,
                                                            row->high.y_plus_x.limb[i]));
        out.y_minus_x.limb[i] =
            _mm512_mask_mov_epi64(out.y_minus_x.limb[i], any,
                                  _mm512_permutex2var_epi64(row->low.y_minus_x.limb[i], index,
                                                            row->high.y_minus_x.limb[i]));
        out.t_2d.limb[i] = _mm512_maskz_permutex2var_epi64(any, row->low.t_2d.limb[i], index,
                                                           row->high.t_2d.limb[i]);
    }
    return out;
}

void sp_ge_mul_base(struct ge *out, const uint8_t scalar[FE_LANES][32])
{
    struct digits digits;
    struct ge sum = ge_identity();
    split(&digits, scalar);
    for (unsigned i = 0; i < ROWS; i++) {
        const struct ge_affine multiple = look_up(&base_table[i], digits.magnitude[i]);
        const struct ge_factors factors = ge_add_affine(&sum, &multiple, digits.negative[i]);
        sum = ge_complete(&factors);
    }
    *out = sum;
    sp_wipe(&digits, sizeof(digits));
}
