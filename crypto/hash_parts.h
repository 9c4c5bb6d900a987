// A message in three parts, read as one: what hashes in lanes load. For files compiled for AVX-512.
#ifndef SEALCRYPTO_HASH_PARTS_H
#define SEALCRYPTO_HASH_PARTS_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define SP_PARTS 3u
#define SP_VECTOR_BYTES 64u

// The first `count` bytes of a vector.
static inline __attribute__((always_inline)) __mmask64 sp_bytes_below(size_t count)
{
    return count >= SP_VECTOR_BYTES ? ~0ull : (1ull << count) - 1;
}

// Bytes `at` … `at` + 63 of part[0] ‖ part[1] ‖ part[2] ‖ 0x80 ‖ zeros: padded as SHA-2 wants it,
// but for the length. Bytes that are masked out are not read, wherever they lie.
static inline __attribute__((always_inline)) __m512i
sp_parts_load(const uint8_t *const part[SP_PARTS], const size_t len[SP_PARTS], size_t at)
{
    __m512i bytes = _mm512_setzero_si512();
    size_t begin = 0;
#pragma GCC unroll 3
    for (size_t i = 0; i < SP_PARTS; i++) {
        const size_t end = begin + len[i];
        if (begin < end && begin < at + SP_VECTOR_BYTES && end > at) {
            const uintptr_t from = (uintptr_t)part[i] + at - begin;
            const __mmask64 before = begin > at ? sp_bytes_below(begin - at) : 0;
            const __mmask64 inside = sp_bytes_below(end - at) & ~before;
            bytes = _mm512_mask_loadu_epi8(bytes, inside, (const void *)from);
        }
        begin = end;
    }
    if (begin - at < SP_VECTOR_BYTES)
        bytes = _mm512_mask_set1_epi8(bytes, 1ull << (begin - at), (char)0x80);
    return bytes;
}

#endif
