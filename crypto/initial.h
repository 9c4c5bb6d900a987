// The layout of the initial message, for those who take one apart. Source: docs/PROTOCOL.md
// section 6.
#ifndef SEALCRYPTO_INITIAL_H
#define SEALCRYPTO_INITIAL_H

#include "sealcrypto.h"

#define SP_INITIAL_CLEAR_MAX_BYTES (48u + SP_ML_KEM_CIPHERTEXT_BYTES)

// Of a hybrid initiator the sealed identity's plaintext, as it stands there; of another one its
// first field.
struct sp_initial_identity {
    uint8_t ed25519[32];
    uint8_t ml_dsa_65[SP_ML_DSA_PUBLIC_BYTES];
    uint8_t ed25519_signature[SP_SIGNATURE_BYTES];
    uint8_t ml_dsa_65_signature[SP_ML_DSA_SIGNATURE_BYTES];
};
_Static_assert(sizeof(struct sp_initial_identity) == 5357, "one run of bytes");

// Where the ciphertext of PQXDH stands, for a job that only reads it.
uint8_t *sp_initial_kem_ciphertext(const uint8_t *message);

// The AEAD job that opens the identity of a message that was decoded, into `out`: 32 bytes, of a
// hybrid initiator a whole struct sp_initial_identity. It borrows all it gets.
struct sp_aead_job sp_initial_identity_job(const struct sp_initial_header *header,
                                           const uint8_t *message, const uint8_t header_key[32],
                                           void *out);

// Are the secrets of prekeys still there? False for one that sp_initial_open_batch has destroyed;
// NULL means that none is wanted.
SP_MUST_CHECK bool sp_initial_has_secrets(const uint8_t *one_time_prekey_secret,
                                          const struct sp_ml_kem_key *kem_key);

// What a hybrid initiator signs; `message` begins with the clear part. Returns the length.
#define SP_TRANSCRIPT_MAX_BYTES                                                                    \
    (22u + SP_INITIAL_CLEAR_MAX_BYTES + SP_HANDSHAKE_AD_BYTES + 2u * SP_MAILBOX_BYTES)
size_t sp_transcript_encode(uint8_t out[SP_TRANSCRIPT_MAX_BYTES], const uint8_t *message,
                            const struct sp_handshake *handshake,
                            const uint8_t initiator[SP_MAILBOX_BYTES],
                            const uint8_t responder[SP_MAILBOX_BYTES]);

#endif
