// AES-256-GCM in batches, every tier this machine has: jobs that are worked on side by side must
// come out as OpenSSL's EVP says of each alone. All lengths and counts, prepared and raw keys,
// parts at any alignment and against page ends, one forged job among good ones.
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sealcrypto.h"
#include "vectors.h"

#define KEYS 11u
#define JOBS_MAX 150u
#define LEN_MAX 16800u
#define AD_MAX 7000u
#define SLACK 64u // room to shift the parts in

enum kind { PREPARED, RAW, MIXED, KINDS };

// What a job was made of, what the judge says of it, and where the library works.
struct item {
    size_t key, len, ad_len;
    uint8_t nonce[SP_NONCE_BYTES], sealed[LEN_MAX], tag[SP_TAG_BYTES];
    uint8_t in[LEN_MAX + SLACK], out[LEN_MAX + SLACK], made_tag[SP_TAG_BYTES + SLACK];
};

static uint8_t raw_keys[KEYS][SP_KEY_BYTES];
static struct sp_aead_key keys[KEYS];
static struct item items[JOBS_MAX];
static struct sp_aead_job jobs[JOBS_MAX];
static bool ok[JOBS_MAX];
static uint8_t plain[LEN_MAX], ad[AD_MAX]; // every message is a start of these

// Criterion gives every case a process of its own, so each can start the library anew.
static void start(const char *tier)
{
    setenv("SEALPOST_CRYPTO_TIER", tier, 1);
    const int error = sp_init();
    if (error != 0 && strcmp(tier, "portable") != 0)
        cr_skip_test("this CPU has no %s", tier);
    cr_assert_eq(error, 0);
    cr_assert_str_eq(sp_tier(), tier);
    cr_assert_eq(sp_random(raw_keys[0], sizeof(raw_keys)), 0);
    cr_assert_eq(sp_random(plain, sizeof(plain)) | sp_random(ad, sizeof(ad)), 0);
    for (size_t i = 0; i < KEYS; i++)
        cr_assert_eq(sp_aead_key_init(&keys[i], raw_keys[i]), 0);
    srand(1);
}

static void stop(void)
{
    for (size_t i = 0; i < KEYS; i++)
        sp_aead_key_free(&keys[i]);
}

#define TIER_TEST(suite, name, tier)                                                               \
    Test(suite, name##_##tier)                                                                     \
    {                                                                                              \
        start(#tier);                                                                              \
        suite##_##name();                                                                          \
        stop();                                                                                    \
    }
#define EACH_TIER_TEST(suite, name)                                                                \
    static void suite##_##name(void);                                                              \
    TIER_TEST(suite, name, portable)                                                               \
    TIER_TEST(suite, name, aesni)                                                                  \
    TIER_TEST(suite, name, avx2)                                                                   \
    TIER_TEST(suite, name, avx512)                                                                 \
    static void suite##_##name(void)

// ---- jobs and their judge -----------------------------------------------------------------------

static void judge(struct item *item)
{
    static EVP_CIPHER_CTX *ctx;
    int n;
    if (ctx == NULL)
        cr_assert_not_null(ctx = EVP_CIPHER_CTX_new());
    cr_assert(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), raw_keys[item->key], item->nonce, NULL));
    cr_assert(item->ad_len == 0 || EVP_EncryptUpdate(ctx, NULL, &n, ad, (int)item->ad_len));
    cr_assert(item->len == 0 || EVP_EncryptUpdate(ctx, item->sealed, &n, plain, (int)item->len));
    cr_assert(EVP_EncryptFinal_ex(ctx, item->sealed + item->len, &n));
    cr_assert(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SP_TAG_BYTES, item->tag));
}

