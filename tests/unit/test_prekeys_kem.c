// KEM prekeys: beside the others, whole or not at all, handed out once or for want of one again;
// what hybrid users sign twice.
#include "prekey_parties.h"

Test(prekeys_kem, one_time_go_out_once_then_the_last_resort)
{
    struct fake_client alice, bob, carol;
    struct fake *f = start(&alice, &bob);

    fake_join_hybrid(f, &carol, "carol", 2);
    for (uint32_t i = 0; i < 2; i++) {
        const struct fake_client *owner = i ? &carol : &alice;

        publish_lasting(f, owner, 100, 0);
        publish_kem(f, owner, 5, 3, 3);
        publish_kem(f, owner, 200, 1, 4);
        fetch_kem(f, &bob, owner, 5, true);
        fetch_kem(f, i ? &alice : &carol, owner, 6, true);
        fetch_kem(f, &bob, owner, 7, true);
        fetch_kem(f, &bob, owner, 200, true);
        fetch_kem(f, &bob, owner, 100, false);
        fetch_kem(f, &carol, owner, 100, false);
    }
    cr_assert_eq(fake_stat(f, STATS_bundles_pqxdh), 12);
    cr_assert_eq(fake_stat(f, STATS_bundles_without_one_time_kem_prekey), 4);
    fake_stop(f);
}

Test(prekeys_kem, stock_needs_no_last_resort)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish_lasting(f, &alice, 0, 0);
    publish_kem(f, &alice, 1, 1, 1);
    fetch_kem(f, &bob, &alice, 1, true);
    fake_text(f, bob.peer, "{\"type\":\"get_bundle\",\"name\":\"alice\",\"suite\":\"pqxdh\"}");
    fake_expect_error(f, bob.peer, "no_prekeys", "");
    fake_stop(f);
}

Test(prekeys_kem, x3dh_bundle_leaves_the_kem_prekeys)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish(f, &alice, 1, 2, 2);
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s}",
              kem_prekeys(&alice, 9, 1));
    expect_stock(f, &alice, 2, 1);
    fetch(f, &bob, &alice, 1);
    fake_text(f, bob.peer,
              "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"alice\",\"suite\":\"x3dh\"}");
    fake_expect(f, bob.peer,
                "{\"type\":\"bundle\",\"id\":3,\"name\":\"alice\",\"mailbox\":\"%s\","
                "\"identity_keys\":{\"ed25519\":\"%s\"},%s,\"one_time_prekey\":%s}",
                fake_base64(alice.mailbox, 16), fake_base64(alice.identity_key, 32),
                signed_prekey(1), one_time_prekey(2));
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2}");
    expect_stock(f, &alice, 0, 1);
    fake_stop(f);
}

Test(prekeys_kem, get_bundle_refuses_other_suites)
{
    static const char *const suites[] = {
        "\"pqxdh2\"", "\"X3DH\"", "\"\"", "null", "2", "{}", "\"x3dh\",\"suite\":\"pqxdh\""};
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish_lasting(f, &alice, 1, 0);
    for (size_t i = 0; i < COUNT_OF(suites); i++) {
        fake_text(f, bob.peer, "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"alice\",\"suite\":%s}",
                  suites[i]);
        fake_expect_error(f, bob.peer, "bad_message", ",\"id\":3");
    }
    fake_stop(f);
}

Test(prekeys_kem, get_bundle_without_kem_prekeys_hands_out_nothing)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish(f, &alice, 1, 2, 2);
    fake_text(f, bob.peer,
              "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"alice\",\"suite\":\"pqxdh\"}");
    fake_expect_error(f, bob.peer, "no_prekeys", ",\"id\":3");
    fetch(f, &bob, &alice, 1);
    // KEM prekeys of every sort, and no signed one.
    fake_text(f, bob.peer, "{\"type\":\"publish_prekeys\",\"id\":2,\"kem_prekey\":{%s},%s}",
              signed_members(&bob, 7, KEM_KEY_BYTES), kem_prekeys(&bob, 8, 1));
    expect_stock(f, &bob, 0, 1);
    fake_text(f, alice.peer,
              "{\"type\":\"get_bundle\",\"id\":3,\"name\":\"bob\",\"suite\":\"pqxdh\"}");
    fake_expect_error(f, alice.peer, "no_prekeys", ",\"id\":3");
    publish_lasting(f, &bob, 0, 1);
    fetch_kem(f, &alice, &bob, 8, true);
    fetch_kem(f, &alice, &bob, 7, false);
    fake_stop(f);
}

