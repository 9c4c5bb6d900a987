// The findings as JSON: the members that the page reads, null where nothing is known.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "capacity_report.h"
#include "slo.h"

static struct capacity_options options;
static struct capacity_findings f;
static yyjson_doc *parsed;
static yyjson_val *root;
static char *argv[] = {"sealpost-load capacity", "ws://127.0.0.1:1", NULL};

static void setup(void)
{
    char reason[OPTIONS_REASON_BYTES];

    options.run = (struct options){.url = "ws://127.0.0.1:1",
                                   .connections = 10,
                                   .threads = 1,
                                   .duration_ns = NS_PER_S,
                                   .arrival = PLAN_POISSON};
    cr_assert_eq(slo_add(&options.run.thresholds, "p99<20ms", reason), 0);
    f = (struct capacity_findings){.options = &options};
}

static void teardown(void)
{
    yyjson_doc_free(parsed);
}

TestSuite(capacity_report, .init = setup, .fini = teardown);

static void format(void)
{
    char *text = capacity_report_format_json(&f, true, 2, argv);

    cr_assert_not_null(text);
    parsed = yyjson_read(text, strlen(text), 0);
    cr_assert_not_null(parsed);
    root = yyjson_doc_get_root(parsed);
    free(text);
}

static yyjson_val *at(const char *pointer)
{
    yyjson_val *value = yyjson_ptr_get(root, pointer);

    cr_assert_not_null(value, "%s is missing", pointer);
    return value;
}

static void search(double capacity_per_s)
{
    struct search_config config = {.first_per_s = 1000,
                                   .min_per_s = 1,
                                   .max_per_s = 1e6,
                                   .precision = 0.1,
                                   .repeats = 2,
                                   .trials_max = 40};
    double rate, scale;

    options.has_search = true;
    search_init(&f.search, &config);
    while (search_next(&f.search, &rate, &scale)) {
        struct trial *t = &f.trials[f.search.trial_count];
        struct search_outcome o = {
            .offered_per_s = rate, .achieved_per_s = rate, .is_met = rate < capacity_per_s};

        *t = (struct trial){.rate_per_s = rate, .has_p99 = true, .p99_ns = 5e6};
        if (!o.is_met)
            strcpy(t->reason, "response is 30 ms");
        search_tell(&f.search, &o);
    }
    search_answer(&f.search, &f.answer);
}

Test(capacity_report, format_takes_any_bytes_in_argv)
{
    argv[1] = "caf\xe9 wss://me:s3cret@h";
    format();
    cr_assert_str_eq(yyjson_get_str(at("/run/argv/1")), "caf? wss://*@h");
}

Test(capacity_report, format_search)
{
    search(5000);
    format();
    cr_assert_str_eq(yyjson_get_str(at("/schema")), "sealpost.capacity/1");
    cr_assert_str_eq(yyjson_get_str(at("/slo")), "response:p(99)<20ms");
    cr_assert_float_eq(yyjson_get_real(at("/capacity/rate_per_s")), f.answer.rate_per_s, 1e-3);
    cr_assert_leq(yyjson_get_real(at("/capacity/lower")), yyjson_get_real(at("/capacity/upper")));
    cr_assert_str_eq(yyjson_get_str(at("/capacity/limited_by")), "relay");
    cr_assert_not(yyjson_get_bool(at("/capacity/at_least")));
    cr_assert(yyjson_get_bool(at("/capacity/confirmed")));
    cr_assert_eq(yyjson_arr_size(at("/trials")), f.search.trial_count);
    cr_assert_eq(yyjson_get_real(at("/trials/0/rate_per_s")), 1000);
    cr_assert(yyjson_get_bool(at("/trials/0/ok")));
    cr_assert(yyjson_is_null(at("/trials/0/reason")));
    cr_assert(yyjson_is_null(at("/trials/0/p50_us")));
    cr_assert_eq(yyjson_get_real(at("/trials/0/p99_us")), 5000);
    cr_assert_not(yyjson_get_bool(at("/trials/3/ok")));
    cr_assert_str_eq(yyjson_get_str(at("/trials/3/reason")), "response is 30 ms");
    cr_assert_null(yyjson_obj_get(root, "sweep"));
    cr_assert_null(yyjson_obj_get(root, "plan"));
}

Test(capacity_report, format_nothing_found)
{
    search(0);
    f.exit_code = EXIT_CODE_THRESHOLD;
    format();
    cr_assert(yyjson_is_null(at("/capacity/rate_per_s")));
    cr_assert(yyjson_is_null(at("/capacity/lower")));
    cr_assert_str_eq(yyjson_get_str(at("/capacity/limited_by")), "nothing");
    cr_assert_gt(yyjson_get_real(at("/capacity/failed_per_s")), 0);
    cr_assert_eq(yyjson_get_int(at("/exit_code")), 99);
}

static void sweep(double kappa)
{
    char reason[SWEEP_REASON_BYTES];

    cr_assert_eq(sweep_parse(&f.sweep.range, "connections=2,10,100,1000,4000", reason), 0);
    for (unsigned i = 0; i < f.sweep.range.count; i++) {
        struct trial t = {.achieved_per_s = usl_predict(300, 0.002, kappa, f.sweep.range.sizes[i])};

        sweep_add(&f.sweep, &t);
    }
    sweep_fit(&f.sweep);
}

Test(capacity_report, format_sweep_keeps_small_parameters)
{
    sweep(1e-8);
    format();
    cr_assert_str_eq(yyjson_get_str(at("/sweep/over")), "connections");
    cr_assert_eq(yyjson_get_uint(at("/sweep/points/3/n")), 1000);
    cr_assert_float_eq(yyjson_get_real(at("/sweep/points/0/per_s")),
                       f.sweep.points[0].achieved_per_s, 1e-3);
    cr_assert_float_eq(yyjson_get_real(at("/sweep/fit/kappa")), 1e-8, 1e-9);
    cr_assert_float_eq(yyjson_get_real(at("/sweep/fit/sigma")), 0.002, 1e-4);
    cr_assert_eq(yyjson_arr_size(at("/sweep/fit/residuals")), 5);
    cr_assert_null(yyjson_obj_get(root, "capacity"));
}

Test(capacity_report, format_fit_without_meaning_has_no_curve)
{
    sweep(1e-8);
    f.sweep.points[2].achieved_per_s *= 4;
    sweep_fit(&f.sweep);
    format();
    cr_assert_not(yyjson_get_bool(at("/sweep/fit/meaningful")));
    cr_assert(strstr(yyjson_get_str(at("/sweep/fit/reason")), "do not follow"));
    cr_assert_null(yyjson_ptr_get(root, "/sweep/fit/lambda"));
}

Test(capacity_report, format_plan)
{
    char reason[PLANNER_REASON_BYTES];
    struct planner_cost cost = {.rate_per_s = 5000};
    struct planner_demand d;

    cr_assert_eq(planner_parse(&d, "users=1e6,messages=40,peak=10", reason), 0);
    planner_answer(&f.plan, &d, &cost);
    f.has_plan = true;
    format();
    cr_assert_eq(yyjson_get_real(at("/plan/relays")), 2);
    cr_assert_str_eq(yyjson_get_str(at("/plan/breaks_first")), "processors");
    cr_assert(yyjson_is_null(at("/plan/memory_bytes")));
    cr_assert(yyjson_is_null(at("/plan/relays_by/memory")));
    cr_assert(strstr(yyjson_get_str(at("/plan/arithmetic/peak rate")), "x 40 messages"));
}
