// What the operator chose: options, checked.
#ifndef SEALPOST_CONFIG_H
#define SEALPOST_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "limits.h"
#include "units.h"

struct config_listener {
    struct sockaddr_storage address;
    socklen_t address_len;
    bool tls;
};

struct config {
    struct config_listener listeners[LIMIT_LISTENERS];
    uint32_t listener_count;
    uint32_t workers;
    unsigned pin[CPU_LIST_MAX]; // worker i runs on pin[i % pin_count]
    uint32_t pin_count;         // 0: not pinned
    uint32_t connections;       // for each worker
    uint32_t outbox_bytes;
    uint32_t max_users;
    uint32_t bundle_rate_per_s;
    uint32_t max_ttl_s;
    uint64_t store_bytes;
    uint64_t prekey_bytes;
    uint32_t login_timeout_ms; // 0: no bound
    uint32_t write_timeout_ms;
    uint32_t drain_ms;
    uint32_t min_wait_us;
    bool echo;
    const char *certificate_file, *key_file, *certificate_out;
    const char *stats_file;
};

// Fill from the command line. Prints help or one sentence of error and exits by itself: 0 after
// --help and --version, 2 for a bad option.
void config_parse(struct config *c, int argc, char **argv);

#endif
