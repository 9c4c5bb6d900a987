// `sealpost-bench aead`: AES-256-GCM, one message of each of many sessions. Main thread only.
//
// All sessions have the same key, each in memory of its own: what a key costs is where it lies and
// how it is prepared, never its value, and so one sealed message serves every session. That the
// nonce repeats is of no concern here: nothing is sent.
#include <assert.h>
#include <intel-ipsec-mb.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdlib.h>

#include "bench.h"
#include "bench_micro.h"
#include "sealcrypto.h"

#define AD_BYTES 16u
// In and out are apart by this, so that stores do not look like the loads to come (which processors
// first tell by the low 12 bits of an address).
#define APART_BYTES 2112u
#define SODIUM_STATE_BYTES sizeof(crypto_aead_aes256gcm_state)

enum { OP_SEAL, OP_OPEN };

struct aead_cell {
    struct bench_micro_cell cell;
    struct bench_micro_point point;
    // Sessions in the order of their visits.
    uint32_t *order;
    unsigned visit;
    uint8_t (*raw)[SP_KEY_BYTES];
    void *keys; // prepared, of the implementation
    // Slot i: input at in + i × stride, output likewise; a tag follows its ciphertext.
    uint8_t *buffers, *in, *out;
    size_t stride;
    unsigned slot;
    uint8_t (*nonces)[SP_NONCE_BYTES], (*ads)[AD_BYTES];
    // The library only.
    struct sp_aead_job *jobs; // one for each slot
    bool ok[BENCH_MICRO_BATCH_MAX];
};

// Prepared keys belong to all cells of one implementation that measure the same work, as they would
// to one program: nobody has its keys in cache because it has several cells.
struct key_pool {
    void *(*make)(const struct aead_cell *c);
    void (*discard)(void *keys, unsigned count);
    unsigned users, count;
    void *keys;
};

static struct aead_cell *aead_of(struct bench_micro_cell *cell)
{
    return CONTAINER_OF(cell, struct aead_cell, cell);
}

static inline uint32_t next_session(struct aead_cell *c)
{
    uint32_t session = c->order[c->visit++];

    if (c->visit == c->point.sessions)
        c->visit = 0;
    return session;
}

static inline unsigned next_slots(struct aead_cell *c, unsigned count)
{
    unsigned slot = c->slot;

    c->slot += count;
    if (c->slot == c->point.slots)
        c->slot = 0;
    return slot;
}

// ---- inputs -------------------------------------------------------------------------------------

static void *get_keys(struct key_pool *pool, const struct aead_cell *c)
{
    if (pool->users++ == 0) {
        pool->keys = pool->make(c);
        pool->count = c->point.sessions;
    }
    assert(pool->count == c->point.sessions);
    return pool->keys;
}

static void put_keys(struct key_pool *pool)
{
    if (--pool->users == 0)
        pool->discard(pool->keys, pool->count);
}

// Hot sessions take turns; cold ones come in an order that no prefetcher foresees.
static uint32_t *make_order(const struct bench_micro_point *p)
{
    uint32_t *order = bench_micro_alloc(p->sessions, sizeof *order);
    uint64_t random;

    for (uint32_t i = 0; i < p->sessions; i++)
        order[i] = i;
    for (uint32_t i = p->sessions - 1; p->cold && i > 0; i--) {
        uint32_t other, kept = order[i];

        bench_micro_fill(&random, sizeof random, i);
        other = (uint32_t)(random % (i + 1));
        order[i] = order[other];
        order[other] = kept;
    }
    return order;
}

// Seal slot i's plaintext into `out`, tag behind it.
static void seal_slot(const struct aead_cell *c, unsigned i, const uint8_t *in, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = (int)c->point.bytes, n;

    BENCH_MICRO_NEED(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), c->raw[0], c->nonces[i], NULL) ==
                         1 &&
                     EVP_EncryptUpdate(ctx, NULL, &n, c->ads[i], AD_BYTES) == 1 &&
                     EVP_EncryptUpdate(ctx, out, &n, in, len) == 1 &&
                     EVP_EncryptFinal_ex(ctx, out + len, &n) == 1 &&
                     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SP_TAG_BYTES, out + len) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

