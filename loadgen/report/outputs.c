// The outputs for other tools. Runs on the main thread: options before the run, files after it.
#include "outputs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "option_value.h"
#include "output_format.h"
#include "output_otlp.h"

enum {
    KEY_CSV = OPTION_KEYS_OUTPUTS,
    KEY_HGRM,
    KEY_HLOG,
    KEY_PROMETHEUS,
    KEY_OTLP,
};

static const struct argp_option option_table[] = {
    {0, 0, 0, 0, "Output for other tools:", 1},
    {"csv", KEY_CSV, "FILE", 0, "Intervals as CSV; - is standard output", 1},
    {"hgrm", KEY_HGRM, "DIR", 0,
     "Percentile distributions for HdrHistogram's plotter: DIR/response.hgrm and the others", 1},
    {"hlog", KEY_HLOG, "FILE", 0, "Histograms as HdrHistogram's log", 1},
    {"prometheus", KEY_PROMETHEUS, "FILE", 0,
     "Metrics in Prometheus' text format, replaced in one step (textfile collector)", 1},
    {"otlp", KEY_OTLP, "URL", 0,
     "Send metrics to an OpenTelemetry collector when the run is over, like http://127.0.0.1:4318",
     1},
    {0},
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;
    struct options_outputs *o = &p->o->outputs;

    switch (key) {
    case KEY_CSV:
        o->csv_file = arg;
        return 0;
    case KEY_HGRM:
        o->hgrm_dir = arg;
        return 0;
    case KEY_HLOG:
        o->hlog_file = arg;
        return 0;
    case KEY_PROMETHEUS:
        o->prometheus_file = arg;
        return 0;
    case KEY_OTLP:
        if (strncmp(arg, "http://", 7) != 0 && strncmp(arg, "https://", 8) != 0)
            return option_refuse(p, "--otlp takes http://HOST:PORT or https://HOST:PORT, not '%s'",
                                 arg);
        o->otlp_url = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp outputs_argp = {option_table, parse_one, 0, 0, 0, 0, 0};

static bool complain(const char *file, int err)
{
    fprintf(stderr, "sealpost-load: %s: %s\n", file, strerror(-err));
    return false;
}

// Close what was written; the first thing that went wrong, or 0.
static int close_file(FILE *f, int err)
{
    if (err == 0 && ferror(f))
        err = -EIO;
    if (f == stdout) {
        if (fflush(f) != 0 && err == 0)
            err = -errno;
        return err;
    }
    if (fclose(f) != 0 && err == 0)
        err = -errno;
    return err;
}

static FILE *open_file(const char *file)
{
    return strcmp(file, "-") == 0 ? stdout : fopen(file, "we");
}

static int write_csv(const struct outcome *out, const char *file)
{
    FILE *f = open_file(file);

    if (!f)
        return -errno;
    output_format_csv(f, out);
    return close_file(f, 0);
}

static int write_hlog(const struct outcome *out, const char *file)
{
    FILE *f = open_file(file);

    if (!f)
        return -errno;
    return close_file(f, output_format_hlog(f, out));
}

static int write_one_hgrm(const char *dir, const char *name, const struct hist *h)
{
    char path[PATH_MAX];
    FILE *f;

    if (h->total == 0)
        return 0;
    if ((size_t)snprintf(path, sizeof path, "%s/%s.hgrm", dir, name) >= sizeof path)
        return -ENAMETOOLONG;
    f = fopen(path, "we");
    if (!f)
        return -errno;
    output_format_hgrm(f, h);
    return close_file(f, 0);
}

static int write_hgrm(const struct outcome *out, const char *dir)
{
    int err = mkdir(dir, 0777) < 0 && errno != EEXIST ? -errno : 0;

#define X(name) err = err ? err : write_one_hgrm(dir, #name, &out->tally.name);
    TALLY_HISTOGRAMS(X)
#undef X
    return err;
}

// A scraper never sees half a file.
static int write_prometheus(const struct outcome *out, const char *file)
{
    char path[PATH_MAX];
    FILE *f;
    int err;

    if ((size_t)snprintf(path, sizeof path, "%s.part", file) >= sizeof path)
        return -ENAMETOOLONG;
    f = fopen(path, "we");
    if (!f)
        return -errno;
    output_format_prometheus(f, out);
    err = close_file(f, 0);
    if (err == 0 && rename(path, file) < 0)
        err = -errno;
    if (err < 0)
        remove(path);
    return err;
}

bool outputs_write(const struct outcome *out)
{
    static int (*const writers[])(const struct outcome *, const char *) = {
        write_csv, write_hgrm, write_hlog, write_prometheus};
    const struct options_outputs *o = &out->options->outputs;
    const char *const places[] = {o->csv_file, o->hgrm_dir, o->hlog_file, o->prometheus_file};
    char reason[OUTPUT_OTLP_REASON_BYTES];
    bool ok = true;

    for (unsigned i = 0; i < COUNT_OF(places); i++) {
        int err = places[i] ? writers[i](out, places[i]) : 0;

        ok = (err == 0 || complain(places[i], err)) && ok;
    }
    if (o->otlp_url && !output_otlp_send(out, o->otlp_url, reason))
        fprintf(stderr, "sealpost-load: --otlp: %s\n", reason);
    return ok;
}
