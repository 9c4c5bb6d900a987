// Two sets of measurements against each other. Pure.
#include "comparison.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stat_bootstrap.h"
#include "stat_pair.h"
#include "stat_rank.h"
#include "stat_sample.h"

struct make {
    struct comparison *c;
    const struct measurement_list *base, *new, *noise;
    char *reason;
};

struct sample {
    double values[STAT_SAMPLE_MAX];
    size_t count;
};

// What a row is judged by.
struct samples {
    struct sample base, new;
    struct sample pairs; // new ÷ base at the same time; none, unless all of both are in pairs
};

void comparison_options_init(struct comparison_options *o)
{
    *o = (struct comparison_options){
        .alpha = COMPARISON_ALPHA,
        .confidence = COMPARISON_CONFIDENCE,
        .repeats_min = COMPARISON_REPEATS_MIN,
        .seed = 1,
    };
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        o->effect[i] = COMPARISON_EFFECT;
        o->is_shown[i] = o->is_gate[i] = true;
    }
}

void comparison_add_note(struct comparison *c, const char *format, ...)
{
    va_list args;

    if (c->note_count == COMPARISON_NOTES_MAX) {
        c->notes_dropped++;
        return;
    }
    va_start(args, format);
    vsnprintf(c->notes[c->note_count++], COMPARISON_NOTE_BYTES, format, args);
    va_end(args);
}

PRINTF_LIKE(2, 3) static int refuse(struct make *k, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(k->reason, COMPARISON_REASON_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static bool is_usable(const struct measurement *m)
{
    return m->trust <= MEASUREMENT_SUSPECT;
}

static const struct measurement *find_usable(const struct measurement_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_usable(&list->items[i]) && strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    return NULL;
}

// Distrusted results, named. Results of one file and pattern that share a reason are said once.
static void note_trust(struct comparison *c, const struct measurement_list *list, const char *side)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i], *last = i > 0 ? m - 1 : NULL;

        if (m->trust == MEASUREMENT_SOUND || m->is_part ||
            (last && last->trust == m->trust && strcmp(last->source, m->source) == 0 &&
             strcmp(last->name, m->name) == 0))
            continue;
        comparison_add_note(c, "%s: %.100s, %.80s: %s%s: %.120s", side, m->source, m->name,
                            measurement_trust_name(m->trust), is_usable(m) ? "" : ", left out",
                            m->reason);
    }
}

static void describe(struct comparison_env *env, const struct measurement_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i];

        if (!is_usable(m))
            continue;
        env->runs += !m->is_part;
        if (env->runs > 1 || m->is_part)
            continue;
        memcpy(env->commit, m->commit, sizeof env->commit);
        memcpy(env->cpu, m->settings[SETTING_cpu], sizeof env->cpu);
        if (m->settings[SETTING_cpu_id][0] != '\0')
            snprintf(env->cpu, sizeof env->cpu, "%.30s (%.30s)", m->settings[SETTING_cpu],
                     m->settings[SETTING_cpu_id]);
        memcpy(env->cores, m->settings[SETTING_cores], sizeof env->cores);
        memcpy(env->kernel, m->settings[SETTING_kernel], sizeof env->kernel);
    }
}

// All of a side's results of one name must be of one test.
static int check_side(struct make *k, const struct measurement_list *list, const char *side)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i], *first = find_usable(list, m->name);
        enum setting s;

        if (!is_usable(m))
            continue;
        s = measurement_differ(first, m, SETTING_STRICT);
        if (s == SETTING_COUNT)
            s = measurement_differ(first, m, SETTING_MACHINE);
        if (s != SETTING_COUNT)
            return refuse(k, "%s mixes different tests: %s is %.40s in %.60s and %.40s in %.60s",
                          side, setting_kinds[s].name, first->settings[s], first->source,
                          m->settings[s], m->source);
    }
    return 0;
}

// The only name among the usable results but their parts, NULL if there are several or none.
static const struct measurement *find_sole(const struct measurement_list *list)
{
    const struct measurement *sole = NULL;

    for (size_t i = 0; i < list->count; i++) {
        if (!is_usable(&list->items[i]) || list->items[i].is_part)
            continue;
        if (sole && strcmp(sole->name, list->items[i].name) != 0)
            return NULL;
        sole = &list->items[i];
    }
    return sole;
}

