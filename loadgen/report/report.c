// The result as JSON: every member of schema sealpost.load/1. Runs once, after the run.
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <yyjson.h>

#include "agent_report.h"
#include "group_result.h"
#include "live_report.h"
#include "outcome_metrics.h"
#include "output_file.h"
#include "result_json.h"
#include "sealcrypto.h"
#include "stage_result.h"
#include "threshold_report.h"
#include "ws.h"

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

static void add_config(doc_t *d, val_t *run, const struct outcome *out)
{
    const struct options *o = out->options;
    val_t *c = yyjson_mut_obj_add_obj(d, run, "config");
    val_t *pin;

    result_json_add_text(d, c, "url", o->url);
    yyjson_mut_obj_add_str(d, c, "mode", options_mode_name(o->mode));
    yyjson_mut_obj_add_uint(d, c, "connections", o->connections);
    yyjson_mut_obj_add_uint(d, c, "in_flight",
                            o->mode == OPTIONS_TALK && o->rate_per_s == 0 ? o->in_flight : 0);
    yyjson_mut_obj_add_uint(d, c, "payload_bytes", o->mode == OPTIONS_TALK ? o->payload_bytes : 0);
    yyjson_mut_obj_add_str(d, c, "payload",
                           o->mode == OPTIONS_TALK && o->payload_text ? o->payload_text : "");
    yyjson_mut_obj_add_bool(d, c, "durable", o->durable);
    yyjson_mut_obj_add_str(d, c, "suite", options_suite_name(o->suite));
    yyjson_mut_obj_add_str(d, c, "auth", options_auth_name(o->is_hybrid));
    yyjson_mut_obj_add_str(d, c, "session", options_session_name(o->session));
    yyjson_mut_obj_add_bool(d, c, "idle_anonymous", o->idle_anonymous);
    yyjson_mut_obj_add_uint(d, c, "threads", o->threads);
    pin = yyjson_mut_obj_add_arr(d, c, "pin");
    for (uint32_t i = 0; i < o->pin_count; i++)
        yyjson_mut_arr_add_uint(d, pin, o->pin[i]);
    result_json_add_real(d, c, "warmup_s", (double)o->warmup_ns / 1e9);
    result_json_add_real(d, c, "duration_s", (double)o->duration_ns / 1e9);
    result_json_add_real(d, c, "drain_s", (double)o->drain_ns / 1e9);
}

static void add_record(doc_t *d, val_t *run, const struct outcome *out)
{
    val_t *record;

    if (!out->options->record_file) {
        yyjson_mut_obj_add_null(d, run, "record");
        return;
    }
    record = yyjson_mut_obj_add_obj(d, run, "record");
    result_json_add_text(d, record, "file", out->options->record_file);
    yyjson_mut_obj_add_uint(d, record, "rows", out->recorded);
    yyjson_mut_obj_add_uint(d, record, "not_recorded", out->not_recorded);
}

