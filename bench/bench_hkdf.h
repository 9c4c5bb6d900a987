// HKDF-SHA-256 by the peers, for the benchmark of its own and for handshakes.
#ifndef SEALPOST_BENCH_HKDF_H
#define SEALPOST_BENCH_HKDF_H

#include <openssl/kdf.h>

#include "sealcrypto.h"

// OpenSSL at its best: one context, which keeps the digest and the salt of 32 zero bytes (the job's
// own is not looked at); a derivation replaces input and information.
EVP_KDF_CTX *bench_hkdf_evp_create(void);
bool bench_hkdf_evp(EVP_KDF_CTX *kdf, const struct sp_hkdf_job *job);

// libsodium 1.0.18 has HMAC only. At its best: the state of the pseudorandom key is made once and
// copied for each block of output.
void bench_hkdf_sodium(const struct sp_hkdf_job *job);

#endif
