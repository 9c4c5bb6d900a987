// HKDF-SHA-256, every tier this machine has: RFC 5869's vectors, OpenSSL's EVP as the judge of all
// shapes and counts, page ends, and the bounds.
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sealcrypto.h"
#include "vectors.h"

#define COUNT_MAX 150u // more than two windows of the avx512 tier
#define IN_MAX 400u
#define OUT_MAX (255u * 32u)

// Criterion gives every case a process of its own, so each can start the library anew.
static void start(const char *tier)
{
    setenv("SEALPOST_CRYPTO_TIER", tier, 1);
    const int error = sp_init();
    if (error == -ENOTSUP && strcmp(tier, "portable") != 0)
        cr_skip_test("this CPU has no %s", tier);
    cr_assert_eq(error, 0);
    cr_assert_str_eq(sp_tier(), tier);
}

#define TIER_TEST(name, tier)                                                                      \
    Test(sp_hkdf_sha256_batch, name##_##tier)                                                      \
    {                                                                                              \
        start(#tier);                                                                              \
        name();                                                                                    \
    }
#define EACH_TIER_TEST(name)                                                                       \
    static void name(void);                                                                        \
    TIER_TEST(name, portable)                                                                      \
    TIER_TEST(name, avx512)                                                                        \
    static void name(void)

// ---- a batch and its judge ----------------------------------------------------------------------

struct batch {
    uint8_t salt[COUNT_MAX][IN_MAX], ikm[COUNT_MAX][IN_MAX], info[COUNT_MAX][IN_MAX];
    uint8_t out[COUNT_MAX][OUT_MAX + 1];
    struct sp_hkdf_job jobs[COUNT_MAX];
};

static struct batch batch;

static void fill_batch(void)
{
    randombytes_buf(batch.salt, sizeof(batch.salt));
    randombytes_buf(batch.ikm, sizeof(batch.ikm));
    randombytes_buf(batch.info, sizeof(batch.info));
}

static void set_job(size_t i, size_t salt_len, size_t ikm_len, size_t info_len, size_t out_len)
{
    batch.jobs[i] = (struct sp_hkdf_job){
        .salt = batch.salt[i],
        .salt_len = salt_len,
        .ikm = batch.ikm[i],
        .ikm_len = ikm_len,
        .info = batch.info[i],
        .info_len = info_len,
        .out = batch.out[i],
        .out_len = out_len,
    };
}

static void derive_with_openssl(const struct sp_hkdf_job *job, uint8_t *out)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_octet_string("salt", (void *)(uintptr_t)job->salt, job->salt_len),
        OSSL_PARAM_construct_octet_string("key", (void *)(uintptr_t)job->ikm, job->ikm_len),
        OSSL_PARAM_construct_octet_string("info", (void *)(uintptr_t)job->info, job->info_len),
        OSSL_PARAM_construct_end(),
    };
    cr_assert_eq(EVP_KDF_derive(ctx, out, job->out_len, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static void expect_job(const struct sp_hkdf_job *job)
{
    static uint8_t expected[OUT_MAX];
    derive_with_openssl(job, expected);
    cr_assert_eq(memcmp(job->out, expected, job->out_len), 0,
                 "salt %zu B, input %zu B, info %zu B, output %zu B", job->salt_len, job->ikm_len,
                 job->info_len, job->out_len);
}

// The first `count` jobs; nothing is written behind an output.
static void expect_batch(size_t count)
{
    memset(batch.out, 0xAA, sizeof(batch.out));
    cr_assert_eq(sp_hkdf_sha256_batch(batch.jobs, count), 0);
    for (size_t i = 0; i < count; i++) {
        expect_job(&batch.jobs[i]);
        cr_assert_eq(batch.jobs[i].out[batch.jobs[i].out_len], 0xAA);
    }
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

// ---- cases --------------------------------------------------------------------------------------

EACH_TIER_TEST(agrees_with_rfc_5869)
{
    static struct vector_record v;
    FILE *in = vector_open("rfc5869.txt");
    static uint8_t out[16][128];
    struct sp_hkdf_job jobs[16];
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        for (size_t i = 0; i < 16; i++) {
            jobs[i] = (struct sp_hkdf_job){
                .salt = vector_bytes(&v, "salt"),
                .salt_len = vector_get(&v, "salt")->len,
                .ikm = vector_bytes(&v, "ikm"),
                .ikm_len = vector_get(&v, "ikm")->len,
                .info = vector_bytes(&v, "info"),
                .info_len = vector_get(&v, "info")->len,
                .out = out[i],
                .out_len = vector_get(&v, "okm")->len,
            };
        }
        memset(out, 0, sizeof(out));
        cr_assert_eq(sp_hkdf_sha256_batch(jobs, 1), 0);
        cr_assert_arr_eq(out[0], vector_bytes(&v, "okm"), jobs[0].out_len);
        cr_assert_eq(sp_hkdf_sha256_batch(jobs, 16), 0);
        for (size_t i = 0; i < 16; i++)
            cr_assert_arr_eq(out[i], vector_bytes(&v, "okm"), jobs[i].out_len);
    }
    fclose(in);
    cr_assert_eq(count, 3);
}

// As x3dh.c asks: a salt of zeros, a key from three or four agreements beside a header key.
EACH_TIER_TEST(agrees_for_the_handshake_at_every_count)
{
    fill_batch();
    memset(batch.salt, 0, sizeof(batch.salt));
    for (size_t count = 0; count <= 40; count++) {
        for (size_t i = 0; i < count; i++)
            set_job(i, 32, i % 2 == 1 ? 32 : 128 + 32 * (i / 2 % 2), 16 + 2 * (i % 2), 32);
        expect_batch(count);
    }
}

// As session.c asks.
EACH_TIER_TEST(agrees_for_the_session_at_every_count)
{
    fill_batch();
    memset(batch.salt, 0, sizeof(batch.salt));
    for (size_t count = 0; count <= 40; count++) {
        for (size_t i = 0; i < count; i++)
            set_job(i, 32, 32, 85, 80);
        expect_batch(count);
    }
}

EACH_TIER_TEST(agrees_for_mixed_shapes_at_every_count)
{
    fill_batch();
    for (size_t round = 0; round < 8; round++) {
        for (size_t count = 1; count <= 40; count++) {
            for (size_t i = 0; i < count; i++)
                set_job(i, randombytes_uniform(201), randombytes_uniform(301),
                        randombytes_uniform(201), 1 + randombytes_uniform(200));
            expect_batch(count);
        }
    }
}

EACH_TIER_TEST(agrees_for_large_batches)
{
    fill_batch();
    for (size_t i = 0; i < COUNT_MAX; i++)
        set_job(i, i % 70, i * 2, i % 97, 1 + i * 31 % 400);
    expect_batch(COUNT_MAX);
    for (size_t i = 0; i < COUNT_MAX; i++)
        set_job(i, 32, 160, 17, 32);
    expect_batch(COUNT_MAX);
}

// Every length once, all in lanes of like shape.
EACH_TIER_TEST(agrees_at_every_length)
{
    fill_batch();
    for (size_t len = 0; len <= 300; len++) {
        for (size_t i = 0; i < 16; i++)
            set_job(i, len % 201, len, len * 7 % 201, 1 + len);
        expect_batch(len % 3 == 0 ? 1 : 16);
    }
}

// One that takes sixty times as long as each of the others.
EACH_TIER_TEST(agrees_for_one_long_job_among_short_ones)
{
    fill_batch();
    for (size_t lane = 0; lane < 16; lane++) {
        for (size_t i = 0; i < 16; i++)
            set_job(i, 32, 160, 17, i == lane ? 255 * 16 : 32);
        expect_batch(16);
    }
}

EACH_TIER_TEST(reaches_the_longest_output)
{
    fill_batch();
    for (size_t i = 0; i < 16; i++)
        set_job(i, 4, 3, 4, OUT_MAX - i);
    expect_batch(1);
    expect_batch(16);
}

// A salt of zeros takes a short cut: not when any of the group has another one.
EACH_TIER_TEST(tells_a_zero_salt_from_others)
{
    fill_batch();
    memset(batch.salt, 0, sizeof(batch.salt));
    for (size_t i = 0; i < 16; i++)
        set_job(i, i * 4, 160, 17, 32);
    expect_batch(16);
    for (size_t i = 0; i < 16; i++) {
        if (i > 0)
            batch.salt[i][i * 4 - 1] = 1;
        expect_batch(16);
        batch.salt[i][i * 4 == 0 ? 0 : i * 4 - 1] = 0;
    }
    set_job(3, 65, 160, 17, 32); // longer than a block: a digest of zeros is not zero
    expect_batch(16);
}

EACH_TIER_TEST(takes_null_for_nothing)
{
    uint8_t out[16][32];
    struct sp_hkdf_job jobs[16];
    for (size_t i = 0; i < 16; i++)
        jobs[i] = (struct sp_hkdf_job){.out = out[i], .out_len = 32};
    cr_assert_eq(sp_hkdf_sha256_batch(jobs, 16), 0);
    set_job(0, 0, 0, 0, 32);
    expect_batch(1);
    for (size_t i = 0; i < 16; i++)
        cr_assert_arr_eq(out[i], batch.out[0], 32);
    cr_assert_eq(sp_hkdf_sha256_batch(NULL, 0), 0);
}

EACH_TIER_TEST(takes_any_alignment)
{
    fill_batch();
    for (size_t from = 0; from < 64; from++) {
        for (size_t i = 0; i < 16; i++) {
            set_job(i, 32, 160, 85, 80);
            batch.jobs[i].salt += from;
            batch.jobs[i].ikm += (from + i) % 64;
            batch.jobs[i].info += (from + 3 * i) % 64;
            batch.jobs[i].out += (from + 5 * i) % 64;
        }
        expect_batch(from % 2 == 0 ? 16 : 3);
    }
}

EACH_TIER_TEST(touches_nothing_outside)
{
    const size_t bytes = 4096;
    uint8_t *salt = map_guarded(bytes), *ikm = map_guarded(bytes), *info = map_guarded(bytes);
    uint8_t *out = map_guarded(bytes);
    randombytes_buf(salt, bytes);
    randombytes_buf(ikm, bytes);
    randombytes_buf(info, bytes);
    for (size_t len = 1; len <= 200; len++) {
        for (size_t i = 0; i < 32; i++) { // sixteen at either end
            const bool last = i >= 16;
            set_job(i, len, len, len, len);
            batch.jobs[i].salt = last ? salt + bytes - len : salt;
            batch.jobs[i].ikm = last ? ikm + bytes - len : ikm;
            batch.jobs[i].info = last ? info + bytes - len : info;
        }
        batch.jobs[0].out = out;
        batch.jobs[31].out = out + bytes - len;
        cr_assert_eq(sp_hkdf_sha256_batch(batch.jobs, 32), 0);
        for (size_t i = 0; i < 32; i++)
            expect_job(&batch.jobs[i]);
    }
}

EACH_TIER_TEST(refuses_a_length_and_zeroes_the_batch)
{
    static uint8_t short_out[32], long_out[255 * 32 + 1];
    struct sp_hkdf_job jobs[] = {
        {.ikm = (const uint8_t *)"k", .ikm_len = 1, .out = short_out, .out_len = 32},
        {.ikm = (const uint8_t *)"k", .ikm_len = 1, .out = long_out, .out_len = sizeof(long_out)},
    };
    memset(short_out, 0xAA, sizeof(short_out));
    memset(long_out, 0xAA, sizeof(long_out));
    cr_assert_eq(sp_hkdf_sha256_batch(jobs, 2), -EINVAL);
    cr_assert(vector_is_zero(short_out, sizeof(short_out)));
    cr_assert(vector_is_zero(long_out, sizeof(long_out)));

    jobs[1].out_len = 0;
    memset(short_out, 0xAA, sizeof(short_out));
    cr_assert_eq(sp_hkdf_sha256_batch(jobs, 2), -EINVAL);
    cr_assert(vector_is_zero(short_out, sizeof(short_out)));
}
