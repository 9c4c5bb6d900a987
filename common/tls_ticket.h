// The keys that a server seals its session tickets with (RFC 5077 section 4, RFC 8446 section
// 4.6.1): a new one each hour, the one before is still accepted. They never leave memory, so a
// restart forgets all tickets, and a stolen key opens tickets of two hours at most. Resumption
// always does a key exchange of its own (psk_dhe_ke), so it never opens traffic.
// Thread: the locked functions may be called by any.
#ifndef SEALPOST_TLS_TICKET_H
#define SEALPOST_TLS_TICKET_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "units.h"

#define TLS_TICKET_LIFETIME_S 3600u
#define TLS_TICKET_KEY_NAME_BYTES 16u

struct tls_ticket_key {
    uint8_t name[TLS_TICKET_KEY_NAME_BYTES]; // random; in the ticket, so that it is found again
    uint8_t aes[32], hmac[32];
    uint64_t made_ns; // 0: none
};

struct tls_ticket_keys {
    pthread_mutex_t lock; // held for a copy, at a handshake
    struct tls_ticket_key current, before;
};

void tls_ticket_keys_init(struct tls_ticket_keys *k);
void tls_ticket_keys_free(struct tls_ticket_keys *k);

// Copy the key to seal with now; a used-up one is replaced first. Errors: -EIO (no random bytes).
NODISCARD int tls_ticket_key_current(struct tls_ticket_keys *k, uint64_t now_ns,
                                     struct tls_ticket_key *out);
// Copy the key of this name; false when it is unknown or too old.
NODISCARD bool tls_ticket_key_find(struct tls_ticket_keys *k, uint64_t now_ns,
                                   const uint8_t name[TLS_TICKET_KEY_NAME_BYTES],
                                   struct tls_ticket_key *out);

// OpenSSL's callback: prepare cipher and MAC to seal or open a ticket. The keys are the app data of
// the connection's SSL_CTX.
int tls_ticket_prepare(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac, int sealing);

#endif
