// Scalars of Ed25519: numbers modulo L = 2^252 + 27742317777372353535851937790883648493, the order
// of the base point. In constant time but for what says otherwise.
#ifndef SEALCRYPTO_SC25519_H
#define SEALCRYPTO_SC25519_H

#include <stdbool.h>
#include <stdint.h>

// out = in modulo L, below L. Numbers are little-endian; any 512 bits will do.
void sp_sc25519_reduce(uint8_t out[32], const uint8_t in[64]);

// out = (a·b + c) modulo L, below L, of any 256 bits each. out may be any of the others.
void sp_sc25519_multiply_add(uint8_t out[32], const uint8_t a[32], const uint8_t b[32],
                             const uint8_t c[32]);

// Is a number of a peer's below L? Variable time: it stands in a signature.
bool sp_sc25519_is_canonical(const uint8_t in[32]);

#endif
