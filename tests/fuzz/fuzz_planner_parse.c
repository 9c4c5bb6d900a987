// Any bytes as a planner's question. One that is taken has every figure in its range and an answer
// that is a number of relays; one that is not comes with a sentence.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "planner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct planner_demand *d, const struct planner_cost *cost)
{
    struct planner_answer a;

    planner_answer(&a, d, cost);
    assert(isfinite(a.relays) && a.relays >= 1);
    for (unsigned i = 0; i < PLANNER_LIMIT_COUNT; i++)
        assert(a.relays_by[i] <= a.relays);
    assert(a.line_count > 0 && a.line_count <= PLANNER_LINES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[1024], reason[PLANNER_REASON_BYTES] = "";
    struct planner_demand d;

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (planner_parse(&d, text, reason) < 0) {
        assert(reason[0] != '\0');
        return 0;
    }
    assert(d.users >= 1 && d.peak >= 1 && d.headroom > 0 && d.headroom <= 1 && d.cores > 0);
    check_answer(&d, &(struct planner_cost){.tls = true});
    check_answer(&d, &(struct planner_cost){.cpu_ns_per_envelope = 5000,
                                            .rss_bytes_per_connection = 700,
                                            .rate_per_s = 1000});
    return 0;
}
