// The outputs for other tools. Runs on the main thread: options before the run, files after it.
#include "outputs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "option_value.h"
#include "output_file.h"
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

static int fill_csv(const void *out, FILE *to)
{
    output_format_csv(to, out);
    return 0;
}

static int fill_hlog(const void *out, FILE *to)
{
    return output_format_hlog(to, out);
}

static int fill_hgrm(const void *hist, FILE *to)
{
    output_format_hgrm(to, hist);
    return 0;
}

static int fill_prometheus(const void *out, FILE *to)
{
    output_format_prometheus(to, out);
    return 0;
}

static bool write_one_hgrm(const char *dir, const char *name, const struct hist *h)
{
    char path[PATH_MAX];
    int err = -ENAMETOOLONG;

    if (h->total == 0)
        return true;
    if ((size_t)snprintf(path, sizeof path, "%s/%s.hgrm", dir, name) < sizeof path)
        err = output_file_write(path, fill_hgrm, h);
    return output_file_complain(path, err);
}

static bool write_hgrm(const struct outcome *out, const char *dir)
{
    bool ok = output_file_complain(dir, mkdir(dir, 0777) < 0 && errno != EEXIST ? -errno : 0);

#define X(name) ok = ok && write_one_hgrm(dir, #name, &out->tally.name);
    TALLY_HISTOGRAMS(X)
#undef X
    return ok;
}

bool outputs_write(const struct outcome *out)
{
    const struct options_outputs *o = &out->options->outputs;
    const struct {
        const char *file;
        output_file_fill *fill;
    } files[] = {
        {o->csv_file, fill_csv}, {o->hlog_file, fill_hlog}, {o->prometheus_file, fill_prometheus}};
    char reason[OUTPUT_OTLP_REASON_BYTES];
    bool ok = true;

    for (unsigned i = 0; i < COUNT_OF(files); i++) {
        int err = output_file_write(files[i].file, files[i].fill, out);

        ok = output_file_complain(files[i].file, err) && ok;
    }
    if (o->hgrm_dir)
        ok = write_hgrm(out, o->hgrm_dir) && ok;
    if (o->otlp_url && !output_otlp_send(out, o->otlp_url, reason))
        fprintf(stderr, "sealpost-load: --otlp: %s\n", reason);
    return ok;
}
