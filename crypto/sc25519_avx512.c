// Fractions of half the length for the scalars of Ed25519 verification, eight in lanes. Any thread;
// variable time, for public scalars only. Never allocates.
//
// Euclid's algorithm on 8L and k keeps two rows, a ≡ −s·A·k and b ≡ s·B·k modulo 8L, s = ±1, with
// a·B + b·A = 8L: as a and b become shorter, A and B become longer, and half way all four have
// about 128 bits. To take any power of two of one row from the other keeps all that, so quotients
// need not be exact and a step takes one power of two. A and B stay coprime, so one of them is odd.
//
// As Lehmer does, steps run on the leading 62 bits of both rows, and 31 bits of progress are then
// applied to the rows at once. Sources: Knuth, The Art of Computer Programming, section 4.5.2; for
// the use in verification, Antipa and others, "Accelerated Verification of ECDSA Signatures".
#include "sc25519_avx512.h"

#define INLINE static inline __attribute__((always_inline))

#define LIMBS SP_SC25519_LIMBS
#define LIMB_BITS SP_SC25519_LIMB_BITS
#define COFACTOR_LIMBS SP_SC25519_DENOMINATOR_LIMBS
#define LEADING_BITS 62
#define STEP_BITS 31  // taken off the leading bits before the rows need an update
#define STOP_BITS 125 // b ends below 2^125, its cofactor below 2^130, and a rarely above 2^131
#define ROUNDS_MAX 8u // five take 255 bits to 125; the rest is for unlucky lanes

struct row {
    __m512i value[LIMBS]; // not negative, limbs below 2^52
    __m512i cofactor[COFACTOR_LIMBS];
};

// What a round does to the rows: the new a is ±(u·a − v·b) with the cofactor u·A + v·B, where
// a_factors = u + 2^32·v; b likewise.
struct steps {
    __m512i a, b; // leading bits
    __m512i stop; // below this b takes no more off a: 2^STOP_BITS, or where the bits no longer tell
    __m512i a_factors, b_factors;
    __mmask8 swapped; // an odd number of times: the other sign
};

INLINE __m512i broadcast(uint64_t x)
{
    return _mm512_set1_epi64((long long)x);
}

INLINE __m512i low_52(__m512i x)
{
    return _mm512_and_si512(x, broadcast((1ull << LIMB_BITS) - 1));
}

// 8L with the cofactor 0, and k with the cofactor 1.
static void start(struct row *a, struct row *b, const struct fe_words *k)
{
    static const uint64_t order_times_8[LIMBS] = {0x318D2E7AE9F68, 0xF517BCE6B2C09, 0xA6F7CE, 0,
                                                  0x800000000000};
    for (unsigned i = 0; i < LIMBS; i++) {
        a->value[i] = broadcast(order_times_8[i]);
        b->value[i] = low_52(fe_words_from(k, LIMB_BITS * i));
    }
    for (unsigned i = 0; i < COFACTOR_LIMBS; i++) {
        a->cofactor[i] = _mm512_setzero_si512();
        b->cofactor[i] = broadcast(i == 0);
    }
}

// The LEADING_BITS of a number whose three highest limbs not zero these are, the highest one with
// `zeros` leading zeros of 52. Counts out of 0 … 63 shift everything out.
INLINE __m512i lead(const __m512i limb[3], __m512i zeros)
{
    const __m512i room = broadcast(LEADING_BITS - LIMB_BITS);
    const __m512i used = broadcast(2 * LIMB_BITS - LEADING_BITS);
    const __m512i high = _mm512_sllv_epi64(limb[0], _mm512_add_epi64(zeros, room));
    const __m512i middle =
        _mm512_or_si512(_mm512_srlv_epi64(limb[1], _mm512_sub_epi64(used, zeros)),
                        _mm512_sllv_epi64(limb[1], _mm512_sub_epi64(zeros, used)));
    const __m512i low = _mm512_srlv_epi64(
        limb[2], _mm512_sub_epi64(broadcast(3 * LIMB_BITS - LEADING_BITS), zeros));
    return _mm512_or_si512(high, _mm512_or_si512(middle, low));
}

