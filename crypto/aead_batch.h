// AES-256-GCM: from a batch of jobs to groups of like ones, and the tier's calls. Part of each
// tier's file; see aead_kernel.h.
#ifndef SEALCRYPTO_AEAD_BATCH_H
#define SEALCRYPTO_AEAD_BATCH_H

#include "aead_long.h"
#include "aead_short.h"

#define BATCH_JOBS 64u // sorted at a time; also the bound of what is on the stack
#define CLASSES (2u * (SHORT_BLOCKS + 1) * (SHORT_AD_BLOCKS + 1) + 2u)
#define LONG_CLASS (CLASSES - 2u)
#define LONG_RAW_CLASS (CLASSES - 1u)

static bool verify(const struct sp_aead_job *job, __m128i tag)
{
    const __m128i difference = _mm_xor_si128(tag, _mm_loadu_si128((const __m128i *)job->tag));
    const bool verified = _mm_testz_si128(difference, difference) == 1;
    if (!verified && job->len > 0)
        memset(job->out, 0, job->len);
    return verified;
}

// Deciphers in the same pass that verifies: what did not verify is zeroed before anyone sees it.
INLINE bool finish(const struct sp_aead_job *job, __m128i tag, bool sealing)
{
    if (!sealing)
        return verify(job, tag);
    _mm_storeu_si128((__m128i *)job->tag, tag);
    return true;
}

// As many powers as a message takes, its associated data included.
INLINE size_t count_powers(const struct sp_aead_job *job)
{
    const size_t most = CHUNK_BLOCKS;
    const size_t text = count_blocks(job->len), ad = count_blocks(job->ad_len);
    return text + ad < most ? text + ad + 1 : POWERS;
}

static void expand_group(struct state *states, const struct group *g)
{
    struct state *to[LANES];
    const uint8_t *raw[LANES];
    size_t powers = 0;
    UNROLL
    for (size_t l = 0; l < LANES; l++) {
        const size_t need = count_powers(g->job[l]);
        to[l] = &states[l];
        raw[l] = g->job[l]->raw_key;
        powers = need > powers ? need : powers;
    }
    expand_keys(to, raw, powers);
}

typedef void run_short_fn(vec *tags, const struct group *g, bool sealing);

#define DEFINE_SHORT(name, groups, room, raw)                                                      \
    static void name(vec *tags, const struct group *g, bool sealing)                               \
    {                                                                                              \
        run_short(tags, g, groups, room, raw, sealing);                                            \
    }
DEFINE_SHORT(run_prepared_4, 1, 4, false)
DEFINE_SHORT(run_prepared_4_twice, 2, 4, false)
DEFINE_SHORT(run_prepared_8, 1, 8, false)
DEFINE_SHORT(run_prepared_8_twice, 2, 8, false)
DEFINE_SHORT(run_prepared_16, 1, 16, false)
DEFINE_SHORT(run_raw_4, 1, 4, true)
DEFINE_SHORT(run_raw_4_twice, 2, 4, true)
DEFINE_SHORT(run_raw_8, 1, 8, true)
DEFINE_SHORT(run_raw_8_twice, 2, 8, true)
DEFINE_SHORT(run_raw_16, 1, 16, true)

// By room (4, 8, 16), kind of key (prepared, raw), and number of groups. Two groups of the largest
// would not find room in the registers.
static run_short_fn *const short_kernels[3][2][2] = {
    {{run_prepared_4, run_prepared_4_twice}, {run_raw_4, run_raw_4_twice}},
    {{run_prepared_8, run_prepared_8_twice}, {run_raw_8, run_raw_8_twice}},
    {{run_prepared_16, NULL}, {run_raw_16, NULL}},
};

