// AES-256-GCM, every tier this machine has: published vectors, OpenSSL's EVP as the judge of every
// length, alignment and page end, in place, bad tags, batches, a failing provider.
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sealcrypto.h"
#include "vectors.h"

#define LEN_MAX 300u
#define BATCH 5u

// Which call of the provider fails; 0 is none.
static size_t final_fails_at, final_calls;
static bool new_fails, init_fails, alloc_fails;

int __real_EVP_CipherFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *out, int *len);
int __wrap_EVP_CipherFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *out, int *len);
EVP_CIPHER_CTX *__real_EVP_CIPHER_CTX_new(void);
EVP_CIPHER_CTX *__wrap_EVP_CIPHER_CTX_new(void);
int __real_EVP_CipherInit_ex2(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher,
                              const unsigned char *key, const unsigned char *iv, int enc,
                              const OSSL_PARAM params[]);
int __wrap_EVP_CipherInit_ex2(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher,
                              const unsigned char *key, const unsigned char *iv, int enc,
                              const OSSL_PARAM params[]);

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

int __wrap_EVP_CipherFinal_ex(EVP_CIPHER_CTX *ctx, unsigned char *out, int *len)
{
    if (++final_calls == final_fails_at)
        return 0;
    return __real_EVP_CipherFinal_ex(ctx, out, len);
}

EVP_CIPHER_CTX *__wrap_EVP_CIPHER_CTX_new(void)
{
    return new_fails ? NULL : __real_EVP_CIPHER_CTX_new();
}

int __wrap_EVP_CipherInit_ex2(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher,
                              const unsigned char *key, const unsigned char *iv, int enc,
                              const OSSL_PARAM params[])
{
    return init_fails ? 0 : __real_EVP_CipherInit_ex2(ctx, cipher, key, iv, enc, params);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return alloc_fails ? NULL : __real_aligned_alloc(alignment, size);
}

// ---- one case, every tier -----------------------------------------------------------------------

static const uint8_t raw_keys[2][SP_KEY_BYTES] = {{1, 2, 3}, {4, 5, 6}};
static struct sp_aead_key keys[2];

// Criterion gives every case a process of its own, so each can start the library anew.
static void start(const char *tier)
{
    setenv("SEALPOST_CRYPTO_TIER", tier, 1);
    const int error = sp_init();
    if (error == -ENOTSUP && strcmp(tier, "portable") != 0)
        cr_skip_test("this CPU has no %s", tier);
    cr_assert_eq(error, 0);
    cr_assert_str_eq(sp_tier(), tier);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(sp_aead_key_init(&keys[i], raw_keys[i]), 0);
}

