// The agents of a run: what --agents and --processes name. Parsing is pure.
#ifndef SEALPOST_AGENT_LIST_H
#define SEALPOST_AGENT_LIST_H

#include <stdint.h>

#include "units.h"

#define AGENT_LIST_MAX 32u
#define AGENT_LIST_NAME_BYTES 128u
#define AGENT_LIST_REASON_BYTES 192u
#define AGENT_LIST_TOKEN_MAX_BYTES 1024u

struct agent_list {
    uint32_t count;
    char names[AGENT_LIST_MAX][AGENT_LIST_NAME_BYTES]; // HOST:PORT or [V6]:PORT
};

// HOST:PORT,HOST:PORT… Errors: -EINVAL with one sentence in reason.
NODISCARD int agent_list_parse(struct agent_list *list, const char *text,
                               char reason[AGENT_LIST_REASON_BYTES]);
// Take HOST:PORT apart; brackets of an IPv6 address are left out. Errors: -EINVAL.
NODISCARD int agent_list_split_name(const char *name, char host[AGENT_LIST_NAME_BYTES],
                                    char port[8]);
// The first line of a file is the token. Errors: -EINVAL with one sentence in reason.
NODISCARD int agent_list_read_token(const char *file, char token[AGENT_LIST_TOKEN_MAX_BYTES],
                                    char reason[AGENT_LIST_REASON_BYTES]);

#endif
