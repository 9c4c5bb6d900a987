// The operations that have a subject of their own and are parts of a handshake as well.
#ifndef SEALPOST_BENCH_MICRO_OPS_H
#define SEALPOST_BENCH_MICRO_OPS_H

#include "bench_micro.h"

extern const struct bench_micro_op bench_x25519_ops[2];     // x25519, x25519_base
extern const struct bench_micro_op bench_ed25519_ops[2];    // ed25519_verify, ed25519_sign
extern const struct bench_micro_op bench_ed25519_prekey_op; // ed25519_verify, 33 bytes only
extern const struct bench_micro_op bench_hkdf_ops[2];       // hkdf_x3dh, hkdf_session

#endif
