// The opening handshake, both ends: what is accepted, what is refused with which name, and that
// neither depends on how the bytes were cut.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "http_upgrade.h"

// The nonce and its answer from RFC 6455 section 1.3: "the sample nonce".
#define SAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SAMPLE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
static const uint8_t sample_nonce[16] = "the sample nonce";

#define REQUEST_LINE "GET /v1 HTTP/1.1\r\n"
#define HOST "Host: relay.example\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: " SAMPLE_KEY "\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: sealpost.v1\r\n"
#define GOOD_HEADERS HOST UPGRADE CONNECTION KEY VERSION
#define GOOD_REQUEST REQUEST_LINE GOOD_HEADERS PROTOCOL "\r\n"

#define STATUS_LINE "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n"
#define GOOD_RESPONSE STATUS_LINE UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n"

static struct http_upgrade *create(void)
{
    struct http_upgrade *u = malloc(http_upgrade_size_bytes);

    cr_assert_not_null(u);
    memset(u, 0xAB, http_upgrade_size_bytes); // init must not count on zeroed memory
    http_upgrade_init(u);
    return u;
}

static ssize_t decode_request(struct http_upgrade *u, const char *text, size_t len)
{
    return http_upgrade_decode_request(u, (const uint8_t *)text, len);
}

// The result of a whole request, fed at once and then byte by byte: both must agree.
static ssize_t request_result(const char *text)
{
    size_t len = strlen(text);
    struct http_upgrade *u = create();
    ssize_t whole = decode_request(u, text, len), bytewise = 0;

    http_upgrade_init(u);
    for (size_t i = 0; i < len && bytewise == 0; i++) {
        bytewise = decode_request(u, text + i, 1);
        if (bytewise > 0)
            bytewise += (ssize_t)i;
    }
    cr_assert_eq(whole, bytewise, "%zd whole, %zd byte by byte:\n%s", whole, bytewise, text);
    free(u);
    return whole;
}

#define ASSERT_REQUEST(text, expected)                                                             \
    do {                                                                                           \
        ssize_t result = request_result(text);                                                     \
        cr_assert_eq(result, (ssize_t)(expected), "%zd for:\n%s", result, text);                   \
    } while (0)
#define ASSERT_GOOD(text) ASSERT_REQUEST(text, strlen(text))

Test(http_upgrade_decode_request, cut_at_every_byte_with_frames_behind)
{
    static const char bytes[] = GOOD_REQUEST "\x82\x80\x01\x02\x03\x04\r\n\r\n";
    const size_t len = sizeof bytes - 1, head_len = strlen(GOOD_REQUEST);

    for (size_t cut = 0; cut <= len; cut++) {
        struct http_upgrade *u = create();
        ssize_t used = decode_request(u, bytes, cut);

        if (cut < head_len) {
            cr_assert_eq(used, 0);
            cr_assert_eq(decode_request(u, bytes + cut, len - cut), head_len - cut, "cut %zu", cut);
        } else {
            cr_assert_eq(used, head_len);
        }
        cr_assert_str_eq(http_upgrade_path(u), "/v1");
        cr_assert(http_upgrade_offers(u, "sealpost.v1"));
        free(u);
    }
}

Test(http_upgrade_decode_request, forms_that_are_good)
{
    ASSERT_GOOD(REQUEST_LINE GOOD_HEADERS "\r\n");
    ASSERT_GOOD(REQUEST_LINE "HOST: h\r\nUPGRADE: WebSocket\r\nconnection: uPGRADE\r\n"
                             "sec-websocket-KEY:" SAMPLE_KEY
                             " \t\r\nsec-websocket-version:13\r\n\r\n");
    ASSERT_GOOD(REQUEST_LINE HOST UPGRADE KEY VERSION "Connection: keep-alive, Upgrade\r\n\r\n");
    ASSERT_GOOD(REQUEST_LINE HOST UPGRADE KEY VERSION
                "Connection: keep-alive\r\nConnection: foo ,\tupgrade\t,bar\r\n\r\n");
    ASSERT_GOOD(REQUEST_LINE HOST CONNECTION KEY VERSION "Upgrade: h2c, websocket\r\n\r\n");
    ASSERT_GOOD(REQUEST_LINE GOOD_HEADERS "Content-Length: 0\r\n\r\n");
    ASSERT_GOOD(REQUEST_LINE GOOD_HEADERS "Sec-WebSocket-Extensions: permessage-deflate\r\n"
                                          "Origin: http://x\r\nCookie: a=b; c=d\r\n\r\n");
    // Names longer than any we know, one of them beginning like one.
    ASSERT_GOOD(REQUEST_LINE GOOD_HEADERS
                "Sec-WebSocket-Version-And-Something-More: 8\r\n"
                "Host-Host-Host-Host-Host-Host-Host-Host-Host: x\r\n\r\n");
}

