// AES-256-GCM, lane-major, for messages of any length under raw keys, whose expansion is in lanes.
// Part of each tier's file; see aead_kernel.h and aead_lanes.h.
//
// A pass takes a tile of blocks of each message through the cipher, the first one beside the
// expansion of the keys, and hashes the tile before it, which may be the last one of the group
// before: neither would fill by itself the time its results take.
#ifndef SEALCRYPTO_AEAD_RAW_H
#define SEALCRYPTO_AEAD_RAW_H

#include "aead_lanes.h"

// Blocks of a message in a pass, at most; short messages take fewer.
#define RAW_TILE 8u
#define RAW_SHORT_TILE 4u
// Blocks that share a reduction: deriving more powers of a key would cost more than it saves.
#define RAW_PART 4u

// Where a group's hash has come to.
struct raw_hash {
    struct group g;
    size_t at;               // the tile to be written and hashed, in blocks
    vec text[RAW_TILE];      // its key stream
    vec hash_key;            // H
    vec power[2 * RAW_PART]; // raw_power(h, n) is H^n, not yet known at the first tile; before H^1
                             // zero
    vec hash, mask;
};

// What a group's tiles after the first take.
struct raw_more {
    vec round[ROUND_KEYS];
    struct counter counter;
};

INLINE vec *raw_power(struct raw_hash *h, size_t n)
{
    return &h->power[RAW_PART - 1 + n];
}

INLINE void derive_power(struct raw_hash *h, size_t n)
{
    if (n == 1)
        *raw_power(h, 1) = settle(divide_by_x(reverse_blocks(h->hash_key)));
    else if (n % 2 == 0)
        *raw_power(h, n) = settle(square(*raw_power(h, n / 2)));
    else
        *raw_power(h, n) = settle(multiply(*raw_power(h, n / 2), *raw_power(h, n / 2 + 1)));
}

INLINE vec hash_raw_ad(struct raw_hash *h, const struct run *run)
{
    if (run->ad_blocks == 0)
        return zero_vec();
    struct sum sum = first_product(load_ad(&h->g, run, run->ad_blocks - 1), *raw_power(h, 1));
    for (size_t n = 2; n <= run->ad_blocks; n++)
        add_product(&sum, load_ad(&h->g, run, run->ad_blocks - n), *raw_power(h, n));
    return reduce_each(&sum);
}
_Static_assert(LANES_AD_BLOCKS <= RAW_PART, "powers for associated data");

// What is in registers from step to step.
struct raw_steps {
    vec text[RAW_TILE]; // at first its key stream
    vec hash;           // of what was before
    struct sum sum;
};

INLINE void start_steps(struct raw_steps *k, const struct raw_hash *h, size_t tile)
{
    k->hash = h->hash;
    UNROLL
    for (size_t t = 0; t < tile; t++)
        k->text[t] = h->text[t];
}

// What is done after round r of writing LANES blocks of each message: the key stream is added, and
// the text kept for GHASH. Wide lanes are exchanged in three steps: many shuffles in a row would
// keep the cipher waiting.
INLINE void write_raw_set(const struct raw_hash *h, struct raw_steps *k, size_t set, size_t step,
                          size_t steps, bool sealing, bool more)
{
    vec *const text = &k->text[LANES * set];
    if (step == 0)
        transpose(text);
    UNROLL
    for (size_t l = 0; l < LANES && step == steps / 2; l++) {
        const size_t at = (h->at + LANES * set) * BLOCK_BYTES;
        const bool whole = more ? h->g.whole_len > 0 : is_whole_row(&h->g, at);
        text[l] = run_row(&h->g, l, at, text[l], sealing, whole);
    }
    if (step == steps - 1)
        transpose_reversed(text);
}

// Fast enough for hash_raw_step: a part in RAW_PART − 1 rounds.
INLINE void write_raw_step(const struct raw_hash *h, struct raw_steps *k, size_t r, size_t tile,
                           bool sealing, bool more)
{
    const size_t steps = LANES > 2 ? 3 : 1, at_once = LANES > 1 ? 1 : 2;
    UNROLL
    for (size_t i = 0; i < at_once; i++) {
        const size_t set = (r - 1) / steps * at_once + i;
        if (set < tile / LANES)
            write_raw_set(h, k, set, (r - 1) % steps, steps, sealing, more);
    }
}

// Block j of a part that begins with the tile's block `first`; `left` blocks are left from the
// tile's beginning on. A part is hashed from its end, as its beginning waits for the part before.
INLINE void hash_raw_block(struct raw_hash *h, struct raw_steps *k, size_t left, size_t first,
                           size_t j)
{
    if (first > 0 && left <= first)
        return;
    const size_t n = left - first < RAW_PART ? left - first : RAW_PART;
    const vec text = k->text[first + j], power = raw_power(h, n)[-(ptrdiff_t)j];
    if (j == RAW_PART - 1)
        k->sum = first_product(text, power);
    else
        add_product(&k->sum, j == 0 ? xor_vec(text, k->hash) : text, power);
}

