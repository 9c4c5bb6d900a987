// X25519, every tier this machine has: RFC 7748 and its iterations, libsodium as the judge of every
// batch size, what leads to zero in every lane, what is no canonical u, and the base point.
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "sealcrypto.h"
#include "vectors.h"

#define KEYS(array) ((const uint8_t(*)[32])(array))
#define COUNT_MAX 150u // past two of the largest batches that a tier handles at once
#define GUARD 0xAA

// A million iterations take half a minute with optimised kernels, and hours under a sanitizer.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

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

#define TIER_TEST(suite, name, tier)                                                               \
    Test(suite, name##_##tier)                                                                     \
    {                                                                                              \
        start(#tier);                                                                              \
        suite##_##name();                                                                          \
    }
#define EACH_TIER_TEST(suite, name)                                                                \
    static void suite##_##name(void);                                                              \
    TIER_TEST(suite, name, portable)                                                               \
    TIER_TEST(suite, name, avx512)                                                                 \
    static void suite##_##name(void)

static void parse(uint8_t out[32], const char *hex)
{
    struct vector_field field;
    char line[100];
    snprintf(line, sizeof(line), "key = %s\n", hex);
    vector_parse(&field, line);
    cr_assert_eq(field.len, 32);
    memcpy(out, field.bytes, 32);
}

// ---- a batch against libsodium ------------------------------------------------------------------

struct batch {
    uint8_t scalar[COUNT_MAX][32], point[COUNT_MAX][32], out[COUNT_MAX + 1][32];
    bool ok[COUNT_MAX + 1];
};
static struct batch batch;

static void fill_batch(void)
{
    cr_assert_eq(sp_random(batch.scalar[0], sizeof(batch.scalar)), 0);
    cr_assert_eq(sp_random(batch.point[0], sizeof(batch.point)), 0);
}

// Every result, every verdict, and nothing behind the last.
static void check_batch(size_t count)
{
    uint8_t expected[32];
    bool all = true;
    memset(batch.out, GUARD, sizeof(batch.out));
    memset(batch.ok, GUARD != 0, sizeof(batch.ok));
    const bool said =
        sp_x25519_batch(batch.out, KEYS(batch.scalar), KEYS(batch.point), count, batch.ok);
    for (size_t i = 0; i < count; i++) {
        const bool ok = crypto_scalarmult(expected, batch.scalar[i], batch.point[i]) == 0;
        if (!ok)
            memset(expected, 0, sizeof(expected));
        cr_assert_arr_eq(batch.out[i], expected, 32, "job %zu of %zu", i, count);
        cr_assert_eq(batch.ok[i], ok, "job %zu of %zu", i, count);
        all = all && ok;
    }
    cr_assert_eq(said, all);
    for (size_t i = 0; i < 32; i++)
        cr_assert_eq(batch.out[count][i], GUARD);
}

EACH_TIER_TEST(sp_x25519_batch, agrees_with_libsodium_at_every_count)
{
    static const size_t large[] = {63, 64, 65, 72, 127, 128, 129, COUNT_MAX};
    for (size_t count = 0; count <= 40; count++) {
        fill_batch();
        check_batch(count);
    }
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        fill_batch();
        check_batch(large[i]);
    }
}

// Bytes that are all ones or all zeros, in long runs: limbs at their limits, carries that run.
EACH_TIER_TEST(sp_x25519_batch, agrees_with_libsodium_on_runs_of_bits)
{
    for (size_t round = 0; round < 4; round++) {
        fill_batch();
        for (size_t i = 0; i < 40; i++) {
            for (size_t j = 0; j < 32; j++) {
                const bool ones = (batch.point[i][0] >> (j / 5) & 1) != 0;
                batch.point[i][j] = j == 0 ? batch.point[i][j] : ones ? 0xFF : 0;
                batch.scalar[i][j] = j == 0 ? batch.scalar[i][j] : ones ? 0 : 0xFF;
            }
        }
        check_batch(40);
    }
}

EACH_TIER_TEST(sp_x25519_batch, agrees_with_libsodium_on_the_smallest_and_largest)
{
    memset(&batch, 0, sizeof(batch));
    for (size_t i = 0; i < 40; i++) {
        if (i % 2 == 1)
            memset(batch.scalar[i], 0xFF, 32);
        if (i % 4 >= 2) { // p − 1 − i / 4, else 1 + i / 4
            memset(batch.point[i], 0xFF, 32);
            batch.point[i][0] = (uint8_t)(0xEC - i / 4);
            batch.point[i][31] = 0x7F;
        } else {
            batch.point[i][0] = (uint8_t)(1 + i / 4);
        }
    }
    check_batch(40);
}

// ---- RFC 7748 -----------------------------------------------------------------------------------

EACH_TIER_TEST(sp_x25519_batch, agrees_with_rfc_7748)
{
    static struct vector_record v;
    FILE *in = vector_open("rfc7748.txt");
    uint8_t scalar[8][32], point[8][32], expected[8][32], out[8][32];
    bool ok[8];
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        memcpy(scalar[count], vector_bytes(&v, "scalar"), 32);
        memcpy(point[count], vector_bytes(&v, "point"), 32);
        memcpy(expected[count], vector_bytes(&v, "result"), 32);
    }
    fclose(in);
    cr_assert_eq(count, 6);
    cr_assert(sp_x25519_batch(out, KEYS(scalar), KEYS(point), count, ok));
    cr_assert_arr_eq(out, expected, count * 32);
    for (size_t i = 0; i < count; i++)
        cr_assert(ok[i]);
}

