// The sink's answers, read by the client's own decoder: a client cannot tell them from a relay's.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "persona.h"
#include "sink_users.h"
#include "user_control.h"

static struct sink_users users;
static struct persona alice, bob;
static struct user_control m;
static char text[USER_CONTROL_MAX_BYTES], answer[SINK_USERS_TEXT_MAX_BYTES];
static uint8_t scratch[USER_CONTROL_SCRATCH_BYTES];

static void setup(void)
{
    cr_assert_eq(sp_init(), 0);
    cr_assert_eq(sink_users_init(&users, 2), 0);
    cr_assert_eq(persona_init(&alice, 1, 0, true), 0);
    cr_assert_eq(persona_init(&bob, 1, 1, false), 0);
}

static void teardown(void)
{
    persona_free(&alice);
    persona_free(&bob);
    sink_users_free(&users);
}

TestSuite(sink_users, .init = setup, .fini = teardown);

static enum user_control_type decode(size_t len)
{
    cr_assert(user_control_decode(&m, (const uint8_t *)answer, len, scratch), "%.*s", (int)len,
              answer);
    return m.type;
}

static enum user_control_type say(uint32_t conn, uint32_t *user, size_t len)
{
    return decode(sink_users_answer(&users, conn, user, text, len, answer));
}

static uint32_t join(struct persona *p, uint32_t conn)
{
    struct persona_signatures signatures;
    uint32_t user = SINK_USERS_NOBODY;

    cr_assert_eq(persona_sign_login(p, "register", (uint8_t[32]){0}, &signatures), 0);
    cr_assert_eq(say(conn, &user, user_control_encode_register(text, p, &signatures)),
                 USER_CONTROL_REGISTERED);
    cr_assert_neq(user, SINK_USERS_NOBODY);
    return user;
}

static void expect_error(uint32_t *user, const char *request, const char *code)
{
    strcpy(text, request);
    cr_assert_eq(say(0, user, strlen(text)), USER_CONTROL_ERROR);
    cr_assert_str_eq(m.code, code);
}

Test(sink_users, greet_is_a_hello)
{
    cr_assert_eq(decode(sink_users_greet(answer)), USER_CONTROL_HELLO);
    cr_assert_eq(m.envelope_bytes, 65536);
    cr_assert_eq(m.one_time_prekeys, SINK_USERS_ONE_TIME_MAX);
    cr_assert_eq(m.one_time_kem_prekeys, SINK_USERS_ONE_TIME_KEM_MAX);
}

Test(sink_users, find_conn_by_mailbox)
{
    uint32_t user = join(&alice, 5);

    join(&bob, 7);
    cr_assert_eq(sink_users_find_conn(&users, alice.mailbox), 5);
    cr_assert_eq(sink_users_find_conn(&users, bob.mailbox), 7);
    cr_assert_eq(sink_users_find_conn(&users, (uint8_t[16]){1}), SINK_USERS_NOBODY);
    cr_assert_eq(join(&alice, 9), user, "the name is known");
    sink_users_leave(&users, user, 5);
    cr_assert_eq(sink_users_find_conn(&users, alice.mailbox), 9, "the newer one stays");
    sink_users_leave(&users, user, 9);
    cr_assert_eq(sink_users_find_conn(&users, alice.mailbox), SINK_USERS_NOBODY);
    sink_users_leave(&users, SINK_USERS_NOBODY, 1);
}

static enum user_control_type ask_bundle(uint32_t user, const char *name, enum sp_suite suite)
{
    return say(0, &user, user_control_encode_get_bundle(text, name, suite));
}

