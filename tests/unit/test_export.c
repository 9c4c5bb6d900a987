// The formats of other tools, letter by letter.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "measured.h"

static struct measurement_list list;
static char *text;

static void init(void)
{
    const double rate[] = {2000, 1000, 4000};

    measured_add_all(&list, "talk/conns=100", "r.json", METRIC_throughput, rate, 3);
    list.items[1].values[METRIC_response_p99] = 40.5;
    list.items[2].trust = MEASUREMENT_LIMITED; // of no use to anybody
    strcpy(list.items[2].reason, "no \"ports\", none");
    measured_add(&list, "sparse/relay-ws", "b.json")->values[METRIC_cpu_ratio_to_raw] = 1.06457;
    list.items[3].values[METRIC_ratio_to_raw] = 0.93777;
    list.items[3].values[METRIC_server_cpu] = 6641.5;
    list.items[3].values[METRIC_throughput] = 121483;
    measured_set(&list, SETTING_cpu, "AMD EPYC");
    measured_set(&list, SETTING_connections, "100");
}

static void fini(void)
{
    measurement_list_free(&list);
    free(text);
}

TestSuite(export, .init = init, .fini = fini);

static int write_with(int (*write)(const struct measurement_list *, FILE *))
{
    size_t len;
    FILE *f = open_memstream(&text, &len);
    int err = write(&list, f);

    fclose(f);
    return err;
}

static int write_go(const struct measurement_list *l, FILE *f)
{
    export_write_go(l, f);
    return 0;
}

static int write_csv(const struct measurement_list *l, FILE *f)
{
    export_write_csv(l, f);
    return 0;
}

Test(export, bencher)
{
    cr_assert(eq(int, write_with(export_write_bencher), 0));
    cr_expect(strncmp(text, "{\n  \"talk/conns=100\": {\n", 24) == 0, "%s", text);
    cr_expect(strstr(text, "\n  \"sparse/relay-ws\": {\n") != NULL);
    cr_expect(strstr(text, "\"throughput\": {\n      \"value\": 1500.0,\n      \"lower_value\": "
                           "1000.0,\n      \"upper_value\": 2000.0\n    },") != NULL,
              "%s", text);
    cr_expect(strstr(text, "\"response_p99\": {\n      \"value\": 40.5,") != NULL);
    cr_expect(strstr(text, "4000") == NULL, "limited results are left out");
}

Test(export, go)
{
    cr_assert(eq(int, write_with(write_go), 0));
    cr_expect(strncmp(text, "goos: linux\ngoarch: amd64\npkg: sealpost\ncpu: AMD EPYC\n",
                      strlen("goos: linux\ngoarch: amd64\npkg: sealpost\ncpu: AMD EPYC\n")) == 0);
    cr_expect(strstr(text, "\nUnit messages/s better=higher\n") != NULL);
    cr_expect(strstr(text, "\nUnit server-cpu-ns better=lower\n") != NULL);
    cr_expect(eq(str, strstr(text, "\nBenchmark"),
                 "\nBenchmarkTalk/conns=100 1 500000 ns/op 2000 messages/s\n"
                 "BenchmarkTalk/conns=100 1 1e+06 ns/op 1000 messages/s 40500 p99-ns\n"
                 "BenchmarkSparse/relay-ws 1 8231.6 ns/op 121483 messages/s 6641.5 server-cpu-ns "
                 "0.93777 ratio-to-raw 1.06457 cpu-ratio-to-raw\n"));
}

Test(export, go_names_have_no_space)
{
    strcpy(list.items[0].name, "a b");
    cr_assert(eq(int, write_with(write_go), 0));
    cr_expect(strstr(text, "\nBenchmarkA_b 1 ") != NULL);
}

Test(export, csv)
{
    char *line;

    cr_assert(eq(int, write_with(write_csv), 0));
    cr_expect(strncmp(text, "pattern,file,commit,trust,reason,mode,model,connections,",
                      strlen("pattern,file,commit,trust,reason,mode,model,connections,")) == 0);
    cr_expect(strstr(text, ",threads,duration_s,throughput,handshakes,response_p50,") != NULL);
    line = strstr(text, "\r\ntalk/conns=100,r.json,,ok,,,,100,,");
    cr_assert(line != NULL, "%s", text);
    cr_expect(strstr(text, "\r\ntalk/conns=100,r.json,,limited,\"no \"\"ports\"\", none\",,,100") !=
              NULL);
    // As many fields in every line as in the first.
    for (size_t i = 0, commas = 0, first = 0; text[i] != '\0'; i++) {
        if (text[i] == '"') // the only quoted field has one comma
            i = (size_t)(strstr(text + i, "none\"") + 4 - text);
        commas += text[i] == ',';
        if (text[i] != '\n')
            continue;
        first = first > 0 ? first : commas;
        cr_expect(eq(sz, commas, first));
        commas = 0;
    }
}

Test(export, junit)
{
    struct measurement *m = &list.items[0];

    m->thresholds = calloc(2, sizeof *m->thresholds);
    m->threshold_count = 2;
    strcpy(m->thresholds[0].name, "response:p(99)<20ms");
    strcpy(m->thresholds[0].reason, "30 ms");
    strcpy(m->thresholds[1].name, "rate:value>=1");
    m->thresholds[1].passed = true;
    list.items[1].trust = MEASUREMENT_FAULTY;
    strcpy(list.items[1].reason, "3 lost");
    list.count = 3;
    cr_assert(eq(int, write_with(export_write_junit), 0));
    cr_expect(eq(str, text,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<testsuite name=\"sealpost-load\" tests=\"8\" failures=\"3\" skipped=\"0\">\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"delivery\"/>\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"generator\"/>\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"response:p(99)&lt;20ms\">\n"
                 "    <failure message=\"30 ms\"/>\n"
                 "  </testcase>\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"rate:value&gt;=1\"/>\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"delivery\">\n"
                 "    <failure message=\"3 lost\"/>\n"
                 "  </testcase>\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"generator\"/>\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"delivery\"/>\n"
                 "  <testcase classname=\"talk/conns=100\" name=\"generator\">\n"
                 "    <failure message=\"no &quot;ports&quot;, none\"/>\n"
                 "  </testcase>\n"
                 "</testsuite>\n"));
}

// A baseline is read as results are, and holds no rates.
Test(export, baseline)
{
    struct measurement_list again = {0};
    char reason[MEASUREMENT_PARSE_REASON_BYTES];

    cr_assert(eq(int, write_with(export_write_baseline), 0));
    cr_expect(strstr(text, "per_s") == NULL);
    cr_assert(eq(int, measurement_parse(&again, text, strlen(text), "baseline", reason), 0));
    cr_assert(eq(sz, again.count, 1));
    cr_expect(eq(str, again.items[0].name, "sparse/relay-ws"));
    cr_expect(again.items[0].values[METRIC_cpu_ratio_to_raw] == 1.0646);
    cr_expect(again.items[0].values[METRIC_ratio_to_raw] == 0.9378);
    cr_expect(again.items[0].values[METRIC_server_cpu] == 6641.5);
    cr_expect(eq(str, again.items[0].settings[SETTING_connections], "100"));
    cr_expect(eq(str, again.items[0].settings[SETTING_cpu], "AMD EPYC"));
    measurement_list_free(&again);
}

Test(export, baseline_without_ratios)
{
    list.count = 3;
    cr_expect(eq(int, write_with(export_write_baseline), -ENODATA));
}
