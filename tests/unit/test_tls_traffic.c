// A channel after its handshake: what may come and what is refused, from records made here under
// secrets the test knows, and what goes out.
#include <signal.h>

#include "tls_end.h"

TestSuite(tls_traffic, .init = set_up, .fini = tear_down, .timeout = 60);

// ---- after the handshake ------------------------------------------------------------------------

static const uint8_t update_not_requested[] = {24, 0, 0, 1, 0},
                     update_requested[] = {24, 0, 0, 1, 1};
static const uint8_t ticket[] = {4, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t close_notify[] = {1, 0};

// A channel as it is after a handshake that agreed on secrets of letters.
static struct end *established(bool is_server)
{
    static const uint8_t secrets[2][TLS_SECRET_MAX_BYTES] = {{'c'}, {'s'}};
    const struct tls_suite *suite = &server->suites[SUITE_AES_256];
    struct end *e = end_create(is_server ? server : client, is_server ? NULL : "localhost");

    cr_assert_eq(tls_direction_init(&e->tls->reading, suite, secrets[is_server ? 0 : 1], 0), 0);
    cr_assert_eq(tls_direction_init(&e->tls->writing, suite, secrets[is_server ? 1 : 0], 1), 0);
    SSL_free(e->tls->ssl);
    e->tls->ssl = NULL;
    e->tls->group = "X25519";
    return e;
}

// Records for a channel, of any type, under its secret.
struct script {
    struct tls_direction d;
    uint8_t bytes[4 * LONG_BYTES];
    size_t len;
};

static struct script *script_create(const struct end *e)
{
    struct script *s = calloc(1, sizeof *s);
    const struct tls_direction *d = &e->tls->reading;

    cr_assert_not_null(s);
    cr_assert_eq(tls_direction_init(&s->d, d->suite, d->secret, 1), 0);
    s->d.sequence = d->sequence;
    return s;
}

static void script_destroy(struct script *s)
{
    tls_direction_free(&s->d);
    free(s);
}

static void add(struct script *s, int type, const void *bytes, size_t len)
{
    ssize_t n = tls_record_seal(&s->d, (enum tls_record_type)type, bytes, len, s->bytes + s->len);

    cr_assert_gt(n, 0);
    s->len += (size_t)n;
}

static void add_update(struct script *s, bool requested)
{
    add(s, TLS_TYPE_HANDSHAKE, requested ? update_requested : update_not_requested, 5);
    cr_assert_eq(tls_direction_update(&s->d), 0);
}

static ssize_t play(struct end *e, struct script *s)
{
    ssize_t result = take(e, s->bytes, s->len);

    s->len = 0;
    return result;
}

// The only record sent is this fatal alert, under the channel's current key.
static void expect_alert(struct end *e, uint8_t alert)
{
    uint8_t body[TLS_RECORD_CIPHERTEXT_MAX];
    enum tls_record_type type;
    struct tls_direction d;

    cr_assert_eq(e->sent_len, 2 + TLS_RECORD_OVERHEAD_BYTES);
    cr_assert_eq(tls_direction_init(&d, e->tls->writing.suite, e->tls->writing.secret, 0), 0);
    d.sequence = e->tls->writing.sequence - 1;
    cr_assert_eq(tls_record_open(&d, e->sent, e->sent_len, body, &type), 2);
    cr_assert_eq(type, TLS_TYPE_ALERT);
    cr_assert_eq(body[0], ALERT_FATAL);
    cr_assert_eq(body[1], alert, "alert %d instead of %d", body[1], alert);
    tls_direction_free(&d);
    expect_dead(e);
}

Test(tls_traffic, read_refuses)
{
    static const struct {
        bool is_server;
        int type;
        const char *content;
        size_t len;
        uint8_t alert;
    } cases[] = {
        {true, TLS_TYPE_ALERT, "", 0, 10},
        {true, TLS_TYPE_ALERT, "\2", 1, 10},
        {true, TLS_TYPE_ALERT, "\1\0\0", 3, 10},
        {true, TLS_TYPE_ALERT, "\1\132\1\0", 4, 10}, // two alerts in one record
        {true, TLS_TYPE_HANDSHAKE, "", 0, 10},
        {true, 0, "\0\0\0", 3, 10}, // padding only
        {true, 20, "\1", 1, 10},    // ChangeCipherSpec inside
        {true, 24, "\1\0\1", 3, 10},
        {true, TLS_TYPE_HANDSHAKE, "\4\0\0\0", 4, 10},   // a ticket for a server
        {true, TLS_TYPE_HANDSHAKE, "\1\0\0\1", 4, 10},   // ClientHello
        {false, TLS_TYPE_HANDSHAKE, "\2\0\0\1", 4, 10},  // ServerHello
        {false, TLS_TYPE_HANDSHAKE, "\15\0\0\1", 4, 10}, // CertificateRequest: we offered nothing
        {true, TLS_TYPE_HANDSHAKE, "\24\0\0\60", 4, 10}, // Finished
        {true, TLS_TYPE_HANDSHAKE, "\30\0\0\0", 4, 50},  // KeyUpdate of no byte
        {true, TLS_TYPE_HANDSHAKE, "\30\0\0\2", 4, 50},
        {true, TLS_TYPE_HANDSHAKE, "\30\1\0\1", 4, 50},
        {true, TLS_TYPE_HANDSHAKE, "\30\0\0\1\2", 5, 47},
        {true, TLS_TYPE_HANDSHAKE, "\30\0\0\1\0\30", 6, 10}, // goes on in the same record
        {false, TLS_TYPE_HANDSHAKE, "\30\0\0\1\0\4\0\0\0", 9, 10},
        {true, TLS_TYPE_HANDSHAKE, "\30\0\0\1\0\30\0\0\1\0", 10, 10},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct end *e = established(cases[i].is_server);
        struct script *s = script_create(e);

        add(s, cases[i].type, cases[i].content, cases[i].len);
        add(s, TLS_TYPE_DATA, "never seen", 10);
        cr_assert_eq(play(e, s), TLS_FAILED, "case %zu", i);
        expect_alert(e, cases[i].alert);
        script_destroy(s);
        end_destroy(e);
    }
}

// A record that cannot be one is refused at its header, however that comes.
Test(tls_traffic, read_refuses_headers)
{
    static const struct {
        uint8_t header[6];
        uint8_t alert;
    } cases[] = {
        {{20, 3, 3, 0, 1, 1}, 10}, // ChangeCipherSpec
        {{21, 3, 3, 0, 2, 1}, 10}, // an alert in the clear
        {{22, 3, 1, 2, 0, 1}, 10}, {{23, 3, 3, 0x41, 1, 0}, 22}, {{23, 3, 3, 0, 16, 0}, 20},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t cut = 0; cut <= 5; cut++) {
            struct end *e = established(true);

            cr_assert_eq(take(e, cases[i].header, cut), cut == 5 ? TLS_FAILED : 0);
            if (cut < 5)
                cr_assert_eq(take(e, cases[i].header + cut, 5 - cut), TLS_FAILED);
            cr_assert_eq(partials.used, 0);
            expect_alert(e, cases[i].alert);
            end_destroy(e);
        }
    }
}

