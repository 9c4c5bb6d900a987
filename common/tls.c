// TLS 1.3 channels. The handshake is OpenSSL's, over a BIO that reads from the span the caller fed
// and appends to the caller's output. When it is done the traffic secrets are taken over, OpenSSL's
// object is freed, and records are protected here: a third of the time for a small record, and a
// tenth of the memory for a connection.
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

#include "pool.h"

// The hybrid group first; named one by one, because the DEFAULT keyword flattened the preference
// (CVE-2026-2673).
#define GROUPS "X25519MLKEM768:X25519"
#define SELF_SIGNED_DAYS 30
// Each costs us two key derivations for its 27 bytes: a peer that sends this many in a row, without
// a byte of data, means no good.
#define KEY_UPDATES_MAX 32u

// What is left of a handshake message after the handshake: a ticket to skip, a KeyUpdate to obey.
struct tls_post_handshake {
    uint8_t header[4]; // type, length (3)
    uint32_t have;     // of the header
    uint32_t left;     // of the body
};

enum suite_index { SUITE_AES_256, SUITE_AES_128, SUITE_CHACHA, SUITE_COUNT };

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *method;
    X509 *certificate; // borrowed from `ssl`; NULL on a client
    EVP_CIPHER *ciphers[SUITE_COUNT];
    struct tls_suite suites[SUITE_COUNT];
};

