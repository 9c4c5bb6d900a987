// Stages in the result: JSON, and a table. Runs once, after the run.
#include "stage_result.h"

#include <inttypes.h>

#include "result_json.h"

static void add_burst(yyjson_mut_doc *d, yyjson_mut_val *to, const struct stage *stage)
{
    yyjson_mut_val *burst;

    if (stage->burst_every_ns == 0) {
        yyjson_mut_obj_add_null(d, to, "burst");
        return;
    }
    burst = yyjson_mut_obj_add_obj(d, to, "burst");
    yyjson_mut_obj_add_uint(d, burst, "count", stage->burst_count);
    result_json_add_real(d, burst, "every_s", (double)stage->burst_every_ns / 1e9);
}

static void add_stage(yyjson_mut_doc *d, yyjson_mut_val *list, const struct stage *stage,
                      const struct stage_tally *tally, uint64_t at_ns)
{
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list), *latency;

    yyjson_mut_obj_add_str(d, o, "name", stage->name);
    yyjson_mut_obj_add_str(d, o, "kind", stage_kind_name(stage->kind));
    result_json_add_real(d, o, "at_s", (double)at_ns / 1e9);
    result_json_add_real(d, o, "length_s", (double)stage->len_ns / 1e9);
    result_json_add_real(d, o, "from_per_s", stage->from_per_s);
    result_json_add_real(d, o, "to_per_s", stage->to_per_s);
    add_burst(d, o, stage);
    yyjson_mut_obj_add_uint(d, o, "offered", tally->offered);
    yyjson_mut_obj_add_uint(d, o, "sent", tally->sent);
    yyjson_mut_obj_add_uint(d, o, "not_sent", tally->offered - tally->sent);
    yyjson_mut_obj_add_uint(d, o, "delivered", tally->delivered);
    latency = yyjson_mut_obj_add_obj(d, o, "latency_us");
    result_json_add_hist(d, latency, "response", &tally->response);
    result_json_add_hist(d, latency, "schedule_lag", &tally->schedule_lag);
}

void stage_result_add_json(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, root, "stages");
    uint64_t at_ns = 0;

    for (uint32_t i = 0; i < out->tally.stage_count; i++) {
        const struct stage *stage = &out->options->stages.stages[i];

        add_stage(d, list, stage, &out->tally.stages[i], at_ns);
        at_ns += stage->len_ns;
    }
}

static void print_percentile(FILE *to, const struct hist *h, double p)
{
    if (hist_percentile_supported(h, p))
        fprintf(to, " %11.1f", (double)hist_percentile(h, p) / 1e3);
    else
        fprintf(to, " %11s", "-");
}

void stage_result_print(const struct outcome *out, FILE *to)
{
    if (out->tally.stage_count == 0)
        return;
    fprintf(to, "\n  %-21s %10s %10s %10s %11s %11s %11s\n", "stage", "offered", "not sent",
            "delivered", "p50, us", "p99, us", "lag p99, us");
    for (uint32_t i = 0; i < out->tally.stage_count; i++) {
        const struct stage_tally *tally = &out->tally.stages[i];

        fprintf(to, "  %-21s %10" PRIu64 " %10" PRIu64 " %10" PRIu64,
                out->options->stages.stages[i].name, tally->offered, tally->offered - tally->sent,
                tally->delivered);
        print_percentile(to, &tally->response, 50);
        print_percentile(to, &tally->response, 99);
        print_percentile(to, &tally->schedule_lag, 99);
        fputc('\n', to);
    }
}
