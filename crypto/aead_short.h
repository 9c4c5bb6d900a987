// AES-256-GCM, lane-major: each lane of a vector is another message with its own key. For short
// messages of like size. Part of each tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_SHORT_H
#define SEALCRYPTO_AEAD_SHORT_H

#include "aead_kernel.h"

// Associated data of more blocks than this goes message-major.
#define SHORT_AD_BLOCKS 4u

// Messages side by side: equal in blocks of text and of associated data and in the kind of their
// key. A lane without a message of its own repeats the first and stores nothing.
struct group {
    const struct sp_aead_job *job[LANES];
    size_t used;
    size_t blocks, ad_blocks;
    size_t whole_len;  // this much text every lane has; 0 if not all are used
    bool same_lengths; // of text and of associated data
};

// Where round keys come from: prepared, a tile of LANES at a time, or two of them known and the
// others following.
struct round_keys {
    const uint8_t *at[LANES]; // state, or raw key
    vec tile[LANES];          // prepared: the last ones loaded
    vec lowest_power;         // prepared: H^1, which stands before the round keys
    vec before, previous;     // raw
};

INLINE void load_tile(vec tile[LANES], const struct round_keys *k, size_t offset)
{
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        tile[l] = load_vec(k->at[l] + offset);
    transpose(tile);
}

INLINE void init_round_keys(struct round_keys *k, const struct group *g, bool raw)
{
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        k->at[l] = raw ? g->job[l]->raw_key : (const uint8_t *)g->job[l]->key->state;
    if (raw) {
        k->before = k->previous = zero_vec();
        return;
    }
    load_tile(k->tile, k, offsetof(struct state, power[POWERS - 1]));
    k->lowest_power = k->tile[0];
}

// Round keys in order, each asked for once.
INLINE vec next_key(struct round_keys *k, size_t i, bool raw)
{
    if (!raw) {
        if ((i + 1) % LANES == 0)
            load_tile(k->tile, k, offsetof(struct state, round[i]));
        return k->tile[(i + 1) % LANES];
    }
    const vec key =
        i < 2 ? load_lanes(k->at, i * BLOCK_BYTES) : next_round_key(k->before, k->previous, i);
    k->before = k->previous;
    k->previous = key;
    return key;
}

// Key stream of `groups` groups, whose latencies hide behind one another: v[0] masks the tag, v[1 …
// room] are for text, v[room + 1] becomes H if keys are raw.
INLINE void make_key_stream(vec (*v)[SHORT_BLOCKS + 2], struct round_keys *k, const struct group *g,
                            size_t groups, size_t room, bool raw)
{
    const size_t count = room + 1 + (raw ? 1 : 0);
    UNROLL
    for (size_t x = 0; x < groups; x++) {
        __m128i nonce[LANES];
        UNROLL
        for (size_t l = 0; l < LANES; l++)
            nonce[l] = load_nonce(g[x].job[l]->nonce);
        const vec key = next_key(&k[x], 0, raw);
        const vec base = xor_vec(join_lanes(nonce), key);
        UNROLL
        for (size_t j = 0; j <= room; j++) // big-endian, and one byte is enough
            v[x][j] = xor_vec(base, splat(_mm_set_epi32((int)(j + 1) << 24, 0, 0, 0)));
        if (raw)
            v[x][room + 1] = key;
    }
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS; r++) {
        UNROLL
        for (size_t x = 0; x < groups; x++) {
            const vec key = next_key(&k[x], r, raw);
            UNROLL
            for (size_t j = 0; j < count; j++)
                v[x][j] =
                    settle(r < ROUND_KEYS - 1 ? aes_round(v[x][j], key) : aes_last(v[x][j], key));
        }
    }
}

// Where H^n is in a state; one past the last power for 0, and so on.
INLINE size_t power_offset(size_t n)
{
    return offsetof(struct state, power) + (POWERS - n) * BLOCK_BYTES;
}

// H^n of each lane's own key.
INLINE vec load_power(const struct round_keys *k, size_t n)
{
    return load_lanes(k->at, power_offset(n));
}

// The bytes of lane l's text that a tile beginning at `at` has.
INLINE size_t bytes_left(const struct group *g, size_t l, size_t at)
{
    return g->job[l]->len > at ? g->job[l]->len - at : 0;
}

INLINE void run_whole_tile(vec tile[LANES], const struct group *g, size_t at, bool sealing)
{
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const vec text = load_vec(g->job[l]->in + at), result = xor_vec(text, tile[l]);
        store_vec(g->job[l]->out + at, result);
        tile[l] = reverse_blocks(sealing ? result : text);
    }
}

INLINE void run_ragged_tile(vec tile[LANES], const struct group *g, size_t at, bool sealing)
{
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const struct sp_aead_job *job = g->job[l];
        const size_t left = l < g->used ? bytes_left(g, l, at) : 0;
        vec text = zero_vec(), result = zero_vec();
        if (left >= VECTOR_BYTES) {
            text = load_vec(job->in + at);
            result = xor_vec(text, tile[l]);
            store_vec(job->out + at, result);
        } else if (left > 0) {
            text = load_part(job->in + at, left);
            result = keep_bytes(xor_vec(text, tile[l]), left);
            store_part(job->out + at, result, left);
        }
        tile[l] = reverse_blocks(sealing ? result : text);
    }
}

