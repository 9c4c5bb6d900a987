// X25519 (RFC 7748) and Ed25519 (RFC 8032), portable tier: libsodium, constant-time where secrets
// are. Any thread. Never allocates.
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "internal.h"

bool sp_x25519_batch(uint8_t (*out)[32], const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                     size_t count, bool *ok)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        ok[i] = crypto_scalarmult(out[i], scalar[i], point[i]) == 0;
        if (!ok[i])
            memset(out[i], 0, sizeof(out[i]));
        all = all && ok[i];
    }
    return all;
}

void sp_x25519_base_batch(uint8_t (*out)[32], const uint8_t (*scalar)[32], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int error = crypto_scalarmult_base(out[i], scalar[i]);
        assert(error == 0); // a clamped scalar never leads to the identity
    }
}

void sp_ed25519_public(uint8_t public_key[32], const uint8_t seed[32])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    int error = crypto_sign_seed_keypair(public_key, secret, seed);
    assert(error == 0); // libsodium knows no failure here
    sp_wipe(secret, sizeof(secret));
}

int sp_ed25519_sign_batch(const struct sp_ed25519_job *jobs, size_t count)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; // libsodium's form: seed ‖ public key
    for (size_t i = 0; i < count; i++) {
        memcpy(secret, jobs[i].seed, 32);
        memcpy(secret + 32, jobs[i].public_key, 32);
        int error = crypto_sign_detached(jobs[i].signature, NULL, jobs[i].message,
                                         jobs[i].message_len, secret);
        assert(error == 0);
    }
    sp_wipe(secret, sizeof(secret));
    return 0;
}

bool sp_ed25519_verify_batch(const struct sp_ed25519_job *jobs, size_t count, bool *ok)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        ok[i] = crypto_sign_verify_detached(jobs[i].signature, jobs[i].message, jobs[i].message_len,
                                            jobs[i].public_key) == 0;
        all = all && ok[i];
    }
    return all;
}

bool sp_ed25519_public_to_x25519(uint8_t out[32], const uint8_t public_key[32])
{
    if (crypto_sign_ed25519_pk_to_curve25519(out, public_key) == 0)
        return true;
    memset(out, 0, 32);
    return false;
}

void sp_ed25519_seed_to_x25519(uint8_t out[32], const uint8_t seed[32])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES] = {0}; // of which only the seed is looked at
    memcpy(secret, seed, 32);
    int error = crypto_sign_ed25519_sk_to_curve25519(out, secret);
    assert(error == 0);
    sp_wipe(secret, sizeof(secret));
}
