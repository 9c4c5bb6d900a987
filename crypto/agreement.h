// What both sides of X3DH and PQXDH compute alike: Diffie-Hellman and key derivation. A chunk of
// handshakes goes through it phase by phase, so that each call underneath gets as many lanes as
// there are. Source: docs/PROTOCOL.md section 5.
#ifndef SEALCRYPTO_AGREEMENT_H
#define SEALCRYPTO_AGREEMENT_H

#include "sealcrypto.h"

#define SP_AGREEMENTS 16u // handshakes in a chunk: as many as the widest hash has lanes

// Where things stand in sp_handshake.ad.
#define SP_AD_INITIATOR_AT 0u
#define SP_AD_RESPONDER_AT SP_ENCODED_KEY_BYTES
#define SP_AD_KEM_AT (2u * SP_ENCODED_KEY_BYTES)

enum sp_dh { SP_DH1, SP_DH2, SP_DH3, SP_DH4, SP_DH_MAX };

// One handshake. Secret.
struct sp_agreement {
    struct sp_handshake *handshake; // out: sk, header_key
    int *result;                    // a handshake that met an error takes no further part
    size_t dh_count;                // 3; 4 with a one-time prekey
    // 0xFF × 32 ‖ DH1 ‖ DH2 ‖ DH3 [‖ DH4] [‖ SS]: what SK is derived from.
    uint8_t input[1 + SP_DH_MAX + 1][32];
    uint8_t header_input[2][32]; // DH3 [‖ SS]
};

// A curve operation: out of which secret and point, and where to.
struct sp_exchange {
    uint8_t secret[SP_AGREEMENTS * SP_DH_MAX][32];
    uint8_t point[SP_AGREEMENTS * SP_DH_MAX][32];
    uint8_t shared[SP_AGREEMENTS * SP_DH_MAX][32];
    bool ok[SP_AGREEMENTS * SP_DH_MAX];
    struct sp_agreement *agreement[SP_AGREEMENTS * SP_DH_MAX];
    enum sp_dh number[SP_AGREEMENTS * SP_DH_MAX];
    size_t count; // 0 to begin with
};

// Holds secrets, ≈ 13 KB: whoever has it wipes it as a whole.
struct sp_agreements {
    struct sp_agreement of[SP_AGREEMENTS];
    size_t count;
    struct sp_exchange exchange;
};

void sp_agreement_begin(struct sp_agreement *a, struct sp_handshake *handshake, enum sp_suite suite,
                        bool has_one_time_prekey, int *result);
// Where the KEM's shared secret goes; PQXDH only.
uint8_t *sp_agreement_shared_secret(struct sp_agreement *a);

void sp_exchange_add(struct sp_exchange *x, struct sp_agreement *a, enum sp_dh number,
                     const uint8_t secret[32], const uint8_t point[32]);
// Compute what was added. An all-zero DH makes its *result SP_HANDSHAKE_POINT.
void sp_exchange_run(struct sp_exchange *x);

// Derive header_key (from DH3 and SS), sk (from all) of every handshake without an error. *result
// may become -EIO.
void sp_agreements_derive_header_keys(struct sp_agreements *c);
void sp_agreements_derive_secrets(struct sp_agreements *c);

#endif
