// AES-256-GCM: from a batch of jobs to groups of like ones, and the tier's calls. Part of each
// tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_BATCH_H
#define SEALCRYPTO_AEAD_BATCH_H

#include "aead_long.h"
#include "aead_raw.h"
#include "aead_short.h"

#define UNROLL_SOME _Pragma("GCC unroll 4") // where every job pays for the loop

#define BATCH_JOBS 64u // sorted at a time; also the bound of what is on the stack

#define CLASSES (2u * (SHORT_BLOCKS + 1) * (LANES_AD_BLOCKS + 1) + 2u)
#define LONG_CLASS (CLASSES - 2u)
#define LONG_RAW_CLASS (CLASSES - 1u)

// As many powers as a message takes, its associated data included.
INLINE size_t count_powers(const struct sp_aead_job *job)
{
    const size_t most = CHUNK_BLOCKS;
    const size_t text = count_blocks(job->len), ad = count_blocks(job->ad_len);
    return text + ad < most ? text + ad + 1 : POWERS;
}

static void expand_group(struct state *states, const struct sp_aead_job *jobs, size_t count)
{
    struct state *to[LANES];
    const uint8_t *raw[LANES];
    size_t powers = 0;
    if (count < RAW_COMPANY) {
        for (size_t i = 0; i < count; i++)
            expand_key(&states[i], jobs[i].raw_key, count_powers(&jobs[i]));
        return;
    }
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const struct sp_aead_job *job = &jobs[l < count ? l : 0];
        const size_t need = count_powers(job);
        to[l] = &states[l];
        raw[l] = job->raw_key;
        powers = need > powers ? need : powers;
    }
    expand_keys(to, raw, powers);
}

INLINE unsigned classify(const struct sp_aead_job *job)
{
    assert(job->len <= INT_MAX && job->ad_len <= INT_MAX);
    assert((job->key == NULL) != (job->raw_key == NULL));
    const bool raw = job->key == NULL;
    const size_t blocks = count_blocks(job->len), ad_blocks = count_blocks(job->ad_len);
    const size_t most = raw ? SHORT_BLOCKS : SHORT_PREPARED_BLOCKS;
    if (blocks > most || ad_blocks > LANES_AD_BLOCKS || (!raw && blocks + ad_blocks >= POWERS))
        return raw ? LONG_RAW_CLASS : LONG_CLASS;
    return (unsigned)((ad_blocks * (SHORT_BLOCKS + 1) + blocks) * 2 + (raw ? 1 : 0));
}

static const uint8_t in_order[BATCH_JOBS] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

// The same for long messages.
INLINE void prefetch_keys(const struct run *run, size_t from, size_t count, bool raw)
{
    const size_t bytes = raw ? LINE_BYTES : sizeof(struct state);
    const size_t end = from + count < run->count ? from + count : run->count;
    for (size_t at = from; at < end; at++) {
        const struct sp_aead_job *job = &run->jobs[at];
        const uint8_t *key = raw ? job->raw_key : job->key->state;
        for (size_t line = 0; line < bytes; line += LINE_BYTES)
            __builtin_prefetch(key + line);
    }
}

// How many of the states below are used.
INLINE size_t count_states(size_t count)
{
    return count > LANES ? 2 * LANES : count < RAW_COMPANY ? count : LANES;
}

// One after the other. Of raw keys LANES are expanded at once, into every other half of the room:
// the message before is still to be hashed.
INLINE bool run_long(const struct run *run, struct state *states, bool raw, bool sealing, bool *ok)
{
    struct pending pending = {.piece = {.job = NULL}, .sum = zero_sum()};
    bool all = true;
    for (size_t at = 0; at < run->count; at += LANES) {
        struct state *half = at % (2 * LANES) == 0 ? states : states + LANES;
        prefetch_keys(run, at + LANES, LANES, raw);
        const size_t count = run->count - at < LANES ? run->count - at : LANES;
        if (raw)
            expand_group(half, run->jobs + at, count);
        for (size_t l = 0; l < count; l++) {
            const struct sp_aead_job *job = &run->jobs[at + l];
            const struct state *s = raw ? &half[l] : job->key->state;
            if (sealing) {
                seal_long(&pending, s, job);
            } else {
                const size_t i = run->number[at + l];
                ok[i] = verify(job, open_long(s, job));
                all = all && ok[i];
            }
        }
    }
    if (sealing)
        seal_pending(&pending);
    return all;
}

