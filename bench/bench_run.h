// What the parts of `sealpost-bench run` share: its options and one measured phase.
#ifndef SEALPOST_BENCH_RUN_H
#define SEALPOST_BENCH_RUN_H

#include "bench_report.h"

#define BENCH_PATTERNS 2
extern const struct bench_pattern bench_run_patterns[BENCH_PATTERNS];

struct bench_run_options {
    double seconds;
    double warmup_seconds;
    unsigned rounds;
    bool servers[BENCH_SERVER_KINDS];
    bool patterns[BENCH_PATTERNS];
    bool handshakes;
    bool idle;
    unsigned idle_connections;
    const char *json; // NULL: <results>/latest/bench.json
    const char *keep; // NULL: not kept
    const char *results;
    const char *commit; // NULL: as git describes it
    struct bench_place place;
};

struct bench_run {
    struct bench_run_options options;
    struct bench_report report;
    char self[PATH_MAX];
    char relay[PATH_MAX];
    char load[PATH_MAX];
    char temp[64];
    bool delivery_failed;
};

// A client's command line, with room for what the phase adds.
struct bench_command {
    const char *argv[32];
    unsigned count;
    char connections[16], in_flight[16], payload[16], seconds[32], warmup[32], cpu[16], pid[16];
    char json[PATH_MAX];
    char log[PATH_MAX];
};

// Append "option value"; both must outlive the command.
void bench_command_add(struct bench_command *c, const char *option, const char *value);

// One server, started, driven by a client whose command line `extend` completes, and stopped.
// Returns 0 and the client's result in *text (caller's to free), or -errno after saying what
// failed. Lost or damaged messages are not an error here: run->delivery_failed is set.
NODISCARD int bench_run_phase(struct bench_run *run, const struct bench_server_kind *kind,
                              void (*extend)(struct bench_run *, struct bench_command *,
                                             const void *),
                              const void *context, char **text, size_t *len);

// Parse the command line; ends the program when it is wrong.
void bench_run_parse(int argc, char **argv, struct bench_run_options *out);

#endif
