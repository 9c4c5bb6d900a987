// `sealpost-bench handshake`: X3DH and PQXDH as a whole, and what they are made of. Main thread
// only. Parties and messages are the library's own; the peers read them, and must come to the same
// keys.
#include "bench_handshake.h"

#include <stdlib.h>

#include "bench.h"
#include "bench_micro_ops.h"

static const uint8_t zero_salt[32];

static struct bench_pair *pairs; // made when first needed

// ---- the parties --------------------------------------------------------------------------------

static void make_identity(struct sp_identity *identity, uint64_t seed, bool is_hybrid)
{
    uint8_t bytes[32], ml_dsa[SP_ML_DSA_SEED_BYTES];

    bench_micro_fill(bytes, sizeof bytes, seed);
    bench_micro_fill(ml_dsa, sizeof ml_dsa, seed + 1);
    BENCH_MICRO_NEED(sp_identity_init(identity, bytes, is_hybrid ? ml_dsa : NULL) == 0);
}

static void sign(const struct sp_identity *identity, const uint8_t *message, size_t len,
                 uint8_t ed25519[SP_SIGNATURE_BYTES], uint8_t *ml_dsa)
{
    const struct sp_ed25519_job job = {.public_key = identity->ed25519,
                                       .seed = identity->seed,
                                       .message = message,
                                       .message_len = len,
                                       .signature = ed25519};
    const struct sp_ml_dsa_job ml_dsa_job = {
        .key = &identity->ml_dsa, .message = message, .message_len = len, .signature = ml_dsa};

    sp_ed25519_sign_batch(&job, 1);
    BENCH_MICRO_NEED(!ml_dsa || sp_ml_dsa_sign_batch(&ml_dsa_job, 1) == 0);
}

// One bundle of `responder`, with its signatures; the keys stand in the pair.
static void make_bundle(struct bench_pair *pair, const struct sp_identity *responder,
                        struct sp_bundle *out)
{
    const bool is_hybrid = responder->ml_dsa.state != NULL;

    memcpy(out->identity_key, responder->ed25519, 32);
    out->signed_prekey_id = 1;
    out->has_one_time_prekey = true;
    out->one_time_prekey_id = 2;
    sp_x25519_base_batch(&out->signed_prekey, (const uint8_t(*)[32])pair->signed_prekey_secret, 1);
    sp_x25519_base_batch(&out->one_time_prekey, (const uint8_t(*)[32])pair->one_time_prekey_secret,
                         1);
    sp_encode_x25519(pair->encoded_prekey, out->signed_prekey);
    sign(responder, pair->encoded_prekey, sizeof pair->encoded_prekey, out->signed_prekey_signature,
         is_hybrid ? pair->ml_dsa.signed_prekey_signature : NULL);
}

static void make_kem_prekey(struct bench_pair *pair, const struct sp_identity *responder,
                            struct sp_kem_prekey *out)
{
    const bool is_hybrid = responder->ml_dsa.state != NULL;
    uint8_t encoded[SP_ENCODED_KEM_KEY_BYTES];

    out->id = 3;
    out->is_one_time = true;
    memcpy(out->key, sp_ml_kem_key_public(&pair->kem_key), sizeof out->key);
    sp_encode_ml_kem(encoded, out->key);
    sign(responder, encoded, sizeof encoded, out->signature,
         is_hybrid ? pair->ml_dsa.kem_prekey_signature : NULL);
}

// The initial message of a handshake, with four bytes in it. Returns its length.
static size_t make_message(const struct bench_pair *pair, enum sp_suite suite,
                           uint8_t out[BENCH_MESSAGE_BYTES_MAX], uint8_t *kem_ciphertext)
{
    struct sp_initiate_job handshake = {
        .identity = &pair->initiator,
        .bundle = suite == SP_SUITE_PQXDH ? &pair->pqxdh : &pair->x3dh,
        .suite = suite,
        .ephemeral_secret = pair->ephemeral_secret,
        .kem_randomness = pair->kem_randomness,
    };
    struct sp_session session;
    struct sp_session_init_job init = {.session = &session,
                                       .handshake = &handshake.handshake,
                                       .initiator = true,
                                       .local = sp_identity_public(&pair->initiator),
                                       .remote = sp_identity_public(&pair->responder)};
    struct sp_initial_seal_job seal = {.session = &session,
                                       .handshake = &handshake,
                                       .in = (const uint8_t *)"seal",
                                       .len = 4,
                                       .out = out};
    const size_t len = seal.len + sp_initial_overhead_bytes(suite, false);

    BENCH_MICRO_NEED(len <= BENCH_MESSAGE_BYTES_MAX);
    sp_handshake_initiate_batch(&handshake, 1);
    BENCH_MICRO_NEED(handshake.result == 0);
    sp_session_init_batch(&init, 1);
    BENCH_MICRO_NEED(init.result == 0);
    sp_initial_seal_batch(&seal, 1);
    BENCH_MICRO_NEED(seal.result == 0);
    sp_session_free(&session);
    if (kem_ciphertext)
        memcpy(kem_ciphertext, handshake.kem_ciphertext, SP_ML_KEM_CIPHERTEXT_BYTES);
    return len;
}

