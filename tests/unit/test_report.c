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
    cr_assert_eq(tally_init(&out.tally, 2), 0);
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
        "/delivery/foreign",
        "/delivery/refused",
        "/delivery/refused_by/recipient_absent",
        "/delivery/disconnected",
        "/latency_us/response/p50",
        "/latency_us/uncorrected/p90",
        "/latency_us/schedule_lag/p99",
        "/latency_us/send_queue/p99_9",
        "/latency_us/seal/p99_99",
        "/latency_us/open/mean",
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
        "/generator/verdict",
        "/generator/reasons",
        "/generator/busy_pct_per_thread/1",
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

static void summarise(char *text, size_t cap)
{
    FILE *f = fmemopen(text, cap, "w");

    cr_assert_not_null(f);
    report_print_summary(&out, f);
    fclose(f);
}

Test(report, print_summary_names_the_cryptography)
{
    char text[4096], line[128];

    o.mode = OPTIONS_HANDSHAKE;
    out.tally.handshakes_with_last_resort = 3;
    snprintf(line, sizeof line, "  cryptography   %s; suite pqxdh, auth hybrid, session ratchet\n",
             sp_tier());
    summarise(text, sizeof text);
    cr_assert(strstr(text, line), "'%s'", text);
    cr_assert(strstr(text, "3 with the last-resort KEM prekey"), "'%s'", text);
    o.suite = SP_SUITE_X3DH;
    o.is_hybrid = false;
    o.session = SP_SESSION_COUNTER;
    snprintf(line, sizeof line, "  cryptography   %s\n", sp_tier());
    summarise(text, sizeof text);
    cr_assert(strstr(text, line), "'%s'", text);
    cr_assert_null(strstr(text, "last-resort"), "'%s'", text);
}

Test(report, write_json_and_summary)
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
    f = fopen(name, "w");
    report_print_summary(&out, f);
    cr_assert_gt(ftell(f), 100);
    fclose(f);
    unlink(name);
}
