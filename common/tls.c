// TLS 1.3 channels. The handshake is OpenSSL's, over a BIO that reads from the span the caller fed
// and appends to the caller's output. When it is done the traffic secrets are taken over, OpenSSL's
// object is freed, and records are protected here: a third of the time for a small record, and a
// tenth of the memory for a connection.
#include "tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "tls_context.h"

// Each costs us two key derivations for its 27 bytes: a peer that sends this many in a row, without
// a byte of data, means no good.
#define KEY_UPDATES_MAX 32u

// What is left of a handshake message after the handshake: a ticket to skip, a KeyUpdate to obey.
struct tls_post_handshake {
    uint8_t header[4]; // type, length (3)
    uint32_t have;     // of the header
    uint32_t left;     // of the body
};

struct tls {
    SSL *ssl; // during the handshake, and until the ticket is here if it is wanted
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
    SSL_SESSION *session; // what the server's ticket resumes, NULL if none came
    bool is_server;
    bool failed; // nothing more comes in …
    bool closed; // … because of the peer's close_notify
    bool silent; // nothing more goes out: a fatal alert either way, or our close_notify
    bool owes_key_update;
    bool keeps_session; // client: the first record of traffic goes through OpenSSL
    bool was_resumed;
};

int tls_bio_read(BIO *bio, char *to, size_t cap, size_t *done)
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

int tls_bio_write(BIO *bio, const char *from, size_t len, size_t *done)
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

// OpenSSL tells the traffic secrets here, in the form of a key log: label, client random, secret.
void tls_take_secret(const SSL *ssl, const char *line)
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

// A ticket came and OpenSSL made a session of it. Returns whether the reference was taken.
int tls_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);

    if (!t->keeps_session || t->session)
        return 0;
    t->session = session;
    return 1;
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
    SSL_SESSION_free(t->session);
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

static void free_ssl(struct tls *t)
{
    // Without a word of shutdown OpenSSL takes the session for a bad one and spoils it.
    SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    t->ssl = NULL;
}

// Records that OpenSSL wrote under the traffic secret already: the ticket, which is all that a
// server says in its last step.
static uint64_t count_records(const uint8_t *bytes, size_t len)
{
    uint64_t count = 0;

    for (size_t at = 0; at + TLS_RECORD_HEADER_BYTES <= len; count++)
        at += TLS_RECORD_HEADER_BYTES + ((size_t)bytes[at + 3] << 8 | bytes[at + 4]);
    return count;
}

// From here on records are ours: the secrets are known and OpenSSL holds no byte of traffic.
static bool take_over(struct tls *t, uint64_t written)
{
    const struct tls_suite *suite = agreed_suite(t);
    bool ok = suite && t->secret_len[0] == suite->secret_bytes &&
              t->secret_len[1] == suite->secret_bytes && !SSL_has_pending(t->ssl) &&
              tls_direction_init(&t->reading, suite, t->secrets[t->is_server ? 0 : 1], 0) == 0 &&
              tls_direction_init(&t->writing, suite, t->secrets[t->is_server ? 1 : 0], 1) == 0;

    if (ok) {
        t->writing.sequence = written;
        t->group = static_group_name(SSL_get0_group_name(t->ssl));
        t->was_resumed = SSL_session_reused(t->ssl) == 1;
    }
    OPENSSL_cleanse(t->secrets, sizeof t->secrets);
    if (!ok || !t->keeps_session)
        free_ssl(t);
    return ok;
}

// 1 when established, 0 when more is needed, or TLS_FAILED.
static int handshake(struct tls *t, struct tls_out *out)
{
    size_t before = out->len;
    int done, why;

    t->out = out;
    ERR_clear_error(); // SSL_get_error takes an older entry for its own
    done = SSL_do_handshake(t->ssl);
    why = SSL_get_error(t->ssl, done);
    t->out = NULL;
    if (done == 1 &&
        take_over(t, t->is_server ? count_records(out->bytes + before, out->len - before) : 0))
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

// The first record of traffic, through OpenSSL, which alone can make a session of a ticket. Then
// OpenSSL goes. Returns like tls_record_open; 0 bytes of data for the ticket.
static ssize_t open_first(struct tls *t, const uint8_t *record, size_t len, uint8_t *plain,
                          size_t cap, enum tls_record_type *type)
{
    const uint8_t *rest = t->in;
    size_t rest_len = t->in_len, n = 0;
    bool ok;

    t->in = record;
    t->in_len = len;
    ERR_clear_error();
    ok = SSL_read_ex(t->ssl, plain, cap, &n) == 1 || t->session;
    ok = ok && t->in_len == 0 && !SSL_has_pending(t->ssl);
    t->in = rest;
    t->in_len = rest_len;
    ERR_clear_error();
    free_ssl(t);
    t->reading.sequence = 1;
    *type = TLS_TYPE_DATA;
    // Anything else (an alert, a KeyUpdate) is not what a server begins with that sends tickets.
    return ok ? (ssize_t)n : TLS_RECORD_UNEXPECTED;
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
    if (!t->group) {
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
        n = t->ssl ? open_first(t, record, record_len, plain, cap, &type)
                   : tls_record_open(&t->reading, record, record_len, plain, &type);
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

void tls_resume(struct tls *t, struct ssl_session_st *session)
{
    assert(!t->is_server && !t->group);
    t->keeps_session = true;
    // One that has expired, or that the server does not know, means a whole handshake.
    if (session && SSL_set_session(t->ssl, session) != 1)
        ERR_clear_error();
    SSL_SESSION_free(session);
}

struct ssl_session_st *tls_take_session(struct tls *t)
{
    SSL_SESSION *session = t->session;

    t->session = NULL;
    return session;
}

void tls_session_free(struct ssl_session_st *session)
{
    SSL_SESSION_free(session);
}

bool tls_was_resumed(const struct tls *t)
{
    return t->was_resumed;
}