INLINE unsigned classify(const struct sp_aead_job *job)
{
    assert(job->len <= INT_MAX && job->ad_len <= INT_MAX);
    assert((job->key == NULL) != (job->raw_key == NULL));
    const bool raw = job->key == NULL;
    const size_t blocks = count_blocks(job->len), ad_blocks = count_blocks(job->ad_len);
    const size_t most = raw ? SHORT_BLOCKS : SHORT_PREPARED_BLOCKS;
    if (blocks > most || ad_blocks > SHORT_AD_BLOCKS || (!raw && blocks + ad_blocks >= POWERS))
        return raw ? LONG_RAW_CLASS : LONG_CLASS;
    return (unsigned)((ad_blocks * (SHORT_BLOCKS + 1) + blocks) * 2 + (raw ? 1 : 0));
}

static const uint8_t in_order[BATCH_JOBS] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
    22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

// Jobs of one class, by number.
struct run {
    const struct sp_aead_job *jobs;
    const uint8_t *order;
    size_t count;
    unsigned class;
    bool alike; // the same lengths throughout
};

INLINE void take_group(struct group *g, const struct run *run, size_t at)
{
    g->used = run->count - at < LANES ? run->count - at : LANES;
    UNROLL
    for (size_t l = 0; l < LANES; l++)
        g->job[l] = &run->jobs[run->order[at + (l < g->used ? l : 0)]];
    g->whole_len = g->used < LANES ? 0 : g->job[0]->len;
    g->same_lengths = run->alike;
    UNROLL
    for (size_t l = 1; l < LANES && !run->alike; l++)
        g->whole_len = g->job[l]->len < g->whole_len ? g->job[l]->len : g->whole_len;
    g->blocks = count_blocks(g->job[0]->len);
    g->ad_blocks = count_blocks(g->job[0]->ad_len);
}

// With many keys each one has left the near caches by its next message; fetching what the next
// messages take of theirs while others are worked on hides much of that.
INLINE void prefetch_keys(const struct run *run, size_t from, size_t count)
{
    const bool raw = run->class % 2 == 1;
    const size_t bytes = raw ? LINE_BYTES
                             : sizeof(struct state) -
                                   (POWERS - count_powers(&run->jobs[run->order[0]])) * BLOCK_BYTES;
    const size_t end = from + count < run->count ? from + count : run->count;
    for (size_t at = from; at < end; at++) {
        const struct sp_aead_job *job = &run->jobs[run->order[at]];
        const uint8_t *key = raw ? job->raw_key : job->key->state;
        key += raw ? 0 : sizeof(struct state) - bytes;
        for (size_t line = 0; line < bytes; line += LINE_BYTES)
            __builtin_prefetch(key + line);
    }
}

// One after the other. Of raw keys LANES are expanded at once, into every other half of the room:
// the message before is still to be hashed.
static bool run_long_class(const struct run *run, bool sealing, bool *ok)
{
    const bool raw = run->class % 2 == 1;
    struct state states[2 * LANES];
    struct pending pending = {.job = NULL, .piece = {.len = 0}};
    struct group g;
    bool all = true;
    for (size_t at = 0; at < run->count; at += LANES) {
        struct state *half = at % (2 * LANES) == 0 ? states : states + LANES;
        prefetch_keys(run, at + LANES, LANES);
        take_group(&g, run, at);
        if (raw)
            expand_group(half, &g);
        for (size_t l = 0; l < g.used; l++) {
            const struct state *s = raw ? &half[l] : g.job[l]->key->state;
            if (sealing) {
                seal_long(&pending, s, g.job[l]);
            } else {
                const size_t i = run->order[at + l];
                ok[i] = verify(g.job[l], open_long(s, g.job[l]));
                all = all && ok[i];
            }
        }
    }
    if (sealing)
        seal_pending(&pending);
    wipe_vectors(&pending.mask, 1); // with a tag and its text it would give H away
    if (raw)
        sp_wipe(states, (run->count > LANES ? 2 : 1) * LANES * sizeof(struct state));
    return all;
}

INLINE bool finish_group(const struct run *run, size_t at, vec tags, bool sealing, bool *ok)
{
    __m128i tag[LANES];
    bool all = true;
    split_lanes(tag, tags);
    for (size_t l = 0; l < LANES && at + l < run->count; l++) {
        const size_t i = run->order[at + l];
        const bool done = finish(&run->jobs[i], tag[l], sealing);
        if (!sealing)
            ok[i] = done;
        all = all && done;
    }
    return all;
}

