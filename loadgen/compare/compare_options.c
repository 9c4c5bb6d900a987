// The command lines of `sealpost-load compare` and `sealpost-load export`. Runs once, at the start.
#include "compare_options.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exit_code.h"

enum {
    KEY_BASE = 256,
    KEY_NEW,
    KEY_NOISE,
    KEY_MIN_EFFECT,
    KEY_METRICS,
    KEY_GATE,
    KEY_ALPHA,
    KEY_REPEATS,
    KEY_SEED,
    KEY_MARKDOWN,
    KEY_JUNIT,
    KEY_RERUN,
    KEY_BENCHER,
    KEY_GO,
    KEY_CSV,
    KEY_BASELINE,
};

static const char compare_doc[] =
    "Compare results of two builds: what changed, by how much, and whether it counts.\v"
    "BASE, NEW and RESULT are files of sealpost-load --json or sealpost-bench run --json: one "
    "result, several in an array or in a row (JSON lines), or a folder of such files. Results of "
    "one pattern are repeats.\n"
    "\n"
    "A metric is worse or better when the ranks of both sides differ (Mann-Whitney, p < 0.01) and "
    "the medians differ by more than the minimum effect and the noise floor. It is unclear when "
    "the repeats are too few or their bootstrap interval is wider than that effect.\n"
    "\n"
    "METRIC is throughput, handshakes, response_p50, response_p99, response_p99_9, handshake_p50, "
    "handshake_p99, server_cpu, server_cpu_handshake, generator_cpu, bytes_per_conn, "
    "ratio_to_raw, cpu_ratio_to_raw or generator_ratio_to_raw.\n"
    "\n"
    "The shell (/bin/sh -c) runs the command of --rerun; it finds the patterns to measure again in "
    "SEALPOST_RERUN_PATTERNS and "
    "leaves results in the folders SEALPOST_RERUN_BASE and SEALPOST_RERUN_NEW. What is not worse "
    "there as well is unclear.\n"
    "\n"
    "Examples:\n"
    "  sealpost-load compare base.json new.json\n"
    "  sealpost-load compare runs/main runs/branch --noise runs/same --markdown table.md\n"
    "  sealpost-load compare a.json b.json --json - | jq '.rows[] | select(.verdict == "
    "\"worse\")'\n"
    "  sealpost-load compare a.json b.json --gate server_cpu --min-effect server_cpu=10\n"
    "\n"
    "Exit codes: 0 no regression, 1 error (also of the command line), 2 no baseline, 3 regression "
    "or delivery faults, 4 too noisy to tell. "
    "What cannot be compared (1) leaves no files; with the others --json tells the code as well.";

static const struct argp_option compare_table[] = {
    {"base", KEY_BASE, "FILE", 0, "Further results of the base", 1},
    {"new", KEY_NEW, "FILE", 0, "Further new results", 1},
    {"noise", KEY_NOISE, "FILE", 0,
     "Runs of one and the same build, at least three: what they differ by is the noise floor", 1},
    {"metrics", KEY_METRICS, "METRIC,…", 0, "Compare only these", 2},
    {"gate", KEY_GATE, "METRIC,…", 0, "Only these decide the exit code (all)", 2},
    {"min-effect", KEY_MIN_EFFECT, "[METRIC=]PCT", 0, "Smallest change that counts (5)", 2},
    {"repeats", KEY_REPEATS, "N", 0, "Fewest repeats on each side (5)", 2},
    {"alpha", KEY_ALPHA, "P", 0, "Level of the rank test (0.01)", 2},
    {"seed", KEY_SEED, "N", 0, "Of the bootstrap (1)", 2},
    {"rerun", KEY_RERUN, "COMMAND", 0, "Measure a suspected regression again", 2},
    {"json", 'o', "FILE", 0,
     "All figures for machines (schema sealpost.compare/1); - is standard output", 3},
    {"markdown", KEY_MARKDOWN, "FILE", 0, "Table for a pull request; - is standard output", 3},
    {"junit", KEY_JUNIT, "FILE", 0, "Test cases for CI; - is standard output", 3},
    {"quiet", 'q', 0, 0, "No table on standard output", 3},
    {0},
};

static const char export_doc[] =
    "Write results in the formats of other tools.\v"
    "RESULT is read as by sealpost-load compare. FILE may be - for standard output.\n"
    "\n"
    "Examples:\n"
    "  sealpost-load export run.json --bencher metrics.json --junit tests.xml\n"
    "  sealpost-load export runs/main --go main.txt    (benchstat main.txt branch.txt)\n"
    "\n"
    "Exit codes: 0 written, 1 a result cannot be read or a file not written, 104 bad command line.";

static const struct argp_option export_table[] = {
    {"bencher", KEY_BENCHER, "FILE", 0, "Bencher's metric format", 1},
    {"go", KEY_GO, "FILE", 0, "Go benchmark lines, for benchstat", 1},
    {"junit", KEY_JUNIT, "FILE", 0, "Test cases: delivery, generator, thresholds", 1},
    {"csv", KEY_CSV, "FILE", 0, "A line for each result", 1},
    {"baseline", KEY_BASELINE, "FILE", 0,
     "Ratios to raw and processor time for each message, to compare later runs with", 1},
    {0},
};

static void add_path(struct argp_state *state, struct compare_paths *to, const char *path)
{
    if (to->count == COMPARE_PATHS_MAX)
        argp_error(state, "more than %u files; name their folder", COMPARE_PATHS_MAX);
    else
        to->paths[to->count++] = path;
}

