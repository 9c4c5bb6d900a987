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

// ---- ML-KEM-768 (FIPS 203) and ML-DSA-65 (FIPS 204), through OpenSSL ---------------------------

#define SP_ML_KEM_PUBLIC_BYTES 1184u
#define SP_ML_KEM_CIPHERTEXT_BYTES 1088u
#define SP_ML_KEM_SEED_BYTES 64u // d ‖ z: the private key
#define SP_ML_DSA_PUBLIC_BYTES 1952u
#define SP_ML_DSA_SIGNATURE_BYTES 3309u
#define SP_ML_DSA_SEED_BYTES 32u // xi: the private key

// A decapsulation key, expanded from its seed. Init allocates inside; free wipes, and may come
// twice or on zeroed memory.
struct sp_ml_kem_key {
    void *state;
};
// Errors: -ENOMEM, -EIO; the key is then zeroed.
SP_MUST_CHECK int sp_ml_kem_key_init(struct sp_ml_kem_key *key,
                                     const uint8_t seed[SP_ML_KEM_SEED_BYTES]);
void sp_ml_kem_key_free(struct sp_ml_kem_key *key);
// The public key, SP_ML_KEM_PUBLIC_BYTES; the key owns it.
const uint8_t *sp_ml_kem_key_public(const struct sp_ml_kem_key *key);

// All calls below allocate inside OpenSSL for the time of the call.
struct sp_ml_kem_job {
    const uint8_t *public_key;       // encapsulate only: SP_ML_KEM_PUBLIC_BYTES
    const struct sp_ml_kem_key *key; // decapsulate only
    const uint8_t
        *randomness;        // encapsulate only: 32 B, or NULL for random ones (NULL but in tests)
    uint8_t *ciphertext;    // SP_ML_KEM_CIPHERTEXT_BYTES; written by encapsulate
    uint8_t *shared_secret; // 32 B, out
};
// ok[i] is false and both outputs zeroed when the public key fails its check (FIPS 203 section 7.2)
// or the provider fails.
SP_MUST_CHECK bool sp_ml_kem_encapsulate_batch(const struct sp_ml_kem_job *jobs, size_t count,
                                               bool *ok);
// ok[i] is false, the output zeroed, only when the provider fails: a ciphertext that was tampered
// with leads to a secret nobody else has (implicit rejection).
SP_MUST_CHECK bool sp_ml_kem_decapsulate_batch(const struct sp_ml_kem_job *jobs, size_t count,
                                               bool *ok);

struct sp_ml_dsa_key {
    void *state;
};
// Errors: -ENOMEM, -EIO; the key is then zeroed.
SP_MUST_CHECK int sp_ml_dsa_key_init(struct sp_ml_dsa_key *key,
                                     const uint8_t seed[SP_ML_DSA_SEED_BYTES]);
void sp_ml_dsa_key_free(struct sp_ml_dsa_key *key);
// The public key, SP_ML_DSA_PUBLIC_BYTES; the key owns it.
const uint8_t *sp_ml_dsa_key_public(const struct sp_ml_dsa_key *key);

// Pure ML-DSA, context string empty.
struct sp_ml_dsa_job {
    const struct sp_ml_dsa_key *key; // sign only
    const uint8_t *public_key;       // verify only: SP_ML_DSA_PUBLIC_BYTES
    const uint8_t *message;
    size_t message_len;
    uint8_t *signature; // SP_ML_DSA_SIGNATURE_BYTES; written by sign, read by verify
};
// Hedged signatures (FIPS 204 section 3.4). Errors: -EIO; every signature is then zeroed.
SP_MUST_CHECK int sp_ml_dsa_sign_batch(const struct sp_ml_dsa_job *jobs, size_t count);
SP_MUST_CHECK bool sp_ml_dsa_verify_batch(const struct sp_ml_dsa_job *jobs, size_t count, bool *ok);

// ---- identities (docs/PROTOCOL.md section 2) ----------------------------------------------------

// Somebody's public identity, borrowed: an Ed25519 key alone, or with an ML-DSA-65 key (hybrid). In
// a hybrid identity both sign, and both signatures must verify.
struct sp_identity_key {
    const uint8_t *ed25519;   // 32 B
    const uint8_t *ml_dsa_65; // SP_ML_DSA_PUBLIC_BYTES, or NULL: Ed25519 alone
};

