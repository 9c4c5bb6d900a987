// sealpost-load run: options, one run, the report, the exit code. Thread: the process's main one.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "preview.h"
#include "report.h"
#include "run.h"
#include "summary.h"
#include "target.h"
#include "tls.h"

static enum exit_code load(const struct options *o, const struct target *t, struct tls_context *tls,
                           int argc, char **argv)
{
    struct ceiling ceiling = {0};
    struct outcome out;
    enum exit_code code;
    int err;

    if (o->ceiling_ns > 0)
        ceiling_measure(&ceiling, o);
    if (ceiling.interrupted) {
        fputs("sealpost-load: interrupted while the ceiling was measured\n", stderr);
        return EXIT_CODE_INTERRUPTED;
    }
    if (run_load(&out, o, t, tls) < 0) {
        fputs("sealpost-load: out of memory\n", stderr);
        return EXIT_CODE_INTERNAL;
    }
    run_set_ceiling(&out, &ceiling);
    code = out.exit_code;
    if (!out.has_begun || !o->quiet)
        summary_print(&out, !out.has_begun || (o->json_file && strcmp(o->json_file, "-") == 0)
                                ? stderr
                                : stdout);
    err = o->json_file ? report_write_json(&out, argc, argv, o->json_file) : 0;
    if (err < 0) {
        fprintf(stderr, "sealpost-load: %s: %s\n", o->json_file, strerror(-err));
        code = EXIT_CODE_INTERNAL;
    }
    if (out.record_error < 0) {
        fprintf(stderr, "sealpost-load: %s: %s\n", o->record_file, strerror(-out.record_error));
        code = EXIT_CODE_INTERNAL;
    }
    run_free(&out);
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
    code = run(&options, argc, argv);
    options_free(&options);
    return (int)code;
}
