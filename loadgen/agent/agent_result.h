// What one agent had of a run, beside the others in the result.
#ifndef SEALPOST_AGENT_RESULT_H
#define SEALPOST_AGENT_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"
#include "verdict.h"

#define AGENT_RESULT_NAME_BYTES 128u
#define AGENT_RESULT_FAILURE_BYTES 256u

struct agent_result {
    char name[AGENT_RESULT_NAME_BYTES]; // as --agents has it, or "process 1"
    uint32_t first_thread, thread_count;
    uint32_t connections;
    double rate_per_s;                             // its part of the mean rate; 0: closed loop
    bool has_result;                               // without one only the failure is told
    char failure_text[AGENT_RESULT_FAILURE_BYTES]; // "": none
    struct verdict verdict;
    struct ledger_counts ledger;
    uint64_t sent, delivered, handshakes, connected, disconnected;
    uint64_t window_ns;
    uint64_t response_count, response_p50_ns, response_p99_ns; // 0: too few samples
    uint64_t setup_ns;
    double steal_pct;
};

#endif
