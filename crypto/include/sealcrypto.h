// libsealcrypto: the cryptography of many messaging clients at once. Array calls throughout: one
// call works on `count` independent jobs, so that a tier underneath may batch across keys.
//
// Conventions, said once:
// - Arrays of keys are contiguous: `const uint8_t (*k)[32]` holds `count` keys of 32 bytes.
// - A function that verifies or opens returns bool or fills ok[]; on failure its output is zeroed.
// - int results are 0 or a negative errno; -EIO is an internal failure of the provider underneath.
// - Secrets inside the library are wiped before return; the caller wipes what it owns (sp_wipe).
// - Nothing here allocates except the functions that say so; no function keeps a pointer it got.
// - Thread: every function may run on any thread at once, on different objects. A prepared key
//   and a session belong to one thread at a time.
#ifndef SEALCRYPTO_H
#define SEALCRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SP_MUST_CHECK __attribute__((warn_unused_result))

#define SP_KEY_BYTES 32u       // AES-256, X25519 and Ed25519 public keys, X25519 secrets
#define SP_SIGNATURE_BYTES 64u // Ed25519
#define SP_NONCE_BYTES 12u
#define SP_TAG_BYTES 16u
#define SP_MAILBOX_BYTES 16u
#define SP_SESSION_ID_BYTES 8u

// Choose the implementation; idempotent. Comes before every other call.
// Errors: -EIO, -ENOTSUP (SEALPOST_CRYPTO_TIER names a tier this machine lacks).
SP_MUST_CHECK int sp_init(void);
// The tier that runs, for instance "portable"; "none" before sp_init.
const char *sp_tier(void);
void sp_wipe(void *secret, size_t len);
// Fill with the kernel's random bytes. Errors: what getrandom(2) says; the output is then zeroed.
SP_MUST_CHECK int sp_random(uint8_t *out, size_t len);

// ---- AES-256-GCM (NIST SP 800-38D) -------------------------------------------------------------

// A prepared key, for both directions. Init allocates inside; free wipes, and may come twice or on
// zeroed memory.
struct sp_aead_key {
    void *state; // the tier's own
};
// Errors: -ENOMEM, -EIO; the key is then zeroed.
SP_MUST_CHECK int sp_aead_key_init(struct sp_aead_key *key, const uint8_t raw[SP_KEY_BYTES]);
void sp_aead_key_free(struct sp_aead_key *key);

// A message under a prepared key, or under a raw one that is used this once: exactly one of the two
// is not NULL. A raw key is cheaper than preparing one for a single message. Jobs may differ in
// all lengths and in the kind of their key; two may share a prepared key. The portable tier
// allocates for the time of the call when a key is raw.
struct sp_aead_job {
    struct sp_aead_key *key;
    const uint8_t *raw_key; // 32 B
    const uint8_t *nonce;   // 12 B; never twice with one key when sealing
    const uint8_t *ad;
    size_t ad_len;
    const uint8_t *in;
    uint8_t *out; // `len` bytes; equal to `in` or not overlapping it
    size_t len;   // 0 … 2^31−1
    uint8_t *tag; // 16 B, outside of `out`; written by seal, read by open
};
// Errors: -EIO; every output of the batch, tags too, is then zeroed.
SP_MUST_CHECK int sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count);
// ok[i] tells whether jobs[i] verified; a job that did not has its output zeroed. True when all
// did.
SP_MUST_CHECK bool sp_aead_open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok);

// ---- Curve25519 (RFC 7748, RFC 8032) and HKDF (RFC 5869) ----------------------------------------

// out[i] = X25519(scalar[i], point[i]); ok[i] is false and out[i] zero for an all-zero result.
SP_MUST_CHECK bool sp_x25519_batch(uint8_t (*out)[32], const uint8_t (*scalar)[32],
                                   const uint8_t (*point)[32], size_t count, bool *ok);
// out[i] = X25519(scalar[i], 9).
void sp_x25519_base_batch(uint8_t (*out)[32], const uint8_t (*scalar)[32], size_t count);

// An Ed25519 key pair: `seed` 32 B is the secret; the public key is derived. Signing takes both:
// the public key must be the seed's own, a signature under another one gives the seed away.
void sp_ed25519_public(uint8_t public_key[32], const uint8_t seed[32]);
void sp_ed25519_public_batch(uint8_t (*public_key)[32], const uint8_t (*seed)[32], size_t count);
struct sp_ed25519_job {
    const uint8_t *public_key; // 32 B
    const uint8_t *seed;       // 32 B; sign only
    const uint8_t *message;
    size_t message_len;
    uint8_t *signature; // 64 B; written by sign, read by verify
};
void sp_ed25519_sign_batch(const struct sp_ed25519_job *jobs, size_t count);
// Each signature is judged by itself, exactly as libsodium's crypto_sign_verify_detached judges it:
// cofactorless, R compared as bytes, S canonical, the public key canonical and neither it nor R of
// small order.
SP_MUST_CHECK bool sp_ed25519_verify_batch(const struct sp_ed25519_job *jobs, size_t count,
                                           bool *ok);