static __attribute__((noinline)) bool seal_long_class(const struct run *run, struct state *states,
                                                      bool raw)
{
    return run_long(run, states, raw, true, NULL);
}

static __attribute__((noinline)) bool open_long_class(const struct run *run, struct state *states,
                                                      bool raw, bool *ok)
{
    return run_long(run, states, raw, false, ok);
}

WIPE_FRAMES(wipe_long, LONG_FRAME_BYTES)
WIPE_FRAMES(wipe_short, SHORT_FRAME_BYTES)
WIPE_FRAMES(wipe_short_4, SHORT_4_FRAME_BYTES)
WIPE_FRAMES(wipe_raw, RAW_FRAME_BYTES)
WIPE_FRAMES(wipe_raw_short, RAW_SHORT_FRAME_BYTES)

static bool run_long_class(const struct run *run, bool raw, bool sealing, bool *ok)
{
    struct state states[2 * LANES];
    const bool all =
        sealing ? seal_long_class(run, states, raw) : open_long_class(run, states, raw, ok);
    wipe_long();
    if (raw)
        sp_wipe(states, count_states(run->count) * sizeof(struct state));
    return all;
}

static bool run_lanes_class(const struct run *run, bool raw, bool sealing, bool *ok)
{
    bool all;
    if (!raw) {
        all = run_short_class(run, sealing, ok);
        if (run->blocks <= 4)
            wipe_short_4();
        else
            wipe_short();
    } else if (run->blocks <= RAW_SHORT_TILE) {
        all = run_raw_short_class(run, sealing, ok);
        wipe_raw_short();
    } else {
        all = run_raw_class(run, sealing, ok);
        wipe_raw();
    }
    return all;
}

// Have so many messages enough company to share vectors? Raw keys have theirs in lanes whatever
// their length, as long as they are alike.
INLINE bool is_in_lanes(const struct run *run, unsigned class, bool raw)
{
    if (!raw)
        return class < LONG_CLASS && run->count >= SHORT_COMPANY;
    if (class < LONG_CLASS)
        return run->count > 1 || LANES == 1;
    return run->count >= RAW_COMPANY && run->alike && run->ad_blocks <= LANES_AD_BLOCKS;
}

// Of those behind the last whole group, would a group of their own cost more than each alone?
INLINE size_t count_stragglers(const struct run *run, unsigned class, bool raw)
{
    const size_t rest = run->count % LANES;
    const bool apart = raw ? class >= LONG_CLASS : rest == 1 && run->blocks > 4;
    return apart && run->count > LANES ? rest : 0;
}

INLINE bool run_class(struct run run, unsigned class, bool sealing, bool *ok)
{
    const bool raw = class % 2 == 1;
    if (!is_in_lanes(&run, class, raw))
        return run_long_class(&run, raw, sealing, ok);
    struct run stragglers = run;
    stragglers.count = count_stragglers(&run, class, raw);
    run.count -= stragglers.count;
    bool all = run_lanes_class(&run, raw, sealing, ok);
    if (stragglers.count > 0) {
        stragglers.jobs += run.count;
        stragglers.number += run.count;
        all = run_long_class(&stragglers, raw, sealing, ok) && all;
    }
    return all;
}

INLINE struct run make_run(const struct sp_aead_job *jobs, const uint8_t *number, size_t count,
                           bool alike)
{
    return (struct run){
        .jobs = jobs,
        .number = number,
        .count = count,
        .blocks = count_blocks(jobs[0].len),
        .ad_blocks = count_blocks(jobs[0].ad_len),
        .alike = alike,
        .lengths = lengths_block(&jobs[0]),
        .whole_ad = alike && jobs[0].ad_len % BLOCK_BYTES == 0,
    };
}

