// X3DH: both sides agree, an independent recomputation agrees, and what is tampered with is
// refused.
#include <criterion/criterion.h>

#include "parties.h"
#include "sealcrypto.h"
#include "vectors.h"

#define MANY 37u // more than two chunks, and not a whole number of them

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
}

TestSuite(sp_x3dh_initiate_batch, .init = start);
TestSuite(sp_x3dh_respond_batch, .init = start);
TestSuite(sp_x3dh_header_key, .init = start);

static void expect_result(const struct sp_x3dh_result *result, struct vector_record *v)
{
    cr_assert_arr_eq(result->sk, vector_bytes(v, "sk"), 32);
    cr_assert_arr_eq(result->header_key, vector_bytes(v, "header_key"), 32);
    cr_assert_arr_eq(result->ad, vector_bytes(v, "ad"), sizeof(result->ad));
}

static void expect_initiation_refused(struct parties *p)
{
    bool ok = true;
    memset(&p->initiate.result, 0xAA, sizeof(p->initiate.result));
    memset(p->initiate.ephemeral_public, 0xAA, 32);
    cr_assert_not(sp_x3dh_initiate_batch(&p->initiate, 1, &ok));
    cr_assert_not(ok);
    cr_assert(vector_is_zero(&p->initiate.result, sizeof(p->initiate.result)));
    cr_assert(vector_is_zero(p->initiate.ephemeral_public, 32));
}

static void expect_response_refused(struct parties *p)
{
    bool ok = true;
    memset(&p->respond.result, 0xAA, sizeof(p->respond.result));
    cr_assert_not(sp_x3dh_respond_batch(&p->respond, 1, &ok));
    cr_assert_not(ok);
    cr_assert(vector_is_zero(&p->respond.result, sizeof(p->respond.result)));
}

Test(sp_x3dh_initiate_batch, reproduces_the_vectors)
{
    static struct vector_record v;
    static struct parties p;
    FILE *in = vector_open("x3dh.txt");
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        uint8_t header_key[32];
        parties_load(&p, &v);
        parties_shake_hands(&p);
        cr_assert_arr_eq(p.initiate.ephemeral_public, vector_bytes(&v, "ephemeral"), 32);
        expect_result(&p.initiate.result, &v);
        expect_result(&p.respond.result, &v);
        cr_assert(
            sp_x3dh_header_key(header_key, p.signed_prekey_secret, vector_bytes(&v, "ephemeral")));
        cr_assert_arr_eq(header_key, vector_bytes(&v, "header_key"), 32);
    }
    fclose(in);
    cr_assert_eq(count, 2);
}

Test(sp_x3dh_initiate_batch, agrees_with_the_responder_in_batches)
{
    static struct parties p[MANY];
    static struct sp_x3dh_initiate_job initiate[MANY];
    static struct sp_x3dh_respond_job respond[MANY];
    bool ok[MANY];
    for (size_t i = 0; i < MANY; i++) {
        parties_random(&p[i], i % 3 != 0);
        initiate[i] = p[i].initiate;
    }
    p[20].bundle.signed_prekey_signature[5] ^= 1;
    cr_assert_not(sp_x3dh_initiate_batch(initiate, MANY, ok));
    for (size_t i = 0; i < MANY; i++) {
        cr_assert_eq(ok[i], i != 20);
        respond[i] = p[i].respond;
        respond[i].ephemeral_public = initiate[i].ephemeral_public;
    }
    cr_assert_not(sp_x3dh_respond_batch(respond, MANY, ok));
    for (size_t i = 0; i < MANY; i++) {
        cr_assert_eq(ok[i], i != 20); // its ephemeral key is zero
        cr_assert_arr_eq(&initiate[i].result, &respond[i].result, sizeof(initiate[i].result));
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(memcmp(initiate[i].result.sk, initiate[j].result.sk, 32), 0);
    }
}

Test(sp_x3dh_initiate_batch, makes_a_new_ephemeral_key_each_time)
{
    static struct parties p;
    struct sp_x3dh_result first;
    uint8_t ephemeral[32];
    parties_random(&p, true);
    parties_shake_hands(&p);
    memcpy(ephemeral, p.initiate.ephemeral_public, 32);
    first = p.initiate.result;
    parties_shake_hands(&p);
    cr_assert_neq(memcmp(ephemeral, p.initiate.ephemeral_public, 32), 0);
    cr_assert_neq(memcmp(first.sk, p.initiate.result.sk, 32), 0);
}