Test(tls_traffic, read_refuses_a_forgery)
{
    struct end *e = established(false);
    struct script *s = script_create(e);

    add(s, TLS_TYPE_DATA, "genuine", 7);
    add(s, TLS_TYPE_DATA, "edited", 6);
    s->bytes[s->len - 20] ^= 1;
    add(s, TLS_TYPE_DATA, "genuine", 7);
    cr_assert_eq(play(e, s), TLS_FAILED);
    expect_plain(e, (const uint8_t *)"genuine", 7);
    expect_alert(e, 20);
    script_destroy(s);
    end_destroy(e);
}

// Without room for the alert it is left out.
Test(tls_traffic, read_fails_without_room)
{
    static uint8_t scratch[TLS_RECORD_CIPHERTEXT_MAX];
    struct end *e = established(true);
    struct tls_out out = {e->sent, 0, 2 + TLS_RECORD_OVERHEAD_BYTES - 1};

    tls_feed(e->tls, (const uint8_t *)"\24\3\3\0\1\1", 6);
    cr_assert_eq(tls_read(e->tls, scratch, sizeof scratch, &out), TLS_FAILED);
    cr_assert_eq(out.len, 0);
    expect_dead(e);
    end_destroy(e);
}

// Everything that may come, cut in two at every byte and then byte by byte.
Test(tls_traffic, read_cut_at_every_byte)
{
    size_t len = 2;

    for (size_t cut = 0; cut <= len; cut++) {
        struct end *e = established(false);
        struct script *s = script_create(e);

        add(s, TLS_TYPE_DATA, "one", 3);
        add(s, TLS_TYPE_DATA, "", 0);
        add(s, 0, "two\27\0\0", 6); // with padding
        add(s, 0, "\27\0\0\0", 4);  // nothing but padding behind a type
        add(s, TLS_TYPE_HANDSHAKE, ticket, sizeof ticket);
        for (size_t i = 0; i < sizeof ticket; i++)
            add(s, TLS_TYPE_HANDSHAKE, ticket + i, 1);
        add_update(s, true);
        add(s, TLS_TYPE_ALERT, "\1\132", 2); // user_canceled
        add(s, TLS_TYPE_DATA, "three", 5);
        add(s, TLS_TYPE_ALERT, close_notify, 2);
        add(s, TLS_TYPE_DATA, "never seen", 10);
        len = s->len;
        if (cut < len) {
            cr_assert_geq(take(e, s->bytes, cut), TLS_CLOSED);
            cr_assert_eq(take(e, s->bytes + cut, len - cut), TLS_CLOSED);
        } else {
            for (size_t i = 0; i < len; i++)
                cr_assert_geq(take(e, s->bytes + i, 1), TLS_CLOSED);
        }
        expect_plain(e, (const uint8_t *)"onetwothree", 11);
        cr_assert_eq(e->sent_len, 0);
        cr_assert(e->tls->owes_key_update);
        cr_assert_eq(partials.used, 0);
        script_destroy(s);
        end_destroy(e);
    }
}

