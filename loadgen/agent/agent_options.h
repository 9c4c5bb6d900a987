// The command line of sealpost-load agent.
#ifndef SEALPOST_AGENT_OPTIONS_H
#define SEALPOST_AGENT_OPTIONS_H

#include <sys/socket.h>

#include "agent_list.h"
#include "source_list.h"
#include "units.h"

struct agent_options {
    struct sockaddr_storage address;
    socklen_t address_len;
    char token[AGENT_LIST_TOKEN_MAX_BYTES]; // "": none
    struct source_list sources;             // count 0: as the coordinator says
};

// Parse and check. --help, --version and unknown options end the process inside.
// Errors: -EINVAL with one sentence in reason.
NODISCARD int agent_options_parse(struct agent_options *o, int argc, char **argv,
                                  char reason[AGENT_LIST_REASON_BYTES]);

#endif
