// AES-256-GCM, lane-major: each lane of a vector is another message with its own key. For short
// messages of like size. Part of each tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_SHORT_H
#define SEALCRYPTO_AEAD_SHORT_H

#include "aead_kernel.h"

// Associated data of more blocks than this goes message-major.
#define SHORT_AD_BLOCKS 4u

// Raw keys get few powers of H, as each costs as much as several blocks: so many blocks share a
// reduction, and the last ones one more, of lengths.
#define RAW_TILE 4u

// Messages side by side: equal in blocks of text and of associated data and in the kind of their
// key. A lane without a message of its own repeats the first and stores nothing.
struct group {
    const struct sp_aead_job *job[LANES];
    size_t used;
    size_t blocks, ad_blocks;
};

// Where the keys of a group lie: states, or raw keys.
struct places {
    const uint8_t *at[LANES];
};

// Round keys in order: prepared, a tile of LANES at a time, or two of them known and the others
// following.
struct round_keys {
    struct places places;
    vec tile[LANES];      // prepared: the last ones loaded
    vec before, previous; // raw
};

// A group whose text is through the cipher and not yet hashed.
struct pending_group {
    const struct group *g; // NULL: none
    vec text[SHORT_BLOCKS];
    vec mask; // of the tags
    vec hash_key;
    vec power[RAW_TILE + 2]; // raw: power[n] is H^n
};

// GHASH of a pending group as it proceeds.
struct hashing {
    struct places places;
    struct sum sum;
    vec hash;        // raw: of the tiles before
    vec tile[LANES]; // prepared: powers
};

INLINE struct places find_keys(const struct group *g, bool raw)
{
    struct places places;
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        places.at[l] = raw ? g->job[l]->raw_key : (const uint8_t *)g->job[l]->key->state;
    return places;
}

// LANES blocks of each lane's own, side by side.
INLINE void load_tile(vec tile[LANES], const struct places *places, size_t offset)
{
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        tile[l] = load_vec(places->at[l] + offset);
    transpose(tile);
}

// Where H^n is in a state.
INLINE size_t power_offset(size_t n)
{
    return offsetof(struct state, power) + (POWERS - n) * BLOCK_BYTES;
}

// Each round key is asked for once.
INLINE vec next_key(struct round_keys *k, size_t i, bool raw)
{
    if (!raw) { // H^1 and the round keys make whole tiles
        if (i == 0 || (i + 1) % LANES == 0)
            load_tile(k->tile, &k->places,
                      offsetof(struct state, round[0]) + (i + 1) / LANES * VECTOR_BYTES -
                          BLOCK_BYTES);
        return k->tile[(i + 1) % LANES];
    }
    const vec key = i < 2 ? load_lanes(k->places.at, i * BLOCK_BYTES)
                          : next_round_key(k->before, k->previous, i);
    k->before = k->previous;
    k->previous = key;
    return key;
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

INLINE vec load_lengths(const struct group *g)
{
    __m128i lengths[LANES];
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        lengths[l] = lengths_block(g->job[l]);
    return join_lanes(lengths);
}

// ---- GHASH of a pending group -------------------------------------------------------------------

// The products of the associated data.
INLINE void hash_group_ad(struct hashing *h, struct pending_group *p, bool raw)
{
    const size_t ad_blocks = p->g->ad_blocks, after = raw ? 0 : p->g->blocks + 1;
    for (size_t i = 0; i < ad_blocks; i++) {
        const size_t n = after + ad_blocks - i;
        add_product(&h->sum, load_ad(p->g, i),
                    raw ? p->power[n] : load_lanes(h->places.at, power_offset(n)));
    }
}

INLINE void start_hash(struct hashing *h, struct pending_group *p, bool raw)
{
    h->places = find_keys(p->g, raw);
    h->sum = zero_sum();
    if (!raw)
        return;
    p->power[1] = divide_by_x(reverse_blocks(p->hash_key));
    p->power[2] = multiply(p->power[1], p->power[1]);
    p->power[3] = multiply(p->power[1], p->power[2]);
    p->power[4] = multiply(p->power[2], p->power[2]);
    p->power[5] = multiply(p->power[2], p->power[3]);
    hash_group_ad(h, p, true);
    h->hash = reduce_sum(&h->sum);
    h->sum = zero_sum();
}

// Block j of the text, if the group has it. Prepared keys: all blocks share a reduction. Raw keys:
// so many as there are powers.
INLINE void hash_text(struct hashing *h, const struct pending_group *p, size_t j, bool raw)
{
    const size_t n = p->g->blocks, tile = j - j % RAW_TILE;
    if (j >= n)
        return;
    if (!raw) {
        if (j % LANES == 0)
            load_tile(h->tile, &h->places, power_offset(n + 1 - j));
        add_product(&h->sum, p->text[j], h->tile[j % LANES]);
        return;
    }
    const bool last = n <= tile + RAW_TILE;
    const vec *power = p->power + (last ? n + 1 : tile + RAW_TILE);
    add_product(&h->sum, j == tile ? xor_vec(p->text[j], h->hash) : p->text[j], *(power - j));
    if (!last && j == tile + RAW_TILE - 1) {
        h->hash = reduce_sum(&h->sum);
        h->sum = zero_sum();
    }
}

// Returns the tag of each lane.
INLINE vec finish_group_hash(struct hashing *h, struct pending_group *p, bool raw)
{
    vec lengths = load_lengths(p->g);
    if (!raw)
        hash_group_ad(h, p, false);
    else if (p->g->blocks == 0)
        lengths = xor_vec(lengths, h->hash);
    add_product(&h->sum, lengths, raw ? p->power[1] : load_lanes(h->places.at, power_offset(1)));
    return xor_vec(reverse_blocks(reduce_sum(&h->sum)), p->mask);
}

// When nothing is left to overlap it.
INLINE vec hash_group(struct pending_group *p, bool raw)
{
    struct hashing h = {0};
    start_hash(&h, p, raw);
    UNROLL
    for (size_t j = 0; j < SHORT_BLOCKS; j++)
        hash_text(&h, p, j, raw);
    return finish_group_hash(&h, p, raw);
}

// ---- a group through the cipher -----------------------------------------------------------------

// The bytes of lane l's text that a tile beginning at `at` has.
INLINE size_t bytes_left(const struct group *g, size_t l, size_t at)
{
    return g->job[l]->len > at ? g->job[l]->len - at : 0;
}

// LANES blocks of each message from byte `at` on: adds the key stream, stores, and leaves in the
// tile what GHASH takes.
INLINE void run_tile(vec tile[LANES], const struct group *g, size_t at, bool sealing)
{
    transpose(tile);
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const struct sp_aead_job *job = g->job[l];
        const size_t left = l < g->used ? bytes_left(g, l, at) : 0;
        vec text, result;
        if (left >= VECTOR_BYTES) {
            text = load_vec(job->in + at);
            result = xor_vec(text, tile[l]);
            store_vec(job->out + at, result);
        } else if (left > 0) {
            text = load_part(job->in + at, left);
            result = keep_bytes(xor_vec(text, tile[l]), left);
            store_part(job->out + at, result, left);
        } else {
            text = result = zero_vec();
        }
        tile[l] = reverse_blocks(sealing ? result : text);
    }
    transpose(tile);
}

