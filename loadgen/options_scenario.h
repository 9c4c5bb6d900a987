// --scenario and --check, and how a scenario file and the command line become one list of options.
#ifndef SEALPOST_OPTIONS_SCENARIO_H
#define SEALPOST_OPTIONS_SCENARIO_H

#include <argp.h>
#include <stdbool.h>

#include "option_names.h"
#include "scenario.h"
#include "units.h"

// Its input is a struct option_parse.
extern const struct argp options_scenario_argp;

// What a command line gives, before anything is parsed.
struct options_given {
    const char *scenario; // NULL: none
    bool is_given[OPTION_NAMES_MAX];
};

// A command line that is wrong leaves what stands before the fault; parsing it will tell.
void options_scenario_scan(struct options_given *given, const struct option_names *names, int argc,
                           char **argv);

// argv with the file's options in front of the command line's, without those that the command line
// replaces: a list as a whole, and whatever cannot stand beside what it says (--rate beside the
// file's stages).
struct options_merged {
    int argc;
    char **argv;
    uint32_t count; // of the file's options: argv[1] … argv[count]
    const struct scenario_setting *settings[SCENARIO_SETTINGS_MAX];
};

// Owner: out->argv is for free(); its strings are borrowed. Errors: -ENOMEM.
NODISCARD int options_scenario_merge(struct options_merged *out, const struct scenario *scenario,
                                     const struct option_names *names,
                                     const struct options_given *given, int argc, char **argv);

#endif
