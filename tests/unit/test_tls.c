// TLS channels against OpenSSL at the other end, in both roles: handshakes, retries and refusals,
// every suite, cuts at every byte, key updates, tickets, both closes; and what contexts refuse.
#include "tls_end.h"
// For its certificates.
#include "tls_context.c"

TestSuite(tls, .init = set_up, .fini = tear_down, .timeout = 60);

// ---- the other end: OpenSSL ---------------------------------------------------------------------

struct foreign {
    SSL_CTX *ctx;
    SSL *ssl;
    uint8_t plain[4 * LONG_BYTES];
    size_t plain_len;
};

static struct foreign *foreign_create(bool is_server, const char *groups, const char *suites)
{
    struct foreign *f = calloc(1, sizeof *f);

    cr_assert_not_null(f);
    f->ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    cr_assert(SSL_CTX_set1_groups_list(f->ctx, groups));
    cr_assert(!suites || SSL_CTX_set_ciphersuites(f->ctx, suites));
    if (is_server) {
        // The identity of our server, which our client trusts.
        cr_assert(SSL_CTX_use_certificate(f->ctx, SSL_CTX_get0_certificate(server->ssl)));
        cr_assert(SSL_CTX_use_PrivateKey(f->ctx, SSL_CTX_get0_privatekey(server->ssl)));
    }
    f->ssl = SSL_new(f->ctx);
    SSL_set_bio(f->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (is_server)
        SSL_set_accept_state(f->ssl);
    else
        SSL_set_connect_state(f->ssl);
    return f;
}

static void foreign_destroy(struct foreign *f)
{
    SSL_free(f->ssl);
    SSL_CTX_free(f->ctx);
    free(f);
    ERR_clear_error();
}

static void foreign_run(struct foreign *f)
{
    size_t n;

    if (!SSL_is_init_finished(f->ssl))
        SSL_do_handshake(f->ssl);
    while (SSL_is_init_finished(f->ssl) &&
           SSL_read_ex(f->ssl, f->plain + f->plain_len, sizeof f->plain - f->plain_len, &n) == 1)
        f->plain_len += n;
    ERR_clear_error();
}

static void foreign_put(struct foreign *f, const uint8_t *bytes, size_t len)
{
    size_t n;

    cr_assert_eq(SSL_write_ex(f->ssl, bytes, len, &n), 1);
    cr_assert_eq(n, len);
}

// Carry bytes both ways, to us `step` at a time, until both are silent. The last result of ours.
static ssize_t exchange(struct end *e, struct foreign *f, size_t step)
{
    static uint8_t flight[4 * LONG_BYTES];
    ssize_t result = 0;

    for (;;) {
        int n;

        foreign_run(f);
        n = BIO_read(SSL_get_wbio(f->ssl), flight, sizeof flight);
        ERR_clear_error();
        for (size_t at = 0; n > 0 && at < (size_t)n && result == 0; at += step)
            result = take(e, flight + at, step < (size_t)n - at ? step : (size_t)n - at);
        if (e->sent_len > 0)
            cr_assert_eq(BIO_write(SSL_get_rbio(f->ssl), e->sent, (int)e->sent_len), e->sent_len);
        else if (n <= 0 || result < 0)
            return result;
        e->sent_len = 0;
    }
}

static void begin(struct end *e)
{
    struct tls_out out = {e->sent, 0, sizeof e->sent};

    if (!e->tls->is_server)
        cr_assert_eq(tls_connect(e->tls, &out), 0);
    e->sent_len = out.len;
}

static void expect_established(struct end *e, struct foreign *f, const char *group)
{
    cr_assert(tls_is_established(e->tls));
    cr_assert(SSL_is_init_finished(f->ssl));
    cr_assert_null(e->tls->ssl);
    cr_assert_str_eq(tls_group_name(e->tls), group);
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < TLS_SECRET_MAX_BYTES; k++)
            cr_assert_eq(e->tls->secrets[i][k], 0);
}

