// SHA-256 (FIPS 180-4) with the CPU's SHA instructions: two lanes at a time, because each one waits
// for its own results most of the time. Any thread; keeps nothing, allocates nothing, and neither
// branches on contents nor indexes by them.
//
// A state here is eight words in a row for each lane.
#include <immintrin.h>
#include <string.h>

#include "sha256_lanes.h"

#define INLINE static inline __attribute__((always_inline))

#define VECTORS 4u // of a block
#define STREAMS 2u // four would be a fourteenth faster, for twice the code
#define IPAD 0x36363636
#define OPAD 0x5C5C5C5C

// A block on its way, all of it in registers.
struct stream {
    const uint32_t *from; // the state before
    __m128i w[VECTORS];
    __m128i end[2]; // the state after
};

INLINE __m128i load(const uint32_t *words)
{
    return _mm_load_si128((const __m128i *)words);
}

// ---- the compression function -------------------------------------------------------------------

// The instructions want the variables as f e b a and h g d c, from the low word up.
INLINE void load_variables(__m128i s[2], const uint32_t *from)
{
    const __m128i abcd = load(from), efgh = load(from + 4);
    s[0] = _mm_shuffle_epi32(_mm_unpacklo_epi64(efgh, abcd), 0xB1);
    s[1] = _mm_shuffle_epi32(_mm_unpackhi_epi64(efgh, abcd), 0xB1);
}

INLINE void run_4_rounds(__m128i s[2], __m128i words, size_t t)
{
    const __m128i sum = _mm_add_epi32(words, load(&sp_sha256_constants[t]));
    s[1] = _mm_sha256rnds2_epu32(s[1], s[0], sum);
    s[0] = _mm_sha256rnds2_epu32(s[0], s[1], _mm_shuffle_epi32(sum, 0x0E));
}

// The next four words of the schedule in the place of the oldest four.
INLINE void extend(__m128i w[VECTORS], size_t oldest)
{
    const __m128i before_4 = w[(oldest + 3) % 4], before_8 = w[(oldest + 2) % 4];
    const __m128i before_7 = _mm_alignr_epi8(before_4, before_8, 4);
    const __m128i sigma_0 = _mm_sha256msg1_epu32(w[oldest], w[(oldest + 1) % 4]);
    w[oldest] = _mm_sha256msg2_epu32(_mm_add_epi32(sigma_0, before_7), before_4);
}

// Section 6.2.2, for `count` streams in step: a constant, 1 or 2.
INLINE void compress(struct stream *m, size_t count)
{
    __m128i s[STREAMS][2];
#pragma GCC unroll 2
    for (size_t i = 0; i < count; i++)
        load_variables(s[i], m[i].from);
#pragma GCC unroll 16
    for (size_t t = 0; t < SP_SHA256_ROUNDS; t += 4) {
#pragma GCC unroll 2
        for (size_t i = 0; i < count; i++) {
            run_4_rounds(s[i], m[i].w[t / 4 % VECTORS], t);
            if (t < SP_SHA256_ROUNDS - 16)
                extend(m[i].w, t / 4 % VECTORS);
        }
    }
#pragma GCC unroll 2
    for (size_t i = 0; i < count; i++) {
        const __m128i efab = _mm_shuffle_epi32(s[i][0], 0xB1);
        const __m128i ghcd = _mm_shuffle_epi32(s[i][1], 0xB1);
        m[i].end[0] = _mm_add_epi32(load(m[i].from), _mm_unpackhi_epi64(efab, ghcd));
        m[i].end[1] = _mm_add_epi32(load(m[i].from + 4), _mm_unpacklo_epi64(efab, ghcd));
    }
}

// ---- lanes --------------------------------------------------------------------------------------

// The next of the lanes that are left.
INLINE size_t take(uint32_t *lanes)
{
    const size_t lane = (size_t)__builtin_ctz(*lanes);
    *lanes &= *lanes - 1;
    return lane;
}

INLINE __m128i swap_bytes(__m128i words)
{
    return _mm_shuffle_epi8(words, _mm_set_epi64x(0x0C0D0E0F08090A0Bll, 0x0405060700010203ll));
}

// `pad` is added to each word.
INLINE void load_block(struct stream *m, const uint8_t block[SP_SHA256_BLOCK_BYTES], int pad)
{
    const __m128i *in = (const __m128i *)block;
#pragma GCC unroll 4
    for (size_t i = 0; i < VECTORS; i++)
        m->w[i] = _mm_xor_si128(swap_bytes(_mm_load_si128(&in[i])), _mm_set1_epi32(pad));
}