static void stop(void)
{
    sp_aead_key_free(&keys[0]);
    sp_aead_key_free(&keys[1]);
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

// ---- a batch over two keys, each job of its own length ------------------------------------------

struct batch {
    uint8_t nonce[BATCH][SP_NONCE_BYTES], ad[BATCH][48], tag[BATCH][SP_TAG_BYTES];
    uint8_t plain[BATCH][LEN_MAX], sealed[BATCH][LEN_MAX], opened[BATCH][LEN_MAX];
    struct sp_aead_job seal[BATCH], open[BATCH];
    bool ok[BATCH];
};

static void make_batch(struct batch *b, size_t len)
{
    memset(b, 0, sizeof(*b));
    cr_assert_eq(sp_random(b->nonce[0], sizeof(b->nonce)), 0);
    cr_assert_eq(sp_random(b->ad[0], sizeof(b->ad)) | sp_random(b->plain[0], sizeof(b->plain)), 0);
    memset(b->opened, 0xAA, sizeof(b->opened));
    for (size_t i = 0; i < BATCH; i++) {
        b->seal[i] = (struct sp_aead_job){
            .key = &keys[i % 2],
            .nonce = b->nonce[i],
            .ad = b->ad[i],
            .ad_len = (len + i) % 48,
            .in = b->plain[i],
            .out = b->sealed[i],
            .len = len,
            .tag = b->tag[i],
        };
        b->open[i] = b->seal[i];
        b->open[i].in = b->sealed[i];
        b->open[i].out = b->opened[i];
    }
    cr_assert_eq(sp_aead_seal_batch(b->seal, BATCH), 0);
}

// Everything but job 2 opens to its plaintext; job 2 is refused and zeroed.
static void expect_only_third_refused(struct batch *b)
{
    memset(b->opened, 0xAA, sizeof(b->opened));
    cr_assert_not(sp_aead_open_batch(b->open, BATCH, b->ok));
    for (size_t i = 0; i < BATCH; i++) {
        cr_assert_eq(b->ok[i], i != 2);
        if (i == 2)
            cr_assert(vector_is_zero(b->opened[i], b->open[i].len));
        else
            cr_assert_arr_eq(b->opened[i], b->plain[i], b->open[i].len);
    }
}

// ---- cases --------------------------------------------------------------------------------------

EACH_TIER_TEST(sp_aead_seal_batch, agrees_with_the_published_vectors)
{
    static struct vector_record v;
    FILE *in = vector_open("aes256gcm.txt");
    uint8_t out[128], back[128], tag[SP_TAG_BYTES];
    size_t count = 0;
    bool ok;
    for (; vector_next(in, &v); count++) {
        struct sp_aead_key key;
        cr_assert_eq(sp_aead_key_init(&key, vector_bytes(&v, "key")), 0);
        struct sp_aead_job job = {
            .key = &key,
            .nonce = vector_bytes(&v, "iv"),
            .ad = vector_bytes(&v, "aad"),
            .ad_len = vector_get(&v, "aad")->len,
            .in = vector_bytes(&v, "plaintext"),
            .out = out,
            .len = vector_get(&v, "plaintext")->len,
            .tag = tag,
        };
        cr_assert_eq(sp_aead_seal_batch(&job, 1), 0);
        cr_assert_arr_eq(tag, vector_bytes(&v, "tag"), SP_TAG_BYTES);
        cr_assert_arr_eq(out, vector_bytes(&v, "ciphertext"), job.len);
        job.in = vector_bytes(&v, "ciphertext");
        job.out = back;
        job.tag = vector_bytes(&v, "tag");
        cr_assert(sp_aead_open_batch(&job, 1, &ok) && ok);
        cr_assert_arr_eq(back, vector_bytes(&v, "plaintext"), job.len);
        sp_aead_key_free(&key);
    }
    fclose(in);
    cr_assert_eq(count, 7);
}

EACH_TIER_TEST(sp_aead_open_batch, opens_every_length)
{
    static struct batch b;
    for (size_t len = 0; len <= LEN_MAX; len++) {
        make_batch(&b, len);
        cr_assert(sp_aead_open_batch(b.open, BATCH, b.ok), "%zu bytes", len);
        for (size_t i = 0; i < BATCH; i++) {
            cr_assert(b.ok[i]);
            cr_assert_arr_eq(b.opened[i], b.plain[i], len);
        }
    }
}

EACH_TIER_TEST(sp_aead_open_batch, opens_in_place)
{
    static struct batch b;
    static uint8_t expected[BATCH][LEN_MAX], text[BATCH][LEN_MAX];
    for (size_t len = 0; len <= LEN_MAX; len += 7) {
        make_batch(&b, len);
        memcpy(expected, b.sealed, sizeof(expected));
        memcpy(text, b.plain, sizeof(text));
        for (size_t i = 0; i < BATCH; i++) {
            b.seal[i].out = text[i];
            b.seal[i].in = text[i];
            b.open[i].in = text[i];
            b.open[i].out = text[i];
        }
        cr_assert_eq(sp_aead_seal_batch(b.seal, BATCH), 0);
        for (size_t i = 0; i < BATCH; i++)
            cr_assert_arr_eq(text[i], expected[i], len);
        cr_assert(sp_aead_open_batch(b.open, BATCH, b.ok));
        for (size_t i = 0; i < BATCH; i++)
            cr_assert_arr_eq(text[i], b.plain[i], len);
    }
}

EACH_TIER_TEST(sp_aead_open_batch, refuses_any_changed_bit_of_the_tag)
{
    static struct batch b;
    make_batch(&b, 100);
    for (size_t bit = 0; bit < 8 * SP_TAG_BYTES; bit++) {
        b.tag[2][bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_only_third_refused(&b);
        b.tag[2][bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert(sp_aead_open_batch(b.open, BATCH, b.ok));
}

EACH_TIER_TEST(sp_aead_open_batch, refuses_any_changed_input)
{
    static struct batch b;
    make_batch(&b, LEN_MAX);
    for (size_t i = 0; i < LEN_MAX; i++) {
        b.sealed[2][i] ^= 0x10;
        expect_only_third_refused(&b);
        b.sealed[2][i] ^= 0x10;
    }
    for (size_t i = 0; i < b.open[2].ad_len; i++) {
        b.ad[2][i] ^= 0x01;
        expect_only_third_refused(&b);
        b.ad[2][i] ^= 0x01;
    }
    for (size_t i = 0; i < SP_NONCE_BYTES; i++) {
        b.nonce[2][i] ^= 0x80;
        expect_only_third_refused(&b);
        b.nonce[2][i] ^= 0x80;
    }
    b.open[2].key = &keys[1]; // it was the other one's
    expect_only_third_refused(&b);
}

EACH_TIER_TEST(sp_aead_open_batch, zeroes_a_refused_text_in_place)
{
    static struct batch b;
    make_batch(&b, 64);
    b.open[2].out = b.sealed[2];
    b.tag[2][0] ^= 1;
    cr_assert_not(sp_aead_open_batch(b.open, BATCH, b.ok));
    cr_assert(!b.ok[2] && vector_is_zero(b.sealed[2], 64));
}

// A TLS connection of the same thread would take a stale entry for its own failure.
EACH_TIER_TEST(sp_aead_open_batch, leaves_no_error_in_the_queue)
{
    static struct batch b;
    make_batch(&b, 64);
    b.tag[2][0] ^= 1;
    expect_only_third_refused(&b);
    cr_assert_eq(ERR_peek_error(), 0);
}

EACH_TIER_TEST(sp_aead_open_batch, takes_no_jobs)
{
    cr_assert(sp_aead_open_batch(NULL, 0, NULL));
    cr_assert_eq(sp_aead_seal_batch(NULL, 0), 0);
}

EACH_TIER_TEST(sp_aead_open_batch, takes_null_for_nothing)
{
    static const uint8_t nonce[SP_NONCE_BYTES] = {7};
    uint8_t tag[SP_TAG_BYTES] = {0};
    bool ok;
    struct sp_aead_job job = {.key = &keys[0], .nonce = nonce, .tag = tag};
    cr_assert_eq(sp_aead_seal_batch(&job, 1), 0);
    cr_assert_not(vector_is_zero(tag, SP_TAG_BYTES));
    cr_assert(sp_aead_open_batch(&job, 1, &ok) && ok);
    tag[15] ^= 1;
    cr_assert(!sp_aead_open_batch(&job, 1, &ok) && !ok);
}

// ---- OpenSSL's EVP as the judge -----------------------------------------------------------------

#define JUDGE_LEN_MAX 66000u
#define JUDGE_AD_MAX 5000u

// One message and where its parts lie; the judge's verdict stands in `sealed` and `tag`.
struct trial {
    uint8_t nonce[SP_NONCE_BYTES];
    uint8_t ad[JUDGE_AD_MAX], plain[JUDGE_LEN_MAX], sealed[JUDGE_LEN_MAX], tag[SP_TAG_BYTES];
};

static struct trial trial;

static void make_trial(size_t key, size_t len, size_t ad_len)
{
    static EVP_CIPHER_CTX *ctx;
    int n;
    if (ctx == NULL) {
        cr_assert_eq(sp_random(trial.ad, sizeof(trial.ad)), 0);
        cr_assert_eq(sp_random(trial.plain, sizeof(trial.plain)), 0);
        cr_assert_not_null(ctx = EVP_CIPHER_CTX_new());
    }
    cr_assert_eq(sp_random(trial.nonce, sizeof(trial.nonce)), 0);
    cr_assert(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), raw_keys[key], trial.nonce, NULL));
    cr_assert(ad_len == 0 || EVP_EncryptUpdate(ctx, NULL, &n, trial.ad, (int)ad_len));
    cr_assert(len == 0 || EVP_EncryptUpdate(ctx, trial.sealed, &n, trial.plain, (int)len));
    cr_assert(EVP_EncryptFinal_ex(ctx, trial.sealed + len, &n));
    cr_assert(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SP_TAG_BYTES, trial.tag));
}

// Seal and open with the parts at these places; `in` may be `out`.
static void expect_verdict_at(size_t key, uint8_t *ad, size_t ad_len, uint8_t *in, uint8_t *out,
                              size_t len)
{
    uint8_t tag[SP_TAG_BYTES];
    bool ok;
    struct sp_aead_job job = {
        .key = &keys[key],
        .nonce = trial.nonce,
        .ad = ad,
        .ad_len = ad_len,
        .in = in,
        .out = out,
        .len = len,
        .tag = tag,
    };
    memcpy(ad, trial.ad, ad_len);
    memcpy(in, trial.plain, len);
    cr_assert_eq(sp_aead_seal_batch(&job, 1), 0);
    cr_assert_eq(memcmp(tag, trial.tag, SP_TAG_BYTES), 0, "tag, %zu B, AD %zu B", len, ad_len);
    cr_assert_eq(memcmp(out, trial.sealed, len), 0, "sealed, %zu B, AD %zu B", len, ad_len);
    memcpy(in, trial.sealed, len);
    cr_assert(sp_aead_open_batch(&job, 1, &ok) && ok, "%zu B, AD %zu B", len, ad_len);
    cr_assert_eq(memcmp(out, trial.plain, len), 0, "opened, %zu B, AD %zu B", len, ad_len);
}

static void expect_verdict(size_t key, size_t len, size_t ad_len)
{
    static uint8_t ad[JUDGE_AD_MAX], in[JUDGE_LEN_MAX], out[JUDGE_LEN_MAX];
    make_trial(key, len, ad_len);
    out[len] = 0x5C; // nothing is written past the end
    expect_verdict_at(key, ad, ad_len, in, out, len);
    cr_assert_eq(out[len], 0x5C);
}

// `size` bytes between two pages that cannot be touched.
static uint8_t *map_guarded(size_t size)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *area =
        mmap(NULL, size + 2 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(area, MAP_FAILED);
    cr_assert_eq(mprotect(area + page_bytes, size, PROT_READ | PROT_WRITE), 0);
    return area + page_bytes;
}

EACH_TIER_TEST(sp_aead_seal_batch, agrees_with_evp_at_every_length)
{
    for (size_t len = 0; len <= 1100; len++) {
        for (size_t ad_len = 0; ad_len <= 48; ad_len++)
            expect_verdict(len % 2, len, ad_len);
    }
}

EACH_TIER_TEST(sp_aead_seal_batch, agrees_with_evp_at_every_vector_boundary)
{
    for (size_t len = 1088; len <= 4224; len += 64) {
        for (size_t near = 0; near < 5; near++)
            expect_verdict(len / 64 % 2, len + near - 2, 41);
    }
    for (size_t near = 0; near < 5; near++)
        expect_verdict(0, 65536 + near - 2, 16);
}

EACH_TIER_TEST(sp_aead_seal_batch, agrees_with_evp_for_long_associated_data)
{
    for (size_t ad_len = 49; ad_len <= 1100; ad_len++)
        expect_verdict(ad_len % 2, 64, ad_len);
    for (size_t ad_len = 4090; ad_len <= 4100; ad_len++)
        expect_verdict(ad_len % 2, 0, ad_len);
}

EACH_TIER_TEST(sp_aead_seal_batch, takes_any_alignment_and_in_place)
{
    static uint8_t ad[128], in[1024], out[1024];
    static const size_t lens[] = {1, 15, 64, 100, 256, 271, 600};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        make_trial(i % 2, lens[i], 41);
        for (size_t from = 0; from < 64; from++) {
            const size_t to = from * 29 % 64;
            expect_verdict_at(i % 2, ad + from * 13 % 64, 41, in + from, out + to, lens[i]);
            expect_verdict_at(i % 2, ad + from, 41, in + from, in + from, lens[i]);
        }
    }
}

