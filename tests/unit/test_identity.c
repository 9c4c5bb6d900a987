// Mailbox id, login text, Encode(K).
#include <criterion/criterion.h>
#include <signal.h>

#include "sealcrypto.h"
#include "vectors.h"

Test(sp_mailbox_id, agrees_with_the_vectors)
{
    static struct vector_record v;
    FILE *in = vector_open("x3dh.txt");
    uint8_t mailbox[SP_MAILBOX_BYTES];
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        sp_mailbox_id(mailbox, vector_bytes(&v, "identity_a"));
        cr_assert_arr_eq(mailbox, vector_bytes(&v, "mailbox_a"), sizeof(mailbox));
        sp_mailbox_id(mailbox, vector_bytes(&v, "identity_b"));
        cr_assert_arr_eq(mailbox, vector_bytes(&v, "mailbox_b"), sizeof(mailbox));
    }
    fclose(in);
    cr_assert_eq(count, 2);
}

Test(sp_login_text, is_laid_out_as_the_protocol_says)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], challenge[32], key[32], expected[86];
    memset(challenge, 0xC1, sizeof(challenge));
    memset(key, 0x4B, sizeof(key));

    memcpy(expected, "sealpost.v1 login\0", 18);
    memset(expected + 18, 0xC1, 32);
    memcpy(expected + 50, "\3bob", 4);
    memset(expected + 54, 0x4B, 32);
    cr_assert_eq(sp_login_text(text, "login", challenge, "bob", key), 86);
    cr_assert_arr_eq(text, expected, 86);

    cr_assert_eq(sp_login_text(text, "register", challenge, "bob", key), 89);
    cr_assert_arr_eq(text, "sealpost.v1 register\0\xC1", 22);
    cr_assert_arr_eq(text + 21, expected + 18, 68);
}

Test(sp_login_text, takes_the_longest_name)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], zero[32] = {0};
    const char *name = "abcdefghijklmnopqrstuvwxyz012345";
    cr_assert_eq(sp_login_text(text, "register", zero, name, zero), 118);
    cr_assert_eq(text[53], 32);
    cr_assert_arr_eq(text + 54, name, 32);
}

Test(sp_login_text, asserts_a_name_in_bounds, .signal = SIGABRT)
{
    uint8_t text[SP_LOGIN_TEXT_BYTES], zero[32] = {0};
    sp_login_text(text, "register", zero, "abcdefghijklmnopqrstuvwxyz0123456", zero);
}

Test(sp_encode_x25519, puts_the_type_first)
{
    uint8_t key[32], out[SP_ENCODED_KEY_BYTES];
    memset(key, 0x77, sizeof(key));
    sp_encode_x25519(out, key);
    cr_assert_eq(out[0], 0x05);
    cr_assert_arr_eq(out + 1, key, 32);
}
