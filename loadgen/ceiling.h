// The generator's ceiling: what the same client work reaches against the sink (sink.h) on this
// machine. A result close to it says how fast the generator is, not the relay. When the generator
// was not busy meanwhile it is not what it can do, but what this many envelopes in flight come to.
#ifndef SEALPOST_CEILING_H
#define SEALPOST_CEILING_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "units.h"

// More connections than these are measured with these: setting them up would take longer than the
// measurement.
#define CEILING_CONNECTIONS_MAX 2000u
#define CEILING_REASON_BYTES 192u

struct ceiling {
    double per_s;         // envelopes; 0: not measured
    double busy_pct;      // of its processor that the busiest generator thread used meanwhile
    uint32_t connections; // it was measured with
    bool colocated;       // the sink had to share the generator's processors
    bool interrupted;
    char reason[CEILING_REASON_BYTES]; // why it was not measured
};

// Measure the ceiling of a run with these options: same connections (up to the bound), threads,
// processors, payload, suite and session, in a closed loop at saturation, over ws. The sink runs on
// the processor of --server-pid or else the first one that no generator thread is pinned to.
// Thread: the process's main thread, while it has no other.
void ceiling_measure(struct ceiling *c, const struct options *o);

// Can it be measured? Only of users that stay and send envelopes: the sink stores nothing.
bool ceiling_applies(const struct options *o);

#endif
