// What happened over time: a run's intervals, of bounded number. Each begins as one step of the
// coordinator (a second). When SERIES_POINTS_MAX are there, neighbours are merged in pairs and from
// then on each new one holds twice as many steps: memory and the report stay the same size whatever
// the duration, and the whole run stays in view.
// Thread: the coordinator's.
#ifndef SEALPOST_SERIES_H
#define SEALPOST_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "pulse.h"
#include "units.h"

#define SERIES_POINTS_MAX 600u // even: they are merged in pairs

// Everything that is read at one instant.
struct series_mark {
    struct pulse_sample pulse;
    bool has_server;
    uint64_t server_cpu_ns;
    uint64_t busy_ns; // of the generator's threads together
};

struct series_point {
    uint64_t at_ns; // its begin, from the window's
    uint64_t len_ns;
    uint32_t steps; // in it
    uint64_t sent, delivered, handshakes, refused, faults;
    uint64_t busy_ns;
    bool has_server;
    uint64_t server_cpu_ns;
    uint64_t latency_count;
    uint64_t p50_ns, p90_ns, p99_ns, p99_9_ns, max_ns; // coarse, 7 % wide; 0 without latencies
};

struct series {
    struct series_point *points;        // SERIES_POINTS_MAX
    uint64_t (*buckets)[PULSE_BUCKETS]; // of each point
    uint32_t count;
    uint32_t steps_per_point;
};

// Errors: -ENOMEM.
NODISCARD int series_init(struct series *s);
void series_free(struct series *s);
// Add one step: what came between two marks. `origin_ns` is the window's begin.
void series_add(struct series *s, uint64_t origin_ns, const struct series_mark *from,
                const struct series_mark *to);
// Find the percentiles of a point again, from its buckets.
void series_find_percentiles(struct series *s, uint32_t index);
// Put the intervals of another process, counted from its window's begin, beside these. The finer
// one is made as coarse as the other, `from` too.
void series_merge(struct series *into, struct series *from);
// Are there ten samples beyond this percentile, below 100?
bool series_supports(const struct series_point *p, double percentile);

#endif
