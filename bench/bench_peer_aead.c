// AES-256-GCM by the peers. Each takes one message at a time. Main thread only.
#include <intel-ipsec-mb.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdlib.h>

#include "bench_aead.h"

#define SODIUM_STATE_BYTES sizeof(crypto_aead_aes256gcm_state)

// ---- OpenSSL ------------------------------------------------------------------------------------
// Its best: one context for each key, of which a message replaces the nonce only. A fresh key goes
// into a context that has the cipher already. The tag as a parameter: EVP_CIPHER_CTX_ctrl makes one
// each time.

static OSSL_PARAM evp_tag(void)
{
    return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, SP_TAG_BYTES);
}

static EVP_CIPHER_CTX *evp_make_key(const struct bench_aead_cell *c,
                                    const uint8_t raw[SP_KEY_BYTES])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    BENCH_MICRO_NEED(EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), raw, NULL,
                                        c->point.op == BENCH_AEAD_SEAL, NULL) == 1);
    return ctx;
}

static void *evp_make_keys(const struct bench_aead_cell *c)
{
    EVP_CIPHER_CTX **keys = bench_micro_alloc(c->point.sessions, sizeof *keys);

    for (unsigned i = 0; i < c->point.sessions; i++)
        keys[i] = evp_make_key(c, c->raw[i]);
    return keys;
}

static void evp_discard_keys(void *keys, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        EVP_CIPHER_CTX_free(((EVP_CIPHER_CTX **)keys)[i]);
    free(keys);
}

static struct bench_key_pool evp_pool = {.make = evp_make_keys, .discard = evp_discard_keys};

static struct bench_micro_cell *evp_prepare(const struct bench_micro_point *p)
{
    struct bench_aead_cell *c = bench_aead_create(p, &evp_pool);

    if (p->fresh)
        c->keys = evp_make_key(c, c->raw[0]);
    return &c->cell;
}

static void evp_finish(struct bench_micro_cell *cell)
{
    struct bench_aead_cell *c = bench_aead_of(cell);

    if (c->point.fresh)
        EVP_CIPHER_CTX_free(c->keys);
    bench_aead_destroy(c, &evp_pool);
}

static bool evp_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    OSSL_PARAM tag[] = {evp_tag(), OSSL_PARAM_construct_end()};
    int len = (int)c->point.bytes, n;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_aead_next_slots(c, 1);
        uint32_t session = bench_aead_next_session(c);
        uint8_t *out = c->out + slot * c->stride;
        EVP_CIPHER_CTX *ctx = c->point.fresh ? c->keys : ((EVP_CIPHER_CTX **)c->keys)[session];

        tag[0].data = out + len;
        good &= EVP_EncryptInit_ex2(ctx, NULL, c->point.fresh ? c->raw[session] : NULL,
                                    c->nonces[slot], NULL) == 1;
        good &= EVP_EncryptUpdate(ctx, NULL, &n, c->ads[slot], BENCH_AEAD_AD_BYTES) == 1;
        good &= EVP_EncryptUpdate(ctx, out, &n, c->in + slot * c->stride, len) == 1;
        good &= EVP_EncryptFinal_ex(ctx, out + len, &n) == 1;
        good &= EVP_CIPHER_CTX_get_params(ctx, tag) == 1;
    }
    return good;
}

static bool evp_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    OSSL_PARAM tag[] = {evp_tag(), OSSL_PARAM_construct_end()};
    int len = (int)c->point.bytes, n;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_aead_next_slots(c, 1);
        uint32_t session = bench_aead_next_session(c);
        uint8_t *in = c->in + slot * c->stride, *out = c->out + slot * c->stride;
        EVP_CIPHER_CTX *ctx = c->point.fresh ? c->keys : ((EVP_CIPHER_CTX **)c->keys)[session];

        tag[0].data = in + len;
        good &= EVP_DecryptInit_ex2(ctx, NULL, c->point.fresh ? c->raw[session] : NULL,
                                    c->nonces[slot], tag) == 1;
        good &= EVP_DecryptUpdate(ctx, NULL, &n, c->ads[slot], BENCH_AEAD_AD_BYTES) == 1;
        good &= EVP_DecryptUpdate(ctx, out, &n, in, len) == 1;
        good &= EVP_DecryptFinal_ex(ctx, out + len, &n) == 1;
    }
    return good;
}

const struct bench_micro_impl bench_aead_evp = {
    .name = "evp",
    .prepare = evp_prepare,
    .run = {[BENCH_AEAD_SEAL] = evp_seal, [BENCH_AEAD_OPEN] = evp_open},
    .finish = evp_finish,
};

// ---- intel-ipsec-mb -----------------------------------------------------------------------------
// Its best: the direct calls, into another buffer (in place is slower). Its job manager has no
// batches for GCM and only adds its own cost, and its array call is for messages under one key.

static IMB_MGR *imb;

static const char *imb_start(void)
{
    if (!imb && (imb = alloc_mb_mgr(0)) != NULL)
        init_mb_mgr_auto(imb, NULL);
    return imb && imb_get_errno(imb) == 0 ? NULL : "it does not start on this processor";
}

static const char *imb_tier(unsigned op)
{
    const char *type = NULL, *description = NULL;

    (void)op;
    return imb_get_arch_type_string(imb, &type, &description) == 0 ? description : NULL;
}

static void *imb_make_keys(const struct bench_aead_cell *c)
{
    struct gcm_key_data *keys = bench_micro_alloc(c->point.sessions, sizeof *keys);

    for (unsigned i = 0; i < c->point.sessions; i++)
        IMB_AES256_GCM_PRE(imb, c->raw[i], &keys[i]);
    return keys;
}

