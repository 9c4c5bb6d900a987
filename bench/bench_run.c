// `sealpost-bench run`: every server in every pattern in every round, one at a time, interleaved
// in rotating order; then the report. Each measured phase is two fresh child processes: the server
// on one processor, its client on the other. Main thread only; measures nothing itself.
#include "bench_run.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"

#define PAYLOAD_BYTES 256u
#define SEALED_BYTES 288u // a 256-byte message with session id, counter and tag
#define HANDSHAKE_CONNECTIONS "200"

const struct bench_pattern bench_run_patterns[BENCH_PATTERNS] = {
    {.name = "sparse", .connections = 1000, .in_flight = 1},
    {.name = "pipelined", .connections = 100, .in_flight = 64},
};

void bench_run_extend_pattern(struct bench_run *run, struct bench_command *c, const void *context)
{
    const struct bench_row *row = context;

    (void)run;
    snprintf(c->connections, sizeof c->connections, "%u", row->pattern->connections);
    snprintf(c->in_flight, sizeof c->in_flight, "%u", row->pattern->in_flight);
    snprintf(c->payload, sizeof c->payload, "%u", row->payload_bytes);
    bench_command_add(c, "--connections", c->connections);
    bench_command_add(c, "--in-flight", c->in_flight);
    bench_command_add(c, "--payload", c->payload);
    bench_command_add(c, "--warmup", c->warmup);
    bench_command_add(c, strcmp(c->argv[1], "drive") == 0 ? "--seconds" : "--duration", c->seconds);
}

int bench_run_take(struct bench_run *run, struct bench_row *row, const char *text, size_t len,
                   unsigned round)
{
    struct bench_sample *sample = &row->samples[row->count];
    int err = bench_sample_parse(text, len, sample);

    if (err < 0) {
        fprintf(stderr, "bench: %s: the client's result cannot be read\n", row->server);
        return err;
    }
    row->count++;
    run->delivery_failed |= bench_counts_failed(sample->counts);
    fprintf(stderr,
            "bench: round %u/%u  %-9s  %-9s %-4s %9.0f messages/s  %5.0f ns server time each  "
            "%5.0f ns client time\n",
            round + 1, run->options.rounds, row->pattern->name, row->server,
            row->is_base ? "base" : "", sample->per_s, sample->cpu_ns_per_msg,
            sample->client_cpu_ns_per_msg);
    return 0;
}

static int measure_row(struct bench_run *run, struct bench_row *row,
                       const struct bench_server_kind *kind, unsigned round)
{
    char *text;
    size_t len;
    int err = bench_run_phase(run, kind, bench_run_extend_pattern, row, &text, &len);

    if (err < 0)
        return err;
    err = bench_run_take(run, row, text, len, round);
    free(text);
    return err;
}

// The chosen servers one by one, rotated by one from round to round so that none always follows the
// same.
static int measure_pattern(struct bench_run *run, struct bench_row *rows, unsigned count,
                           unsigned round)
{
    for (unsigned i = 0; i < count; i++) {
        struct bench_row *row = &rows[(i + round) % count];
        size_t kind = 0;
        int err;

        while (strcmp(bench_server_kinds[kind].name, row->server) != 0)
            kind++;
        err = measure_row(run, row, &bench_server_kinds[kind], round);
        if (err < 0)
            return err;
    }
    return 0;
}

// A pattern's rows; how many.
static unsigned add_rows(struct bench_run *run, const struct bench_pattern *pattern)
{
    struct bench_report *report = &run->report;
    unsigned before = report->row_count;

    for (size_t k = 0; k < BENCH_SERVER_KINDS; k++) {
        const struct bench_server_kind *kind = &bench_server_kinds[k];
        bool has_base = run->options.base && kind->scheme;

        for (unsigned base = 0; run->options.servers[k] && base <= has_base; base++)
            report->rows[report->row_count++] =
                (struct bench_row){.pattern = pattern,
                                   .server = kind->name,
                                   .is_base = base == 1,
                                   .payload_bytes = kind->protocol ? SEALED_BYTES : PAYLOAD_BYTES};
    }
    return report->row_count - before;
}

static int measure_all(struct bench_run *run)
{
    struct bench_report *report = &run->report;
    unsigned of_each = 0; // rows of a pattern
    int err = 0;

    for (size_t p = 0; p < BENCH_PATTERNS; p++)
        if (run->options.patterns[p])
            of_each = add_rows(run, &bench_run_patterns[p]);
    for (unsigned round = 0; err == 0 && round < run->options.rounds; round++)
        for (unsigned at = 0; err == 0 && at < report->row_count; at += of_each)
            err = (run->options.together ? bench_run_together
                                         : measure_pattern)(run, report->rows + at, of_each, round);
    return err;
}

static void extend_handshake(struct bench_run *run, struct bench_command *c, const void *context)
{
    (void)run;
    (void)context;
    bench_command_add(c, "--mode", "handshake");
    bench_command_add(c, "--connections", HANDSHAKE_CONNECTIONS);
    bench_command_add(c, "--duration", c->seconds);
}

