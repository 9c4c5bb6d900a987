// AES-256-GCM, lane-major, for short messages under prepared keys. Part of each tier's file; see
// aead_kernel.h and aead_lanes.h.
//
// The cipher is lane-major. GHASH takes the text as it lies in memory, as the powers do, and only
// its sums come back into lanes. While one group is in the cipher a group is hashed, a step after
// each round: neither would fill by itself the time its results take. Sealing, that is the group
// before; opening, the same one.
#ifndef SEALCRYPTO_AEAD_SHORT_H
#define SEALCRYPTO_AEAD_SHORT_H

#include "aead_lanes.h"

// Where H^n is in a state; one past the last power for 0, and so on.
INLINE size_t power_offset(size_t n)
{
    return offsetof(struct state, power) + (POWERS - n) * BLOCK_BYTES;
}

// What the cipher takes of a group's jobs: H^1, the round keys, and nonces. Exchanging lanes keeps
// the units busy that the cipher and GHASH need; loads and stores of a block do not. So these are
// copied into lanes block by block, those of the next group during a pass. Only the first group's
// are exchanged.
#define GROUP_KEYS (ROUND_KEYS + 1) // H^1 and the round keys, which follow it
#define KEYS_OFFSET offsetof(struct state, power[POWERS - 1])
struct short_lanes {
    vec keys[GROUP_KEYS], nonces;
    const uint8_t *next[LANES]; // states to be copied from
};

// Number i of the first group's, in order. `tile`: the last ones loaded.
INLINE vec exchange_keys(vec tile[LANES], const struct group *g, size_t i)
{
    if (i % LANES == 0) {
        UNROLL
        for (size_t l = 0; l < LANES; l++) {
            const uint8_t *state = g->job[l].key->state;
            tile[l] = load_vec(state + KEYS_OFFSET + i * BLOCK_BYTES);
        }
        transpose(tile);
    }
    return tile[i % LANES];
}

// Number i, in order. `first`: nothing was copied.
INLINE vec take_keys(struct short_lanes *s, vec tile[LANES], const struct group *g, size_t i,
                     bool first)
{
    if (LANES == 1)
        return exchange_keys(tile, g, i);
    const vec keys = first ? exchange_keys(tile, g, i) : s->keys[i];
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const uint8_t *key = s->next[l] + KEYS_OFFSET + i * BLOCK_BYTES;
        copy_block(&s->keys[i], l, _mm_loadu_si128((const __m128i *)key));
    }
    return keys;
}

// Before the keys: from here on the next group is copied, or, if there is none, this one again.
INLINE vec take_nonces(struct short_lanes *s, const struct group *g, const struct run *run,
                       bool first)
{
    if (LANES == 1)
        return load_nonces(g);
    const struct next_jobs next = find_next(g, run);
    const vec nonces = first ? load_nonces(g) : s->nonces;
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const struct sp_aead_job *job = next_job(&next, l);
        s->next[l] = job->key->state;
        copy_block(&s->nonces, l, load_nonce(job->nonce));
    }
    return nonces;
}

// A group on its way: out of the cipher, but not hashed, or only its ends.
struct short_group {
    struct group g;
    const uint8_t *state[LANES];
    vec mask;       // of the tags
    struct sum sum; // of what is hashed so far
};

// Associated data and lengths.
INLINE struct sum hash_ends(const struct short_group *s, const struct run *run, vec lowest_power)
{
    struct sum sum = first_product(load_lengths(&s->g, run), lowest_power);
    UNROLL
    for (size_t i = 0; i < LANES_AD_BLOCKS; i++) {
        if (i >= run->ad_blocks)
            break;
        add_product(&sum, load_ad(&s->g, run, i),
                    load_lanes(s->state, power_offset(run->blocks + 1 + run->ad_blocks - i)));
    }
    return sum;
}

// A group's rows of text, message by message.
struct row_hash {
    struct sum sum;
    vec low[LANES], middle[LANES], high[LANES];
};

// LANES blocks of message l from the t-th on.
INLINE void hash_row(struct row_hash *h, const struct short_group *s, const struct run *run,
                     size_t l, size_t t, bool sealing)
{
    const struct sp_aead_job *job = &s->g.job[l];
    const uint8_t *power = s->state[l] + power_offset(run->blocks + 1);
    if (t > 0 && t >= run->blocks)
        return;
    const vec text =
        reverse_blocks(load_row(&s->g, sealing ? job->out : job->in, l, t * BLOCK_BYTES));
    const vec row = load_vec(power + t * BLOCK_BYTES); // past H^1 there is something, and no text
    if (t == 0)
        h->sum = first_product(text, row);
    else
        add_product(&h->sum, text, row);
}

// What is done of a hash after round r: rows, then all lanes together.
#define ROW_ROUNDS 10u
INLINE void hash_short_step(struct row_hash *h, struct short_group *s, const struct run *run,
                            size_t r, size_t room, bool sealing)
{
    const size_t rows = room / LANES; // of a message
    UNROLL
    for (size_t u = room * (r - 1) / ROW_ROUNDS; r <= ROW_ROUNDS && u < room * r / ROW_ROUNDS;
         u++) {
        const size_t l = u / rows, t = u % rows * LANES;
        hash_row(h, s, run, l, t, sealing);
        if (t + LANES == room) {
            h->low[l] = h->sum.low;
            h->middle[l] = h->sum.middle;
            h->high[l] = h->sum.high;
        }
    }
    if (r == ROW_ROUNDS + 1)
        s->sum.low = settle(xor_vec(s->sum.low, sum_rows(h->low)));
    if (r == ROW_ROUNDS + 2)
        s->sum.middle = settle(xor_vec(s->sum.middle, sum_rows(h->middle)));
    if (r == ROW_ROUNDS + 3)
        s->sum.high = settle(xor_vec(s->sum.high, sum_rows(h->high)));
}

