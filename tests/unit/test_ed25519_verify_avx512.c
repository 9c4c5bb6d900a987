// Verification in lanes under chosen hashes: the scalars k that no message reaches, and points of
// every order, for which n/m must be k in all of the group and not only modulo L.
#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#include "ed25519_avx512.h"
#include "hard_scalars.h"
#include "internal.h"
#include "sha512_avx512.h"

#define LANES 8u
#define ROUNDS 2048u

static uint8_t chosen[LANES][32]; // k of each lane
static struct hard_scalars hard;
static uint8_t torsion[8][32]; // torsion[i] = i · torsion[1]

void __wrap_sp_sha512_avx512(uint8_t (*out)[SP_SHA512_BYTES],
                             const struct sp_sha512_message *messages, size_t count)
{
    (void)messages;
    cr_assert_eq(count, LANES);
    memset(out, 0, SP_SHA512_BYTES * count);
    for (size_t i = 0; i < count; i++)
        memcpy(out[i], chosen[i], 32);
}

static void start(void)
{
    static const uint8_t order_8[32] = {
        0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4,
        0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6,
        0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
    };
    cr_assert_eq(sp_init(), 0);
    if (!sp_cpu_has_avx512())
        cr_skip_test("this CPU has no avx512");
    hard = hard_scalars_create();
    torsion[0][0] = 1;
    for (size_t i = 1; i < 8; i++)
        cr_assert_eq(crypto_core_ed25519_add(torsion[i], torsion[i - 1], order_8), 0);
}

static void stop(void)
{
    if (sp_cpu_has_avx512())
        hard_scalars_destroy(&hard);
}

TestSuite(sp_ed25519_verify_avx512, .init = start, .fini = stop);

// Eight signatures under the chosen k, each with a torsion of its own in A and in R.
struct octet {
    uint8_t public_key[LANES][32], signature[LANES][64];
    struct sp_ed25519_job jobs[LANES];
    bool expected[LANES], ok[LANES];
};

// A = a·B + t, R = r·B + u, S = r + k·a: S·B − k·A = R if u = −k·t.
static void make_signature(struct octet *o, size_t i, size_t key_torsion, size_t r_torsion)
{
    uint8_t a[32], r[32], point[32], product[32];
    crypto_core_ed25519_scalar_random(a);
    crypto_core_ed25519_scalar_random(r);
    cr_assert_eq(crypto_scalarmult_ed25519_base_noclamp(point, a), 0);
    cr_assert_eq(crypto_core_ed25519_add(o->public_key[i], point, torsion[key_torsion]), 0);
    cr_assert_eq(crypto_scalarmult_ed25519_base_noclamp(point, r), 0);
    cr_assert_eq(crypto_core_ed25519_add(o->signature[i], point, torsion[r_torsion]), 0);
    crypto_core_ed25519_scalar_mul(product, chosen[i], a);
    crypto_core_ed25519_scalar_add(o->signature[i] + 32, product, r);
    o->expected[i] = (chosen[i][0] * key_torsion + r_torsion) % 8 == 0;
    o->jobs[i] = (struct sp_ed25519_job){
        .public_key = o->public_key[i],
        .message = o->public_key[i],
        .message_len = 32,
        .signature = o->signature[i],
    };
}

static size_t expect_judgement(struct octet *o)
{
    size_t accepted = 0;
    sp_ed25519_verify_avx512(o->jobs, LANES, o->ok);
    for (size_t i = 0; i < LANES; i++) {
        cr_assert_eq(o->ok[i], o->expected[i], "lane %zu: expected %d", i, o->expected[i]);
        accepted += o->ok[i];
    }
    return accepted;
}

Test(sp_ed25519_verify_avx512, accepts_under_hard_scalars)
{
    struct octet o;
    for (unsigned round = 0; round < ROUNDS; round += LANES) {
        for (unsigned i = 0; i < LANES; i++) {
            hard_scalars_draw(&hard, chosen[i], round + (i + round / LANES) % 8);
            make_signature(&o, i, 0, 0);
        }
        cr_assert_eq(expect_judgement(&o), LANES);
        const size_t bad = round / LANES % LANES;
        o.signature[bad][32 + round / LANES / LANES % 31] ^= 1;
        o.expected[bad] = false;
        cr_assert_eq(expect_judgement(&o), LANES - 1);
    }
}

Test(sp_ed25519_verify_avx512, tells_every_torsion_under_hard_scalars)
{
    struct octet o;
    size_t accepted = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < LANES; i++) {
            hard_scalars_draw(&hard, chosen[i], 8 * (round / 64) + (i + round) % 8);
            make_signature(&o, i, round / 8 % 8, round % 8);
        }
        accepted += expect_judgement(&o);
    }
    cr_assert(accepted > ROUNDS / 2 && accepted < 4 * ROUNDS, "%zu", accepted);
}
