// Mappings become the texts of the grammars.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "scenario_entry.h"

static char out[SCENARIO_ENTRY_BYTES], reason[SCENARIO_ENTRY_REASON_BYTES];

// Pairs of word and value, then NULL.
static int format(enum scenario_list list, ...)
{
    const char *const *words = scenario_entry_words(list);
    struct scenario_entry entry = {0};
    const char *word;
    va_list pairs;

    va_start(pairs, list);
    while ((word = va_arg(pairs, const char *))) {
        unsigned i = 0;

        while (strcmp(words[i], word) != 0)
            i++;
        entry.values[i] = va_arg(pairs, char *);
    }
    va_end(pairs);
    return scenario_entry_format(out, list, &entry, reason);
}

Test(scenario_entry, format_stages)
{
    cr_assert_eq(format(SCENARIO_STAGES, "at", "1000", "hold", "10s", NULL), 0);
    cr_assert_str_eq(out, "hold 10s at 1000");
    cr_assert_eq(format(SCENARIO_STAGES, "name", "up", "ramp", "1m", "from", "0", "to", "5", NULL),
                 0);
    cr_assert_str_eq(out, "up: ramp 1m from 0 to 5");
    cr_assert_eq(format(SCENARIO_STAGES, "step", "5x10s", "from", "1", "by", "-1", NULL), 0);
    cr_assert_str_eq(out, "step 5x10s from 1 by -1");
    cr_assert_eq(format(SCENARIO_STAGES, "burst", "9", "every", "1s", "for", "9s", "at", "2", NULL),
                 0);
    cr_assert_str_eq(out, "burst 9 every 1s for 9s at 2");
    cr_assert_eq(format(SCENARIO_STAGES, "spike", "1s", "to", "9", NULL), 0);
    cr_assert_str_eq(out, "spike 1s to 9");
}

Test(scenario_entry, format_groups)
{
    cr_assert_eq(format(SCENARIO_GROUPS, "behaviour", "chat", NULL), 0);
    cr_assert_str_eq(out, "chat");
    cr_assert_eq(
        format(SCENARIO_GROUPS, "recipients", "24", "behaviour", "fan-out", "share", "3", NULL), 0);
    cr_assert_str_eq(out, "fan-out,share=3,recipients=24");
    cr_assert_eq(
        format(SCENARIO_GROUPS, "resume", "yes", "behaviour", "storm", "every", "5s", NULL), 0);
    cr_assert_str_eq(out, "storm,every=5s,resume=yes");
    cr_assert_eq(format(SCENARIO_GROUPS, "share", "3", NULL), -EINVAL);
    cr_assert(strstr(reason, "needs 'behaviour'"));
}

Test(scenario_entry, format_thresholds)
{
    cr_assert_eq(format(SCENARIO_THRESHOLDS, "metric", "lost", "expression", "count==0", NULL), 0);
    cr_assert_str_eq(out, "lost:count==0");
    cr_assert_eq(format(SCENARIO_THRESHOLDS, "metric", "response", "expression", "p(99)<5ms",
                        "abort", "true", NULL),
                 0);
    cr_assert_str_eq(out, "response:p(99)<5ms,abort");
    cr_assert_eq(format(SCENARIO_THRESHOLDS, "metric", "lost", "expression", "count==0", "abort",
                        "false", NULL),
                 0);
    cr_assert_str_eq(out, "lost:count==0");
    cr_assert_eq(format(SCENARIO_THRESHOLDS, "metric", "lost", "expression", "count==0", "abort",
                        "10s", NULL),
                 0);
    cr_assert_str_eq(out, "lost:count==0,abort=10s");
    cr_assert_eq(format(SCENARIO_THRESHOLDS, "expression", "count==0", NULL), -EINVAL);
}

Test(scenario_entry, format_bounds_its_text)
{
    char value[SCENARIO_ENTRY_BYTES];

    memset(value, 'x', sizeof value);
    value[sizeof value - 1] = '\0';
    cr_assert_eq(format(SCENARIO_STAGES, "hold", value, NULL), -EINVAL);
    cr_assert_str_eq(reason, "is too long");
    value[sizeof value - 1 - strlen("hold ")] = '\0';
    cr_assert_eq(format(SCENARIO_STAGES, "hold", value, NULL), 0);
    cr_assert_eq(strlen(out), SCENARIO_ENTRY_BYTES - 1);
}
