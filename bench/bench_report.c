// The report of a side-by-side run. Main thread, after the measuring.
#include "bench_report.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <yyjson.h>

#include "bench_child.h"
#include "cpu.h"

#define RAW_EXTRA_BYTES 32u // session id 8, counter 8, tag 16: what sealing adds to a message

void bench_report_describe(struct bench_report_env *env, const char *self, int argc, char **argv)
{
    char directory[PATH_MAX];
    const char *git[] = {"git",      "-C",      directory,     "describe",
                         "--always", "--dirty", "--abbrev=12", NULL};
    struct utsname uts;
    time_t now = time(NULL);
    struct tm utc;
    size_t len = 0;
    char *slash;

    cpu_model_name(env->cpu, sizeof env->cpu);
    cpu_model_id(env->cpu_id, sizeof env->cpu_id);
    env->cores = cpu_count_available();
    uname(&uts);
    snprintf(env->kernel, sizeof env->kernel, "%s %s", uts.sysname, uts.release);
    gmtime_r(&now, &utc);
    strftime(env->date, sizeof env->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(directory, sizeof directory, "%s", self);
    slash = strrchr(directory, '/');
    if (slash)
        *slash = '\0';
    if (bench_child_capture(git, env->commit, sizeof env->commit) < 0 || env->commit[0] == '\0')
        strcpy(env->commit, "unknown");
    for (int i = 0; i < argc && len < sizeof env->command; i++)
        len += (size_t)snprintf(env->command + len, sizeof env->command - len, "%s%s",
                                i > 0 ? " " : "", argv[i]);
}

const struct bench_row *bench_report_raw_row(const struct bench_report *r,
                                             const struct bench_row *row)
{
    for (unsigned i = 0; i < r->row_count; i++)
        if (r->rows[i].pattern == row->pattern && strcmp(r->rows[i].server, "raw") == 0)
            return &r->rows[i];
    return NULL;
}

static void add_real(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, double value)
{
    if (isnan(value))
        yyjson_mut_obj_add_null(doc, obj, key);
    else
        yyjson_mut_obj_add_real(doc, obj, key, value);
}

// The median under the bare name, the extremes beside it.
static void add_stat(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key,
                     struct bench_stat stat)
{
    char name[64];

    add_real(doc, obj, key, stat.median);
    snprintf(name, sizeof name, "%s_min", key);
    yyjson_mut_obj_add(obj, yyjson_mut_strcpy(doc, name),
                       isnan(stat.min) ? yyjson_mut_null(doc) : yyjson_mut_real(doc, stat.min));
    snprintf(name, sizeof name, "%s_max", key);
    yyjson_mut_obj_add(obj, yyjson_mut_strcpy(doc, name),
                       isnan(stat.max) ? yyjson_mut_null(doc) : yyjson_mut_real(doc, stat.max));
}

// Every round as it was: what `sealpost-load compare` ranks.
static void add_samples(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct bench_row *row,
                        const struct bench_row *raw, bool together)
{
    yyjson_mut_val *samples = yyjson_mut_obj_add_arr(doc, obj, "samples");

    for (unsigned r = 0; r < row->count; r++) {
        const struct bench_sample *s = &row->samples[r];
        yyjson_mut_val *sample = yyjson_mut_arr_add_obj(doc, samples), *latency;

        add_real(doc, sample, "cpu_ns_per_msg", s->cpu_ns_per_msg);
        add_real(doc, sample, "cpu_ratio_to_raw", bench_sample_cpu_ratio(row, raw, r));
        add_real(doc, sample, "client_cpu_ns_per_msg", s->client_cpu_ns_per_msg);
        add_real(doc, sample, "client_cpu_ratio_to_raw", bench_sample_client_ratio(row, raw, r));
        if (together) // the rest would tell how the kernel shared its slices out
            continue;
        add_real(doc, sample, "per_s", s->per_s);
        add_real(doc, sample, "ratio_to_raw", bench_sample_ratio(row, raw, r));
        add_real(doc, sample, "client_busy_pct", s->client_busy_pct);
        latency = yyjson_mut_obj_add_obj(doc, sample, "latency_us");
        for (size_t p = 0; p < BENCH_POINTS; p++)
            add_real(doc, latency, bench_point_names[p], s->latency_us[p]);
    }
}

static void add_rates(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct bench_summary *s)
{
    yyjson_mut_val *latency;

    add_stat(doc, obj, "per_s", s->per_s);
    add_stat(doc, obj, "ratio_to_raw", s->ratio);
    add_stat(doc, obj, "client_busy_pct", s->client_busy_pct);
    latency = yyjson_mut_obj_add_obj(doc, obj, "latency_us");
    for (size_t p = 0; p < BENCH_POINTS; p++)
        add_real(doc, latency, bench_point_names[p], s->latency_us[p].median);
}

static void add_row(yyjson_mut_doc *doc, yyjson_mut_val *rows, const struct bench_report *r,
                    const struct bench_row *row)
{
    yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, rows);
    yyjson_mut_val *delivery;
    struct bench_summary s;

    bench_summary_of(row, bench_report_raw_row(r, row), &s);
    yyjson_mut_obj_add_str(doc, obj, "pattern", row->pattern->name);
    yyjson_mut_obj_add_str(doc, obj, "server", row->server);
    yyjson_mut_obj_add_uint(doc, obj, "connections", row->pattern->connections);
    yyjson_mut_obj_add_uint(doc, obj, "in_flight", row->pattern->in_flight);
    yyjson_mut_obj_add_uint(doc, obj, "payload_bytes", row->payload_bytes);
    yyjson_mut_obj_add_uint(doc, obj, "rounds", row->count);
    add_stat(doc, obj, "cpu_ns_per_msg", s.cpu_ns_per_msg);
    add_stat(doc, obj, "cpu_ratio_to_raw", s.cpu_ratio);
    add_stat(doc, obj, "client_cpu_ns_per_msg", s.client_cpu_ns_per_msg);
    add_stat(doc, obj, "client_cpu_ratio_to_raw", s.client_cpu_ratio);
    if (!r->env.together)
        add_rates(doc, obj, &s);
    delivery = yyjson_mut_obj_add_obj(doc, obj, "delivery");
    for (size_t i = 0; i < BENCH_COUNTS; i++)
        yyjson_mut_obj_add_uint(doc, delivery, bench_count_names[i], s.counts[i]);
    add_samples(doc, obj, row, bench_report_raw_row(r, row), r->env.together);
}

