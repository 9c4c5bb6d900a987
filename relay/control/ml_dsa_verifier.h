// ML-DSA-65 signatures (FIPS 204, pure, empty context) verified, by OpenSSL. One takes 0.17 ms.
// Thread: the one that made it; the control thread here.
#ifndef SEALPOST_ML_DSA_VERIFIER_H
#define SEALPOST_ML_DSA_VERIFIER_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "units.h"

#define ML_DSA_65_KEY_BYTES 1952u
#define ML_DSA_65_SIGNATURE_BYTES 3309u

struct ml_dsa_verifier {
    EVP_SIGNATURE *algorithm;
};

// Errors: -ENOTSUP: OpenSSL's providers have no ML-DSA-65.
NODISCARD int ml_dsa_verifier_init(struct ml_dsa_verifier *v);
void ml_dsa_verifier_free(struct ml_dsa_verifier *v);
// Errors: -EBADMSG: it does not verify; -ENOMEM: that could not be found out.
NODISCARD int ml_dsa_verifier_check(const struct ml_dsa_verifier *v,
                                    const uint8_t signature[ML_DSA_65_SIGNATURE_BYTES],
                                    const uint8_t *message, size_t len,
                                    const uint8_t key[ML_DSA_65_KEY_BYTES]);

#endif
