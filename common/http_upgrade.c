// The WebSocket opening handshake. llhttp splits the head into lines and rejects what is not HTTP;
// this file gathers the few headers a handshake is made of and checks them when the head is whole,
// so the outcome does not depend on how the bytes were cut.
// One owner per parser; never allocates, never does I/O, never looks behind the head.
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <llhttp.h>
#include <openssl/evp.h>

#include "http_upgrade.h"

#define KEY_BYTES 24u                                      // base64 of 16 (RFC 6455 section 4.1)
#define SHA1_BYTES 20u                                     // binary
#define NAME_MAX_BYTES 32u                                 // longer than any header name we know
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3

enum header {
    HEADER_HOST,
    HEADER_UPGRADE,
    HEADER_CONNECTION,
    HEADER_KEY,
    HEADER_VERSION,
    HEADER_PROTOCOL,
    HEADER_ACCEPT,
    HEADER_EXTENSIONS,
    HEADER_OTHER, // all the rest
};

static const char *const header_names[HEADER_OTHER] = {
    [HEADER_HOST] = "host",
    [HEADER_UPGRADE] = "upgrade",
    [HEADER_CONNECTION] = "connection",
    [HEADER_KEY] = "sec-websocket-key",
    [HEADER_VERSION] = "sec-websocket-version",
    [HEADER_PROTOCOL] = "sec-websocket-protocol",
    [HEADER_ACCEPT] = "sec-websocket-accept",
    [HEADER_EXTENSIONS] = "sec-websocket-extensions",
};

enum state { STATE_FRESH, STATE_PARSING, STATE_COMPLETE, STATE_FAILED };

struct http_upgrade {
    llhttp_t parser;
    enum state state;
    int refused_status; // client side
    uint32_t head_bytes;
    uint32_t line_counts[HEADER_OTHER + 1];
    bool has_host; // the only Host line is not empty
    bool upgrades_to_websocket;
    bool connection_upgrades;
    bool is_version_13;
    bool has_key;
    char key[KEY_BYTES];
    char accept[HTTP_ACCEPT_BYTES]; // as the server sent it
    bool has_accept;
    char path[HTTP_PATH_MAX_BYTES + 1];

    enum header header; // of the line being parsed
    char name[NAME_MAX_BYTES];
    uint32_t name_len;

    // The protocols offered so far, each line followed by a comma, then the value (or the URL)
    // being received. Everything in it came out of the head, so a head's size is enough. Last,
    // and not cleared by init: a common head touches little of it.
    uint32_t protocols_len;
    uint32_t text_len;
    char text[HTTP_HEAD_MAX_BYTES];
};

const size_t http_upgrade_size_bytes = sizeof(struct http_upgrade);

// A piece of a header value without the white space around it.
struct span {
    const char *at;
    size_t len;
};

static struct span trim(const char *at, size_t len)
{
    while (len > 0 && (at[0] == ' ' || at[0] == '\t')) {
        at++;
        len--;
    }
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    return (struct span){at, len};
}

static bool is_equal(struct span a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.at, b, a.len) == 0;
}

static bool is_equal_ignoring_case(struct span a, const char *b)
{
    return a.len == strlen(b) && strncasecmp(a.at, b, a.len) == 0;
}

// Is `token` an element of this comma-separated list (RFC 9110 section 5.6.1)?
static bool list_has(const char *list, size_t len, const char *token,
                     bool (*equal)(struct span, const char *))
{
    const char *end = list + len;

    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma != NULL ? comma : end;
        if (equal(trim(list, (size_t)(stop - list)), token))
            return true;
        list = stop + 1;
    }
    return false;
}

// 24 characters that stand for 16 bytes: 22 of the alphabet and two of padding.
static bool is_key(struct span value)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    if (value.len != KEY_BYTES || value.at[22] != '=' || value.at[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        if (memchr(alphabet, value.at[i], sizeof alphabet - 1) == NULL)
            return false;
    }
    return true;
}

