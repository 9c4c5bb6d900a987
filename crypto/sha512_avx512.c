// SHA-512 (FIPS 180-4) with AVX-512: eight messages, one in each 64-bit lane. Any thread; keeps
// nothing, allocates nothing, and neither branches on contents nor indexes by them. Contents may be
// secret, lengths are public: a lane whose message has ended is masked out.
#include "sha512_avx512.h"

#include <immintrin.h>

#include "hash_parts.h"
#include "internal.h"

#define INLINE static inline __attribute__((always_inline))

#define LANES 8u
#define BLOCK_BYTES 128u
#define HALF_BYTES 64u // of a block: one vector
#define WORDS 8u       // of a state, and of half a block
#define ROUNDS 80u
#define TRAILER_BYTES 17u // the bit that ends a message, its length in bits
_Static_assert(SP_SHA512_PARTS == SP_PARTS, "messages are loaded as others are");

// Section 4.2.3.
static const uint64_t constants[ROUNDS] = {
    0x428a2f98d728ae22ull, 0x7137449123ef65cdull, 0xb5c0fbcfec4d3b2full, 0xe9b5dba58189dbbcull,
    0x3956c25bf348b538ull, 0x59f111f1b605d019ull, 0x923f82a4af194f9bull, 0xab1c5ed5da6d8118ull,
    0xd807aa98a3030242ull, 0x12835b0145706fbeull, 0x243185be4ee4b28cull, 0x550c7dc3d5ffb4e2ull,
    0x72be5d74f27b896full, 0x80deb1fe3b1696b1ull, 0x9bdc06a725c71235ull, 0xc19bf174cf692694ull,
    0xe49b69c19ef14ad2ull, 0xefbe4786384f25e3ull, 0x0fc19dc68b8cd5b5ull, 0x240ca1cc77ac9c65ull,
    0x2de92c6f592b0275ull, 0x4a7484aa6ea6e483ull, 0x5cb0a9dcbd41fbd4ull, 0x76f988da831153b5ull,
    0x983e5152ee66dfabull, 0xa831c66d2db43210ull, 0xb00327c898fb213full, 0xbf597fc7beef0ee4ull,
    0xc6e00bf33da88fc2ull, 0xd5a79147930aa725ull, 0x06ca6351e003826full, 0x142929670a0e6e70ull,
    0x27b70a8546d22ffcull, 0x2e1b21385c26c926ull, 0x4d2c6dfc5ac42aedull, 0x53380d139d95b3dfull,
    0x650a73548baf63deull, 0x766a0abb3c77b2a8ull, 0x81c2c92e47edaee6ull, 0x92722c851482353bull,
    0xa2bfe8a14cf10364ull, 0xa81a664bbc423001ull, 0xc24b8b70d0f89791ull, 0xc76c51a30654be30ull,
    0xd192e819d6ef5218ull, 0xd69906245565a910ull, 0xf40e35855771202aull, 0x106aa07032bbd1b8ull,
    0x19a4c116b8d2d0c8ull, 0x1e376c085141ab53ull, 0x2748774cdf8eeb99ull, 0x34b0bcb5e19b48a8ull,
    0x391c0cb3c5c95a63ull, 0x4ed8aa4ae3418acbull, 0x5b9cca4f7763e373ull, 0x682e6ff3d6b2b8a3ull,
    0x748f82ee5defb2fcull, 0x78a5636f43172f60ull, 0x84c87814a1f0ab72ull, 0x8cc702081a6439ecull,
    0x90befffa23631e28ull, 0xa4506cebde82bde9ull, 0xbef9a3f7b2c67915ull, 0xc67178f2e372532bull,
    0xca273eceea26619cull, 0xd186b8c721c0c207ull, 0xeada7dd6cde0eb1eull, 0xf57d4f7fee6ed178ull,
    0x06f067aa72176fbaull, 0x0a637dc5a2c898a6ull, 0x113f9804bef90daeull, 0x1b710b35131c471bull,
    0x28db77f523047d84ull, 0x32caab7b40c72493ull, 0x3c9ebe0a15c9bebcull, 0x431d67c49c100d4cull,
    0x4cc5d4becb3e42b6ull, 0x597f299cfc657e2aull, 0x5fcb6fab3ad6faecull, 0x6c44198c4a475817ull,
};

