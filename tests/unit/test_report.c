// The result's shape: every member other programs read, null where a figure would be a guess.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include "report.h"

static struct options o;
static struct target t;
static struct outcome out;
static yyjson_doc *parsed;
static yyjson_val *root;
static char *argv[] = {"sealpost-load", "ws://127.0.0.1:1", NULL};

static void setup(void)
{
    cr_assert_eq(sp_init(), 0);
    o = (struct options){
        .url = "ws://127.0.0.1:1",
        .connections = 10,
        .groups = {{.behaviour = GROUP_FAN_OUT, .share = 1, .recipients = 4, .users = 5},
                   {.behaviour = GROUP_CHURN, .share = 1, .users = 4}},
        .group_count = 2,
        .in_flight = 1,
        .payload_bytes = 256,
        .duration_ns = 2 * NS_PER_S,
        .threads = 2,
        .suite = SP_SUITE_PQXDH,
        .is_hybrid = true,
        .session = SP_SESSION_RATCHET};
    t = (struct target){.loopback = true};
    out = (struct outcome){.options = &o, .target = &t, .has_begun = true};
    cr_assert_eq(tally_init(&out.tally), 0);
    cr_assert_eq(tally_add_groups(&out.tally, 2), 0);
    cr_assert_eq(series_init(&out.series), 0);
    out.tally.window_ns = 2 * NS_PER_S;
}

static void teardown(void)
{
    yyjson_doc_free(parsed);
    run_free(&out);
}

static yyjson_val *at(const char *pointer)
{
    yyjson_val *value = yyjson_ptr_get(root, pointer);

    cr_assert_not_null(value, "%s is missing", pointer);
    return value;
}

static void format(void)
{
    char *text = report_format_json(&out, 2, argv);

    cr_assert_not_null(text);
    parsed = yyjson_read(text, strlen(text), 0);
    cr_assert_not_null(parsed);
    root = yyjson_doc_get_root(parsed);
    free(text);
}

TestSuite(report, .init = setup, .fini = teardown);

Test(report, format_json_has_every_member)
{
    static const char *const members[] = {
        "/schema",
        "/run/id",
        "/run/seed",
        "/run/started",
        "/run/duration_s",
        "/run/version",
        "/run/argv/1",
        "/run/config/connections",
        "/run/config/suite",
        "/run/config/auth",
        "/run/config/session",
        "/env/cpu",
        "/env/cores",
        "/env/kernel",
        "/env/colocated",
        "/env/tls",
        "/env/crypto",
        "/env/shortcuts",
        "/offered/model",
        "/offered/rate_per_s",
        "/offered/scheduled",
        "/offered/sent",
        "/offered/not_sent",
        "/offered/not_paced",
        "/messages/count",
        "/messages/per_s",
        "/handshakes/count",
        "/handshakes/per_s",
        "/handshakes/without_one_time",
        "/handshakes/last_resort_kem",
        "/delivery/expected",
        "/delivery/received",
        "/delivery/lost",
        "/delivery/duplicate",
        "/delivery/reordered",
        "/delivery/late",
        "/delivery/misrouted",
        "/delivery/auth_fail",
        "/delivery/ahead",
        "/delivery/foreign",
        "/delivery/refused",
        "/delivery/refused_by/recipient_absent",
        "/delivery/disconnected",
        "/latency_us/response/p50",
        "/latency_us/uncorrected/p90",
        "/latency_us/schedule_lag/p99",
        "/latency_us/send_queue/p99_9",
        "/latency_us/seal/p99_99",
        "/latency_us/socket_queue/p50",
        "/latency_us/server_network/p99",
        "/latency_us/open/mean",
        "/latency_us/seal_cost/mean",
        "/latency_us/open_cost/mean",
        "/latency_us/turn/max",
        "/latency_us/tls_handshake/max",
        "/latency_us/handshake/count",
        "/latency_us/initiate/p50",
        "/latency_us/respond/p99",
        "/groups/0/behaviour",
        "/groups/0/users",
        "/groups/0/envelopes_per_arrival",
        "/groups/0/sent",
        "/groups/0/lost",
        "/groups/1/per_s",
        "/groups/1/returns",
        "/groups/1/latency_us/response/p99",
        "/groups/1/latency_us/reconnect/p50",
        "/groups/1/latency_us/recovery/max",
        "/groups/1/latency_us/drain/count",
        "/budget/count",
        "/budget/unattributed_count",
        "/budget/response_us",
        "/budget/schedule_lag_us",
        "/budget/send_queue_us",
        "/budget/seal_us",
        "/budget/socket_queue_us",
        "/budget/server_network_us",
        "/budget/open_us",
        "/budget/unattributed_us",
        "/latency_us/response/curve",
        "/generator/verdict",
        "/generator/reasons",
        "/generator/busy_pct_per_thread/1",
        "/generator/throttled_ms",
        "/generator/backlog",
        "/generator/ceiling_per_s",
        "/generator/achieved_of_ceiling",
        "/generator/ceiling_busy_pct",
        "/generator/ceiling_connections",
        "/generator/ceiling_reason",
        "/generator/coordinator_busy_pct",
        "/server",
        "/intervals",
        "/exit_code",
    };

    format();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        at(members[i]);
    cr_assert_str_eq(yyjson_get_str(at("/schema")), "sealpost.load/1");
}

