// X25519 (RFC 7748) and Ed25519 (RFC 8032), portable tier: libsodium, constant-time where secrets
// are. Any thread. Never allocates.
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "internal.h"

static void x25519(uint8_t (*out)[32], const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        // Refuses what leads to zero, some of it before it computes.
        if (crypto_scalarmult(out[i], scalar[i], point[i]) != 0)
            memset(out[i], 0, sizeof(out[i]));
    }
}

static void x25519_base(uint8_t (*out)[32], const uint8_t (*scalar)[32], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int error = crypto_scalarmult_base(out[i], scalar[i]);
        assert(error == 0); // a clamped scalar never leads to the identity
    }
}

static void ed25519_public(uint8_t (*public_key)[32], const uint8_t (*seed)[32], size_t count)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    for (size_t i = 0; i < count; i++) {
        const int error = crypto_sign_seed_keypair(public_key[i], secret, seed[i]);
        assert(error == 0); // libsodium knows no failure here
    }
    sp_wipe(secret, sizeof(secret));
}

static void ed25519_sign(const struct sp_ed25519_job *jobs, size_t count)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; // libsodium's form: seed ‖ public key
    for (size_t i = 0; i < count; i++) {
        memcpy(secret, jobs[i].seed, 32);
        memcpy(secret + 32, jobs[i].public_key, 32);
        const int error = crypto_sign_detached(jobs[i].signature, NULL, jobs[i].message,
                                               jobs[i].message_len, secret);
        assert(error == 0);
    }
    sp_wipe(secret, sizeof(secret));
}

static void ed25519_verify(const struct sp_ed25519_job *jobs, size_t count, bool *ok)
{
    for (size_t i = 0; i < count; i++)
        ok[i] = crypto_sign_verify_detached(jobs[i].signature, jobs[i].message, jobs[i].message_len,
                                            jobs[i].public_key) == 0;
}

static void ed25519_to_x25519(uint8_t (*out)[32], const uint8_t (*public_key)[32], size_t count,
                              bool *ok)
{
    for (size_t i = 0; i < count; i++) {
        ok[i] = crypto_sign_ed25519_pk_to_curve25519(out[i], public_key[i]) == 0;
        if (!ok[i])
            memset(out[i], 0, 32);
    }
}

const struct sp_curve_tier sp_curve_portable = {
    .x25519 = x25519,
    .x25519_base = x25519_base,
    .ed25519_public = ed25519_public,
    .ed25519_sign = ed25519_sign,
    .ed25519_verify = ed25519_verify,
    .ed25519_to_x25519 = ed25519_to_x25519,
};
