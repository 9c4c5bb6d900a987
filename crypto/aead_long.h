// AES-256-GCM, message-major: the lanes of a vector are consecutive blocks of one message, a chunk
// of vectors is in the cipher at once while the chunk before it is hashed. For long messages and
// for those that find no company. Part of each tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_LONG_H
#define SEALCRYPTO_AEAD_LONG_H

#include "aead_kernel.h"

// A message on its way through the cipher.
struct stream {
    struct counter counter; // of the next blocks
    const uint8_t *in;
    uint8_t *out;
};

// Bytes that GHASH takes while others are in the cipher: up to a chunk, of the same message or the
// one before.
struct piece {
    const struct state *s;
    const uint8_t *from;
    size_t len;
    const __m128i *power;              // of the first block
    __m128i carried;                   // GHASH of what was before, byte-reversed
    const struct sp_aead_job *leading; // whose block of associated data comes before; or NULL
};

// What a piece's sum begins with: a block before a whole chunk has the highest power.
INLINE struct sum start_sum(const struct piece *h)
{
    if (h->leading == NULL)
        return zero_sum();
    const struct block_sum sum = block_product(
        reverse_block(first_lane(load_part(h->leading->ad, h->leading->ad_len))), h->s->power[0]);
    return (struct sum){widen(sum.low), zero_vec(), widen(sum.high)};
}

INLINE void hash_vector(struct sum *sum, vec text, const __m128i *power)
{
    add_product(sum, text, load_vec((const uint8_t *)power));
}

// What the blocks of `len` ≤ CHUNK_BYTES bytes add, the first one's power being power[0].
INLINE void hash_bytes(struct sum *sum, __m128i carried, const uint8_t *bytes, size_t len,
                       const __m128i *power)
{
    for (size_t at = 0; at < len; at += VECTOR_BYTES, power += LANES) {
        const vec text =
            len - at >= VECTOR_BYTES ? load_vec(bytes + at) : load_part(bytes + at, len - at);
        hash_vector(sum, xor_vec(reverse_blocks(text), widen(carried)), power);
        carried = _mm_setzero_si128();
    }
}

static __attribute__((noinline)) __m128i hash_long_ad(const struct state *s, const uint8_t *ad,
                                                      size_t len)
{
    __m128i hash = _mm_setzero_si128();
    while (len > 0) {
        const size_t part = len < CHUNK_BYTES ? len : CHUNK_BYTES;
        struct sum sum = zero_sum();
        hash_bytes(&sum, hash, ad, part, s->power + POWERS - count_blocks(part));
        hash = reduce_lanes(&sum);
        ad += part;
        len -= part;
    }
    return hash;
}

INLINE __m128i hash_ad(const struct state *s, const uint8_t *ad, size_t len)
{
    if (len > VECTOR_BYTES)
        return hash_long_ad(s, ad, len);
    if (len == 0)
        return _mm_setzero_si128();
    struct sum sum = zero_sum();
    hash_vector(&sum, reverse_blocks(load_part(ad, len)), s->power + POWERS - count_blocks(len));
    return reduce_lanes(&sum);
}

// The piece's bytes from `at` on.
INLINE vec load_piece(const struct piece *h, size_t at)
{
    const size_t left = h->len - at;
    const bool whole = __builtin_expect(left >= VECTOR_BYTES, 1);
    return reverse_blocks(whole ? load_vec(h->from + at) : load_part(h->from + at, left));
}

// Vector i of the piece, if it has it. They come in pairs: 1 and 2, …, the last one and 0.
INLINE void hash_slot(struct sum *sum, struct waiting *w, const struct piece *h, size_t i)
{
    const size_t at = i * VECTOR_BYTES;
    const size_t before = (i == 0 ? CHUNK_VECTORS - 1 : i - 1) * VECTOR_BYTES;
    if (h->len <= at) {
        if (i % 2 == 0 && h->len > before)
            add_no_product(sum, w);
        return;
    }
    vec text = load_piece(h, at);
    if (i == 0)
        text = xor_vec(text, widen(h->carried));
    const vec power = load_vec((const uint8_t *)(h->power + i * LANES));
    if (i % 2 == 1)
        add_first_product(sum, w, text, power);
    else if (h->len > before)
        add_second_product(sum, w, text, power);
    else
        add_product(sum, text, power);
}

// Computed here and now; see settle.
INLINE __m128i settle_block(__m128i block)
{
    __asm__ volatile("" : "+x"(block));
    return block;
}

