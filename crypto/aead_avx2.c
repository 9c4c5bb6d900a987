// AES-256-GCM with VAES and VPCLMULQDQ on 256-bit vectors: two lanes. Any thread; a key belongs to
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
#define LANES 2u
#define VECTOR_BYTES (LANES * BLOCK_BYTES)
#define CHUNK_VECTORS 8u // in the cipher at once: latency 4, two a cycle

// Lane-major up to so many blocks of text, message-major beyond. Measured in batches of 32, as a
// ratio to intel-ipsec-mb (lane-major, message-major): 64 B 0.88, 0.71; 112 B 0.62, 0.56; 224 B
// 0.58, 0.66. Raw keys: the whole of their expansion is in lanes, so always as far as it goes.
#define SHORT_PREPARED_BLOCKS 8u
#define SHORT_BLOCKS 16u // the same for raw keys without like company
#define SHORT_COMPANY 2u // fewer with prepared keys go message-major
#define RAW_COMPANY 2u   // fewer long ones with raw keys likewise
#define FETCH_AHEAD 2u   // groups whose keys are fetched before they are used

// Stack that the kernels take, to be wiped; see aead_kernel.h.
#define LONG_FRAME_BYTES 1536
#define SHORT_FRAME_BYTES 2048
#define SHORT_4_FRAME_BYTES 1536
#define RAW_FRAME_BYTES 3904
#define RAW_SHORT_FRAME_BYTES 2112

typedef __m256i vec;

INLINE vec splat(__m128i block)
{
    return _mm256_broadcastsi128_si256(block);
}

INLINE vec splat_load(const __m128i *block)
{
    return splat(_mm_loadu_si128(block));
}

INLINE vec widen(__m128i block)
{
    return _mm256_zextsi128_si256(block);
}

INLINE __m128i first_lane(vec v)
{
    return _mm256_castsi256_si128(v);
}

INLINE vec xor_vec(vec a, vec b)
{
    return _mm256_xor_si256(a, b);
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
    return _mm256_and_si256(a, b);
}

INLINE vec or_vec(vec a, vec b)
{
    return _mm256_or_si256(a, b);
}

INLINE vec add_words(vec a, vec b)
{
    return _mm256_add_epi32(a, b);
}

INLINE vec aes_round(vec v, vec key)
{
    return _mm256_aesenc_epi128(v, key);
}

INLINE vec aes_last(vec v, vec key)
{
    return _mm256_aesenclast_epi128(v, key);
}

INLINE vec multiply_low(vec a, vec b)
{
    return _mm256_clmulepi64_epi128(a, b, 0x00);
}

INLINE vec multiply_high(vec a, vec b)
{
    return _mm256_clmulepi64_epi128(a, b, 0x11);
}

INLINE vec multiply_low_high(vec a, vec b)
{
    return _mm256_clmulepi64_epi128(a, b, 0x10);
}

INLINE vec multiply_high_low(vec a, vec b)
{
    return _mm256_clmulepi64_epi128(a, b, 0x01);
}

INLINE vec shuffle_bytes(vec v, vec places)
{
    return _mm256_shuffle_epi8(v, places);
}

INLINE vec swap_halves(vec v)
{
    return _mm256_shuffle_epi32(v, 0x4E);
}

INLINE vec low_to_high(vec v)
{
    return _mm256_bslli_epi128(v, 8);
}

INLINE vec slide_one_word(vec v)
{
    return _mm256_bslli_epi128(v, 4);
}

INLINE vec slide_two_words(vec v)
{
    return _mm256_bslli_epi128(v, 8);
}

INLINE vec spread_last_word(vec v)
{
    return _mm256_shuffle_epi32(v, 0xFF);
}

INLINE vec spread_sign(vec v)
{
    return _mm256_srai_epi32(v, 31);
}

INLINE vec double_halves(vec v)
{
    return _mm256_slli_epi64(v, 1);
}

INLINE vec top_bits(vec v)
{
    return _mm256_srli_epi64(v, 63);
}

INLINE __m128i sum_lanes(vec v)
{
    return _mm_xor_si128(first_lane(v), _mm256_extracti128_si256(v, 1));
}