// Source: RFC 6455 section 4.2.2 item 5.4. `out` is zero-terminated.
static void compute_accept(const char key[KEY_BYTES], char out[HTTP_ACCEPT_BYTES + 1])
{
    char joined[KEY_BYTES + sizeof ACCEPT_GUID];
    uint8_t digest[SHA1_BYTES];

    memcpy(joined, key, KEY_BYTES);
    memcpy(joined + KEY_BYTES, ACCEPT_GUID, sizeof ACCEPT_GUID);
    // Fails only where OpenSSL is set up without SHA-1: no handshake is possible there at all.
    int ok = EVP_Digest(joined, sizeof joined - 1, digest, NULL, EVP_sha1(), NULL);
    assert(ok == 1);
    EVP_EncodeBlock((uint8_t *)out, digest, sizeof digest);
}

// The resource's path out of the request target, which may be a whole URL (RFC 9112 section 3.2.2).
static void keep_path(struct http_upgrade *u)
{
    const char *at = u->text;
    const char *end = u->text + u->text_len;
    bool is_plain = u->text_len >= 7 && strncasecmp(at, "http://", 7) == 0;
    bool is_tls = u->text_len >= 8 && strncasecmp(at, "https://", 8) == 0;

    if (is_plain || is_tls) {
        at += is_plain ? 7 : 8;
        while (at < end && *at != '/' && *at != '?' && *at != '#')
            at++;
    }
    size_t len = 0;
    while (at + len < end && at[len] != '?' && at[len] != '#')
        len++;
    if (len == 0) {
        at = "/";
        len = 1;
    }
    if (len > HTTP_PATH_MAX_BYTES)
        len = 0;
    memcpy(u->path, at, len);
    u->path[len] = '\0';
}

static void keep_value(struct http_upgrade *u)
{
    const char *raw = u->text + u->protocols_len;
    size_t raw_len = u->text_len - u->protocols_len;
    struct span value = trim(raw, raw_len);

    switch (u->header) {
    case HEADER_HOST:
        u->has_host = value.len > 0;
        break;
    case HEADER_UPGRADE:
        u->upgrades_to_websocket |= list_has(raw, raw_len, "websocket", is_equal_ignoring_case);
        break;
    case HEADER_CONNECTION:
        u->connection_upgrades |= list_has(raw, raw_len, "upgrade", is_equal_ignoring_case);
        break;
    case HEADER_KEY:
        u->has_key = is_key(value);
        if (u->has_key)
            memcpy(u->key, value.at, KEY_BYTES);
        break;
    case HEADER_VERSION:
        u->is_version_13 = is_equal(value, "13");
        break;
    case HEADER_ACCEPT:
        u->has_accept = value.len == HTTP_ACCEPT_BYTES;
        if (u->has_accept)
            memcpy(u->accept, value.at, HTTP_ACCEPT_BYTES);
        break;
    case HEADER_PROTOCOL:
        assert(u->text_len < sizeof u->text);
        u->text[u->text_len++] = ',';
        u->protocols_len = u->text_len;
        break;
    case HEADER_EXTENSIONS:
    case HEADER_OTHER:
        break;
    }
    u->text_len = u->protocols_len;
}

static int on_text(llhttp_t *parser, const char *at, size_t len)
{
    struct http_upgrade *u = parser->data;

    assert(len <= sizeof u->text - u->text_len);
    memcpy(u->text + u->text_len, at, len);
    u->text_len += (uint32_t)len;
    return 0;
}

static int on_url_complete(llhttp_t *parser)
{
    struct http_upgrade *u = parser->data;

    keep_path(u);
    u->text_len = 0;
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct http_upgrade *u = parser->data;
    size_t room = sizeof u->name - u->name_len;

    // A name that fills the room is longer than any we know and matches none.
    if (len > room)
        len = room;
    memcpy(u->name + u->name_len, at, len);
    u->name_len += (uint32_t)len;
    return 0;
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct http_upgrade *u = parser->data;
    struct span name = {u->name, u->name_len};
    uint32_t header = 0;

    while (header < HEADER_OTHER && !is_equal_ignoring_case(name, header_names[header]))
        header++;
    u->header = (enum header)header;
    u->line_counts[header]++;
    u->name_len = 0;
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    keep_value(parser->data);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return 2; // there is no body for us: stop right behind the head
}