// One's own. Init derives everything from the seeds; ml_dsa_seed NULL makes an identity of Ed25519
// alone. Allocates for a hybrid one. Free wipes.
struct sp_identity {
    uint8_t seed[32]; // of Ed25519
    uint8_t ed25519[32];
    uint8_t x25519_secret[32], x25519[32]; // its birational image (RFC 7748 section 4.1)
    struct sp_ml_dsa_key ml_dsa;           // state NULL: Ed25519 alone
};
// Errors: -ENOMEM, -EIO; the identity is then zeroed.
SP_MUST_CHECK int sp_identity_init(struct sp_identity *identity, const uint8_t seed[32],
                                   const uint8_t *ml_dsa_seed);
void sp_identity_free(struct sp_identity *identity);
// Its public half, borrowed from it.
struct sp_identity_key sp_identity_public(const struct sp_identity *identity);

void sp_mailbox_id(uint8_t out[SP_MAILBOX_BYTES], const struct sp_identity_key *identity);

// What a client signs to register or log in (verb "register" or "login"); returns its length, at
// most SP_LOGIN_TEXT_BYTES. The name has 1 … 32 characters (asserted: check a peer's name before).
// Source: docs/PROTOCOL.md section 3.
#define SP_LOGIN_TEXT_BYTES (160u + SP_ML_DSA_PUBLIC_BYTES)
size_t sp_login_text(uint8_t out[SP_LOGIN_TEXT_BYTES], const char *verb,
                     const uint8_t challenge[32], const char *name,
                     const struct sp_identity_key *identity);

// What a prekey's signatures cover: 0x05 ‖ X25519 key, 0x0C ‖ ML-KEM-768 key.
#define SP_ENCODED_KEY_BYTES 33u
#define SP_ENCODED_KEM_KEY_BYTES (1u + SP_ML_KEM_PUBLIC_BYTES)
void sp_encode_x25519(uint8_t out[SP_ENCODED_KEY_BYTES], const uint8_t key[32]);
void sp_encode_ml_kem(uint8_t out[SP_ENCODED_KEM_KEY_BYTES],
                      const uint8_t key[SP_ML_KEM_PUBLIC_BYTES]);

// ---- prekey bundles (docs/PROTOCOL.md sections 5 and 7) -----------------------------------------

struct sp_kem_prekey {
    uint32_t id;      // not 0
    bool is_one_time; // else the last-resort one, which may be handed out again
    uint8_t key[SP_ML_KEM_PUBLIC_BYTES];
    uint8_t signature[64]; // Ed25519
};

// What a hybrid identity adds.
struct sp_ml_dsa_bundle {
    uint8_t key[SP_ML_DSA_PUBLIC_BYTES];
    uint8_t signed_prekey_signature[SP_ML_DSA_SIGNATURE_BYTES];
    uint8_t kem_prekey_signature[SP_ML_DSA_SIGNATURE_BYTES]; // zero without a KEM prekey
};

struct sp_bundle {             // public; what the relay hands out
    uint8_t identity_key[32];  // Ed25519
    uint32_t signed_prekey_id; // not 0
    uint8_t signed_prekey[32];
    uint8_t signed_prekey_signature[64];
    bool has_one_time_prekey;
    uint32_t one_time_prekey_id; // not 0; 0 without one
    uint8_t one_time_prekey[32];
    const struct sp_kem_prekey *kem_prekey; // borrowed; NULL: no PQXDH
    const struct sp_ml_dsa_bundle *ml_dsa;  // borrowed; NULL: Ed25519 alone
};

// Room for a whole bundle; after a decode `bundle` points into it, so it must not be copied.
struct sp_bundle_storage {
    struct sp_bundle bundle;
    struct sp_kem_prekey kem_prekey;
    struct sp_ml_dsa_bundle ml_dsa;
};

