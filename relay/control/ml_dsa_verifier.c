// The verifier: the algorithm fetched once, each key imported for its one signature. Control
// thread. Never keeps a key: OpenSSL's form of one is several times its size.
#include <errno.h>

#include "ml_dsa_verifier.h"

#define ALGORITHM "ML-DSA-65"

int ml_dsa_verifier_init(struct ml_dsa_verifier *v)
{
    v->algorithm = EVP_SIGNATURE_fetch(NULL, ALGORITHM, NULL);
    return v->algorithm ? 0 : -ENOTSUP;
}

void ml_dsa_verifier_free(struct ml_dsa_verifier *v)
{
    EVP_SIGNATURE_free(v->algorithm);
    v->algorithm = NULL;
}

// Every string of the right length is a public key (FIPS 204 algorithm 23), so what fails before
// the verification is memory.
int ml_dsa_verifier_check(const struct ml_dsa_verifier *v,
                          const uint8_t signature[ML_DSA_65_SIGNATURE_BYTES],
                          const uint8_t *message, size_t len,
                          const uint8_t key[ML_DSA_65_KEY_BYTES])
{
    EVP_PKEY *imported =
        EVP_PKEY_new_raw_public_key_ex(NULL, ALGORITHM, NULL, key, ML_DSA_65_KEY_BYTES);
    EVP_PKEY_CTX *context = imported ? EVP_PKEY_CTX_new_from_pkey(NULL, imported, NULL) : NULL;
    int result = -ENOMEM;

    if (context && EVP_PKEY_verify_message_init(context, v->algorithm, NULL) == 1)
        result = EVP_PKEY_verify(context, signature, ML_DSA_65_SIGNATURE_BYTES, message, len) == 1
                     ? 0
                     : -EBADMSG;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(imported);
    return result;
}