Test(tls_traffic, read_fragments_and_coalesced_messages)
{
    struct end *e = established(false);
    struct script *s = script_create(e);
    uint8_t both[2 * sizeof ticket + 5];

    memcpy(both, ticket, sizeof ticket);
    memcpy(both + sizeof ticket, ticket, sizeof ticket);
    memcpy(both + 2 * sizeof ticket, update_not_requested, 5);
    add(s, TLS_TYPE_HANDSHAKE, both, sizeof both);
    cr_assert_eq(tls_direction_update(&s->d), 0);
    add(s, TLS_TYPE_DATA, "a", 1);
    for (int cut = 1; cut < 5; cut++) {
        add(s, TLS_TYPE_HANDSHAKE, update_not_requested, (size_t)cut);
        add(s, TLS_TYPE_HANDSHAKE, update_not_requested + cut, (size_t)(5 - cut));
        cr_assert_eq(tls_direction_update(&s->d), 0);
        add(s, TLS_TYPE_DATA, "b", 1);
    }
    add(s, TLS_TYPE_HANDSHAKE, "\4\0\0\0", 4); // a ticket of nothing is nothing to us
    add(s, TLS_TYPE_DATA, "c", 1);
    cr_assert_eq(play(e, s), 0);
    expect_plain(e, (const uint8_t *)"abbbbc", 6);
    script_destroy(s);
    end_destroy(e);
}

Test(tls_traffic, read_refuses_interleaving)
{
    static const struct {
        int type;
        const char *content;
        size_t len;
    } cases[] = {{TLS_TYPE_DATA, "", 0}, {TLS_TYPE_DATA, "data", 4}, {TLS_TYPE_ALERT, "\1\0", 2}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t cut = 1; cut < sizeof ticket; cut++) {
            struct end *e = established(false);
            struct script *s = script_create(e);

            add(s, TLS_TYPE_HANDSHAKE, ticket, cut);
            add(s, cases[i].type, cases[i].content, cases[i].len);
            cr_assert_eq(play(e, s), TLS_FAILED);
            expect_alert(e, 10);
            script_destroy(s);
            end_destroy(e);
        }
    }
}

