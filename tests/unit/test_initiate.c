// The initiator's side of a handshake: an independent recomputation agrees, and no bundle passes
// that is not all it should be.
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>

#include "parties.h"
#include "sealcrypto.h"
#include "vectors.h"

#define MANY 40u              // more than two chunks, and not a whole number of them
#define KINDS PARTIES_RATCHET // which makes no difference here: 0 … 7

static bool random_fails, hkdf_fails;
static const uint8_t *wiped_secret;
static size_t wiped_times;

int __real_sp_random(uint8_t *out, size_t len);
int __wrap_sp_random(uint8_t *out, size_t len);
int __real_sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count);
int __wrap_sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count);
void __real_sp_wipe(void *secret, size_t len);
void __wrap_sp_wipe(void *secret, size_t len);

int __wrap_sp_random(uint8_t *out, size_t len)
{
    if (!random_fails)
        return __real_sp_random(out, len);
    memset(out, 0, len);
    return -ENOSYS;
}

int __wrap_sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count)
{
    return hkdf_fails ? -EIO : __real_sp_hkdf_sha256_batch(jobs, count);
}

void __wrap_sp_wipe(void *secret, size_t len)
{
    if (wiped_secret != NULL && memmem(secret, len, wiped_secret, 32) != NULL)
        wiped_times++;
    __real_sp_wipe(secret, len);
}

static struct parties p;

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
}

static void stop(void)
{
    parties_free(&p);
}

TestSuite(sp_handshake_initiate_batch, .init = start, .fini = stop);

static void begin(unsigned kind)
{
    parties_free(&p);
    parties_random(&p, kind);
}

static void expect_refused(int error)
{
    p.initiate.result = 1;
    memset(p.initiate.ephemeral_public, 0xAA, 32);
    memset(p.initiate.kem_ciphertext, 0xAA, sizeof(p.initiate.kem_ciphertext));
    memset(&p.initiate.handshake, 0xAA, sizeof(p.initiate.handshake));
    sp_handshake_initiate_batch(&p.initiate, 1);
    cr_assert_eq(p.initiate.result, error, "%d, not %d", p.initiate.result, error);
    cr_assert(vector_is_zero(p.initiate.ephemeral_public, 32));
    cr_assert(vector_is_zero(p.initiate.kem_ciphertext, sizeof(p.initiate.kem_ciphertext)));
    cr_assert(vector_is_zero(&p.initiate.handshake, sizeof(p.initiate.handshake)));
}

// Flip each of these bytes in turn.
static void expect_each_byte_signed(uint8_t *bytes, size_t len, size_t stride)
{
    for (size_t i = 0; i < len; i += stride) {
        bytes[i] ^= 0x02;
        expect_refused(SP_HANDSHAKE_SIGNATURE);
        bytes[i] ^= 0x02;
    }
    parties_initiate(&p);
}

// ---- what comes out -----------------------------------------------------------------------------

static size_t reproduce(const char *file)
{
    static struct vector_record v;
    FILE *in = vector_open(file);
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        const struct sp_handshake *h = &p.initiate.handshake;
        const struct vector_field *ad = vector_get(&v, "ad");
        parties_free(&p);
        parties_load(&p, &v);
        cr_assert_arr_eq(p.a.ed25519, vector_bytes(&v, "identity_a"), 32);
        cr_assert_arr_eq(p.bundle.signed_prekey, vector_bytes(&v, "signed_prekey"), 32);
        parties_initiate(&p);
        cr_assert_arr_eq(p.initiate.ephemeral_public, vector_bytes(&v, "ephemeral"), 32);
        cr_assert_arr_eq(h->sk, vector_bytes(&v, "sk"), 32);
        cr_assert_arr_eq(h->header_key, vector_bytes(&v, "header_key"), 32);
        cr_assert_eq(h->ad_len, ad->len);
        cr_assert_arr_eq(h->ad, ad->bytes, ad->len);
        if (p.kind & PARTIES_PQXDH)
            cr_assert_arr_eq(p.initiate.kem_ciphertext, vector_bytes(&v, "kem_ciphertext"),
                             SP_ML_KEM_CIPHERTEXT_BYTES);
        else
            cr_assert(vector_is_zero(p.initiate.kem_ciphertext, SP_ML_KEM_CIPHERTEXT_BYTES));
    }
    fclose(in);
    return count;
}

Test(sp_handshake_initiate_batch, reproduces_the_vectors)
{
    cr_assert_eq(reproduce("x3dh.txt"), 2);
    cr_assert_eq(reproduce("pqxdh.txt"), 5);
}

