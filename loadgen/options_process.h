// Options of the run as a process: its times, threads, sockets, and what it writes.
#ifndef SEALPOST_OPTIONS_PROCESS_H
#define SEALPOST_OPTIONS_PROCESS_H

#include <argp.h>

// Its input is a struct option_parse.
extern const struct argp options_process_argp;

#endif