// What is done of a hash after round r of 1 … 14, spread so that little has to wait for what was
// begun shortly before. If this is the first tile, H^n after round 2n − 1, and associated data when
// the powers it takes are known. The first part's blocks after rounds 3, 5, 7, 9, as the powers
// come, and its reduction after 10; the second part's after 10 to 13, its reduction after 14. What
// is last at the end. `more`: the tile is not the last.
INLINE void hash_raw_step(struct raw_hash *h, struct raw_steps *k, const struct run *run, size_t r,
                          size_t tile, bool sealing, bool more)
{
    const size_t left = more ? tile + 1 : run->blocks - h->at;
    const bool first = h->at == 0, two_parts = tile > RAW_PART;
    write_raw_step(h, k, r, tile, sealing, more);
    if (first && r % 2 == 1 && r / 2 < RAW_PART)
        derive_power(h, r / 2 + 1);
    if (first && r == 2 * RAW_PART - 2)
        k->hash = hash_raw_ad(h, run);
    if (r % 2 == 1 && r / 2 >= 1 && r / 2 <= RAW_PART)
        hash_raw_block(h, k, left, 0, RAW_PART - r / 2);
    if (r == 10 && left > 0)
        k->hash = settle(reduce_each(&k->sum));
    if (two_parts && r >= 10 && r < 14)
        hash_raw_block(h, k, left, RAW_PART, 13 - r);
    if (two_parts && r == 14 && left > RAW_PART)
        k->hash = settle(reduce_each(&k->sum));
    if (r == (two_parts ? 14 : 12) && left <= tile)
        k->hash = settle(multiply(xor_vec(k->hash, load_lengths(&h->g, run)), *raw_power(h, 1)));
}

INLINE void keep_tile(struct raw_hash *h, size_t at, size_t tile, const vec *stream)
{
    h->at = at;
    UNROLL
    for (size_t t = 0; t < tile; t++)
        h->text[t] = stream[t];
}

// What the cipher takes of a group's jobs, in lanes: copied there during the pass before, as in
// aead_short.h.
struct raw_lanes {
    vec key[2], nonces;
};

INLINE void copy_next(struct raw_lanes *r, const struct group *g, const struct run *run)
{
    const struct next_jobs next = find_next(g, run);
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const struct sp_aead_job *job = next_job(&next, l);
        const __m128i *key = (const __m128i *)job->raw_key;
        copy_block(&r->key[0], l, _mm_loadu_si128(key));
        copy_block(&r->key[1], l, _mm_loadu_si128(key + 1));
        copy_block(&r->nonces, l, load_nonce(job->nonce));
    }
}

// Of the first group.
INLINE void load_first(struct raw_lanes *r, const struct group *g)
{
    const uint8_t *raw[LANES];
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        raw[l] = g->job[l].raw_key;
    r->key[0] = load_lanes(raw, 0);
    r->key[1] = load_lanes(raw, BLOCK_BYTES);
    r->nonces = load_nonces(g);
}

INLINE bool finish_raw(const struct raw_hash *h, const struct run *run, bool sealing, bool *ok)
{
    return finish_group(&h->g, run, xor_vec(reverse_blocks(h->hash), h->mask), sealing, ok);
}

// The next group's first tile while its keys are expanded, beside the last tile of h's group, which
// is finished then, and is followed in h by the next. `any`: h has a group. `more` is NULL if a
// group has no other tile.
INLINE bool start_raw(struct raw_hash *h, bool any, struct group next, const struct run *run,
                      struct raw_lanes *lanes, struct raw_more *more, size_t tile, bool sealing,
                      bool *ok)
{
    vec v[RAW_TILE + 2]; // masks the tags; text; becomes H
    struct raw_steps k;
    bool all = true;
    if (any)
        start_steps(&k, h, tile);
    else
        load_first(lanes, &next);
    vec key[2] = {lanes->key[0], lanes->key[1]};
    const vec nonces = lanes->nonces;
    start_key_stream(v, tile + 1, nonces, key[0]);
    copy_next(lanes, &next, run);
    v[tile + 1] = key[0];
    if (more != NULL)
        more->round[0] = key[0];
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS; r++) {
        if (r > 1)
            key[r % 2] = next_round_key(key[r % 2], key[(r + 1) % 2], r);
        if (more != NULL)
            more->round[r] = key[r % 2];
        run_round(v, tile + 2, r, key[r % 2]);
        if (any)
            hash_raw_step(h, &k, run, r, tile, sealing, false);
        if (more != NULL && r == COUNT_ROUND) {
            start_counter(&more->counter, nonces, zero_vec(), RAW_TILE + 2);
            count_ahead(&more->counter, more->round[0], more->round[1], 1);
        }
    }
    if (any) {
        h->hash = k.hash;
        all = finish_raw(h, run, sealing, ok);
    }
    h->g = next;
    h->mask = v[0];
    h->hash = zero_vec();
    h->hash_key = v[tile + 1];
    keep_tile(h, 0, tile, v + 1);
    return all;
}

