// Two sets of measurements against each other: what changed, by how much, and whether it counts.
// Pure.
//
// A metric of a pattern is
//   worse, better  the ranks of the two sides differ (Mann-Whitney, p below alpha; when every
//                  measurement of one side has one of the other at the same time, Wilcoxon's test
//                  of the ratios within these pairs, at least STAT_PAIR_COUNT_MIN) AND the medians
//                  differ (the median ratio does) by more than the effect: the larger of the
//                  minimum effect and the noise floor, which is how far runs of one and the same
//                  build differed
//   unclear        neither, and the measurement could not have told: too few repeats, a bootstrap
//                  interval of the change wider than the effect to either side, or a change beyond
//                  the effect that the ranks do not confirm
//   same           otherwise
#ifndef SEALPOST_COMPARISON_H
#define SEALPOST_COMPARISON_H

#include "measurement_parse.h"

#define COMPARISON_GROUPS_MAX 64u
#define COMPARISON_NOTES_MAX 64u
#define COMPARISON_NOTE_BYTES 320u
#define COMPARISON_REASON_BYTES 256u

// A comparison looks at some ten metrics of each pattern: at 0.05 every second one would find
// something by chance. Five repeats against five can reach 0.008, four against four only 0.03.
#define COMPARISON_ALPHA 0.01
#define COMPARISON_REPEATS_MIN 5u
#define COMPARISON_CONFIDENCE 0.95
// Ratios to the raw forwarder and processor time for each message of one build differ by this much
// between runs on a quiet machine; results/baseline/README.md has the figures.
#define COMPARISON_EFFECT 0.05
#define COMPARISON_NOISE_RUNS_MIN 3u

enum comparison_exit {
    COMPARISON_EXIT_PASS = 0,
    COMPARISON_EXIT_ERROR = 1,
    COMPARISON_EXIT_NO_BASELINE = 2,
    COMPARISON_EXIT_REGRESSION = 3,
    COMPARISON_EXIT_TOO_NOISY = 4,
};

enum comparison_verdict {
    COMPARISON_SAME,
    COMPARISON_BETTER,
    COMPARISON_WORSE,
    COMPARISON_UNCLEAR,
    COMPARISON_NOT_JUDGED, // the yardstick, or a figure of another machine
};

struct comparison_options {
    double alpha, confidence;
    double effect[METRIC_COUNT];
    bool is_shown[METRIC_COUNT];
    bool is_gate[METRIC_COUNT]; // decides the exit code
    unsigned repeats_min;
    uint64_t seed;
};

struct comparison_row {
    enum metric metric;
    size_t base_count, new_count;
    double base, new; // medians
    bool is_paired;   // every measurement of one side has one of the other at the same time
    double change;    // new ÷ base − 1; of pairs the median of theirs
    double low, high; // interval of the change
    double p;         // NaN: not tested
    double noise;     // of the metric between runs of one build, NaN: not known
    double effect;    // what the change was held against
    enum comparison_verdict verdict;
    bool may_be_worse; // unclear, and a regression of that effect cannot be excluded
    bool is_gate;
    char why[MEASUREMENT_TEXT_BYTES]; // of a verdict that the figures do not explain, or ""
};

struct comparison_group {
    char name[MEASUREMENT_NAME_BYTES];
    struct comparison_row rows[METRIC_COUNT];
    unsigned row_count;
};

struct comparison_env {
    char commit[MEASUREMENT_TEXT_BYTES], cpu[MEASUREMENT_TEXT_BYTES];
    char cores[MEASUREMENT_TEXT_BYTES], kernel[MEASUREMENT_TEXT_BYTES];
    size_t runs; // usable results
};

struct comparison {
    struct comparison_options options;
    struct comparison_group groups[COMPARISON_GROUPS_MAX];
    unsigned group_count;
    struct comparison_env base, new;
    char notes[COMPARISON_NOTES_MAX][COMPARISON_NOTE_BYTES]; // warnings, for people
    unsigned note_count, notes_dropped;
    bool has_faults;      // the new side lost or damaged something
    bool has_gaps;        // a pattern of the base is missing from the new side
    bool has_no_base;     // nothing to compare with
    bool has_nothing_new; // no usable result on the new side
};

void comparison_options_init(struct comparison_options *o);

// noise: results of one and the same build, each file one run (one file: each result one run), or
// an empty list. The lists are only read.
// Errors: -ENOMEM; -EINVAL with one sentence in reason: these results are of different tests, the
// base had delivery faults, there is too little to know the noise from.
NODISCARD int comparison_make(struct comparison *c, const struct comparison_options *o,
                              const struct measurement_list *base,
                              const struct measurement_list *new,
                              const struct measurement_list *noise,
                              char reason[COMPARISON_REASON_BYTES]);

// Regressions of `suspected` count only if the repetition of their patterns shows them again:
// otherwise they become unclear.
void comparison_confirm(struct comparison *suspected, const struct comparison *repetition);

bool comparison_group_is_worse(const struct comparison_group *g);
enum comparison_exit comparison_exit_code(const struct comparison *c);
// One sentence for the exit code.
const char *comparison_exit_text(enum comparison_exit code);
const char *comparison_verdict_name(enum comparison_verdict verdict);

// Add a note; what does not fit is counted.
PRINTF_LIKE(2, 3) void comparison_add_note(struct comparison *c, const char *format, ...);

#endif
