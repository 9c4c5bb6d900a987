// Options of the load: what is offered, by whom.
#ifndef SEALPOST_OPTIONS_LOAD_H
#define SEALPOST_OPTIONS_LOAD_H

#include <argp.h>

// Its input is a struct option_parse.
extern const struct argp options_load_argp;

#endif
