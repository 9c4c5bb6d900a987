// The result: JSON by yyjson, and a table. Runs once, after the run.
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <yyjson.h>

#include "cpu.h"
#include "sealcrypto.h"
#include "ws.h"

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

static const struct {
    const char *name;
    double p;
} percentiles[] = {
    {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99},
};

// Every exported figure has three decimals: what a reader compares, not what a double holds.
static void add_real(doc_t *d, val_t *to, const char *key, double value)
{
    yyjson_mut_obj_add_real(d, to, key,
                            (double)(int64_t)(value * 1000 + (value < 0 ? -0.5 : 0.5)) / 1000);
}

static void add_optional(doc_t *d, val_t *to, const char *key, bool has, double value)
{
    if (has)
        add_real(d, to, key, value);
    else
        yyjson_mut_obj_add_null(d, to, key);
}

static void add_hist(doc_t *d, val_t *to, const char *key, const struct hist *h)
{
    val_t *o = yyjson_mut_obj_add_obj(d, to, key);

    yyjson_mut_obj_add_uint(d, o, "count", h->total);
    add_optional(d, o, "mean", h->total > 0, hist_mean(h) / 1e3);
    for (unsigned i = 0; i < COUNT_OF(percentiles); i++)
        add_optional(d, o, percentiles[i].name, hist_percentile_supported(h, percentiles[i].p),
                     (double)hist_percentile(h, percentiles[i].p) / 1e3);
    add_optional(d, o, "max", h->total > 0, (double)h->max / 1e3);
}

static double per_second(const struct outcome *out, uint64_t count)
{
    return out->tally.window_ns == 0 ? 0 : (double)count * 1e9 / (double)out->tally.window_ns;
}

static void add_config(doc_t *d, val_t *run, const struct outcome *out)
{
    const struct options *o = out->options;
    val_t *c = yyjson_mut_obj_add_obj(d, run, "config");
    val_t *pin;

    yyjson_mut_obj_add_str(d, c, "url", o->url);
    yyjson_mut_obj_add_str(d, c, "mode", options_mode_name(o->mode));
    yyjson_mut_obj_add_uint(d, c, "connections", o->connections);
    yyjson_mut_obj_add_uint(d, c, "in_flight",
                            o->mode == OPTIONS_TALK && o->rate_per_s == 0 ? o->in_flight : 0);
    yyjson_mut_obj_add_uint(d, c, "payload_bytes", o->mode == OPTIONS_TALK ? o->payload_bytes : 0);
    yyjson_mut_obj_add_bool(d, c, "durable", o->durable);
    yyjson_mut_obj_add_str(d, c, "suite", options_suite_name(o->suite));
    yyjson_mut_obj_add_str(d, c, "auth", options_auth_name(o->is_hybrid));
    yyjson_mut_obj_add_str(d, c, "session", options_session_name(o->session));
    yyjson_mut_obj_add_bool(d, c, "idle_anonymous", o->idle_anonymous);
    yyjson_mut_obj_add_uint(d, c, "threads", o->threads);
    pin = yyjson_mut_obj_add_arr(d, c, "pin");
    for (uint32_t i = 0; i < o->pin_count; i++)
        yyjson_mut_arr_add_uint(d, pin, o->pin[i]);
    add_real(d, c, "warmup_s", (double)o->warmup_ns / 1e9);
    add_real(d, c, "duration_s", (double)o->duration_ns / 1e9);
    add_real(d, c, "drain_s", (double)o->drain_ns / 1e9);
}

