// Handshakes composed of libsodium alone: X3DH; it has no ML-KEM and no ML-DSA. Main thread only.
#include <sodium.h>

#include "bench_handshake.h"
#include "bench_hkdf.h"

#define INPUT_BYTES (5u * 32u) // 0xFF × 32 ‖ DH1 ‖ DH2 ‖ DH3 ‖ DH4: what SK is derived from

static const char *start(void)
{
    BENCH_MICRO_NEED(sodium_init() >= 0);
    return crypto_aead_aes256gcm_is_available() ? NULL : "its AES-GCM needs AES-NI and PCLMULQDQ";
}

static void derive_header_key(struct bench_handshake_output *out, const uint8_t dh3[32])
{
    const struct sp_hkdf_job job = bench_handshake_header_job(out->header_key, dh3, 32);

    bench_hkdf_sodium(&job);
}

// The input has all but its beginning.
static void derive_sk(struct bench_handshake_output *out, uint8_t input[INPUT_BYTES])
{
    const struct sp_hkdf_job job = bench_handshake_sk_job(out->sk, false, input, INPUT_BYTES);

    memset(input, 0xFF, 32);
    bench_hkdf_sodium(&job);
    sodium_memzero(input, INPUT_BYTES);
}

static bool initiate(struct bench_handshake_cell *c, unsigned slot)
{
    const struct bench_pair *pair = bench_handshake_pair(c, slot);
    const struct sp_bundle *bundle = &pair->x3dh;
    struct bench_handshake_output *out = &c->outputs[slot];
    const uint8_t *ephemeral = pair->ephemeral_secret;
    uint8_t encoded[SP_ENCODED_KEY_BYTES], responder[32], input[INPUT_BYTES];

    sp_encode_x25519(encoded, bundle->signed_prekey);
    // A zero DH is refused by crypto_scalarmult itself.
    if (crypto_sign_verify_detached(bundle->signed_prekey_signature, encoded, sizeof encoded,
                                    bundle->identity_key) != 0 ||
        crypto_sign_ed25519_pk_to_curve25519(responder, bundle->identity_key) != 0 ||
        crypto_scalarmult_base(out->key, ephemeral) != 0 ||
        crypto_scalarmult(input + 1 * 32, pair->initiator.x25519_secret, bundle->signed_prekey) ||
        crypto_scalarmult(input + 2 * 32, ephemeral, responder) != 0 ||
        crypto_scalarmult(input + 3 * 32, ephemeral, bundle->signed_prekey) != 0 ||
        crypto_scalarmult(input + 4 * 32, ephemeral, bundle->one_time_prekey) != 0)
        return false;
    sp_encode_x25519(out->ad, pair->initiator.x25519);
    sp_encode_x25519(out->ad + SP_ENCODED_KEY_BYTES, responder);
    derive_header_key(out, input + 3 * 32);
    derive_sk(out, input);
    return true;
}

static bool respond(struct bench_handshake_cell *c, unsigned slot)
{
    const struct bench_pair *pair = bench_handshake_pair(c, slot);
    const uint8_t *message = pair->x3dh_message, nonce[SP_NONCE_BYTES] = {0};
    const uint8_t *sealed = message + BENCH_INITIAL_X3DH_IDENTITY_AT;
    const uint8_t *ephemeral = message + BENCH_INITIAL_EPHEMERAL_AT;
    struct bench_handshake_output *out = &c->outputs[slot];
    uint8_t initiator[32], input[INPUT_BYTES];

    if (crypto_scalarmult(input + 2 * 32, pair->responder.x25519_secret, ephemeral) != 0 ||
        crypto_scalarmult(input + 3 * 32, pair->signed_prekey_secret, ephemeral) != 0 ||
        crypto_scalarmult(input + 4 * 32, pair->one_time_prekey_secret, ephemeral) != 0)
        return false;
    derive_header_key(out, input + 3 * 32);
    if (crypto_aead_aes256gcm_decrypt_detached(out->key, NULL, sealed, 32, sealed + 32, message,
                                               BENCH_INITIAL_X3DH_IDENTITY_AT, nonce,
                                               out->header_key) != 0 ||
        crypto_sign_ed25519_pk_to_curve25519(initiator, out->key) != 0 ||
        crypto_scalarmult(input + 1 * 32, pair->signed_prekey_secret, initiator) != 0)
        return false;
    sp_encode_x25519(out->ad, initiator);
    sp_encode_x25519(out->ad + SP_ENCODED_KEY_BYTES, pair->responder.x25519);
    derive_sk(out, input);
    return true;
}

static bool map(struct bench_handshake_cell *c, unsigned slot)
{
    return crypto_sign_ed25519_pk_to_curve25519(
               c->outputs[slot].key, bench_handshake_pair(c, slot)->x3dh.identity_key) == 0;
}

static bool run(struct bench_micro_cell *cell, unsigned calls)
{
    static bool (*const steps[BENCH_HANDSHAKE_OPS])(struct bench_handshake_cell *, unsigned) = {
        [BENCH_X3DH_INITIATE] = initiate,
        [BENCH_X3DH_RESPOND] = respond,
        [BENCH_ED25519_TO_X25519] = map,
    };
    struct bench_handshake_cell *c = bench_handshake_of(cell);
    bool good = true;

    for (; calls > 0; calls--)
        good &= steps[c->point.op](c, bench_handshake_next_slots(c));
    return good;
}

const struct bench_micro_impl bench_handshake_libsodium = {
    .name = "libsodium",
    .start = start,
    .prepare = bench_handshake_prepare,
    .run =
        {[BENCH_X3DH_INITIATE] = run, [BENCH_X3DH_RESPOND] = run, [BENCH_ED25519_TO_X25519] = run},
    .finish = bench_handshake_finish,
};