static void make_job(size_t i, size_t len, size_t ad_len, enum kind kind)
{
    struct item *item = &items[i];
    const bool raw = kind == RAW || (kind == MIXED && rand() % 2 == 0);
    item->key = (size_t)rand() % KEYS;
    item->len = len;
    item->ad_len = ad_len;
    for (size_t b = 0; b < SP_NONCE_BYTES; b++)
        item->nonce[b] = (uint8_t)rand();
    judge(item);
    memcpy(item->in, plain, len);
    memset(item->out, 0xAA, len + 1);
    jobs[i] = (struct sp_aead_job){
        .key = raw ? NULL : &keys[item->key],
        .raw_key = raw ? raw_keys[item->key] : NULL,
        .nonce = item->nonce,
        .ad = ad,
        .ad_len = ad_len,
        .in = item->in,
        .out = item->out,
        .len = len,
        .tag = item->made_tag,
    };
}

static void expect_sealed(size_t count)
{
    cr_assert_eq(sp_aead_seal_batch(jobs, count), 0);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(memcmp(jobs[i].out, items[i].sealed, items[i].len), 0,
                     "job %zu of %zu, %zu B, AD %zu B", i, count, items[i].len, items[i].ad_len);
        cr_assert_eq(memcmp(jobs[i].tag, items[i].tag, SP_TAG_BYTES), 0,
                     "tag of job %zu of %zu, %zu B, AD %zu B", i, count, items[i].len,
                     items[i].ad_len);
    }
}

static void expect_opened(size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_assert(ok[i] && memcmp(jobs[i].out, plain, items[i].len) == 0,
                  "job %zu of %zu, %zu B, AD %zu B", i, count, items[i].len, items[i].ad_len);
}

