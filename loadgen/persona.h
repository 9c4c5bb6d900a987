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

struct persona_one_time {
    uint32_t id; // 0: none
    uint8_t secret[32];
};

struct persona {
    char name[PERSONA_NAME_BYTES];
    uint8_t seed[32], key[32];
    uint8_t mailbox[SP_MAILBOX_BYTES];
    uint8_t signed_prekey_secret[32], signed_prekey[32], signed_prekey_signature[64];
    struct persona_one_time *one_time; // ring by id; NULL until the first are made
    uint32_t one_time_last_id;
    uint32_t one_time_stock; // made and not used
    uint32_t one_time_mask;
};

// Make the identity of user `number` of run `run_id`. Errors: -EIO.
NODISCARD int persona_init(struct persona *p, uint64_t run_id, uint32_t number);
// Wipes.
void persona_free(struct persona *p);
// Make the signed prekey; `one_time_max` (a power of two up to PERSONA_ONE_TIME_MAX) one-time
// secrets can be kept. Errors: -EIO, -ENOMEM.
NODISCARD int persona_make_signed_prekey(struct persona *p, uint32_t one_time_max);
// Make `count` one-time prekeys with ids from *first_id on. Errors: -EIO.
NODISCARD int persona_make_one_time(struct persona *p, uint8_t (*keys)[32], uint32_t count,
                                    uint32_t *first_id);
// The secret of a one-time prekey, NULL when there is none (any more).
const uint8_t *persona_find_one_time(const struct persona *p, uint32_t id);
// Used: wipe it.
void persona_drop_one_time(struct persona *p, uint32_t id);
// Sign `verb` over the relay's challenge. Errors: -EIO.
NODISCARD int persona_sign_login(const struct persona *p, const char *verb,
                                 const uint8_t challenge[32], uint8_t signature[64]);

#endif