static double parse_number(struct argp_state *state, const char *option, const char *text,
                           double low, double high)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= low && value <= high))
        argp_error(state, "%s takes a number from %g to %g, not '%s'", option, low, high, text);
    return value;
}

static enum metric parse_metric(struct argp_state *state, const char *option, const char *name)
{
    enum metric metric = metric_find(name);

    if (metric == METRIC_COUNT)
        argp_error(state, "%s: there is no metric '%s'; there are %s", option, name,
                   metric_list_names());
    return metric;
}

static void parse_metrics(struct argp_state *state, const char *option, const char *text,
                          bool chosen[METRIC_COUNT])
{
    char *list = strdupa(text);

    memset(chosen, 0, METRIC_COUNT * sizeof *chosen);
    for (char *name; (name = strsep(&list, ",")) != NULL;)
        chosen[parse_metric(state, option, name)] = true;
}

static void parse_effect(struct argp_state *state, const char *text, double effect[METRIC_COUNT])
{
    const char *equals = strchr(text, '=');
    double value = parse_number(state, "--min-effect", equals ? equals + 1 : text, 0, 1000) / 100;

    if (equals) {
        effect[parse_metric(state, "--min-effect", strndupa(text, (size_t)(equals - text)))] =
            value;
        return;
    }
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        effect[i] = value;
}

static void refuse_two_to_stdout(struct argp_state *state, const char *const *files, unsigned count)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < count; i++)
        taken += files[i] && strcmp(files[i], "-") == 0;
    if (taken > 1)
        argp_error(state, "only one of the files can be standard output (-)");
}

static error_t parse_judgement(int key, char *arg, struct argp_state *state)
{
    struct comparison_options *o = &((struct compare_options *)state->input)->comparison;

    switch (key) {
    case KEY_METRICS:
        parse_metrics(state, "--metrics", arg, o->is_shown);
        return 0;
    case KEY_GATE:
        parse_metrics(state, "--gate", arg, o->is_gate);
        return 0;
    case KEY_MIN_EFFECT:
        parse_effect(state, arg, o->effect);
        return 0;
    case KEY_ALPHA:
        o->alpha = parse_number(state, "--alpha", arg, 1e-6, 0.5);
        return 0;
    case KEY_REPEATS:
        o->repeats_min = (unsigned)parse_number(state, "--repeats", arg, 1, 1000);
        return 0;
    case KEY_SEED:
        o->seed = (uint64_t)parse_number(state, "--seed", arg, 0, 9e15);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_compare(int key, char *arg, struct argp_state *state)
{
    struct compare_options *o = state->input;

    switch (key) {
    case KEY_BASE:
        add_path(state, &o->base, arg);
        return 0;
    case KEY_NEW:
        add_path(state, &o->new, arg);
        return 0;
    case KEY_NOISE:
        add_path(state, &o->noise, arg);
        return 0;
    case 'o':
        o->json_file = arg;
        return 0;
    case KEY_MARKDOWN:
        o->markdown_file = arg;
        return 0;
    case KEY_JUNIT:
        o->junit_file = arg;
        return 0;
    case KEY_RERUN:
        o->rerun = arg;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "'%s' is a third file; --base and --new add to the two sides", arg);
        add_path(state, state->arg_num == 0 ? &o->base : &o->new, arg);
        return 0;
    case ARGP_KEY_END:
        if (o->base.count == 0 || o->new.count == 0)
            argp_error(state, "BASE and NEW are needed");
        refuse_two_to_stdout(state, (const char *[]){o->json_file, o->markdown_file, o->junit_file},
                             3);
        return 0;
    default:
        return parse_judgement(key, arg, state);
    }
}

void compare_options_parse(struct compare_options *o, int argc, char **argv)
{
    static const struct argp argp = {
        .options = compare_table,
        .parser = parse_compare,
        .args_doc = "BASE NEW",
        .doc = compare_doc,
    };

    *o = (struct compare_options){0};
    comparison_options_init(&o->comparison);
    argp_err_exit_status = COMPARISON_EXIT_ERROR;
    argp_parse(&argp, argc, argv, 0, NULL, o);
}

static error_t parse_export(int key, char *arg, struct argp_state *state)
{
    struct export_options *o = state->input;

    switch (key) {
    case KEY_BENCHER:
        o->bencher_file = arg;
        return 0;
    case KEY_GO:
        o->go_file = arg;
        return 0;
    case KEY_JUNIT:
        o->junit_file = arg;
        return 0;
    case KEY_CSV:
        o->csv_file = arg;
        return 0;
    case KEY_BASELINE:
        o->baseline_file = arg;
        return 0;
    case ARGP_KEY_ARG:
        add_path(state, &o->results, arg);
        return 0;
    case ARGP_KEY_END:
        if (o->results.count == 0)
            argp_error(state, "at least one RESULT is needed");
        if (!o->bencher_file && !o->go_file && !o->junit_file && !o->csv_file && !o->baseline_file)
            argp_error(state,
                       "nothing to write: give --bencher, --go, --junit, --csv or --baseline");
        refuse_two_to_stdout(state,
                             (const char *[]){o->bencher_file, o->go_file, o->junit_file,
                                              o->csv_file, o->baseline_file},
                             5);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void export_options_parse(struct export_options *o, int argc, char **argv)
{
    static const struct argp argp = {
        .options = export_table,
        .parser = parse_export,
        .args_doc = "RESULT…",
        .doc = export_doc,
    };

    *o = (struct export_options){0};
    argp_err_exit_status = EXIT_CODE_BAD_OPTIONS;
    argp_parse(&argp, argc, argv, 0, NULL, o);
}