EACH_TIER_TEST(sp_aead_seal_batch, touches_nothing_outside)
{
    const size_t bytes = 8192;
    uint8_t *ad = map_guarded(bytes), *in = map_guarded(bytes), *out = map_guarded(bytes);
    for (size_t len = 0; len <= 700; len++) {
        const size_t ad_len = len % 340;
        make_trial(0, len, ad_len);
        expect_verdict_at(0, ad, ad_len, in, out, len);
        expect_verdict_at(0, ad, ad_len, in, in, len);
        expect_verdict_at(0, ad + bytes - ad_len, ad_len, in + bytes - len, out + bytes - len, len);
        expect_verdict_at(0, ad + bytes - ad_len, ad_len, in + bytes - len, in + bytes - len, len);
    }
}

// ---- batches ------------------------------------------------------------------------------------

#define COUNT_MAX 40u
#define MIXED_LEN_MAX 1300u

struct mixed {
    uint8_t nonce[COUNT_MAX][SP_NONCE_BYTES], ad[COUNT_MAX][64], tag[COUNT_MAX][SP_TAG_BYTES];
    uint8_t text[COUNT_MAX][MIXED_LEN_MAX];
    struct sp_aead_job jobs[COUNT_MAX];
    bool ok[COUNT_MAX];
};

