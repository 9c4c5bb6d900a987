// The shared parts of JSON results. Run once, after the measurement.
#include "result_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <unistr.h>

#include "cpu.h"
#include "percentile_curve.h"

void result_json_add_real(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key, double value)
{
    yyjson_mut_obj_add_real(d, to, key,
                            (double)(int64_t)(value * 1000 + (value < 0 ? -0.5 : 0.5)) / 1000);
}

void result_json_add_optional(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key, bool has,
                              double value)
{
    if (has)
        result_json_add_real(d, to, key, value);
    else
        yyjson_mut_obj_add_null(d, to, key);
}

void result_json_add_machine(yyjson_mut_doc *d, yyjson_mut_val *to)
{
    char model[128];
    struct utsname system;

    cpu_model_name(model, sizeof model);
    yyjson_mut_obj_add_strcpy(d, to, "cpu", model);
    cpu_model_id(model, sizeof model);
    yyjson_mut_obj_add_strcpy(d, to, "cpu_id", model);
    yyjson_mut_obj_add_int(d, to, "cores", sysconf(_SC_NPROCESSORS_ONLN));
    yyjson_mut_obj_add_strcpy(d, to, "kernel", uname(&system) == 0 ? system.release : "unknown");
}

static yyjson_mut_val *make_text(yyjson_mut_doc *d, const char *text)
{
    yyjson_mut_val *value = yyjson_mut_strcpy(d, text);
    // Ours: it was copied.
    uint8_t *at = (uint8_t *)(uintptr_t)yyjson_mut_get_str(value);
    const uint8_t *wrong;

    while (at && (wrong = u8_check(at, strlen((const char *)at))) != NULL) {
        at = (uint8_t *)(uintptr_t)wrong;
        *at++ = '?';
    }
    return value;
}

void result_json_add_text(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key, const char *text)
{
    yyjson_mut_obj_add_val(d, to, key, make_text(d, text));
}

void result_json_append_text(yyjson_mut_doc *d, yyjson_mut_val *list, const char *text)
{
    yyjson_mut_arr_append(list, make_text(d, text));
}

void result_json_hide_credentials(char *text)
{
    for (char *at = text; (at = strstr(at, "://")) != NULL;) {
        size_t len = strcspn(at += 3, "/?# '\"");
        char *host = memrchr(at, '@', len);

        if (!host || host == at)
            continue;
        *at++ = '*';
        memmove(at, host, strlen(host) + 1);
    }
}

void result_json_add_argv(yyjson_mut_doc *d, yyjson_mut_val *to, int argc, char **argv)
{
    yyjson_mut_val *args = yyjson_mut_obj_add_arr(d, to, "argv");

    for (int i = 0; i < argc; i++) {
        char *shown = strdup(argv[i]);

        if (!shown)
            return; // memory is short: what follows will not be written either
        result_json_hide_credentials(shown);
        yyjson_mut_arr_append(args, make_text(d, shown));
        free(shown);
    }
}

void result_json_add_hist(yyjson_mut_doc *d, yyjson_mut_val *to, const char *key,
                          const struct hist *h)
{
    yyjson_mut_val *o = yyjson_mut_obj_add_obj(d, to, key);

    yyjson_mut_obj_add_uint(d, o, "count", h->total);
    result_json_add_optional(d, o, "mean", h->total > 0, hist_mean(h) / 1e3);
#define X(name, p)                                                                                 \
    result_json_add_optional(d, o, name, hist_percentile_supported(h, p),                          \
                             (double)hist_percentile(h, p) / 1e3);
    RESULT_JSON_PERCENTILES(X)
#undef X
    result_json_add_optional(d, o, "max", h->total > 0, (double)h->max / 1e3);
}

void result_json_add_curve(yyjson_mut_doc *d, yyjson_mut_val *hist_obj, const struct hist *h)
{
    struct percentile_point points[PERCENTILE_CURVE_POINTS_MAX];
    uint32_t count = percentile_curve_of(h, points);
    yyjson_mut_val *curve = yyjson_mut_obj_add_arr(d, hist_obj, "curve");

    for (uint32_t i = 0; i < count; i++) {
        yyjson_mut_val *point = yyjson_mut_arr_add_arr(d, curve);

        yyjson_mut_arr_add_real(d, point, round(points[i].percentile * 1e6) / 1e6);
        yyjson_mut_arr_add_real(d, point, (double)points[i].value / 1e3);
    }
}
