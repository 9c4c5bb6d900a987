// Durable envelopes: from `accepted` to `delivered`, over disconnects, windows, limits and expiry;
// envelopes that come as text.
#include <stdio.h>

#include "control_fake.h"

#define DURABLE WIRE_FLAG_DURABLE
#define WITH_RECEIPT (WIRE_FLAG_DURABLE | WIRE_FLAG_RECEIPT)

static struct fake *start(struct fake_client *alice, struct fake_client *bob)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);

    fake_join(f, alice, "alice", 0);
    fake_join(f, bob, "bob", 1);
    return f;
}

static void send_one(struct fake *f, const struct fake_client *from, const struct fake_client *to,
                     uint32_t number, uint8_t flags)
{
    fake_durable(f, from->peer, to->mailbox, number, flags, 0, 100);
    fake_expect(f, from->peer, "{\"type\":\"accepted\",\"message_id\":\"%s\"}", fake_id(number));
}

static void send_many(struct fake *f, const struct fake_client *from, const struct fake_client *to,
                      uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        send_one(f, from, to, first + i, DURABLE);
}

static void expect_many(struct fake *f, const struct fake_client *to, uint32_t first,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        fake_expect_envelope(f, to->peer, first + i);
    fake_expect_nothing(f, to->peer);
}

static void acknowledge(struct fake *f, const struct fake_client *client, uint32_t first,
                        uint32_t count)
{
    char text[LIMIT_ACK_IDS * 32 + 64];
    int len = sprintf(text, "{\"type\":\"ack\",\"message_ids\":[");

    for (uint32_t i = 0; i < count; i++)
        len += sprintf(text + len, "%s\"%s\"", i ? "," : "", fake_id(first + i));
    sprintf(text + len, "]}");
    fake_text(f, client->peer, "%s", text);
}

static void tail_of(char out[64], uint32_t number)
{
    snprintf(out, 64, ",\"message_id\":\"%s\"", fake_id(number));
}

static void expect_refused(struct fake *f, const struct fake_client *client, const char *code,
                           uint32_t number)
{
    char tail[64];

    tail_of(tail, number);
    fake_expect_error(f, client->peer, code, tail);
}

Test(offline, accept_deliver_acknowledge_receipt)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    send_one(f, &alice, &bob, 1, WITH_RECEIPT);
    send_one(f, &alice, &bob, 2, DURABLE);
    expect_many(f, &bob, 1, 2);
    acknowledge(f, &bob, 1, 2);
    fake_expect(f, alice.peer, "{\"type\":\"delivered\",\"message_id\":\"%s\"}", fake_id(1));
    fake_expect_nothing(f, alice.peer);
    // Acknowledged once is gone: nothing for a second time, nothing at the next login.
    acknowledge(f, &bob, 1, 2);
    fake_expect_nothing(f, alice.peer);
    fake_close(f, &bob);
    fake_rejoin(f, &bob, 1, 2, 0);
    fake_expect_nothing(f, bob.peer);
    cr_assert_eq(fake_stat(f, STATS_store_accepted), 2);
    cr_assert_eq(fake_stat(f, STATS_store_delivered), 2);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 2);
    fake_stop(f);
}

Test(offline, accept_keeps_for_an_absent_recipient_in_order)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_close(f, &bob);
    send_many(f, &alice, &bob, 1, 20);
    fake_rejoin(f, &bob, 1, 2, 20);
    expect_many(f, &bob, 1, 20);
    acknowledge(f, &bob, 1, 5);
    // Again from the oldest that is not acknowledged, and the sender may be gone.
    fake_close(f, &bob);
    fake_close(f, &alice);
    fake_rejoin(f, &bob, 2, 1, 15);
    expect_many(f, &bob, 6, 15);
    acknowledge(f, &bob, 6, 15);
    cr_assert_eq(fake_stat(f, STATS_store_delivered), 35);
    fake_stop(f);
}

Test(offline, accept_delivers_the_bytes_as_they_came)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    static uint8_t bytes[WIRE_HEADER_BYTES + LIMIT_ENVELOPE_BYTES];
    struct control_action *action;
    size_t len = fake_envelope(bytes, bob.mailbox, 9, DURABLE, 77, LIMIT_ENVELOPE_BYTES);

    fake_durable(f, alice.peer, bob.mailbox, 9, DURABLE, 77, LIMIT_ENVELOPE_BYTES);
    action = fake_take(f, bob.peer, CONTROL_SEND_ENVELOPE);
    cr_assert_eq(action->len, len);
    cr_assert_arr_eq(action->data, bytes, len);
    fake_stop(f);
}

