// ML-DSA-65: signatures of an implementation that is not OpenSSL's, good and spoilt, a published
// sum over a hundred keys, and what happens when the provider fails.
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "openssl_double.h"
#include "sealcrypto.h"
#include "vectors.h"

DOUBLE(void *, calloc, NULL, (size_t count, size_t size), (count, size))
DOUBLE(EVP_SIGNATURE *, EVP_SIGNATURE_fetch, NULL,
       (OSSL_LIB_CTX * lib, const char *name, const char *properties), (lib, name, properties))
DOUBLE(EVP_KEYMGMT *, EVP_KEYMGMT_fetch, NULL,
       (OSSL_LIB_CTX * lib, const char *name, const char *properties), (lib, name, properties))
DOUBLE(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name, NULL,
       (OSSL_LIB_CTX * lib, const char *name, const char *properties), (lib, name, properties))
DOUBLE(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey, NULL,
       (OSSL_LIB_CTX * lib, EVP_PKEY *key, const char *properties), (lib, key, properties))
DOUBLE(int, EVP_PKEY_generate, 0, (EVP_PKEY_CTX * ctx, EVP_PKEY **out), (ctx, out))
DOUBLE(int, EVP_PKEY_sign, 0,
       (EVP_PKEY_CTX * ctx, unsigned char *signature, size_t *signature_len,
        const unsigned char *message, size_t len),
       (ctx, signature, signature_len, message, len))

#define JOBS 3u

static struct sp_ml_dsa_key key;
static uint8_t message[64], signature[JOBS][SP_ML_DSA_SIGNATURE_BYTES];
static struct sp_ml_dsa_job jobs[JOBS]; // messages of 0, 32 and 64 bytes

static void start(void)
{
    static const uint8_t seed[SP_ML_DSA_SEED_BYTES] = "a seed";
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(sp_ml_dsa_key_init(&key, seed), 0);
    cr_assert_eq(sp_random(message, sizeof(message)), 0);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i] = (struct sp_ml_dsa_job){
            .key = &key,
            .public_key = sp_ml_dsa_key_public(&key),
            .message = message,
            .message_len = 32 * i,
            .signature = signature[i],
        };
    }
    jobs[0].message = NULL;
}

static void stop(void)
{
    sp_ml_dsa_key_free(&key);
}

static bool verify(const uint8_t *public_key, const uint8_t *text, size_t len, uint8_t *of_text)
{
    const struct sp_ml_dsa_job job = {
        .public_key = public_key, .message = text, .message_len = len, .signature = of_text};
    bool ok;
    const bool all = sp_ml_dsa_verify_batch(&job, 1, &ok);
    cr_assert_eq(all, ok);
    return ok;
}

// ---- agreement with others ----------------------------------------------------------------------

Test(sp_ml_dsa_verify_batch, agrees_with_the_vectors)
{
    static struct vector_record v;
    FILE *in = vector_open("ml_dsa_65.txt");
    size_t count = 0, valid_count = 0;
    cr_assert_eq(sp_init(), 0);
    for (; vector_next(in, &v); count++) {
        const bool valid = vector_bytes(&v, "valid")[0] == 1;
        struct sp_ml_dsa_key own;
        uint8_t hash[32];
        cr_assert_eq(sp_ml_dsa_key_init(&own, vector_bytes(&v, "seed")), 0);
        crypto_hash_sha256(hash, sp_ml_dsa_key_public(&own), SP_ML_DSA_PUBLIC_BYTES);
        cr_assert_arr_eq(hash, vector_bytes(&v, "public_sha256"), 32);
        cr_assert_eq(vector_get(&v, "signature")->len, SP_ML_DSA_SIGNATURE_BYTES);
        cr_assert_eq(verify(sp_ml_dsa_key_public(&own), vector_bytes(&v, "message"),
                            vector_get(&v, "message")->len, vector_bytes(&v, "signature")),
                     valid, "record %zu", count);
        valid_count += valid;
        sp_ml_dsa_key_free(&own);
    }
    fclose(in);
    cr_assert_eq(count, 25);
    cr_assert_eq(valid_count, 7);
}

