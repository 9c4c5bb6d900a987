// What the files of libsealcrypto share and nobody else sees.
#ifndef SEALCRYPTO_INTERNAL_H
#define SEALCRYPTO_INTERNAL_H

#include "sealcrypto.h"

#define SP_AD_BYTES 41u // sender 16, recipient 16, kind 1, counter 8

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
extern const struct sp_aead_tier sp_aead_portable, sp_aead_aesni, sp_aead_avx2, sp_aead_avx512;

// One implementation of Curve25519. Each call is the contract of the sp_x25519_ or sp_ed25519_
// function it stands behind, for count > 0, except that x25519 leaves judging an all-zero result
// to its caller, and that verify and to_x25519 always fill all of ok[].
struct sp_curve_tier {
    void (*init)(void); // by sp_init only, under its lock; NULL if there is nothing to prepare
    void (*x25519)(uint8_t (*out)[32], const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                   size_t count);
    void (*x25519_base)(uint8_t (*out)[32], const uint8_t (*scalar)[32], size_t count);
    void (*ed25519_public)(uint8_t (*public_key)[32], const uint8_t (*seed)[32], size_t count);
    void (*ed25519_sign)(const struct sp_ed25519_job *jobs, size_t count);
    void (*ed25519_verify)(const struct sp_ed25519_job *jobs, size_t count, bool *ok);
    void (*ed25519_to_x25519)(uint8_t (*out)[32], const uint8_t (*public_key)[32], size_t count,
                              bool *ok);
};
extern const struct sp_curve_tier sp_curve_portable, sp_curve_avx512;

// One implementation of what is built on SHA-256. `hkdf` gets lengths that were checked.
// `chain_step`: message_key[i] = HMAC(chain[i], 0x01), then chain[i] = HMAC(chain[i], 0x02).
// Source: The Double Ratchet Algorithm, section 5.2.
struct sp_hash_tier {
    void (*hkdf)(const struct sp_hkdf_job *jobs, size_t count);
    void (*chain_step)(uint8_t (*chain)[32], uint8_t (*message_key)[32], size_t count);
};
extern const struct sp_hash_tier sp_hash_portable, sp_hash_avx512;

struct sp_tier {
    const char *name;
    bool (*is_supported)(void); // by this CPU and kernel
    const struct sp_aead_tier *aead;
    const struct sp_curve_tier *curve;
    const struct sp_hash_tier *hash;
};
// The tier that runs. Set once by sp_init, before every other call.
extern const struct sp_tier *sp_active;

// Do this CPU, and the kernel, have all that a tier is made of?
SP_MUST_CHECK bool sp_cpu_has_aesni(void);
SP_MUST_CHECK bool sp_cpu_has_avx2(void);
SP_MUST_CHECK bool sp_cpu_has_avx512(void);

// Fetch what OpenSSL has of an algorithm. By sp_init only, under its lock. Errors: -EIO.
SP_MUST_CHECK int sp_ml_kem_init(void);
SP_MUST_CHECK int sp_ml_dsa_init(void);

// Big-endian, as counters are on the wire.
static inline void sp_put_u64(uint8_t out[8], uint64_t value)
{
    const uint64_t swapped = __builtin_bswap64(value);
    __builtin_memcpy(out, &swapped, sizeof(swapped));
}

static inline uint64_t sp_get_u64(const uint8_t in[8])
{
    uint64_t swapped;
    __builtin_memcpy(&swapped, in, sizeof(swapped));
    return __builtin_bswap64(swapped);
}

// nonce = 4 zero bytes ‖ counter (u64, big-endian). Source: docs/PROTOCOL.md section 6.
static inline void sp_nonce_encode(uint8_t nonce[SP_NONCE_BYTES], uint64_t counter)
{
    __builtin_memset(nonce, 0, 4);
    sp_put_u64(nonce + 4, counter);
}