INLINE void store_state(struct sp_lanes *state, size_t lane, const struct stream *m)
{
    __m128i *out = (__m128i *)&state->word[lane * SP_SHA256_WORDS];
    _mm_store_si128(&out[0], m->end[0]);
    _mm_store_si128(&out[1], m->end[1]);
}

INLINE void absorb_lanes(struct sp_lanes *state, uint8_t (*block)[SP_SHA256_BLOCK_BYTES],
                         const size_t *lane, size_t count)
{
    struct stream m[STREAMS];
#pragma GCC unroll 2
    for (size_t i = 0; i < count; i++) {
        m[i].from = &state->word[lane[i] * SP_SHA256_WORDS];
        load_block(&m[i], block[lane[i]], 0);
    }
    compress(m, count);
#pragma GCC unroll 2
    for (size_t i = 0; i < count; i++)
        store_state(state, lane[i], &m[i]);
}

// The block is the inner digest, the end bit, and the length of a key block and a digest.
INLINE void finish_lanes(uint8_t (*digest)[SP_SHA256_BYTES], const struct sp_lanes *inner,
                         const struct sp_lanes *outer, const size_t *lane, size_t count)
{
    struct stream m[STREAMS];
#pragma GCC unroll 2
    for (size_t i = 0; i < count; i++) {
        const uint32_t *words = &inner->word[lane[i] * SP_SHA256_WORDS];
        m[i].from = &outer->word[lane[i] * SP_SHA256_WORDS];
        m[i].w[0] = load(words);
        m[i].w[1] = load(words + 4);
        m[i].w[2] = _mm_set_epi32(0, 0, 0, (int)0x80000000);
        m[i].w[3] = _mm_set_epi32(8 * (SP_SHA256_BLOCK_BYTES + SP_SHA256_BYTES), 0, 0, 0);
    }
    compress(m, count);
#pragma GCC unroll 2
    for (size_t i = 0; i < count; i++) {
        __m128i *out = (__m128i *)digest[lane[i]];
        _mm_store_si128(&out[0], swap_bytes(m[i].end[0]));
        _mm_store_si128(&out[1], swap_bytes(m[i].end[1]));
    }
}

// ---- the kernel ---------------------------------------------------------------------------------

static void fill(struct sp_lanes *state, const uint32_t words[SP_SHA256_WORDS])
{
    for (size_t lane = 0; lane < SP_LANES; lane++)
        memcpy(&state->word[lane * SP_SHA256_WORDS], words, SP_SHA256_BYTES);
}

static void start_key(struct sp_lanes *inner, struct sp_lanes *outer,
                      uint8_t (*key)[SP_SHA256_BLOCK_BYTES], uint32_t active)
{
    while (active != 0) {
        const size_t lane = take(&active);
        struct stream m[STREAMS] = {{.from = sp_sha256_initial}, {.from = sp_sha256_initial}};
        load_block(&m[0], key[lane], IPAD);
        load_block(&m[1], key[lane], OPAD);
        compress(m, 2);
        store_state(inner, lane, &m[0]);
        store_state(outer, lane, &m[1]);
    }
}

static void absorb(struct sp_lanes *state, uint8_t (*block)[SP_SHA256_BLOCK_BYTES], uint32_t active)
{
    while (active != 0) {
        size_t lane[STREAMS] = {take(&active)};
        if (active == 0) {
            absorb_lanes(state, block, lane, 1);
        } else {
            lane[1] = take(&active);
            absorb_lanes(state, block, lane, 2);
        }
    }
}

static void finish(uint8_t (*digest)[SP_SHA256_BYTES], const struct sp_lanes *inner,
                   const struct sp_lanes *outer, uint32_t active)
{
    while (active != 0) {
        size_t lane[STREAMS] = {take(&active)};
        if (active == 0) {
            finish_lanes(digest, inner, outer, lane, 1);
        } else {
            lane[1] = take(&active);
            finish_lanes(digest, inner, outer, lane, 2);
        }
    }
}

const struct sp_sha256_kernel sp_sha256_ni = {
    .fill = fill,
    .start_key = start_key,
    .absorb = absorb,
    .finish = finish,
};
