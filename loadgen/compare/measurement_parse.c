// Results as text → measurements. Pure. Values of another kind than expected count as absent; only
// what is no result at all is refused.
#include "measurement_parse.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "description.h"
#include "exit_code.h"

#define PATH_BYTES 64u
#define LOAD_SCHEMA "sealpost.load/1"

struct parse {
    struct measurement_list *list;
    const char *source;
    char *reason;
    yyjson_val *env; // of a result of sealpost-bench; NULL for bare rows
};

static const char *const faults[] = {"lost",      "duplicate", "reordered", "gaps",
                                     "misrouted", "auth_fail", "foreign"};
// Also faults in the bench's closed loop, where nothing is absent and nobody leaves.
static const char *const bench_faults[] = {"refused", "disconnected"};

PRINTF_LIKE(3, 4) static int refuse(struct parse *p, int err, const char *format, ...)
{
    size_t len = (size_t)snprintf(p->reason, MEASUREMENT_PARSE_REASON_BYTES, "%.100s: ", p->source);
    va_list args;

    va_start(args, format);
    vsnprintf(p->reason + len, MEASUREMENT_PARSE_REASON_BYTES - len, format, args);
    va_end(args);
    return err;
}

static yyjson_val *find(yyjson_val *at, const char *path)
{
    char copy[PATH_BYTES];
    char *rest = copy;

    if (path[0] == '\0')
        return NULL;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key; at && (key = strsep(&rest, ".")) != NULL;)
        at = yyjson_obj_get(at, key);
    return at;
}

// A figure a ratio can be made of. A run that delivered nothing has no throughput to compare.
static double figure(yyjson_val *v)
{
    double value = yyjson_is_num(v) ? yyjson_get_num(v) : NAN;

    return isfinite(value) && value > 0 ? value : NAN;
}

static void take_text(char out[MEASUREMENT_TEXT_BYTES], yyjson_val *v)
{
    out[0] = '\0';
    if (yyjson_is_str(v))
        snprintf(out, MEASUREMENT_TEXT_BYTES, "%s", yyjson_get_str(v));
    else if (yyjson_is_bool(v))
        snprintf(out, MEASUREMENT_TEXT_BYTES, "%s", yyjson_get_bool(v) ? "true" : "false");
    else if (yyjson_is_num(v))
        snprintf(out, MEASUREMENT_TEXT_BYTES, "%.10g", yyjson_get_num(v));
}

static struct measurement *append(struct parse *p, int *err)
{
    struct measurement_list *list = p->list;
    struct measurement *m;

    if (list->count == MEASUREMENT_LIST_MAX) {
        *err = refuse(p, -E2BIG, "more than %u results at once", MEASUREMENT_LIST_MAX);
        return NULL;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        struct measurement *items = realloc(list->items, capacity * sizeof *items);

        if (!items) {
            *err = refuse(p, -ENOMEM, "out of memory");
            return NULL;
        }
        list->items = items;
        list->capacity = capacity;
    }
    m = &list->items[list->count++];
    measurement_init(m);
    snprintf(m->source, sizeof m->source, "%s", p->source);
    return m;
}

static void distrust(struct measurement *m, enum measurement_trust trust, const char *reason)
{
    if (trust <= m->trust)
        return;
    m->trust = trust;
    snprintf(m->reason, sizeof m->reason, "%s", reason);
}

// Appends "3 lost, 1 duplicate", or nothing.
static void list_faults(yyjson_val *delivery, const char *const *names, size_t count,
                        char text[MEASUREMENT_REASON_BYTES])
{
    size_t len = strlen(text);

    for (size_t i = 0; i < count; i++) {
        yyjson_val *v = yyjson_obj_get(delivery, names[i]);

        if (yyjson_is_num(v) && yyjson_get_num(v) > 0 && len < MEASUREMENT_REASON_BYTES)
            len += (size_t)snprintf(text + len, MEASUREMENT_REASON_BYTES - len, "%s%.10g %s",
                                    len > 0 ? ", " : "", yyjson_get_num(v), names[i]);
    }
}