Test(prekeys_kem, stock_holds_its_limit)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish_lasting(f, &alice, 0, 0);
    refuse(f, &alice, "too_many_prekeys", kem_prekeys(&alice, 1, 21));
    publish_kem(f, &alice, 1, 20, 20);
    refuse(f, &alice, "too_many_prekeys", kem_prekeys(&alice, 21, 1));
    fetch_kem(f, &bob, &alice, 1, true);
    publish_kem(f, &alice, 21, 1, 20);
    for (uint32_t id = 2; id <= 21; id++)
        fetch_kem(f, &bob, &alice, id, true);
    cr_assert_eq(fake_stat(f, STATS_prekeys_too_many), 2);
    fake_stop(f);
}

Test(prekeys_kem, prekeys_share_one_range_of_ids)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    char text[16384];

    publish_lasting(f, &alice, 100, 0);
    publish_kem(f, &alice, 1, 3, 3);
    refuse(f, &alice, "bad_message", kem_prekeys(&alice, 3, 1));
    refuse(f, &alice, "bad_message", kem_prekeys(&alice, 100, 1));
    snprintf(text, sizeof text, "\"kem_prekey\":{%s}", signed_members(&alice, 2, KEM_KEY_BYTES));
    refuse(f, &alice, "bad_message", text);
    snprintf(text, sizeof text, "\"one_time_kem_prekeys\":[{%s},{%s}]",
             signed_members(&alice, 9, KEM_KEY_BYTES), signed_members(&alice, 9, KEM_KEY_BYTES));
    refuse(f, &alice, "bad_message", text);
    snprintf(text, sizeof text, "\"kem_prekey\":{%s},\"one_time_kem_prekeys\":[{%s}]",
             signed_members(&alice, 9, KEM_KEY_BYTES), signed_members(&alice, 9, KEM_KEY_BYTES));
    refuse(f, &alice, "bad_message", text);
    // The last-resort one may be replaced under its own id, which it leaves with another.
    publish_lasting(f, &alice, 100, 3);
    fake_text(f, alice.peer,
              "{\"type\":\"publish_prekeys\",\"id\":2,\"kem_prekey\":{%s},"
              "\"one_time_kem_prekeys\":[{%s}]}",
              signed_members(&alice, 101, KEM_KEY_BYTES),
              signed_members(&alice, 100, KEM_KEY_BYTES));
    expect_stock(f, &alice, 0, 4);
    for (uint32_t id = 1; id <= 3; id++)
        fetch_kem(f, &bob, &alice, id, true);
    fetch_kem(f, &bob, &alice, 100, true);
    fetch_kem(f, &bob, &alice, 101, false);
    fake_stop(f);
}

Test(prekeys_kem, publish_refuses_malformed_kem_prekeys_and_adds_nothing)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    char text[32768];
    const char *good = signed_members(&alice, 5, KEM_KEY_BYTES);
    const char *const bad[] = {"null",
                               "[]",
                               "{}",
                               "{\"id\":5}",
                               signed_members(&alice, 6, 32),
                               signed_members(&alice, 6, KEM_KEY_BYTES - 1),
                               signed_members(&alice, 0, KEM_KEY_BYTES)};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        bool bare = i >= 4; // members that lack their braces

        snprintf(text, sizeof text, "\"kem_prekey\":%s%s%s", bare ? "{" : "", bad[i],
                 bare ? "}" : "");
        refuse(f, &alice, "bad_message", text);
        snprintf(text, sizeof text, "\"one_time_kem_prekeys\":[{%s},%s%s%s]", good, bare ? "{" : "",
                 bad[i], bare ? "}" : "");
        refuse(f, &alice, "bad_message", text);
    }
    snprintf(text, sizeof text, "\"kem_prekey\":{%s},\"kem_prekey\":{%s}", good, good);
    refuse(f, &alice, "bad_message", text);
    refuse(f, &alice, "bad_message", "\"one_time_kem_prekeys\":{}");
    refuse(f, &alice, "bad_message", "\"one_time_kem_prekeys\":null");
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2}");
    expect_stock(f, &alice, 0, 0);
    fake_stop(f);
}

