// The command line as a whole: the groups of options, and what they say together. Runs once, before
// any thread.
#include "options.h"

#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceiling.h"
#include "exit_code.h"
#include "handshake.h"
#include "option_value.h"
#include "options_agents.h"
#include "options_crypto.h"
#include "options_load.h"
#include "options_process.h"
#include "options_scenario.h"
#include "options_threshold.h"
#include "outputs.h"

// A quarter is for Poisson's more, and for what comes while the mailbox is emptied.
#define DUE_AWAY_MAX (0.75 * HANDSHAKE_SKIPPED_AWAY_MAX)

static const char doc[] =
    "Load a Sealpost relay with simulated users and tell what it carried, how fast, at what cost, "
    "and whether every envelope arrived.\v"
    "TIME is a number with ms, s or m (seconds without).\n"
    "\n"
    "STAGES: each --stage follows the one before; RATE is envelopes a second over all "
    "connections.\n"
    "  hold TIME [at RATE]\n"
    "  ramp TIME [from RATE] to RATE\n"
    "  step NxTIME from RATE by [-]RATE\n"
    "  burst COUNT every TIME for TIME [at RATE]   COUNT at once, on top of RATE\n"
    "  spike TIME to RATE\n"
    "A rate that is not given is where the stage before ended, after a spike where it began. "
    "NAME: in front names a stage in the result. The warm-up has the first stage's first rate.\n"
    "\n"
    "GROUPS: users split by share (default 1), each with a behaviour and what it takes.\n"
    "  chat          pairs, both send\n"
    "  fan-out       one sends the same to recipients=4 others, sealed for each; such a round is "
    "one "
    "arrival of RATE, and one of --in-flight\n"
    "  handshake     pairs, one key agreement after the other\n"
    "  prekey-drain  the same, and prekeys=100 one-time prekeys each are not replaced\n"
    "  churn         pairs that talk, leave after online=1s, come back after offline=100ms "
    "(means)\n"
    "  storm         pairs that talk, lose their connections together, every=2s, and come back\n"
    "  slow-reader   pairs; the recipient reads read=100000 bytes a second\n"
    "  offline       pairs; messages=100 (closed loop) wait for a recipient away for offline=1s\n"
    "  idle          connected, silent\n"
    "  churn, storm and offline take resume=yes, with wss: who comes back resumes the TLS session "
    "there was (default no: a full handshake)\n"
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
    "  sealpost-load ws://127.0.0.1:8080 -T 'response:p(99)<20ms,abort=5s' -T 'lost:count==0'\n"
    "      exit code 99 when an objective is missed, at once if it is the first\n"
    "\n"
    "Exit codes: 0 pass, 1 internal error, 99 an objective was missed, 104 bad options, 105 "
    "interrupted, 111 envelopes or "
    "connections were lost or wrong, 112 the generator was the limit, 113 the relay or an agent "
    "could "
    "not be reached, or an agent was lost.";

static const struct argp_child children[] = {
    {&options_scenario_argp, 0, "Scenario:", 1},
    {&options_load_argp, 0, "Load:", 1},
    {&options_crypto_argp, 0, "Cryptography and TLS:", 2},
    {&options_process_argp, 0, "", 3},
    {&options_agents_argp, 0, "Several processes or machines:", 3},
    {&options_threshold_argp, 0, "Objectives:", 4},
    {&outputs_argp, 0, "", 5},
    {&report_options_argp, 0, "", 6},
    {0}, // a command's own
    {0},
};
#define REPORT (COUNT_OF(children) - 3)
#define OWN (COUNT_OF(children) - 2)

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        for (unsigned i = 0; children[i].argp; i++)
            state->child_inputs[i] = p;
        state->child_inputs[REPORT] = &p->report;
        if (p->own)
            state->child_inputs[OWN] = p->own->input;
        return 0;
    case ARGP_KEY_ARG:
        if (p->o->url)
            return option_refuse(p, "one relay at a time: '%s' is too much", arg);
        p->o->url = arg;
        return 0;
    case ARGP_KEY_ERROR:
        p->next = state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int options_split_users(struct options *o, char reason[OPTIONS_REASON_BYTES])
{
    bool all_idle = true;

    static_assert(GROUP_REASON_BYTES <= OPTIONS_REASON_BYTES, "a group's reason fits");
    for (uint32_t i = 0; i < o->group_count; i++)
        all_idle = all_idle && o->groups[i].behaviour == GROUP_IDLE;
    if (o->mode == OPTIONS_IDLE && !all_idle) {
        o->groups[0] = (struct group){.behaviour = GROUP_IDLE, .share = 1};
        o->group_count = 1;
    }
    return group_split(o->groups, o->group_count, o->connections, reason);
}

