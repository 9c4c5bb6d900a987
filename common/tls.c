// TLS 1.3 channels over OpenSSL. The BIO underneath reads from the span the caller fed and appends
// to the caller's output, so that records are copied once by OpenSSL and never by us.
#include "tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The hybrid group first; named one by one, because the DEFAULT keyword flattened the preference
// (CVE-2026-2673).
#define GROUPS "X25519MLKEM768:X25519"
#define SELF_SIGNED_DAYS 30

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *method;
    X509 *certificate; // borrowed from `ssl`; NULL on a client
};

struct tls {
    SSL *ssl;
    const uint8_t *in;
    size_t in_len;
    struct tls_out *out; // only during a call
};

static int bio_read(BIO *bio, char *to, size_t cap, size_t *done)
{
    struct tls *t = BIO_get_data(bio);
    size_t n = cap < t->in_len ? cap : t->in_len;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        *done = 0;
        return 0;
    }
    memcpy(to, t->in, n);
    t->in += n;
    t->in_len -= n;
    *done = n;
    return 1;
}

static int bio_write(BIO *bio, const char *from, size_t len, size_t *done)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *done = 0;
    // The bound in the header makes room certain; a peer that forces more output loses its
    // connection.
    if (!t->out || t->out->cap - t->out->len < len)
        return 0;
    memcpy(t->out->bytes + t->out->len, from, len);
    t->out->len += len;
    *done = len;
    return 1;
}

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
    unsigned long code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, detail, sizeof detail);
    snprintf(reason, TLS_REASON_BYTES, "%s%s%s: %s", what, file ? " " : "", file ? file : "",
             detail);
    ERR_clear_error();
}

static struct tls_context *context_create(const SSL_METHOD *ssl_method,
                                          char reason[TLS_REASON_BYTES])
{
    struct tls_context *c = calloc(1, sizeof *c);

    if (!c)
        goto cleanup;
    c->ssl = SSL_CTX_new(ssl_method);
    c->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "span");
    if (!c->ssl || !c->method)
        goto cleanup;
    BIO_meth_set_read_ex(c->method, bio_read);
    BIO_meth_set_write_ex(c->method, bio_write);
    BIO_meth_set_ctrl(c->method, bio_ctrl);
    BIO_meth_set_create(c->method, bio_create);
    if (!SSL_CTX_set_min_proto_version(c->ssl, TLS1_3_VERSION) ||
        !SSL_CTX_set1_groups_list(c->ssl, GROUPS))
        goto cleanup;
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
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
    // Tickets cost memory and bytes at every handshake and nothing resumes yet.
    SSL_CTX_set_num_tickets(c->ssl, 0);
    SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
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

struct tls_context *tls_context_create_client(const char *ca_file, char reason[TLS_REASON_BYTES])
{
    struct tls_context *c = context_create(TLS_client_method(), reason);

    if (!c || !ca_file)
        return c;
    if (SSL_CTX_load_verify_file(c->ssl, ca_file) != 1) {
        explain(reason, "cannot use the CA certificates in", ca_file);
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
    BIO_meth_free(c->method);
    free(c);
}

int tls_context_write_certificate(const struct tls_context *c, const char *file)
{
    int err = 0;
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FILE *f;

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
    return err;
}

static bool expect_server(SSL *ssl, const char *name)
{
    uint8_t address[16];

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct tls *tls_create(struct tls_context *c, const char *server_name)
{
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio = NULL;

    if (!t)
        return NULL;
    t->ssl = SSL_new(c->ssl);
    bio = BIO_new(c->method);
    if (!t->ssl || !bio) {
        BIO_free(bio);
        goto cleanup;
    }
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    if (c->certificate) {
        SSL_set_accept_state(t->ssl);
    } else {
        SSL_set_connect_state(t->ssl);
        if (server_name && !expect_server(t->ssl, server_name))
            goto cleanup;
    }
    return t;

cleanup:
    ERR_clear_error();
    tls_destroy(t);
    return NULL;
}

void tls_destroy(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

int tls_connect(struct tls *t, struct tls_out *out)
{
    int done, why;

    t->out = out;
    done = SSL_connect(t->ssl);
    why = SSL_get_error(t->ssl, done);
    t->out = NULL;
    if (done == 1 || why == SSL_ERROR_WANT_READ)
        return 0;
    ERR_clear_error();
    return TLS_FAILED;
}

void tls_feed(struct tls *t, const uint8_t *records, size_t len)
{
    assert(t->in_len == 0);
    t->in = records;
    t->in_len = len;
}

ssize_t tls_read(struct tls *t, uint8_t *plain, size_t cap, struct tls_out *out)
{
    size_t done = 0;
    int ok, why;

    t->out = out;
    ok = SSL_read_ex(t->ssl, plain, cap, &done);
    if (ok) {
        t->out = NULL;
        return (ssize_t)done;
    }
    why = SSL_get_error(t->ssl, ok);
    t->out = NULL;
    if (why == SSL_ERROR_WANT_READ)
        return 0;
    ERR_clear_error();
    t->in_len = 0; // nothing after the end is read
    return why == SSL_ERROR_ZERO_RETURN ? TLS_CLOSED : TLS_FAILED;
}

int tls_write(struct tls *t, const uint8_t *plain, size_t len, struct tls_out *out)
{
    size_t done = 0;
    int ok;

    assert(out->cap - out->len >= tls_write_bound(len));
    t->out = out;
    ok = SSL_write_ex(t->ssl, plain, len, &done);
    t->out = NULL;
    if (ok && done == len)
        return 0;
    ERR_clear_error();
    return TLS_FAILED;
}

void tls_close(struct tls *t, struct tls_out *out)
{
    t->out = out;
    if (SSL_shutdown(t->ssl) < 0)
        ERR_clear_error();
    t->out = NULL;
}

bool tls_is_established(const struct tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

const char *tls_group_name(const struct tls *t)
{
    const char *name = SSL_get0_group_name(t->ssl);

    return name ? name : "none";
}
