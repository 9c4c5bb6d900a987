// ML-KEM-768: vectors of an implementation that is not OpenSSL's, a published sum over ten thousand
// keys, the check of public keys, and what happens when the provider fails.
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "openssl_double.h"
#include "sealcrypto.h"
#include "vectors.h"

#define Q 3329u // the modulus

DOUBLE(void *, calloc, NULL, (size_t count, size_t size), (count, size))
DOUBLE(EVP_KEYMGMT *, EVP_KEYMGMT_fetch, NULL,
       (OSSL_LIB_CTX * lib, const char *name, const char *properties), (lib, name, properties))
DOUBLE(EVP_KEM *, EVP_KEM_fetch, NULL,
       (OSSL_LIB_CTX * lib, const char *name, const char *properties), (lib, name, properties))
DOUBLE(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name, NULL,
       (OSSL_LIB_CTX * lib, const char *name, const char *properties), (lib, name, properties))
DOUBLE(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey, NULL,
       (OSSL_LIB_CTX * lib, EVP_PKEY *key, const char *properties), (lib, key, properties))
DOUBLE(int, EVP_PKEY_generate, 0, (EVP_PKEY_CTX * ctx, EVP_PKEY **out), (ctx, out))
DOUBLE(int, EVP_PKEY_get_raw_public_key, 0, (const EVP_PKEY *key, unsigned char *out, size_t *len),
       (key, out, len))
DOUBLE(int, EVP_PKEY_encapsulate, 0,
       (EVP_PKEY_CTX * ctx, unsigned char *out, size_t *out_len, unsigned char *secret,
        size_t *len),
       (ctx, out, out_len, secret, len))
DOUBLE(int, EVP_PKEY_decapsulate, 0,
       (EVP_PKEY_CTX * ctx, unsigned char *secret, size_t *len, const unsigned char *in,
        size_t in_len),
       (ctx, secret, len, in, in_len))

static struct sp_ml_kem_key key;
static uint8_t ciphertext[SP_ML_KEM_CIPHERTEXT_BYTES], secret[32];

static void start(void)
{
    static const uint8_t seed[SP_ML_KEM_SEED_BYTES] = "the seed that most of the cases use";
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(sp_ml_kem_key_init(&key, seed), 0);
    memset(ciphertext, 0xAA, sizeof(ciphertext));
    memset(secret, 0xAA, sizeof(secret));
}

static void stop(void)
{
    sp_ml_kem_key_free(&key);
}

static struct sp_ml_kem_job encapsulation(const uint8_t *public_key, const uint8_t *randomness)
{
    return (struct sp_ml_kem_job){
        .public_key = public_key,
        .randomness = randomness,
        .ciphertext = ciphertext,
        .shared_secret = secret,
    };
}

static bool encapsulate(const uint8_t *public_key)
{
    const struct sp_ml_kem_job job = encapsulation(public_key, NULL);
    bool ok;
    const bool all = sp_ml_kem_encapsulate_batch(&job, 1, &ok);
    cr_assert_eq(all, ok);
    return ok;
}

static void decapsulate(uint8_t out[32], const struct sp_ml_kem_key *with, uint8_t *in)
{
    const struct sp_ml_kem_job job = {.key = with, .ciphertext = in, .shared_secret = out};
    bool ok;
    cr_assert(sp_ml_kem_decapsulate_batch(&job, 1, &ok));
    cr_assert(ok);
}

static void expect_no_outputs(void)
{
    cr_assert(vector_is_zero(ciphertext, sizeof(ciphertext)));
    cr_assert(vector_is_zero(secret, sizeof(secret)));
}

// ---- agreement with others ----------------------------------------------------------------------

static void check_vector(struct vector_record *v)
{
    struct sp_ml_kem_key own;
    uint8_t hash[32], out[32];
    bool ok;
    cr_assert_eq(sp_ml_kem_key_init(&own, vector_bytes(v, "seed")), 0);
    crypto_hash_sha256(hash, sp_ml_kem_key_public(&own), SP_ML_KEM_PUBLIC_BYTES);
    cr_assert_arr_eq(hash, vector_bytes(v, "public_sha256"), 32);

    const struct sp_ml_kem_job job =
        encapsulation(sp_ml_kem_key_public(&own), vector_bytes(v, "m"));
    cr_assert(sp_ml_kem_encapsulate_batch(&job, 1, &ok));
    cr_assert_arr_eq(ciphertext, vector_bytes(v, "ciphertext"), sizeof(ciphertext));
    cr_assert_arr_eq(secret, vector_bytes(v, "secret"), 32);

    decapsulate(out, &own, vector_bytes(v, "ciphertext"));
    cr_assert_arr_eq(out, secret, 32);
    const uint8_t *flip = vector_bytes(v, "flip");
    ciphertext[flip[0] << 8 | flip[1]] ^= flip[2];
    decapsulate(out, &own, ciphertext);
    cr_assert_arr_eq(out, vector_bytes(v, "rejected"), 32);
    sp_ml_kem_key_free(&own);
}