// The birational image (RFC 7748 section 4.1). False, output zeroed, for a point that is not on the
// curve or not in the prime-order subgroup.
SP_MUST_CHECK bool sp_ed25519_public_to_x25519(uint8_t out[32], const uint8_t public_key[32]);
SP_MUST_CHECK bool sp_ed25519_public_to_x25519_batch(uint8_t (*out)[32],
                                                     const uint8_t (*public_key)[32], size_t count,
                                                     bool *ok);
void sp_ed25519_seed_to_x25519(uint8_t out[32], const uint8_t seed[32]);

struct sp_hkdf_job {
    const uint8_t *salt;
    size_t salt_len;
    const uint8_t *ikm;
    size_t ikm_len;
    const uint8_t *info;
    size_t info_len;
    uint8_t *out;
    size_t out_len; // 1 … 255 × 32
};
// Errors: -EINVAL (out_len), -EIO; every output is then zeroed.
SP_MUST_CHECK int sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count);

// The mailbox id of an identity key. Source: docs/PROTOCOL.md section 2.
void sp_mailbox_id(uint8_t out[SP_MAILBOX_BYTES], const uint8_t identity_key[32]);

// What a client signs to register or log in (verb "register" or "login"); returns its length, at
// most SP_LOGIN_TEXT_BYTES. The name has 1 … 32 characters (asserted: check a peer's name before).
// Source: docs/PROTOCOL.md section 3.
#define SP_LOGIN_TEXT_BYTES 160u
size_t sp_login_text(uint8_t out[SP_LOGIN_TEXT_BYTES], const char *verb,
                     const uint8_t challenge[32], const char *name, const uint8_t identity_key[32]);

// ---- X3DH (Signal specification, revision 1; docs/PROTOCOL.md section 5) ------------------------

// Encode(K) = 0x05 ‖ K: what a prekey signature covers.
#define SP_ENCODED_KEY_BYTES 33u
void sp_encode_x25519(uint8_t out[SP_ENCODED_KEY_BYTES], const uint8_t key[32]);

struct sp_bundle {            // public; what the relay hands out
    uint8_t identity_key[32]; // Ed25519
    uint32_t signed_prekey_id;
    uint8_t signed_prekey[32];
    uint8_t signed_prekey_signature[64];
    bool has_one_time_prekey;
    uint32_t one_time_prekey_id; // 0 without one
    uint8_t one_time_prekey[32];
};

struct sp_x3dh_result {
    uint8_t sk[32];
    uint8_t header_key[32]; // seals the initiator's identity
    uint8_t ad[66];
};

// The initiator's side. Verifies the prekey signature first, makes the ephemeral key, and fills
// result and ephemeral_public. ok[i] false: signature, point, DH or a one-time prekey with id 0
// rejected; both outputs zeroed.
struct sp_x3dh_initiate_job {
    const uint8_t *identity_seed; // 32 B
    const uint8_t *identity_key;  // 32 B, Ed25519 public
    const struct sp_bundle *bundle;
    const uint8_t *ephemeral_secret; // 32 B, or NULL to make a random one (NULL outside tests)
    uint8_t ephemeral_public[32];    // out
    struct sp_x3dh_result result;    // out
};
SP_MUST_CHECK bool sp_x3dh_initiate_batch(struct sp_x3dh_initiate_job *jobs, size_t count,
                                          bool *ok);

// The responder's side. one_time_prekey_secret is NULL when none was used; the caller deletes it
// once the first message opened. Two steps, because the initiator's identity is sealed under a key
// that comes from DH3: sp_x3dh_header_key first, then sp_x3dh_respond_batch.
SP_MUST_CHECK bool sp_x3dh_header_key(uint8_t header_key[32],
                                      const uint8_t signed_prekey_secret[32],
                                      const uint8_t ephemeral_public[32]);
struct sp_x3dh_respond_job {
    const uint8_t *identity_seed;
    const uint8_t *identity_key;
    const uint8_t *signed_prekey_secret;
    const uint8_t *one_time_prekey_secret; // or NULL
    const uint8_t *initiator_identity_key; // 32 B, Ed25519 public
    const uint8_t *ephemeral_public;       // 32 B
    struct sp_x3dh_result result;          // out
};
SP_MUST_CHECK bool sp_x3dh_respond_batch(struct sp_x3dh_respond_job *jobs, size_t count, bool *ok);

// ---- Sessions (docs/PROTOCOL.md sections 5 and 6) -----------------------------------------------