Test(tls_traffic, read_bounds_key_updates)
{
    struct end *e = established(true);
    struct script *s = script_create(e);

    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < KEY_UPDATES_MAX; i++) {
            add_update(s, true);
            add(s, TLS_TYPE_DATA, "", 0);
        }
        add(s, TLS_TYPE_DATA, "data", 4);
        cr_assert_eq(play(e, s), 0);
        expect_plain(e, (const uint8_t *)"data", 4);
    }
    for (uint32_t i = 0; i <= KEY_UPDATES_MAX; i++)
        add_update(s, false);
    cr_assert_eq(play(e, s), TLS_FAILED);
    expect_alert(e, 10);
    script_destroy(s);
    end_destroy(e);
}

// However often a peer asks, while we are silent it gets nothing, and then one answer.
Test(tls_traffic, write_answers_key_updates_once)
{
    struct end *e = established(true), *peer = established(false);
    struct script *s = script_create(e);

    for (int i = 0; i < 3000; i++) {
        add_update(s, true);
        add(s, TLS_TYPE_DATA, "x", 1);
    }
    cr_assert_eq(play(e, s), 0);
    cr_assert_eq(e->sent_len, 0);
    put(e, pattern, 100);
    cr_assert_eq(e->sent_len, 5 + 100 + 2 * TLS_RECORD_OVERHEAD_BYTES);
    put(e, pattern + 100, 100);
    cr_assert_eq(take(peer, e->sent, e->sent_len), 0);
    expect_plain(peer, pattern, 200);
    cr_assert_eq(peer->tls->reading.sequence, 2);
    cr_assert_eq(peer->tls->key_updates, 0);
    cr_assert_not(peer->tls->owes_key_update);
    script_destroy(s);
    end_destroy(e);
    end_destroy(peer);
}

Test(tls_traffic, write_changes_a_used_up_key)
{
    struct end *e = established(true), *peer = established(false);

    e->tls->writing.sequence = peer->tls->reading.sequence = TLS_RECORDS_PER_KEY - 2;
    put(e, pattern, 1);
    put(e, pattern + 1, 1);
    cr_assert_eq(e->sent_len, 2 * (1 + TLS_RECORD_OVERHEAD_BYTES));
    cr_assert_eq(e->tls->writing.sequence, TLS_RECORDS_PER_KEY);
    put(e, pattern + 2, 1);
    cr_assert_eq(e->sent_len, 3 * (1 + TLS_RECORD_OVERHEAD_BYTES) + 5 + TLS_RECORD_OVERHEAD_BYTES);
    cr_assert_eq(e->tls->writing.sequence, 1);
    cr_assert_eq(take(peer, e->sent, e->sent_len), 0);
    expect_plain(peer, pattern, 3);
    // In the middle of one write, with no more room than was promised.
    e->sent_len = 0;
    e->tls->writing.sequence = peer->tls->reading.sequence = TLS_RECORDS_PER_KEY - 3;
    put(e, pattern, LONG_BYTES);
    cr_assert_eq(e->tls->writing.sequence, 4);
    cr_assert_eq(take(peer, e->sent, e->sent_len), 0);
    expect_plain(peer, pattern, LONG_BYTES);
    end_destroy(e);
    end_destroy(peer);
}

Test(tls_traffic, write_within_its_bound)
{
    struct end *e = established(true), *peer = established(false);
    static const size_t lengths[] = {0, 1, 16383, 16384, 16385, 32768, 32769, LONG_BYTES};

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        e->sent_len = 0;
        e->tls->owes_key_update = true;
        put(e, pattern, lengths[i]);
        cr_assert_eq(e->tls->owes_key_update, lengths[i] == 0);
        cr_assert_eq(take(peer, e->sent, e->sent_len), 0);
        expect_plain(peer, pattern, lengths[i]);
    }
    end_destroy(e);
    end_destroy(peer);
}

Test(tls_traffic, write_asserts_establishment, .signal = SIGABRT)
{
    struct end *e = end_create(server, NULL);

    unlink(ca_file); // nobody tears down after an abort
    put(e, pattern, 1);
}

