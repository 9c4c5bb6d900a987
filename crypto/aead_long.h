// AES-256-GCM, message-major: the lanes of a vector are consecutive blocks of one message, a chunk
// of vectors is in the cipher at once while the chunk before it is hashed. For long messages and
// for those that find no company. Part of each tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_LONG_H
#define SEALCRYPTO_AEAD_LONG_H

#include "aead_kernel.h"

// A message on its way through the cipher.
struct stream {
    vec counter; // of the next blocks, byte-reversed
    const uint8_t *in;
    uint8_t *out;
};

// Bytes that GHASH takes while others are in the cipher: up to a chunk, of the same message or the
// one before.
struct piece {
    const struct state *s;
    const uint8_t *from;
    size_t len;
    const __m128i *power; // of the first block
    vec carried;          // GHASH of what was before, byte-reversed, in lane 0
};

INLINE void hash_vector(struct sum *sum, vec text, const __m128i *power)
{
    add_product(sum, text, load_vec((const uint8_t *)power));
}

// What the blocks of `len` ≤ CHUNK_BYTES bytes add, the first one's power being power[0].
INLINE void hash_bytes(struct sum *sum, vec carried, const uint8_t *bytes, size_t len,
                       const __m128i *power)
{
    for (size_t at = 0; at < len; at += VECTOR_BYTES, power += LANES) {
        const vec text =
            len - at >= VECTOR_BYTES ? load_vec(bytes + at) : load_part(bytes + at, len - at);
        hash_vector(sum, xor_vec(reverse_blocks(text), carried), power);
        carried = zero_vec();
    }
}