// In place, lengths without order, every text the start of the trial's; sealed in one batch, which
// must say of each what the judge says.
static void make_mixed(struct mixed *m, size_t count)
{
    static uint8_t sealed[COUNT_MAX][MIXED_LEN_MAX], tag[COUNT_MAX][SP_TAG_BYTES];
    for (size_t i = 0; i < count; i++) {
        const size_t len = (i * 389 + count * 7) % MIXED_LEN_MAX, ad_len = i * 11 % 64;
        make_trial(i % 2, len, ad_len);
        memcpy(m->nonce[i], trial.nonce, SP_NONCE_BYTES);
        memcpy(m->ad[i], trial.ad, ad_len);
        memcpy(m->text[i], trial.plain, len);
        memcpy(sealed[i], trial.sealed, len);
        memcpy(tag[i], trial.tag, SP_TAG_BYTES);
        m->jobs[i] = (struct sp_aead_job){
            .key = &keys[i % 2],
            .nonce = m->nonce[i],
            .ad = m->ad[i],
            .ad_len = ad_len,
            .in = m->text[i],
            .out = m->text[i],
            .len = len,
            .tag = m->tag[i],
        };
    }
    cr_assert_eq(sp_aead_seal_batch(m->jobs, count), 0);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(memcmp(m->text[i], sealed[i], m->jobs[i].len), 0, "%zu of %zu", i, count);
        cr_assert_eq(memcmp(m->tag[i], tag[i], SP_TAG_BYTES), 0, "%zu of %zu", i, count);
    }
}

