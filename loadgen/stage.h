// The stages of an open loop, and the text they are written in. Pure.
//
//   hold TIME [at RATE]                    one rate
//   ramp TIME [from RATE] to RATE          from one rate to another, linear
//   step NxTIME from RATE by [-]RATE       N rates of TIME each: N stages
//   burst COUNT every TIME for TIME [at RATE]
//                                          COUNT envelopes at once every TIME, on top of a rate
//   spike TIME to RATE                     one rate for a short time
//
// A rate that is not given is the one the stage before ended with (0 before the first); after a
// spike it is the one before the spike. A stage may begin with a name: `NAME: hold 10s at 500` or
// `NAME=hold 10s at 500`; its kind is its name otherwise, and the steps of a step are numbered.
#ifndef SEALPOST_STAGE_H
#define SEALPOST_STAGE_H

#include <stdint.h>

#include "units.h"

#define STAGE_MAX 32u
#define STAGE_NAME_BYTES 32u
#define STAGE_TEXT_MAX_BYTES 256u
#define STAGE_REASON_BYTES 256u
#define STAGE_RATE_MAX_PER_S 1e8
#define STAGE_BURST_MAX 10000000u
// A month of ns is exact in a double and leaves room for sums.
#define STAGE_TIME_MAX_NS (31ull * 86400 * NS_PER_S)

enum stage_kind { STAGE_HOLD, STAGE_RAMP, STAGE_STEP, STAGE_BURST, STAGE_SPIKE };

struct stage {
    enum stage_kind kind;
    char name[STAGE_NAME_BYTES];
    uint64_t len_ns;
    double from_per_s, to_per_s; // rates at its begin and its end
    uint64_t burst_every_ns;     // 0: no bursts; the first one is at the stage's begin
    uint32_t burst_count;        // envelopes of each
};

struct stage_list {
    uint32_t count;
    double rate_per_s; // where the last stage leaves
    struct stage stages[STAGE_MAX];
};

// Append the stage, or the steps, of a text.
// Errors: -EINVAL with one sentence in reason; the list is then as it was.
NODISCARD int stage_list_parse(struct stage_list *list, const char *text,
                               char reason[STAGE_REASON_BYTES]);
// The one stage of a constant rate.
void stage_list_init_hold(struct stage_list *list, double rate_per_s, uint64_t len_ns);

uint64_t stage_list_len_ns(const struct stage_list *list);
// Envelopes of a stage without bursts, and all of them.
double stage_smooth_count(const struct stage *stage);
uint64_t stage_burst_total(const struct stage *stage);
const char *stage_kind_name(enum stage_kind kind);

#endif
