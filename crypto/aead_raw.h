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
                             // something for blocks a part does not have
    vec hash, mask;
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

// What is done of writing a tile after round r, LANES blocks of each message after the other:
// the key stream is added, and the text kept for GHASH. Wide lanes are exchanged one step
// at a time: many shuffles in a row would keep the cipher waiting.
INLINE void write_raw_step(const struct raw_hash *h, struct raw_steps *k, size_t r, size_t tile,
                           bool sealing)
{
    const size_t pace = LANES > 2 ? 3 : 1, step = (r - 1) % pace;
    if (r > tile / LANES * pace)
        return;
    vec *const text = &k->text[LANES * ((r - 1) / pace)];
    if (step == 0)
        transpose(text);
    UNROLL
    for (size_t l = 0; l < LANES && step == pace / 2; l++) {
        const size_t at = (h->at + (size_t)(text - k->text)) * BLOCK_BYTES;
        text[l] = reverse_blocks(run_row(&h->g, l, at, text[l], sealing));
    }
    if (step == pace - 1)
        transpose(text);
}

// One block of part (r / RAW_PART − 1) of a tile that has `left` blocks, from the part's end, as
// its beginning waits for the part before.
INLINE void hash_raw_block(struct raw_hash *h, struct raw_steps *k, size_t left, size_t r)
{
    const size_t first = (r / RAW_PART - 1) * RAW_PART, j = RAW_PART - 1 - r % RAW_PART;
    if (first > 0 && left <= first)
        return;
    const size_t n = left - first < RAW_PART ? left - first : RAW_PART;
    const vec text = k->text[first + j], power = raw_power(h, n)[-(ptrdiff_t)j];
    if (r % RAW_PART == 0)
        k->sum = first_product(text, power);
    else
        add_product(&k->sum, j == 0 ? xor_vec(text, k->hash) : text, power);
}

// What is done of a hash after round r of 1 … 14. If this is the first tile: powers, each shortly
// before it is used, and associated data. The parts of the tile. What is last.
INLINE void hash_raw_step(struct raw_hash *h, struct raw_steps *k, const struct run *run, size_t r,
                          size_t tile, bool sealing)
{
    const size_t end = tile + RAW_PART, left = run->blocks - h->at;
    write_raw_step(h, k, r, tile, sealing);
    if (r <= RAW_PART && h->at == 0)
        derive_power(h, r);
    if (r == RAW_PART && h->at == 0)
        k->hash = hash_raw_ad(h, run);
    if (r % RAW_PART == 0 && r > RAW_PART && r <= end && left > r - 2 * RAW_PART)
        k->hash = settle(reduce_each(&k->sum));
    if (r >= RAW_PART && r < end)
        hash_raw_block(h, k, left, r);
    if (r == end + 1 && left <= tile)
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
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const struct sp_aead_job *next = next_job(g, run, l);
        const __m128i *key = (const __m128i *)next->raw_key;
        copy_block(&r->key[0], l, _mm_loadu_si128(key));
        copy_block(&r->key[1], l, _mm_loadu_si128(key + 1));
        copy_block(&r->nonces, l, load_nonce(next->nonce));
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

// A group's first tile while its keys are expanded, and the last one of the group before, if there
// is one. Leaves the round keys for more tiles, if `round` is not NULL.
INLINE void start_raw(struct raw_hash *next, struct raw_hash *before, const struct run *run,
                      struct raw_lanes *lanes, vec round[ROUND_KEYS], size_t tile, bool sealing)
{
    vec v[RAW_TILE + 2]; // masks the tags; text; becomes H
    struct raw_steps k;
    if (before != NULL)
        start_steps(&k, before, tile);
    else
        load_first(lanes, &next->g);
    vec key[2] = {lanes->key[0], lanes->key[1]};
    start_key_stream(v, tile + 1, lanes->nonces, key[0]);
    copy_next(lanes, &next->g, run);
    v[tile + 1] = key[0];
    if (round != NULL)
        round[0] = key[0];
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS; r++) {
        if (r > 1)
            key[r % 2] = next_round_key(key[r % 2], key[(r + 1) % 2], r);
        if (round != NULL)
            round[r] = key[r % 2];
        run_round(v, tile + 2, r, key[r % 2]);
        if (before != NULL)
            hash_raw_step(before, &k, run, r, tile, sealing);
    }
    if (before != NULL)
        before->hash = k.hash;
    next->mask = v[0];
    next->hash = zero_vec();
    next->hash_key = v[tile + 1];
    keep_tile(next, 0, tile, v + 1);
}

