// Control messages as a client writes and reads them: JSON in and out. Pure, no I/O.
// Source: docs/PROTOCOL.md section 3.
#ifndef SEALPOST_USER_CONTROL_H
#define SEALPOST_USER_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "persona.h"
#include "sealcrypto.h"
#include "units.h"

// What an encoder writes at most: with X3DH and Ed25519 alone, and with post-quantum keys.
#define USER_CONTROL_CLASSIC_MAX_BYTES 7936u
#define USER_CONTROL_MAX_BYTES (48u * KIB)
#define USER_CONTROL_ACK_MAX 256u // message ids in one ack
#define USER_CONTROL_CODE_BYTES 32u
#define USER_CONTROL_SCRATCH_BYTES (64u * KIB)

enum user_control_type {
    USER_CONTROL_HELLO,
    USER_CONTROL_REGISTERED,
    USER_CONTROL_LOGGED_IN,
    USER_CONTROL_PUBLISHED,
    USER_CONTROL_PREKEYS_LOW,
    USER_CONTROL_BUNDLE,
    USER_CONTROL_ACCEPTED,
    USER_CONTROL_ERROR,
    USER_CONTROL_OTHER, // well-formed, of no interest here
};

struct user_control {
    enum user_control_type type;
    uint8_t challenge[32];              // hello
    uint32_t envelope_bytes;            // hello
    uint32_t one_time_prekeys;          // hello: the limit; published: the stock
    uint32_t one_time_kem_prekeys;      // hello: the limit
    struct sp_bundle_storage bundle;    // bundle
    char code[USER_CONTROL_CODE_BYTES]; // error
    bool has_message_id;                // error
    uint8_t message_id[16];             // error, accepted
};

// Decode one text message. False: not JSON, or a member is missing or wrong. `scratch` holds
// USER_CONTROL_SCRATCH_BYTES.
NODISCARD bool user_control_decode(struct user_control *out, const uint8_t *text, size_t len,
                                   void *scratch);

// Encoders write at most USER_CONTROL_MAX_BYTES and return the length.
size_t user_control_encode_register(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                    const struct persona_signatures *signatures);
size_t user_control_encode_login(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                 const struct persona_signatures *signatures);
// One-time prekeys to publish: `count` ≤ PERSONA_BATCH_MAX with ids from first_id on, and KEM
// prekeys, at most PERSONA_KEM_BATCH_MAX. The signed and the last-resort prekey go with them if
// asked for.
struct user_control_prekeys {
    bool with_signed;
    const uint8_t (*keys)[32];
    uint32_t first_id, count;
    const struct persona_kem_prekey *kem;
    uint32_t kem_count;
};
size_t user_control_encode_prekeys(char out[USER_CONTROL_MAX_BYTES], const struct persona *p,
                                   const struct user_control_prekeys *prekeys);
size_t user_control_encode_get_bundle(char out[USER_CONTROL_MAX_BYTES], const char *name,
                                      enum sp_suite suite);
// `count` 1 … USER_CONTROL_ACK_MAX.
size_t user_control_encode_ack(char out[USER_CONTROL_MAX_BYTES], const uint8_t (*message_ids)[16],
                               uint32_t count);

#endif