static __attribute__((noinline)) vec hash_long_ad(const struct state *s, const uint8_t *ad,
                                                  size_t len)
{
    vec hash = zero_vec();
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

INLINE vec hash_ad(const struct state *s, const uint8_t *ad, size_t len)
{
    if (len > VECTOR_BYTES)
        return hash_long_ad(s, ad, len);
    if (len == 0)
        return zero_vec();
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

// Vectors i and i + 1 of the piece, if it has them.
INLINE void hash_slot(struct sum *sum, const struct piece *h, size_t i)
{
    const size_t at = i * VECTOR_BYTES, next = at + VECTOR_BYTES;
    if (h->len <= at)
        return;
    const __m128i *power = h->power + i * LANES;
    vec text = load_piece(h, at);
    if (i == 0)
        text = xor_vec(text, h->carried);
    if (h->len <= next) {
        hash_vector(sum, text, power);
        return;
    }
    add_two_products(sum, text, load_vec((const uint8_t *)power), load_piece(h, next),
                     load_vec((const uint8_t *)(power + LANES)));
}

// The next counter blocks, the first round key added.
INLINE void count_on(struct stream *m, const struct state *s, vec *v, size_t vectors)
{
    const vec first = splat_load(&s->round[0]);
    const vec step = splat(_mm_set_epi32(0, 0, 0, LANES));
    UNROLL
    for (size_t i = 0; i < vectors; i++) {
        v[i] = xor_vec(reverse_blocks(m->counter), first);
        m->counter = add_words(m->counter, step); // wraps in 32 bits, as inc32 does
    }
}

// The cipher's rounds over `vectors` vectors, a piece hashed between them. The piece's beginning
// comes last, because it waits for the piece before.
INLINE void run_rounds(vec *v, size_t vectors, const struct state *s, struct sum *sum,
                       const struct piece *h)
{
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS - 1; r++) {
        const vec key = splat_load(&s->round[r]);
        UNROLL
        for (size_t i = 0; i < vectors; i++)
            v[i] = settle(aes_round(v[i], key));
        const size_t slots = CHUNK_VECTORS / 2, due = r * slots / (ROUND_KEYS - 2);
        if (due > (r - 1) * slots / (ROUND_KEYS - 2))
            hash_slot(sum, h, due % slots * 2);
    }
}

// A whole chunk, while a piece is hashed.
INLINE void run_chunk(struct stream *m, const struct state *s, struct sum *sum,
                      const struct piece *h)
{
    vec v[CHUNK_VECTORS];
    count_on(m, s, v, CHUNK_VECTORS);
    run_rounds(v, CHUNK_VECTORS, s, sum, h);
    const vec last = splat_load(&s->round[ROUND_KEYS - 1]);
    UNROLL
    for (size_t i = 0; i < CHUNK_VECTORS; i++) {
        const vec text = load_vec(m->in + i * VECTOR_BYTES);
        store_vec(m->out + i * VECTOR_BYTES, xor_vec(text, aes_last(v[i], last)));
    }
    m->in += CHUNK_BYTES;
    m->out += CHUNK_BYTES;
}

// The last `left` bytes, in `vectors` vectors, while a piece is hashed. Returns what masks the tag,
// in lane 0.
INLINE vec run_tail(struct stream *m, const struct state *s, vec zeroth, size_t left,
                    size_t vectors, struct sum *sum, const struct piece *h)
{
    __asm__("" : "+r"(s)); // or the compiler loads all round keys before it knows how many vectors
    vec v[CHUNK_VECTORS + 1];
    count_on(m, s, v, vectors);
    v[vectors] = xor_vec(zeroth, splat_load(&s->round[0]));
    run_rounds(v, vectors + 1, s, sum, h);
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
    return aes_last(v[vectors], last);
}

INLINE vec run_last(struct stream *m, const struct state *s, vec zeroth, size_t left,
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
    vec mask;
};

// Few blocks of associated data share the last piece's reduction, if the powers reach.
INLINE bool is_ad_deferred(const struct sp_aead_job *job)
{
    const size_t blocks = count_blocks(job->len), ad_blocks = count_blocks(job->ad_len);
    return blocks <= CHUNK_BLOCKS && ad_blocks <= LANES && ad_blocks + blocks < POWERS;
}

// The tag, once the sum has the last piece in it.
INLINE __m128i finish_hash(const struct pending *p, struct sum *sum)
{
    const struct sp_aead_job *job = p->job;
    const __m128i *end = p->piece.s->power + POWERS - 1;
    vec lengths = widen(lengths_block(job));
    if (p->piece.len == 0)
        lengths = xor_vec(lengths, p->piece.carried);
    add_product(sum, lengths, widen(*end));
    if (is_ad_deferred(job) && job->ad_len > 0)
        hash_vector(sum, reverse_blocks(load_part(job->ad, job->ad_len)),
                    end - count_blocks(job->len) - count_blocks(job->ad_len));
    return first_lane(xor_vec(reverse_blocks(reduce_lanes(sum)), p->mask));
}

INLINE void start_stream(struct stream *m, vec *zeroth, vec *hash, const struct state *s,
                         const struct sp_aead_job *job)
{
    const __m128i nonce = load_nonce(job->nonce);
    *zeroth = splat(_mm_insert_epi32(nonce, 1 << 24, 3));
    m->counter = add_words(reverse_blocks(splat(nonce)), first_counters());
    m->in = job->in;
    m->out = job->out;
    *hash = is_ad_deferred(job) ? zero_vec() : hash_ad(s, job->ad, job->ad_len);
}

INLINE struct piece take_piece(const struct state *s, const uint8_t *from, size_t len, vec carried,
                               bool last)
{
    const __m128i *power = s->power + POWERS - count_blocks(len) - (last ? 1 : 0);
    return (struct piece){s, from, len, power, carried};
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
    UNROLL
    for (size_t i = 0; i < CHUNK_VECTORS; i += 2)
        hash_slot(&sum, &p->piece, i);
    finish_pending(p, &sum);
}

// Seals a message, its last piece aside, and hashes the last piece of the one before meanwhile.
// Source: SP 800-38D section 7.
static void seal_long(struct pending *p, const struct state *s, const struct sp_aead_job *job)
{
    struct stream m;
    vec zeroth, hash;
    struct piece piece = p->piece;
    size_t left = job->len;
    start_stream(&m, &zeroth, &hash, s, job);
    if (left > CHUNK_BYTES) {
        struct sum sum = zero_sum();
        run_chunk(&m, s, &sum, &piece);
        finish_pending(p, &sum);
        for (left -= CHUNK_BYTES; left > CHUNK_BYTES; left -= CHUNK_BYTES) {
            sum = zero_sum();
            piece = take_piece(s, m.out - CHUNK_BYTES, CHUNK_BYTES, hash, false);
            run_chunk(&m, s, &sum, &piece);
            hash = reduce_lanes(&sum);
        }
        piece = take_piece(s, m.out - CHUNK_BYTES, CHUNK_BYTES, hash, false);
    }
    struct sum sum = zero_sum();
    const vec mask = run_last(&m, s, zeroth, left, &sum, &piece);
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
    vec zeroth, hash;
    size_t left = job->len;
    start_stream(&m, &zeroth, &hash, s, job);
    for (; left > CHUNK_BYTES; left -= CHUNK_BYTES) {
        struct sum sum = zero_sum();
        const struct piece piece = take_piece(s, m.in, CHUNK_BYTES, hash, false);
        run_chunk(&m, s, &sum, &piece);
        hash = reduce_lanes(&sum);
    }
    struct sum sum = zero_sum();
    struct pending p = {job, take_piece(s, m.in, left, hash, true), zero_vec()};
    p.mask = run_last(&m, s, zeroth, left, &sum, &p.piece);
    return finish_hash(&p, &sum);
}

#endif
