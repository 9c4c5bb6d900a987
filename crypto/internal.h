// What the files of libsealcrypto share and nobody else sees.
#ifndef SEALCRYPTO_INTERNAL_H
#define SEALCRYPTO_INTERNAL_H

#include "sealcrypto.h"

#define SP_AD_BYTES 41u      // sender 16, recipient 16, kind 1, counter 8
#define SP_X3DH_AD_BYTES 66u // two encoded keys

enum sp_kind { SP_KIND_INITIAL = 1, SP_KIND_SESSION = 2 };

// One implementation of AES-256-GCM. Each call is the contract of the sp_aead_ function it stands
// behind; free_key gets a key that holds a state.
struct sp_aead_tier {
    int (*init)(void); // by sp_init only, under its lock
    int (*init_key)(struct sp_aead_key *key, const uint8_t raw[SP_KEY_BYTES]);
    void (*free_key)(struct sp_aead_key *key);
    int (*seal_batch)(const struct sp_aead_job *jobs, size_t count);
    bool (*open_batch)(const struct sp_aead_job *jobs, size_t count, bool *ok);
};
extern const struct sp_aead_tier sp_aead_portable, sp_aead_avx512;

// Does this CPU, and the kernel, have all that sp_aead_avx512 is made of?
SP_MUST_CHECK bool sp_aead_has_avx512(void);

// Start a tier and use it from now on. Called by sp_init only, under its lock, once with success.
// Errors: -EIO.
SP_MUST_CHECK int sp_aead_init(const struct sp_aead_tier *tier);

// nonce = 4 zero bytes ‖ counter (u64, big-endian). Source: docs/PROTOCOL.md section 6.
void sp_nonce_encode(uint8_t nonce[SP_NONCE_BYTES], uint64_t counter);

// Associated data of a message. Source: docs/PROTOCOL.md section 6.
void sp_ad_encode(uint8_t ad[SP_AD_BYTES], const uint8_t sender[SP_MAILBOX_BYTES],
                  const uint8_t recipient[SP_MAILBOX_BYTES], enum sp_kind kind, uint64_t counter);

// The replay window: is this counter still acceptable?
SP_MUST_CHECK bool sp_window_accepts(const struct sp_session *s, uint64_t counter);
// Mark an acceptable counter, after its message opened.
void sp_window_mark(struct sp_session *s, uint64_t counter);

#endif