Test(http_upgrade_decode_request, bad_request)
{
    static const char *const bad[] = {
        "GET /v1 HTTP/1.0\r\n" GOOD_HEADERS "\r\n",
        "GET /v1\r\n" GOOD_HEADERS "\r\n",
        "GET /v1 HTTP/2.0\r\n" GOOD_HEADERS "\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01", // a TLS client hello
        "BREW /v1 HTTP/1.1\r\n" GOOD_HEADERS "\r\n",
        REQUEST_LINE UPGRADE CONNECTION KEY VERSION "\r\n",             // no Host
        REQUEST_LINE "Host:\r\n" UPGRADE CONNECTION KEY VERSION "\r\n", // an empty one
        REQUEST_LINE "Host: \t \r\n" UPGRADE CONNECTION KEY VERSION "\r\n",
        REQUEST_LINE HOST HOST UPGRADE CONNECTION KEY VERSION "\r\n", // two
        REQUEST_LINE HOST CONNECTION KEY VERSION "\r\n",              // no Upgrade
        REQUEST_LINE HOST "Upgrade: websockets\r\n" CONNECTION KEY VERSION "\r\n",
        REQUEST_LINE HOST "Upgrade: h2c\r\n" CONNECTION KEY VERSION "\r\n",
        REQUEST_LINE HOST UPGRADE KEY VERSION "\r\n", // no Connection
        REQUEST_LINE HOST UPGRADE "Connection: keep-alive\r\n" KEY VERSION "\r\n",
        REQUEST_LINE HOST UPGRADE "Connection: Upgrade-Insecure\r\n" KEY VERSION "\r\n",
        REQUEST_LINE HOST UPGRADE CONNECTION VERSION "\r\n",         // no key
        REQUEST_LINE HOST UPGRADE CONNECTION KEY KEY VERSION "\r\n", // two
        REQUEST_LINE HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key:\r\n\r\n",
        // 15 and 17 bytes in base64, 18 bytes without padding, and a character outside it.
        REQUEST_LINE HOST UPGRADE CONNECTION VERSION
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n",
        REQUEST_LINE HOST UPGRADE CONNECTION VERSION
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU=\r\n\r\n",
        REQUEST_LINE HOST UPGRADE CONNECTION VERSION
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWVl\r\n\r\n",
        REQUEST_LINE HOST UPGRADE CONNECTION VERSION
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2-jZQ==\r\n\r\n",
        REQUEST_LINE GOOD_HEADERS "Content-Length: 5\r\n\r\nhello",
        REQUEST_LINE GOOD_HEADERS "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        REQUEST_LINE GOOD_HEADERS "no colon here\r\n\r\n",
        REQUEST_LINE GOOD_HEADERS " folded: x\r\n\r\n",
        REQUEST_LINE GOOD_HEADERS "X: a\x01z\r\n\r\n",
        "GET /v1 HTTP/1.1\n" GOOD_HEADERS "\r\n",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ASSERT_REQUEST(bad[i], HTTP_BAD_REQUEST);
}

Test(http_upgrade_decode_request, bad_method)
{
    ASSERT_REQUEST("POST /v1 HTTP/1.1\r\n" GOOD_HEADERS "\r\n", HTTP_BAD_METHOD);
    ASSERT_REQUEST("POST /v1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", HTTP_BAD_METHOD);
    ASSERT_REQUEST("HEAD /v1 HTTP/1.1\r\n" GOOD_HEADERS "\r\n", HTTP_BAD_METHOD);
    ASSERT_REQUEST("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_METHOD);
    ASSERT_REQUEST("CONNECT relay.example:443 HTTP/1.1\r\n" HOST "\r\n", HTTP_BAD_METHOD);
}

Test(http_upgrade_decode_request, bad_ws_version)
{
#define BEFORE_VERSION REQUEST_LINE HOST UPGRADE CONNECTION
    ASSERT_REQUEST(BEFORE_VERSION KEY "\r\n", HTTP_BAD_WS_VERSION);
    ASSERT_REQUEST(BEFORE_VERSION KEY "Sec-WebSocket-Version: 8\r\n\r\n", HTTP_BAD_WS_VERSION);
    ASSERT_REQUEST(BEFORE_VERSION KEY "Sec-WebSocket-Version: 130\r\n\r\n", HTTP_BAD_WS_VERSION);
    ASSERT_REQUEST(BEFORE_VERSION KEY "Sec-WebSocket-Version: 1\r\n\r\n", HTTP_BAD_WS_VERSION);
    ASSERT_REQUEST(BEFORE_VERSION KEY VERSION VERSION "\r\n", HTTP_BAD_WS_VERSION);
    // The key's form belongs to the version, so the version is judged first.
    ASSERT_REQUEST(BEFORE_VERSION "Sec-WebSocket-Version: 99\r\n\r\n", HTTP_BAD_WS_VERSION);
}

// A good request padded with a header to `len` bytes.
static char *padded_request(size_t len)
{
    static const char before[] = REQUEST_LINE GOOD_HEADERS "X-Padding: ";
    char *text = malloc(len + 1);

    cr_assert_not_null(text);
    memset(text, 'x', len);
    memcpy(text, before, sizeof before - 1);
    memcpy(text + len - 4, "\r\n\r\n", 5);
    return text;
}

Test(http_upgrade_decode_request, head_size)
{
    char *text = padded_request(HTTP_HEAD_MAX_BYTES);
    ASSERT_REQUEST(text, HTTP_HEAD_MAX_BYTES);
    free(text);
    text = padded_request(HTTP_HEAD_MAX_BYTES + 1);
    ASSERT_REQUEST(text, HTTP_HEAD_TOO_LARGE);
    free(text);
    text = padded_request(100 * HTTP_HEAD_MAX_BYTES);
    ASSERT_REQUEST(text, HTTP_HEAD_TOO_LARGE);
    free(text);
}

Test(http_upgrade_decode_request, head_full_of_one_thing)
{
    static const char *const fillers[] = {
        "Sec-WebSocket-Protocol: a\r\n",
        "Sec-WebSocket-Protocol:\r\n",
        "Sec-WebSocket-Protocol: ,,,,,,,,,,,,,,,,,,,,,,,,,,,\r\n",
        "A:b\r\n",
        "Upgrade: ,\r\n",
    };

    for (size_t i = 0; i < COUNT_OF(fillers); i++) {
        char text[HTTP_HEAD_MAX_BYTES + 100] = REQUEST_LINE;
        while (strlen(text) < HTTP_HEAD_MAX_BYTES)
            strcat(text, fillers[i]);
        ASSERT_REQUEST(text, HTTP_HEAD_TOO_LARGE);
    }
    char text[2 * HTTP_HEAD_MAX_BYTES] = "GET /";
    memset(text + 5, 'p', 2 * HTTP_HEAD_MAX_BYTES - 6);
    ASSERT_REQUEST(text, HTTP_HEAD_TOO_LARGE);
    // The longest protocol line that fits is kept whole.
    char line[HTTP_HEAD_MAX_BYTES + 1] = REQUEST_LINE GOOD_HEADERS "Sec-WebSocket-Protocol: ";
    size_t len = strlen(line);
    memset(line + len, 'q', sizeof line - 1 - len);
    memcpy(line + sizeof line - 1 - 9, ",last\r\n\r\n", 10);
    struct http_upgrade *u = create();
    cr_assert_eq(decode_request(u, line, HTTP_HEAD_MAX_BYTES), HTTP_HEAD_MAX_BYTES);
    cr_assert(http_upgrade_offers(u, "last"));
    free(u);
}

static void check_path(const char *target, const char *expected)
{
    char text[1024];
    struct http_upgrade *u = create();
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" GOOD_HEADERS "\r\n", target);

    cr_assert_eq(decode_request(u, text, (size_t)len), len, "%s", target);
    cr_assert_str_eq(http_upgrade_path(u), expected);
    free(u);
}

Test(http_upgrade_path, of_every_form)
{
    char target[HTTP_PATH_MAX_BYTES + 3] = "/";

    check_path("/", "/");
    check_path("/v1", "/v1");
    check_path("/v1?a=/b", "/v1");
    check_path("/v1#x", "/v1");
    check_path("/?", "/");
    check_path("http://relay.example:80/v1?x", "/v1");
    check_path("HTTPS://relay.example/echo", "/echo");
    check_path("http://relay.example", "/");
    check_path("http://relay.example?x=/v1", "/");
    check_path("ftp://relay.example/v1", "ftp://relay.example/v1");
    memset(target + 1, 'a', HTTP_PATH_MAX_BYTES - 1);
    check_path(target, target);
    char with_query[sizeof target + 10];
    snprintf(with_query, sizeof with_query, "%s?query", target);
    check_path(with_query, target);
    target[HTTP_PATH_MAX_BYTES] = 'a';
    check_path(target, "");
}

static bool offers(const char *headers, const char *protocol)
{
    char text[1024];
    struct http_upgrade *u = create();
    int len = snprintf(text, sizeof text, REQUEST_LINE GOOD_HEADERS "%s\r\n", headers);

    cr_assert_eq(decode_request(u, text, (size_t)len), len);
    bool result = http_upgrade_offers(u, protocol);
    free(u);
    return result;
}

Test(http_upgrade_offers, any_line_any_position)
{
#define LINE "Sec-WebSocket-Protocol: "
    cr_assert(offers(PROTOCOL, "sealpost.v1"));
    cr_assert(offers(LINE "a, sealpost.v1, b\r\n", "sealpost.v1"));
    cr_assert(offers(LINE "a,b,\tsealpost.v1 \r\n", "sealpost.v1"));
    cr_assert(offers(LINE "sealpost.v1,b\r\n", "sealpost.v1"));
    cr_assert(
        offers(LINE "a\r\n" LINE "b, c\r\nX: y\r\n" LINE "d, sealpost.v1\r\n", "sealpost.v1"));
    cr_assert(offers(LINE "sealpost.v1\r\nX: y\r\n" LINE "z\r\nY: z\r\n", "sealpost.v1"));
    cr_assert_not(offers("", "sealpost.v1"));
    cr_assert_not(offers(LINE "\r\n", "sealpost.v1"));
    cr_assert_not(offers(LINE "Sealpost.V1\r\n", "sealpost.v1")); // names are case-sensitive
    cr_assert_not(offers(LINE "sealpost.v12, xsealpost.v1\r\n", "sealpost.v1"));
    cr_assert_not(offers(LINE "sealpost\r\n" LINE ".v1\r\n", "sealpost.v1")); // lines do not join
    cr_assert_not(offers("X-Sec-WebSocket-Protocol: sealpost.v1\r\n", "sealpost.v1"));
}

Test(http_upgrade_encode_response, rfc_sample)
{
    char out[HTTP_RESPONSE_MAX_BYTES];
    struct http_upgrade *u = create();

    cr_assert_gt(decode_request(u, GOOD_REQUEST, strlen(GOOD_REQUEST)), 0);
    size_t len = http_upgrade_encode_response(u, "sealpost.v1", out);
    cr_assert_eq(len, strlen(GOOD_RESPONSE));
    cr_assert_arr_eq(out, GOOD_RESPONSE, len);
    len = http_upgrade_encode_response(u, NULL, out);
    cr_assert_eq(len, strlen(STATUS_LINE UPGRADE CONNECTION ACCEPT "\r\n"));
    cr_assert_arr_eq(out, STATUS_LINE UPGRADE CONNECTION ACCEPT "\r\n", len);
    free(u);
}

Test(http_upgrade_encode_refusal, every_status)
{
    static const int statuses[] = {400, 404, 405, 426, 431, 503};

    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        char out[HTTP_RESPONSE_MAX_BYTES + 1], start[32];
        size_t len = http_upgrade_encode_refusal(statuses[i], out);
        struct http_upgrade *u = create();

        cr_assert_leq(len, HTTP_RESPONSE_MAX_BYTES);
        out[len] = '\0';
        snprintf(start, sizeof start, "HTTP/1.1 %d ", statuses[i]);
        cr_assert_eq(strncmp(out, start, strlen(start)), 0);
        cr_assert_not_null(strstr(out, "\r\nConnection: close"));
        cr_assert_not_null(strstr(out, "\r\nContent-Length: 0\r\n"));
        cr_assert_str_eq(out + len - 4, "\r\n\r\n");
        cr_assert_eq(strstr(out, "\r\nAllow: GET\r\n") != NULL, statuses[i] == 405);
        cr_assert_eq(strstr(out, "\r\nSec-WebSocket-Version: 13\r\n") != NULL, statuses[i] == 426);
        cr_assert_eq(strstr(out, "\r\nUpgrade: websocket\r\n") != NULL, statuses[i] == 426);
        // Our own client understands it as a refusal.
        cr_assert_eq(http_upgrade_decode_response(u, (const uint8_t *)out, len, sample_nonce, NULL),
                     HTTP_BAD_RESPONSE);
        cr_assert_eq(http_upgrade_status(u), statuses[i]);
        free(u);
    }
}

Test(http_upgrade_error_status, every_error)
{
    cr_assert_eq(http_upgrade_error_status(HTTP_BAD_REQUEST), 400);
    cr_assert_eq(http_upgrade_error_status(HTTP_BAD_METHOD), 405);
    cr_assert_eq(http_upgrade_error_status(HTTP_HEAD_TOO_LARGE), 431);
    cr_assert_eq(http_upgrade_error_status(HTTP_BAD_WS_VERSION), 426);
}

Test(http_upgrade_encode_request, is_accepted)
{
    char out[512];
    struct http_upgrade *u = create();
    ssize_t len = http_upgrade_encode_request(out, sizeof out, "relay.example:8080", "/v1",
                                              "sealpost.v1", sample_nonce);

    cr_assert_gt(len, 0);
    cr_assert_not_null(strstr(out, "\r\nSec-WebSocket-Key: " SAMPLE_KEY "\r\n"));
    cr_assert_not_null(strstr(out, "\r\nHost: relay.example:8080\r\n"));
    cr_assert_eq(decode_request(u, out, (size_t)len), len);
    cr_assert_str_eq(http_upgrade_path(u), "/v1");
    cr_assert(http_upgrade_offers(u, "sealpost.v1"));
    free(u);
    ASSERT_GOOD(out);
    cr_assert_gt(http_upgrade_encode_request(out, sizeof out, "h", "/", NULL, sample_nonce), 0);
    cr_assert_null(strstr(out, "Sec-WebSocket-Protocol"));
    ASSERT_GOOD(out);
}

Test(http_upgrade_encode_request, every_room)
{
    char out[512];
    ssize_t len = http_upgrade_encode_request(out, sizeof out, "h", "/v1", "p", sample_nonce);

    cr_assert_gt(len, 0);
    for (size_t cap = 0; cap <= (size_t)len; cap++) {
        out[cap] = 'X';
        cr_assert_eq(http_upgrade_encode_request(out, cap, "h", "/v1", "p", sample_nonce), -ENOSPC);
        cr_assert_eq(out[cap], 'X');
    }
    cr_assert_eq(http_upgrade_encode_request(out, (size_t)len + 1, "h", "/v1", "p", sample_nonce),
                 len);
}

static ssize_t response_result(const char *text, const char *protocol, int *status)
{
    size_t len = strlen(text);
    struct http_upgrade *u = create();
    ssize_t whole, bytewise = 0;

    whole = http_upgrade_decode_response(u, (const uint8_t *)text, len, sample_nonce, protocol);
    *status = http_upgrade_status(u);
    http_upgrade_init(u);
    for (size_t i = 0; i < len && bytewise == 0; i++) {
        bytewise =
            http_upgrade_decode_response(u, (const uint8_t *)text + i, 1, sample_nonce, protocol);
        if (bytewise > 0)
            bytewise += (ssize_t)i;
    }
    cr_assert_eq(whole, bytewise, "%zd whole, %zd byte by byte:\n%s", whole, bytewise, text);
    free(u);
    return whole;
}

Test(http_upgrade_decode_response, good)
{
    static const char no_protocol[] = STATUS_LINE UPGRADE CONNECTION ACCEPT "\r\n";
    static const char other_case[] =
        "HTTP/1.1 101 x\r\nupgrade: WEBSOCKET\r\nCONNECTION: upgrade\r\n"
        "sec-websocket-accept:" SAMPLE_ACCEPT " \r\nsec-websocket-protocol:sealpost.v1\t\r\n\r\n";
    int status;

    cr_assert_eq(response_result(GOOD_RESPONSE, "sealpost.v1", &status), strlen(GOOD_RESPONSE));
    cr_assert_eq(status, 0);
    cr_assert_eq(response_result(no_protocol, NULL, &status), strlen(no_protocol));
    cr_assert_eq(response_result(other_case, "sealpost.v1", &status), strlen(other_case));
    cr_assert_eq(response_result(GOOD_RESPONSE "\x81\x02hi", "sealpost.v1", &status),
                 strlen(GOOD_RESPONSE));
}

Test(http_upgrade_decode_response, cut_at_every_byte)
{
    static const char bytes[] = GOOD_RESPONSE "\x81\x02hi";
    const size_t len = sizeof bytes - 1, head_len = strlen(GOOD_RESPONSE);

    for (size_t cut = 0; cut < head_len; cut++) {
        struct http_upgrade *u = create();
        const uint8_t *from = (const uint8_t *)bytes;

        cr_assert_eq(http_upgrade_decode_response(u, from, cut, sample_nonce, "sealpost.v1"), 0);
        cr_assert_eq(
            http_upgrade_decode_response(u, from + cut, len - cut, sample_nonce, "sealpost.v1"),
            head_len - cut);
        free(u);
    }
}

Test(http_upgrade_decode_response, bad)
{
    static const char *const bad[] = {
        "HTTP/1.0 101 x\r\n" UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n",
        STATUS_LINE CONNECTION ACCEPT PROTOCOL "\r\n",
        STATUS_LINE "Upgrade: h2c\r\n" CONNECTION ACCEPT PROTOCOL "\r\n",
        STATUS_LINE UPGRADE ACCEPT PROTOCOL "\r\n",
        STATUS_LINE UPGRADE "Connection: close\r\n" ACCEPT PROTOCOL "\r\n",
        STATUS_LINE UPGRADE CONNECTION PROTOCOL "\r\n", // no accept
        STATUS_LINE UPGRADE CONNECTION ACCEPT ACCEPT PROTOCOL "\r\n",
        STATUS_LINE UPGRADE CONNECTION PROTOCOL
        "Sec-WebSocket-Accept: t3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        STATUS_LINE UPGRADE CONNECTION PROTOCOL "Sec-WebSocket-Accept: short\r\n\r\n",
        STATUS_LINE UPGRADE CONNECTION ACCEPT "\r\n", // no protocol
        STATUS_LINE UPGRADE CONNECTION ACCEPT PROTOCOL PROTOCOL "\r\n",
        STATUS_LINE UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: other\r\n\r\n",
        STATUS_LINE UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol:\r\n\r\n",
        STATUS_LINE UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: sealpost.v1, b\r\n\r\n",
        STATUS_LINE UPGRADE CONNECTION ACCEPT PROTOCOL
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        GOOD_REQUEST,
        "SSH-2.0-OpenSSH_9.2\r\n",
    };
    int status;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_eq(response_result(bad[i], "sealpost.v1", &status), HTTP_BAD_RESPONSE, "%s",
                     bad[i]);
        cr_assert_eq(status, 0);
    }
    // A protocol we did not ask for.
    cr_assert_eq(response_result(GOOD_RESPONSE, NULL, &status), HTTP_BAD_RESPONSE);
}

Test(http_upgrade_decode_response, other_status)
{
    int status;

    cr_assert_eq(response_result("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
                                 "sealpost.v1", &status),
                 HTTP_BAD_RESPONSE);
    cr_assert_eq(status, 404);
    cr_assert_eq(response_result("HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n",
                                 "sealpost.v1", &status),
                 HTTP_BAD_RESPONSE);
    cr_assert_eq(status, 200);
}

Test(http_upgrade_decode_response, head_size)
{
    char text[2 * HTTP_HEAD_MAX_BYTES] = STATUS_LINE "X: ";
    int status;

    memset(text + strlen(text), 'x', sizeof text - 1 - strlen(text));
    cr_assert_eq(response_result(text, NULL, &status), HTTP_HEAD_TOO_LARGE);
}