Test(sp_x3dh_initiate_batch, refuses_any_tampered_signed_byte)
{
    static struct parties p;
    parties_random(&p, true);
    for (size_t i = 0; i < 64; i++) {
        p.bundle.signed_prekey_signature[i] ^= 0x02;
        expect_initiation_refused(&p);
        p.bundle.signed_prekey_signature[i] ^= 0x02;
    }
    for (size_t i = 0; i < 32; i++) {
        p.bundle.signed_prekey[i] ^= 0x40;
        expect_initiation_refused(&p);
        p.bundle.signed_prekey[i] ^= 0x40;
    }
    for (size_t i = 0; i < 32; i++) {
        p.bundle.identity_key[i] ^= 0x01;
        expect_initiation_refused(&p);
        p.bundle.identity_key[i] ^= 0x01;
    }
    parties_shake_hands(&p);
}

// The signature covers Encode(SPK): one over the bare key is for another purpose.
Test(sp_x3dh_initiate_batch, refuses_a_signature_over_the_bare_key)
{
    static struct parties p;
    parties_random(&p, false);
    const struct sp_ed25519_job job = {
        .public_key = p.identity_b,
        .seed = p.seed_b,
        .message = p.bundle.signed_prekey,
        .message_len = 32,
        .signature = p.bundle.signed_prekey_signature,
    };
    sp_ed25519_sign_batch(&job, 1);
    expect_initiation_refused(&p);
}

Test(sp_x3dh_initiate_batch, refuses_small_order_prekeys)
{
    static struct parties p;
    parties_random(&p, true);
    memset(p.bundle.signed_prekey, 0, 32);
    parties_sign_prekey(&p); // B itself can be hostile
    expect_initiation_refused(&p);

    parties_random(&p, true);
    memset(p.bundle.one_time_prekey, 0, 32);
    expect_initiation_refused(&p);
}

Test(sp_x3dh_initiate_batch, refuses_a_one_time_prekey_without_id)
{
    static struct parties p;
    parties_random(&p, true);
    p.bundle.one_time_prekey_id = 0;
    expect_initiation_refused(&p);
}

Test(sp_x3dh_initiate_batch, disagrees_when_the_relay_exchanges_the_one_time_prekey)
{
    static struct parties p;
    bool ok;
    parties_random(&p, true);
    p.bundle.one_time_prekey[0] ^= 1;
    cr_assert(sp_x3dh_initiate_batch(&p.initiate, 1, &ok));
    cr_assert(sp_x3dh_respond_batch(&p.respond, 1, &ok));
    cr_assert_neq(memcmp(p.initiate.result.sk, p.respond.result.sk, 32), 0);
}

Test(sp_x3dh_respond_batch, refuses_bad_points)
{
    static struct parties p;
    uint8_t zero[32] = {0};
    parties_random(&p, true);
    parties_shake_hands(&p);
    p.respond.ephemeral_public = zero;
    expect_response_refused(&p);
    p.respond.ephemeral_public = p.initiate.ephemeral_public;
    p.respond.initiator_identity_key = zero; // of order 4
    expect_response_refused(&p);
}

Test(sp_x3dh_respond_batch, disagrees_for_another_initiator)
{
    static struct parties p, other;
    bool ok;
    parties_random(&p, true);
    parties_random(&other, true);
    parties_shake_hands(&p);
    p.respond.initiator_identity_key = other.identity_a;
    cr_assert(sp_x3dh_respond_batch(&p.respond, 1, &ok));
    cr_assert_neq(memcmp(p.initiate.result.sk, p.respond.result.sk, 32), 0);
    cr_assert_arr_eq(p.initiate.result.header_key, p.respond.result.header_key, 32);
}

Test(sp_x3dh_header_key, refuses_a_zero_dh)
{
    uint8_t secret[32] = {1}, zero[32] = {0}, out[32];
    memset(out, 0xAA, sizeof(out));
    cr_assert_not(sp_x3dh_header_key(out, secret, zero));
    cr_assert(vector_is_zero(out, sizeof(out)));
}
