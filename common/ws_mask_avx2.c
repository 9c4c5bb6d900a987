// WebSocket masking, 32 bytes at a time. The first and the last vector are loaded before anything
// is stored and stored after everything else: they may overlap the aligned vectors between them,
// and what they hold is right wherever they do. So there is no scalar tail, and stores between
// them do not cross cache lines.
#include <immintrin.h>

#include "ws_mask_impl.h"

#define VECTOR_BYTES 32u

// 4 … 31 bytes as two overlapping parts of 4, 8 or 16, both loaded before either is stored; fewer
// byte by byte.
static void mask_short(uint8_t *out, const uint8_t *in, size_t len, uint32_t key)
{
    uint32_t last_key = ws_mask_rotate_key(key, len);

    if (len >= 16) {
        __m128i first = _mm_loadu_si128((const __m128i *)(const void *)in);
        __m128i last = _mm_loadu_si128((const __m128i *)(const void *)(in + len - 16));
        first = _mm_xor_si128(first, _mm_set1_epi32((int)key));
        last = _mm_xor_si128(last, _mm_set1_epi32((int)last_key));
        _mm_storeu_si128((__m128i *)(void *)out, first);
        _mm_storeu_si128((__m128i *)(void *)(out + len - 16), last);
    } else if (len >= 8) {
        uint64_t first, last;
        memcpy(&first, in, 8);
        memcpy(&last, in + len - 8, 8);
        first ^= (uint64_t)key << 32 | key;
        last ^= (uint64_t)last_key << 32 | last_key;
        memcpy(out, &first, 8);
        memcpy(out + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, in, 4);
        memcpy(&last, in + len - 4, 4);
        first ^= key;
        last ^= last_key;
        memcpy(out, &first, 4);
        memcpy(out + len - 4, &last, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            out[i] = in[i] ^ (uint8_t)(key >> 8 * i);
    }
}

void ws_mask_avx2(uint8_t *out, const uint8_t *in, size_t len, uint32_t key)
{
    if (len < VECTOR_BYTES) {
        mask_short(out, in, len, key);
        return;
    }

    size_t last_at = len - VECTOR_BYTES;
    __m256i last_key = _mm256_set1_epi32((int)ws_mask_rotate_key(key, len));
    __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)in);
    __m256i last = _mm256_loadu_si256((const __m256i *)(const void *)(in + last_at));
    first = _mm256_xor_si256(first, _mm256_set1_epi32((int)key));
    last = _mm256_xor_si256(last, last_key);

    size_t head = VECTOR_BYTES - ((uintptr_t)out & (VECTOR_BYTES - 1));
    __m256i wide_key = _mm256_set1_epi32((int)ws_mask_rotate_key(key, head));
    for (size_t at = head; at < last_at; at += VECTOR_BYTES) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(in + at));
        _mm256_store_si256((__m256i *)(void *)(out + at), _mm256_xor_si256(v, wide_key));
    }
    _mm256_storeu_si256((__m256i *)(void *)out, first);
    _mm256_storeu_si256((__m256i *)(void *)(out + last_at), last);
}
