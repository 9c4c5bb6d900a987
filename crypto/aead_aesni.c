// AES-256-GCM with AES-NI and PCLMULQDQ: vectors of one lane. Any thread; a key belongs to
// one at a time. The message path never allocates, never fails, and neither branches on a secret
// nor indexes by one.
#include <assert.h>
#include <errno.h>
#include <immintrin.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "aead_partial.h"
#include "internal.h"

// Full unrolling: arrays of vectors are to live in registers.
#define UNROLL _Pragma("GCC unroll 20")
#define INLINE static inline __attribute__((always_inline))

#define BLOCK_BYTES 16u
#define LANES 1u
#define VECTOR_BYTES (LANES * BLOCK_BYTES)
#define CHUNK_VECTORS 8u // in the cipher at once: latency 4, two a cycle

// Lane-major up to so many blocks of text, message-major beyond. Measured in batches of 32, as a
// ratio to intel-ipsec-mb (lane-major, message-major): 16 B 0.64, 0.54; 64 B 0.58, 0.54; 112 B
// 0.36, 0.43. Raw keys: the whole of their expansion is in lanes, so always as far as it goes.
#define SHORT_PREPARED_BLOCKS 4u
#define SHORT_BLOCKS 16u // the same for raw keys without like company
#define SHORT_COMPANY 2u // fewer with prepared keys go message-major
#define RAW_COMPANY 2u   // fewer long ones with raw keys likewise
#define FETCH_AHEAD 2u   // groups whose keys are fetched before they are used

// Stack that the kernels take, to be wiped; see aead_kernel.h.
#define LONG_FRAME_BYTES 896
#define SHORT_FRAME_BYTES 704
#define SHORT_4_FRAME_BYTES 512
#define RAW_FRAME_BYTES 1984
#define RAW_SHORT_FRAME_BYTES 1216

typedef __m128i vec;

INLINE vec splat(__m128i block)
{
    return block;
}

INLINE vec splat_load(const __m128i *block)
{
    return splat(_mm_loadu_si128(block));
}

INLINE vec widen(__m128i block)
{
    return block;
}

INLINE __m128i first_lane(vec v)
{
    return v;
}

INLINE vec xor_vec(vec a, vec b)
{
    return _mm_xor_si128(a, b);
}

INLINE vec xor3_vec(vec a, vec b, vec c)
{
    return xor_vec(xor_vec(a, b), c);
}

// Computed here and now. Left alone the compiler puts a sum's additions off and spills the terms,
// and takes apart what was interleaved.
INLINE vec settle(vec v)
{
    __asm__ volatile("" : "+x"(v));
    return v;
}

INLINE vec and_vec(vec a, vec b)
{
    return _mm_and_si128(a, b);
}

INLINE vec or_vec(vec a, vec b)
{
    return _mm_or_si128(a, b);
}

INLINE vec add_words(vec a, vec b)
{
    return _mm_add_epi32(a, b);
}

INLINE vec aes_round(vec v, vec key)
{
    return _mm_aesenc_si128(v, key);
}

INLINE vec aes_last(vec v, vec key)
{
    return _mm_aesenclast_si128(v, key);
}

INLINE vec multiply_low(vec a, vec b)
{
    return _mm_clmulepi64_si128(a, b, 0x00);
}

INLINE vec multiply_high(vec a, vec b)
{
    return _mm_clmulepi64_si128(a, b, 0x11);
}

INLINE vec multiply_low_high(vec a, vec b)
{
    return _mm_clmulepi64_si128(a, b, 0x10);
}

INLINE vec multiply_high_low(vec a, vec b)
{
    return _mm_clmulepi64_si128(a, b, 0x01);
}

INLINE vec shuffle_bytes(vec v, vec places)
{
    return _mm_shuffle_epi8(v, places);
}

INLINE vec swap_halves(vec v)
{
    return _mm_shuffle_epi32(v, 0x4E);
}

