// A run that goes on, as everything that shows it sees it: a copy of figures, taken by the
// coordinator between two of its steps.
#ifndef SEALPOST_LIVE_H
#define SEALPOST_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "options.h"
#include "pulse.h"
#include "series.h"
#include "shard.h"
#include "target.h"
#include "verdict.h"

struct agent_live;

struct live {
    // The same during the whole run.
    const struct options *options;
    const struct target *target;
    uint64_t run_id;
    time_t started;
    // As of pulse.at_ns.
    enum shard_phase phase;
    bool interrupted;
    uint64_t setup_ns;
    uint64_t elapsed_ns, length_ns; // of the measured window
    struct pulse_sample pulse;      // since the run began
    struct pulse_sample window;     // as pulse was at the window's begin; before it: as pulse is
    double busy_pct[OPTIONS_THREADS_MAX]; // since the window's begin
    struct verdict verdict;               // as far as it can be known yet
    bool has_server;
    uint64_t server_cpu_ns; // since the window's begin
    uint64_t server_rss_before_bytes, server_rss_bytes;
    const struct series_point *points; // lent for the call, or the owner's copy
    uint32_t point_count;
    const struct agent_live *agents; // likewise; NULL: this process does it alone
    uint32_t agent_count;
};

const char *live_phase_name(enum shard_phase phase);
// Envelopes sent and neither delivered nor refused.
uint64_t live_in_flight(const struct live *l);
// What the run is about, in the window: envelopes delivered, or handshakes.
uint64_t live_operations(const struct live *l);

#endif
