// Ed25519 against RFC 8032, what must be rejected, and the map to X25519.
#include <criterion/criterion.h>

#include "sealcrypto.h"
#include "vectors.h"

#define KEYS(array) ((const uint8_t(*)[32])(array))

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
}

TestSuite(sp_ed25519_sign_batch, .init = start);
TestSuite(sp_ed25519_verify_batch, .init = start);
TestSuite(sp_ed25519_public_to_x25519, .init = start);

static void parse(uint8_t out[32], const char *hex)
{
    struct vector_field field;
    char line[100];
    snprintf(line, sizeof(line), "key = %s\n", hex);
    vector_parse(&field, line);
    cr_assert_eq(field.len, 32);
    memcpy(out, field.bytes, 32);
}

// ---- Ed25519 ------------------------------------------------------------------------------------

Test(sp_ed25519_sign_batch, agrees_with_rfc_8032)
{
    static struct vector_record v;
    FILE *in = vector_open("rfc8032.txt");
    uint8_t public_key[32], signature[64];
    bool ok;
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        sp_ed25519_public(public_key, vector_bytes(&v, "seed"));
        cr_assert_arr_eq(public_key, vector_bytes(&v, "public"), 32);
        const struct sp_ed25519_job job = {
            .public_key = public_key,
            .seed = vector_bytes(&v, "seed"),
            .message = vector_bytes(&v, "message"),
            .message_len = vector_get(&v, "message")->len,
            .signature = signature,
        };
        sp_ed25519_sign_batch(&job, 1);
        cr_assert_arr_eq(signature, vector_bytes(&v, "signature"), 64);
        cr_assert(sp_ed25519_verify_batch(&job, 1, &ok));
    }
    fclose(in);
    cr_assert_eq(count, 5);
}

#define SIGNED_COUNT 3u

struct signed_messages {
    uint8_t seed[32], public_key[32], message[SIGNED_COUNT][40], signature[SIGNED_COUNT][64];
    struct sp_ed25519_job jobs[SIGNED_COUNT];
};

static void sign_messages(struct signed_messages *m)
{
    cr_assert_eq(sp_random(m->seed, 32) | sp_random(m->message[0], sizeof(m->message)), 0);
    sp_ed25519_public(m->public_key, m->seed);
    for (size_t i = 0; i < SIGNED_COUNT; i++) {
        m->jobs[i] = (struct sp_ed25519_job){
            .public_key = m->public_key,
            .seed = m->seed,
            .message = m->message[i],
            .message_len = sizeof(m->message[i]),
            .signature = m->signature[i],
        };
    }
    sp_ed25519_sign_batch(m->jobs, SIGNED_COUNT);
}

static void expect_only_second_refused(const struct signed_messages *m)
{
    bool ok[SIGNED_COUNT];
    cr_assert_not(sp_ed25519_verify_batch(m->jobs, SIGNED_COUNT, ok));
    cr_assert(ok[0] && !ok[1] && ok[2]);
}

Test(sp_ed25519_verify_batch, rejects_any_changed_byte)
{
    struct signed_messages m;
    bool ok[SIGNED_COUNT];
    sign_messages(&m);
    cr_assert(sp_ed25519_verify_batch(m.jobs, SIGNED_COUNT, ok));
    for (size_t i = 0; i < 64; i++) {
        m.signature[1][i] ^= 0x04;
        expect_only_second_refused(&m);
        m.signature[1][i] ^= 0x04;
    }
    for (size_t i = 0; i < sizeof(m.message[1]); i++) {
        m.message[1][i] ^= 0x80;
        expect_only_second_refused(&m);
        m.message[1][i] ^= 0x80;
    }
    m.jobs[1].message_len--;
    expect_only_second_refused(&m);
    m.jobs[1].message_len++;
    cr_assert(sp_ed25519_verify_batch(m.jobs, SIGNED_COUNT, ok));
}

// S + L satisfies the same equation: RFC 8032 section 5.1.7 wants S below L.
Test(sp_ed25519_verify_batch, rejects_a_malleated_signature)
{
    struct signed_messages m;
    uint8_t order[32];
    unsigned carry = 0;
    sign_messages(&m);
    parse(order, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    for (size_t i = 0; i < 32; i++) {
        carry += m.signature[1][32 + i] + order[i];
        m.signature[1][32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    cr_assert_eq(carry, 0);
    expect_only_second_refused(&m);
}

// With A and R the identity and S zero the equation holds for every message.
Test(sp_ed25519_verify_batch, rejects_a_small_order_key)
{
    struct signed_messages m;
    uint8_t identity[32] = {1};
    sign_messages(&m);
    memset(m.signature[1], 0, 64);
    m.signature[1][0] = 1;
    m.jobs[1].public_key = identity;
    expect_only_second_refused(&m);
}

Test(sp_ed25519_verify_batch, rejects_another_key)
{
    struct signed_messages m;
    uint8_t seed[32], other[32];
    sign_messages(&m);
    cr_assert_eq(sp_random(seed, 32), 0);
    sp_ed25519_public(other, seed);
    m.jobs[1].public_key = other;
    expect_only_second_refused(&m);
}

// ---- the birational map -------------------------------------------------------------------------

Test(sp_ed25519_public_to_x25519, commutes_with_the_secret_map)
{
    for (int i = 0; i < 20; i++) {
        uint8_t seed[32], public_key[32], scalar[1][32], mapped[32], expected[1][32];
        cr_assert_eq(sp_random(seed, 32), 0);
        sp_ed25519_public(public_key, seed);
        sp_ed25519_seed_to_x25519(scalar[0], seed);
        sp_x25519_base_batch(expected, KEYS(scalar), 1);
        cr_assert(sp_ed25519_public_to_x25519(mapped, public_key));
        cr_assert_arr_eq(mapped, expected[0], 32);
    }
}

Test(sp_ed25519_public_to_x25519, rejects_what_is_no_key)
{
    // The identity (y = 1), the point of order 2 (y = -1), one of order 4 (y = 0), y = 2, which is
    // on no point of the curve, and an order-8 point.
    static const char *const bad[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t key[32], out[32];
        parse(key, bad[i]);
        memset(out, 0xAA, sizeof(out));
        cr_assert_not(sp_ed25519_public_to_x25519(out, key), "%s", bad[i]);
        cr_assert(vector_is_zero(out, sizeof(out)));
    }
}