// Two tests of which there is one each are meant for each other: what differs is refused by name.
static int check_sides(struct make *k)
{
    const struct measurement *a = find_sole(k->base), *b = find_sole(k->new);

    for (size_t i = 0; i < k->new->count; i++) {
        const struct measurement *m = &k->new->items[i];
        const struct measurement *of = find_usable(k->base, m->name);
        enum setting s;

        if (a && b)
            of = a;
        s = of && is_usable(m) ? measurement_differ(of, m, SETTING_STRICT) : SETTING_COUNT;
        if (s != SETTING_COUNT)
            return refuse(k,
                          "these results are of different tests: %s is %.60s in the base and "
                          "%.60s in the new results",
                          setting_kinds[s].name, of->settings[s], m->settings[s]);
    }
    if (a && b && strcmp(a->name, b->name) != 0)
        return refuse(k,
                      "these results are of different tests: %.80s in the base and %.80s in the "
                      "new results",
                      a->name, b->name);
    return 0;
}

static int collect(struct make *k, const struct measurement_list *list, const char *name,
                   enum metric metric, struct sample *out)
{
    out->count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct measurement *m = &list->items[i];

        if (!is_usable(m) || isnan(m->values[metric]) || strcmp(m->name, name) != 0)
            continue;
        if (out->count == STAT_SAMPLE_MAX)
            return refuse(k, "more than %u repeats of %.80s", STAT_SAMPLE_MAX, name);
        out->values[out->count++] = m->values[metric];
    }
    stat_sample_sort(out->values, out->count);
    return 0;
}

static const struct measurement *find_pair(const struct measurement_list *list,
                                           const struct measurement *of, enum metric metric)
{
    for (size_t i = 0; of->pair[0] != '\0' && i < list->count; i++) {
        const struct measurement *m = &list->items[i];

        if (is_usable(m) && !isnan(m->values[metric]) && strcmp(m->name, of->name) == 0 &&
            strcmp(m->pair, of->pair) == 0)
            return m;
    }
    return NULL;
}

static void collect_pairs(struct make *k, const char *name, enum metric metric, struct samples *s)
{
    s->pairs.count = 0;
    for (size_t i = 0; i < k->base->count && s->pairs.count < STAT_SAMPLE_MAX; i++) {
        const struct measurement *m = &k->base->items[i], *pair;

        if (!is_usable(m) || isnan(m->values[metric]) || strcmp(m->name, name) != 0)
            continue;
        pair = find_pair(k->new, m, metric);
        if (pair)
            s->pairs.values[s->pairs.count++] = pair->values[metric] / m->values[metric];
    }
    if (s->pairs.count != s->base.count || s->pairs.count != s->new.count)
        s->pairs.count = 0;
    stat_sample_sort(s->pairs.values, s->pairs.count);
}

// How far the medians of runs of one build differ. A run is a file; in a single file each result.
static int find_noise(struct make *k, const char *name, enum metric metric, double *noise)
{
    struct sample *runs = malloc(2 * sizeof *runs), *one = runs ? runs + 1 : NULL;
    const struct measurement_list *list = k->noise;
    const char *source = list->count > 0 ? list->items[0].source : "";
    bool has_files = false;

    *noise = NAN;
    if (!runs)
        return -ENOMEM;
    runs->count = one->count = 0;
    for (size_t i = 0; i < list->count; i++)
        has_files |= strcmp(list->items[i].source, source) != 0;
    for (size_t i = 0; i <= list->count && runs->count < STAT_SAMPLE_MAX; i++) {
        const struct measurement *m = i < list->count ? &list->items[i] : NULL;

        if (one->count > 0 && (!m || !has_files || strcmp(m->source, source) != 0)) {
            stat_sample_sort(one->values, one->count);
            runs->values[runs->count++] = stat_sample_median(one->values, one->count);
            one->count = 0;
        }
        if (!m)
            break;
        source = m->source;
        if (is_usable(m) && !isnan(m->values[metric]) && strcmp(m->name, name) == 0 &&
            one->count < STAT_SAMPLE_MAX)
            one->values[one->count++] = m->values[metric];
    }
    if (runs->count >= COMPARISON_NOISE_RUNS_MIN)
        *noise = stat_sample_spread(runs->values, runs->count);
    free(runs);
    return 0;
}