// Associated data of a message. Source: docs/PROTOCOL.md section 6.
static inline void sp_ad_encode(uint8_t ad[SP_AD_BYTES], const uint8_t sender[SP_MAILBOX_BYTES],
                                const uint8_t recipient[SP_MAILBOX_BYTES], enum sp_kind kind,
                                uint64_t counter)
{
    __builtin_memcpy(ad, sender, SP_MAILBOX_BYTES);
    __builtin_memcpy(ad + SP_MAILBOX_BYTES, recipient, SP_MAILBOX_BYTES);
    ad[2 * SP_MAILBOX_BYTES] = (uint8_t)kind;
    sp_put_u64(ad + 2 * SP_MAILBOX_BYTES + 1, counter);
}

// A message on its way through its session, of either kind and mode: counter, key and associated
// data are found, sealed or opened, and accounted for. Framing is the caller's. Session messages in
// counter mode, which are nearly all there are, take a shorter way (session_message.c).
struct sp_message_job {
    struct sp_session *session;
    struct sp_receiving *receiving; // open: the epoch, or NULL for the session's own
    enum sp_kind kind;
    uint8_t *ad;          // what the kind adds in front, ad_prefix_len bytes; then room for 41 more
    size_t ad_prefix_len; // 0 for a session message
    const uint8_t *in;
    uint8_t *out; // len bytes; equal to in or not overlapping it
    size_t len;
    uint8_t *tag;     // 16 B; written by seal, read by open
    uint64_t counter; // out by seal, in by open; 0 for an initial message
    int result;       // out
};
// result: 0, SP_SESSION_EXHAUSTED, -EINVAL (initial message, counter 0 is used already) or -EIO;
// unless 0, out and tag are zeroed.
void sp_message_seal_batch(struct sp_message_job *jobs, size_t count);
// result: 0, SP_SESSION_REPLAY, SP_SESSION_AHEAD, SP_SESSION_FORGED; unless 0, out is zeroed. The
// session changes only for what opened.
void sp_message_open_batch(struct sp_message_job *jobs, size_t count);

// The counter of the next message, which is spent from here on, whatever becomes of the message.
// Errors: SP_SESSION_EXHAUSTED, -EINVAL (an initial message, counter 0 is used already); the
// session is then as it was.
SP_MUST_CHECK int sp_sending_take_counter(struct sp_session *s, enum sp_kind kind,
                                          uint64_t *counter);

// The direction as the responder began it under this id. Allocates. Errors: -EIO, -ENOMEM; there is
// then no key in it. Secrets: the caller wipes it.
SP_MUST_CHECK int sp_receiving_derive_answer(struct sp_receiving *out, const struct sp_session *s,
                                             const uint8_t id[SP_SESSION_ID_BYTES]);
// The epoch that follows the one received, and the id of the one after it. As above.
SP_MUST_CHECK int sp_receiving_derive_following(struct sp_receiving *out,
                                                const struct sp_receiving *now);
// Enter the epoch `next`. The one before moves to `room`, which the direction owns from then on.
void sp_receiving_follow(struct sp_receiving *receiving, const struct sp_receiving *next,
                         struct sp_receiving *room);

// Keys of messages that a ratchet has passed by. Errors: NULL.
struct sp_skipped *sp_skipped_create(uint32_t max);
void sp_skipped_destroy(struct sp_skipped *store); // wipes; NULL is fine
// False when the key is not there.
SP_MUST_CHECK bool sp_skipped_find(const struct sp_skipped *store, uint64_t counter,
                                   uint8_t message_key[32]);
void sp_skipped_drop(struct sp_skipped *store, uint64_t counter);
uint32_t sp_skipped_max(const struct sp_skipped *store);
// Walk the chain from `from` up to `to`, keeping the keys on the way; `to - from` is at most the
// store's max. The keys skipped longest ago make room.
void sp_skipped_walk(struct sp_skipped *store, uint8_t chain[32], uint64_t from, uint64_t to);

#endif