#define SP_SESSION_OVERHEAD_BYTES 32u  // session id 8, counter 8, tag 16
#define SP_INITIAL_OVERHEAD_BYTES 108u // header 44, sealed identity 48, tag 16
#define SP_WINDOW_BITS 1024u

// Below every negative errno (down to -4095), since a result may be either.
enum sp_session_error {
    SP_SESSION_TRUNCATED = -5001, // shorter than its overhead
    SP_SESSION_UNKNOWN = -5002,   // another session's id
    SP_SESSION_REPLAY = -5003,    // counter seen already, or behind the window
    SP_SESSION_FORGED = -5004,    // did not open
    SP_SESSION_EXHAUSTED = -5005, // no counter left (2^64−1 is never used): re-key
};

// Two directional keys, counters, and the replay window.
struct sp_session {
    struct sp_aead_key send_key, receive_key;
    uint8_t send_id[SP_SESSION_ID_BYTES], receive_id[SP_SESSION_ID_BYTES];
    uint8_t local_mailbox[SP_MAILBOX_BYTES], remote_mailbox[SP_MAILBOX_BYTES];
    bool initiator;
    uint64_t send_counter;    // next to use
    uint64_t receive_highest; // highest counter accepted
    // Bit `counter mod SP_WINDOW_BITS`: accepted. Holds receive_highest and the 1,023 below it.
    uint64_t window[SP_WINDOW_BITS / 64];
};

// Derive both directions from an X3DH result. The initiator's direction is A→B; counter 0 of that
// direction belongs to the initial message: session messages of the initiator start at 1, and once
// one is sealed the initial message can no longer be. Allocates (prepared keys).
// Errors: -ENOMEM, -EIO; the session is then zeroed.
SP_MUST_CHECK int sp_session_init(struct sp_session *s, const struct sp_x3dh_result *x3dh,
                                  bool initiator, const uint8_t local_identity_key[32],
                                  const uint8_t remote_identity_key[32]);
void sp_session_free(struct sp_session *s);

// Seal `count` session messages (kind 2), each of its own session, or several of one session (they
// get consecutive counters in array order). out holds len + SP_SESSION_OVERHEAD_BYTES; in may be
// out + 16 (in place). result is 0, SP_SESSION_EXHAUSTED or -EIO; unless 0, out is zeroed. A
// counter that met -EIO is not used again.
struct sp_session_job {
    struct sp_session *session;
    const uint8_t *in;
    size_t len; // of `in`
    uint8_t *out;
    int result;       // out
    uint64_t counter; // out
};
void sp_session_seal_batch(struct sp_session_job *jobs, size_t count);
// Open: `in` is a whole ciphertext field; out holds len − SP_SESSION_OVERHEAD_BYTES and may be
// in + 16. The window moves only for messages that opened. result: 0 or an sp_session_error; unless
// 0, out is zeroed. Order matters for jobs of one session: of a counter that stands in the batch
// more than once, the first that opens is accepted and the others are replays.
void sp_session_open_batch(struct sp_session_job *jobs, size_t count);

// The initial message (kind 1), one at a time: it goes with one handshake.
// Seal: out holds len + SP_INITIAL_OVERHEAD_BYTES; in may be out + 92 (in place). Takes counter 0
// of the initiator's session. Allocates for the time of the call. Errors: -EIO, -ENOMEM, -EINVAL
// (counter 0 is used already); out is then zeroed.
SP_MUST_CHECK int sp_initial_seal(uint8_t *out, struct sp_session *s,
                                  const struct sp_x3dh_initiate_job *handshake, const uint8_t *in,
                                  size_t len);
// The responder reads which prekeys were used before it can do anything.
struct sp_initial_header {
    uint32_t signed_prekey_id, one_time_prekey_id; // 0: no one-time prekey
    uint8_t ephemeral_public[32];
};
// Errors: SP_SESSION_TRUNCATED, SP_SESSION_FORGED (bad suite, flags or reserved bytes, or a
// one-time prekey id that disagrees with its flag); out is then zeroed.
SP_MUST_CHECK int sp_initial_decode(struct sp_initial_header *out, const uint8_t *in, size_t len);
// Open the sealed identity. False, output zeroed, if it does not open. Allocates for the time of
// the call.
SP_MUST_CHECK bool sp_initial_open_identity(uint8_t identity_key[32], const uint8_t header_key[32],
                                            const uint8_t *in, size_t len);
// Open the payload with the responder's session: out holds len − SP_INITIAL_OVERHEAD_BYTES and may
// be in + 92. Returns 0 or an sp_session_error; unless 0, out is zeroed. Marks counter 0 as seen.
SP_MUST_CHECK int sp_initial_open(uint8_t *out, struct sp_session *s, const uint8_t *in,
                                  size_t len);

#ifdef __cplusplus
}
#endif

#endif