Test(report, format_json_percentiles_need_samples)
{
    // 1,000 samples: 10 lie beyond p99, 1 beyond p99.9.
    for (uint64_t n = 1; n <= 1000; n++)
        hist_record(&out.tally.response, n * 1000);
    format();
    cr_assert_eq(yyjson_get_uint(at("/latency_us/response/count")), 1000);
    cr_assert_float_eq(yyjson_get_real(at("/latency_us/response/p50")), 500, 0.5);
    cr_assert_float_eq(yyjson_get_real(at("/latency_us/response/p99")), 990, 1);
    cr_assert(yyjson_is_null(at("/latency_us/response/p99_9")));
    cr_assert_float_eq(yyjson_get_real(at("/latency_us/response/max")), 1000, 0.001);
    cr_assert(yyjson_is_null(at("/latency_us/open/p50")), "no samples, no figure");
    cr_assert(yyjson_is_null(at("/latency_us/open/max")));
}

Test(report, format_json_budget_adds_up)
{
    struct budget_times times = {0, 1000, 3000, 6000, 10000, 15000, 21000};

    budget_add(&out.tally.budget, &times, 1);
    times.sealed_ns = 0;
    budget_add(&out.tally.budget, &times, 1);
    format();
    cr_assert_float_eq(yyjson_get_real(at("/budget/response_us")), 21, 0.001);
    cr_assert_float_eq(yyjson_get_real(at("/budget/schedule_lag_us")), 1, 0.001);
    cr_assert_float_eq(yyjson_get_real(at("/budget/server_network_us")), 2.5, 0.001);
    cr_assert_float_eq(yyjson_get_real(at("/budget/unattributed_us")), 6, 0.001);
    cr_assert_eq(yyjson_get_uint(at("/budget/unattributed_count")), 1);
}

Test(report, format_json_curve_ends_where_samples_do)
{
    yyjson_val *curve, *last;

    for (uint64_t n = 1; n <= 1000; n++)
        hist_record(&out.tally.response, n * 1000);
    format();
    curve = at("/latency_us/response/curve");
    last = yyjson_arr_get_last(curve);
    cr_assert_float_eq(yyjson_get_num(yyjson_arr_get_first(yyjson_arr_get_first(curve))), 0, 1e-9);
    // 98.958 is the last step with ten of a thousand beyond it.
    cr_assert_float_eq(yyjson_get_num(yyjson_arr_get(last, 0)), 98.958333, 1e-5);
    cr_assert_float_eq(yyjson_get_num(yyjson_arr_get(last, 1)), 990, 1);
    cr_assert_eq(yyjson_arr_size(at("/latency_us/open/curve")), 0);
}

Test(report, format_json_intervals)
{
    struct series_mark from = {.pulse.at_ns = NS_PER_S, .has_server = true}, to = from;

    to.pulse.at_ns += 2 * NS_PER_S;
    to.pulse.sent = 110;
    to.pulse.delivered = 100;
    to.pulse.refused = 3;
    to.pulse.faults = 1;
    to.pulse.buckets[pulse_bucket(50 * NS_PER_US)] = 100;
    to.server_cpu_ns = NS_PER_S;
    to.busy_ns = NS_PER_S;
    series_add(&out.series, NS_PER_S, &from, &to);
    format();
    cr_assert_eq(yyjson_arr_size(at("/intervals")), 1);
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/at_s")), 0, 1e-9);
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/length_s")), 2, 1e-9);
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/per_s")), 50, 1e-9);
    cr_assert_eq(yyjson_get_uint(at("/intervals/0/sent")), 110);
    cr_assert_eq(yyjson_get_uint(at("/intervals/0/delivered")), 100);
    cr_assert_eq(yyjson_get_uint(at("/intervals/0/refused")), 3);
    cr_assert_eq(yyjson_get_uint(at("/intervals/0/faults")), 1);
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/p90_us")), 50, 4);
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/max_us")), 50, 4);
    cr_assert(yyjson_is_null(at("/intervals/0/p99_9_us")), "100 samples tell nothing of it");
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/server_busy_pct")), 50, 1e-9);
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/server_cpu_ns_per_op")), 1e7, 1);
    cr_assert_float_eq(yyjson_get_real(at("/intervals/0/generator_busy_pct")), 25, 1e-9);
}