// Without groups the mode is one; with them they are the mode.
static int check_groups(struct option_parse *p)
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
        return option_refuse(
            p, "--mode is one behaviour for all and --group several; give one of them");
    for (uint32_t i = 0; i < o->group_count; i++) {
        struct group *g = &o->groups[i];

        talks = talks || group_senders(g, group_unit_users(g)) > 0;
        shakes_hands = shakes_hands || group_is_handshaking(g);
        if (g->behaviour == GROUP_OFFLINE && g->messages > 0 &&
            (p->has_rate || o->stages.count > 0))
            return option_refuse(
                p, "--group offline: messages belongs to the closed loop, not to --rate");
        // Its receiver follows a bounded number of messages that it never gets.
        if (g->behaviour == GROUP_SLOW_READER && o->session == SP_SESSION_RATCHET)
            return option_refuse(p, "--group slow-reader: a ratchet does not survive that many "
                                    "refusals; leave out --session ratchet");
        if (g->behaviour == GROUP_SLOW_READER && o->durable)
            return option_refuse(p, "--group slow-reader is about transient envelopes: leave out "
                                    "--durable");
        if (g->messages == 0)
            g->messages = GROUP_MESSAGES_DEFAULT;
    }
    o->mode = talks ? OPTIONS_TALK : shakes_hands ? OPTIONS_HANDSHAKE : OPTIONS_IDLE;
    return 0;
}

static int check_mode(struct option_parse *p)
{
    struct options *o = p->o;
    bool talk = o->mode == OPTIONS_TALK;

    if (!talk && p->o->has_groups &&
        (p->has_in_flight || p->has_rate || o->stages.count > 0 || p->has_payload || o->durable))
        return option_refuse(p, "no group sends envelopes: leave out --in-flight, --rate, --stage, "
                                "--payload and --durable");
    if (!talk &&
        (p->has_in_flight || p->has_rate || o->stages.count > 0 || p->has_payload || o->durable))
        return option_refuse(
            p, "--in-flight, --rate, --stage, --payload and --durable belong to --mode talk");
    if (p->has_in_flight && p->has_rate)
        return option_refuse(
            p, "--in-flight is the closed loop, --rate the open one; give one of them");
    if (p->has_arrival && !p->has_rate && o->stages.count == 0 && !(p->own && p->own->sets_rate))
        return option_refuse(p, "--arrival belongs to --rate and --stage");
    if (o->mode == OPTIONS_IDLE && (p->has_suite || p->has_session))
        return option_refuse(p, "--suite and --session belong to --mode talk and handshake");
    if (o->idle_anonymous && o->is_hybrid)
        return option_refuse(p, "--auth belongs to users that log in, not to --idle-anonymous");
    if (o->idle_anonymous && o->mode != OPTIONS_IDLE)
        return option_refuse(p, "--idle-anonymous belongs to --mode idle");
    if (!p->o->has_groups && o->mode != OPTIONS_IDLE && o->connections % 2 != 0)
        return option_refuse(p, "users talk in pairs: --connections must be even, not %u",
                             o->connections);
    return options_split_users(o, p->reason) < 0 ? EINVAL : 0;
}

static int check_stages(struct option_parse *p)
{
    struct options *o = p->o;
    double count = 0;

    if (o->stages.count == 0)
        return 0;
    if (p->has_rate || p->has_in_flight)
        return option_refuse(p, "--stage is an open loop of its own; give it, --rate or "
                                "--in-flight");
    if (p->has_duration)
        return option_refuse(p, "stages last as long as they say; --duration belongs to --rate and "
                                "--in-flight");
    for (uint32_t i = 0; i < o->stages.count; i++)
        count += stage_smooth_count(&o->stages.stages[i]) +
                 (double)stage_burst_total(&o->stages.stages[i]);
    if (count < 1)
        return option_refuse(p, "the stages offer no envelope at all");
    o->duration_ns = stage_list_len_ns(&o->stages);
    o->rate_per_s = count * (double)NS_PER_S / (double)o->duration_ns;
    return 0;
}