// The bundle as text, for exchange without the relay: characters of QR's alphanumeric mode only.
// Encode returns the length without the terminating NUL it writes. Ids of 0 are asserted against.
#define SP_BUNDLE_TEXT_BYTES 16384u // room for any
enum sp_bundle_error {
    SP_BUNDLE_TEXT = -5101,     // not the prefix, a character outside base32, or bits left over
    SP_BUNDLE_VERSION = -5102,  // another version
    SP_BUNDLE_LENGTH = -5103,   // not the length its flags tell
    SP_BUNDLE_CHECKSUM = -5104, // misread
    SP_BUNDLE_FIELD = -5105,    // an id of 0, or an unknown flag
};
size_t sp_bundle_encode_text(char out[SP_BUNDLE_TEXT_BYTES], const struct sp_bundle *bundle);
// Strict: one text for one bundle. Signatures are not judged here. Errors: an sp_bundle_error; out
// is then zeroed.
SP_MUST_CHECK int sp_bundle_decode_text(struct sp_bundle_storage *out, const char *text,
                                        size_t len);

// ---- X3DH (revision 1) and PQXDH (revision 3); docs/PROTOCOL.md section 5 -----------------------

enum sp_suite { SP_SUITE_X3DH = 1, SP_SUITE_PQXDH = 2 };

// A hybrid identity speaks with hybrid identities only, one of Ed25519 alone with such ones only:
// neither the relay nor a peer can talk a party down. The same holds for the suite a job names.
enum sp_handshake_error {
    SP_HANDSHAKE_SUITE = -5201,     // the other side lacks, or has, what the own side does not: a
                                    // KEM prekey, a hybrid identity, the suite
    SP_HANDSHAKE_SIGNATURE = -5202, // of a prekey, or of the transcript
    SP_HANDSHAKE_POINT = -5203,  // an identity key outside the prime-order subgroup, or a DH of 0
    SP_HANDSHAKE_KEM = -5204,    // a KEM key that fails its check
    SP_HANDSHAKE_PREKEY = -5205, // a bundle's prekey with id 0; or the message names a prekey and
                                 // the job has no secret of it, or the other way round
    SP_HANDSHAKE_MALFORMED = -5206, // the initial message: length, flags, ids, reserved bytes
    SP_HANDSHAKE_IDENTITY = -5207,  // the initiator's identity does not open
};

// What both sides have in the end. Holds secrets: the caller wipes it.
#define SP_HANDSHAKE_AD_BYTES (2u * SP_ENCODED_KEY_BYTES + SP_ENCODED_KEM_KEY_BYTES)
struct sp_handshake {
    enum sp_suite suite;
    uint8_t sk[32];
    uint8_t header_key[32]; // seals the initiator's identity
    uint8_t ad[SP_HANDSHAKE_AD_BYTES];
    size_t ad_len; // 66; with PQXDH all of it
};

// The initiator's side. Verifies all signatures of the bundle first, then makes the ephemeral key
// and the encapsulation. result is 0, an sp_handshake_error, or -EIO; unless 0, the outputs are
// zeroed. Jobs of both suites may stand in one batch.
struct sp_initiate_job {
    const struct sp_identity *identity;
    const struct sp_bundle *bundle;
    enum sp_suite suite;
    const uint8_t *ephemeral_secret; // 32 B, or NULL to make a random one (NULL outside tests)
    const uint8_t *kem_randomness;   // the same, for the encapsulation
    uint8_t ephemeral_public[32];    // out
    uint8_t kem_ciphertext[SP_ML_KEM_CIPHERTEXT_BYTES]; // out, PQXDH only
    struct sp_handshake handshake;                      // out
    int result;                                         // out
};
void sp_handshake_initiate_batch(struct sp_initiate_job *jobs, size_t count);

// The initial message's clear part, which says what the responder needs.
struct sp_initial_header {
    enum sp_suite suite;
    bool is_hybrid, is_ratchet;
    uint32_t signed_prekey_id;
    uint32_t one_time_prekey_id; // 0: none
    uint32_t kem_prekey_id;      // 0 with X3DH
    uint8_t ephemeral_public[32];
    size_t overhead_bytes; // of the whole message over its payload
};
// Errors: SP_HANDSHAKE_MALFORMED; out is then zeroed.
SP_MUST_CHECK int sp_initial_decode(struct sp_initial_header *out, const uint8_t *in, size_t len);
// What an initial message is longer than its payload.
size_t sp_initial_overhead_bytes(enum sp_suite suite, bool is_hybrid);
#define SP_INITIAL_OVERHEAD_MAX_BYTES 6525u // PQXDH, hybrid

