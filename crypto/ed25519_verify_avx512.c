// Ed25519 verification (RFC 8032 section 5.1.7), eight signatures in lanes, each judged by itself
// and exactly as libsodium judges it. Any thread; variable time, since all of it is public. Never
// allocates.
//
// The equation is S·B = R + k·A. With k ≡ n/m modulo 8L, the order of the curve, n and m of half
// the length and m odd, it is multiplied by m:
//
//     (m·S mod L)·B − n·A − m·R = 0
//
// An odd m below L has an inverse modulo 8L, so one equation holds exactly when the other does, for
// points of every order. It takes half as many doublings, 128, and no inversion, for a table of
// multiples of R. Its price is that R is decoded; libsodium encodes S·B − k·A and compares bytes,
// and so only the one encoding of a point that an encoder makes may pass here.
#include <stdlib.h>
#include <string.h>

#include "ed25519_avx512.h"
#include "ge25519_avx512.h"
#include "internal.h"
#include "sc25519.h"
#include "sc25519_avx512.h"
#include "sha512_avx512.h"

// Digits −8 … 7 of n and m; the digits −128 … 127 of m·S are as long as two of those, and of the
// upper half of them, a table of its own takes the 128 bits off.
#define DIGIT_BITS 4u
#define LIMB_DIGITS (SP_SC25519_LIMB_BITS / DIGIT_BITS)
#define DIGIT_BIAS 8
#define LIMB_BIAS 0x8888888888888
#define MULTIPLES 8u
#define BASE_DIGITS 32u
#define BASE_HALF (BASE_DIGITS / 2)
#define BASE_BIAS 128
#define BASE_MULTIPLES 129u // with 0
#define BASE_LIMBS 16u      // fifteen, and one for the cache line

// struct ge_affine of one lane: y + x, y − x, 2dxy.
struct base_multiple {
    _Alignas(64) uint64_t limb[BASE_LIMBS];
};

// 0 … 128 times B, and times 2^128·B.
static struct base_multiple base_table[2][BASE_MULTIPLES];

struct digits {
    __m512i limb[SP_SC25519_LIMBS]; // each digit with its bias
};

// Eight signatures on their way.
struct octet {
    uint8_t public_key[FE_LANES][32], r[FE_LANES][32], s[FE_LANES][32];
    struct sp_sha512_message message[FE_LANES];
    uint8_t hash[FE_LANES][SP_SHA512_BYTES];
    uint8_t k[FE_LANES][32];
    uint8_t base_digit[FE_LANES][BASE_DIGITS]; // with bias
    struct digits key_digits, r_digits;
    struct ge_cached key_multiple[MULTIPLES], r_multiple[MULTIPLES]; // 1 … 8 times ∓A, −R
    __mmask8 ok;
};

// ---- multiples of the base point ----------------------------------------------------------------

// table[first … first + 7] = first, first + 1, … times 2^(8·at)·B.
static void make_base_multiples(struct base_multiple *table, unsigned first, unsigned at)
{
    uint8_t scalar[FE_LANES][32] = {{0}};
    struct ge point;
    for (unsigned i = 0; i < FE_LANES; i++)
        scalar[i][at] = (uint8_t)(first + i);
    sp_ge_mul_base(&point, scalar);
    const struct fe z_inverse = sp_fe_invert(&point.z), double_d = ge_2d();
    const struct fe x = fe_mul(&point.x, &z_inverse), y = fe_mul(&point.y, &z_inverse);
    const struct fe t = fe_mul(&x, &y);
    const struct ge_affine affine = {fe_add(&y, &x), fe_sub(&y, &x), fe_mul(&t, &double_d)};
    const struct fe *coordinate[3] = {&affine.y_plus_x, &affine.y_minus_x, &affine.t_2d};
    for (unsigned i = 0; i < 3 * FE_LIMBS; i++) {
        uint64_t lane[FE_LANES];
        _mm512_storeu_si512(lane, coordinate[i / FE_LIMBS]->limb[i % FE_LIMBS]);
        for (unsigned j = 0; j < FE_LANES && first + j < BASE_MULTIPLES; j++)
            table[first + j].limb[i] = lane[j];
    }
}

