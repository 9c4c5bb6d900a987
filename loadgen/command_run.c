// sealpost-load run: options, one run, the report, the exit code. Thread: the process's main one.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "command.h"
#include "cpu.h"
#include "options.h"
#include "outputs.h"
#include "page.h"
#include "procstat.h"
#include "report.h"
#include "run.h"
#include "summary.h"
#include "target.h"
#include "tls.h"
#include "web.h"

// Sockets go from the descriptor table into a ring's at once; the table of each ring is bounded by
// the same limit.
static int raise_descriptor_limit(const struct options *o)
{
    struct rlimit limit;
    uint32_t per_thread = (o->connections + o->threads - 1) / o->threads + 1;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    return per_thread <= limit.rlim_cur ? 0 : -EMFILE;
}

static bool check_pins(const struct options *o)
{
    for (uint32_t i = o->pin_count; i-- > 0;) {
        // The last one pinned is the first of the list: the coordinator stays there, away from
        // processors that were not named.
        if (cpu_pin_thread(o->pin[i]) < 0) {
            fprintf(stderr, "sealpost-load: processor %u of --pin is not available\n", o->pin[i]);
            return false;
        }
    }
    return true;
}

static bool check_target(const struct options *o, struct target *t)
{
    char reason[TARGET_REASON_BYTES];

    if (target_parse(t, o->url, reason) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", reason);
        return false;
    }
    if (t->tls && !o->ca_file && !o->insecure) {
        fputs("sealpost-load: wss needs --ca FILE to verify the relay, or --insecure\n", stderr);
        return false;
    }
    if (!t->tls && (o->ca_file || o->insecure)) {
        fputs("sealpost-load: --ca and --insecure belong to wss\n", stderr);
        return false;
    }
    if (strcmp(t->path, "/v1") != 0 && !o->idle_anonymous) {
        fprintf(stderr, "sealpost-load: users log in at /v1, not at %s\n", t->path);
        return false;
    }
    return true;
}

static bool check_server(const struct options *o)
{
    struct procstat stat;
    int err = o->server_pid > 0 ? procstat_read(o->server_pid, &stat) : 0;

    if (err < 0)
        fprintf(stderr, "sealpost-load: process %d of --server-pid cannot be read: %s\n",
                (int)o->server_pid, strerror(-err));
    return err == 0;
}

// A run of an hour must not end with a file that could not be opened at its beginning.
static bool check_record(const struct options *o)
{
    FILE *f = o->record_file ? fopen(o->record_file, "we") : NULL;

    if (o->record_file && !f)
        fprintf(stderr, "sealpost-load: %s of --record: %s\n", o->record_file, strerror(errno));
    if (f)
        fclose(f);
    return f || !o->record_file;
}

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

static bool check_files(const struct options *o)
{
    bool ok = count_stdout(o) <= 1;

    if (!ok)
        fputs("sealpost-load: only one of the files can be standard output (-)\n", stderr);
    return ok;
}

static bool check_options(const struct options *o, struct target *t)
{
    int err;

    if (!check_target(o, t) || !check_server(o) || !check_pins(o) || !check_record(o) ||
        !check_files(o))
        return false;
    err = raise_descriptor_limit(o);
    if (err == -EMFILE)
        fprintf(stderr,
                "sealpost-load: %u connections are more than %u thread%s can hold (ulimit -n); use "
                "more --threads\n",
                o->connections, o->threads, o->threads == 1 ? "" : "s");
    else if (err < 0)
        fprintf(stderr, "sealpost-load: the descriptor limit: %s\n", strerror(-err));
    return err == 0;
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

static bool complain_of(const char *file, int err)
{
    if (err < 0)
        fprintf(stderr, "sealpost-load: %s: %s\n", file, strerror(-err));
    return err == 0;
}

// Files that the options ask for. `line` is the result as JSON, or NULL for want of memory.
static bool write_files(const struct outcome *out, const char *line, int argc, char **argv)
{
    const struct options *o = out->options;
    const char *html = o->report.html_file;
    bool ok = true;

    if (o->json_file)
        ok = complain_of(o->json_file, report_write_json(out, argc, argv, o->json_file));
    if (html)
        ok = complain_of(html, line ? page_write(html, line, NULL) : -ENOMEM) && ok;
    ok = complain_of(o->record_file, out->record_error) && ok;
    return outputs_write(out) && ok;
}

// What goes to standard output leaves no place there for the table.
static FILE *table_stream(const struct outcome *out)
{
    return !out->has_begun || count_stdout(out->options) > 0 ? stderr : stdout;
}

static enum exit_code load(const struct options *o, const struct target *t, int argc, char **argv)
{
    char reason[TLS_REASON_BYTES], *line = NULL;
    struct tls_context *tls = NULL;
    struct ceiling ceiling = {0};
    struct web *web = NULL;
    struct outcome out;
    enum exit_code code = EXIT_CODE_INTERNAL;

    if (t->tls) {
        tls = tls_context_create_client(o->ca_file, reason);
        if (!tls) {
            fprintf(stderr, "sealpost-load: %s\n", reason);
            return EXIT_CODE_BAD_OPTIONS;
        }
    }
    if (o->ceiling_ns > 0)
        ceiling_measure(&ceiling, o);
    if (ceiling.interrupted) {
        fputs("sealpost-load: interrupted while the ceiling was measured\n", stderr);
        code = EXIT_CODE_INTERRUPTED;
        goto cleanup;
    }
    if (!start_web(&web, o, argc, argv)) {
        code = EXIT_CODE_BAD_OPTIONS;
        goto cleanup;
    }
    if (run_load_with_web(&out, o, t, tls, web) < 0) {
        fputs("sealpost-load: out of memory\n", stderr);
        goto cleanup;
    }
    run_set_ceiling(&out, &ceiling);
    code = out.exit_code;
    if (web || o->report.html_file)
        line = report_format_line(&out, argc, argv);
    web_finish(web, line);
    web = NULL;
    if (!out.has_begun || !o->quiet)
        summary_print(&out, table_stream(&out));
    if (!write_files(&out, line, argc, argv))
        code = EXIT_CODE_INTERNAL;
    free(line);
    run_free(&out);

cleanup:
    web_finish(web, NULL);
    tls_context_destroy(tls);
    return code;
}

int command_run(int argc, char **argv)
{
    char reason[OPTIONS_REASON_BYTES], where[TARGET_REASON_BYTES];
    struct options options;
    struct target target;

    if (options_parse(&options, argc, argv, reason) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", reason);
        return EXIT_CODE_BAD_OPTIONS;
    }
    if (!check_options(&options, &target))
        return EXIT_CODE_BAD_OPTIONS;
    if (!command_prepare())
        return EXIT_CODE_INTERNAL;
    if (target_resolve(&target, where) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", where);
        return EXIT_CODE_UNREACHABLE;
    }
    return (int)load(&options, &target, argc, argv);
}
