// Suspected regressions measured again by a command of the user's. Blocking; main thread.
#ifndef SEALPOST_RERUN_H
#define SEALPOST_RERUN_H

#include "measurement_parse.h"

// Run `sh -c command` with the names of the patterns (separated by spaces) in
// SEALPOST_RERUN_PATTERNS and two empty folders in SEALPOST_RERUN_BASE and SEALPOST_RERUN_NEW, in
// which it leaves the results of both sides; what it prints goes to standard error. Appends them to
// the lists; a base that cannot be measured again is left empty.
// Errors, with one sentence in reason: -errno, -ECHILD (the command failed), those of
// evidence_load.
NODISCARD int rerun_measure(const char *command, const char *patterns,
                            struct measurement_list *base, struct measurement_list *new,
                            char reason[MEASUREMENT_PARSE_REASON_BYTES]);

#endif
