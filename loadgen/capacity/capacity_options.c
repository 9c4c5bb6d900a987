// The capacity command's options. Run once, before any thread.
#include "capacity_options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slo.h"

_Static_assert(THRESHOLD_REASON_BYTES <= OPTIONS_REASON_BYTES &&
                   SWEEP_REASON_BYTES <= OPTIONS_REASON_BYTES &&
                   PLANNER_REASON_BYTES <= OPTIONS_REASON_BYTES,
               "every reason fits");

// A first rate that fails is halved to a thousandth of it.
#define LOWEST_SHARE 1024

enum {
    KEY_SLO = 1024, // away from the run's
    KEY_START_RATE,
    KEY_MAX_RATE,
    KEY_PRECISION,
    KEY_REPEATS,
    KEY_TRIALS,
    KEY_SWEEP,
    KEY_SERVER_COMMAND,
    KEY_PLAN,
};

static const char doc[] =
    "Find what a relay carries: the highest rate that holds an objective, throughput over "
    "connections or workers with the Universal Scalability Law fitted, and how many relays that "
    "makes for so many users.\v"
    "The search doubles the rate until it fails, narrows, and repeats at the rate found. A trial "
    "passes when the objective is met, the relay took 99 % of what was due, 80 % of the target and "
    "90 % of the best came through, and nothing was lost, wrong or refused. A rate at which the "
    "generator was the limit, or did not send 1 % itself, says nothing about the relay. Trials are "
    "open loop, Poisson, 3 s (--duration) after 0.5 s (--warmup); the "
    "window grows to four times that while narrowing, and for percentiles that need more samples.\n"
    "\n"
    "Examples:\n"
    "  sealpost-load capacity ws://127.0.0.1:8080 --slo 'p99<20ms' -c 200 --server-pid 4711\n"
    "  sealpost-load capacity ws://127.0.0.1:8080 --sweep connections=2,10,50,250,1000\n"
    "  sealpost-load capacity ws://127.0.0.1:8080 --sweep workers=1,2,3,4 \\\n"
    "      --server-command 'sealpost-relay --listen {url} --workers {}'\n"
    "  sealpost-load capacity ws://127.0.0.1:8080 --slo 'p99<20ms' --server-pid 4711 \\\n"
    "      --plan users=1e6,messages=40,peak=10,cores=4,memory=8GiB -o capacity.json\n"
    "\n"
    "Exit codes: 0 a rate was found, 1 internal error, 99 no rate held the objective, 104 bad "
    "options, 105 interrupted, 112 the generator was the limit at every rate, 113 the relay could "
    "not be reached.";

static const struct argp_option option_table[] = {
    {"slo", KEY_SLO, "TEXT", 0,
     "Objective to hold: p99<20ms, p99.9<50ms, or a whole threshold text; all of several", 0},
    {"start-rate", KEY_START_RATE, "R", 0, "The search's first rate, envelopes a second (1000)", 0},
    {"max-rate", KEY_MAX_RATE, "R", 0, "No higher rate is tried", 0},
    {"precision", KEY_PRECISION, "P", 0, "How close the search comes, like 2% or 0.02 (2%)", 0},
    {"repeats", KEY_REPEATS, "N", 0, "Trials that must pass at the rate found (3)", 0},
    {"trials", KEY_TRIALS, "N", 0, "No more trials than these (60)", 0},
    {"sweep", KEY_SWEEP, "WHAT=LIST", 0,
     "Closed loop at each: connections=10,100,1000, or workers=1,2,4 with --server-command", 0},
    {"server-command", KEY_SERVER_COMMAND, "COMMAND", 0,
     "Start the relay for each point of the sweep (and for the search, with the first): {url} is "
     "the relay's address, {} the number of workers; the shell (/bin/sh -c) runs it",
     0},
    {"plan", KEY_PLAN, "LIST", 0,
     "users=N,messages=N (a day, each user's),peak=FACTOR[,online=1][,headroom=0.6][,cores=1]"
     "[,memory=16GiB][,descriptors=1048576][,nic=10Gbit][,payload=BYTES][,cpu_ns=N][,rss_bytes=N]",
     0},
    {0},
};

// What is known while the options are read; the parser's input.
struct parse {
    struct capacity_options *c;
    char *reason;
};

PRINTF_LIKE(2, 3) static int refuse(struct parse *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->reason, OPTIONS_REASON_BYTES, format, args);
    va_end(args);
    return EINVAL;
}

static int parse_real(struct parse *p, const char *option, const char *text, double min, double max,
                      double *out)
{
    char *end;

    *out = strtod(text, &end);
    if (*end == '%' && strcmp(option, "precision") == 0) {
        *out /= 100;
        end++;
    }
    if (isdigit((unsigned char)*text) && *end == '\0' && *out >= min && *out <= max)
        return 0;
    return refuse(p, "--%s takes a number from %g to %.9g, not '%s'", option, min, max, text);
}

static int parse_count(struct parse *p, const char *option, const char *text, uint32_t max,
                       uint32_t *out)
{
    double value = 0;
    int err = parse_real(p, option, text, 1, max, &value);

    *out = (uint32_t)value;
    if (!err && (double)*out != value)
        return refuse(p, "--%s takes a whole number, not '%s'", option, text);
    return err;
}

