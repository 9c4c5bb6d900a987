// An entry of a scenario's list, written as a mapping, becomes the text of the option's grammar:
// one grammar for the file and the command line. Pure.
//
//   stages:      name, hold | ramp | step | burst | spike, from, by, every, for, at, to
//                {name: peak, ramp: 30s, to: 20000}         peak: ramp 30s to 20000
//   groups:      behaviour and its keys
//                {behaviour: chat, share: 3}                chat,share=3
//   thresholds:  metric, expression, abort (true or a delay)
//                {metric: response, expression: p(99)<20ms, abort: 5s}
//                                                           response:p(99)<20ms,abort=5s
#ifndef SEALPOST_SCENARIO_ENTRY_H
#define SEALPOST_SCENARIO_ENTRY_H

#include <stdint.h>

#include "units.h"

#define SCENARIO_ENTRY_WORDS_MAX 16u
#define SCENARIO_ENTRY_BYTES 256u
#define SCENARIO_ENTRY_REASON_BYTES 192u

enum scenario_list { SCENARIO_GROUPS, SCENARIO_STAGES, SCENARIO_THRESHOLDS, SCENARIO_LIST_COUNT };

// Values of the words an entry has, in the order of scenario_entry_words; NULL: not there.
struct scenario_entry {
    char *values[SCENARIO_ENTRY_WORDS_MAX];
};

// The key in the file, and the option that takes the texts.
const char *scenario_list_key(enum scenario_list list);
const char *scenario_list_option(enum scenario_list list);
// NULL-terminated.
const char *const *scenario_entry_words(enum scenario_list list);

// Errors: -EINVAL with half a sentence in reason.
NODISCARD int scenario_entry_format(char out[SCENARIO_ENTRY_BYTES], enum scenario_list list,
                                    const struct scenario_entry *entry,
                                    char reason[SCENARIO_ENTRY_REASON_BYTES]);

#endif
