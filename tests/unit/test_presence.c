// Public keys, user lists by pages, signalling.
#include <stdio.h>

#include "control_fake.h"

Test(presence, get_pubkey_answers)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob, dave;

    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    fake_join_hybrid(f, &dave, "dave", 2);
    fake_close(f, &bob);
    fake_text(f, alice.peer, "{\"type\":\"get_pubkey\",\"id\":4,\"name\":\"bob\"}");
    fake_expect(f, alice.peer,
                "{\"type\":\"pubkey\",\"id\":4,\"name\":\"bob\",\"mailbox\":\"%s\","
                "\"identity_keys\":{\"ed25519\":\"%s\"}}",
                fake_base64(bob.mailbox, 16), fake_base64(bob.identity_key, 32));
    fake_text(f, alice.peer, "{\"type\":\"get_pubkey\",\"name\":\"dave\"}");
    fake_expect(f, alice.peer,
                "{\"type\":\"pubkey\",\"name\":\"dave\",\"mailbox\":\"%s\","
                "\"identity_keys\":{\"ed25519\":\"%s\",\"ml_dsa_65\":\"%s\"}}",
                fake_base64(dave.mailbox, 16), fake_base64(dave.identity_key, 32),
                fake_base64(dave.ml_dsa_65, sizeof dave.ml_dsa_65));
    fake_text(f, alice.peer, "{\"type\":\"get_pubkey\",\"id\":5,\"name\":\"carol\"}");
    fake_expect_error(f, alice.peer, "unknown_user", ",\"id\":5");
    fake_text(f, alice.peer, "{\"type\":\"get_pubkey\",\"id\":6}");
    fake_expect_error(f, alice.peer, "bad_message", ",\"id\":6");
    fake_text(f, alice.peer, "{\"type\":\"get_pubkey\",\"name\":[\"bob\"]}");
    fake_expect_error(f, alice.peer, "bad_message", "");
    cr_assert_eq(fake_stat(f, STATS_lookup_unknown_user), 1);
    fake_stop(f);
}

Test(presence, list_users_goes_by_pages)
{
    enum { USERS = LIMIT_USER_LIST + 45 };
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    static char names[USERS][LIMIT_NAME_BYTES + 1];
    static char expected[USERS * 40];
    struct fake_client client;
    int len;

    for (uint32_t i = 0; i < USERS; i++) {
        // As long as a name may be: the largest answer.
        snprintf(names[i], sizeof names[i], "%032u", i);
        if (i > 0)
            fake_close(f, &client);
        fake_client_init(&client, names[i]);
        fake_open(f, &client, 0, i + 1);
        fake_text(f, client.peer, "%s", fake_login_text(&client, "register"));
        fake_take(f, client.peer, CONTROL_LOGGED_IN);
        fake_take(f, client.peer, CONTROL_SEND_TEXT);
    }
    len = sprintf(expected, "{\"type\":\"user_list\",\"id\":5,\"users\":[");
    for (uint32_t i = 0; i < LIMIT_USER_LIST; i++)
        len += sprintf(expected + len, "%s\"%s\"", i ? "," : "", names[i]);
    sprintf(expected + len, "],\"next\":256}");
    fake_text(f, client.peer, "{\"type\":\"user_list\",\"id\":5}");
    fake_expect(f, client.peer, "%s", expected);
    fake_text(f, client.peer, "{\"type\":\"user_list\",\"id\":5,\"cursor\":0}");
    fake_expect(f, client.peer, "%s", expected);

    len = sprintf(expected, "{\"type\":\"user_list\",\"users\":[");
    for (uint32_t i = LIMIT_USER_LIST; i < USERS; i++)
        len += sprintf(expected + len, "%s\"%s\"", i > LIMIT_USER_LIST ? "," : "", names[i]);
    sprintf(expected + len, "],\"next\":null}");
    fake_text(f, client.peer, "{\"type\":\"user_list\",\"cursor\":256}");
    fake_expect(f, client.peer, "%s", expected);
    fake_stop(f);
}

