// Contexts of TLS 1.3: what all channels of a listener or of a client share. Runs at start; only
// the tickets' keys are used later.
#include "tls_context.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The hybrid group first; named one by one, because the DEFAULT keyword flattened the preference
// (CVE-2026-2673).
#define GROUPS "X25519MLKEM768:X25519"
#define SELF_SIGNED_DAYS 30

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static void explain(char reason[TLS_REASON_BYTES], const char *what, const char *file)
{
    char detail[128] = "unknown cause";
    unsigned long code = ERR_peek_error(); // the first is the cause, the others what followed

    if (code != 0)
        ERR_error_string_n(code, detail, sizeof detail);
    snprintf(reason, TLS_REASON_BYTES, "%s%s%s: %s", what, file ? " " : "", file ? file : "",
             detail);
    ERR_clear_error();
}

// An encrypted private key is refused: the default would ask on the terminal and wait.
static int refuse_password(char *password, int cap, int writing, void *context)
{
    (void)password, (void)cap, (void)writing, (void)context;
    return -1;
}

static bool fetch_suites(struct tls_context *c)
{
    static const char *const names[SUITE_COUNT] = {"AES-256-GCM", "AES-128-GCM",
                                                   "ChaCha20-Poly1305"};

    for (int i = 0; i < SUITE_COUNT; i++) {
        c->ciphers[i] = EVP_CIPHER_fetch(NULL, names[i], NULL);
        if (!c->ciphers[i])
            return false;
        c->suites[i] = (struct tls_suite){
            .cipher = c->ciphers[i],
            .digest = i == SUITE_AES_256 ? "SHA384" : "SHA256",
            .key_bytes = (size_t)EVP_CIPHER_get_key_length(c->ciphers[i]),
            .secret_bytes = i == SUITE_AES_256 ? 48 : 32,
        };
    }
    return true;
}

static struct tls_context *context_create(const SSL_METHOD *ssl_method,
                                          char reason[TLS_REASON_BYTES])
{
    struct tls_context *c = calloc(1, sizeof *c);

    ERR_clear_error(); // what explain() tells is to be ours
    if (!c)
        goto cleanup;
    tls_ticket_keys_init(&c->tickets);
    c->ssl = SSL_CTX_new(ssl_method);
    c->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "span");
    if (!c->ssl || !c->method || !fetch_suites(c))
        goto cleanup;
    BIO_meth_set_read_ex(c->method, tls_bio_read);
    BIO_meth_set_write_ex(c->method, tls_bio_write);
    BIO_meth_set_ctrl(c->method, bio_ctrl);
    BIO_meth_set_create(c->method, bio_create);
    if (!SSL_CTX_set_min_proto_version(c->ssl, TLS1_3_VERSION) ||
        !SSL_CTX_set1_groups_list(c->ssl, GROUPS))
        goto cleanup;
    // Without read-ahead OpenSSL takes one record at a time, so that at the handshake's end the
    // span stands right at the first record of traffic.
    SSL_CTX_set_read_ahead(c->ssl, 0);
    SSL_CTX_set_keylog_callback(c->ssl, tls_take_secret);
    SSL_CTX_set_default_passwd_cb(c->ssl, refuse_password);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return c;

cleanup:
    explain(reason, "TLS cannot be set up", NULL);
    tls_context_destroy(c);
    return NULL;
}

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = e && X509_add_ext(x, e, -1);

    X509_EXTENSION_free(e);
    return ok;
}

// A certificate for the loopback names, valid for a month, with a key that never leaves memory.
static bool use_self_signed(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    uint8_t serial[8];
    bool ok = false;

    if (!key || !x)
        goto cleanup;
    if (RAND_bytes_ex(NULL, serial, sizeof serial, 0) != 1)
        goto cleanup;
    serial[0] &= 0x7F;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    ok = ok && X509_set_version(x, X509_VERSION_3) &&
         X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
         X509_gmtime_adj(X509_getm_notAfter(x), SELF_SIGNED_DAYS * 24L * 3600) &&
         X509_set_pubkey(x, key) &&
         X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"sealpost", -1, -1, 0) &&
         X509_set_issuer_name(x, X509_get_subject_name(x)) &&
         add_extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
         add_extension(x, NID_basic_constraints, "critical,CA:TRUE") &&
         X509_sign(x, key, EVP_sha256()) && SSL_CTX_use_certificate(ctx, x) &&
         SSL_CTX_use_PrivateKey(ctx, key);

cleanup:
    X509_free(x);
    EVP_PKEY_free(key);
    return ok;
}

struct tls_context *tls_context_create_server(const char *certificate_file, const char *key_file,
                                              char reason[TLS_REASON_BYTES])
{
    struct tls_context *c = context_create(TLS_server_method(), reason);

    if (!c)
        return NULL;
    // One ticket for each handshake, sealed and not remembered: it costs no memory here.
    SSL_CTX_set_num_tickets(c->ssl, 1);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(c->ssl, TLS_TICKET_LIFETIME_S);
    SSL_CTX_set_app_data(c->ssl, &c->tickets);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, tls_ticket_prepare);
    if (!certificate_file && !key_file) {
        if (!use_self_signed(c->ssl)) {
            explain(reason, "no self-signed certificate could be made", NULL);
            goto cleanup;
        }
    } else {
        if (!certificate_file || !key_file) {
            snprintf(reason, TLS_REASON_BYTES,
                     "a certificate needs its key and a key its certificate; give both");
            goto cleanup;
        }
        if (SSL_CTX_use_certificate_chain_file(c->ssl, certificate_file) != 1) {
            explain(reason, "cannot use the certificate in", certificate_file);
            goto cleanup;
        }
        if (SSL_CTX_use_PrivateKey_file(c->ssl, key_file, SSL_FILETYPE_PEM) != 1) {
            explain(reason, "cannot use the private key in", key_file);
            goto cleanup;
        }
        if (SSL_CTX_check_private_key(c->ssl) != 1) {
            explain(reason, "the private key does not belong to the certificate:", key_file);
            goto cleanup;
        }
    }
    c->certificate = SSL_CTX_get0_certificate(c->ssl);
    return c;

cleanup:
    tls_context_destroy(c);
    return NULL;
}

struct tls_context *tls_context_create_client(const char *file, char reason[TLS_REASON_BYTES])
{
    struct tls_context *c = context_create(TLS_client_method(), reason);

    if (!c)
        return NULL;
    // Sessions go to the channels that want them (tls_keep_session), not to a cache of OpenSSL's.
    SSL_CTX_set_session_cache_mode(c->ssl,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(c->ssl, tls_on_session);
    if (!file)
        return c;
    if (SSL_CTX_load_verify_file(c->ssl, file) != 1) {
        explain(reason, "cannot use the CA certificates in", file);
        tls_context_destroy(c);
        return NULL;
    }
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    return c;
}

void tls_context_destroy(struct tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ssl);
    tls_ticket_keys_free(&c->tickets);
    BIO_meth_free(c->method);
    for (int i = 0; i < SUITE_COUNT; i++)
        EVP_CIPHER_free(c->ciphers[i]);
    free(c);
}

int tls_context_write_certificate(const struct tls_context *c, const char *file)
{
    int err = 0;
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FILE *f;

    assert(c->certificate);
    if (fd < 0)
        return -errno;
    f = fdopen(fd, "w");
    if (!f) {
        err = -errno;
        close(fd);
        return err;
    }
    if (!PEM_write_X509(f, c->certificate))
        err = -EIO;
    if (fclose(f) != 0 && err == 0)
        err = -errno;
    ERR_clear_error();
    return err;
}
