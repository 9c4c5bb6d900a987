// Stages in the result: every member other programs read, and the table.
#include <criterion/criterion.h>
#include <string.h>
#include <yyjson.h>

#include "report.h"
#include "stage_result.h"

static struct options o;
static struct target t;
static struct outcome out = {.options = &o, .target = &t, .has_begun = true};

static void setup(void)
{
    char reason[STAGE_REASON_BYTES];

    cr_assert_eq(stage_list_parse(&o.stages, "calm: hold 10s at 1000", reason), 0);
    cr_assert_eq(stage_list_parse(&o.stages, "burst 50 every 500ms for 5s at 100", reason), 0);
    cr_assert_eq(tally_init(&out.tally), 0);
    cr_assert_eq(tally_add_stages(&out.tally, 2), 0);
    out.tally.stages[0].offered = 10000;
    out.tally.stages[0].sent = 9990;
    out.tally.stages[0].delivered = 9989;
    for (unsigned i = 0; i < 1000; i++)
        hist_record(&out.tally.stages[0].response, 2000);
}

static void teardown(void)
{
    tally_free(&out.tally);
}

TestSuite(stage_result, .init = setup, .fini = teardown);

static yyjson_val *at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);

    cr_assert_not_null(value, "%s is missing", pointer);
    return value;
}

static yyjson_doc *format(void)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_doc *doc;

    yyjson_mut_doc_set_root(d, yyjson_mut_obj(d));
    stage_result_add_json(d, yyjson_mut_doc_get_root(d), &out);
    doc = yyjson_mut_doc_imut_copy(d, NULL);
    yyjson_mut_doc_free(d);
    return doc;
}

Test(stage_result, add_json_has_every_member)
{
    yyjson_doc *doc = format();

    cr_assert_eq(yyjson_arr_size(at(doc, "/stages")), 2);
    cr_assert_str_eq(yyjson_get_str(at(doc, "/stages/0/name")), "calm");
    cr_assert_str_eq(yyjson_get_str(at(doc, "/stages/0/kind")), "hold");
    cr_assert_eq(yyjson_get_real(at(doc, "/stages/0/at_s")), 0);
    cr_assert_eq(yyjson_get_real(at(doc, "/stages/0/length_s")), 10);
    cr_assert_eq(yyjson_get_real(at(doc, "/stages/0/from_per_s")), 1000);
    cr_assert_eq(yyjson_get_real(at(doc, "/stages/0/to_per_s")), 1000);
    cr_assert(yyjson_is_null(at(doc, "/stages/0/burst")));
    cr_assert_eq(yyjson_get_uint(at(doc, "/stages/0/offered")), 10000);
    cr_assert_eq(yyjson_get_uint(at(doc, "/stages/0/sent")), 9990);
    cr_assert_eq(yyjson_get_uint(at(doc, "/stages/0/not_sent")), 10);
    cr_assert_eq(yyjson_get_uint(at(doc, "/stages/0/delivered")), 9989);
    cr_assert_float_eq(yyjson_get_real(at(doc, "/stages/0/latency_us/response/p50")), 2, 0.01);
    cr_assert_eq(yyjson_get_uint(at(doc, "/stages/0/latency_us/schedule_lag/count")), 0);
    cr_assert_eq(yyjson_get_real(at(doc, "/stages/1/at_s")), 10);
    cr_assert_eq(yyjson_get_uint(at(doc, "/stages/1/burst/count")), 50);
    cr_assert_eq(yyjson_get_real(at(doc, "/stages/1/burst/every_s")), 0.5);
    yyjson_doc_free(doc);
}

Test(stage_result, print_is_a_line_for_each)
{
    char text[1024] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    stage_result_print(&out, f);
    fclose(f);
    cr_assert(strstr(text, "  calm                       10000         10       9989"), "%s", text);
    cr_assert(strstr(text, "\n  burst "), "%s", text);
}

Test(stage_result, without_stages_an_empty_list)
{
    yyjson_doc *doc;
    char text[64] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    tally_free(&out.tally);
    doc = format();
    cr_assert_eq(yyjson_arr_size(at(doc, "/stages")), 0);
    yyjson_doc_free(doc);
    stage_result_print(&out, f);
    fclose(f);
    cr_assert_str_eq(text, "");
}
