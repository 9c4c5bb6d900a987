// The option --threshold.
#ifndef SEALPOST_OPTIONS_THRESHOLD_H
#define SEALPOST_OPTIONS_THRESHOLD_H

#include <argp.h>

// Its input is a struct option_parse.
extern const struct argp options_threshold_argp;

#endif
