// The agent's side of one run: what the coordinator asks is done in this process, which then ends.
#ifndef SEALPOST_AGENT_SESSION_H
#define SEALPOST_AGENT_SESSION_H

#include "source_list.h"

struct agent_session_config {
    const char *token;          // "": none is asked for
    struct source_list sources; // count 0: as the options say
};

// Serve the coordinator at `fd` until its run is over or it has gone. Owner: takes `fd`.
// Thread: the only one of a process made for this; signals may be blocked afterwards.
void agent_session_serve(int fd, const struct agent_session_config *config);

#endif
