// Private keys of ML-KEM and ML-DSA out of their seeds, through OpenSSL. Any thread. Leaves
// nothing in OpenSSL's error queue: TLS reads the queue of the same thread.
#include "pq_key.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdlib.h>

// Key generation with the seed given. Importing the seed makes the same key, in ML-KEM for close
// to three times the price.
static EVP_PKEY *expand(EVP_PKEY_CTX *ctx, const uint8_t *seed, size_t seed_len)
{
    const OSSL_PARAM params[] = {
        // What stands behind the macro is not const, but only read.
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, (void *)seed, seed_len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *pair = NULL;
    if (EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_CTX_set_params(ctx, params) != 1 ||
        EVP_PKEY_generate(ctx, &pair) != 1)
        return NULL;
    return pair;
}

static int fill(struct sp_pq_key *key, EVP_PKEY_CTX *ctx, const uint8_t *seed, size_t seed_len)
{
    size_t len = key->public_len;
    key->pair = expand(ctx, seed, seed_len);
    if (key->pair == NULL || EVP_PKEY_get_raw_public_key(key->pair, key->public_key, &len) != 1 ||
        len != key->public_len)
        return -EIO;
    return 0;
}

int sp_pq_key_create(struct sp_pq_key **out, const char *algorithm, const uint8_t *seed,
                     size_t seed_len, size_t public_len)
{
    ERR_set_mark();
    struct sp_pq_key *key = calloc(1, sizeof(*key) + public_len);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    int error = -ENOMEM;
    if (key != NULL && ctx != NULL) {
        key->public_len = public_len;
        error = fill(key, ctx, seed, seed_len);
    }
    EVP_PKEY_CTX_free(ctx);
    if (error != 0) {
        sp_pq_key_destroy(key);
        key = NULL;
    }
    ERR_pop_to_mark();
    *out = key;
    return error;
}

void sp_pq_key_destroy(struct sp_pq_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pair); // wipes seed and private key
    free(key);                // what is left is public
}
