// The objectives in the result. Runs once, after the run.
#include "threshold_report.h"

#include "result_json.h"

void threshold_report_add(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out)
{
    const struct threshold_list *list = &out->options->thresholds;
    yyjson_mut_val *array = yyjson_mut_obj_add_arr(d, root, "thresholds");

    for (uint32_t i = 0; i < list->count; i++) {
        const struct threshold *t = &list->items[i];
        const struct threshold_result *r = &out->thresholds[i];
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, array);

        yyjson_mut_obj_add_str(d, o, "text", t->text);
        yyjson_mut_obj_add_str(d, o, "metric", threshold_metric_name(t->metric));
        result_json_add_real(d, o, "limit", threshold_in_unit(t, t->limit));
        result_json_add_optional(d, o, "value", r->is_known, threshold_in_unit(t, r->value));
        yyjson_mut_obj_add_str(d, o, "unit", threshold_unit(t));
        yyjson_mut_obj_add_bool(d, o, "ok", r->ok);
        if (r->ok)
            yyjson_mut_obj_add_null(d, o, "reason");
        else
            yyjson_mut_obj_add_str(d, o, "reason", r->reason);
    }
    if (out->is_aborted)
        yyjson_mut_obj_add_str(d, root, "aborted_by", list->items[out->aborted_by].text);
    else
        yyjson_mut_obj_add_null(d, root, "aborted_by");
}

void threshold_report_print(FILE *to, const struct outcome *out)
{
    const struct threshold_list *list = &out->options->thresholds;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct threshold_result *r = &out->thresholds[i];

        fprintf(to, "%s%-6s %s", i == 0 ? "  objectives     " : "                 ",
                r->ok ? "met" : "MISSED", list->items[i].text);
        fprintf(to, r->ok ? "\n" : ": %s\n", r->reason);
    }
}