// Whatever of the group's text goes beyond the first tile.
INLINE void continue_raw(struct raw_hash *h, const struct run *run, const struct raw_more *more,
                         bool sealing)
{
    const vec *const round = more->round;
    struct counter counter = more->counter;
    struct raw_steps k;
    if (run->blocks <= RAW_TILE)
        return;
    start_steps(&k, h, RAW_TILE);
    for (size_t at = RAW_TILE; at < run->blocks; at += RAW_TILE) {
        vec v[RAW_TILE];
        count_on(&counter, v, RAW_TILE, round[0], round[1], 1);
        UNROLL
        for (size_t r = 2; r < ROUND_KEYS; r++) {
            run_round(v, RAW_TILE, r, round[r]);
            if (r == 2)
                hash_raw_step(h, &k, run, 1, RAW_TILE, sealing, true);
            hash_raw_step(h, &k, run, r, RAW_TILE, sealing, true);
            if (r == COUNT_ROUND)
                count_ahead(&counter, round[0], round[1], 1);
        }
        h->at = at;
        UNROLL
        for (size_t t = 0; t < RAW_TILE; t++)
            k.text[t] = v[t];
    }
    keep_tile(h, h->at, RAW_TILE, k.text);
    h->hash = k.hash;
}

// The last tile, with nothing in the cipher beside it.
INLINE void hash_last_tile(struct raw_hash *h, const struct run *run, size_t tile, bool sealing)
{
    struct raw_steps k;
    start_steps(&k, h, tile);
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS; r++)
        hash_raw_step(h, &k, run, r, tile, sealing, false);
    h->hash = k.hash;
}

// Not inlined: there is work for all registers in each.
static __attribute__((noinline)) void seal_more(struct raw_hash *h, const struct run *run,
                                                const struct raw_more *more)
{
    continue_raw(h, run, more, true);
}

static __attribute__((noinline)) void open_more(struct raw_hash *h, const struct run *run,
                                                const struct raw_more *more)
{
    continue_raw(h, run, more, false);
}

INLINE void run_more(struct raw_hash *h, const struct run *run, const struct raw_more *more,
                     bool sealing)
{
    if (more != NULL)
        (sealing ? seal_more : open_more)(h, run, more);
}

INLINE bool run_raw(const struct run *run, struct raw_more *more, size_t tile, bool sealing,
                    bool *ok)
{
    struct raw_hash h;
    struct raw_lanes lanes;
    struct padding padding;
    UNROLL
    for (size_t i = 0; i < RAW_PART; i++)
        h.power[i] = zero_vec(); // for the blocks that a part does not have
    bool all =
        start_raw(&h, false, take_group(run, 0, &padding), run, &lanes, more, tile, sealing, ok);
    run_more(&h, run, more, sealing);
    for (size_t at = LANES; at < run->count; at += LANES) {
        const struct group next = take_group(run, at, &padding);
        all = start_raw(&h, true, next, run, &lanes, more, tile, sealing, ok) && all;
        run_more(&h, run, more, sealing);
    }
    hash_last_tile(&h, run, tile, sealing);
    return finish_raw(&h, run, sealing, ok) && all;
}

static bool seal_raw(const struct run *run)
{
    struct raw_more more;
    return run_raw(run, &more, RAW_TILE, true, NULL);
}

static bool open_raw(const struct run *run, bool *ok)
{
    struct raw_more more;
    return run_raw(run, &more, RAW_TILE, false, ok);
}

static bool seal_raw_short(const struct run *run)
{
    return run_raw(run, NULL, RAW_SHORT_TILE, true, NULL);
}

static bool open_raw_short(const struct run *run, bool *ok)
{
    return run_raw(run, NULL, RAW_SHORT_TILE, false, ok);
}

// Who calls these wipes.
static __attribute__((noinline)) bool run_raw_class(const struct run *run, bool sealing, bool *ok)
{
    return sealing ? seal_raw(run) : open_raw(run, ok);
}

static __attribute__((noinline)) bool run_raw_short_class(const struct run *run, bool sealing,
                                                          bool *ok)
{
    return sealing ? seal_raw_short(run) : open_raw_short(run, ok);
}

#endif
