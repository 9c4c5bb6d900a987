// `sealpost-bench x25519`: key agreement (RFC 7748) with a point of the other side, and with the
// base point. Main thread only.
#include <lib25519.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>

#include "bench.h"
#include "bench_micro.h"
#include "bench_micro_ops.h"
#include "sealcrypto.h"

#define KEY_BYTES 32u
// From here on lib25519's array call is faster than its single one: it works on four at a time.
#define LIB25519_BATCH_MIN 4u

enum { OP_POINT, OP_BASE };

struct x25519_cell {
    struct bench_micro_cell cell;
    struct bench_micro_point point;
    unsigned slot;
    uint8_t (*secrets)[KEY_BYTES], (*points)[KEY_BYTES], (*out)[KEY_BYTES];
    bool ok[BENCH_MICRO_BATCH_MAX];
    // OpenSSL only, one for each slot. The points are parsed for "evp-parsed" alone.
    EVP_PKEY **secret_keys, **point_keys;
    EVP_PKEY_CTX **derivations;
};

static struct x25519_cell *x25519_of(struct bench_micro_cell *cell)
{
    return CONTAINER_OF(cell, struct x25519_cell, cell);
}

static inline unsigned next_slots(struct x25519_cell *c)
{
    unsigned slot = c->slot;

    c->slot += c->point.batch;
    if (c->slot == c->point.slots)
        c->slot = 0;
    return slot;
}

static struct bench_micro_cell *prepare(const struct bench_micro_point *p)
{
    struct x25519_cell *c = bench_micro_alloc(1, sizeof *c);
    uint8_t other[KEY_BYTES];

    c->point = *p;
    c->secrets = bench_micro_alloc(p->slots, KEY_BYTES);
    c->points = bench_micro_alloc(p->slots, KEY_BYTES);
    c->out = bench_micro_alloc(p->slots, KEY_BYTES);
    for (unsigned i = 0; i < p->slots; i++) {
        bench_micro_fill(c->secrets[i], KEY_BYTES, i);
        bench_micro_fill(other, KEY_BYTES, 1000 + i);
        BENCH_MICRO_NEED(crypto_scalarmult_curve25519_base(c->points[i], other) == 0);
    }
    c->cell = (struct bench_micro_cell){.output = c->out[0], .output_len = p->slots * KEY_BYTES};
    return &c->cell;
}

static void finish(struct bench_micro_cell *cell)
{
    struct x25519_cell *c = x25519_of(cell);

    for (unsigned i = 0; c->derivations && i < c->point.slots; i++) {
        EVP_PKEY_CTX_free(c->derivations[i]);
        EVP_PKEY_free(c->secret_keys[i]);
        EVP_PKEY_free(c->point_keys[i]);
    }
    free(c->derivations);
    free(c->secret_keys);
    free(c->point_keys);
    free(c->secrets);
    free(c->points);
    free(c->out);
    free(c);
}

// ---- libsealcrypto ------------------------------------------------------------------------------

static bool sealcrypto_point(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        good &= sp_x25519_batch(c->out + slot, (const uint8_t(*)[32])c->secrets + slot,
                                (const uint8_t(*)[32])c->points + slot, c->point.batch, c->ok);
    }
    return good;
}

static bool sealcrypto_base(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        sp_x25519_base_batch(c->out + slot, (const uint8_t(*)[32])c->secrets + slot,
                             c->point.batch);
    }
    return true;
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
    .run = {[OP_POINT] = sealcrypto_point, [OP_BASE] = sealcrypto_base},
    .finish = finish,
};

// ---- OpenSSL ------------------------------------------------------------------------------------
// "evp": our own secret is an EVP_PKEY already, the other side's point comes as bytes, as it does
// with every new peer. "evp-parsed": the point is one as well.

static struct bench_micro_cell *evp_prepare(const struct bench_micro_point *p)
{
    struct bench_micro_cell *cell = prepare(p);
    struct x25519_cell *c = x25519_of(cell);

    c->secret_keys = bench_micro_alloc(p->slots, sizeof *c->secret_keys);
    c->point_keys = bench_micro_alloc(p->slots, sizeof *c->point_keys);
    c->derivations = bench_micro_alloc(p->slots, sizeof *c->derivations);
    for (unsigned i = 0; i < p->slots; i++) {
        c->secret_keys[i] =
            EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, c->secrets[i], KEY_BYTES);
        c->point_keys[i] =
            EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, c->points[i], KEY_BYTES);
        c->derivations[i] = EVP_PKEY_CTX_new(c->secret_keys[i], NULL);
        BENCH_MICRO_NEED(EVP_PKEY_derive_init(c->derivations[i]) == 1);
    }
    return cell;
}

