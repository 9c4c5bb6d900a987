// Where the load goes: the URL, its address, and sockets towards it.
#ifndef SEALPOST_TARGET_H
#define SEALPOST_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "source_list.h"
#include "units.h"

#define TARGET_HOST_MAX_BYTES 256u
#define TARGET_PATH_MAX_BYTES 128u
#define TARGET_REASON_BYTES 512u

struct target {
    bool tls;
    char host[TARGET_HOST_MAX_BYTES];
    char authority[TARGET_HOST_MAX_BYTES + 16]; // host:port, for the Host header
    char path[TARGET_PATH_MAX_BYTES];
    uint16_t port;
    bool loopback;
    struct sockaddr_storage address;
    socklen_t address_len;
};

// Take ws://host[:port][/path] or wss://… apart; the path is /v1 if none is given.
// Errors: -EINVAL with one sentence in reason.
NODISCARD int target_parse(struct target *t, const char *url, char reason[TARGET_REASON_BYTES]);
// Find the address. Errors: -EHOSTUNREACH with one sentence in reason.
NODISCARD int target_resolve(struct target *t, char reason[TARGET_REASON_BYTES]);
// A socket that is ready to connect: no Nagle delay, and bound to the address of connection
// `number` (sources: NULL or empty, the system chooses). Returns the descriptor. Errors: -errno.
NODISCARD int target_open_socket(const struct target *t, uint32_t number,
                                 const struct source_list *sources);

#endif
