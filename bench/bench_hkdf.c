// `sealpost-bench hkdf`: HKDF-SHA-256 (RFC 5869) in the two shapes a new session needs. Main thread
// only.
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdlib.h>

#include "bench.h"
#include "bench_hkdf.h"
#include "bench_micro.h"
#include "bench_micro_ops.h"

#define HASH_BYTES 32u

enum { OP_X3DH, OP_SESSION };

// The size of the input is the row's "bytes".
static const struct shape {
    size_t info_len, out_len;
} shapes[] = {[OP_X3DH] = {17, 32}, [OP_SESSION] = {85, 80}};

static const uint8_t salt[HASH_BYTES];

struct hkdf_cell {
    struct bench_micro_cell cell;
    struct bench_micro_point point;
    unsigned slot;
    uint8_t *inputs, *infos, *out;
    struct sp_hkdf_job *jobs; // one for each slot; the peers read them too
    EVP_KDF_CTX *kdf;         // OpenSSL only
};

static struct hkdf_cell *hkdf_of(struct bench_micro_cell *cell)
{
    return CONTAINER_OF(cell, struct hkdf_cell, cell);
}

static inline const struct sp_hkdf_job *next_jobs(struct hkdf_cell *c)
{
    unsigned slot = c->slot;

    c->slot += c->point.batch;
    if (c->slot == c->point.slots)
        c->slot = 0;
    return c->jobs + slot;
}

static struct bench_micro_cell *prepare(const struct bench_micro_point *p)
{
    struct hkdf_cell *c = bench_micro_alloc(1, sizeof *c);
    struct shape shape = shapes[p->op];

    c->point = *p;
    c->inputs = bench_micro_alloc(p->slots, p->bytes);
    c->infos = bench_micro_alloc(p->slots, shape.info_len);
    c->out = bench_micro_alloc(p->slots, shape.out_len);
    c->jobs = bench_micro_alloc(p->slots, sizeof *c->jobs);
    bench_micro_fill(c->inputs, p->slots * p->bytes, 1);
    bench_micro_fill(c->infos, p->slots * shape.info_len, 2);
    for (unsigned i = 0; i < p->slots; i++)
        c->jobs[i] = (struct sp_hkdf_job){
            .salt = salt,
            .salt_len = sizeof salt,
            .ikm = c->inputs + i * p->bytes,
            .ikm_len = p->bytes,
            .info = c->infos + i * shape.info_len,
            .info_len = shape.info_len,
            .out = c->out + i * shape.out_len,
            .out_len = shape.out_len,
        };
    c->cell = (struct bench_micro_cell){.output = c->out, .output_len = p->slots * shape.out_len};
    return &c->cell;
}

static void finish(struct bench_micro_cell *cell)
{
    struct hkdf_cell *c = hkdf_of(cell);

    EVP_KDF_CTX_free(c->kdf);
    free(c->jobs);
    free(c->inputs);
    free(c->infos);
    free(c->out);
    free(c);
}

// ---- libsealcrypto ------------------------------------------------------------------------------

static bool sealcrypto_derive(struct bench_micro_cell *cell, unsigned calls)
{
    struct hkdf_cell *c = hkdf_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= sp_hkdf_sha256_batch(next_jobs(c), c->point.batch) == 0;
    return good;
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
    .prepare = prepare,
    .run = {[OP_X3DH] = sealcrypto_derive, [OP_SESSION] = sealcrypto_derive},
    .finish = finish,
};

// ---- OpenSSL ------------------------------------------------------------------------------------

EVP_KDF_CTX *bench_hkdf_evp_create(void)
{
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(hkdf);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt,
                                          sizeof salt),
        OSSL_PARAM_construct_end(),
    };

    EVP_KDF_free(hkdf);
    BENCH_MICRO_NEED(EVP_KDF_CTX_set_params(kdf, params) == 1);
    return kdf;
}

