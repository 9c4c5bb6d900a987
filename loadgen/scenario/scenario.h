// A scenario file: YAML whose keys are the long names of options (in-flight or in_flight), with
// lists of groups, stages and thresholds, a name and a description. It becomes the options it
// stands for, each with its line; what they mean is checked where the command line is.
//
//     name: evening
//     connections: 1000
//     payload: lognormal:300,1.2
//     stages:
//       - {name: warm, hold: 10s, at: 1000}
//       - ramp 30s to 20000
//     thresholds:
//       - response:p(99)<20ms
#ifndef SEALPOST_SCENARIO_H
#define SEALPOST_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

#include "option_names.h"
#include "scenario_marks.h"
#include "units.h"

#define SCENARIO_FILE_MAX_BYTES (64u * KIB)
#define SCENARIO_VALUE_MAX_BYTES 255u
#define SCENARIO_LIST_MAX 32u
#define SCENARIO_SETTINGS_MAX (OPTION_NAMES_MAX + 3 * SCENARIO_LIST_MAX)

struct scenario_setting {
    const char *option; // its long name
    char *text;         // as on the command line: --option or --option=value
    uint32_t line;
};

struct scenario {
    char *source;             // for messages: the file, or the name of a ready-made one
    char *name, *description; // NULL: none
    uint32_t count;
    struct scenario_setting settings[SCENARIO_SETTINGS_MAX];
};

// Read a text. `source` is what messages call it; names are borrowed.
// Owner: *out is for scenario_destroy. Errors: -EINVAL, -ENOMEM with one sentence in reason: file,
// line, key, and what is allowed.
NODISCARD int scenario_create(struct scenario **out, const char *source, const char *text,
                              size_t len, const struct option_names *names,
                              char reason[SCENARIO_REASON_BYTES]);
// A file, or a ready-made scenario if there is no such file. Errors: as above, -errno.
NODISCARD int scenario_load(struct scenario **out, const char *path,
                            const struct option_names *names, char reason[SCENARIO_REASON_BYTES]);
void scenario_destroy(struct scenario *s);

#endif
