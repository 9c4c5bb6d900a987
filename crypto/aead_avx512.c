// AES-256-GCM (FIPS 197, NIST SP 800-38D) with VAES and VPCLMULQDQ: one message at a time, four of
// its blocks in a vector, sixteen in flight. Any thread; a key belongs to one at a time. The
// message path never allocates, never fails, and neither branches on a secret nor indexes by one.
//
// GHASH here: a block is byte-reversed, so that bit i of its 128 is the coefficient of x^(127−i).
// The plain product of two such numbers is one place short of the product in this order; hence
// each power of H is kept divided by x, and a product comes out right. Powers go up to 17 because a
// message's last 16 blocks and its block of lengths then share one reduction.
#include <assert.h>
#include <errno.h>
#include <immintrin.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define INLINE static inline __attribute__((always_inline))

#define BLOCK_BYTES 16u
#define VECTOR_BYTES 64u
#define VECTOR_BLOCKS 4u
#define CHUNK_VECTORS 4u
#define CHUNK_BYTES (CHUNK_VECTORS * VECTOR_BYTES)
#define CHUNK_BLOCKS (CHUNK_VECTORS * VECTOR_BLOCKS)
#define LINE_BYTES 64u

#define ROUND_KEYS 15u
#define POWERS (CHUNK_BLOCKS + 1)
#define PREFETCH_JOBS 2u // ahead: one message takes about as long as memory does

// A prepared key: eight cache lines. The powers come first: a vector of them may reach past the
// last one (against blocks that are zero), and what follows is then still ours.
struct state {
    __m128i power[POWERS]; // power[i] = H^(POWERS−i) / x
    __m128i round[ROUND_KEYS];
};
_Static_assert(sizeof(struct state) == 512, "one key, eight cache lines");

// A sum of products before its reduction; four in parallel.
struct sum {
    __m512i low, middle, high; // coefficients from bit 0, bit 64, bit 128
};

// A message on its way through the cipher.
struct stream {
    __m512i counter; // of the next four blocks, byte-reversed
    __m128i hash;    // GHASH so far, byte-reversed
    const uint8_t *in;
    uint8_t *out;
};

// ---- GHASH --------------------------------------------------------------------------------------

INLINE __m128i reverse_block(__m128i block)
{
    return _mm_shuffle_epi8(block, _mm_set_epi64x(0x0001020304050607ll, 0x08090A0B0C0D0E0Fll));
}

INLINE __m512i reverse_blocks(__m512i blocks)
{
    return _mm512_shuffle_epi8(
        blocks, _mm512_broadcast_i32x4(_mm_set_epi64x(0x0001020304050607ll, 0x08090A0B0C0D0E0Fll)));
}

INLINE struct sum zero_sum(void)
{
    const __m512i zero = _mm512_setzero_si512();
    return (struct sum){zero, zero, zero};
}

INLINE void add_products(struct sum *sum, __m512i a, __m512i b)
{
    sum->low = _mm512_xor_si512(sum->low, _mm512_clmulepi64_epi128(a, b, 0x00));
    sum->high = _mm512_xor_si512(sum->high, _mm512_clmulepi64_epi128(a, b, 0x11));
    sum->middle = _mm512_ternarylogic_epi64(sum->middle, _mm512_clmulepi64_epi128(a, b, 0x01),
                                            _mm512_clmulepi64_epi128(a, b, 0x10), 0x96);
}

INLINE __m128i add_lanes(__m512i v)
{
    const __m256i half =
        _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// Modulo x^128 + x^7 + x^2 + x + 1, in reversed order: 64 coefficients from the low end are cleared
// by adding the modulus times them, then the next 64.
INLINE __m128i reduce(__m128i low, __m128i high)
{
    const __m128i modulus = _mm_set_epi64x(0, (long long)0xC200000000000000ull);
    const __m128i first =
        _mm_xor_si128(_mm_shuffle_epi32(low, 0x4E), _mm_clmulepi64_si128(low, modulus, 0x00));
    const __m128i second =
        _mm_xor_si128(_mm_shuffle_epi32(first, 0x4E), _mm_clmulepi64_si128(first, modulus, 0x00));
    return _mm_xor_si128(high, second);
}

INLINE __m128i reduce_sum(const struct sum *sum)
{
    const __m512i low = _mm512_xor_si512(sum->low, _mm512_bslli_epi128(sum->middle, 8));
    const __m512i high = _mm512_xor_si512(sum->high, _mm512_bsrli_epi128(sum->middle, 8));
    return reduce(add_lanes(low), add_lanes(high));
}

INLINE __m128i multiply(__m128i a, __m128i b)
{
    const __m128i middle =
        _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));
    const __m128i low = _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x00), _mm_bslli_si128(middle, 8));
    const __m128i high =
        _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x11), _mm_bsrli_si128(middle, 8));
    return reduce(low, high);
}

