// Hello, registration, login, of both kinds of identity; impostors and displaced connections.
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
                            "262144,\"one_time_prekeys\":100,\"one_time_kem_prekeys\":20,"
                            "\"login_timeout_ms\":30000}}"));
    cr_assert_not_null(memmem(f->actions[0].data, f->actions[0].len,
                              "\"limits\":{\"envelope_bytes\":65536,\"control_bytes\":98304,"
                              "\"outbox_bytes\":262144,\"one_time_prekeys\":100,"
                              "\"one_time_kem_prekeys\":20,\"login_timeout_ms\":30000}}",
                              144));
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
                "\"one_time_prekeys\":0,\"one_time_kem_prekeys\":0,\"queued\":0}",
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

// One attempt on a connection of its own, which ends it.
static void refuse(struct fake *f, struct fake_client *client, uint32_t generation,
                   const char *verb, bool with_key, bool with_signature, const char *code)
{
    fake_open(f, client, 1, generation);
    fake_text(f, client->peer, "%s", fake_cut_login_text(client, verb, with_key, with_signature));
    fake_expect_error(f, client->peer, code, ",\"id\":1");
    fake_expect_close(f, client->peer, 4401);
}

Test(auth, hybrid_registers_and_logs_in)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, plain;

    fake_join_hybrid(f, &alice, "alice", 0);
    fake_client_init(&plain, "alice");
    cr_assert_arr_eq(plain.identity_key, alice.identity_key, 32);
    cr_assert_arr_neq(plain.mailbox, alice.mailbox, 16);
    fake_close(f, &alice);
    fake_rejoin(f, &alice, 0, 2, 0);
    fake_close(f, &alice);
    fake_open(f, &alice, 0, 3);
    fake_text(f, alice.peer, "%s", fake_login_text(&alice, "register"));
    fake_take(f, alice.peer, CONTROL_LOGGED_IN);
    cr_assert_eq(fake_stat(f, STATS_registered), 1);
    cr_assert_eq(fake_stat(f, STATS_logged_in), 3);
    fake_stop(f);
}

// Whoever has broken Ed25519 has the one key and not the other.
Test(auth, hybrid_cannot_be_talked_down)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, plain, cut;

    fake_join_hybrid(f, &alice, "alice", 0);
    fake_client_init(&plain, "alice");
    refuse(f, &plain, 1, "register", false, false, "identity_mismatch");
    refuse(f, &plain, 2, "login", false, false, "bad_signature");
    // All of the two keys signed, and only one signature shown.
    cut = alice;
    refuse(f, &cut, 3, "login", true, false, "bad_signature");
    refuse(f, &cut, 4, "register", true, false, "bad_signature");
    refuse(f, &cut, 5, "register", false, true, "identity_mismatch");
    fake_expect_nothing(f, alice.peer);
    cr_assert(peer_is_same(*fake_attached(f, alice.mailbox), alice.peer));
    fake_stop(f);
}

Test(auth, ed25519_cannot_be_talked_up)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, hybrid, cut;

    fake_join(f, &alice, "alice", 0);
    fake_hybrid_init(&hybrid, "alice");
    refuse(f, &hybrid, 1, "register", true, true, "identity_mismatch");
    // The right Ed25519 signature, and one too many.
    cut = hybrid;
    cut.is_hybrid = false;
    refuse(f, &cut, 2, "login", false, true, "bad_signature");
    refuse(f, &cut, 3, "register", false, true, "bad_signature");
    fake_expect_nothing(f, alice.peer);
    fake_stop(f);
}

Test(auth, register_refuses_half_a_hybrid)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;

    fake_hybrid_init(&alice, "alice");
    refuse(f, &alice, 1, "register", true, false, "bad_signature");
    refuse(f, &alice, 2, "register", false, true, "bad_signature");
    cr_assert_eq(fake_stat(f, STATS_login_bad_signature), 2);
    cr_assert_eq(fake_stat(f, STATS_registered), 0);
    // Nothing was pinned on the way.
    fake_join(f, &alice, "alice", 0);
    fake_stop(f);
}

Test(auth, hybrid_refuses_another_second_key)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, mallory, other;

    fake_join_hybrid(f, &alice, "alice", 0);
    fake_hybrid_init(&mallory, "mallory");
    other = alice;
    memcpy(other.ml_dsa_65, mallory.ml_dsa_65, sizeof other.ml_dsa_65);
    memcpy(other.ml_dsa_seed, mallory.ml_dsa_seed, sizeof other.ml_dsa_seed);
    refuse(f, &other, 1, "register", true, true, "identity_mismatch");
    refuse(f, &other, 2, "login", true, true, "bad_signature");
    // The pinned key signed over, and signed with the other one.
    memcpy(other.ml_dsa_65, alice.ml_dsa_65, sizeof other.ml_dsa_65);
    refuse(f, &other, 3, "register", true, true, "bad_signature");
    refuse(f, &other, 4, "login", true, true, "bad_signature");
    // The other way round: only the second signature is right.
    other = alice;
    memcpy(other.secret_key, mallory.secret_key, sizeof other.secret_key);
    refuse(f, &other, 5, "login", true, true, "bad_signature");
    fake_stop(f);
}

