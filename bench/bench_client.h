// The driving client: connections in pairs, a fixed number of messages in flight from each to its
// partner, closed loop. One thread, one ring; the work for each message is kept to the stamp.
#ifndef SEALPOST_BENCH_CLIENT_H
#define SEALPOST_BENCH_CLIENT_H

#include <netinet/in.h>
#include <sys/types.h>

#include "bench_ledger.h"
#include "bench_protocol.h"
#include "hist.h"

#define BENCH_IN_FLIGHT_MAX 1024u
#define BENCH_CONNECTIONS_MAX 16384u
#define BENCH_PAYLOAD_MAX 65536u

struct bench_client_plan {
    const struct bench_protocol *protocol;
    struct sockaddr_in target;
    uint32_t connections; // even
    uint32_t in_flight;   // per connection
    size_t payload_bytes; // ≥ BENCH_STAMP_BYTES
    uint64_t warmup_ns;
    uint64_t measure_ns;
    pid_t server_pid; // 0: the server's processor time is not measured
    bool is_held;     // say "ready" when connected, begin when standard input has a line or ends
};

struct bench_client_result {
    uint64_t window_ns;
    uint64_t messages; // delivered within the window
    uint64_t client_cpu_ns;
    uint64_t server_cpu_ns;
    struct bench_delivery delivery; // of the whole run
    struct hist latency;            // ns, of the window; caller's to free after any return
};

// Connect, subscribe, warm up, measure, drain. On failure *problem is a sentence.
// Errors: -ECONNREFUSED and its kin (target unreachable), -EPROTO (peer error), -ETIMEDOUT (not
// ready in time), -ESRCH (no such server_pid), -errno.
NODISCARD int bench_client_run(const struct bench_client_plan *plan,
                               struct bench_client_result *result, const char **problem);

#endif