Test(offline, accept_refuses_an_unknown_mailbox)
{
    struct fake_client alice, bob, nobody;
    struct fake *f = start(&alice, &bob);

    fake_client_init(&nobody, "nobody");
    fake_durable(f, alice.peer, nobody.mailbox, 3, DURABLE, 0, 10);
    expect_refused(f, &alice, "unknown_mailbox", 3);
    cr_assert_eq(fake_stat(f, STATS_store_unknown_mailbox), 1);
    fake_stop(f);
}

Test(offline, accept_a_duplicate_again_keeps_one)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_close(f, &bob);
    send_one(f, &alice, &bob, 1, WITH_RECEIPT);
    // Who did not read `accepted` sends again on a new connection, and gets the receipt there.
    fake_close(f, &alice);
    fake_rejoin(f, &alice, 0, 2, 0);
    send_one(f, &alice, &bob, 1, WITH_RECEIPT);
    fake_rejoin(f, &bob, 1, 2, 1);
    expect_many(f, &bob, 1, 1);
    // Sent, not acknowledged: a duplicate is not sent again.
    send_one(f, &alice, &bob, 1, WITH_RECEIPT);
    fake_expect_nothing(f, bob.peer);
    acknowledge(f, &bob, 1, 1);
    fake_expect(f, alice.peer, "{\"type\":\"delivered\",\"message_id\":\"%s\"}", fake_id(1));
    cr_assert_eq(fake_stat(f, STATS_store_duplicates), 2);
    fake_stop(f);
}

Test(offline, accept_refuses_when_the_mailbox_is_full)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_close(f, &bob);
    send_many(f, &alice, &bob, 1, LIMIT_STORE_MAILBOX_ENVELOPES);
    fake_durable(f, alice.peer, bob.mailbox, 5000, DURABLE, 0, 10);
    expect_refused(f, &alice, "queue_full", 5000);
    // Another mailbox is not, and this one is usable after an acknowledgement.
    send_one(f, &alice, &alice, 5000, DURABLE);
    fake_expect_envelope(f, alice.peer, 5000);
    fake_rejoin(f, &bob, 1, 2, LIMIT_STORE_MAILBOX_ENVELOPES);
    acknowledge(f, &bob, 1, 1);
    send_one(f, &alice, &bob, 5000, DURABLE);
    cr_assert_eq(fake_stat(f, STATS_store_queue_full), 1);
    fake_stop(f);
}

Test(offline, accept_refuses_when_the_store_is_full)
{
    struct control_config config = fake_config();
    struct fake_client alice, bob;
    struct fake *f;
    uint32_t number = 0;

    config.store_total_bytes = 1 * MIB;
    f = fake_start(&config);
    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    fake_close(f, &bob);
    for (; number < 15; number++) {
        fake_durable(f, alice.peer, bob.mailbox, number, DURABLE, 0, LIMIT_ENVELOPE_BYTES);
        fake_take(f, alice.peer, CONTROL_SEND_TEXT);
    }
    cr_assert_eq(fake_stat(f, STATS_store_accepted), 15);
    fake_durable(f, alice.peer, alice.mailbox, 99, DURABLE, 0, LIMIT_ENVELOPE_BYTES);
    expect_refused(f, &alice, "queue_full", 99);
    fake_stop(f);
}

Test(offline, accept_without_memory)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_close(f, &bob);
    for (unsigned skip = 0; skip < 2; skip++) {
        fake_fail_allocations(skip, 1);
        fake_durable(f, alice.peer, bob.mailbox, 1, DURABLE, 0, 10);
        expect_refused(f, &alice, "relay_busy", 1);
    }
    cr_assert_eq(fake_stat(f, STATS_store_accepted), 0);
    // Stored, but `accepted` cannot be built: the sender's connection ends, the envelope is kept.
    fake_fail_allocations(2, 1);
    fake_durable(f, alice.peer, bob.mailbox, 1, DURABLE, 0, 10);
    fake_expect_close(f, alice.peer, 1013);
    fake_rejoin(f, &bob, 1, 2, 1);
    expect_many(f, &bob, 1, 1);
    // The hand-out cannot be built: the recipient's connection ends and gets it at the next login.
    fake_rejoin(f, &alice, 0, 2, 0);
    fake_fail_allocations(2, 1);
    fake_durable(f, alice.peer, bob.mailbox, 2, DURABLE, 0, 10);
    fake_expect(f, alice.peer, "{\"type\":\"accepted\",\"message_id\":\"%s\"}", fake_id(2));
    fake_expect_close(f, bob.peer, 1013);
    fake_rejoin(f, &bob, 1, 3, 2);
    expect_many(f, &bob, 1, 2);
    fake_stop(f);
}

