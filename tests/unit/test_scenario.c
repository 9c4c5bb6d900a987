// Scenario files: every option is a key, lists in both forms, lines, and a sentence with file,
// line, key and what is allowed for everything that cannot be.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "ready_made.h"
#include "scenario.h"
#include "scenario_entry.h"

static struct option_names names;
static struct scenario *s;
static char reason[SCENARIO_REASON_BYTES];

static void setup(void)
{
    options_collect_names(&names);
}

static void teardown(void)
{
    scenario_destroy(s);
}

TestSuite(scenario, .init = setup, .fini = teardown);

static int create(const char *text)
{
    scenario_destroy(s);
    return scenario_create(&s, "x.yaml", text, strlen(text), &names, reason);
}

static void expect(uint32_t index, const char *text, uint32_t line)
{
    cr_assert_lt(index, s->count);
    cr_assert_str_eq(s->settings[index].text, text);
    cr_assert_eq(s->settings[index].line, line, "'%s' in line %u", text, s->settings[index].line);
}

static bool is_list(const char *option)
{
    for (unsigned i = 0; i < SCENARIO_LIST_COUNT; i++) {
        if (strcmp(option, scenario_list_option((enum scenario_list)i)) == 0)
            return true;
    }
    return false;
}

Test(scenario, create_every_option_is_a_key)
{
    char text[128], expected[128];

    cr_assert_gt(names.count, 20);
    for (uint32_t i = 0; i < names.count; i++) {
        const struct option_name *o = &names.items[i];

        snprintf(text, sizeof text, "\n%s: %s\n", o->name, o->has_value ? "v1" : "true");
        if (strcmp(o->name, "scenario") == 0 || strcmp(o->name, "check") == 0 || is_list(o->name)) {
            cr_assert_eq(create(text), -EINVAL, "%s", o->name);
            continue;
        }
        for (unsigned form = 0; form < 2; form++) {
            cr_assert_eq(create(text), 0, "%s: %s", o->name, reason);
            snprintf(expected, sizeof expected, o->has_value ? "--%s=v1" : "--%s", o->name);
            cr_assert_eq(s->count, 1);
            cr_assert_str_eq(s->settings[0].option, o->name);
            expect(0, expected, 2);
            for (char *c = text; *c != ':'; c++) // and with '_' for '-'
                *c = *c == '-' ? '_' : *c;
        }
    }
}

Test(scenario, create_every_list_has_its_option)
{
    for (unsigned i = 0; i < SCENARIO_LIST_COUNT; i++) {
        const char *option = scenario_list_option((enum scenario_list)i);
        char text[64], expected[64];

        if (option_names_find(&names, option) < 0)
            continue;
        snprintf(text, sizeof text, "%s:\n  - one\n  - two three\n",
                 scenario_list_key((enum scenario_list)i));
        cr_assert_eq(create(text), 0, "%s", reason);
        cr_assert_eq(s->count, 2);
        snprintf(expected, sizeof expected, "--%s=one", option);
        expect(0, expected, 2);
        snprintf(expected, sizeof expected, "--%s=two three", option);
        expect(1, expected, 3);
    }
    cr_assert_geq(option_names_find(&names, "stage"), 0);
    cr_assert_geq(option_names_find(&names, "threshold"), 0);
}

Test(scenario, create_takes_mappings)
{
    cr_assert_eq(create("name: evening\n"
                        "description: what a weekday brings\n"
                        "connections: 1000 # a comment\n"
                        "durable: false\n"
                        "stages:\n"
                        "  - {name: warm, hold: 10s, at: 1000}\n"
                        "  - ramp: 30s\n"
                        "    to: 20000\n"
                        "\n"
                        "  - {burst: 5, every: 1s, for: 9s}\n"
                        "thresholds:\n"
                        "  - {metric: response, expression: p(99)<20ms, abort: 5s}\n"),
                 0, "%s", reason);
    cr_assert_str_eq(s->name, "evening");
    cr_assert_str_eq(s->description, "what a weekday brings");
    cr_assert_eq(s->count, 5);
    expect(0, "--connections=1000", 3);
    expect(1, "--stage=warm: hold 10s at 1000", 6);
    expect(2, "--stage=ramp 30s to 20000", 7);
    expect(3, "--stage=burst 5 every 1s for 9s", 10);
    expect(4, "--threshold=response:p(99)<20ms,abort=5s", 12);
}

Test(scenario, create_takes_nothing_from_nothing)
{
    cr_assert_eq(create(""), 0, "%s", reason);
    cr_assert_eq(s->count, 0);
    cr_assert_eq(create("# only a comment\n"), 0, "%s", reason);
    cr_assert_eq(s->count, 0);
}

