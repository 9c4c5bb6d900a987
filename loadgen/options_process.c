// Options of the run as a process. Runs once, before any thread.
#include "options_process.h"

#include <limits.h>
#include <string.h>

#include "option_value.h"

#define CEILING_DEFAULT_NS (1500 * NS_PER_MS)

enum {
    KEY_WARMUP = OPTION_KEYS_PROCESS,
    KEY_DRAIN,
    KEY_SETUP_TIMEOUT,
    KEY_HOLD,
    KEY_CEILING,
    KEY_PIN,
    KEY_SOURCES,
    KEY_SERVER_PID,
    KEY_PROGRESS,
    KEY_RECORD,
};

static const struct argp_option option_table[] = {
    {0, 0, 0, 0, "Time:", 1},
    {"duration", 'd', "TIME", 0, "Measured window (10 s)", 1},
    {"warmup", KEY_WARMUP, "TIME", 0, "Load before the window (1 s)", 1},
    {"drain", KEY_DRAIN, "TIME", 0, "Longest wait for what is still under way (2 s)", 1},
    {"setup-timeout", KEY_SETUP_TIMEOUT, "TIME", 0,
     "Longest time until all users are ready (20 s and 5 ms for each connection, with post-quantum "
     "keys 20 ms)",
     1},
    {"hold", KEY_HOLD, 0, 0,
     "Say 'ready' on standard output when all users are, and begin when standard input has a line "
     "or ends",
     1},
    {0, 0, 0, 0, "Generator:", 2},
    {"threads", 't', "N", 0, "Threads, a ring each (1)", 2},
    {"pin", KEY_PIN, "LIST", 0, "Processors for the threads in turn, like 1 or 2-3,5", 2},
    {"ceiling", KEY_CEILING, "TIME", OPTION_ARG_OPTIONAL,
     "First measure what the generator reaches against an in-process sink, for TIME (1500ms)", 2},
    {"source-addresses", KEY_SOURCES, "SOURCES", 0,
     "Connect from these addresses of this machine in turn, 25,000 connections each at "
     "most: a list or a network like 127.1.0.0/24; for a relay on loopback also N "
     "(127.0.0.1 … 127.0.0.N) or auto (the default: as many as it takes)",
     2},
    {0, 0, 0, 0, "Output:", 3},
    {"json", 'o', "FILE", 0, "Write the result as JSON; - is standard output", 3},
    {"record", KEY_RECORD, "FILE", 0,
     "Write sender, intended and actual time, and size of each envelope sent (a million at most) "
     "as CSV; - is standard output",
     3},
    {"server-pid", KEY_SERVER_PID, "PID", 0, "The relay's process: measure its CPU and memory", 3},
    {"progress", KEY_PROGRESS, "TIME", 0, "Interval of progress lines, 0 for none (1 s)", 3},
    {"quiet", 'q', 0, 0, "Only errors", 3},
    {0},
};

static int parse_sources(struct option_parse *p, char *arg)
{
    struct options *o = p->o;
    char reason[SOURCE_LIST_REASON_BYTES];

    o->source_addresses = 0;
    o->sources.count = 0;
    o->source_addresses_auto = strcmp(arg, "auto") == 0;
    if (o->source_addresses_auto)
        return 0;
    if (arg[strspn(arg, "0123456789")] == '\0')
        return option_parse_count_32(p, "source-addresses", arg, 1, SOURCE_LIST_MAX,
                                     &o->source_addresses);
    if (source_list_parse(&o->sources, arg, reason) < 0)
        return option_refuse(p, "--source-addresses %s", reason);
    return 0;
}

static int parse_ceiling(struct option_parse *p, char *arg)
{
    int err = 0;

    p->o->ceiling_ns = CEILING_DEFAULT_NS;
    if (arg)
        err = option_parse_time(p, "ceiling", arg, &p->o->ceiling_ns);
    if (!err && p->o->ceiling_ns == 0)
        err = option_refuse(p, "--ceiling must be longer than nothing");
    return err;
}

static int parse_pin(struct option_parse *p, char *arg)
{
    int count = cpu_list_parse(arg, p->o->pin);

    if (count < 0)
        return option_refuse(p, "--pin takes processors like 1 or 2-3,5, not '%s'", arg);
    p->o->pin_count = (uint32_t)count;
    return 0;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;
    struct options *o = p->o;
    uint64_t pid = 0;
    int err;

    switch (key) {
    case 'd':
        p->has_duration = true;
        return option_parse_time(p, "duration", arg, &o->duration_ns);
    case KEY_WARMUP:
        return option_parse_time(p, "warmup", arg, &o->warmup_ns);
    case KEY_DRAIN:
        return option_parse_time(p, "drain", arg, &o->drain_ns);
    case KEY_SETUP_TIMEOUT:
        return option_parse_time(p, "setup-timeout", arg, &o->setup_timeout_ns);
    case KEY_HOLD:
        o->is_held = true;
        return 0;
    case KEY_CEILING:
        return parse_ceiling(p, arg);
    case 't':
        return option_parse_count_32(p, "threads", arg, 1, OPTIONS_THREADS_MAX, &o->threads);
    case KEY_PIN:
        return parse_pin(p, arg);
    case KEY_SOURCES:
        return parse_sources(p, arg);
    case 'o':
        o->json_file = arg;
        return 0;
    case KEY_RECORD:
        o->record_file = arg;
        return 0;
    case KEY_SERVER_PID:
        err = option_parse_count(p, "server-pid", arg, 1, INT_MAX, &pid);
        o->server_pid = (pid_t)pid;
        return err;
    case KEY_PROGRESS:
        return option_parse_time(p, "progress", arg, &o->progress_ns);
    case 'q':
        o->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_process_argp = {option_table, parse_one, 0, 0, 0, 0, 0};
