// Was the generator itself the limit? Pure.
//
// limited (the result is not valid):
//   - this machine ran out of sockets, ports or descriptors
//   - open loop: 1 % of the envelopes or more were noticed late, by over 1 ms and over a tenth of
//   the
//     response's 99th percentile (the generator's own lateness; waiting for the relay is not in it)
//   - open loop: 1 % or more of what was scheduled was not sent though its connection was free: 64
//     envelopes waited on it for the loop
//   - 90 % or more of the generator's ceiling was reached, and it was busy (80 %) at the ceiling
//   - loop turns of over 100 ms added up to 5 % of the window or more
//   - a control group's quota stopped this process for 5 % of the window or more
// suspect (read the reasons before quoting the result):
//   - the busiest thread used 95 % of its processor or more (closed loop: the relay may carry more;
//     normal when both share a small machine), 80 % or more in an open loop
//   - 80 % or more of the generator's ceiling was reached
//   - open loop: 1 % or more of what was scheduled was not sent, because the relay did not take it
//   - open loop: the envelopes that wait grew through the window (backlog.h)
//   - any loop turn of over 100 ms
//   - the hypervisor took 5 % or more of the processors' time (steal)
//   - a quota stopped this process at all
//   - the relay may run on the generator's processors, and 90 % of all theirs was used
// ok: none of these.
#ifndef SEALPOST_VERDICT_H
#define SEALPOST_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "backlog.h"
#include "machine.h"
#include "units.h"

#define VERDICT_REASONS_MAX 32u // of one generator and of several agents
#define VERDICT_REASON_BYTES 256u

// What a reason is about: the rules above.
enum verdict_cause {
    VERDICT_SOCKETS,
    VERDICT_LATENESS,
    VERDICT_NOT_PACED,
    VERDICT_NOT_SENT,
    VERDICT_BACKLOG,
    VERDICT_BUSY,
    VERDICT_CEILING,
    VERDICT_STALLS,
    VERDICT_STEAL,
    VERDICT_QUOTA,
    VERDICT_SHARED,
    VERDICT_CAUSE_COUNT
};

enum verdict_level { VERDICT_OK, VERDICT_SUSPECT, VERDICT_LIMITED };

struct verdict {
    enum verdict_level level;
    uint32_t reason_count;
    enum verdict_cause causes[VERDICT_REASONS_MAX];
    char reasons[VERDICT_REASONS_MAX][VERDICT_REASON_BYTES];
};

struct verdict_input {
    bool open_loop;
    bool sockets_exhausted;
    double busiest_pct;
    uint64_t schedule_lag_p99_ns, response_p99_ns;
    uint64_t scheduled, sent;
    uint64_t not_paced; // of those not sent: the relay had taken all of that connection before
    uint64_t stalls, stalled_ns, window_ns;
    double steal_pct;
    double achieved_per_s, ceiling_per_s; // envelopes; ceiling 0: not measured
    double ceiling_busy_pct;
    uint64_t throttled_ns;
    struct machine_share share;
    double busy_pct, relay_busy_pct; // of one processor: all generator threads; the relay
    const struct backlog *backlog;   // NULL: not known
};

// Are so many of those scheduled a share that matters?
bool verdict_is_noticeable(uint64_t not_sent, uint64_t scheduled);
void verdict_judge(struct verdict *v, const struct verdict_input *in);
// One more reason from elsewhere; the level is this one's at least. Full: the reason is left out.
PRINTF_LIKE(4, 5)
void verdict_add(struct verdict *v, enum verdict_level level, enum verdict_cause cause,
                 const char *format, ...);
// Take over what an agent says of itself, in its name. A cause that `v` had already when the first
// agent was added (`own_count` reasons) is the whole's and not repeated; its level counts all the
// same.
void verdict_add_agent(struct verdict *v, uint32_t own_count, const struct verdict *agent,
                       const char *name);
const char *verdict_level_name(enum verdict_level level);

#endif