// The cipher's rounds over `vectors` vectors and what masks the tag, if that is not NULL, a piece
// hashed between them. The piece's beginning comes last, because it waits for the piece before.
INLINE void run_rounds(vec *v, size_t vectors, __m128i *mask, const struct state *s,
                       struct sum *sum, const struct piece *h)
{
    struct waiting w = {zero_vec(), zero_vec()};
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS - 1; r++) {
        const vec key = splat_load(&s->round[r]);
        UNROLL
        for (size_t i = 0; i < vectors; i++)
            v[i] = settle(aes_round(v[i], key));
        if (mask != NULL)
            *mask = settle_block(_mm_aesenc_si128(*mask, first_lane(key)));
        const size_t slots = CHUNK_VECTORS, due = r * slots / (ROUND_KEYS - 2);
        if (due > (r - 1) * slots / (ROUND_KEYS - 2))
            hash_slot(sum, &w, h, due % slots);
    }
}

// A whole chunk, while a piece is hashed.
INLINE void run_chunk(struct stream *m, const struct state *s, struct sum *sum,
                      const struct piece *h)
{
    vec v[CHUNK_VECTORS];
    count_on(&m->counter, v, CHUNK_VECTORS, splat_load(&s->round[0]));
    run_rounds(v, CHUNK_VECTORS, NULL, s, sum, h);
    const vec last = splat_load(&s->round[ROUND_KEYS - 1]);
    UNROLL
    for (size_t i = 0; i < CHUNK_VECTORS; i++) {
        const vec text = load_vec(m->in + i * VECTOR_BYTES);
        store_vec(m->out + i * VECTOR_BYTES, xor_vec(text, aes_last(v[i], last)));
    }
    m->in += CHUNK_BYTES;
    m->out += CHUNK_BYTES;
}

// The last `left` bytes, in `vectors` vectors, while a piece is hashed. Returns what masks the tag.
INLINE __m128i run_tail(struct stream *m, const struct state *s, __m128i mask, size_t left,
                        size_t vectors, struct sum *sum, const struct piece *h)
{
    __asm__("" : "+r"(s)); // or the compiler loads all round keys before it knows how many vectors
    vec v[CHUNK_VECTORS];
    count_on(&m->counter, v, vectors, splat_load(&s->round[0]));
    mask = _mm_xor_si128(mask, s->round[0]);
    run_rounds(v, vectors, &mask, s, sum, h);
    const vec last = splat_load(&s->round[ROUND_KEYS - 1]);
    UNROLL
    for (size_t i = 0; i < vectors; i++) {
        const size_t at = i * VECTOR_BYTES;
        const vec stream = aes_last(v[i], last);
        if (i + 1 < vectors || left % VECTOR_BYTES == 0)
            store_vec(m->out + at, xor_vec(load_vec(m->in + at), stream));
        else
            store_part(m->out + at, xor_vec(load_part(m->in + at, left % VECTOR_BYTES), stream),
                       left % VECTOR_BYTES);
    }
    return _mm_aesenclast_si128(mask, first_lane(last));
}

INLINE __m128i run_last(struct stream *m, const struct state *s, __m128i zeroth, size_t left,
                        struct sum *sum, const struct piece *h)
{
    switch ((left + VECTOR_BYTES - 1) / VECTOR_BYTES) {
    case 8:
        return run_tail(m, s, zeroth, left, 8, sum, h);
    case 7:
        return run_tail(m, s, zeroth, left, 7, sum, h);
    case 6:
        return run_tail(m, s, zeroth, left, 6, sum, h);
    case 5:
        return run_tail(m, s, zeroth, left, 5, sum, h);
    case 4:
        return run_tail(m, s, zeroth, left, 4, sum, h);
    case 3:
        return run_tail(m, s, zeroth, left, 3, sum, h);
    case 2:
        return run_tail(m, s, zeroth, left, 2, sum, h);
    case 1:
        return run_tail(m, s, zeroth, left, 1, sum, h);
    default:
        return run_tail(m, s, zeroth, left, 0, sum, h);
    }
}

// A message whose last piece is still to be hashed.
struct pending {
    const struct sp_aead_job *job; // NULL: none
    struct piece piece;
    __m128i mask;
};

// Few blocks of associated data share the last piece's reduction, if the powers reach.
INLINE bool is_ad_deferred(const struct sp_aead_job *job)
{
    const size_t blocks = count_blocks(job->len), ad_blocks = count_blocks(job->ad_len);
    return blocks <= CHUNK_BLOCKS && ad_blocks <= LANES && ad_blocks + blocks < POWERS;
}

// Nor does a block of it before a whole chunk take a reduction.
INLINE bool is_ad_leading(const struct sp_aead_job *job)
{
    return count_blocks(job->len) > CHUNK_BLOCKS && count_blocks(job->ad_len) == 1;
}