Test(offline, deliver_holds_a_window_of_envelopes)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    send_many(f, &alice, &bob, 1, 200);
    expect_many(f, &bob, 1, LIMIT_UNACKED_ENVELOPES);
    // Acknowledgements from the middle open it as well.
    acknowledge(f, &bob, 30, 10);
    expect_many(f, &bob, 65, 10);
    acknowledge(f, &bob, 75, 100);
    fake_expect_nothing(f, bob.peer);
    // Those acknowledged before they were sent are skipped.
    acknowledge(f, &bob, 1, 29);
    expect_many(f, &bob, 175, 26);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 139);
    fake_stop(f);
}

Test(offline, deliver_holds_a_window_of_bytes)
{
    enum { LEN = 40000 };
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    for (uint32_t i = 1; i <= 8; i++) {
        fake_durable(f, alice.peer, bob.mailbox, i, DURABLE, 0, LEN);
        fake_take(f, alice.peer, CONTROL_SEND_TEXT);
    }
    expect_many(f, &bob, 1, LIMIT_UNACKED_BYTES / (LEN + WIRE_HEADER_BYTES));
    acknowledge(f, &bob, 2, 1);
    expect_many(f, &bob, 4, 1);
    acknowledge(f, &bob, 1, 4);
    expect_many(f, &bob, 5, 3);
    fake_stop(f);
}

Test(offline, deliver_to_the_newer_connection_only)
{
    struct fake_client alice, bob, newer;
    struct fake *f = start(&alice, &bob);

    send_many(f, &alice, &bob, 1, 3);
    expect_many(f, &bob, 1, 3);
    newer = bob;
    fake_rejoin(f, &newer, 2, 1, 3);
    fake_expect_close(f, bob.peer, 4409);
    expect_many(f, &newer, 1, 3);
    // The older one cannot acknowledge any more.
    acknowledge(f, &bob, 1, 3);
    fake_close(f, &bob);
    send_one(f, &alice, &newer, 4, DURABLE);
    expect_many(f, &newer, 4, 1);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 0);
    fake_stop(f);
}

Test(offline, acknowledge_unknown_and_foreign_ids)
{
    struct fake_client alice, bob, carol;
    struct fake *f = start(&alice, &bob);

    fake_join(f, &carol, "carol", 2);
    send_one(f, &alice, &bob, 1, WITH_RECEIPT);
    expect_many(f, &bob, 1, 1);
    acknowledge(f, &carol, 1, 1);
    acknowledge(f, &bob, 77, 3);
    fake_expect_nothing(f, alice.peer);
    fake_expect_nothing(f, carol.peer);
    fake_expect_nothing(f, bob.peer);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 0);
    fake_close(f, &bob);
    fake_rejoin(f, &bob, 1, 2, 1);
    expect_many(f, &bob, 1, 1);
    fake_stop(f);
}

Test(offline, acknowledge_refuses_malformed_and_acknowledges_nothing)
{
    static const char *const members[] = {
        "\"x\":1",
        "\"message_ids\":{}",
        "\"message_ids\":\"%s\"",
        "\"message_ids\":[1]",
        "\"message_ids\":[\"%s\",\"short\"]",
        "\"message_ids\":[\"%s\",null]",
        "\"message_ids\":[\"%s\",\"%sA\"]",
        "\"message_ids\":[\"%s\"],\"message_ids\":[]",
    };
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    send_many(f, &alice, &bob, 0, 1);
    expect_many(f, &bob, 0, 1);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        char member[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(member, sizeof member, members[i], fake_id(0), fake_id(0));
#pragma GCC diagnostic pop
        fake_text(f, bob.peer, "{\"type\":\"ack\",%s}", member);
        fake_expect_error(f, bob.peer, "bad_message", "");
    }
    acknowledge(f, &bob, 1, LIMIT_ACK_IDS);
    fake_expect_nothing(f, bob.peer);
    acknowledge(f, &bob, 0, 0);
    fake_expect_nothing(f, bob.peer);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 0);
    acknowledge(f, &bob, 0, LIMIT_ACK_IDS);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 1);
    fake_stop(f);
}

Test(offline, acknowledge_refuses_one_id_too_many)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    char text[(LIMIT_ACK_IDS + 1) * 32];
    int len = sprintf(text, "{\"type\":\"ack\",\"id\":8,\"message_ids\":[\"%s\"", fake_id(0));

    for (uint32_t i = 1; i <= LIMIT_ACK_IDS; i++)
        len += sprintf(text + len, ",\"%s\"", fake_id(i));
    fake_text(f, bob.peer, "%s]}", text);
    fake_expect_error(f, bob.peer, "bad_message", ",\"id\":8");
    fake_stop(f);
}