static enum comparison_verdict judge(const struct comparison_options *o,
                                     const struct comparison_row *r)
{
    bool is_beyond = fabs(r->change) > r->effect;
    double width = fmax(r->high - r->change, r->change - r->low);

    if (r->p < o->alpha && is_beyond)
        return (r->change > 0) == metric_kinds[r->metric].higher_is_better ? COMPARISON_BETTER
                                                                           : COMPARISON_WORSE;
    return is_beyond || width > r->effect ? COMPARISON_UNCLEAR : COMPARISON_SAME;
}

static int test_apart(struct comparison_row *r, const struct comparison_options *o,
                      const struct samples *s, uint64_t seed, struct stat_interval *interval)
{
    struct stat_rank rank;
    int err = stat_rank_test(s->base.values, s->base.count, s->new.values, s->new.count, &rank);

    if (err == 0)
        err = stat_bootstrap_ratio(s->base.values, s->base.count, s->new.values, s->new.count,
                                   o->confidence, seed, interval);
    r->p = err == 0 ? rank.p : NAN;
    return err;
}

static int test_pairs(struct comparison_row *r, const struct comparison_options *o,
                      const struct samples *s, uint64_t seed, struct stat_interval *interval)
{
    int err = stat_pair_test(s->pairs.values, s->pairs.count, &r->p);

    return err < 0 ? err
                   : stat_bootstrap_median(s->pairs.values, s->pairs.count, o->confidence, seed,
                                           interval);
}

static int judge_row(struct make *k, struct comparison_row *r, const struct samples *s,
                     uint64_t seed)
{
    const struct comparison_options *o = &k->c->options;
    unsigned needed = o->repeats_min;
    struct stat_interval interval;
    int err = (r->is_paired ? test_pairs : test_apart)(r, o, s, seed, &interval);

    if (err < 0)
        return err;
    if (r->is_paired && needed < STAT_PAIR_COUNT_MIN)
        needed = STAT_PAIR_COUNT_MIN;
    r->low = interval.low - 1;
    r->high = interval.high - 1;
    r->effect = fmax(o->effect[r->metric], isnan(r->noise) ? 0 : r->noise);
    if (r->base_count < needed || r->new_count < needed) {
        r->verdict = COMPARISON_UNCLEAR;
        snprintf(r->why, sizeof r->why, "%u repeats are needed on each side", needed);
    } else {
        r->verdict = judge(o, r);
    }
    r->may_be_worse =
        r->verdict == COMPARISON_UNCLEAR &&
        (r->why[0] != '\0' ||
         (metric_kinds[r->metric].higher_is_better ? -r->low > r->effect : r->high > r->effect));
    return 0;
}

static int compare_metric(struct make *k, struct comparison_group *g, enum metric metric,
                          bool is_yardstick, bool is_other_machine)
{
    struct samples *s = malloc(sizeof *s);
    struct comparison_row *r = &g->rows[g->row_count];
    uint64_t seed =
        k->c->options.seed ^ (uint64_t)(g - k->c->groups) << 32 ^ (uint64_t)metric << 24;
    int err = s ? collect(k, k->base, g->name, metric, &s->base) : -ENOMEM;

    if (err == 0)
        err = collect(k, k->new, g->name, metric, &s->new);
    if (err < 0 || (s->base.count == 0 && s->new.count == 0))
        goto cleanup;
    if (s->base.count == 0 || s->new.count == 0) {
        comparison_add_note(k->c, "%.80s: only the %s results have %s", g->name,
                            s->base.count == 0 ? "new" : "base's", metric_kinds[metric].name);
        if (s->new.count == 0 && k->c->options.is_gate[metric] && !is_yardstick)
            k->c->has_gaps = true;
        goto cleanup;
    }
    collect_pairs(k, g->name, metric, s);
    *r = (struct comparison_row){
        .metric = metric,
        .base_count = s->base.count,
        .new_count = s->new.count,
        .is_paired = s->pairs.count > 0,
        .base = stat_sample_median(s->base.values, s->base.count),
        .new = stat_sample_median(s->new.values, s->new.count),
        .low = NAN,
        .high = NAN,
        .p = NAN,
        .noise = NAN,
        .effect = NAN,
        .verdict = COMPARISON_NOT_JUDGED,
    };
    r->change =
        (r->is_paired ? stat_sample_median(s->pairs.values, s->pairs.count) : r->new / r->base) - 1;
    g->row_count++;
    if (is_yardstick) {
        snprintf(r->why, sizeof r->why, "the yardstick");
        if (metric == METRIC_server_cpu && fabs(r->change) > k->c->options.effect[metric])
            comparison_add_note(k->c,
                                "%.80s itself changed by %+.1f %%: so did the machine; trust "
                                "the ratios to raw",
                                g->name, 100 * r->change);
    } else if (is_other_machine && !metric_kinds[metric].is_portable) {
        snprintf(r->why, sizeof r->why, "another machine");
    } else {
        r->is_gate = k->c->options.is_gate[metric];
        err = find_noise(k, g->name, metric, &r->noise);
        if (err == 0)
            err = judge_row(k, r, s, seed);
    }

cleanup:
    free(s);
    return err;
}

