// Framed messages over a socket that does not block. Buffers grow to the largest message.
#include "agent_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (64u * KIB)

void agent_channel_open(struct agent_channel *c, int fd, size_t max_bytes)
{
    *c = (struct agent_channel){.fd = fd, .in_max = max_bytes};
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void agent_channel_close(struct agent_channel *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->in);
    free(c->out);
    *c = (struct agent_channel){.fd = -1};
}

int agent_channel_push(struct agent_channel *c, yyjson_mut_doc *d)
{
    size_t text_len = 0, pending = agent_channel_pending(c);
    char *text = d ? yyjson_mut_write(d, 0, &text_len) : NULL;
    uint8_t *out = text ? malloc(pending + AGENT_CHANNEL_HEAD_BYTES + text_len) : NULL;

    yyjson_mut_doc_free(d);
    if (!out) {
        free(text);
        return -ENOMEM;
    }
    if (pending > 0)
        memcpy(out, c->out + c->out_at, pending);
    store_be32(out + pending, (uint32_t)text_len);
    memcpy(out + pending + AGENT_CHANNEL_HEAD_BYTES, text, text_len);
    free(text);
    free(c->out);
    c->out = out;
    c->out_at = 0;
    c->out_len = pending + AGENT_CHANNEL_HEAD_BYTES + text_len;
    return 0;
}

int agent_channel_flush(struct agent_channel *c)
{
    while (agent_channel_pending(c) > 0) {
        ssize_t n = send(c->fd, c->out + c->out_at, agent_channel_pending(c), MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        c->out_at += (size_t)n;
    }
    return 0;
}

ssize_t agent_channel_decode_head(const uint8_t *in, size_t len, size_t max_bytes)
{
    uint32_t text_len;

    if (len < AGENT_CHANNEL_HEAD_BYTES)
        return 0;
    text_len = load_be32(in);
    if (text_len == 0 || text_len > max_bytes)
        return -EMSGSIZE;
    return len - AGENT_CHANNEL_HEAD_BYTES >= text_len
               ? (ssize_t)(AGENT_CHANNEL_HEAD_BYTES + text_len)
               : 0;
}

// Room for another piece: what is there twice, up to a whole message and a piece.
static int make_room(struct agent_channel *c)
{
    size_t cap = 2 * c->in_cap + READ_BYTES;
    uint8_t *in;

    if (c->in_cap - c->in_len >= READ_BYTES)
        return 0;
    in = realloc(c->in, cap);
    if (!in)
        return -ENOMEM;
    c->in = in;
    c->in_cap = cap;
    return 0;
}

int agent_channel_read(struct agent_channel *c)
{
    for (;;) {
        ssize_t whole = agent_channel_decode_head(c->in, c->in_len, c->in_max), n;

        // One message at a time: the next ones stay in the socket.
        if (whole != 0)
            return whole < 0 ? (int)whole : 0;
        if (make_room(c) < 0)
            return -ENOMEM;
        n = recv(c->fd, c->in + c->in_len, READ_BYTES, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -ECONNRESET;
        c->in_len += (size_t)n;
    }
}

int agent_channel_take(struct agent_channel *c, yyjson_doc **message)
{
    ssize_t whole = agent_channel_decode_head(c->in, c->in_len, c->in_max);

    *message = NULL;
    if (whole <= 0)
        return (int)whole;
    *message = yyjson_read((const char *)c->in + AGENT_CHANNEL_HEAD_BYTES,
                           (size_t)whole - AGENT_CHANNEL_HEAD_BYTES, 0);
    if (!*message)
        return -EBADMSG;
    c->in_len -= (size_t)whole;
    memmove(c->in, c->in + whole, c->in_len);
    return 0;
}
