// ML-DSA-65 (FIPS 204), pure and with an empty context, through OpenSSL. Any thread. A batch is a
// loop: a signature costs hundreds of microseconds, beside which a context of its own is nothing.
// Leaves nothing in OpenSSL's error queue: TLS reads the queue of the same thread, and a forged
// signature is the peer's doing.
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "internal.h"
#include "pq_key.h"

#define ALGORITHM "ML-DSA-65"

// Set once by sp_ml_dsa_init and kept as long as the process lives.
static EVP_SIGNATURE *scheme;

int sp_ml_dsa_init(void)
{
    EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(NULL, ALGORITHM, NULL); // contexts fetch it by name
    const bool has_keys = keys != NULL;
    EVP_KEYMGMT_free(keys);
    if (scheme == NULL)
        scheme = EVP_SIGNATURE_fetch(NULL, ALGORITHM, NULL);
    return has_keys && scheme != NULL ? 0 : -EIO;
}

int sp_ml_dsa_key_init(struct sp_ml_dsa_key *key, const uint8_t seed[SP_ML_DSA_SEED_BYTES])
{
    struct sp_pq_key *state;
    const int error =
        sp_pq_key_create(&state, ALGORITHM, seed, SP_ML_DSA_SEED_BYTES, SP_ML_DSA_PUBLIC_BYTES);
    key->state = state;
    return error;
}

void sp_ml_dsa_key_free(struct sp_ml_dsa_key *key)
{
    sp_pq_key_destroy(key->state);
    key->state = NULL;
}

const uint8_t *sp_ml_dsa_key_public(const struct sp_ml_dsa_key *key)
{
    const struct sp_pq_key *state = key->state;
    return state->public_key;
}

// OpenSSL draws the randomness of section 3.4 unless it is told not to.
static bool sign(const struct sp_ml_dsa_job *job)
{
    const struct sp_pq_key *key = job->key->state;
    size_t len = SP_ML_DSA_SIGNATURE_BYTES;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pair, NULL);
    const bool done =
        ctx != NULL && EVP_PKEY_sign_message_init(ctx, scheme, NULL) == 1 &&
        EVP_PKEY_sign(ctx, job->signature, &len, job->message, job->message_len) == 1 &&
        len == SP_ML_DSA_SIGNATURE_BYTES;
    EVP_PKEY_CTX_free(ctx);
    return done;
}

static bool verify(const struct sp_ml_dsa_job *job)
{
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, ALGORITHM, NULL, job->public_key,
                                                    SP_ML_DSA_PUBLIC_BYTES);
    EVP_PKEY_CTX *ctx = peer == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
    const bool verified = ctx != NULL && EVP_PKEY_verify_message_init(ctx, scheme, NULL) == 1 &&
                          EVP_PKEY_verify(ctx, job->signature, SP_ML_DSA_SIGNATURE_BYTES,
                                          job->message, job->message_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    return verified;
}

int sp_ml_dsa_sign_batch(const struct sp_ml_dsa_job *jobs, size_t count)
{
    bool signed_all = true;
    ERR_set_mark();
    for (size_t i = 0; i < count && signed_all; i++)
        signed_all = sign(&jobs[i]);
    ERR_pop_to_mark();
    if (signed_all)
        return 0;
    for (size_t i = 0; i < count; i++)
        memset(jobs[i].signature, 0, SP_ML_DSA_SIGNATURE_BYTES);
    return -EIO;
}

bool sp_ml_dsa_verify_batch(const struct sp_ml_dsa_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    ERR_set_mark();
    for (size_t i = 0; i < count; i++) {
        ok[i] = verify(&jobs[i]);
        all = all && ok[i];
    }
    ERR_pop_to_mark();
    return all;
}
