// Agents in the result: JSON and text. Runs once, after the run.
#include "agent_report.h"

#include "agent_result.h"
#include "result_json.h"

static void add_one(yyjson_mut_doc *d, yyjson_mut_val *list, const struct agent_result *a)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list), *reasons;

    yyjson_mut_obj_add_str(d, o, "name", a->name);
    yyjson_mut_obj_add_uint(d, o, "threads", a->thread_count);
    yyjson_mut_obj_add_uint(d, o, "connections", a->connections);
    result_json_add_optional(d, o, "rate_per_s", a->rate_per_s > 0, a->rate_per_s);
    yyjson_mut_obj_add_bool(d, o, "has_result", a->has_result);
    if (!a->has_result)
        return;
    yyjson_mut_obj_add_str(d, o, "verdict", verdict_level_name(a->verdict.level));
    reasons = yyjson_mut_obj_add_arr(d, o, "reasons");
    for (uint32_t i = 0; i < a->verdict.reason_count; i++)
        yyjson_mut_arr_add_str(d, reasons, a->verdict.reasons[i]);
    result_json_add_real(d, o, "setup_s", (double)a->setup_ns / 1e9);
    yyjson_mut_obj_add_uint(d, o, "connected", a->connected);
    yyjson_mut_obj_add_uint(d, o, "disconnected", a->disconnected);
    yyjson_mut_obj_add_uint(d, o, "sent", a->sent);
    yyjson_mut_obj_add_uint(d, o, "count", a->delivered);
    yyjson_mut_obj_add_uint(d, o, "handshakes", a->handshakes);
#define X(name) yyjson_mut_obj_add_uint(d, o, #name, a->ledger.name);
    LEDGER_COUNTS(X)
#undef X
    result_json_add_optional(d, o, "response_p99_us", a->delivered > 0,
                             (double)a->response_p99_ns / 1e3);
    result_json_add_real(d, o, "steal_pct", a->steal_pct);
}

void agent_report_add(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, root, "agents");

    for (uint32_t i = 0; out->agents && i < out->agent_count; i++)
        add_one(d, list, &out->agents[i]);
}

void agent_report_print(const struct outcome *out, FILE *f)
{
    for (uint32_t i = 0; out->agents && i < out->agent_count; i++) {
        const struct agent_result *a = &out->agents[i];

        fprintf(f, i == 0 ? "  agents         " : "                 ");
        if (!a->has_result)
            fprintf(f, "%s: no result\n", a->name);
        else
            fprintf(f, "%s: %u connections, %llu envelopes, p99 %.0f us, %s\n", a->name,
                    a->connections, (unsigned long long)a->delivered,
                    (double)a->response_p99_ns / 1e3, verdict_level_name(a->verdict.level));
    }
}