// Leading bits of both rows at the place of their highest bit. Either row may be the longer one:
// the last steps of a round know their order only as well as the bits they ran on.
static void begin(struct steps *s, const struct row *a, const struct row *b)
{
    __m512i a_limb[3] = {a->value[2], a->value[1], a->value[0]};
    __m512i b_limb[3] = {b->value[2], b->value[1], b->value[0]};
    __m512i top = broadcast(2);
    for (unsigned i = 3; i < LIMBS; i++) {
        const __m512i both = _mm512_or_si512(a->value[i], b->value[i]);
        const __mmask8 higher = _mm512_test_epi64_mask(both, both);
        for (unsigned j = 0; j < 3; j++) {
            a_limb[j] = _mm512_mask_mov_epi64(a_limb[j], higher, a->value[i - j]);
            b_limb[j] = _mm512_mask_mov_epi64(b_limb[j], higher, b->value[i - j]);
        }
        top = _mm512_mask_mov_epi64(top, higher, broadcast(i));
    }
    const __m512i zeros = _mm512_sub_epi64(
        _mm512_lzcnt_epi64(_mm512_or_si512(a_limb[0], b_limb[0])), broadcast(64 - LIMB_BITS));
    s->a = lead(a_limb, zeros);
    s->b = lead(b_limb, zeros);
    s->a_factors = broadcast(1);
    s->b_factors = broadcast(1ull << 32);
    s->swapped = 0;
    // What stands at bit `place` of the rows is bit 0 of their leading bits.
    const __m512i top_bits =
        _mm512_mullo_epi64(_mm512_add_epi64(top, broadcast(1)), broadcast(LIMB_BITS));
    const __m512i place =
        _mm512_sub_epi64(_mm512_sub_epi64(top_bits, zeros), broadcast(LEADING_BITS));
    const __m512i stop =
        _mm512_sllv_epi64(broadcast(1), _mm512_sub_epi64(broadcast(STOP_BITS), place));
    s->stop = _mm512_max_epu64(stop, broadcast(1ull << STEP_BITS));
}

INLINE void swap_if(__mmask8 mask, __m512i *a, __m512i *b)
{
    const __m512i was = *a;
    *a = _mm512_mask_mov_epi64(*a, mask, *b);
    *b = _mm512_mask_mov_epi64(*b, mask, was);
}

// a at least b again; which of the lanes may go on. Minimum and maximum do not wait for the mask.
INLINE __mmask8 order_rows(struct steps *s, __mmask8 lanes)
{
    const __mmask8 less = _mm512_cmplt_epu64_mask(s->a, s->b);
    const __m512i longer = _mm512_max_epu64(s->a, s->b);
    s->b = _mm512_min_epu64(s->a, s->b);
    s->a = longer;
    swap_if(less, &s->a_factors, &s->b_factors);
    s->swapped ^= less;
    return _mm512_mask_cmpge_epu64_mask(lanes, s->b, s->stop);
}

// Take the largest power of two of b from a that leaves at least 2^31; which lanes had one, and may
// go on. Rows that are 2^31 or more after the steps have factors of at most 2^62 / 2^31, because
// b_factors · a + a_factors · b is what the round began with. What stood beyond the leading bits
// takes less from a row than its factor, so no row goes below zero.
INLINE __mmask8 step(struct steps *s, __mmask8 lanes)
{
    const __m512i limit = broadcast(1ull << STEP_BITS);
    const __m512i shift = _mm512_sub_epi64(_mm512_lzcnt_epi64(s->b), _mm512_lzcnt_epi64(s->a));
    const __m512i most = _mm512_sllv_epi64(s->b, shift), half = _mm512_srli_epi64(most, 1);
    const __m512i most_rest = _mm512_sub_epi64(s->a, most), rest = _mm512_sub_epi64(s->a, half);
    const __mmask8 has_half =
        _mm512_mask_cmpge_epi64_mask(_mm512_mask_test_epi64_mask(lanes, shift, shift), rest, limit);
    const __mmask8 has_most = _mm512_mask_cmpge_epi64_mask(lanes, most_rest, limit);
    const __m512i half_shift = _mm512_sub_epi64(shift, broadcast(1));
    const __m512i factors = s->a_factors;
    s->a = _mm512_mask_mov_epi64(s->a, has_half, rest);
    s->a = _mm512_mask_mov_epi64(s->a, has_most, most_rest);
    s->a_factors = _mm512_mask_add_epi64(factors, has_half, factors,
                                         _mm512_sllv_epi64(s->b_factors, half_shift));
    s->a_factors = _mm512_mask_add_epi64(s->a_factors, has_most, factors,
                                         _mm512_sllv_epi64(s->b_factors, shift));
    return order_rows(s, has_half | has_most);
}

