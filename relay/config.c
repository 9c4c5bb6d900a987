// Command line options. Every wrong one ends with a sentence that names it and how to mend it.
#include "config.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DESCRIPTORS_RESERVED 64u // listeners, rings, standard streams

const char *argp_program_version = "sealpost-relay 0.1.0";

enum option_key {
    KEY_WORKERS = 'w',
    KEY_LISTEN = 'l',
    KEY_PIN = 'p',
    KEY_CONNECTIONS = 'c',
    KEY_ECHO = 256,
    KEY_CERTIFICATE,
    KEY_KEY,
    KEY_CERTIFICATE_OUT,
    KEY_OUTBOX_BYTES,
    KEY_MAX_USERS,
    KEY_BUNDLE_RATE,
    KEY_MAX_TTL,
    KEY_STORE_MIB,
    KEY_PREKEY_MIB,
    KEY_LOGIN_TIMEOUT,
    KEY_WRITE_TIMEOUT,
    KEY_DRAIN,
    KEY_MIN_WAIT,
    KEY_STATS,
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "Where it listens:", 1},
    {"listen", KEY_LISTEN, "URL", 0,
     "ws://ADDRESS:PORT or wss://ADDRESS:PORT, repeatable; port 0 takes a free one "
     "(default ws://127.0.0.1:8086)",
     0},
    {"tls-certificate", KEY_CERTIFICATE, "FILE", 0,
     "PEM certificate chain for wss (default: a self-signed one for localhost, made at start)", 0},
    {"tls-key", KEY_KEY, "FILE", 0, "PEM private key of the certificate", 0},
    {"tls-certificate-out", KEY_CERTIFICATE_OUT, "FILE", 0,
     "write the certificate in use to FILE, for clients that verify a self-signed one", 0},
    {0, 0, 0, 0, "What it uses:", 2},
    {"workers", KEY_WORKERS, "N", 0, "worker threads (default: one for each processor)", 0},
    {"pin", KEY_PIN, "LIST", 0, "pin the workers to these processors, for instance 0,2 or 0-3", 0},
    {"connections", KEY_CONNECTIONS, "N", 0,
     "most connections of one worker (default: what RLIMIT_NOFILE allows, at most 65536)", 0},
    {"min-wait", KEY_MIN_WAIT, "US", 0,
     "wait at least this long for a batch of completions, 0 … 1000 µs (default 0: latency first)",
     0},
    {0, 0, 0, 0, "Bounds:", 3},
    {"outbox-bytes", KEY_OUTBOX_BYTES, "N", 0,
     "queued for one connection that reads slowly, at least 147456 (default 262144); full: "
     "recipient_busy",
     0},
    {"max-users", KEY_MAX_USERS, "N", 0, "registered names (default 1000000); full: relay_full", 0},
    {"bundle-rate", KEY_BUNDLE_RATE, "N", 0,
     "bundles a second for one connection (default 50, 0: no limit); over it: rate_limited", 0},
    {"max-ttl", KEY_MAX_TTL, "S", 0, "longest time a durable envelope is kept (default 604800)", 0},
    {"store-mib", KEY_STORE_MIB, "N", 0,
     "memory for durable envelopes in MiB (default 512); full: queue_full", 0},
    {"prekey-mib", KEY_PREKEY_MIB, "N", 0,
     "memory for prekeys and ML-DSA-65 keys in MiB (default 1024); full: relay_busy, and for a "
     "hybrid registration relay_full",
     0},
    {"login-timeout", KEY_LOGIN_TIMEOUT, "MS", 0,
     "from the upgrade to the login (default 30000, 0: no bound); over it: close 4408", 0},
    {"write-timeout", KEY_WRITE_TIMEOUT, "MS", 0,
     "a full socket without progress (default 10000); over it: closed", 0},
    {"drain", KEY_DRAIN, "MS", 0, "from SIGTERM to exit at most (default 5000)", 0},
    {0, 0, 0, 0, "Watching it:", 4},
    {"stats", KEY_STATS, "FILE", 0,
     "write all counters to FILE as JSON, each second and at the end (replaced in one step)", 0},
    {"echo", KEY_ECHO, 0, 0, "serve the diagnostic resource /echo", 0},
    {0},
};

// A whole number in [low, high], or the end with a sentence.
static uint32_t number(struct argp_state *state, const char *name, const char *text, uint32_t low,
                       uint32_t high)
{
    char *end;
    unsigned long long v;

    errno = 0;
    v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v < low || v > high)
        argp_failure(state, 2, 0, "--%s takes a whole number from %u to %u, not '%s'", name, low,
                     high, text);
    return (uint32_t)v;
}

static bool parse_address(const char *host, uint16_t port, struct config_listener *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->address;

    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        out->address_len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        out->address_len = sizeof *v6;
        return true;
    }
    return false;
}

