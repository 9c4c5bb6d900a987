// Signatures by identities, gathered, then verified at once. In a hybrid identity both keys sign
// the same bytes, and both signatures must verify: this file is where that holds.
#ifndef SEALCRYPTO_SIGNATURES_H
#define SEALCRYPTO_SIGNATURES_H

#include "sealcrypto.h"

#define SP_SIGNATURES_MAX 32u

struct sp_signatures {
    struct sp_ed25519_job ed25519[SP_SIGNATURES_MAX];
    struct sp_ml_dsa_job ml_dsa[SP_SIGNATURES_MAX];
    int *ed25519_result[SP_SIGNATURES_MAX], *ml_dsa_result[SP_SIGNATURES_MAX];
    size_t ed25519_count, ml_dsa_count; // 0 to begin with
};

// A message by `signer`, with its signatures; that of ML-DSA is looked at if the signer is hybrid.
// All is borrowed until sp_signatures_verify.
void sp_signatures_add(struct sp_signatures *s, struct sp_identity_key signer,
                       const uint8_t *message, size_t message_len,
                       const uint8_t ed25519_signature[SP_SIGNATURE_BYTES],
                       const uint8_t *ml_dsa_signature, int *result);
// Where a signature does not verify, its *result becomes SP_HANDSHAKE_SIGNATURE.
void sp_signatures_verify(struct sp_signatures *s);

#endif