static void make_slots(struct aead_cell *c)
{
    const struct bench_micro_point *p = &c->point;
    uint8_t *plain = bench_micro_alloc(p->bytes, 1);

    c->stride =
        (p->bytes + SP_TAG_BYTES + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    c->buffers = bench_micro_alloc(1, 2 * p->slots * c->stride + APART_BYTES);
    c->in = c->buffers;
    c->out = c->in + p->slots * c->stride + APART_BYTES;
    c->nonces = bench_micro_alloc(p->slots, sizeof *c->nonces);
    c->ads = bench_micro_alloc(p->slots, sizeof *c->ads);
    for (unsigned i = 0; i < p->slots; i++) {
        bench_micro_fill(plain, p->bytes, i);
        bench_micro_fill(c->nonces[i], sizeof c->nonces[i], 1000 + i);
        bench_micro_fill(c->ads[i], sizeof c->ads[i], 2000 + i);
        if (p->op == OP_OPEN)
            seal_slot(c, i, plain, c->in + i * c->stride);
        else
            memcpy(c->in + i * c->stride, plain, p->bytes);
    }
    free(plain);
    c->cell = (struct bench_micro_cell){.output = c->out, .output_len = p->slots * c->stride};
}

static struct aead_cell *make_cell(const struct bench_micro_point *p, struct key_pool *pool)
{
    struct aead_cell *c = bench_micro_alloc(1, sizeof *c);

    c->point = *p;
    c->order = make_order(p);
    c->raw = bench_micro_alloc(p->sessions, sizeof *c->raw);
    bench_micro_fill(c->raw[0], sizeof *c->raw, 1);
    for (unsigned i = 1; i < p->sessions; i++)
        memcpy(c->raw[i], c->raw[0], sizeof *c->raw);
    make_slots(c);
    if (!p->fresh)
        c->keys = get_keys(pool, c);
    return c;
}

static void discard_cell(struct aead_cell *c, struct key_pool *pool)
{
    if (!c->point.fresh)
        put_keys(pool);
    free(c->order);
    free(c->raw);
    free(c->buffers);
    free(c->nonces);
    free(c->ads);
    free(c->jobs);
    free(c);
}

// ---- libsealcrypto ------------------------------------------------------------------------------

static void *sealcrypto_make_keys(const struct aead_cell *c)
{
    struct sp_aead_key *keys = bench_micro_alloc(c->point.sessions, sizeof *keys);

    for (unsigned i = 0; i < c->point.sessions; i++)
        BENCH_MICRO_NEED(sp_aead_key_init(&keys[i], c->raw[i]) == 0);
    return keys;
}

static void sealcrypto_discard_keys(void *keys, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sp_aead_key_free((struct sp_aead_key *)keys + i);
    free(keys);
}

static struct key_pool sealcrypto_pool = {.make = sealcrypto_make_keys,
                                          .discard = sealcrypto_discard_keys};

static struct bench_micro_cell *sealcrypto_prepare(const struct bench_micro_point *p)
{
    struct aead_cell *c = make_cell(p, &sealcrypto_pool);

    c->jobs = bench_micro_alloc(p->slots, sizeof *c->jobs);
    for (unsigned i = 0; i < p->slots; i++) {
        uint8_t *in = c->in + i * c->stride, *out = c->out + i * c->stride;

        c->jobs[i] = (struct sp_aead_job){
            .nonce = c->nonces[i],
            .ad = c->ads[i],
            .ad_len = AD_BYTES,
            .in = in,
            .out = out,
            .len = p->bytes,
            .tag = (p->op == OP_SEAL ? out : in) + p->bytes,
        };
    }
    return &c->cell;
}

// The next batch, each job with the key of the session whose turn it is.
static struct sp_aead_job *next_jobs(struct aead_cell *c)
{
    struct sp_aead_job *jobs = c->jobs + next_slots(c, c->point.batch);
    struct sp_aead_key *keys = c->keys;

    if (c->point.fresh) {
        for (unsigned i = 0; i < c->point.batch; i++)
            jobs[i].raw_key = c->raw[next_session(c)];
    } else {
        for (unsigned i = 0; i < c->point.batch; i++)
            jobs[i].key = &keys[next_session(c)];
    }
    return jobs;
}

static bool sealcrypto_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= sp_aead_seal_batch(next_jobs(c), c->point.batch) == 0;
    return good;
}

static bool sealcrypto_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= sp_aead_open_batch(next_jobs(c), c->point.batch, c->ok);
    return good;
}

static void sealcrypto_finish(struct bench_micro_cell *cell)
{
    discard_cell(aead_of(cell), &sealcrypto_pool);
}

static const char *sealcrypto_tier(unsigned op)
{
    (void)op;
    return sp_tier();
}

static const struct bench_micro_impl sealcrypto = {
    .name = "sealcrypto",
    .batches = true,
    .tier = sealcrypto_tier,
    .prepare = sealcrypto_prepare,
    .run = {[OP_SEAL] = sealcrypto_seal, [OP_OPEN] = sealcrypto_open},
    .finish = sealcrypto_finish,
};

// ---- OpenSSL ------------------------------------------------------------------------------------
// Its best: one context for each key, of which a message replaces the nonce only. A fresh key goes
// into a context that has the cipher already. The tag as a parameter: EVP_CIPHER_CTX_ctrl makes one
// each time.

static OSSL_PARAM evp_tag(void)
{
    return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, SP_TAG_BYTES);
}

