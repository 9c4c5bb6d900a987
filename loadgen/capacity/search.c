// The search for the highest rate. No clock, no I/O.
#include "search.h"

#include <assert.h>
#include <math.h>

#define TARGET_SHARE 0.8
#define BEST_SHARE 0.9

void search_init(struct search *s, const struct search_config *config)
{
    assert(config->min_per_s > 0 && config->first_per_s >= config->min_per_s &&
           config->max_per_s >= config->first_per_s);
    assert(config->precision > 0 && config->precision < 1 && config->trials_max > 0);
    assert(config->trials_max <= SEARCH_TRIALS_MAX);
    *s = (struct search){.config = *config,
                         .phase = SEARCH_GROW,
                         .next_per_s = config->first_per_s,
                         .window_scale = 1,
                         .step = config->precision};
}

bool search_next(struct search *s, double *rate_per_s, double *window_scale)
{
    if (s->phase == SEARCH_DONE || s->trial_count == s->config.trials_max)
        return false;
    *rate_per_s = s->next_per_s;
    *window_scale = s->window_scale;
    return true;
}

static double share_of(const struct search_outcome *o)
{
    return o->offered_per_s > 0 ? o->achieved_per_s / o->offered_per_s : 0;
}

// The best that came through where the search still stands: a rate that later failed does not
// count, or a step down could never pass.
static double best_per_s(const struct search *s)
{
    double best = 0;

    for (uint32_t i = 0; i < s->trial_count; i++) {
        const struct search_trial *t = &s->trials[i];

        if (t->verdict == SEARCH_PASS && t->rate_per_s <= s->low_per_s)
            best = fmax(best, share_of(&t->outcome) * t->rate_per_s);
    }
    return best;
}

static enum search_verdict judge(const struct search *s, const struct search_outcome *o)
{
    enum search_verdict verdict = o->is_faulty                 ? SEARCH_FAULTY
                                  : !o->is_met                 ? SEARCH_MISSED_OBJECTIVE
                                  : o->is_not_taken            ? SEARCH_NOT_TAKEN
                                  : share_of(o) < TARGET_SHARE ? SEARCH_SHORT_OF_TARGET
                                  : share_of(o) * s->next_per_s < BEST_SHARE * best_per_s(s)
                                      ? SEARCH_SHORT_OF_BEST
                                      : SEARCH_PASS;

    if (o->is_not_offered)
        return SEARCH_LIMITED;
    return verdict != SEARCH_PASS && o->is_limited ? SEARCH_LIMITED : verdict;
}

// The lowest rate the search must stay below, infinite if there is none.
static double roof_per_s(const struct search *s)
{
    double roof = INFINITY;

    if (s->high_per_s > 0)
        roof = s->high_per_s;
    if (s->ceiling_per_s > 0)
        roof = fmin(roof, s->ceiling_per_s);
    return roof;
}

static void repeat(struct search *s)
{
    s->next_per_s = s->low_per_s;
    s->repeats_left = s->config.repeats;
    s->phase = s->repeats_left > 0 ? SEARCH_REPEAT : SEARCH_DONE;
}

// Between a rate that passed and one that must not be tried again.
static void narrow(struct search *s)
{
    double roof = roof_per_s(s);
    bool is_generators = s->high_per_s == 0 || roof < s->high_per_s;
    // Where exactly the generator ends is not the question.
    double precision =
        is_generators ? fmax(s->config.precision, SEARCH_CEILING_PRECISION) : s->config.precision;

    if (roof - s->low_per_s <= precision * s->low_per_s) {
        if (is_generators || s->verifications == SEARCH_VERIFICATIONS_MAX) {
            repeat(s);
            return;
        }
        s->verifications++;
        s->phase = SEARCH_VERIFY;
        s->next_per_s = s->high_per_s;
        return;
    }
    if (s->phase == SEARCH_NARROW)
        s->window_scale = fmin(s->window_scale * SEARCH_WINDOW_GROWTH, SEARCH_WINDOW_GROWTH_MAX);
    s->phase = SEARCH_NARROW;
    s->next_per_s = s->low_per_s + (roof - s->low_per_s) / 2;
}

