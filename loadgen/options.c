// The command line. Runs once, before any thread.
#include "options.h"

#include <argp.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"
#include "ledger.h"

enum {
    KEY_WARMUP = 256,
    KEY_DRAIN,
    KEY_SETUP_TIMEOUT,
    KEY_SEED,
    KEY_ARRIVAL,
    KEY_DURABLE,
    KEY_ANONYMOUS,
    KEY_SUITE,
    KEY_AUTH,
    KEY_SESSION,
    KEY_PIN,
    KEY_SOURCES,
    KEY_CA,
    KEY_INSECURE,
    KEY_SERVER_PID,
    KEY_PROGRESS,
    KEY_GROUP,
};

static const char doc[] =
    "Load a Sealpost relay with simulated users and tell what it carried, how fast, at what cost, "
    "and whether every envelope arrived.\v"
    "TIME is a number with ms, s or m (seconds without).\n"
    "\n"
    "Examples:\n"
    "  sealpost-load ws://127.0.0.1:8080\n"
    "      100 connections, one envelope in flight each, ten seconds\n"
    "  sealpost-load ws://127.0.0.1:8080 -c 1000 -w 4 --pin 1 --server-pid 4711 -o run.json\n"
    "      closed loop, generator on processor 1, server cost for each envelope\n"
    "  sealpost-load wss://localhost:8443 --ca ca.pem -c 500 -r 20000 --arrival poisson\n"
    "      open loop over TLS, 20,000 envelopes a second in all\n"
    "  sealpost-load ws://127.0.0.1:8080 -m handshake -c 200\n"
    "      handshakes a second (the relay's --bundle-rate must allow it)\n"
    "  sealpost-load ws://127.0.0.1:8080 --suite pqxdh --auth hybrid --session ratchet\n"
    "      post-quantum key agreement and identities, forward secrecy for each message\n"
    "  sealpost-load ws://127.0.0.1:8080 -m idle -c 15000 -d 30 --server-pid 4711\n"
    "      memory for each idle connection\n"
    "  sealpost-load ws://127.0.0.1:8080 -c 500 --group chat,share=4 --group "
    "fan-out,recipients=24\n"
    "      400 users in pairs, and four who send to 24 others each\n"
    "\n"
    "Groups: chat; fan-out (recipients=4); handshake; prekey-drain (prekeys=100); churn "
    "(online=1s, "
    "offline=100ms: means); storm (every=2s); slow-reader (read=100000 bytes a second); offline "
    "(offline=1s, messages=100 in each absence of the closed loop); idle. Each takes share=1, its "
    "weight when the users are split. A fan-out's round, one envelope for each recipient, is one "
    "arrival of --rate and one of --in-flight.\n"
    "\n"
    "Exit codes: 0 pass, 1 internal error, 104 bad options, 105 interrupted, 111 envelopes or "
    "connections were lost or wrong, 112 the generator was the limit, 113 the relay could not be "
    "reached.";

