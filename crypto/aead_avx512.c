// AES-256-GCM with VAES and VPCLMULQDQ on 512-bit vectors: four lanes. Any thread; a key belongs to
// one at a time. The message path never allocates, never fails, and neither branches on a secret
// nor indexes by one.
#include <assert.h>
#include <errno.h>
#include <immintrin.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// Full unrolling: arrays of vectors are to live in registers.
#define UNROLL _Pragma("GCC unroll 20")
#define INLINE static inline __attribute__((always_inline))

#define BLOCK_BYTES 16u
#define LANES 4u
#define VECTOR_BYTES (LANES * BLOCK_BYTES)
#define CHUNK_VECTORS 8u // in the cipher at once: latency 4, two a cycle

// Lane-major up to so many blocks of text under prepared keys, message-major beyond. Measured on
// Zen 4, 256 B: 32 ns in a full group, 44 ns message-major, so that three alone are faster than a
// group with one lane empty.
#define SHORT_PREPARED_BLOCKS 16u
#define SHORT_BLOCKS 16u // the same for raw keys without company of their length
#define SHORT_COMPANY 4u // fewer with prepared keys go message-major
#define RAW_COMPANY 4u   // fewer long ones with raw keys likewise
#define FETCH_AHEAD 2u   // groups whose keys are fetched before they are used

// Stack that the kernels take, to be wiped; see aead_kernel.h.
#define LONG_FRAME_BYTES 1152
#define SHORT_FRAME_BYTES 2944
#define SHORT_4_FRAME_BYTES 2240
#define RAW_FRAME_BYTES 5504
#define RAW_SHORT_FRAME_BYTES 3840

typedef __m512i vec;

INLINE vec splat(__m128i block)
{
    return _mm512_broadcast_i32x4(block);
}

INLINE vec splat_load(const __m128i *block)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128(block));
}

INLINE vec widen(__m128i block)
{
    return _mm512_zextsi128_si512(block);
}

INLINE __m128i first_lane(vec v)
{
    return _mm512_castsi512_si128(v);
}

INLINE vec xor_vec(vec a, vec b)
{
    return _mm512_xor_si512(a, b);
}

