// HKDF-SHA-256 (RFC 5869) and the ratchet's chain, avx512 tier: sixteen jobs in step, each in a
// lane. Any thread; allocates nothing; contents are secret, lengths are not.
//
// A kernel with vector lanes does all sixteen at the price of a few, the other one is paid by the
// lane: each group of jobs goes to the one that is cheaper for it. Jobs are sorted by how long
// they take, so that the ones that end a group early are few.
#include <assert.h>
#include <immintrin.h>
#include <sodium.h>
#include <string.h>

#include "hash_parts.h"
#include "internal.h"
#include "sha256_lanes.h"

#define INLINE static inline __attribute__((always_inline))

#define BLOCK_BYTES SP_SHA256_BLOCK_BYTES
#define HASH_BYTES SP_SHA256_BYTES
#define TRAILER_BYTES 9u // the end bit, the length in bits
#define WINDOW_JOBS 64u  // sorted together

// One step of all vector lanes takes as long as so many blocks by the SHA instructions: on Zen 5 it
// is 6.7 for X3DH's shape, 7.3 for a chain, 7.8 for a session's.
#define CROSSOVER 7u

// What a lane's HMAC is taken of.
struct message {
    const uint8_t *part[SP_PARTS];
    size_t len[SP_PARTS];
};

// Up to sixteen jobs in step. Holds secrets: wiped as a whole.
struct group {
    const struct sp_sha256_kernel *kernel;
    uint32_t lanes;                      // a bit for each job
    struct sp_lanes inner, outer, state; // HMAC's two key states, and the one that moves
    _Alignas(64) uint8_t block[SP_LANES][BLOCK_BYTES];
    _Alignas(64) uint8_t digest[SP_LANES][HASH_BYTES]; // the last HMAC's result
    struct message message[SP_LANES];
};

// `total` blocks have to be hashed, `longest` of them one after the other.
static void start_group(struct group *g, size_t jobs, size_t total, size_t longest)
{
    assert(jobs >= 1 && jobs <= SP_LANES);
    g->kernel = total > CROSSOVER * longest ? &sp_sha256_avx512 : &sp_sha256_ni;
    g->lanes = (1u << jobs) - 1;
    memset(g->block, 0, sizeof(g->block)); // rows of lanes without a job are read as well
}

// ---- HMAC (RFC 2104) ----------------------------------------------------------------------------

