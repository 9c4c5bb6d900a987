// `sealpost-bench aead`: AES-256-GCM, one message of each of many sessions. Main thread only.
#include "bench_aead.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "bench.h"

// In and out are apart by this, so that stores do not look like the loads to come (which processors
// first tell by the low 12 bits of an address).
#define APART_BYTES 2112u

// ---- inputs -------------------------------------------------------------------------------------

static void *get_keys(struct bench_key_pool *pool, const struct bench_aead_cell *c)
{
    if (pool->users++ == 0) {
        pool->keys = pool->make(c);
        pool->count = c->point.sessions;
    }
    assert(pool->count == c->point.sessions);
    return pool->keys;
}

static void put_keys(struct bench_key_pool *pool)
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
static void seal_slot(const struct bench_aead_cell *c, unsigned i, const uint8_t *in, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = (int)c->point.bytes, n;

    BENCH_MICRO_NEED(EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), c->raw[0], c->nonces[i], NULL) ==
                         1 &&
                     EVP_EncryptUpdate(ctx, NULL, &n, c->ads[i], BENCH_AEAD_AD_BYTES) == 1 &&
                     EVP_EncryptUpdate(ctx, out, &n, in, len) == 1 &&
                     EVP_EncryptFinal_ex(ctx, out + len, &n) == 1 &&
                     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SP_TAG_BYTES, out + len) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

static void make_slots(struct bench_aead_cell *c)
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
        if (p->op == BENCH_AEAD_OPEN)
            seal_slot(c, i, plain, c->in + i * c->stride);
        else
            memcpy(c->in + i * c->stride, plain, p->bytes);
    }
    free(plain);
    c->cell = (struct bench_micro_cell){.output = c->out, .output_len = p->slots * c->stride};
}

struct bench_aead_cell *bench_aead_create(const struct bench_micro_point *p,
                                          struct bench_key_pool *pool)
{
    struct bench_aead_cell *c = bench_micro_alloc(1, sizeof *c);

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

void bench_aead_destroy(struct bench_aead_cell *c, struct bench_key_pool *pool)
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

static void *sealcrypto_make_keys(const struct bench_aead_cell *c)
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

static struct bench_key_pool sealcrypto_pool = {.make = sealcrypto_make_keys,
                                                .discard = sealcrypto_discard_keys};

static struct bench_micro_cell *sealcrypto_prepare(const struct bench_micro_point *p)
{
    struct bench_aead_cell *c = bench_aead_create(p, &sealcrypto_pool);

    c->jobs = bench_micro_alloc(p->slots, sizeof *c->jobs);
    for (unsigned i = 0; i < p->slots; i++) {
        uint8_t *in = c->in + i * c->stride, *out = c->out + i * c->stride;

        c->jobs[i] = (struct sp_aead_job){
            .nonce = c->nonces[i],
            .ad = c->ads[i],
            .ad_len = BENCH_AEAD_AD_BYTES,
            .in = in,
            .out = out,
            .len = p->bytes,
            .tag = (p->op == BENCH_AEAD_SEAL ? out : in) + p->bytes,
        };
    }
    return &c->cell;
}

// The next batch, each job with the key of the session whose turn it is.
static struct sp_aead_job *next_jobs(struct bench_aead_cell *c)
{
    struct sp_aead_job *jobs = c->jobs + bench_aead_next_slots(c, c->point.batch);
    struct sp_aead_key *keys = c->keys;

    if (c->point.fresh) {
        for (unsigned i = 0; i < c->point.batch; i++)
            jobs[i].raw_key = c->raw[bench_aead_next_session(c)];
    } else {
        for (unsigned i = 0; i < c->point.batch; i++)
            jobs[i].key = &keys[bench_aead_next_session(c)];
    }
    return jobs;
}

static bool sealcrypto_seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= sp_aead_seal_batch(next_jobs(c), c->point.batch) == 0;
    return good;
}

static bool sealcrypto_open(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_aead_cell *c = bench_aead_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= sp_aead_open_batch(next_jobs(c), c->point.batch, c->ok);
    return good;
}

static void sealcrypto_finish(struct bench_micro_cell *cell)
{
    bench_aead_destroy(bench_aead_of(cell), &sealcrypto_pool);
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
    .run = {[BENCH_AEAD_SEAL] = sealcrypto_seal, [BENCH_AEAD_OPEN] = sealcrypto_open},
    .finish = sealcrypto_finish,
};

// ---- the subject --------------------------------------------------------------------------------

static const struct bench_micro_impl *const impls[] = {&sealcrypto, &bench_aead_evp,
                                                       &bench_aead_ipsec_mb, &bench_aead_libsodium};

static const struct bench_micro_op op_table[] = {
    [BENCH_AEAD_SEAL] = {"seal", BENCH_AEAD_SEAL, {64, 256, 1024, 4096}, impls, COUNT_OF(impls)},
    [BENCH_AEAD_OPEN] = {"open", BENCH_AEAD_OPEN, {64, 256, 1024, 4096}, impls, COUNT_OF(impls)},
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

    bench_aead_ipsec_mb_free();
    return code;
}