INLINE vec xor3_vec(vec a, vec b, vec c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

// Computed here and now. Left alone the compiler puts a sum's additions off and spills the terms,
// and takes apart what was interleaved.
INLINE vec settle(vec v)
{
    __asm__ volatile("" : "+v"(v));
    return v;
}

INLINE vec and_vec(vec a, vec b)
{
    return _mm512_and_si512(a, b);
}

INLINE vec or_vec(vec a, vec b)
{
    return _mm512_or_si512(a, b);
}

INLINE vec add_words(vec a, vec b)
{
    return _mm512_add_epi32(a, b);
}

INLINE vec aes_round(vec v, vec key)
{
    return _mm512_aesenc_epi128(v, key);
}

INLINE vec aes_last(vec v, vec key)
{
    return _mm512_aesenclast_epi128(v, key);
}

INLINE vec multiply_low(vec a, vec b)
{
    return _mm512_clmulepi64_epi128(a, b, 0x00);
}

INLINE vec multiply_high(vec a, vec b)
{
    return _mm512_clmulepi64_epi128(a, b, 0x11);
}

INLINE vec multiply_low_high(vec a, vec b)
{
    return _mm512_clmulepi64_epi128(a, b, 0x10);
}

INLINE vec multiply_high_low(vec a, vec b)
{
    return _mm512_clmulepi64_epi128(a, b, 0x01);
}

INLINE vec shuffle_bytes(vec v, vec places)
{
    return _mm512_shuffle_epi8(v, places);
}

INLINE vec swap_halves(vec v)
{
    return _mm512_shuffle_epi32(v, 0x4E);
}

INLINE vec low_to_high(vec v)
{
    return _mm512_unpacklo_epi64(_mm512_setzero_si512(), v);
}

INLINE vec slide_one_word(vec v)
{
    return _mm512_maskz_shuffle_epi32(0xEEEE, v, 0x90);
}

INLINE vec slide_two_words(vec v)
{
    return _mm512_unpacklo_epi64(_mm512_setzero_si512(), v);
}

INLINE vec spread_last_word(vec v)
{
    return _mm512_shuffle_epi32(v, 0xFF);
}

INLINE vec spread_sign(vec v)
{
    return _mm512_srai_epi32(v, 31);
}

INLINE vec double_halves(vec v)
{
    return _mm512_slli_epi64(v, 1);
}

INLINE vec top_bits(vec v)
{
    return _mm512_srli_epi64(v, 63);
}

INLINE __m128i sum_lanes(vec v)
{
    const __m256i half =
        _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

INLINE vec splat_word(int word)
{
    return _mm512_set1_epi32(word);
}

// In the low half of each block.
INLINE vec low_halves(long long low)
{
    return _mm512_set_epi64(0, low, 0, low, 0, low, 0, low);
}

// In the last word of each block.
INLINE vec last_word(int word)
{
    return _mm512_set_epi32(word, 0, 0, 0, word, 0, 0, 0, word, 0, 0, 0, word, 0, 0, 0);
}

// For shuffle_bytes: each block from its end. Whole, or the compiler spreads it at every use.
INLINE vec reversal(void)
{
    const long long high = 0x0001020304050607ll, low = 0x08090A0B0C0D0E0Fll;
    return _mm512_set_epi64(high, low, high, low, high, low, high, low);
}

// The number of each lane, in each of its words.
INLINE vec lane_numbers(void)
{
    return _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
}

INLINE vec words_to_last_byte(vec v)
{
    return _mm512_slli_epi32(v, 24);
}

INLINE vec spread_first_word(vec v)
{
    return _mm512_shuffle_epi32(v, 0x00);
}

// The first word of each lane becomes word j of `columns`.
INLINE vec set_first_column(vec v, vec columns, size_t j)
{
    switch (j) {
    case 0:
        return _mm512_mask_shuffle_epi32(v, 0x1111, columns, 0);
    case 1:
        return _mm512_mask_shuffle_epi32(v, 0x1111, columns, 1);
    case 2:
        return _mm512_mask_shuffle_epi32(v, 0x1111, columns, 2);
    default:
        return _mm512_mask_shuffle_epi32(v, 0x1111, columns, 3);
    }
}

INLINE vec load_vec(const uint8_t *from)
{
    return _mm512_loadu_si512(from);
}

INLINE void store_vec(uint8_t *to, vec v)
{
    _mm512_storeu_si512(to, v);
}

INLINE __mmask64 first_bytes(size_t len)
{
    return len >= VECTOR_BYTES ? ~0ull : (1ull << len) - 1;
}
INLINE vec load_part(const uint8_t *from, size_t len)
{
    return _mm512_maskz_loadu_epi8(first_bytes(len), from);
}

INLINE void store_part(uint8_t *to, vec v, size_t len)
{
    _mm512_mask_storeu_epi8(to, first_bytes(len), v);
}

INLINE vec keep_bytes(vec v, size_t len)
{
    return _mm512_maskz_mov_epi8(first_bytes(len), v);
}

INLINE __m128i load_block_part(const uint8_t *from, size_t len)
{
    return _mm_maskz_loadu_epi8((__mmask16)((1u << len) - 1), from);
}

INLINE vec join_lanes(const __m128i block[LANES])
{
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(block[0]), block[1], 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(block[2]), block[3], 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

INLINE void split_lanes(__m128i block[LANES], vec v)
{
    block[0] = _mm512_castsi512_si128(v);
    block[1] = _mm512_extracti32x4_epi32(v, 1);
    block[2] = _mm512_extracti32x4_epi32(v, 2);
    block[3] = _mm512_extracti32x4_epi32(v, 3);
}

INLINE __m128i load_block(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

INLINE vec load_lanes(const uint8_t *const from[LANES], size_t offset)
{
    const __m128i block[LANES] = {load_block(from[0] + offset), load_block(from[1] + offset),
                                  load_block(from[2] + offset), load_block(from[3] + offset)};
    return join_lanes(block);
}

// Row i, lane j becomes row j, lane i.
INLINE void transpose(vec row[LANES])
{
    const vec a = _mm512_shuffle_i64x2(row[0], row[1], 0x44);
    const vec b = _mm512_shuffle_i64x2(row[0], row[1], 0xEE);
    const vec c = _mm512_shuffle_i64x2(row[2], row[3], 0x44);
    const vec d = _mm512_shuffle_i64x2(row[2], row[3], 0xEE);
    row[0] = _mm512_shuffle_i64x2(a, c, 0x88);
    row[1] = _mm512_shuffle_i64x2(a, c, 0xDD);
    row[2] = _mm512_shuffle_i64x2(b, d, 0x88);
    row[3] = _mm512_shuffle_i64x2(b, d, 0xDD);
}

// A block of each lane of two vectors, from its end. `lanes`: 16 times the number of each, those of
// the second vector from 4 on.
INLINE vec pick_reversed(vec first, vec second, vec lanes)
{
    return _mm512_permutex2var_epi8(first, _mm512_add_epi8(reversal(), lanes), second);
}

// The same, and each block from its end, which takes no more instructions than without.
INLINE void transpose_reversed(vec row[LANES])
{
    const vec even = _mm512_set_epi32(0x60606060, 0x60606060, 0x60606060, 0x60606060, 0x40404040,
                                      0x40404040, 0x40404040, 0x40404040, 0x20202020, 0x20202020,
                                      0x20202020, 0x20202020, 0, 0, 0, 0);
    const vec odd = _mm512_add_epi8(even, _mm512_set1_epi8(0x10));
    const vec a = _mm512_shuffle_i64x2(row[0], row[1], 0x44);
    const vec b = _mm512_shuffle_i64x2(row[0], row[1], 0xEE);
    const vec c = _mm512_shuffle_i64x2(row[2], row[3], 0x44);
    const vec d = _mm512_shuffle_i64x2(row[2], row[3], 0xEE);
    row[0] = pick_reversed(a, c, even);
    row[1] = pick_reversed(a, c, odd);
    row[2] = pick_reversed(b, d, even);
    row[3] = pick_reversed(b, d, odd);
}

// Lane l becomes the sum of row l's lanes.
INLINE vec sum_rows(const vec row[LANES])
{
    const vec a = xor_vec(_mm512_shuffle_i64x2(row[0], row[1], 0x44),
                          _mm512_shuffle_i64x2(row[0], row[1], 0xEE));
    const vec b = xor_vec(_mm512_shuffle_i64x2(row[2], row[3], 0x44),
                          _mm512_shuffle_i64x2(row[2], row[3], 0xEE));
    return xor_vec(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xDD));
}

#include "aead_batch.h"

const struct sp_aead_tier sp_aead_avx512 = {
    .init = init,
    .init_key = init_key,
    .free_key = free_key,
    .seal_batch = seal_batch,
    .open_batch = open_batch,
};
