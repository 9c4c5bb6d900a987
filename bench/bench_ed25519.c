// `sealpost-bench ed25519`: signing and verifying (RFC 8032). Main thread only.
#include <lib25519.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>

#include "bench.h"
#include "bench_micro.h"
#include "bench_micro_ops.h"
#include "sealcrypto.h"

enum { OP_VERIFY, OP_SIGN };

struct ed25519_cell {
    struct bench_micro_cell cell;
    struct bench_micro_point point;
    unsigned slot;
    uint8_t (*seeds)[32], (*public_keys)[32];
    uint8_t (*secret_keys)[64]; // seed ‖ public key: what libsodium and lib25519 call a secret key
    // Slot i: signature ‖ message at signed_messages + i × stride, where lib25519 wants them.
    // Verifying: what was signed; signing: the message alone, and `out` gets both.
    uint8_t *signed_messages, *out, *opened;
    size_t stride;
    struct sp_ed25519_job *jobs; // the library only, one for each slot
    bool *ok;
    EVP_MD_CTX *digest; // OpenSSL only
    EVP_PKEY **keys;    // OpenSSL only, one for each slot: parsed
};

static struct ed25519_cell *ed25519_of(struct bench_micro_cell *cell)
{
    return CONTAINER_OF(cell, struct ed25519_cell, cell);
}

static inline unsigned next_slots(struct ed25519_cell *c)
{
    unsigned slot = c->slot;

    c->slot += c->point.batch;
    if (c->slot == c->point.slots)
        c->slot = 0;
    return slot;
}

static uint8_t *signed_message_of(const struct ed25519_cell *c, unsigned slot)
{
    return c->signed_messages + slot * c->stride;
}

static const uint8_t *message_of(const struct ed25519_cell *c, unsigned slot)
{
    return signed_message_of(c, slot) + SP_SIGNATURE_BYTES;
}

static struct bench_micro_cell *prepare(const struct bench_micro_point *p)
{
    struct ed25519_cell *c = bench_micro_alloc(1, sizeof *c);

    c->point = *p;
    c->stride = p->bytes + SP_SIGNATURE_BYTES;
    c->seeds = bench_micro_alloc(p->slots, sizeof *c->seeds);
    c->public_keys = bench_micro_alloc(p->slots, sizeof *c->public_keys);
    c->secret_keys = bench_micro_alloc(p->slots, sizeof *c->secret_keys);
    c->signed_messages = bench_micro_alloc(p->slots, c->stride);
    c->out = bench_micro_alloc(p->slots, c->stride);
    c->opened = bench_micro_alloc(1, c->stride);
    c->ok = bench_micro_alloc(p->slots, sizeof *c->ok);
    for (unsigned i = 0; i < p->slots; i++) {
        uint8_t *both = signed_message_of(c, i);

        bench_micro_fill(c->seeds[i], sizeof c->seeds[i], i);
        bench_micro_fill(both + SP_SIGNATURE_BYTES, p->bytes, 1000 + i);
        crypto_sign_seed_keypair(c->public_keys[i], c->secret_keys[i], c->seeds[i]);
        if (p->op == OP_VERIFY)
            crypto_sign_detached(both, NULL, both + SP_SIGNATURE_BYTES, p->bytes,
                                 c->secret_keys[i]);
        else // lib25519 copies the message behind its signature: the others start with it there
            memcpy(c->out + i * c->stride, both, c->stride);
    }
    c->cell.output = p->op == OP_VERIFY ? (const uint8_t *)c->ok : c->out;
    c->cell.output_len = p->op == OP_VERIFY ? p->slots * sizeof *c->ok : p->slots * c->stride;
    return &c->cell;
}

static void finish(struct bench_micro_cell *cell)
{
    struct ed25519_cell *c = ed25519_of(cell);

    for (unsigned i = 0; c->keys && i < c->point.slots; i++)
        EVP_PKEY_free(c->keys[i]);
    EVP_MD_CTX_free(c->digest);
    free(c->keys);
    free(c->seeds);
    free(c->public_keys);
    free(c->secret_keys);
    free(c->signed_messages);
    free(c->out);
    free(c->opened);
    free(c->ok);
    free(c->jobs);
    free(c);
}