Test(offline, receipt_goes_to_the_same_connection_or_nowhere)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    send_one(f, &alice, &bob, 1, WITH_RECEIPT);
    send_one(f, &alice, &bob, 2, WITH_RECEIPT);
    send_one(f, &alice, &bob, 3, WITH_RECEIPT);
    fake_close(f, &alice);
    acknowledge(f, &bob, 1, 1);
    // The slot again, not logged in; then logged in by the same user: another generation.
    fake_open(f, &alice, 0, 2);
    acknowledge(f, &bob, 2, 1);
    fake_text(f, alice.peer, "%s", fake_login_text(&alice, "login"));
    fake_take(f, alice.peer, CONTROL_LOGGED_IN);
    fake_take(f, alice.peer, CONTROL_SEND_TEXT);
    acknowledge(f, &bob, 3, 1);
    fake_expect_nothing(f, alice.peer);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 3);
    fake_stop(f);
}

Test(offline, receipt_to_oneself)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    send_one(f, &alice, &alice, 1, WITH_RECEIPT);
    expect_many(f, &alice, 1, 1);
    acknowledge(f, &alice, 1, 1);
    fake_expect(f, alice.peer, "{\"type\":\"delivered\",\"message_id\":\"%s\"}", fake_id(1));
    // It cannot be built: the connection ends in the middle of its own acknowledgement.
    send_one(f, &alice, &alice, 2, WITH_RECEIPT);
    expect_many(f, &alice, 2, 1);
    send_one(f, &alice, &alice, 3, WITH_RECEIPT);
    expect_many(f, &alice, 3, 1);
    fake_fail_allocations(0, 1);
    acknowledge(f, &alice, 2, 2);
    fake_expect_close(f, alice.peer, 1013);
    fake_rejoin(f, &alice, 0, 2, 1);
    expect_many(f, &alice, 3, 1);
    fake_stop(f);
}

Test(offline, expire_after_the_time_to_live)
{
    struct control_config config = fake_config();
    struct fake_client alice, bob;
    struct fake *f;

    config.max_ttl_s = 100;
    f = fake_start(&config);
    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    fake_close(f, &bob);
    fake_durable(f, alice.peer, bob.mailbox, 1, DURABLE, 10, 5);
    fake_durable(f, alice.peer, bob.mailbox, 2, DURABLE, 0, 5);
    fake_durable(f, alice.peer, bob.mailbox, 3, DURABLE, UINT32_MAX, 5);
    fake_durable(f, alice.peer, bob.mailbox, 4, DURABLE, 50, 5);
    f->now_ns += 10 * NS_PER_S - 1;
    control_tick(f->control, f->now_ns);
    cr_assert_eq(fake_stat(f, STATS_store_expired), 0);
    f->now_ns += 1;
    control_tick(f->control, f->now_ns);
    cr_assert_eq(fake_stat(f, STATS_store_expired), 1);
    f->now_ns += 40 * NS_PER_S;
    // Without a tick: what has expired is not delivered at a login either.
    fake_rejoin(f, &bob, 1, 2, 2);
    expect_many(f, &bob, 2, 2);
    f->now_ns += 50 * NS_PER_S;
    control_tick(f->control, f->now_ns);
    cr_assert_eq(fake_stat(f, STATS_store_expired), 4);
    // An acknowledgement that comes too late is like any unknown id.
    acknowledge(f, &bob, 2, 2);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 0);
    fake_stop(f);
}

Test(offline, expire_opens_the_window)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    for (uint32_t i = 1; i <= 100; i++) {
        fake_durable(f, alice.peer, bob.mailbox, i, DURABLE, i <= 80 ? 10 : 20, 5);
        fake_take(f, alice.peer, CONTROL_SEND_TEXT);
    }
    expect_many(f, &bob, 1, LIMIT_UNACKED_ENVELOPES);
    f->now_ns += 10 * NS_PER_S;
    control_tick(f->control, f->now_ns);
    // 65 … 80 expired unsent.
    expect_many(f, &bob, 81, 20);
    acknowledge(f, &bob, 81, 20);
    cr_assert_eq(fake_stat(f, STATS_store_expired), 80);
    cr_assert_eq(fake_stat(f, STATS_store_acknowledged), 20);
    // The window is whole again.
    send_many(f, &alice, &bob, 1000, 70);
    expect_many(f, &bob, 1000, LIMIT_UNACKED_ENVELOPES);
    fake_stop(f);
}