// u·x − v·y, or the opposite in the lanes of `swapped`, which makes it positive.
static void combine_values(__m512i out[LIMBS], __m512i u, const __m512i x[LIMBS], __m512i v,
                           const __m512i y[LIMBS], __mmask8 swapped)
{
    __m512i plus_high = _mm512_setzero_si512(), minus_high = plus_high, carry = plus_high;
    for (unsigned i = 0; i < LIMBS; i++) {
        __m512i plus = _mm512_madd52lo_epu64(plus_high, u, x[i]);
        __m512i minus = _mm512_madd52lo_epu64(minus_high, v, y[i]);
        plus_high = _mm512_madd52hi_epu64(_mm512_setzero_si512(), u, x[i]);
        minus_high = _mm512_madd52hi_epu64(_mm512_setzero_si512(), v, y[i]);
        swap_if(swapped, &plus, &minus);
        carry = _mm512_add_epi64(carry, _mm512_sub_epi64(plus, minus));
        out[i] = low_52(carry);
        carry = _mm512_srai_epi64(carry, LIMB_BITS);
    }
}

// u·x + v·y
static void combine_cofactors(__m512i out[COFACTOR_LIMBS], __m512i u,
                              const __m512i x[COFACTOR_LIMBS], __m512i v,
                              const __m512i y[COFACTOR_LIMBS])
{
    __m512i carry = _mm512_setzero_si512();
    for (unsigned i = 0; i < COFACTOR_LIMBS; i++) {
        const __m512i low = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(carry, u, x[i]), v, y[i]);
        out[i] = low_52(low);
        carry = _mm512_srli_epi64(low, LIMB_BITS);
        carry = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(carry, u, x[i]), v, y[i]);
    }
}

static void apply(struct row *a, struct row *b, const struct steps *s)
{
    const struct row x = *a, y = *b;
    const __m512i low_32 = broadcast(UINT32_MAX);
    const __m512i a_u = _mm512_and_si512(s->a_factors, low_32);
    const __m512i a_v = _mm512_srli_epi64(s->a_factors, 32);
    const __m512i b_u = _mm512_and_si512(s->b_factors, low_32);
    const __m512i b_v = _mm512_srli_epi64(s->b_factors, 32);
    combine_values(a->value, a_u, x.value, a_v, y.value, s->swapped);
    combine_values(b->value, b_v, y.value, b_u, x.value, s->swapped);
    combine_cofactors(a->cofactor, a_u, x.cofactor, a_v, y.cofactor);
    combine_cofactors(b->cofactor, b_u, x.cofactor, b_v, y.cofactor);
}

// b, whose cofactor is the longer one, if that is odd; otherwise a.
static void choose(struct sp_sc25519_fraction *out, const struct row *a, const struct row *b,
                   __mmask8 negative)
{
    const __mmask8 take_a = _mm512_testn_epi64_mask(b->cofactor[0], broadcast(1));
    for (unsigned i = 0; i < LIMBS; i++)
        out->numerator[i] = _mm512_mask_mov_epi64(b->value[i], take_a, a->value[i]);
    for (unsigned i = 0; i < COFACTOR_LIMBS; i++)
        out->denominator[i] = _mm512_mask_mov_epi64(b->cofactor[i], take_a, a->cofactor[i]);
    out->negative = negative ^ take_a;
}

void sp_sc25519_halve(struct sp_sc25519_fraction *out, const uint8_t k[FE_LANES][32])
{
    struct row a, b;
    struct steps s;
    __mmask8 negative = 0, moved = 0xFF;
    const struct fe_words words = sp_fe_load_words(k);
    start(&a, &b, &words);
    for (unsigned i = 0; i < ROUNDS_MAX && moved != 0; i++) {
        begin(&s, &a, &b);
        __mmask8 lanes = order_rows(&s, 0xFF);
        for (moved = lanes; lanes != 0;)
            lanes = step(&s, lanes);
        apply(&a, &b, &s);
        negative ^= s.swapped;
    }
    choose(out, &a, &b, negative);
}