static double peak_rate(const struct options *o)
{
    double peak = o->stages.count == 0 ? o->rate_per_s : 0;

    for (uint32_t i = 0; i < o->stages.count; i++) {
        const struct stage *s = &o->stages.stages[i];
        double bursts = s->burst_every_ns > 0
                            ? (double)s->burst_count * (double)NS_PER_S / (double)s->burst_every_ns
                            : 0;

        peak = fmax(peak, fmax(s->from_per_s, s->to_per_s) + bursts);
    }
    return peak;
}

// How much a mailbox keeps is the relay's to say, down to nothing; what it refuses in a row is what
// is due in an absence at most, and a ratchet has to follow.
static int check_absences(struct option_parse *p)
{
    const struct options *o = p->o;
    uint32_t senders = 0;

    for (uint32_t i = 0; i < o->group_count; i++)
        senders += group_senders(&o->groups[i], o->groups[i].users);
    for (uint32_t i = 0; i < o->group_count && o->session == SP_SESSION_RATCHET; i++) {
        double away_s = (double)o->groups[i].offline_ns / (double)NS_PER_S, due;

        if (!group_is_offline(&o->groups[i]) || senders == 0)
            continue;
        due = peak_rate(o) / senders * away_s;
        if (due > DUE_AWAY_MAX)
            return option_refuse(
                p,
                "--group offline: %.0f envelopes for each user are due in %g s, and "
                "a ratchet does not survive more than %.0f refusals; give a lower "
                "rate or a shorter offline, or leave out --session ratchet",
                due, away_s, DUE_AWAY_MAX);
    }
    return 0;
}

static int check(struct option_parse *p)
{
    struct options *o = p->o;
    uint32_t units = 0;
    uint32_t sources = o->sources.count > 0 ? o->sources.count : o->source_addresses;
    int err;

    if (o->is_check && p->own)
        return option_refuse(p, "--check tells of one run; this command makes several");
    if (o->is_held && p->own)
        return option_refuse(p, "--hold belongs to single runs");
    if (!o->url && !o->is_check)
        return option_refuse(p, "the relay is missing: give its address like ws://127.0.0.1:8080");
    p->o->has_groups = o->group_count > 0;
    err = check_groups(p);
    if (err == 0)
        err = check_mode(p);
    if (err == 0)
        err = check_stages(p);
    if (err == 0)
        err = check_absences(p);
    if (err)
        return err;
    for (uint32_t i = 0; i < o->group_count; i++)
        units += group_units(&o->groups[i]);
    err = options_agents_check(p);
    if (err)
        return err;
    if (o->duration_ns == 0)
        return option_refuse(p, "--duration must be longer than nothing");
    if (o->threads > units)
        return option_refuse(p, "%u threads are too many for %u connections", o->threads,
                             o->connections);
    if (o->ceiling_ns > 0 && !ceiling_applies(o))
        return option_refuse(p, "--ceiling is of users that stay and send: --mode talk, or groups "
                                "of chat and fan-out");
    if (sources > 0 && o->connections > (uint64_t)sources * SOURCE_LIST_CONNECTIONS_EACH)
        return option_refuse(p,
                             "%u connections are too many for %u address%s of --source-addresses: "
                             "%u each at most",
                             o->connections, sources, sources == 1 ? "" : "es",
                             SOURCE_LIST_CONNECTIONS_EACH);
    if (o->ca_file && o->insecure)
        return option_refuse(p,
                             "--ca verifies the relay and --insecure does not; give one of them");
    if (o->setup_timeout_ns == 0)
        o->setup_timeout_ns =
            20 * NS_PER_S + o->connections * (options_are_post_quantum(o) ? 20 : 5) * NS_PER_MS;
    if (o->quiet)
        o->progress_ns = 0;
    return 0;
}

static void set_defaults(struct options *o)
{
    *o = (struct options){
        .mode = OPTIONS_TALK,
        .suite = SP_SUITE_X3DH,
        .session = SP_SESSION_COUNTER,
        .connections = 100,
        .in_flight = 1,
        .payload_bytes = 256,
        .payload = {.min_bytes = 256, .max_bytes = 256},
        .payload_text = "256",
        .warmup_ns = NS_PER_S,
        .duration_ns = 10 * NS_PER_S,
        .drain_ns = 2 * NS_PER_S,
        .threads = 1,
        .source_addresses_auto = true,
        .seed = 1,
        .progress_ns = NS_PER_S,
    };
}

