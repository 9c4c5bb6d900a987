// sealpost-load capacity: trials one after the other, as the search or the sweep asks for them, and
// what they come to. Thread: the process's main one.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capacity_options.h"
#include "capacity_report.h"
#include "command.h"
#include "output_file.h"
#include "page.h"
#include "server_process.h"
#include "slo.h"

// Enough for the relay to have touched its fixed pools before what more connections cost is
// measured.
#define IDLE_CONNECTIONS_MIN 3000u

struct capacity {
    const struct capacity_options *options;
    struct capacity_findings *findings;
    struct trial_setting setting;
    struct server_process server;
    FILE *live; // where lines go while it runs; NULL: quiet
};

static enum exit_code start_server(struct capacity *c, uint32_t value)
{
    char command[SERVER_PROCESS_COMMAND_BYTES], reason[SERVER_PROCESS_REASON_BYTES];
    int err;

    if (!c->options->server_command)
        return EXIT_CODE_PASS;
    err = server_process_format(command, c->options->server_command, c->options->run.url, value,
                                reason);
    if (err == 0)
        err = server_process_start(&c->server, command, c->setting.target, reason);
    c->setting.server_pid = c->server.pid;
    if (err == 0)
        return EXIT_CODE_PASS;
    fprintf(stderr, "sealpost-load: %s\n", reason);
    return err == -EINTR    ? EXIT_CODE_INTERRUPTED
           : err == -EINVAL ? EXIT_CODE_BAD_OPTIONS
                            : EXIT_CODE_UNREACHABLE;
}

// Why the command must end with this trial; EXIT_CODE_PASS if it need not.
static enum exit_code judge_trial(const struct trial *t)
{
    if (t->is_interrupted)
        return EXIT_CODE_INTERRUPTED;
    if (t->failure != EXIT_CODE_PASS)
        fprintf(stderr, "sealpost-load: %s\n", t->reason);
    return t->failure;
}

// What an idle connection costs the relay: what it has more of with three times as many, so that
// what it needs anyway is not in it.
static enum exit_code measure_idle(struct capacity *c)
{
    struct capacity_findings *f = c->findings;
    uint32_t few = c->options->run.connections, many;
    struct trial first, second;
    enum exit_code code;

    if (!c->options->has_plan || c->options->plan.rss_bytes > 0 || c->setting.server_pid == 0)
        return EXIT_CODE_PASS;
    if (few < IDLE_CONNECTIONS_MIN)
        few = IDLE_CONNECTIONS_MIN;
    many = 3 * few < OPTIONS_CONNECTIONS_MAX ? 3 * few : OPTIONS_CONNECTIONS_MAX;
    trial_run_idle(&c->setting, few, &first);
    code = judge_trial(&first);
    if (code != EXIT_CODE_PASS)
        return code;
    trial_run_idle(&c->setting, many, &second);
    code = judge_trial(&second);
    if (code != EXIT_CODE_PASS)
        return code;
    if (first.has_server && second.has_server && second.rss_bytes > first.rss_bytes) {
        f->has_idle = true;
        f->rss_bytes_per_conn = (second.rss_bytes - first.rss_bytes) / (many - few);
    }
    if (c->live && f->has_idle)
        fprintf(c->live, "idle           %.0f B resident for each connection, %u to %u\n",
                f->rss_bytes_per_conn, few, many);
    else if (c->live)
        fputs("idle           what a connection costs could not be measured: more of them made no "
              "difference, or could not be opened\n",
              c->live);
    return EXIT_CODE_PASS;
}

static enum exit_code exit_code_of_answer(const struct capacity_findings *f)
{
    if (f->answer.bound != SEARCH_BY_NOTHING)
        return EXIT_CODE_PASS;
    return f->answer.failed_per_s > 0 ? EXIT_CODE_THRESHOLD : EXIT_CODE_LIMITED;
}

static enum exit_code search(struct capacity *c)
{
    struct capacity_findings *f = c->findings;
    uint64_t samples = slo_samples_needed(&c->options->run.thresholds);
    enum exit_code code = EXIT_CODE_PASS;
    double rate_per_s, window_scale;

    search_init(&f->search, &c->options->search);
    if (c->live)
        capacity_report_print_head(c->live, "trial");
    while (code == EXIT_CODE_PASS && search_next(&f->search, &rate_per_s, &window_scale)) {
        uint32_t index = f->search.trial_count;
        struct trial *t = &f->trials[index];
        struct search_outcome outcome;
        enum search_verdict verdict;

        trial_run_rate(&c->setting, rate_per_s, window_scale, samples, t);
        code = judge_trial(t);
        if (code != EXIT_CODE_PASS)
            break;
        outcome = (struct search_outcome){.offered_per_s = t->offered_per_s,
                                          .achieved_per_s = t->achieved_per_s,
                                          .is_met = t->is_met,
                                          .is_faulty = t->is_faulty,
                                          .is_limited = t->level == VERDICT_LIMITED,
                                          .is_not_offered = t->is_not_offered,
                                          .is_not_taken = t->is_not_taken};
        verdict = search_tell(&f->search, &outcome);
        if (c->live)
            capacity_report_print_trial(c->live, t, f->search.trials[index].phase, verdict);
    }
    search_answer(&f->search, &f->answer);
    return code == EXIT_CODE_PASS ? exit_code_of_answer(f) : code;
}

static enum exit_code sweep(struct capacity *c)
{
    struct sweep *s = &c->findings->sweep;
    enum exit_code code = EXIT_CODE_PASS;
    bool workers = s->range.over == SWEEP_WORKERS;

