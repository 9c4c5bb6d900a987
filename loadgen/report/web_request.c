// Requests of the live page's server. Callbacks of llhttp copy what matters into bounded places.
#include "web_request.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <string.h>

// Append, keep the length even of what does not fit: a longer text equals none of ours.
static void append(char *to, size_t cap, uint32_t *len, const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (*len < cap)
            to[*len] = at[i];
        (*len)++;
    }
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct web_request *r = parser->data;

    append(r->path, sizeof r->path, &r->path_len, at, len);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct web_request *r = parser->data;

    append(r->name, sizeof r->name, &r->name_len, at, len);
    return 0;
}

static int on_header_field_complete(llhttp_t *parser)
{
    struct web_request *r = parser->data;

    r->is_host = r->name_len == 4 && strncasecmp(r->name, "host", 4) == 0;
    r->host_count += r->is_host;
    r->name_len = 0;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct web_request *r = parser->data;

    if (r->is_host)
        append(r->host, sizeof r->host, &r->host_len, at, len);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct web_request *r = parser->data;

    r->is_complete = true;
    r->has_body = (parser->flags & F_CHUNKED) != 0 || parser->content_length > 0;
    return 2; // there is no body for us: stop right behind the head
}

static const llhttp_settings_t *settings(void)
{
    static const llhttp_settings_t callbacks = {
        .on_url = on_url,
        .on_header_field = on_header_field,
        .on_header_field_complete = on_header_field_complete,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
    };

    return &callbacks;
}

void web_request_init(struct web_request *r)
{
    memset(r, 0, sizeof *r);
    llhttp_init(&r->parser, HTTP_REQUEST, settings());
    r->parser.data = r;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
    }
    return len <= 5;
}

static bool is_allowed_host(const struct web_request *r)
{
    char host[WEB_REQUEST_HOST_MAX_BYTES + 1];
    struct in6_addr address;
    char *end;

    if (r->host_len == 0 || r->host_len > WEB_REQUEST_HOST_MAX_BYTES ||
        memchr(r->host, '\0', r->host_len))
        return false;
    memcpy(host, r->host, r->host_len);
    host[r->host_len] = '\0';
    if (host[0] == '[') {
        end = strchr(host, ']');
        if (!end || (end[1] != '\0' && (end[1] != ':' || !is_port(end + 2))))
            return false;
        *end = '\0';
        return inet_pton(AF_INET6, host + 1, &address) == 1;
    }
    end = strchr(host, ':');
    if (end) {
        if (!is_port(end + 1))
            return false;
        *end = '\0';
    }
    return strcasecmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &address) == 1;
}

static bool find_resource(struct web_request *r)
{
    static const char *const paths[] = {"/", "/result.json", "/events"};

    for (unsigned i = 0; i < COUNT_OF(paths); i++) {
        if (r->path_len == strlen(paths[i]) && memcmp(r->path, paths[i], r->path_len) == 0) {
            r->resource = (enum web_resource)i;
            return true;
        }
    }
    return false;
}

static ssize_t judge(struct web_request *r, ssize_t used)
{
    if (r->parser.http_major != 1 || r->host_count != 1 || r->has_body)
        return WEB_REQUEST_BAD;
    if (!is_allowed_host(r))
        return WEB_REQUEST_BAD_HOST;
    if (r->parser.method != HTTP_GET)
        return WEB_REQUEST_BAD_METHOD;
    return find_resource(r) ? used : WEB_REQUEST_BAD_PATH;
}

ssize_t web_request_decode(struct web_request *r, const uint8_t *bytes, size_t len)
{
    size_t room = WEB_REQUEST_HEAD_MAX_BYTES - r->seen, fed = len < room ? len : room;
    llhttp_errno_t err;

    assert(!r->is_complete);
    err = llhttp_execute(&r->parser, (const char *)bytes, fed);
    r->seen += fed;
    if (r->is_complete)
        return judge(r, (ssize_t)(llhttp_get_error_pos(&r->parser) - (const char *)bytes));
    if (err == HPE_INVALID_METHOD)
        return WEB_REQUEST_BAD_METHOD;
    if (err != HPE_OK)
        return WEB_REQUEST_BAD;
    return r->seen < WEB_REQUEST_HEAD_MAX_BYTES ? 0 : WEB_REQUEST_HEAD_TOO_LARGE;
}

int web_request_error_status(enum web_request_error error)
{
    switch (error) {
    case WEB_REQUEST_BAD:
        return 400;
    case WEB_REQUEST_BAD_METHOD:
        return 405;
    case WEB_REQUEST_HEAD_TOO_LARGE:
        return 431;
    case WEB_REQUEST_BAD_HOST:
        return 421;
    case WEB_REQUEST_BAD_PATH:
        return 404;
    }
    return 400;
}
