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

// Round keys in lanes, a tile of LANES at a time.
struct round_keys {
    const uint8_t *at[LANES]; // states
    vec tile[LANES];          // the last ones loaded
};

INLINE void load_round_keys(struct round_keys *k, size_t offset)
{
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        k->tile[l] = load_vec(k->at[l] + offset);
    transpose(k->tile);
}

// They follow H^1, with which they make whole vectors.
INLINE vec next_round_keys(struct round_keys *k, size_t r)
{
    if ((r + 1) % LANES == 0)
        load_round_keys(k, offsetof(struct state, round[r]));
    return k->tile[(r + 1) % LANES];
}

// A group on its way: out of the cipher, but not hashed, or only its ends.
struct short_group {
    struct group g;
    const uint8_t *state[LANES];
    vec mask;      // of the tags
    vec low, high; // the sum of what is hashed so far
};

// Associated data and lengths.
INLINE struct sum hash_ends(const struct short_group *s, const struct run *run, vec lowest_power)
{
    struct sum sum = first_product(load_lengths(&s->g, run), lowest_power);
    for (size_t i = 0; i < run->ad_blocks; i++)
        add_product(&sum, load_ad(&s->g, run, i),
                    load_lanes(s->state, power_offset(run->blocks + 1 + run->ad_blocks - i)));
    return sum;
}

// A group's rows of text, message by message.
struct row_hash {
    struct sum sum;
    vec low[LANES], high[LANES];
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
            h->low[l] = settle(join_low(&h->sum));
            h->high[l] = settle(join_high(&h->sum));
        }
    }
    if (r == ROW_ROUNDS + 1)
        s->low = settle(xor_vec(s->low, sum_rows(h->low)));
    if (r == ROW_ROUNDS + 2)
        s->high = settle(xor_vec(s->high, sum_rows(h->high)));
}

// Runs a group through the cipher and hashes a group, or does one of the two. `tags` are those of
// the hashed group.
INLINE void run_short(struct short_group *s, struct short_group *hashed, const struct run *run,
                      size_t room, bool sealing, vec *tags)
{
    vec v[SHORT_BLOCKS + 1], lowest_power = zero_vec();
    struct round_keys k;
    struct row_hash h;
    if (s != NULL) {
        UNROLL
        for (size_t l = 0; l < LANES; l++)
            k.at[l] = s->state[l] = s->g.job[l].key->state;
        load_round_keys(&k, offsetof(struct state, power[POWERS - 1]));
        lowest_power = k.tile[0];
        start_key_stream(v, room + 1, load_nonces(&s->g), next_round_keys(&k, 0));
    }
    UNROLL
    for (size_t r = 1; r < ROUND_KEYS; r++) {
        if (s != NULL)
            run_round(v, room + 1, r, next_round_keys(&k, r));
        if (s != NULL && r == 1) {
            const struct sum ends = hash_ends(s, run, lowest_power);
            s->low = settle(join_low(&ends));
            s->high = settle(join_high(&ends));
        }
        if (hashed != NULL)
            hash_short_step(&h, hashed, run, r, room, sealing);
    }
    if (s != NULL) {
        UNROLL
        for (size_t t = 0; t < room; t += LANES) {
            transpose(v + 1 + t);
            UNROLL
            for (size_t l = 0; l < LANES; l++)
                run_row(&s->g, l, t * BLOCK_BYTES, v[1 + t + l], true);
        }
        s->mask = v[0];
    }
    if (hashed != NULL)
        *tags = xor_vec(reverse_blocks(reduce(hashed->low, hashed->high)), hashed->mask);
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
    struct padding padding;
    vec tags;
    prefetch_states(run, LANES, room);
    take_group(&before.g, run, 0, &padding);
    run_short(&before, NULL, run, room, true, NULL);
    for (size_t at = LANES; at < run->count; at += LANES) {
        prefetch_states(run, at + FETCH_AHEAD * LANES, room);
        take_group(&s.g, run, at, &padding);
        run_short(&s, &before, run, room, true, &tags);
        finish_group(&before.g, run, tags, true, NULL);
        before = s;
    }
    run_short(NULL, &before, run, room, true, &tags);
    finish_group(&before.g, run, tags, true, NULL);
}

INLINE bool open_short_run(const struct run *run, size_t room, bool *ok)
{
    struct short_group s;
    struct padding padding;
    vec tags;
    bool all = true;
    for (size_t at = 0; at < run->count; at += LANES) {
        prefetch_states(run, at + FETCH_AHEAD * LANES, room);
        take_group(&s.g, run, at, &padding);
        run_short(&s, &s, run, room, false, &tags);
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
