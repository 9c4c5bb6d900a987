// --agents, --processes, --token-file. Runs once, before any thread.
#ifndef SEALPOST_OPTIONS_AGENTS_H
#define SEALPOST_OPTIONS_AGENTS_H

#include <argp.h>

struct option_parse;

// Its input is a struct option_parse.
extern const struct argp options_agents_argp;

// What several processes need of the other options; the threads become those of all of them.
// 0, or EINVAL after option_refuse.
int options_agents_check(struct option_parse *p);
// Agents are told the command line as JSON, which has no place for bytes that are not UTF-8.
// 0, or EINVAL after option_refuse.
int options_agents_check_texts(struct option_parse *p, int argc, char **argv);

#endif
