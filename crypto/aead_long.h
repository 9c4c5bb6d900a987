// AES-256-GCM, message-major: the lanes of a vector are consecutive blocks of one message, a chunk
// of vectors is in the cipher at once while the chunk before it is hashed. For long messages and
// for those that find no company. Part of each tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_LONG_H
#define SEALCRYPTO_AEAD_LONG_H

#include "aead_kernel.h"

// A message on its way through the cipher.
struct stream {
    vec counter; // of the next blocks, byte-reversed
    vec hash;    // GHASH so far, byte-reversed, in lane 0
    const uint8_t *in;
    uint8_t *out;
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

static vec hash_long_ad(const struct state *s, const uint8_t *ad, size_t len)
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

// A whole chunk, while the chunk at `hashed` (NULL: none) is added to the hash.
INLINE void run_chunk(struct stream *m, const struct state *s, const uint8_t *hashed)
{
    vec v[CHUNK_VECTORS];
    struct sum sum = zero_sum();
    count_on(m, s, v, CHUNK_VECTORS);
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS - 1; r++) {
        const vec key = splat_load(&s->round[r]);
        UNROLL
        for (size_t i = 0; i < CHUNK_VECTORS; i++)
            v[i] = settle(aes_round(v[i], key));
        const size_t due = r * CHUNK_VECTORS / (ROUND_KEYS - 2);
        if (hashed != NULL && due > (r - 1) * CHUNK_VECTORS / (ROUND_KEYS - 2)) {
            // The first vector comes last: it waits for the chunk before.
            const size_t i = due % CHUNK_VECTORS;
            const vec text = reverse_blocks(load_vec(hashed + i * VECTOR_BYTES));
            hash_vector(&sum, i == 0 ? xor_vec(text, m->hash) : text, s->power + 1 + i * LANES);
        }
    }
    if (hashed != NULL)
        m->hash = reduce_lanes(&sum);
    const vec last = splat_load(&s->round[ROUND_KEYS - 1]);
    UNROLL
    for (size_t i = 0; i < CHUNK_VECTORS; i++) {
        const vec text = load_vec(m->in + i * VECTOR_BYTES);
        store_vec(m->out + i * VECTOR_BYTES, xor_vec(text, aes_last(v[i], last)));
    }
    m->in += CHUNK_BYTES;
    m->out += CHUNK_BYTES;
}

// The last `left` bytes, in `vectors` vectors, and the block that masks the tag, in lane 0 of
// `zeroth`; adds to the hash's last sum and returns that mask.
INLINE vec run_tail(struct stream *m, const struct state *s, vec zeroth, size_t left,
                    size_t vectors, bool sealing, struct sum *sum)
{
    __asm__("" : "+r"(s)); // or the compiler loads all round keys before it knows how many vectors
    const __m128i *power = s->power + POWERS - 1 - count_blocks(left);
    vec v[CHUNK_VECTORS], carried = m->hash;
    count_on(m, s, v, vectors);
    vec mask = xor_vec(zeroth, splat_load(&s->round[0]));
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS - 1; r++) {
        const vec key = splat_load(&s->round[r]);
        mask = settle(aes_round(mask, key));
        UNROLL
        for (size_t i = 0; i < vectors; i++)
            v[i] = settle(aes_round(v[i], key));
    }
    const vec last = splat_load(&s->round[ROUND_KEYS - 1]);
    UNROLL
    for (size_t i = 0; i < vectors; i++) {
        const size_t at = i * VECTOR_BYTES;
        vec text, result;
        if (i + 1 < vectors || left % VECTOR_BYTES == 0) {
            text = load_vec(m->in + at);
            result = xor_vec(text, aes_last(v[i], last));
            store_vec(m->out + at, result);
        } else {
            text = load_part(m->in + at, left % VECTOR_BYTES);
            result = keep_bytes(xor_vec(text, aes_last(v[i], last)), left % VECTOR_BYTES);
            store_part(m->out + at, result, left % VECTOR_BYTES);
        }
        hash_vector(sum, xor_vec(reverse_blocks(sealing ? result : text), carried),
                    power + i * LANES);
        carried = zero_vec();
    }
    return aes_last(mask, last);
}

INLINE vec run_last(struct stream *m, const struct state *s, vec zeroth, size_t left, bool sealing,
                    struct sum *sum)
{
    switch ((left + VECTOR_BYTES - 1) / VECTOR_BYTES) {
    case 8:
        return run_tail(m, s, zeroth, left, 8, sealing, sum);
    case 7:
        return run_tail(m, s, zeroth, left, 7, sealing, sum);
    case 6:
        return run_tail(m, s, zeroth, left, 6, sealing, sum);
    case 5:
        return run_tail(m, s, zeroth, left, 5, sealing, sum);
    case 4:
        return run_tail(m, s, zeroth, left, 4, sealing, sum);
    case 3:
        return run_tail(m, s, zeroth, left, 3, sealing, sum);
    case 2:
        return run_tail(m, s, zeroth, left, 2, sealing, sum);
    case 1:
        return run_tail(m, s, zeroth, left, 1, sealing, sum);
    default:
        return run_tail(m, s, zeroth, left, 0, sealing, sum);
    }
}

// All chunks but the last, whole or not: what stays of the message has 0 … CHUNK_BYTES bytes.
INLINE size_t run_chunks(struct stream *m, const struct state *s, size_t left, bool sealing)
{
    if (left <= CHUNK_BYTES)
        return left;
    if (!sealing) {
        for (; left > CHUNK_BYTES; left -= CHUNK_BYTES)
            run_chunk(m, s, m->in);
        return left;
    }
    run_chunk(m, s, NULL);
    for (left -= CHUNK_BYTES; left > CHUNK_BYTES; left -= CHUNK_BYTES)
        run_chunk(m, s, m->out - CHUNK_BYTES);
    struct sum sum = zero_sum();
    hash_bytes(&sum, m->hash, m->out - CHUNK_BYTES, CHUNK_BYTES, s->power + 1);
    m->hash = reduce_lanes(&sum);
    return left;
}

// Returns the tag in lane 0. Source: SP 800-38D section 7.
INLINE vec run_long(const struct state *s, const struct sp_aead_job *job, bool sealing)
{
    const __m128i nonce = load_nonce(job->nonce);
    const vec zero = zero_vec();
    const vec zeroth = splat(_mm_insert_epi32(nonce, 1 << 24, 3));
    struct stream m = {
        .counter = add_words(reverse_blocks(splat(nonce)), first_counters()),
        .hash = zero,
        .in = job->in,
        .out = job->out,
    };
    struct sum sum = zero_sum();
    const size_t blocks = count_blocks(job->len), ad_blocks = count_blocks(job->ad_len);
    if (blocks < CHUNK_BLOCKS && ad_blocks <= LANES && ad_blocks + blocks < POWERS) {
        if (job->ad_len > 0) // no reduction of its own
            hash_vector(&sum, reverse_blocks(load_part(job->ad, job->ad_len)),
                        s->power + POWERS - 1 - blocks - ad_blocks);
    } else {
        m.hash = hash_long_ad(s, job->ad, job->ad_len);
    }
    const size_t left = run_chunks(&m, s, job->len, sealing);
    vec lengths = widen(lengths_block(job));
    if (left == 0)
        lengths = xor_vec(lengths, m.hash);
    add_product(&sum, lengths, widen(s->power[POWERS - 1]));
    const vec mask = run_last(&m, s, zeroth, left, sealing, &sum);
    return xor_vec(reverse_blocks(reduce_lanes(&sum)), mask);
}

#endif