static EVP_CIPHER_CTX *evp_make_key(const struct aead_cell *c, const uint8_t raw[SP_KEY_BYTES])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    BENCH_MICRO_NEED(
        EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), raw, NULL, c->point.op == OP_SEAL, NULL) == 1);
    return ctx;
}

static void *evp_make_keys(const struct aead_cell *c)
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

static struct key_pool evp_pool = {.make = evp_make_keys, .discard = evp_discard_keys};

static struct bench_micro_cell *evp_prepare(const struct bench_micro_point *p)
{
    struct aead_cell *c = make_cell(p, &evp_pool);

    if (p->fresh)
        c->keys = evp_make_key(c, c->raw[0]);
    return &c->cell;
}

static void evp_finish(struct bench_micro_cell *cell)
{
    struct aead_cell *c = aead_of(cell);

    if (c->point.fresh)
        EVP_CIPHER_CTX_free(c->keys);
    discard_cell(c, &evp_pool);
}

static bool evp_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    OSSL_PARAM tag[] = {evp_tag(), OSSL_PARAM_construct_end()};
    int len = (int)c->point.bytes, n;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c, 1);
        uint32_t session = next_session(c);
        uint8_t *out = c->out + slot * c->stride;
        EVP_CIPHER_CTX *ctx = c->point.fresh ? c->keys : ((EVP_CIPHER_CTX **)c->keys)[session];

        tag[0].data = out + len;
        good &= EVP_EncryptInit_ex2(ctx, NULL, c->point.fresh ? c->raw[session] : NULL,
                                    c->nonces[slot], NULL) == 1;
        good &= EVP_EncryptUpdate(ctx, NULL, &n, c->ads[slot], AD_BYTES) == 1;
        good &= EVP_EncryptUpdate(ctx, out, &n, c->in + slot * c->stride, len) == 1;
        good &= EVP_EncryptFinal_ex(ctx, out + len, &n) == 1;
        good &= EVP_CIPHER_CTX_get_params(ctx, tag) == 1;
    }
    return good;
}

static bool evp_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    OSSL_PARAM tag[] = {evp_tag(), OSSL_PARAM_construct_end()};
    int len = (int)c->point.bytes, n;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c, 1);
        uint32_t session = next_session(c);
        uint8_t *in = c->in + slot * c->stride, *out = c->out + slot * c->stride;
        EVP_CIPHER_CTX *ctx = c->point.fresh ? c->keys : ((EVP_CIPHER_CTX **)c->keys)[session];

        tag[0].data = in + len;
        good &= EVP_DecryptInit_ex2(ctx, NULL, c->point.fresh ? c->raw[session] : NULL,
                                    c->nonces[slot], tag) == 1;
        good &= EVP_DecryptUpdate(ctx, NULL, &n, c->ads[slot], AD_BYTES) == 1;
        good &= EVP_DecryptUpdate(ctx, out, &n, in, len) == 1;
        good &= EVP_DecryptFinal_ex(ctx, out + len, &n) == 1;
    }
    return good;
}

static const struct bench_micro_impl evp = {
    .name = "evp",
    .prepare = evp_prepare,
    .run = {[OP_SEAL] = evp_seal, [OP_OPEN] = evp_open},
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

static void *imb_make_keys(const struct aead_cell *c)
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

static struct key_pool imb_pool = {.make = imb_make_keys, .discard = free_keys};

static struct bench_micro_cell *imb_prepare(const struct bench_micro_point *p)
{
    return &make_cell(p, &imb_pool)->cell;
}

static void imb_finish(struct bench_micro_cell *cell)
{
    discard_cell(aead_of(cell), &imb_pool);
}

// The key of the session whose turn it is; a fresh one is prepared in `room`.
static const struct gcm_key_data *imb_next_key(struct aead_cell *c, struct gcm_key_data *room)
{
    uint32_t session = next_session(c);

    if (!c->point.fresh)
        return (struct gcm_key_data *)c->keys + session;
    IMB_AES256_GCM_PRE(imb, c->raw[session], room);
    return room;
}

static bool imb_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    struct gcm_context_data context;
    struct gcm_key_data room;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c, 1);
        uint8_t *out = c->out + slot * c->stride;

        IMB_AES256_GCM_ENC(imb, imb_next_key(c, &room), &context, out, c->in + slot * c->stride,
                           c->point.bytes, c->nonces[slot], c->ads[slot], AD_BYTES,
                           out + c->point.bytes, SP_TAG_BYTES);
    }
    return true;
}

