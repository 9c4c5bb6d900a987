// A comparison as a document. Reals go out as they are: a p of a thousandth must stay one. Pure.
#include "comparison_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

#include "result_json.h"

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

static void add_known(doc_t *d, val_t *to, const char *key, double value)
{
    if (isfinite(value))
        yyjson_mut_obj_add_real(d, to, key, value);
    else
        yyjson_mut_obj_add_null(d, to, key);
}

static void add_text_or_null(doc_t *d, val_t *to, const char *key, const char *text)
{
    if (text[0] != '\0')
        result_json_add_text(d, to, key, text);
    else
        yyjson_mut_obj_add_null(d, to, key);
}

static void add_run(doc_t *d, val_t *root, int argc, char **argv)
{
    val_t *run = yyjson_mut_obj_add_obj(d, root, "run");

    yyjson_mut_obj_add_str(d, run, "version", SEALPOST_VERSION);
    result_json_add_argv(d, run, argc, argv);
}

static void add_method(doc_t *d, val_t *root, const struct comparison_options *o)
{
    val_t *method = yyjson_mut_obj_add_obj(d, root, "method");

    yyjson_mut_obj_add_real(d, method, "alpha", o->alpha);
    yyjson_mut_obj_add_real(d, method, "confidence", o->confidence);
    yyjson_mut_obj_add_uint(d, method, "repeats_min", o->repeats_min);
    yyjson_mut_obj_add_uint(d, method, "seed", o->seed);
}

static void add_env(doc_t *d, val_t *root, const char *side, const struct comparison_env *e)
{
    val_t *o = yyjson_mut_obj_add_obj(d, root, side);

    yyjson_mut_obj_add_uint(d, o, "results", e->runs);
    add_text_or_null(d, o, "commit", e->commit);
    add_text_or_null(d, o, "cpu", e->cpu);
    if (e->cores[0] != '\0')
        yyjson_mut_obj_add_uint(d, o, "cores", strtoul(e->cores, NULL, 10));
    else
        yyjson_mut_obj_add_null(d, o, "cores");
    add_text_or_null(d, o, "kernel", e->kernel);
}

static void add_side(doc_t *d, val_t *row, const char *side, double median, size_t count)
{
    val_t *o = yyjson_mut_obj_add_obj(d, row, side);

    add_known(d, o, "median", median);
    yyjson_mut_obj_add_uint(d, o, "count", count);
}

static void add_row(doc_t *d, val_t *list, const char *pattern, const struct comparison_row *r)
{
    const struct metric_kind *kind = &metric_kinds[r->metric];
    val_t *o = yyjson_mut_arr_add_obj(d, list);

    result_json_add_text(d, o, "pattern", pattern);
    yyjson_mut_obj_add_str(d, o, "metric", kind->name);
    yyjson_mut_obj_add_str(d, o, "unit", kind->unit);
    yyjson_mut_obj_add_bool(d, o, "higher_is_better", kind->higher_is_better);
    add_side(d, o, "base", r->base, r->base_count);
    add_side(d, o, "new", r->new, r->new_count);
    yyjson_mut_obj_add_bool(d, o, "paired", r->is_paired);
    add_known(d, o, "change", r->change);
    add_known(d, o, "low", r->low);
    add_known(d, o, "high", r->high);
    add_known(d, o, "p", r->p);
    add_known(d, o, "noise", r->noise);
    add_known(d, o, "effect", r->effect);
    yyjson_mut_obj_add_str(
        d, o, "verdict",
        r->verdict == COMPARISON_NOT_JUDGED ? "not_judged" : comparison_verdict_name(r->verdict));
    add_text_or_null(d, o, "why", r->why);
    yyjson_mut_obj_add_bool(d, o, "may_be_worse", r->may_be_worse);
    yyjson_mut_obj_add_bool(d, o, "gate", r->is_gate);
}

static void add_notes(doc_t *d, val_t *root, const struct comparison *c)
{
    val_t *list = yyjson_mut_obj_add_arr(d, root, "notes");

    for (unsigned i = 0; i < c->note_count; i++)
        result_json_append_text(d, list, c->notes[i]);
    yyjson_mut_obj_add_uint(d, root, "notes_dropped", c->notes_dropped);
}

int comparison_json_write(const struct comparison *c, int argc, char **argv, FILE *out)
{
    enum comparison_exit code = comparison_exit_code(c);
    doc_t *d = yyjson_mut_doc_new(NULL);
    val_t *root = yyjson_mut_obj(d), *rows;
    char *text;

    yyjson_mut_doc_set_root(d, root);
    yyjson_mut_obj_add_str(d, root, "schema", COMPARISON_JSON_SCHEMA);
    add_run(d, root, argc, argv);
    yyjson_mut_obj_add_int(d, root, "exit_code", code);
    yyjson_mut_obj_add_str(d, root, "result", comparison_exit_text(code));
    add_method(d, root, &c->options);
    add_env(d, root, "base", &c->base);
    add_env(d, root, "new", &c->new);
    rows = yyjson_mut_obj_add_arr(d, root, "rows");
    for (unsigned g = 0; g < c->group_count; g++) {
        for (unsigned i = 0; i < c->groups[g].row_count; i++)
            add_row(d, rows, c->groups[g].name, &c->groups[g].rows[i]);
    }
    yyjson_mut_obj_add_bool(d, root, "delivery_faults", c->has_faults);
    yyjson_mut_obj_add_bool(d, root, "patterns_missing", c->has_gaps);
    add_notes(d, root, c);
    text = d ? yyjson_mut_write(d, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL) : NULL;
    yyjson_mut_doc_free(d);
    if (!text)
        return -ENOMEM;
    fprintf(out, "%s\n", text);
    free(text);
    return 0;
}