// Equal lengths and kinds of key throughout, as most batches have them.
INLINE bool are_alike(const struct sp_aead_job *jobs, size_t count)
{
    const bool raw = jobs[0].key == NULL;
    // Where the key is, and where the other kind would be.
    const size_t mine =
        raw ? offsetof(struct sp_aead_job, raw_key) : offsetof(struct sp_aead_job, key);
    const size_t other =
        raw ? offsetof(struct sp_aead_job, key) : offsetof(struct sp_aead_job, raw_key);
    const size_t len = jobs[0].len, ad_len = jobs[0].ad_len;
    size_t missing = 0;
    UNROLL_SOME
    for (size_t i = 0; i < count; i++) {
        const struct sp_aead_job *job = &jobs[i];
        uintptr_t key, none;
        memcpy(&key, (const uint8_t *)job + mine, sizeof(key));
        memcpy(&none, (const uint8_t *)job + other, sizeof(none));
        if (job->len != len || job->ad_len != ad_len || none != 0)
            return false;
        missing += key == 0;
    }
    return missing == 0;
}

// Job numbers by class.
INLINE void sort_jobs(uint8_t number[BATCH_JOBS], const uint8_t class[BATCH_JOBS], size_t count)
{
    uint8_t start[CLASSES + 1] = {0};
    for (size_t i = 0; i < count; i++)
        start[class[i] + 1]++;
    for (size_t c = 0; c < CLASSES; c++)
        start[c + 1] = (uint8_t)(start[c + 1] + start[c]);
    for (size_t i = 0; i < count; i++)
        number[start[class[i]]++] = (uint8_t)i;
}

static __attribute__((noinline)) bool run_mixed(const struct sp_aead_job *jobs, size_t count,
                                                bool sealing, bool *ok)
{
    uint8_t number[BATCH_JOBS], class[BATCH_JOBS];
    struct sp_aead_job sorted[BATCH_JOBS];
    bool all = true;
    for (size_t i = 0; i < count; i++)
        class[i] = (uint8_t)classify(&jobs[i]);
    sort_jobs(number, class, count);
    for (size_t i = 0; i < count; i++)
        sorted[i] = jobs[number[i]];
    for (size_t at = 0, end; at < count; at = end) {
        const unsigned c = class[number[at]];
        for (end = at + 1; end < count && class[number[end]] == c; end++)
            ;
        const struct run run = make_run(sorted + at, number + at, end - at, false);
        all = run_class(run, c, sealing, ok) && all;
    }
    return all;
}

INLINE bool run_jobs(const struct sp_aead_job *jobs, size_t count, bool sealing, bool *ok)
{
    if (!are_alike(jobs, count))
        return run_mixed(jobs, count, sealing, ok);
    const struct run run = make_run(jobs, in_order, count, true);
    return run_class(run, classify(&jobs[0]), sealing, ok);
}

static int init(void)
{
    return 0;
}

static int init_key(struct sp_aead_key *key, const uint8_t raw[SP_KEY_BYTES])
{
    struct state *s = aligned_alloc(LINE_BYTES, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    expand_key(s, raw, POWERS);
    key->state = s;
    return 0;
}

static void free_key(struct sp_aead_key *key)
{
    sp_wipe(key->state, sizeof(struct state));
    free(key->state);
}

static int seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    for (size_t at = 0; at < count; at += BATCH_JOBS)
        run_jobs(jobs + at, count - at < BATCH_JOBS ? count - at : BATCH_JOBS, true, NULL);
    return 0;
}

static bool open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    for (size_t at = 0; at < count; at += BATCH_JOBS) {
        const size_t part = count - at < BATCH_JOBS ? count - at : BATCH_JOBS;
        all = run_jobs(jobs + at, part, false, ok + at) && all;
    }
    return all;
}

#endif
