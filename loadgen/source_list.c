// Source addresses: parsed and checked once, bound on any thread.
#include "source_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORD_BYTES 64u

static int refuse(char reason[SOURCE_LIST_REASON_BYTES], const char *text)
{
    snprintf(reason, SOURCE_LIST_REASON_BYTES,
             "takes auto, a number, addresses like 127.0.0.5,127.0.1.1 or a network like "
             "127.1.0.0/24, not '%.60s'",
             text);
    return -EINVAL;
}

static int add(struct source_list *list, const struct source *source,
               char reason[SOURCE_LIST_REASON_BYTES])
{
    if (list->count == SOURCE_LIST_MAX) {
        snprintf(reason, SOURCE_LIST_REASON_BYTES, "takes %u addresses at most", SOURCE_LIST_MAX);
        return -EINVAL;
    }
    list->items[list->count++] = *source;
    return 0;
}

// Hosts of an IPv4 network: without the first and the last address, if there are others.
static int add_network(struct source_list *list, const char *word, const char *slash,
                       char reason[SOURCE_LIST_REASON_BYTES])
{
    char address[WORD_BYTES], *end;
    struct source source = {.family = AF_INET};
    unsigned long bits = strtoul(slash + 1, &end, 10);
    uint32_t first, last;

    snprintf(address, sizeof address, "%.*s", (int)(slash - word), word);
    if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > 32 ||
        inet_pton(AF_INET, address, source.bytes) != 1)
        return refuse(reason, word);
    if (bits < 24) {
        snprintf(reason, SOURCE_LIST_REASON_BYTES,
                 "takes %u addresses at most, and '%.40s' is more: /24 to /32", SOURCE_LIST_MAX,
                 word);
        return -EINVAL;
    }
    first = load_be32(source.bytes) & (bits == 32 ? UINT32_MAX : ~(UINT32_MAX >> bits));
    last = first | (bits == 32 ? 0 : UINT32_MAX >> bits);
    if (bits <= 30) {
        first++;
        last--;
    }
    for (uint32_t at = first; at >= first && at <= last; at++) {
        int err;

        store_be32(source.bytes, at);
        err = add(list, &source, reason);
        if (err < 0)
            return err;
    }
    return 0;
}

static int add_word(struct source_list *list, const char *word,
                    char reason[SOURCE_LIST_REASON_BYTES])
{
    const char *slash = strchr(word, '/');
    struct source source = {.family = AF_INET};

    if (slash)
        return add_network(list, word, slash, reason);
    if (inet_pton(AF_INET, word, source.bytes) != 1) {
        source.family = AF_INET6;
        if (inet_pton(AF_INET6, word, source.bytes) != 1)
            return refuse(reason, word);
    }
    return add(list, &source, reason);
}

int source_list_parse(struct source_list *list, const char *text,
                      char reason[SOURCE_LIST_REASON_BYTES])
{
    const char *at = text;
    int err = 0;

    list->count = 0;
    do {
        char word[WORD_BYTES];
        size_t len = strcspn(at, ",");

        if (len == 0 || len >= sizeof word)
            return refuse(reason, text);
        memcpy(word, at, len);
        word[len] = '\0';
        err = add_word(list, word, reason);
        at += len;
    } while (err == 0 && *at++ == ',');
    return err;
}

void source_list_init_loopback(struct source_list *list, uint32_t count)
{
    list->count = count < SOURCE_LIST_MAX ? count : SOURCE_LIST_MAX;
    for (uint32_t i = 0; i < list->count; i++) {
        list->items[i] = (struct source){.family = AF_INET};
        store_be32(list->items[i].bytes, INADDR_LOOPBACK + i);
    }
}

static socklen_t write_address(const struct source *source, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    *out = (struct sockaddr_storage){.ss_family = source->family};
    if (source->family == AF_INET) {
        memcpy(&v4->sin_addr, source->bytes, sizeof v4->sin_addr);
        return sizeof *v4;
    }
    memcpy(&v6->sin6_addr, source->bytes, sizeof v6->sin6_addr);
    return sizeof *v6;
}

int source_list_bind(const struct source_list *list, uint32_t number, int fd)
{
    struct sockaddr_storage from;
    socklen_t len;
    int one = 1;

    if (list->count == 0)
        return 0;
    len = write_address(&list->items[number % list->count], &from);
    // The port is then chosen at connect, where the whole four-tuple counts.
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&from, len) < 0)
        return -errno;
    return 0;
}

int source_list_check(const struct source_list *list, sa_family_t family,
                      char reason[SOURCE_LIST_REASON_BYTES])
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct source *source = &list->items[i];
        char text[INET6_ADDRSTRLEN];
        int fd, err;

        inet_ntop(source->family, source->bytes, text, sizeof text);
        if (source->family != family) {
            snprintf(reason, SOURCE_LIST_REASON_BYTES, "names %s, but the relay's address is %s",
                     text, family == AF_INET ? "IPv4" : "IPv6");
            return -EINVAL;
        }
        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        err = source_list_bind(list, i, fd);
        close(fd);
        if (err < 0) {
            snprintf(reason, SOURCE_LIST_REASON_BYTES, "names %s: %s%s", text, strerror(-err),
                     err == -EADDRNOTAVAIL ? " (it is not an address of this machine)" : "");
            return err;
        }
    }
    return 0;
}