// Section 5.3.5.
static const uint64_t initial[WORDS] = {
    0x6a09e667f3bcc908ull, 0xbb67ae8584caa73bull, 0x3c6ef372fe94f82bull, 0xa54ff53a5f1d36f1ull,
    0x510e527fade682d1ull, 0x9b05688c2b3e6c1full, 0x1f83d9abfb41bd6bull, 0x5be0cd19137e2179ull,
};

// Eight messages on their way. Lanes without one have no blocks.
struct group {
    __m512i state[WORDS];
    const struct sp_sha512_message *messages;
    size_t count;
    size_t len[LANES];
    size_t blocks[LANES];
};

// ---- the compression function -------------------------------------------------------------------

INLINE __m512i xor3(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

// Adds where it is written: what the compiler makes of sums it may reorder is a longer chain from
// round to round, and a fifth slower.
INLINE __m512i add(__m512i a, __m512i b)
{
    __m512i sum = _mm512_add_epi64(a, b);
    __asm__("" : "+v"(sum));
    return sum;
}

// Section 6.4.2 step 3, the eight variables renamed instead of moved: `i` tells where they stand.
INLINE void run_round(__m512i s[WORDS], size_t i, __m512i word, uint64_t constant)
{
    const __m512i a = s[(0 - i) % 8], b = s[(1 - i) % 8], c = s[(2 - i) % 8];
    const __m512i e = s[(4 - i) % 8], f = s[(5 - i) % 8], g = s[(6 - i) % 8];
    __m512i *d = &s[(3 - i) % 8], *h = &s[(7 - i) % 8];
    const __m512i early = add(add(*h, _mm512_set1_epi64((long long)constant)), word);
    const __m512i choice = _mm512_ternarylogic_epi64(e, f, g, 0xCA);
    const __m512i majority = _mm512_ternarylogic_epi64(a, b, c, 0xE8);
    *d = add(add(*d, early), choice); // not from *h: the next round waits for it
    *h = add(early, choice);
    const __m512i sum_1 =
        xor3(_mm512_ror_epi64(e, 14), _mm512_ror_epi64(e, 18), _mm512_ror_epi64(e, 41));
    *d = add(*d, sum_1);
    *h = add(add(*h, sum_1), majority);
    const __m512i sum_0 =
        xor3(_mm512_ror_epi64(a, 28), _mm512_ror_epi64(a, 34), _mm512_ror_epi64(a, 39));
    *h = add(*h, sum_0);
}

// Section 6.4.2 step 1: word t of the schedule in the place of word t−16.
INLINE __m512i extend(const __m512i w[16], size_t i)
{
    const __m512i before_2 = w[(i + 14) % 16], before_15 = w[(i + 1) % 16];
    const __m512i sigma_1 = xor3(_mm512_ror_epi64(before_2, 19), _mm512_ror_epi64(before_2, 61),
                                 _mm512_srli_epi64(before_2, 6));
    const __m512i sigma_0 = xor3(_mm512_ror_epi64(before_15, 1), _mm512_ror_epi64(before_15, 8),
                                 _mm512_srli_epi64(before_15, 7));
    return add(add(add(w[i], w[(i + 9) % 16]), sigma_0), sigma_1);
}

// The lanes of `active` take in their block, word by word in w.
INLINE void compress(__m512i state[WORDS], __m512i w[16], __mmask8 active)
{
    __m512i s[WORDS];
#pragma GCC unroll 8
    for (size_t i = 0; i < WORDS; i++)
        s[i] = state[i];
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++)
        run_round(s, i, w[i], constants[i]);
#pragma GCC unroll 1
    for (size_t t = 16; t < ROUNDS; t += 16) {
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            w[i] = extend(w, i);
            run_round(s, i, w[i], constants[t + i]);
        }
    }
    // Read again, so that the compiler leaves no copy of the old state on the stack.
    __asm__("" : "+r"(state) : : "memory");