static int compare_group(struct make *k, const struct measurement *base)
{
    const struct measurement *new = find_usable(k->new, base->name);
    struct comparison *c = k->c;
    struct comparison_group *g = &c->groups[c->group_count];
    enum setting machine, note;
    int err = 0;

    if (!new && base->is_yardstick)
        return 0;
    if (!new) {
        comparison_add_note(c, "%.80s is missing from the new results", base->name);
        c->has_gaps = true;
        return 0;
    }
    if (c->group_count == COMPARISON_GROUPS_MAX)
        return refuse(k, "more than %u patterns", COMPARISON_GROUPS_MAX);
    memset(g, 0, sizeof *g);
    memcpy(g->name, base->name, sizeof g->name);
    c->group_count++;
    machine = measurement_differ(base, new, SETTING_MACHINE);
    if (machine != SETTING_COUNT)
        comparison_add_note(c,
                            "%.80s: another machine (%s: %.60s, then %.60s): only ratios to raw "
                            "are judged",
                            g->name, setting_kinds[machine].name, base->settings[machine],
                            new->settings[machine]);
    note = measurement_differ(base, new, SETTING_NOTE);
    if (note != SETTING_COUNT)
        comparison_add_note(c, "%.80s: %s differs: %.60s, then %.60s", g->name,
                            setting_kinds[note].name, base->settings[note], new->settings[note]);
    for (unsigned i = 0; err == 0 && i < METRIC_COUNT; i++)
        // The yardstick's ratio to itself tells nothing.
        if (c->options.is_shown[i] && !(base->is_yardstick && metric_kinds[i].is_portable))
            err =
                compare_metric(k, g, (enum metric)i, base->is_yardstick, machine != SETTING_COUNT);
    return err;
}

// Every name once, in the order of their first results.
static int compare_groups(struct make *k)
{
    struct comparison *c = k->c;
    int err = 0;

    for (size_t i = 0; err == 0 && i < k->base->count; i++)
        if (find_usable(k->base, k->base->items[i].name) == &k->base->items[i])
            err = compare_group(k, &k->base->items[i]);
    for (size_t i = 0; err == 0 && i < k->new->count; i++)
        if (!k->new->items[i].is_yardstick &&
            find_usable(k->new, k->new->items[i].name) == &k->new->items[i] &&
            !find_usable(k->base, k->new->items[i].name))
            comparison_add_note(c, "%.80s has no base", k->new->items[i].name);
    return err;
}

static int check_faults(struct make *k)
{
    for (size_t i = 0; i < k->base->count; i++)
        if (k->base->items[i].trust == MEASUREMENT_FAULTY)
            return refuse(k, "the base is no measure: %.80s had delivery faults (%.80s)",
                          k->base->items[i].source, k->base->items[i].reason);
    for (size_t i = 0; i < k->new->count; i++)
        k->c->has_faults |= k->new->items[i].trust == MEASUREMENT_FAULTY;
    return 0;
}

// What remains must hold at least one judged row, or there was nothing the machines share.
static int check_judged(struct make *k)
{
    for (unsigned g = 0; g < k->c->group_count; g++)
        for (unsigned i = 0; i < k->c->groups[g].row_count; i++)
            if (k->c->groups[g].rows[i].verdict != COMPARISON_NOT_JUDGED)
                return 0;
    return k->c->group_count == 0
               ? 0
               : refuse(k,
                        "the results are of different machines (%.60s; %.60s) and have no ratios "
                        "to the raw forwarder: measure both on one machine",
                        k->c->base.cpu, k->c->new.cpu);
}

