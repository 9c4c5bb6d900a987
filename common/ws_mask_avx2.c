// WebSocket masking, 32 bytes at a time. The first and the last vector are loaded before anything
// is stored and stored after everything else: they may overlap the aligned vectors between them,
// and what they hold is right wherever they do. So there is no scalar tail, and stores between
// them do not cross cache lines.
#include <immintrin.h>

#include "ws_mask_impl.h"

#define VECTOR_BYTES 32u

// 8 … 31 bytes as two overlapping halves of 8 or 16; fewer byte by byte or as two of 4.
static void mask_short(uint8_t *bytes, size_t len, uint32_t key)
{
    uint32_t last_key = ws_mask_rotate_key(key, len);

    if (len >= 16) {
        __m128i *first_at = (__m128i *)(void *)bytes;
        __m128i *last_at = (__m128i *)(void *)(bytes + len - 16);
        __m128i first = _mm_xor_si128(_mm_loadu_si128(first_at), _mm_set1_epi32((int)key));
        __m128i last = _mm_xor_si128(_mm_loadu_si128(last_at), _mm_set1_epi32((int)last_key));
        _mm_storeu_si128(first_at, first);
        _mm_storeu_si128(last_at, last);
    } else if (len >= 8) {
        uint64_t first, last;
        memcpy(&first, bytes, 8);
        memcpy(&last, bytes + len - 8, 8);
        first ^= (uint64_t)key << 32 | key;
        last ^= (uint64_t)last_key << 32 | last_key;
        memcpy(bytes, &first, 8);
        memcpy(bytes + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, bytes, 4);
        memcpy(&last, bytes + len - 4, 4);
        first ^= key;
        last ^= last_key;
        memcpy(bytes, &first, 4);
        memcpy(bytes + len - 4, &last, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            bytes[i] ^= (uint8_t)(key >> 8 * i);
    }
}

void ws_mask_avx2(uint8_t *bytes, size_t len, uint32_t key)
{
    if (len < VECTOR_BYTES) {
        mask_short(bytes, len, key);
        return;
    }

    __m256i *first_at = (__m256i *)(void *)bytes;
    __m256i *last_at = (__m256i *)(void *)(bytes + len - VECTOR_BYTES);
    __m256i last_key = _mm256_set1_epi32((int)ws_mask_rotate_key(key, len));
    __m256i first = _mm256_xor_si256(_mm256_loadu_si256(first_at), _mm256_set1_epi32((int)key));
    __m256i last = _mm256_xor_si256(_mm256_loadu_si256(last_at), last_key);

    size_t head = VECTOR_BYTES - ((uintptr_t)bytes & (VECTOR_BYTES - 1));
    __m256i wide_key = _mm256_set1_epi32((int)ws_mask_rotate_key(key, head));
    __m256i *at = (__m256i *)(void *)(bytes + head);
    for (; (uint8_t *)at < (uint8_t *)last_at; at++)
        _mm256_store_si256(at, _mm256_xor_si256(_mm256_load_si256(at), wide_key));
    _mm256_storeu_si256(first_at, first);
    _mm256_storeu_si256(last_at, last);
}