static int parse_argv(struct option_parse *p, const struct argp *argp, int argc, char **argv)
{
    if (argp_parse(argp, argc, argv, 0, NULL, p) == 0)
        return 0;
    if (p->reason[0] == '\0')
        option_refuse(p, "the options cannot be read");
    return -EINVAL;
}

// The sentence, with the place in the file it is about in front.
static void add_place(char reason[OPTIONS_REASON_BYTES], const char *source, uint32_t line)
{
    char sentence[OPTIONS_REASON_BYTES];

    memcpy(sentence, reason, sizeof sentence);
    if (snprintf(reason, OPTIONS_REASON_BYTES, "%.100s:%u: %s", source, line, sentence) < 0)
        memcpy(reason, sentence, sizeof sentence);
}

// The file's options first, then the command line's.
static int parse_scenario(struct option_parse *p, const struct argp *argp,
                          const struct option_names *names, const struct options_given *given,
                          int argc, char **argv)
{
    struct options_merged merged;
    int err = scenario_load(&p->o->scenario, given->scenario, names, p->reason);

    if (err < 0)
        return -EINVAL;
    if (options_scenario_merge(&merged, p->o->scenario, names, given, argc, argv) < 0) {
        option_refuse(p, "out of memory");
        return -EINVAL;
    }
    err = parse_argv(p, argp, merged.argc, merged.argv);
    if (err < 0 && p->next >= 2 && (uint32_t)p->next <= merged.count + 1)
        add_place(p->reason, p->o->scenario->source, merged.settings[p->next - 2]->line);
    p->o->argv = merged.argv;
    p->o->argc = merged.argc;
    return err;
}

static int parse(struct options *o, const struct options_own *own, bool reads_scenario, int argc,
                 char **argv, char reason[OPTIONS_REASON_BYTES])
{
    struct argp_child all[COUNT_OF(children)];
    const struct argp argp = {
        NULL, parse_one, "ws://HOST:PORT | wss://HOST:PORT", own ? own->doc : doc, all, 0, 0};
    struct option_parse p = {.o = o, .reason = reason, .own = own, .report = {&o->report, reason}};
    struct option_names names;
    struct options_given given;
    int err;

    _Static_assert(REPORT_OPTIONS_REASON_BYTES <= OPTIONS_REASON_BYTES, "a child's reason fits");
    _Static_assert(SCENARIO_REASON_BYTES <= OPTIONS_REASON_BYTES, "the file's reason fits");
    set_defaults(o);
    memcpy(all, children, sizeof all);
    if (own)
        all[OWN] = (struct argp_child){own->argp, 0, own->title, -1};
    argp_program_version = "sealpost-load " SEALPOST_VERSION;
    argp_err_exit_status = EXIT_CODE_BAD_OPTIONS;
    reason[0] = '\0';
    option_names_collect(&names, &argp);
    options_scenario_scan(&given, &names, argc, argv);
    err = given.scenario && reads_scenario ? parse_scenario(&p, &argp, &names, &given, argc, argv)
                                           : parse_argv(&p, &argp, argc, argv);
    if (err == 0)
        err = -check(&p);
    if (err == 0)
        err = o->argv ? -options_agents_check_texts(&p, o->argc, o->argv)
                      : -options_agents_check_texts(&p, argc, argv);
    if (err < 0)
        options_free(o);
    return err;
}

int options_parse(struct options *o, int argc, char **argv, char reason[OPTIONS_REASON_BYTES])
{
    return options_parse_with(o, NULL, argc, argv, reason);
}

int options_parse_with(struct options *o, const struct options_own *own, int argc, char **argv,
                       char reason[OPTIONS_REASON_BYTES])
{
    return parse(o, own, true, argc, argv, reason);
}

int options_parse_again(struct options *o, int argc, char **argv, char reason[OPTIONS_REASON_BYTES])
{
    return parse(o, NULL, false, argc, argv, reason);
}

void options_collect_names(struct option_names *names)
{
    const struct argp argp = {.children = children};

    option_names_collect(names, &argp);
}

void options_free(struct options *o)
{
    scenario_destroy(o->scenario);
    o->scenario = NULL;
    free(o->argv);
    o->argv = NULL;
}