// ---- libsealcrypto ------------------------------------------------------------------------------

static struct bench_micro_cell *sealcrypto_prepare(const struct bench_micro_point *p)
{
    struct bench_micro_cell *cell = prepare(p);
    struct ed25519_cell *c = ed25519_of(cell);

    c->jobs = bench_micro_alloc(p->slots, sizeof *c->jobs);
    for (unsigned i = 0; i < p->slots; i++)
        c->jobs[i] = (struct sp_ed25519_job){
            .public_key = c->public_keys[i],
            .seed = c->seeds[i],
            .message = message_of(c, i),
            .message_len = p->bytes,
            .signature = p->op == OP_VERIFY ? signed_message_of(c, i) : c->out + i * c->stride,
        };
    return cell;
}

static bool sealcrypto_verify(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        good &= sp_ed25519_verify_batch(c->jobs + slot, c->point.batch, c->ok + slot);
    }
    return good;
}

static bool sealcrypto_sign(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);

    for (; calls > 0; calls--)
        sp_ed25519_sign_batch(c->jobs + next_slots(c), c->point.batch);
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
    .prepare = sealcrypto_prepare,
    .run = {[OP_VERIFY] = sealcrypto_verify, [OP_SIGN] = sealcrypto_sign},
    .finish = finish,
};

// ---- OpenSSL ------------------------------------------------------------------------------------
// "evp": the other side's public key comes as bytes. "evp-parsed": it is an EVP_PKEY already. Our
// own secret, to sign with, is one for both: only "evp" has a row of it.

static struct bench_micro_cell *evp_prepare(const struct bench_micro_point *p)
{
    struct bench_micro_cell *cell = prepare(p);
    struct ed25519_cell *c = ed25519_of(cell);

    c->digest = EVP_MD_CTX_new();
    c->keys = bench_micro_alloc(p->slots, sizeof *c->keys);
    for (unsigned i = 0; i < p->slots; i++)
        c->keys[i] =
            p->op == OP_VERIFY
                ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, c->public_keys[i], 32)
                : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, c->seeds[i], 32);
    return cell;
}

static bool evp_verify_slot(struct ed25519_cell *c, unsigned slot, EVP_PKEY *key)
{
    c->ok[slot] = EVP_DigestVerifyInit(c->digest, NULL, NULL, NULL, key) == 1 &&
                  EVP_DigestVerify(c->digest, signed_message_of(c, slot), SP_SIGNATURE_BYTES,
                                   message_of(c, slot), c->point.bytes) == 1;
    EVP_MD_CTX_reset(c->digest);
    return c->ok[slot];
}

static bool evp_verify(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);
        EVP_PKEY *key =
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, c->public_keys[slot], 32);

        good &= evp_verify_slot(c, slot, key);
        EVP_PKEY_free(key);
    }
    return good;
}

static bool evp_verify_parsed(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        good &= evp_verify_slot(c, slot, c->keys[slot]);
    }
    return good;
}

static bool evp_sign(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);
        size_t len = SP_SIGNATURE_BYTES;

        good &= EVP_DigestSignInit(c->digest, NULL, NULL, NULL, c->keys[slot]) == 1 &&
                EVP_DigestSign(c->digest, c->out + slot * c->stride, &len, message_of(c, slot),
                               c->point.bytes) == 1;
        EVP_MD_CTX_reset(c->digest);
    }
    return good;
}

static const struct bench_micro_impl evp = {
    .name = "evp",
    .prepare = evp_prepare,
    .run = {[OP_VERIFY] = evp_verify, [OP_SIGN] = evp_sign},
    .finish = finish,
};

static const struct bench_micro_impl evp_parsed = {
    .name = "evp-parsed",
    .prepare = evp_prepare,
    .run = {[OP_VERIFY] = evp_verify_parsed},
    .finish = finish,
};

// ---- libsodium ----------------------------------------------------------------------------------

static bool sodium_verify(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        c->ok[slot] = crypto_sign_verify_detached(signed_message_of(c, slot), message_of(c, slot),
                                                  c->point.bytes, c->public_keys[slot]) == 0;
        good &= c->ok[slot];
    }
    return good;
}

