// Any text as results: it is taken or refused with one sentence, and what is taken has a name, ends
// its strings, and can be compared with itself and exported in every format; the baseline is read
// again.
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comparison.h"
#include "comparison_print.h"
#include "export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refused(int err, const char *reason)
{
    assert(err == -EBADMSG || err == -E2BIG);
    assert(strncmp(reason, "input: ", 7) == 0 && strlen(reason) < MEASUREMENT_PARSE_REASON_BYTES);
}

static void check_taken(const struct measurement *m)
{
    assert(memchr(m->name, '\0', sizeof m->name) && memchr(m->reason, '\0', sizeof m->reason));
    assert(memchr(m->commit, '\0', sizeof m->commit));
    for (unsigned i = 0; i < SETTING_COUNT; i++)
        assert(memchr(m->settings[i], '\0', sizeof m->settings[i]));
    for (unsigned i = 0; i < METRIC_COUNT; i++)
        assert(isnan(m->values[i]) || (isfinite(m->values[i]) && m->values[i] > 0));
    assert(m->threshold_count <= MEASUREMENT_THRESHOLDS_MAX);
}

// Against itself nothing is better or worse.
static void check_comparison(const struct measurement_list *list, FILE *out)
{
    static struct comparison c;
    const struct measurement_list none = {0};
    struct comparison_options o;
    char reason[COMPARISON_REASON_BYTES];
    int err;

    comparison_options_init(&o);
    err = comparison_make(&c, &o, list, list, &none, reason);
    assert(err == 0 || err == -EINVAL);
    if (err < 0)
        return;
    for (unsigned g = 0; g < c.group_count; g++)
        for (unsigned i = 0; i < c.groups[g].row_count; i++)
            assert(c.groups[g].rows[i].verdict != COMPARISON_WORSE &&
                   c.groups[g].rows[i].verdict != COMPARISON_BETTER);
    comparison_print_table(&c, out);
    comparison_print_markdown(&c, out);
    err = comparison_print_junit(&c, out);
    assert(err == 0);
}

static void check_exports(const struct measurement_list *list, FILE *out)
{
    struct measurement_list again = {0};
    char reason[MEASUREMENT_PARSE_REASON_BYTES], *text;
    size_t len;
    FILE *baseline = open_memstream(&text, &len);
    int err = export_write_bencher(list, out);

    assert(baseline != NULL && err == 0);
    export_write_go(list, out);
    export_write_csv(list, out);
    err = export_write_junit(list, out);
    assert(err == 0);
    err = export_write_baseline(list, baseline);
    fclose(baseline);
    if (err == 0) {
        err = measurement_parse(&again, text, len, "baseline", reason);
        assert(err == 0 && again.count > 0);
        measurement_list_free(&again);
    } else {
        assert(err == -ENODATA);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct measurement_list list = {0};
    char reason[MEASUREMENT_PARSE_REASON_BYTES], *text = NULL;
    size_t len;
    int err = measurement_parse(&list, (const char *)data, size, "input", reason);
    FILE *out;

    if (err < 0)
        check_refused(err, reason);
    for (size_t i = 0; i < list.count; i++)
        check_taken(&list.items[i]);
    // Each compared metric is a bootstrap: more would only slow the search down.
    if (err == 0 && list.count > 0 && list.count <= 8) {
        out = open_memstream(&text, &len);
        assert(out != NULL);
        check_comparison(&list, out);
        check_exports(&list, out);
        fclose(out);
        free(text);
    }
    measurement_list_free(&list);
    return 0;
}
