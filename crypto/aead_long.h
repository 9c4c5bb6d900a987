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
    const struct sp_aead_job *job; // its message; NULL: there is no piece
    const uint8_t *from;
    size_t len;
    const __m128i *power; // of the first block
    bool first, last;     // of its message
    __m128i carried;      // if it is the first: GHASH of associated data, byte-reversed
    __m128i mask;         // if it is the last: of the tag
};

// Where hashing has come to. A piece is hashed while the sum of the one before is reduced, which is
// either what is carried into this one, or the end of a message.
struct pending {
    struct piece piece;
    struct sum sum;
    uint8_t *tag; // NULL: no message ends with the sum
    __m128i mask;
};

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

// What a piece's sum begins with: what comes before its text and, if it is the last, the lengths.
INLINE struct sum start_sum(const struct piece *h)
{
    struct sum sum = zero_sum();
    const struct sp_aead_job *job = h->job;
    if (job == NULL)
        return sum;
    if (h->last) {
        const __m128i *end = h->s->power + POWERS - 1;
        __m128i lengths = lengths_block(job);
        if (h->len == 0)
            lengths = _mm_xor_si128(lengths, h->carried);
        add_block_product(&sum, lengths, *end);
        if (is_ad_deferred(job) && job->ad_len > 0)
            hash_vector(&sum, reverse_blocks(load_part(job->ad, job->ad_len)),
                        end - count_blocks(job->len) - count_blocks(job->ad_len));
    } else if (h->first && is_ad_leading(job)) { // before a whole chunk: the highest power
        add_block_product(&sum, reverse_block(first_lane(load_part(job->ad, job->ad_len))),
                          h->s->power[0]);
    }
    return sum;
}

// The piece's bytes from `at` on.
INLINE vec load_piece(const struct piece *h, size_t at)
{
    const size_t left = h->len - at;
    const bool whole = __builtin_expect(left >= VECTOR_BYTES, 1);
    return reverse_blocks(whole ? load_vec(h->from + at) : load_part(h->from + at, left));
}

// Vector i of the piece, if it has it. They come in pairs: 1 and 2, …, the last one and 0.
INLINE void hash_slot(struct sum *sum, struct waiting *w, const struct piece *h, size_t i,
                      __m128i carried)
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
        text = xor_vec(text, widen(carried));
    const vec power = load_vec((const uint8_t *)(h->power + i * LANES));
    if (i % 2 == 1)
        add_first_product(sum, w, text, power);
    else if (h->len > before)
        add_second_product(sum, w, text, power);
    else
        add_product(sum, text, power);
}

// What is done of hashing beside round r of the cipher, from 2 on. The piece's beginning comes
// last, because it waits for the piece before.
INLINE void hash_step(struct sum *sum, struct waiting *w, struct reduction *before,
                      const struct pending *p, size_t r)
{
    const size_t slots = CHUNK_VECTORS, rounds = ROUND_KEYS - 3;
    const size_t due = (r - 1) * slots / rounds;
    if (r % 2 == 1 && r / 2 - 1 < REDUCTION_STEPS)
        reduce_step(before, &p->sum, r / 2 - 1);
    if (due > (r - 2) * slots / rounds)
        hash_slot(sum, w, &p->piece, due % slots, p->piece.first ? p->piece.carried : before->hash);
}
_Static_assert(2 * REDUCTION_STEPS + 1 < ROUND_KEYS - 2, "reduced before the piece's beginning");

// The piece is hashed and the sum before it reduced: what follows from both.
INLINE void finish_piece(struct pending *p, const struct sum *sum, __m128i hash)
{
    if (p->tag != NULL)
        _mm_storeu_si128((__m128i *)p->tag, _mm_xor_si128(reverse_block(hash), p->mask));
    p->sum = *sum;
    p->tag = p->piece.last ? p->piece.job->tag : NULL;
    p->mask = p->piece.mask;
}

// The same where no rounds run beside it.
INLINE void hash_piece(struct pending *p)
{
    struct sum sum = start_sum(&p->piece);
    struct waiting w = {zero_vec(), zero_vec()};
    struct reduction before;
    UNROLL
    for (size_t r = 2; r < ROUND_KEYS - 1; r++)
        hash_step(&sum, &w, &before, p, r);
    finish_piece(p, &sum, before.hash);
}

// The cipher's rounds from the second one on over `vectors` vectors and what masks the tag, if that
// is not NULL, hashing between them.
INLINE void run_rounds(vec *v, size_t vectors, __m128i *mask, const struct state *s,
                       struct counter *counter, struct pending *p)
{
    struct sum sum = start_sum(&p->piece);
    struct waiting w = {zero_vec(), zero_vec()};
    struct reduction before;
    UNROLL
    for (size_t r = 2; r < ROUND_KEYS - 1; r++) {
        const vec key = splat_load(&s->round[r]);
        UNROLL
        for (size_t i = 0; i < vectors; i++)
            v[i] = settle(aes_round(v[i], key));
        if (mask != NULL)
            *mask = settle_block(_mm_aesenc_si128(*mask, first_lane(key)));
        hash_step(&sum, &w, &before, p, r);
        if (r == COUNT_ROUND && mask == NULL)
            count_ahead(counter, splat_load(&s->round[0]), splat_load(&s->round[1]), LANES);
    }
    finish_piece(p, &sum, before.hash);
}

