// A run over several agents: each has its share of the threads, users and rate of one run; what
// they measured is merged, then judged once. No clock of another machine is ever looked at: each
// agent measures what it sent itself, and intervals are put together by their time since its own
// window's begin.
#ifndef SEALPOST_COORDINATOR_H
#define SEALPOST_COORDINATOR_H

#include "agent_processes.h"
#include "run.h"

struct coordinator_config {
    struct agent_processes *processes; // NULL: the options' --agents; its sockets are taken
    const char *token, *ca;            // "": none
    char **argv;                       // what the agents parse
    uint32_t argc;
};

// Run and fill in the outcome, whatever happens. Errors: -ENOMEM.
// Thread: the process's main one.
NODISCARD int coordinator_run(struct outcome *out, const struct options *o, const struct target *t,
                              const struct coordinator_config *config, struct web *web);

#endif
