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
    bool together; // all servers of a pattern at the same time
    unsigned idle_connections;
    const char *json; // NULL: <results>/latest/bench.json
    const char *keep; // NULL: not kept
    const char *results;
    const char *commit;    // NULL: as git describes it
    const char *base;      // together: build folder of a second relay and its load tester, or NULL
    const char *base_json; // where its result goes
    const char *base_commit; // NULL: unknown
    struct bench_place place;
};

struct bench_run {
    struct bench_run_options options;
    struct bench_report report;
    char self[PATH_MAX];
    char relay[PATH_MAX];
    char load[PATH_MAX];
    char base_relay[PATH_MAX];
    char base_load[PATH_MAX];
    struct bench_place base_place;
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

// One server with its client in a phase.
struct bench_lane {
    const struct bench_place *place;
    const char *name; // its files' in place->temp
    struct bench_server server;
    struct bench_command command;
    struct bench_child client;
    char *text; // the client's result, for free()
    size_t len;
};

typedef void bench_extend(struct bench_run *, struct bench_command *, const void *context);

// Append "option value"; both must outlive the command.
void bench_command_add(struct bench_command *c, const char *option, const char *value);

// The steps of a phase; each says what failed. Errors: -errno, -EIO, -EINTR. Start the server;
// start the client, whose command line `extend` completes; let a client that is held begin, once
// all are ready; wait for the client's end and keep its result, stop the server. Lost or damaged
// messages are not an error here: run->delivery_failed is set.
NODISCARD int bench_lane_start(struct bench_lane *lane, const struct bench_server_kind *kind,
                               const struct bench_place *place, const char *name);
NODISCARD int bench_lane_drive(struct bench_run *run, struct bench_lane *lane, bool is_held,
                               bench_extend *extend, const void *context);
NODISCARD int bench_lane_await(struct bench_lane *lane);
NODISCARD int bench_lane_finish(struct bench_run *run, struct bench_lane *lane);
// After an error: end what still runs.
void bench_lane_kill(struct bench_lane *lane);

// One server, started, driven and stopped. Returns 0 and the client's result in *text (caller's to
// free), or -errno.
NODISCARD int bench_run_phase(struct bench_run *run, const struct bench_server_kind *kind,
                              bench_extend *extend, const void *context, char **text, size_t *len);

// All `count` rows of a pattern at the same time, in one window: the servers share their processor,
// the clients theirs, in the kernel's slices of milliseconds. What the machine does meanwhile it
// does to all of them. Adds a sample to each row.
NODISCARD int bench_run_together(struct bench_run *run, struct bench_row *rows, unsigned count,
                                 unsigned round);

// What a client is told of a pattern; the context is its row.
bench_extend bench_run_extend_pattern;
// Read the lane's result into the row's next sample. Errors: -EBADMSG.
NODISCARD int bench_run_take(struct bench_run *run, struct bench_row *row, const char *text,
                             size_t len, unsigned round);

// Parse the command line; ends the program when it is wrong.
void bench_run_parse(int argc, char **argv, struct bench_run_options *out);

#endif
