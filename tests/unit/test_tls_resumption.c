// Tickets and resumption: our client against our server, against OpenSSL's servers with no, one and
// two tickets, and OpenSSL's client against our server.
#include "tls_end.h"

TestSuite(tls_resumption, .init = set_up, .fini = tear_down, .timeout = 60);

// Both ends of ours, until both are silent; to each at most `step` bytes at a time.
static void connect_ends(struct end *c, struct end *s, size_t step)
{
    struct tls_out out = {c->sent, 0, sizeof c->sent};

    cr_assert_eq(tls_connect(c->tls, &out), 0);
    c->sent_len = out.len;
    while (c->sent_len > 0 || s->sent_len > 0) {
        struct end *ends[2] = {c, s};

        for (int i = 0; i < 2; i++) {
            static uint8_t flight[4 * LONG_BYTES];
            size_t len = ends[i]->sent_len;

            memcpy(flight, ends[i]->sent, len);
            ends[i]->sent_len = 0;
            for (size_t at = 0; at < len; at += step)
                cr_assert_eq(take(ends[1 - i], flight + at, step < len - at ? step : len - at), 0);
        }
    }
}

static void say(struct end *from, struct end *to, size_t len)
{
    put(from, pattern, len);
    cr_assert_eq(take(to, from->sent, from->sent_len), 0);
    from->sent_len = 0;
    expect_plain(to, pattern, len);
}

static void converse(struct end *c, struct end *s)
{
    for (int i = 0; i < 3; i++) {
        say(c, s, 100);
        say(s, c, 20000);
    }
}

// A connection that resumes `session` (or none), talks, and gives what can be resumed next.
static struct ssl_session_st *live(struct ssl_session_st *session, size_t step, bool expect_resumed)
{
    struct end *c = end_create(client, "localhost"), *s = end_create(server, NULL);

    tls_resume(c->tls, session);
    connect_ends(c, s, step);
    cr_assert(tls_is_established(c->tls));
    cr_assert(tls_is_established(s->tls));
    cr_assert_eq(tls_was_resumed(c->tls), expect_resumed);
    cr_assert_eq(tls_was_resumed(s->tls), expect_resumed);
    cr_assert_null(c->tls->ssl); // the ticket came, and OpenSSL went
    cr_assert_null(s->tls->ssl);
    converse(c, s);
    session = tls_take_session(c->tls);
    cr_assert_null(tls_take_session(c->tls));
    end_destroy(c);
    end_destroy(s);
    return session;
}

Test(tls_resumption, again_and_again)
{
    struct ssl_session_st *session = live(NULL, SIZE_MAX, false);

    for (int i = 0; i < 3; i++) {
        cr_assert_not_null(session);
        session = live(session, SIZE_MAX, true);
    }
    tls_session_free(session);
}

Test(tls_resumption, one_byte_at_a_time)
{
    struct ssl_session_st *session = live(NULL, 1, false);

    cr_assert_not_null(session);
    tls_session_free(live(session, 1, true));
}

// A ticket of keys the server does not have: a restart, or another relay.
Test(tls_resumption, of_a_forgotten_session)
{
    struct ssl_session_st *session = live(NULL, SIZE_MAX, false);
    struct tls_ticket_keys *keys = &server->tickets;

    memset(keys->current.name, 0xAA, sizeof keys->current.name);
    tls_session_free(live(session, SIZE_MAX, false));
}

// Who does not want it skips the ticket and keeps nothing.
Test(tls_resumption, not_wanted)
{
    struct end *c = end_create(client, "localhost"), *s = end_create(server, NULL);

    connect_ends(c, s, SIZE_MAX);
    cr_assert_null(c->tls->ssl);
    converse(c, s);
    cr_assert_null(tls_take_session(c->tls));
    end_destroy(c);
    end_destroy(s);
}

// ---- against OpenSSL ----------------------------------------------------------------------------

struct foreign {
    SSL_CTX *ctx;
    SSL *ssl;
};