static void add_run(doc_t *d, val_t *root, const struct outcome *out, int argc, char **argv)
{
    val_t *run = yyjson_mut_obj_add_obj(d, root, "run");
    char text[64];
    struct tm utc;

    snprintf(text, sizeof text, "%016" PRIx64, out->run_id);
    yyjson_mut_obj_add_strcpy(d, run, "id", text);
    yyjson_mut_obj_add_uint(d, run, "seed", out->options->seed);
    gmtime_r(&out->started, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    yyjson_mut_obj_add_strcpy(d, run, "started", text);
    result_json_add_real(d, run, "setup_s", (double)out->setup_ns / 1e9);
    result_json_add_real(d, run, "duration_s", (double)out->tally.window_ns / 1e9);
    yyjson_mut_obj_add_bool(d, run, "interrupted", out->interrupted);
    if (out->failure != SHARD_FAILURE_NONE)
        result_json_add_text(d, run, "failure", out->failure_text);
    else
        yyjson_mut_obj_add_null(d, run, "failure");
    add_record(d, run, out);
    yyjson_mut_obj_add_str(d, run, "version", SEALPOST_VERSION);
    result_json_add_argv(d, run, argc, argv);
    add_config(d, run, out);
}

static void add_env(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *env = yyjson_mut_obj_add_obj(d, root, "env"), *shortcuts;

    result_json_add_machine(d, env);
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
    if (out->target->tls && out->ceiling.per_s > 0)
        yyjson_mut_arr_add_str(d, shortcuts,
                               "the ceiling was measured over ws: over wss it is lower");
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
    result_json_add_optional(d, offered, "rate_per_s", open_loop, o->rate_per_s);
    yyjson_mut_obj_add_uint(d, offered, "scheduled", out->tally.scheduled);
    yyjson_mut_obj_add_uint(d, offered, "sent", out->tally.sent);
    yyjson_mut_obj_add_uint(d, offered, "not_sent", out->tally.scheduled - out->tally.sent);
    yyjson_mut_obj_add_uint(d, offered, "backlog_full", out->tally.backlog_full);
    yyjson_mut_obj_add_uint(d, offered, "not_paced", out->tally.not_paced);
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
    yyjson_mut_obj_add_uint(d, delivery, "ahead", l->ahead);
    yyjson_mut_obj_add_uint(d, delivery, "foreign", l->foreign);
    yyjson_mut_obj_add_uint(d, delivery, "refused", l->refused);
    refused = yyjson_mut_obj_add_obj(d, delivery, "refused_by");
    for (unsigned i = 0; i < TALLY_REFUSAL_COUNT; i++)
        yyjson_mut_obj_add_uint(d, refused, tally_refusal_name((enum tally_refusal)i),
                                t->refused[i]);
    yyjson_mut_obj_add_uint(d, delivery, "accepted", t->accepted);
    yyjson_mut_obj_add_uint(d, delivery, "disconnected", t->disconnected);
    if (t->disconnected > 0)
        result_json_add_text(d, delivery, "first_disconnect", out->disconnect_text);
    else
        yyjson_mut_obj_add_null(d, delivery, "first_disconnect");
}

static void add_latency(doc_t *d, val_t *root, const struct tally *t)
{
    val_t *latency = yyjson_mut_obj_add_obj(d, root, "latency_us");

#define X(name)                                                                                    \
    result_json_add_hist(d, latency, #name, &t->name);                                             \
    result_json_add_curve(d, yyjson_mut_obj_get(latency, #name), &t->name);
    TALLY_HISTOGRAMS(X)
#undef X
}

// Means, so that the parts add up to the response (to the last decimal of each).
static void add_budget(doc_t *d, val_t *root, const struct budget *b)
{
    static const char *const keys[] = {
#define X(name) #name "_us",
        BUDGET_PARTS(X)
#undef X
    };
    val_t *o = yyjson_mut_obj_add_obj(d, root, "budget");

    yyjson_mut_obj_add_uint(d, o, "count", b->count);
    yyjson_mut_obj_add_uint(d, o, "unattributed_count", b->unattributed);
    result_json_add_optional(d, o, "response_us", b->count > 0, budget_mean_response_ns(b) / 1e3);
    for (unsigned i = 0; i < BUDGET_PART_COUNT; i++)
        result_json_add_optional(d, o, keys[i], b->count > 0,
                                 budget_mean_ns(b, (enum budget_part)i) / 1e3);
}

// At the window's begin and the end of each quarter.
static void add_backlog(doc_t *d, val_t *g, const struct backlog *b)
{
    val_t *list = yyjson_mut_obj_add_arr(d, g, "backlog");

    for (uint32_t i = 0; i < b->count; i++)
        yyjson_mut_arr_add_uint(d, list, b->waiting[i]);
}

// Achieved is what was opened in the window, as in messages.per_s.
static void add_ceiling(doc_t *d, val_t *g, const struct outcome *out)
{
    const struct ceiling *c = &out->ceiling;
    bool has = c->per_s > 0;

    result_json_add_optional(d, g, "ceiling_per_s", has, c->per_s);
    result_json_add_optional(d, g, "achieved_of_ceiling", has,
                             has ? outcome_metrics_per_second(out, out->tally.delivered) / c->per_s
                                 : 0);
    result_json_add_optional(d, g, "ceiling_busy_pct", has, c->busy_pct);
    if (has)
        yyjson_mut_obj_add_uint(d, g, "ceiling_connections", c->connections);
    else
        yyjson_mut_obj_add_null(d, g, "ceiling_connections");
    if (c->reason[0] != '\0')
        yyjson_mut_obj_add_str(d, g, "ceiling_reason", c->reason);
    else
        yyjson_mut_obj_add_null(d, g, "ceiling_reason");
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
    result_json_add_real(d, g, "stalled_ms", (double)out->tally.stalled_ns / 1e6);
    result_json_add_real(d, g, "steal_pct", out->steal_pct);
    result_json_add_real(d, g, "throttled_ms", (double)out->throttled_ns / 1e6);
    add_backlog(d, g, &out->backlog);
    add_ceiling(d, g, out);
    result_json_add_real(d, g, "coordinator_busy_pct", out->coordinator_busy_pct);
}

static void add_server(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *server;
    uint64_t count = outcome_metrics_operations(out);

    if (!out->has_server) {
        yyjson_mut_obj_add_null(d, root, "server");
        return;
    }
    server = yyjson_mut_obj_add_obj(d, root, "server");
    yyjson_mut_obj_add_uint(d, server, "cpu_ns", out->server_cpu_ns);
    result_json_add_optional(d, server,
                             out->options->mode == OPTIONS_HANDSHAKE ? "cpu_ns_per_handshake"
                                                                     : "cpu_ns_per_msg",
                             count > 0, count > 0 ? (double)out->server_cpu_ns / (double)count : 0);
    result_json_add_optional(d, server, "busy_pct", out->tally.window_ns > 0,
                             out->tally.window_ns > 0
                                 ? 100.0 * (double)out->server_cpu_ns / (double)out->tally.window_ns
                                 : 0);
    yyjson_mut_obj_add_uint(d, server, "rss_before_bytes", out->server_rss_before_bytes);
    yyjson_mut_obj_add_uint(d, server, "rss_bytes", out->server_rss_bytes);
    result_json_add_real(d, server, "rss_bytes_per_conn", outcome_metrics_rss_per_connection(out));
}

static void add_interval(doc_t *d, val_t *list, const struct outcome *out,
                         const struct series_point *p)
{
    val_t *o = yyjson_mut_arr_add_obj(d, list);
    uint64_t count = out->options->mode == OPTIONS_HANDSHAKE ? p->handshakes : p->delivered;
    bool any = count > 0 && p->len_ns > 0, timed = p->latency_count > 0;
    double len_ns = (double)p->len_ns;

    result_json_add_real(d, o, "at_s", (double)p->at_ns / 1e9);
    result_json_add_real(d, o, "length_s", len_ns / 1e9);
    yyjson_mut_obj_add_uint(d, o, "count", count);
    result_json_add_real(d, o, "per_s", any ? (double)count * 1e9 / len_ns : 0);
    result_json_add_optional(d, o, "p50_us", series_supports(p, 50), (double)p->p50_ns / 1e3);
    result_json_add_optional(d, o, "p90_us", series_supports(p, 90), (double)p->p90_ns / 1e3);
    result_json_add_optional(d, o, "p99_us", series_supports(p, 99), (double)p->p99_ns / 1e3);
    result_json_add_optional(d, o, "p99_9_us", series_supports(p, 99.9), (double)p->p99_9_ns / 1e3);
    result_json_add_optional(d, o, "max_us", timed, (double)p->max_ns / 1e3);
    yyjson_mut_obj_add_uint(d, o, "sent", p->sent);
    yyjson_mut_obj_add_uint(d, o, "delivered", p->delivered);
    yyjson_mut_obj_add_uint(d, o, "refused", p->refused);
    yyjson_mut_obj_add_uint(d, o, "faults", p->faults);
    result_json_add_optional(d, o, "generator_busy_pct", p->len_ns > 0,
                             100.0 * (double)p->busy_ns / len_ns / out->options->threads);
    result_json_add_optional(d, o, "server_busy_pct", p->has_server && p->len_ns > 0,
                             100.0 * (double)p->server_cpu_ns / len_ns);
    result_json_add_optional(d, o, "server_cpu_ns_per_op", p->has_server && any,
                             (double)p->server_cpu_ns / (double)count);
}

static void add_intervals(doc_t *d, val_t *root, const struct outcome *out)
{
    val_t *list = yyjson_mut_obj_add_arr(d, root, "intervals");

    for (uint32_t i = 0; i < out->series.count; i++)
        add_interval(d, list, out, &out->series.points[i]);
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
    result_json_add_real(d, messages, "per_s", outcome_metrics_per_second(out, t->delivered));
    yyjson_mut_obj_add_uint(d, handshakes, "count", t->handshakes);
    result_json_add_real(d, handshakes, "per_s", outcome_metrics_per_second(out, t->handshakes));
    yyjson_mut_obj_add_uint(d, handshakes, "without_one_time", t->handshakes_without_one_time);
    yyjson_mut_obj_add_uint(d, handshakes, "last_resort_kem", t->handshakes_with_last_resort);
    yyjson_mut_obj_add_uint(d, handshakes, "failed", t->handshakes_failed);
    yyjson_mut_obj_add_uint(d, handshakes, "rate_limited", t->rate_limited);
}

static char *format(const struct outcome *out, const struct live *live, int argc, char **argv,
                    yyjson_write_flag flags)
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
    add_budget(d, root, &out->tally.budget);
    add_generator(d, root, out);
    add_server(d, root, out);
    add_intervals(d, root, out);
    stage_result_add_json(d, root, out);
    group_result_add_json(d, root, out);
    threshold_report_add(d, root, out);
    agent_report_add(d, root, out);
    if (live)
        live_report_add(d, root, live);
    else
        yyjson_mut_obj_add_int(d, root, "exit_code", out->exit_code);
    text = yyjson_mut_write(d, flags, NULL);
    yyjson_mut_doc_free(d);
    return text;
}

char *report_format_json(const struct outcome *out, int argc, char **argv)
{
    return format(out, NULL, argc, argv, YYJSON_WRITE_PRETTY_TWO_SPACES);
}

char *report_format_line(const struct outcome *out, int argc, char **argv)
{
    return format(out, NULL, argc, argv, 0);
}

char *report_format_live(const struct live *live, int argc, char **argv)
{
    struct outcome out;

    live_report_fill(&out, live);
    return format(&out, live, argc, argv, 0);
}

int report_write_json(const struct outcome *out, int argc, char **argv, const char *file)
{
    char *text = report_format_json(out, argc, argv);
    int err = output_file_write_text(file, text);

    free(text);
    return err;
}