Test(offline, expire_is_bounded_at_once)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_close(f, &bob);
    for (uint32_t i = 0; i < LIMIT_EXPIRED_AT_ONCE; i++)
        fake_durable(f, alice.peer, bob.mailbox, i, DURABLE, 1, 5);
    for (uint32_t i = 0; i < 10; i++)
        fake_durable(f, alice.peer, alice.mailbox, i, DURABLE, 1, 5);
    f->now_ns += NS_PER_S;
    control_tick(f->control, f->now_ns);
    cr_assert_eq(fake_stat(f, STATS_store_expired), LIMIT_EXPIRED_AT_ONCE);
    control_tick(f->control, f->now_ns);
    cr_assert_eq(fake_stat(f, STATS_store_expired), LIMIT_EXPIRED_AT_ONCE + 10);
    fake_stop(f);
}

Test(offline, relay_a_durable_envelope)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    uint8_t bytes[WIRE_HEADER_BYTES + 30];
    size_t len = fake_envelope(bytes, bob.mailbox, 5, DURABLE, 0, 30);

    fake_text(f, alice.peer, "{\"type\":\"relay\",\"id\":7,\"envelope\":\"%s\"}",
              fake_base64(bytes, len));
    fake_expect(f, alice.peer, "{\"type\":\"accepted\",\"message_id\":\"%s\"}", fake_id(5));
    expect_many(f, &bob, 5, 1);
    fake_envelope(bytes, alice.secret_key, 6, DURABLE, 0, 30);
    fake_text(f, alice.peer, "{\"type\":\"relay\",\"id\":7,\"envelope\":\"%s\"}",
              fake_base64(bytes, len));
    expect_refused(f, &alice, "unknown_mailbox", 6);
    fake_stop(f);
}

Test(offline, relay_a_transient_envelope_to_the_route)
{
    static const uint32_t lens[] = {1, 2, 3, 4, LIMIT_ENVELOPE_BYTES};
    static uint8_t bytes[WIRE_HEADER_BYTES + LIMIT_ENVELOPE_BYTES];
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        size_t len = fake_envelope(bytes, bob.mailbox, 5, 0, 0, lens[i]);
        struct control_action *action;

        fake_text(f, alice.peer, "{\"envelope\":\"%s\",\"type\":\"relay\"}",
                  fake_base64(bytes, len));
        action = fake_take(f, alice.peer, CONTROL_ROUTE);
        cr_assert_eq(action->len, len);
        cr_assert_arr_eq(action->data, bytes, len);
        fake_expect_nothing(f, alice.peer);
    }
    fake_fail_allocations(0, 1);
    fake_text(f, alice.peer, "{\"type\":\"relay\",\"id\":7,\"envelope\":\"AAAA\"}");
    fake_expect_error(f, alice.peer, "relay_busy", ",\"id\":7");
    fake_stop(f);
}

Test(offline, relay_refuses_bad_envelopes)
{
    static uint8_t bytes[WIRE_HEADER_BYTES + LIMIT_ENVELOPE_BYTES + 1];
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    for (int kind = 0; kind < 7; kind++) {
        uint32_t ciphertext_len = kind == 5 ? LIMIT_ENVELOPE_BYTES + 1 : 10;
        size_t len = fake_envelope(bytes, bob.mailbox, 5, DURABLE, 0, ciphertext_len);

        if (kind == 0)
            bytes[0] = 2;
        else if (kind == 1)
            bytes[1] = 0;
        else if (kind == 2)
            bytes[2] = 0x80;
        else if (kind == 3)
            bytes[2] = WIRE_FLAG_RECEIPT;
        else if (kind == 4)
            len--;
        else if (kind == 6)
            len = 0;
        fake_text(f, alice.peer, "{\"type\":\"relay\",\"id\":7,\"envelope\":\"%s\"}",
                  fake_base64(bytes, len));
        fake_expect_error(f, alice.peer, "bad_envelope", ",\"id\":7");
    }
    fake_text(f, alice.peer, "{\"type\":\"relay\",\"id\":7}");
    fake_expect_error(f, alice.peer, "bad_message", ",\"id\":7");
    fake_text(f, alice.peer, "{\"type\":\"relay\",\"id\":7,\"envelope\":\"A*==\"}");
    fake_expect_error(f, alice.peer, "bad_message", ",\"id\":7");
    fake_text(f, alice.peer, "{\"type\":\"relay\",\"id\":7,\"envelope\":\"A\"}");
    fake_expect_error(f, alice.peer, "bad_message", ",\"id\":7");
    fake_expect_nothing(f, bob.peer);
    cr_assert_eq(fake_stat(f, STATS_control_bad_envelope), 7);
    fake_stop(f);
}