static void make_pair(struct bench_pair *pair, uint64_t seed)
{
    make_identity(&pair->initiator, seed, false);
    make_identity(&pair->responder, seed + 10, false);
    make_identity(&pair->hybrid_initiator, seed + 20, true);
    make_identity(&pair->hybrid_responder, seed + 30, true);
    bench_micro_fill(pair->signed_prekey_secret, 32, seed + 40);
    bench_micro_fill(pair->one_time_prekey_secret, 32, seed + 50);
    bench_micro_fill(pair->ephemeral_secret, 32, seed + 60);
    bench_micro_fill(pair->kem_randomness, 32, seed + 70);
    bench_micro_fill(pair->kem_seed, sizeof pair->kem_seed, seed + 80);
    BENCH_MICRO_NEED(sp_ml_kem_key_init(&pair->kem_key, pair->kem_seed) == 0);
    make_bundle(pair, &pair->responder, &pair->x3dh);
    make_kem_prekey(pair, &pair->responder, &pair->kem_prekey);
    pair->pqxdh = pair->x3dh;
    pair->pqxdh.kem_prekey = &pair->kem_prekey;
    make_bundle(pair, &pair->hybrid_responder, &pair->hybrid);
    make_kem_prekey(pair, &pair->hybrid_responder, &pair->hybrid_kem_prekey);
    memcpy(pair->ml_dsa.key, sp_ml_dsa_key_public(&pair->hybrid_responder.ml_dsa),
           sizeof pair->ml_dsa.key);
    pair->hybrid.kem_prekey = &pair->hybrid_kem_prekey;
    pair->hybrid.ml_dsa = &pair->ml_dsa;
    pair->x3dh_message_len = make_message(pair, SP_SUITE_X3DH, pair->x3dh_message, NULL);
    pair->pqxdh_message_len =
        make_message(pair, SP_SUITE_PQXDH, pair->pqxdh_message, pair->kem_ciphertext);
}

static void make_pairs(void)
{
    pairs = bench_micro_alloc(BENCH_PAIRS, sizeof *pairs);
    for (unsigned i = 0; i < BENCH_PAIRS; i++)
        make_pair(&pairs[i], 100 * (i + 1));
}

static void free_pairs(void)
{
    for (unsigned i = 0; pairs && i < BENCH_PAIRS; i++) {
        sp_identity_free(&pairs[i].initiator);
        sp_identity_free(&pairs[i].responder);
        sp_identity_free(&pairs[i].hybrid_initiator);
        sp_identity_free(&pairs[i].hybrid_responder);
        sp_ml_kem_key_free(&pairs[i].kem_key);
    }
    free(pairs);
}

// ---- shared by the implementations --------------------------------------------------------------

struct bench_micro_cell *bench_handshake_prepare(const struct bench_micro_point *p)
{
    struct bench_handshake_cell *c = bench_micro_alloc(1, sizeof *c);

    if (!pairs)
        make_pairs();
    c->point = *p;
    c->pairs = pairs;
    c->outputs = bench_micro_alloc(p->slots, sizeof *c->outputs);
    c->cell = (struct bench_micro_cell){.output = (const uint8_t *)c->outputs,
                                        .output_len = p->slots * sizeof *c->outputs};
    return &c->cell;
}

void bench_handshake_finish(struct bench_micro_cell *cell)
{
    struct bench_handshake_cell *c = bench_handshake_of(cell);

    free(c->own);
    free(c->outputs);
    free(c);
}

