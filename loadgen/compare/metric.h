// What is compared of a result, and which way is better. Pure.
#ifndef SEALPOST_METRIC_H
#define SEALPOST_METRIC_H

#include <stdbool.h>

// name, unit, the higher the better, holds across machines, where in a result of sealpost-load,
// where in a sample of `sealpost-bench run`. "" where there is none.
#define METRICS(X)                                                                                 \
    X(throughput, "/s", true, false, "messages.per_s", "per_s")                                    \
    X(handshakes, "/s", true, false, "handshakes.per_s", "")                                       \
    X(response_p50, "us", false, false, "latency_us.response.p50", "latency_us.p50")               \
    X(response_p99, "us", false, false, "latency_us.response.p99", "latency_us.p99")               \
    X(response_p99_9, "us", false, false, "latency_us.response.p99_9", "latency_us.p99_9")         \
    X(handshake_p50, "us", false, false, "latency_us.handshake.p50", "")                           \
    X(handshake_p99, "us", false, false, "latency_us.handshake.p99", "")                           \
    X(server_cpu, "ns", false, false, "server.cpu_ns_per_msg", "cpu_ns_per_msg")                   \
    X(server_cpu_handshake, "ns", false, false, "server.cpu_ns_per_handshake", "")                 \
    X(generator_cpu, "ns", false, false, "", "client_cpu_ns_per_msg")                              \
    X(bytes_per_conn, "B", false, false, "server.rss_bytes_per_conn", "")                          \
    X(ratio_to_raw, "", true, true, "", "ratio_to_raw")                                            \
    X(cpu_ratio_to_raw, "", false, true, "", "cpu_ratio_to_raw")                                   \
    X(generator_ratio_to_raw, "", false, true, "", "client_cpu_ratio_to_raw")

enum metric {
#define X(name, ...) METRIC_##name,
    METRICS(X)
#undef X
        METRIC_COUNT
};

struct metric_kind {
    const char *name, *unit;
    bool higher_is_better;
    bool is_portable; // means the same on another machine
    const char *load_path, *bench_path;
};
extern const struct metric_kind metric_kinds[METRIC_COUNT];

// METRIC_COUNT when there is none of this name.
enum metric metric_find(const char *name);
// "throughput, handshakes, …" for messages.
const char *metric_list_names(void);

#endif
