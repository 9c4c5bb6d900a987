// ML-KEM-768 (FIPS 203) through OpenSSL. Any thread. A batch is a loop: every job pays a context of
// its own, half a microsecond of the 30 to 40 that it takes. Leaves nothing in OpenSSL's error
// queue: TLS reads the queue of the same thread, and a peer may send keys that fail their check.
#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "internal.h"
#include "pq_key.h"

#define ALGORITHM "ML-KEM-768"
#define SECRET_BYTES 32u

int sp_ml_kem_init(void)
{
    // Contexts fetch by name and take no object: this asks whether the names are there, and leaves
    // the methods in OpenSSL's cache.
    EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(NULL, ALGORITHM, NULL);
    EVP_KEM *kem = EVP_KEM_fetch(NULL, ALGORITHM, NULL);
    const bool has_both = keys != NULL && kem != NULL;
    EVP_KEYMGMT_free(keys);
    EVP_KEM_free(kem);
    return has_both ? 0 : -EIO;
}

int sp_ml_kem_key_init(struct sp_ml_kem_key *key, const uint8_t seed[SP_ML_KEM_SEED_BYTES])
{
    struct sp_pq_key *state;
    const int error =
        sp_pq_key_create(&state, ALGORITHM, seed, SP_ML_KEM_SEED_BYTES, SP_ML_KEM_PUBLIC_BYTES);
    key->state = state;
    return error;
}

void sp_ml_kem_key_free(struct sp_ml_kem_key *key)
{
    sp_pq_key_destroy(key->state);
    key->state = NULL;
}

const uint8_t *sp_ml_kem_key_public(const struct sp_ml_kem_key *key)
{
    const struct sp_pq_key *state = key->state;
    return state->public_key;
}

static bool encapsulate(const struct sp_ml_kem_job *job)
{
    size_t ciphertext_len = SP_ML_KEM_CIPHERTEXT_BYTES, secret_len = SECRET_BYTES;
    const OSSL_PARAM chosen[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, (void *)job->randomness, 32),
        OSSL_PARAM_construct_end(),
    };
    // Section 7.2: the import refuses a coefficient that is not below the modulus.
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, ALGORITHM, NULL, job->public_key,
                                                    SP_ML_KEM_PUBLIC_BYTES);
    EVP_PKEY_CTX *ctx = peer == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
    const bool done =
        ctx != NULL &&
        EVP_PKEY_encapsulate_init(ctx, job->randomness == NULL ? NULL : chosen) == 1 &&
        EVP_PKEY_encapsulate(ctx, job->ciphertext, &ciphertext_len, job->shared_secret,
                             &secret_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    assert(!done || (ciphertext_len == SP_ML_KEM_CIPHERTEXT_BYTES && secret_len == SECRET_BYTES));
    return done;
}

static bool decapsulate(const struct sp_ml_kem_job *job)
{
    const struct sp_pq_key *key = job->key->state;
    size_t secret_len = SECRET_BYTES;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pair, NULL);
    const bool done = ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
                      EVP_PKEY_decapsulate(ctx, job->shared_secret, &secret_len, job->ciphertext,
                                           SP_ML_KEM_CIPHERTEXT_BYTES) == 1;
    EVP_PKEY_CTX_free(ctx);
    assert(!done || secret_len == SECRET_BYTES);
    return done;
}

bool sp_ml_kem_encapsulate_batch(const struct sp_ml_kem_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    ERR_set_mark();
    for (size_t i = 0; i < count; i++) {
        ok[i] = encapsulate(&jobs[i]);
        if (!ok[i]) {
            memset(jobs[i].ciphertext, 0, SP_ML_KEM_CIPHERTEXT_BYTES);
            sp_wipe(jobs[i].shared_secret, SECRET_BYTES);
        }
        all = all && ok[i];
    }
    ERR_pop_to_mark();
    return all;
}

bool sp_ml_kem_decapsulate_batch(const struct sp_ml_kem_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    ERR_set_mark();
    for (size_t i = 0; i < count; i++) {
        ok[i] = decapsulate(&jobs[i]);
        if (!ok[i])
            sp_wipe(jobs[i].shared_secret, SECRET_BYTES);
        all = all && ok[i];
    }
    ERR_pop_to_mark();
    return all;
}
