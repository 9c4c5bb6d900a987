// A relay that the sweep starts itself: from a command, awaited until it accepts, ended with
// SIGTERM. Only ever touches the process it started, which ends when we do.
// Thread: the process's main one, while there are no others.
#ifndef SEALPOST_SERVER_PROCESS_H
#define SEALPOST_SERVER_PROCESS_H

#include <sys/types.h>

#include "target.h"

#define SERVER_PROCESS_COMMAND_BYTES 4096u
#define SERVER_PROCESS_REASON_BYTES 512u

struct server_process {
    pid_t pid; // 0: none
    const struct target *target;
};

// The template with {url} and {} filled in. Errors: -EINVAL with one sentence in reason.
NODISCARD int server_process_format(char out[SERVER_PROCESS_COMMAND_BYTES], const char *command,
                                    const char *url, unsigned value,
                                    char reason[SERVER_PROCESS_REASON_BYTES]);
// Start it by `sh -c` and wait until the target's address accepts, ten seconds at most. What it
// prints goes nowhere, its errors to ours.
// Errors: -EADDRINUSE (something else accepts there), -ECHILD (it ended), -ETIMEDOUT, -EINTR
// (SIGINT or SIGTERM came), -errno; each with one sentence in reason. Nothing is left running then.
NODISCARD int server_process_start(struct server_process *s, const char *command,
                                   const struct target *t,
                                   char reason[SERVER_PROCESS_REASON_BYTES]);
// SIGTERM, and SIGKILL after ten seconds; then until nothing accepts there any more (the kernel
// closes the sockets of an ended ring in the background), ten seconds at most.
void server_process_stop(struct server_process *s);

#endif