// Whatever of the group's text goes beyond the first tile.
INLINE void continue_raw(struct raw_hash *h, const struct run *run, const vec round[ROUND_KEYS],
                         bool sealing)
{
    struct counter counter;
    struct raw_steps k;
    if (run->blocks <= RAW_TILE)
        return;
    start_counter(&counter, load_nonces(&h->g), zero_vec(), RAW_TILE + 2, 1);
    count_ahead(&counter, round[0], round[1], 1);
    start_steps(&k, h, RAW_TILE);
    for (size_t at = RAW_TILE; at < run->blocks; at += RAW_TILE) {
        vec v[RAW_TILE];
        count_on(&counter, v, RAW_TILE, round[0], round[1], 1);
        UNROLL
        for (size_t r = 2; r < ROUND_KEYS; r++) {
            run_round(v, RAW_TILE, r, round[r]);
            if (r == 2)
                hash_raw_step(h, &k, run, 1, RAW_TILE, sealing);
            hash_raw_step(h, &k, run, r, RAW_TILE, sealing);
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
        hash_raw_step(h, &k, run, r, tile, sealing);
    h->hash = k.hash;
}

// Before the first pass of a group's place, and for good: what a part does not have is zero.
INLINE void no_powers(struct raw_hash *h)
{
    UNROLL
    for (size_t i = 0; i < RAW_PART; i++)
        h->power[i] = zero_vec();
}

// Not inlined: there is work for all registers in each.
static __attribute__((noinline)) void seal_more(struct raw_hash *h, const struct run *run,
                                                const vec round[ROUND_KEYS])
{
    continue_raw(h, run, round, true);
}

static __attribute__((noinline)) void open_more(struct raw_hash *h, const struct run *run,
                                                const vec round[ROUND_KEYS])
{
    continue_raw(h, run, round, false);
}

INLINE bool finish_raw(const struct raw_hash *h, const struct run *run, bool sealing, bool *ok)
{
    return finish_group(&h->g, run, xor_vec(reverse_blocks(h->hash), h->mask), sealing, ok);
}

INLINE bool run_raw(const struct run *run, bool sealing, bool *ok)
{
    struct raw_hash h[2], *before = &h[0];
    struct raw_lanes lanes;
    struct padding padding;
    vec round[ROUND_KEYS];
    bool all = true;
    no_powers(&h[0]);
    no_powers(&h[1]);
    before->g = take_group(run, 0, &padding);
    start_raw(before, NULL, run, &lanes, round, RAW_TILE, sealing);
    (sealing ? seal_more : open_more)(before, run, round);
    for (size_t at = LANES; at < run->count; at += LANES) {
        struct raw_hash *const next = &h[at / LANES % 2];
        next->g = take_group(run, at, &padding);
        start_raw(next, before, run, &lanes, round, RAW_TILE, sealing);
        all = finish_raw(before, run, sealing, ok) && all;
        (sealing ? seal_more : open_more)(next, run, round);
        before = next;
    }
    hash_last_tile(before, run, RAW_TILE, sealing);
    return finish_raw(before, run, sealing, ok) && all;
}

// All of the text in a tile. What is kept of a group is little enough for registers.
INLINE bool run_raw_short(const struct run *run, bool sealing, bool *ok)
{
    struct raw_hash next, before;
    struct raw_lanes lanes;
    struct padding padding;
    bool all = true;
    no_powers(&before);
    no_powers(&next);
    before.g = take_group(run, 0, &padding);
    start_raw(&before, NULL, run, &lanes, NULL, RAW_SHORT_TILE, sealing);
    for (size_t at = LANES; at < run->count; at += LANES) {
        next.g = take_group(run, at, &padding);
        start_raw(&next, &before, run, &lanes, NULL, RAW_SHORT_TILE, sealing);
        all = finish_raw(&before, run, sealing, ok) && all;
        before = next;
    }
    hash_last_tile(&before, run, RAW_SHORT_TILE, sealing);
    return finish_raw(&before, run, sealing, ok) && all;
}

static bool seal_raw(const struct run *run)
{
    return run_raw(run, true, NULL);
}

static bool open_raw(const struct run *run, bool *ok)
{
    return run_raw(run, false, ok);
}

static bool seal_raw_short(const struct run *run)
{
    return run_raw_short(run, true, NULL);
}

static bool open_raw_short(const struct run *run, bool *ok)
{
    return run_raw_short(run, false, ok);
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
