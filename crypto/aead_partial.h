// Parts of a block for the tiers without masked loads: nothing beyond the part is touched. Lengths
// are public and may be branched on.
#ifndef SEALCRYPTO_AEAD_PARTIAL_H
#define SEALCRYPTO_AEAD_PARTIAL_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

// 1 … 8 bytes, zeroes above: two loads that may overlap, or three bytes.
static inline uint64_t load_some(const uint8_t *from, size_t len)
{
    if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, from, sizeof(first));
        memcpy(&last, from + len - 4, sizeof(last));
        return first | (uint64_t)last << (8 * (len - 4));
    }
    const uint64_t first = from[0], middle = from[len / 2], last = from[len - 1];
    return first | middle << (8 * (len / 2)) | last << (8 * (len - 1));
}

static inline void store_some(uint8_t *to, uint64_t bytes, size_t len)
{
    if (len >= 4) {
        const uint32_t first = (uint32_t)bytes, last = (uint32_t)(bytes >> (8 * (len - 4)));
        memcpy(to, &first, sizeof(first));
        memcpy(to + len - 4, &last, sizeof(last));
        return;
    }
    to[0] = (uint8_t)bytes;
    to[len / 2] = (uint8_t)(bytes >> (8 * (len / 2)));
    to[len - 1] = (uint8_t)(bytes >> (8 * (len - 1)));
}

// 0 … 16 bytes.
static inline __m128i load_block_part(const uint8_t *from, size_t len)
{
    if (len >= 16)
        return _mm_loadu_si128((const __m128i *)from);
    if (len == 0)
        return _mm_setzero_si128();
    if (len <= 8)
        return _mm_cvtsi64_si128((long long)load_some(from, len));
    uint64_t low;
    memcpy(&low, from, sizeof(low));
    return _mm_set_epi64x((long long)load_some(from + 8, len - 8), (long long)low);
}

static inline void store_block_part(uint8_t *to, __m128i block, size_t len)
{
    const uint64_t low = (uint64_t)_mm_cvtsi128_si64(block);
    if (len >= 16) {
        _mm_storeu_si128((__m128i *)to, block);
    } else if (len > 8) {
        memcpy(to, &low, sizeof(low));
        store_some(to + 8, (uint64_t)_mm_extract_epi64(block, 1), len - 8);
    } else if (len > 0) {
        store_some(to, low, len);
    }
}

// The first `len` of 0 … 32 bytes all ones, 16 of them from byte `from` on.
static inline __m128i first_bytes(size_t len, size_t from)
{
    static const uint8_t ones_then_zeroes[64] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    return _mm_loadu_si128((const __m128i *)(ones_then_zeroes + 32 - len + from));
}

#endif
