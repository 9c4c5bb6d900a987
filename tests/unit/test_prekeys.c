// Prekeys: published whole or not at all, handed out exactly once, low notice, rate limit.
#include "prekey_parties.h"

Test(prekeys, publish_refuses_malformed_and_adds_nothing)
{
    static const char *const members[] = {
        "\"signed_prekey\":null",
        "\"signed_prekey\":[]",
        "\"signed_prekey\":{}",
        "\"signed_prekey\":{\"id\":0,\"key\":\"KEY\",\"signature\":\"SIG\"}",
        "\"signed_prekey\":{\"id\":4294967296,\"key\":\"KEY\",\"signature\":\"SIG\"}",
        "\"signed_prekey\":{\"id\":1,\"key\":\"KEY\"}",
        "\"signed_prekey\":{\"id\":1,\"key\":\"SIG\",\"signature\":\"SIG\"}",
        "\"one_time_prekeys\":{}",
        "\"one_time_prekeys\":null",
        "\"one_time_prekeys\":[1]",
        "\"one_time_prekeys\":[{}]",
        "\"one_time_prekeys\":[{\"id\":5,\"key\":\"KEY\"},{\"id\":0,\"key\":\"KEY\"}]",
        "\"one_time_prekeys\":[{\"id\":5,\"key\":\"KEY\"},{\"id\":5,\"key\":\"KEY\"}]",
        "\"one_time_prekeys\":[{\"id\":5,\"key\":\"KEY\"},{\"id\":\"6\",\"key\":\"KEY\"}]",
        "\"one_time_prekeys\":[{\"id\":5,\"key\":\"KEY\"},{\"id\":1.0,\"key\":\"KEY\"}]",
    };
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    uint8_t bytes[64] = {1};

    for (size_t i = 0; i < COUNT_OF(members); i++) {
        char text[1024] = "";
        const char *from = members[i];

        while (*from) {
            bool key = !strncmp(from, "KEY", 3), signature = !strncmp(from, "SIG", 3);

            strncat(text, key || signature ? fake_base64(bytes, key ? 32 : 64) : from,
                    key || signature ? 128 : 1);
            from += key || signature ? 3 : 1;
        }
        fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":9,%s}", text);
        fake_expect_error(f, alice.peer, "bad_message", ",\"id\":9");
    }
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\"}");
    fake_expect(f, alice.peer,
                "{\"type\":\"published\",\"one_time_prekeys\":0,\"one_time_kem_prekeys\":0}");
    fake_text(f, bob.peer, "{\"type\":\"get_bundle\",\"name\":\"alice\"}");
    fake_expect_error(f, bob.peer, "no_prekeys", "");
    fake_stop(f);
}

Test(prekeys, publish_holds_the_limit)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",%s}", one_time_prekeys(1, 101));
    fake_expect_error(f, alice.peer, "too_many_prekeys", "");
    publish(f, &alice, 1, 60, 60);
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":1,%s}",
              one_time_prekeys(61, 41));
    fake_expect_error(f, alice.peer, "too_many_prekeys", ",\"id\":1");
    publish(f, &alice, 61, 40, 100);
    fetch(f, &bob, &alice, 1);
    publish(f, &alice, 101, 1, 100);
    cr_assert_eq(fake_stat(f, STATS_prekeys_too_many), 2);
    fake_stop(f);
}

Test(prekeys, publish_refuses_an_id_in_stock)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish(f, &alice, 1, 10, 10);
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",%s}", one_time_prekeys(10, 5));
    fake_expect_error(f, alice.peer, "bad_message", "");
    publish(f, &alice, 11, 0, 10);
    // Handed out, the id is free again: the relay keeps no memory of it.
    fetch(f, &bob, &alice, 1);
    publish(f, &alice, 1, 1, 10);
    fake_stop(f);
}

Test(prekeys, publish_replaces_the_signed_prekey)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",%s}", signed_prekey(7));
    fake_expect(f, alice.peer,
                "{\"type\":\"published\",\"one_time_prekeys\":0,\"one_time_kem_prekeys\":0}");
    publish(f, &alice, 1, 0, 0);
    fetch(f, &bob, &alice, 0);
    cr_assert_eq(fake_stat(f, STATS_bundles_without_one_time_prekey), 1);
    fake_stop(f);
}

Test(prekeys, publish_without_memory_changes_nothing)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    for (unsigned skip = 0; skip < 3; skip++) {
        fake_fail_allocations(skip, 1);
        fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s,%s}", signed_prekey(1),
                  one_time_prekeys(1, 10));
        fake_expect_error(f, alice.peer, "relay_busy", ",\"id\":2");
        fake_text(f, bob.peer, "{\"type\":\"get_bundle\",\"name\":\"alice\"}");
        fake_expect_error(f, bob.peer, "no_prekeys", "");
    }
    fake_fail_allocations(0, 0);
    publish(f, &alice, 1, 10, 10);
    fake_stop(f);
}

Test(prekeys, get_bundle_of_nobody)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_text(f, alice.peer, "{\"type\":\"get_bundle\",\"id\":1,\"name\":\"carol\"}");
    fake_expect_error(f, alice.peer, "unknown_user", ",\"id\":1");
    fake_text(f, alice.peer, "{\"type\":\"get_bundle\",\"id\":2,\"name\":\"bob\"}");
    fake_expect_error(f, alice.peer, "no_prekeys", ",\"id\":2");
    // One-time prekeys alone make no bundle, and are not lost by asking.
    fake_text(f, bob.peer, "{\"type\":\"publish_prekeys\",%s}", one_time_prekeys(1, 10));
    fake_expect(f, bob.peer,
                "{\"type\":\"published\",\"one_time_prekeys\":10,\"one_time_kem_prekeys\":0}");
    fake_text(f, alice.peer, "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"bob\"}");
    fake_expect_error(f, alice.peer, "no_prekeys", ",\"id\":3");
    publish(f, &bob, 11, 0, 10);
    fake_text(f, alice.peer, "{\"type\":\"get_bundle\",\"name\":\"bo b\"}");
    fake_expect_error(f, alice.peer, "bad_message", "");
    cr_assert_eq(fake_stat(f, STATS_bundle_no_prekeys), 2);
    fake_stop(f);
}

