// Results in the formats of other tools, and as a baseline of our own.
#include "export.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "junit.h"
#include "stat_sample.h"

#define CASES_PER_RESULT (2 + MEASUREMENT_THRESHOLDS_MAX)

static bool is_usable(const struct measurement *m)
{
    return m->trust <= MEASUREMENT_SUSPECT;
}

// No earlier usable result of the list has the same name.
static bool is_first(const struct measurement_list *list, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (is_usable(&list->items[i]) && strcmp(list->items[i].name, list->items[at].name) == 0)
            return false;
    return true;
}

static size_t collect(const struct measurement_list *list, const char *name, enum metric metric,
                      double *values)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        if (is_usable(&list->items[i]) && !isnan(list->items[i].values[metric]) &&
            strcmp(list->items[i].name, name) == 0)
            values[count++] = list->items[i].values[metric];
    stat_sample_sort(values, count);
    return count;
}

static int write_json(yyjson_mut_doc *doc, FILE *out)
{
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);

    yyjson_mut_doc_free(doc);
    if (!text)
        return -ENOMEM;
    fprintf(out, "%s\n", text);
    free(text);
    return 0;
}

int export_write_bencher(const struct measurement_list *list, FILE *out)
{
    double *values = calloc(list->count + 1, sizeof *values);
    yyjson_mut_doc *doc = values ? yyjson_mut_doc_new(NULL) : NULL;
    yyjson_mut_val *root = yyjson_mut_obj(doc), *bench, *measure;

    if (!doc) {
        free(values);
        return -ENOMEM;
    }
    yyjson_mut_doc_set_root(doc, root);
    for (size_t i = 0; i < list->count; i++) {
        if (!is_usable(&list->items[i]) || !is_first(list, i))
            continue;
        bench = yyjson_mut_obj_add_obj(doc, root, list->items[i].name);
        for (unsigned k = 0; k < METRIC_COUNT; k++) {
            size_t count = collect(list, list->items[i].name, (enum metric)k, values);

            if (count == 0)
                continue;
            measure = yyjson_mut_obj_add_obj(doc, bench, metric_kinds[k].name);
            yyjson_mut_obj_add_real(doc, measure, "value", stat_sample_median(values, count));
            yyjson_mut_obj_add_real(doc, measure, "lower_value", values[0]);
            yyjson_mut_obj_add_real(doc, measure, "upper_value", values[count - 1]);
        }
    }
    free(values);
    return write_json(doc, out);
}

static const struct {
    enum metric metric;
    const char *unit;
    double factor;
    bool higher_is_better;
} go_units[] = {
    {METRIC_throughput, "messages/s", 1, true},
    {METRIC_handshakes, "handshakes/s", 1, true},
    {METRIC_response_p50, "p50-ns", 1000, false},
    {METRIC_response_p99, "p99-ns", 1000, false},
    {METRIC_response_p99_9, "p99.9-ns", 1000, false},
    {METRIC_handshake_p50, "handshake-p50-ns", 1000, false},
    {METRIC_handshake_p99, "handshake-p99-ns", 1000, false},
    {METRIC_server_cpu, "server-cpu-ns", 1, false},
    {METRIC_server_cpu_handshake, "server-cpu-handshake-ns", 1, false},
    {METRIC_generator_cpu, "generator-cpu-ns", 1, false},
    {METRIC_bytes_per_conn, "B/conn", 1, false},
    {METRIC_ratio_to_raw, "ratio-to-raw", 1, true},
    {METRIC_cpu_ratio_to_raw, "cpu-ratio-to-raw", 1, false},
    {METRIC_generator_ratio_to_raw, "generator-ratio-to-raw", 1, false},
};

// A benchmark's name begins with a capital letter and ends at white space.
static void write_go_name(const char *name, FILE *out)
{
    fputs("Benchmark", out);
    for (bool is_start = true; *name != '\0'; name++, is_start = false)
        fputc(is_start                             ? toupper((unsigned char)*name)
              : isspace((unsigned char)*name) != 0 ? '_'
                                                   : *name,
              out);
}

void export_write_go(const struct measurement_list *list, FILE *out)
{
    const char *cpu = list->count > 0 ? list->items[0].settings[SETTING_cpu] : "";

    fputs("goos: linux\ngoarch: amd64\npkg: sealpost\n", out);
    if (cpu[0] != '\0')
        fprintf(out, "cpu: %s\n", cpu);
    for (size_t i = 0; i < COUNT_OF(go_units); i++)
        fprintf(out, "Unit %s better=%s\n", go_units[i].unit,
                go_units[i].higher_is_better ? "higher" : "lower");
    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i];
        double per_s = isnan(m->values[METRIC_throughput]) ? m->values[METRIC_handshakes]
                                                           : m->values[METRIC_throughput];

        if (!is_usable(m))
            continue;
        write_go_name(m->name, out);
        fputs(" 1", out);
        if (!isnan(per_s))
            fprintf(out, " %.6g ns/op", 1e9 / per_s);
        for (size_t k = 0; k < COUNT_OF(go_units); k++)
            if (!isnan(m->values[go_units[k].metric]))
                fprintf(out, " %.10g %s", m->values[go_units[k].metric] * go_units[k].factor,
                        go_units[k].unit);
        fputc('\n', out);
    }
}

static struct junit_case case_of(const struct measurement *m, const char *name, bool passed,
                                 const char *message)
{
    return (struct junit_case){.pattern = m->name,
                               .name = name,
                               .outcome = passed ? JUNIT_PASSED : JUNIT_FAILED,
                               .message = message};
}