INLINE __m128i divide_by_x(__m128i a)
{
    const __m128i wrapped = _mm_srai_epi32(_mm_shuffle_epi32(a, 0xFF), 31); // all ones or none
    const __m128i shifted =
        _mm_or_si128(_mm_slli_epi64(a, 1), _mm_bslli_si128(_mm_srli_epi64(a, 63), 8));
    const __m128i modulus = _mm_set_epi64x((long long)0xC200000000000000ull, 1);
    return _mm_xor_si128(shifted, _mm_and_si128(wrapped, modulus));
}

// Which bytes of the last vector of `len` > 0 belong to it.
INLINE __mmask64 last_bytes(size_t len)
{
    const size_t rest = len % VECTOR_BYTES;
    return rest == 0 ? ~0ull : (1ull << rest) - 1;
}

INLINE __m128i hash_ad(const struct state *s, const uint8_t *ad, size_t len)
{
    __m128i hash = _mm_setzero_si128();
    while (len > 0) {
        const size_t part = len < CHUNK_BYTES ? len : CHUNK_BYTES;
        const __m128i *power = s->power + POWERS - (part + BLOCK_BYTES - 1) / BLOCK_BYTES;
        __m512i carried = _mm512_zextsi128_si512(hash);
        struct sum sum = zero_sum();
        for (size_t at = 0; at < part; at += VECTOR_BYTES, power += VECTOR_BLOCKS) {
            const bool whole = part - at >= VECTOR_BYTES;
            const __m512i text = _mm512_maskz_loadu_epi8(whole ? ~0ull : last_bytes(part), ad + at);
            add_products(&sum, _mm512_xor_si512(reverse_blocks(text), carried),
                         _mm512_loadu_si512(power));
            carried = _mm512_setzero_si512();
        }
        hash = reduce_sum(&sum);
        ad += part;
        len -= part;
    }
    return hash;
}

// ---- AES ----------------------------------------------------------------------------------------

// A word repeated four times makes ShiftRows do nothing, so the last round is SubWord and Rcon.
INLINE __m128i next_round_key(__m128i before_previous, __m128i word, __m128i rcon)
{
    __m128i key = before_previous;
    key = _mm_xor_si128(key, _mm_bslli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_bslli_si128(key, 8));
    return _mm_xor_si128(key, _mm_aesenclast_si128(word, rcon));
}

static void expand_key(struct state *s, const uint8_t raw[SP_KEY_BYTES])
{
    const __m128i rotated_last_word = _mm_set1_epi32(0x0C0F0E0D);
    s->round[0] = _mm_loadu_si128((const __m128i *)raw);
    s->round[1] = _mm_loadu_si128((const __m128i *)(raw + 16));
    for (size_t i = 2; i < ROUND_KEYS; i++) {
        const __m128i previous = s->round[i - 1];
        if (i % 2 == 0) // Rcon doubles from 1, far from where it would have to be reduced
            s->round[i] =
                next_round_key(s->round[i - 2], _mm_shuffle_epi8(previous, rotated_last_word),
                               _mm_set1_epi32(1 << (i / 2 - 1)));
        else
            s->round[i] = next_round_key(s->round[i - 2], _mm_shuffle_epi32(previous, 0xFF),
                                         _mm_setzero_si128());
    }
}

INLINE __m128i encrypt_block(const struct state *s, __m128i block)
{
    block = _mm_xor_si128(block, s->round[0]);
#pragma GCC unroll 14
    for (size_t i = 1; i < ROUND_KEYS - 1; i++)
        block = _mm_aesenc_si128(block, s->round[i]);
    return _mm_aesenclast_si128(block, s->round[ROUND_KEYS - 1]);
}

