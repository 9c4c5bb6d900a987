// Eight elements of GF(2^255 − 19) at once, one in each 64-bit lane: five limbs of 51 bits, lane by
// lane, for vpmadd52. Any thread. Nothing here branches on a value, indexes by one, or has a state.
//
// Two types keep the bounds, and each function says what it takes and gives:
// - struct fe, an operand: every limb below 2^51 + 2^18. vpmadd52 reads 52 bits of a lane, so that
//   this is what may be multiplied. Even the sum of two would not fit.
// - struct fe_wide, a sum: any 64-bit lanes. A product has lanes below 2^59, an operand that was
//   widened below 2^52. Adding costs one instruction a limb, and fe_carry makes any fe_wide an
//   operand again. So sums belong between a product and its carry, where they need no carry of
//   their own.
#ifndef SEALCRYPTO_FE25519_AVX512_H
#define SEALCRYPTO_FE25519_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

// A sanitizer checks every access: inlined, each would stand in hundreds of copies, and a file
// would take minutes to compile.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FE_INLINE static inline
#else
#define FE_INLINE static inline __attribute__((always_inline))
#endif

#define FE_LANES 8u
#define FE_LIMBS 5u
#define FE_LIMB_BITS 51u
#define FE_LIMB_MASK ((1ll << FE_LIMB_BITS) - 1)

struct fe {
    __m512i limb[FE_LIMBS];
};

struct fe_wide {
    __m512i limb[FE_LIMBS];
};

// ---- sums ---------------------------------------------------------------------------------------

FE_INLINE struct fe_wide fe_widen(const struct fe *a)
{
    struct fe_wide out;
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        out.limb[i] = a->limb[i];
    return out;
}

// Takes lanes whose sum is below 2^64.
FE_INLINE struct fe_wide fe_wide_add(const struct fe_wide *a, const struct fe_wide *b)
{
    struct fe_wide out;
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        out.limb[i] = _mm512_add_epi64(a->limb[i], b->limb[i]);
    return out;
}

// Adds 1024 p, so that no lane goes below zero. Takes a with lanes below 2^63, b with lanes below
// 2^61 − 2^15: a product, or a sum of three. Adds 2^61 to the bound of a.
FE_INLINE struct fe_wide fe_wide_sub(const struct fe_wide *a, const struct fe_wide *b)
{
    const __m512i bias_0 = _mm512_set1_epi64((FE_LIMB_MASK - 18) << 10);
    const __m512i bias = _mm512_set1_epi64(FE_LIMB_MASK << 10);
    struct fe_wide out;
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        out.limb[i] =
            _mm512_sub_epi64(_mm512_add_epi64(a->limb[i], i == 0 ? bias_0 : bias), b->limb[i]);
    return out;
}

// Every limb hands what is above its 51 bits, at most 13 bits, to the next at the same time; the
// last to the first, 19 times, because 2^255 = 19. The first ends below 2^51 + 19·2^13.
FE_INLINE struct fe fe_carry(const struct fe_wide *a)
{
    const __m512i mask = _mm512_set1_epi64(FE_LIMB_MASK);
    const __m512i nineteen = _mm512_set1_epi64(19);
    __m512i above[FE_LIMBS];
    struct fe out;
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++) {
        above[i] = _mm512_srli_epi64(a->limb[i], FE_LIMB_BITS);
        out.limb[i] = _mm512_and_si512(a->limb[i], mask);
    }
    out.limb[0] = _mm512_madd52lo_epu64(out.limb[0], above[4], nineteen);
#pragma GCC unroll 4
    for (size_t i = 1; i < FE_LIMBS; i++)
        out.limb[i] = _mm512_add_epi64(out.limb[i], above[i - 1]);
    return out;
}

// ---- products -----------------------------------------------------------------------------------
//
// Limbs i and j make a product at 51(i + j) bits, of which vpmadd52 gives 52 low bits there, and
// the high ones at 51(i + j) + 52: at the place of the next limb, and doubled. So the high halves
// of a column are summed first, doubled at once, and the low ones summed on top. Columns 5 to 9
// come back to 0 to 4, 19 times.

// sum[j] += low half of a·b[j]
FE_INLINE void fe_add_low(__m512i *sum, __m512i a, const __m512i *b, size_t count)
{
#pragma GCC unroll 5
    for (size_t j = 0; j < count; j++)
        sum[j] = _mm512_madd52lo_epu64(sum[j], a, b[j]);
}

FE_INLINE void fe_add_high(__m512i *sum, __m512i a, const __m512i *b, size_t count)
{
#pragma GCC unroll 5
    for (size_t j = 0; j < count; j++)
        sum[j] = _mm512_madd52hi_epu64(sum[j], a, b[j]);
}

