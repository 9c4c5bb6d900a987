// What the live page is told of one agent.
#include <criterion/criterion.h>
#include <string.h>

#include "agent_live.h"

static struct agent_peer peer;
static struct agent_live l;
static const struct agent_result share = {
    .name = "a:1", .first_thread = 2, .thread_count = 2, .connections = 10, .rate_per_s = 50};

static const char *state_of(enum agent_peer_state state, enum shard_phase phase)
{
    peer.state = state;
    peer.live.phase = phase;
    agent_live_fill(&l, &peer, &share);
    return l.state;
}

Test(agent_live, fill_counts_from_the_windows_begin)
{
    peer.live.pulse = (struct pulse_sample){
        .sent = 30, .delivered = 20, .handshakes = 4, .faults = 1, .settled = 9, .alive = 8};
    peer.live.window = (struct pulse_sample){.sent = 10, .delivered = 5, .handshakes = 4};
    peer.live.elapsed_ns = 7;
    agent_live_fill(&l, &peer, &share);
    cr_assert_str_eq(l.name, "a:1");
    cr_assert(l.first_thread == 2 && l.thread_count == 2 && l.connections == 10);
    cr_assert(l.rate_per_s == 50 && l.elapsed_ns == 7);
    cr_assert(l.sent == 20 && l.delivered == 15 && l.handshakes == 0);
    cr_assert(l.settled == 9 && l.alive == 8);
    cr_assert_eq(l.faults, 1, "one in the warm-up is one, too");
}

Test(agent_live, fill_tells_percentiles_of_enough_samples)
{
    uint32_t bucket = pulse_bucket(NS_PER_MS);

    peer.live.window.buckets[bucket] = 5;
    peer.live.pulse.buckets[bucket] = 5 + 19;
    agent_live_fill(&l, &peer, &share);
    cr_assert_eq(l.p50_ns, 0);
    peer.live.pulse.buckets[bucket] = 5 + 20;
    agent_live_fill(&l, &peer, &share);
    cr_assert(l.p50_ns > 900 * NS_PER_US && l.p50_ns < 1100 * NS_PER_US);
    cr_assert_eq(l.p99_ns, 0);
    peer.live.pulse.buckets[bucket] = 5 + 1000;
    agent_live_fill(&l, &peer, &share);
    cr_assert_gt(l.p99_ns, 900 * NS_PER_US);
}

Test(agent_live, fill_names_the_state)
{
    cr_assert_str_eq(state_of(AGENT_PEER_CONNECTING, SHARD_SETUP), "connecting");
    cr_assert_str_eq(state_of(AGENT_PEER_GREETING, SHARD_SETUP), "connecting");
    cr_assert_str_eq(state_of(AGENT_PEER_SETTING_UP, SHARD_SETUP), "set-up");
    cr_assert_str_eq(state_of(AGENT_PEER_READY, SHARD_WAITING), "ready");
    cr_assert_str_eq(state_of(AGENT_PEER_RUNNING, SHARD_MEASURE), "measure");
    cr_assert_str_eq(state_of(AGENT_PEER_DONE, SHARD_MEASURE), "done");
    cr_assert_str_eq(state_of(AGENT_PEER_LOST, SHARD_MEASURE), "lost");
}
