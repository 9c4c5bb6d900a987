// Handshakes composed of OpenSSL alone, at its best: contexts and our own secrets are kept, what
// the other side sends is parsed. Main thread only.
//
// OpenSSL has no map from Ed25519 to X25519: it is computed with its big numbers here, and without
// the check that the key is in the prime-order subgroup, which nothing of OpenSSL's could make.
// That favours it.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "bench_handshake.h"
#include "bench_hkdf.h"

#define DH_MAX 4u

// Our own secrets of one pair: parsed, and in contexts that derive.
struct secrets {
    EVP_PKEY *initiator, *responder, *signed_prekey, *one_time_prekey, *kem;
    EVP_PKEY_CTX *initiator_dh, *responder_dh, *signed_prekey_dh, *one_time_prekey_dh, *decapsulate;
};

struct evp {
    struct secrets secrets[BENCH_PAIRS];
    EVP_MD_CTX *digest;
    EVP_KDF_CTX *kdf;
    EVP_CIPHER_CTX *cipher;
    EVP_SIGNATURE *ml_dsa;
    BN_CTX *numbers;
    BIGNUM *prime;
};

// What SK is derived from. Secret: wiped after use.
struct input {
    uint8_t bytes[32 + DH_MAX * 32 + 32];
    size_t len;
};

static struct evp *evp_of(struct bench_handshake_cell *c)
{
    return c->own;
}

// ---- setting up ---------------------------------------------------------------------------------

static EVP_PKEY *make_secret(const uint8_t secret[32], EVP_PKEY_CTX **dh)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, 32);

    *dh = EVP_PKEY_CTX_new(key, NULL);
    BENCH_MICRO_NEED(EVP_PKEY_derive_init(*dh) == 1);
    return key;
}

static void make_kem(struct secrets *s, const struct bench_pair *pair)
{
    uint8_t public_key[SP_ML_KEM_PUBLIC_BYTES];
    size_t len = sizeof public_key;
    EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "ML-KEM-768", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED,
                                          (void *)(uintptr_t)pair->kem_seed, sizeof pair->kem_seed),
        OSSL_PARAM_construct_end(),
    };

    BENCH_MICRO_NEED(EVP_PKEY_fromdata_init(make) == 1 &&
                     EVP_PKEY_fromdata(make, &s->kem, EVP_PKEY_KEYPAIR, params) == 1);
    EVP_PKEY_CTX_free(make);
    BENCH_MICRO_NEED(EVP_PKEY_get_raw_public_key(s->kem, public_key, &len) == 1 &&
                     memcmp(public_key, pair->kem_prekey.key, sizeof public_key) == 0);
    s->decapsulate = EVP_PKEY_CTX_new_from_pkey(NULL, s->kem, NULL);
    BENCH_MICRO_NEED(EVP_PKEY_decapsulate_init(s->decapsulate, NULL) == 1);
}

static struct bench_micro_cell *prepare(const struct bench_micro_point *p)
{
    struct bench_micro_cell *cell = bench_handshake_prepare(p);
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct evp *e = bench_micro_alloc(1, sizeof *e);

