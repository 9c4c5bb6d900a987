// AES-256-GCM, lane-major: each lane of a vector is another message with its own key. What the
// kernels for prepared and for raw keys share: groups of messages, and their parts in lanes. Part
// of each tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_LANES_H
#define SEALCRYPTO_AEAD_LANES_H

#include "aead_kernel.h"

// Associated data of more blocks than this goes message-major.
#define LANES_AD_BLOCKS 3u

// Jobs that are equal in blocks of text and of associated data and in the kind of their key.
struct run {
    const struct sp_aead_job *jobs;
    const uint8_t *number; // of each in its batch
    size_t count;
    size_t blocks, ad_blocks;
    bool alike;      // the same lengths throughout
    __m128i lengths; // their block, if so
    bool whole_ad;   // whole blocks of associated data throughout
};

// LANES messages of a run side by side.
struct group {
    const struct sp_aead_job *job; // LANES of them
    size_t at;                     // of the run
    size_t used;
    size_t whole_len; // this much text every lane has
};

// A lane without a message of its own gets one without text, under the first one's key.
struct padding {
    struct sp_aead_job job[LANES];
    uint8_t tag[SP_TAG_BYTES];
};

static __attribute__((noinline)) const struct sp_aead_job *pad_jobs(const struct sp_aead_job *jobs,
                                                                    size_t used, struct padding *p)
{
    for (size_t l = 0; l < LANES; l++) {
        p->job[l] = jobs[l < used ? l : 0];
        if (l >= used) {
            p->job[l].len = 0;
            p->job[l].tag = p->tag;
        }
    }
    memset(p->tag, 0, sizeof(p->tag));
    return p->job;
}

INLINE struct group take_group(const struct run *run, size_t at, struct padding *p)
{
    struct group g = {run->jobs + at, at, LANES, run->jobs[at].len};
    if (__builtin_expect(run->count - at < LANES, 0)) {
        g.used = run->count - at;
        g.job = pad_jobs(g.job, g.used, p);
        g.whole_len = 0;
    } else if (!run->alike) {
        UNROLL
        for (size_t l = 1; l < LANES; l++)
            g.whole_len = g.job[l].len < g.whole_len ? g.job[l].len : g.whole_len;
    }
    return g;
}

// Deciphers in the same pass that verifies: what did not verify is zeroed before anyone sees it.
static bool verify(const struct sp_aead_job *job, __m128i tag)
{
    const __m128i difference = _mm_xor_si128(tag, _mm_loadu_si128((const __m128i *)job->tag));
    const bool verified = _mm_testz_si128(difference, difference) == 1;
    if (!verified && job->len > 0)
        memset(job->out, 0, job->len);
    return verified;
}

// Stores the tags or compares with them.
INLINE bool finish_group(const struct group *g, const struct run *run, vec tags, bool sealing,
                         bool *ok)
{
    __m128i tag[LANES];
    bool all = true;
    split_lanes(tag, tags);
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        if (sealing) {
            _mm_storeu_si128((__m128i *)g->job[l].tag, tag[l]);
        } else if (l < g->used) {
            const bool verified = verify(&g->job[l], tag[l]);
            ok[run->number[g->at + l]] = verified;
            all = all && verified;
        }
    }
    return all;
}

INLINE vec load_nonces(const struct group *g)
{
    __m128i nonce[LANES];
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        nonce[l] = load_nonce(g->job[l].nonce);
    return join_lanes(nonce);
}

// The jobs of the group after g or, if there is none, g's own again.
struct next_jobs {
    const struct sp_aead_job *job;
    size_t used;
};

INLINE struct next_jobs find_next(const struct group *g, const struct run *run)
{
    const size_t at = g->at + LANES;
    if (at >= run->count)
        return (struct next_jobs){g->job, LANES};
    return (struct next_jobs){&run->jobs[at], run->count - at};
}

INLINE const struct sp_aead_job *next_job(const struct next_jobs *n, size_t l)
{
    return &n->job[l < n->used ? l : 0];
}

// Whole vectors of such blocks should be loaded long after, or the load waits for the stores.
INLINE void copy_block(vec *to, size_t l, __m128i block)
{
    _mm_store_si128((__m128i *)to + l, block);
}

// Counter blocks 1 … count, the first round key added: the one that masks the tag, those for text.
INLINE void start_key_stream(vec *v, size_t count, vec nonces, vec first_key)
{
    const vec base = xor_vec(nonces, first_key);
    UNROLL
    for (size_t j = 0; j < count; j++) // big-endian, and one byte is enough
        v[j] = xor_vec(base, last_word((int)(j + 1) << 24));
}

INLINE void run_round(vec *v, size_t count, size_t r, vec key)
{
    UNROLL
    for (size_t j = 0; j < count; j++)
        v[j] = settle(r < ROUND_KEYS - 1 ? aes_round(v[j], key) : aes_last(v[j], key));
}

// The bytes of lane l's text that a row beginning at `at` has.
INLINE size_t row_bytes(const struct group *g, size_t l, size_t at)
{
    const size_t len = g->job[l].len, left = len > at ? len - at : 0;
    return left < VECTOR_BYTES ? left : VECTOR_BYTES;
}

// Lane l's LANES blocks of text from byte `at` on, a row of memory.
INLINE bool is_whole_row(const struct group *g, size_t at)
{
    return at + VECTOR_BYTES <= g->whole_len;
}

INLINE vec load_row(const struct group *g, const uint8_t *text, size_t l, size_t at)
{
    if (__builtin_expect(is_whole_row(g, at), 1))
        return load_vec(text + at);
    return load_part(text + at, row_bytes(g, l, at));
}

// Adds the key stream and stores; returns the text that went in or the one that came out.
INLINE vec run_row(const struct group *g, size_t l, size_t at, vec stream, bool out, bool whole)
{
    const struct sp_aead_job *job = &g->job[l];
    const vec text = __builtin_expect(whole, 1) ? load_vec(job->in + at)
                                                : load_part(job->in + at, row_bytes(g, l, at));
    vec result = xor_vec(text, stream);
    if (__builtin_expect(whole, 1)) {
        store_vec(job->out + at, result);
    } else {
        const size_t len = row_bytes(g, l, at);
        result = keep_bytes(result, len);
        store_part(job->out + at, result, len);
    }
    return out ? result : text;
}

// Block i of each message's associated data.
INLINE vec load_ad(const struct group *g, const struct run *run, size_t i)
{
    __m128i block[LANES];
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const size_t left = g->job[l].ad_len - i * BLOCK_BYTES;
        const uint8_t *ad = g->job[l].ad + i * BLOCK_BYTES;
        if (__builtin_expect(run->whole_ad, 1))
            block[l] = _mm_loadu_si128((const __m128i *)ad);
        else
            block[l] = load_block_part(ad, left < BLOCK_BYTES ? left : BLOCK_BYTES);
    }
    return reverse_blocks(join_lanes(block));
}

INLINE vec load_lengths(const struct group *g, const struct run *run)
{
    __m128i lengths[LANES];
    if (__builtin_expect(run->alike, 1))
        return splat_load(&run->lengths);
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        lengths[l] = lengths_block(&g->job[l]);
    return join_lanes(lengths);
}

#endif