// The flag of EVP_PKEY_derive_set_peer_ex leaves out a validation that X25519 does not have.
static bool evp_derive(EVP_PKEY_CTX *derivation, EVP_PKEY *point, uint8_t out[KEY_BYTES])
{
    size_t len = KEY_BYTES;

    return EVP_PKEY_derive_set_peer_ex(derivation, point, 0) == 1 &&
           EVP_PKEY_derive(derivation, out, &len) == 1;
}

static bool evp_point(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);
        EVP_PKEY *point =
            EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, c->points[slot], KEY_BYTES);

        good &= evp_derive(c->derivations[slot], point, c->out[slot]);
        EVP_PKEY_free(point);
    }
    return good;
}

static bool evp_point_parsed(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        good &= evp_derive(c->derivations[slot], c->point_keys[slot], c->out[slot]);
    }
    return good;
}

// OpenSSL multiplies the base point when it takes in a secret.
static bool evp_base(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);
        size_t len = KEY_BYTES;
        EVP_PKEY *key =
            EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, c->secrets[slot], KEY_BYTES);

        good &= EVP_PKEY_get_raw_public_key(key, c->out[slot], &len) == 1;
        EVP_PKEY_free(key);
    }
    return good;
}

static const struct bench_micro_impl evp = {
    .name = "evp",
    .prepare = evp_prepare,
    .run = {[OP_POINT] = evp_point, [OP_BASE] = evp_base},
    .finish = finish,
};

static const struct bench_micro_impl evp_parsed = {
    .name = "evp-parsed",
    .prepare = evp_prepare,
    .run = {[OP_POINT] = evp_point_parsed},
    .finish = finish,
};

// ---- libsodium ----------------------------------------------------------------------------------

static bool sodium_point(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        good &= crypto_scalarmult_curve25519(c->out[slot], c->secrets[slot], c->points[slot]) == 0;
    }
    return good;
}

static bool sodium_base(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        good &= crypto_scalarmult_curve25519_base(c->out[slot], c->secrets[slot]) == 0;
    }
    return good;
}

static const struct bench_micro_impl libsodium = {
    .name = "libsodium",
    .prepare = prepare,
    .run = {[OP_POINT] = sodium_point, [OP_BASE] = sodium_base},
    .finish = finish,
};

// ---- lib25519 -----------------------------------------------------------------------------------
// It leaves the judgement of an all-zero result to the caller, and has no array call for the base.

static bool lib25519_point(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        if (c->point.batch >= LIB25519_BATCH_MIN) {
            lib25519_nPbatch(c->out[slot], c->secrets[slot], c->points[slot], c->point.batch);
            continue;
        }
        for (unsigned i = slot; i < slot + c->point.batch; i++)
            lib25519_nP(c->out[i], c->secrets[i], c->points[i]);
    }
    return true;
}

static bool lib25519_base(struct bench_micro_cell *cell, unsigned calls)
{
    struct x25519_cell *c = x25519_of(cell);

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        for (unsigned i = slot; i < slot + c->point.batch; i++)
            lib25519_nG_montgomery25519(c->out[i], c->secrets[i]);
    }
    return true;
}

static const char *lib25519_tier(unsigned op)
{
    return op == OP_POINT ? lib25519_nPbatch_implementation()
                          : lib25519_nG_merged25519_implementation();
}

static const struct bench_micro_impl lib25519 = {
    .name = "lib25519",
    .batches = true,
    .tier = lib25519_tier,
    .prepare = prepare,
    .run = {[OP_POINT] = lib25519_point, [OP_BASE] = lib25519_base},
    .finish = finish,
};

// ---- the subject --------------------------------------------------------------------------------

static const struct bench_micro_impl *const impls[] = {&sealcrypto, &evp, &evp_parsed, &libsodium,
                                                       &lib25519};

const struct bench_micro_op bench_x25519_ops[] = {
    [OP_POINT] = {"x25519", OP_POINT, {KEY_BYTES}, impls, COUNT_OF(impls)},
    [OP_BASE] = {"x25519_base", OP_BASE, {KEY_BYTES}, impls, COUNT_OF(impls)},
};

int bench_x25519_main(int argc, char **argv)
{
    static const struct bench_micro_op *const ops[] = {&bench_x25519_ops[0], &bench_x25519_ops[1]};
    static const struct bench_micro_subject subject = {
        .doc = "Measure X25519: libsealcrypto beside OpenSSL (evp, which parses the other side's "
               "point; evp-parsed, which has it parsed), libsodium and lib25519.\v"
               "Operations: x25519 (the other side's point), x25519_base (the base point: a public "
               "key). Exit codes: 0 pass, 1 an implementation failed or disagreed, 104 bad command "
               "line, 105 interrupted.",
        .unit = "operation",
        .ops = ops,
        .op_count = COUNT_OF(ops),
    };

    return bench_micro_main(&subject, argc, argv);
}
