// From the text of an option to its value, and the sentence that says why not. The groups of
// options (options_load.c …) are argp parsers that share one struct option_parse.
#ifndef SEALPOST_OPTION_VALUE_H
#define SEALPOST_OPTION_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "units.h"

// Keys of options without a letter: one range for each group's file.
enum {
    OPTION_KEYS_LOAD = 256,
    OPTION_KEYS_CRYPTO = 320,
    OPTION_KEYS_PROCESS = 384,
    OPTION_KEYS_OUTPUTS = 448,
    OPTION_KEYS_SCENARIO = 512,
    OPTION_KEYS_AGENTS = 576,
};

// What is known while the options are read; `input` of every argp parser.
struct option_parse {
    struct options *o;
    char *reason;                  // OPTIONS_REASON_BYTES
    int next;                      // after an error: the argument behind the one that is wrong
    const struct options_own *own; // NULL: a run
    struct report_option_parse report;
    bool has_mode;
    bool has_in_flight, has_rate, has_arrival, has_payload, has_suite, has_session, has_duration,
        has_scenario;
};

// Say why; returns EINVAL.
PRINTF_LIKE(2, 3) int option_refuse(struct option_parse *p, const char *format, ...);

// Each: 0, or EINVAL after option_refuse. `option` is the name without its dashes.
int option_parse_count(struct option_parse *p, const char *option, const char *text, uint64_t min,
                       uint64_t max, uint64_t *out);
int option_parse_count_32(struct option_parse *p, const char *option, const char *text,
                          uint32_t min, uint32_t max, uint32_t *out);
// Units: the text has ms, s or m, seconds without; out_ns is ns, a month at most.
int option_parse_time(struct option_parse *p, const char *option, const char *text,
                      uint64_t *out_ns);
// One of `words`; out is its index.
int option_parse_word(struct option_parse *p, const char *option, const char *text,
                      const char *const *words, int count, int *out);

#endif