    c->own = e;
    for (unsigned i = 0; i < BENCH_PAIRS; i++) {
        const struct bench_pair *pair = &c->pairs[i];
        struct secrets *s = &e->secrets[i];

        s->initiator =
            make_secret(p->op == BENCH_PQXDH_HYBRID_INITIATE ? pair->hybrid_initiator.x25519_secret
                                                             : pair->initiator.x25519_secret,
                        &s->initiator_dh);
        s->responder = make_secret(pair->responder.x25519_secret, &s->responder_dh);
        s->signed_prekey = make_secret(pair->signed_prekey_secret, &s->signed_prekey_dh);
        s->one_time_prekey = make_secret(pair->one_time_prekey_secret, &s->one_time_prekey_dh);
        make_kem(s, pair);
    }
    e->digest = EVP_MD_CTX_new();
    e->kdf = bench_hkdf_evp_create();
    e->cipher = EVP_CIPHER_CTX_new();
    e->ml_dsa = EVP_SIGNATURE_fetch(NULL, "ML-DSA-65", NULL);
    e->numbers = BN_CTX_new();
    BENCH_MICRO_NEED(e->ml_dsa && e->numbers &&
                     EVP_DecryptInit_ex2(e->cipher, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1);
    // 2^255 − 19
    e->prime = BN_new();
    BENCH_MICRO_NEED(BN_set_bit(e->prime, 255) == 1 && BN_sub_word(e->prime, 19) == 1);
    return cell;
}

static void finish(struct bench_micro_cell *cell)
{
    struct evp *e = evp_of(bench_handshake_of(cell));

    for (unsigned i = 0; i < BENCH_PAIRS; i++) {
        struct secrets *s = &e->secrets[i];

        EVP_PKEY_CTX_free(s->initiator_dh);
        EVP_PKEY_CTX_free(s->responder_dh);
        EVP_PKEY_CTX_free(s->signed_prekey_dh);
        EVP_PKEY_CTX_free(s->one_time_prekey_dh);
        EVP_PKEY_CTX_free(s->decapsulate);
        EVP_PKEY_free(s->initiator);
        EVP_PKEY_free(s->responder);
        EVP_PKEY_free(s->signed_prekey);
        EVP_PKEY_free(s->one_time_prekey);
        EVP_PKEY_free(s->kem);
    }
    EVP_MD_CTX_free(e->digest);
    EVP_KDF_CTX_free(e->kdf);
    EVP_CIPHER_CTX_free(e->cipher);
    EVP_SIGNATURE_free(e->ml_dsa);
    BN_CTX_free(e->numbers);
    BN_free(e->prime);
    bench_handshake_finish(cell);
}

// ---- the parts ----------------------------------------------------------------------------------

static bool verify_ed25519(struct evp *e, EVP_PKEY *key, const uint8_t *message, size_t len,
                           const uint8_t signature[SP_SIGNATURE_BYTES])
{
    bool good = EVP_DigestVerifyInit(e->digest, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(e->digest, signature, SP_SIGNATURE_BYTES, message, len) == 1;

    EVP_MD_CTX_reset(e->digest);
    return good;
}

static bool verify_ml_dsa(struct evp *e, EVP_PKEY_CTX *ctx, const uint8_t *message, size_t len,
                          const uint8_t signature[SP_ML_DSA_SIGNATURE_BYTES])
{
    return EVP_PKEY_verify_message_init(ctx, e->ml_dsa, NULL) == 1 &&
           EVP_PKEY_verify(ctx, signature, SP_ML_DSA_SIGNATURE_BYTES, message, len) == 1;
}

// u = (1 + y) ÷ (1 − y), RFC 7748 section 4.1.
static bool map_identity(struct evp *e, uint8_t x25519[32], const uint8_t ed25519[32])
{
    uint8_t y_bytes[32];
    BIGNUM *y, *above, *below;
    bool good;

    memcpy(y_bytes, ed25519, sizeof y_bytes);
    y_bytes[31] &= 0x7F; // without the sign of x
    BN_CTX_start(e->numbers);
    y = BN_CTX_get(e->numbers);
    above = BN_CTX_get(e->numbers);
    below = BN_CTX_get(e->numbers);
    good = below && BN_lebin2bn(y_bytes, sizeof y_bytes, y) &&
           BN_mod_add(above, y, BN_value_one(), e->prime, e->numbers) == 1 &&
           BN_mod_sub(below, BN_value_one(), y, e->prime, e->numbers) == 1 &&
           BN_mod_inverse(below, below, e->prime, e->numbers) &&
           BN_mod_mul(above, above, below, e->prime, e->numbers) == 1 &&
           BN_bn2lebinpad(above, x25519, 32) == 32;
    BN_CTX_end(e->numbers);
    return good;
}

static EVP_PKEY *parse_x25519(const uint8_t point[32])
{
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, 32);
}

// The next DH of the input. OpenSSL refuses an all-zero result itself.
static bool add_dh(struct input *input, EVP_PKEY_CTX *secret, EVP_PKEY *point)
{
    size_t len = 32;
    bool good = EVP_PKEY_derive_set_peer_ex(secret, point, 0) == 1 &&
                EVP_PKEY_derive(secret, input->bytes + input->len, &len) == 1;

    input->len += 32;
    return good;
}

static bool encapsulate(const struct bench_pair *pair, uint8_t *ciphertext, uint8_t secret[32])
{
    size_t ciphertext_len = SP_ML_KEM_CIPHERTEXT_BYTES, secret_len = 32;
    OSSL_PARAM chosen[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME,
                                          (void *)(uintptr_t)pair->kem_randomness, 32),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ML-KEM-768", NULL, pair->kem_prekey.key,
                                                   SP_ML_KEM_PUBLIC_BYTES);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool good = EVP_PKEY_encapsulate_init(ctx, chosen) == 1 &&
                EVP_PKEY_encapsulate(ctx, ciphertext, &ciphertext_len, secret, &secret_len) == 1;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

static bool decapsulate(const struct secrets *s, const uint8_t *ciphertext, uint8_t secret[32])
{
    size_t len = 32;

    return EVP_PKEY_decapsulate(s->decapsulate, secret, &len, ciphertext,
                                SP_ML_KEM_CIPHERTEXT_BYTES) == 1;
}

// Header key (from DH3 and SS) and SK (from all): the input has 0xFF × 32 first.
static bool derive_header_key(struct evp *e, struct bench_handshake_output *out,
                              const uint8_t dh3[32], const uint8_t *shared_secret)
{
    struct sp_hkdf_job job;
    uint8_t header_input[64];
    bool good;

    memcpy(header_input, dh3, 32);
    if (shared_secret)
        memcpy(header_input + 32, shared_secret, 32);
    job = bench_handshake_header_job(out->header_key, header_input, shared_secret ? 64 : 32);
    good = bench_hkdf_evp(e->kdf, &job);
    OPENSSL_cleanse(header_input, sizeof header_input);
    return good;
}

static bool derive_sk(struct evp *e, struct bench_handshake_output *out, bool is_pqxdh,
                      struct input *input)
{
    struct sp_hkdf_job job = bench_handshake_sk_job(out->sk, is_pqxdh, input->bytes, input->len);
    bool good = bench_hkdf_evp(e->kdf, &job);

