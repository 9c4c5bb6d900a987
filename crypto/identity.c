// What an identity key becomes outside of the ciphers: mailbox id, login text, Encode(K). Pure, any
// thread, no allocation. Source: docs/PROTOCOL.md sections 2 and 3.
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "internal.h"

#define NAME_BYTES_MAX 32u // PROTOCOL.md section 2

void sp_mailbox_id(uint8_t out[SP_MAILBOX_BYTES], const uint8_t identity_key[32])
{
    static const char label[] = "sealpost.v1 mailbox";
    uint8_t text[sizeof(label) - 1 + 32], hash[crypto_hash_sha256_BYTES];
    memcpy(text, label, sizeof(label) - 1);
    memcpy(text + sizeof(label) - 1, identity_key, 32);
    crypto_hash_sha256(hash, text, sizeof(text));
    memcpy(out, hash, SP_MAILBOX_BYTES);
}

static uint8_t *append(uint8_t *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

size_t sp_login_text(uint8_t out[SP_LOGIN_TEXT_BYTES], const char *verb,
                     const uint8_t challenge[32], const char *name, const uint8_t identity_key[32])
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
    to = append(to, identity_key, 32);
    return (size_t)(to - out);
}

void sp_encode_x25519(uint8_t out[SP_ENCODED_KEY_BYTES], const uint8_t key[32])
{
    out[0] = 0x05;
    memcpy(out + 1, key, 32);
}
