// Where connections come from: addresses of this machine, one after the other. One address has
// about 28,000 ports towards one relay, so more connections need more addresses. Parsing is pure.
//
//   127.0.0.5,127.0.1.1       addresses, IPv4 or IPv6
//   127.1.0.0/24              every host of a network: 127.1.0.1 … 127.1.0.254
#ifndef SEALPOST_SOURCE_LIST_H
#define SEALPOST_SOURCE_LIST_H

#include <stdint.h>
#include <sys/socket.h>

#include "units.h"

#define SOURCE_LIST_MAX 256u
// Of the ports of an address, with some left for those that are still closing.
#define SOURCE_LIST_CONNECTIONS_EACH 25000u
// What auto gives each address of loopback. The kernel looks for a free port among every second one
// first and then one by one: 100,000 connections from four addresses took 122 s, from thirteen 22
// s.
#define SOURCE_LIST_CONNECTIONS_QUICK 8000u
#define SOURCE_LIST_REASON_BYTES 192u

struct source {
    sa_family_t family;
    uint8_t bytes[16]; // 4 of them for IPv4
};

struct source_list {
    uint32_t count; // 0: the system chooses
    struct source items[SOURCE_LIST_MAX];
};

// Errors: -EINVAL with half a sentence in reason, which follows the option's name.
NODISCARD int source_list_parse(struct source_list *list, const char *text,
                                char reason[SOURCE_LIST_REASON_BYTES]);
// 127.0.0.1 and the count − 1 addresses behind it, up to SOURCE_LIST_MAX.
void source_list_init_loopback(struct source_list *list, uint32_t count);
// Can each be bound, and reach a relay of this family? Errors: -EINVAL, -errno (what the bind said)
// with half a sentence in reason.
NODISCARD int source_list_check(const struct source_list *list, sa_family_t family,
                                char reason[SOURCE_LIST_REASON_BYTES]);
// Bind a socket to the address of connection `number`; the port is chosen at connect. Nothing is
// done if the list is empty. Errors: -errno.
NODISCARD int source_list_bind(const struct source_list *list, uint32_t number, int fd);

#endif
