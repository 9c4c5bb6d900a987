// Identities and what they become outside of the ciphers: mailbox id, login text, Encode(K). Any
// thread. Allocates for the ML-DSA-65 key of a hybrid identity only. Source: docs/PROTOCOL.md
// sections 2 and 3.
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "internal.h"

#define NAME_BYTES_MAX 32u // PROTOCOL.md section 2

int sp_identity_init(struct sp_identity *identity, const uint8_t seed[32],
                     const uint8_t *ml_dsa_seed)
{
    memset(identity, 0, sizeof(*identity));
    memcpy(identity->seed, seed, 32);
    sp_ed25519_public(identity->ed25519, seed);
    sp_ed25519_seed_to_x25519(identity->x25519_secret, seed);
    // The image of the public key is the public key of the image: one multiplication, no check.
    sp_x25519_base_batch(&identity->x25519, &identity->x25519_secret, 1);
    if (ml_dsa_seed == NULL)
        return 0;
    const int error = sp_ml_dsa_key_init(&identity->ml_dsa, ml_dsa_seed);
    if (error != 0)
        sp_identity_free(identity);
    return error;
}

void sp_identity_free(struct sp_identity *identity)
{
    sp_ml_dsa_key_free(&identity->ml_dsa);
    sp_wipe(identity, sizeof(*identity));
}

struct sp_identity_key sp_identity_public(const struct sp_identity *identity)
{
    const bool is_hybrid = identity->ml_dsa.state != NULL;
    return (struct sp_identity_key){
        .ed25519 = identity->ed25519,
        .ml_dsa_65 = is_hybrid ? sp_ml_dsa_key_public(&identity->ml_dsa) : NULL,
    };
}

void sp_mailbox_id(uint8_t out[SP_MAILBOX_BYTES], const struct sp_identity_key *identity)
{
    static const uint8_t label[] = "sealpost.v1 mailbox";
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, label, sizeof(label) - 1);
    crypto_hash_sha256_update(&state, identity->ed25519, 32);
    if (identity->ml_dsa_65 != NULL)
        crypto_hash_sha256_update(&state, identity->ml_dsa_65, SP_ML_DSA_PUBLIC_BYTES);
    crypto_hash_sha256_final(&state, hash);
    memcpy(out, hash, SP_MAILBOX_BYTES);
}

static uint8_t *append(uint8_t *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

size_t sp_login_text(uint8_t out[SP_LOGIN_TEXT_BYTES], const char *verb,
                     const uint8_t challenge[32], const char *name,
                     const struct sp_identity_key *identity)
{
    static const char label[] = "sealpost.v1 ";
    const uint8_t name_len = (uint8_t)strnlen(name, NAME_BYTES_MAX + 1);
    assert(name_len >= 1 && name_len <= NAME_BYTES_MAX);
    assert(strcmp(verb, "register") == 0 || strcmp(verb, "login") == 0);

    uint8_t *to = append(out, label, sizeof(label) - 1);
    to = append(to, verb, strlen(verb) + 1); // the terminator is the 0x00 of the text
    to = append(to, challenge, 32);
    to = append(to, &name_len, 1);
    to = append(to, name, name_len);
    to = append(to, identity->ed25519, 32);
    if (identity->ml_dsa_65 != NULL)
        to = append(to, identity->ml_dsa_65, SP_ML_DSA_PUBLIC_BYTES);
    return (size_t)(to - out);
}

void sp_encode_x25519(uint8_t out[SP_ENCODED_KEY_BYTES], const uint8_t key[32])
{
    out[0] = 0x05;
    memcpy(out + 1, key, 32);
}

void sp_encode_ml_kem(uint8_t out[SP_ENCODED_KEM_KEY_BYTES],
                      const uint8_t key[SP_ML_KEM_PUBLIC_BYTES])
{
    out[0] = 0x0C;
    memcpy(out + 1, key, SP_ML_KEM_PUBLIC_BYTES);
}
