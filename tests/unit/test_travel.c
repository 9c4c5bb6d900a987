// Users who leave and come back, without a network: nobody leaves with something in flight, whoever
// returns is waited for, and whoever does not come back holds nobody up.
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "population.h"
#include "shard.h"

enum { PAIRS = 2 };

static struct options options;
static struct target target;
static struct shard_clock run_clock;
static struct shard s;
static struct client *alice, *bob; // the first pair

static void start(const char *group)
{
    char reason[GROUP_REASON_BYTES];

    cr_assert_eq(sp_init(), 0);
    options = (struct options){.mode = OPTIONS_TALK,
                               .in_flight = 2,
                               .payload_bytes = 100,
                               .threads = 1,
                               .connections = 2 * PAIRS,
                               .group_count = 1,
                               .seed = 1};
    cr_assert_eq(group_parse(&options.groups[0], group, reason), 0);
    cr_assert_eq(group_split(options.groups, 1, 2 * PAIRS, reason), 0);
    s = (struct shard){.options = &options,
                       .target = &target,
                       .clock = &run_clock,
                       .coordinator = pthread_self(),
                       .client_count = 2 * PAIRS,
                       .group_users = {2 * PAIRS},
                       .phase = SHARD_MEASURE,
                       .now_ns = NS_PER_S,
                       .alive = 2 * PAIRS,
                       .end_ns = UINT64_MAX};
    cr_assert_eq(ring_init(&s.ring, 64, 2 * PAIRS), 0);
    cr_assert_eq(pool_init(&s.chunks, SHARD_CHUNK_BYTES, 30), 0);
    cr_assert_eq(tally_init(&s.tally), 0);
    cr_assert_eq(tally_add_groups(&s.tally, 1), 0);
    cr_assert_eq(population_init(&s), 0);
    cr_assert_eq(travel_init(&s), 0);
    cr_assert_eq(uplink_init(&s), 0);
    timer_wheel_init(&s.timers, 0);
    for (uint32_t i = 0; i < s.client_count; i++) {
        s.clients[i].state = CLIENT_READY;
        s.clients[i].is_registered = s.clients[i].is_talking = true;
    }
    alice = &s.clients[0];
    bob = &s.clients[1];
}

static void stop(void)
{
    for (uint32_t i = 0; i < s.client_count; i++)
        client_free(&s, &s.clients[i]);
    uplink_free(&s);
    travel_free(&s);
    population_free(&s);
    tally_free(&s.tally);
    ring_free(&s.ring);
    pool_free(&s.chunks);
}

TestSuite(travel, .fini = stop);

// The connection has ended, everything of it is back.
static void is_gone(struct client *c)
{
    if (c->state != CLIENT_AWAY)
        client_close(&s, c, "the relay closed the connection");
    cr_assert_eq(c->state, CLIENT_AWAY);
    c->operations = 0;
    travel_on_gone(&s, c);
}

// The return of who is first in the queue.
static struct client *is_back(uint64_t now_ns)
{
    struct client *c = s.travels.returning[s.travels.returning_head++];

    s.travels.returning_count--;
    s.away--;
    c->is_leaving = false;
    c->state = CLIENT_READY;
    travel_on_ready(&s, c, now_ns);
    return c;
}

Test(travel, on_timer_leaves_when_nothing_is_in_flight)
{
    start("churn");
    alice->dialog.next_sequence = 3;
    bob->dialog.received = 2;
    travel_on_timer(&s, alice);
    cr_assert_eq(alice->travel, CLIENT_STOPPING);
    cr_assert_not(alice->is_talking || bob->is_talking);
    travel_turn(&s);
    cr_assert_eq(alice->travel, CLIENT_STOPPING, "one is in flight");
    alice->dialog.refused = 1;
    travel_turn(&s);
    cr_assert_eq(alice->travel, CLIENT_LEAVING);
    cr_assert(alice->is_leaving && bob->is_leaving);
    cr_assert_eq(s.tally.groups[0].departures, 2);
    cr_assert_eq(s.tally.groups[0].impatient, 0);
}

Test(travel, turn_leaves_in_the_end_and_counts_it)
{
    start("churn");
    alice->dialog.next_sequence = 1;
    travel_on_timer(&s, alice);
    s.now_ns += 3 * NS_PER_S;
    travel_turn(&s);
    cr_assert_eq(alice->travel, CLIENT_LEAVING);
    cr_assert_eq(s.tally.groups[0].impatient, 1);
}

Test(travel, turn_waits_for_acknowledgements)
{
    start("offline");
    dialog_build_header(&alice->dialog, 100, true);
    alice->dialog.next_sequence = bob->dialog.received = 1;
    travel_begin_load(&s);
    travel_turn(&s);
    cr_assert_eq(alice->travel, CLIENT_STOPPING, "not accepted yet");
    alice->accepted = 1;
    bob->acks.len = 16;
    travel_turn(&s);
    cr_assert_eq(alice->travel, CLIENT_STOPPING, "not acknowledged yet");
    bob->acks.len = 0;
    travel_turn(&s);
    cr_assert_eq(alice->travel, CLIENT_LEAVING);
    cr_assert(bob->is_leaving && !alice->is_leaving, "only the recipient goes");
}

