// One connection of the live page's server.
#include "web_client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_BYTES 4096u
// What every answer says: no other page may frame, read or keep it.
#define SAFETY                                                                                     \
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"      \
    "Cross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n"                \
    "Connection: close\r\n"

static const struct {
    int status;
    const char *phrase, *lines;
} refusals[] = {
    {400, "Bad Request", ""},
    {404, "Not Found", ""},
    {405, "Method Not Allowed", "Allow: GET\r\n"},
    {421, "Misdirected Request", ""},
    {431, "Request Header Fields Too Large", ""},
    {503, "Service Unavailable", "Retry-After: 5\r\n"},
};

void web_client_open(struct web_client *c, int fd, bool is_surplus, uint64_t now_ns)
{
    assert(c->state == WEB_CLIENT_FREE);
    *c = (struct web_client){.state = WEB_CLIENT_READING,
                             .fd = fd,
                             .is_surplus = is_surplus,
                             .deadline_ns = now_ns + WEB_CLIENT_REQUEST_NS};
    web_request_init(&c->request);
}

void web_client_close(struct web_client *c)
{
    if (c->state == WEB_CLIENT_FREE)
        return;
    close(c->fd);
    web_text_put(c->text);
    c->text = NULL;
    c->state = WEB_CLIENT_FREE;
}

// `used` is what the head took of the last piece read.
static int take_head(struct web_client *c, ssize_t used, uint64_t now_ns)
{
    if (used == 0)
        return 0;
    if (c->is_surplus)
        web_client_refuse(c, 503, now_ns);
    else if (used < 0)
        web_client_refuse(c, web_request_error_status((enum web_request_error)used), now_ns);
    else
        return 1;
    return 0;
}

int web_client_read(struct web_client *c, uint64_t now_ns)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        web_client_close(c);
        return -1;
    }
    if (c->state != WEB_CLIENT_READING)
        return 0; // a second request is not read: the first says "Connection: close"
    return take_head(c, web_request_decode(&c->request, bytes, (size_t)n), now_ns);
}

void web_client_answer(struct web_client *c, const char *type, const char *lines,
                       struct web_text *text, uint64_t now_ns)
{
    int len =
        snprintf(c->head, sizeof c->head,
                 "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s" SAFETY "\r\n",
                 type, text->len, lines);

    assert(len > 0 && (size_t)len < sizeof c->head);
    c->head_len = (size_t)len;
    c->text = text;
    c->state = WEB_CLIENT_ANSWERING;
    c->deadline_ns = now_ns + WEB_CLIENT_ANSWER_NS;
    web_client_flush(c, now_ns);
}

void web_client_refuse(struct web_client *c, int status, uint64_t now_ns)
{
    unsigned i = 0;
    int len;

    while (refusals[i].status != status)
        assert(++i < COUNT_OF(refusals));
    len =
        snprintf(c->head, sizeof c->head, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n%s" SAFETY "\r\n",
                 status, refusals[i].phrase, refusals[i].lines);
    assert(len > 0 && (size_t)len < sizeof c->head);
    c->head_len = (size_t)len;
    c->state = WEB_CLIENT_ANSWERING;
    c->deadline_ns = now_ns + WEB_CLIENT_ANSWER_NS;
    web_client_flush(c, now_ns);
}

void web_client_stream(struct web_client *c, uint64_t now_ns)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" SAFETY "\r\nretry: 1000\n\n";

    memcpy(c->head, head, sizeof head - 1);
    c->head_len = sizeof head - 1;
    c->state = WEB_CLIENT_STREAMING;
    c->deadline_ns = now_ns + WEB_CLIENT_ANSWER_NS;
    web_client_flush(c, now_ns);
}

bool web_client_has_output(const struct web_client *c)
{
    return (c->state == WEB_CLIENT_ANSWERING || c->state == WEB_CLIENT_STREAMING) &&
           c->sent < c->head_len + (c->text ? c->text->len : 0);
}

bool web_client_is_idle_stream(const struct web_client *c)
{
    return c->state == WEB_CLIENT_STREAMING && !web_client_has_output(c);
}

void web_client_push(struct web_client *c, struct web_text *event, uint64_t now_ns)
{
    assert(web_client_is_idle_stream(c));
    web_text_put(c->text);
    c->text = event;
    c->head_len = c->sent = 0;
    c->deadline_ns = now_ns + WEB_CLIENT_ANSWER_NS;
    web_client_flush(c, now_ns);
}

static void end_output(struct web_client *c, uint64_t now_ns)
{
    c->deadline_ns = UINT64_MAX;
    if (c->state == WEB_CLIENT_STREAMING)
        return;
    shutdown(c->fd, SHUT_WR);
    c->state = WEB_CLIENT_LINGERING;
    c->deadline_ns = now_ns + WEB_CLIENT_LINGER_NS;
}

bool web_client_flush(struct web_client *c, uint64_t now_ns)
{
    bool progress = false;

    while (web_client_has_output(c)) {
        size_t in_text = c->sent > c->head_len ? c->sent - c->head_len : 0;
        struct iovec parts[2] = {{c->head + c->sent, c->head_len - c->sent}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = c->text ? 2 : 1};
        ssize_t n;

        if (c->sent >= c->head_len)
            parts[0] = (struct iovec){c->head, 0};
        if (c->text)
            parts[1] = (struct iovec){c->text->bytes + in_text, c->text->len - in_text};
        n = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                web_client_close(c);
            return progress;
        }
        progress = true;
        c->sent += (size_t)n;
    }
    if (c->state == WEB_CLIENT_ANSWERING || c->state == WEB_CLIENT_STREAMING)
        end_output(c, now_ns);
    return progress;
}