INLINE void encrypt_vectors(const struct state *s, __m512i v[CHUNK_VECTORS], size_t vectors)
{
    const __m512i first = _mm512_broadcast_i32x4(s->round[0]);
    const __m512i last = _mm512_broadcast_i32x4(s->round[ROUND_KEYS - 1]);
#pragma GCC unroll 4
    for (size_t i = 0; i < vectors; i++)
        v[i] = _mm512_xor_si512(v[i], first);
#pragma GCC unroll 14
    for (size_t r = 1; r < ROUND_KEYS - 1; r++) {
        const __m512i key = _mm512_broadcast_i32x4(s->round[r]);
#pragma GCC unroll 4
        for (size_t i = 0; i < vectors; i++)
            v[i] = _mm512_aesenc_epi128(v[i], key);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < vectors; i++)
        v[i] = _mm512_aesenclast_epi128(v[i], last);
}

// ---- a message ----------------------------------------------------------------------------------

// The next 1 … 4 vectors of text, of the last one the bytes in `inside`: cipher them and add their
// share of GHASH, the first block's power being power[0]. Nothing is stored before it was loaded.
INLINE void run_vectors(struct stream *m, const struct state *s, size_t vectors, __mmask64 inside,
                        const __m128i *power, bool sealing, struct sum *sum)
{
    __m512i v[CHUNK_VECTORS];
    __m512i carried = _mm512_zextsi128_si512(m->hash);
    const __m512i step = _mm512_broadcast_i32x4(_mm_set_epi32(0, 0, 0, VECTOR_BLOCKS));
#pragma GCC unroll 4
    for (size_t i = 0; i < vectors; i++) {
        v[i] = reverse_blocks(m->counter);
        m->counter = _mm512_add_epi32(m->counter, step); // wraps in 32 bits, as inc32 does
    }
    encrypt_vectors(s, v, vectors);
#pragma GCC unroll 4
    for (size_t i = 0; i < vectors; i++) {
        const __mmask64 bytes = i + 1 < vectors ? ~0ull : inside;
        const __m512i text = _mm512_maskz_loadu_epi8(bytes, m->in + i * VECTOR_BYTES);
        const __m512i result = _mm512_maskz_mov_epi8(bytes, _mm512_xor_si512(text, v[i]));
        if (bytes == ~0ull) // a masked store costs many times a whole one
            _mm512_storeu_si512(m->out + i * VECTOR_BYTES, result);
        else
            _mm512_mask_storeu_epi8(m->out + i * VECTOR_BYTES, bytes, result);
        const __m512i hashed = reverse_blocks(sealing ? result : text);
        add_products(sum, _mm512_xor_si512(hashed, carried),
                     _mm512_loadu_si512(power + i * VECTOR_BLOCKS));
        carried = _mm512_setzero_si512();
    }
    m->in += vectors * VECTOR_BYTES;
    m->out += vectors * VECTOR_BYTES;
}

// The last 0 … 16 blocks of text and the block of lengths; returns GHASH of the whole.
INLINE __m128i run_last(struct stream *m, const struct state *s, size_t left, __m128i lengths,
                        bool sealing)
{
    struct sum sum = zero_sum();
    const __m128i *power = s->power + CHUNK_BLOCKS - (left + BLOCK_BYTES - 1) / BLOCK_BYTES;
    const __mmask64 inside = last_bytes(left);
    if (left == 0)
        lengths = _mm_xor_si128(lengths, m->hash);
    add_products(&sum, _mm512_zextsi128_si512(lengths),
                 _mm512_zextsi128_si512(s->power[POWERS - 1]));
    switch ((left + VECTOR_BYTES - 1) / VECTOR_BYTES) {
    case 4:
        run_vectors(m, s, 4, inside, power, sealing, &sum);
        break;
    case 3:
        run_vectors(m, s, 3, inside, power, sealing, &sum);
        break;
    case 2:
        run_vectors(m, s, 2, inside, power, sealing, &sum);
        break;
    case 1:
        run_vectors(m, s, 1, inside, power, sealing, &sum);
        break;
    default:
        break;
    }
    return reduce_sum(&sum);
}