#define CHAINS 8u

// Section 5.2: k, u = X25519(k, u), k; the same chain in all lanes.
static void iterate(uint8_t (*k)[32], uint8_t (*u)[32], size_t chains, int times)
{
    uint8_t out[CHAINS][32];
    bool ok[CHAINS];
    for (int i = 0; i < times; i++) {
        cr_assert(sp_x25519_batch(out, KEYS(k), KEYS(u), chains, ok));
        memcpy(u, k, 32 * chains);
        memcpy(k, out, 32 * chains);
    }
}

static void expect_all(const uint8_t (*k)[32], size_t chains, const char *hex)
{
    uint8_t expected[32];
    parse(expected, hex);
    for (size_t i = 0; i < chains; i++)
        cr_assert_arr_eq(k[i], expected, 32, "chain %zu", i);
}

static void start_chains(uint8_t (*k)[32], uint8_t (*u)[32], size_t chains)
{
    memset(k, 0, 32 * chains);
    for (size_t i = 0; i < chains; i++)
        k[i][0] = 9;
    memcpy(u, k, 32 * chains);
}

static const char once[] = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
static const char thousand[] = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
static const char million[] = "7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424";

EACH_TIER_TEST(sp_x25519_batch, iterates_a_thousand_times)
{
    uint8_t k[1][32], u[1][32];
    start_chains(k, u, 1);
    iterate(k, u, 1, 1);
    expect_all(KEYS(k), 1, once);
    iterate(k, u, 1, 999);
    expect_all(KEYS(k), 1, thousand);
}

Test(sp_x25519_batch, iterates_a_million_times_avx512)
{
    uint8_t k[CHAINS][32], u[CHAINS][32];
    if (IS_SANITIZED)
        cr_skip_test("a million iterations take hours under a sanitizer");
    start("avx512");
    start_chains(k, u, CHAINS);
    iterate(k, u, CHAINS, 1000);
    expect_all(KEYS(k), CHAINS, thousand);
    iterate(k, u, CHAINS, 999000);
    expect_all(KEYS(k), CHAINS, million);
}

// ---- points that lead to zero, and points not written as they should be -------------------------

// The u-coordinates of small order, as bytes: 0, 1, both of order 8, p-1, and 0 and 1 again as p
// and p+1.
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};
#define SMALL_ORDER_COUNT (sizeof(small_order) / sizeof(small_order[0]))
#define LANES_TRIED 17u