static void extend_idle(struct bench_run *run, struct bench_command *c, const void *connections)
{
    (void)run;
    snprintf(c->connections, sizeof c->connections, "%u", *(const unsigned *)connections);
    bench_command_add(c, "--mode", "idle");
    bench_command_add(c, "--connections", c->connections);
    bench_command_add(c, "--duration", c->seconds);
}

static int measure_handshakes(struct bench_run *run)
{
    const struct bench_server_kind *kind = &bench_server_kinds[1];
    char *text;
    size_t len;
    int err = bench_run_phase(run, kind, extend_handshake, NULL, &text, &len);

    if (err < 0)
        return err;
    run->report.handshakes_per_s = bench_json_number(text, len, "handshakes.per_s");
    free(text);
    if (isnan(run->report.handshakes_per_s)) {
        fprintf(stderr, "bench: the client's result has no handshakes.per_s\n");
        return -EBADMSG;
    }
    fprintf(stderr, "bench: handshakes  relay-ws  %.0f/s\n", run->report.handshakes_per_s);
    return 0;
}

// Resident bytes of a fresh relay with so many idle connections, and what each added.
static int measure_rss(struct bench_run *run, const struct bench_server_kind *kind,
                       unsigned connections, double *rss_bytes, double *bytes_per_conn)
{
    char *text;
    size_t len;
    int err = bench_run_phase(run, kind, extend_idle, &connections, &text, &len);

    if (err < 0)
        return err;
    *rss_bytes = bench_json_number(text, len, "server.rss_bytes");
    *bytes_per_conn = bench_json_number(text, len, "server.rss_bytes_per_conn");
    free(text);
    if (!isnan(*rss_bytes) && !isnan(*bytes_per_conn))
        return 0;
    fprintf(stderr, "bench: the client's result has no server.rss_bytes\n");
    return -EBADMSG;
}

// What a connection costs above the relay's fixed pools is what the later ones add: by a third of
// them the pools have been touched.
static int measure_idle(struct bench_run *run, const struct bench_server_kind *kind)
{
    struct bench_idle_row *row = &run->report.idle[run->report.idle_count];
    unsigned all = run->options.idle_connections, third = all / 3 + 1;
    double rss_third, rss_all, per_conn;
    int err = measure_rss(run, kind, third, &rss_third, &per_conn);

    if (err == 0)
        err = measure_rss(run, kind, all, &rss_all, &per_conn);
    if (err < 0)
        return err;
    *row =
        (struct bench_idle_row){.server = kind->name,
                                .connections = all,
                                .rss_bytes_per_conn = per_conn,
                                .marginal_bytes_per_conn = (rss_all - rss_third) / (all - third)};
    run->report.idle_count++;
    fprintf(stderr, "bench: idle  %s  %.0f bytes for each connection above the fixed pools\n",
            kind->name, row->marginal_bytes_per_conn);
    return 0;
}

static int measure_relay_extras(struct bench_run *run)
{
    int err = 0;

    for (size_t k = 0; err == 0 && k < BENCH_SERVER_KINDS; k++) {
        const struct bench_server_kind *kind = &bench_server_kinds[k];

        if (!run->options.servers[k] || !kind->scheme)
            continue;
        if (run->options.handshakes && strcmp(kind->scheme, "ws") == 0)
            err = measure_handshakes(run);
        if (err == 0 && run->options.idle)
            err = measure_idle(run, kind);
    }
    return err;
}

// `path` with its last `up` components replaced by `tail`.
static void sibling(const char *path, int up, const char *tail, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s", path);
    for (char *slash; up > 0 && (slash = strrchr(out, '/')) != NULL; up--)
        *slash = '\0';
    strncat(out, tail, PATH_MAX - strlen(out) - 1);
}

static bool has_programs(const struct bench_place *place)
{
    if (access(place->relay, X_OK) == 0 && access(place->load, X_OK) == 0)
        return true;
    fprintf(stderr, "bench: %s and %s are needed; build them or choose --only\n", place->relay,
            place->load);
    return false;
}

static int check_programs(struct bench_run *run)
{
    struct bench_run_options *o = &run->options;

    for (size_t k = 0; k < BENCH_SERVER_KINDS; k++) {
        const struct bench_server_kind *kind = &bench_server_kinds[k];
        char *version = run->report.env.versions[k];

        if (!o->servers[k])
            continue;
        if (kind->peer) {
            bench_server_version(kind, version, sizeof run->report.env.versions[k]);
            if (version[0] == '\0') {
                fprintf(stderr, "bench: %s is not installed; run scripts/setup --peers\n",
                        kind->program);
                return -ENOENT;
            }
        }
        if (kind->scheme &&
            (!has_programs(&o->place) || (o->base && !has_programs(&run->base_place))))
            return -ENOENT;
    }
    return 0;
}

