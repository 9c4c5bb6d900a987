// Stages from their texts. Pure; runs once, before any thread.
#include "stage.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define WORD_BYTES 64u

static const struct {
    const char *name, *form;
} kinds[] = {
    [STAGE_HOLD] = {"hold", "hold 10s at 1000"},
    [STAGE_RAMP] = {"ramp", "ramp 30s from 0 to 20000"},
    [STAGE_STEP] = {"step", "step 5x10s from 1000 by 1000"},
    [STAGE_BURST] = {"burst", "burst 500 every 1s for 10s at 100"},
    [STAGE_SPIKE] = {"spike", "spike 2s to 50000"},
};

// The text while it is read, word by word.
struct reader {
    const char *at;
    char word[WORD_BYTES];
    char *reason;
};

struct draft {
    struct stage stage;
    uint32_t repeat;
    double by_per_s;
    bool has_from, has_to;
};

const char *stage_kind_name(enum stage_kind kind)
{
    return kinds[kind].name;
}

PRINTF_LIKE(2, 3) static int refuse(struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->reason, STAGE_REASON_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static bool next_word(struct reader *r)
{
    size_t len;

    r->at += strspn(r->at, " \t\n");
    len = strcspn(r->at, " \t\n");
    if (len == 0 || len >= sizeof r->word)
        return false;
    memcpy(r->word, r->at, len);
    r->word[len] = '\0';
    r->at += len;
    return true;
}

static bool read_number(const char *text, double *out, const char **end)
{
    char *stop;

    // Digits and a point: no signs, exponents, infinities or hexadecimal.
    if (!isdigit((unsigned char)*text) || strspn(text, "0123456789.") == 0)
        return false;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return false;
    *out = strtod(text, &stop);
    *end = stop;
    return stop <= text + strspn(text, "0123456789.");
}

static int read_time(struct reader *r, const char *text, uint64_t *out_ns)
{
    const char *unit;
    double value, unit_ns;

    if (!read_number(text, &value, &unit))
        return refuse(r, "'%.60s' is not a time like 500ms, 10s, 2m or 1h", text);
    if (*unit == '\0' || strcmp(unit, "s") == 0)
        unit_ns = (double)NS_PER_S;
    else if (strcmp(unit, "ms") == 0)
        unit_ns = (double)NS_PER_MS;
    else if (strcmp(unit, "m") == 0)
        unit_ns = 60.0 * (double)NS_PER_S;
    else if (strcmp(unit, "h") == 0)
        unit_ns = 3600.0 * (double)NS_PER_S;
    else
        return refuse(r, "'%.60s' is not a time like 500ms, 10s, 2m or 1h", text);
    if (!(value * unit_ns >= (double)NS_PER_US) || !(value * unit_ns <= (double)STAGE_TIME_MAX_NS))
        return refuse(r, "'%.60s' must be from 1 us to 31 days", text);
    *out_ns = (uint64_t)(value * unit_ns);
    return 0;
}

static int read_rate(struct reader *r, const char *text, double *out)
{
    const char *end;

    if (!read_number(text, out, &end) || (*end != '\0' && strcmp(end, "/s") != 0) ||
        *out > STAGE_RATE_MAX_PER_S)
        return refuse(r, "'%.60s' is not a rate: envelopes a second from 0 to 100000000", text);
    return 0;
}

static int take_time(struct reader *r, uint64_t *out_ns)
{
    return next_word(r) ? read_time(r, r->word, out_ns) : refuse(r, "a time is missing");
}

static int take_rate(struct reader *r, double *out)
{
    return next_word(r) ? read_rate(r, r->word, out) : refuse(r, "a rate is missing");
}

// 5x10s
static int take_repeat(struct reader *r, struct draft *d)
{
    const char *end;
    double repeat;

    if (!next_word(r) || !read_number(r->word, &repeat, &end) || *end != 'x' || repeat < 1 ||
        repeat > STAGE_MAX || repeat != floor(repeat))
        return refuse(r, "after step comes how often and how long, like 5x10s; %u at most",
                      STAGE_MAX);
    d->repeat = (uint32_t)repeat;
    return read_time(r, end + 1, &d->stage.len_ns);
}

static int take_burst(struct reader *r, struct draft *d)
{
    const char *end;
    double count;

    if (!next_word(r) || !read_number(r->word, &count, &end) || *end != '\0' || count < 1 ||
        count > STAGE_BURST_MAX || count != floor(count))
        return refuse(r, "after burst comes how many envelopes, 1 to %u", STAGE_BURST_MAX);
    d->stage.burst_count = (uint32_t)count;
    return 0;
}

static int take_by(struct reader *r, struct draft *d)
{
    bool down;
    int err;

    if (!next_word(r))
        return refuse(r, "a rate is missing");
    down = r->word[0] == '-';
    err = read_rate(r, r->word + down, &d->by_per_s);
    if (down)
        d->by_per_s = -d->by_per_s;
    return err;
}

// Is it a word of this kind of stage?
static bool takes(enum stage_kind kind, const char *word)
{
    static const char *const allowed[] = {
        [STAGE_HOLD] = " at ",      [STAGE_RAMP] = " from to ",
        [STAGE_STEP] = " from by ", [STAGE_BURST] = " every for at ",
        [STAGE_SPIKE] = " to ",
    };
    char spaced[WORD_BYTES + 2];

    snprintf(spaced, sizeof spaced, " %s ", word);
    return strstr(allowed[kind], spaced) != NULL;
}

static int take_keyword(struct reader *r, struct draft *d)
{
    struct stage *s = &d->stage;
    char word[WORD_BYTES];

    memcpy(word, r->word, sizeof word);
    if (!takes(s->kind, word))
        return refuse(r, "%s does not know '%s'; it is written like '%s'", kinds[s->kind].name,
                      word, kinds[s->kind].form);
    if (strcmp(word, "by") == 0)
        return take_by(r, d);
    if (strcmp(word, "every") == 0)
        return take_time(r, &s->burst_every_ns);
    if (strcmp(word, "for") == 0)
        return take_time(r, &s->len_ns);
    if (strcmp(word, "to") == 0) {
        d->has_to = true;
        return take_rate(r, &s->to_per_s);
    }
    d->has_from = true; // at, from
    return take_rate(r, &s->from_per_s);
}

static int take_head(struct reader *r, struct draft *d)
{
    if (!next_word(r))
        return refuse(r, "a stage is hold, ramp, step, burst or spike, like '%s'",
                      kinds[STAGE_HOLD].form);
    for (unsigned i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(r->word, kinds[i].name) != 0)
            continue;
        d->stage.kind = (enum stage_kind)i;
        if (i == STAGE_STEP)
            return take_repeat(r, d);
        return i == STAGE_BURST ? take_burst(r, d) : take_time(r, &d->stage.len_ns);
    }
    return refuse(r, "'%s' is no stage: they are hold, ramp, step, burst and spike, like '%s'",
                  r->word, kinds[STAGE_HOLD].form);
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

// NAME: or NAME= in front.
static int take_name(struct reader *r, struct draft *d)
{
    size_t len = 0;

    r->at += strspn(r->at, " \t\n");
    while (is_name(r->at[len]))
        len++;
    if (r->at[len] != ':' && r->at[len] != '=')
        return 0;
    if (len == 0 || len + sizeof "-32" > STAGE_NAME_BYTES)
        return refuse(r, "a stage's name has 1 to %zu letters, digits, '-', '_' or '.'",
                      STAGE_NAME_BYTES - sizeof "-32");
    memcpy(d->stage.name, r->at, len);
    r->at += len + 1;
    return 0;
}

// What the words say together.
static int check(struct reader *r, struct draft *d)
{
    struct stage *s = &d->stage;
    double last = s->from_per_s + (d->repeat - 1) * d->by_per_s;

    if ((s->kind == STAGE_RAMP || s->kind == STAGE_SPIKE) && !d->has_to)
        return refuse(r, "%s needs 'to RATE', like '%s'", kinds[s->kind].name, kinds[s->kind].form);
    if (s->kind == STAGE_BURST && (s->burst_every_ns == 0 || s->len_ns == 0))
        return refuse(r, "burst needs 'every TIME' and 'for TIME', like '%s'", kinds[s->kind].form);
    if (s->kind == STAGE_STEP && (!d->has_from || d->by_per_s == 0))
        return refuse(r, "step needs 'from RATE' and 'by RATE', like '%s'", kinds[s->kind].form);
    if (s->burst_every_ns > 0 && (double)(s->len_ns / s->burst_every_ns) * s->burst_count > 1e15)
        return refuse(r, "that is more envelopes than can be counted");
    if (last < 0 || last > STAGE_RATE_MAX_PER_S)
        return refuse(r, "the last of the steps would be %.0f envelopes a second", last);
    if (s->kind == STAGE_SPIKE)
        s->from_per_s = s->to_per_s;
    else if (s->kind != STAGE_RAMP)
        s->to_per_s = s->from_per_s;
    return 0;
}

static int append(struct reader *r, struct stage_list *list, const struct draft *d)
{
    if (d->repeat > STAGE_MAX - list->count)
        return refuse(r, "%u stages at most; each step of a step is one", STAGE_MAX);
    if (stage_list_len_ns(list) + d->repeat * d->stage.len_ns > STAGE_TIME_MAX_NS)
        return refuse(r, "the stages take longer than 31 days");
    for (uint32_t i = 0; i < d->repeat; i++) {
        struct stage *s = &list->stages[list->count++];
        const char *name = d->stage.name[0] != '\0' ? d->stage.name : kinds[d->stage.kind].name;

        *s = d->stage;
        s->from_per_s += i * d->by_per_s;
        s->to_per_s += i * d->by_per_s;
        if (d->stage.kind == STAGE_STEP)
            snprintf(s->name, sizeof s->name, "%.28s-%u", name, (i + 1) % 100);
        else
            snprintf(s->name, sizeof s->name, "%.31s", name);
        if (s->kind != STAGE_SPIKE)
            list->rate_per_s = s->to_per_s;
    }
    return 0;
}

int stage_list_parse(struct stage_list *list, const char *text, char reason[STAGE_REASON_BYTES])
{
    struct reader r = {.at = text, .reason = reason};
    struct draft d = {.repeat = 1, .stage.from_per_s = list->rate_per_s};
    int err;

    if (strlen(text) > STAGE_TEXT_MAX_BYTES)
        return refuse(&r, "a stage of more than %u characters", STAGE_TEXT_MAX_BYTES);
    err = take_name(&r, &d);
    if (err == 0)
        err = take_head(&r, &d);
    while (err == 0 && next_word(&r))
        err = take_keyword(&r, &d);
    if (err == 0 && *r.at != '\0')
        err = refuse(&r, "'%.60s' is too long a word", r.at);
    if (err == 0)
        err = check(&r, &d);
    return err < 0 ? err : append(&r, list, &d);
}

void stage_list_init_hold(struct stage_list *list, double rate_per_s, uint64_t len_ns)
{
    *list = (struct stage_list){.count = 1, .rate_per_s = rate_per_s};
    list->stages[0] = (struct stage){.kind = STAGE_HOLD,
                                     .name = "hold",
                                     .len_ns = len_ns,
                                     .from_per_s = rate_per_s,
                                     .to_per_s = rate_per_s};
}

uint64_t stage_list_len_ns(const struct stage_list *list)
{
    uint64_t len_ns = 0;

    for (uint32_t i = 0; i < list->count; i++)
        len_ns += list->stages[i].len_ns;
    return len_ns;
}

double stage_smooth_count(const struct stage *stage)
{
    return (stage->from_per_s + stage->to_per_s) / 2 * (double)stage->len_ns / (double)NS_PER_S;
}

uint64_t stage_burst_total(const struct stage *stage)
{
    if (stage->burst_every_ns == 0)
        return 0;
    return ((stage->len_ns - 1) / stage->burst_every_ns + 1) * stage->burst_count;
}