static void free_keys(void *keys, unsigned count)
{
    (void)count;
    free(keys);
}

static struct bench_key_pool imb_pool = {.make = imb_make_keys, .discard = free_keys};

static struct bench_micro_cell *imb_prepare(const struct bench_micro_point *p)
{
    return &bench_aead_create(p, &imb_pool)->cell;
}

static void imb_finish(struct bench_micro_cell *cell)
{
    bench_aead_destroy(bench_aead_of(cell), &imb_pool);
}

// The key of the session whose turn it is; a fresh one is prepared in `room`.
static const struct gcm_key_data *imb_next_key(struct bench_aead_cell *c, struct gcm_key_data *room)
{
    uint32_t session = bench_aead_next_session(c);

    if (!c->point.fresh)
        return (struct gcm_key_data *)c->keys + session;
    IMB_AES256_GCM_PRE(imb, c->raw[session], room);
    return room;
}

static bool imb_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    struct gcm_context_data context;
    struct gcm_key_data room;

    for (; calls > 0; calls--) {
        unsigned slot = bench_aead_next_slots(c, 1);
        uint8_t *out = c->out + slot * c->stride;

        IMB_AES256_GCM_ENC(imb, imb_next_key(c, &room), &context, out, c->in + slot * c->stride,
                           c->point.bytes, c->nonces[slot], c->ads[slot], BENCH_AEAD_AD_BYTES,
                           out + c->point.bytes, SP_TAG_BYTES);
    }
    return true;
}

static bool imb_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    struct gcm_context_data context;
    struct gcm_key_data room;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_aead_next_slots(c, 1);
        const uint8_t *in = c->in + slot * c->stride;
        uint64_t tag[2], claimed[2];

        IMB_AES256_GCM_DEC(imb, imb_next_key(c, &room), &context, c->out + slot * c->stride, in,
                           c->point.bytes, c->nonces[slot], c->ads[slot], BENCH_AEAD_AD_BYTES,
                           (uint8_t *)tag, SP_TAG_BYTES);
        // It leaves the comparison to the caller: without branching on where they differ.
        memcpy(claimed, in + c->point.bytes, sizeof claimed);
        good &= ((tag[0] ^ claimed[0]) | (tag[1] ^ claimed[1])) == 0;
    }
    return good;
}

const struct bench_micro_impl bench_aead_ipsec_mb = {
    .name = "ipsec-mb",
    .start = imb_start,
    .tier = imb_tier,
    .prepare = imb_prepare,
    .run = {[BENCH_AEAD_SEAL] = imb_seal, [BENCH_AEAD_OPEN] = imb_open},
    .finish = imb_finish,
};

void bench_aead_ipsec_mb_free(void)
{
    if (imb)
        free_mb_mgr(imb);
    imb = NULL;
}

// ---- libsodium ----------------------------------------------------------------------------------

static const char *sodium_start(void)
{
    BENCH_MICRO_NEED(sodium_init() >= 0);
    return crypto_aead_aes256gcm_is_available() ? NULL : "its AES-GCM needs AES-NI and PCLMULQDQ";
}

static void *sodium_make_keys(const struct bench_aead_cell *c)
{
    crypto_aead_aes256gcm_state *keys = bench_micro_alloc(c->point.sessions, SODIUM_STATE_BYTES);

    for (unsigned i = 0; i < c->point.sessions; i++)
        crypto_aead_aes256gcm_beforenm(&keys[i], c->raw[i]);
    return keys;
}

static struct bench_key_pool sodium_pool = {.make = sodium_make_keys, .discard = free_keys};

static struct bench_micro_cell *sodium_prepare(const struct bench_micro_point *p)
{
    return &bench_aead_create(p, &sodium_pool)->cell;
}

static void sodium_finish(struct bench_micro_cell *cell)
{
    bench_aead_destroy(bench_aead_of(cell), &sodium_pool);
}

static const crypto_aead_aes256gcm_state *sodium_next_key(struct bench_aead_cell *c,
                                                          crypto_aead_aes256gcm_state *room)
{
    uint32_t session = bench_aead_next_session(c);

    if (!c->point.fresh)
        return (crypto_aead_aes256gcm_state *)c->keys + session;
    crypto_aead_aes256gcm_beforenm(room, c->raw[session]);
    return room;
}

static bool sodium_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    crypto_aead_aes256gcm_state room;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_aead_next_slots(c, 1);
        uint8_t *out = c->out + slot * c->stride;

        good &= crypto_aead_aes256gcm_encrypt_detached_afternm(
                    out, out + c->point.bytes, NULL, c->in + slot * c->stride, c->point.bytes,
                    c->ads[slot], BENCH_AEAD_AD_BYTES, NULL, c->nonces[slot],
                    sodium_next_key(c, &room)) == 0;
    }
    return good;
}

static bool sodium_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    crypto_aead_aes256gcm_state room;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_aead_next_slots(c, 1);
        const uint8_t *in = c->in + slot * c->stride;

        good &=
            crypto_aead_aes256gcm_decrypt_detached_afternm(
                c->out + slot * c->stride, NULL, in, c->point.bytes, in + c->point.bytes,
                c->ads[slot], BENCH_AEAD_AD_BYTES, c->nonces[slot], sodium_next_key(c, &room)) == 0;
    }
    return good;
}

const struct bench_micro_impl bench_aead_libsodium = {
    .name = "libsodium",
    .start = sodium_start,
    .prepare = sodium_prepare,
    .run = {[BENCH_AEAD_SEAL] = sodium_seal, [BENCH_AEAD_OPEN] = sodium_open},
    .finish = sodium_finish,
};
