// Entries of lists as texts. Pure; runs once, before any thread.
#include "scenario_entry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static const char *const group_words[] = {
    "behaviour", "share", "recipients", "prekeys", "online", "offline",
    "every",     "read",  "messages",   "resume",  NULL,
};
// The kinds of stages come behind the name.
static const char *const stage_words[] = {
    "name", "hold",  "ramp", "step", "burst", "spike", "from",
    "by",   "every", "for",  "at",   "to",    NULL,
};
#define STAGE_KIND_FIRST 1u
#define STAGE_KIND_END 6u
static const char *const threshold_words[] = {"metric", "expression", "abort", NULL};

static const struct {
    const char *key, *option;
    const char *const *words;
} lists[SCENARIO_LIST_COUNT] = {
    [SCENARIO_GROUPS] = {"groups", "group", group_words},
    [SCENARIO_STAGES] = {"stages", "stage", stage_words},
    [SCENARIO_THRESHOLDS] = {"thresholds", "threshold", threshold_words},
};

struct writer {
    char *out;
    size_t len;
    bool is_full;
};

const char *scenario_list_key(enum scenario_list list)
{
    return lists[list].key;
}

const char *scenario_list_option(enum scenario_list list)
{
    return lists[list].option;
}

const char *const *scenario_entry_words(enum scenario_list list)
{
    return lists[list].words;
}

PRINTF_LIKE(2, 3) static void put(struct writer *w, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(w->out + w->len, SCENARIO_ENTRY_BYTES - w->len, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= SCENARIO_ENTRY_BYTES - w->len)
        w->is_full = true;
    else
        w->len += (size_t)len;
}

static int refuse(char *reason, const char *why)
{
    snprintf(reason, SCENARIO_ENTRY_REASON_BYTES, "%s", why);
    return -EINVAL;
}

static int put_group(struct writer *w, char *const *values, char *reason)
{
    if (!values[0])
        return refuse(reason, "needs 'behaviour', like 'behaviour: chat'");
    put(w, "%s", values[0]);
    for (unsigned i = 1; group_words[i]; i++) {
        if (values[i])
            put(w, ",%s=%s", group_words[i], values[i]);
    }
    return 0;
}

static int put_stage(struct writer *w, char *const *values, char *reason)
{
    unsigned kinds = 0;

    if (values[0])
        put(w, "%s: ", values[0]);
    for (unsigned i = STAGE_KIND_FIRST; stage_words[i]; i++) {
        if (!values[i])
            continue;
        put(w, "%s%s %s", kinds == 0 ? "" : " ", stage_words[i], values[i]);
        kinds += i < STAGE_KIND_END;
    }
    if (kinds != 1)
        return refuse(reason, "needs one of hold, ramp, step, burst and spike, like 'hold: 10s'");
    return 0;
}

static int put_threshold(struct writer *w, char *const *values, char *reason)
{
    if (!values[0] || !values[1])
        return refuse(reason, "needs 'metric' and 'expression', like 'metric: response' and "
                              "'expression: p(99)<20ms'");
    put(w, "%s:%s", values[0], values[1]);
    if (values[2] && strcmp(values[2], "true") == 0)
        put(w, ",abort");
    else if (values[2] && strcmp(values[2], "false") != 0)
        put(w, ",abort=%s", values[2]);
    return 0;
}

int scenario_entry_format(char out[SCENARIO_ENTRY_BYTES], enum scenario_list list,
                          const struct scenario_entry *entry,
                          char reason[SCENARIO_ENTRY_REASON_BYTES])
{
    struct writer w = {.out = out};
    int err = list == SCENARIO_GROUPS   ? put_group(&w, entry->values, reason)
              : list == SCENARIO_STAGES ? put_stage(&w, entry->values, reason)
                                        : put_threshold(&w, entry->values, reason);

    if (err == 0 && w.is_full)
        err = refuse(reason, "is too long");
    return err;
}