bool bench_hkdf_evp(EVP_KDF_CTX *kdf, const struct sp_hkdf_job *job)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)job->ikm,
                                          job->ikm_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)job->info,
                                          job->info_len),
        OSSL_PARAM_construct_end(),
    };

    return EVP_KDF_derive(kdf, job->out, job->out_len, params) == 1;
}

static struct bench_micro_cell *evp_prepare(const struct bench_micro_point *p)
{
    struct bench_micro_cell *cell = prepare(p);

    hkdf_of(cell)->kdf = bench_hkdf_evp_create();
    return cell;
}

static bool evp_derive(struct bench_micro_cell *cell, unsigned calls)
{
    struct hkdf_cell *c = hkdf_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= bench_hkdf_evp(c->kdf, next_jobs(c));
    return good;
}

static const struct bench_micro_impl evp = {
    .name = "evp",
    .prepare = evp_prepare,
    .run = {[OP_X3DH] = evp_derive, [OP_SESSION] = evp_derive},
    .finish = finish,
};

// ---- libsodium ----------------------------------------------------------------------------------

void bench_hkdf_sodium(const struct sp_hkdf_job *job)
{
    crypto_auth_hmacsha256_state keyed, state;
    uint8_t pseudorandom[HASH_BYTES], block[HASH_BYTES];
    size_t done = 0;

    crypto_auth_hmacsha256_init(&state, job->salt, job->salt_len);
    crypto_auth_hmacsha256_update(&state, job->ikm, job->ikm_len);
    crypto_auth_hmacsha256_final(&state, pseudorandom);
    crypto_auth_hmacsha256_init(&keyed, pseudorandom, sizeof pseudorandom);
    for (uint8_t number = 1; done < job->out_len; number++) {
        size_t left = job->out_len - done, len = left < HASH_BYTES ? left : HASH_BYTES;

        state = keyed;
        if (done > 0)
            crypto_auth_hmacsha256_update(&state, block, sizeof block);
        crypto_auth_hmacsha256_update(&state, job->info, job->info_len);
        crypto_auth_hmacsha256_update(&state, &number, 1);
        crypto_auth_hmacsha256_final(&state, block);
        memcpy(job->out + done, block, len);
        done += len;
    }
}

static bool sodium_derive(struct bench_micro_cell *cell, unsigned calls)
{
    struct hkdf_cell *c = hkdf_of(cell);

    for (; calls > 0; calls--)
        bench_hkdf_sodium(next_jobs(c));
    return true;
}

static const struct bench_micro_impl libsodium = {
    .name = "libsodium",
    .prepare = prepare,
    .run = {[OP_X3DH] = sodium_derive, [OP_SESSION] = sodium_derive},
    .finish = finish,
};

// ---- the subject --------------------------------------------------------------------------------

static const struct bench_micro_impl *const impls[] = {&sealcrypto, &evp, &libsodium};

const struct bench_micro_op bench_hkdf_ops[] = {
    [OP_X3DH] = {"hkdf_x3dh", OP_X3DH, {160}, impls, COUNT_OF(impls)},
    [OP_SESSION] = {"hkdf_session", OP_SESSION, {32}, impls, COUNT_OF(impls)},
};

int bench_hkdf_main(int argc, char **argv)
{
    static const struct bench_micro_op *const ops[] = {&bench_hkdf_ops[0], &bench_hkdf_ops[1]};
    static const struct bench_micro_subject subject = {
        .doc = "Measure HKDF-SHA-256: libsealcrypto beside OpenSSL (evp, one context reused) and "
               "libsodium (HMAC).\v"
               "Operations: hkdf_x3dh (160 bytes in, 17 of information, 32 out), hkdf_session (32 "
               "in, 85 of information, 80 out). Exit codes: 0 pass, 1 an implementation failed or "
               "disagreed, 104 bad command line, 105 interrupted.",
        .unit = "derivation",
        .ops = ops,
        .op_count = COUNT_OF(ops),
    };

    return bench_micro_main(&subject, argc, argv);
}