static void foreign_connect(struct foreign *f, bool is_server)
{
    f->ssl = SSL_new(f->ctx);
    SSL_set_bio(f->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (is_server)
        SSL_set_accept_state(f->ssl);
    else
        SSL_set_connect_state(f->ssl);
}

static struct foreign foreign_server(size_t tickets)
{
    struct foreign f = {.ctx = SSL_CTX_new(TLS_server_method())};

    cr_assert(SSL_CTX_use_certificate(f.ctx, SSL_CTX_get0_certificate(server->ssl)));
    cr_assert(SSL_CTX_use_PrivateKey(f.ctx, SSL_CTX_get0_privatekey(server->ssl)));
    cr_assert(SSL_CTX_set_num_tickets(f.ctx, tickets));
    foreign_connect(&f, true);
    return f;
}

static void foreign_destroy(struct foreign *f)
{
    SSL_free(f->ssl);
    SSL_CTX_free(f->ctx);
    ERR_clear_error();
}

// Carry bytes both ways until both are silent. The last result of ours.
static ssize_t exchange(struct end *e, struct foreign *f)
{
    static uint8_t flight[4 * LONG_BYTES];
    ssize_t result = 0;
    uint8_t byte;
    size_t got;

    for (;;) {
        int n;

        if (!SSL_is_init_finished(f->ssl))
            SSL_do_handshake(f->ssl);
        else
            SSL_peek_ex(f->ssl, &byte, 1, &got); // takes tickets
        n = BIO_read(SSL_get_wbio(f->ssl), flight, sizeof flight);
        ERR_clear_error();
        if (n > 0 && result == 0)
            result = take(e, flight, (size_t)n);
        if (e->sent_len > 0)
            BIO_write(SSL_get_rbio(f->ssl), e->sent, (int)e->sent_len);
        else if (n <= 0 || result < 0)
            return result;
        e->sent_len = 0;
    }
}

static void begin(struct end *e)
{
    struct tls_out out = {e->sent, 0, sizeof e->sent};

    cr_assert_eq(tls_connect(e->tls, &out), 0);
    e->sent_len = out.len;
}

static void expect_data_both_ways(struct end *e, struct foreign *f)
{
    uint8_t got[1000];
    size_t n;

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(SSL_write_ex(f->ssl, pattern, sizeof got, &n), 1);
        cr_assert_eq(exchange(e, f), 0);
        expect_plain(e, pattern, sizeof got);
        put(e, pattern, sizeof got);
        cr_assert_eq(exchange(e, f), 0);
        cr_assert_eq(SSL_read_ex(f->ssl, got, sizeof got, &n), 1);
        cr_assert_eq(n, sizeof got);
        cr_assert(memcmp(got, pattern, n) == 0);
    }
}

static void expect_sessions_of(size_t tickets)
{
    struct foreign f = foreign_server(tickets);
    struct end *e = end_create(client, "localhost");
    struct ssl_session_st *session;

    tls_resume(e->tls, NULL);
    begin(e);
    cr_assert_eq(exchange(e, &f), 0);
    cr_assert(tls_is_established(e->tls));
    expect_data_both_ways(e, &f);
    cr_assert_null(e->tls->ssl);
    session = tls_take_session(e->tls);
    cr_assert_eq(session != NULL, tickets > 0);
    tls_session_free(session);
    end_destroy(e);
    foreign_destroy(&f);
}

Test(tls_resumption, with_a_server_of_no_tickets)
{
    expect_sessions_of(0);
}

Test(tls_resumption, with_a_server_of_one_ticket)
{
    expect_sessions_of(1);
}

Test(tls_resumption, with_a_server_of_two_tickets)
{
    expect_sessions_of(2);
}

// A server that begins with a change of keys, or with goodbye.
Test(tls_resumption, refuses_another_beginning)
{
    for (int close = 0; close < 2; close++) {
        struct foreign f = foreign_server(0);
        struct end *e = end_create(client, "localhost");

        tls_resume(e->tls, NULL);
        begin(e);
        cr_assert_eq(exchange(e, &f), 0);
        cr_assert(close ? SSL_shutdown(f.ssl) == 0
                        : SSL_key_update(f.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
                              SSL_do_handshake(f.ssl) == 1);
        cr_assert_lt(exchange(e, &f), 0);
        e->sent_len = 0;
        expect_dead(e);
        end_destroy(e);
        foreign_destroy(&f);
    }
}

// A forged first record is refused as any other.
Test(tls_resumption, refuses_a_forged_ticket)
{
    struct end *c = end_create(client, "localhost"), *s = end_create(server, NULL);
    struct tls_out out = {c->sent, 0, sizeof c->sent};

    tls_resume(c->tls, NULL);
    cr_assert_eq(tls_connect(c->tls, &out), 0);
    cr_assert_eq(take(s, c->sent, out.len), 0);
    cr_assert_eq(take(c, s->sent, s->sent_len), 0);
    s->sent_len = 0;
    cr_assert_eq(take(s, c->sent, c->sent_len), 0);
    cr_assert_gt(s->sent_len, 0); // the ticket
    s->sent[s->sent_len - 1] ^= 1;
    cr_assert_eq(take(c, s->sent, s->sent_len), TLS_FAILED);
    cr_assert_null(tls_take_session(c->tls));
    c->sent_len = 0;
    expect_dead(c);
    end_destroy(c);
    end_destroy(s);
}

Test(tls_resumption, of_a_foreign_client)
{
    struct foreign f = {.ctx = SSL_CTX_new(TLS_client_method())};
    SSL_SESSION *session = NULL;

    cr_assert(SSL_CTX_set1_groups_list(f.ctx, "X25519MLKEM768:X25519"));
    for (int i = 0; i < 3; i++) {
        struct end *e = end_create(server, NULL);

        foreign_connect(&f, false);
        if (session)
            cr_assert(SSL_set_session(f.ssl, session));
        SSL_SESSION_free(session);
        cr_assert_eq(exchange(e, &f), 0);
        cr_assert(tls_is_established(e->tls));
        cr_assert_eq(SSL_session_reused(f.ssl), i > 0);
        cr_assert_eq(tls_was_resumed(e->tls), i > 0);
        expect_data_both_ways(e, &f);
        session = SSL_get1_session(f.ssl);
        cr_assert(SSL_SESSION_is_resumable(session));
        SSL_set_shutdown(f.ssl, SSL_SENT_SHUTDOWN);
        SSL_free(f.ssl);
        f.ssl = NULL;
        end_destroy(e);
    }
    SSL_SESSION_free(session);
    foreign_destroy(&f);
}