Test(tls_traffic, write_without_a_key)
{
    struct end *e = established(true);
    struct tls_out out = {e->sent, 0, tls_write_bound(1)};

    EVP_CIPHER_CTX_reset(e->tls->writing.context);
    cr_assert_eq(tls_write(e->tls, pattern, 1, &out), TLS_FAILED);
    cr_assert_eq(out.len, 0);
    cr_assert_eq(ERR_peek_error(), 0);
    end_destroy(e);
}

// The peer's close_notify ends its direction only.
Test(tls_traffic, close_of_the_peer)
{
    struct end *e = established(true), *peer = established(false);

    put(peer, pattern, 10);
    end_close(peer);
    end_close(peer); // said once
    put(peer, pattern, 10);
    cr_assert_eq(peer->sent_len, 10 + 2 + 2 * TLS_RECORD_OVERHEAD_BYTES);
    cr_assert_eq(take(e, peer->sent, peer->sent_len), TLS_CLOSED);
    expect_plain(e, pattern, 10);
    cr_assert_eq(take(e, pattern, 1000), TLS_CLOSED);
    cr_assert_eq(e->plain_len, 0);
    cr_assert_eq(e->sent_len, 0);
    put(e, pattern, 20);
    end_close(e);
    cr_assert_eq(take(peer, e->sent, e->sent_len), TLS_CLOSED);
    expect_plain(peer, pattern, 20);
    end_destroy(e);
    end_destroy(peer);
}

// After our own close_notify not even a fatal alert follows.
Test(tls_traffic, close_then_a_bad_record)
{
    struct end *e = established(true);

    end_close(e);
    e->sent_len = 0;
    cr_assert_eq(take(e, (const uint8_t *)"\24\3\3\0\1\1", 6), TLS_FAILED);
    expect_dead(e);
    end_destroy(e);
}

Test(tls_traffic, close_before_establishment_or_without_room)
{
    struct end *e = end_create(server, NULL);
    struct tls_out out = {NULL, 0, 0};

    end_close(e);
    cr_assert_eq(e->sent_len, 0);
    end_destroy(e);
    e = established(true);
    tls_close(e->tls, &out);
    cr_assert_eq(out.len, 0);
    end_destroy(e);
}

Test(tls_traffic, read_alerts)
{
    // Errors whatever level they claim (section 6); nothing answers them.
    static const uint8_t errors[][2] = {{2, 40}, {1, 40}, {2, 20}, {1, 255}, {0, 1}, {2, 80}};

    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct end *e = established(true);
        struct script *s = script_create(e);

        add(s, TLS_TYPE_ALERT, errors[i], 2);
        add(s, TLS_TYPE_DATA, "never seen", 10);
        cr_assert_eq(play(e, s), TLS_FAILED);
        cr_assert_eq(e->sent_len, 0);
        expect_dead(e);
        script_destroy(s);
        end_destroy(e);
    }
}

Test(tls_traffic, read_without_a_partial)
{
    struct end *e = established(true);
    struct script *s = script_create(e);
    void *taken[4];

    for (size_t i = 0; i < COUNT_OF(taken); i++)
        taken[i] = pool_get(&partials);
    add(s, TLS_TYPE_DATA, "whole", 5);
    cr_assert_eq(take(e, s->bytes, s->len), 0); // whole records need none
    expect_plain(e, (const uint8_t *)"whole", 5);
    s->len = 0;
    add(s, TLS_TYPE_DATA, "whole", 5);
    cr_assert_eq(take(e, s->bytes, s->len - 1), TLS_NO_BUFFER);
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        pool_put(&partials, taken[i]);
    cr_assert_eq(take(e, s->bytes + s->len - 1, 1), TLS_FAILED);
    cr_assert_eq(e->plain_len, 0);
    script_destroy(s);
    end_destroy(e);
}

Test(tls_traffic, destroy_returns_the_partial)
{
    struct end *e = established(true);

    cr_assert_eq(take(e, (const uint8_t *)"\27\3\3\1", 4), 0);
    cr_assert_eq(partials.used, 1);
    end_destroy(e);
    cr_assert_eq(partials.used, 0);
    tls_destroy(NULL);
}