INLINE void count_chunk(struct counter *c, vec *v, size_t vectors, const struct state *s)
{
    count_on(c, v, vectors, splat_load(&s->round[0]), splat_load(&s->round[1]), LANES);
}

// A whole chunk.
INLINE void run_chunk(struct stream *m, const struct state *s, struct pending *p)
{
    vec v[CHUNK_VECTORS];
    count_chunk(&m->counter, v, CHUNK_VECTORS, s);
    run_rounds(v, CHUNK_VECTORS, NULL, s, &m->counter, p);
    const vec last = splat_load(&s->round[ROUND_KEYS - 1]);
    UNROLL
    for (size_t i = 0; i < CHUNK_VECTORS; i++) {
        const vec text = load_vec(m->in + i * VECTOR_BYTES);
        store_vec(m->out + i * VECTOR_BYTES, xor_vec(text, aes_last(v[i], last)));
    }
    m->in += CHUNK_BYTES;
    m->out += CHUNK_BYTES;
}

// The last `left` bytes, in `vectors` vectors. Returns what masks the tag.
INLINE __m128i run_tail(struct stream *m, const struct state *s, __m128i mask, size_t left,
                        size_t vectors, struct pending *p)
{
    __asm__("" : "+r"(s)); // or the compiler loads all round keys before it knows how many vectors
    vec v[CHUNK_VECTORS];
    count_chunk(&m->counter, v, vectors, s);
    mask = _mm_aesenc_si128(_mm_xor_si128(mask, s->round[0]), s->round[1]);
    run_rounds(v, vectors, &mask, s, NULL, p);
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
                        struct pending *p)
{
    switch ((left + VECTOR_BYTES - 1) / VECTOR_BYTES) {
    case 8:
        return run_tail(m, s, zeroth, left, 8, p);
    case 7:
        return run_tail(m, s, zeroth, left, 7, p);
    case 6:
        return run_tail(m, s, zeroth, left, 6, p);
    case 5:
        return run_tail(m, s, zeroth, left, 5, p);
    case 4:
        return run_tail(m, s, zeroth, left, 4, p);
    case 3:
        return run_tail(m, s, zeroth, left, 3, p);
    case 2:
        return run_tail(m, s, zeroth, left, 2, p);
    case 1:
        return run_tail(m, s, zeroth, left, 1, p);
    default:
        return run_tail(m, s, zeroth, left, 0, p);
    }
}

INLINE void start_stream(struct stream *m, __m128i *zeroth, __m128i *hash, const struct state *s,
                         const struct sp_aead_job *job)
{
    const __m128i nonce = load_nonce(job->nonce);
    *zeroth = _mm_insert_epi32(nonce, 1 << 24, 3);
    start_counter(&m->counter, splat(nonce), lane_numbers(), 2);
    m->in = job->in;
    m->out = job->out;
    *hash = is_ad_deferred(job) || is_ad_leading(job) ? _mm_setzero_si128()
                                                      : hash_ad(s, job->ad, job->ad_len);
}

INLINE void take_chunk(struct piece *h, const uint8_t *from)
{
    h->from = from;
    h->len = CHUNK_BYTES;
    h->power = h->s->power + 1;
}

INLINE void take_last(struct piece *h, const uint8_t *from, size_t len, __m128i mask)
{
    h->from = from;
    h->len = len;
    h->power = h->s->power + POWERS - 1 - count_blocks(len);
    h->last = true;
    h->mask = mask;
}

// Nothing is left that hashing could run beside.
INLINE void seal_pending(struct pending *p)
{
    hash_piece(p);
    finish_piece(p, &p->sum, reduce_lanes(&p->sum));
}

// Seals a message, the hashing of its end aside.
// Source: SP 800-38D section 7.
INLINE void seal_long(struct pending *p, const struct state *s, const struct sp_aead_job *job)
{
    struct stream m;
    struct piece piece = {.s = s, .job = job, .first = true};
    __m128i zeroth;
    size_t left = job->len;
    start_stream(&m, &zeroth, &piece.carried, s, job);
    for (; left > CHUNK_BYTES; left -= CHUNK_BYTES) {
        run_chunk(&m, s, p);
        take_chunk(&piece, m.out - CHUNK_BYTES);
        p->piece = piece;
        piece.first = false;
    }
    take_last(&piece, m.out, left, run_last(&m, s, zeroth, left, p));
    p->piece = piece;
}

// Opens a message, each piece hashed before it is overwritten; returns the tag it should have.
static __m128i open_long(const struct state *s, const struct sp_aead_job *job)
{
    struct pending p = {.piece = {.s = s, .job = job, .first = true}, .sum = zero_sum()};
    struct stream m;
    __m128i zeroth;
    size_t left = job->len;
    start_stream(&m, &zeroth, &p.piece.carried, s, job);
    for (; left > CHUNK_BYTES; left -= CHUNK_BYTES) {
        take_chunk(&p.piece, m.in);
        run_chunk(&m, s, &p);
        p.piece.first = false;
    }
    take_last(&p.piece, m.in, left, zeroth);
    const __m128i mask = run_last(&m, s, zeroth, left, &p);
    return _mm_xor_si128(reverse_block(reduce_lanes(&p.sum)), mask);
}

#endif
