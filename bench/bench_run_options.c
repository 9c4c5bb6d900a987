// The command line of `sealpost-bench run`.
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_address.h"
#include "bench_run.h"
#include "cpu.h"

enum {
    KEY_PEERS = 256,
    KEY_WARMUP,
    KEY_ONLY,
    KEY_PATTERNS,
    KEY_IDLE,
    KEY_IDLE_CONNECTIONS,
    KEY_JSON,
    KEY_KEEP,
    KEY_RESULTS,
    KEY_SERVER_CPU,
    KEY_CLIENT_CPU,
    KEY_RELAY,
    KEY_LOAD,
    KEY_NO_HANDSHAKES,
    KEY_COMMIT,
    KEY_TOGETHER,
    KEY_BASE,
    KEY_BASE_JSON,
    KEY_BASE_COMMIT,
};

static const struct argp_option option_table[] = {
    {"seconds", 's', "S", 0, "measured time of each phase (default 3)", 0},
    {"warmup", KEY_WARMUP, "S", 0, "unmeasured time before it (default 0.7)", 0},
    {"rounds", 'r', "N", 0, "rounds; figures are medians over them (default 3)", 0},
    {"peers", KEY_PEERS, NULL, 0, "also measure nats, redis and mosquitto", 0},
    {"only", KEY_ONLY, "LIST", 0,
     "only these servers, of raw,relay-ws,relay-wss,nats,redis,mosquitto", 0},
    {"patterns", KEY_PATTERNS, "LIST", 0, "only these patterns, of sparse,pipelined", 0},
    {"idle", KEY_IDLE, NULL, 0, "also measure the memory of idle connections", 0},
    {"idle-connections", KEY_IDLE_CONNECTIONS, "N", 0, "how many (default 15000)", 0},
    {"json", KEY_JSON, "FILE", 0, "write the result there (default RESULTS/latest/bench.json)", 0},
    {"keep", KEY_KEEP, "NAME", 0,
     "also keep it as RESULTS/YYYY-MM-DD-NAME/, with a summary for people", 0},
    {"results", KEY_RESULTS, "DIR", 0, "the results directory (default results)", 0},
    {"server-cpu", KEY_SERVER_CPU, "CPU", 0, "processor of the servers (default 0)", 0},
    {"client-cpu", KEY_CLIENT_CPU, "CPU", 0, "processor of the client (default 1)", 0},
    {"relay", KEY_RELAY, "FILE", 0, "sealpost-relay (default: beside this program)", 0},
    {"load", KEY_LOAD, "FILE", 0, "sealpost-load (default: beside this program)", 0},
    {"no-handshakes", KEY_NO_HANDSHAKES, NULL, 0, "do not measure handshakes as well", 0},
    {"commit", KEY_COMMIT, "NAME", 0,
     "what the result says was measured (default: the checkout this program stands in)", 0},
    {"together", KEY_TOGETHER, NULL, 0,
     "all servers of a pattern at the same time: processor time for each message, as steady as "
     "this machine gives it, but no rates and latencies",
     0},
    {"base", KEY_BASE, "DIR", 0,
     "with --together: also the relay and load tester of this build folder", 0},
    {"base-json", KEY_BASE_JSON, "FILE", 0, "write their result there", 0},
    {"base-commit", KEY_BASE_COMMIT, "NAME", 0, "what it says was measured", 0},
    {0},
};

static const char *server_name(size_t i)
{
    return bench_server_kinds[i].name;
}

static const char *pattern_name(size_t i)
{
    return bench_run_patterns[i].name;
}

// "a,b" → which of `count` names are in the list.
static void choose(struct argp_state *state, const char *option, const char *text,
                   const char *(*name_of)(size_t), size_t count, bool *chosen)
{
    char *list = strdupa(text); // the report quotes the command line as it was

    memset(chosen, 0, count * sizeof *chosen);
    for (char *name; (name = strsep(&list, ",")) != NULL;) {
        size_t i = 0;

        while (i < count && strcmp(name, name_of(i)) != 0)
            i++;
        if (i == count) {
            argp_error(state, "%s: there is no '%s'", option, name);
            return;
        }
        chosen[i] = true;
    }
}

