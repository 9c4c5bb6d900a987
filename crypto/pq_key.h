// A private key of the post-quantum kind, as OpenSSL holds it, with its public half beside it.
#ifndef SEALCRYPTO_PQ_KEY_H
#define SEALCRYPTO_PQ_KEY_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "sealcrypto.h"

struct sp_pq_key {
    EVP_PKEY *pair;
    size_t public_len;
    uint8_t public_key[];
};

// Expand the seed that is the private key. `algorithm` must have been fetched before: then what
// does not come is for want of memory. Allocates. Errors: -ENOMEM, -EIO; *out is then NULL.
SP_MUST_CHECK int sp_pq_key_create(struct sp_pq_key **out, const char *algorithm,
                                   const uint8_t *seed, size_t seed_len, size_t public_len);
void sp_pq_key_destroy(struct sp_pq_key *key); // wipes; NULL is fine

#endif