    if (c->live)
        capacity_report_print_head(c->live, workers ? "workers" : "users");
    for (uint32_t i = 0; i < s->range.count && code == EXIT_CODE_PASS; i++) {
        struct trial t;

        code = start_server(c, s->range.sizes[i]);
        if (code != EXIT_CODE_PASS)
            break;
        trial_run_closed(&c->setting, workers ? c->options->run.connections : s->range.sizes[i],
                         &t);
        server_process_stop(&c->server);
        code = judge_trial(&t);
        if (code != EXIT_CODE_PASS)
            break;
        sweep_add(s, &t);
        if (c->live)
            capacity_report_print_point(c->live, s->range.sizes[i], &t);
    }
    sweep_fit(s);
    return code;
}

// What an envelope costs: at the rate found, or at the sweep's best point.
static double cpu_ns_per_envelope(const struct capacity_findings *f)
{
    double sum = 0, best_per_s = 0, cpu_ns = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < f->search.trial_count; i++) {
        if (f->search.trials[i].rate_per_s == f->answer.rate_per_s && f->trials[i].has_server) {
            sum += f->trials[i].cpu_ns_per_msg;
            count++;
        }
    }
    if (count > 0)
        return sum / count;
    for (uint32_t i = 0; i < f->sweep.point_count; i++) {
        const struct trial *t = &f->sweep.points[i];

        if (t->has_server && t->achieved_per_s > best_per_s) {
            best_per_s = t->achieved_per_s;
            cpu_ns = t->cpu_ns_per_msg;
        }
    }
    return cpu_ns;
}

static void plan(struct capacity *c)
{
    struct capacity_findings *f = c->findings;
    struct planner_cost cost = {.cpu_ns_per_envelope = cpu_ns_per_envelope(f),
                                .rate_per_s = f->answer.achieved_per_s,
                                .tls = c->setting.target->tls};

    if (!c->options->has_plan)
        return;
    if (f->has_idle)
        cost.rss_bytes_per_connection = f->rss_bytes_per_conn;
    planner_answer(&f->plan, &c->options->plan, &cost);
    f->has_plan = true;
}

// The search and what a connection costs, on one relay; then the sweep. The first that fails ends
// the rest.
static enum exit_code measure(struct capacity *c)
{
    enum exit_code code = EXIT_CODE_PASS;
    const struct sweep_range *range = &c->findings->sweep.range;

    if (c->options->has_search || (c->options->has_plan && c->options->server_command)) {
        code = start_server(c, range->count > 0 ? range->sizes[0] : 0);
        if (code == EXIT_CODE_PASS)
            code = measure_idle(c);
        if (code == EXIT_CODE_PASS && c->options->has_search)
            code = search(c);
        server_process_stop(&c->server);
    } else {
        code = measure_idle(c);
    }
    if (range->count > 0 &&
        (code == EXIT_CODE_PASS || code == EXIT_CODE_THRESHOLD || code == EXIT_CODE_LIMITED)) {
        enum exit_code swept = sweep(c);

        code = swept != EXIT_CODE_PASS ? swept : code;
    }
    plan(c);
    return code;
}

static enum exit_code report(const struct capacity *c, int argc, char **argv)
{
    const char *file = c->options->run.json_file, *html = c->options->run.report.html_file;
    char *text = NULL, *line = NULL;
    bool ok = true;

    if (c->live)
        capacity_report_print(c->live, c->findings);
    if (file) {
        text = capacity_report_format_json(c->findings, true, argc, argv);
        ok = output_file_complain(file, output_file_write_text(file, text));
    }
    if (html) {
        line = capacity_report_format_json(c->findings, false, argc, argv);
        ok = output_file_complain(html, line ? page_write(html, NULL, line) : -ENOMEM) && ok;
    }
    free(text);
    free(line);
    return ok ? c->findings->exit_code : EXIT_CODE_INTERNAL;
}

static bool is_standard_output(const char *file)
{
    return file && strcmp(file, "-") == 0;
}

int command_capacity(int argc, char **argv)
{
    static struct capacity_options options; // large
    char reason[OPTIONS_REASON_BYTES];
    struct capacity c = {.options = &options};
    struct target target;
    enum exit_code code;

    if (capacity_options_parse(&options, argc, argv, reason) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", reason);
        return EXIT_CODE_BAD_OPTIONS;
    }
    if (is_standard_output(options.run.json_file) &&
        is_standard_output(options.run.report.html_file)) {
        fputs("sealpost-load: only one of the files can be standard output (-)\n", stderr);
        code = EXIT_CODE_BAD_OPTIONS;
        goto cleanup;
    }
    code = command_open_target(&options.run, &target, &c.setting.tls);
    if (code != EXIT_CODE_PASS)
        goto cleanup;
    c.findings = calloc(1, sizeof *c.findings);
    if (!c.findings) {
        fputs("sealpost-load: out of memory\n", stderr);
        code = EXIT_CODE_INTERNAL;
        goto cleanup;
    }
    c.findings->options = &options;
    c.findings->started = time(NULL);
    c.findings->is_colocated = target.loopback;
    c.findings->sweep.range = options.sweep;
    c.setting.options = &options.run;
    c.setting.target = &target;
    c.setting.server_pid = options.run.server_pid;
    if (!options.run.quiet)
        c.live = is_standard_output(options.run.json_file) ||
                         is_standard_output(options.run.report.html_file)
                     ? stderr
                     : stdout;
    c.findings->exit_code = measure(&c);
    code = report(&c, argc, argv);

cleanup:
    tls_context_destroy(c.setting.tls);
    free(c.findings);
    options_free(&options.run);
    return (int)code;
}