// Seal, then open what was sealed, each job from `in` to `out` and nothing beyond.
static void expect_batch(size_t count)
{
    expect_sealed(count);
    for (size_t i = 0; i < count; i++)
        memcpy(items[i].in, items[i].sealed, items[i].len);
    cr_assert(sp_aead_open_batch(jobs, count, ok));
    expect_opened(count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(items[i].out[items[i].len], 0xAA);
}

// ---- agreement ----------------------------------------------------------------------------------

EACH_TIER_TEST(sp_aead_seal_batch, agrees_side_by_side_at_every_length)
{
    for (size_t len = 0; len <= 1100; len++) {
        for (enum kind kind = PREPARED; kind < KINDS; kind++) {
            const size_t count = 2 + (len + kind) % 8; // fills groups, pairs of them, and not quite
            for (size_t i = 0; i < count; i++)
                make_job(i, len, kind == RAW ? 16 : len % 49, kind);
            expect_batch(count);
        }
    }
}

EACH_TIER_TEST(sp_aead_seal_batch, agrees_side_by_side_at_vector_boundaries)
{
    for (size_t boundary = 1088; boundary <= 4224; boundary += 64) {
        for (size_t len = boundary - 2; len <= boundary + 2; len++) {
            for (size_t i = 0; i < 6; i++)
                make_job(i, len, 41, MIXED);
            expect_batch(6);
        }
    }
}

// Every 4 KiB the number of a block carries over from its last byte; the first block of text has 2.
EACH_TIER_TEST(sp_aead_seal_batch, agrees_where_the_counter_carries)
{
    for (size_t carry = 256; carry <= 4 * 256; carry += 256) {
        for (size_t blocks = carry - 20; blocks <= carry + 20; blocks++) {
            for (enum kind kind = PREPARED; kind <= RAW; kind++) {
                for (size_t i = 0; i < 5; i++)
                    make_job(i, blocks * 16 - blocks % 3, 16, kind);
                expect_batch(5);
            }
        }
    }
}

EACH_TIER_TEST(sp_aead_seal_batch, agrees_for_any_associated_data)
{
    static const size_t lens[] = {0, 16, 64, 100, 128, 250, 700, 1024};
    static const size_t ad_lens[] = {63, 64, 65, 80, 127, 128, 129, 511, 512, 513, 1000, 7000};
    for (size_t x = 0; x < sizeof(lens) / sizeof(lens[0]); x++) {
        for (size_t a = 0; a <= 48; a++) {
            for (size_t i = 0; i < 9; i++)
                make_job(i, lens[x], a, MIXED);
            expect_batch(9);
        }
        for (size_t a = 0; a < sizeof(ad_lens) / sizeof(ad_lens[0]); a++) {
            for (size_t i = 0; i < 5; i++)
                make_job(i, lens[x], ad_lens[a], MIXED);
            expect_batch(5);
        }
    }
}

EACH_TIER_TEST(sp_aead_seal_batch, agrees_for_every_count_of_mixed_jobs)
{
    static const size_t spans[] = {40, 200, 300, 600, LEN_MAX};
    for (size_t count = 1; count <= 40; count++) {
        for (enum kind kind = PREPARED; kind < KINDS; kind++) {
            for (size_t x = 0; x < sizeof(spans) / sizeof(spans[0]); x++) {
                for (size_t i = 0; i < count; i++)
                    make_job(i, (size_t)rand() % spans[x], (size_t)rand() % 90, kind);
                expect_batch(count);
            }
        }
    }
}

EACH_TIER_TEST(sp_aead_seal_batch, agrees_for_batches_that_are_split)
{
    static const size_t counts[] = {63, 64, 65, 127, 128, 129, JOBS_MAX};
    for (size_t x = 0; x < sizeof(counts) / sizeof(counts[0]); x++) {
        for (size_t i = 0; i < counts[x]; i++)
            make_job(i, i % 3 == 0 ? (size_t)rand() % 1500 : 64, 16, MIXED);
        expect_batch(counts[x]);
    }
}

EACH_TIER_TEST(sp_aead_seal_batch, takes_one_key_for_all)
{
    for (size_t len = 0; len < 700; len += 33) {
        for (size_t i = 0; i < 10; i++) {
            make_job(i, len, 16, PREPARED);
            items[i].key = 3;
            judge(&items[i]);
            jobs[i].key = &keys[3];
        }
        expect_batch(10);
    }
}

// ---- places -------------------------------------------------------------------------------------

EACH_TIER_TEST(sp_aead_seal_batch, takes_any_alignment_side_by_side)
{
    static const size_t lens[] = {1, 15, 31, 64, 100, 127, 250, 600, 1024};
    for (size_t x = 0; x < sizeof(lens) / sizeof(lens[0]); x++) {
        for (size_t shift = 0; shift < SLACK; shift++) {
            const bool in_place = shift % 2 == 1;
            for (size_t i = 0; i < 9; i++) {
                struct item *item = &items[i];
                const size_t to = (shift + i * 29) % SLACK;
                make_job(i, lens[x], 41, MIXED);
                jobs[i].out = item->out + to;
                jobs[i].in = in_place ? item->out + to : item->in + (shift * 13 + i) % SLACK;
                jobs[i].tag = item->made_tag + (shift + i) % SLACK;
                memcpy((uint8_t *)jobs[i].in, plain, lens[x]);
            }
            expect_sealed(9);
            for (size_t i = 0; i < 9; i++)
                memcpy((uint8_t *)jobs[i].in, items[i].sealed, lens[x]);
            cr_assert(sp_aead_open_batch(jobs, 9, ok));
            expect_opened(9);
        }
    }
}

#define GUARDED_JOBS 6u
#define GUARDED_BYTES 8192u

// A place of `GUARDED_BYTES` between two pages that cannot be touched.
static uint8_t *map_guarded(void)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *area =
        mmap(NULL, GUARDED_BYTES + 2 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(area, MAP_FAILED);
    cr_assert_eq(mprotect(area + page_bytes, GUARDED_BYTES, PROT_READ | PROT_WRITE), 0);
    return area + page_bytes;
}

// The parts of each job: text in and out, associated data, tag, nonce, raw key.
#define PARTS 6u
static uint8_t *guarded[GUARDED_JOBS][PARTS];

static uint8_t *place(size_t i, size_t part, size_t len, bool at_end)
{
    return guarded[i][part] + (at_end ? GUARDED_BYTES - len : 0);
}

static void make_guarded_job(size_t i, size_t len, size_t ad_len, enum kind kind, bool at_end)
{
    make_job(i, len, ad_len, kind);
    struct sp_aead_job *job = &jobs[i];
    job->in = memcpy(place(i, 0, len, at_end), plain, len);
    job->out = place(i, 1, len, at_end);
    job->ad = memcpy(place(i, 2, ad_len, at_end), ad, ad_len);
    job->tag = place(i, 3, SP_TAG_BYTES, at_end);
    job->nonce = memcpy(place(i, 4, SP_NONCE_BYTES, at_end), items[i].nonce, SP_NONCE_BYTES);
    if (job->raw_key != NULL)
        job->raw_key = memcpy(place(i, 5, SP_KEY_BYTES, at_end), job->raw_key, SP_KEY_BYTES);
}

EACH_TIER_TEST(sp_aead_seal_batch, touches_nothing_outside_side_by_side)
{
    for (size_t i = 0; i < GUARDED_JOBS; i++) {
        for (size_t part = 0; part < PARTS; part++)
            guarded[i][part] = map_guarded();
    }
    for (size_t len = 0; len <= 700; len++) {
        for (size_t end = 0; end < 2; end++) {
            for (size_t i = 0; i < GUARDED_JOBS; i++)
                make_guarded_job(i, len, len % 70, len % KINDS, end == 1);
            expect_sealed(GUARDED_JOBS);
            for (size_t i = 0; i < GUARDED_JOBS; i++)
                memcpy(place(i, 0, len, end == 1), items[i].sealed, len);
            cr_assert(sp_aead_open_batch(jobs, GUARDED_JOBS, ok));
            expect_opened(GUARDED_JOBS);
        }
    }
}

// ---- refusal ------------------------------------------------------------------------------------

// Only this job is refused, and zeroed.
static void expect_refused(size_t forged, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memset(items[i].out, 0xAA, items[i].len + 1);
    cr_assert_not(sp_aead_open_batch(jobs, count, ok));
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(ok[i], i != forged, "job %zu of %zu, forged %zu", i, count, forged);
        if (i == forged)
            cr_assert(vector_is_zero(items[i].out, items[i].len));
        else
            cr_assert_eq(memcmp(items[i].out, plain, items[i].len), 0);
        cr_assert_eq(items[i].out[items[i].len], 0xAA);
    }
}