static int prepare(struct bench_run *run, int argc, char **argv)
{
    struct bench_run_options *o = &run->options;
    const char *path = getenv("PATH");
    struct rlimit files;
    char longer[4096];
    ssize_t n = readlink("/proc/self/exe", run->self, sizeof run->self - 1);
    int err = n < 0 ? -errno : bench_child_init();

    if (err < 0)
        return err;
    sibling(run->self, 2, "/relay/sealpost-relay", run->relay);
    sibling(run->self, 2, "/loadgen/sealpost-load", run->load);
    o->place.self = run->self;
    if (!o->place.relay)
        o->place.relay = run->relay;
    if (!o->place.load)
        o->place.load = run->load;
    // Debian keeps mosquitto and nats-server where only root's PATH looks.
    snprintf(longer, sizeof longer, "%s:/usr/sbin:/usr/local/sbin", path ? path : "/usr/bin:/bin");
    setenv("PATH", longer, 1);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; // inherited by every server and client
        setrlimit(RLIMIT_NOFILE, &files);
    }
    strcpy(run->temp, "/tmp/sealpost-bench-XXXXXX");
    if (!mkdtemp(run->temp)) {
        run->temp[0] = '\0';
        return -errno;
    }
    o->place.temp = run->temp;
    run->base_place = o->place;
    if (o->base) {
        snprintf(run->base_relay, sizeof run->base_relay, "%s/relay/sealpost-relay", o->base);
        snprintf(run->base_load, sizeof run->base_load, "%s/loadgen/sealpost-load", o->base);
        run->base_place.relay = run->base_relay;
        run->base_place.load = run->base_load;
        snprintf(run->report.env.pair, sizeof run->report.env.pair, "%d-%lu", (int)getpid(),
                 clock_now_ns());
    }
    bench_report_describe(&run->report.env, run->self, argc, argv);
    if (o->commit)
        snprintf(run->report.env.commit, sizeof run->report.env.commit, "%s", o->commit);
    snprintf(run->report.env.base_commit, sizeof run->report.env.base_commit, "%s",
             o->base_commit ? o->base_commit : "unknown");
    run->report.env.together = o->together;
    run->report.env.seconds = o->seconds;
    run->report.env.warmup_seconds = o->warmup_seconds;
    run->report.env.rounds = o->rounds;
    run->report.env.server_cpu = o->place.server_cpu;
    run->report.env.client_cpu = o->place.client_cpu;
    return check_programs(run);
}

static void make_directories(const char *file)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s", file);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777); // what fails here fails again, with a message, when the file is written
        *slash = '/';
    }
}

static int write_file(const struct bench_report *report, const char *path,
                      int (*write)(const struct bench_report *, const char *))
{
    int err;

    make_directories(path);
    err = write(report, path);
    fprintf(stderr, "bench: %s %s%s%s\n", err < 0 ? "cannot write" : "wrote", path,
            err < 0 ? ": " : "", err < 0 ? strerror(-err) : "");
    return err;
}

static int write_report(struct bench_run *run)
{
    const struct bench_run_options *o = &run->options;
    char path[PATH_MAX];
    int err;

    snprintf(path, sizeof path, "%s/latest/bench.json", o->results);
    err = write_file(&run->report, o->json ? o->json : path, bench_report_write_json);
    if (err == 0 && o->base)
        err = write_file(&run->report, o->base_json, bench_report_write_base_json);
    if (err == 0 && o->keep) {
        snprintf(path, sizeof path, "%s/%.10s-%s/bench.json", o->results, run->report.env.date,
                 o->keep);
        err = write_file(&run->report, path, bench_report_write_json);
        snprintf(path, sizeof path, "%s/%.10s-%s/summary.md", o->results, run->report.env.date,
                 o->keep);
        if (err == 0)
            err = write_file(&run->report, path, bench_report_write_summary);
    }
    return err;
}

// Everything in it is flat files.
static void remove_temp(const struct bench_run *run)
{
    DIR *dir = run->temp[0] != '\0' ? opendir(run->temp) : NULL;

    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        unlinkat(dirfd(dir), entry->d_name, 0); // "." and ".." refuse
    closedir(dir);
    if (rmdir(run->temp) < 0)
        fprintf(stderr, "bench: %s is left behind: %s\n", run->temp, strerror(errno));
}

int bench_run_main(int argc, char **argv)
{
    struct bench_run *run = calloc(1, sizeof *run);
    int err, code = BENCH_EXIT_INTERNAL;

    if (!run)
        return BENCH_EXIT_INTERNAL;
    run->report.handshakes_per_s = NAN;
    bench_run_parse(argc, argv, &run->options);
    err = prepare(run, argc, argv);
    if (err == 0)
        err = measure_all(run);
    if (err == 0)
        err = measure_relay_extras(run);
    if (err == 0) {
        bench_report_print_table(&run->report, stdout);
        fflush(stdout);
        err = write_report(run);
    }
    if (err == -EINTR)
        code = BENCH_EXIT_INTERRUPTED;
    else if (err == 0)
        code = run->delivery_failed ? BENCH_EXIT_DELIVERY : BENCH_EXIT_PASS;
    remove_temp(run);
    free(run);
    return code;
}