static void shrink(struct search *s)
{
    s->next_per_s = s->next_per_s / 2;
    s->phase = s->next_per_s < s->config.min_per_s ? SEARCH_DONE : SEARCH_SHRINK;
}

static void grow(struct search *s)
{
    s->low_per_s = s->next_per_s;
    if (s->next_per_s >= s->config.max_per_s)
        repeat(s);
    else
        s->next_per_s = fmin(2 * s->next_per_s, s->config.max_per_s);
}

static bool passed_later(const struct search *s, uint32_t trial)
{
    for (uint32_t i = trial + 1; i < s->trial_count; i++) {
        if (s->trials[i].verdict == SEARCH_PASS &&
            s->trials[i].rate_per_s == s->trials[trial].rate_per_s)
            return true;
    }
    return false;
}

// The rate that had failed passes: what bounds the search is the next higher one that failed.
static void resume_above(struct search *s)
{
    s->low_per_s = s->next_per_s;
    s->high_per_s = 0;
    for (uint32_t i = 0; i < s->trial_count; i++) {
        const struct search_trial *t = &s->trials[i];

        if (t->verdict != SEARCH_PASS && t->verdict != SEARCH_LIMITED &&
            t->rate_per_s > s->low_per_s && !passed_later(s, i) &&
            (s->high_per_s == 0 || t->rate_per_s < s->high_per_s))
            s->high_per_s = t->rate_per_s;
    }
    if (isfinite(roof_per_s(s))) {
        narrow(s);
    } else {
        s->phase = SEARCH_GROW;
        grow(s);
    }
}

static void on_pass(struct search *s)
{
    switch (s->phase) {
    case SEARCH_GROW:
        grow(s);
        return;
    case SEARCH_SHRINK:
    case SEARCH_NARROW:
        s->low_per_s = s->next_per_s;
        narrow(s);
        return;
    case SEARCH_VERIFY:
        resume_above(s);
        return;
    case SEARCH_REPEAT:
        s->low_per_s = s->next_per_s;
        if (--s->repeats_left == 0)
            s->phase = SEARCH_DONE;
        return;
    case SEARCH_DONE:
        break;
    }
    assert(false); // nothing is tried then
}

static void step_down(struct search *s)
{
    s->next_per_s *= 1 - s->step;
    s->step = fmin(s->step + s->config.precision, 0.5);
    s->low_per_s = 0; // until it passes; the log has the lower ones that did
    s->repeats_left = s->config.repeats;
    if (s->next_per_s < s->config.min_per_s)
        s->phase = SEARCH_DONE;
}

// The rate has failed, or is out of the generator's reach, for good.
static void give_up(struct search *s, double *edge_per_s)
{
    if (*edge_per_s == 0 || s->next_per_s < *edge_per_s)
        *edge_per_s = s->next_per_s;
    if (s->phase == SEARCH_REPEAT)
        step_down(s);
    else if (s->phase == SEARCH_VERIFY)
        repeat(s);
    else if (s->low_per_s > 0)
        narrow(s);
    else
        shrink(s);
}

static bool is_given_up(struct search *s, enum search_verdict verdict)
{
    if (verdict == SEARCH_LIMITED)
        return ++s->limits == SEARCH_LIMITS_MAX;
    // In a repeat there is no second chance: to stand is what is asked. Verifying is a third.
    return ++s->failures == SEARCH_FAILURES_MAX || s->phase == SEARCH_REPEAT ||
           s->phase == SEARCH_VERIFY;
}

enum search_verdict search_tell(struct search *s, const struct search_outcome *outcome)
{
    enum search_verdict verdict = judge(s, outcome);

