// Agents of our own: one process each on this machine, made by fork, joined by a socket pair.
// Thread: the process's only one when they are made.
#ifndef SEALPOST_AGENT_PROCESSES_H
#define SEALPOST_AGENT_PROCESSES_H

#include <stdint.h>
#include <sys/types.h>

#include "agent_list.h"
#include "units.h"

struct agent_processes {
    uint32_t count;
    pid_t pids[AGENT_LIST_MAX];
    int fds[AGENT_LIST_MAX]; // our ends, for whoever talks to them; -1: given away
};

// Make `count`. Errors: -errno; none is left then.
NODISCARD int agent_processes_start(struct agent_processes *p, uint32_t count);
// Close what is left of our ends and wait for each, a bounded time; then it is killed.
void agent_processes_end(struct agent_processes *p);

#endif