static int check_noise(struct make *k)
{
    const char *last = "";
    size_t runs = 0, results = 0;

    for (size_t i = 0; i < k->noise->count; i++) {
        results += is_usable(&k->noise->items[i]) && !k->noise->items[i].is_part;
        runs += strcmp(k->noise->items[i].source, last) != 0;
        last = k->noise->items[i].source;
    }
    if (k->noise->count > 0 && (runs == 1 ? results : runs) < COMPARISON_NOISE_RUNS_MIN)
        return refuse(k, "the noise floor needs at least %u runs of one build, there are %zu",
                      COMPARISON_NOISE_RUNS_MIN, runs == 1 ? results : runs);
    return 0;
}

int comparison_make(struct comparison *c, const struct comparison_options *o,
                    const struct measurement_list *base, const struct measurement_list *new,
                    const struct measurement_list *noise, char reason[COMPARISON_REASON_BYTES])
{
    struct make k = {.c = c, .base = base, .new = new, .noise = noise, .reason = reason};
    int err;

    memset(c, 0, sizeof *c);
    c->options = *o;
    snprintf(reason, COMPARISON_REASON_BYTES, "out of memory");
    note_trust(c, base, "base");
    note_trust(c, new, "new");
    describe(&c->base, base);
    describe(&c->new, new);
    err = check_faults(&k);
    if (err == 0)
        err = check_noise(&k);
    if (err == 0)
        err = check_side(&k, base, "the base");
    if (err == 0)
        err = check_side(&k, new, "the new side");
    if (err == 0)
        err = check_sides(&k);
    if (err == 0)
        err = compare_groups(&k);
    if (err == 0)
        err = check_judged(&k);
    c->has_nothing_new = c->new.runs == 0;
    c->has_no_base = c->base.runs == 0 || (c->group_count == 0 && !c->has_nothing_new);
    return err;
}

bool comparison_group_is_worse(const struct comparison_group *g)
{
    for (unsigned i = 0; i < g->row_count; i++)
        if (g->rows[i].is_gate && g->rows[i].verdict == COMPARISON_WORSE)
            return true;
    return false;
}

static const struct comparison_row *find_row(const struct comparison *c, const char *group,
                                             enum metric metric)
{
    for (unsigned g = 0; g < c->group_count; g++)
        for (unsigned i = 0; i < c->groups[g].row_count; i++)
            if (strcmp(c->groups[g].name, group) == 0 && c->groups[g].rows[i].metric == metric)
                return &c->groups[g].rows[i];
    return NULL;
}

void comparison_confirm(struct comparison *suspected, const struct comparison *repetition)
{
    for (unsigned g = 0; g < suspected->group_count; g++)
        for (unsigned i = 0; i < suspected->groups[g].row_count; i++) {
            struct comparison_row *r = &suspected->groups[g].rows[i];
            const struct comparison_row *again;

            if (!r->is_gate || r->verdict != COMPARISON_WORSE)
                continue;
            again = find_row(repetition, suspected->groups[g].name, r->metric);
            if (again && again->verdict == COMPARISON_WORSE) {
                snprintf(r->why, sizeof r->why, "confirmed by a second measurement");
                continue;
            }
            snprintf(r->why, sizeof r->why, "worse, but %s when measured again",
                     again ? comparison_verdict_name(again->verdict) : "nothing");
            r->verdict = COMPARISON_UNCLEAR;
            r->may_be_worse = true;
        }
    suspected->has_faults |= repetition->has_faults;
}

enum comparison_exit comparison_exit_code(const struct comparison *c)
{
    bool is_unclear = c->has_gaps || c->has_nothing_new;

    if (c->has_faults)
        return COMPARISON_EXIT_REGRESSION;
    if (c->has_no_base)
        return COMPARISON_EXIT_NO_BASELINE;
    for (unsigned g = 0; g < c->group_count; g++) {
        if (comparison_group_is_worse(&c->groups[g]))
            return COMPARISON_EXIT_REGRESSION;
        for (unsigned i = 0; i < c->groups[g].row_count; i++)
            is_unclear |= c->groups[g].rows[i].is_gate && c->groups[g].rows[i].may_be_worse;
    }
    return is_unclear ? COMPARISON_EXIT_TOO_NOISY : COMPARISON_EXIT_PASS;
}

const char *comparison_exit_text(enum comparison_exit code)
{
    static const char *const texts[] = {"no regression", "the comparison failed",
                                        "there is no baseline to compare with", "regression",
                                        "too noisy to tell, or not all of it measured"};

    return texts[code];
}

const char *comparison_verdict_name(enum comparison_verdict verdict)
{
    static const char *const names[] = {"same", "better", "worse", "unclear", "-"};

    return names[verdict];
}
