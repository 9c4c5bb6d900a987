// AES-256-GCM: published vectors, every small length, in place, bad tags, a failing provider.
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "sealcrypto.h"
#include "vectors.h"

#define LEN_MAX 300u
#define BATCH 5u

// Which call of the provider fails; 0 is none.
static size_t final_fails_at, final_calls;
static bool new_fails, init_fails;

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

static struct sp_aead_key keys[2];

static void start(void)
{
    static const uint8_t raw[2][SP_KEY_BYTES] = {{1, 2, 3}, {4, 5, 6}};
    cr_assert_eq(sp_init(), 0);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(sp_aead_key_init(&keys[i], raw[i]), 0);
}

static void stop(void)
{
    sp_aead_key_free(&keys[0]);
    sp_aead_key_free(&keys[1]);
}

TestSuite(sp_aead_key_init, .init = start, .fini = stop);
TestSuite(sp_aead_seal_batch, .init = start, .fini = stop);
TestSuite(sp_aead_open_batch, .init = start, .fini = stop);

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

Test(sp_aead_seal_batch, agrees_with_the_published_vectors)
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

Test(sp_aead_open_batch, opens_every_length)
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

Test(sp_aead_open_batch, opens_in_place)
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

Test(sp_aead_open_batch, refuses_any_changed_bit_of_the_tag)
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

Test(sp_aead_open_batch, refuses_any_changed_input)
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

Test(sp_aead_open_batch, zeroes_a_refused_text_in_place)
{
    static struct batch b;
    make_batch(&b, 64);
    b.open[2].out = b.sealed[2];
    b.tag[2][0] ^= 1;
    cr_assert_not(sp_aead_open_batch(b.open, BATCH, b.ok));
    cr_assert(!b.ok[2] && vector_is_zero(b.sealed[2], 64));
}

// A TLS connection of the same thread would take a stale entry for its own failure.
Test(sp_aead_open_batch, leaves_no_error_in_the_queue)
{
    static struct batch b;
    make_batch(&b, 64);
    b.tag[2][0] ^= 1;
    expect_only_third_refused(&b);
    cr_assert_eq(ERR_peek_error(), 0);
}

Test(sp_aead_open_batch, takes_no_jobs)
{
    cr_assert(sp_aead_open_batch(NULL, 0, NULL));
    cr_assert_eq(sp_aead_seal_batch(NULL, 0), 0);
}

Test(sp_aead_seal_batch, zeroes_all_when_the_provider_fails)
{
    static struct batch b;
    make_batch(&b, 50);
    final_calls = 0;
    final_fails_at = 3;
    cr_assert_eq(sp_aead_seal_batch(b.seal, BATCH), -EIO);
    for (size_t i = 0; i < BATCH; i++) {
        cr_assert(vector_is_zero(b.sealed[i], 50));
        cr_assert(vector_is_zero(b.tag[i], SP_TAG_BYTES));
    }
}

Test(sp_aead_key_init, reports_no_memory_and_a_failing_provider)
{
    static const uint8_t raw[SP_KEY_BYTES];
    struct sp_aead_key key;
    new_fails = true;
    cr_assert_eq(sp_aead_key_init(&key, raw), -ENOMEM);
    cr_assert_null(key.state);
    new_fails = false;
    init_fails = true;
    cr_assert_eq(sp_aead_key_init(&key, raw), -EIO);
    cr_assert_null(key.state);
    sp_aead_key_free(&key); // as good as freed
}
