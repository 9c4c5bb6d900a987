// Agents in the result: JSON and text. Runs once, after the run; on the live page's thread each
// second.
#include "agent_report.h"

#include "agent_live.h"
#include "agent_result.h"
#include "live.h"
#include "result_json.h"

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

static val_t *add_share(doc_t *d, val_t *list, const char *name, uint32_t threads,
                        uint32_t connections, double rate_per_s)
{
    val_t *o = yyjson_mut_arr_add_obj(d, list);

    result_json_add_text(d, o, "name", name);
    yyjson_mut_obj_add_uint(d, o, "threads", threads);
    yyjson_mut_obj_add_uint(d, o, "connections", connections);
    result_json_add_optional(d, o, "rate_per_s", rate_per_s > 0, rate_per_s);
    return o;
}

static void add_rate(doc_t *d, val_t *o, const char *key, uint64_t count, uint64_t window_ns)
{
    result_json_add_optional(d, o, key, window_ns > 0,
                             window_ns > 0 ? (double)count * 1e9 / (double)window_ns : 0);
}

static void add_busy(doc_t *d, val_t *o, const double *busy_pct, uint32_t count)
{
    val_t *list = yyjson_mut_obj_add_arr(d, o, "busy_pct_per_thread");

    for (uint32_t i = 0; i < count; i++)
        yyjson_mut_arr_add_real(d, list, (double)(int)(busy_pct[i] * 10) / 10);
}

static void add_verdict(doc_t *d, val_t *o, const struct verdict *v)
{
    val_t *reasons;

    yyjson_mut_obj_add_str(d, o, "verdict", verdict_level_name(v->level));
    reasons = yyjson_mut_obj_add_arr(d, o, "reasons");
    for (uint32_t i = 0; i < v->reason_count; i++)
        yyjson_mut_arr_add_str(d, reasons, v->reasons[i]);
}

static void add_one(doc_t *d, val_t *list, const struct agent_result *a, const double *busy_pct)
{
    val_t *o = add_share(d, list, a->name, a->thread_count, a->connections, a->rate_per_s);

    yyjson_mut_obj_add_bool(d, o, "has_result", a->has_result);
    if (a->failure_text[0] != '\0')
        result_json_add_text(d, o, "failure", a->failure_text);
    else
        yyjson_mut_obj_add_null(d, o, "failure");
    if (!a->has_result)
        return;
    add_verdict(d, o, &a->verdict);
    add_busy(d, o, busy_pct + a->first_thread, a->thread_count);
    result_json_add_real(d, o, "setup_s", (double)a->setup_ns / 1e9);
    yyjson_mut_obj_add_uint(d, o, "connected", a->connected);
    yyjson_mut_obj_add_uint(d, o, "disconnected", a->disconnected);
    yyjson_mut_obj_add_uint(d, o, "sent", a->sent);
    yyjson_mut_obj_add_uint(d, o, "count", a->delivered);
    add_rate(d, o, "per_s", a->delivered, a->window_ns);
    yyjson_mut_obj_add_uint(d, o, "handshakes", a->handshakes);
    add_rate(d, o, "handshakes_per_s", a->handshakes, a->window_ns);
#define X(name) yyjson_mut_obj_add_uint(d, o, #name, a->ledger.name);
    LEDGER_COUNTS(X)
#undef X
    yyjson_mut_obj_add_uint(d, o, "response_count", a->response_count);
    result_json_add_optional(d, o, "response_p50_us", a->response_p50_ns > 0,
                             (double)a->response_p50_ns / 1e3);
    result_json_add_optional(d, o, "response_p99_us", a->response_p99_ns > 0,
                             (double)a->response_p99_ns / 1e3);
    result_json_add_real(d, o, "steal_pct", a->steal_pct);
}

void agent_report_add(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out)
{
    val_t *list = yyjson_mut_obj_add_arr(d, root, "agents");

    for (uint32_t i = 0; out->agents && i < out->agent_count; i++)
        add_one(d, list, &out->agents[i], out->busy_pct);
}

static void add_live_one(doc_t *d, val_t *list, const struct agent_live *a, const double *busy_pct)
{
    val_t *o = add_share(d, list, a->name, a->thread_count, a->connections, a->rate_per_s);

    yyjson_mut_obj_add_bool(d, o, "has_result", false);
    yyjson_mut_obj_add_str(d, o, "state", a->state);
    add_busy(d, o, busy_pct + a->first_thread, a->thread_count);
    yyjson_mut_obj_add_uint(d, o, "settled", a->settled);
    yyjson_mut_obj_add_uint(d, o, "alive", a->alive);
    yyjson_mut_obj_add_uint(d, o, "sent", a->sent);
    yyjson_mut_obj_add_uint(d, o, "count", a->delivered);
    add_rate(d, o, "per_s", a->delivered, a->elapsed_ns);
    yyjson_mut_obj_add_uint(d, o, "handshakes", a->handshakes);
    add_rate(d, o, "handshakes_per_s", a->handshakes, a->elapsed_ns);
    yyjson_mut_obj_add_uint(d, o, "faults", a->faults);
    result_json_add_optional(d, o, "response_p50_us", a->p50_ns > 0, (double)a->p50_ns / 1e3);
    result_json_add_optional(d, o, "response_p99_us", a->p99_ns > 0, (double)a->p99_ns / 1e3);
}

void agent_report_add_live(yyjson_mut_doc *d, yyjson_mut_val *root, const struct live *l)
{
    val_t *list = yyjson_mut_obj_add_arr(d, root, "agents");

    for (uint32_t i = 0; l->agents && i < l->agent_count; i++)
        add_live_one(d, list, &l->agents[i], l->busy_pct);
}

static void print_one(const struct agent_result *a, FILE *f)
{
    char p99[32] = "p99 not known";

    if (a->response_p99_ns > 0)
        snprintf(p99, sizeof p99, "p99 %.0f us", (double)a->response_p99_ns / 1e3);
    fprintf(f, "%s: %u connections, %llu envelopes, %s, %s\n", a->name, a->connections,
            (unsigned long long)a->delivered, p99, verdict_level_name(a->verdict.level));
}

void agent_report_print(const struct outcome *out, FILE *f)
{
    for (uint32_t i = 0; out->agents && i < out->agent_count; i++) {
        const struct agent_result *a = &out->agents[i];

        fprintf(f, i == 0 ? "  agents         " : "                 ");
        if (a->has_result)
            print_one(a, f);
        else
            fprintf(f, "%s: no result\n", a->name);
    }
}