INLINE vec splat_word(int word)
{
    return _mm256_set1_epi32(word);
}

// In the low half of each block.
INLINE vec low_halves(long long low)
{
    return _mm256_set_epi64x(0, low, 0, low);
}

// In the last word of each block.
INLINE vec last_word(int word)
{
    return _mm256_set_epi32(word, 0, 0, 0, word, 0, 0, 0);
}

// For shuffle_bytes: each block from its end. Whole, or the compiler spreads it at every use.
INLINE vec reversal(void)
{
    const long long high = 0x0001020304050607ll, low = 0x08090A0B0C0D0E0Fll;
    return _mm256_set_epi64x(high, low, high, low);
}

// The number of each lane, in each of its words.
INLINE vec lane_numbers(void)
{
    return _mm256_set_epi32(1, 1, 1, 1, 0, 0, 0, 0);
}

INLINE vec words_to_last_byte(vec v)
{
    return _mm256_slli_epi32(v, 24);
}

INLINE vec spread_first_word(vec v)
{
    return _mm256_shuffle_epi32(v, 0x00);
}

// The first word of each lane becomes word j of `columns`.
INLINE vec set_first_column(vec v, vec columns, size_t j)
{
    switch (j) {
    case 0:
        return _mm256_blend_epi32(v, _mm256_shuffle_epi32(columns, 0), 0x11);
    case 1:
        return _mm256_blend_epi32(v, _mm256_shuffle_epi32(columns, 1), 0x11);
    case 2:
        return _mm256_blend_epi32(v, _mm256_shuffle_epi32(columns, 2), 0x11);
    default:
        return _mm256_blend_epi32(v, _mm256_shuffle_epi32(columns, 3), 0x11);
    }
}

INLINE vec load_vec(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

INLINE void store_vec(uint8_t *to, vec v)
{
    _mm256_storeu_si256((__m256i *)to, v);
}

INLINE vec load_part(const uint8_t *from, size_t len)
{
    if (len <= BLOCK_BYTES)
        return widen(load_block_part(from, len));
    return _mm256_inserti128_si256(widen(_mm_loadu_si128((const __m128i *)from)),
                                   load_block_part(from + BLOCK_BYTES, len - BLOCK_BYTES), 1);
}

INLINE void store_part(uint8_t *to, vec v, size_t len)
{
    store_block_part(to, first_lane(v), len);
    if (len > BLOCK_BYTES)
        store_block_part(to + BLOCK_BYTES, _mm256_extracti128_si256(v, 1), len - BLOCK_BYTES);
}

INLINE vec keep_bytes(vec v, size_t len)
{
    const __m256i kept =
        _mm256_inserti128_si256(widen(first_bytes(len, 0)), first_bytes(len, 16), 1);
    return _mm256_and_si256(v, kept);
}

INLINE vec join_lanes(const __m128i block[LANES])
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(block[0]), block[1], 1);
}

INLINE void split_lanes(__m128i block[LANES], vec v)
{
    block[0] = _mm256_castsi256_si128(v);
    block[1] = _mm256_extracti128_si256(v, 1);
}

INLINE vec load_lanes(const uint8_t *const from[LANES], size_t offset)
{
    const __m128i block[LANES] = {_mm_loadu_si128((const __m128i *)(from[0] + offset)),
                                  _mm_loadu_si128((const __m128i *)(from[1] + offset))};
    return join_lanes(block);
}

// Row i, lane j becomes row j, lane i.
INLINE void transpose(vec row[LANES])
{
    const vec low = _mm256_permute2x128_si256(row[0], row[1], 0x20);
    row[1] = _mm256_permute2x128_si256(row[0], row[1], 0x31);
    row[0] = low;
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
    return xor_vec(_mm256_permute2x128_si256(row[0], row[1], 0x20),
                   _mm256_permute2x128_si256(row[0], row[1], 0x31));
}

#include "aead_batch.h"

const struct sp_aead_tier sp_aead_avx2 = {
    .init = init,
    .init_key = init_key,
    .free_key = free_key,
    .seal_batch = seal_batch,
    .open_batch = open_batch,
};