// Good members of every sort together with one that is refused: none of them is stored.
Test(prekeys_kem, publish_is_whole_or_not_at_all)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    static char good[3 * LIMIT_CONTROL_BYTES], text[3 * LIMIT_CONTROL_BYTES];
    const char *const spoilers[] = {"\"signed_prekey\":{}", "\"kem_prekey\":{}",
                                    "\"one_time_prekeys\":[{}]", "\"one_time_kem_prekeys\":[{}]"};

    for (size_t spoilt = 0; spoilt < COUNT_OF(spoilers); spoilt++) {
        int len = sprintf(good, "%s", spoilers[spoilt]);

        if (spoilt != 0)
            len += sprintf(good + len, ",%s", signed_prekey(2));
        if (spoilt != 1)
            len += sprintf(good + len, ",\"kem_prekey\":{%s}",
                           signed_members(&alice, 9, KEM_KEY_BYTES));
        if (spoilt != 2)
            len += sprintf(good + len, ",%s", one_time_prekeys(1, 3));
        if (spoilt != 3)
            sprintf(good + len, ",%s", kem_prekeys(&alice, 1, 3));
        refuse(f, &alice, "bad_message", good);
    }
    // Over either limit, the rest being good.
    publish_lasting(f, &alice, 100, 0);
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s,%s}",
              one_time_prekeys(1, 100), kem_prekeys(&alice, 1, 20));
    expect_stock(f, &alice, 100, 20);
    snprintf(text, sizeof text, "%s,\"kem_prekey\":{%s}", one_time_prekeys(101, 1),
             signed_members(&alice, 101, KEM_KEY_BYTES));
    refuse(f, &alice, "too_many_prekeys", text);
    snprintf(text, sizeof text, "\"signed_prekey\":{%s},%s", signed_members(&alice, 2, 32),
             kem_prekeys(&alice, 21, 1));
    refuse(f, &alice, "too_many_prekeys", text);
    fetch_either(f, &bob, &alice);
    snprintf(text, sizeof text, "%s,%s", one_time_prekeys(101, 1), kem_prekeys(&alice, 21, 2));
    refuse(f, &alice, "too_many_prekeys", text);
    for (uint32_t i = 0; i < 99; i++)
        fetch_either(f, &bob, &alice);
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2}");
    fake_take(f, alice.peer, CONTROL_SEND_TEXT); // prekeys_low
    fake_take(f, alice.peer, CONTROL_SEND_TEXT);
    expect_stock(f, &alice, 0, 0);
    fetch_kem(f, &bob, &alice, 100, false);
    fake_stop(f);
}

Test(prekeys_kem, publish_kem_without_memory_changes_nothing)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    uint32_t busy = 0;

    for (;; busy++) {
        fake_fail_allocations(busy, 1);
        fake_text(f, alice.peer,
                  "{\"type\":\"publish_prekeys\",\"id\":2,\"signed_prekey\":{%s},"
                  "\"kem_prekey\":{%s},%s,%s}",
                  signed_members(&alice, 1, 32), signed_members(&alice, 9, KEM_KEY_BYTES),
                  one_time_prekeys(1, 3), kem_prekeys(&alice, 1, 3));
        fake_fail_allocations(0, 0);
        if (fake_stat(f, STATS_prekeys_published) == 1)
            break;
        fake_expect_error(f, alice.peer, "relay_busy", ",\"id\":2");
        cr_assert_eq(fake_stat(f, STATS_prekey_memory_bytes), 0);
        fake_text(f, bob.peer, "{\"type\":\"get_bundle\",\"name\":\"alice\"}");
        fake_expect_error(f, bob.peer, "no_prekeys", "");
    }
    // Five keys with signatures, the user's record, and the stock.
    cr_assert_eq(busy, 7);
    fake_stop(f);
}

Test(prekeys_kem, hybrid_prekeys_have_both_signatures)
{
    struct fake_client alice, bob, carol;
    struct fake *f = start(&alice, &bob);
    static char text[65536];

    fake_join_hybrid(f, &carol, "carol", 2);
    for (uint32_t i = 0; i < 2; i++) {
        // What the one must do, the other must not.
        const struct fake_client *client = i ? &carol : &alice;
        const struct fake_client *like = i ? &alice : &carol;

        snprintf(text, sizeof text, "\"signed_prekey\":{%s}", signed_members(like, 1, 32));
        refuse(f, client, "bad_message", text);
        snprintf(text, sizeof text, "\"kem_prekey\":{%s}", signed_members(like, 1, KEM_KEY_BYTES));
        refuse(f, client, "bad_message", text);
        snprintf(text, sizeof text, "\"one_time_kem_prekeys\":[{%s},{%s}]",
                 signed_members(client, 1, KEM_KEY_BYTES), signed_members(like, 2, KEM_KEY_BYTES));
        refuse(f, client, "bad_message", text);
        fake_text(f, client->peer, "{\"type\":\"publish_prekeys\",\"id\":2}");
        expect_stock(f, client, 0, 0);
    }
    fake_stop(f);
}