static struct sp_hkdf_job hkdf_job(uint8_t out[32], const char *info, const uint8_t *input,
                                   size_t len)
{
    return (struct sp_hkdf_job){
        .salt = zero_salt,
        .salt_len = sizeof zero_salt,
        .ikm = input,
        .ikm_len = len,
        .info = (const uint8_t *)info,
        .info_len = strlen(info),
        .out = out,
        .out_len = 32,
    };
}

struct sp_hkdf_job bench_handshake_sk_job(uint8_t sk[32], bool is_pqxdh, const uint8_t *input,
                                          size_t len)
{
    return hkdf_job(sk, is_pqxdh ? "sealpost.v1_CURVE25519_SHA-256_ML-KEM-768" : "sealpost.v1 x3dh",
                    input, len);
}

struct sp_hkdf_job bench_handshake_header_job(uint8_t header_key[32], const uint8_t *input,
                                              size_t len)
{
    return hkdf_job(header_key, "sealpost.v1 header", input, len);
}

// ---- libsealcrypto ------------------------------------------------------------------------------

// Jobs for all slots, of the kind that the operation takes.
struct sealcrypto_jobs {
    struct sp_initiate_job *initiate;
    struct sp_respond_job *respond;
    struct sp_ml_kem_job *kem;
    struct sp_ml_dsa_job *ml_dsa;
    uint8_t (*ed25519)[32], (*x25519)[32];
    bool ok[BENCH_MICRO_BATCH_MAX];
};

static void add_initiate(struct bench_handshake_cell *c, struct sealcrypto_jobs *jobs, unsigned i)
{
    const struct bench_pair *pair = bench_handshake_pair(c, i);

    jobs->initiate[i] = (struct sp_initiate_job){
        .identity =
            c->point.op == BENCH_PQXDH_HYBRID_INITIATE ? &pair->hybrid_initiator : &pair->initiator,
        .bundle = bench_handshake_bundle(c, i),
        .suite = bench_handshake_is_pqxdh(c->point.op) ? SP_SUITE_PQXDH : SP_SUITE_X3DH,
        .ephemeral_secret = pair->ephemeral_secret,
        .kem_randomness = pair->kem_randomness,
    };
}

static void add_respond(struct bench_handshake_cell *c, struct sealcrypto_jobs *jobs, unsigned i)
{
    const struct bench_pair *pair = bench_handshake_pair(c, i);
    const bool is_pqxdh = c->point.op == BENCH_PQXDH_RESPOND;

    jobs->respond[i] = (struct sp_respond_job){
        .identity = &pair->responder,
        .suite = is_pqxdh ? SP_SUITE_PQXDH : SP_SUITE_X3DH,
        .message = is_pqxdh ? pair->pqxdh_message : pair->x3dh_message,
        .len = is_pqxdh ? pair->pqxdh_message_len : pair->x3dh_message_len,
        .signed_prekey_secret = pair->signed_prekey_secret,
        .one_time_prekey_secret = pair->one_time_prekey_secret,
        .kem_key = is_pqxdh ? &pair->kem_key : NULL,
    };
}

static void add_part(struct bench_handshake_cell *c, struct sealcrypto_jobs *jobs, unsigned i)
{
    const struct bench_pair *pair = bench_handshake_pair(c, i);
    struct bench_handshake_output *out = &c->outputs[i];

    memcpy(jobs->ed25519[i], pair->x3dh.identity_key, 32);
    jobs->kem[i] = (struct sp_ml_kem_job){
        .public_key = pair->kem_prekey.key,
        .key = &pair->kem_key,
        .randomness = pair->kem_randomness,
        .ciphertext = out->kem_ciphertext,
        .shared_secret = out->sk,
    };
    if (c->point.op == BENCH_ML_KEM_DECAPSULATE)
        memcpy(out->kem_ciphertext, pair->kem_ciphertext, sizeof out->kem_ciphertext);
    jobs->ml_dsa[i] = (struct sp_ml_dsa_job){
        .public_key = pair->ml_dsa.key,
        .message = pair->encoded_prekey,
        .message_len = sizeof pair->encoded_prekey,
        .signature = (uint8_t *)(uintptr_t)pair->ml_dsa.signed_prekey_signature, // read
    };
}

static struct bench_micro_cell *sealcrypto_prepare(const struct bench_micro_point *p)
{
    struct bench_micro_cell *cell = bench_handshake_prepare(p);
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct sealcrypto_jobs *jobs = bench_micro_alloc(1, sizeof *jobs);