// The responder's side: opens the initiator's identity, verifies its signatures over the transcript
// if hybrid, derives. result as above. The secrets of one-time prekeys are wiped by
// sp_initial_open_batch, once the message has opened; a wiped one is as good as none.
//
// An initiator of Ed25519 alone is who the message claims until sp_initial_open_batch has opened
// the payload: anybody gets as far as here. Keep an older session with the peer until then.
//
// A message that names no one-time prekey of either sort can be replayed: its payload opens again.
// The responder's own keys differ all the same, as sp_session_init_batch chooses a session id for
// them. Who must not act on a payload twice remembers the ephemeral_public of each such message
// that opened, for as long as the signed prekey lives. Source: X3DH and PQXDH section 4.3.
struct sp_respond_job {
    const struct sp_identity *identity;
    enum sp_suite suite;
    const uint8_t *message; // a whole initial message
    size_t len;
    const uint8_t *signed_prekey_secret;   // 32 B, of the header's signed_prekey_id
    const uint8_t *one_time_prekey_secret; // 32 B, or NULL when the header names none
    const struct sp_ml_kem_key *kem_key;   // PQXDH: of the header's kem_prekey_id
    uint8_t initiator_ed25519[32];         // out
    uint8_t *initiator_ml_dsa_65;          // out, SP_ML_DSA_PUBLIC_BYTES; hybrid only, else NULL
    struct sp_handshake handshake;         // out
    int result;                            // out
};
void sp_handshake_respond_batch(struct sp_respond_job *jobs, size_t count);

// ---- sessions (docs/PROTOCOL.md sections 5 and 6) -----------------------------------------------

#define SP_SESSION_OVERHEAD_BYTES 32u // session id 8, counter 8, tag 16
#define SP_WINDOW_BITS 1024u

// Below every negative errno (down to -4095), since a result may be either.
enum sp_session_error {
    SP_SESSION_TRUNCATED = -5001, // shorter than its overhead
    SP_SESSION_UNKNOWN = -5002,   // another session's id, or an epoch that is over
    SP_SESSION_REPLAY = -5003,    // counter seen already, or behind the window
    SP_SESSION_FORGED = -5004,    // did not open
    SP_SESSION_EXHAUSTED = -5005, // no counter left (2^64−1 is never used): re-key
    SP_SESSION_AHEAD = -5006,     // ratchet: further ahead than keys are kept for
};

// Counter: one key for each direction. Ratchet: a fresh key for each message out of a chain of
// HMACs (The Double Ratchet Algorithm, revision 1, section 2.2), forgotten once used.
enum sp_session_mode { SP_SESSION_COUNTER = 0, SP_SESSION_RATCHET = 1 };

struct sp_skipped; // the library's own

// A direction sent. `secret` is the chain key of a ratchet; in counter mode it leads to the next
// epoch.
struct sp_sending {
    uint8_t secret[32];
    // What every message touches.
    struct sp_aead_key key; // counter mode
    uint8_t id[SP_SESSION_ID_BYTES];
    uint64_t counter; // next to use
    uint32_t epoch;   // times re-keyed
    uint32_t planned; // 0 but inside of a call
};

// A direction received.
struct sp_receiving {
    // What every message touches.
    struct sp_aead_key key; // counter mode
    uint8_t id[SP_SESSION_ID_BYTES];
    uint64_t highest; // highest counter accepted; ratchet: the next one of the chain
    bool is_known;    // else the responder's first message is awaited: `secret` leads to its key
    uint32_t planned; // 0 but inside of a call
    // Counter mode, bit `counter mod SP_WINDOW_BITS`: accepted. Holds `highest` and the 1,023
    // below.
    uint64_t window[SP_WINDOW_BITS / 64];
    // The rest.
    uint8_t secret[32];
    uint8_t next_id[SP_SESSION_ID_BYTES]; // counter mode: of the epoch that may follow
    struct sp_receiving *previous; // counter mode: the epoch before, for late messages; or NULL
    struct sp_skipped *skipped;    // ratchet: keys of messages that have not come yet
};