// The longest there can be: the writer holds it, and ten hybrid KEM prekeys with everything else
// are within what a client may send.
Test(prekeys_kem, hybrid_messages_fit_their_buffers)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz-01234";
    const uint32_t last = UINT32_MAX;
    struct fake_client alice, bob, carol;
    struct fake *f = start(&alice, &bob);
    static char text[LIMIT_CONTROL_BYTES + 1];
    int len;

    fake_join_hybrid(f, &carol, name, 2);
    len = snprintf(text, sizeof text,
                   "{\"type\":\"publish_prekeys\",\"id\":2,\"signed_prekey\":{%s},"
                   "\"kem_prekey\":{%s},%s,%s}",
                   signed_members(&carol, last, 32), signed_members(&carol, last, KEM_KEY_BYTES),
                   one_time_prekeys(last - 99, 100), kem_prekeys(&carol, last - 10, 10));
    cr_assert_leq((size_t)len, LIMIT_CONTROL_BYTES);
    fake_text(f, carol.peer, "%s", text);
    expect_stock(f, &carol, 100, 10);
    for (uint32_t i = 0; i < 12; i++) {
        const struct control_action *action;

        fake_text(f, bob.peer,
                  "{\"type\":\"get_bundle\",\"id\":9007199254740991,\"name\":\"%s\","
                  "\"suite\":\"pqxdh\"}",
                  name);
        action = fake_take(f, bob.peer, CONTROL_SEND_TEXT);
        cr_assert_geq(action->len, 13000);
        cr_assert_not_null(memmem(action->data, action->len, "\"one_time\":", 11));
    }
    fake_stop(f);
}

Test(prekeys_kem, low_is_told_once_for_each_crossing)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);
    static const char low[] =
        "{\"type\":\"prekeys_low\",\"one_time_prekeys\":0,\"one_time_kem_prekeys\":4}";

    publish_lasting(f, &alice, 100, 0);
    publish_kem(f, &alice, 1, 6, 6);
    fetch_kem(f, &bob, &alice, 1, true);
    fake_expect_nothing(f, alice.peer);
    fetch_kem(f, &bob, &alice, 2, true);
    fake_expect(f, alice.peer, "%s", low);
    fetch_kem(f, &bob, &alice, 3, true);
    fake_expect_nothing(f, alice.peer);
    publish_kem(f, &alice, 10, 2, 5);
    fetch_kem(f, &bob, &alice, 4, true);
    fake_expect(f, alice.peer, "%s", low);
    for (uint32_t id = 0; id < 4; id++) {
        static const uint32_t ids[] = {5, 6, 10, 11};

        fetch_kem(f, &bob, &alice, ids[id], true);
    }
    fetch_kem(f, &bob, &alice, 100, false);
    fake_expect_nothing(f, alice.peer);
    cr_assert_eq(fake_stat(f, STATS_prekeys_low_sent), 2);
    fake_stop(f);
}

Test(prekeys_kem, low_of_both_stocks_is_told_together)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    publish(f, &alice, 1, 5, 5);
    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s}",
              kem_prekeys(&alice, 1, 5));
    expect_stock(f, &alice, 5, 5);
    fetch_either(f, &bob, &alice);
    fake_expect(f, alice.peer,
                "{\"type\":\"prekeys_low\",\"one_time_prekeys\":4,\"one_time_kem_prekeys\":4}");
    fetch_either(f, &bob, &alice);
    fake_expect_nothing(f, alice.peer);
    fake_stop(f);
}

Test(prekeys_kem, counts_are_read_at_login)
{
    struct fake_client alice, bob;
    struct fake *f = start(&alice, &bob);

    fake_text(f, alice.peer, "{\"type\":\"publish_prekeys\",\"id\":2,%s,%s}",
              one_time_prekeys(1, 17), kem_prekeys(&alice, 1, 9));
    expect_stock(f, &alice, 17, 9);
    fake_close(f, &alice);
    fake_open(f, &alice, 0, 2);
    fake_text(f, alice.peer, "%s", fake_login_text(&alice, "login"));
    fake_take(f, alice.peer, CONTROL_LOGGED_IN);
    fake_expect(f, alice.peer,
                "{\"type\":\"logged_in\",\"id\":1,\"name\":\"alice\",\"mailbox\":\"%s\","
                "\"one_time_prekeys\":17,\"one_time_kem_prekeys\":9,\"queued\":0}",
                fake_base64(alice.mailbox, 16));
    fake_stop(f);
}
