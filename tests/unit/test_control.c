// The control plane's front: JSON of every bad kind, what needs a login, stale events.
#include <stdio.h>

#include "control_fake.h"

static void event(struct fake *f, enum control_event_op op, struct peer peer)
{
    struct control_event e = {.op = op, .peer = peer};

    control_handle_event(f->control, &e, f->now_ns);
}

static void expect_error_of(struct fake *f, const struct fake_client *client, const char *text,
                            const char *code)
{
    fake_text(f, client->peer, "%s", text);
    fake_expect_error(f, client->peer, code, "");
}

Test(control, text_that_is_not_one_object)
{
    static const char *const texts[] = {
        " ",
        "null",
        "1",
        "\"type\"",
        "[]",
        "[{}]",
        "{}{}",
        "{} x",
        "{'a':1}",
        "{a:1}",
        "{\"a\":01}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":NaN}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":\t}",
        "\xef\xbb\xbf{}",
        "{/**/}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":tru}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"\\u12\":1}",
    };
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;

    fake_join(f, &alice, "alice", 0);
    fake_client_init(&bob, "bob");
    fake_open(f, &bob, 1, 1);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        expect_error_of(f, &alice, texts[i], "bad_json");
        expect_error_of(f, &bob, texts[i], "bad_json");
    }
    // An empty message, without and with a buffer, and one with a NUL in it.
    event(f, CONTROL_TEXT, alice.peer);
    fake_expect_error(f, alice.peer, "bad_json", "");
    fake_text_len(f, alice.peer, "", 0);
    fake_expect_error(f, alice.peer, "bad_json", "");
    fake_text_len(f, alice.peer, "{\"type\":\"user_list\"}\0", 21);
    fake_expect_error(f, alice.peer, "bad_json", "");
    fake_stop(f);
}

Test(control, text_truncated_at_every_byte)
{
    static const char whole[] = "{\"type\":\"chat_request\",\"id\":6,\"to\":\"bob\",\"body\":{"
                                "\"a\":[1,2.5e3,\"\\u00e4\\n\"],"
                                "\"b\":null}}";
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;

    fake_join(f, &alice, "alice", 0);
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        fake_text_len(f, alice.peer, whole, len);
        fake_expect_error(f, alice.peer, "bad_json", "");
    }
    fake_text_len(f, alice.peer, whole, sizeof whole - 1);
    fake_expect_error(f, alice.peer, "recipient_absent", ",\"id\":6");
    fake_stop(f);
}

Test(control, text_that_is_no_message)
{
    static const char *const texts[] = {
        "{}",
        "{\"type\":null}",
        "{\"type\":1}",
        "{\"type\":\"\"}",
        "{\"type\":\"hello\"}",
        "{\"type\":\"USER_LIST\"}",
        "{\"type\":\"user_lis\"}",
        "{\"type\":\"user_listx\"}",
        "{\"type\":\"user_list\\u0000\"}",
        "{\"type\":[\"user_list\"]}",
        "{\"TYPE\":\"user_list\"}",
        "{\"type\":\"user_list\",\"type\":\"user_list\"}",
        "{\"type\":\"user_list\",\"ty\\u0070e\":\"user_list\"}",
        "{\"type\":\"user_list\",\"id\":\"1\"}",
        "{\"type\":\"user_list\",\"id\":-1}",
        "{\"type\":\"user_list\",\"id\":1.0}",
        "{\"type\":\"user_list\",\"id\":1e3}",
        "{\"type\":\"user_list\",\"id\":null}",
        "{\"type\":\"user_list\",\"id\":9007199254740992}",
        "{\"type\":\"user_list\",\"id\":18446744073709551616}",
        "{\"type\":\"user_list\",\"id\":1e999}",
        "{\"type\":\"user_list\",\"id\":1,\"id\":1}",
        "{\"type\":\"get_pubkey\",\"name\":\"bob\\u0000\"}",
        "{\"type\":\"get_pubkey\",\"name\":\"012345678901234567890123456789012\"}",
        "{\"type\":\"get_pubkey\",\"name\":\"b\\\"\"}",
        "{\"type\":\"get_pubkey\",\"name\":\"b\xc3\xbc\"}",
    };
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;

    fake_join(f, &alice, "alice", 0);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        expect_error_of(f, &alice, texts[i], "bad_message");
    cr_assert_eq(fake_stat(f, STATS_control_bad_message), COUNT_OF(texts));
    fake_stop(f);
}