Test(sp_ml_kem, agrees_with_the_vectors)
{
    static struct vector_record v;
    FILE *in = vector_open("ml_kem_768.txt");
    size_t count = 0;
    cr_assert_eq(sp_init(), 0);
    for (; vector_next(in, &v); count++)
        check_vector(&v);
    fclose(in);
    cr_assert_eq(count, 20);
}

static EVP_MD_CTX *start_shake128(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert_not_null(ctx);
    cr_assert_eq(EVP_DigestInit_ex(ctx, EVP_shake128(), NULL), 1);
    return ctx;
}

static void expect_sum(const EVP_MD_CTX *sum, const uint8_t expected[32])
{
    uint8_t out[32];
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    cr_assert_eq(EVP_MD_CTX_copy_ex(copy, sum), 1);
    cr_assert_eq(EVP_DigestFinalXOF(copy, out, sizeof(out)), 1);
    cr_assert_arr_eq(out, expected, 32);
    EVP_MD_CTX_free(copy);
}

// The next key, message and ciphertext of the stream, and what comes of them, into the sum.
static void accumulate(EVP_MD_CTX *stream, EVP_MD_CTX *sum)
{
    struct sp_ml_kem_key own;
    uint8_t seed[SP_ML_KEM_SEED_BYTES], m[32], other[SP_ML_KEM_CIPHERTEXT_BYTES], out[32];
    bool ok;
    cr_assert_eq(EVP_DigestSqueeze(stream, seed, sizeof(seed)), 1);
    cr_assert_eq(EVP_DigestSqueeze(stream, m, sizeof(m)), 1);
    cr_assert_eq(EVP_DigestSqueeze(stream, other, sizeof(other)), 1);
    cr_assert_eq(sp_ml_kem_key_init(&own, seed), 0);

    const struct sp_ml_kem_job job = encapsulation(sp_ml_kem_key_public(&own), m);
    cr_assert(sp_ml_kem_encapsulate_batch(&job, 1, &ok));
    decapsulate(out, &own, ciphertext);
    cr_assert_arr_eq(out, secret, 32);
    decapsulate(out, &own, other);
    EVP_DigestUpdate(sum, job.public_key, SP_ML_KEM_PUBLIC_BYTES);
    EVP_DigestUpdate(sum, ciphertext, sizeof(ciphertext));
    EVP_DigestUpdate(sum, secret, sizeof(secret));
    EVP_DigestUpdate(sum, out, sizeof(out));
    sp_ml_kem_key_free(&own);
}

// Source: Go's crypto/mlkem, TestAccumulated: inputs out of one SHAKE128, outputs into another.
Test(sp_ml_kem, agrees_with_the_published_sum_of_ten_thousand)
{
    static const uint8_t after_100[32] = {0x11, 0x14, 0xb1, 0xb6, 0x69, 0x9e, 0xd1, 0x91,
                                          0x73, 0x4f, 0xa3, 0x39, 0x37, 0x6a, 0xfa, 0x7e,
                                          0x28, 0x5c, 0x9e, 0x6a, 0xcf, 0x6f, 0xf0, 0x17,
                                          0x7d, 0x34, 0x66, 0x96, 0xce, 0x56, 0x44, 0x15};
    static const uint8_t after_10000[32] = {0x8a, 0x51, 0x8c, 0xc6, 0x3d, 0xa3, 0x66, 0x32,
                                            0x2a, 0x8e, 0x7a, 0x81, 0x8c, 0x7a, 0x0d, 0x63,
                                            0x48, 0x3c, 0xb3, 0x52, 0x8d, 0x34, 0xa4, 0xcf,
                                            0x42, 0xf3, 0x5d, 0x5a, 0xd7, 0x3f, 0x22, 0xfc};
    EVP_MD_CTX *stream = start_shake128(), *sum = start_shake128();
    cr_assert_eq(sp_init(), 0);
    for (int i = 0; i < 100; i++)
        accumulate(stream, sum);
    expect_sum(sum, after_100);
    for (int i = 100; i < 10000; i++)
        accumulate(stream, sum);
    expect_sum(sum, after_10000);
    EVP_MD_CTX_free(stream);
    EVP_MD_CTX_free(sum);
}

// ---- keys ---------------------------------------------------------------------------------------