Test(auth, hybrid_refuses_a_second_name_for_a_key)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, plain, bob, again;

    fake_join_hybrid(f, &alice, "alice", 0);
    again = alice;
    again.name = "alice2";
    refuse(f, &again, 1, "register", true, true, "identity_mismatch");
    // Its mailbox would be another one with the Ed25519 key alone.
    fake_client_init(&plain, "alice");
    plain.name = "alice2";
    refuse(f, &plain, 2, "register", false, false, "identity_mismatch");
    fake_join(f, &bob, "bob", 2);
    fake_hybrid_init(&again, "bob");
    again.name = "bob2";
    refuse(f, &again, 3, "register", true, true, "identity_mismatch");
    cr_assert_eq(fake_stat(f, STATS_login_identity_mismatch), 3);
    fake_stop(f);
}

Test(auth, hybrid_signature_is_for_this_challenge_and_verb)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, replayer;
    char text[10000], *from, *to;

    fake_join_hybrid(f, &alice, "alice", 0);
    // Ed25519 signatures of the right challenge and verb with ML-DSA-65 signatures of wrong ones.
    replayer = alice;
    for (uint32_t kind = 0; kind < 2; kind++) {
        fake_open(f, &replayer, 1, kind + 1);
        strcpy(text, fake_login_text(&replayer, "login"));
        if (kind == 0)
            memcpy(replayer.challenge, alice.challenge, 32);
        from =
            strstr(fake_login_text(&replayer, kind == 0 ? "login" : "register"), "\"signatures\":");
        to = strstr(text, "\"signatures\":");
        memcpy(strstr(to, "\"ml_dsa_65\":"), strstr(from, "\"ml_dsa_65\":"), 4412);
        fake_text(f, replayer.peer, "%s", text);
        fake_expect_error(f, replayer.peer, "bad_signature", ",\"id\":1");
        fake_expect_close(f, replayer.peer, 4401);
    }
    fake_stop(f);
}

Test(auth, hybrid_refuses_changed_bits_of_the_second_signature)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, other;
    uint8_t signature[FAKE_ML_DSA_SIGNATURE_BYTES];
    size_t len;
    char *at;

    fake_join_hybrid(f, &alice, "alice", 0);
    other = alice;
    for (uint32_t byte = 0; byte < sizeof signature; byte += 100) {
        char text[10000];

        fake_open(f, &other, 1, byte + 1);
        strcpy(text, fake_login_text(&other, "login"));
        at = strstr(strstr(text, "\"signatures\":"), "\"ml_dsa_65\":\"") + 13;
        cr_assert_eq(sodium_base642bin(signature, sizeof signature, at, 4412, NULL, &len, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
        signature[byte] ^= (uint8_t)(1u << byte % 8);
        memcpy(at, fake_base64(signature, sizeof signature), 4412);
        fake_text(f, other.peer, "%s", text);
        fake_expect_error(f, other.peer, "bad_signature", ",\"id\":1");
        fake_expect_close(f, other.peer, 4401);
    }
    fake_stop(f);
}

Test(auth, hybrid_refuses_malformed_members_and_stays_open)
{
    static const char *const places[] = {"\"identity_keys\":", "\"signatures\":"};
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client bob;
    char text[10000], *at;

    fake_hybrid_init(&bob, "bob");
    fake_open(f, &bob, 0, 1);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        for (int kind = 0; kind < 4; kind++) {
            strcpy(text, fake_login_text(&bob, "register"));
            at = strstr(strstr(text, places[i]), "\"ml_dsa_65\":\"") + 13;
            if (kind == 0)
                memmove(at, at + 1, strlen(at)); // a character less
            else if (kind == 1)
                *at = '+';
            else if (kind == 2)
                memcpy(at - 13, "\"ed25519\"  :\"", 13); // that one twice
            else
                memcpy(at - 1, "[],\"x\":\"", 8); // not a string
            fake_text(f, bob.peer, "%s", text);
            fake_expect_error(f, bob.peer, "bad_message", ",\"id\":1");
        }
    }
    fake_text(f, bob.peer, "%s", fake_login_text(&bob, "register"));
    fake_take(f, bob.peer, CONTROL_LOGGED_IN);
    fake_stop(f);
}

// What a flood costs: an attempt ends its connection, and what came with it is not looked at.
Test(auth, bad_signature_is_verified_once_for_a_connection)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, flood;

    fake_join_hybrid(f, &alice, "alice", 0);
    flood = alice;
    fake_open(f, &flood, 1, 1);
    flood.ml_dsa_seed[0] ^= 1;
    for (int i = 0; i < 16; i++)
        fake_text(f, flood.peer, "%s", fake_login_text(&flood, "login"));
    fake_expect_error(f, flood.peer, "bad_signature", ",\"id\":1");
    fake_expect_close(f, flood.peer, 4401);
    cr_assert_eq(fake_stat(f, STATS_login_bad_signature), 1);
    fake_stop(f);
}

Test(auth, register_hybrid_without_memory_pins_nothing)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;
    bool registered = false;
    uint32_t full = 0;

    fake_hybrid_init(&alice, "alice");
    for (uint32_t skip = 0; !registered; skip++) {
        const char *text;

        fake_open(f, &alice, 1, skip + 1);
        text = fake_login_text(&alice, "register");
        fake_fail_allocations(skip, 1);
        fake_text(f, alice.peer, "%s", text);
        fake_fail_allocations(0, 0);
        registered = fake_stat(f, STATS_registered) == 1;
        full += fake_stat(f, STATS_login_relay_full) > full;
        cr_assert_lt(skip, 200);
    }
    cr_assert_geq(full, 2);
    // Memory that is short is not held against the signature.
    cr_assert_eq(fake_stat(f, STATS_login_bad_signature), 0);
    fake_stop(f);
}