    OPENSSL_cleanse(input, sizeof *input);
    return good;
}

// ---- the initiator ------------------------------------------------------------------------------

static bool verify_hybrid(struct evp *e, const struct sp_bundle *bundle,
                          const uint8_t encoded[SP_ENCODED_KEY_BYTES],
                          const uint8_t encoded_kem[SP_ENCODED_KEM_KEY_BYTES])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ML-DSA-65", NULL, bundle->ml_dsa->key,
                                                   SP_ML_DSA_PUBLIC_BYTES);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool good = verify_ml_dsa(e, ctx, encoded, SP_ENCODED_KEY_BYTES,
                              bundle->ml_dsa->signed_prekey_signature) &&
                verify_ml_dsa(e, ctx, encoded_kem, SP_ENCODED_KEM_KEY_BYTES,
                              bundle->ml_dsa->kem_prekey_signature);

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

// All signatures of the bundle; its KEM key is left encoded in `ad`, where it belongs.
static bool verify_bundle(struct evp *e, const struct sp_bundle *bundle, uint8_t *ad)
{
    EVP_PKEY *identity =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bundle->identity_key, 32);
    uint8_t *encoded_kem = ad + 2 * SP_ENCODED_KEY_BYTES;
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    bool good;

    sp_encode_x25519(encoded, bundle->signed_prekey);
    good = verify_ed25519(e, identity, encoded, sizeof encoded, bundle->signed_prekey_signature);
    if (bundle->kem_prekey) {
        sp_encode_ml_kem(encoded_kem, bundle->kem_prekey->key);
        good = good && verify_ed25519(e, identity, encoded_kem, SP_ENCODED_KEM_KEY_BYTES,
                                      bundle->kem_prekey->signature);
    }
    EVP_PKEY_free(identity);
    return good && (!bundle->ml_dsa || verify_hybrid(e, bundle, encoded, encoded_kem));
}

