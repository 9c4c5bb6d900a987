// What the commands that make load ask of the machine and of the options before the first run: the
// relay's address, its certificates, processors, descriptors. Thread: the process's main one.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "command.h"
#include "cpu.h"
#include "output_file.h"
#include "procstat.h"

#define CA_MAX_BYTES MIB

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

bool command_check_target(const struct options *o, struct target *t)
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
    for (uint32_t i = 0; i < o->group_count; i++) {
        if (t->tls || !o->groups[i].resumes)
            continue;
        fprintf(stderr,
                "sealpost-load: --group %s: resume=yes is about TLS sessions, and %s has no TLS; "
                "give a wss address, or leave it out\n",
                group_behaviour_name(o->groups[i].behaviour), o->url);
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
static bool check_files(const struct options *o)
{
    const struct {
        const char *file, *option;
    } files[] = {
        {o->record_file, "record"},     {o->json_file, "json"},
        {o->report.html_file, "html"},  {o->outputs.csv_file, "csv"},
        {o->outputs.hlog_file, "hlog"}, {o->outputs.prometheus_file, "prometheus"},
    };

    for (unsigned i = 0; i < COUNT_OF(files); i++) {
        int err = output_file_check(files[i].file);

        if (err == 0)
            continue;
        fprintf(stderr, "sealpost-load: %s of --%s: %s\n", files[i].file, files[i].option,
                strerror(-err));
        return false;
    }
    return true;
}

static bool check_options(const struct options *o, struct target *t)
{
    int err;

    if (!command_check_target(o, t) || !check_server(o) || !check_pins(o) || !check_files(o))
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

// The CA's text; NULL when it cannot be read.
static char *read_ca(const char *file)
{
    FILE *f = fopen(file, "re");
    char *text = f ? calloc(1, CA_MAX_BYTES + 1) : NULL;
    size_t len = text ? fread(text, 1, CA_MAX_BYTES + 1, f) : 0;

    if (!f || !text || len == 0 || len > CA_MAX_BYTES) {
        fprintf(stderr, "sealpost-load: %s of --ca: %s\n", file,
                !f                   ? strerror(errno)
                : len > CA_MAX_BYTES ? "it is larger than 1 MiB"
                                     : "it is empty");
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    // What is not ASCII is a comment between the certificates, and of any encoding.
    for (char *at = text; at && *at; at++)
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    return text;
}

enum exit_code command_open_agents(const struct options *o, struct target *t, char **ca)
{
    char where[TARGET_REASON_BYTES], reason[TLS_REASON_BYTES];
    struct tls_context *tls;

    *ca = NULL;
    if (!command_check_target(o, t) || !check_server(o) || !check_files(o))
        return EXIT_CODE_BAD_OPTIONS;
    if (!command_prepare())
        return EXIT_CODE_INTERNAL;
    if (target_resolve(t, where) < 0)
        t->loopback = false;
    if (!o->ca_file)
        return EXIT_CODE_PASS;
    tls = tls_context_create_client(o->ca_file, reason);
    if (!tls)
        fprintf(stderr, "sealpost-load: %s\n", reason);
    tls_context_destroy(tls);
    *ca = tls ? read_ca(o->ca_file) : NULL;
    return *ca ? EXIT_CODE_PASS : EXIT_CODE_BAD_OPTIONS;
}

enum exit_code command_open_target(const struct options *o, struct target *t,
                                   struct tls_context **tls)
{
    char reason[TLS_REASON_BYTES], where[TARGET_REASON_BYTES];
    char sources[SOURCE_LIST_REASON_BYTES] = "";

    *tls = NULL;
    if (!check_options(o, t))
        return EXIT_CODE_BAD_OPTIONS;
    if (!command_prepare())
        return EXIT_CODE_INTERNAL;
    if (target_resolve(t, where) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", where);
        return EXIT_CODE_UNREACHABLE;
    }
    if (source_list_check(&o->sources, t->address.ss_family, sources) < 0) {
        fprintf(stderr, "sealpost-load: --source-addresses %s\n", sources);
        return EXIT_CODE_BAD_OPTIONS;
    }
    if (!t->tls)
        return EXIT_CODE_PASS;
    *tls = tls_context_create_client(o->ca_file, reason);
    if (*tls)
        return EXIT_CODE_PASS;
    fprintf(stderr, "sealpost-load: %s\n", reason);
    return EXIT_CODE_BAD_OPTIONS;
}