    assert(s->phase != SEARCH_DONE && s->trial_count < s->config.trials_max);
    s->trials[s->trial_count++] = (struct search_trial){.rate_per_s = s->next_per_s,
                                                        .window_scale = s->window_scale,
                                                        .phase = s->phase,
                                                        .outcome = *outcome,
                                                        .verdict = verdict};
    if (verdict != SEARCH_PASS && !is_given_up(s, verdict))
        return verdict;
    s->failures = s->limits = 0;
    if (verdict == SEARCH_PASS)
        on_pass(s);
    else
        give_up(s, verdict == SEARCH_LIMITED ? &s->ceiling_per_s : &s->high_per_s);
    return verdict;
}

// The highest rate that passed and did not fail afterwards.
static double find_standing(const struct search *s)
{
    double roof = roof_per_s(s), best = 0;

    for (uint32_t i = 0; i < s->trial_count; i++) {
        const struct search_trial *t = &s->trials[i];

        if (t->verdict == SEARCH_PASS && t->rate_per_s < roof)
            best = fmax(best, t->rate_per_s);
    }
    return best;
}

// Two-sided 95 % quantiles of Student's t for 1 … 10 degrees of freedom; above, the one for 10 is
// used: too wide rather than too narrow.
static double student_95(uint32_t degrees)
{
    static const double t[] = {12.706, 4.303, 3.182, 2.776, 2.571,
                               2.447,  2.365, 2.306, 2.262, 2.228};

    assert(degrees > 0);
    return t[degrees < 10 ? degrees - 1 : 9];
}

static void add_interval(const struct search *s, struct search_answer *a)
{
    double sum = 0, squares = 0, half;

    for (uint32_t i = 0; i < s->trial_count; i++) {
        const struct search_trial *t = &s->trials[i];

        if (t->verdict != SEARCH_PASS || t->rate_per_s != a->rate_per_s)
            continue;
        sum += t->outcome.achieved_per_s;
        a->sample_count++;
    }
    a->achieved_per_s = a->lower_per_s = a->upper_per_s = sum / a->sample_count;
    if (a->sample_count < 2)
        return;
    for (uint32_t i = 0; i < s->trial_count; i++) {
        const struct search_trial *t = &s->trials[i];
        double off = t->outcome.achieved_per_s - a->achieved_per_s;

        if (t->verdict == SEARCH_PASS && t->rate_per_s == a->rate_per_s)
            squares += off * off;
    }
    half =
        student_95(a->sample_count - 1) * sqrt(squares / (a->sample_count - 1) / a->sample_count);
    a->lower_per_s -= half;
    a->upper_per_s += half;
}

void search_answer(const struct search *s, struct search_answer *answer)
{
    *answer = (struct search_answer){.failed_per_s = s->high_per_s};
    answer->is_confirmed = s->phase == SEARCH_DONE && s->low_per_s > 0 && s->repeats_left == 0;
    answer->rate_per_s = answer->is_confirmed ? s->low_per_s : find_standing(s);
    if (answer->rate_per_s > 0)
        add_interval(s, answer);
    // The nearest thing above is what bounds it.
    answer->bound =
        answer->rate_per_s == 0 ? SEARCH_BY_NOTHING
        : !answer->is_confirmed ? SEARCH_BY_TRIALS
        : s->ceiling_per_s > 0 && (s->high_per_s == 0 || s->ceiling_per_s < s->high_per_s)
            ? SEARCH_BY_GENERATOR
        : s->high_per_s > 0 ? SEARCH_BY_RELAY
                            : SEARCH_BY_MAX_RATE;
}

const char *search_verdict_text(enum search_verdict verdict)
{
    static const char *const texts[] = {
        "pass",
        "the objective was missed",
        "1 % or more of what was due was not taken",
        "under 80 % of the target came through",
        "under 90 % of the best came through",
        "envelopes were lost, wrong or refused",
        "the generator was the limit",
    };

    return texts[verdict];
}

const char *search_bound_name(enum search_bound bound)
{
    static const char *const names[] = {"relay", "generator", "max_rate", "trials", "nothing"};

    return names[bound];
}

const char *search_phase_name(enum search_phase phase)
{
    static const char *const names[] = {"grow", "shrink", "narrow", "verify", "repeat", "done"};

    return names[phase];
}
