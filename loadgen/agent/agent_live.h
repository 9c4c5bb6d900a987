// How far one agent is, while the run goes on: what its last pulse said, beside the others. Pure.
#ifndef SEALPOST_AGENT_LIVE_H
#define SEALPOST_AGENT_LIVE_H

#include <stdint.h>

#include "agent_peer.h"
#include "agent_result.h"

struct agent_live {
    const char *name;  // lent, for as long as the run's outcome is there
    const char *state; // static
    uint32_t first_thread, thread_count;
    uint32_t connections, settled, alive;
    double rate_per_s; // as in its result
    // Of its window.
    uint64_t elapsed_ns;
    uint64_t sent, delivered, handshakes, faults;
    uint64_t p50_ns, p99_ns; // in steps of 7 %; 0: too few samples
};

// `share` says what it was given.
void agent_live_fill(struct agent_live *l, const struct agent_peer *p,
                     const struct agent_result *share);

#endif