// The tag, once the sum has the last piece in it.
INLINE __m128i finish_hash(const struct pending *p, struct sum *sum)
{
    const struct sp_aead_job *job = p->job;
    const __m128i *end = p->piece.s->power + POWERS - 1;
    __m128i lengths = lengths_block(job);
    if (p->piece.len == 0)
        lengths = _mm_xor_si128(lengths, p->piece.carried);
    if (is_ad_deferred(job) && job->ad_len > 0)
        hash_vector(sum, reverse_blocks(load_part(job->ad, job->ad_len)),
                    end - count_blocks(job->len) - count_blocks(job->ad_len));
    const __m128i hash = reduce_block(join_lanes_of(sum, block_product(lengths, *end)));
    return _mm_xor_si128(reverse_block(hash), p->mask);
}

INLINE void start_stream(struct stream *m, __m128i *zeroth, __m128i *hash, const struct state *s,
                         const struct sp_aead_job *job)
{
    const __m128i nonce = load_nonce(job->nonce);
    *zeroth = _mm_insert_epi32(nonce, 1 << 24, 3);
    m->counter = (struct counter){add_words(reverse_blocks(splat(nonce)), first_counters()), 2};
    m->in = job->in;
    m->out = job->out;
    *hash = is_ad_deferred(job) || is_ad_leading(job) ? _mm_setzero_si128()
                                                      : hash_ad(s, job->ad, job->ad_len);
}

INLINE struct piece take_piece(const struct state *s, const uint8_t *from, size_t len,
                               __m128i carried, bool last)
{
    const __m128i *power = s->power + POWERS - count_blocks(len) - (last ? 1 : 0);
    return (struct piece){s, from, len, power, carried, NULL};
}

// The tag of the message before, if there is one, once `sum` has its last piece in it.
INLINE void finish_pending(struct pending *p, struct sum *sum)
{
    if (p->job != NULL)
        _mm_storeu_si128((__m128i *)p->job->tag, finish_hash(p, sum));
    p->job = NULL;
}

// The same when nothing is left to overlap it.
static void seal_pending(struct pending *p)
{
    struct sum sum = zero_sum();
    struct waiting w = {zero_vec(), zero_vec()};
    UNROLL
    for (size_t i = 1; i <= CHUNK_VECTORS; i++)
        hash_slot(&sum, &w, &p->piece, i % CHUNK_VECTORS);
    finish_pending(p, &sum);
}

// Seals a message, its last piece aside, and hashes the last piece of the one before meanwhile.
// Source: SP 800-38D section 7.
static void seal_long(struct pending *p, const struct state *s, const struct sp_aead_job *job)
{
    struct stream m;
    __m128i zeroth, hash;
    struct piece piece = p->piece;
    size_t left = job->len;
    start_stream(&m, &zeroth, &hash, s, job);
    if (left > CHUNK_BYTES) {
        struct sum sum = zero_sum();
        run_chunk(&m, s, &sum, &piece);
        finish_pending(p, &sum);
        piece = take_piece(s, m.out - CHUNK_BYTES, CHUNK_BYTES, hash, false);
        piece.leading = is_ad_leading(job) ? job : NULL;
        for (left -= CHUNK_BYTES; left > CHUNK_BYTES; left -= CHUNK_BYTES) {
            sum = start_sum(&piece);
            run_chunk(&m, s, &sum, &piece);
            hash = reduce_lanes(&sum);
            piece = take_piece(s, m.out - CHUNK_BYTES, CHUNK_BYTES, hash, false);
        }
    }
    struct sum sum = start_sum(&piece);
    const __m128i mask = run_last(&m, s, zeroth, left, &sum, &piece);
    if (left < job->len)
        hash = reduce_lanes(&sum);
    else
        finish_pending(p, &sum);
    *p = (struct pending){job, take_piece(s, m.out, left, hash, true), mask};
}

// Opens a message, each piece hashed before it is overwritten; returns the tag it should have.
static __m128i open_long(const struct state *s, const struct sp_aead_job *job)
{
    struct stream m;
    __m128i zeroth, hash;
    const struct sp_aead_job *leading = is_ad_leading(job) ? job : NULL;
    size_t left = job->len;
    start_stream(&m, &zeroth, &hash, s, job);
    for (; left > CHUNK_BYTES; left -= CHUNK_BYTES) {
        struct piece piece = take_piece(s, m.in, CHUNK_BYTES, hash, false);
        piece.leading = leading;
        leading = NULL;
        struct sum sum = start_sum(&piece);
        run_chunk(&m, s, &sum, &piece);
        hash = reduce_lanes(&sum);
    }
    struct sum sum = zero_sum();
    struct pending p = {job, take_piece(s, m.in, left, hash, true), zeroth};
    p.mask = run_last(&m, s, zeroth, left, &sum, &p.piece);
    return finish_hash(&p, &sum);
}

#endif
