// The ratchet's chain, every tier this machine has, against libsodium's HMAC.
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "internal.h"
#include "vectors.h"

#define COUNT_MAX 40u

// Criterion gives every case a process of its own, so each can start the library anew.
static void start(const char *tier)
{
    setenv("SEALPOST_CRYPTO_TIER", tier, 1);
    const int error = sp_init();
    if (error == -ENOTSUP && strcmp(tier, "portable") != 0)
        cr_skip_test("this CPU has no %s", tier);
    cr_assert_eq(error, 0);
    cr_assert_str_eq(sp_tier(), tier);
}

#define TIER_TEST(name, tier)                                                                      \
    Test(chain_step, name##_##tier)                                                                \
    {                                                                                              \
        start(#tier);                                                                              \
        name();                                                                                    \
    }
#define EACH_TIER_TEST(name)                                                                       \
    static void name(void);                                                                        \
    TIER_TEST(name, portable)                                                                      \
    TIER_TEST(name, avx512)                                                                        \
    static void name(void)

static void expect_step(const uint8_t before[32], const uint8_t after[32],
                        const uint8_t message_key[32])
{
    static const uint8_t one = 0x01, two = 0x02;
    uint8_t expected[32];
    crypto_auth_hmacsha256(expected, &one, 1, before);
    cr_assert_arr_eq(message_key, expected, 32);
    crypto_auth_hmacsha256(expected, &two, 1, before);
    cr_assert_arr_eq(after, expected, 32);
}

EACH_TIER_TEST(agrees_at_every_count)
{
    static uint8_t before[COUNT_MAX][32], chain[COUNT_MAX + 1][32], message_key[COUNT_MAX + 1][32];
    for (size_t count = 0; count <= COUNT_MAX; count++) {
        randombytes_buf(before, sizeof(before));
        memset(chain, 0xAA, sizeof(chain));
        memset(message_key, 0xAA, sizeof(message_key));
        memcpy(chain, before, count * 32);
        sp_active->hash->chain_step(chain, message_key, count);
        for (size_t i = 0; i < count; i++)
            expect_step(before[i], chain[i], message_key[i]);
        for (size_t i = 0; i < 32; i++) // nothing is written behind the last
            cr_assert(chain[count][i] == 0xAA && message_key[count][i] == 0xAA);
    }
}

// Sixteen chains beside one of them alone.
EACH_TIER_TEST(goes_a_thousand_steps)
{
    uint8_t chain[16][32], alone[1][32], before[32], message_key[16][32], key_alone[1][32];
    randombytes_buf(chain, sizeof(chain));
    memcpy(alone[0], chain[11], 32);
    for (size_t i = 0; i < 1000; i++) {
        memcpy(before, alone[0], 32);
        sp_active->hash->chain_step(chain, message_key, 16);
        sp_active->hash->chain_step(alone, key_alone, 1);
        expect_step(before, alone[0], key_alone[0]);
        expect_step(before, chain[11], message_key[11]);
    }
}

EACH_TIER_TEST(takes_any_alignment)
{
    static uint8_t chain_area[64 + 16 * 32], key_area[64 + 16 * 32];
    uint8_t before[16][32];
    for (size_t from = 0; from < 64; from++) {
        uint8_t(*chain)[32] = (uint8_t(*)[32])(chain_area + from);
        uint8_t(*message_key)[32] = (uint8_t(*)[32])(key_area + from * 29 % 64);
        const size_t count = from % 2 == 0 ? 16 : 3;
        randombytes_buf(before, sizeof(before));
        memcpy(chain, before, sizeof(before));
        sp_active->hash->chain_step(chain, message_key, count);
        for (size_t i = 0; i < count; i++)
            expect_step(before[i], chain[i], message_key[i]);
    }
}
