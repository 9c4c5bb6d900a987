// Results as text: what is taken, what is refused, with which words.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measurement_parse.h"

#define LOAD(mode, more)                                                                           \
    "{\"schema\":\"sealpost.load/1\",\"run\":{\"config\":{\"mode\":\"" mode "\","                  \
    "\"connections\":100,\"in_flight\":2,\"payload_bytes\":256,\"durable\":false,"                 \
    "\"suite\":\"x3dh\",\"auth\":\"ed25519\",\"session\":\"counter\"},\"interrupted\":false,"      \
    "\"failure\":null},\"env\":{\"cpu\":\"C\",\"cores\":2,\"tls\":\"none\"},"                      \
    "\"offered\":{\"model\":\"closed\",\"rate_per_s\":null},"                                      \
    "\"messages\":{\"per_s\":2000},\"handshakes\":{\"per_s\":50},"                                 \
    "\"latency_us\":{\"response\":{\"p50\":40.5,\"p99\":null}},"                                   \
    "\"server\":{\"cpu_ns_per_msg\":700,\"rss_bytes_per_conn\":2000}," more "}"
#define GENERATOR(verdict)                                                                         \
    "\"generator\":{\"verdict\":\"" verdict "\",\"reasons\":[\"it was\"],"                         \
    "\"busy_pct_per_thread\":[50,30]}"
#define OK "\"delivery\":{\"lost\":0}," GENERATOR("ok") ",\"exit_code\":0"

static struct measurement_list list;
static char reason[MEASUREMENT_PARSE_REASON_BYTES];

static int parse(const char *text)
{
    measurement_list_free(&list);
    reason[0] = '\0';
    return measurement_parse(&list, text, strlen(text), "f.json", reason);
}

static void fini(void)
{
    measurement_list_free(&list);
}

TestSuite(measurement_parse, .fini = fini);

Test(measurement_parse, load_result)
{
    const struct measurement *m;

    cr_assert(eq(int, parse(LOAD("talk", OK)), 0));
    cr_assert(eq(sz, list.count, 1));
    m = &list.items[0];
    cr_expect(eq(str, (char *)m->name, "talk/conns=100/in_flight=2/payload=256"));
    cr_expect(eq(str, (char *)m->source, "f.json"));
    cr_expect(eq(str, (char *)m->settings[SETTING_durable], "false"));
    cr_expect(eq(str, (char *)m->settings[SETTING_rate_per_s], ""));
    cr_expect(m->values[METRIC_throughput] == 2000);
    cr_expect(m->values[METRIC_response_p50] == 40.5);
    cr_expect(isnan(m->values[METRIC_response_p99]));
    cr_expect(m->values[METRIC_server_cpu] == 700);
    cr_expect(m->values[METRIC_generator_cpu] == 0.8 * 1e9 / 2000);
    cr_expect(isnan(m->values[METRIC_bytes_per_conn]), "memory under load is not compared");
    cr_expect(isnan(m->values[METRIC_ratio_to_raw]));
    cr_expect(m->trust == MEASUREMENT_SOUND);
}

Test(measurement_parse, load_result_of_other_modes)
{
    cr_assert(eq(int, parse(LOAD("idle", OK)), 0));
    cr_expect(eq(str, list.items[0].name, "idle/conns=100"));
    cr_expect(list.items[0].values[METRIC_bytes_per_conn] == 2000);
    cr_assert(eq(int, parse(LOAD("handshake", OK)), 0));
    cr_expect(eq(str, list.items[0].name, "handshake/conns=100"));
    cr_expect(list.items[0].values[METRIC_generator_cpu] == 0.8 * 1e9 / 50);
}

Test(measurement_parse, array_lines_and_space)
{
    cr_assert(eq(int, parse("[" LOAD("talk", OK) ",\n" LOAD("talk", OK) "]\n"), 0));
    cr_expect(eq(sz, list.count, 2));
    cr_assert(eq(int, parse(" " LOAD("talk", OK) "\r\n" LOAD("idle", OK) "\n\n"), 0));
    cr_expect(eq(sz, list.count, 2));
}