// A message sent touches from sending.key to the mailboxes, one received from the mailboxes to a
// word of the window: with many sessions each message finds them out of cache.
struct sp_session {
    struct sp_sending sending;
    enum sp_session_mode mode;
    bool initiator;
    uint8_t local_mailbox[SP_MAILBOX_BYTES], remote_mailbox[SP_MAILBOX_BYTES];
    struct sp_receiving receiving;
};

// Derive both directions of `count` sessions. The initiator's direction is A→B; counter 0 of that
// direction belongs to the initial message: session messages of the initiator start at 1, and once
// one is sealed the initial message can no longer be. The responder's direction has a session id
// that the responder draws at random, and keys that depend on it: a replayed handshake leads to
// other ones. Allocates (prepared keys; a ratchet's store). result: 0, -ENOMEM, -EIO, or what
// getrandom(2) says; unless 0, the session is zeroed. A handshake must have come out well
// (asserted), and makes one session of the initiator's: a second would repeat its keys and nonces.
struct sp_session_init_job {
    struct sp_session *session; // out
    const struct sp_handshake *handshake;
    bool initiator;
    struct sp_identity_key local, remote;
    enum sp_session_mode mode;
    uint32_t skipped_max; // ratchet: keys kept for messages that have not come, 1 … SP_SKIPPED_MAX
    const uint8_t *answer_id; // responder: SP_SESSION_ID_BYTES, or NULL to draw it (NULL outside
                              // tests)
    int result;               // out
};
#define SP_SKIPPED_MAX 4096u
void sp_session_init_batch(struct sp_session_init_job *jobs, size_t count);
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
// in + 16. A session changes only for messages that opened. result: 0, an sp_session_error, or
// -ENOMEM (the first message of an epoch allocates; it may be tried again unless it was opened in
// place); unless 0, out is zeroed. Order matters for jobs of one session: of a counter that stands
// in the batch more than once, the first that opens is accepted and the others are replays.
void sp_session_open_batch(struct sp_session_job *jobs, size_t count);

// Begin the next epoch of the direction sent: a new key, a new session id, counters from 0. The
// other side follows with the first message it opens, and still takes messages of the epoch before
// until another one begins. It knows one epoch ahead: once all messages of an epoch are lost, or
// none was sealed in it, nothing of the next one opens. So re-key again only after the peer is
// known to have opened a message of this epoch. Counter mode only: a ratchet re-keys with each
// message. Allocates. Errors: -EINVAL (ratchet), -ENOMEM, -EIO; the session is then as it was.
SP_MUST_CHECK int sp_session_rekey(struct sp_session *s);

// The initial message (kind 1): takes counter 0 of the initiator's session. in may be
// out + sp_initial_overhead_bytes − 16 (in place). Allocates for the time of the call.
struct sp_initial_seal_job {
    struct sp_session *session;              // of the handshake
    const struct sp_initiate_job *handshake; // its identity and its bundle are read again
    const uint8_t *in;
    size_t len;
    uint8_t *out; // len + sp_initial_overhead_bytes
    int result;   // out: 0, -EIO, -EINVAL (counter 0 is used already); unless 0, out is zeroed
};
void sp_initial_seal_batch(struct sp_initial_seal_job *jobs, size_t count);

// Open the payload with the responder's session, mark counter 0 as seen, and destroy the secrets of
// the one-time prekeys that led here.
struct sp_initial_open_job {
    struct sp_session *session;
    const uint8_t *in; // a whole initial message
    size_t len;
    uint8_t *out; // len − overhead; may be where the payload stands in `in`
    // The secrets themselves, no copies: a second message that needs them is a replay.
    uint8_t *one_time_prekey_secret;        // 32 B, wiped once opened; NULL without
    struct sp_ml_kem_key *one_time_kem_key; // freed once opened; NULL without
    int result; // out: 0, SP_SESSION_REPLAY, SP_SESSION_FORGED: out is zeroed; or
                // SP_HANDSHAKE_MALFORMED: out is as it was, for its length is not known
};
void sp_initial_open_batch(struct sp_initial_open_job *jobs, size_t count);

#ifdef __cplusplus
}
#endif

#endif