Test(presence, list_users_at_the_edges_of_the_cursor)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice;

    fake_join(f, &alice, "alice", 0);
    fake_text(f, alice.peer, "{\"type\":\"user_list\",\"cursor\":1}");
    fake_expect(f, alice.peer, "{\"type\":\"user_list\",\"users\":[],\"next\":null}");
    fake_text(f, alice.peer, "{\"type\":\"user_list\",\"cursor\":9007199254740991}");
    fake_expect(f, alice.peer, "{\"type\":\"user_list\",\"users\":[],\"next\":null}");
    fake_text(f, alice.peer, "{\"type\":\"user_list\",\"cursor\":9007199254740992}");
    fake_expect_error(f, alice.peer, "bad_message", "");
    fake_text(f, alice.peer, "{\"type\":\"user_list\",\"cursor\":-1}");
    fake_expect_error(f, alice.peer, "bad_message", "");
    fake_text(f, alice.peer, "{\"type\":\"user_list\",\"cursor\":null}");
    fake_expect_error(f, alice.peer, "bad_message", "");
    fake_stop(f);
}

Test(presence, forward_signal_each_type)
{
    static const char *const types[] = {"chat_request", "chat_response", "chat_terminate"};
    static const char *const bodies[] = {"{\"a\":[1,-2,3.5,true,null,\"\\u0000 \\\" \\\\ \\n\"]}",
                                         "null",
                                         "\"\"",
                                         "[]",
                                         "123456789012345678901234567890",
                                         "\"grüße\""};
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;

    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    for (size_t t = 0; t < COUNT_OF(types); t++) {
        for (size_t b = 0; b < COUNT_OF(bodies); b++) {
            fake_text(f, alice.peer, "{\"type\":\"%s\",\"id\":6,\"to\":\"bob\",\"body\":%s}",
                      types[t], bodies[b]);
            fake_expect(f, bob.peer, "{\"type\":\"%s\",\"from\":\"alice\",\"body\":%s}", types[t],
                        bodies[b]);
            fake_expect(f, alice.peer, "{\"type\":\"forwarded\",\"id\":6}");
        }
        fake_text(f, bob.peer, "{\"to\":\"alice\",\"type\":\"%s\"}", types[t]);
        fake_expect(f, alice.peer, "{\"type\":\"%s\",\"from\":\"bob\"}", types[t]);
        fake_expect(f, bob.peer, "{\"type\":\"forwarded\"}");
    }
    cr_assert_eq(fake_stat(f, STATS_signals_forwarded), 21);
    fake_stop(f);
}

Test(presence, forward_signal_to_nobody)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;

    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    fake_close(f, &bob);
    fake_text(f, alice.peer, "{\"type\":\"chat_request\",\"id\":1,\"to\":\"bob\",\"body\":1}");
    fake_expect_error(f, alice.peer, "recipient_absent", ",\"id\":1");
    fake_text(f, alice.peer, "{\"type\":\"chat_request\",\"id\":2,\"to\":\"carol\"}");
    fake_expect_error(f, alice.peer, "recipient_absent", ",\"id\":2");
    fake_text(f, alice.peer, "{\"type\":\"chat_request\",\"id\":3}");
    fake_expect_error(f, alice.peer, "bad_message", ",\"id\":3");
    cr_assert_eq(fake_stat(f, STATS_signals_recipient_absent), 2);
    fake_stop(f);
}

