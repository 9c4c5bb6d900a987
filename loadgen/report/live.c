// Figures derived from a live run. Pure.
#include "live.h"

const char *live_phase_name(enum shard_phase phase)
{
    static const char *const names[] = {
        [SHARD_SETUP] = "set-up",    [SHARD_WAITING] = "set-up", [SHARD_WARMUP] = "warm-up",
        [SHARD_MEASURE] = "measure", [SHARD_DRAIN] = "drain",    [SHARD_CLOSING] = "close",
        [SHARD_DONE] = "done"};

    return names[phase];
}

uint64_t live_in_flight(const struct live *l)
{
    uint64_t settled = l->pulse.delivered + l->pulse.refused;

    // The counters are read one after the other while they move.
    return l->pulse.sent > settled ? l->pulse.sent - settled : 0;
}

uint64_t live_operations(const struct live *l)
{
    return l->options->mode == OPTIONS_HANDSHAKE ? l->pulse.handshakes - l->window.handshakes
                                                 : l->pulse.delivered - l->window.delivered;
}