static const struct argp_option option_table[] = {
    {0, 0, 0, 0, "Load:", 1},
    {"mode", 'm', "MODE", 0, "talk (default), handshake or idle", 1},
    {"group", KEY_GROUP, "GROUP", 0,
     "Instead of a mode: BEHAVIOUR[,key=value]..., again for each group (see below)", 1},
    {"connections", 'c', "N", 0, "Users, one connection each; talk and handshake pair them (100)",
     1},
    {"in-flight", 'w', "W", 0, "Closed loop: envelopes in flight for each connection (1)", 1},
    {"rate", 'r', "R", 0, "Open loop: envelopes (fan-out: rounds) a second over all connections",
     1},
    {"arrival", KEY_ARRIVAL, "HOW", 0, "Open loop: constant (default) or poisson", 1},
    {"payload", 'p', "BYTES", 0, "Plaintext of an envelope, at least 48 (256)", 1},
    {"durable", KEY_DURABLE, 0, 0, "Durable envelopes, acknowledged by the recipient", 1},
    {"idle-anonymous", KEY_ANONYMOUS, 0, 0, "Idle: upgrade only, no login", 1},
    {"seed", KEY_SEED, "N", 0, "Of schedule and payload filler; keys are always random (1)", 1},
    {0, 0, 0, 0, "Cryptography:", 2},
    {"suite", KEY_SUITE, "SUITE", 0, "Handshakes: x3dh (default) or pqxdh (with ML-KEM-768)", 2},
    {"auth", KEY_AUTH, "KIND", 0,
     "Identities: ed25519 (default) or hybrid (with ML-DSA-65, both must verify)", 2},
    {"session", KEY_SESSION, "MODE", 0,
     "Sessions: counter (default) or ratchet (a fresh key for each message)", 2},
    {0, 0, 0, 0, "Time:", 3},
    {"duration", 'd', "TIME", 0, "Measured window (10 s)", 3},
    {"warmup", KEY_WARMUP, "TIME", 0, "Load before the window (1 s)", 3},
    {"drain", KEY_DRAIN, "TIME", 0, "Longest wait for what is still under way (2 s)", 3},
    {"setup-timeout", KEY_SETUP_TIMEOUT, "TIME", 0,
     "Longest time until all users are ready (20 s and 5 ms for each connection, with post-quantum "
     "keys 20 ms)",
     3},
    {0, 0, 0, 0, "Generator:", 4},
    {"threads", 't', "N", 0, "Threads, a ring each (1)", 4},
    {"pin", KEY_PIN, "LIST", 0, "Processors for the threads in turn, like 1 or 2-3,5", 4},
    {"source-addresses", KEY_SOURCES, "N|auto", 0,
     "Loopback targets: connect from 127.0.0.1 … 127.0.0.N (auto: 25,000 connections each)", 4},
    {0, 0, 0, 0, "TLS:", 5},
    {"ca", KEY_CA, "FILE", 0, "Certificates to verify a wss relay with (PEM)", 5},
    {"insecure", KEY_INSECURE, 0, 0, "Do not verify the relay's certificate", 5},
    {0, 0, 0, 0, "Output:", 6},
    {"json", 'o', "FILE", 0, "Write the result as JSON; - is standard output", 6},
    {"server-pid", KEY_SERVER_PID, "PID", 0, "The relay's process: measure its CPU and memory", 6},
    {"progress", KEY_PROGRESS, "TIME", 0, "Interval of progress lines, 0 for none (1 s)", 6},
    {"quiet", 'q', 0, 0, "Only errors", 6},
    {0},
};

struct parse {
    struct options *o;
    char *reason;
    bool has_groups, has_mode, has_in_flight, has_rate, has_arrival, has_payload, has_suite,
        has_session;
};

PRINTF_LIKE(2, 3) static int refuse(struct parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->reason, OPTIONS_REASON_BYTES, format, args);
    va_end(args);
    return EINVAL;
}

static int parse_count(struct parse *p, const char *option, const char *text, uint64_t min,
                       uint64_t max, uint64_t *out)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno || value < min || value > max)
        return refuse(p, "--%s takes a whole number from %llu to %llu, not '%s'", option,
                      (unsigned long long)min, (unsigned long long)max, text);
    *out = value;
    return 0;
}

static int parse_count_32(struct parse *p, const char *option, const char *text, uint32_t min,
                          uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    int err = parse_count(p, option, text, min, max, &value);

    if (!err)
        *out = (uint32_t)value;
    return err;
}

static int parse_time(struct parse *p, const char *option, const char *text, uint64_t *out_ns)
{
    char *end;
    double value, unit_ns;

    errno = 0;
    value = strtod(text, &end);
    if (*end == '\0' || strcmp(end, "s") == 0)
        unit_ns = (double)NS_PER_S;
    else if (strcmp(end, "ms") == 0)
        unit_ns = (double)NS_PER_MS;
    else if (strcmp(end, "m") == 0)
        unit_ns = 60.0 * (double)NS_PER_S;
    else
        unit_ns = 0;
    // A month bounds what the arithmetic on nanoseconds has to hold.
    if (!isdigit((unsigned char)*text) || errno || unit_ns <= 0 ||
        !(value * unit_ns <= 31.0 * 86400 * (double)NS_PER_S))
        return refuse(p, "--%s takes a time like 500ms, 10s or 2m, not '%s'", option, text);
    *out_ns = (uint64_t)(value * unit_ns);
    return 0;
}