Test(measurement_parse, trust)
{
    static const struct {
        const char *text;
        enum measurement_trust trust;
        const char *reason;
    } cases[] = {
        {LOAD("talk", GENERATOR("suspect")), MEASUREMENT_SUSPECT, "it was"},
        {LOAD("talk", GENERATOR("limited")), MEASUREMENT_LIMITED, "it was"},
        {LOAD("talk", "\"exit_code\":112"), MEASUREMENT_LIMITED, "the result does not say why"},
        {LOAD("talk", "\"exit_code\":105"), MEASUREMENT_BROKEN, "the run failed"},
        {LOAD("talk", "\"exit_code\":113"), MEASUREMENT_BROKEN, "the run failed"},
        {LOAD("talk", "\"exit_code\":1"), MEASUREMENT_BROKEN, "the run failed"},
        {LOAD("talk", "\"exit_code\":99"), MEASUREMENT_SOUND, ""},
        {LOAD("talk", "\"exit_code\":111"), MEASUREMENT_FAULTY, "delivery failed"},
        {LOAD("talk", "\"exit_code\":111,\"delivery\":{\"disconnected\":4}"), MEASUREMENT_FAULTY,
         "4 disconnected"},
        // A loss is a loss, whatever else is said of the run.
        {LOAD("talk", GENERATOR("limited") ",\"delivery\":{\"lost\":3,\"duplicate\":1}"),
         MEASUREMENT_FAULTY, "3 lost, 1 duplicate"},
        // An open loop is refused some; that is load.
        {LOAD("talk", "\"exit_code\":0,\"delivery\":{\"refused\":4}"), MEASUREMENT_SOUND, ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cr_assert(eq(int, parse(cases[i].text), 0), "%zu: %s", i, reason);
        cr_expect(eq(int, (int)list.items[0].trust, (int)cases[i].trust), "%zu", i);
        cr_expect(eq(str, list.items[0].reason, (char *)cases[i].reason), "%zu", i);
    }
}

Test(measurement_parse, interrupted_and_failed)
{
    cr_assert(eq(int,
                 parse("{\"schema\":\"sealpost.load/1\",\"run\":{\"config\":{\"mode\":\"talk\"},"
                       "\"interrupted\":true}}"),
                 0));
    cr_expect(list.items[0].trust == MEASUREMENT_BROKEN);
    cr_assert(eq(int,
                 parse("{\"schema\":\"sealpost.load/1\",\"run\":{\"config\":{\"mode\":\"talk\"},"
                       "\"failure\":\"the relay left\"}}"),
                 0));
    cr_expect(eq(str, list.items[0].reason, "the relay left"));
}

Test(measurement_parse, thresholds)
{
    const struct measurement *m;

    cr_assert(eq(int,
                 parse(LOAD("talk", "\"thresholds\":["
                                    "{\"text\":\"response:p(99)<20ms\",\"value\":12.5,"
                                    "\"ok\":true,\"reason\":null},"
                                    "{\"text\":\"rate:value>=10\",\"ok\":false,"
                                    "\"reason\":\"was 9\"}]")),
                 0));
    m = &list.items[0];
    cr_assert(eq(u32, m->threshold_count, 2));
    cr_expect(eq(str, (char *)m->thresholds[0].name, "response:p(99)<20ms"));
    cr_expect(eq(str, (char *)m->thresholds[0].reason, ""));
    cr_expect(eq(str, (char *)m->thresholds[1].reason, "was 9"));
    cr_expect(m->thresholds[0].passed && !m->thresholds[1].passed);
    cr_expect(eq(int, parse(LOAD("talk", "\"thresholds\":[{}]")), -EBADMSG));
    cr_expect(eq(str, reason, "f.json: a threshold without its text or outcome"));
}

Test(measurement_parse, stages_and_groups_are_patterns)
{
    const struct measurement *m;

    cr_assert(
        eq(int,
           parse(LOAD(
               "talk",
               GENERATOR("suspect") ",\"stages\":["
                                    "{\"name\":\"warm\",\"kind\":\"hold\",\"length_s\":2,"
                                    "\"from_per_s\":100,\"to_per_s\":100,\"delivered\":200,"
                                    "\"latency_us\":{\"response\":{\"p50\":8}}},"
                                    "{\"name\":\"peak\",\"kind\":\"ramp\",\"length_s\":0,"
                                    "\"from_per_s\":100,\"to_per_s\":900}],"
                                    "\"groups\":[{\"behaviour\":\"pair\",\"users\":80,\"per_s\":7},"
                                    "{\"behaviour\":\"fan_out\",\"users\":20}]")),
           0));
    cr_assert(eq(sz, list.count, 5));
    m = list.items;
    cr_expect(eq(str, (char *)m[0].settings[SETTING_stages], "hold 2 100-100, ramp 0 100-900"));
    cr_expect(eq(str, (char *)m[0].settings[SETTING_groups], "pair 80, fan_out 20"));
    cr_expect(eq(str, (char *)m[1].name, "talk/conns=100/in_flight=2/payload=256/stage=1-warm"));
    cr_expect(m[1].values[METRIC_throughput] == 100 && m[1].values[METRIC_response_p50] == 8);
    cr_expect(m[1].is_part && m[1].trust == MEASUREMENT_SUSPECT);
    cr_expect(isnan(m[1].values[METRIC_server_cpu]));
    cr_expect(eq(str, (char *)m[2].name, "talk/conns=100/in_flight=2/payload=256/stage=2-peak"));
    cr_expect(isnan(m[2].values[METRIC_throughput]), "nothing in no time is no rate");
    cr_expect(eq(str, (char *)m[3].name, "talk/conns=100/in_flight=2/payload=256/group=1-pair"));
    cr_expect(m[3].values[METRIC_throughput] == 7);
    cr_expect(eq(str, (char *)m[4].name, "talk/conns=100/in_flight=2/payload=256/group=2-fan_out"));
    // One group is the run.
    cr_assert(eq(int, parse(LOAD("talk", "\"groups\":[{\"behaviour\":\"pair\",\"users\":4}]")), 0));
    cr_expect(eq(sz, list.count, 1));
}

// A result of eight stages, the last one as it is given.
static const char *stages_that_end(const char *last)
{
    static char described[MEASUREMENT_TEXT_BYTES];
    char stages[1024] = "\"stages\":[", text[2048];

    for (unsigned i = 0; i < 7; i++)
        strcat(stages,
               "{\"kind\":\"hold\",\"length_s\":10,\"from_per_s\":1000,\"to_per_s\":1000},");
    strcat(strcat(stages, last), "]");
    snprintf(text, sizeof text, LOAD("talk", "%s"), stages);
    cr_assert(eq(int, parse(text), 0));
    memcpy(described, list.items[0].settings[SETTING_stages], sizeof described);
    return described;
}

Test(measurement_parse, stages_that_differ_only_late_are_different_tests)
{
    static const char *const last[] = {
        "{\"kind\":\"hold\",\"length_s\":10,\"from_per_s\":1000,\"to_per_s\":1000}",
        "{\"kind\":\"hold\",\"length_s\":10,\"from_per_s\":1000,\"to_per_s\":1001}",
        "{\"kind\":\"hold\",\"length_s\":10,\"from_per_s\":1000,\"to_per_s\":1000,"
        "\"burst\":{\"count\":500,\"every_s\":1}}",
    };
    char first[MEASUREMENT_TEXT_BYTES];

    memcpy(first, stages_that_end(last[0]), sizeof first);
    cr_assert_not_null(strstr(first, "... #"));
    cr_expect(eq(str, (char *)stages_that_end(last[0]), first));
    cr_expect(ne(str, (char *)stages_that_end(last[1]), first));
    cr_expect(ne(str, (char *)stages_that_end(last[2]), first));
}

#define BENCH_ROW(more)                                                                            \
    "{\"pattern\":\"sparse\",\"server\":\"relay-ws\",\"connections\":1000,\"in_flight\":1,"        \
    "\"payload_bytes\":256,\"per_s\":1000,\"ratio_to_raw\":0.5,\"cpu_ratio_to_raw\":1.5,"          \
    "\"client_cpu_ns_per_msg\":90,\"cpu_ns_per_msg\":150,\"latency_us\":{\"p50\":7},"              \
    "\"client_cpu_ratio_to_raw\":1.25" more "}"

Test(measurement_parse, bench_rows)
{
    const struct measurement *m;

    cr_assert(
        eq(int,
           parse("{\"env\":{\"cpu\":\"C\",\"cpu_id\":\"A 25/17\",\"commit\":\"abc\"},"
                 "\"rows\":[" BENCH_ROW(
                     "") ",{\"pattern\":\"sparse\",\"server\":\"raw\"}],"
                         "\"idle\":[{\"server\":\"relay-ws\",\"marginal_bytes_per_conn\":685}]}"),
           0));
    cr_assert(eq(sz, list.count, 3));
    m = &list.items[0];
    cr_expect(eq(str, (char *)m->name, "sparse/relay-ws"));
    cr_expect(eq(str, (char *)m->commit, "abc"));
    cr_expect(eq(str, (char *)m->settings[SETTING_cpu_id], "A 25/17"));
    cr_expect(m->values[METRIC_throughput] == 1000 && m->values[METRIC_response_p50] == 7);
    cr_expect(m->values[METRIC_ratio_to_raw] == 0.5 && m->values[METRIC_cpu_ratio_to_raw] == 1.5);
    cr_expect(m->values[METRIC_generator_cpu] == 90);
    cr_expect(m->values[METRIC_generator_ratio_to_raw] == 1.25);
    cr_expect(eq(str, (char *)m->settings[SETTING_together], "false"));
    cr_expect(m->is_yardstick == false && list.items[1].is_yardstick);
    cr_expect(eq(str, list.items[2].name, "idle/relay-ws"));
    cr_expect(list.items[2].values[METRIC_bytes_per_conn] == 685);
}

// Servers that share their processor are another test than ones that have it to themselves.
Test(measurement_parse, bench_together)
{
    cr_assert(eq(
        int, parse("{\"env\":{\"together\":true},\"rows\":[" BENCH_ROW("") "]}" BENCH_ROW("")), 0));
    cr_expect(eq(str, (char *)list.items[0].settings[SETTING_together], "true"));
    cr_expect(eq(int, measurement_differ(&list.items[0], &list.items[1], SETTING_STRICT),
                 SETTING_together));
}

Test(measurement_parse, bench_samples_are_repeats)
{
    cr_assert(eq(int,
                 parse("[" BENCH_ROW(",\"samples\":[{\"per_s\":1},{\"per_s\":2,"
                                     "\"latency_us\":{\"p50\":5}}]") "]"),
                 0));
    cr_assert(eq(sz, list.count, 2));
    cr_expect(list.items[1].values[METRIC_throughput] == 2);
    cr_expect(list.items[1].values[METRIC_response_p50] == 5);
    cr_expect(isnan(list.items[0].values[METRIC_response_p50]));
    cr_expect(isnan(list.items[0].values[METRIC_ratio_to_raw]), "the row's medians are no sample");
}

Test(measurement_parse, bench_pairs)
{
    cr_assert(eq(int,
                 parse("{\"env\":{\"pair\":\"7-9\"},\"rows\":[" BENCH_ROW(
                     ",\"samples\":[{\"per_s\":1},{\"per_s\":2}]") "]}" BENCH_ROW("")),
                 0));
    cr_assert(eq(sz, list.count, 3));
    cr_expect(eq(str, list.items[0].pair, "7-9#0"));
    cr_expect(eq(str, list.items[1].pair, "7-9#1"));
    cr_expect(eq(str, list.items[2].pair, ""));
}

Test(measurement_parse, bench_faults)
{
    cr_assert(eq(int, parse(BENCH_ROW(",\"delivery\":{\"lost\":1,\"refused\":2}")), 0));
    cr_expect(list.items[0].trust == MEASUREMENT_FAULTY);
    cr_expect(eq(str, list.items[0].reason, "1 lost, 2 refused"));
}

Test(measurement_parse, refusals)
{
    static const char *const cases[][2] = {
        {"", "f.json: the file is empty"},
        {" \n", "f.json: the file is empty"},
        {"{", "f.json: not JSON: unexpected end of data at byte 1"},
        {"{}", "f.json: not a result of sealpost-load or of sealpost-bench run"},
        {"7", "f.json: not a result of sealpost-load or of sealpost-bench run"},
        {"[[]]", "f.json: not a result of sealpost-load or of sealpost-bench run"},
        {"{\"schema\":\"sealpost.load/2\"}",
         "f.json: a result of schema sealpost.load/2; this program reads sealpost.load/1"},
        {"{\"schema\":\"sealpost.load/1\"}", "f.json: a result without run.config.mode"},
        {"{\"rows\":[{\"server\":\"raw\"}]}", "f.json: a row without its pattern"},
        {"{\"rows\":[{\"pattern\":\"sparse\"}]}", "f.json: a row without its server"},
        {LOAD("talk", OK) " x", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cr_expect(eq(int, parse(cases[i][0]), -EBADMSG), "%zu", i);
        if (cases[i][1])
            cr_expect(eq(str, reason, (char *)cases[i][1]), "%zu", i);
    }
}

// Figures no ratio can be made of are absent, not zero.
Test(measurement_parse, figures_of_nothing)
{
    cr_assert(eq(int,
                 parse("{\"pattern\":\"p\",\"server\":\"s\",\"per_s\":0,\"cpu_ns_per_msg\":-1,"
                       "\"ratio_to_raw\":\"x\"}"),
                 0));
    cr_expect(isnan(list.items[0].values[METRIC_throughput]));
    cr_expect(isnan(list.items[0].values[METRIC_server_cpu]));
    cr_expect(isnan(list.items[0].values[METRIC_ratio_to_raw]));
}

Test(measurement_parse, too_many)
{
    size_t one = strlen("{\"pattern\":\"p\",\"server\":\"s\"}\n");
    char *text = malloc(one * (MEASUREMENT_LIST_MAX + 1) + 3), *at = text;

    *at++ = '[';
    for (unsigned i = 0; i <= MEASUREMENT_LIST_MAX; i++)
        at += sprintf(at, "%s{\"pattern\":\"p\",\"server\":\"s\"}", i > 0 ? "," : "");
    strcpy(at, "]");
    cr_expect(eq(int, parse(text), -E2BIG));
    cr_expect(eq(str, reason, "f.json: more than 8192 results at once"));
    free(text);
}