// LANES blocks of each message from byte `at` on: adds the key stream, stores, and leaves in the
// tile what GHASH takes.
INLINE void run_tile(vec tile[LANES], const struct group *g, size_t at, bool sealing)
{
    transpose(tile);
    if (at + VECTOR_BYTES <= g->whole_len)
        run_whole_tile(tile, g, at, sealing);
    else
        run_ragged_tile(tile, g, at, sealing);
    transpose(tile);
}

// Block i of each message's associated data.
INLINE vec load_ad(const struct group *g, size_t i)
{
    __m128i block[LANES];
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const size_t left = g->job[l]->ad_len - i * BLOCK_BYTES;
        const uint8_t *ad = g->job[l]->ad + i * BLOCK_BYTES;
        block[l] =
            left >= BLOCK_BYTES ? _mm_loadu_si128((const __m128i *)ad) : load_block_part(ad, left);
    }
    return reverse_blocks(join_lanes(block));
}

// A hash of blocks under raw keys takes few powers, as each costs as much as several blocks: so
// many blocks share a reduction, and the block of lengths.
#define RAW_TILE 4u

// H^1 … H^5: power[n] is H^n.
INLINE void derive_powers(vec power[RAW_TILE + 2], vec hash_key)
{
    power[1] = divide_by_x(reverse_blocks(hash_key));
    power[2] = square(power[1]);
    power[3] = multiply(power[1], power[2]);
    power[4] = square(power[2]);
    power[5] = multiply(power[2], power[3]);
}

INLINE vec load_lengths(const struct group *g)
{
    __m128i lengths[LANES];
    if (g->same_lengths)
        return splat(lengths_block(g->job[0]));
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        lengths[l] = lengths_block(g->job[l]);
    return join_lanes(lengths);
}

// GHASH of each lane's text and lengths under prepared keys: one reduction.
INLINE vec hash_prepared(const vec *text, const struct round_keys *k, const struct group *g,
                         size_t room)
{
    struct sum sum = zero_sum();
    const size_t n = g->blocks;
    for (size_t i = 1; i < g->ad_blocks; i++)
        add_product(&sum, load_ad(g, i), load_power(k, n + 1 + g->ad_blocks - i));
    UNROLL
    for (size_t t = 0; t < room; t += RAW_TILE) {
        vec row[RAW_TILE];
        if (t > 0 && t >= n)
            break;
        UNROLL
        for (size_t j = 0; j < RAW_TILE; j += LANES) // past H^1 there is something, and no text
            load_tile(row + j, k, power_offset(n + 1 - t - j));
        add_two_products(&sum, text[t], row[0], text[t + 1], row[1]);
        add_two_products(&sum, text[t + 2], row[2], text[t + 3], row[3]);
    }
    const vec lengths = load_lengths(g);
    if (g->ad_blocks == 0)
        add_product(&sum, lengths, k->lowest_power);
    else
        add_two_products(&sum, lengths, k->lowest_power, load_ad(g, 0),
                         load_power(k, n + 1 + g->ad_blocks));
    return reduce_each(&sum);
}

// The same under raw keys, a reduction for every RAW_TILE blocks.
INLINE vec hash_raw(const vec *text, vec hash_key, const struct group *g, size_t room)
{
    vec power[RAW_TILE + 2];
    const size_t n = g->blocks;
    struct sum sum = zero_sum();
    derive_powers(power, hash_key);
    for (size_t i = 0; i < g->ad_blocks; i++)
        add_product_3(&sum, load_ad(g, i), power[g->ad_blocks - i]);
    vec hash = reduce_each_3(&sum), lengths = load_lengths(g);
    UNROLL
    for (size_t t = 0; t < room; t += RAW_TILE) {
        if (t >= n)
            break;
        const bool last = n <= t + RAW_TILE;
        const size_t top = last ? n + 1 - t : RAW_TILE;
        sum = zero_sum();
        // Past the text the power does not matter.
        add_product_3(&sum, xor_vec(text[t], hash), power[top]);
        add_product_3(&sum, text[t + 1], power[top - 1]);
        add_product_3(&sum, text[t + 2], power[top > 2 ? top - 2 : 1]);
        add_product_3(&sum, text[t + 3], power[top > 3 ? top - 3 : 1]);
        if (last)
            add_product_3(&sum, lengths, power[1]);
        hash = reduce_each_3(&sum);
    }
    if (n == 0)
        hash = multiply(xor_vec(lengths, hash), power[1]);
    wipe_vectors(power, RAW_TILE + 2);
    return hash;
}

// Adds the key stream to the text and returns the tag of each lane.
INLINE vec run_text(vec *v, const struct round_keys *k, const struct group *g, size_t room,
                    bool raw, bool sealing)
{
    UNROLL
    for (size_t t = 0; t < room; t += LANES)
        run_tile(v + 1 + t, g, t * BLOCK_BYTES, sealing);
    const vec hash = raw ? hash_raw(v + 1, v[room + 1], g, room) : hash_prepared(v + 1, k, g, room);
    return xor_vec(reverse_blocks(hash), v[0]);
}

// The tags of each group's lanes. `room` blocks, a multiple of LANES, hold the text.
INLINE void run_short(vec *tags, const struct group *g, size_t groups, size_t room, bool raw,
                      bool sealing)
{
    vec v[2][SHORT_BLOCKS + 2];
    struct round_keys k[2];
    UNROLL
    for (size_t x = 0; x < groups; x++)
        init_round_keys(&k[x], &g[x], raw);
    make_key_stream(v, k, g, groups, room, raw);
    UNROLL
    for (size_t x = 0; x < groups; x++)
        tags[x] = run_text(v[x], &k[x], &g[x], room, raw, sealing);
}

#endif