static int parse_rate(struct parse *p, const char *text)
{
    char *end;

    p->has_rate = true;
    p->o->rate_per_s = strtod(text, &end);
    if (!isdigit((unsigned char)*text) || *end != '\0' || !(p->o->rate_per_s >= 0.001) ||
        p->o->rate_per_s > 1e8)
        return refuse(p, "--rate takes envelopes a second from 0.001 to 100000000, not '%s'", text);
    return 0;
}

static int parse_word(struct parse *p, const char *option, const char *text,
                      const char *const *words, int count, int *out)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    return refuse(p, "--%s does not know '%s'", option, text);
}

static const char *const mode_names[] = {"talk", "handshake", "idle"};
static const char *const arrival_names[] = {"constant", "poisson"};
static const char *const suite_names[] = {"x3dh", "pqxdh"}; // from SP_SUITE_X3DH on
static const char *const auth_names[] = {"ed25519", "hybrid"};
static const char *const session_names[] = {"counter", "ratchet"};

static int parse_cryptography(struct parse *p, int key, char *arg)
{
    struct options *o = p->o;
    int word = 0, err;

    switch (key) {
    case KEY_SUITE:
        p->has_suite = true;
        err = parse_word(p, "suite", arg, suite_names, COUNT_OF(suite_names), &word);
        o->suite = (enum sp_suite)(word + SP_SUITE_X3DH);
        return err;
    case KEY_AUTH:
        err = parse_word(p, "auth", arg, auth_names, COUNT_OF(auth_names), &word);
        o->is_hybrid = word == 1;
        return err;
    case KEY_SESSION:
        p->has_session = true;
        err = parse_word(p, "session", arg, session_names, COUNT_OF(session_names), &word);
        o->session = (enum sp_session_mode)word;
        return err;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int parse_group(struct parse *p, const char *arg)
{
    struct options *o = p->o;

    if (o->group_count == GROUPS_MAX)
        return refuse(p, "%u groups are the most", GROUPS_MAX);
    static_assert(GROUP_REASON_BYTES <= OPTIONS_REASON_BYTES, "a group's reason fits");
    return group_parse(&o->groups[o->group_count++], arg, p->reason) < 0 ? EINVAL : 0;
}

static int parse_load(struct parse *p, int key, char *arg)
{
    struct options *o = p->o;
    int word = 0, err;

    switch (key) {
    case 'm':
        p->has_mode = true;
        err = parse_word(p, "mode", arg, mode_names, COUNT_OF(mode_names), &word);
        o->mode = (enum options_mode)word;
        return err;
    case 'c':
        return parse_count_32(p, "connections", arg, 1, OPTIONS_CONNECTIONS_MAX, &o->connections);
    case 'w':
        p->has_in_flight = true;
        return parse_count_32(p, "in-flight", arg, 1, OPTIONS_IN_FLIGHT_MAX, &o->in_flight);
    case 'r':
        return parse_rate(p, arg);
    case KEY_ARRIVAL:
        p->has_arrival = true;
        err = parse_word(p, "arrival", arg, arrival_names, COUNT_OF(arrival_names), &word);
        o->arrival = (enum plan_arrival)word;
        return err;
    case 'p':
        p->has_payload = true;
        return parse_count_32(p, "payload", arg, LEDGER_RECORD_BYTES, OPTIONS_PAYLOAD_MAX_BYTES,
                              &o->payload_bytes);
    case KEY_GROUP:
        return parse_group(p, arg);
    case KEY_DURABLE:
        o->durable = true;
        return 0;
    case KEY_ANONYMOUS:
        o->idle_anonymous = true;
        return 0;
    case KEY_SEED:
        return parse_count(p, "seed", arg, 0, UINT64_MAX, &o->seed);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int parse_sources(struct parse *p, char *arg)
{
    p->o->source_addresses_auto = strcmp(arg, "auto") == 0;
    if (p->o->source_addresses_auto)
        return 0;
    return parse_count_32(p, "source-addresses", arg, 1, OPTIONS_SOURCES_MAX,
                          &p->o->source_addresses);
}

static int parse_pin(struct parse *p, char *arg)
{
    int count = cpu_list_parse(arg, p->o->pin);

    if (count < 0)
        return refuse(p, "--pin takes processors like 1 or 2-3,5, not '%s'", arg);
    p->o->pin_count = (uint32_t)count;
    return 0;
}

static int parse_rest(struct parse *p, int key, char *arg)
{
    struct options *o = p->o;
    uint64_t pid = 0;
    int err;

    switch (key) {
    case 'd':
        return parse_time(p, "duration", arg, &o->duration_ns);
    case KEY_WARMUP:
        return parse_time(p, "warmup", arg, &o->warmup_ns);
    case KEY_DRAIN:
        return parse_time(p, "drain", arg, &o->drain_ns);
    case KEY_SETUP_TIMEOUT:
        return parse_time(p, "setup-timeout", arg, &o->setup_timeout_ns);
    case 't':
        return parse_count_32(p, "threads", arg, 1, OPTIONS_THREADS_MAX, &o->threads);
    case KEY_PIN:
        return parse_pin(p, arg);
    case KEY_SOURCES:
        return parse_sources(p, arg);
    case KEY_CA:
        o->ca_file = arg;
        return 0;
    case KEY_INSECURE:
        o->insecure = true;
        return 0;
    case 'o':
        o->json_file = arg;
        return 0;
    case KEY_SERVER_PID:
        err = parse_count(p, "server-pid", arg, 1, INT_MAX, &pid);
        o->server_pid = (pid_t)pid;
        return err;
    case KEY_PROGRESS:
        return parse_time(p, "progress", arg, &o->progress_ns);
    case 'q':
        o->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct parse *p = state->input;
    int err;

    if (key == ARGP_KEY_ARG) {
        if (p->o->url)
            return refuse(p, "one relay at a time: '%s' is too much", arg);
        p->o->url = arg;
        return 0;
    }
    err = parse_load(p, key, arg);
    if (err == ARGP_ERR_UNKNOWN)
        err = parse_cryptography(p, key, arg);
    return err == ARGP_ERR_UNKNOWN ? parse_rest(p, key, arg) : err;
}

// Without groups the mode is one; with them they are the mode.
static int check_groups(struct parse *p)
{
    struct options *o = p->o;
    bool talks = false, shakes_hands = false;

    if (o->group_count == 0) {
        o->groups[0] = (struct group){.behaviour = o->mode == OPTIONS_TALK        ? GROUP_CHAT
                                                   : o->mode == OPTIONS_HANDSHAKE ? GROUP_HANDSHAKE
                                                                                  : GROUP_IDLE,
                                      .share = 1};
        o->group_count = 1;
        return 0;
    }
    if (p->has_mode)
        return refuse(p, "--mode is one behaviour for all and --group several; give one of them");
    for (uint32_t i = 0; i < o->group_count; i++) {
        struct group *g = &o->groups[i];

        talks = talks || group_senders(g, group_unit_users(g)) > 0;
        shakes_hands = shakes_hands || group_is_handshaking(g);
        if (g->behaviour == GROUP_OFFLINE && g->messages > 0 && p->has_rate)
            return refuse(p, "--group offline: messages belongs to the closed loop, not to --rate");
        if (g->behaviour == GROUP_SLOW_READER && o->durable)
            return refuse(p, "--group slow-reader is about transient envelopes: leave out "
                             "--durable");
        if (g->messages == 0)
            g->messages = GROUP_MESSAGES_DEFAULT;
    }
    o->mode = talks ? OPTIONS_TALK : shakes_hands ? OPTIONS_HANDSHAKE : OPTIONS_IDLE;
    return 0;
}

static int check_mode(struct parse *p)
{
    struct options *o = p->o;
    bool talk = o->mode == OPTIONS_TALK;

    if (!talk && p->has_groups && (p->has_in_flight || p->has_rate || p->has_payload || o->durable))
        return refuse(p, "no group sends envelopes: leave out --in-flight, --rate, --payload and "
                         "--durable");
    if (!talk && (p->has_in_flight || p->has_rate || p->has_payload || o->durable))
        return refuse(p, "--in-flight, --rate, --payload and --durable belong to --mode talk");
    if (p->has_in_flight && p->has_rate)
        return refuse(p, "--in-flight is the closed loop, --rate the open one; give one of them");
    if (p->has_arrival && !p->has_rate)
        return refuse(p, "--arrival belongs to --rate");
    if (o->mode == OPTIONS_IDLE && (p->has_suite || p->has_session))
        return refuse(p, "--suite and --session belong to --mode talk and handshake");
    if (o->idle_anonymous && o->is_hybrid)
        return refuse(p, "--auth belongs to users that log in, not to --idle-anonymous");
    if (o->idle_anonymous && o->mode != OPTIONS_IDLE)
        return refuse(p, "--idle-anonymous belongs to --mode idle");
    if (!p->has_groups && o->mode != OPTIONS_IDLE && o->connections % 2 != 0)
        return refuse(p, "users talk in pairs: --connections must be even, not %u", o->connections);
    return group_split(o->groups, o->group_count, o->connections, p->reason) < 0 ? EINVAL : 0;
}

static int check(struct parse *p)
{
    struct options *o = p->o;
    uint32_t units = 0;
    int err;

    if (!o->url)
        return refuse(p, "the relay is missing: give its address like ws://127.0.0.1:8080");
    p->has_groups = o->group_count > 0;
    err = check_groups(p);
    if (!err)
        err = check_mode(p);
    if (err)
        return err;
    for (uint32_t i = 0; i < o->group_count; i++)
        units += group_units(&o->groups[i]);
    if (o->duration_ns == 0)
        return refuse(p, "--duration must be longer than nothing");
    if (o->threads > units)
        return refuse(p, "%u threads are too many for %u connections", o->threads, o->connections);
    if (o->ca_file && o->insecure)
        return refuse(p, "--ca verifies the relay and --insecure does not; give one of them");
    if (o->setup_timeout_ns == 0)
        o->setup_timeout_ns =
            20 * NS_PER_S + o->connections * (options_are_post_quantum(o) ? 20 : 5) * NS_PER_MS;
    if (o->quiet)
        o->progress_ns = 0;
    return 0;
}

int options_parse(struct options *o, int argc, char **argv, char reason[OPTIONS_REASON_BYTES])
{
    static const struct argp argp = {
        option_table, parse_one, "ws://HOST:PORT | wss://HOST:PORT", doc, 0, 0, 0};
    struct parse p = {.o = o, .reason = reason};

    *o = (struct options){
        .mode = OPTIONS_TALK,
        .suite = SP_SUITE_X3DH,
        .session = SP_SESSION_COUNTER,
        .connections = 100,
        .in_flight = 1,
        .payload_bytes = 256,
        .warmup_ns = NS_PER_S,
        .duration_ns = 10 * NS_PER_S,
        .drain_ns = 2 * NS_PER_S,
        .threads = 1,
        .source_addresses_auto = true,
        .seed = 1,
        .progress_ns = NS_PER_S,
    };
    argp_program_version = "sealpost-load " SEALPOST_VERSION;
    argp_err_exit_status = EXIT_CODE_BAD_OPTIONS;
    reason[0] = '\0';
    if (argp_parse(&argp, argc, argv, 0, NULL, &p) != 0) {
        if (reason[0] == '\0')
            refuse(&p, "the options cannot be read");
        return -EINVAL;
    }
    return -check(&p);
}

const char *options_mode_name(enum options_mode mode)
{
    return mode_names[mode];
}

const char *options_arrival_name(enum plan_arrival arrival)
{
    return arrival_names[arrival];
}

const char *options_suite_name(enum sp_suite suite)
{
    return suite_names[suite - SP_SUITE_X3DH];
}

const char *options_auth_name(bool is_hybrid)
{
    return auth_names[is_hybrid];
}

const char *options_session_name(enum sp_session_mode mode)
{
    return session_names[mode];
}
