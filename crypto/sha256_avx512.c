// SHA-256 (FIPS 180-4) with AVX-512: sixteen messages, one in each 32-bit lane. Any thread; keeps
// nothing, allocates nothing, leaves nothing on the stack, and neither branches on contents nor
// indexes by them.
//
// A state here is eight vectors: vector i holds word i of all lanes. So does a block, of sixteen.
#include <immintrin.h>

#include "sha256_lanes.h"

#define INLINE static inline __attribute__((always_inline))

#define WORDS SP_SHA256_WORDS
#define BLOCK_WORDS (2 * WORDS)
#define IPAD 0x36363636
#define OPAD 0x5C5C5C5C

INLINE __m512i load(const uint32_t *words, size_t i)
{
    return _mm512_load_si512(words + i * SP_LANES);
}

INLINE void store(uint32_t *words, size_t i, __m512i v)
{
    _mm512_store_si512(words + i * SP_LANES, v);
}

// ---- the compression function -------------------------------------------------------------------

INLINE __m512i xor3(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

// Adds where it is written: what the compiler makes of sums it may reorder is a longer chain from
// round to round, and a fifth slower.
INLINE __m512i add(__m512i a, __m512i b)
{
    __m512i sum = _mm512_add_epi32(a, b);
    __asm__("" : "+v"(sum));
    return sum;
}

// Section 6.2.2 step 3, the eight variables renamed instead of moved: `i` tells where they stand.
INLINE void run_round(__m512i s[WORDS], size_t i, __m512i word, uint32_t constant)
{
    const __m512i a = s[(0 - i) % 8], b = s[(1 - i) % 8], c = s[(2 - i) % 8];
    const __m512i e = s[(4 - i) % 8], f = s[(5 - i) % 8], g = s[(6 - i) % 8];
    __m512i *d = &s[(3 - i) % 8], *h = &s[(7 - i) % 8];
    const __m512i early = add(add(*h, _mm512_set1_epi32((int)constant)), word);
    const __m512i choice = _mm512_ternarylogic_epi32(e, f, g, 0xCA);
    const __m512i majority = _mm512_ternarylogic_epi32(a, b, c, 0xE8);
    *d = add(add(*d, early), choice); // not from *h: the next round waits for it
    *h = add(early, choice);
    const __m512i sum_1 =
        xor3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
    *d = add(*d, sum_1);
    *h = add(add(*h, sum_1), majority);
    const __m512i sum_0 =
        xor3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
    *h = add(*h, sum_0);
}

// Section 6.2.2 step 1: word t of the schedule in the place of word t−16.
INLINE __m512i extend(const __m512i w[BLOCK_WORDS], size_t i)
{
    const __m512i before_2 = w[(i + 14) % 16], before_15 = w[(i + 1) % 16];
    const __m512i sigma_1 = xor3(_mm512_ror_epi32(before_2, 17), _mm512_ror_epi32(before_2, 19),
                                 _mm512_srli_epi32(before_2, 10));
    const __m512i sigma_0 = xor3(_mm512_ror_epi32(before_15, 7), _mm512_ror_epi32(before_15, 18),
                                 _mm512_srli_epi32(before_15, 3));
    return add(add(add(w[i], w[(i + 9) % 16]), sigma_0), sigma_1);
}

// to := from after a block, given in halves, each of its words changed by `pad`. Lanes outside of
// `active` get what they had in `from`.
static __attribute__((noinline)) void compress(uint32_t *to, const uint32_t *from,
                                               const uint32_t *low, const uint32_t *high, int pad,
                                               uint32_t active)
{
    __m512i s[WORDS], w[BLOCK_WORDS];
#pragma GCC unroll 8
    for (size_t i = 0; i < WORDS; i++)
        s[i] = load(from, i);
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) { // loading only now keeps w in registers
        const __m512i word = i < WORDS ? load(low, i) : load(high, i - WORDS);
        w[i] = _mm512_xor_si512(word, _mm512_set1_epi32(pad));
        run_round(s, i, w[i], sp_sha256_constants[i]);
    }
#pragma GCC unroll 1
    for (size_t t = 16; t < SP_SHA256_ROUNDS; t += 16) {
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            w[i] = extend(w, i);
            run_round(s, i, w[i], sp_sha256_constants[t + i]);
        }
    }
    // Read again, so that the compiler leaves no copy of the old state on the stack.
    __asm__("" : "+r"(from) : : "memory");
#pragma GCC unroll 8
    for (size_t i = 0; i < WORDS; i++) {
        const __m512i old = load(from, i);
        store(to, i, _mm512_mask_add_epi32(old, (__mmask16)active, old, s[i]));
    }
}

// ---- rows and columns ---------------------------------------------------------------------------

INLINE __m512i swap_bytes(__m512i words)
{
    const __m128i order = _mm_set_epi64x(0x0C0D0E0F08090A0Bll, 0x0405060700010203ll);
    return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order));
}

