// Throughput at several sizes, closed loop: over connections, or over workers of a relay that is
// started for each point.
// Thread: the process's main one, while there are no others.
#ifndef SEALPOST_SWEEP_H
#define SEALPOST_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "trial.h"
#include "usl.h"

#define SWEEP_POINTS_MAX USL_POINTS_MAX
#define SWEEP_REASON_BYTES 256u

enum sweep_over { SWEEP_CONNECTIONS, SWEEP_WORKERS };

struct sweep_range {
    enum sweep_over over;
    uint32_t count; // 0: no sweep
    uint32_t sizes[SWEEP_POINTS_MAX];
};

struct sweep {
    struct sweep_range range;
    uint32_t point_count; // measured so far
    struct trial points[SWEEP_POINTS_MAX];
    struct usl_fit fit;
};

// `connections=10,100,1000` or `workers=1,2,4`. Errors: -EINVAL with one sentence in reason.
NODISCARD int sweep_parse(struct sweep_range *range, const char *text,
                          char reason[SWEEP_REASON_BYTES]);
const char *sweep_over_name(enum sweep_over over);
// Add a measured point, in the order of the sizes.
void sweep_add(struct sweep *s, const struct trial *trial);
// Of the points so far.
void sweep_fit(struct sweep *s);

#endif
