// Records of TLS 1.3.
//
//       0        1        3        5
//      +--------+--------+--------+----------------------------------------------+
//      | 23     | 0x0303 | length | AEAD(content ‖ content type ‖ zeros) ‖ tag   |
//      +--------+--------+--------+----------------------------------------------+
//
// Nonce: the static IV xor the record's sequence number. Associated data: the header.
#include "tls_record.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

// HKDF-Expand-Label with an empty context (section 7.1).
static int expand(const struct tls_suite *suite, const uint8_t *secret, const char *label,
                  uint8_t *out, size_t out_len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY, ok = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)suite->digest,
                                         0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret,
                                          suite->secret_bytes),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (char[]){"tls13 "}, 6),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (void *)(uintptr_t)label,
                                          strlen(label)),
        OSSL_PARAM_construct_end(),
    };

    if (context)
        ok = EVP_KDF_derive(context, out, out_len, params);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return ok == 1 ? 0 : -EIO;
}

// Key and IV of the secret that stands in d.
static int install(struct tls_direction *d, int sealing)
{
    uint8_t key[EVP_MAX_KEY_LENGTH];
    int err = expand(d->suite, d->secret, "key", key, d->suite->key_bytes);

    if (err == 0)
        err = expand(d->suite, d->secret, "iv", d->iv, sizeof d->iv);
    if (err == 0 &&
        EVP_CipherInit_ex2(d->context, d->suite->cipher, key, d->iv, sealing, NULL) != 1)
        err = -EIO;
    OPENSSL_cleanse(key, sizeof key);
    d->sequence = 0;
    return err;
}

int tls_direction_init(struct tls_direction *d, const struct tls_suite *suite,
                       const uint8_t *secret, int sealing)
{
    *d = (struct tls_direction){.suite = suite, .context = EVP_CIPHER_CTX_new()};
    if (!d->context)
        return -ENOMEM;
    memcpy(d->secret, secret, suite->secret_bytes);
    return install(d, sealing);
}

void tls_direction_free(struct tls_direction *d)
{
    EVP_CIPHER_CTX_free(d->context);
    OPENSSL_cleanse(d, sizeof *d);
}

int tls_direction_update(struct tls_direction *d)
{
    uint8_t next[TLS_SECRET_MAX_BYTES];
    int err = expand(d->suite, d->secret, "traffic upd", next, d->suite->secret_bytes);

    if (err == 0) {
        memcpy(d->secret, next, d->suite->secret_bytes);
        err = install(d, EVP_CIPHER_CTX_is_encrypting(d->context));
    }
    OPENSSL_cleanse(next, sizeof next);
    return err;
}

// Set the nonce of the next record.
static int begin(struct tls_direction *d)
{
    uint8_t nonce[12];

    memcpy(nonce, d->iv, sizeof nonce);
    store_be64(nonce + 4, load_be64(nonce + 4) ^ d->sequence);
    d->sequence++;
    return EVP_CipherInit_ex2(d->context, NULL, NULL, nonce, -1, NULL) == 1 ? 0 : -EIO;
}

ssize_t tls_record_seal(struct tls_direction *d, enum tls_record_type type, const uint8_t *plain,
                        size_t len, uint8_t *out)
{
    size_t inner_len = len + 1, total = len + TLS_RECORD_OVERHEAD_BYTES;
    uint8_t *inner = out + TLS_RECORD_HEADER_BYTES;
    int n;

    assert(len <= TLS_RECORD_PLAINTEXT_MAX);
    out[0] = TLS_TYPE_DATA;
    out[1] = 3;
    out[2] = 3;
    out[3] = (uint8_t)((inner_len + TLS_RECORD_TAG_BYTES) >> 8);
    out[4] = (uint8_t)(inner_len + TLS_RECORD_TAG_BYTES);
    // One contiguous input is worth the copy: a second update for the type byte costs more.
    memcpy(inner, plain, len);
    inner[len] = (uint8_t)type;
    if (begin(d) < 0 ||
        EVP_EncryptUpdate(d->context, NULL, &n, out, TLS_RECORD_HEADER_BYTES) != 1 ||
        EVP_EncryptUpdate(d->context, inner, &n, inner, (int)inner_len) != 1 ||
        EVP_EncryptFinal_ex(d->context, inner + inner_len, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(d->context, EVP_CTRL_AEAD_GET_TAG, TLS_RECORD_TAG_BYTES,
                            inner + inner_len) != 1)
        goto cleanup;
    return (ssize_t)total;

cleanup:
    OPENSSL_cleanse(out, total);
    return -EIO;
}

ssize_t tls_record_length(const uint8_t header[TLS_RECORD_HEADER_BYTES])
{
    size_t len = (size_t)header[3] << 8 | header[4];

    // After the handshake everything is protected and looks like data (section 5.2).
    if (header[0] != TLS_TYPE_DATA)
        return TLS_RECORD_UNEXPECTED;
    if (len > TLS_RECORD_CIPHERTEXT_MAX)
        return TLS_RECORD_OVERFLOW;
    if (len < 1 + TLS_RECORD_TAG_BYTES)
        return TLS_RECORD_FORGED; // no room for a type and a tag
    return (ssize_t)(TLS_RECORD_HEADER_BYTES + len);
}

ssize_t tls_record_open(struct tls_direction *d, const uint8_t *record, size_t len, uint8_t *plain,
                        enum tls_record_type *type)
{
    const uint8_t *inner = record + TLS_RECORD_HEADER_BYTES;
    size_t inner_len = len - TLS_RECORD_HEADER_BYTES - TLS_RECORD_TAG_BYTES;
    uint8_t tag[TLS_RECORD_TAG_BYTES];
    ssize_t result = TLS_RECORD_FORGED;
    int n;

    assert(len >= TLS_RECORD_OVERHEAD_BYTES);
    memcpy(tag, inner + inner_len, sizeof tag);
    if (begin(d) < 0 ||
        EVP_DecryptUpdate(d->context, NULL, &n, record, TLS_RECORD_HEADER_BYTES) != 1 ||
        EVP_DecryptUpdate(d->context, plain, &n, inner, (int)inner_len) != 1 ||
        EVP_CIPHER_CTX_ctrl(d->context, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1 ||
        EVP_DecryptFinal_ex(d->context, plain + inner_len, &n) != 1)
        goto cleanup;
    result = TLS_RECORD_OVERFLOW; // padding counts (section 5.4)
    if (inner_len > TLS_RECORD_PLAINTEXT_MAX + 1)
        goto cleanup;
    // The type is the last byte that is not padding (section 5.4).
    while (inner_len > 0 && plain[inner_len - 1] == 0)
        inner_len--;
    result = TLS_RECORD_UNEXPECTED; // no type at all
    if (inner_len == 0)
        goto cleanup;
    *type = (enum tls_record_type)plain[inner_len - 1];
    return (ssize_t)(inner_len - 1);

cleanup:
    OPENSSL_cleanse(plain, len - TLS_RECORD_HEADER_BYTES - TLS_RECORD_TAG_BYTES);
    return result;
}