static size_t count_blocks(size_t len)
{
    return (len + TRAILER_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

INLINE void store_block(uint8_t block[BLOCK_BYTES], __m512i bytes)
{
    _mm512_store_si512(block, bytes);
}

// A digest as a key, which is padded with zeros.
INLINE void store_key(uint8_t block[BLOCK_BYTES], const uint8_t digest[HASH_BYTES])
{
    store_block(block, _mm512_zextsi256_si512(_mm256_loadu_si256((const __m256i *)digest)));
}

// Block `n` of a message that follows a key block. False behind its last one.
INLINE bool load_block(uint8_t block[BLOCK_BYTES], const struct message *m, size_t n)
{
    const size_t len = m->len[0] + m->len[1] + m->len[2];
    if (n * BLOCK_BYTES >= len + TRAILER_BYTES)
        return false;
    const uint64_t bits = 8 * (uint64_t)(BLOCK_BYTES + len);
    __m512i bytes = sp_parts_load(m->part, m->len, n * BLOCK_BYTES);
    if ((n + 1) * BLOCK_BYTES >= len + TRAILER_BYTES)
        bytes = _mm512_mask_set1_epi64(bytes, 0x80, (long long)__builtin_bswap64(bits));
    store_block(block, bytes);
    return true;
}

// digest := HMAC(message) of the lanes in `active`, under the key that was set.
static void authenticate(struct group *g, uint32_t active)
{
    g->state = g->inner;
    uint32_t busy = active;
    for (size_t n = 0; busy != 0; n++) {
        for (uint32_t left = busy; left != 0; left &= left - 1) {
            const size_t lane = (size_t)__builtin_ctz(left);
            if (!load_block(g->block[lane], &g->message[lane], n))
                busy &= ~(1u << lane);
        }
        if (busy != 0)
            g->kernel->absorb(&g->state, g->block, busy);
    }
    g->kernel->finish(g->digest, &g->state, &g->outer, active);
}

// ---- HKDF ---------------------------------------------------------------------------------------

// HMAC's key states of zeros, which is the salt of most: RFC 5869's own default and X3DH's.
static const uint32_t zero_inner[SP_SHA256_WORDS] = {
    0xf454dead, 0x9725214f, 0x90daf2a0, 0xdf1228ea, 0x64e5750f, 0xa3924181, 0x824a932b, 0xf8e04e32,
};
static const uint32_t zero_outer[SP_SHA256_WORDS] = {
    0xd385480f, 0x7abb6477, 0x37c9c538, 0x5dd82467, 0x8e043a72, 0x753434b0, 0xdeb82818, 0x361d45a6,
};

struct planned {
    const struct sp_hkdf_job *job;
    size_t blocks; // to be hashed for it, one after the other
};

static size_t count_outputs(const struct sp_hkdf_job *job)
{
    return (job->out_len + HASH_BYTES - 1) / HASH_BYTES;
}

static size_t count_job_blocks(const struct sp_hkdf_job *job)
{
    const size_t extract = count_blocks(job->ikm_len) + 1;
    const size_t first = count_blocks(job->info_len + 1) + 1;
    const size_t other = count_blocks(HASH_BYTES + job->info_len + 1) + 1;
    return extract + 2 + first + other * (count_outputs(job) - 1);
}

// A salt as HMAC's key block.
static __m512i load_salt(const struct sp_hkdf_job *job)
{
    uint8_t digest[HASH_BYTES];
    if (job->salt_len == 0) // masking everything out at NULL would be right, but takes long
        return _mm512_setzero_si512();
    if (job->salt_len <= BLOCK_BYTES)
        return _mm512_maskz_loadu_epi8(sp_bytes_below(job->salt_len), job->salt);
    crypto_hash_sha256(digest, job->salt, job->salt_len);
    const __m512i key = _mm512_zextsi256_si512(_mm256_loadu_si256((const __m256i *)digest));
    sp_wipe(digest, sizeof(digest));
    return key;
}

// Section 2.2: PRK = HMAC(salt, IKM). That all salts are zero is no secret.
static void extract(struct group *g, const struct planned *jobs, size_t count)
{
    __m512i any = _mm512_setzero_si512();
    for (size_t i = 0; i < count; i++) {
        const __m512i salt = load_salt(jobs[i].job);
        any = _mm512_or_si512(any, salt);
        store_block(g->block[i], salt);
        g->message[i] = (struct message){{jobs[i].job->ikm}, {jobs[i].job->ikm_len}};
    }
    if (_mm512_test_epi64_mask(any, any) == 0) {
        g->kernel->fill(&g->inner, zero_inner);
        g->kernel->fill(&g->outer, zero_outer);
    } else {
        g->kernel->start_key(&g->inner, &g->outer, g->block, g->lanes);
    }
    authenticate(g, g->lanes);
}

// Section 2.3: T(n) = HMAC(PRK, T(n−1) ‖ info ‖ n), the first T without a predecessor.
static void expand(struct group *g, const struct planned *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_key(g->block[i], g->digest[i]);
    g->kernel->start_key(&g->inner, &g->outer, g->block, g->lanes);

    uint32_t active = g->lanes;
    for (size_t done = 0; active != 0; done += HASH_BYTES) {
        const uint8_t number = (uint8_t)(done / HASH_BYTES + 1);
        for (uint32_t left = active; left != 0; left &= left - 1) {
            const size_t i = (size_t)__builtin_ctz(left);
            const struct sp_hkdf_job *job = jobs[i].job;
            g->message[i] = (struct message){{g->digest[i], job->info, &number},
                                             {done == 0 ? 0 : HASH_BYTES, job->info_len, 1}};
        }
        authenticate(g, active);
        for (uint32_t left = active; left != 0; left &= left - 1) {
            const size_t i = (size_t)__builtin_ctz(left);
            const struct sp_hkdf_job *job = jobs[i].job;
            const size_t rest = job->out_len - done;
            memcpy(job->out + done, g->digest[i], rest < HASH_BYTES ? rest : HASH_BYTES);
            if (rest <= HASH_BYTES)
                active &= ~(1u << i);
        }
    }
}

// Longest first. Batches come in few shapes and often in order: inserting is quick then.
static void plan(struct planned *planned, const struct sp_hkdf_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct planned next = {&jobs[i], count_job_blocks(&jobs[i])};
        size_t at = i;
        for (; at > 0 && planned[at - 1].blocks < next.blocks; at--)
            planned[at] = planned[at - 1];
        planned[at] = next;
    }
}

static void derive(struct group *g, const struct planned *jobs, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += jobs[i].blocks;
    start_group(g, count, total, jobs[0].blocks);
    extract(g, jobs, count);
    expand(g, jobs, count);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void hkdf(const struct sp_hkdf_job *jobs, size_t count)
{
    struct planned planned[WINDOW_JOBS];
    struct group g;
    for (size_t at = 0; at < count; at += WINDOW_JOBS) {
        const size_t window = smaller(count - at, WINDOW_JOBS);
        plan(planned, jobs + at, window);
        for (size_t i = 0; i < window; i += SP_LANES)
            derive(&g, planned + i, smaller(window - i, SP_LANES));
    }
    sp_wipe(&g, sizeof(g));
}

// ---- the chain ----------------------------------------------------------------------------------

static void authenticate_byte(struct group *g, size_t count, const uint8_t *byte)
{
    for (size_t i = 0; i < count; i++)
        g->message[i] = (struct message){{byte}, {1}};
    authenticate(g, g->lanes);
}

static void step_group(struct group *g, uint8_t (*chain)[32], uint8_t (*message_key)[32],
                       size_t count)
{
    static const uint8_t one = 0x01, two = 0x02;
    start_group(g, count, count, 1);
    for (size_t i = 0; i < count; i++)
        store_key(g->block[i], chain[i]);
    g->kernel->start_key(&g->inner, &g->outer, g->block, g->lanes);
    authenticate_byte(g, count, &one);
    memcpy(message_key, g->digest, count * HASH_BYTES);
    authenticate_byte(g, count, &two);
    memcpy(chain, g->digest, count * HASH_BYTES);
}

static void chain_step(uint8_t (*chain)[32], uint8_t (*message_key)[32], size_t count)
{
    struct group g;
    for (size_t at = 0; at < count; at += SP_LANES)
        step_group(&g, chain + at, message_key + at, smaller(count - at, SP_LANES));
    sp_wipe(&g, sizeof(g));
}

const struct sp_hash_tier sp_hash_avx512 = {
    .hkdf = hkdf,
    .chain_step = chain_step,
};
