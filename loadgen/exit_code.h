// What sealpost-load ends with. When several apply the first of this order wins:
// 1, 104, 105, 113, 111, 112, 99.
#ifndef SEALPOST_EXIT_CODE_H
#define SEALPOST_EXIT_CODE_H

#include <stdbool.h>

enum exit_code {
    EXIT_CODE_PASS = 0,
    EXIT_CODE_INTERNAL = 1,
    EXIT_CODE_THRESHOLD = 99,
    EXIT_CODE_BAD_OPTIONS = 104,
    EXIT_CODE_INTERRUPTED = 105,
    EXIT_CODE_INTEGRITY = 111,
    EXIT_CODE_LIMITED = 112,
    EXIT_CODE_UNREACHABLE = 113, // the relay, or an agent, also one that was lost on the way
};

struct exit_causes {
    bool internal, bad_options, interrupted, unreachable, integrity, limited, threshold;
};

static inline enum exit_code exit_code_of(const struct exit_causes *c)
{
    return c->internal      ? EXIT_CODE_INTERNAL
           : c->bad_options ? EXIT_CODE_BAD_OPTIONS
           : c->interrupted ? EXIT_CODE_INTERRUPTED
           : c->unreachable ? EXIT_CODE_UNREACHABLE
           : c->integrity   ? EXIT_CODE_INTEGRITY
           : c->limited     ? EXIT_CODE_LIMITED
           : c->threshold   ? EXIT_CODE_THRESHOLD
                            : EXIT_CODE_PASS;
}

#endif
