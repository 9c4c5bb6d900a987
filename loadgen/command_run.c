// sealpost-load run: options, one run, the report, the exit code. Thread: the process's main one.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_processes.h"
#include "command.h"
#include "coordinator.h"
#include "hold.h"
#include "options.h"
#include "output_file.h"
#include "outputs.h"
#include "page.h"
#include "preview.h"
#include "report.h"
#include "run.h"
#include "summary.h"
#include "target.h"
#include "tls.h"
#include "web.h"

// How many of the files are standard output.
static unsigned count_stdout(const struct options *o)
{
    const char *const files[] = {o->json_file, o->report.html_file, o->record_file,
                                 o->outputs.csv_file, o->outputs.hlog_file};
    unsigned count = 0;

    for (unsigned i = 0; i < COUNT_OF(files); i++)
        count += files[i] && strcmp(files[i], "-") == 0;
    return count;
}

static bool start_web(struct web **web, const struct options *o, int argc, char **argv)
{
    char reason[WEB_REASON_BYTES];

    if (web_create(web, &o->report, argc, argv, reason) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", reason);
        return false;
    }
    if (*web)
        fprintf(stderr, "sealpost-load: live at %s\n", web_url(*web));
    return true;
}

// Files that the options ask for. `line` is the result as JSON, or NULL for want of memory.
static bool write_files(const struct outcome *out, const char *line, int argc, char **argv)
{
    const struct options *o = out->options;
    const char *html = o->report.html_file;
    bool ok = true;

    if (o->json_file)
        ok = output_file_complain(o->json_file, report_write_json(out, argc, argv, o->json_file));
    if (html)
        ok = output_file_complain(html, line ? page_write(html, line, NULL) : -ENOMEM) && ok;
    ok = output_file_complain(o->record_file, out->record_error) && ok;
    return outputs_write(out) && ok;
}

// What goes to standard output leaves no place there for the table.
static FILE *table_stream(const struct outcome *out)
{
    return !out->has_begun || count_stdout(out->options) > 0 ? stderr : stdout;
}

// Where the outcome is told.
static enum exit_code tell(struct outcome *out, struct web *web, int argc, char **argv)
{
    const struct options *o = out->options;
    enum exit_code code = out->exit_code;
    char *line = NULL;

    if (web || o->report.html_file)
        line = report_format_line(out, argc, argv);
    web_finish(web, line);
    // First the files: whoever reads the table may hang up (`| head`), which ends us.
    if (!write_files(out, line, argc, argv))
        code = EXIT_CODE_INTERNAL;
    if (!out->has_begun || !o->quiet)
        summary_print(out, table_stream(out));
    free(line);
    run_free(out);
    return code;
}

static enum exit_code load(const struct options *o, const struct target *t, struct tls_context *tls,
                           int argc, char **argv)
{
    struct hold hold;
    const struct run_director held = hold_director(&hold);
    const struct run_part all = {.thread_count = o->threads, .director = o->is_held ? &held : NULL};
    struct ceiling ceiling = {0};
    struct web *web = NULL;
    struct outcome out;

    if (o->ceiling_ns > 0)
        ceiling_measure(&ceiling, o);
    if (ceiling.interrupted) {
        fputs("sealpost-load: interrupted while the ceiling was measured\n", stderr);
        return EXIT_CODE_INTERRUPTED;
    }
    if (!start_web(&web, o, argc, argv))
        return EXIT_CODE_BAD_OPTIONS;
    if (run_load_part(&out, o, &all, t, tls, web) < 0) {
        fputs("sealpost-load: out of memory\n", stderr);
        web_finish(web, NULL);
        return EXIT_CODE_INTERNAL;
    }
    run_set_ceiling(&out, &ceiling);
    return tell(&out, web, argc, argv);
}

static enum exit_code coordinate(const struct options *o, const struct target *t,
                                 const struct coordinator_config *config, int argc, char **argv)
{
    struct web *web = NULL;
    struct outcome out;

    if (!start_web(&web, o, argc, argv))
        return EXIT_CODE_BAD_OPTIONS;
    if (coordinator_run(&out, o, t, config, web) < 0) {
        fputs("sealpost-load: out of memory\n", stderr);
        web_finish(web, NULL);
        return EXIT_CODE_INTERNAL;
    }
    return tell(&out, web, argc, argv);
}

// The run goes over agents: named ones, or processes of our own.
static enum exit_code load_with_agents(const struct options *o, int argc, char **argv)
{
    char token[AGENT_LIST_TOKEN_MAX_BYTES] = "", reason[AGENT_LIST_REASON_BYTES], *ca;
    struct coordinator_config config = {.token = token,
                                        .argv = o->argv ? o->argv : argv,
                                        .argc = (uint32_t)(o->argv ? o->argc : argc)};
    struct agent_processes processes;
    struct target target;
    enum exit_code code;
    int err = 0;

    if (o->token_file && agent_list_read_token(o->token_file, token, reason) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", reason);
        return EXIT_CODE_BAD_OPTIONS;
    }
    code = command_open_agents(o, &target, &ca);
    if (code == EXIT_CODE_PASS && o->processes > 0) {
        err = agent_processes_start(&processes, o->processes);
        config.processes = &processes;
    }
    if (err < 0) {
        fprintf(stderr, "sealpost-load: a process cannot be started: %s\n", strerror(-err));
        code = EXIT_CODE_INTERNAL;
    }
    config.ca = ca ? ca : "";
    if (code == EXIT_CODE_PASS)
        code = coordinate(o, &target, &config, argc, argv);
    if (config.processes && err == 0)
        agent_processes_end(&processes);
    free(ca);
    return code;
}

static enum exit_code run(const struct options *o, int argc, char **argv)
{
    struct target target;
    struct tls_context *tls;
    enum exit_code code;

    if (o->is_check) {
        if (o->url && !command_check_target(o, &target))
            return EXIT_CODE_BAD_OPTIONS;
        preview_print(o, stdout);
        return EXIT_CODE_PASS;
    }
    if (options_agent_count(o) > 0)
        return load_with_agents(o, argc, argv);
    code = command_open_target(o, &target, &tls);
    if (code == EXIT_CODE_PASS)
        code = load(o, &target, tls, argc, argv);
    tls_context_destroy(tls);
    return code;
}

int command_run(int argc, char **argv)
{
    char reason[OPTIONS_REASON_BYTES];
    struct options options;
    enum exit_code code;

    if (options_parse(&options, argc, argv, reason) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", reason);
        return EXIT_CODE_BAD_OPTIONS;
    }
    if (options.is_held && count_stdout(&options) > 0) {
        fputs("sealpost-load: --hold speaks on standard output; write results to a file\n", stderr);
        code = EXIT_CODE_BAD_OPTIONS;
    } else if (count_stdout(&options) > 1) {
        fputs("sealpost-load: only one of the files can be standard output (-)\n", stderr);
        code = EXIT_CODE_BAD_OPTIONS;
    } else
        code = run(&options, argc, argv);
    options_free(&options);
    return (int)code;
}