// Returns the tag. Source: SP 800-38D section 7.
INLINE __m128i run(const struct state *s, const struct sp_aead_job *job, bool sealing)
{
    assert(job->len <= INT_MAX && job->ad_len <= INT_MAX);
    const __m128i zeroth = reverse_block(_mm_maskz_loadu_epi32(7, job->nonce));
    const __m512i second =
        _mm512_set_epi32(0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2); // 1 is the tag's
    const __m128i pad =
        encrypt_block(s, reverse_block(_mm_or_si128(zeroth, _mm_set_epi32(0, 0, 0, 1))));
    struct stream m = {
        .counter = _mm512_or_si512(_mm512_broadcast_i32x4(zeroth), second),
        .hash = hash_ad(s, job->ad, job->ad_len),
        .in = job->in,
        .out = job->out,
    };
    size_t left = job->len;
    for (; left > CHUNK_BYTES; left -= CHUNK_BYTES) {
        struct sum sum = zero_sum();
        run_vectors(&m, s, CHUNK_VECTORS, ~0ull, s->power + 1, sealing, &sum);
        m.hash = reduce_sum(&sum);
    }
    const __m128i lengths = _mm_set_epi64x((long long)job->ad_len * 8, (long long)job->len * 8);
    return _mm_xor_si128(reverse_block(run_last(&m, s, left, lengths, sealing)), pad);
}

static void derive_powers(struct state *s)
{
    s->power[POWERS - 1] = divide_by_x(reverse_block(encrypt_block(s, _mm_setzero_si128())));
    for (size_t n = 2; n <= POWERS; n++)
        s->power[POWERS - n] = multiply(s->power[POWERS - n / 2], s->power[POWERS - (n + 1) / 2]);
}

static __m128i run_raw(const struct sp_aead_job *job, bool sealing)
{
    struct state s;
    expand_key(&s, job->raw_key);
    derive_powers(&s);
    const __m128i tag = run(&s, job, sealing);
    sp_wipe(&s, sizeof(s));
    return tag;
}

static __m128i run_job(const struct sp_aead_job *job, bool sealing)
{
    return job->key == NULL ? run_raw(job, sealing) : run(job->key->state, job, sealing);
}

static void seal_one(const struct sp_aead_job *job)
{
    _mm_storeu_si128((__m128i *)job->tag, run_job(job, true));
}

// Deciphers in the same pass that verifies: what did not verify is zeroed before anyone sees it.
static bool open_one(const struct sp_aead_job *job)
{
    const __m128i expected = _mm_loadu_si128((const __m128i *)job->tag);
    const __m128i difference = _mm_xor_si128(run_job(job, false), expected);
    const bool verified = _mm_testz_si128(difference, difference) == 1;
    if (!verified && job->len > 0)
        memset(job->out, 0, job->len);
    return verified;
}

// With many keys each one has left the near caches by its next message; fetching all of it while
// others are worked on hides that.
static void prefetch_job(const struct sp_aead_job *job)
{
    const uint8_t *state = job->key == NULL ? job->raw_key : job->key->state;
    for (size_t at = 0; at < sizeof(struct state); at += LINE_BYTES)
        __builtin_prefetch(state + at);
    __builtin_prefetch(job->nonce);
    __builtin_prefetch(job->ad);
    for (size_t at = 0; at < job->len && at < CHUNK_BYTES; at += LINE_BYTES) {
        __builtin_prefetch(job->in + at);
        __builtin_prefetch(job->out + at, 1);
    }
}

// ---- the tier -----------------------------------------------------------------------------------

static int init(void)
{
    return 0;
}

static int init_key(struct sp_aead_key *key, const uint8_t raw[SP_KEY_BYTES])
{
    struct state *s = aligned_alloc(LINE_BYTES, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    expand_key(s, raw);
    derive_powers(s);
    key->state = s;
    return 0;
}

static void free_key(struct sp_aead_key *key)
{
    sp_wipe(key->state, sizeof(struct state));
    free(key->state);
}

static int seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (count - i > PREFETCH_JOBS)
            prefetch_job(&jobs[i + PREFETCH_JOBS]);
        seal_one(&jobs[i]);
    }
    return 0;
}

static bool open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        if (count - i > PREFETCH_JOBS)
            prefetch_job(&jobs[i + PREFETCH_JOBS]);
        ok[i] = open_one(&jobs[i]);
        all = all && ok[i];
    }
    return all;
}

const struct sp_aead_tier sp_aead_avx512 = {
    .init = init,
    .init_key = init_key,
    .free_key = free_key,
    .seal_batch = seal_batch,
    .open_batch = open_batch,
};