static void add_env(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct bench_report_env *e,
                    bool is_base)
{
    yyjson_mut_val *env = yyjson_mut_obj_add_obj(doc, root, "env");
    yyjson_mut_val *versions;

    yyjson_mut_obj_add_str(doc, env, "cpu", e->cpu);
    yyjson_mut_obj_add_str(doc, env, "cpu_id", e->cpu_id);
    yyjson_mut_obj_add_uint(doc, env, "cores", e->cores);
    yyjson_mut_obj_add_str(doc, env, "kernel", e->kernel);
    yyjson_mut_obj_add_str(doc, env, "commit", is_base ? e->base_commit : e->commit);
    yyjson_mut_obj_add_bool(doc, env, "together", e->together);
    if (e->pair[0] != '\0')
        yyjson_mut_obj_add_str(doc, env, "pair", e->pair);
    yyjson_mut_obj_add_str(doc, env, "date", e->date);
    yyjson_mut_obj_add_str(doc, env, "command", e->command);
    yyjson_mut_obj_add_real(doc, env, "seconds", e->seconds);
    yyjson_mut_obj_add_real(doc, env, "warmup_seconds", e->warmup_seconds);
    yyjson_mut_obj_add_uint(doc, env, "rounds", e->rounds);
    yyjson_mut_obj_add_int(doc, env, "server_cpu", e->server_cpu);
    yyjson_mut_obj_add_int(doc, env, "client_cpu", e->client_cpu);
    versions = yyjson_mut_obj_add_obj(doc, env, "versions");
    for (size_t i = 0; i < BENCH_SERVER_KINDS; i++)
        if (e->versions[i][0] != '\0')
            yyjson_mut_obj_add_str(doc, versions, bench_server_kinds[i].name, e->versions[i]);
}