Test(report, format_json_takes_any_bytes_in_argv)
{
    char *hostile[] = {"sealpost-load", "caf\xe9 \xf0\x9f", "</script>", NULL}, *text;

    o.record_file = "\xff.csv";
    text = report_format_json(&out, 3, hostile);

    cr_assert_not_null(text);
    parsed = yyjson_read(text, strlen(text), 0);
    root = yyjson_doc_get_root(parsed);
    free(text);
    cr_assert_str_eq(yyjson_get_str(at("/run/argv/1")), "caf? ??");
    cr_assert_str_eq(yyjson_get_str(at("/run/argv/2")), "</script>");
    cr_assert_str_eq(yyjson_get_str(at("/run/record/file")), "?.csv");
}

Test(report, format_json_tells_no_passwords)
{
    char *secret[] = {"sealpost-load", "--otlp=https://me:s3cret@host:4318/a@b", "http://h/?a=x@y",
                      "run 'ws://@h' 'wss://k@h'", NULL};
    char *text = report_format_json(&out, 4, secret);

    cr_assert_not_null(text);
    parsed = yyjson_read(text, strlen(text), 0);
    root = yyjson_doc_get_root(parsed);
    free(text);
    cr_assert_str_eq(yyjson_get_str(at("/run/argv/1")), "--otlp=https://*@host:4318/a@b");
    cr_assert_str_eq(yyjson_get_str(at("/run/argv/2")), "http://h/?a=x@y");
    cr_assert_str_eq(yyjson_get_str(at("/run/argv/3")), "run 'ws://@h' 'wss://*@h'");
    cr_assert_str_eq(secret[1], "--otlp=https://me:s3cret@host:4318/a@b", "it is still needed");
}

Test(report, format_line_is_one_line)
{
    char *text = report_format_line(&out, 2, argv);

    cr_assert_not_null(text);
    cr_assert_null(strchr(text, '\n'));
    free(text);
}

Test(report, format_live_is_the_same_schema)
{
    static struct series_point points[] = {{.len_ns = NS_PER_S, .steps = 1, .delivered = 50}};
    struct live live = {.options = &o,
                        .target = &t,
                        .phase = SHARD_MEASURE,
                        .elapsed_ns = NS_PER_S,
                        .length_ns = 2 * NS_PER_S,
                        .points = points,
                        .point_count = 1};
    char *text;

    live.window.delivered = live.window.sent = 100;
    live.pulse = live.window;
    live.pulse.delivered += 1000;
    live.pulse.sent += 1003;
    live.pulse.refused = 2;
    live.pulse.buckets[pulse_bucket(NS_PER_MS)] = 1000;
    text = report_format_live(&live, 2, argv);
    cr_assert_not_null(text);
    cr_assert_null(strchr(text, '\n'));
    parsed = yyjson_read(text, strlen(text), 0);
    root = yyjson_doc_get_root(parsed);
    free(text);
    cr_assert_str_eq(yyjson_get_str(at("/schema")), REPORT_SCHEMA);
    cr_assert_str_eq(yyjson_get_str(at("/live/phase")), "measure");
    cr_assert_eq(yyjson_get_uint(at("/live/in_flight")), 1);
    cr_assert_float_eq(yyjson_get_real(at("/messages/per_s")), 1000, 1e-9);
    cr_assert_float_eq(yyjson_get_real(at("/latency_us/response/p99")), 1000, 70);
    cr_assert(yyjson_is_null(at("/latency_us/response/p99_9")), "1,000 samples are too few");
    cr_assert_gt(yyjson_arr_size(at("/latency_us/response/curve")), 10);
    cr_assert(yyjson_is_null(at("/latency_us/uncorrected/p50")));
    cr_assert_eq(yyjson_arr_size(at("/intervals")), 1);
    cr_assert_null(yyjson_ptr_get(root, "/exit_code"), "it has not ended");
    cr_assert_null(yyjson_ptr_get(root, "/thresholds"), "nor been judged");
}