static void judge_load(struct measurement *m, yyjson_val *root)
{
    yyjson_val *verdict = find(root, "generator.verdict");
    yyjson_val *why = yyjson_arr_get_first(find(root, "generator.reasons"));
    const char *reason = yyjson_is_str(why) ? yyjson_get_str(why) : "the result does not say why";
    yyjson_val *failure = find(root, "run.failure"), *code = yyjson_obj_get(root, "exit_code");
    yyjson_val *delivery = yyjson_obj_get(root, "delivery");
    char text[MEASUREMENT_REASON_BYTES] = "";
    bool failed;

    if (yyjson_equals_str(verdict, "suspect"))
        distrust(m, MEASUREMENT_SUSPECT, reason);
    if (yyjson_equals_str(verdict, "limited"))
        distrust(m, MEASUREMENT_LIMITED, reason);
    if (yyjson_is_true(find(root, "run.interrupted")))
        distrust(m, MEASUREMENT_BROKEN, "the run was interrupted");
    if (yyjson_is_str(failure))
        distrust(m, MEASUREMENT_BROKEN, yyjson_get_str(failure));
    switch (yyjson_is_int(code) ? yyjson_get_int(code) : 0) {
    case EXIT_CODE_INTERNAL:
    case EXIT_CODE_BAD_OPTIONS:
    case EXIT_CODE_INTERRUPTED:
    case EXIT_CODE_UNREACHABLE:
        distrust(m, MEASUREMENT_BROKEN, "the run failed");
        break;
    case EXIT_CODE_LIMITED:
        distrust(m, MEASUREMENT_LIMITED, reason);
        break;
    default:
        break;
    }
    failed = yyjson_is_int(code) && yyjson_get_int(code) == EXIT_CODE_INTEGRITY;
    list_faults(delivery, faults, COUNT_OF(faults), text);
    if (failed) // only then: what an open loop is refused is load, not damage
        list_faults(delivery, bench_faults, COUNT_OF(bench_faults), text);
    if (failed && text[0] == '\0')
        snprintf(text, sizeof text, "delivery failed");
    if (text[0] != '\0')
        distrust(m, MEASUREMENT_FAULTY, text);
}

// Processor time of all generator threads for each message: their busy shares over the rate.
static double generator_cpu(yyjson_val *busy_pct, double per_s)
{
    double sum = 0;
    yyjson_val *v;
    size_t i, n;

    yyjson_arr_foreach(busy_pct, i, n, v) sum += yyjson_is_num(v) ? yyjson_get_num(v) : 0;
    return isfinite(sum) && sum > 0 ? sum / 100 * 1e9 / per_s : NAN;
}

static int take_thresholds(struct parse *p, struct measurement *m, yyjson_val *list)
{
    size_t count = yyjson_arr_size(list), i, n;
    yyjson_val *v;

    if (count == 0)
        return 0;
    if (count > MEASUREMENT_THRESHOLDS_MAX)
        return refuse(p, -EBADMSG, "more than %u thresholds", MEASUREMENT_THRESHOLDS_MAX);
    m->thresholds = calloc(count, sizeof *m->thresholds);
    if (!m->thresholds)
        return refuse(p, -ENOMEM, "out of memory");
    yyjson_arr_foreach(list, i, n, v)
    {
        struct measurement_threshold *t = &m->thresholds[m->threshold_count];
        yyjson_val *text = yyjson_obj_get(v, "text"), *ok = yyjson_obj_get(v, "ok");
        yyjson_val *why = yyjson_obj_get(v, "reason");

        if (!yyjson_is_str(text) || !yyjson_is_bool(ok))
            return refuse(p, -EBADMSG, "a threshold without its text or outcome");
        snprintf(t->name, sizeof t->name, "%s", yyjson_get_str(text));
        snprintf(t->reason, sizeof t->reason, "%s", yyjson_is_str(why) ? yyjson_get_str(why) : "");
        t->passed = yyjson_get_bool(ok);
        m->threshold_count++;
    }
    return 0;
}

