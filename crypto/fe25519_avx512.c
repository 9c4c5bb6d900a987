// Eight elements of GF(2^255 − 19) at once: what is not for the inside of a loop. Any thread.
#include "fe25519_avx512.h"

#include "internal.h"

// ---- bytes --------------------------------------------------------------------------------------

// Lanes of a and b, counted 0 … 7 and 8 … 15, lowest first.
#define PICK(a, b, i0, i1, i2, i3, i4, i5, i6, i7)                                                 \
    _mm512_permutex2var_epi64(a, _mm512_setr_epi64(i0, i1, i2, i3, i4, i5, i6, i7), b)

// A vector in memory is two numbers of four words; eight numbers are a matrix to transpose.
struct fe_words sp_fe_load_words(const uint8_t bytes[FE_LANES][32])
{
    const __m512i in_01 = _mm512_loadu_si512(bytes[0]), in_23 = _mm512_loadu_si512(bytes[2]);
    const __m512i in_45 = _mm512_loadu_si512(bytes[4]), in_67 = _mm512_loadu_si512(bytes[6]);
    const __m512i low_0123 = PICK(in_01, in_23, 0, 4, 8, 12, 1, 5, 9, 13); // words 0, then words 1
    const __m512i low_4567 = PICK(in_45, in_67, 0, 4, 8, 12, 1, 5, 9, 13);
    const __m512i high_0123 = PICK(in_01, in_23, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i high_4567 = PICK(in_45, in_67, 2, 6, 10, 14, 3, 7, 11, 15);
    return (struct fe_words){{
        PICK(low_0123, low_4567, 0, 1, 2, 3, 8, 9, 10, 11),
        PICK(low_0123, low_4567, 4, 5, 6, 7, 12, 13, 14, 15),
        PICK(high_0123, high_4567, 0, 1, 2, 3, 8, 9, 10, 11),
        PICK(high_0123, high_4567, 4, 5, 6, 7, 12, 13, 14, 15),
    }};
}

static void store_words(uint8_t bytes[FE_LANES][32], const struct fe_words *a)
{
    const __m512i *words = a->words;
    const __m512i low_0123 = PICK(words[0], words[1], 0, 8, 1, 9, 2, 10, 3, 11); // by number
    const __m512i low_4567 = PICK(words[0], words[1], 4, 12, 5, 13, 6, 14, 7, 15);
    const __m512i high_0123 = PICK(words[2], words[3], 0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high_4567 = PICK(words[2], words[3], 4, 12, 5, 13, 6, 14, 7, 15);
    _mm512_storeu_si512(bytes[0], PICK(low_0123, high_0123, 0, 1, 8, 9, 2, 3, 10, 11));
    _mm512_storeu_si512(bytes[2], PICK(low_0123, high_0123, 4, 5, 12, 13, 6, 7, 14, 15));
    _mm512_storeu_si512(bytes[4], PICK(low_4567, high_4567, 0, 1, 8, 9, 2, 3, 10, 11));
    _mm512_storeu_si512(bytes[6], PICK(low_4567, high_4567, 4, 5, 12, 13, 6, 7, 14, 15));
}

struct fe sp_fe_load(const uint8_t bytes[FE_LANES][32])
{
    const __m512i mask = _mm512_set1_epi64(FE_LIMB_MASK);
    const struct fe_words words = sp_fe_load_words(bytes);
    struct fe out;
    for (unsigned i = 0; i < FE_LIMBS; i++)
        out.limb[i] = _mm512_and_si512(fe_words_from(&words, FE_LIMB_BITS * i), mask);
    return out;
}

// From p = 2^255 − 19 on, all of the upper limbs are full and the lowest is 2^51 − 19 or more.
__mmask8 sp_fe_is_canonical(const struct fe *loaded)
{
    const __m512i mask = _mm512_set1_epi64(FE_LIMB_MASK);
    __m512i upper = loaded->limb[1];
    for (size_t i = 2; i < FE_LIMBS; i++)
        upper = _mm512_and_si512(upper, loaded->limb[i]);
    return _mm512_cmpneq_epu64_mask(upper, mask) |
           _mm512_cmplt_epu64_mask(loaded->limb[0], _mm512_set1_epi64(FE_LIMB_MASK - 18));
}

// Hand on what is above each limb's 51 bits, in order; returns what is above the last.
static __m512i carry_in_order(struct fe *a, __m512i carry)
{
    const __m512i mask = _mm512_set1_epi64(FE_LIMB_MASK);
    for (size_t i = 0; i < FE_LIMBS; i++) {
        const __m512i sum = _mm512_add_epi64(a->limb[i], carry);
        a->limb[i] = _mm512_and_si512(sum, mask);
        carry = _mm512_srli_epi64(sum, FE_LIMB_BITS);
    }
    return carry;
}

// An operand is below 2^255 + 2^223, hence below 2p: p comes out once or not at all, and once is
// when a + 19 reaches 2^255.
struct fe sp_fe_reduce(const struct fe *a)
{
    const __m512i nineteen = _mm512_set1_epi64(19);
    struct fe trial = *a, out = *a;
    const __m512i times = carry_in_order(&trial, nineteen);
    (void)carry_in_order(&out, _mm512_mullo_epi64(times, nineteen));
    return out;
}

void sp_fe_store(uint8_t bytes[FE_LANES][32], const struct fe *a)
{
    const struct fe r = sp_fe_reduce(a);
    struct fe_words words;
    for (unsigned i = 0; i < 4; i++) // word i begins in limb i, at bit 13 i of it
        words.words[i] =
            _mm512_or_si512(_mm512_srl_epi64(r.limb[i], _mm_cvtsi64_si128(13 * i)),
                            _mm512_sll_epi64(r.limb[i + 1], _mm_cvtsi64_si128(51 - 13 * i)));
    store_words(bytes, &words);
}

// ---- predicates ---------------------------------------------------------------------------------

__mmask8 sp_fe_is_zero(const struct fe *a)
{
    const struct fe r = sp_fe_reduce(a);
    __m512i any = r.limb[0];
    for (size_t i = 1; i < FE_LIMBS; i++)
        any = _mm512_or_si512(any, r.limb[i]);
    return _mm512_testn_epi64_mask(any, any);
}

__mmask8 sp_fe_is_equal(const struct fe *a, const struct fe *b)
{
    const struct fe difference = fe_sub(a, b);
    return sp_fe_is_zero(&difference);
}

__mmask8 sp_fe_is_negative(const struct fe *a)
{
    const struct fe r = sp_fe_reduce(a);
    return _mm512_test_epi64_mask(r.limb[0], _mm512_set1_epi64(1));
}

// ---- powers -------------------------------------------------------------------------------------

static struct fe square_times(const struct fe *a, unsigned count)
{
    struct fe out = *a;
    for (unsigned i = 0; i < count; i++)
        out = fe_square(&out);
    return out;
}

// a^(2^count) · b
static struct fe shift_and_mul(const struct fe *a, unsigned count, const struct fe *b)
{
    const struct fe shifted = square_times(a, count);
    return fe_mul(&shifted, b);
}

// a^(2^250 − 1), by doubling the number of ones in the exponent; a^11 on the way.
static struct fe raise_to_250_ones(const struct fe *a, struct fe *a_11)
{
    const struct fe a_2 = fe_square(a);
    const struct fe a_9 = shift_and_mul(&a_2, 2, a);
    *a_11 = fe_mul(&a_9, &a_2);
    const struct fe ones_5 = shift_and_mul(a_11, 1, &a_9); // 22 + 9 = 31
    const struct fe ones_10 = shift_and_mul(&ones_5, 5, &ones_5);
    const struct fe ones_20 = shift_and_mul(&ones_10, 10, &ones_10);
    const struct fe ones_40 = shift_and_mul(&ones_20, 20, &ones_20);
    const struct fe ones_50 = shift_and_mul(&ones_40, 10, &ones_10);
    const struct fe ones_100 = shift_and_mul(&ones_50, 50, &ones_50);
    const struct fe ones_200 = shift_and_mul(&ones_100, 100, &ones_100);
    return shift_and_mul(&ones_200, 50, &ones_50);
}

// p − 2 = 2^255 − 21 = (2^250 − 1)·2^5 + 11
struct fe sp_fe_invert(const struct fe *a)
{
    struct fe a_11;
    const struct fe ones_250 = raise_to_250_ones(a, &a_11);
    return shift_and_mul(&ones_250, 5, &a_11);
}

static struct fe_pair shift_and_mul_pair(const struct fe_pair *x, unsigned count,
                                         const struct fe_pair *y)
{
    struct fe a = x->a, b = x->b;
    for (unsigned i = 0; i < count; i++) {
        a = fe_square(&a);
        b = fe_square(&b);
    }
    return (struct fe_pair){fe_mul(&a, &y->a), fe_mul(&b, &y->b)};
}

// (p − 5) / 8 = 2^252 − 3 = (2^250 − 1)·2^2 + 1, by the same chain.
struct fe_pair sp_fe_pow_p58(const struct fe_pair *x)
{
    const struct fe_pair one = {fe_small(1), fe_small(1)};
    const struct fe_pair x_2 = shift_and_mul_pair(x, 1, &one);
    const struct fe_pair x_9 = shift_and_mul_pair(&x_2, 2, x);
    const struct fe_pair x_11 = shift_and_mul_pair(&x_9, 0, &x_2);
    const struct fe_pair ones_5 = shift_and_mul_pair(&x_11, 1, &x_9);
    const struct fe_pair ones_10 = shift_and_mul_pair(&ones_5, 5, &ones_5);
    const struct fe_pair ones_20 = shift_and_mul_pair(&ones_10, 10, &ones_10);
    const struct fe_pair ones_40 = shift_and_mul_pair(&ones_20, 20, &ones_20);
    const struct fe_pair ones_50 = shift_and_mul_pair(&ones_40, 10, &ones_10);
    const struct fe_pair ones_100 = shift_and_mul_pair(&ones_50, 50, &ones_50);
    const struct fe_pair ones_200 = shift_and_mul_pair(&ones_100, 100, &ones_100);
    const struct fe_pair ones_250 = shift_and_mul_pair(&ones_200, 50, &ones_50);
    return shift_and_mul_pair(&ones_250, 2, x);
}

// scratch[i] becomes the product of a[0] … a[i], a zero counted as one.
void sp_fe_invert_batch(struct fe *a, struct fe *scratch, size_t count)
{
    const struct fe one = fe_small(1);
    struct fe product = one;
    for (size_t i = 0; i < count; i++) {
        const __mmask8 zero = sp_fe_is_zero(&a[i]);
        const struct fe factor = fe_select(zero, &a[i], &one);
        scratch[i] = product = fe_mul(&product, &factor);
    }
    struct fe inverse = sp_fe_invert(&product); // of scratch[i], on the way down
    for (size_t i = count; i-- > 0;) {
        const struct fe nothing = fe_small(0);
        const __mmask8 zero = sp_fe_is_zero(&a[i]);
        const struct fe factor = fe_select(zero, &a[i], &one);
        const struct fe own = fe_mul(&inverse, i == 0 ? &one : &scratch[i - 1]);
        inverse = fe_mul(&inverse, &factor);
        a[i] = fe_select(zero, &own, &nothing);
    }
}
