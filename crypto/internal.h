// What the files of libsealcrypto share and nobody else sees.
#ifndef SEALCRYPTO_INTERNAL_H
#define SEALCRYPTO_INTERNAL_H

#include "sealcrypto.h"

#define SP_AD_BYTES 41u      // sender 16, recipient 16, kind 1, counter 8
#define SP_X3DH_AD_BYTES 66u // two encoded keys

enum sp_kind { SP_KIND_INITIAL = 1, SP_KIND_SESSION = 2 };

// Fetch the cipher of the portable tier. Called by sp_init only, under its lock.
// Errors: -EIO.
SP_MUST_CHECK int sp_aead_init_portable(void);

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
