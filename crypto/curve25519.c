// X25519 (RFC 7748) and Ed25519 (RFC 8032): the calls that lead to the tier that runs. Any thread.
#include <sodium.h>
#include <string.h>

#include "internal.h"

bool sp_x25519_batch(uint8_t (*out)[32], const uint8_t (*scalar)[32], const uint8_t (*point)[32],
                     size_t count, bool *ok)
{
    bool all = true;
    if (count > 0)
        sp_active->curve->x25519(out, scalar, point, count);
    for (size_t i = 0; i < count; i++) {
        ok[i] = sodium_is_zero(out[i], 32) == 0; // in constant time: a DH output is a secret
        all = all && ok[i];
    }
    return all;
}

void sp_x25519_base_batch(uint8_t (*out)[32], const uint8_t (*scalar)[32], size_t count)
{
    if (count > 0)
        sp_active->curve->x25519_base(out, scalar, count);
}

void sp_ed25519_public(uint8_t public_key[32], const uint8_t seed[32])
{
    uint8_t in[1][32], out[1][32];
    memcpy(in[0], seed, 32);
    sp_ed25519_public_batch(out, (const uint8_t(*)[32])in, 1);
    memcpy(public_key, out[0], 32);
    sp_wipe(in, sizeof(in));
}

void sp_ed25519_public_batch(uint8_t (*public_key)[32], const uint8_t (*seed)[32], size_t count)
{
    if (count > 0)
        sp_active->curve->ed25519_public(public_key, seed, count);
}

void sp_ed25519_sign_batch(const struct sp_ed25519_job *jobs, size_t count)
{
    if (count > 0)
        sp_active->curve->ed25519_sign(jobs, count);
}

static bool all_true(const bool *ok, size_t count)
{
    bool all = true;
    for (size_t i = 0; i < count; i++)
        all = all && ok[i];
    return all;
}

bool sp_ed25519_verify_batch(const struct sp_ed25519_job *jobs, size_t count, bool *ok)
{
    if (count > 0)
        sp_active->curve->ed25519_verify(jobs, count, ok);
    return all_true(ok, count);
}

bool sp_ed25519_public_to_x25519(uint8_t out[32], const uint8_t public_key[32])
{
    uint8_t in[1][32], mapped[1][32];
    bool ok;
    memcpy(in[0], public_key, 32);
    (void)!sp_ed25519_public_to_x25519_batch(mapped, (const uint8_t(*)[32])in, 1, &ok);
    memcpy(out, mapped[0], 32);
    return ok;
}

bool sp_ed25519_public_to_x25519_batch(uint8_t (*out)[32], const uint8_t (*public_key)[32],
                                       size_t count, bool *ok)
{
    if (count > 0)
        sp_active->curve->ed25519_to_x25519(out, public_key, count, ok);
    return all_true(ok, count);
}

void sp_ed25519_seed_to_x25519(uint8_t out[32], const uint8_t seed[32])
{
    uint8_t hash[crypto_hash_sha512_BYTES]; // RFC 8032 section 5.1.5, steps 1 and 2
    crypto_hash_sha512(hash, seed, 32);
    memcpy(out, hash, 32);
    out[0] &= 0xF8;
    out[31] &= 0x7F;
    out[31] |= 0x40;
    sp_wipe(hash, sizeof(hash));
}
