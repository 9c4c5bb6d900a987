// The search for the highest rate that holds an objective: asked for the next trial, told what came
// of it. Pure: no clock, no I/O, the same answers lead the same way.
//
// Growing: from the first rate on, doubling, until a rate fails (if the first one does: halving
// until one passes). Narrowing: bisection between the highest rate that passed and the lowest that
// failed, until they are `precision` apart; each step's window is 1.33 times longer than the one
// before, at most 4 times the first. Verifying: the rate that failed is tried once more; if it
// passes the failure was the machine's, and the search goes on above it. Repeating: the rate found
// must pass `repeats` times more; when it does not, the search steps down by the precision, then
// by twice, three times …, and repeats again.
//
// A trial passes when
//   1. the objective was met,
//   2. the relay took what was due to be sent, all but 1 % (what is never sent has no latency: a
//      percentile without it would be too good),
//   3. at least 80 % of the target came through, and
//   4. at least 90 % of the best that came through in a trial that stands (the rate times the share
//      of what arrived: a few arrivals less by chance are not the relay's doing),
// and nothing was lost, wrong or refused. While growing and narrowing one failure may be the
// machine's: a rate fails when it fails twice.
//
// A trial that fails while the generator was the limit tells nothing about the relay. The rate is
// tried twice more; after that the search stays below it, and when nothing above was the relay's
// own failure the answer is "at least". One that passes stands: what the generator was late by is
// in the response's latency, so the relay did better than what was measured. Only when the
// generator left 1 % or more unsent it was not the rate that was tried: that is its limit whatever
// came of it.
#ifndef SEALPOST_SEARCH_H
#define SEALPOST_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#define SEARCH_TRIALS_MAX 100u
#define SEARCH_FAILURES_MAX 2u // of a rate, for it to fail; in a repeat one is enough
#define SEARCH_LIMITS_MAX 3u   // the same of trials that the generator limited
#define SEARCH_VERIFICATIONS_MAX 3u
#define SEARCH_CEILING_PRECISION 0.1 // of the rate where the generator is the limit
#define SEARCH_WINDOW_GROWTH 1.33
#define SEARCH_WINDOW_GROWTH_MAX 4.0

enum search_phase {
    SEARCH_GROW,
    SEARCH_SHRINK,
    SEARCH_NARROW,
    SEARCH_VERIFY,
    SEARCH_REPEAT,
    SEARCH_DONE
};

enum search_verdict {
    SEARCH_PASS,
    SEARCH_MISSED_OBJECTIVE,
    SEARCH_NOT_TAKEN,       // 1 % or more was not sent, because the relay did not take it
    SEARCH_SHORT_OF_TARGET, // under 80 % of it
    SEARCH_SHORT_OF_BEST,   // under 90 % of it
    SEARCH_FAULTY,          // lost, wrong or refused
    SEARCH_LIMITED,         // one of these, but the generator was the limit, or it sent too little
};

struct search_config {
    double first_per_s;
    double min_per_s; // not below
    double max_per_s; // not above
    double precision; // share of the rate, like 0.02
    uint32_t repeats;
    uint32_t trials_max; // at most SEARCH_TRIALS_MAX
};

// What a trial came to.
struct search_outcome {
    double offered_per_s; // as the arrivals fell: random ones are more or fewer than the rate says
    double achieved_per_s;
    bool is_met;         // the objective
    bool is_faulty;      // something was lost, wrong or refused
    bool is_limited;     // the generator was the limit
    bool is_not_offered; // the generator itself did not send 1 % or more
    bool is_not_taken;   // the same, because the relay did not take it
};

struct search_trial {
    double rate_per_s;
    double window_scale;
    enum search_phase phase;
    struct search_outcome outcome;
    enum search_verdict verdict;
};

// What the answer is bounded by.
enum search_bound {
    SEARCH_BY_RELAY,     // a higher rate failed
    SEARCH_BY_GENERATOR, // at least this: above, the generator was the limit
    SEARCH_BY_MAX_RATE,  // at least this: no higher rate was allowed
    SEARCH_BY_TRIALS,    // the trials ran out before it was certain: at least this
    SEARCH_BY_NOTHING,   // no rate passed
};

struct search_answer {
    enum search_bound bound;
    bool is_confirmed;   // passed all repeats
    double rate_per_s;   // the highest that stands; 0: none
    double failed_per_s; // the lowest that failed, 0: none did
    // What came through in the trials at that rate: mean and its 95 % confidence interval.
    uint32_t sample_count;
    double achieved_per_s, lower_per_s, upper_per_s;
};

struct search {
    struct search_config config;
    enum search_phase phase;
    double low_per_s;     // highest that passed, 0: none
    double high_per_s;    // lowest that failed, 0: none
    double ceiling_per_s; // lowest at which the generator was the limit, 0: none
    double next_per_s;
    double window_scale;
    double step; // of the next step down
    uint32_t verifications, repeats_left, trial_count;
    uint32_t failures, limits; // of the rate so far
    struct search_trial trials[SEARCH_TRIALS_MAX];
};

void search_init(struct search *s, const struct search_config *config);
// The next trial's rate and how many times longer than the first its window is. False: it is over.
bool search_next(struct search *s, double *rate_per_s, double *window_scale);
enum search_verdict search_tell(struct search *s, const struct search_outcome *outcome);
// Any time: what is known so far.
void search_answer(const struct search *s, struct search_answer *answer);

const char *search_verdict_text(enum search_verdict verdict);
const char *search_bound_name(enum search_bound bound);
const char *search_phase_name(enum search_phase phase);

#endif
