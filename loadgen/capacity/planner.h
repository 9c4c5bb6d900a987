// How many relays: from what one envelope and one connection cost to users and messages a day.
// Pure.
#ifndef SEALPOST_PLANNER_H
#define SEALPOST_PLANNER_H

#include <stdbool.h>
#include <stdint.h>

#include "units.h"

#define PLANNER_REASON_BYTES 256u
#define PLANNER_LINES_MAX 12u
#define PLANNER_LINE_BYTES 240u

// Kernel memory of an idle established TCP socket with its armed receive, measured on Linux 6.12:
// 3.56 KB for the socket and 0.86 KB for the multishot receive.
#define PLANNER_KERNEL_BYTES_PER_CONNECTION 4420.0
// Beside an envelope's plaintext, each time it crosses the wire: session 32, envelope header 48,
// WebSocket header 4 (8 from the client, masked), IPv4 and TCP with timestamps 52; TLS 22 more
// (record header 5, content type 1, tag 16). Source: docs/PROTOCOL.md, RFC 6455 section 5.2, RFC
// 8446 section 5.2.
#define PLANNER_WIRE_BYTES_IN (32 + 48 + 8 + 52)
#define PLANNER_WIRE_BYTES_OUT (32 + 48 + 4 + 52)
#define PLANNER_TLS_BYTES 22
// Of a relay's memory; the rest is the system's.
#define PLANNER_MEMORY_SHARE 0.8
#define PLANNER_SECONDS_PER_DAY 86400.0

// The question. 0: not asked for, unless a default is named.
struct planner_demand {
    double users;
    double messages;       // a day, each user's
    double peak;           // peak rate over the day's mean
    double online;         // share of the users that are connected (1)
    double headroom;       // share of processors and network that may be used at peak (0.6)
    double cores;          // of a relay (1)
    double memory_bytes;   // of a relay (16 GiB)
    double descriptors;    // a process may have (1,048,576: the kernel's default fs.nr_open)
    double nic_bits_per_s; // of a relay, each direction (10 Gbit/s)
    double payload_bytes;  // plaintext of an envelope (the run's)
    double cpu_ns;         // of an envelope (measured)
    double rss_bytes;      // of a connection (measured)
};

// What was measured; the demand's own figures win. 0: not.
struct planner_cost {
    double cpu_ns_per_envelope;
    double rss_bytes_per_connection;
    double rate_per_s; // a relay's capacity as it was measured: used when its CPU cost is unknown
    bool tls;
};

enum planner_limit {
    PLANNER_BY_PROCESSORS,
    PLANNER_BY_MEMORY,
    PLANNER_BY_DESCRIPTORS,
    PLANNER_BY_NETWORK,
    PLANNER_LIMIT_COUNT
};

struct planner_line {
    const char *name;
    char text[PLANNER_LINE_BYTES]; // the arithmetic
};

struct planner_answer {
    double mean_per_s, peak_per_s;
    double connections;
    double cores;        // needed at peak with headroom; 0: unknown
    double memory_bytes; // of all connections: relay and kernel; 0: unknown
    double bits_per_s;   // at peak, the busier direction
    // Relays each resource asks for, not rounded; negative: unknown.
    double relays_by[PLANNER_LIMIT_COUNT];
    double relays; // rounded up, of the greatest
    enum planner_limit breaks_first;
    uint32_t line_count;
    struct planner_line lines[PLANNER_LINES_MAX];
};

// `users=1e6,messages=40,peak=10[,headroom=0.6]…`: the members above by name (memory, nic, cpu_ns,
// rss_bytes without their units; memory takes KiB MiB GiB, nic Mbit Gbit). Members not named have
// their defaults. Errors: -EINVAL with one sentence in reason.
NODISCARD int planner_parse(struct planner_demand *d, const char *text,
                            char reason[PLANNER_REASON_BYTES]);
void planner_answer(struct planner_answer *a, const struct planner_demand *d,
                    const struct planner_cost *cost);
const char *planner_limit_name(enum planner_limit limit);

#endif
