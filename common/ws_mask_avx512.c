// WebSocket masking, 64 bytes at a time (AVX-512 F, BW, VL). Under 64 bytes one masked vector;
// above, the first and the last vector overlap the aligned ones between them as in ws_mask_avx2.c.
#include <immintrin.h>

#include "ws_mask_impl.h"

#define VECTOR_BYTES 64u

void ws_mask_avx512(uint8_t *out, const uint8_t *in, size_t len, uint32_t key)
{
    __m512i first_key = _mm512_set1_epi32((int)key);

    if (len < VECTOR_BYTES) {
        // Bytes outside the mask are neither read nor written, also across a page's end.
        __mmask64 inside = (1ull << len) - 1;
        __m512i only = _mm512_maskz_loadu_epi8(inside, in);
        _mm512_mask_storeu_epi8(out, inside, _mm512_xor_si512(only, first_key));
        return;
    }

    size_t last_at = len - VECTOR_BYTES;
    __m512i last_key = _mm512_set1_epi32((int)ws_mask_rotate_key(key, len));
    __m512i first = _mm512_xor_si512(_mm512_loadu_si512(in), first_key);
    __m512i last = _mm512_xor_si512(_mm512_loadu_si512(in + last_at), last_key);

    size_t head = VECTOR_BYTES - ((uintptr_t)out & (VECTOR_BYTES - 1));
    __m512i wide_key = _mm512_set1_epi32((int)ws_mask_rotate_key(key, head));
    for (size_t at = head; at < last_at; at += VECTOR_BYTES)
        _mm512_store_si512(out + at, _mm512_xor_si512(_mm512_loadu_si512(in + at), wide_key));
    _mm512_storeu_si512(out, first);
    _mm512_storeu_si512(out + last_at, last);
}