int export_write_junit(const struct measurement_list *list, FILE *out)
{
    struct junit_case *cases = calloc(list->count * CASES_PER_RESULT + 1, sizeof *cases);
    size_t count = 0;
    int err = cases ? 0 : -ENOMEM;

    for (size_t i = 0; err == 0 && i < list->count; i++) {
        const struct measurement *m = &list->items[i];

        if (m->is_part)
            continue;
        cases[count++] = case_of(m, "delivery", m->trust != MEASUREMENT_FAULTY, m->reason);
        cases[count++] =
            case_of(m, "generator",
                    m->trust != MEASUREMENT_LIMITED && m->trust != MEASUREMENT_BROKEN, m->reason);
        for (unsigned t = 0; t < m->threshold_count; t++) {
            const struct measurement_threshold *threshold = &m->thresholds[t];

            cases[count++] = case_of(m, threshold->name, threshold->passed,
                                     threshold->reason[0] != '\0' ? threshold->reason
                                                                  : "the objective was missed");
        }
    }
    if (err == 0)
        junit_write(out, "sealpost-load", cases, count);
    free(cases);
    return err;
}

static void write_csv_text(const char *text, FILE *out)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++)
        fprintf(out, *text == '"' ? "\"%c" : "%c", *text);
    fputc('"', out);
}

void export_write_csv(const struct measurement_list *list, FILE *out)
{
    fputs("pattern,file,commit,trust,reason", out);
    for (unsigned k = 0; k < SETTING_COUNT; k++)
        fprintf(out, ",%s", setting_kinds[k].name);
    for (unsigned k = 0; k < METRIC_COUNT; k++)
        fprintf(out, ",%s", metric_kinds[k].name);
    fputs("\r\n", out);
    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i];
        const char *const texts[] = {m->name, m->source, m->commit,
                                     measurement_trust_name(m->trust), m->reason};

        for (size_t k = 0; k < COUNT_OF(texts); k++) {
            fputs(k > 0 ? "," : "", out);
            write_csv_text(texts[k], out);
        }
        for (unsigned k = 0; k < SETTING_COUNT; k++) {
            fputc(',', out);
            write_csv_text(m->settings[k], out);
        }
        for (unsigned k = 0; k < METRIC_COUNT; k++)
            if (isnan(m->values[k]))
                fputc(',', out);
            else
                fprintf(out, ",%.10g", m->values[k]);
        fputs("\r\n", out);
    }
}

static void add_count(yyjson_mut_doc *doc, yyjson_mut_val *to, const char *key, const char *text)
{
    if (text[0] != '\0')
        yyjson_mut_obj_add_uint(doc, to, key, strtoull(text, NULL, 10));
}

static void add_env(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct measurement *m)
{
    yyjson_mut_val *env = yyjson_mut_obj_add_obj(doc, root, "env");

    yyjson_mut_obj_add_str(doc, env, "cpu", m->settings[SETTING_cpu]);
    yyjson_mut_obj_add_str(doc, env, "cpu_id", m->settings[SETTING_cpu_id]);
    add_count(doc, env, "cores", m->settings[SETTING_cores]);
    yyjson_mut_obj_add_str(doc, env, "kernel", m->settings[SETTING_kernel]);
    yyjson_mut_obj_add_str(doc, env, "commit", m->commit);
    yyjson_mut_obj_add_bool(doc, env, "together",
                            strcmp(m->settings[SETTING_together], "true") == 0);
}

static void add_samples(yyjson_mut_doc *doc, yyjson_mut_val *row,
                        const struct measurement_list *list, const char *name)
{
    static const enum metric kept[] = {METRIC_server_cpu, METRIC_ratio_to_raw,
                                       METRIC_cpu_ratio_to_raw, METRIC_generator_ratio_to_raw};
    yyjson_mut_val *samples = yyjson_mut_obj_add_arr(doc, row, "samples");

    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i];
        yyjson_mut_val *sample;

        if (!is_usable(m) || strcmp(m->name, name) != 0)
            continue;
        sample = yyjson_mut_arr_add_obj(doc, samples);
        for (size_t k = 0; k < COUNT_OF(kept); k++)
            if (!isnan(m->values[kept[k]]))
                yyjson_mut_obj_add_real(doc, sample, metric_kinds[kept[k]].bench_path,
                                        round(m->values[kept[k]] * 10000) / 10000);
    }
}

int export_write_baseline(const struct measurement_list *list, FILE *out)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *rows = NULL, *row;

    if (!doc)
        return -ENOMEM;
    yyjson_mut_doc_set_root(doc, root);
    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i];
        const char *slash = strchr(m->name, '/');

        if (!is_usable(m) || m->is_yardstick || !slash || !is_first(list, i) ||
            isnan(m->values[METRIC_cpu_ratio_to_raw]))
            continue;
        if (!rows) {
            add_env(doc, root, m);
            rows = yyjson_mut_obj_add_arr(doc, root, "rows");
        }
        row = yyjson_mut_arr_add_obj(doc, rows);
        yyjson_mut_obj_add_strncpy(doc, row, "pattern", m->name, (size_t)(slash - m->name));
        yyjson_mut_obj_add_str(doc, row, "server", slash + 1);
        add_count(doc, row, "connections", m->settings[SETTING_connections]);
        add_count(doc, row, "in_flight", m->settings[SETTING_in_flight]);
        add_count(doc, row, "payload_bytes", m->settings[SETTING_payload_bytes]);
        add_samples(doc, row, list, m->name);
    }
    if (!rows) {
        yyjson_mut_doc_free(doc);
        return -ENODATA;
    }
    return write_json(doc, out);
}