static int write_json(const struct bench_report *r, const char *path, bool is_base)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_val *rows, *handshakes, *idle;
    bool done;

    yyjson_mut_doc_set_root(doc, root);
    add_env(doc, root, &r->env, is_base);
    rows = yyjson_mut_obj_add_arr(doc, root, "rows");
    for (unsigned i = 0; i < r->row_count; i++)
        if (r->rows[i].is_base == is_base || strcmp(r->rows[i].server, "raw") == 0)
            add_row(doc, rows, r, &r->rows[i]);
    if (!isnan(r->handshakes_per_s)) {
        handshakes = yyjson_mut_obj_add_obj(doc, root, "handshakes");
        yyjson_mut_obj_add_real(doc, handshakes, "per_s", r->handshakes_per_s);
    }
    if (r->idle_count > 0) {
        idle = yyjson_mut_obj_add_arr(doc, root, "idle");
        for (unsigned i = 0; i < r->idle_count; i++) {
            yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, idle);

            yyjson_mut_obj_add_str(doc, obj, "server", r->idle[i].server);
            yyjson_mut_obj_add_uint(doc, obj, "connections", r->idle[i].connections);
            add_real(doc, obj, "rss_bytes_per_conn", r->idle[i].rss_bytes_per_conn);
            add_real(doc, obj, "marginal_bytes_per_conn", r->idle[i].marginal_bytes_per_conn);
        }
    }
    done = yyjson_mut_write_file(path, doc, YYJSON_WRITE_PRETTY, NULL, NULL);
    yyjson_mut_doc_free(doc);
    return done ? 0 : -EIO;
}

int bench_report_write_json(const struct bench_report *r, const char *path)
{
    return write_json(r, path, false);
}

int bench_report_write_base_json(const struct bench_report *r, const char *path)
{
    return write_json(r, path, true);
}