// Groups in lanes, two at a time where both have room in the registers.
INLINE bool run_short_class(const struct run *run, bool sealing, bool *ok)
{
    struct group g[2];
    vec tags[2];
    bool all = true;
    const size_t blocks = count_blocks(run->jobs[run->order[0]].len);
    const size_t size = blocks <= 4 ? 0 : blocks <= 8 ? 1 : 2;
    run_short_fn *const *const kernel = short_kernels[size][run->class % 2];
    const size_t most = kernel[1] == NULL ? LANES : 2 * LANES;
    for (size_t at = 0; at < run->count; at += most) {
        const size_t left = run->count - at;
        const bool two = left > LANES && most > LANES;
        prefetch_keys(run, at + most, most);
        take_group(&g[0], run, at);
        if (two)
            take_group(&g[1], run, at + LANES);
        kernel[two](tags, g, sealing);
        all = finish_group(run, at, tags[0], sealing, ok) && all;
        if (two)
            all = finish_group(run, at + LANES, tags[1], sealing, ok) && all;
    }
    return all;
}

// A message with a prepared key and no company runs message-major.
INLINE bool run_class(const struct run *run, bool sealing, bool *ok)
{
    const bool raw = run->class % 2 == 1;
    if (run->class >= LONG_CLASS || (!raw && run->count < SHORT_COMPANY))
        return run_long_class(run, sealing, ok);
    return run_short_class(run, sealing, ok);
}

// Equal lengths and kinds of key throughout, as most batches have them.
INLINE bool are_alike(const struct sp_aead_job *jobs, size_t count)
{
    size_t different = 0;
    for (size_t i = 1; i < count; i++) {
        different |= (jobs[i].len ^ jobs[0].len) | (jobs[i].ad_len ^ jobs[0].ad_len);
        different |= (jobs[i].key == NULL) != (jobs[0].key == NULL);
        different |= (jobs[i].key == NULL) == (jobs[i].raw_key == NULL);
    }
    return different == 0;
}

// Job numbers by class; returns false when all are of one class, which needs no order.
static bool sort_jobs(uint8_t order[BATCH_JOBS], uint8_t class[BATCH_JOBS],
                      const struct sp_aead_job *jobs, size_t count)
{
    class[0] = (uint8_t)classify(&jobs[0]);
    if (are_alike(jobs, count))
        return false;
    for (size_t i = 1; i < count; i++)
        class[i] = (uint8_t)classify(&jobs[i]);
    uint8_t start[CLASSES + 1] = {0};
    for (size_t i = 0; i < count; i++)
        start[class[i] + 1]++;
    for (size_t c = 0; c < CLASSES; c++)
        start[c + 1] = (uint8_t)(start[c + 1] + start[c]);
    for (size_t i = 0; i < count; i++)
        order[start[class[i]]++] = (uint8_t)i;
    return true;
}

INLINE bool run_jobs(const struct sp_aead_job *jobs, size_t count, bool sealing, bool *ok)
{
    uint8_t order[BATCH_JOBS], class[BATCH_JOBS];
    if (!sort_jobs(order, class, jobs, count)) {
        const struct run run = {jobs, in_order, count, class[0], true};
        return run_class(&run, sealing, ok);
    }
    bool all = true;
    for (size_t at = 0, end; at < count; at = end) {
        const unsigned c = class[order[at]];
        for (end = at + 1; end < count && class[order[end]] == c; end++)
            ;
        const struct run run = {jobs, order + at, end - at, c, false};
        all = run_class(&run, sealing, ok) && all;
    }
    return all;
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
    struct state *to[LANES];
    const uint8_t *from[LANES];
    UNROLL
    for (size_t l = 0; l < LANES; l++) { // the same in all lanes
        to[l] = s;
        from[l] = raw;
    }
    expand_keys(to, from, POWERS);
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