EACH_TIER_TEST(sp_x25519_batch, rejects_small_order_and_only_that_job)
{
    fill_batch();
    for (size_t i = 0; i < 2 * SMALL_ORDER_COUNT; i++) {
        for (size_t lane = i % 3; lane < LANES_TRIED; lane += 3) {
            uint8_t kept[32];
            memcpy(kept, batch.point[lane], 32);
            parse(batch.point[lane], small_order[i / 2]);
            batch.point[lane][31] |= i % 2 == 1 ? 0x80 : 0; // the bit that does not count
            check_batch(LANES_TRIED);
            for (size_t j = 0; j < LANES_TRIED; j++)
                cr_assert_eq(batch.ok[j], j != lane, "point %zu in lane %zu", i, lane);
            cr_assert(vector_is_zero(batch.out[lane], 32));
            memcpy(batch.point[lane], kept, 32);
        }
    }
}

// All at once, and every other one.
EACH_TIER_TEST(sp_x25519_batch, rejects_many_of_small_order)
{
    for (size_t each = 1; each <= 2; each++) {
        fill_batch();
        for (size_t i = 0; i < 70; i += each)
            parse(batch.point[i], small_order[i % SMALL_ORDER_COUNT]);
        check_batch(70);
        for (size_t i = 0; i < 70; i++)
            cr_assert_eq(batch.ok[i], i % each != 0);
    }
}

// p + 2 … p + 18 are 2 … 18, and bit 255 says nothing. Source: RFC 7748 section 5.
EACH_TIER_TEST(sp_x25519_batch, takes_what_is_not_canonical)
{
    fill_batch();
    for (size_t i = 0; i < 34; i++) {
        memset(batch.point[i], 0xFF, 32);
        batch.point[i][0] = (uint8_t)(0xED + 2 + i % 17);
        batch.point[i][31] = i < 17 ? 0x7F : 0xFF;
    }
    check_batch(34);
    uint8_t plain[34][32] = {{0}}, out[34][32];
    bool ok[34];
    for (size_t i = 0; i < 34; i++)
        plain[i][0] = (uint8_t)(2 + i % 17);
    cr_assert(sp_x25519_batch(out, KEYS(batch.scalar), KEYS(plain), 34, ok));
    cr_assert_arr_eq(batch.out, out, sizeof(out));
}

// ---- the base point -----------------------------------------------------------------------------

static void check_base_batch(size_t count)
{
    uint8_t nine[COUNT_MAX][32] = {{0}}, expected[32];
    for (size_t i = 0; i < count; i++)
        nine[i][0] = 9;
    memset(batch.point, GUARD, sizeof(batch.point));
    sp_x25519_base_batch(batch.point, KEYS(batch.scalar), count);
    for (size_t i = 0; i < 32; i++)
        cr_assert_eq(batch.point[count][i], GUARD);
    if (count > 0)
        cr_assert(sp_x25519_batch(batch.out, KEYS(batch.scalar), KEYS(nine), count, batch.ok));
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(crypto_scalarmult_base(expected, batch.scalar[i]), 0);
        cr_assert_arr_eq(batch.point[i], expected, 32, "job %zu of %zu", i, count);
        cr_assert_arr_eq(batch.point[i], batch.out[i], 32, "job %zu of %zu", i, count);
    }
}

EACH_TIER_TEST(sp_x25519_base_batch, is_x25519_of_nine_at_every_count)
{
    for (size_t count = 0; count <= 40; count++) {
        fill_batch();
        check_base_batch(count);
    }
    fill_batch();
    check_base_batch(COUNT_MAX - 1);
}

// Every byte value in every byte of the scalar, so every digit at every place.
EACH_TIER_TEST(sp_x25519_base_batch, takes_every_digit)
{
    for (unsigned value = 0; value < 256; value += 64) {
        for (size_t i = 0; i < 64; i++)
            memset(batch.scalar[i], (int)(value + i), 32);
        check_base_batch(64);
    }
}