Test(prekeys, get_bundle_hands_out_each_exactly_once)
{
    struct fake_client alice, bob, carol;
    struct fake *f = start(&alice, &bob);

    fake_join(f, &carol, "carol", 2);
    publish(f, &alice, 1000, 100, 100);
    // The owner away: the stock is there all the same, oldest first, each to one of the two.
    fake_close(f, &alice);
    for (uint32_t i = 0; i < 100; i++)
        fetch(f, i % 3 ? &bob : &carol, &alice, 1000 + i);
    for (uint32_t i = 0; i < 3; i++) {
        fetch(f, &bob, &alice, 0);
        fetch(f, &carol, &alice, 0);
    }
    cr_assert_eq(fake_stat(f, STATS_bundles), 106);
    cr_assert_eq(fake_stat(f, STATS_bundles_without_one_time_prekey), 6);
    fake_stop(f);
}

Test(prekeys, get_bundle_keeps_the_order_over_publications)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    uint32_t published = 1, fetched = 1;

    publish(f, &alice, published, 50, 50);
    published += 50;
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t i = 0; i < 20; i++)
            fetch(f, &bob, &alice, fetched++);
        publish(f, &alice, published, 20, 50);
        published += 20;
    }
    fake_expect_nothing(f, alice.peer);
    fake_stop(f);
}

Test(prekeys, low_is_told_once_for_each_crossing)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish(f, &alice, 1, 6, 6);
    fetch(f, &bob, &alice, 1);
    fake_expect_nothing(f, alice.peer);
    fetch(f, &bob, &alice, 2);
    fake_expect(f, alice.peer,
                "{\"type\":\"prekeys_low\",\"one_time_prekeys\":4,\"one_time_kem_prekeys\":0}");
    fetch(f, &bob, &alice, 3);
    fetch(f, &bob, &alice, 4);
    fake_expect_nothing(f, alice.peer);
    // Back to 4 only: still below, not told again.
    publish(f, &alice, 10, 2, 4);
    fetch(f, &bob, &alice, 5);
    fake_expect_nothing(f, alice.peer);
    publish(f, &alice, 20, 2, 5);
    fetch(f, &bob, &alice, 6);
    fake_expect(f, alice.peer,
                "{\"type\":\"prekeys_low\",\"one_time_prekeys\":4,\"one_time_kem_prekeys\":0}");
    for (uint32_t id = 0; id < 4; id++) {
        static const uint32_t ids[] = {10, 11, 20, 21};

        fetch(f, &bob, &alice, ids[id]);
    }
    fetch(f, &bob, &alice, 0);
    fake_expect_nothing(f, alice.peer);
    cr_assert_eq(fake_stat(f, STATS_prekeys_low_sent), 2);
    fake_stop(f);
}

Test(prekeys, low_is_read_at_login_by_who_was_away)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish(f, &alice, 1, 5, 5);
    fake_close(f, &alice);
    fetch(f, &bob, &alice, 1);
    fake_open(f, &alice, 0, 2);
    fake_text(f, alice.peer, "%s", fake_login_text(&alice, "login"));
    fake_take(f, alice.peer, CONTROL_LOGGED_IN);
    fake_expect(f, alice.peer,
                "{\"type\":\"logged_in\",\"id\":1,\"name\":\"alice\",\"mailbox\":\"%s\","
                "\"one_time_prekeys\":4,\"one_time_kem_prekeys\":0,\"queued\":0}",
                fake_base64(alice.mailbox, 16));
    fake_stop(f);
}

static void ask(struct fake *f, const struct fake_client *client, uint32_t times, uint32_t expected)
{
    uint32_t answered = 0;

    for (uint32_t i = 0; i < times; i++) {
        uint64_t before = fake_stat(f, STATS_bundle_rate_limited);

        fake_text(f, client->peer, "{\"type\":\"get_bundle\",\"id\":1,\"name\":\"alice\"}");
        if (fake_stat(f, STATS_bundle_rate_limited) > before)
            fake_expect_error(f, client->peer, "rate_limited", ",\"id\":1");
        else
            answered += fake_take(f, client->peer, CONTROL_SEND_TEXT) != NULL;
    }
    cr_assert_eq(answered, expected, "%u answered, %u wanted", answered, expected);
}

Test(prekeys, get_bundle_is_rate_limited_for_each_connection)
{
    struct control_config config = fake_config();
    struct fake_client alice, bob, carol;
    struct fake *f;

    config.bundle_rate_per_s = 50;
    config.bundle_burst = 100;
    f = fake_start(&config);
    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    fake_join(f, &carol, "carol", 2);
    publish(f, &alice, 1, 10, 10);
    ask(f, &bob, 250, 100);
    // Not carol's tokens.
    ask(f, &carol, 101, 100);
    f->now_ns += NS_PER_S / 50 - 1;
    ask(f, &bob, 1, 0);
    f->now_ns += 1;
    ask(f, &bob, 2, 1);
    f->now_ns += NS_PER_S;
    ask(f, &bob, 60, 50);
    // A long rest fills the bucket and no more.
    f->now_ns += 3600 * NS_PER_S;
    ask(f, &bob, 110, 100);
    fake_stop(f);
}