static double number(yyjson_val *of, const char *path)
{
    return yyjson_get_num(find(of, path));
}

// "hold 10 100-100, ramp 5 100-900": what every stage offered.
static void describe_stages(char out[MEASUREMENT_TEXT_BYTES], yyjson_val *stages)
{
    struct description d = {.out = out, .hash = DESCRIPTION_HASH_BEGIN};
    size_t i, n;
    yyjson_val *v;

    yyjson_arr_foreach(stages, i, n, v)
    {
        char kind[MEASUREMENT_TEXT_BYTES];

        take_text(kind, yyjson_obj_get(v, "kind"));
        description_add(&d, "%s%s %.6g %.6g-%.6g", i > 0 ? ", " : "", kind, number(v, "length_s"),
                        number(v, "from_per_s"), number(v, "to_per_s"));
        if (yyjson_is_obj(yyjson_obj_get(v, "burst")))
            description_add(&d, " +%.10g/%.6g", number(v, "burst.count"),
                            number(v, "burst.every_s"));
    }
    description_end(&d);
}

// "pair 80, fan_out 20": behaviours and their users.
static void describe_groups(char out[MEASUREMENT_TEXT_BYTES], yyjson_val *groups)
{
    struct description d = {.out = out, .hash = DESCRIPTION_HASH_BEGIN};
    size_t i, n;
    yyjson_val *v;

    yyjson_arr_foreach(groups, i, n, v)
    {
        char behaviour[MEASUREMENT_TEXT_BYTES];

        take_text(behaviour, yyjson_obj_get(v, "behaviour"));
        description_add(&d, "%s%s %.10g", i > 0 ? ", " : "", behaviour, number(v, "users"));
    }
    description_end(&d);
}

// A stage or a group as a pattern of its own, "…/stage=2-spike": what it carried and how fast. What
// the whole run was of, and how far it is trusted, is its parent's.
static int append_part(struct parse *p, size_t parent, const char *kind, size_t number,
                       yyjson_val *name, yyjson_val *part, double per_s)
{
    int err = 0;
    struct measurement *m = append(p, &err);
    size_t len;

    if (!m)
        return err;
    *m = p->list->items[parent];
    m->thresholds = NULL;
    m->threshold_count = 0;
    m->is_part = true;
    len = strlen(m->name);
    snprintf(m->name + len, sizeof m->name - len, "/%s=%zu-%s", kind, number + 1,
             yyjson_is_str(name) ? yyjson_get_str(name) : "");
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        m->values[i] = figure(find(part, metric_kinds[i].load_path));
    m->values[METRIC_throughput] = isfinite(per_s) && per_s > 0 ? per_s : NAN;
    return 0;
}

static int parse_parts(struct parse *p, size_t parent, yyjson_val *root)
{
    yyjson_val *groups = yyjson_obj_get(root, "groups"), *v;
    size_t i, n;
    int err = 0;

    yyjson_arr_foreach(yyjson_obj_get(root, "stages"), i, n, v)
    {
        err = append_part(p, parent, "stage", i, yyjson_obj_get(v, "name"), v,
                          yyjson_get_num(yyjson_obj_get(v, "delivered")) /
                              yyjson_get_num(yyjson_obj_get(v, "length_s")));
        if (err < 0)
            return err;
    }
    // A single group is the whole run.
    if (yyjson_arr_size(groups) < 2)
        return 0;
    yyjson_arr_foreach(groups, i, n, v)
    {
        err = append_part(p, parent, "group", i, yyjson_obj_get(v, "behaviour"), v,
                          yyjson_get_num(yyjson_obj_get(v, "per_s")));
        if (err < 0)
            return err;
    }
    return 0;
}

