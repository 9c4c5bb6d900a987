// What the contexts and the channels of TLS know of each other. Of tls.c and tls_context.c only.
#ifndef SEALPOST_TLS_CONTEXT_H
#define SEALPOST_TLS_CONTEXT_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stddef.h>

#include "tls.h"
#include "tls_ticket.h"

enum suite_index { SUITE_AES_256, SUITE_AES_128, SUITE_CHACHA, SUITE_COUNT };

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *method;
    X509 *certificate; // borrowed from `ssl`; NULL on a client
    EVP_CIPHER *ciphers[SUITE_COUNT];
    struct tls_suite suites[SUITE_COUNT];
    struct tls_ticket_keys tickets; // server
};

// The channel's callbacks, which tls_context.c gives to OpenSSL.
int tls_bio_read(BIO *bio, char *to, size_t cap, size_t *done);
int tls_bio_write(BIO *bio, const char *from, size_t len, size_t *done);
void tls_take_secret(const SSL *ssl, const char *line);
int tls_on_session(SSL *ssl, SSL_SESSION *session);

#endif