static void add_run(doc_t *d, val_t *root, const struct outcome *out, int argc, char **argv)
{
    val_t *run = yyjson_mut_obj_add_obj(d, root, "run"), *args;
    char text[64];
    struct tm utc;

    snprintf(text, sizeof text, "%016" PRIx64, out->run_id);
    yyjson_mut_obj_add_strcpy(d, run, "id", text);
    yyjson_mut_obj_add_uint(d, run, "seed", out->options->seed);
    gmtime_r(&out->started, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    yyjson_mut_obj_add_strcpy(d, run, "started", text);
    add_real(d, run, "setup_s", (double)out->setup_ns / 1e9);
    add_real(d, run, "duration_s", (double)out->tally.window_ns / 1e9);
    yyjson_mut_obj_add_bool(d, run, "interrupted", out->interrupted);
    if (out->failure != SHARD_FAILURE_NONE)
        yyjson_mut_obj_add_str(d, run, "failure", out->failure_text);
    else
        yyjson_mut_obj_add_null(d, run, "failure");
    yyjson_mut_obj_add_str(d, run, "version", SEALPOST_VERSION);
    args = yyjson_mut_obj_add_arr(d, run, "argv");
    for (int i = 0; i < argc; i++)
        yyjson_mut_arr_add_str(d, args, argv[i]);
    add_config(d, run, out);
}

static void add_env(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *env = yyjson_mut_obj_add_obj(d, root, "env"), *shortcuts;
    char model[128];
    struct utsname system;

    cpu_model_name(model, sizeof model);
    yyjson_mut_obj_add_strcpy(d, env, "cpu", model);
    yyjson_mut_obj_add_int(d, env, "cores", sysconf(_SC_NPROCESSORS_ONLN));
    yyjson_mut_obj_add_strcpy(d, env, "kernel", uname(&system) == 0 ? system.release : "unknown");
    yyjson_mut_obj_add_bool(d, env, "colocated", out->target->loopback);
    yyjson_mut_obj_add_str(d, env, "tls",
                           !out->target->tls           ? "none"
                           : out->tls_group[0] == '\0' ? "not established"
                                                       : out->tls_group);
    yyjson_mut_obj_add_str(d, env, "crypto", sp_tier());
    yyjson_mut_obj_add_str(d, env, "masking", ws_mask_tier());
    shortcuts = yyjson_mut_obj_add_arr(d, env, "shortcuts");
    if (out->target->tls && !out->options->ca_file)
        yyjson_mut_arr_add_str(d, shortcuts, "the relay's certificate is not verified");
}

static void add_offered(doc_t *d, val_t *root, const struct outcome *out)
{
    const struct options *o = out->options;
    val_t *offered = yyjson_mut_obj_add_obj(d, root, "offered");
    bool open_loop = o->rate_per_s > 0;

    yyjson_mut_obj_add_str(d, offered, "model",
                           o->mode == OPTIONS_IDLE      ? "idle"
                           : !open_loop                 ? "closed"
                           : o->arrival == PLAN_POISSON ? "open, poisson"
                                                        : "open, constant");
    add_optional(d, offered, "rate_per_s", open_loop, o->rate_per_s);
    yyjson_mut_obj_add_uint(d, offered, "scheduled", out->tally.scheduled);
    yyjson_mut_obj_add_uint(d, offered, "sent", out->tally.sent);
    yyjson_mut_obj_add_uint(d, offered, "not_sent", out->tally.scheduled - out->tally.sent);
    yyjson_mut_obj_add_uint(d, offered, "backlog_full", out->tally.backlog_full);
}

static void add_delivery(doc_t *d, val_t *root, const struct outcome *out)
{
    const struct tally *t = &out->tally;
    const struct ledger_counts *l = &t->ledger;
    val_t *delivery = yyjson_mut_obj_add_obj(d, root, "delivery"), *refused;

    yyjson_mut_obj_add_uint(d, delivery, "expected", l->expected);
    yyjson_mut_obj_add_uint(d, delivery, "received", l->received);
    yyjson_mut_obj_add_uint(d, delivery, "lost", l->lost);
    yyjson_mut_obj_add_uint(d, delivery, "duplicate", l->duplicate);
    yyjson_mut_obj_add_uint(d, delivery, "reordered", l->reordered);
    yyjson_mut_obj_add_uint(d, delivery, "gaps", l->gaps);
    yyjson_mut_obj_add_uint(d, delivery, "late", l->late);
    yyjson_mut_obj_add_uint(d, delivery, "misrouted", l->misrouted);
    yyjson_mut_obj_add_uint(d, delivery, "auth_fail", l->auth_fail);
    yyjson_mut_obj_add_uint(d, delivery, "foreign", l->foreign);
    yyjson_mut_obj_add_uint(d, delivery, "refused", l->refused);
    refused = yyjson_mut_obj_add_obj(d, delivery, "refused_by");
    for (unsigned i = 0; i < TALLY_REFUSAL_COUNT; i++)
        yyjson_mut_obj_add_uint(d, refused, tally_refusal_name((enum tally_refusal)i),
                                t->refused[i]);
    yyjson_mut_obj_add_uint(d, delivery, "accepted", t->accepted);
    yyjson_mut_obj_add_uint(d, delivery, "disconnected", t->disconnected);
    if (t->disconnected > 0)
        yyjson_mut_obj_add_str(d, delivery, "first_disconnect", out->disconnect_text);
    else
        yyjson_mut_obj_add_null(d, delivery, "first_disconnect");
}

static void add_latency(doc_t *d, val_t *root, const struct tally *t)
{
    val_t *latency = yyjson_mut_obj_add_obj(d, root, "latency_us");

#define X(name) add_hist(d, latency, #name, &t->name);
    TALLY_HISTOGRAMS(X)
#undef X
}

static void add_generator(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *g = yyjson_mut_obj_add_obj(d, root, "generator");
    val_t *reasons, *busy;

    yyjson_mut_obj_add_str(d, g, "verdict", verdict_level_name(out->verdict.level));
    reasons = yyjson_mut_obj_add_arr(d, g, "reasons");
    for (uint32_t i = 0; i < out->verdict.reason_count; i++)
        yyjson_mut_arr_add_str(d, reasons, out->verdict.reasons[i]);
    busy = yyjson_mut_obj_add_arr(d, g, "busy_pct_per_thread");
    for (uint32_t i = 0; i < out->options->threads; i++)
        yyjson_mut_arr_add_real(d, busy, (double)(int)(out->busy_pct[i] * 10) / 10);
    yyjson_mut_obj_add_uint(d, g, "stalls", out->tally.stalls);
    add_real(d, g, "stalled_ms", (double)out->tally.stalled_ns / 1e6);
    add_real(d, g, "steal_pct", out->steal_pct);
}

// What the relay spent, divided by what it did for us in the window.
static uint64_t operations(const struct outcome *out)
{
    return out->options->mode == OPTIONS_HANDSHAKE
               ? out->tally.handshakes + out->tally.handshakes_without_one_time
               : out->tally.delivered;
}

static double rss_per_connection(const struct outcome *out)
{
    return ((double)out->server_rss_bytes - (double)out->server_rss_before_bytes) /
           (double)out->options->connections;
}

static void add_server(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *server;
    uint64_t count = operations(out);

    if (!out->has_server) {
        yyjson_mut_obj_add_null(d, root, "server");
        return;
    }
    server = yyjson_mut_obj_add_obj(d, root, "server");
    yyjson_mut_obj_add_uint(d, server, "cpu_ns", out->server_cpu_ns);
    add_optional(d, server,
                 out->options->mode == OPTIONS_HANDSHAKE ? "cpu_ns_per_handshake"
                                                         : "cpu_ns_per_msg",
                 count > 0, count > 0 ? (double)out->server_cpu_ns / (double)count : 0);
    add_optional(d, server, "busy_pct", out->tally.window_ns > 0,
                 out->tally.window_ns > 0
                     ? 100.0 * (double)out->server_cpu_ns / (double)out->tally.window_ns
                     : 0);
    yyjson_mut_obj_add_uint(d, server, "rss_before_bytes", out->server_rss_before_bytes);
    yyjson_mut_obj_add_uint(d, server, "rss_bytes", out->server_rss_bytes);
    add_real(d, server, "rss_bytes_per_conn", rss_per_connection(out));
}

// With one group, and nobody of it offline, its response is the total's.
static const struct hist *group_response(const struct outcome *out, uint32_t i)
{
    return out->options->group_count == 1 && !group_is_offline(&out->options->groups[i])
               ? &out->tally.response
               : &out->tally.groups[i].response;
}

static uint64_t lost_in_group(const struct tally_group *g)
{
    return g->sent > g->received + g->refused ? g->sent - g->received - g->refused : 0;
}

static void add_group(doc_t *d, val_t *list, const struct outcome *out, uint32_t i)
{
    const struct group *group = &out->options->groups[i];
    const struct tally_group *g = &out->tally.groups[i];
    val_t *o = yyjson_mut_arr_add_obj(d, list), *latency;

    yyjson_mut_obj_add_str(d, o, "behaviour", group_behaviour_name(group->behaviour));
    yyjson_mut_obj_add_uint(d, o, "share", group->share);
    yyjson_mut_obj_add_uint(d, o, "users", group->users);
    yyjson_mut_obj_add_uint(d, o, "unit_users", group_unit_users(group));
    yyjson_mut_obj_add_uint(d, o, "senders", group_senders(group, group->users));
    // Of --rate and of --in-flight.
    yyjson_mut_obj_add_uint(d, o, "envelopes_per_arrival",
                            group->behaviour == GROUP_FAN_OUT        ? group->recipients
                            : group_senders(group, group->users) > 0 ? 1
                                                                     : 0);
    add_real(d, o, "per_s", per_second(out, g->delivered));
#define X(name) yyjson_mut_obj_add_uint(d, o, #name, g->name);
    TALLY_GROUP_COUNTS(X)
#undef X
    yyjson_mut_obj_add_uint(d, o, "storms", g->storms);
    yyjson_mut_obj_add_uint(d, o, "lost", lost_in_group(g));
    latency = yyjson_mut_obj_add_obj(d, o, "latency_us");
    add_hist(d, latency, "response", group_response(out, i));
    add_hist(d, latency, "without_one_time", &g->without_one_time);
    add_hist(d, latency, "reconnect", &g->reconnect);
    add_hist(d, latency, "recovery", &g->recovery);
    add_hist(d, latency, "drain", &g->drain);
    // What a mailbox gave, while it was drained.
    add_optional(d, o, "drained_per_s", g->drain.sum > 0,
                 g->drain.sum > 0 ? (double)g->drained * 1e9 / g->drain.sum : 0);
}

static void add_groups(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *list = yyjson_mut_obj_add_arr(d, root, "groups");

    for (uint32_t i = 0; i < out->tally.group_count; i++)
        add_group(d, list, out, i);
}

static void add_intervals(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *list = yyjson_mut_obj_add_arr(d, root, "intervals");

    for (uint32_t i = 0; i < out->interval_count; i++) {
        const struct run_interval *in = &out->intervals[i];
        val_t *o = yyjson_mut_arr_add_obj(d, list);
        uint64_t count = out->options->mode == OPTIONS_HANDSHAKE ? in->handshakes : in->messages;
        bool any = count > 0 && in->len_ns > 0;

        add_real(d, o, "at_s", (double)in->at_ns / 1e9);
        add_real(d, o, "length_s", (double)in->len_ns / 1e9);
        yyjson_mut_obj_add_uint(d, o, "count", count);
        add_real(d, o, "per_s", any ? (double)count * 1e9 / (double)in->len_ns : 0);
        add_optional(d, o, "p50_us", any, (double)in->p50_ns / 1e3);
        add_optional(d, o, "p99_us", any, (double)in->p99_ns / 1e3);
    }
}

static void add_counts(doc_t *d, val_t *root, const struct outcome *out)
{
    const struct tally *t = &out->tally;
    val_t *connections = yyjson_mut_obj_add_obj(d, root, "connections");
    val_t *messages = yyjson_mut_obj_add_obj(d, root, "messages");
    val_t *handshakes = yyjson_mut_obj_add_obj(d, root, "handshakes");

    yyjson_mut_obj_add_uint(d, connections, "wanted", out->options->connections);
    yyjson_mut_obj_add_uint(d, connections, "connected", t->connected);
    yyjson_mut_obj_add_uint(d, connections, "disconnected", t->disconnected);
    yyjson_mut_obj_add_uint(d, messages, "count", t->delivered);
    add_real(d, messages, "per_s", per_second(out, t->delivered));
    yyjson_mut_obj_add_uint(d, handshakes, "count", t->handshakes);
    add_real(d, handshakes, "per_s", per_second(out, t->handshakes));
    yyjson_mut_obj_add_uint(d, handshakes, "without_one_time", t->handshakes_without_one_time);
    yyjson_mut_obj_add_uint(d, handshakes, "last_resort_kem", t->handshakes_with_last_resort);
    yyjson_mut_obj_add_uint(d, handshakes, "failed", t->handshakes_failed);
    yyjson_mut_obj_add_uint(d, handshakes, "rate_limited", t->rate_limited);
}

char *report_format_json(const struct outcome *out, int argc, char **argv)
{
    doc_t *d = yyjson_mut_doc_new(NULL);
    val_t *root;
    char *text;

    if (!d)
        return NULL;
    root = yyjson_mut_obj(d);
    yyjson_mut_doc_set_root(d, root);
    yyjson_mut_obj_add_str(d, root, "schema", REPORT_SCHEMA);
    add_run(d, root, out, argc, argv);
    add_env(d, root, out);
    add_offered(d, root, out);
    add_counts(d, root, out);
    add_delivery(d, root, out);
    add_latency(d, root, &out->tally);
    add_generator(d, root, out);
    add_server(d, root, out);
    add_intervals(d, root, out);
    add_groups(d, root, out);
    yyjson_mut_obj_add_int(d, root, "exit_code", out->exit_code);
    text = yyjson_mut_write(d, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
    yyjson_mut_doc_free(d);
    return text;
}

int report_write_json(const struct outcome *out, int argc, char **argv, const char *file)
{
    bool to_stdout = strcmp(file, "-") == 0;
    char *text = report_format_json(out, argc, argv);
    FILE *f;
    int err = 0;

    if (!text)
        return -ENOMEM;
    f = to_stdout ? stdout : fopen(file, "we");
    if (!f) {
        err = -errno;
        goto cleanup;
    }
    if (fprintf(f, "%s\n", text) < 0 || fflush(f) != 0)
        err = -errno;
    if (!to_stdout && fclose(f) != 0 && err == 0)
        err = -errno;

cleanup:
    free(text);
    return err;
}

static void print_hist(FILE *to, const char *name, const struct hist *h)
{
    if (h->total == 0)
        return;
    fprintf(to, "  %-14s", name);
    for (unsigned i = 0; i < COUNT_OF(percentiles); i++) {
        if (hist_percentile_supported(h, percentiles[i].p))
            fprintf(to, " %11.1f", (double)hist_percentile(h, percentiles[i].p) / 1e3);
        else
            fprintf(to, " %11s", "-");
    }
    fprintf(to, " %11.1f\n", (double)h->max / 1e3);
}

static void print_latency(FILE *to, const struct outcome *out)
{
    const struct tally *t = &out->tally;

    if (out->options->mode == OPTIONS_IDLE && t->tls_handshake.total == 0)
        return;
    fprintf(to, "\n  %-14s %11s %11s %11s %11s %11s %11s\n", "latency, us", "p50", "p90", "p99",
            "p99.9", "p99.99", "max");
#define X(name) print_hist(to, #name, &t->name);
    TALLY_HISTOGRAMS(X)
#undef X
}

static void print_cryptography(FILE *to, const struct options *o)
{
    fprintf(to, "  cryptography   %s", sp_tier());
    if (options_are_post_quantum(o) || o->session != SP_SESSION_COUNTER)
        fprintf(to, "; suite %s, auth %s, session %s", options_suite_name(o->suite),
                options_auth_name(o->is_hybrid), options_session_name(o->session));
    fputc('\n', to);
}

static void print_handshakes(FILE *to, const struct outcome *out)
{
    const struct tally *t = &out->tally;

    fprintf(to,
            "  handshakes     %" PRIu64 " in %.2f s: %.0f/s (%" PRIu64
            " more without one-time prekey, ",
            t->handshakes, (double)t->window_ns / 1e9, per_second(out, t->handshakes),
            t->handshakes_without_one_time);
    if (out->options->suite == SP_SUITE_PQXDH)
        fprintf(to, "%" PRIu64 " with the last-resort KEM prekey, ",
                t->handshakes_with_last_resort);
    fprintf(to, "%" PRIu64 " failed)\n", t->handshakes_failed);
}

static void print_load(FILE *to, const struct outcome *out)
{
    const struct options *o = out->options;
    const struct tally *t = &out->tally;
    const struct ledger_counts *l = &t->ledger;

    if (o->mode == OPTIONS_TALK)
        fprintf(to, "  envelopes      %" PRIu64 " in %.2f s: %.0f/s\n", t->delivered,
                (double)t->window_ns / 1e9, per_second(out, t->delivered));
    else if (o->mode == OPTIONS_HANDSHAKE)
        print_handshakes(to, out);
    else
        fprintf(to, "  held           %" PRIu64 " connections for %.2f s\n",
                t->connected - t->disconnected, (double)t->window_ns / 1e9);
    if (o->rate_per_s > 0)
        fprintf(to, "  offered        %.0f/s: %" PRIu64 " scheduled, %" PRIu64 " not sent\n",
                o->rate_per_s, t->scheduled, t->scheduled - t->sent);
    if (t->rate_limited > 0)
        fprintf(to, "  rate limited   %" PRIu64 " bundles (the relay's --bundle-rate)\n",
                t->rate_limited);
    if (o->mode == OPTIONS_TALK || ledger_has_faults(l))
        fprintf(to,
                "  delivery       %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64
                " lost, %" PRIu64 " duplicate, %" PRIu64 " reordered,\n                 %" PRIu64
                " misrouted, %" PRIu64 " not opened, %" PRIu64 " foreign, %" PRIu64 " refused\n",
                l->expected, l->received, l->lost, l->duplicate, l->reordered, l->misrouted,
                l->auth_fail, l->foreign, l->refused);
    if (t->disconnected > 0)
        fprintf(to, "  disconnected   %" PRIu64 " connections; the first: %s\n", t->disconnected,
                out->disconnect_text);
}

static void print_server(FILE *to, const struct outcome *out)
{
    uint64_t count = operations(out);

    if (out->options->server_pid > 0 && !out->has_server)
        fprintf(to, "  relay          not measured: %s\n", out->server_text);
    if (!out->has_server)
        return;
    fprintf(to, "  relay          %.1f %% CPU",
            out->tally.window_ns > 0
                ? 100.0 * (double)out->server_cpu_ns / (double)out->tally.window_ns
                : 0);
    if (count > 0)
        fprintf(to, ", %.0f ns for each %s", (double)out->server_cpu_ns / (double)count,
                out->options->mode == OPTIONS_HANDSHAKE ? "handshake" : "envelope");
    fprintf(to, ", %.0f B resident for each connection (%.1f MiB in all)\n",
            rss_per_connection(out), (double)out->server_rss_bytes / MIB);
}

static void print_median(FILE *to, const char *name, const struct hist *h)
{
    if (h->total > 0)
        fprintf(to, ", %s p50 %.1f us, max %.1f us", name, (double)hist_percentile(h, 50) / 1e3,
                (double)h->max / 1e3);
}

// What of a group's life is not in the totals.
static void print_group(FILE *to, const struct outcome *out, uint32_t i)
{
    const struct group *group = &out->options->groups[i];
    const struct tally_group *g = &out->tally.groups[i];

    fprintf(to, "  %-14s %u users", group_behaviour_name(group->behaviour), group->users);
    if (g->sent > 0)
        fprintf(to,
                ": %.0f/s; %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " refused, %" PRIu64
                " lost",
                per_second(out, g->delivered), g->sent, g->received, g->refused, lost_in_group(g));
    if (group_is_handshaking(group))
        fprintf(to,
                ": %" PRIu64 " handshakes with a one-time prekey, %" PRIu64 " without, %" PRIu64
                " with the last-resort KEM prekey",
                g->handshakes, g->handshakes_without_one_time, g->handshakes_with_last_resort);
    if (g->departures > 0)
        fprintf(to, "; %" PRIu64 " left, %" PRIu64 " came back", g->departures, g->returns);
    if (g->storms > 0)
        fprintf(to, ", %" PRIu64 " storms", g->storms);
    if (g->drained > 0)
        fprintf(to, ", %" PRIu64 " envelopes drained", g->drained);
    print_median(to, "response", group_response(out, i));
    print_median(to, "without one-time", &g->without_one_time);
    print_median(to, "reconnect", &g->reconnect);
    print_median(to, "recovery", &g->recovery);
    print_median(to, "drain", &g->drain);
    fputc('\n', to);
}

static void print_groups(FILE *to, const struct outcome *out)
{
    const struct group *first = &out->options->groups[0];

    // One plain group is what the totals tell already.
    if (out->tally.group_count <= 1 &&
        (first->behaviour == GROUP_CHAT || first->behaviour == GROUP_HANDSHAKE ||
         first->behaviour == GROUP_IDLE))
        return;
    for (uint32_t i = 0; i < out->tally.group_count; i++)
        print_group(to, out, i);
}

void report_print_summary(const struct outcome *out, FILE *to)
{
    if (!out->has_begun) {
        fprintf(to, "sealpost-load: %s\n",
                out->failure != SHARD_FAILURE_NONE ? out->failure_text
                                                   : "interrupted during the set-up");
        return;
    }
    fprintf(to, "\n%s %s, %u connections, %u thread%s%s%s\n", options_mode_name(out->options->mode),
            out->options->url, out->options->connections, out->options->threads,
            out->options->threads == 1 ? "" : "s", out->tls_group[0] ? ", TLS 1.3 " : "",
            out->tls_group);
    if (out->failure != SHARD_FAILURE_NONE)
        fprintf(to, "  failed         %s\n", out->failure_text);
    fprintf(to, "  set-up         %.2f s\n", (double)out->setup_ns / 1e9);
    print_cryptography(to, out->options);
    print_load(to, out);
    print_groups(to, out);
    print_server(to, out);
    fprintf(to, "  generator      %s", verdict_level_name(out->verdict.level));
    for (uint32_t i = 0; i < out->options->threads; i++)
        fprintf(to, "%s%.0f %%", i == 0 ? "; busy " : ", ", out->busy_pct[i]);
    fputc('\n', to);
    for (uint32_t i = 0; i < out->verdict.reason_count; i++)
        fprintf(to, "                 - %s\n", out->verdict.reasons[i]);
    print_latency(to, out);
}
