// sealpost-load export: results in the formats of other tools. Thread: the process's main one.
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "compare_options.h"
#include "evidence.h"
#include "exit_code.h"
#include "export.h"
#include "output_file.h"

static int write_bencher(const void *list, FILE *out)
{
    return export_write_bencher(list, out);
}

static int write_go(const void *list, FILE *out)
{
    export_write_go(list, out);
    return 0;
}

static int write_junit(const void *list, FILE *out)
{
    return export_write_junit(list, out);
}

static int write_csv(const void *list, FILE *out)
{
    export_write_csv(list, out);
    return 0;
}

static int write_baseline(const void *list, FILE *out)
{
    return export_write_baseline(list, out);
}

static bool write_all(const struct export_options *o, const struct measurement_list *list)
{
    const struct {
        const char *file;
        output_file_fill *fill;
    } files[] = {{o->bencher_file, write_bencher},
                 {o->go_file, write_go},
                 {o->junit_file, write_junit},
                 {o->csv_file, write_csv},
                 {o->baseline_file, write_baseline}};
    bool ok = true;

    for (unsigned i = 0; i < COUNT_OF(files); i++) {
        int err = output_file_write(files[i].file, files[i].fill, list);

        ok = output_file_complain(files[i].file, err) && ok;
    }
    return ok;
}

int command_export(int argc, char **argv)
{
    char reason[MEASUREMENT_PARSE_REASON_BYTES];
    struct measurement_list list = {0};
    struct export_options o;
    bool ok = false;
    int err = 0;

    export_options_parse(&o, argc, argv);
    for (unsigned i = 0; err == 0 && i < o.results.count; i++)
        err = evidence_load(&list, o.results.paths[i], reason);
    if (err == 0 && list.count == 0) {
        snprintf(reason, sizeof reason, "%.200s: there are no results in it", o.results.paths[0]);
        err = -ENODATA;
    }
    if (err < 0)
        fprintf(stderr, "sealpost-load: %s\n", reason);
    else
        ok = write_all(&o, &list);
    measurement_list_free(&list);
    return ok ? EXIT_CODE_PASS : EXIT_CODE_INTERNAL;
}