    c->own = jobs;
    jobs->initiate = bench_micro_alloc(p->slots, sizeof *jobs->initiate);
    jobs->respond = bench_micro_alloc(p->slots, sizeof *jobs->respond);
    jobs->kem = bench_micro_alloc(p->slots, sizeof *jobs->kem);
    jobs->ml_dsa = bench_micro_alloc(p->slots, sizeof *jobs->ml_dsa);
    jobs->ed25519 = bench_micro_alloc(p->slots, sizeof *jobs->ed25519);
    jobs->x25519 = bench_micro_alloc(p->slots, sizeof *jobs->x25519);
    for (unsigned i = 0; i < p->slots; i++) {
        add_initiate(c, jobs, i);
        add_respond(c, jobs, i);
        add_part(c, jobs, i);
    }
    return cell;
}

static void sealcrypto_finish(struct bench_micro_cell *cell)
{
    struct sealcrypto_jobs *jobs = bench_handshake_of(cell)->own;

    free(jobs->initiate);
    free(jobs->respond);
    free(jobs->kem);
    free(jobs->ml_dsa);
    free(jobs->ed25519);
    free(jobs->x25519);
    bench_handshake_finish(cell);
}

static void keep(struct bench_handshake_output *out, const struct sp_handshake *handshake,
                 const uint8_t key[32])
{
    memcpy(out->sk, handshake->sk, 32);
    memcpy(out->header_key, handshake->header_key, 32);
    memcpy(out->key, key, 32);
    memcpy(out->ad, handshake->ad, handshake->ad_len);
}

static bool sealcrypto_initiate(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct sealcrypto_jobs *jobs = c->own;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_handshake_next_slots(c);

        sp_handshake_initiate_batch(jobs->initiate + slot, c->point.batch);
        for (unsigned i = slot; i < slot + c->point.batch; i++) {
            const struct sp_initiate_job *job = &jobs->initiate[i];

            good &= job->result == 0;
            keep(&c->outputs[i], &job->handshake, job->ephemeral_public);
            memcpy(c->outputs[i].kem_ciphertext, job->kem_ciphertext, sizeof job->kem_ciphertext);
        }
    }
    return good;
}

static bool sealcrypto_respond(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct sealcrypto_jobs *jobs = c->own;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_handshake_next_slots(c);

        sp_handshake_respond_batch(jobs->respond + slot, c->point.batch);
        for (unsigned i = slot; i < slot + c->point.batch; i++) {
            good &= jobs->respond[i].result == 0;
            keep(&c->outputs[i], &jobs->respond[i].handshake, jobs->respond[i].initiator_ed25519);
        }
    }
    return good;
}

static bool sealcrypto_map(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct sealcrypto_jobs *jobs = c->own;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_handshake_next_slots(c);

        good &= sp_ed25519_public_to_x25519_batch(jobs->x25519 + slot,
                                                  (const uint8_t(*)[32])jobs->ed25519 + slot,
                                                  c->point.batch, jobs->ok);
        for (unsigned i = slot; i < slot + c->point.batch; i++)
            memcpy(c->outputs[i].key, jobs->x25519[i], 32);
    }
    return good;
}

static bool sealcrypto_encapsulate(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct sealcrypto_jobs *jobs = c->own;
    bool good = true;

    for (; calls > 0; calls--)
        good &= sp_ml_kem_encapsulate_batch(jobs->kem + bench_handshake_next_slots(c),
                                            c->point.batch, jobs->ok);
    return good;
}

static bool sealcrypto_decapsulate(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct sealcrypto_jobs *jobs = c->own;
    bool good = true;

    for (; calls > 0; calls--)
        good &= sp_ml_kem_decapsulate_batch(jobs->kem + bench_handshake_next_slots(c),
                                            c->point.batch, jobs->ok);
    return good;
}