static bool sodium_sign(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);

        good &= crypto_sign_detached(c->out + slot * c->stride, NULL, message_of(c, slot),
                                     c->point.bytes, c->secret_keys[slot]) == 0;
    }
    return good;
}

static const struct bench_micro_impl libsodium = {
    .name = "libsodium",
    .prepare = prepare,
    .run = {[OP_VERIFY] = sodium_verify, [OP_SIGN] = sodium_sign},
    .finish = finish,
};

// ---- lib25519 -----------------------------------------------------------------------------------
// Signature and message stand together in its calls, and the message is copied. It signs with a
// random nonce.

static bool lib25519_verify_slots(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);
        long long len;

        c->ok[slot] = lib25519_sign_open(c->opened, &len, signed_message_of(c, slot),
                                         (long long)c->stride, c->public_keys[slot]) == 0;
        good &= c->ok[slot];
    }
    return good;
}

static bool lib25519_sign_slots(struct bench_micro_cell *cell, unsigned calls)
{
    struct ed25519_cell *c = ed25519_of(cell);

    for (; calls > 0; calls--) {
        unsigned slot = next_slots(c);
        long long len;

        lib25519_sign(c->out + slot * c->stride, &len, message_of(c, slot),
                      (long long)c->point.bytes, c->secret_keys[slot]);
    }
    return true;
}

static bool lib25519_is_right(const struct bench_micro_cell *cell)
{
    const struct ed25519_cell *c = CONTAINER_OF(cell, const struct ed25519_cell, cell);
    bool right = true;

    for (unsigned i = 0; i < c->point.slots; i++) {
        const uint8_t *signature = c->out + i * c->stride;

        right &= c->point.op == OP_VERIFY
                     ? c->ok[i]
                     : crypto_sign_verify_detached(signature, message_of(c, i), c->point.bytes,
                                                   c->public_keys[i]) == 0;
    }
    return right;
}

static const char *lib25519_tier(unsigned op)
{
    return op == OP_VERIFY ? lib25519_mGnP_implementation()
                           : lib25519_nG_merged25519_implementation();
}

static const struct bench_micro_impl lib25519 = {
    .name = "lib25519",
    .tier = lib25519_tier,
    .prepare = prepare,
    .run = {[OP_VERIFY] = lib25519_verify_slots, [OP_SIGN] = lib25519_sign_slots},
    .is_right = lib25519_is_right,
    .finish = finish,
};

// ---- the subject --------------------------------------------------------------------------------

static const struct bench_micro_impl *const impls[] = {&sealcrypto, &evp, &evp_parsed, &libsodium,
                                                       &lib25519};

// 33 bytes: an encoded prekey, what a handshake verifies.
const struct bench_micro_op bench_ed25519_ops[] = {
    [OP_VERIFY] =
        {"ed25519_verify", OP_VERIFY, {SP_ENCODED_KEY_BYTES, 256}, impls, COUNT_OF(impls)},
    [OP_SIGN] = {"ed25519_sign", OP_SIGN, {SP_ENCODED_KEY_BYTES, 256}, impls, COUNT_OF(impls)},
};
const struct bench_micro_op bench_ed25519_prekey_op = {
    "ed25519_verify", OP_VERIFY, {SP_ENCODED_KEY_BYTES}, impls, COUNT_OF(impls)};

int bench_ed25519_main(int argc, char **argv)
{
    static const struct bench_micro_op *const ops[] = {&bench_ed25519_ops[0],
                                                       &bench_ed25519_ops[1]};
    static const struct bench_micro_subject subject = {
        .doc = "Measure Ed25519: libsealcrypto beside OpenSSL (evp, which parses the public key to "
               "verify with; evp-parsed, which has it parsed), libsodium and lib25519.\v"
               "Operations: ed25519_verify, ed25519_sign. Exit codes: 0 pass, 1 an implementation "
               "failed or disagreed, 104 bad command line, 105 interrupted.",
        .unit = "operation",
        .sized = true,
        .ops = ops,
        .op_count = COUNT_OF(ops),
    };

    return bench_micro_main(&subject, argc, argv);
}