Test(sp_handshake_initiate_batch, makes_new_keys_each_time)
{
    static struct sp_initiate_job first;
    begin(PARTIES_PQXDH | PARTIES_ONE_TIME);
    parties_initiate(&p);
    first = p.initiate;
    parties_initiate(&p);
    cr_assert_neq(memcmp(first.ephemeral_public, p.initiate.ephemeral_public, 32), 0);
    cr_assert_neq(memcmp(first.kem_ciphertext, p.initiate.kem_ciphertext, 32), 0);
    cr_assert_neq(memcmp(first.handshake.sk, p.initiate.handshake.sk, 32), 0);
    cr_assert_neq(memcmp(first.handshake.header_key, p.initiate.handshake.header_key, 32), 0);
    cr_assert_arr_eq(first.handshake.ad, p.initiate.handshake.ad, first.handshake.ad_len);
}

// Spoil a bundle in one of these ways; the result that is due.
static int spoil(struct sp_bundle *bundle, size_t way)
{
    switch (way % 4) {
    case 0:
        bundle->signed_prekey_signature[40] ^= 0x10;
        return SP_HANDSHAKE_SIGNATURE;
    case 1:
        bundle->has_one_time_prekey = true;
        bundle->one_time_prekey_id = 5;
        memset(bundle->one_time_prekey, 0, 32);
        return SP_HANDSHAKE_POINT;
    case 2:
        bundle->signed_prekey_id = 0;
        return SP_HANDSHAKE_PREKEY;
    default:
        bundle->kem_prekey = NULL;
        bundle->ml_dsa = NULL;
        return SP_HANDSHAKE_SUITE;
    }
}