static const struct {
    const char *text, *says;
} refusals[] = {
    {"connections: 10\nzz: 2\n", "x.yaml:2: there is no key 'zz'"},
    {"scenario: other.yaml\n", "x.yaml:1: there is no key 'scenario'"},
    {"\nconnections: [1, 2]\n", "x.yaml:2: connections takes one value, not a list"},
    {"connections: {a: 1}\n", "x.yaml:1: connections takes one value here, not a mapping"},
    {"rate: 1\nseed: 2\n\nrate: 5\n", "x.yaml:4: rate stands here twice"},
    {"in-flight: 3\nin_flight: 4\n", "in-flight stands here twice, also as in_flight"},
    {"seed: 1\nconnections:\n", "x.yaml:2: connections has no value"},
    {"durable: maybe\n", "x.yaml:1: durable takes true or false, not 'maybe'"},
    {"json: \"a\nb\n", "this is not YAML"},
    {"\tconnections: 1\n", "x.yaml:1: this is not YAML"},
    {"a text\n", "the file is not a mapping"},
    {"- connections\n", "the file is not a mapping"},
    {"seed: &a 1\nrate: *a\n", "x.yaml:2: rate takes a value of its own, not an alias"},
    {"stages: hold 1s at 5\n", "x.yaml:1: stages is a list"},
    {"stages:\n  -\n", "stages has no value"},
    {"stages:\n  - hold 1s at 5\n  - {hold: 1s}\n", "x.yaml:3: stages takes one value here"},
    {"stages:\n  - {hold: 1s}\n  - hold 1s at 5\n", "x.yaml:3: stages is a mapping here"},
    {"stages:\n  - hold: 1s\n    foo: 3\n", "x.yaml:3: stages have no key 'foo'; theirs are name"},
    {"stages:\n  - {name: x}\n", "x.yaml:2: an entry of stages needs one of hold, ramp"},
    {"stages:\n  - {hold: 1s, ramp: 2s}\n", "needs one of hold, ramp"},
    {"stages:\n  - hold: [1s]\n", "takes one value, not a list"},
    {"thresholds:\n  - {metric: x}\n", "x.yaml:2: an entry of thresholds needs 'metric' and"},
    {"stages: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]\n",
     "stages has more than 32 entries"},
    {"a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}\n", "nested too deep"},
};

Test(scenario, create_refuses_with_file_line_and_key)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        cr_assert_eq(create(refusals[i].text), -EINVAL, "'%s'", refusals[i].text);
        cr_assert_null(s);
        cr_assert(strstr(reason, refusals[i].says), "'%s': '%s' lacks '%s'", refusals[i].text,
                  reason, refusals[i].says);
        cr_assert_eq(strncmp(reason, "x.yaml:", 7), 0, "%s", reason);
        cr_assert_null(strchr(reason, '\n'));
    }
}

Test(scenario, create_refuses_a_value_that_is_too_long)
{
    char text[SCENARIO_VALUE_MAX_BYTES + 32];

    snprintf(text, sizeof text, "json: %0*u\n", (int)SCENARIO_VALUE_MAX_BYTES, 1);
    cr_assert_eq(create(text), 0, "%s", reason);
    snprintf(text, sizeof text, "json: %0*u\n", (int)SCENARIO_VALUE_MAX_BYTES + 1, 1);
    cr_assert_eq(create(text), -EINVAL);
    cr_assert(strstr(reason, "x.yaml:1: json has a value of more than 255"), "%s", reason);
}

Test(scenario, create_refuses_too_many_entries)
{
    char *text = malloc(SCENARIO_MARKS_MAX * 6 + 100), *at = text;

    at += sprintf(at, "stages:\n");
    for (unsigned i = 0; i < SCENARIO_MARKS_MAX; i++)
        at += sprintf(at, " - a\n");
    cr_assert_eq(create(text), -EINVAL);
    cr_assert(strstr(reason, "too many keys and entries"), "%s", reason);
    free(text);
}

static void write_file(const char *name, size_t len)
{
    FILE *f = fopen(name, "w");

    cr_assert_not_null(f);
    fprintf(f, "seed: 9\n#");
    for (size_t i = (size_t)ftell(f); i < len; i++)
        fputc('x', f);
    fclose(f);
}

Test(scenario, load_reads_a_file_up_to_its_bound)
{
    char name[] = "/tmp/sealpost-scenario-XXXXXX";
    int fd = mkstemp(name);

    cr_assert_geq(fd, 0);
    close(fd);
    write_file(name, SCENARIO_FILE_MAX_BYTES);
    cr_assert_eq(scenario_load(&s, name, &names, reason), 0, "%s", reason);
    expect(0, "--seed=9", 1);
    scenario_destroy(s);
    write_file(name, SCENARIO_FILE_MAX_BYTES + 1);
    cr_assert_eq(scenario_load(&s, name, &names, reason), -EFBIG);
    cr_assert(strstr(reason, name) && strstr(reason, "too large"), "%s", reason);
    unlink(name);
}

Test(scenario, load_tells_what_cannot_be_read)
{
    cr_assert_eq(scenario_load(&s, "/tmp", &names, reason), -EISDIR);
    cr_assert(strstr(reason, "directory"), "%s", reason);
    cr_assert_eq(scenario_load(&s, "no-such-scenario", &names, reason), -ENOENT);
    cr_assert(strstr(reason, "'no-such-scenario': no such file; the ready-made ones are burst, "),
              "%s", reason);
    cr_assert_null(s);
}

Test(scenario, load_finds_the_ready_made_ones)
{
    cr_assert_gt(ready_made_count, 0);
    for (uint32_t i = 0; i < ready_made_count; i++) {
        cr_assert_eq(scenario_load(&s, ready_made_all[i].name, &names, reason), 0, "%s", reason);
        cr_assert_not_null(s->name, "%s has a name", ready_made_all[i].name);
        cr_assert_not_null(s->description, "%s says what it is", ready_made_all[i].name);
        cr_assert_gt(s->count, 0);
        scenario_destroy(s);
        s = NULL;
    }
}