// In each quarter of four vectors: 4 × 4 words, rows to columns.
INLINE void transpose_words(__m512i v[4])
{
    const __m512i low_01 = _mm512_unpacklo_epi32(v[0], v[1]);
    const __m512i high_01 = _mm512_unpackhi_epi32(v[0], v[1]);
    const __m512i low_23 = _mm512_unpacklo_epi32(v[2], v[3]);
    const __m512i high_23 = _mm512_unpackhi_epi32(v[2], v[3]);
    v[0] = _mm512_unpacklo_epi64(low_01, low_23);
    v[1] = _mm512_unpackhi_epi64(low_01, low_23);
    v[2] = _mm512_unpacklo_epi64(high_01, high_23);
    v[3] = _mm512_unpackhi_epi64(high_01, high_23);
}

// Of every fourth vector: 4 × 4 quarters, rows to columns.
INLINE void transpose_quarters(__m512i *v)
{
    const __m512i low_01 = _mm512_shuffle_i32x4(v[0], v[4], 0x44);
    const __m512i high_01 = _mm512_shuffle_i32x4(v[0], v[4], 0xEE);
    const __m512i low_23 = _mm512_shuffle_i32x4(v[8], v[12], 0x44);
    const __m512i high_23 = _mm512_shuffle_i32x4(v[8], v[12], 0xEE);
    v[0] = _mm512_shuffle_i32x4(low_01, low_23, 0x88);
    v[4] = _mm512_shuffle_i32x4(low_01, low_23, 0xDD);
    v[8] = _mm512_shuffle_i32x4(high_01, high_23, 0x88);
    v[12] = _mm512_shuffle_i32x4(high_01, high_23, 0xDD);
}

// A block in rows becomes one in vectors, where it stands.
static uint32_t *transpose_block(uint8_t (*row)[SP_SHA256_BLOCK_BYTES])
{
    uint32_t *words = (uint32_t *)row;
    __m512i v[BLOCK_WORDS];
#pragma GCC unroll 16
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        v[i] = swap_bytes(load(words, i));
#pragma GCC unroll 4
    for (size_t i = 0; i < BLOCK_WORDS; i += 4)
        transpose_words(&v[i]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
        transpose_quarters(&v[i]);
#pragma GCC unroll 16
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        store(words, i, v[i]);
    return words;
}

// A state becomes digests in rows, where it stands.
static void transpose_state(uint32_t *words)
{
    const __m512i first_lanes = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const __m512i last_lanes = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    __m256i *digest = (__m256i *)words;
    __m512i v[WORDS];
#pragma GCC unroll 8
    for (size_t i = 0; i < WORDS; i++)
        v[i] = swap_bytes(load(words, i));
    transpose_words(&v[0]);
    transpose_words(&v[4]);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) { // quarter q: the halves of the digest of lane 4q + i
        const __m512i first = _mm512_permutex2var_epi64(v[i], first_lanes, v[i + 4]);
        const __m512i last = _mm512_permutex2var_epi64(v[i], last_lanes, v[i + 4]);
        _mm256_store_si256(&digest[i], _mm512_castsi512_si256(first));
        _mm256_store_si256(&digest[i + 4], _mm512_extracti64x4_epi64(first, 1));
        _mm256_store_si256(&digest[i + 8], _mm512_castsi512_si256(last));
        _mm256_store_si256(&digest[i + 12], _mm512_extracti64x4_epi64(last, 1));
    }
}

// ---- the kernel ---------------------------------------------------------------------------------

static void fill(struct sp_lanes *state, const uint32_t words[WORDS])
{
    for (size_t i = 0; i < WORDS; i++)
        store(state->word, i, _mm512_set1_epi32((int)words[i]));
}

static void start_key(struct sp_lanes *inner, struct sp_lanes *outer,
                      uint8_t (*key)[SP_SHA256_BLOCK_BYTES], uint32_t active)
{
    const uint32_t *words = transpose_block(key);
    fill(inner, sp_sha256_initial);
    fill(outer, sp_sha256_initial);
    compress(inner->word, inner->word, words, words + WORDS * SP_LANES, IPAD, active);
    compress(outer->word, outer->word, words, words + WORDS * SP_LANES, OPAD, active);
}

static void absorb(struct sp_lanes *state, uint8_t (*block)[SP_SHA256_BLOCK_BYTES], uint32_t active)
{
    const uint32_t *words = transpose_block(block);
    compress(state->word, state->word, words, words + WORDS * SP_LANES, 0, active);
}

// Behind the digest in the outer block: words 8 … 15 of all lanes, the first of them the end bit,
// the last the length of a key block and a digest in bits.
static const struct sp_lanes padding = {
    .word = {[0 ... 15] = 0x80000000, [112 ... 127] = 8 * (64 + 32)},
};

static void finish(uint8_t (*digest)[SP_SHA256_BYTES], const struct sp_lanes *inner,
                   const struct sp_lanes *outer, uint32_t active)
{
    uint32_t *end = (uint32_t *)digest;
    compress(end, outer->word, inner->word, padding.word, 0, active);
    transpose_state(end);
}

const struct sp_sha256_kernel sp_sha256_avx512 = {
    .fill = fill,
    .start_key = start_key,
    .absorb = absorb,
    .finish = finish,
};