// Mixed kinds, every count, one spoilt bundle at each place.
Test(sp_handshake_initiate_batch, judges_each_job_by_itself)
{
    static struct parties of[KINDS];
    static struct sp_initiate_job jobs[MANY];
    for (unsigned kind = 0; kind < KINDS; kind++) {
        parties_random(&of[kind], kind);
        cr_assert_eq(sp_random(of[kind].ephemeral_secret, 32), 0);
        cr_assert_eq(sp_random(of[kind].kem_randomness, 32), 0);
        parties_make_jobs(&of[kind], true);
        parties_initiate(&of[kind]);
    }
    for (size_t count = 1; count <= MANY; count++) {
        for (size_t bad = 0; bad < count; bad++) {
            // One in ten is hybrid: ML-DSA would take nearly all of the time.
            struct sp_bundle spoilt;
            int due = 0;
            for (size_t i = 0; i < count; i++) {
                const struct parties *q = &of[i % 10 == 9 ? i / 10 + 4 : i % 4];
                jobs[i] = q->initiate;
                jobs[i].result = 1;
                memset(&jobs[i].handshake, 0xAA, sizeof(jobs[i].handshake));
                if (i != bad)
                    continue;
                spoilt = q->bundle;
                jobs[i].bundle = &spoilt;
                due = spoil(&spoilt, q->kind & (PARTIES_PQXDH | PARTIES_HYBRID) ? i : i % 3);
            }
            sp_handshake_initiate_batch(jobs, count);
            for (size_t i = 0; i < count; i++) {
                const struct parties *q = &of[i % 10 == 9 ? i / 10 + 4 : i % 4];
                cr_assert_eq(jobs[i].result, i == bad ? due : 0, "%zu of %zu", i, count);
                if (i == bad)
                    cr_assert(vector_is_zero(&jobs[i].handshake, sizeof(jobs[i].handshake)));
                else
                    cr_assert_eq(memcmp(&jobs[i].handshake, &q->initiate.handshake,
                                        sizeof(jobs[i].handshake)),
                                 0);
            }
        }
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        parties_free(&of[kind]);
}

Test(sp_handshake_initiate_batch, wipes_the_ephemeral_secret)
{
    begin(PARTIES_PQXDH | PARTIES_ONE_TIME);
    cr_assert_eq(sp_random(p.ephemeral_secret, 32), 0);
    parties_make_jobs(&p, true);
    wiped_secret = p.ephemeral_secret;
    parties_initiate(&p);
    cr_assert_gt(wiped_times, 0);
    wiped_secret = NULL;
}

// ---- downgrades ---------------------------------------------------------------------------------

Test(sp_handshake_initiate_batch, takes_no_other_suite_than_it_asked_for)
{
    begin(PARTIES_PQXDH);
    p.bundle.kem_prekey = NULL;
    expect_refused(SP_HANDSHAKE_SUITE);
    p.bundle.kem_prekey = &p.kem_prekey;
    p.initiate.suite = SP_SUITE_X3DH;
    expect_refused(SP_HANDSHAKE_SUITE);
    p.initiate.suite = 0;
    expect_refused(SP_HANDSHAKE_SUITE);
    p.initiate.suite = 3;
    expect_refused(SP_HANDSHAKE_SUITE);
    p.initiate.suite = SP_SUITE_PQXDH;
    parties_initiate(&p);
}

Test(sp_handshake_initiate_batch, speaks_with_its_own_kind_only)
{
    static struct parties hybrid;
    parties_random(&hybrid, PARTIES_HYBRID);
    begin(0);
    p.initiate.bundle = &hybrid.bundle;
    expect_refused(SP_HANDSHAKE_SUITE);
    p.initiate.identity = &hybrid.a;
    parties_initiate(&p);
    p.initiate.bundle = &p.bundle;
    expect_refused(SP_HANDSHAKE_SUITE);
    // A relay that leaves the post-quantum half out.
    hybrid.bundle.ml_dsa = NULL;
    p.initiate.bundle = &hybrid.bundle;
    expect_refused(SP_HANDSHAKE_SUITE);
    parties_free(&hybrid);
}

Test(sp_handshake_initiate_batch, refuses_prekeys_without_id)
{
    begin(PARTIES_PQXDH | PARTIES_ONE_TIME);
    p.bundle.signed_prekey_id = 0;
    expect_refused(SP_HANDSHAKE_PREKEY);
    p.bundle.signed_prekey_id = 1;
    p.kem_prekey.id = 0;
    expect_refused(SP_HANDSHAKE_PREKEY);
    p.kem_prekey.id = 9;
    p.bundle.one_time_prekey_id = 0;
    expect_refused(SP_HANDSHAKE_PREKEY);
    p.bundle.one_time_prekey_id = 7;
    p.bundle.has_one_time_prekey = false;
    expect_refused(SP_HANDSHAKE_PREKEY);
    p.bundle.one_time_prekey_id = 0;
    parties_initiate(&p);
}

// ---- signatures ---------------------------------------------------------------------------------

Test(sp_handshake_initiate_batch, refuses_any_tampered_signed_byte)
{
    begin(PARTIES_PQXDH | PARTIES_ONE_TIME);
    expect_each_byte_signed(p.bundle.signed_prekey_signature, 64, 1);
    expect_each_byte_signed(p.bundle.signed_prekey, 32, 1);
    expect_each_byte_signed(p.bundle.identity_key, 32, 1);
    expect_each_byte_signed(p.kem_prekey.signature, 64, 1);
    expect_each_byte_signed(p.kem_prekey.key, SP_ML_KEM_PUBLIC_BYTES, 7);
}

// All of what Ed25519 signed stays good here.
Test(sp_handshake_initiate_batch, refuses_a_bad_ml_dsa_signature_beside_a_good_one)
{
    begin(PARTIES_PQXDH | PARTIES_HYBRID);
    expect_each_byte_signed(p.ml_dsa.signed_prekey_signature, SP_ML_DSA_SIGNATURE_BYTES, 61);
    expect_each_byte_signed(p.ml_dsa.kem_prekey_signature, SP_ML_DSA_SIGNATURE_BYTES, 61);
    expect_each_byte_signed(p.ml_dsa.key, SP_ML_DSA_PUBLIC_BYTES, 61);
}

Test(sp_handshake_initiate_batch, refuses_a_bad_ed25519_signature_beside_a_good_one)
{
    begin(PARTIES_PQXDH | PARTIES_HYBRID);
    expect_each_byte_signed(p.bundle.signed_prekey_signature, 64, 9);
    expect_each_byte_signed(p.kem_prekey.signature, 64, 9);
}

Test(sp_handshake_initiate_batch, refuses_signatures_of_other_things)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    begin(PARTIES_PQXDH | PARTIES_HYBRID);
    // Of the bare key.
    parties_sign_message(&p.b, p.bundle.signed_prekey, 32, p.bundle.signed_prekey_signature,
                         p.ml_dsa.signed_prekey_signature);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
    // By somebody else.
    sp_encode_x25519(encoded, p.bundle.signed_prekey);
    parties_sign_message(&p.a, encoded, sizeof(encoded), p.bundle.signed_prekey_signature,
                         p.ml_dsa.signed_prekey_signature);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
    // Of the other prekey.
    parties_sign_prekeys(&p);
    parties_initiate(&p);
    memcpy(p.kem_prekey.signature, p.bundle.signed_prekey_signature, 64);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
    parties_sign_prekeys(&p);
    memcpy(p.ml_dsa.kem_prekey_signature, p.ml_dsa.signed_prekey_signature,
           SP_ML_DSA_SIGNATURE_BYTES);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
    // Of none.
    parties_sign_prekeys(&p);
    memset(p.kem_prekey.signature, 0, 64);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
    parties_sign_prekeys(&p);
    memset(p.ml_dsa.kem_prekey_signature, 0, SP_ML_DSA_SIGNATURE_BYTES);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
}