static int parse_load(struct parse *p, yyjson_val *root)
{
    size_t at = p->list->count;
    int err = 0;
    struct measurement *m;
    const char *mode;

    if (!yyjson_is_str(find(root, "run.config.mode")))
        return refuse(p, -EBADMSG, "a result without run.config.mode");
    m = append(p, &err);
    if (!m)
        return err;
    for (unsigned i = 0; i < SETTING_COUNT; i++)
        take_text(m->settings[i], find(root, setting_kinds[i].path));
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        m->values[i] = figure(find(root, metric_kinds[i].load_path));
    mode = m->settings[SETTING_mode];
    m->values[METRIC_generator_cpu] = generator_cpu(
        find(root, "generator.busy_pct_per_thread"),
        m->values[strcmp(mode, "handshake") == 0 ? METRIC_handshakes : METRIC_throughput]);
    // Memory for each connection is what an idle run is for; under load it is noise of pools.
    if (strcmp(mode, "idle") != 0)
        m->values[METRIC_bytes_per_conn] = NAN;
    describe_stages(m->settings[SETTING_stages], yyjson_obj_get(root, "stages"));
    describe_groups(m->settings[SETTING_groups], yyjson_obj_get(root, "groups"));
    take_text(m->commit, find(root, "run.commit"));
    measurement_name(m);
    judge_load(m, root);
    err = take_thresholds(p, m, yyjson_obj_get(root, "thresholds"));
    return err < 0 ? err : parse_parts(p, at, root);
}

static struct measurement *append_bench(struct parse *p, const char *pattern, yyjson_val *row,
                                        int *err)
{
    yyjson_val *server = yyjson_obj_get(row, "server");
    const char *name = yyjson_is_str(server) ? yyjson_get_str(server) : NULL;
    struct measurement *m;

    if (!name) {
        *err = refuse(p, -EBADMSG, "a row without its server");
        return NULL;
    }
    m = append(p, err);
    if (!m)
        return NULL;
    snprintf(m->name, sizeof m->name, "%s/%s", pattern, name);
    m->is_yardstick = strcmp(name, "raw") == 0;
    take_text(m->settings[SETTING_connections], yyjson_obj_get(row, "connections"));
    take_text(m->settings[SETTING_in_flight], yyjson_obj_get(row, "in_flight"));
    take_text(m->settings[SETTING_payload_bytes], yyjson_obj_get(row, "payload_bytes"));
    take_text(m->settings[SETTING_cpu], yyjson_obj_get(p->env, "cpu"));
    take_text(m->settings[SETTING_cpu_id], yyjson_obj_get(p->env, "cpu_id"));
    take_text(m->settings[SETTING_cores], yyjson_obj_get(p->env, "cores"));
    take_text(m->settings[SETTING_kernel], yyjson_obj_get(p->env, "kernel"));
    take_text(m->settings[SETTING_duration_s], yyjson_obj_get(p->env, "seconds"));
    take_text(m->settings[SETTING_together], yyjson_obj_get(p->env, "together"));
    if (m->settings[SETTING_together][0] == '\0')
        strcpy(m->settings[SETTING_together], "false");
    take_text(m->commit, yyjson_obj_get(p->env, "commit"));
    return m;
}

// One round of a row, or a row that holds only the medians of its rounds.
static int parse_sample(struct parse *p, yyjson_val *row, yyjson_val *sample, size_t number)
{
    char text[MEASUREMENT_REASON_BYTES] = "";
    yyjson_val *delivery = yyjson_obj_get(row, "delivery"), *pair = yyjson_obj_get(p->env, "pair");
    int err = 0;
    struct measurement *m =
        append_bench(p, yyjson_get_str(yyjson_obj_get(row, "pattern")), row, &err);

    if (!m)
        return err;
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        m->values[i] = figure(find(sample, metric_kinds[i].bench_path));
    if (yyjson_is_str(pair))
        snprintf(m->pair, sizeof m->pair, "%s#%zu", yyjson_get_str(pair), number);
    list_faults(delivery, faults, COUNT_OF(faults), text);
    list_faults(delivery, bench_faults, COUNT_OF(bench_faults), text);
    if (text[0] != '\0')
        distrust(m, MEASUREMENT_FAULTY, text);
    return 0;
}