INLINE vec low_to_high(vec v)
{
    return _mm_bslli_si128(v, 8);
}

INLINE vec slide_one_word(vec v)
{
    return _mm_bslli_si128(v, 4);
}

INLINE vec slide_two_words(vec v)
{
    return _mm_bslli_si128(v, 8);
}

INLINE vec spread_last_word(vec v)
{
    return _mm_shuffle_epi32(v, 0xFF);
}

INLINE vec spread_sign(vec v)
{
    return _mm_srai_epi32(v, 31);
}

INLINE vec double_halves(vec v)
{
    return _mm_slli_epi64(v, 1);
}

INLINE vec top_bits(vec v)
{
    return _mm_srli_epi64(v, 63);
}

INLINE __m128i sum_lanes(vec v)
{
    return v;
}

INLINE vec splat_word(int word)
{
    return _mm_set1_epi32(word);
}

// In the low half of each block.
INLINE vec low_halves(long long low)
{
    return _mm_set_epi64x(0, low);
}

// In the last word of each block.
INLINE vec last_word(int word)
{
    return _mm_set_epi32(word, 0, 0, 0);
}

// For shuffle_bytes: each block from its end. Whole, or the compiler spreads it at every use.
INLINE vec reversal(void)
{
    return _mm_set_epi64x(0x0001020304050607ll, 0x08090A0B0C0D0E0Fll);
}

// The number of each lane, in each of its words.
INLINE vec lane_numbers(void)
{
    return _mm_setzero_si128();
}

INLINE vec words_to_last_byte(vec v)
{
    return _mm_slli_epi32(v, 24);
}

INLINE vec spread_first_word(vec v)
{
    return _mm_shuffle_epi32(v, 0x00);
}

// The first word of each lane becomes word j of `columns`.
INLINE vec set_first_column(vec v, vec columns, size_t j)
{
    switch (j) {
    case 0:
        return _mm_blend_epi16(v, _mm_shuffle_epi32(columns, 0), 0x03);
    case 1:
        return _mm_blend_epi16(v, _mm_shuffle_epi32(columns, 1), 0x03);
    case 2:
        return _mm_blend_epi16(v, _mm_shuffle_epi32(columns, 2), 0x03);
    default:
        return _mm_blend_epi16(v, _mm_shuffle_epi32(columns, 3), 0x03);
    }
}

INLINE vec load_vec(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

INLINE void store_vec(uint8_t *to, vec v)
{
    _mm_storeu_si128((__m128i *)to, v);
}

INLINE vec load_part(const uint8_t *from, size_t len)
{
    return load_block_part(from, len);
}

INLINE void store_part(uint8_t *to, vec v, size_t len)
{
    store_block_part(to, v, len);
}

INLINE vec keep_bytes(vec v, size_t len)
{
    return _mm_and_si128(v, first_bytes(len, 0));
}

INLINE vec join_lanes(const __m128i block[LANES])
{
    return block[0];
}

INLINE void split_lanes(__m128i block[LANES], vec v)
{
    block[0] = v;
}

INLINE vec load_lanes(const uint8_t *const from[LANES], size_t offset)
{
    return _mm_loadu_si128((const __m128i *)(from[0] + offset));
}

// Row i, lane j becomes row j, lane i.
INLINE void transpose(vec row[LANES])
{
    (void)row;
}

// The same, and each block from its end.
INLINE void transpose_reversed(vec row[LANES])
{
    transpose(row);
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        row[l] = shuffle_bytes(row[l], reversal());
}

// Lane l becomes the sum of row l's lanes.
INLINE vec sum_rows(const vec row[LANES])
{
    return row[0];
}

#include "aead_batch.h"

const struct sp_aead_tier sp_aead_aesni = {
    .init = init,
    .init_key = init_key,
    .free_key = free_key,
    .seal_batch = seal_batch,
    .open_batch = open_batch,
};