FE_INLINE void fe_double_columns(__m512i column[10])
{
#pragma GCC unroll 10
    for (size_t i = 0; i < 10; i++)
        column[i] = _mm512_add_epi64(column[i], column[i]);
}

// Columns 5 … 8 are at most 4 low halves and 5 doubled high ones, below 2^56.
FE_INLINE struct fe_wide fe_fold(const __m512i column[10])
{
    __m512i nineteen = _mm512_set1_epi64(19);
    __asm__("" : "+v"(nineteen)); // a known factor would become shifts and adds: four for one
    struct fe_wide out;
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        out.limb[i] = _mm512_add_epi64(column[i], _mm512_mullo_epi64(column[i + 5], nineteen));
    return out;
}

FE_INLINE struct fe_wide fe_mul_wide(const struct fe *a, const struct fe *b)
{
    __m512i column[10];
#pragma GCC unroll 10
    for (size_t i = 0; i < 10; i++)
        column[i] = _mm512_setzero_si512();
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        fe_add_high(column + i + 1, a->limb[i], b->limb, FE_LIMBS);
    fe_double_columns(column);
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        fe_add_low(column + i, a->limb[i], b->limb, FE_LIMBS);
    return fe_fold(column);
}

// What two different limbs make counts twice: low + 2 (low' + high + 2 high'), with ' for those.
// The middle two have sums of their own, because powers wait for nothing but one square after
// another.
FE_INLINE struct fe_wide fe_square_wide(const struct fe *a)
{
    const __m512i *limb = a->limb;
    __m512i column[10], middle[10];
#pragma GCC unroll 10
    for (size_t i = 0; i < 10; i++)
        column[i] = middle[i] = _mm512_setzero_si512();
    fe_add_high(column + 2, limb[0], limb + 1, 4);
    fe_add_low(middle + 1, limb[0], limb + 1, 4);
    fe_add_high(column + 4, limb[1], limb + 2, 3);
    fe_add_low(middle + 3, limb[1], limb + 2, 3);
    fe_add_high(column + 6, limb[2], limb + 3, 2);
    fe_add_low(middle + 5, limb[2], limb + 3, 2);
    fe_add_high(column + 8, limb[3], limb + 4, 1);
    fe_add_low(middle + 7, limb[3], limb + 4, 1);
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        fe_add_high(middle + 2 * i + 1, limb[i], limb + i, 1);
    fe_double_columns(column);
#pragma GCC unroll 10
    for (size_t i = 0; i < 10; i++)
        column[i] = _mm512_add_epi64(column[i], middle[i]);
    fe_double_columns(column);
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        fe_add_low(column + 2 * i, limb[i], limb + i, 1);
    return fe_fold(column);
}

// By a constant below 2^20. Gives lanes below 2^53.
FE_INLINE struct fe_wide fe_mul_small_wide(const struct fe *a, uint32_t factor)
{
    const __m512i once = _mm512_set1_epi64(factor);
    const __m512i zero = _mm512_setzero_si512();
    struct fe_wide out;
    __m512i high[FE_LIMBS];
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        high[i] = _mm512_madd52hi_epu64(zero, a->limb[i], once);
    out.limb[0] = _mm512_mullo_epi64(high[4], _mm512_set1_epi64(38));
#pragma GCC unroll 4
    for (size_t i = 1; i < FE_LIMBS; i++)
        out.limb[i] = _mm512_add_epi64(high[i - 1], high[i - 1]);
    fe_add_low(out.limb, once, a->limb, FE_LIMBS);
    return out;
}

// ---- from operand to operand --------------------------------------------------------------------

FE_INLINE struct fe fe_mul(const struct fe *a, const struct fe *b)
{
    const struct fe_wide wide = fe_mul_wide(a, b);
    return fe_carry(&wide);
}

FE_INLINE struct fe fe_square(const struct fe *a)
{
    const struct fe_wide wide = fe_square_wide(a);
    return fe_carry(&wide);
}

FE_INLINE struct fe fe_mul_small(const struct fe *a, uint32_t factor)
{
    const struct fe_wide wide = fe_mul_small_wide(a, factor);
    return fe_carry(&wide);
}

FE_INLINE struct fe fe_add(const struct fe *a, const struct fe *b)
{
    const struct fe_wide wide_a = fe_widen(a), wide_b = fe_widen(b);
    const struct fe_wide wide = fe_wide_add(&wide_a, &wide_b);
    return fe_carry(&wide);
}

