// One trial: a whole run under the options of the command with its own rate and window, condensed
// to what the search, the sweep and the report need of it. Thread: the process's main one, while
// there are no others.
#ifndef SEALPOST_TRIAL_H
#define SEALPOST_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "exit_code.h"
#include "options.h"
#include "target.h"
#include "tls.h"
#include "verdict.h"

#define TRIAL_REASON_BYTES 256u
// A window is made longer when the rate is too low for the objective's percentiles, up to this.
#define TRIAL_WINDOW_MAX_NS (20 * NS_PER_S)

// Where all trials go.
struct trial_setting {
    const struct options *options; // the command's
    const struct target *target;
    struct tls_context *tls;
    pid_t server_pid; // 0: not measured
};

struct trial {
    double rate_per_s; // offered; 0: closed loop
    uint32_t connections;
    double window_s;
    uint64_t delivered;
    double offered_per_s; // open loop: as the arrivals fell
    double achieved_per_s;
    bool has_p50, has_p99;
    double p50_ns, p99_ns; // of the response
    enum verdict_level level;
    bool is_met;         // all objectives
    bool is_faulty;      // lost, wrong, refused, disconnected
    bool is_not_offered; // the generator itself did not send a share that matters (verdict.h)
    bool is_not_taken;   // the same of the relay, which did not take it
    char reason[TRIAL_REASON_BYTES]; // the first thing that was wrong, "" if nothing
    bool has_server;
    double cpu_ns_per_msg;
    double rss_bytes; // at the window's end
    bool is_interrupted;
    // The run could not be made at all: EXIT_CODE_UNREACHABLE, EXIT_CODE_INTERNAL, or
    // EXIT_CODE_BAD_OPTIONS (the groups cannot share so many connections), with the reason.
    enum exit_code failure;
};

// Open loop at a rate; `window_scale` times the options' window, longer if `samples` need it.
void trial_run_rate(const struct trial_setting *setting, double rate_per_s, double window_scale,
                    uint64_t samples, struct trial *out);
// Closed loop with so many connections.
void trial_run_closed(const struct trial_setting *setting, uint32_t connections, struct trial *out);
// Connections that do nothing.
void trial_run_idle(const struct trial_setting *setting, uint32_t connections, struct trial *out);
// The lowest rate that brings so many samples in TRIAL_WINDOW_MAX_NS.
double trial_lowest_rate(uint64_t samples);

#endif