Test(travel, on_ready_when_both_are_back_they_talk)
{
    start("churn");
    travel_on_timer(&s, alice);
    travel_turn(&s);
    is_gone(bob);
    cr_assert_eq(alice->travel, CLIENT_LEAVING, "the other one is still there");
    is_gone(alice);
    cr_assert_eq(alice->travel, CLIENT_ABSENT);
    cr_assert(timer_is_armed(&alice->timer));
    cr_assert_eq(s.away, 2);
    cr_assert_eq(s.alive, 2 * PAIRS, "they are not lost");
    travel_on_timer(&s, alice);
    cr_assert_eq(s.travels.returning_count, 2);
    is_back(s.now_ns + 5);
    cr_assert_not(alice->is_talking || bob->is_talking);
    is_back(s.now_ns + 5);
    cr_assert(alice->is_talking && bob->is_talking);
    cr_assert_eq(alice->due_count, options.in_flight);
    cr_assert_eq(s.tally.groups[0].returns, 2);
    cr_assert_eq(s.tally.groups[0].reconnect.total, 2);
    cr_assert_eq(s.tally.disconnected, 0);
}

Test(travel, turn_a_storm_drops_all_at_once)
{
    struct client *carol;

    start("storm");
    carol = &s.clients[2];
    carol->dialog.next_sequence = 1;
    s.start_ns = s.now_ns;
    travel_begin_load(&s);
    cr_assert_eq(travel_next_ns(&s), s.start_ns + 2 * NS_PER_S);
    s.now_ns = travel_next_ns(&s);
    travel_turn(&s); // begins
    travel_turn(&s); // alice and bob are quiet
    cr_assert_eq(alice->state, CLIENT_READY, "carol is not");
    s.clients[3].dialog.received = 1;
    travel_turn(&s);
    for (uint32_t i = 0; i < s.client_count; i++)
        cr_assert_eq(s.clients[i].state, CLIENT_AWAY);
    cr_assert_eq(s.tally.groups[0].storms, 1);
    for (uint32_t i = 0; i < s.client_count; i++)
        is_gone(&s.clients[i]);
    for (uint32_t i = 0; i < s.client_count; i++)
        is_back(clock_now_ns());
    cr_assert_eq(s.tally.groups[0].recovery.total, 1);
    cr_assert_eq(s.tally.groups[0].returns, 2 * PAIRS);
}

Test(travel, on_lost_a_storm_ends_without_them)
{
    start("storm");
    s.start_ns = s.now_ns;
    travel_begin_load(&s);
    s.now_ns = travel_next_ns(&s);
    travel_turn(&s);
    travel_turn(&s);
    for (uint32_t i = 0; i < s.client_count; i++)
        is_gone(&s.clients[i]);
    alice->tries = 30; // each of its connections failed
    alice->state = CLIENT_CONNECTING;
    s.away--;
    s.opening++;
    client_close(&s, alice, "refused");
    cr_assert_eq(alice->state, CLIENT_CLOSED);
    cr_assert_eq(s.tally.disconnected, 1);
    s.travels.returning_head++; // alice
    s.travels.returning_count--;
    while (s.travels.returning_count > 0)
        is_back(clock_now_ns());
    cr_assert_eq(s.tally.groups[0].recovery.total, 0, "not all came back");
    cr_assert_not(s.travels.storms[0].is_on);
    cr_assert_not(bob->is_talking);
    cr_assert(s.clients[2].is_talking);
}

Test(travel, retry_is_bounded)
{
    start("churn");
    cr_assert_not(travel_retry(&s, bob), "it is not on its way back");
    alice->travel = CLIENT_RETURNING;
    for (unsigned i = 0; i < 30; i++)
        cr_assert(travel_retry(&s, bob));
    cr_assert_not(travel_retry(&s, bob));
    cr_assert_eq(s.tally.groups[0].retries, 30);
}

Test(travel, end_load_brings_those_with_mail_back)
{
    start("offline,messages=5");
    travel_begin_load(&s);
    travel_turn(&s);
    is_gone(bob);
    cr_assert_eq(alice->travel, CLIENT_ABSENT);
    cr_assert_eq(alice->due_count, options.in_flight);
    alice->dialog.next_sequence = 2; // sent
    s.phase = SHARD_DRAIN;
    travel_end_load(&s);
    cr_assert_eq(alice->travel, CLIENT_RETURNING);
    is_back(s.now_ns);
    cr_assert(alice->is_draining);
    travel_turn(&s);
    cr_assert(alice->is_draining, "two wait");
    bob->dialog.received = 2;
    travel_turn(&s);
    cr_assert_eq(s.tally.groups[0].drained, 2);
    cr_assert_eq(s.tally.groups[0].drain.total, 1);
    travel_turn(&s);
    cr_assert_eq(alice->travel, CLIENT_PRESENT, "nobody leaves any more");
}