// The signature of no message with randomness of zeroes. The library makes hedged ones only.
static void sign_deterministic(uint8_t out[SP_ML_DSA_SIGNATURE_BYTES], const uint8_t seed[32])
{
    int yes = 1;
    size_t len = SP_ML_DSA_SIGNATURE_BYTES;
    const OSSL_PARAM by_seed[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, (void *)seed, 32),
        OSSL_PARAM_construct_end(),
    };
    const OSSL_PARAM deterministic[] = {
        OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, &yes),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pair = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ML-DSA-65", NULL);
    cr_assert_eq(EVP_PKEY_fromdata_init(ctx), 1);
    cr_assert_eq(EVP_PKEY_fromdata(ctx, &pair, EVP_PKEY_KEYPAIR, (OSSL_PARAM *)by_seed), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_SIGNATURE *scheme = EVP_SIGNATURE_fetch(NULL, "ML-DSA-65", NULL);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
    cr_assert_eq(EVP_PKEY_sign_message_init(ctx, scheme, deterministic), 1);
    cr_assert_eq(EVP_PKEY_sign(ctx, out, &len, (const uint8_t *)"", 0), 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_SIGNATURE_free(scheme);
    EVP_PKEY_free(pair);
}

// Source: C2SP CCTV, ML-DSA/accumulated: seeds out of one SHAKE128, public keys and signatures of
// the empty message into another.
Test(sp_ml_dsa, agrees_with_the_published_sum_of_a_hundred)
{
    static const uint8_t expected[32] = {0x83, 0x58, 0xa1, 0x84, 0x32, 0x20, 0x19, 0x44,
                                         0x17, 0xca, 0xdb, 0xc2, 0x65, 0x12, 0x95, 0xcd,
                                         0x8f, 0xc6, 0x51, 0x25, 0xb5, 0xa5, 0xc1, 0xa2,
                                         0x39, 0xa1, 0x6d, 0xc8, 0xb5, 0x7c, 0xa1, 0x99};
    EVP_MD_CTX *stream = EVP_MD_CTX_new(), *sum = EVP_MD_CTX_new();
    uint8_t seed[SP_ML_DSA_SEED_BYTES], out[32];
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(EVP_DigestInit_ex(stream, EVP_shake128(), NULL), 1);
    cr_assert_eq(EVP_DigestInit_ex(sum, EVP_shake128(), NULL), 1);
    for (int i = 0; i < 100; i++) {
        struct sp_ml_dsa_key own;
        cr_assert_eq(EVP_DigestSqueeze(stream, seed, sizeof(seed)), 1);
        cr_assert_eq(sp_ml_dsa_key_init(&own, seed), 0);
        sign_deterministic(signature[0], seed);
        cr_assert(verify(sp_ml_dsa_key_public(&own), NULL, 0, signature[0]));
        EVP_DigestUpdate(sum, sp_ml_dsa_key_public(&own), SP_ML_DSA_PUBLIC_BYTES);
        EVP_DigestUpdate(sum, signature[0], SP_ML_DSA_SIGNATURE_BYTES);
        sp_ml_dsa_key_free(&own);
    }
    cr_assert_eq(EVP_DigestFinalXOF(sum, out, sizeof(out)), 1);
    cr_assert_arr_eq(out, expected, 32);
    EVP_MD_CTX_free(stream);
    EVP_MD_CTX_free(sum);
}

// ---- keys ---------------------------------------------------------------------------------------

Test(sp_ml_dsa_key_init, reports_want_of_memory)
{
    static const uint8_t seed[SP_ML_DSA_SEED_BYTES];
    cr_assert_eq(sp_init(), 0);
    key.state = &key;
    calloc_fails_after = 0;
    cr_assert_eq(sp_ml_dsa_key_init(&key, seed), -ENOMEM);
    cr_assert_null(key.state);

    key.state = &key;
    EVP_PKEY_CTX_new_from_name_fails_after = 0;
    cr_assert_eq(sp_ml_dsa_key_init(&key, seed), -ENOMEM);
    cr_assert_null(key.state);
}

Test(sp_ml_dsa_key_init, reports_a_failing_provider)
{
    static const uint8_t seed[SP_ML_DSA_SEED_BYTES];
    cr_assert_eq(sp_init(), 0);
    key.state = &key;
    EVP_PKEY_generate_fails_after = 0;
    cr_assert_eq(sp_ml_dsa_key_init(&key, seed), -EIO);
    cr_assert_null(key.state);
}

Test(sp_ml_dsa_key_free, may_come_twice)
{
    start();
    sp_ml_dsa_key_free(&key);
    cr_assert_null(key.state);
    sp_ml_dsa_key_free(&key);
}

static void use_and_free(const uint8_t seed[SP_ML_DSA_SEED_BYTES])
{
    cr_assert_eq(sp_ml_dsa_key_init(&key, seed), 0);
    const struct sp_ml_dsa_job job = {.key = &key, .signature = signature[0]};
    cr_assert_eq(sp_ml_dsa_sign_batch(&job, 1), 0);
    cr_assert(verify(sp_ml_dsa_key_public(&key), NULL, 0, signature[0]));
    sp_ml_dsa_key_free(&key);
}

Test(sp_ml_dsa_key_free, leaves_nothing_behind)
{
    uint8_t seed[SP_ML_DSA_SEED_BYTES], expanded[128];
    watch_start();
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(sp_random(seed, sizeof(seed)), 0);
    // FIPS 204 algorithm 6: rho ‖ rho' ‖ K = SHAKE256(seed ‖ 6 ‖ 5); K is in the private key.
    uint8_t input[34];
    memcpy(input, seed, sizeof(seed));
    memcpy(input + 32, "\6\5", 2);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestInit_ex(ctx, EVP_shake256(), NULL), 1);
    cr_assert_eq(EVP_DigestUpdate(ctx, input, sizeof(input)), 1);
    cr_assert_eq(EVP_DigestFinalXOF(ctx, expanded, sizeof(expanded)), 1);
    EVP_MD_CTX_free(ctx);
    watch_found = 0; // what this very computation left does not count

    watch_for(seed, sizeof(seed));
    watch_for(expanded + 96, 32);
    use_and_free(seed); // OpenSSL keeps what it makes at the first use
    const size_t blocks = watch_blocks;
    use_and_free(seed);
    cr_assert_eq(watch_blocks, blocks);
    cr_assert_eq(watch_found, 0);
}