Test(report, format_json_ceiling)
{
    struct ceiling c = {.per_s = 10000, .connections = 4};

    out.tally.delivered = 10000; // in two seconds
    run_set_ceiling(&out, &c);
    format();
    cr_assert_float_eq(yyjson_get_real(at("/generator/ceiling_per_s")), 10000, 0.001);
    cr_assert_float_eq(yyjson_get_real(at("/generator/achieved_of_ceiling")), 0.5, 0.001);
    cr_assert_eq(yyjson_get_uint(at("/generator/ceiling_connections")), 4);
    cr_assert(yyjson_is_null(at("/generator/ceiling_reason")));
}

Test(report, format_json_ceiling_limits)
{
    struct ceiling c = {.per_s = 5000, .busy_pct = 99, .connections = 4};

    out.tally.delivered = 9500;
    run_set_ceiling(&out, &c);
    format();
    cr_assert_str_eq(yyjson_get_str(at("/generator/verdict")), "limited");
    cr_assert_eq(yyjson_get_int(at("/exit_code")), EXIT_CODE_LIMITED);
}

Test(report, format_json_rates_are_of_the_window)
{
    out.tally.delivered = 5000;
    out.tally.handshakes = 40;
    out.tally.scheduled = 5010;
    out.tally.sent = 5005;
    format();
    cr_assert_float_eq(yyjson_get_real(at("/messages/per_s")), 2500, 0.001);
    cr_assert_float_eq(yyjson_get_real(at("/handshakes/per_s")), 20, 0.001);
    cr_assert_eq(yyjson_get_uint(at("/offered/not_sent")), 5);
    cr_assert(yyjson_is_null(at("/offered/rate_per_s")));
}

Test(report, format_json_server)
{
    out.has_server = true;
    out.server_cpu_ns = NS_PER_S;
    out.server_rss_before_bytes = 1000;
    out.server_rss_bytes = 21000;
    out.tally.delivered = 1000;
    format();
    cr_assert_float_eq(yyjson_get_real(at("/server/cpu_ns_per_msg")), 1e6, 0.001);
    cr_assert_float_eq(yyjson_get_real(at("/server/busy_pct")), 50, 0.001);
    cr_assert_float_eq(yyjson_get_real(at("/server/rss_bytes_per_conn")), 2000, 0.001);
}

Test(report, format_json_names_shortcuts)
{
    t.tls = true;
    o.insecure = true;
    format();
    cr_assert_eq(yyjson_arr_size(at("/env/shortcuts")), 1);
}

Test(report, format_json_names_the_ceiling_of_another_scheme)
{
    t.tls = true;
    o.ca_file = "ca.pem";
    out.ceiling.per_s = 10000;
    format();
    cr_assert_eq(yyjson_arr_size(at("/env/shortcuts")), 1);
    t.tls = false;
    yyjson_doc_free(parsed);
    format();
    cr_assert_eq(yyjson_arr_size(at("/env/shortcuts")), 0);
}

Test(report, format_json_nothing_measured)
{
    out.has_begun = false;
    out.tally.window_ns = 0;
    out.failure = SHARD_FAILURE_UNREACHABLE;
    strcpy(out.failure_text, "cannot connect");
    out.exit_code = EXIT_CODE_UNREACHABLE;
    format();
    cr_assert_eq(yyjson_get_real(at("/messages/per_s")), 0);
    cr_assert_str_eq(yyjson_get_str(at("/run/failure")), "cannot connect");
    cr_assert_eq(yyjson_get_int(at("/exit_code")), 113);
}

Test(report, write_json)
{
    char name[] = "/tmp/sealpost-report-XXXXXX", line[64] = "";
    int fd = mkstemp(name);
    FILE *f;

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(report_write_json(&out, 2, argv, name), 0);
    f = fopen(name, "r");
    cr_assert_not_null(fgets(line, sizeof line, f));
    cr_assert_str_eq(line, "{\n");
    fclose(f);
    cr_assert_eq(report_write_json(&out, 2, argv, "/no/such/directory/x"), -ENOENT);
    unlink(name);
}
