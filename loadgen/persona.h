// A simulated user: name, identity key, signed prekey, one-time prekeys. Everything is random and
// lives as long as the run. Thread: one owner.
#ifndef SEALPOST_PERSONA_H
#define SEALPOST_PERSONA_H

#include <stdbool.h>
#include <stdint.h>

#include "sealcrypto.h"
#include "units.h"

#define PERSONA_NAME_BYTES 33u // 32 and the terminating zero
// One-time prekeys whose secrets are kept: more than the relay's stock (100) and what is under way.
#define PERSONA_ONE_TIME_MAX 256u
#define PERSONA_BATCH_MAX 64u // one-time prekeys made at once
#define PERSONA_SIGNED_PREKEY_ID 1u
// The same for KEM prekeys (the relay keeps 20). Each costs a public key of 1,184 B in a message,
// and 3,309 B more with a hybrid identity.
#define PERSONA_KEM_MAX 64u
#define PERSONA_KEM_BATCH_MAX 4u
#define PERSONA_LAST_RESORT_ID 1u // one-time KEM prekeys come after it

struct persona_one_time {
    uint32_t id; // 0: none
    uint8_t secret[32];
};

struct persona_one_time_kem {
    uint32_t id; // 0: none
    uint8_t seed[SP_ML_KEM_SEED_BYTES];
};

// A KEM prekey as it is published; the second signature only with a hybrid identity.
struct persona_kem_prekey {
    struct sp_kem_prekey prekey;
    uint8_t ml_dsa_65_signature[SP_ML_DSA_SIGNATURE_BYTES];
};

// What only hybrid identities and PQXDH need.
struct persona_pq {
    uint8_t signed_prekey_signature[SP_ML_DSA_SIGNATURE_BYTES];
    struct sp_ml_kem_key last_resort_key;
    struct persona_kem_prekey last_resort;
    struct persona_one_time_kem one_time[PERSONA_KEM_MAX]; // ring by id
    uint32_t last_id;
    uint32_t stock; // made and not used
};

struct persona {
    char name[PERSONA_NAME_BYTES];
    uint8_t mailbox[SP_MAILBOX_BYTES];
    struct sp_identity identity;
    uint8_t signed_prekey_secret[32], signed_prekey[32], signed_prekey_signature[64];
    struct persona_one_time *one_time; // ring by id; NULL until the first are made
    uint32_t one_time_last_id;
    uint32_t one_time_stock; // made and not used
    uint32_t one_time_mask;
    struct persona_pq *pq; // NULL with X3DH and Ed25519 alone
};

// Signatures over the same bytes, as many as the identity has keys.
struct persona_signatures {
    uint8_t ed25519[64];
    uint8_t ml_dsa_65[SP_ML_DSA_SIGNATURE_BYTES];
};

// Make the identity of user `number` of run `run_id`. Errors: -EIO, -ENOMEM.
NODISCARD int persona_init(struct persona *p, uint64_t run_id, uint32_t number, bool is_hybrid);
// Wipes.
void persona_free(struct persona *p);
// Make the signed prekey, and the last-resort KEM prekey for PQXDH; `one_time_max` (a power of two
// up to PERSONA_ONE_TIME_MAX) one-time secrets can be kept. Errors: -EIO, -ENOMEM.
NODISCARD int persona_make_prekeys(struct persona *p, enum sp_suite suite, uint32_t one_time_max);
// Make `count` one-time prekeys with ids from *first_id on. Errors: -EIO.
NODISCARD int persona_make_one_time(struct persona *p, uint8_t (*keys)[32], uint32_t count,
                                    uint32_t *first_id);
// The secret of a one-time prekey, NULL when there is none (any more).
uint8_t *persona_find_one_time(struct persona *p, uint32_t id);
// Used: wipe it.
void persona_drop_one_time(struct persona *p, uint32_t id);
// Make `count` ≤ PERSONA_KEM_BATCH_MAX one-time KEM prekeys. Errors: -EIO, -ENOMEM.
NODISCARD int persona_make_one_time_kem(struct persona *p, struct persona_kem_prekey *out,
                                        uint32_t count);
// The private key of a KEM prekey. A one-time one is expanded into `room`, to be freed by the
// caller. NULL when there is none (any more), or no memory.
const struct sp_ml_kem_key *persona_find_kem(const struct persona *p, uint32_t id,
                                             struct sp_ml_kem_key *room);
// Used: wipe it. Nothing happens to the last-resort one.
void persona_drop_kem(struct persona *p, uint32_t id);
// Sign `verb` over the relay's challenge. Errors: -EIO.
NODISCARD int persona_sign_login(const struct persona *p, const char *verb,
                                 const uint8_t challenge[32], struct persona_signatures *out);

static inline bool persona_is_hybrid(const struct persona *p)
{
    return p->identity.ml_dsa.state != NULL;
}

#endif
