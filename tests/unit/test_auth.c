// Hello, registration, login; impostors and displaced connections.
#include "control_fake.h"

Test(auth, greet_tells_challenge_and_limits)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client a, b;

    fake_client_init(&a, "a");
    fake_open(f, &a, 0, 1);
    fake_client_init(&b, "b");
    fake_open(f, &b, 1, 1);
    cr_assert_neq(memcmp(a.challenge, b.challenge, 32), 0);
    cr_assert_eq(f->actions[0].len,
                 strlen("{\"type\":\"hello\",\"protocol\":1,\"challenge\":\"\"") + 43 +
                     strlen(",\"limits\":{\"envelope_bytes\":65536,"
                            "\"control_bytes\":98304,\"outbox_bytes\":"
                            "262144,\"one_time_prekeys\":100,"
                            "\"login_timeout_ms\":30000}}"));
    cr_assert_not_null(memmem(f->actions[0].data, f->actions[0].len,
                              "\"limits\":{\"envelope_bytes\":65536,\"control_bytes\":98304,"
                              "\"outbox_bytes\":262144,\"one_time_prekeys\":100,"
                              "\"login_timeout_ms\":30000}}",
                              118));
    fake_stop(f);
}

Test(auth, register_then_login_on_a_new_connection)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;

    fake_join(f, &alice, "alice", 3);
    cr_assert(peer_is_same(*fake_attached(f, alice.mailbox), alice.peer));
    fake_close(f, &alice);
    cr_assert_null(fake_attached(f, alice.mailbox));
    fake_rejoin(f, &alice, 3, 2, 0);
    cr_assert(peer_is_same(*fake_attached(f, alice.mailbox), alice.peer));
    fake_close(f, &alice);
    // The same key again is a login, answered as asked.
    fake_open(f, &alice, 3, 3);
    fake_text(f, alice.peer, "%s", fake_login_text(&alice, "register"));
    fake_take(f, alice.peer, CONTROL_LOGGED_IN);
    fake_expect(f, alice.peer,
                "{\"type\":\"registered\",\"id\":1,\"name\":\"alice\",\"mailbox\":\"%s\","
                "\"one_time_prekeys\":0,\"queued\":0}",
                fake_base64(alice.mailbox, 16));
    cr_assert_eq(fake_stat(f, STATS_registered), 1);
    cr_assert_eq(fake_stat(f, STATS_logged_in), 3);
    fake_stop(f);
}

Test(auth, register_refuses_another_key_for_a_name)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, impostor;

    fake_join(f, &alice, "alice", 0);
    fake_client_init(&impostor, "mallory");
    impostor.name = "alice";
    fake_open(f, &impostor, 1, 1);
    fake_text(f, impostor.peer, "%s", fake_login_text(&impostor, "register"));
    fake_expect_error(f, impostor.peer, "identity_mismatch", ",\"id\":1");
    fake_expect_close(f, impostor.peer, 4401);
    cr_assert(peer_is_same(*fake_attached(f, alice.mailbox), alice.peer));
    fake_expect_nothing(f, alice.peer);
    cr_assert_eq(fake_stat(f, STATS_login_identity_mismatch), 1);
    fake_stop(f);
}

Test(auth, register_refuses_a_second_name_for_a_key)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, again;

    fake_join(f, &alice, "alice", 0);
    fake_client_init(&again, "alice");
    again.name = "alice2";
    fake_open(f, &again, 1, 1);
    fake_text(f, again.peer, "%s", fake_login_text(&again, "register"));
    fake_expect_error(f, again.peer, "identity_mismatch", ",\"id\":1");
    fake_expect_close(f, again.peer, 4401);
    fake_stop(f);
}

Test(auth, login_refuses_an_impostor)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, impostor;

    fake_join(f, &alice, "alice", 0);
    fake_client_init(&impostor, "mallory");
    impostor.name = "alice";
    fake_open(f, &impostor, 1, 1);
    fake_text(f, impostor.peer, "%s", fake_login_text(&impostor, "login"));
    fake_expect_error(f, impostor.peer, "bad_signature", ",\"id\":1");
    fake_expect_close(f, impostor.peer, 4401);
    // With the right key in its claim and a signature of its own.
    memcpy(impostor.identity_key, alice.identity_key, 32);
    fake_open(f, &impostor, 1, 2);
    fake_text(f, impostor.peer, "%s", fake_login_text(&impostor, "login"));
    fake_expect_error(f, impostor.peer, "bad_signature", ",\"id\":1");
    fake_expect_close(f, impostor.peer, 4401);
    fake_expect_nothing(f, alice.peer);
    cr_assert_eq(fake_stat(f, STATS_login_bad_signature), 2);
    fake_stop(f);
}