// DH1 to DH4, and the ephemeral public key.
static bool exchange(struct input *input, EVP_PKEY_CTX *identity_dh, const struct bench_pair *pair,
                     const struct sp_bundle *bundle, const uint8_t responder[32],
                     uint8_t public[32])
{
    size_t len = 32;
    EVP_PKEY *ephemeral =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, pair->ephemeral_secret, 32);
    EVP_PKEY_CTX *dh = EVP_PKEY_CTX_new(ephemeral, NULL);
    EVP_PKEY *signed_prekey = parse_x25519(bundle->signed_prekey);
    EVP_PKEY *identity = parse_x25519(responder);
    EVP_PKEY *one_time_prekey = parse_x25519(bundle->one_time_prekey);
    bool good = EVP_PKEY_get_raw_public_key(ephemeral, public, &len) == 1 &&
                EVP_PKEY_derive_init(dh) == 1 && add_dh(input, identity_dh, signed_prekey) &&
                add_dh(input, dh, identity) && add_dh(input, dh, signed_prekey) &&
                add_dh(input, dh, one_time_prekey);

    EVP_PKEY_free(signed_prekey);
    EVP_PKEY_free(identity);
    EVP_PKEY_free(one_time_prekey);
    EVP_PKEY_CTX_free(dh);
    EVP_PKEY_free(ephemeral);
    return good;
}

static bool initiate(struct bench_handshake_cell *c, unsigned slot)
{
    const struct bench_pair *pair = bench_handshake_pair(c, slot);
    const struct sp_bundle *bundle = bench_handshake_bundle(c, slot);
    struct bench_handshake_output *out = &c->outputs[slot];
    const bool is_pqxdh = bundle->kem_prekey, is_hybrid = bundle->ml_dsa;
    uint8_t *responder = out->ad + SP_ENCODED_KEY_BYTES + 1;
    struct input input = {.len = 32};
    struct evp *e = evp_of(c);
    uint8_t mapped[32];
    bool good;

    memset(input.bytes, 0xFF, 32);
    good = verify_bundle(e, bundle, out->ad) && map_identity(e, mapped, bundle->identity_key);
    sp_encode_x25519(out->ad, is_hybrid ? pair->hybrid_initiator.x25519 : pair->initiator.x25519);
    sp_encode_x25519(out->ad + SP_ENCODED_KEY_BYTES, mapped);
    good = good && exchange(&input, e->secrets[slot % BENCH_PAIRS].initiator_dh, pair, bundle,
                            responder, out->key);
    if (is_pqxdh) {
        good = good && encapsulate(pair, out->kem_ciphertext, input.bytes + input.len);
        input.len += 32;
    }
    good = good &&
           derive_header_key(e, out, input.bytes + 3 * 32, is_pqxdh ? input.bytes + 5 * 32 : NULL);
    return good && derive_sk(e, out, is_pqxdh, &input);
}

// ---- the responder ------------------------------------------------------------------------------

static bool open_identity(struct evp *e, uint8_t identity[32], const uint8_t header_key[32],
                          const uint8_t *message, size_t at)
{
    const uint8_t nonce[SP_NONCE_BYTES] = {0};
    OSSL_PARAM tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
                                          (void *)(uintptr_t)(message + at + 32), SP_TAG_BYTES),
        OSSL_PARAM_construct_end(),
    };
    int n;

    return EVP_DecryptInit_ex2(e->cipher, NULL, header_key, nonce, tag) == 1 &&
           EVP_DecryptUpdate(e->cipher, NULL, &n, message, (int)at) == 1 &&
           EVP_DecryptUpdate(e->cipher, identity, &n, message + at, 32) == 1 &&
           EVP_DecryptFinal_ex(e->cipher, identity + 32, &n) == 1;
}