Test(control, text_with_the_largest_id_and_unknown_members)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;

    fake_join(f, &alice, "alice", 0);
    fake_text(
        f, alice.peer,
        " {\"new\":[{}],\"id\":9007199254740991,\"new\":1e999,\"type\":\"user\\u005flist\"}\n");
    fake_expect(f, alice.peer,
                "{\"type\":\"user_list\",\"id\":9007199254740991,\"users\":[\"alice\"],"
                "\"next\":null}");
    fake_text(f, alice.peer, "{\"type\":\"user_list\",\"id\":0}");
    fake_expect(f, alice.peer,
                "{\"type\":\"user_list\",\"id\":0,\"users\":[\"alice\"],\"next\":null}");
    fake_stop(f);
}

Test(control, text_as_large_and_as_deep_as_it_may_be)
{
    static char text[LIMIT_CONTROL_BYTES + 1];
    static const char head[] = "{\"type\":\"user_list\",\"x\":";
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;
    size_t depth = (sizeof text - 1 - sizeof head) / 2;

    fake_join(f, &alice, "alice", 0);
    strcpy(text, head);
    memset(text + sizeof head - 1, '[', depth);
    memset(text + sizeof head - 1 + depth, ']', depth);
    strcpy(text + sizeof head - 1 + 2 * depth, "}");
    fake_text_len(f, alice.peer, text, strlen(text));
    fake_expect(f, alice.peer, "{\"type\":\"user_list\",\"users\":[\"alice\"],\"next\":null}");
    // Never closed.
    memset(text, '[', LIMIT_CONTROL_BYTES);
    fake_text_len(f, alice.peer, text, LIMIT_CONTROL_BYTES);
    fake_expect_error(f, alice.peer, "bad_json", "");
    for (size_t i = 0; i + 5 <= LIMIT_CONTROL_BYTES; i += 5)
        memcpy(text + i, "{\"\":\"", 5);
    fake_text_len(f, alice.peer, text, LIMIT_CONTROL_BYTES);
    fake_expect_error(f, alice.peer, "bad_json", "");
    // As many values as fit.
    memset(text, '1', LIMIT_CONTROL_BYTES);
    memcpy(text, head, sizeof head - 1);
    text[sizeof head - 1] = '[';
    for (size_t i = sizeof head + 1; i < LIMIT_CONTROL_BYTES - 3; i += 2)
        text[i] = ',';
    memcpy(text + LIMIT_CONTROL_BYTES - 2, "]}", 2);
    fake_text_len(f, alice.peer, text, LIMIT_CONTROL_BYTES);
    fake_expect(f, alice.peer, "{\"type\":\"user_list\",\"users\":[\"alice\"],\"next\":null}");
    fake_stop(f);
}

Test(control, text_before_login_closes)
{
    static const char *const texts[] = {
        "{\"type\":\"publish_prekeys\",\"id\":5}",
        "{\"type\":\"get_bundle\",\"id\":5}",
        "{\"type\":\"get_pubkey\",\"id\":5}",
        "{\"type\":\"user_list\",\"id\":5}",
        "{\"type\":\"chat_request\",\"id\":5}",
        "{\"type\":\"chat_response\",\"id\":5}",
        "{\"type\":\"chat_terminate\",\"id\":5}",
        "{\"type\":\"relay\",\"id\":5}",
        "{\"type\":\"ack\",\"id\":5}",
        "{\"type\":\"unheard_of\",\"id\":5}",
        "{\"id\":5}",
    };
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client client;

    fake_client_init(&client, "client");
    for (uint32_t i = 0; i < COUNT_OF(texts); i++) {
        fake_open(f, &client, 0, i + 1);
        fake_text(f, client.peer, "%s", texts[i]);
        fake_expect_error(f, client.peer, "not_logged_in", ",\"id\":5");
        fake_expect_close(f, client.peer, 4401);
        // Nothing more is heard, not even a good login.
        fake_text(f, client.peer, "%s", fake_login_text(&client, "register"));
        fake_expect_nothing(f, client.peer);
    }
    fake_open(f, &client, 0, 100);
    fake_durable(f, client.peer, client.mailbox, 1, WIRE_FLAG_DURABLE, 0, 1);
    fake_expect_error(f, client.peer, "not_logged_in", "");
    fake_expect_close(f, client.peer, 4401);
    cr_assert_eq(fake_stat(f, STATS_control_not_logged_in), COUNT_OF(texts) + 1);
    fake_stop(f);
}

