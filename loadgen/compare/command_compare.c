// sealpost-load compare: reads both sides, compares, has suspicions measured again, reports.
// Thread: the process's main one.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "compare_options.h"
#include "comparison_json.h"
#include "comparison_print.h"
#include "evidence.h"
#include "output_file.h"
#include "rerun.h"

struct compare {
    struct compare_options options;
    struct comparison comparison, repetition;
    struct measurement_list base, new, noise, base_again, new_again;
    char reason[MEASUREMENT_PARSE_REASON_BYTES];
};

_Static_assert(MEASUREMENT_PARSE_REASON_BYTES == COMPARISON_REASON_BYTES, "one reason for both");

static int load(struct compare *c, struct measurement_list *to, const struct compare_paths *from)
{
    int err = 0;

    for (unsigned i = 0; err == 0 && i < from->count; i++)
        err = evidence_load(to, from->paths[i], c->reason);
    return err;
}

// The names of what is suspected, separated by spaces. Owner: the caller frees it.
static char *list_suspects(const struct comparison *c)
{
    char *names = calloc(COMPARISON_GROUPS_MAX, MEASUREMENT_NAME_BYTES + 1);

    for (unsigned g = 0; names && g < c->group_count; g++) {
        if (!comparison_group_is_worse(&c->groups[g]))
            continue;
        strcat(names, names[0] != '\0' ? " " : "");
        strcat(names, c->groups[g].name);
    }
    return names;
}

static int confirm(struct compare *c)
{
    char *names = list_suspects(&c->comparison);
    const struct measurement_list *base = &c->base;
    int err = names ? 0 : -ENOMEM;

    if (err < 0 || names[0] == '\0')
        goto cleanup;
    fprintf(stderr, "sealpost-load: measuring again: %s\n", names);
    err = rerun_measure(c->options.rerun, names, &c->base_again, &c->new_again, c->reason);
    if (err < 0)
        goto cleanup;
    if (c->base_again.count > 0)
        base = &c->base_again;
    err = comparison_make(&c->repetition, &c->options.comparison, base, &c->new_again, &c->noise,
                          c->reason);
    if (err == 0)
        comparison_confirm(&c->comparison, &c->repetition);

cleanup:
    free(names);
    return err;
}

static int compare(struct compare *c)
{
    int err;

    snprintf(c->reason, sizeof c->reason, "out of memory");
    err = load(c, &c->new, &c->options.new);
    if (err == 0)
        err = load(c, &c->noise, &c->options.noise);
    if (err == 0) {
        // Only a base may be missing: the first run of a new pipeline has none.
        err = load(c, &c->base, &c->options.base);
        if (err == -ENOENT) {
            comparison_add_note(&c->comparison, "%s", c->reason);
            c->comparison.has_no_base = true;
            return 0;
        }
    }
    if (err == 0)
        err = comparison_make(&c->comparison, &c->options.comparison, &c->base, &c->new, &c->noise,
                              c->reason);
    if (err == 0 && c->options.rerun)
        err = confirm(c);
    return err;
}

struct json {
    const struct comparison *comparison;
    int argc;
    char **argv;
};

static int write_json(const void *json, FILE *out)
{
    const struct json *j = json;

    return comparison_json_write(j->comparison, j->argc, j->argv, out);
}

static int write_markdown(const void *comparison, FILE *out)
{
    comparison_print_markdown(comparison, out);
    return 0;
}

static int write_junit(const void *comparison, FILE *out)
{
    return comparison_print_junit(comparison, out);
}

static bool is_stdout(const char *file)
{
    return file && strcmp(file, "-") == 0;
}

static bool write_one(const char *file, output_file_fill *fill, const void *what)
{
    return output_file_complain(file, output_file_write(file, fill, what));
}

static enum comparison_exit report(const struct compare *c, int argc, char **argv)
{
    const char *markdown = c->options.markdown_file, *junit = c->options.junit_file;
    const struct json json = {.comparison = &c->comparison, .argc = argc, .argv = argv};
    bool is_taken = is_stdout(c->options.json_file) || is_stdout(markdown) || is_stdout(junit);
    bool ok;

    if (!c->options.quiet)
        comparison_print_table(&c->comparison, is_taken ? stderr : stdout);
    ok = write_one(c->options.json_file, write_json, &json);
    ok = write_one(markdown, write_markdown, &c->comparison) && ok;
    ok = write_one(junit, write_junit, &c->comparison) && ok;
    return ok ? comparison_exit_code(&c->comparison) : COMPARISON_EXIT_ERROR;
}

int command_compare(int argc, char **argv)
{
    struct compare *c = calloc(1, sizeof *c);
    enum comparison_exit code = COMPARISON_EXIT_ERROR;

    if (!c) {
        fputs("sealpost-load: out of memory\n", stderr);
        return COMPARISON_EXIT_ERROR;
    }
    compare_options_parse(&c->options, argc, argv);
    c->comparison.options = c->options.comparison;
    if (compare(c) < 0)
        fprintf(stderr, "sealpost-load: %s\n", c->reason);
    else
        code = report(c, argc, argv);
    measurement_list_free(&c->base);
    measurement_list_free(&c->new);
    measurement_list_free(&c->noise);
    measurement_list_free(&c->base_again);
    measurement_list_free(&c->new_again);
    free(c);
    return (int)code;
}