// 2146000 → "2,146,000".
static const char *grouped(double value, char out[32])
{
    char digits[32];
    size_t at = 0;
    int len;

    if (isnan(value))
        return strcpy(out, "-");
    len = snprintf(digits, sizeof digits, "%.0f", value);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static const char *fraction(double value, char out[32])
{
    if (isnan(value))
        return strcpy(out, "-");
    snprintf(out, 32, "%.2f", value);
    return out;
}

static void print_row(const struct bench_report *r, const struct bench_row *row, FILE *out)
{
    char text[9][32];
    char range[80];
    struct bench_summary s;

    bench_summary_of(row, bench_report_raw_row(r, row), &s);
    snprintf(range, sizeof range, "%s-%s", grouped(s.per_s.min, text[0]),
             grouped(s.per_s.max, text[1]));
    fprintf(out,
            "| %-9s | %-9s | %10s | %21s | %6s | %9s | %6s | %9s | %6s | %7s | %7s | %6s | %s |\n",
            row->pattern->name, row->server, grouped(s.per_s.median, text[0]), range,
            fraction(s.ratio.median, text[1]), grouped(s.cpu_ns_per_msg.median, text[2]),
            fraction(s.cpu_ratio.median, text[3]), grouped(s.client_cpu_ns_per_msg.median, text[4]),
            fraction(s.client_cpu_ratio.median, text[5]),
            grouped(s.latency_us[BENCH_P50].median, text[6]),
            grouped(s.latency_us[BENCH_P99].median, text[7]),
            grouped(s.client_busy_pct.median, text[8]),
            bench_counts_failed(s.counts) ? "FAILED" : "ok");
}

static void print_failures(const struct bench_report *r, FILE *out)
{
    for (unsigned i = 0; i < r->row_count; i++) {
        struct bench_summary s;

        bench_summary_of(&r->rows[i], NULL, &s);
        for (size_t k = BENCH_COUNT_FIRST_FAULT; k < BENCH_COUNTS; k++)
            if (s.counts[k] > 0)
                fprintf(out, "FAILED: %s, %s: %lu %s\n\n", r->rows[i].pattern->name,
                        r->rows[i].server, s.counts[k], bench_count_names[k]);
    }
}

static void print_shared_row(const struct bench_report *r, const struct bench_row *row, FILE *out)
{
    char text[4][32], name[32];
    struct bench_summary s;

    bench_summary_of(row, bench_report_raw_row(r, row), &s);
    snprintf(name, sizeof name, "%s%s", row->server, row->is_base ? ", base" : "");
    fprintf(out, "| %-9s | %-15s | %9s | %6s | %9s | %6s | %s |\n", row->pattern->name, name,
            grouped(s.cpu_ns_per_msg.median, text[0]), fraction(s.cpu_ratio.median, text[1]),
            grouped(s.client_cpu_ns_per_msg.median, text[2]),
            fraction(s.client_cpu_ratio.median, text[3]),
            bench_counts_failed(s.counts) ? "FAILED" : "ok");
}

// Of servers that share their processor.
static void print_shared_table(const struct bench_report *r, FILE *out)
{
    fprintf(out, "| %-9s | %-15s | %9s | %6s | %9s | %6s | all |\n", "pattern", "server",
            "server ns", "to raw", "client ns", "to raw");
    fputs("|-----------|-----------------|-----------|--------|-----------|--------|-----|\n", out);
    for (unsigned i = 0; i < r->row_count; i++)
        print_shared_row(r, &r->rows[i], out);
    fputc('\n', out);
    print_failures(r, out);
    fprintf(
        out,
        "Medians of %u rounds of %.3g s, all servers of a pattern at the same time on processor "
        "%d, their\nclients on %d. server ns, client ns: processor time for each message; to "
        "raw: against the raw\nforwarder in the same seconds. all: every message arrived once "
        "and in order.\n",
        r->env.rounds, r->env.seconds, r->env.server_cpu, r->env.client_cpu);
}

void bench_report_print_table(const struct bench_report *r, FILE *out)
{
    char text[32], text_all[32];

    if (r->env.together) {
        print_shared_table(r, out);
        return;
    }
    fprintf(out,
            "| %-9s | %-9s | %10s | %21s | %6s | %9s | %6s | %9s | %6s | %7s | %7s | %6s | all |\n",
            "pattern", "server", "messages/s", "lowest-highest", "to raw", "server ns", "to raw",
            "client ns", "to raw", "p50 us", "p99 us", "client");
    fputs("|-----------|-----------|------------|-----------------------|--------|-----------|"
          "--------|-----------|--------|---------|---------|--------|-----|\n",
          out);
    for (unsigned i = 0; i < r->row_count; i++)
        print_row(r, &r->rows[i], out);
    fputc('\n', out);
    print_failures(r, out);
    if (!isnan(r->handshakes_per_s))
        fprintf(out, "Full handshakes through relay-ws: %s/s.\n",
                grouped(r->handshakes_per_s, text));
    for (unsigned i = 0; i < r->idle_count; i++)
        fprintf(out,
                "Idle, logged-in %s connections (%u): %s bytes of the relay each above its fixed "
                "pools, %s with the pools they touched.\n",
                r->idle[i].server, r->idle[i].connections,
                grouped(r->idle[i].marginal_bytes_per_conn, text),
                grouped(r->idle[i].rss_bytes_per_conn, text_all));
    if (!isnan(r->handshakes_per_s) || r->idle_count > 0)
        fputc('\n', out);
    fprintf(
        out,
        "Medians of %u interleaved rounds of %.3g s; server on processor %d, client on %d.\n"
        "messages/s: delivered, closed loop. The first 'to raw' is against the raw forwarder in "
        "the\nsame round. server ns, client ns: processor time of the server and of the client for "
        "each\nmessage, each with its 'to raw'. p50, p99: from sending to delivery, with the "
        "whole queue of\nthe closed loop in between. client: busy share of the client's core in "
        "percent; near 100\nthe client, not the server, bounds messages/s, and server ns tells "
        "the servers apart.\nall: every message arrived once and in order.\n"
        "A relay message has 256 B of plaintext, sealed and opened by the client (%u B more on "
        "the\nwire); raw and the peers carry those %u bytes unencrypted, which favours them.\n",
        r->env.rounds, r->env.seconds, r->env.server_cpu, r->env.client_cpu, RAW_EXTRA_BYTES,
        256 + RAW_EXTRA_BYTES);
    for (size_t i = 0; i < BENCH_SERVER_KINDS; i++)
        if (r->env.versions[i][0] != '\0')
            fprintf(out, "%s: %s\n", bench_server_kinds[i].name, r->env.versions[i]);
}

int bench_report_write_summary(const struct bench_report *r, const char *path)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return -errno;
    fprintf(f, "# Side-by-side run, %.10s\n\n", r->env.date);
    fprintf(f, "- Command: `%s`\n- Machine: %s, %u processors, %s\n- Commit: %s\n\n",
            r->env.command, r->env.cpu, r->env.cores, r->env.kernel, r->env.commit);
    bench_report_print_table(r, f);
    return fclose(f) == 0 ? 0 : -errno;
}