// Runs a group through the cipher and hashes a group, or does one of the two. `tags` are those of
// the hashed group.
INLINE void run_short(struct short_group *s, struct short_group *hashed, const struct run *run,
                      struct short_lanes *lanes, size_t room, bool sealing, bool first, vec *tags)
{
    vec v[SHORT_BLOCKS + 1], tile[LANES], lowest_power = zero_vec();
    struct row_hash h;
    if (s != NULL) {
        UNROLL
        for (size_t l = 0; l < LANES; l++)
            s->state[l] = s->g.job[l].key->state;
        const vec nonces = take_nonces(lanes, &s->g, run, first);
        lowest_power = take_keys(lanes, tile, &s->g, 0, first);
        start_key_stream(v, room + 1, nonces, take_keys(lanes, tile, &s->g, 1, first));
    }
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS; r++) {
        if (s != NULL)
            run_round(v, room + 1, r, take_keys(lanes, tile, &s->g, r + 1, first));
        if (s != NULL && r == 1)
            s->sum = hash_ends(s, run, lowest_power);
        if (hashed != NULL)
            hash_short_step(&h, hashed, run, r, room, sealing);
    }
    if (s != NULL) {
        UNROLL
        for (size_t t = 0; t < room; t += LANES) {
            transpose(v + 1 + t);
            UNROLL
            for (size_t l = 0; l < LANES; l++)
                run_row(&s->g, l, t * BLOCK_BYTES, v[1 + t + l], true,
                        is_whole_row(&s->g, t * BLOCK_BYTES));
        }
        s->mask = v[0];
    }
    if (hashed != NULL)
        *tags = xor_vec(reverse_blocks(reduce_each(&hashed->sum)), hashed->mask);
}

// With many keys each one has left the near caches by its next message; fetching what the next
// messages take of theirs while others are worked on hides much of that.
INLINE void prefetch_states(const struct run *run, size_t at, size_t room)
{
    const size_t from = power_offset(room + 1 + LANES_AD_BLOCKS) / LINE_BYTES * LINE_BYTES;
    if (at + LANES > run->count)
        return;
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const uint8_t *state = run->jobs[at + l].key->state;
        UNROLL
        for (size_t line = from; line < sizeof(struct state); line += LINE_BYTES)
            __builtin_prefetch(state + line);
    }
}

INLINE void seal_short_run(const struct run *run, size_t room)
{
    struct short_group s, before;
    struct short_lanes lanes;
    struct padding padding;
    vec tags;
    prefetch_states(run, LANES, room);
    before.g = take_group(run, 0, &padding);
    run_short(&before, NULL, run, &lanes, room, true, true, NULL);
    for (size_t at = LANES; at < run->count; at += LANES) {
        prefetch_states(run, at + FETCH_AHEAD * LANES, room);
        s.g = take_group(run, at, &padding);
        run_short(&s, &before, run, &lanes, room, true, false, &tags);
        finish_group(&before.g, run, tags, true, NULL);
        before = s;
    }
    run_short(NULL, &before, run, &lanes, room, true, false, &tags);
    finish_group(&before.g, run, tags, true, NULL);
}

INLINE bool open_short_run(const struct run *run, size_t room, bool *ok)
{
    struct short_group s;
    struct short_lanes lanes;
    struct padding padding;
    vec tags;
    prefetch_states(run, LANES, room);
    s.g = take_group(run, 0, &padding);
    run_short(&s, &s, run, &lanes, room, false, true, &tags);
    bool all = finish_group(&s.g, run, tags, false, ok);
    for (size_t at = LANES; at < run->count; at += LANES) {
        prefetch_states(run, at + FETCH_AHEAD * LANES, room);
        s.g = take_group(run, at, &padding);
        run_short(&s, &s, run, &lanes, room, false, false, &tags);
        all = finish_group(&s.g, run, tags, false, ok) && all;
    }
    return all;
}

// By the room for blocks of text.
#define DEFINE_SHORT(room)                                                                         \
    static bool seal_short_##room(const struct run *run, bool *ok)                                 \
    {                                                                                              \
        (void)ok;                                                                                  \
        seal_short_run(run, room);                                                                 \
        return true;                                                                               \
    }                                                                                              \
    static bool open_short_##room(const struct run *run, bool *ok)                                 \
    {                                                                                              \
        return open_short_run(run, room, ok);                                                      \
    }
DEFINE_SHORT(4)
DEFINE_SHORT(8)
DEFINE_SHORT(16)

// Its caller wipes.
static __attribute__((noinline)) bool run_short_class(const struct run *run, bool sealing, bool *ok)
{
    if (run->blocks <= 4)
        return (sealing ? seal_short_4 : open_short_4)(run, ok);
    if (run->blocks <= 8)
        return (sealing ? seal_short_8 : open_short_8)(run, ok);
    return (sealing ? seal_short_16 : open_short_16)(run, ok);
}

#endif