static bool imb_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    struct gcm_context_data context;
    struct gcm_key_data room;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c, 1);
        const uint8_t *in = c->in + slot * c->stride;
        uint64_t tag[2], claimed[2];

        IMB_AES256_GCM_DEC(imb, imb_next_key(c, &room), &context, c->out + slot * c->stride, in,
                           c->point.bytes, c->nonces[slot], c->ads[slot], AD_BYTES, (uint8_t *)tag,
                           SP_TAG_BYTES);
        // It leaves the comparison to the caller: without branching on where they differ.
        memcpy(claimed, in + c->point.bytes, sizeof claimed);
        good &= ((tag[0] ^ claimed[0]) | (tag[1] ^ claimed[1])) == 0;
    }
    return good;
}

static const struct bench_micro_impl ipsec_mb = {
    .name = "ipsec-mb",
    .start = imb_start,
    .tier = imb_tier,
    .prepare = imb_prepare,
    .run = {[OP_SEAL] = imb_seal, [OP_OPEN] = imb_open},
    .finish = imb_finish,
};

// ---- libsodium ----------------------------------------------------------------------------------

static const char *sodium_start(void)
{
    BENCH_MICRO_NEED(sodium_init() >= 0);
    return crypto_aead_aes256gcm_is_available() ? NULL : "its AES-GCM needs AES-NI and PCLMULQDQ";
}

static void *sodium_make_keys(const struct aead_cell *c)
{
    crypto_aead_aes256gcm_state *keys = bench_micro_alloc(c->point.sessions, SODIUM_STATE_BYTES);

    for (unsigned i = 0; i < c->point.sessions; i++)
        crypto_aead_aes256gcm_beforenm(&keys[i], c->raw[i]);
    return keys;
}

static struct key_pool sodium_pool = {.make = sodium_make_keys, .discard = free_keys};

static struct bench_micro_cell *sodium_prepare(const struct bench_micro_point *p)
{
    return &make_cell(p, &sodium_pool)->cell;
}

static void sodium_finish(struct bench_micro_cell *cell)
{
    discard_cell(aead_of(cell), &sodium_pool);
}

static const crypto_aead_aes256gcm_state *sodium_next_key(struct aead_cell *c,
                                                          crypto_aead_aes256gcm_state *room)
{
    uint32_t session = next_session(c);

    if (!c->point.fresh)
        return (crypto_aead_aes256gcm_state *)c->keys + session;
    crypto_aead_aes256gcm_beforenm(room, c->raw[session]);
    return room;
}

static bool sodium_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    crypto_aead_aes256gcm_state room;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c, 1);
        uint8_t *out = c->out + slot * c->stride;

        good &= crypto_aead_aes256gcm_encrypt_detached_afternm(
                    out, out + c->point.bytes, NULL, c->in + slot * c->stride, c->point.bytes,
                    c->ads[slot], AD_BYTES, NULL, c->nonces[slot], sodium_next_key(c, &room)) == 0;
    }
    return good;
}

static bool sodium_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct aead_cell *c = aead_of(cell);
    crypto_aead_aes256gcm_state room;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c, 1);
        const uint8_t *in = c->in + slot * c->stride;

        good &= crypto_aead_aes256gcm_decrypt_detached_afternm(
                    c->out + slot * c->stride, NULL, in, c->point.bytes, in + c->point.bytes,
                    c->ads[slot], AD_BYTES, c->nonces[slot], sodium_next_key(c, &room)) == 0;
    }
    return good;
}

static const struct bench_micro_impl libsodium = {
    .name = "libsodium",
    .start = sodium_start,
    .prepare = sodium_prepare,
    .run = {[OP_SEAL] = sodium_seal, [OP_OPEN] = sodium_open},
    .finish = sodium_finish,
};

// ---- the subject --------------------------------------------------------------------------------

static const struct bench_micro_impl *const impls[] = {&sealcrypto, &evp, &ipsec_mb, &libsodium};

static const struct bench_micro_op op_table[] = {
    [OP_SEAL] = {"seal", OP_SEAL, {64, 256, 1024, 4096}, impls, COUNT_OF(impls)},
    [OP_OPEN] = {"open", OP_OPEN, {64, 256, 1024, 4096}, impls, COUNT_OF(impls)},
};

int bench_aead_main(int argc, char **argv)
{
    static const struct bench_micro_op *const ops[] = {&op_table[0], &op_table[1]};
    static const struct bench_micro_subject subject = {
        .doc = "Measure AES-256-GCM, 16 bytes of associated data: libsealcrypto in batches beside "
               "OpenSSL (evp), intel-ipsec-mb and libsodium, which take one message at a time.\v"
               "Operations: seal, open. All implementations must first give the same bytes; then "
               "they are measured in interleaved rounds in rotating order. Exit codes: 0 pass, 1 "
               "an implementation failed or disagreed, 104 bad command line, 105 interrupted.",
        .unit = "message",
        .keyed = true,
        .sized = true,
        .ops = ops,
        .op_count = COUNT_OF(ops),
    };
    int code = bench_micro_main(&subject, argc, argv);

    if (imb)
        free_mb_mgr(imb);
    return code;
}