#pragma GCC unroll 8
    for (size_t i = 0; i < WORDS; i++)
        state[i] = _mm512_mask_add_epi64(state[i], active, state[i], s[i]);
}

// ---- messages into lanes ------------------------------------------------------------------------

// Rows to columns; its own inverse.
INLINE void transpose(__m512i v[8])
{
    __m512i pair[8];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        pair[i] = _mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]);
        pair[i + 4] = _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (size_t odd = 0; odd < 2; odd++) {
        const __m512i *p = &pair[4 * odd];
        const __m512i low_01 = _mm512_shuffle_i64x2(p[0], p[1], 0x44);
        const __m512i low_23 = _mm512_shuffle_i64x2(p[2], p[3], 0x44);
        const __m512i high_01 = _mm512_shuffle_i64x2(p[0], p[1], 0xEE);
        const __m512i high_23 = _mm512_shuffle_i64x2(p[2], p[3], 0xEE);
        v[0 + odd] = _mm512_shuffle_i64x2(low_01, low_23, 0x88);
        v[2 + odd] = _mm512_shuffle_i64x2(low_01, low_23, 0xDD);
        v[4 + odd] = _mm512_shuffle_i64x2(high_01, high_23, 0x88);
        v[6 + odd] = _mm512_shuffle_i64x2(high_01, high_23, 0xDD);
    }
}

INLINE __m512i swap_bytes(__m512i words)
{
    const __m128i order = _mm_set_epi64x(0x08090A0B0C0D0E0Fll, 0x0001020304050607ll);
    return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(order));
}

// Half of block `n` of each lane, word by word in w.
INLINE void load_words(__m512i w[WORDS], const struct group *g, size_t n, size_t half)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < LANES; i++) {
        w[i] = _mm512_setzero_si512();
        if (n < g->blocks[i])
            w[i] = swap_bytes(sp_parts_load(g->messages[i].part, g->messages[i].len,
                                            n * BLOCK_BYTES + half * HALF_BYTES));
    }
    transpose(w);
}

static void run_block(struct group *g, size_t n)
{
    const __m512i number = _mm512_set1_epi64((long long)n);
    const __m512i blocks = _mm512_loadu_si512(g->blocks);
    const __m512i bits = _mm512_slli_epi64(_mm512_loadu_si512(g->len), 3);
    const __mmask8 active = _mm512_cmplt_epu64_mask(number, blocks);
    const __mmask8 last =
        _mm512_cmpeq_epu64_mask(_mm512_add_epi64(number, _mm512_set1_epi64(1)), blocks);
    __m512i w[16];
    load_words(w, g, n, 0);
    load_words(w + WORDS, g, n, 1);
    w[15] = _mm512_mask_mov_epi64(w[15], last, bits); // w[14], its high part, is zero
    compress(g->state, w, active);
}

static void store_digests(uint8_t (*out)[SP_SHA512_BYTES], struct group *g)
{
    transpose(g->state);
    for (size_t i = 0; i < g->count; i++)
        _mm512_storeu_si512(out[i], swap_bytes(g->state[i]));
}

// Returns how many blocks the longest message has.
static size_t start(struct group *g, const struct sp_sha512_message *messages, size_t count)
{
    size_t longest = 0;
    *g = (struct group){.messages = messages, .count = count};
    for (size_t i = 0; i < WORDS; i++)
        g->state[i] = _mm512_set1_epi64((long long)initial[i]);
    for (size_t i = 0; i < count; i++) {
        g->len[i] = messages[i].len[0] + messages[i].len[1] + messages[i].len[2];
        g->blocks[i] = (g->len[i] + TRAILER_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES;
        longest = g->blocks[i] > longest ? g->blocks[i] : longest;
    }
    return longest;
}

void sp_sha512_avx512(uint8_t (*out)[SP_SHA512_BYTES], const struct sp_sha512_message *messages,
                      size_t count)
{
    struct group g;
    for (size_t at = 0; at < count; at += LANES) {
        const size_t longest = start(&g, messages + at, count - at < LANES ? count - at : LANES);
        for (size_t n = 0; n < longest; n++)
            run_block(&g, n);
        store_digests(out + at, &g);
    }
    sp_wipe(&g, sizeof(g));
}
