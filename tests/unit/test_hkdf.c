// HKDF-SHA-256 against RFC 5869, and its bounds.
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "sealcrypto.h"
#include "vectors.h"

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
}

TestSuite(sp_hkdf_sha256_batch, .init = start);

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

Test(sp_hkdf_sha256_batch, agrees_with_rfc_5869)
{
    static struct vector_record v;
    FILE *in = vector_open("rfc5869.txt");
    uint8_t out[128];
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        const struct sp_hkdf_job job = {
            .salt = vector_bytes(&v, "salt"),
            .salt_len = vector_get(&v, "salt")->len,
            .ikm = vector_bytes(&v, "ikm"),
            .ikm_len = vector_get(&v, "ikm")->len,
            .info = vector_bytes(&v, "info"),
            .info_len = vector_get(&v, "info")->len,
            .out = out,
            .out_len = vector_get(&v, "okm")->len,
        };
        cr_assert_eq(sp_hkdf_sha256_batch(&job, 1), 0);
        cr_assert_arr_eq(out, vector_bytes(&v, "okm"), job.out_len);
    }
    fclose(in);
    cr_assert_eq(count, 3);
}

Test(sp_hkdf_sha256_batch, agrees_with_openssl_at_many_lengths)
{
    static uint8_t ikm[200], salt[80], info[90], out[300], expected[300];
    cr_assert_eq(sp_random(ikm, sizeof(ikm)) | sp_random(salt, sizeof(salt)), 0);
    cr_assert_eq(sp_random(info, sizeof(info)), 0);
    for (size_t len = 1; len <= 200; len++) {
        const struct sp_hkdf_job job = {
            .salt = salt,
            .salt_len = 1 + len % 80,
            .ikm = ikm,
            .ikm_len = len,
            .info = info,
            .info_len = 1 + len * 7 % 90,
            .out = out,
            .out_len = 1 + len * 13 % 299,
        };
        cr_assert_eq(sp_hkdf_sha256_batch(&job, 1), 0);
        derive_with_openssl(&job, expected);
        cr_assert_arr_eq(out, expected, job.out_len, "%zu", len);
    }
}

Test(sp_hkdf_sha256_batch, reaches_the_longest_output)
{
    static uint8_t out[255 * 32], expected[255 * 32];
    const struct sp_hkdf_job job = {
        .salt = (const uint8_t *)"salt",
        .salt_len = 4,
        .ikm = (const uint8_t *)"key",
        .ikm_len = 3,
        .info = (const uint8_t *)"info",
        .info_len = 4,
        .out = out,
        .out_len = sizeof(out),
    };
    cr_assert_eq(sp_hkdf_sha256_batch(&job, 1), 0);
    derive_with_openssl(&job, expected);
    cr_assert_arr_eq(out, expected, sizeof(out));
}

Test(sp_hkdf_sha256_batch, refuses_a_length_and_zeroes_the_batch)
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