struct tls {
    SSL *ssl; // during the handshake only
    const uint8_t *in;
    size_t in_len;
    struct tls_out *out; // only during a call into OpenSSL
    struct tls_context *context;
    struct pool *partials;
    uint8_t *partial; // a record that came in part, NULL if none
    size_t partial_len;
    struct tls_direction reading, writing;
    struct tls_post_handshake post;
    uint8_t secrets[2][TLS_SECRET_MAX_BYTES]; // client's, server's; until they are taken over
    size_t secret_len[2];
    uint32_t key_updates; // received since the last byte of data
    const char *group;    // NULL until established
    bool is_server;
    bool failed; // nothing more comes in …
    bool closed; // … because of the peer's close_notify
    bool silent; // nothing more goes out: a fatal alert either way, or our close_notify
    bool owes_key_update;
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

// OpenSSL tells the traffic secrets here, in the form of a key log: label, client random, secret.
static void take_secret(const SSL *ssl, const char *line)
{
    static const char *const labels[2] = {"CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "};
    struct tls *t = SSL_get_app_data(ssl);

    for (int i = 0; i < 2; i++) {
        const char *hex;

        if (strncmp(line, labels[i], strlen(labels[i])) != 0)
            continue;
        hex = strchr(line + strlen(labels[i]), ' ');
        if (!hex || !OPENSSL_hexstr2buf_ex(t->secrets[i], sizeof t->secrets[i], &t->secret_len[i],
                                           hex + 1, '\0'))
            t->secret_len[i] = 0;
    }
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
    c->ssl = SSL_CTX_new(ssl_method);
    c->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "span");
    if (!c->ssl || !c->method || !fetch_suites(c))
        goto cleanup;
    BIO_meth_set_read_ex(c->method, bio_read);
    BIO_meth_set_write_ex(c->method, bio_write);
    BIO_meth_set_ctrl(c->method, bio_ctrl);
    BIO_meth_set_create(c->method, bio_create);
    if (!SSL_CTX_set_min_proto_version(c->ssl, TLS1_3_VERSION) ||
        !SSL_CTX_set1_groups_list(c->ssl, GROUPS))
        goto cleanup;
    // Without read-ahead OpenSSL takes one record at a time, so that at the handshake's end the
    // span stands right at the first record of traffic.
    SSL_CTX_set_read_ahead(c->ssl, 0);
    SSL_CTX_set_keylog_callback(c->ssl, take_secret);
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

static bool expect_server(SSL *ssl, const char *name)
{
    uint8_t address[16];

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    // The common name identifies nothing (RFC 9525 section 2), and a wildcard is a whole label.
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct tls *tls_create(struct tls_context *c, const char *server_name, struct pool *partials)
{
    struct tls *t = calloc(1, sizeof *t);
    BIO *bio = NULL;

    if (!t)
        return NULL;
    t->context = c;
    t->partials = partials;
    t->is_server = c->certificate != NULL;
    t->ssl = SSL_new(c->ssl);
    bio = BIO_new(c->method);
    if (!t->ssl || !bio) {
        BIO_free(bio);
        goto cleanup;
    }
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    if (t->is_server) {
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

static void drop_partial(struct tls *t)
{
    if (t->partial)
        pool_put(t->partials, t->partial);
    t->partial = NULL;
    t->partial_len = 0;
}

void tls_destroy(struct tls *t)
{
    if (!t)
        return;
    drop_partial(t);
    SSL_free(t->ssl);
    tls_direction_free(&t->reading);
    tls_direction_free(&t->writing);
    OPENSSL_cleanse(t, sizeof *t);
    free(t);
}

// ---- the handshake ------------------------------------------------------------------------------

static const struct tls_suite *agreed_suite(const struct tls *t)
{
    switch (SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(t->ssl))) {
    case NID_aes_256_gcm:
        return &t->context->suites[SUITE_AES_256];
    case NID_aes_128_gcm:
        return &t->context->suites[SUITE_AES_128];
    case NID_chacha20_poly1305:
        return &t->context->suites[SUITE_CHACHA];
    default:
        return NULL;
    }
}

static const char *static_group_name(const char *name)
{
    static const char *const names[] = {"X25519MLKEM768", "X25519"};

    for (size_t i = 0; name && i < COUNT_OF(names); i++)
        if (OPENSSL_strcasecmp(name, names[i]) == 0)
            return names[i];
    return "another";
}

// From here on records are ours: the secrets are known and OpenSSL holds no byte of traffic.
static bool take_over(struct tls *t)
{
    const struct tls_suite *suite = agreed_suite(t);
    bool ok = suite && t->secret_len[0] == suite->secret_bytes &&
              t->secret_len[1] == suite->secret_bytes && !SSL_has_pending(t->ssl) &&
              tls_direction_init(&t->reading, suite, t->secrets[t->is_server ? 0 : 1], 0) == 0 &&
              tls_direction_init(&t->writing, suite, t->secrets[t->is_server ? 1 : 0], 1) == 0;

    if (ok)
        t->group = static_group_name(SSL_get0_group_name(t->ssl));
    OPENSSL_cleanse(t->secrets, sizeof t->secrets);
    SSL_free(t->ssl);
    t->ssl = NULL;
    return ok;
}

// 1 when established, 0 when more is needed, or TLS_FAILED.
static int handshake(struct tls *t, struct tls_out *out)
{
    int done, why;

    t->out = out;
    ERR_clear_error(); // SSL_get_error takes an older entry for its own
    done = SSL_do_handshake(t->ssl);
    why = SSL_get_error(t->ssl, done);
    t->out = NULL;
    if (done == 1 && take_over(t))
        return 1;
    if (done != 1 && why == SSL_ERROR_WANT_READ)
        return 0;
    ERR_clear_error();
    t->failed = t->silent = true;
    t->in_len = 0;
    return TLS_FAILED;
}

int tls_connect(struct tls *t, struct tls_out *out)
{
    return handshake(t, out) < 0 ? TLS_FAILED : 0;
}

// ---- traffic ------------------------------------------------------------------------------------

#define HANDSHAKE_NEW_SESSION_TICKET 4
#define HANDSHAKE_KEY_UPDATE 24
#define ALERT_WARNING 1
#define ALERT_FATAL 2
#define ALERT_CLOSE_NOTIFY 0
#define ALERT_UNEXPECTED_MESSAGE 10
#define ALERT_ILLEGAL_PARAMETER 47
#define ALERT_DECODE_ERROR 50
#define ALERT_INTERNAL_ERROR 80
#define ALERT_USER_CANCELED 90

static int seal(struct tls *t, enum tls_record_type type, const uint8_t *plain, size_t len,
                struct tls_out *out)
{
    ssize_t n;

    if (out->cap - out->len < len + TLS_RECORD_OVERHEAD_BYTES)
        return TLS_FAILED;
    n = tls_record_seal(&t->writing, type, plain, len, out->bytes + out->len);
    if (n < 0) {
        ERR_clear_error();
        return TLS_FAILED;
    }
    out->len += (size_t)n;
    return 0;
}

// Our alert goes out, nothing more comes in. Without room for it the connection ends without the
// alert.
static int fail(struct tls *t, int alert, struct tls_out *out)
{
    const uint8_t body[2] = {ALERT_FATAL, (uint8_t)alert};

    ERR_clear_error();
    t->failed = true;
    t->in_len = 0;
    drop_partial(t);
    if (!t->silent)
        (void)seal(t, TLS_TYPE_ALERT, body, sizeof body, out);
    t->silent = true;
    return TLS_FAILED;
}

// Tell the peer that our next record is under the next key (RFC 8446 section 4.6.3).
static int update_writing(struct tls *t, struct tls_out *out)
{
    static const uint8_t message[5] = {HANDSHAKE_KEY_UPDATE, 0, 0, 1, 0}; // update_not_requested

    if (seal(t, TLS_TYPE_HANDSHAKE, message, sizeof message, out) < 0 ||
        tls_direction_update(&t->writing) < 0) {
        ERR_clear_error();
        return TLS_FAILED;
    }
    t->owes_key_update = false;
    return 0;
}

// A KeyUpdate's only byte: does the peer ask for ours in return? It is due before our next data,
// one for however many were asked for meanwhile (section 4.6.3): a peer that only asks gets
// nothing.
static int on_key_update(struct tls *t, uint8_t request, bool at_record_end, struct tls_out *out)
{
    if (!at_record_end)
        return fail(t, ALERT_UNEXPECTED_MESSAGE, out); // keys change at a record's end (5.1)
    if (request > 1)
        return fail(t, ALERT_ILLEGAL_PARAMETER, out);
    if (++t->key_updates > KEY_UPDATES_MAX)
        return fail(t, ALERT_UNEXPECTED_MESSAGE, out);
    if (tls_direction_update(&t->reading) < 0)
        return fail(t, ALERT_INTERNAL_ERROR, out);
    t->owes_key_update |= request == 1;
    return 0;
}

// Handshake messages after the handshake, in any fragmentation. Tickets are for clients, and we
// resume nothing: skipped.
static int on_handshake(struct tls *t, const uint8_t *bytes, size_t len, struct tls_out *out)
{
    struct tls_post_handshake *p = &t->post;

    if (len == 0)
        return fail(t, ALERT_UNEXPECTED_MESSAGE, out);
    for (size_t at = 0; at < len;) {
        size_t n;

        if (p->have < sizeof p->header) {
            p->header[p->have++] = bytes[at++];
            if (p->have < sizeof p->header)
                continue;
            p->left = (uint32_t)p->header[1] << 16 | (uint32_t)p->header[2] << 8 | p->header[3];
            if (p->header[0] != HANDSHAKE_KEY_UPDATE &&
                (p->header[0] != HANDSHAKE_NEW_SESSION_TICKET || t->is_server))
                return fail(t, ALERT_UNEXPECTED_MESSAGE, out);
            if (p->header[0] == HANDSHAKE_KEY_UPDATE && p->left != 1)
                return fail(t, ALERT_DECODE_ERROR, out);
        }
        n = p->left < len - at ? p->left : len - at;
        p->left -= (uint32_t)n;
        at += n;
        if (p->left > 0)
            continue;
        p->have = 0;
        if (p->header[0] == HANDSHAKE_KEY_UPDATE) {
            int err = on_key_update(t, bytes[at - 1], at == len, out);

            if (err < 0)
                return err;
        }
    }
    return 0;
}

static int on_alert(struct tls *t, const uint8_t *body, size_t len, struct tls_out *out)
{
    if (len != 2)
        return fail(t, ALERT_UNEXPECTED_MESSAGE, out);
    if (body[1] == ALERT_USER_CANCELED)
        return 0; // a close_notify follows (section 6.1)
    t->failed = true;
    t->in_len = 0;
    t->closed = body[1] == ALERT_CLOSE_NOTIFY;
    t->silent |= !t->closed; // nothing of ours answers an error; after a close we may still write
    return t->closed ? TLS_CLOSED : TLS_FAILED;
}

// Fill the partial buffer up to `want` bytes, as far as the fed span goes.
static bool fill_partial(struct tls *t, size_t want)
{
    size_t n = want > t->partial_len ? want - t->partial_len : 0;

    if (n > t->in_len)
        n = t->in_len;
    memcpy(t->partial + t->partial_len, t->in, n);
    t->partial_len += n;
    t->in += n;
    t->in_len -= n;
    return t->partial_len >= want;
}

// The next whole record: in the fed span, or put together in the partial buffer.
// 1 found, 0 more is needed (everything fed is kept), or an error.
static int next_record(struct tls *t, const uint8_t **record, size_t *record_len,
                       struct tls_out *out)
{
    ssize_t total;

    if (!t->partial && t->in_len >= TLS_RECORD_HEADER_BYTES) {
        total = tls_record_length(t->in);
        if (total < 0)
            return fail(t, (int)-total, out);
        if ((size_t)total <= t->in_len) {
            *record = t->in;
            *record_len = (size_t)total;
            t->in += total;
            t->in_len -= (size_t)total;
            return 1;
        }
    }
    if (t->in_len == 0)
        return 0;
    if (!t->partial) {
        t->partial = pool_get(t->partials);
        t->partial_len = 0;
        if (!t->partial) {
            t->failed = true; // what was fed is lost
            t->in_len = 0;
            return TLS_NO_BUFFER;
        }
    }
    if (!fill_partial(t, TLS_RECORD_HEADER_BYTES))
        return 0;
    total = tls_record_length(t->partial);
    if (total < 0)
        return fail(t, (int)-total, out);
    if (!fill_partial(t, (size_t)total))
        return 0;
    *record = t->partial;
    *record_len = (size_t)total;
    return 1;
}

void tls_feed(struct tls *t, const uint8_t *records, size_t len)
{
    assert(t->in_len == 0);
    t->in = records;
    t->in_len = len;
}

ssize_t tls_read(struct tls *t, uint8_t *plain, size_t cap, struct tls_out *out)
{
    assert(cap >= TLS_RECORD_CIPHERTEXT_MAX);
    if (t->failed) {
        t->in_len = 0;
        return t->closed ? TLS_CLOSED : TLS_FAILED;
    }
    if (t->ssl) {
        int done = handshake(t, out);

        if (done <= 0)
            return done;
    }
    for (;;) {
        enum tls_record_type type = TLS_TYPE_DATA;
        const uint8_t *record = NULL;
        size_t record_len = 0;
        ssize_t n = next_record(t, &record, &record_len, out);
        bool in_message = t->post.have > 0;
        int err = 0;

        if (n <= 0)
            return n;
        n = tls_record_open(&t->reading, record, record_len, plain, &type);
        if (record == t->partial)
            drop_partial(t);
        if (n < 0)
            return fail(t, (int)-n, out);
        if (in_message && type != TLS_TYPE_HANDSHAKE)
            return fail(t, ALERT_UNEXPECTED_MESSAGE, out); // no interleaving (section 5.1)
        if (type == TLS_TYPE_DATA && n > 0) {
            t->key_updates = 0;
            return n;
        }
        if (type == TLS_TYPE_HANDSHAKE)
            err = on_handshake(t, plain, (size_t)n, out);
        else if (type == TLS_TYPE_ALERT)
            err = on_alert(t, plain, (size_t)n, out);
        else if (type != TLS_TYPE_DATA)
            err = fail(t, ALERT_UNEXPECTED_MESSAGE, out);
        if (err < 0)
            return err;
    }
}

int tls_write(struct tls *t, const uint8_t *plain, size_t len, struct tls_out *out)
{
    assert(t->group && out->cap - out->len >= tls_write_bound(len));
    while (len > 0 && !t->silent) {
        size_t n = len < TLS_RECORD_PLAINTEXT_MAX ? len : TLS_RECORD_PLAINTEXT_MAX;

        if (t->owes_key_update || t->writing.sequence >= TLS_RECORDS_PER_KEY)
            if (update_writing(t, out) < 0)
                return TLS_FAILED;
        if (seal(t, TLS_TYPE_DATA, plain, n, out) < 0)
            return TLS_FAILED;
        plain += n;
        len -= n;
    }
    return 0;
}

void tls_close(struct tls *t, struct tls_out *out)
{
    static const uint8_t body[2] = {ALERT_WARNING, ALERT_CLOSE_NOTIFY};

    if (!t->group || t->silent)
        return;
    // No room means it is left out: the end of the stream tells the same, less politely.
    (void)seal(t, TLS_TYPE_ALERT, body, sizeof body, out);
    t->silent = true;
}

bool tls_is_established(const struct tls *t)
{
    return t->group != NULL;
}

bool tls_is_mid_record(const struct tls *t)
{
    return t->partial != NULL;
}

const char *tls_group_name(const struct tls *t)
{
    return t->group ? t->group : "none";
}
