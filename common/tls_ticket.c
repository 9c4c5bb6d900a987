// Keys of session tickets. OpenSSL builds the tickets; this says with which keys.
#include "tls_ticket.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "clock.h"

#define KEY_AGE_NS (TLS_TICKET_LIFETIME_S * NS_PER_S)
#define IV_BYTES 16

void tls_ticket_keys_init(struct tls_ticket_keys *k)
{
    *k = (struct tls_ticket_keys){0};
    pthread_mutex_init(&k->lock, NULL);
}

void tls_ticket_keys_free(struct tls_ticket_keys *k)
{
    pthread_mutex_destroy(&k->lock);
    OPENSSL_cleanse(k, sizeof *k);
}

static int rotate(struct tls_ticket_keys *k, uint64_t now_ns)
{
    struct tls_ticket_key fresh = {.made_ns = now_ns};
    int err = 0;

    if (RAND_bytes(fresh.name, sizeof fresh.name) != 1 ||
        RAND_priv_bytes(fresh.aes, sizeof fresh.aes) != 1 ||
        RAND_priv_bytes(fresh.hmac, sizeof fresh.hmac) != 1) {
        err = -EIO;
    } else {
        k->before = k->current;
        k->current = fresh;
    }
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return err;
}

int tls_ticket_key_current(struct tls_ticket_keys *k, uint64_t now_ns, struct tls_ticket_key *out)
{
    int err = 0;

    pthread_mutex_lock(&k->lock);
    if (k->current.made_ns == 0 || now_ns - k->current.made_ns >= KEY_AGE_NS)
        err = rotate(k, now_ns);
    if (err == 0)
        *out = k->current;
    pthread_mutex_unlock(&k->lock);
    return err;
}

bool tls_ticket_key_find(struct tls_ticket_keys *k, uint64_t now_ns,
                         const uint8_t name[TLS_TICKET_KEY_NAME_BYTES], struct tls_ticket_key *out)
{
    const struct tls_ticket_key *found = NULL;

    pthread_mutex_lock(&k->lock);
    for (int i = 0; i < 2; i++) {
        const struct tls_ticket_key *key = i == 0 ? &k->current : &k->before;

        // It sealed tickets for an hour, and the last of them lives for another one.
        if (key->made_ns != 0 && now_ns - key->made_ns < 2 * KEY_AGE_NS &&
            memcmp(key->name, name, sizeof key->name) == 0)
            found = key;
    }
    if (found)
        *out = *found;
    pthread_mutex_unlock(&k->lock);
    return found != NULL;
}

int tls_ticket_prepare(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac, int sealing)
{
    struct tls_ticket_keys *keys = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls_ticket_key key;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.hmac, sizeof key.hmac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    bool ok;

    if (sealing) {
        ok = tls_ticket_key_current(keys, clock_now_ns(), &key) == 0 &&
             RAND_bytes(iv, IV_BYTES) == 1 &&
             EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), key.aes, iv, NULL) == 1 &&
             EVP_MAC_CTX_set_params(mac, params) == 1;
        if (ok)
            memcpy(name, key.name, sizeof key.name);
        OPENSSL_cleanse(&key, sizeof key);
        return ok ? 1 : -1;
    }
    if (!tls_ticket_key_find(keys, clock_now_ns(), name, &key))
        return 0; // a whole handshake then
    ok = EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key.aes, iv, NULL) == 1 &&
         EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(&key, sizeof key);
    return ok ? 2 : -1; // 2: and a new ticket for the used one
}
