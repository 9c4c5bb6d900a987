// One objective in k6's grammar, judged after the run on the exact figures, and during it on the
// coarse ones. Pure.
//
//     METRIC:METHOD OPERATOR NUMBER[UNIT][,abort[=DELAY]]
//
//     METHOD    of a latency: avg min max med p(N); of a counter: count, and rate (a second) if it
//               is one of the measured window; of a gauge: value
//     OPERATOR  < <= > >= == === !=
//     UNIT      of a latency alone: us ms s; milliseconds without one, as in k6
//     DELAY     us ms s m; seconds without
//
// `response:p(99)<20ms,abort=5s`. As in k6 one text is one comparison: give several texts.
//
// A figure that cannot be told (no sample, fewer than ten beyond the percentile, not measured)
// fails its threshold and says why: an objective nobody can confirm is not met.
//
// `abort` ends the run as soon as the objective is certainly missed by what was measured since the
// window's begin, DELAY later at the earliest. "Certainly": the whole bucket (7 % wide) that the
// figure lies in is beyond the limit. Only metrics known while the run goes on can abort it. A
// counter that may still grow to its limit does not.
#ifndef SEALPOST_THRESHOLD_H
#define SEALPOST_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "pulse.h"
#include "tally.h"

#define THRESHOLD_TEXT_BYTES 128u // with the zero
#define THRESHOLD_REASON_BYTES 256u

// Counters of the measured window; they have a rate too.
#define THRESHOLD_WINDOW_COUNTERS(X)                                                               \
    X(delivered)                                                                                   \
    X(scheduled)                                                                                   \
    X(sent)                                                                                        \
    X(handshakes)

// Counters of the whole run, or of what is wrong.
#define THRESHOLD_RUN_COUNTERS(X)                                                                  \
    X(faults) /* lost, duplicate, reordered, misrouted, auth_fail and foreign together */          \
    X(expected)                                                                                    \
    X(received)                                                                                    \
    X(lost)                                                                                        \
    X(duplicate)                                                                                   \
    X(reordered)                                                                                   \
    X(gaps)                                                                                        \
    X(late)                                                                                        \
    X(misrouted)                                                                                   \
    X(auth_fail)                                                                                   \
    X(foreign)                                                                                     \
    X(refused)                                                                                     \
    X(disconnected)                                                                                \
    X(not_sent)                                                                                    \
    X(backlog_full)                                                                                \
    X(handshakes_failed)                                                                           \
    X(rate_limited)                                                                                \
    X(stalls)

#define THRESHOLD_GAUGES(X)                                                                        \
    X(rate)                  /* envelopes, or handshakes, a second */                              \
    X(server_cpu_ns_per_msg) /* or for each handshake */                                           \
    X(server_busy_pct)                                                                             \
    X(server_rss_bytes_per_conn)                                                                   \
    X(generator_busy_pct) /* the busiest thread's */                                               \
    X(steal_pct)                                                                                   \
    X(setup_s)

// One numbering for all: latencies, counters of the window, counters of the run, gauges.
enum threshold_metric {
#define X(name) THRESHOLD_##name,
    TALLY_HISTOGRAMS(X) THRESHOLD_WINDOW_COUNTERS(X) THRESHOLD_RUN_COUNTERS(X) THRESHOLD_GAUGES(X)
#undef X
        THRESHOLD_METRIC_COUNT
};

enum threshold_method {
    THRESHOLD_AVG,
    THRESHOLD_MIN,
    THRESHOLD_MAX,
    THRESHOLD_PERCENTILE, // med is p(50)
    THRESHOLD_COUNT,
    THRESHOLD_RATE,
    THRESHOLD_VALUE,
};

enum threshold_comparison {
    THRESHOLD_BELOW,
    THRESHOLD_AT_MOST,
    THRESHOLD_ABOVE,
    THRESHOLD_AT_LEAST,
    THRESHOLD_EQUAL,
    THRESHOLD_NOT_EQUAL,
};

struct threshold {
    char text[THRESHOLD_TEXT_BYTES]; // as given
    enum threshold_metric metric;
    enum threshold_method method;
    enum threshold_comparison comparison;
    double percentile;
    double limit; // ns of a latency
    bool abort;
    uint64_t abort_delay_ns;
};

// What a run came to, as thresholds see it.
struct threshold_metrics {
    const struct hist *latencies[THRESHOLD_METRIC_COUNT]; // those of TALLY_HISTOGRAMS
    uint64_t counters[THRESHOLD_METRIC_COUNT];
    double gauges[THRESHOLD_METRIC_COUNT]; // NAN: not measured
    uint64_t window_ns;
};

struct threshold_result {
    bool is_known; // `value` is there
    bool ok;
    double value;                        // ns of a latency
    char reason[THRESHOLD_REASON_BYTES]; // why it is not ok; "" if it is
};

// Errors: -EINVAL with one sentence in reason.
NODISCARD int threshold_parse(struct threshold *t, const char *text,
                              char reason[THRESHOLD_REASON_BYTES]);
void threshold_judge(const struct threshold *t, const struct threshold_metrics *m,
                     struct threshold_result *out);
// Is the objective certainly missed by what came between the two samples? `is_handshake` tells
// whose latencies the samples hold. The value: the bound that convinced.
bool threshold_is_missed(const struct threshold *t, bool is_handshake,
                         const struct pulse_sample *from, const struct pulse_sample *to,
                         double *value);

bool threshold_is_latency(const struct threshold *t);
const char *threshold_metric_name(enum threshold_metric metric);
// The unit of the value in results: "us" (the result's latencies), "per_s", or "".
const char *threshold_unit(const struct threshold *t);
// `value` (of a result, or the limit) in that unit.
double threshold_in_unit(const struct threshold *t, double value);

#endif
