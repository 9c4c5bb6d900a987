// What the relay answers about envelopes: each is accounted for once, however often it is named.
// And whose fault it is when a connection cannot begin.
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>

#include "population.h"
#include "shard.h"
#include "user_control.h"

static struct options options;
static struct target target;
static struct shard_clock run_clock;
static struct shard s;
static struct client *alice, *bob;
static uint8_t scratch[USER_CONTROL_SCRATCH_BYTES];

static void start(void)
{
    char reason[GROUP_REASON_BYTES];

    cr_assert_eq(sp_init(), 0);
    options = (struct options){.mode = OPTIONS_TALK,
                               .in_flight = 8,
                               .payload_bytes = 100,
                               .threads = 1,
                               .connections = 2,
                               .group_count = 1};
    cr_assert_eq(group_parse(&options.groups[0], "chat", reason), 0);
    cr_assert_eq(group_split(options.groups, 1, 2, reason), 0);
    s = (struct shard){.options = &options,
                       .target = &target,
                       .clock = &run_clock,
                       .coordinator = pthread_self(),
                       .client_count = 2,
                       .group_users = {2},
                       .phase = SHARD_DRAIN,
                       .alive = 2};
    s.downlink.control_scratch = scratch;
    cr_assert_eq(ring_init(&s.ring, 64, 2), 0);
    cr_assert_eq(pool_init(&s.chunks, SHARD_CHUNK_BYTES, 8), 0);
    cr_assert_eq(tally_init(&s.tally), 0);
    cr_assert_eq(tally_add_groups(&s.tally, 1), 0);
    cr_assert_eq(population_init(&s), 0);
    cr_assert_eq(travel_init(&s), 0);
    cr_assert_eq(uplink_init(&s), 0);
    timer_wheel_init(&s.timers, 0);
    alice = &s.clients[0];
    bob = &s.clients[1];
    alice->state = bob->state = CLIENT_READY;
    dialog_build_header(&alice->dialog, options.payload_bytes, false);
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

TestSuite(client, .init = start, .fini = stop);

static void alice_sent(uint64_t count)
{
    alice->dialog.next_sequence = s.tally.ledger.expected = count;
}

static void bob_received(uint64_t sequence)
{
    struct ledger_record record = {
        .sender = alice->number, .receiver = bob->number, .sequence = sequence};

    if (ledger_check(&bob->dialog.flow, &s.tally.ledger, &record, 0, alice->number, bob->number,
                     false) != LEDGER_DUPLICATE)
        bob->dialog.received++;
}

static void relay_refused(uint8_t sequence)
{
    uint8_t id[WIRE_MESSAGE_ID_BYTES];
    char base64[64], text[160];

    memcpy(id, alice->dialog.header + 24, sizeof id);
    memset(id + 8, 0, 8);
    id[15] = sequence;
    sodium_bin2base64(base64, sizeof base64, id, sizeof id,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(text, sizeof text,
             "{\"type\":\"error\",\"code\":\"queue_full\",\"message_id\":\"%s\"}", base64);
    client_on_control(&s, alice, (const uint8_t *)text, strlen(text));
    cr_assert_eq(alice->state, CLIENT_READY);
}

static void settle(void)
{
    population_count(&s);
    ledger_settle(&s.tally.ledger);
}

Test(client, on_connect_without_ports_on_the_way_back_is_the_generators_limit)
{
    alice->is_registered = true;
    alice->state = CLIENT_CONNECTING;
    alice->operations = 1;
    run_clock.stop = false;
    signal(SIGUSR1, SIG_IGN); // what wakes the coordinator
    client_on_connect(&s, alice, -EADDRNOTAVAIL);
    cr_assert_eq(s.failure, SHARD_FAILURE_LIMITED);
    cr_assert_eq(s.tally.disconnected, 0, "no connection was lost: there was none");
    cr_assert(run_clock.stop);
}

Test(client, on_control_counts_refusals)
{
    alice_sent(3);
    bob_received(0);
    relay_refused(1);
    relay_refused(2);
    settle();
    cr_assert_eq(s.tally.ledger.refused, 2);
    cr_assert_eq(s.tally.ledger.lost, 0);
    cr_assert_not(ledger_has_faults(&s.tally.ledger));
}

Test(client, on_control_refusal_of_what_was_delivered_hides_no_loss)
{
    alice_sent(2);
    bob_received(0);
    relay_refused(0);
    settle();
    cr_assert_eq(s.tally.ledger.duplicate, 1);
    cr_assert_eq(s.tally.ledger.refused, 0);
    cr_assert_eq(s.tally.ledger.lost, 1);
}

Test(client, on_control_refusal_twice_hides_no_loss)
{
    alice_sent(3);
    relay_refused(0);
    relay_refused(2);
    relay_refused(0);
    relay_refused(2);
    settle();
    cr_assert_eq(s.tally.ledger.refused, 2);
    cr_assert_eq(s.tally.groups[0].refused, 2);
    cr_assert_eq(s.tally.ledger.duplicate, 2);
    cr_assert_eq(s.tally.ledger.lost, 1);
}

Test(client, delivery_of_what_was_refused_hides_no_loss)
{
    alice_sent(2);
    relay_refused(0);
    bob_received(0);
    settle();
    cr_assert_eq(s.tally.ledger.duplicate, 1);
    cr_assert_eq(s.tally.ledger.refused, 1);
    cr_assert_eq(s.tally.ledger.received, 0);
    cr_assert_eq(s.tally.groups[0].refused, 1);
    cr_assert_eq(s.tally.groups[0].received, 0);
    cr_assert_eq(s.tally.ledger.lost, 1);
}

Test(client, delivery_of_what_was_refused_long_ago_hides_no_loss_of_another_dialog)
{
    alice_sent(2 * LEDGER_WINDOW_BITS);
    bob->dialog.next_sequence = 1; // and bob's one is lost
    s.tally.ledger.expected++;
    for (uint64_t n = 0; n < alice->dialog.next_sequence; n++) {
        cr_assert(ledger_refuse(&bob->dialog.flow, &s.tally.ledger, n));
        alice->dialog.refused++;
    }
    bob_received(0);
    settle();
    cr_assert_eq(s.tally.ledger.duplicate, 1);
    cr_assert_eq(s.tally.ledger.lost, 1);
}
