// The servers a run compares: how each is started at its best, on one processor, and stopped.
// Thread: main only.
#ifndef SEALPOST_BENCH_SERVER_H
#define SEALPOST_BENCH_SERVER_H

#include <limits.h>
#include <stdbool.h>

#include "bench_child.h"

struct bench_server_kind {
    const char *name;
    const char *program;  // NULL: one of ours
    const char *protocol; // of `sealpost-bench drive`; NULL: sealpost-load drives it
    const char *scheme;   // of a relay's listener
    bool peer;            // foreign: measured only when asked for
};

#define BENCH_SERVER_KINDS 6
extern const struct bench_server_kind bench_server_kinds[BENCH_SERVER_KINDS];

// Where things are and shall run.
struct bench_place {
    const char *self;  // this program
    const char *relay; // sealpost-relay
    const char *load;  // sealpost-load
    const char *temp;  // directory for what lives as long as the run
    int server_cpu;
    int client_cpu;
};

struct bench_server {
    const struct bench_server_kind *kind;
    struct bench_child child;
    char target[128];   // ADDRESS:PORT, or the URL of a relay
    char ca[PATH_MAX];  // certificate to trust, "" if none
    char log[PATH_MAX]; // what it had to say
};

// Start and wait until it listens; its files are called `name`. Errors: -EPIPE (it ended),
// -ETIMEDOUT, -EINTR, -errno.
NODISCARD int bench_server_start(struct bench_server *s, const struct bench_server_kind *kind,
                                 const struct bench_place *place, const char *name);
// Stop it. Errors: -EIO (it ended on its own or not with 0), as bench_child_stop.
NODISCARD int bench_server_stop(struct bench_server *s);

// The server's own words on its version, "" for ours and for one that is not installed.
void bench_server_version(const struct bench_server_kind *kind, char *out, size_t cap);

#endif