static error_t parse_place(int key, char *arg, struct argp_state *state)
{
    struct bench_run_options *o = state->input;

    switch (key) {
    case KEY_JSON:
        o->json = arg;
        return 0;
    case KEY_KEEP:
        if (arg[0] == '\0' || strchr(arg, '/'))
            argp_error(state, "--keep: '%s' cannot be part of a directory's name", arg);
        o->keep = arg;
        return 0;
    case KEY_RESULTS:
        o->results = arg;
        return 0;
    case KEY_SERVER_CPU:
        o->place.server_cpu =
            (int)bench_number_parse(state, "--server-cpu", arg, 0, CPU_LIST_MAX - 1);
        return 0;
    case KEY_CLIENT_CPU:
        o->place.client_cpu =
            (int)bench_number_parse(state, "--client-cpu", arg, 0, CPU_LIST_MAX - 1);
        return 0;
    case KEY_RELAY:
        o->place.relay = arg;
        return 0;
    case KEY_LOAD:
        o->place.load = arg;
        return 0;
    case KEY_COMMIT:
        o->commit = arg;
        return 0;
    case KEY_BASE:
        o->base = arg;
        return 0;
    case KEY_BASE_JSON:
        o->base_json = arg;
        return 0;
    case KEY_BASE_COMMIT:
        o->base_commit = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct bench_run_options *o = state->input;

    switch (key) {
    case 's':
        o->seconds = (double)bench_seconds_parse(state, "--seconds", arg) / (double)NS_PER_S;
        return 0;
    case KEY_WARMUP:
        o->warmup_seconds = (double)bench_seconds_parse(state, "--warmup", arg) / (double)NS_PER_S;
        return 0;
    case 'r':
        o->rounds = (unsigned)bench_number_parse(state, "--rounds", arg, 1, BENCH_ROUNDS_MAX);
        return 0;
    case KEY_PEERS:
        for (size_t i = 0; i < BENCH_SERVER_KINDS; i++)
            o->servers[i] |= bench_server_kinds[i].peer;
        return 0;
    case KEY_ONLY:
        choose(state, "--only", arg, server_name, BENCH_SERVER_KINDS, o->servers);
        return 0;
    case KEY_PATTERNS:
        choose(state, "--patterns", arg, pattern_name, BENCH_PATTERNS, o->patterns);
        return 0;
    case KEY_NO_HANDSHAKES:
        o->handshakes = false;
        return 0;
    case KEY_TOGETHER:
        o->together = true;
        return 0;
    case KEY_IDLE:
        o->idle = true;
        return 0;
    case KEY_IDLE_CONNECTIONS:
        o->idle_connections =
            (unsigned)bench_number_parse(state, "--idle-connections", arg, 6, 1000000);
        return 0;
    case ARGP_KEY_END:
        if ((o->base || o->base_json) && !(o->base && o->base_json && o->together))
            argp_error(state, "--base, --base-json and --together go together");
        return 0;
    default:
        return parse_place(key, arg, state);
    }
}

void bench_run_parse(int argc, char **argv, struct bench_run_options *out)
{
    static const struct argp argp = {
        .options = option_table,
        .parser = parse_option,
        .doc = "Measure the relay beside the raw forwarder, the kernel's limit, in two patterns: "
               "sparse (1,000 connections, 1 message in flight) and pipelined (100 connections, 64 "
               "in flight), messages of 256 bytes, closed loop.\vUnless --together, rounds are "
               "interleaved in rotating "
               "order, each server a fresh process on one processor. Exit codes: 0 pass, 1 "
               "something did not start or broke, 104 bad command line, 105 interrupted, 111 "
               "messages lost, duplicate, reordered or misrouted.",
    };

    *out = (struct bench_run_options){
        .seconds = 3,
        .warmup_seconds = 0.7,
        .rounds = 3,
        .patterns = {true, true},
        .handshakes = true,
        .idle_connections = 15000,
        .results = "results",
        .place = {.server_cpu = 0, .client_cpu = 1},
    };
    for (size_t i = 0; i < BENCH_SERVER_KINDS; i++)
        out->servers[i] = !bench_server_kinds[i].peer;
    argp_err_exit_status = BENCH_EXIT_CONFIGURATION;
    argp_parse(&argp, argc, argv, 0, NULL, out);
}
