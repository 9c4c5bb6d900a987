// What the implementations of the handshake benchmark share: the parties, the operations, a cell.
#ifndef SEALPOST_BENCH_HANDSHAKE_H
#define SEALPOST_BENCH_HANDSHAKE_H

#include "bench_micro.h"
#include "sealcrypto.h"

// Whole handshakes, then parts of them that no other subject measures.
enum bench_handshake_op {
    BENCH_X3DH_INITIATE,
    BENCH_X3DH_RESPOND,
    BENCH_PQXDH_INITIATE,
    BENCH_PQXDH_RESPOND,
    BENCH_PQXDH_HYBRID_INITIATE,
    BENCH_ED25519_TO_X25519,
    BENCH_ML_KEM_ENCAPSULATE,
    BENCH_ML_KEM_DECAPSULATE,
    BENCH_ML_DSA_VERIFY,
    BENCH_HANDSHAKE_OPS
};

#define BENCH_PAIRS 8u // slots take turns with them
#define BENCH_MESSAGE_BYTES_MAX 2048u

// Both parties of a handshake, with all that either needs; both identities are of Ed25519 alone
// except where it says hybrid.
struct bench_pair {
    struct sp_identity initiator, responder, hybrid_initiator, hybrid_responder;
    uint8_t signed_prekey_secret[32], one_time_prekey_secret[32];
    uint8_t kem_seed[SP_ML_KEM_SEED_BYTES];
    struct sp_ml_kem_key kem_key;
    struct sp_kem_prekey kem_prekey, hybrid_kem_prekey; // the same key, signed by each responder
    struct sp_ml_dsa_bundle ml_dsa;
    struct sp_bundle x3dh, pqxdh, hybrid; // one-time prekey used in all
    uint8_t ephemeral_secret[32], kem_randomness[32];
    uint8_t encoded_prekey[SP_ENCODED_KEY_BYTES]; // what the responder signed
    uint8_t kem_ciphertext[SP_ML_KEM_CIPHERTEXT_BYTES];
    uint8_t x3dh_message[BENCH_MESSAGE_BYTES_MAX], pqxdh_message[BENCH_MESSAGE_BYTES_MAX];
    size_t x3dh_message_len, pqxdh_message_len;
};

// What one operation gives; what it does not is zero.
struct bench_handshake_output {
    uint8_t sk[32];
    uint8_t header_key[32];
    uint8_t key[32]; // initiating: the ephemeral public key; responding: who the initiator is
    uint8_t ad[SP_HANDSHAKE_AD_BYTES];
    uint8_t kem_ciphertext[SP_ML_KEM_CIPHERTEXT_BYTES];
    bool is_verified;
};

struct bench_handshake_cell {
    struct bench_micro_cell cell;
    struct bench_micro_point point;
    unsigned slot;
    const struct bench_pair *pairs; // slot i has pairs[i % BENCH_PAIRS]
    struct bench_handshake_output *outputs;
    void *own; // of the implementation
};

static inline struct bench_handshake_cell *bench_handshake_of(struct bench_micro_cell *cell)
{
    return CONTAINER_OF(cell, struct bench_handshake_cell, cell);
}

static inline unsigned bench_handshake_next_slots(struct bench_handshake_cell *c)
{
    unsigned slot = c->slot;

    c->slot += c->point.batch;
    if (c->slot == c->point.slots)
        c->slot = 0;
    return slot;
}

static inline const struct bench_pair *bench_handshake_pair(const struct bench_handshake_cell *c,
                                                            unsigned slot)
{
    return &c->pairs[slot % BENCH_PAIRS];
}

static inline bool bench_handshake_is_pqxdh(unsigned op)
{
    return op == BENCH_PQXDH_INITIATE || op == BENCH_PQXDH_RESPOND ||
           op == BENCH_PQXDH_HYBRID_INITIATE;
}

static inline const struct sp_bundle *bench_handshake_bundle(const struct bench_handshake_cell *c,
                                                             unsigned slot)
{
    const struct bench_pair *pair = bench_handshake_pair(c, slot);

    return c->point.op == BENCH_X3DH_INITIATE    ? &pair->x3dh
           : c->point.op == BENCH_PQXDH_INITIATE ? &pair->pqxdh
                                                 : &pair->hybrid;
}

struct bench_micro_cell *bench_handshake_prepare(const struct bench_micro_point *p);
void bench_handshake_finish(struct bench_micro_cell *cell);

// docs/PROTOCOL.md section 5: the two derivations of a handshake. `input` is 0xFF × 32 ‖ DH1 ‖ … [‖
// SS] for SK, DH3 [‖ SS] for the header key.
struct sp_hkdf_job bench_handshake_sk_job(uint8_t sk[32], bool is_pqxdh, const uint8_t *input,
                                          size_t len);
struct sp_hkdf_job bench_handshake_header_job(uint8_t header_key[32], const uint8_t *input,
                                              size_t len);

// docs/PROTOCOL.md section 6: an initial message of an Ed25519 identity with a one-time prekey.
#define BENCH_INITIAL_EPHEMERAL_AT 12u
#define BENCH_INITIAL_KEM_CIPHERTEXT_AT 48u
#define BENCH_INITIAL_X3DH_IDENTITY_AT 44u
#define BENCH_INITIAL_PQXDH_IDENTITY_AT 1136u

extern const struct bench_micro_impl bench_handshake_evp, bench_handshake_libsodium;

#endif