static void converse(struct end *e, struct foreign *f, size_t step)
{
    static const size_t lengths[] = {1, 2, 1000, 16384, 16385, LONG_BYTES};

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        foreign_put(f, pattern, lengths[i]);
        put(e, pattern, lengths[i]);
        cr_assert_eq(exchange(e, f, step), 0);
        expect_plain(e, pattern, lengths[i]);
        cr_assert_eq(f->plain_len, lengths[i]);
        cr_assert(memcmp(f->plain, pattern, lengths[i]) == 0);
        f->plain_len = 0;
    }
}

static void whole_life(bool is_server, const char *suite, size_t step)
{
    struct foreign *f = foreign_create(!is_server, "X25519MLKEM768:X25519", suite);
    struct end *e = end_create(is_server ? server : client, is_server ? NULL : "localhost");

    cr_assert_not(tls_is_established(e->tls));
    cr_assert_str_eq(tls_group_name(e->tls), "none");
    begin(e);
    cr_assert_eq(exchange(e, f, step), 0);
    expect_established(e, f, "X25519MLKEM768");
    converse(e, f, step);
    cr_assert(SSL_key_update(f->ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
    converse(e, f, step);
    cr_assert_not(e->tls->owes_key_update);
    for (int i = 0; i < 3; i++) {
        cr_assert(SSL_key_update(f->ssl, SSL_KEY_UPDATE_REQUESTED));
        converse(e, f, step);
    }
    cr_assert_leq(e->tls->writing.sequence, 20); // the keys are new: the numbers began again
    // Our close, and data of theirs that crosses it.
    end_close(e);
    foreign_put(f, pattern, 10);
    cr_assert_eq(exchange(e, f, step), 0);
    expect_plain(e, pattern, 10);
    cr_assert_eq(SSL_get_shutdown(f->ssl), SSL_RECEIVED_SHUTDOWN);
    cr_assert_eq(SSL_shutdown(f->ssl), 1);
    cr_assert_eq(exchange(e, f, step), TLS_CLOSED);
    end_destroy(e);
    foreign_destroy(f);
}

Test(tls, server_with_every_suite)
{
    whole_life(true, "TLS_AES_256_GCM_SHA384", SIZE_MAX);
    whole_life(true, "TLS_AES_128_GCM_SHA256", SIZE_MAX);
    whole_life(true, "TLS_CHACHA20_POLY1305_SHA256", SIZE_MAX);
}

Test(tls, client_with_every_suite)
{
    whole_life(false, "TLS_AES_256_GCM_SHA384", SIZE_MAX);
    whole_life(false, "TLS_AES_128_GCM_SHA256", SIZE_MAX);
    whole_life(false, "TLS_CHACHA20_POLY1305_SHA256", SIZE_MAX);
}

Test(tls, in_small_pieces)
{
    whole_life(true, NULL, 1);
    whole_life(false, NULL, 1);
    whole_life(true, NULL, 1021);
    whole_life(false, NULL, 16387);
}

// ---- handshakes ---------------------------------------------------------------------------------

static const uint8_t retry_random[8] = {0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11};

static void retried(bool is_server, const char *groups, const char *expected)
{
    struct foreign *f = foreign_create(!is_server, groups, NULL);
    struct end *e = end_create(is_server ? server : client, is_server ? NULL : "127.0.0.1");
    uint8_t *hello;
    long n;

    begin(e);
    if (is_server) {
        foreign_run(f);
        n = BIO_get_mem_data(SSL_get_wbio(f->ssl), &hello);
        cr_assert_eq(take(e, hello, (size_t)n), 0);
        BIO_reset(SSL_get_wbio(f->ssl));
        cr_assert_not_null(memmem(e->sent, e->sent_len, retry_random, sizeof retry_random));
    } else {
        BIO_write(SSL_get_rbio(f->ssl), e->sent, (int)e->sent_len);
        e->sent_len = 0;
        foreign_run(f);
        n = BIO_get_mem_data(SSL_get_wbio(f->ssl), &hello);
        cr_assert_not_null(memmem(hello, (size_t)n, retry_random, sizeof retry_random));
    }
    cr_assert_eq(exchange(e, f, 7), 0);
    expect_established(e, f, expected);
    converse(e, f, SIZE_MAX);
    end_destroy(e);
    foreign_destroy(f);
}

Test(tls, handshake_after_a_retry)
{
    retried(true, "P-256:X25519", "X25519"); // a share of P-256 only
    retried(true, "P-384:P-256:X25519MLKEM768", "X25519MLKEM768");
    retried(false, "X25519", "X25519"); // our only share is the hybrid one
}

Test(tls, handshake_with_another_order_of_groups)
{
    struct foreign *f = foreign_create(false, "X25519:X25519MLKEM768", NULL);
    struct end *e = end_create(server, NULL);

    cr_assert_eq(exchange(e, f, SIZE_MAX), 0);
    cr_assert(tls_is_established(e->tls));
    converse(e, f, SIZE_MAX);
    end_destroy(e);
    foreign_destroy(f);
}

// The client's flights, cut in two at every byte; data comes with its Finished, and close_notify.
Test(tls, handshake_cut_at_every_byte)
{
    for (size_t cut = 1, longest = 2; cut < longest; cut++) {
        struct foreign *f = foreign_create(false, "X25519", NULL);
        struct end *e = end_create(server, NULL);
        size_t hello_len, len, at;
        uint8_t *flight;

        foreign_run(f);
        hello_len = (size_t)BIO_get_mem_data(SSL_get_wbio(f->ssl), &flight);
        at = cut < hello_len ? cut : hello_len - 1;
        cr_assert_eq(take(e, flight, at), 0);
        cr_assert_eq(e->sent_len, 0);
        cr_assert_eq(take(e, flight + at, hello_len - at), 0);
        BIO_reset(SSL_get_wbio(f->ssl));
        BIO_write(SSL_get_rbio(f->ssl), e->sent, (int)e->sent_len);
        SSL_do_handshake(f->ssl);
        foreign_put(f, pattern, 100);
        SSL_shutdown(f->ssl);
        len = (size_t)BIO_get_mem_data(SSL_get_wbio(f->ssl), &flight);
        at = cut < len ? cut : len - 1;
        cr_assert_eq(take(e, flight, at), 0);
        cr_assert_eq(take(e, flight + at, len - at), TLS_CLOSED);
        expect_established(e, f, "X25519");
        expect_plain(e, pattern, 100);
        longest = hello_len > len ? hello_len : len;
        end_destroy(e);
        foreign_destroy(f);
    }
}

// One segment carries Finished, data and close_notify.
Test(tls, handshake_and_data_in_one_segment)
{
    struct foreign *f = foreign_create(false, "X25519MLKEM768", NULL);
    struct end *e = end_create(server, NULL);
    uint8_t *flight;
    long n;

    foreign_run(f);
    n = BIO_get_mem_data(SSL_get_wbio(f->ssl), &flight);
    cr_assert_eq(take(e, flight, (size_t)n), 0);
    BIO_reset(SSL_get_wbio(f->ssl));
    BIO_write(SSL_get_rbio(f->ssl), e->sent, (int)e->sent_len);
    e->sent_len = 0;
    SSL_do_handshake(f->ssl);
    foreign_put(f, pattern, LONG_BYTES);
    SSL_shutdown(f->ssl);
    n = BIO_get_mem_data(SSL_get_wbio(f->ssl), &flight);
    cr_assert_eq(take(e, flight, (size_t)n), TLS_CLOSED);
    expect_plain(e, pattern, LONG_BYTES);
    cr_assert_eq(tls_record_length(e->sent), (ssize_t)e->sent_len); // a ticket, and no answer
    end_destroy(e);
    foreign_destroy(f);
}

Test(tls, handshake_despite_older_errors)
{
    struct foreign *f = foreign_create(false, "X25519MLKEM768", NULL);
    struct end *e = end_create(server, NULL);
    uint8_t *flight;
    long n;

    foreign_run(f);
    n = BIO_get_mem_data(SSL_get_wbio(f->ssl), &flight);
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); // another user of this thread left it
    cr_assert_eq(take(e, flight, (size_t)n / 2), 0);
    ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
    cr_assert_eq(take(e, flight + n / 2, (size_t)(n - n / 2)), 0);
    BIO_reset(SSL_get_wbio(f->ssl));
    cr_assert_eq(exchange(e, f, SIZE_MAX), 0);
    expect_established(e, f, "X25519MLKEM768");
    end_destroy(e);
    foreign_destroy(f);
}

static void expect_refused_hello(struct foreign *f, uint8_t alert)
{
    struct end *e = end_create(server, NULL);
    uint8_t *hello;
    long n;

    foreign_run(f);
    n = BIO_get_mem_data(SSL_get_wbio(f->ssl), &hello);
    cr_assert_eq(take(e, hello, (size_t)n), TLS_FAILED);
    cr_assert_eq(e->sent_len, 7);
    cr_assert_eq(e->sent[0], TLS_TYPE_ALERT);
    cr_assert_eq(e->sent[5], ALERT_FATAL);
    cr_assert_eq(e->sent[6], alert, "alert %d", e->sent[6]);
    cr_assert_not(tls_is_established(e->tls));
    expect_dead(e);
    end_destroy(e);
    foreign_destroy(f);
}

Test(tls, handshake_refused_by_the_server)
{
    struct foreign *f = foreign_create(false, "P-256", NULL);

    expect_refused_hello(f, 40); // handshake_failure
    f = foreign_create(false, "P-256:X25519", NULL);
    cr_assert(SSL_set_max_proto_version(f->ssl, TLS1_2_VERSION));
    expect_refused_hello(f, 70); // protocol_version
}

Test(tls, handshake_of_nonsense)
{
    struct end *e = end_create(server, NULL);

    cr_assert_eq(take(e, (const uint8_t *)"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35),
                 TLS_FAILED);
    expect_dead(e);
    end_destroy(e);
    e = end_create(server, NULL);
    cr_assert_eq(take(e, (const uint8_t *)"", 0), 0);
    cr_assert_eq(take(e, (const uint8_t *)"\x16\x03\x01\xFF\xFF\x01\x00", 7), TLS_FAILED);
    expect_dead(e);
    end_destroy(e);
}

// What our client says to OpenSSL's server with the certificate for localhost, 127.0.0.1 and ::1.
static bool accepts(struct tls_context *c, const char *name)
{
    struct foreign *f = foreign_create(true, "X25519MLKEM768", NULL);
    struct end *e = end_create(c, name);
    ssize_t result;
    bool accepted;

    begin(e);
    result = exchange(e, f, SIZE_MAX);
    accepted = tls_is_established(e->tls);
    cr_assert_eq(result, accepted ? 0 : TLS_FAILED);
    cr_assert_eq(SSL_is_init_finished(f->ssl), accepted);
    if (accepted)
        converse(e, f, SIZE_MAX);
    else
        expect_dead(e);
    end_destroy(e);
    foreign_destroy(f);
    return accepted;
}

Test(tls, client_checks_the_server)
{
    char reason[TLS_REASON_BYTES], other_file[64];
    struct tls_context *trusting = tls_context_create_client(NULL, reason);
    struct tls_context *other = tls_context_create_server(NULL, NULL, reason);
    struct tls_context *stranger;

    temporary_file(other_file);
    cr_assert_eq(tls_context_write_certificate(other, other_file), 0);
    stranger = tls_context_create_client(other_file, reason);
    cr_assert(accepts(client, "localhost"));
    cr_assert(accepts(client, "127.0.0.1"));
    cr_assert(accepts(client, "::1"));
    cr_assert_not(accepts(client, "relay.example"));
    cr_assert_not(accepts(client, "sealpost")); // its common name
    cr_assert_not(accepts(client, "127.0.0.2"));
    cr_assert_not(accepts(client, "::2"));
    cr_assert_not(accepts(stranger, "localhost"));
    cr_assert(accepts(trusting, "relay.example"));
    cr_assert_null(tls_create(client, "", &partials));
    unlink(other_file);
    tls_context_destroy(trusting);
    tls_context_destroy(other);
    tls_context_destroy(stranger);
}

// A self-signed certificate of this common name and, if any, these other names.
static struct foreign *named_server(const char *common_name, const char *names, const char *file)
{
    struct foreign *f = foreign_create(true, "X25519MLKEM768", NULL);
    X509 *x = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *out = fopen(file, "w");

    cr_assert(x && key && out);
    X509_set_version(x, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    cr_assert(!names || add_extension(x, NID_subject_alt_name, names));
    cr_assert(X509_sign(x, key, EVP_sha256()));
    cr_assert(SSL_use_certificate(f->ssl, x) && SSL_use_PrivateKey(f->ssl, key));
    cr_assert(PEM_write_X509(out, x));
    fclose(out);
    X509_free(x);
    EVP_PKEY_free(key);
    return f;
}

static bool accepts_named(const char *common_name, const char *names, const char *expected)
{
    char reason[TLS_REASON_BYTES], file[64];
    struct tls_context *c;
    struct foreign *f;
    struct end *e;
    bool accepted;

    temporary_file(file);
    f = named_server(common_name, names, file);
    c = tls_context_create_client(file, reason);
    cr_assert_not_null(c, "%s", reason);
    e = end_create(c, expected);
    begin(e);
    cr_assert_geq(exchange(e, f, SIZE_MAX), TLS_FAILED);
    accepted = tls_is_established(e->tls);
    end_destroy(e);
    foreign_destroy(f);
    tls_context_destroy(c);
    unlink(file);
    return accepted;
}

Test(tls, client_checks_names_that_identify)
{
    cr_assert(accepts_named("x", "DNS:relay.example", "relay.example"));
    cr_assert(accepts_named("x", "DNS:*.relay.example", "one.relay.example"));
    cr_assert_not(accepts_named("relay.example", NULL, "relay.example"));
    cr_assert_not(accepts_named("x", "DNS:o*.relay.example", "one.relay.example"));
    cr_assert_not(accepts_named("x", "DNS:127.0.0.1", "127.0.0.1"));
}

Test(tls, handshake_without_room_for_the_flight)
{
    struct end *e = end_create(client, "localhost");
    uint8_t small[100];
    struct tls_out out = {small, 0, sizeof small};

    cr_assert_eq(tls_connect(e->tls, &out), TLS_FAILED);
    cr_assert_eq(out.len, 0);
    expect_dead(e);
    end_destroy(e);
}

// An alert of ours, read by OpenSSL.
Test(tls, read_sends_alerts_the_other_end_understands)
{
    struct foreign *f = foreign_create(false, "X25519", "TLS_CHACHA20_POLY1305_SHA256");
    struct end *e = end_create(server, NULL);
    uint8_t byte;
    size_t n;

    cr_assert_eq(exchange(e, f, SIZE_MAX), 0);
    expect_established(e, f, "X25519");
    cr_assert_eq(take(e, (const uint8_t *)"\24\3\3\0\1\1", 6), TLS_FAILED);
    BIO_write(SSL_get_rbio(f->ssl), e->sent, (int)e->sent_len);
    cr_assert_eq(SSL_read_ex(f->ssl, &byte, 1, &n), 0);
    cr_assert_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE);
    ERR_clear_error();
    end_destroy(e);
    foreign_destroy(f);
}

// Before the client's Finished the traffic secrets are known already.
Test(tls, destroy_wipes_in_the_handshake)
{
    struct foreign *f = foreign_create(false, "X25519", NULL);
    struct end *e = end_create(server, NULL);
    uint8_t *hello;
    long n;

    foreign_run(f);
    n = BIO_get_mem_data(SSL_get_wbio(f->ssl), &hello);
    cr_assert_eq(take(e, hello, (size_t)n), 0);
    cr_assert_eq(e->tls->secret_len[1], 48);
    memcpy(needle, e->tls->secrets[1], sizeof needle);
    needle_len = 48;
    end_destroy(e);
    cr_assert_not(needle_freed);
    foreign_destroy(f);
}

// The secret stands in the channel, and does not in the memory that is given back.
Test(tls, destroy_wipes)
{
    struct foreign *f = foreign_create(false, "X25519", NULL);
    struct end *e = end_create(server, NULL);
    struct tls_direction *const both[] = {&e->tls->reading, &e->tls->writing};

    cr_assert_eq(exchange(e, f, SIZE_MAX), 0);
    for (int i = 0; i < 2; i++) {
        memcpy(needle, both[i]->secret, sizeof needle);
        cr_assert_neq(needle[0] | needle[20] | needle[47], 0);
        needle_len = 48;
        watched_free(memcpy(malloc(sizeof needle), needle, sizeof needle));
        cr_assert(needle_freed); // the watch works
        needle_freed = false;
        if (i == 0)
            cr_assert_not_null(memmem(e->tls, sizeof *e->tls, needle, needle_len));
    }
    tls_destroy(e->tls);
    cr_assert_not(needle_freed);
    free(e);
    foreign_destroy(f);
}

// ---- contexts -----------------------------------------------------------------------------------

static void write_key(const char *file, const struct tls_context *of, const char *password)
{
    FILE *f = fopen(file, "w");

    cr_assert_not_null(f);
    cr_assert(PEM_write_PrivateKey(f, SSL_CTX_get0_privatekey(of->ssl),
                                   password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                                   (void *)(uintptr_t)password));
    fclose(f);
}

static void expect_no_server(const char *certificate, const char *key, const char *named)
{
    char reason[TLS_REASON_BYTES] = "";

    cr_assert_null(tls_context_create_server(certificate, key, reason));
    cr_assert_not_null(strstr(reason, named), "%s", reason);
    cr_assert_eq(ERR_peek_error(), 0);
}

Test(tls, context_from_files)
{
    char reason[TLS_REASON_BYTES], key_file[64], other_key_file[64];
    struct tls_context *other = tls_context_create_server(NULL, NULL, reason), *c;

    temporary_file(key_file);
    temporary_file(other_key_file);
    write_key(key_file, server, NULL);
    write_key(other_key_file, other, NULL);
    c = tls_context_create_server(ca_file, key_file, reason);
    cr_assert_not_null(c, "%s", reason);
    cr_assert_eq(ERR_peek_error(), 0);
    tls_context_destroy(c);
    expect_no_server(ca_file, NULL, "give both");
    expect_no_server(NULL, key_file, "give both");
    expect_no_server("/no/such/certificate", key_file, "/no/such/certificate: ");
    expect_no_server("/no/such/certificate", key_file, "No such file");
    expect_no_server(key_file, key_file, "cannot use the certificate in");
    expect_no_server(ca_file, "/no/such/key", "/no/such/key: ");
    expect_no_server(ca_file, "/no/such/key", "No such file");
    expect_no_server(ca_file, ca_file, "cannot use the private key in");
    expect_no_server(ca_file, other_key_file, other_key_file);
    expect_no_server(ca_file, other_key_file, "key values mismatch");
    write_key(key_file, server, "a password nobody is asked for");
    expect_no_server(ca_file, key_file, key_file);
    unlink(key_file);
    unlink(other_key_file);
    tls_context_destroy(other);
}

Test(tls, context_with_a_key_of_another_kind)
{
    char key_file[64];
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    FILE *f;

    temporary_file(key_file);
    f = fopen(key_file, "w");
    cr_assert(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    EVP_PKEY_free(key);
    expect_no_server(ca_file, key_file, "does not belong to the certificate");
    unlink(key_file);
}

Test(tls, context_of_a_client_without_its_file)
{
    char reason[TLS_REASON_BYTES] = "";

    cr_assert_null(tls_context_create_client("/no/such/ca", reason));
    cr_assert_not_null(strstr(reason, "/no/such/ca: "), "%s", reason);
    cr_assert_eq(ERR_peek_error(), 0);
    tls_context_destroy(NULL);
}

Test(tls, context_write_certificate_fails)
{
    cr_assert_eq(tls_context_write_certificate(server, "/no/such/folder/file"), -ENOENT);
    cr_assert_eq(tls_context_write_certificate(server, "/dev/full"), -ENOSPC);
}