EACH_TIER_TEST(sp_aead_open_batch, takes_every_count_and_refuses_only_the_forged)
{
    static struct mixed m;
    for (size_t count = 1; count <= COUNT_MAX; count++) {
        for (size_t forged = 0; forged < count; forged++) {
            make_mixed(&m, count);
            m.tag[forged][forged % SP_TAG_BYTES] ^= 0x20;
            cr_assert_not(sp_aead_open_batch(m.jobs, count, m.ok));
            for (size_t i = 0; i < count; i++) {
                cr_assert_eq(m.ok[i], i != forged);
                if (i == forged)
                    cr_assert(vector_is_zero(m.text[i], m.jobs[i].len));
                else
                    cr_assert_eq(memcmp(m.text[i], trial.plain, m.jobs[i].len), 0);
            }
        }
    }
}

// First, last and tail block of a text that takes several chunks.
EACH_TIER_TEST(sp_aead_open_batch, refuses_a_changed_bit_of_a_long_text)
{
    static uint8_t out[1300];
    static const size_t places[] = {0, 15, 16, 255, 256, 511, 512, 1023, 1024, 1279, 1280, 1298};
    bool ok;
    make_trial(1, 1299, 41);
    struct sp_aead_job job = {
        .key = &keys[1],
        .nonce = trial.nonce,
        .ad = trial.ad,
        .ad_len = 41,
        .in = trial.sealed,
        .out = out,
        .len = 1299,
        .tag = trial.tag,
    };
    cr_assert(sp_aead_open_batch(&job, 1, &ok) && ok);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t bit = 0; bit < 8; bit++) {
            trial.sealed[places[i]] ^= (uint8_t)(1u << bit);
            memset(out, 0xAA, sizeof(out));
            cr_assert(!sp_aead_open_batch(&job, 1, &ok) && !ok, "byte %zu", places[i]);
            cr_assert(vector_is_zero(out, 1299) && out[1299] == 0xAA);
            trial.sealed[places[i]] ^= (uint8_t)(1u << bit);
        }
    }
    cr_assert(sp_aead_open_batch(&job, 1, &ok) && ok);
}

// ---- what only a provider can do ----------------------------------------------------------------

Test(sp_aead_seal_batch, zeroes_all_when_the_provider_fails)
{
    static struct batch b;
    start("portable");
    make_batch(&b, 50);
    final_calls = 0;
    final_fails_at = 3;
    cr_assert_eq(sp_aead_seal_batch(b.seal, BATCH), -EIO);
    for (size_t i = 0; i < BATCH; i++) {
        cr_assert(vector_is_zero(b.sealed[i], 50));
        cr_assert(vector_is_zero(b.tag[i], SP_TAG_BYTES));
    }
    stop();
}

Test(sp_aead_key_init, reports_no_memory_and_a_failing_provider)
{
    struct sp_aead_key key;
    start("portable");
    new_fails = true;
    cr_assert_eq(sp_aead_key_init(&key, raw_keys[0]), -ENOMEM);
    cr_assert_null(key.state);
    new_fails = false;
    init_fails = true;
    cr_assert_eq(sp_aead_key_init(&key, raw_keys[0]), -EIO);
    cr_assert_null(key.state);
    sp_aead_key_free(&key); // as good as freed
    stop();
}

Test(sp_aead_key_init, reports_no_memory_avx512)
{
    struct sp_aead_key key;
    start("avx512");
    alloc_fails = true;
    cr_assert_eq(sp_aead_key_init(&key, raw_keys[0]), -ENOMEM);
    cr_assert_null(key.state);
    alloc_fails = false;
    sp_aead_key_free(&key);
    stop();
}