Test(auth, login_refuses_a_signature_for_something_else)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, replayer;
    char text[1024], *at;

    fake_join(f, &alice, "alice", 0);
    // Over another connection's challenge.
    replayer = alice;
    fake_open(f, &replayer, 1, 1);
    memcpy(replayer.challenge, alice.challenge, 32);
    fake_text(f, replayer.peer, "%s", fake_login_text(&replayer, "login"));
    fake_expect_error(f, replayer.peer, "bad_signature", ",\"id\":1");
    fake_expect_close(f, replayer.peer, 4401);
    // Over the other verb.
    fake_open(f, &replayer, 1, 2);
    strcpy(text, fake_login_text(&replayer, "register"));
    at = strstr(text, "register");
    memmove(at + 5, at + 8, strlen(at + 8) + 1);
    memcpy(at, "login", 5);
    fake_text(f, replayer.peer, "%s", text);
    fake_expect_error(f, replayer.peer, "bad_signature", ",\"id\":1");
    fake_expect_close(f, replayer.peer, 4401);
    fake_stop(f);
}

Test(auth, login_refuses_every_changed_bit_of_a_signature)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, other;
    uint8_t signature[64];
    size_t len;
    char *at;

    fake_join(f, &alice, "alice", 0);
    other = alice;
    for (uint32_t bit = 0; bit < 512; bit += 7) {
        char text[1024];

        fake_open(f, &other, 1, bit + 1);
        strcpy(text, fake_login_text(&other, "login"));
        at = strstr(text, "signatures\":{\"ed25519\":\"") + 24;
        cr_assert_eq(sodium_base642bin(signature, 64, at, 86, NULL, &len, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memcpy(at, fake_base64(signature, 64), 86);
        fake_text(f, other.peer, "%s", text);
        fake_expect_error(f, other.peer, "bad_signature", ",\"id\":1");
        fake_expect_close(f, other.peer, 4401);
    }
    fake_stop(f);
}

Test(auth, login_refuses_an_unknown_name)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client nobody;

    fake_client_init(&nobody, "nobody");
    fake_open(f, &nobody, 0, 1);
    fake_text(f, nobody.peer, "%s", fake_login_text(&nobody, "login"));
    fake_expect_error(f, nobody.peer, "unknown_user", ",\"id\":1");
    fake_expect_close(f, nobody.peer, 4401);
    cr_assert_eq(fake_stat(f, STATS_login_unknown_user), 1);
    fake_stop(f);
}

Test(auth, register_refuses_one_user_too_many)
{
    struct control_config config = fake_config();
    struct fake *f;
    struct fake_client alice, bob;

    config.max_users = 1;
    f = fake_start(&config);
    fake_join(f, &alice, "alice", 0);
    fake_client_init(&bob, "bob");
    fake_open(f, &bob, 1, 1);
    fake_text(f, bob.peer, "%s", fake_login_text(&bob, "register"));
    fake_expect_error(f, bob.peer, "relay_full", ",\"id\":1");
    fake_expect_close(f, bob.peer, 1013);
    cr_assert_eq(fake_stat(f, STATS_login_relay_full), 1);
    fake_stop(f);
}

Test(auth, login_without_a_place_in_the_directory_leaves_the_older_one)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, newer;

    fake_join(f, &alice, "alice", 0);
    newer = alice;
    fake_open(f, &newer, 1, 1);
    f->attach_fails = true;
    fake_text(f, newer.peer, "%s", fake_login_text(&newer, "login"));
    fake_expect_error(f, newer.peer, "relay_full", ",\"id\":1");
    fake_expect_close(f, newer.peer, 1013);
    fake_expect_nothing(f, alice.peer);
    cr_assert(peer_is_same(*fake_attached(f, alice.mailbox), alice.peer));
    fake_stop(f);
}

