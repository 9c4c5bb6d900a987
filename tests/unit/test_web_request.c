// Requests to the live page's server: what is allowed, in any split, and every refusal.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "web_request.h"

static struct web_request r;

static ssize_t feed(const char *text)
{
    web_request_init(&r);
    return web_request_decode(&r, (const uint8_t *)text, strlen(text));
}

static ssize_t get(const char *path, const char *host)
{
    char text[512];

    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nAccept: */*\r\nHost: %s\r\n\r\n", path, host);
    return feed(text);
}

Test(web_request, decode_finds_the_resource)
{
    static const struct {
        const char *path;
        enum web_resource resource;
    } known[] = {{"/", WEB_RESOURCE_PAGE},
                 {"/result.json", WEB_RESOURCE_RESULT},
                 {"/events", WEB_RESOURCE_EVENTS}};

    for (unsigned i = 0; i < COUNT_OF(known); i++) {
        cr_assert_gt(get(known[i].path, "127.0.0.1:8090"), 0, "%s", known[i].path);
        cr_assert_eq(r.resource, known[i].resource);
    }
}

Test(web_request, decode_one_byte_at_a_time)
{
    static const char text[] = "GET /events HTTP/1.1\r\nhOsT: localhost:1\r\nX: y\r\n\r\n";

    web_request_init(&r);
    for (size_t i = 0; i + 1 < sizeof text - 1; i++)
        cr_assert_eq(web_request_decode(&r, (const uint8_t *)text + i, 1), 0, "byte %zu", i);
    cr_assert_eq(web_request_decode(&r, (const uint8_t *)text + sizeof text - 2, 1), 1);
    cr_assert_eq(r.resource, WEB_RESOURCE_EVENTS);
}

Test(web_request, decode_leaves_what_follows)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\nGET /events HTTP/1.1\r\n";

    cr_assert_eq(feed(text), (ssize_t)(strstr(text, "\r\n\r\n") + 4 - text));
}

Test(web_request, decode_truncated_needs_more)
{
    cr_assert_eq(feed(""), 0);
    cr_assert_eq(feed("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"), 0);
}

Test(web_request, decode_allows_addresses_and_localhost)
{
    static const char *const allowed[] = {"127.0.0.1",     "127.0.0.1:80",   "localhost",
                                          "LocalHost:999", "10.1.2.3:65535", "[::1]:80",
                                          "[fe80::1]",     "0.0.0.0:1"};
    static const char *const refused[] = {"evil.example",
                                          "evil.example:80",
                                          "127.0.0.1.nip.io",
                                          "localhost.evil.example",
                                          "127.0.0.1:80:80",
                                          "[::1",
                                          "[::1]x",
                                          "[evil]",
                                          "127.1",
                                          "2130706433",
                                          "127.0.0.1:80a",
                                          "127.0.0.1:123456",
                                          "127.0.0.1@evil",
                                          "user@127.0.0.1",
                                          "a.very.long.name.that.does.not.fit.in.any.numeric."
                                          "address.whatsoever.example"};

    for (unsigned i = 0; i < COUNT_OF(allowed); i++)
        cr_assert_gt(get("/", allowed[i]), 0, "%s", allowed[i]);
    for (unsigned i = 0; i < COUNT_OF(refused); i++)
        cr_assert_eq(get("/", refused[i]), WEB_REQUEST_BAD_HOST, "%s", refused[i]);
    cr_assert_eq(get("/", ""), WEB_REQUEST_BAD_HOST);
}

Test(web_request, decode_needs_one_host)
{
    cr_assert_eq(feed("GET / HTTP/1.1\r\n\r\n"), WEB_REQUEST_BAD);
    cr_assert_eq(feed("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n"),
                 WEB_REQUEST_BAD);
    cr_assert_eq(feed("GET / HTTP/1.1\r\nX-Host: 127.0.0.1\r\n\r\n"), WEB_REQUEST_BAD);
}

Test(web_request, decode_refuses_other_paths)
{
    static const char *const paths[] = {"/result.jso", "/result.json2", "/events/",      "/?x",
                                        "//",          "/favicon.ico",  "/../etc/passwd"};
    char path[200];

    for (unsigned i = 0; i < COUNT_OF(paths); i++)
        cr_assert_eq(get(paths[i], "localhost"), WEB_REQUEST_BAD_PATH, "%s", paths[i]);
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    cr_assert_eq(get(path, "localhost"), WEB_REQUEST_BAD_PATH);
}

Test(web_request, decode_refuses_other_methods)
{
    cr_assert_eq(feed("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
                 WEB_REQUEST_BAD_METHOD);
    cr_assert_eq(feed("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"), WEB_REQUEST_BAD_METHOD);
    cr_assert_eq(feed("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n"), WEB_REQUEST_BAD_METHOD);
    cr_assert_eq(feed("BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n"), WEB_REQUEST_BAD_METHOD);
}

Test(web_request, decode_refuses_bodies_and_nonsense)
{
    cr_assert_eq(feed("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"),
                 WEB_REQUEST_BAD);
    cr_assert_eq(feed("GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"),
                 WEB_REQUEST_BAD);
    cr_assert_eq(feed("GET / HTTP/1.1\r\nHost localhost\r\n\r\n"), WEB_REQUEST_BAD);
    cr_assert_eq(feed("GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"), WEB_REQUEST_BAD);
    cr_assert_lt(feed("\x16\x03\x01 a TLS client hello"), 0);
}

Test(web_request, decode_bounds_the_head)
{
    static const char line[] =
        "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    ssize_t n = feed("GET / HTTP/1.1\r\nHost: localhost\r\n");
    unsigned lines = 0;

    for (; n == 0; lines++)
        n = web_request_decode(&r, (const uint8_t *)line, sizeof line - 1);
    cr_assert_eq(n, WEB_REQUEST_HEAD_TOO_LARGE);
    cr_assert_leq(lines, WEB_REQUEST_HEAD_MAX_BYTES / (sizeof line - 1) + 1);
}

Test(web_request, error_status_of_each)
{
    cr_assert_eq(web_request_error_status(WEB_REQUEST_BAD), 400);
    cr_assert_eq(web_request_error_status(WEB_REQUEST_BAD_METHOD), 405);
    cr_assert_eq(web_request_error_status(WEB_REQUEST_HEAD_TOO_LARGE), 431);
    cr_assert_eq(web_request_error_status(WEB_REQUEST_BAD_HOST), 421);
    cr_assert_eq(web_request_error_status(WEB_REQUEST_BAD_PATH), 404);
}