static void add_listener(struct argp_state *state, struct config *c, const char *url)
{
    struct config_listener *l = &c->listeners[c->listener_count];
    char host[64];
    const char *at, *colon;
    char *end;
    unsigned long port;

    if (c->listener_count == LIMIT_LISTENERS)
        argp_failure(state, 2, 0, "--listen can be given %u times at most", LIMIT_LISTENERS);
    *l = (struct config_listener){.tls = strncmp(url, "wss://", 6) == 0};
    if (!l->tls && strncmp(url, "ws://", 5) != 0)
        argp_failure(state, 2, 0,
                     "--listen takes ws://ADDRESS:PORT or wss://ADDRESS:PORT, not '%s'", url);
    at = url + (l->tls ? 6 : 5);
    colon = strrchr(at, ':');
    if (!colon || colon == at || (size_t)(colon - at) >= sizeof host)
        argp_failure(state, 2, 0,
                     "--listen '%s' lacks a port; write for instance ws://127.0.0.1:8086", url);
    port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || (*end != '\0' && strcmp(end, "/") != 0) || port > 65535)
        argp_failure(state, 2, 0, "--listen '%s': the port must be 0 to 65535", url);
    memcpy(host, at, (size_t)(colon - at));
    host[colon - at] = '\0';
    if (host[0] == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = '\0';
        memmove(host, host + 1, strlen(host));
    }
    if (!parse_address(host, (uint16_t)port, l))
        argp_failure(state, 2, 0,
                     "--listen '%s': '%s' is not an IP address; write for instance "
                     "127.0.0.1, 0.0.0.0 or [::]",
                     url, host);
    // Listeners share ports among the workers, so the system would deal clients to both at random.
    for (uint32_t i = 0; i < c->listener_count && port != 0; i++)
        if (memcmp(&c->listeners[i].address, &l->address, sizeof l->address) == 0)
            argp_failure(state, 2, 0,
                         "--listen '%s': this address is given twice; choose another port", url);
    c->listener_count++;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct config *c = state->input;
    int count;

    switch (key) {
    case KEY_LISTEN:
        add_listener(state, c, arg);
        break;
    case KEY_CERTIFICATE:
        c->certificate_file = arg;
        break;
    case KEY_KEY:
        c->key_file = arg;
        break;
    case KEY_CERTIFICATE_OUT:
        c->certificate_out = arg;
        break;
    case KEY_WORKERS:
        c->workers = number(state, "workers", arg, 1, LIMIT_WORKERS);
        break;
    case KEY_PIN:
        count = cpu_list_parse(arg, c->pin);
        if (count < 0)
            argp_failure(state, 2, 0, "--pin takes a list like 0,2 or 0-3, not '%s'", arg);
        c->pin_count = (uint32_t)count;
        break;
    case KEY_CONNECTIONS:
        c->connections = number(state, "connections", arg, 1, LIMIT_CONNECTIONS_PER_WORKER);
        break;
    case KEY_MIN_WAIT:
        c->min_wait_us = number(state, "min-wait", arg, 0, 1000);
        break;
    case KEY_OUTBOX_BYTES:
        c->outbox_bytes = number(state, "outbox-bytes", arg, LIMIT_OUTBOX_MIN_BYTES, 64 * MIB);
        break;
    case KEY_MAX_USERS:
        c->max_users = number(state, "max-users", arg, 1, LIMIT_USERS);
        break;
    case KEY_BUNDLE_RATE:
        c->bundle_rate_per_s = number(state, "bundle-rate", arg, 0, 1000000);
        break;
    case KEY_MAX_TTL:
        c->max_ttl_s = number(state, "max-ttl", arg, 1, 366 * 24 * 3600);
        break;
    case KEY_STORE_MIB:
        c->store_bytes = (uint64_t)number(state, "store-mib", arg, 1, 1024 * 1024) * MIB;
        break;
    case KEY_PREKEY_MIB:
        c->prekey_bytes = (uint64_t)number(state, "prekey-mib", arg, 1, 1024 * 1024) * MIB;
        break;
    case KEY_LOGIN_TIMEOUT:
        c->login_timeout_ms = number(state, "login-timeout", arg, 0, 24 * 3600 * 1000);
        break;
    case KEY_WRITE_TIMEOUT:
        c->write_timeout_ms = number(state, "write-timeout", arg, 100, 3600 * 1000);
        break;
    case KEY_DRAIN:
        c->drain_ms = number(state, "drain", arg, 0, 3600 * 1000);
        break;
    case KEY_STATS:
        c->stats_file = arg;
        break;
    case KEY_ECHO:
        c->echo = true;
        break;
    case ARGP_KEY_ARG:
        argp_failure(state, 2, 0, "'%s' is not an option; see --help", arg);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static uint32_t default_connections(void)
{
    struct rlimit files;
    rlim_t room = 1024;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        room = files.rlim_cur;
    room = room > 2 * DESCRIPTORS_RESERVED ? room - DESCRIPTORS_RESERVED : DESCRIPTORS_RESERVED;
    return room < LIMIT_CONNECTIONS_PER_WORKER ? (uint32_t)room : LIMIT_CONNECTIONS_PER_WORKER;
}

void config_parse(struct config *c, int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Relay for sealed envelopes: WebSocket clients in, end-to-end encrypted envelopes "
               "out. It sees neither plaintexts nor private keys.\v"
               "Each listening address is printed once it is ready. SIGTERM or SIGINT drains and "
               "exits 0. The protocol is in docs/PROTOCOL.md.\n\n"
               "Example:\n  sealpost-relay --listen ws://127.0.0.1:8086 --listen "
               "wss://127.0.0.1:8443 --workers 2 --pin 0,1",
    };

    *c = (struct config){
        .workers = cpu_count_available(),
        .connections = default_connections(),
        .outbox_bytes = LIMIT_OUTBOX_BYTES,
        .max_users = LIMIT_USERS,
        .bundle_rate_per_s = LIMIT_BUNDLE_RATE_PER_S,
        .max_ttl_s = LIMIT_TTL_S,
        .store_bytes = LIMIT_STORE_TOTAL_BYTES,
        .prekey_bytes = LIMIT_PREKEY_TOTAL_BYTES,
        .login_timeout_ms = LIMIT_LOGIN_MS,
        .write_timeout_ms = LIMIT_WRITE_MS,
        .drain_ms = LIMIT_DRAIN_MS,
    };
    if (c->workers > LIMIT_WORKERS)
        c->workers = LIMIT_WORKERS;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, c);
    if (c->listener_count == 0)
        add_listener(NULL, c, "ws://127.0.0.1:8086");
}
