// What people, pull requests and CI get to read, letter by letter.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "comparison_print.h"
#include "measured.h"

static struct measurement_list base, new, noise;
static struct comparison c;
static char *text;

static void init(void)
{
    const double cpu[] = {150, 151, 149, 150.5, 149.5}, more[] = {190, 191, 189, 190.5, 189.5};
    const double rate[] = {120000, 121000, 119000, 120500, 119500};
    struct comparison_options options;
    char reason[COMPARISON_REASON_BYTES];

    comparison_options_init(&options);
    measured_add_all(&base, "sparse/relay-ws", "b.json", METRIC_throughput, rate, 5);
    measured_add_all(&new, "sparse/relay-ws", "n.json", METRIC_throughput, rate, 5);
    for (size_t i = 0; i < 5; i++) {
        base.items[i].values[METRIC_server_cpu] = cpu[i];
        new.items[i].values[METRIC_server_cpu] = more[i];
    }
    measured_set(&base, SETTING_cpu, "AMD EPYC");
    measured_set(&new, SETTING_cpu, "AMD EPYC");
    measured_set(&base, SETTING_cores, "2");
    measured_set(&new, SETTING_cores, "2");
    measured_set(&base, SETTING_kernel, "Linux 6.18");
    measured_set(&new, SETTING_kernel, "Linux 6.18");
    strcpy(base.items[0].commit, "abc");
    strcpy(new.items[0].commit, "def");
    new.items[2].trust = MEASUREMENT_SUSPECT;
    strcpy(new.items[2].reason, "busy");
    cr_assert(eq(int, comparison_make(&c, &options, &base, &new, &noise, reason), 0));
}

static void fini(void)
{
    measurement_list_free(&base);
    measurement_list_free(&new);
    free(text);
}

TestSuite(comparison_print, .init = init, .fini = fini);

static int print_junit(const struct comparison *of, FILE *out)
{
    return comparison_print_junit(of, out);
}

static void print(void (*write)(const struct comparison *, FILE *))
{
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (write)
        write(&c, f);
    else
        cr_assert(eq(int, print_junit(&c, f), 0));
    fclose(f);
}

Test(comparison_print, format_value)
{
    char out[COMPARISON_VALUE_BYTES];

    cr_expect(eq(str, (char *)comparison_format_value(1.06457, out), "1.065"));
    cr_expect(eq(str, (char *)comparison_format_value(9.9996, out), "10.00"));
    cr_expect(eq(str, (char *)comparison_format_value(156.81, out), "156.8"));
    cr_expect(eq(str, (char *)comparison_format_value(121483.4, out), "121483"));
}

Test(comparison_print, table)
{
    print(comparison_print_table);
    cr_expect(
        eq(str, text,
           "base: 5 results, commit abc, AMD EPYC, 2 processors, Linux 6.18\n"
           "new : 5 results, commit def, AMD EPYC, 2 processors, Linux 6.18\n"
           "\n"
           "sparse/relay-ws\n"
           "                                 base        new    change            interval       p"
           "  effect  repeats  verdict\n"
           "  throughput /s                120000     120000    +0.0 %       -1.2 … +1.3 %   1.000"
           "   5.0 %    5:5    same\n"
           "  server_cpu ns                 150.0      190.0   +26.7 %     +25.6 … +27.8 %   0.008"
           "   5.0 %    5:5    worse\n"
           "\n"
           "note: new: n.json, sparse/relay-ws: suspect: busy\n"
           "\n"
           "regression\n"));
}

Test(comparison_print, markdown)
{
    print(comparison_print_markdown);
    cr_expect(eq(
        str, text,
        "### Load test: regression\n"
        "\n"
        "| pattern | metric | base | new | change | interval | verdict |\n"
        "|---|---|---:|---:|---:|---:|---|\n"
        "| sparse/relay-ws | throughput /s | 120000 | 120000 | +0.0 % | -1.2 … +1.3 % | same |\n"
        "| sparse/relay-ws | server_cpu ns | 150.0 | 190.0 | +26.7 % | +25.6 … +27.8 % |"
        " **worse** |\n"
        "\n"
        "- new: n.json, sparse/relay-ws: suspect: busy\n"
        "\n"
        "<details><summary>Environment and method</summary>\n"
        "\n"
        "- base: 5 results, commit abc, AMD EPYC, 2 processors, Linux 6.18\n"
        "- new: 5 results, commit def, AMD EPYC, 2 processors, Linux 6.18\n"
        "- Medians over the repeats. A change counts when the ranks differ (Mann-Whitney, p < 0.01)"
        " and the medians differ by more than the effect: 5 %, or the noise floor where that is"
        " higher. The interval is a 95 % bootstrap of the ratio of the medians (seed 1). Results"
        " measured at the same time are compared pair by pair: Wilcoxon's signed-rank test, the"
        " median of the ratios.\n"
        "\n"
        "</details>\n"));
}

Test(comparison_print, junit)
{
    c.groups[0].rows[0].verdict = COMPARISON_UNCLEAR;
    c.groups[0].rows[0].may_be_worse = true;
    print(NULL);
    cr_expect(
        eq(str, text,
           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<testsuite name=\"sealpost-load compare\" tests=\"3\" failures=\"1\" skipped=\"1\">\n"
           "  <testcase classname=\"sparse/relay-ws\" name=\"throughput\">\n"
           "    <skipped message=\"unclear; 120000, then 120000: +0.0 % (-1.2 … +1.3 %), effect"
           " 5.0 %\"/>\n"
           "  </testcase>\n"
           "  <testcase classname=\"sparse/relay-ws\" name=\"server_cpu\">\n"
           "    <failure message=\"worse; 150.0, then 190.0: +26.7 % (+25.6 … +27.8 %), effect"
           " 5.0 %\"/>\n"
           "  </testcase>\n"
           "  <testcase classname=\"all\" name=\"delivery\"/>\n"
           "</testsuite>\n"));
}

Test(comparison_print, junit_of_faults)
{
    c.has_faults = true;
    print(NULL);
    cr_expect(strstr(text, "name=\"delivery\">\n    <failure message=\"envelopes or connections") !=
              NULL);
}

Test(comparison_print, markdown_of_several_effects)
{
    c.options.effect[METRIC_server_cpu] = 0.2;
    print(comparison_print_markdown);
    cr_expect(strstr(text, "by more than the effect: 5 to 20 %, or") != NULL);
}

// A name cannot end its column.
Test(comparison_print, markdown_escapes)
{
    strcpy(c.groups[0].name, "a|b");
    print(comparison_print_markdown);
    cr_expect(strstr(text, "| a\\|b | throughput") != NULL);
}

Test(comparison_print, what_has_no_base)
{
    memset(&c, 0, sizeof c);
    comparison_options_init(&c.options);
    c.has_no_base = true;
    print(comparison_print_table);
    cr_expect(eq(str, text,
                 "base: 0 results\nnew : 0 results\n\nthere is no baseline to compare with\n"));
}
