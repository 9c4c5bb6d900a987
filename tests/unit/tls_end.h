// One end of a TLS channel for tests, with a server's and a client's context. For tests only, one
// file of a program: it includes the channel's source.
#ifndef SEALPOST_TEST_TLS_END_H
#define SEALPOST_TEST_TLS_END_H

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// The channel's own source: the test opens channels with given secrets, and watches what is freed.
static inline void watched_free(void *memory);
#define free watched_free
#include "tls.c"
#undef free

#define LONG_BYTES 100000u

static uint8_t needle[TLS_SECRET_MAX_BYTES];
static size_t needle_len;
static bool needle_freed;
static struct pool partials;
static struct tls_context *server, *client; // the client trusts the server
static char ca_file[64];
static uint8_t pattern[LONG_BYTES];

static inline void watched_free(void *memory)
{
    if (memory && needle_len > 0 &&
        memmem(memory, malloc_usable_size(memory), needle, needle_len) != NULL)
        needle_freed = true;
    free(memory);
}

static inline void temporary_file(char path[64])
{
    int fd;

    snprintf(path, 64, "/tmp/sealpost-test-tls-XXXXXX");
    fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static inline void set_up(void)
{
    char reason[TLS_REASON_BYTES];

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 31 + (i >> 8) + 1);
    cr_assert_eq(pool_init(&partials, TLS_RECORD_MAX_BYTES, 4), 0);
    server = tls_context_create_server(NULL, NULL, reason);
    cr_assert_not_null(server, "%s", reason);
    temporary_file(ca_file);
    cr_assert_eq(tls_context_write_certificate(server, ca_file), 0);
    client = tls_context_create_client(ca_file, reason);
    cr_assert_not_null(client, "%s", reason);
    cr_assert_eq(ERR_peek_error(), 0);
}

static inline void tear_down(void)
{
    unlink(ca_file);
    tls_context_destroy(server);
    tls_context_destroy(client);
    pool_free(&partials); // asserts that no partial record is kept
}

// ---- our end ------------------------------------------------------------------------------------

struct end {
    struct tls *tls;
    uint8_t plain[4 * LONG_BYTES], sent[4 * LONG_BYTES];
    size_t plain_len, sent_len;
};

static inline struct end *end_create(struct tls_context *c, const char *name)
{
    struct end *e = calloc(1, sizeof *e);

    cr_assert_not_null(e);
    e->tls = tls_create(c, name, &partials);
    cr_assert_not_null(e->tls);
    return e;
}

static inline void end_destroy(struct end *e)
{
    tls_destroy(e->tls);
    free(e);
}

// Feed a copy of exactly these bytes and read all of it.
static inline ssize_t take(struct end *e, const uint8_t *bytes, size_t len)
{
    static uint8_t scratch[TLS_RECORD_CIPHERTEXT_MAX];
    uint8_t *copy = malloc(len + 1);
    ssize_t n;

    cr_assert_not_null(copy);
    memcpy(copy, bytes, len);
    tls_feed(e->tls, copy, len);
    do {
        struct tls_out out = {e->sent + e->sent_len, 0, sizeof e->sent - e->sent_len};

        n = tls_read(e->tls, scratch, sizeof scratch, &out);
        e->sent_len += out.len;
        if (n > 0) {
            cr_assert_leq((size_t)n, sizeof e->plain - e->plain_len);
            memcpy(e->plain + e->plain_len, scratch, (size_t)n);
            e->plain_len += (size_t)n;
        }
    } while (n > 0);
    free(copy);
    cr_assert_eq(e->tls->in_len, 0);
    cr_assert_eq(ERR_peek_error(), 0);
    return n;
}

// Into no more room than the bound promises.
static inline void put(struct end *e, const uint8_t *bytes, size_t len)
{
    struct tls_out out = {e->sent + e->sent_len, 0, tls_write_bound(len)};

    cr_assert_leq(out.cap, sizeof e->sent - e->sent_len);
    cr_assert_eq(tls_write(e->tls, bytes, len, &out), 0);
    e->sent_len += out.len;
}

static inline void end_close(struct end *e)
{
    struct tls_out out = {e->sent + e->sent_len, 0, sizeof e->sent - e->sent_len};

    tls_close(e->tls, &out);
    e->sent_len += out.len;
}

static inline void expect_plain(struct end *e, const uint8_t *bytes, size_t len)
{
    cr_assert_eq(e->plain_len, len, "%zu instead of %zu", e->plain_len, len);
    cr_assert(memcmp(e->plain, bytes, len) == 0);
    e->plain_len = 0;
}

// After a failure nothing comes in and nothing goes out, whatever is called.
static inline void expect_dead(struct end *e)
{
    e->sent_len = 0;
    cr_assert_eq(take(e, pattern, 100), TLS_FAILED);
    cr_assert_eq(take(e, pattern, 0), TLS_FAILED);
    end_close(e);
    if (tls_is_established(e->tls))
        put(e, pattern, 100);
    cr_assert_eq(e->sent_len, 0);
    cr_assert_eq(e->plain_len, 0);
}

#endif