static void preset(struct capacity_options *c)
{
    c->run.duration_ns = 3 * NS_PER_S;
    c->run.warmup_ns = NS_PER_S / 2;
    c->run.arrival = PLAN_POISSON;
    c->search = (struct search_config){
        .first_per_s = 1000, .max_per_s = 1e8, .precision = 0.02, .repeats = 3, .trials_max = 60};
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct parse *p = state->input;
    struct capacity_options *c = p->c;

    switch (key) {
    case ARGP_KEY_INIT:
        preset(c);
        return 0;
    case KEY_SLO:
        c->has_search = true;
        return slo_add(&c->run.thresholds, arg, p->reason) < 0 ? EINVAL : 0;
    case KEY_START_RATE:
        return parse_real(p, "start-rate", arg, 1, 1e8, &c->search.first_per_s);
    case KEY_MAX_RATE:
        return parse_real(p, "max-rate", arg, 1, 1e8, &c->search.max_per_s);
    case KEY_PRECISION:
        return parse_real(p, "precision", arg, 0.001, 0.5, &c->search.precision);
    case KEY_REPEATS:
        return parse_count(p, "repeats", arg, 20, &c->search.repeats);
    case KEY_TRIALS:
        return parse_count(p, "trials", arg, SEARCH_TRIALS_MAX, &c->search.trials_max);
    case KEY_SWEEP:
        return sweep_parse(&c->sweep, arg, p->reason) < 0 ? EINVAL : 0;
    case KEY_SERVER_COMMAND:
        c->server_command = arg;
        return 0;
    case KEY_PLAN:
        c->has_plan = true;
        return planner_parse(&c->plan, arg, p->reason) < 0 ? EINVAL : 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int check_search(struct parse *p)
{
    struct search_config *search = &p->c->search;

    if (search->max_per_s < search->first_per_s)
        return refuse(p, "--start-rate %g is above --max-rate %g", search->first_per_s,
                      search->max_per_s);
    search->min_per_s = fmax(search->first_per_s / LOWEST_SHARE,
                             trial_lowest_rate(slo_samples_needed(&p->c->run.thresholds)));
    if (p->c->has_search && search->min_per_s > search->first_per_s)
        return refuse(p,
                      "the objective's percentiles need %llu samples, too many for %llu s at "
                      "--start-rate %g: give at least %.0f",
                      (unsigned long long)slo_samples_needed(&p->c->run.thresholds),
                      (unsigned long long)(TRIAL_WINDOW_MAX_NS / NS_PER_S), search->first_per_s,
                      ceil(search->min_per_s));
    return 0;
}

static bool has_outputs_of_a_run(const struct options *o)
{
    const struct options_outputs *out = &o->outputs;

    return o->is_check || o->record_file || o->ceiling_ns > 0 || o->report.has_web ||
           out->csv_file || out->hgrm_dir || out->hlog_file || out->prometheus_file ||
           out->otlp_url;
}

static int check(struct parse *p)
{
    const struct capacity_options *c = p->c;
    bool workers = c->sweep.count > 0 && c->sweep.over == SWEEP_WORKERS;

    if (has_outputs_of_a_run(&c->run))
        return refuse(p,
                      "--check, --record, --ceiling, --web and the outputs for other tools belong "
                      "to a run; capacity writes --json and --html");
    if (c->run.mode != OPTIONS_TALK)
        return refuse(p, "capacity is measured in --mode talk");
    if (c->run.rate_per_s > 0)
        return refuse(p, "the rate is what capacity looks for: leave --rate and --stage out; "
                         "--start-rate and --max-rate bound the search");
    if (!c->has_search && c->sweep.count == 0 && !(c->has_plan && c->plan.cpu_ns > 0))
        return refuse(p, "nothing to find: give an objective like --slo 'p99<20ms', a --sweep, or "
                         "a --plan with cpu_ns=");
    if (workers && !c->server_command)
        return refuse(p, "--sweep workers needs --server-command, which starts the relay for each "
                         "point");
    if (c->server_command && c->run.server_pid > 0)
        return refuse(p, "the relay of --server-command is ours: leave --server-pid out");
    if (c->server_command && !workers && strstr(c->server_command, "{}"))
        return refuse(p, "{} of --server-command stands for the workers of --sweep workers=…");
    return check_search(p);
}

int capacity_options_parse(struct capacity_options *c, int argc, char **argv,
                           char reason[OPTIONS_REASON_BYTES])
{
    static const struct argp argp = {.options = option_table, .parser = parse_one};
    struct parse p = {.c = c, .reason = reason};
    struct options_own own = {
        .argp = &argp, .input = &p, .title = "Capacity:", .doc = doc, .sets_rate = true};
    int err;

    *c = (struct capacity_options){.has_plan = false};
    err = options_parse_with(&c->run, &own, argc, argv, reason);
    if (err < 0)
        return err;
    if (c->has_plan && c->plan.payload_bytes == 0)
        c->plan.payload_bytes = c->run.payload_bytes;
    err = check(&p);
    if (err)
        options_free(&c->run);
    return -err;
}