Test(sp_ml_kem_key_init, reports_want_of_memory)
{
    static const uint8_t seed[SP_ML_KEM_SEED_BYTES];
    cr_assert_eq(sp_init(), 0);
    key.state = &key;
    calloc_fails_after = 0;
    cr_assert_eq(sp_ml_kem_key_init(&key, seed), -ENOMEM);
    cr_assert_null(key.state);

    key.state = &key;
    EVP_PKEY_CTX_new_from_name_fails_after = 0;
    cr_assert_eq(sp_ml_kem_key_init(&key, seed), -ENOMEM);
    cr_assert_null(key.state);
}

Test(sp_ml_kem_key_init, reports_a_failing_provider)
{
    static const uint8_t seed[SP_ML_KEM_SEED_BYTES];
    cr_assert_eq(sp_init(), 0);
    key.state = &key;
    EVP_PKEY_generate_fails_after = 0;
    cr_assert_eq(sp_ml_kem_key_init(&key, seed), -EIO);
    cr_assert_null(key.state);

    key.state = &key;
    EVP_PKEY_get_raw_public_key_fails_after = 0;
    cr_assert_eq(sp_ml_kem_key_init(&key, seed), -EIO);
    cr_assert_null(key.state);
}

Test(sp_ml_kem_key_free, may_come_twice)
{
    start();
    sp_ml_kem_key_free(&key);
    cr_assert_null(key.state);
    sp_ml_kem_key_free(&key);
}

static void use_and_free(const uint8_t seed[SP_ML_KEM_SEED_BYTES], const uint8_t m[32])
{
    uint8_t out[32];
    bool ok;
    cr_assert_eq(sp_ml_kem_key_init(&key, seed), 0);
    const struct sp_ml_kem_job job = encapsulation(sp_ml_kem_key_public(&key), m);
    cr_assert(sp_ml_kem_encapsulate_batch(&job, 1, &ok));
    decapsulate(out, &key, ciphertext);
    cr_assert_arr_eq(out, secret, 32);
    sp_ml_kem_key_free(&key);
}

Test(sp_ml_kem_key_free, leaves_nothing_behind)
{
    uint8_t seed[SP_ML_KEM_SEED_BYTES], m[32];
    watch_start();
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(sp_random(seed, sizeof(seed)) | sp_random(m, sizeof(m)), 0);
    watch_for(seed, sizeof(seed));
    watch_for(m, sizeof(m));
    use_and_free(seed, m); // OpenSSL keeps what it makes at the first use
    watch_for(secret, sizeof(secret));
    const size_t blocks = watch_blocks;
    use_and_free(seed, m);
    cr_assert_eq(watch_blocks, blocks);
    cr_assert_eq(watch_found, 0);
}

// ---- encapsulation ------------------------------------------------------------------------------

Test(sp_ml_kem_encapsulate_batch, draws_its_own_randomness, .init = start, .fini = stop)
{
    uint8_t first[sizeof(ciphertext)], out[32];
    cr_assert(encapsulate(sp_ml_kem_key_public(&key)));
    memcpy(first, ciphertext, sizeof(first));
    cr_assert(encapsulate(sp_ml_kem_key_public(&key)));
    cr_assert_arr_neq(ciphertext, first, sizeof(first));
    decapsulate(out, &key, ciphertext);
    cr_assert_arr_eq(out, secret, 32);
}

Test(sp_ml_kem_encapsulate_batch, takes_none, .init = start, .fini = stop)
{
    cr_assert(sp_ml_kem_encapsulate_batch(NULL, 0, NULL));
    cr_assert(sp_ml_kem_decapsulate_batch(NULL, 0, NULL));
}

// Coefficient `index` of a public key: 12 bits, two of them in three bytes (section 4.2.1).
static void set_coefficient(uint8_t *public_key, size_t index, unsigned value)
{
    uint8_t *at = public_key + index / 2 * 3;
    if (index % 2 == 0) {
        at[0] = (uint8_t)value;
        at[1] = (uint8_t)((at[1] & 0xF0) | value >> 8);
    } else {
        at[1] = (uint8_t)((at[1] & 0x0F) | (value & 0x0F) << 4);
        at[2] = (uint8_t)(value >> 4);
    }
}

Test(sp_ml_kem_encapsulate_batch, refuses_a_coefficient_not_below_the_modulus, .init = start,
     .fini = stop)
{
    uint8_t public_key[SP_ML_KEM_PUBLIC_BYTES];
    for (size_t i = 0; i < 768; i++) {
        memcpy(public_key, sp_ml_kem_key_public(&key), sizeof(public_key));
        set_coefficient(public_key, i, Q - 1);
        cr_assert(encapsulate(public_key), "coefficient %zu", i);
        set_coefficient(public_key, i, i % 2 == 0 ? Q : 4095);
        cr_assert_not(encapsulate(public_key), "coefficient %zu", i);
        expect_no_outputs();
    }
    // Every value there is, once.
    for (unsigned value = 0; value < 4096; value++) {
        set_coefficient(public_key, 767, value);
        cr_assert_eq(encapsulate(public_key), value < Q, "value %u", value);
    }
}