// Every way to forge job `forged`; each is undone again.
static void forge_each_way(size_t forged, size_t count)
{
    static uint8_t other_ad[AD_MAX];
    struct sp_aead_job *job = &jobs[forged];
    struct item *item = &items[forged];
    const size_t bit = (forged * 37 + item->len) % 128, len = item->len;
    job->tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
    expect_refused(forged, count);
    job->tag[bit / 8] ^= (uint8_t)(1u << bit % 8);
    item->nonce[bit % SP_NONCE_BYTES] ^= 1;
    expect_refused(forged, count);
    item->nonce[bit % SP_NONCE_BYTES] ^= 1;
    memcpy(other_ad, ad, item->ad_len);
    other_ad[bit % item->ad_len] ^= 0x40;
    job->ad = other_ad;
    expect_refused(forged, count);
    job->ad = ad;
    for (size_t at = 0; at < len; at += 1 + len / 3) {
        item->in[at] ^= 0x08;
        expect_refused(forged, count);
        item->in[at] ^= 0x08;
    }
    if (len > 0) {
        item->in[len - 1] ^= 0x80;
        expect_refused(forged, count);
        item->in[len - 1] ^= 0x80;
    }
}

EACH_TIER_TEST(sp_aead_open_batch, refuses_only_the_forged_side_by_side)
{
    static const size_t lens[] = {0, 1, 16, 40, 64, 77, 128, 200, 256, 400, 1024, 1300};
    for (size_t x = 0; x < sizeof(lens) / sizeof(lens[0]); x++) {
        for (enum kind kind = PREPARED; kind < KINDS; kind++) {
            const size_t count = 17; // every lane, and one that is left alone
            for (size_t i = 0; i < count; i++)
                make_job(i, lens[x], 41, kind);
            expect_batch(count);
            for (size_t forged = 0; forged < count; forged++)
                forge_each_way(forged, count);
            cr_assert(sp_aead_open_batch(jobs, count, ok));
        }
    }
}