// ---- signatures ---------------------------------------------------------------------------------

Test(sp_ml_dsa_sign_batch, makes_what_verifies, .init = start, .fini = stop)
{
    bool ok[JOBS];
    cr_assert_eq(sp_ml_dsa_sign_batch(jobs, JOBS), 0);
    cr_assert(sp_ml_dsa_verify_batch(jobs, JOBS, ok));
    cr_assert(ok[0] && ok[1] && ok[2]);
}

Test(sp_ml_dsa_sign_batch, hedges, .init = start, .fini = stop)
{
    uint8_t first[SP_ML_DSA_SIGNATURE_BYTES];
    cr_assert_eq(sp_ml_dsa_sign_batch(jobs, 1), 0);
    memcpy(first, signature[0], sizeof(first));
    cr_assert_eq(sp_ml_dsa_sign_batch(jobs, 1), 0);
    cr_assert_arr_neq(signature[0], first, sizeof(first));
}

Test(sp_ml_dsa_sign_batch, takes_none, .init = start, .fini = stop)
{
    cr_assert_eq(sp_ml_dsa_sign_batch(NULL, 0), 0);
    cr_assert(sp_ml_dsa_verify_batch(NULL, 0, NULL));
}

Test(sp_ml_dsa_sign_batch, zeroes_all_when_the_provider_fails, .init = start, .fini = stop)
{
    memset(signature, 0xAA, sizeof(signature));
    EVP_PKEY_sign_fails_after = 1;
    cr_assert_eq(sp_ml_dsa_sign_batch(jobs, JOBS), -EIO);
    cr_assert(vector_is_zero(signature, sizeof(signature)));

    memset(signature, 0xAA, sizeof(signature));
    EVP_PKEY_CTX_new_from_pkey_fails_after = 0;
    cr_assert_eq(sp_ml_dsa_sign_batch(jobs, JOBS), -EIO);
    cr_assert(vector_is_zero(signature, sizeof(signature)));
}

Test(sp_ml_dsa_verify_batch, judges_each_job_by_itself, .init = start, .fini = stop)
{
    bool ok[JOBS];
    cr_assert_eq(sp_ml_dsa_sign_batch(jobs, JOBS), 0);
    signature[1][2000] ^= 4;
    cr_assert_not(sp_ml_dsa_verify_batch(jobs, JOBS, ok));
    cr_assert(ok[0] && !ok[1] && ok[2]);
    cr_assert_eq(ERR_peek_error(), 0, "TLS would take it for its own");

    EVP_PKEY_CTX_new_from_pkey_fails_after = 0;
    cr_assert_not(sp_ml_dsa_verify_batch(jobs, JOBS, ok));
    cr_assert(!ok[0] && !ok[1] && ok[2]);
}

Test(sp_ml_dsa_verify_batch, refuses_every_byte_changed, .init = start, .fini = stop)
{
    cr_assert_eq(sp_ml_dsa_sign_batch(jobs, 2), 0);
    const uint8_t *public_key = sp_ml_dsa_key_public(&key);
    cr_assert(verify(public_key, message, 32, signature[1]));
    for (size_t i = 0; i < SP_ML_DSA_SIGNATURE_BYTES; i += 7) {
        signature[1][i] ^= (uint8_t)(1u << i % 8);
        cr_assert_not(verify(public_key, message, 32, signature[1]), "byte %zu", i);
        signature[1][i] ^= (uint8_t)(1u << i % 8);
    }
    uint8_t changed[SP_ML_DSA_PUBLIC_BYTES];
    memcpy(changed, public_key, sizeof(changed));
    for (size_t i = 0; i < sizeof(changed); i += 31) {
        changed[i] ^= (uint8_t)(1u << i % 8);
        cr_assert_not(verify(changed, message, 32, signature[1]), "byte %zu of the key", i);
        changed[i] ^= (uint8_t)(1u << i % 8);
    }
    message[31] ^= 1;
    cr_assert_not(verify(public_key, message, 32, signature[1]));
}

// ---- start --------------------------------------------------------------------------------------

Test(sp_init, reports_a_provider_without_ml_dsa)
{
    EVP_SIGNATURE_fetch_fails_after = 0;
    cr_assert_eq(sp_init(), -EIO);
    cr_assert_str_eq(sp_tier(), "none");
    EVP_KEYMGMT_fetch_fails_after = 1; // ML-KEM comes first
    cr_assert_eq(sp_init(), -EIO);
    cr_assert_eq(sp_init(), 0);
}