void sp_ed25519_init_verify(void)
{
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned first = 0; first < BASE_MULTIPLES; first += FE_LANES)
            make_base_multiples(base_table[half], first, half * BASE_HALF);
    }
}

// Eight vectors become the columns of eight.
FE_INLINE void transpose(__m512i v[FE_LANES])
{
    __m512i pair[FE_LANES], four[FE_LANES];
#pragma GCC unroll 4
    for (size_t i = 0; i < FE_LANES; i += 2) {
        pair[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
        pair[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
    }
#pragma GCC unroll 2
    for (size_t i = 0; i < FE_LANES; i += 4) {
#pragma GCC unroll 2
        for (size_t j = 0; j < 2; j++) {
            four[i + j] = _mm512_shuffle_i64x2(pair[i + j], pair[i + j + 2], 0x88);
            four[i + j + 2] = _mm512_shuffle_i64x2(pair[i + j], pair[i + j + 2], 0xDD);
        }
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_i64x2(four[i], four[i + 4], 0x88);
        v[i + 4] = _mm512_shuffle_i64x2(four[i], four[i + 4], 0xDD);
    }
}

FE_INLINE struct ge_affine look_up_base(const struct base_multiple *table,
                                        const uint32_t magnitude[FE_LANES])
{
    __m512i low[FE_LANES], high[FE_LANES];
#pragma GCC unroll 8
    for (size_t i = 0; i < FE_LANES; i++) {
        low[i] = _mm512_load_si512(table[magnitude[i]].limb);
        high[i] = _mm512_load_si512(table[magnitude[i]].limb + FE_LANES);
    }
    transpose(low);
    transpose(high);
    return (struct ge_affine){{{low[0], low[1], low[2], low[3], low[4]}},
                              {{low[5], low[6], low[7], high[0], high[1]}},
                              {{high[2], high[3], high[4], high[5], high[6]}}};
}

// ---- digits -------------------------------------------------------------------------------------

// With 8 added to each, the digits −8 … 7 of a number are those of radix 16 of another.
static void recode(struct digits *out, const __m512i *limb, size_t count)
{
    const __m512i mask = _mm512_set1_epi64((1ll << SP_SC25519_LIMB_BITS) - 1);
    const __m512i bias = _mm512_set1_epi64(LIMB_BIAS);
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < SP_SC25519_LIMBS; i++) {
        sum = _mm512_add_epi64(sum, bias);
        if (i < count)
            sum = _mm512_add_epi64(sum, limb[i]);
        out->limb[i] = _mm512_and_si512(sum, mask);
        sum = _mm512_srli_epi64(sum, SP_SC25519_LIMB_BITS);
    }
}

// How many digits, from the lowest on, have to be looked at for the lanes of both numbers.
static unsigned count_digits(const struct digits *a, const struct digits *b)
{
    const __m512i bias = _mm512_set1_epi64(LIMB_BIAS);
    for (unsigned i = SP_SC25519_LIMBS; i-- > 0;) {
        const __m512i any =
            _mm512_or_si512(_mm512_xor_si512(a->limb[i], bias), _mm512_xor_si512(b->limb[i], bias));
        const uint64_t used = (uint64_t)_mm512_reduce_or_epi64(any);
        if (used != 0)
            return i * LIMB_DIGITS + (64 - (unsigned)__builtin_clzll(used) + 3) / DIGIT_BITS;
    }
    return 0;
}

static __m512i read_digit(const struct digits *digits, unsigned at)
{
    const __m128i shift = _mm_cvtsi32_si128((int)(DIGIT_BITS * (at % LIMB_DIGITS)));
    const __m512i bits = _mm512_srl_epi64(digits->limb[at / LIMB_DIGITS], shift);
    const __m512i biased = _mm512_and_si512(bits, _mm512_set1_epi64((1 << DIGIT_BITS) - 1));
    return _mm512_sub_epi64(biased, _mm512_set1_epi64(DIGIT_BIAS));
}

// m·S mod L, in digits of radix 256 from −128 to 127 with 128 added to each.
static void recode_base(struct octet *o, const struct sp_sc25519_fraction *fraction)
{
    static const uint8_t zero[32];
    uint64_t limb[SP_SC25519_DENOMINATOR_LIMBS][FE_LANES];
    for (size_t i = 0; i < SP_SC25519_DENOMINATOR_LIMBS; i++)
        _mm512_storeu_si512(limb[i], fraction->denominator[i]);
    for (size_t lane = 0; lane < FE_LANES; lane++) {
        const uint64_t word[4] = {limb[0][lane] | limb[1][lane] << 52,
                                  limb[1][lane] >> 12 | limb[2][lane] << 40, limb[2][lane] >> 24};
        uint8_t product[32];
        unsigned sum = 0;
        sp_sc25519_multiply_add(product, (const uint8_t *)word, o->s[lane], zero);
        for (size_t i = 0; i < BASE_DIGITS; i++) {
            sum += product[i] + (unsigned)BASE_BIAS;
            o->base_digit[lane][i] = (uint8_t)sum;
            sum >>= 8;
        }
    }
}

// ---- the equation -------------------------------------------------------------------------------

static struct ge_cached double_cached(struct ge *out, const struct ge *a)
{
    const struct ge_factors sum = ge_double(a);
    *out = ge_complete(&sum);
    return ge_cache(out);
}

// 1 … 8 times a.
static void make_multiples(struct ge_cached multiple[MULTIPLES], const struct ge *a)
{
    struct ge point[MULTIPLES];
    point[0] = *a;
    multiple[0] = ge_cache(a);
    for (size_t i = 1; i < MULTIPLES; i += 2) {
        multiple[i] = double_cached(&point[i], &point[i / 2]);
        if (i + 1 < MULTIPLES) {
            const struct ge_factors sum = ge_add(&point[i], &multiple[0], 0);
            point[i + 1] = ge_complete(&sum);
            multiple[i + 1] = ge_cache(&point[i + 1]);
        }
    }
}

static struct ge_cached select_multiple(const struct ge_cached multiple[MULTIPLES],
                                        __m512i magnitude)
{
    struct ge_cached out = {fe_small(1), fe_small(1), fe_small(2), fe_small(0)};
    for (size_t i = 0; i < MULTIPLES; i++) {
        const __mmask8 mask =
            _mm512_cmpeq_epi64_mask(magnitude, _mm512_set1_epi64((long long)i + 1));
        out.y_plus_x = fe_select(mask, &out.y_plus_x, &multiple[i].y_plus_x);
        out.y_minus_x = fe_select(mask, &out.y_minus_x, &multiple[i].y_minus_x);
        out.double_z = fe_select(mask, &out.double_z, &multiple[i].double_z);
        out.t_2d = fe_select(mask, &out.t_2d, &multiple[i].t_2d);
    }
    return out;
}

static struct ge_factors add_digit(const struct ge *sum, const struct ge_cached *multiple,
                                   const struct digits *digits, unsigned at)
{
    const __m512i digit = read_digit(digits, at);
    const struct ge_cached chosen = select_multiple(multiple, _mm512_abs_epi64(digit));
    return ge_add(sum, &chosen, _mm512_movepi64_mask(digit));
}

static struct ge_factors add_base_digit(const struct ge *sum, const struct octet *o, unsigned at)
{
    uint32_t magnitude[FE_LANES];
    __mmask8 negative = 0;
    for (size_t i = 0; i < FE_LANES; i++) {
        const int digit = o->base_digit[i][at] - BASE_BIAS;
        magnitude[i] = (uint32_t)abs(digit);
        negative |= (__mmask8)((digit < 0) << i);
    }
    const struct ge_affine chosen = look_up_base(base_table[at / BASE_HALF], magnitude);
    return ge_add_affine(sum, &chosen, negative);
}

static void double_by_a_digit(struct ge *sum)
{
    for (unsigned i = 1; i < DIGIT_BITS; i++) {
        const struct ge_factors twice = ge_double(sum);
        *sum = ge_complete_without_t(&twice);
    }
    const struct ge_factors twice = ge_double(sum);
    *sum = ge_complete(&twice);
}

// Is (m·S mod L)·B − n·A − m·R the identity?
static __mmask8 is_solved(const struct octet *o)
{
    struct ge sum = ge_identity();
    struct ge_factors factors;
    unsigned count = count_digits(&o->key_digits, &o->r_digits);
    if (count < 2 * BASE_HALF)
        count = 2 * BASE_HALF;
    for (unsigned i = count; i-- > 0;) {
        double_by_a_digit(&sum);
        factors = add_digit(&sum, o->key_multiple, &o->key_digits, i);
        sum = ge_complete(&factors);
        factors = add_digit(&sum, o->r_multiple, &o->r_digits, i);
        if (i % 2 == 0 && i / 2 < BASE_HALF) {
            sum = ge_complete(&factors);
            factors = add_base_digit(&sum, o, i / 2);
            sum = ge_complete(&factors);
            factors = add_base_digit(&sum, o, i / 2 + BASE_HALF);
        }
        sum = ge_complete_without_t(&factors);
    }
    return sp_fe_is_zero(&sum.x) & sp_fe_is_equal(&sum.y, &sum.z);
}

// ---- eight signatures ---------------------------------------------------------------------------

static void load(struct octet *o, const struct sp_ed25519_job *jobs)
{
    o->ok = 0;
    for (size_t i = 0; i < FE_LANES; i++) {
        memcpy(o->public_key[i], jobs[i].public_key, 32);
        memcpy(o->r[i], jobs[i].signature, 32);
        memcpy(o->s[i], jobs[i].signature + 32, 32);
        o->ok |= (__mmask8)(sp_sc25519_is_canonical(o->s[i]) << i);
        o->message[i] = (struct sp_sha512_message){
            .part = {o->r[i], o->public_key[i], jobs[i].message},
            .len = {32, 32, jobs[i].message_len},
        };
    }
    sp_sha512_avx512(o->hash, o->message, FE_LANES);
    for (size_t i = 0; i < FE_LANES; i++)
        sp_sc25519_reduce(o->k[i], o->hash[i]);
}

static __mmask8 top_bits(const uint8_t in[FE_LANES][32])
{
    const struct fe_words words = sp_fe_load_words(in);
    return _mm512_movepi64_mask(words.words[3]);
}

// −R, and A or −A: so that all digits of n are taken as they are.
static void decode(struct octet *o, __mmask8 negative)
{
    const struct ge_encoded in[2] = {
        {sp_fe_load(o->public_key), top_bits(o->public_key) ^ (__mmask8)~negative},
        {sp_fe_load(o->r), (__mmask8)~top_bits(o->r)},
    };
    struct ge point[2];
    __mmask8 found[2];
    sp_ge_decode_pair(point, found, in);
    for (size_t i = 0; i < 2; i++) {
        o->ok &= found[i] & sp_fe_is_canonical(&in[i].y);
        o->ok &= (__mmask8)~sp_ge_is_small_order(&in[i].y);
    }
    make_multiples(o->key_multiple, &point[0]);
    make_multiples(o->r_multiple, &point[1]);
}

static void verify(struct octet *o, const struct sp_ed25519_job *jobs, bool *ok)
{
    struct sp_sc25519_fraction fraction;
    load(o, jobs);
    sp_sc25519_halve(&fraction, o->k);
    recode(&o->key_digits, fraction.numerator, SP_SC25519_LIMBS);
    recode(&o->r_digits, fraction.denominator, SP_SC25519_DENOMINATOR_LIMBS);
    recode_base(o, &fraction);
    decode(o, fraction.negative);
    o->ok &= is_solved(o);
    for (size_t i = 0; i < FE_LANES; i++)
        ok[i] = (o->ok >> i & 1) != 0;
}

// Lanes without a job of their own do the last one's again.
static void verify_some(struct octet *o, const struct sp_ed25519_job *jobs, size_t count, bool *ok)
{
    struct sp_ed25519_job padded[FE_LANES];
    bool padded_ok[FE_LANES];
    for (size_t i = 0; i < FE_LANES; i++)
        padded[i] = jobs[i < count ? i : count - 1];
    verify(o, padded, padded_ok);
    memcpy(ok, padded_ok, count * sizeof(*ok));
}

void sp_ed25519_verify_avx512(const struct sp_ed25519_job *jobs, size_t count, bool *ok)
{
    struct octet octet;
    size_t done = 0;
    for (; done + FE_LANES <= count; done += FE_LANES)
        verify(&octet, jobs + done, ok + done);
    if (count > done)
        verify_some(&octet, jobs + done, count - done, ok + done);
}
