// The relay's address, and sockets towards it. Parsing runs once; sockets on any thread.
#include "target.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refuse(char reason[TARGET_REASON_BYTES], const char *url)
{
    snprintf(reason, TARGET_REASON_BYTES,
             "'%.200s' is not an address like ws://127.0.0.1:8080 or wss://host:8443/v1", url);
    return -EINVAL;
}

// host, [v6 literal], and what follows them.
static const char *take_host(struct target *t, const char *at)
{
    size_t len;
    bool literal = *at == '[';

    at += literal;
    len = strcspn(at, literal ? "]" : ":/");
    if (len == 0 || len >= sizeof t->host || (literal && at[len] != ']'))
        return NULL;
    memcpy(t->host, at, len);
    t->host[len] = '\0';
    return at + len + literal;
}

int target_parse(struct target *t, const char *url, char reason[TARGET_REASON_BYTES])
{
    const char *at;
    char *end;

    *t = (struct target){0};
    if (strncmp(url, "wss://", 6) == 0)
        t->tls = true;
    else if (strncmp(url, "ws://", 5) != 0)
        return refuse(reason, url);
    t->port = t->tls ? 443 : 80;
    at = take_host(t, url + (t->tls ? 6 : 5));
    if (!at)
        return refuse(reason, url);
    if (*at == ':') {
        unsigned long port = strtoul(at + 1, &end, 10);

        if (at[1] < '0' || at[1] > '9' || port == 0 || port > 65535)
            return refuse(reason, url);
        t->port = (uint16_t)port;
        at = end;
    }
    if ((*at != '/' && *at != '\0') || strlen(at) >= sizeof t->path || strpbrk(at, " \r\n\t"))
        return refuse(reason, url);
    snprintf(t->path, sizeof t->path, "%s", *at == '\0' || strcmp(at, "/") == 0 ? "/v1" : at);
    snprintf(t->authority, sizeof t->authority, strchr(t->host, ':') ? "[%s]:%u" : "%s:%u", t->host,
             t->port);
    return 0;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

int target_resolve(struct target *t, char reason[TARGET_REASON_BYTES])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    char port[8];
    int err;

    snprintf(port, sizeof port, "%u", t->port);
    err = getaddrinfo(t->host, port, &hints, &found);
    if (err) {
        snprintf(reason, TARGET_REASON_BYTES, "no address for %s: %s", t->host, gai_strerror(err));
        return -EHOSTUNREACH;
    }
    memcpy(&t->address, found->ai_addr, found->ai_addrlen);
    t->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    t->loopback = is_loopback(&t->address);
    return 0;
}

int target_open_socket(const struct target *t, uint32_t number, const struct source_list *sources)
{
    int one = 1, err;
    int fd = socket(t->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) {
        err = -errno;
        goto cleanup;
    }
    err = sources ? source_list_bind(sources, number, fd) : 0;
    if (err < 0)
        goto cleanup;
    return fd;

cleanup:
    close(fd);
    return err;
}