Test(presence, forward_signal_bounds_the_body)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;
    char body[LIMIT_CHAT_BODY_BYTES + 2];

    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    memset(body, 'x', sizeof body);
    body[0] = '"';
    body[LIMIT_CHAT_BODY_BYTES - 1] = '"';
    body[LIMIT_CHAT_BODY_BYTES] = '\0';
    fake_text(f, alice.peer, "{\"type\":\"chat_request\",\"to\":\"bob\",\"body\":%s}", body);
    fake_expect(f, bob.peer, "{\"type\":\"chat_request\",\"from\":\"alice\",\"body\":%s}", body);
    fake_expect(f, alice.peer, "{\"type\":\"forwarded\"}");
    body[LIMIT_CHAT_BODY_BYTES - 1] = 'x';
    body[LIMIT_CHAT_BODY_BYTES] = '"';
    body[LIMIT_CHAT_BODY_BYTES + 1] = '\0';
    fake_text(f, alice.peer, "{\"type\":\"chat_request\",\"to\":\"bob\",\"body\":%s}", body);
    fake_expect_error(f, alice.peer, "bad_message", "");
    fake_expect_nothing(f, bob.peer);
    fake_stop(f);
}

Test(presence, forward_signal_without_memory)
{
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;

    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    // What bob should have heard cannot be built: bob's connection ends, alice hears why.
    fake_fail_allocations(0, 1);
    fake_text(f, alice.peer, "{\"type\":\"chat_request\",\"id\":1,\"to\":\"bob\",\"body\":[1]}");
    fake_expect_close(f, bob.peer, 1013);
    fake_expect_error(f, alice.peer, "relay_busy", ",\"id\":1");
    cr_assert_null(fake_attached(f, bob.mailbox));
    // The answer itself cannot be built.
    fake_fail_allocations(0, 1);
    fake_text(f, alice.peer, "{\"type\":\"user_list\"}");
    fake_expect_close(f, alice.peer, 1013);
    cr_assert_eq(fake_stat(f, STATS_refused_relay_busy), 1);
    cr_assert_eq(fake_stat(f, STATS_control_memory_short), 2);
    fake_stop(f);
}

Test(presence, forward_signal_of_the_largest_bodies)
{
    static char text[LIMIT_CONTROL_BYTES + 1];
    struct control_config config = fake_config();
    struct fake *f = fake_start(&config);
    struct fake_client alice, bob;
    char body[LIMIT_CHAT_BODY_BYTES + 1];
    int len;

    fake_join(f, &alice, "alice", 0);
    fake_join(f, &bob, "bob", 1);
    // Most values, deepest nesting, longest escapes: what writing takes most room for.
    for (int kind = 0; kind < 3; kind++) {
        memset(body, '[', sizeof body);
        if (kind == 1)
            memset(body + sizeof body / 2, ']', sizeof body / 2);
        for (size_t i = 1; kind == 0 && i < sizeof body - 2; i++)
            body[i] = i % 2 ? '1' : ',';
        body[LIMIT_CHAT_BODY_BYTES - 1] = ']';
        body[LIMIT_CHAT_BODY_BYTES] = '\0';
        if (kind == 0)
            strcpy(body + LIMIT_CHAT_BODY_BYTES - 2, "]");
        for (size_t i = 0; kind == 2 && i < 682; i++)
            memcpy(body + 1 + 6 * i, "\\u0001", 6);
        if (kind == 2) {
            body[0] = '"';
            strcpy(body + 1 + 6 * 682, "\"");
        }
        fake_text(f, alice.peer, "{\"type\":\"chat_request\",\"to\":\"bob\",\"body\":%s}", body);
        fake_expect(f, bob.peer, "{\"type\":\"chat_request\",\"from\":\"alice\",\"body\":%s}",
                    body);
        fake_expect(f, alice.peer, "{\"type\":\"forwarded\"}");
    }
    // And the same far over the limit.
    len = sprintf(text, "{\"type\":\"chat_request\",\"to\":\"bob\",\"body\":[1");
    while (len + 4 < (int)sizeof text)
        len += sprintf(text + len, ",1");
    strcpy(text + len, "]}");
    fake_text(f, alice.peer, "%s", text);
    fake_expect_error(f, alice.peer, "bad_message", "");
    fake_expect_nothing(f, bob.peer);
    fake_stop(f);
}