Test(sink_users, answer_bundle_has_what_was_published)
{
    uint8_t keys[1][32];
    struct persona_kem_prekey kem[1];
    struct user_control_prekeys prekeys = {
        .with_signed = true, .keys = keys, .count = 1, .kem = kem, .kem_count = 1};
    uint32_t user = join(&alice, 0);

    cr_assert_eq(ask_bundle(user, alice.name, SP_SUITE_X3DH), USER_CONTROL_ERROR);
    cr_assert_str_eq(m.code, "no_prekeys");
    cr_assert_eq(persona_make_prekeys(&alice, SP_SUITE_PQXDH, 8), 0);
    cr_assert_eq(persona_make_one_time(&alice, keys, 1, &prekeys.first_id), 0);
    cr_assert_eq(persona_make_one_time_kem(&alice, kem, 1), 0);
    cr_assert_eq(say(0, &user, user_control_encode_prekeys(text, &alice, &prekeys)),
                 USER_CONTROL_PUBLISHED);
    for (int round = 0; round < 2; round++) {
        const struct sp_bundle *b = &m.bundle.bundle;

        cr_assert_eq(ask_bundle(user, alice.name, SP_SUITE_PQXDH), USER_CONTROL_BUNDLE);
        cr_assert_eq(memcmp(b->signed_prekey, alice.signed_prekey, 32), 0);
        cr_assert_eq(b->has_one_time_prekey, round == 0, "handed out once");
        cr_assert_eq(b->kem_prekey->is_one_time, round == 0, "then the last resort");
        cr_assert_not_null(b->ml_dsa);
    }
    cr_assert_eq(ask_bundle(user, alice.name, SP_SUITE_X3DH), USER_CONTROL_BUNDLE);
    cr_assert_null(m.bundle.bundle.kem_prekey);
}

Test(sink_users, answer_errors)
{
    uint32_t nobody = SINK_USERS_NOBODY, user;

    expect_error(&nobody, "no JSON", "not_logged_in");
    expect_error(&nobody, "{\"type\":\"publish_prekeys\"}", "not_logged_in");
    expect_error(&nobody, "{\"type\":\"login\",\"name\":\"carol\"}", "unknown_user");
    expect_error(&nobody, "{\"type\":\"register\"}", "bad_message");
    expect_error(&nobody, "{\"type\":\"register\",\"name\":\"carol\"}", "relay_full");
    expect_error(&nobody, "{\"type\":\"register\",\"name\":\"x\\\"y\",\"identity_keys\":{}}",
                 "relay_full");
    user = join(&alice, 0);
    expect_error(&user, "{\"type\":\"user_list\"}", "bad_message");
    expect_error(&user, "{\"type\":\"get_bundle\",\"name\":\"carol\"}", "unknown_user");
    strcpy(text, "{\"type\":\"ack\",\"message_ids\":[]}");
    cr_assert_eq(sink_users_answer(&users, 0, &user, text, strlen(text), answer), 0);
}

Test(sink_users, answer_full)
{
    struct persona carol;
    struct persona_signatures signatures;
    uint32_t user = SINK_USERS_NOBODY;

    join(&alice, 0);
    join(&bob, 1);
    cr_assert_eq(persona_init(&carol, 1, 2, false), 0);
    cr_assert_eq(persona_sign_login(&carol, "register", (uint8_t[32]){0}, &signatures), 0);
    cr_assert_eq(say(2, &user, user_control_encode_register(text, &carol, &signatures)),
                 USER_CONTROL_ERROR);
    cr_assert_str_eq(m.code, "relay_full");
    persona_free(&carol);
}

Test(sink_users, refuse_and_accept_name_the_envelope)
{
    const uint8_t id[16] = {1, 2, 3};

    cr_assert_eq(decode(sink_users_refuse(answer, "relay_busy", id)), USER_CONTROL_ERROR);
    cr_assert_str_eq(m.code, "relay_busy");
    cr_assert(m.has_message_id && memcmp(m.message_id, id, 16) == 0);
    cr_assert_eq(decode(sink_users_accept(answer, id)), USER_CONTROL_ACCEPTED);
    cr_assert_eq(memcmp(m.message_id, id, 16), 0);
}