// ---- points and KEM keys, all of them signed: B itself can be hostile ---------------------------

Test(sp_handshake_initiate_batch, refuses_prekeys_of_small_order)
{
    for (size_t i = 0; i < PARTIES_SMALL_ORDERS; i++) {
        begin(PARTIES_ONE_TIME);
        memcpy(p.bundle.one_time_prekey, parties_small_order[i], 32);
        expect_refused(SP_HANDSHAKE_POINT);
        begin(PARTIES_ONE_TIME);
        memcpy(p.bundle.signed_prekey, parties_small_order[i], 32);
        parties_sign_prekeys(&p);
        expect_refused(SP_HANDSHAKE_POINT);
    }
}

// S = r + h·a mod L, h = SHA-512(R ‖ A' ‖ M): verifies under A' = A + (a point of order 2) whenever
// h is even.
static void sign_outside_subgroup(uint8_t signature[64], const uint8_t public_key[32],
                                  const uint8_t seed[32], const uint8_t *message, size_t len)
{
    uint8_t a[64], r[32], h[64], product[32];
    crypto_hash_sha512(a, seed, 32);
    a[0] &= 0xF8;
    a[31] = (uint8_t)((a[31] & 0x7F) | 0x40);
    memset(a + 32, 0, 32);
    crypto_core_ed25519_scalar_reduce(a, a);
    do {
        crypto_hash_sha512_state state;
        crypto_core_ed25519_scalar_random(r);
        cr_assert_eq(crypto_scalarmult_ed25519_base_noclamp(signature, r), 0);
        crypto_hash_sha512_init(&state);
        crypto_hash_sha512_update(&state, signature, 32);
        crypto_hash_sha512_update(&state, public_key, 32);
        crypto_hash_sha512_update(&state, message, len);
        crypto_hash_sha512_final(&state, h);
        crypto_core_ed25519_scalar_reduce(h, h);
    } while (h[0] % 2 != 0);
    crypto_core_ed25519_scalar_mul(product, h, a);
    crypto_core_ed25519_scalar_add(signature + 32, r, product);
}

Test(sp_handshake_initiate_batch, refuses_an_identity_outside_the_subgroup)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    bool ok;
    begin(0);
    parties_leave_subgroup(p.bundle.identity_key);
    sp_encode_x25519(encoded, p.bundle.signed_prekey);
    sign_outside_subgroup(p.bundle.signed_prekey_signature, p.bundle.identity_key, p.b.seed,
                          encoded, sizeof(encoded));
    const struct sp_ed25519_job job = {p.bundle.identity_key, NULL, encoded, sizeof(encoded),
                                       p.bundle.signed_prekey_signature};
    cr_assert(sp_ed25519_verify_batch(&job, 1, &ok));
    expect_refused(SP_HANDSHAKE_POINT);
}

Test(sp_handshake_initiate_batch, refuses_a_kem_key_over_the_modulus)
{
    begin(PARTIES_PQXDH);
    memset(p.kem_prekey.key, 0xFF, 3); // two coefficients of 4,095
    parties_sign_prekeys(&p);
    expect_refused(SP_HANDSHAKE_KEM);
}

// ---- the machine --------------------------------------------------------------------------------

Test(sp_handshake_initiate_batch, reports_a_lack_of_randomness)
{
    begin(PARTIES_PQXDH);
    random_fails = true;
    expect_refused(-EIO);
    random_fails = false;
}

Test(sp_handshake_initiate_batch, reports_a_provider_that_fails)
{
    begin(PARTIES_PQXDH);
    hkdf_fails = true;
    expect_refused(-EIO);
    p.bundle.signed_prekey_id = 0;
    expect_refused(SP_HANDSHAKE_PREKEY);
    hkdf_fails = false;
}
