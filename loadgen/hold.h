// --hold: users ready, the load waits for a word on standard input, so that several generators can
// begin at the same moment. Directs a run (run.h). Thread: the coordinator's.
#ifndef SEALPOST_HOLD_H
#define SEALPOST_HOLD_H

#include "run.h"

struct hold {
    uint64_t start_ns; // 0: not told yet
};

// Says "ready" on standard output when the users are, and lets the load begin when standard input
// has a line or has ended. Owner: the director lives as long as `h`.
struct run_director hold_director(struct hold *h);

#endif