Test(auth, login_displaces_the_older_connection)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client older, newer, bob;

    fake_join(f, &older, "alice", 0);
    fake_join(f, &bob, "bob", 2);
    newer = older;
    fake_rejoin(f, &newer, 1, 1, 0);
    fake_expect_close(f, older.peer, 4409);
    // What it still says is not heard, envelopes included.
    fake_text(f, older.peer, "{\"type\":\"user_list\",\"id\":2}");
    fake_text(f, older.peer, "{\"type\":\"chat_request\",\"to\":\"bob\"}");
    fake_durable(f, older.peer, bob.mailbox, 1, WIRE_FLAG_DURABLE, 0, 5);
    fake_expect_nothing(f, older.peer);
    fake_expect_nothing(f, bob.peer);
    // Its end does not take the mailbox from the newer one.
    fake_close(f, &older);
    cr_assert(peer_is_same(*fake_attached(f, newer.mailbox), newer.peer));
    fake_text(f, newer.peer, "{\"type\":\"user_list\",\"id\":3}");
    fake_expect(f, newer.peer,
                "{\"type\":\"user_list\",\"id\":3,\"users\":[\"alice\",\"bob\"],\"next\":null}");
    fake_stop(f);
}

Test(auth, login_twice_closes)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;

    fake_join(f, &alice, "alice", 0);
    fake_text(f, alice.peer, "%s", fake_login_text(&alice, "login"));
    fake_expect_error(f, alice.peer, "already_logged_in", ",\"id\":1");
    fake_expect_close(f, alice.peer, 4401);
    cr_assert_null(fake_attached(f, alice.mailbox));
    fake_join(f, &bob, "bob", 1);
    fake_text(f, bob.peer, "{\"type\":\"register\"}");
    fake_expect_error(f, bob.peer, "already_logged_in", "");
    fake_expect_close(f, bob.peer, 4401);
    fake_stop(f);
}

Test(auth, register_refuses_malformed_claims_and_stays_open)
{
    static const char *const texts[] = {
        "{\"type\":\"register\"}",
        "{\"type\":\"register\",\"name\":\"bob\"}",
        "{\"type\":\"register\",\"name\":7,\"identity_keys\":{},\"signatures\":{}}",
        "{\"type\":\"register\",\"name\":\"bob\",\"identity_keys\":[],\"signatures\":{}}",
        "{\"type\":\"register\",\"name\":\"bob\",\"identity_keys\":{},\"signatures\":\"x\"}",
        "{\"type\":\"login\",\"name\":\"\",\"signatures\":{}}",
        "{\"type\":\"login\",\"name\":\"Bob\",\"signatures\":{}}",
        "{\"type\":\"login\",\"name\":\"bob\",\"signatures\":{}}",
        "{\"type\":\"login\",\"name\":\"bob\",\"signatures\":{\"ed25519\":\"short\"}}",
        "{\"type\":\"login\",\"name\":\"bob\",\"name\":\"bob\",\"signatures\":{}}",
    };
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client bob;
    char text[1024], *at;

    fake_client_init(&bob, "bob");
    fake_open(f, &bob, 0, 1);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        fake_text(f, bob.peer, "%s", texts[i]);
        fake_expect_error(f, bob.peer, "bad_message", "");
    }
    // Padding, a foreign alphabet, bits left over, one byte less.
    for (int kind = 0; kind < 4; kind++) {
        strcpy(text, fake_login_text(&bob, "register"));
        at = strstr(text, "signatures\":{\"ed25519\":\"") + 24;
        if (kind == 0)
            at[85] = '=';
        else if (kind == 1)
            at[10] = '+';
        else if (kind == 2)
            at[85] = '_';
        else
            memmove(at, at + 1, strlen(at));
        fake_text(f, bob.peer, "%s", text);
        fake_expect_error(f, bob.peer, "bad_message", ",\"id\":1");
    }
    fake_expect_nothing(f, bob.peer);
    fake_text(f, bob.peer, "%s", fake_login_text(&bob, "register"));
    fake_take(f, bob.peer, CONTROL_LOGGED_IN);
    fake_stop(f);
}