FE_INLINE struct fe fe_sub(const struct fe *a, const struct fe *b)
{
    const struct fe_wide wide_a = fe_widen(a), wide_b = fe_widen(b);
    const struct fe_wide wide = fe_wide_sub(&wide_a, &wide_b);
    return fe_carry(&wide);
}

// The same number in all lanes, given by its limbs, lowest first.
FE_INLINE struct fe fe_constant(long long l0, long long l1, long long l2, long long l3,
                                long long l4)
{
    return (struct fe){{_mm512_set1_epi64(l0), _mm512_set1_epi64(l1), _mm512_set1_epi64(l2),
                        _mm512_set1_epi64(l3), _mm512_set1_epi64(l4)}};
}

FE_INLINE struct fe fe_small(long long number)
{
    return fe_constant(number, 0, 0, 0, 0);
}

FE_INLINE struct fe fe_sqrt_minus_1(void)
{
    return fe_constant(0x61B274A0EA0B0, 0x0D5A5FC8F189D, 0x7EF5E9CBD0C60, 0x78595A6804C9E,
                       0x2B8324804FC1D);
}

FE_INLINE struct fe fe_neg(const struct fe *a)
{
    const struct fe zero = fe_small(0);
    return fe_sub(&zero, a);
}

// ---- selection, by mask: bit i speaks of lane i -------------------------------------------------

// b where the mask has a one.
FE_INLINE struct fe fe_select(__mmask8 mask, const struct fe *a, const struct fe *b)
{
    struct fe out;
#pragma GCC unroll 5
    for (size_t i = 0; i < FE_LIMBS; i++)
        out.limb[i] = _mm512_mask_blend_epi64(mask, a->limb[i], b->limb[i]);
    return out;
}

FE_INLINE void fe_swap(__mmask8 mask, struct fe *a, struct fe *b)
{
    const struct fe new_a = fe_select(mask, a, b);
    *b = fe_select(mask, b, a);
    *a = new_a;
}

// ---- bits of 256-bit numbers --------------------------------------------------------------------

// Eight little-endian numbers: words[i] has bits 64i … 64i + 63 of each.
struct fe_words {
    __m512i words[4];
};

// The 64 bits from bit `from` on, 0 … 319; beyond bit 255 there are zeros.
FE_INLINE __m512i fe_words_from(const struct fe_words *a, unsigned from)
{
    const unsigned word = from / 64, shift = from % 64;
    const __m512i low = word < 4 ? a->words[word] : _mm512_setzero_si512();
    const __m512i high = word < 3 ? a->words[word + 1] : _mm512_setzero_si512();
    return _mm512_or_si512(_mm512_srl_epi64(low, _mm_cvtsi64_si128(shift)),
                           _mm512_sll_epi64(high, _mm_cvtsi64_si128(64 - shift)));
}

// ---- out of line --------------------------------------------------------------------------------

struct fe_words sp_fe_load_words(const uint8_t bytes[FE_LANES][32]);

// Bit 255 of each is left out; the limbs come exactly as the bytes have them, below 2^51.
// Source: RFC 7748 section 5.
struct fe sp_fe_load(const uint8_t bytes[FE_LANES][32]);
// Were the 255 bits below p? Of limbs as sp_fe_load left them.
__mmask8 sp_fe_is_canonical(const struct fe *loaded);
// The one representation below p, limbs below 2^51.
struct fe sp_fe_reduce(const struct fe *a);
// Below p, little-endian, bit 255 zero.
void sp_fe_store(uint8_t bytes[FE_LANES][32], const struct fe *a);

__mmask8 sp_fe_is_zero(const struct fe *a);
__mmask8 sp_fe_is_equal(const struct fe *a, const struct fe *b);
// Is the number below p odd? Source: RFC 8032 section 5.1.2.
__mmask8 sp_fe_is_negative(const struct fe *a);

// a^(p − 2): the inverse, and zero of zero.
struct fe sp_fe_invert(const struct fe *a);
// In place, by Montgomery's trick: three products each and one inversion in all. Zero stays zero.
// scratch holds as many elements; it ends with products of the inputs, for the caller to wipe.
void sp_fe_invert_batch(struct fe *a, struct fe *scratch, size_t count);
// a^((p − 5) / 8) and b^((p − 5) / 8), for square roots. A power is one long chain of squares,
// which leaves half of the multipliers idle: two of them take little longer than one. Source: RFC
// 8032 section 5.1.3.
struct fe_pair {
    struct fe a, b;
};
struct fe_pair sp_fe_pow_p58(const struct fe_pair *x);

#endif