static bool respond(struct bench_handshake_cell *c, unsigned slot)
{
    const struct bench_pair *pair = bench_handshake_pair(c, slot);
    const struct secrets *s = &evp_of(c)->secrets[slot % BENCH_PAIRS];
    struct bench_handshake_output *out = &c->outputs[slot];
    const bool is_pqxdh = c->point.op == BENCH_PQXDH_RESPOND;
    const uint8_t *message = is_pqxdh ? pair->pqxdh_message : pair->x3dh_message;
    const size_t at = is_pqxdh ? BENCH_INITIAL_PQXDH_IDENTITY_AT : BENCH_INITIAL_X3DH_IDENTITY_AT;
    struct input input = {.len = 2 * 32}, first = {.len = 32}; // DH1 comes last
    struct evp *e = evp_of(c);
    EVP_PKEY *ephemeral = parse_x25519(message + BENCH_INITIAL_EPHEMERAL_AT), *identity;
    uint8_t mapped[32];
    bool good;

    good = add_dh(&input, s->responder_dh, ephemeral) &&
           add_dh(&input, s->signed_prekey_dh, ephemeral) &&
           add_dh(&input, s->one_time_prekey_dh, ephemeral);
    EVP_PKEY_free(ephemeral);
    if (is_pqxdh) {
        good = good &&
               decapsulate(s, message + BENCH_INITIAL_KEM_CIPHERTEXT_AT, input.bytes + input.len);
        input.len += 32;
        sp_encode_ml_kem(out->ad + 2 * SP_ENCODED_KEY_BYTES, pair->kem_prekey.key);
    }
    good =
        good &&
        derive_header_key(e, out, input.bytes + 3 * 32, is_pqxdh ? input.bytes + 5 * 32 : NULL) &&
        open_identity(e, out->key, out->header_key, message, at) &&
        map_identity(e, mapped, out->key);
    sp_encode_x25519(out->ad, mapped);
    sp_encode_x25519(out->ad + SP_ENCODED_KEY_BYTES, pair->responder.x25519);
    identity = parse_x25519(mapped);
    good = good && add_dh(&first, s->signed_prekey_dh, identity);
    EVP_PKEY_free(identity);
    memset(input.bytes, 0xFF, 32);
    memcpy(input.bytes + 32, first.bytes + 32, 32);
    OPENSSL_cleanse(&first, sizeof first);
    return good && derive_sk(e, out, is_pqxdh, &input);
}

// ---- running them -------------------------------------------------------------------------------

static bool map_slot(struct bench_handshake_cell *c, unsigned slot)
{
    return map_identity(evp_of(c), c->outputs[slot].key,
                        bench_handshake_pair(c, slot)->x3dh.identity_key);
}

static bool encapsulate_slot(struct bench_handshake_cell *c, unsigned slot)
{
    return encapsulate(bench_handshake_pair(c, slot), c->outputs[slot].kem_ciphertext,
                       c->outputs[slot].sk);
}

static bool decapsulate_slot(struct bench_handshake_cell *c, unsigned slot)
{
    const struct bench_pair *pair = bench_handshake_pair(c, slot);
    struct bench_handshake_output *out = &c->outputs[slot];

    memcpy(out->kem_ciphertext, pair->kem_ciphertext, sizeof out->kem_ciphertext);
    return decapsulate(&evp_of(c)->secrets[slot % BENCH_PAIRS], pair->kem_ciphertext, out->sk);
}

static bool verify_slot(struct bench_handshake_cell *c, unsigned slot)
{
    const struct bench_pair *pair = bench_handshake_pair(c, slot);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ML-DSA-65", NULL, pair->ml_dsa.key,
                                                   SP_ML_DSA_PUBLIC_BYTES);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool good = verify_ml_dsa(evp_of(c), ctx, pair->encoded_prekey, sizeof pair->encoded_prekey,
                              pair->ml_dsa.signed_prekey_signature);

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return c->outputs[slot].is_verified = good;
}

static bool run(struct bench_micro_cell *cell, unsigned calls)
{
    static bool (*const steps[])(struct bench_handshake_cell *, unsigned) = {
        [BENCH_X3DH_INITIATE] = initiate,
        [BENCH_X3DH_RESPOND] = respond,
        [BENCH_PQXDH_INITIATE] = initiate,
        [BENCH_PQXDH_RESPOND] = respond,
        [BENCH_PQXDH_HYBRID_INITIATE] = initiate,
        [BENCH_ED25519_TO_X25519] = map_slot,
        [BENCH_ML_KEM_ENCAPSULATE] = encapsulate_slot,
        [BENCH_ML_KEM_DECAPSULATE] = decapsulate_slot,
        [BENCH_ML_DSA_VERIFY] = verify_slot,
    };
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= steps[c->point.op](c, bench_handshake_next_slots(c));
    return good;
}

const struct bench_micro_impl bench_handshake_evp = {
    .name = "evp",
    .prepare = prepare,
    .run = {run, run, run, run, run, run, run, run, run},
    .finish = finish,
};
_Static_assert(BENCH_HANDSHAKE_OPS == 9, "one run for each operation");