Test(sp_ml_kem_encapsulate_batch, judges_each_job_by_itself, .init = start, .fini = stop)
{
    static uint8_t public_key[3][SP_ML_KEM_PUBLIC_BYTES], sealed[3][SP_ML_KEM_CIPHERTEXT_BYTES];
    uint8_t shared[3][32], out[32];
    struct sp_ml_kem_job jobs[3];
    bool ok[3];
    for (size_t i = 0; i < 3; i++) {
        memcpy(public_key[i], sp_ml_kem_key_public(&key), SP_ML_KEM_PUBLIC_BYTES);
        jobs[i] = (struct sp_ml_kem_job){
            .public_key = public_key[i], .ciphertext = sealed[i], .shared_secret = shared[i]};
    }
    set_coefficient(public_key[1], 5, Q);
    cr_assert_not(sp_ml_kem_encapsulate_batch(jobs, 3, ok));
    cr_assert(ok[0] && !ok[1] && ok[2]);
    cr_assert(vector_is_zero(sealed[1], sizeof(sealed[1])));
    cr_assert(vector_is_zero(shared[1], 32));
    for (size_t i = 0; i < 3; i += 2) {
        decapsulate(out, &key, sealed[i]);
        cr_assert_arr_eq(out, shared[i], 32);
    }
    cr_assert_eq(ERR_peek_error(), 0, "TLS would take it for its own");
}

Test(sp_ml_kem_encapsulate_batch, reports_a_failing_provider, .init = start, .fini = stop)
{
    const uint8_t *public_key = sp_ml_kem_key_public(&key);
    EVP_PKEY_encapsulate_fails_after = 0;
    cr_assert_not(encapsulate(public_key));
    expect_no_outputs();

    memset(secret, 0xAA, sizeof(secret));
    EVP_PKEY_CTX_new_from_pkey_fails_after = 0;
    cr_assert_not(encapsulate(public_key));
    expect_no_outputs();
}

// ---- decapsulation ------------------------------------------------------------------------------

Test(sp_ml_kem_decapsulate_batch, gives_another_key_another_secret, .init = start, .fini = stop)
{
    static const uint8_t seed[SP_ML_KEM_SEED_BYTES] = "another seed";
    struct sp_ml_kem_key other;
    uint8_t mine[32], theirs[32];
    bool ok[2];
    cr_assert_eq(sp_ml_kem_key_init(&other, seed), 0);
    cr_assert(encapsulate(sp_ml_kem_key_public(&key)));
    const struct sp_ml_kem_job jobs[] = {
        {.key = &other, .ciphertext = ciphertext, .shared_secret = theirs},
        {.key = &key, .ciphertext = ciphertext, .shared_secret = mine},
    };
    cr_assert(sp_ml_kem_decapsulate_batch(jobs, 2, ok));
    cr_assert(ok[0] && ok[1]);
    cr_assert_arr_eq(mine, secret, 32);
    cr_assert_arr_neq(theirs, secret, 32);
    sp_ml_kem_key_free(&other);
}

Test(sp_ml_kem_decapsulate_batch, reports_a_failing_provider, .init = start, .fini = stop)
{
    uint8_t out[2][32];
    bool ok[2];
    cr_assert(encapsulate(sp_ml_kem_key_public(&key)));
    const struct sp_ml_kem_job jobs[] = {
        {.key = &key, .ciphertext = ciphertext, .shared_secret = out[0]},
        {.key = &key, .ciphertext = ciphertext, .shared_secret = out[1]},
    };
    memset(out, 0xAA, sizeof(out));
    EVP_PKEY_decapsulate_fails_after = 1;
    cr_assert_not(sp_ml_kem_decapsulate_batch(jobs, 2, ok));
    cr_assert(ok[0] && !ok[1]);
    cr_assert_arr_eq(out[0], secret, 32);
    cr_assert(vector_is_zero(out[1], 32));

    memset(out, 0xAA, sizeof(out));
    EVP_PKEY_CTX_new_from_pkey_fails_after = 0;
    cr_assert_not(sp_ml_kem_decapsulate_batch(jobs, 2, ok));
    cr_assert(!ok[0] && ok[1]);
    cr_assert(vector_is_zero(out[0], 32));
    cr_assert_arr_eq(out[1], secret, 32);
}

// ---- start --------------------------------------------------------------------------------------

Test(sp_init, reports_a_provider_without_ml_kem)
{
    EVP_KEM_fetch_fails_after = 0;
    cr_assert_eq(sp_init(), -EIO);
    cr_assert_str_eq(sp_tier(), "none");
    EVP_KEYMGMT_fetch_fails_after = 0;
    cr_assert_eq(sp_init(), -EIO);
    cr_assert_eq(sp_init(), 0);
}
