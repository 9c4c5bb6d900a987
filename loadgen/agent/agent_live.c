// From an agent's last pulse. Pure.
#include "agent_live.h"

#define SUPPORTING_SAMPLES 10.0

static const char *name_state(const struct agent_peer *p)
{
    switch (p->state) {
    case AGENT_PEER_CONNECTING:
    case AGENT_PEER_GREETING:
        return "connecting";
    case AGENT_PEER_READY:
        return "ready";
    case AGENT_PEER_DONE:
        return live_phase_name(SHARD_DONE);
    case AGENT_PEER_LOST:
        return "lost";
    case AGENT_PEER_SETTING_UP:
    case AGENT_PEER_RUNNING:
        break;
    }
    return live_phase_name(p->live.phase);
}

void agent_live_fill(struct agent_live *l, const struct agent_peer *p,
                     const struct agent_result *share)
{
    const struct pulse_sample *now = &p->live.pulse, *from = &p->live.window;
    uint64_t samples = pulse_count(now->buckets) - pulse_count(from->buckets);

    *l = (struct agent_live){.name = share->name,
                             .state = name_state(p),
                             .first_thread = share->first_thread,
                             .thread_count = share->thread_count,
                             .connections = share->connections,
                             .settled = now->settled,
                             .alive = now->alive,
                             .rate_per_s = share->rate_per_s,
                             .elapsed_ns = p->live.elapsed_ns,
                             .sent = now->sent - from->sent,
                             .delivered = now->delivered - from->delivered,
                             .handshakes = now->handshakes - from->handshakes,
                             .faults = now->faults};
    if ((double)samples * 0.50 >= SUPPORTING_SAMPLES)
        l->p50_ns = pulse_percentile(from, now, 50);
    if ((double)samples * 0.01 >= SUPPORTING_SAMPLES)
        l->p99_ns = pulse_percentile(from, now, 99);
}
