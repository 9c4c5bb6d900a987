// What machines get to read of a comparison: every figure as it is, and null for what is not known.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "comparison_json.h"
#include "measured.h"

static struct measurement_list base, new, noise;
static struct comparison c;
static yyjson_doc *document;
static yyjson_val *root;

static void init(void)
{
    const double cpu[] = {150, 151, 149, 150.5, 149.5}, more[] = {190, 191, 189, 190.5, 189.5};
    struct comparison_options options;
    char reason[COMPARISON_REASON_BYTES];

    comparison_options_init(&options);
    measured_add_all(&base, "sparse/relay-ws", "b.json", METRIC_server_cpu, cpu, 5);
    measured_add_all(&new, "sparse/relay-ws", "n\xe9.json", METRIC_server_cpu, more, 5);
    measured_set(&base, SETTING_cores, "2");
    strcpy(base.items[0].commit, "abc");
    new.items[2].trust = MEASUREMENT_SUSPECT;
    strcpy(new.items[2].reason, "busy");
    cr_assert(eq(int, comparison_make(&c, &options, &base, &new, &noise, reason), 0));
}

static void fini(void)
{
    yyjson_doc_free(document);
    measurement_list_free(&base);
    measurement_list_free(&new);
}

TestSuite(comparison_json, .init = init, .fini = fini);

static void write(void)
{
    char program[] = "sealpost-load", *argv[] = {program, NULL}, *text;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    cr_assert(eq(int, comparison_json_write(&c, 1, argv, f), 0));
    cr_assert(eq(int, fclose(f), 0));
    document = yyjson_read(text, len, 0);
    cr_assert_not_null(document, "it is JSON");
    root = yyjson_doc_get_root(document);
    free(text);
}

static double real(yyjson_val *of, const char *key)
{
    cr_assert(yyjson_is_num(yyjson_obj_get(of, key)), "%s", key);
    return yyjson_get_num(yyjson_obj_get(of, key));
}

Test(comparison_json, figures_are_exact)
{
    const struct comparison_row *r = &c.groups[0].rows[0];
    yyjson_val *row;

    write();
    row = yyjson_arr_get_first(yyjson_obj_get(root, "rows"));
    cr_expect_str_eq(yyjson_get_str(yyjson_obj_get(row, "verdict")), "worse");
    cr_expect_eq(real(row, "p"), r->p);
    cr_expect(yyjson_is_false(yyjson_obj_get(row, "paired")));
    cr_expect_eq(real(row, "change"), r->change);
    cr_expect_eq(real(row, "low"), r->low);
    cr_expect_eq(real(row, "high"), r->high);
    cr_expect_eq(real(yyjson_obj_get(row, "base"), "median"), 150);
    cr_expect_eq(real(yyjson_obj_get(row, "new"), "median"), 190);
    cr_expect_eq(real(root, "exit_code"), COMPARISON_EXIT_REGRESSION);
    cr_expect_eq(real(yyjson_obj_get(root, "base"), "cores"), 2);
}

Test(comparison_json, what_is_not_known_is_null)
{
    struct comparison_row *r = &c.groups[0].rows[0];
    yyjson_val *row, *side;

    r->verdict = COMPARISON_NOT_JUDGED;
    r->p = r->low = r->high = r->effect = NAN;
    r->change = INFINITY; // the base was zero
    write();
    row = yyjson_arr_get_first(yyjson_obj_get(root, "rows"));
    cr_expect_str_eq(yyjson_get_str(yyjson_obj_get(row, "verdict")), "not_judged");
    for (const char *const *key =
             (const char *const[]){"p", "low", "high", "effect", "change", "noise", "why", NULL};
         *key; key++)
        cr_expect(yyjson_is_null(yyjson_obj_get(row, *key)), "%s", *key);
    side = yyjson_obj_get(root, "new");
    cr_expect(yyjson_is_null(yyjson_obj_get(side, "commit")));
    cr_expect(yyjson_is_null(yyjson_obj_get(side, "cores")));
}

Test(comparison_json, notes_of_any_bytes)
{
    write();
    cr_expect_str_eq(yyjson_get_str(yyjson_arr_get_first(yyjson_obj_get(root, "notes"))),
                     "new: n?.json, sparse/relay-ws: suspect: busy");
    cr_expect_eq(real(root, "notes_dropped"), 0);
}