static const llhttp_settings_t callbacks = {
    .on_url = on_text,
    .on_url_complete = on_url_complete,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_text,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

// Bytes used when the head is complete, 0 if more is needed, HTTP_HEAD_TOO_LARGE, or `malformed`.
static ssize_t parse(struct http_upgrade *u, llhttp_type_t type, const uint8_t *bytes, size_t len,
                     enum http_upgrade_error malformed)
{
    const char *from = (const char *)bytes;
    size_t room = HTTP_HEAD_MAX_BYTES - u->head_bytes;

    if (u->state == STATE_FRESH) {
        llhttp_init(&u->parser, type, &callbacks);
        u->parser.data = u;
        u->state = STATE_PARSING;
    }
    assert(u->state == STATE_PARSING);
    if (len > room)
        len = room;
    llhttp_errno_t error = llhttp_execute(&u->parser, from, len);
    if (error == HPE_PAUSED_UPGRADE)
        return llhttp_get_error_pos(&u->parser) - from;
    if (error != HPE_OK)
        return malformed;
    u->head_bytes += (uint32_t)len;
    return u->head_bytes == HTTP_HEAD_MAX_BYTES ? HTTP_HEAD_TOO_LARGE : 0;
}

static bool is_http_1_1(const struct http_upgrade *u)
{
    return u->parser.http_major == 1 && u->parser.http_minor == 1;
}

static bool announces_body(const struct http_upgrade *u)
{
    return (u->parser.flags & F_TRANSFER_ENCODING) != 0 || u->parser.content_length != 0;
}

// Source: RFC 6455 section 4.2.1. The version comes before the key, whose form belongs to it.
static ssize_t check_request(const struct http_upgrade *u)
{
    if (u->parser.method != HTTP_GET)
        return HTTP_BAD_METHOD;
    if (!is_http_1_1(u) || announces_body(u))
        return HTTP_BAD_REQUEST;
    if (u->line_counts[HEADER_HOST] != 1 || !u->has_host)
        return HTTP_BAD_REQUEST;
    if (!u->upgrades_to_websocket || !u->connection_upgrades)
        return HTTP_BAD_REQUEST;
    if (u->line_counts[HEADER_VERSION] != 1 || !u->is_version_13)
        return HTTP_BAD_WS_VERSION;
    if (u->line_counts[HEADER_KEY] != 1 || !u->has_key)
        return HTTP_BAD_REQUEST;
    return 0;
}

// Source: RFC 6455 section 4.1, the client's six checks. We offer no extension, so none may come.
static ssize_t check_response(const struct http_upgrade *u, const uint8_t nonce[16],
                              const char *protocol)
{
    char key[KEY_BYTES + 1];
    char accept[HTTP_ACCEPT_BYTES + 1];

    EVP_EncodeBlock((uint8_t *)key, nonce, 16);
    compute_accept(key, accept);
    if (u->parser.status_code != 101 || !is_http_1_1(u))
        return HTTP_BAD_RESPONSE;
    if (!u->upgrades_to_websocket || !u->connection_upgrades)
        return HTTP_BAD_RESPONSE;
    if (u->line_counts[HEADER_ACCEPT] != 1 || !u->has_accept ||
        memcmp(u->accept, accept, HTTP_ACCEPT_BYTES) != 0)
        return HTTP_BAD_RESPONSE;
    if (u->line_counts[HEADER_EXTENSIONS] != 0)
        return HTTP_BAD_RESPONSE;
    if (u->line_counts[HEADER_PROTOCOL] != (protocol != NULL))
        return HTTP_BAD_RESPONSE;
    // One line, whose value stands before the comma put behind it.
    if (protocol != NULL && !is_equal(trim(u->text, u->protocols_len - 1), protocol))
        return HTTP_BAD_RESPONSE;
    return 0;
}

static ssize_t finish(struct http_upgrade *u, ssize_t used, ssize_t error)
{
    u->state = error == 0 ? STATE_COMPLETE : STATE_FAILED;
    return error == 0 ? used : error;
}

void http_upgrade_init(struct http_upgrade *u)
{
    memset(u, 0, offsetof(struct http_upgrade, text));
}

ssize_t http_upgrade_decode_request(struct http_upgrade *u, const uint8_t *bytes, size_t len)
{
    ssize_t used = parse(u, HTTP_REQUEST, bytes, len, HTTP_BAD_REQUEST);

    if (used == 0)
        return 0;
    return finish(u, used, used < 0 ? used : check_request(u));
}

const char *http_upgrade_path(const struct http_upgrade *u)
{
    assert(u->state == STATE_COMPLETE);
    return u->path;
}

bool http_upgrade_offers(const struct http_upgrade *u, const char *protocol)
{
    assert(u->state == STATE_COMPLETE);
    return list_has(u->text, u->protocols_len, protocol, is_equal);
}

size_t http_upgrade_encode_response(const struct http_upgrade *u, const char *protocol,
                                    char out[HTTP_RESPONSE_MAX_BYTES])
{
    char accept[HTTP_ACCEPT_BYTES + 1];

    assert(u->state == STATE_COMPLETE);
    compute_accept(u->key, accept);
    int len = snprintf(out, HTTP_RESPONSE_MAX_BYTES,
                       "HTTP/1.1 101 Switching Protocols\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\n"
                       "%s%s%s"
                       "\r\n",
                       accept, protocol != NULL ? "Sec-WebSocket-Protocol: " : "",
                       protocol != NULL ? protocol : "", protocol != NULL ? "\r\n" : "");
    assert(len > 0 && (size_t)len < HTTP_RESPONSE_MAX_BYTES);
    return (size_t)len;
}

size_t http_upgrade_encode_refusal(int status, char out[HTTP_RESPONSE_MAX_BYTES])
{
    static const struct {
        int status;
        const char *reason;
        const char *headers;
    } refusals[] = {
        {400, "Bad Request", "Connection: close\r\n"},
        {404, "Not Found", "Connection: close\r\n"},
        {405, "Method Not Allowed", "Connection: close\r\nAllow: GET\r\n"},
        // A sender of Upgrade names it in Connection (RFC 9110 section 7.8).
        {426, "Upgrade Required",
         "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
        {431, "Request Header Fields Too Large", "Connection: close\r\n"},
        {503, "Service Unavailable", "Connection: close\r\n"},
    };
    size_t i = 0;

    while (i < COUNT_OF(refusals) && refusals[i].status != status)
        i++;
    assert(i < COUNT_OF(refusals));
    int len =
        snprintf(out, HTTP_RESPONSE_MAX_BYTES, "HTTP/1.1 %d %s\r\n%sContent-Length: 0\r\n\r\n",
                 status, refusals[i].reason, refusals[i].headers);
    assert(len > 0 && (size_t)len < HTTP_RESPONSE_MAX_BYTES);
    return (size_t)len;
}

int http_upgrade_error_status(enum http_upgrade_error error)
{
    switch (error) {
    case HTTP_BAD_METHOD:
        return 405;
    case HTTP_HEAD_TOO_LARGE:
        return 431;
    case HTTP_BAD_WS_VERSION:
        return 426;
    case HTTP_BAD_REQUEST:
    case HTTP_BAD_RESPONSE:
        break;
    }
    return 400;
}

ssize_t http_upgrade_encode_request(char *out, size_t cap, const char *host, const char *path,
                                    const char *protocol, const uint8_t nonce[16])
{
    char key[KEY_BYTES + 1];

    EVP_EncodeBlock((uint8_t *)key, nonce, 16);
    int len = snprintf(out, cap,
                       "GET %s HTTP/1.1\r\n"
                       "Host: %s\r\n"
                       "Upgrade: websocket\r\n"
                       "Connection: Upgrade\r\n"
                       "Sec-WebSocket-Key: %s\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "%s%s%s"
                       "\r\n",
                       path, host, key, protocol != NULL ? "Sec-WebSocket-Protocol: " : "",
                       protocol != NULL ? protocol : "", protocol != NULL ? "\r\n" : "");
    return len > 0 && (size_t)len < cap ? (ssize_t)len : -ENOSPC;
}

ssize_t http_upgrade_decode_response(struct http_upgrade *u, const uint8_t *bytes, size_t len,
                                     const uint8_t nonce[16], const char *protocol)
{
    ssize_t used = parse(u, HTTP_RESPONSE, bytes, len, HTTP_BAD_RESPONSE);

    if (used == 0)
        return 0;
    if (used > 0 && u->parser.status_code != 101)
        u->refused_status = u->parser.status_code;
    return finish(u, used, used < 0 ? used : check_response(u, nonce, protocol));
}

int http_upgrade_status(const struct http_upgrade *u)
{
    return u->refused_status;
}
