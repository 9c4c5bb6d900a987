// Scenario files beside the command line. Runs once, before any thread.
#include "options_scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "option_value.h"

enum { KEY_SCENARIO = OPTION_KEYS_SCENARIO, KEY_CHECK };

static const struct argp_option option_table[] = {
    {"scenario", KEY_SCENARIO, "FILE|NAME", 0,
     "Options from a file, or a ready-made scenario; the command line overrides it", 0},
    {"check", KEY_CHECK, 0, 0, "Say what would be done, in words, and connect to nothing", 0},
    {0},
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;

    switch (key) {
    case KEY_SCENARIO:
        if (p->has_scenario)
            return option_refuse(p, "one scenario at a time: '%s' is too much", arg);
        p->has_scenario = true;
        return 0;
    case KEY_CHECK:
        p->o->is_check = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_scenario_argp = {.options = option_table, .parser = parse_one};

struct scan {
    struct options_given *given;
    const struct option_names *names;
};

static error_t note_one(int key, char *arg, struct argp_state *state)
{
    struct scan *scan = state->input;

    for (uint32_t i = 0; i < scan->names->count; i++) {
        if (scan->names->items[i].key != key)
            continue;
        scan->given->is_given[i] = true;
        if (key == KEY_SCENARIO && !scan->given->scenario)
            scan->given->scenario = arg;
        return 0;
    }
    return key == ARGP_KEY_ARG ? 0 : ARGP_ERR_UNKNOWN;
}

void options_scenario_scan(struct options_given *given, const struct option_names *names, int argc,
                           char **argv)
{
    struct argp_option all[OPTION_NAMES_MAX + 1] = {0};
    const struct argp argp = {.options = all, .parser = note_one};
    struct scan scan = {given, names};

    *given = (struct options_given){0};
    for (uint32_t i = 0; i < names->count; i++)
        all[i] = (struct argp_option){.name = names->items[i].name,
                                      .key = names->items[i].key,
                                      .arg = names->items[i].has_value ? "VALUE" : NULL,
                                      .flags = names->items[i].flags,
                                      .doc = ""};
    argp_parse(&argp, argc, argv, ARGP_SILENT, NULL, &scan);
}

// What the command line gives takes the place of what the file gives.
static const struct {
    const char *in_file, *given;
} replacements[] = {
    {"stage", "stage"},         {"stage", "rate"},     {"stage", "in-flight"},
    {"rate", "stage"},          {"rate", "in-flight"}, {"in-flight", "stage"},
    {"in-flight", "rate"},      {"duration", "stage"}, {"arrival", "in-flight"},
    {"group", "group"},         {"group", "mode"},     {"mode", "group"},
    {"threshold", "threshold"}, {"ca", "insecure"},    {"insecure", "ca"},
};

static bool is_replaced(const char *option, const struct option_names *names,
                        const struct options_given *given)
{
    for (unsigned i = 0; i < COUNT_OF(replacements); i++) {
        int index = option_names_find(names, replacements[i].given);

        if (index >= 0 && given->is_given[index] && strcmp(option, replacements[i].in_file) == 0)
            return true;
    }
    return false;
}

int options_scenario_merge(struct options_merged *out, const struct scenario *scenario,
                           const struct option_names *names, const struct options_given *given,
                           int argc, char **argv)
{
    *out = (struct options_merged){0};
    out->argv = calloc((size_t)argc + SCENARIO_SETTINGS_MAX + 2, sizeof *out->argv);
    if (!out->argv)
        return -ENOMEM;
    out->argv[out->argc++] = argv[0];
    for (uint32_t i = 0; i < scenario->count; i++) {
        const struct scenario_setting *setting = &scenario->settings[i];

        if (is_replaced(setting->option, names, given))
            continue;
        out->settings[out->count++] = setting;
        out->argv[out->argc++] = setting->text;
    }
    for (int i = 1; i < argc; i++)
        out->argv[out->argc++] = argv[i];
    return 0;
}
