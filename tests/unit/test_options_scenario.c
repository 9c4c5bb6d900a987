// A scenario file and the command line together: who wins, what cannot stand side by side, and
// which line is to blame.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define URL "ws://127.0.0.1:8080"

static struct options o;
static char reason[OPTIONS_REASON_BYTES], file[] = "/tmp/sealpost-options-XXXXXX";

static void setup(void)
{
    int fd = mkstemp(file);

    cr_assert_geq(fd, 0);
    close(fd);
}

static void teardown(void)
{
    options_free(&o);
    unlink(file);
}

TestSuite(options_scenario, .init = setup, .fini = teardown);

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");

    fputs(text, f);
    fclose(f);
}

#define PARSE(...) parse((char *[]){"sealpost-load", URL, "--scenario", file, ##__VA_ARGS__, NULL})

static int parse(char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    options_free(&o);
    return options_parse(&o, argc, argv, reason);
}

Test(options_scenario, merge_command_line_overrides)
{
    write_file("connections: 40\npayload: uniform:64-100\nseed: 5\nthreads: 2\n");
    cr_assert_eq(PARSE("-c", "60", "--seed=6"), 0, "%s", reason);
    cr_assert_eq(o.connections, 60);
    cr_assert_eq(o.seed, 6);
    cr_assert_eq(o.threads, 2);
    cr_assert_eq(o.payload_bytes, 100);
    cr_assert_str_eq(o.payload_text, "uniform:64-100");
    cr_assert_str_eq(o.url, URL);
}

Test(options_scenario, merge_wherever_the_option_stands)
{
    write_file("connections: 40\nseed: 5\n");
    cr_assert_eq(parse((char *[]){"sealpost-load", "-c", "60", URL, "--scenario", file, NULL}), 0,
                 "%s", reason);
    cr_assert_eq(o.connections, 60, "also in front of --scenario");
    cr_assert_eq(o.seed, 5);
}

Test(options_scenario, merge_replaces_lists_as_a_whole)
{
    write_file("stages:\n  - hold 10s at 5\n  - hold 20s at 6\n"
               "thresholds:\n  - lost:count==0\n  - duplicate:count==0\n");
    cr_assert_eq(PARSE(), 0, "%s", reason);
    cr_assert_eq(o.stages.count, 2);
    cr_assert_eq(o.thresholds.count, 2);
    cr_assert_eq(PARSE("--stage", "hold 3s at 7"), 0, "%s", reason);
    cr_assert_eq(o.stages.count, 1);
    cr_assert_eq(o.duration_ns, 3 * NS_PER_S);
    cr_assert_eq(o.thresholds.count, 2);
    cr_assert_eq(PARSE("-T", "stalls:count==0"), 0, "%s", reason);
    cr_assert_eq(o.stages.count, 2);
    cr_assert_eq(o.thresholds.count, 1);
}

Test(options_scenario, merge_replaces_the_model_of_the_load)
{
    write_file("stages:\n  - hold 10s at 5\narrival: poisson\n");
    cr_assert_eq(PARSE("-r", "9", "-d", "4"), 0, "%s", reason);
    cr_assert_eq(o.stages.count, 0);
    cr_assert_eq(o.rate_per_s, 9);
    cr_assert_eq(o.arrival, PLAN_POISSON);
    cr_assert_eq(PARSE("-w", "3"), 0, "%s", reason);
    cr_assert_eq(o.rate_per_s, 0);
    cr_assert_eq(o.in_flight, 3);
    write_file("rate: 100\nduration: 60\n");
    cr_assert_eq(PARSE("--stage", "hold 3s at 7"), 0, "%s", reason);
    cr_assert_eq(o.duration_ns, 3 * NS_PER_S);
    cr_assert_eq(o.rate_per_s, 7);
    write_file("in_flight: 8\n");
    cr_assert_eq(PARSE("-r", "9"), 0, "%s", reason);
    cr_assert_eq(o.rate_per_s, 9);
    write_file("insecure: true\n");
    cr_assert_eq(PARSE("--ca", "x.pem"), 0, "%s", reason);
    cr_assert_not(o.insecure);
}

Test(options_scenario, parse_check_needs_no_relay)
{
    write_file("connections: 40\n");
    cr_assert_eq(parse((char *[]){"sealpost-load", "--check", "--scenario", file, NULL}), 0, "%s",
                 reason);
    cr_assert(o.is_check);
    cr_assert_null(o.url);
    cr_assert_eq(parse((char *[]){"sealpost-load", "--scenario", file, NULL}), -EINVAL);
    cr_assert(strstr(reason, "the relay is missing"), "%s", reason);
}

Test(options_scenario, parse_names_the_line)
{
    char expected[96];

    write_file("seed: 1\n\npayload: 5\n");
    cr_assert_eq(PARSE(), -EINVAL);
    snprintf(expected, sizeof expected, "%s:3: --payload takes sizes from 48", file);
    cr_assert_eq(strncmp(reason, expected, strlen(expected)), 0, "%s", reason);
    cr_assert_null(o.scenario, "nothing is kept");
    write_file("stages:\n  - {hold: 1s, at: 5}\n  - {hold: 1s, to: 5}\n");
    cr_assert_eq(PARSE(), -EINVAL);
    snprintf(expected, sizeof expected, "%s:3: --stage 'hold 1s to 5': hold does not know", file);
    cr_assert_eq(strncmp(reason, expected, strlen(expected)), 0, "%s", reason);
    write_file("thresholds:\n  - nonsense:count==0\n");
    cr_assert_eq(PARSE(), -EINVAL);
    snprintf(expected, sizeof expected, "%s:2: ", file);
    cr_assert_eq(strncmp(reason, expected, strlen(expected)), 0, "%s", reason);
    // What the command line gets wrong is not the file's fault.
    write_file("seed: 1\n");
    cr_assert_eq(PARSE("-c", "x"), -EINVAL);
    cr_assert_eq(strncmp(reason, "--connections", 13), 0, "%s", reason);
}

Test(options_scenario, parse_refuses)
{
    write_file("rate: 5\nin_flight: 2\n");
    cr_assert_eq(PARSE(), -EINVAL);
    cr_assert(strstr(reason, "give one of them"), "%s", reason);
    cr_assert_eq(PARSE("--scenario", "chat"), -EINVAL);
    cr_assert(strstr(reason, "one scenario at a time"), "%s", reason);
    write_file("stages:\n  - hold 10s at 5\n");
    cr_assert_eq(PARSE("-d", "5"), -EINVAL);
    cr_assert(strstr(reason, "stages last as long as they say"), "%s", reason);
}
