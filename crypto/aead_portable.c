// AES-256-GCM (NIST SP 800-38D), portable tier: OpenSSL EVP, the cipher fetched once and one
// context for each key, so that a message costs a new IV and no key schedule. Any thread; a key
// belongs to one at a time. The message path never allocates.
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "internal.h"

// Set once by init and kept as long as the process lives.
static EVP_CIPHER *cipher;

static int init(void)
{
    if (cipher == NULL)
        cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    return cipher == NULL ? -EIO : 0;
}

static int init_key(struct sp_aead_key *key, const uint8_t raw[SP_KEY_BYTES])
{
    assert(cipher != NULL);
    key->state = NULL;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return -ENOMEM;
    // GCM runs the block cipher forwards in both directions: one schedule serves seal and open, and
    // each message says with its IV which of the two it is.
    if (EVP_CipherInit_ex2(ctx, cipher, raw, NULL, 1, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return -EIO;
    }
    key->state = ctx;
    return 0;
}

static void free_key(struct sp_aead_key *key)
{
    EVP_CIPHER_CTX_free(key->state); // wipes the schedule
    key->state = NULL;
}

// Associated data and text, in either direction; what Final needs is then in place.
static bool run(EVP_CIPHER_CTX *ctx, const struct sp_aead_job *job)
{
    int n;
    if (job->ad_len > 0 && EVP_CipherUpdate(ctx, NULL, &n, job->ad, (int)job->ad_len) != 1)
        return false;
    return job->len == 0 || EVP_CipherUpdate(ctx, job->out, &n, job->in, (int)job->len) == 1;
}

// The context of a job; `spare`, made at need, serves all jobs of a batch whose key is raw. NULL
// when it cannot be had.
static EVP_CIPHER_CTX *context(const struct sp_aead_job *job, EVP_CIPHER_CTX **spare)
{
    if (job->key != NULL)
        return job->key->state;
    if (*spare == NULL)
        *spare = EVP_CIPHER_CTX_new();
    if (*spare == NULL || EVP_CipherInit_ex2(*spare, cipher, job->raw_key, NULL, 1, NULL) != 1)
        return NULL;
    return *spare;
}

static bool seal_one(const struct sp_aead_job *job, EVP_CIPHER_CTX **spare)
{
    assert(job->len <= INT_MAX && job->ad_len <= INT_MAX);
    EVP_CIPHER_CTX *ctx = context(job, spare);
    uint8_t none[SP_TAG_BYTES]; // GCM leaves nothing for Final to write
    int n;
    return ctx != NULL && EVP_CipherInit_ex2(ctx, NULL, NULL, job->nonce, 1, NULL) == 1 &&
           run(ctx, job) && EVP_CipherFinal_ex(ctx, none, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SP_TAG_BYTES, job->tag) == 1;
}

static bool open_one(const struct sp_aead_job *job, EVP_CIPHER_CTX **spare)
{
    assert(job->len <= INT_MAX && job->ad_len <= INT_MAX);
    EVP_CIPHER_CTX *ctx = context(job, spare);
    uint8_t none[SP_TAG_BYTES];
    int n;
    return ctx != NULL && EVP_CipherInit_ex2(ctx, NULL, NULL, job->nonce, 0, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SP_TAG_BYTES, job->tag) == 1 &&
           run(ctx, job) && EVP_CipherFinal_ex(ctx, none, &n) == 1;
}

static int seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    EVP_CIPHER_CTX *spare = NULL;
    bool sealed = true;
    for (size_t i = 0; i < count && sealed; i++)
        sealed = seal_one(&jobs[i], &spare);
    EVP_CIPHER_CTX_free(spare);
    if (sealed)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].len > 0)
            memset(jobs[i].out, 0, jobs[i].len);
        memset(jobs[i].tag, 0, SP_TAG_BYTES);
    }
    return -EIO;
}

static bool open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok)
{
    EVP_CIPHER_CTX *spare = NULL;
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        ok[i] = open_one(&jobs[i], &spare);
        if (!ok[i] && jobs[i].len > 0)
            memset(jobs[i].out, 0, jobs[i].len);
        all = all && ok[i];
    }
    EVP_CIPHER_CTX_free(spare);
    return all;
}

const struct sp_aead_tier sp_aead_portable = {
    .init = init,
    .init_key = init_key,
    .free_key = free_key,
    .seal_batch = seal_batch,
    .open_batch = open_batch,
};