// Key stream: v[0] masks the tag, v[1 … room] are for text, v[room + 1] becomes H if keys are raw.
INLINE void start_key_stream(vec *v, struct round_keys *k, const struct group *g, size_t room,
                             bool raw)
{
    __m128i nonce[LANES];
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        nonce[l] = load_nonce(g->job[l]->nonce);
    const vec key = next_key(k, 0, raw);
    const vec base = xor_vec(join_lanes(nonce), key);
    UNROLL
    for (size_t j = 0; j <= room; j++) // big-endian, and one byte is enough
        v[j] = xor_vec(base, splat(_mm_set_epi32((int)(j + 1) << 24, 0, 0, 0)));
    if (raw)
        v[room + 1] = key;
}

// Puts a group through the cipher while the one before is hashed, whose tags are returned. `room`
// blocks, a multiple of LANES, hold the text.
INLINE vec run_short(struct pending_group *p, const struct group *g, size_t room, bool raw,
                     bool sealing)
{
    const size_t count = room + 1 + (raw ? 1 : 0);
    const bool hashes = p->g != NULL;
    vec v[SHORT_BLOCKS + 2], tags = zero_vec();
    struct round_keys k = {.places = find_keys(g, raw)};
    struct hashing h = {0};
    if (hashes)
        start_hash(&h, p, raw);
    start_key_stream(v, &k, g, room, raw);
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS; r++) {
        const vec key = next_key(&k, r, raw);
        UNROLL
        for (size_t j = 0; j < count; j++)
            v[j] = settle(r < ROUND_KEYS - 1 ? aes_round(v[j], key) : aes_last(v[j], key));
        if (hashes) {
            UNROLL
            for (size_t j = (r - 1) * room / (ROUND_KEYS - 1); j < r * room / (ROUND_KEYS - 1); j++)
                hash_text(&h, p, j, raw);
        }
    }
    if (hashes)
        tags = finish_group_hash(&h, p, raw);
    UNROLL
    for (size_t t = 0; t < room; t += LANES) {
        run_tile(v + 1 + t, g, t * BLOCK_BYTES, sealing);
        UNROLL
        for (size_t l = 0; l < LANES; l++)
            p->text[t + l] = v[1 + t + l];
    }
    p->g = g;
    p->mask = v[0];
    if (raw)
        p->hash_key = v[room + 1];
    return tags;
}

#endif