static int parse_row(struct parse *p, yyjson_val *row)
{
    yyjson_val *samples = yyjson_obj_get(row, "samples"), *v;
    size_t i, n;
    int err = 0;

    if (!yyjson_is_str(yyjson_obj_get(row, "pattern")))
        return refuse(p, -EBADMSG, "a row without its pattern");
    if (yyjson_arr_size(samples) == 0)
        return parse_sample(p, row, row, 0);
    yyjson_arr_foreach(samples, i, n, v) if ((err = parse_sample(p, row, v, i)) < 0) break;
    return err;
}

static int parse_idle(struct parse *p, yyjson_val *row)
{
    int err = 0;
    struct measurement *m = append_bench(p, "idle", row, &err);

    if (m)
        m->values[METRIC_bytes_per_conn] = figure(yyjson_obj_get(row, "marginal_bytes_per_conn"));
    return err;
}

static int parse_bench(struct parse *p, yyjson_val *root)
{
    yyjson_val *v;
    size_t i, n;
    int err = 0;

    p->env = yyjson_obj_get(root, "env");
    yyjson_arr_foreach(yyjson_obj_get(root, "rows"), i, n, v)
    {
        err = parse_row(p, v);
        if (err < 0)
            return err;
    }
    yyjson_arr_foreach(yyjson_obj_get(root, "idle"), i, n, v)
    {
        err = parse_idle(p, v);
        if (err < 0)
            return err;
    }
    p->env = NULL;
    return 0;
}

static int parse_value(struct parse *p, yyjson_val *v)
{
    yyjson_val *schema = yyjson_obj_get(v, "schema");

    if (yyjson_equals_str(schema, LOAD_SCHEMA))
        return parse_load(p, v);
    if (yyjson_is_str(schema) && strncmp(yyjson_get_str(schema), "sealpost.load/", 14) == 0)
        return refuse(p, -EBADMSG, "a result of schema %.40s; this program reads " LOAD_SCHEMA,
                      yyjson_get_str(schema));
    if (yyjson_is_arr(yyjson_obj_get(v, "rows")))
        return parse_bench(p, v);
    if (yyjson_obj_get(v, "pattern") && yyjson_obj_get(v, "server"))
        return parse_row(p, v);
    return refuse(p, -EBADMSG, "not a result of sealpost-load or of sealpost-bench run");
}

static int parse_document(struct parse *p, yyjson_val *root)
{
    yyjson_val *v;
    size_t i, n;

    if (!yyjson_is_arr(root))
        return parse_value(p, root);
    yyjson_arr_foreach(root, i, n, v)
    {
        int err = parse_value(p, v);

        if (err < 0)
            return err;
    }
    return 0;
}

static size_t skip_space(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len &&
           (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
        at++;
    return at;
}

int measurement_parse(struct measurement_list *list, const char *text, size_t len,
                      const char *source, char reason[MEASUREMENT_PARSE_REASON_BYTES])
{
    struct parse p = {.list = list, .source = source, .reason = reason};
    size_t at = skip_space(text, len);

    if (at == len)
        return refuse(&p, -EBADMSG, "the file is empty");
    while (at < len) {
        yyjson_read_err bad;
        // With this flag nothing is written into the text.
        yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)(text + at), len - at,
                                           YYJSON_READ_STOP_WHEN_DONE, NULL, &bad);
        int err;

        if (!doc && bad.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
            return refuse(&p, -ENOMEM, "out of memory");
        if (!doc)
            return refuse(&p, -EBADMSG, "not JSON: %s at byte %zu", bad.msg, at + bad.pos);
        err = parse_document(&p, yyjson_doc_get_root(doc));
        at += yyjson_doc_get_read_size(doc);
        at += skip_space(text + at, len - at);
        yyjson_doc_free(doc);
        if (err < 0)
            return err;
    }
    return 0;
}

void measurement_list_free(struct measurement_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        measurement_free(&list->items[i]);
    free(list->items);
    *list = (struct measurement_list){0};
}