static bool sealcrypto_verify(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    struct sealcrypto_jobs *jobs = c->own;
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_handshake_next_slots(c);

        good &= sp_ml_dsa_verify_batch(jobs->ml_dsa + slot, c->point.batch, jobs->ok);
        for (unsigned i = 0; i < c->point.batch; i++)
            c->outputs[slot + i].is_verified = jobs->ok[i];
    }
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
    .prepare = sealcrypto_prepare,
    .run = {[BENCH_X3DH_INITIATE] = sealcrypto_initiate,
            [BENCH_X3DH_RESPOND] = sealcrypto_respond,
            [BENCH_PQXDH_INITIATE] = sealcrypto_initiate,
            [BENCH_PQXDH_RESPOND] = sealcrypto_respond,
            [BENCH_PQXDH_HYBRID_INITIATE] = sealcrypto_initiate,
            [BENCH_ED25519_TO_X25519] = sealcrypto_map,
            [BENCH_ML_KEM_ENCAPSULATE] = sealcrypto_encapsulate,
            [BENCH_ML_KEM_DECAPSULATE] = sealcrypto_decapsulate,
            [BENCH_ML_DSA_VERIFY] = sealcrypto_verify},
    .finish = sealcrypto_finish,
};

// ---- the subject --------------------------------------------------------------------------------

static const struct bench_micro_impl *const impls[] = {&sealcrypto, &bench_handshake_evp,
                                                       &bench_handshake_libsodium};

// "bytes" is what comes out: a shared key; of a verification, what is signed.
#define OP(name, index, bytes)                                                                     \
    {                                                                                              \
        name, index, {bytes}, impls, COUNT_OF(impls)                                               \
    }
static const struct bench_micro_op op_table[] = {
    OP("x3dh_initiate", BENCH_X3DH_INITIATE, 32),
    OP("x3dh_respond", BENCH_X3DH_RESPOND, 32),
    OP("pqxdh_initiate", BENCH_PQXDH_INITIATE, 32),
    OP("pqxdh_respond", BENCH_PQXDH_RESPOND, 32),
    OP("pqxdh_hybrid_initiate", BENCH_PQXDH_HYBRID_INITIATE, 32),
    OP("ed25519_to_x25519", BENCH_ED25519_TO_X25519, 32),
    OP("ml_kem_768_encapsulate", BENCH_ML_KEM_ENCAPSULATE, 32),
    OP("ml_kem_768_decapsulate", BENCH_ML_KEM_DECAPSULATE, 32),
    OP("ml_dsa_65_verify", BENCH_ML_DSA_VERIFY, SP_ENCODED_KEY_BYTES),
};

int bench_handshake_main(int argc, char **argv)
{
    static const struct bench_micro_op *const ops[] = {
        &op_table[BENCH_X3DH_INITIATE],
        &op_table[BENCH_X3DH_RESPOND],
        &op_table[BENCH_PQXDH_INITIATE],
        &op_table[BENCH_PQXDH_RESPOND],
        &op_table[BENCH_PQXDH_HYBRID_INITIATE],
        &bench_ed25519_prekey_op,
        &op_table[BENCH_ED25519_TO_X25519],
        &bench_x25519_ops[1],
        &bench_x25519_ops[0],
        &bench_hkdf_ops[0],
        &op_table[BENCH_ML_KEM_ENCAPSULATE],
        &op_table[BENCH_ML_KEM_DECAPSULATE],
        &op_table[BENCH_ML_DSA_VERIFY],
    };
    static const struct bench_micro_subject subject = {
        .doc = "Measure handshakes with a one-time prekey: libsealcrypto beside the same work "
               "composed of OpenSSL alone (evp) and of libsodium alone, which has no PQXDH.\v"
               "Handshakes: x3dh_initiate, x3dh_respond, pqxdh_initiate, pqxdh_respond, and "
               "pqxdh_hybrid_initiate, with an ML-DSA-65 identity beside the Ed25519 one. An "
               "initiation is made of ed25519_verify (PQXDH: 2), ed25519_to_x25519, x25519_base, 4 "
               "x25519, 2 derivations like hkdf_x3dh, PQXDH ml_kem_768_encapsulate, hybrid 2 "
               "ml_dsa_65_verify; a response of 4 x25519, ed25519_to_x25519, 2 derivations, PQXDH "
               "ml_kem_768_decapsulate. Own secrets are prepared beforehand for everyone. Exit "
               "codes: 0 pass, 1 an implementation failed or disagreed, 104 bad command line, 105 "
               "interrupted.",
        .unit = "operation",
        .ops = ops,
        .op_count = COUNT_OF(ops),
    };
    int code = bench_micro_main(&subject, argc, argv);

    free_pairs();
    return code;
}