Test(control, stale_events_find_nobody)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, old;

    fake_join(f, &old, "alice", 0);
    fake_close(f, &old);
    fake_text(f, old.peer, "{\"type\":\"user_list\"}");
    fake_durable(f, old.peer, old.mailbox, 1, WIRE_FLAG_DURABLE, 0, 1);
    fake_close(f, &old);
    alice = old;
    fake_rejoin(f, &alice, 0, 2, 0);
    // The same slot, the generation before.
    fake_text(f, old.peer, "{\"type\":\"user_list\"}");
    fake_close(f, &old);
    fake_expect_nothing(f, old.peer);
    fake_expect_nothing(f, alice.peer);
    cr_assert(peer_is_same(*fake_attached(f, alice.mailbox), alice.peer));
    // A slot nobody was ever in.
    event(f, CONTROL_CLOSED, (struct peer){.slot = FAKE_SLOTS - 1, .worker = FAKE_WORKERS - 1});
    event(f, CONTROL_TEXT, (struct peer){.slot = FAKE_SLOTS - 1, .worker = FAKE_WORKERS - 1});
    fake_stop(f);
}

Test(control, opened_again_in_a_used_slot)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;

    fake_join(f, &alice, "alice", 0);
    // The same generation: a repetition, nothing happens.
    event(f, CONTROL_OPENED, alice.peer);
    fake_expect_nothing(f, alice.peer);
    // A newer one: the old connection is gone, its login with it.
    fake_client_init(&bob, "bob");
    fake_open(f, &bob, 0, 2);
    cr_assert_null(fake_attached(f, alice.mailbox));
    fake_text(f, bob.peer, "{\"type\":\"user_list\"}");
    fake_expect_error(f, bob.peer, "not_logged_in", "");
    fake_expect_close(f, bob.peer, 4401);
    fake_stop(f);
}

Test(control, worker_is_part_of_the_address)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;

    fake_join(f, &alice, "alice", 0);
    fake_client_init(&bob, "bob");
    bob.peer = (struct peer){.slot = 0, .generation = 1, .worker = 1};
    event(f, CONTROL_OPENED, bob.peer);
    fake_take(f, bob.peer, CONTROL_SEND_TEXT);
    event(f, CONTROL_CLOSED, bob.peer);
    fake_text(f, alice.peer, "{\"type\":\"user_list\"}");
    fake_expect(f, alice.peer, "{\"type\":\"user_list\",\"users\":[\"alice\"],\"next\":null}");
    fake_stop(f);
}

Test(control, login_answer_without_memory_closes)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;

    fake_client_init(&alice, "alice");
    fake_open(f, &alice, 0, 1);
    fake_fail_allocations(0, 1);
    fake_text(f, alice.peer, "%s", fake_login_text(&alice, "register"));
    fake_take(f, alice.peer, CONTROL_LOGGED_IN);
    fake_expect_close(f, alice.peer, 1013);
    cr_assert_null(fake_attached(f, alice.mailbox));
    fake_stop(f);
}

Test(control, create_without_memory)
{
    struct control_config config = fake_config();
    struct fake *f = NULL;
    unsigned failed = 0;

    for (; !f; failed++) {
        fake_fail_allocations(failed, 1);
        f = fake_start(&config);
    }
    fake_fail_allocations(0, 0);
    // Each of its tables was refused once; what OpenSSL takes is its own affair.
    cr_assert_geq(failed - 1, 11);
    fake_stop(f);
}

Test(control, every_counter_has_its_name)
{
    cr_assert_str_eq(stats_counter_name(STATS_connections_accepted), "connections_accepted");
    cr_assert_str_eq(stats_counter_name(STATS_COUNT - 1), "store_unknown_mailbox");
    for (unsigned i = 0; i < STATS_COUNT; i++) {
        for (unsigned j = 0; j < i; j++)
            cr_assert_str_neq(stats_counter_name(i), stats_counter_name(j));
    }
}
