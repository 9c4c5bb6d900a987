// The responder's side of a handshake: it comes to what the initiator has, also from messages made
// by other implementations, and no message passes that is not all it should be.
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>

#include "parties.h"
#include "sealcrypto.h"
#include "vectors.h"

#define MANY 40u              // more than two chunks, and not a whole number of them
#define KINDS PARTIES_RATCHET // which makes no difference here: 0 … 7

static bool hkdf_fails, decapsulation_fails;
static const uint8_t *wiped_secret;
static size_t wiped_times;

int __real_sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count);
int __wrap_sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count);
bool __real_sp_ml_kem_decapsulate_batch(const struct sp_ml_kem_job *jobs, size_t count, bool *ok);
bool __wrap_sp_ml_kem_decapsulate_batch(const struct sp_ml_kem_job *jobs, size_t count, bool *ok);
void __real_sp_wipe(void *secret, size_t len);
void __wrap_sp_wipe(void *secret, size_t len);

int __wrap_sp_hkdf_sha256_batch(const struct sp_hkdf_job *jobs, size_t count)
{
    return hkdf_fails ? -EIO : __real_sp_hkdf_sha256_batch(jobs, count);
}

bool __wrap_sp_ml_kem_decapsulate_batch(const struct sp_ml_kem_job *jobs, size_t count, bool *ok)
{
    if (!decapsulation_fails)
        return __real_sp_ml_kem_decapsulate_batch(jobs, count, ok);
    memset(ok, 0, count);
    return false;
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

TestSuite(sp_handshake_respond_batch, .init = start, .fini = stop);

// A has sent its initial message.
static void begin(unsigned kind)
{
    parties_free(&p);
    parties_random(&p, kind);
    parties_initiate(&p);
    parties_seal(&p);
}

static void expect_refused(int error)
{
    p.respond.result = 1;
    memset(p.respond.initiator_ed25519, 0xAA, 32);
    memset(p.initiator_ml_dsa_65, 0xAA, SP_ML_DSA_PUBLIC_BYTES);
    memset(&p.respond.handshake, 0xAA, sizeof(p.respond.handshake));
    sp_handshake_respond_batch(&p.respond, 1);
    cr_assert_eq(p.respond.result, error, "%d, not %d", p.respond.result, error);
    cr_assert(vector_is_zero(p.respond.initiator_ed25519, 32));
    if (p.respond.initiator_ml_dsa_65 != NULL)
        cr_assert(vector_is_zero(p.initiator_ml_dsa_65, SP_ML_DSA_PUBLIC_BYTES));
    cr_assert(vector_is_zero(&p.respond.handshake, sizeof(p.respond.handshake)));
}

static void expect_agreement(void)
{
    parties_respond(&p);
    cr_assert_eq(memcmp(&p.initiate.handshake, &p.respond.handshake, sizeof(struct sp_handshake)),
                 0);
    cr_assert_arr_eq(p.respond.initiator_ed25519, p.a.ed25519, 32);
    if (p.kind & PARTIES_HYBRID)
        cr_assert_arr_eq(p.initiator_ml_dsa_65, sp_ml_dsa_key_public(&p.a.ml_dsa),
                         SP_ML_DSA_PUBLIC_BYTES);
}

// ---- what comes out -----------------------------------------------------------------------------

static size_t reproduce(const char *file)
{
    static struct vector_record v;
    static const char *const names[] = {"initial", "initial_ratchet"};
    FILE *in = vector_open(file);
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        parties_free(&p);
        parties_load(&p, &v);
        parties_initiate(&p);
        for (size_t i = 0; i < 2; i++) {
            const struct vector_field *message = vector_get(&v, names[i]);
            p.respond.message = message->bytes;
            p.respond.len = message->len;
            expect_agreement();
            cr_assert_arr_eq(p.respond.handshake.sk, vector_bytes(&v, "sk"), 32);
        }
    }
    fclose(in);
    return count;
}

Test(sp_handshake_respond_batch, takes_the_messages_of_the_vectors)
{
    cr_assert_eq(reproduce("x3dh.txt"), 2);
    cr_assert_eq(reproduce("pqxdh.txt"), 5);
}

Test(sp_handshake_respond_batch, agrees_with_the_initiator_in_every_kind)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        expect_agreement();
        cr_assert_eq(p.respond.handshake.ad_len, kind & PARTIES_PQXDH ? 1251 : 66);
    }
}

// The ephemeral key of the last kind is of small order, in the others something is flipped.
static int spoil(uint8_t *message, const struct parties *q, size_t way)
{
    switch (way % 4) {
    case 0:
        message[4] ^= 0x10; // the signed prekey's id
        return SP_HANDSHAKE_IDENTITY;
    case 1:
        message[q->overhead_bytes - 17] ^= 1; // the identity's tag
        return SP_HANDSHAKE_IDENTITY;
    case 2:
        message[2] = 1;
        return SP_HANDSHAKE_MALFORMED;
    default:
        memset(message + 12, 0, 32);
        return SP_HANDSHAKE_POINT;
    }
}

// Mixed kinds, every count, one spoilt message at each place.
Test(sp_handshake_respond_batch, judges_each_job_by_itself)
{
    static struct parties of[KINDS];
    static struct sp_respond_job jobs[MANY];
    static uint8_t spoilt[PARTIES_MESSAGE_BYTES], ml_dsa_65[MANY][SP_ML_DSA_PUBLIC_BYTES];
    for (unsigned kind = 0; kind < KINDS; kind++) {
        parties_random(&of[kind], kind);
        parties_initiate(&of[kind]);
        parties_seal(&of[kind]);
    }
    for (size_t count = 1; count <= MANY; count++) {
        for (size_t bad = 0; bad < count; bad++) {
            // One in ten is hybrid: ML-DSA would take nearly all of the time.
            int due = 0;
            for (size_t i = 0; i < count; i++) {
                const struct parties *q = &of[i % 10 == 9 ? i / 10 + 4 : i % 4];
                jobs[i] = q->respond;
                jobs[i].result = 1;
                memset(&jobs[i].handshake, 0xAA, sizeof(jobs[i].handshake));
                if (jobs[i].initiator_ml_dsa_65 != NULL)
                    jobs[i].initiator_ml_dsa_65 = ml_dsa_65[i];
                if (i != bad)
                    continue;
                memcpy(spoilt, q->message, q->message_len);
                jobs[i].message = spoilt;
                due = spoil(spoilt, q, i);
            }
            sp_handshake_respond_batch(jobs, count);
            for (size_t i = 0; i < count; i++) {
                const struct parties *q = &of[i % 10 == 9 ? i / 10 + 4 : i % 4];
                cr_assert_eq(jobs[i].result, i == bad ? due : 0, "%zu of %zu", i, count);
                if (i == bad) {
                    cr_assert(vector_is_zero(&jobs[i].handshake, sizeof(jobs[i].handshake)));
                    continue;
                }
                cr_assert_arr_eq(jobs[i].initiator_ed25519, q->a.ed25519, 32);
                cr_assert_eq(
                    memcmp(&jobs[i].handshake, &q->initiate.handshake, sizeof(jobs[i].handshake)),
                    0);
            }
        }
    }
    for (unsigned kind = 0; kind < KINDS; kind++)
        parties_free(&of[kind]);
}

// More than the room for hybrid ones has at once, one with a bad signature at each place.
Test(sp_handshake_respond_batch, judges_each_hybrid_by_itself)
{
    static struct parties bad;
    static struct sp_respond_job jobs[10];
    static uint8_t ml_dsa_65[10][SP_ML_DSA_PUBLIC_BYTES];
    begin(PARTIES_HYBRID | PARTIES_PQXDH);
    parties_random(&bad, PARTIES_HYBRID | PARTIES_PQXDH);
    parties_initiate(&bad);
    bad.a.seed[0] ^= 1; // its Ed25519 signature is another's
    parties_seal(&bad);
    for (size_t at = 0; at < 10; at++) {
        for (size_t i = 0; i < 10; i++) {
            jobs[i] = i == at ? bad.respond : p.respond;
            jobs[i].initiator_ml_dsa_65 = ml_dsa_65[i];
        }
        sp_handshake_respond_batch(jobs, 10);
        for (size_t i = 0; i < 10; i++) {
            cr_assert_eq(jobs[i].result, i == at ? SP_HANDSHAKE_SIGNATURE : 0);
            cr_assert_eq(vector_is_zero(ml_dsa_65[i], SP_ML_DSA_PUBLIC_BYTES), i == at);
        }
    }
    parties_free(&bad);
}

Test(sp_handshake_respond_batch, wipes_the_secrets_it_shares)
{
    uint8_t dh3[1][32], spk[1][32];
    bool ok;
    begin(PARTIES_PQXDH | PARTIES_ONE_TIME);
    memcpy(spk[0], p.signed_prekey_secret, 32);
    cr_assert(sp_x25519_batch(dh3, (const uint8_t(*)[32])spk,
                              (const uint8_t(*)[32])(p.message + 12), 1, &ok));
    wiped_secret = dh3[0];
    parties_respond(&p);
    cr_assert_gt(wiped_times, 0);
    wiped_secret = NULL;
}

// ---- downgrades ---------------------------------------------------------------------------------

Test(sp_handshake_respond_batch, takes_no_other_suite_than_it_asked_for)
{
    begin(0);
    p.respond.suite = SP_SUITE_PQXDH;
    expect_refused(SP_HANDSHAKE_SUITE);
    begin(PARTIES_PQXDH);
    p.respond.suite = SP_SUITE_X3DH;
    expect_refused(SP_HANDSHAKE_SUITE);
    p.respond.suite = 0;
    expect_refused(SP_HANDSHAKE_SUITE);
}

Test(sp_handshake_respond_batch, speaks_with_its_own_kind_only)
{
    static struct parties hybrid;
    parties_random(&hybrid, PARTIES_HYBRID);
    begin(0);
    p.respond.identity = &hybrid.b;
    p.respond.initiator_ml_dsa_65 = p.initiator_ml_dsa_65;
    expect_refused(SP_HANDSHAKE_SUITE);
    begin(PARTIES_HYBRID);
    parties_free(&hybrid);
    parties_random(&hybrid, 0);
    p.respond.identity = &hybrid.b;
    p.respond.initiator_ml_dsa_65 = NULL;
    expect_refused(SP_HANDSHAKE_SUITE);
    parties_free(&hybrid);
}

Test(sp_handshake_respond_batch, refuses_flipped_flags)
{
    begin(PARTIES_PQXDH | PARTIES_HYBRID | PARTIES_ONE_TIME);
    p.message[1] ^= 1; // a one-time prekey's id without its flag
    expect_refused(SP_HANDSHAKE_MALFORMED);
    p.message[1] ^= 1 | 2; // no hybrid any more
    expect_refused(SP_HANDSHAKE_SUITE);
    p.message[1] ^= 2 | 4; // a ratchet
    expect_refused(SP_HANDSHAKE_IDENTITY);
    p.message[1] ^= 4;
    p.message[0] = SP_SUITE_X3DH;
    expect_refused(SP_HANDSHAKE_SUITE);
    p.message[0] = SP_SUITE_PQXDH;
    memset(p.message + 8, 0, 4);
    p.message[1] ^= 1; // no one-time prekey any more
    p.respond.one_time_prekey_secret = NULL;
    expect_refused(SP_HANDSHAKE_IDENTITY);
}

Test(sp_handshake_respond_batch, refuses_secrets_that_do_not_fit_the_message)
{
    begin(PARTIES_PQXDH | PARTIES_ONE_TIME);
    p.respond.signed_prekey_secret = NULL;
    expect_refused(SP_HANDSHAKE_PREKEY);
    p.respond.signed_prekey_secret = p.signed_prekey_secret;
    p.respond.one_time_prekey_secret = NULL;
    expect_refused(SP_HANDSHAKE_PREKEY);
    p.respond.one_time_prekey_secret = p.one_time_prekey_secret;
    p.respond.kem_key = NULL;
    expect_refused(SP_HANDSHAKE_PREKEY);
    begin(0);
    p.respond.one_time_prekey_secret = p.one_time_prekey_secret;
    expect_refused(SP_HANDSHAKE_PREKEY);
    p.respond.one_time_prekey_secret = NULL;
    cr_assert_eq(sp_ml_kem_key_init(&p.kem_key, p.kem_seed), 0);
    p.respond.kem_key = &p.kem_key;
    expect_refused(SP_HANDSHAKE_PREKEY);
}

// What sp_initial_open_batch has destroyed is no secret any more.
Test(sp_handshake_respond_batch, refuses_one_time_secrets_that_were_used)
{
    begin(PARTIES_PQXDH | PARTIES_ONE_TIME);
    sp_wipe(p.one_time_prekey_secret, sizeof(p.one_time_prekey_secret));
    expect_refused(SP_HANDSHAKE_PREKEY);
    begin(PARTIES_PQXDH);
    sp_ml_kem_key_free(&p.kem_key);
    expect_refused(SP_HANDSHAKE_PREKEY);
}

// ---- messages -----------------------------------------------------------------------------------

Test(sp_handshake_respond_batch, refuses_every_truncation)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        begin(kind);
        for (size_t len = 0; len < p.overhead_bytes; len++) {
            p.respond.len = len;
            expect_refused(SP_HANDSHAKE_MALFORMED);
        }
        p.respond.len = p.overhead_bytes; // a payload cut off is not the identity's business
        expect_agreement();
    }
}

// What a byte of the message comes to when it is flipped: nothing before the payload may be.
static int error_at(size_t i)
{
    return i == 0 || i == 1 || i == 2 || i == 3 ? SP_HANDSHAKE_MALFORMED : SP_HANDSHAKE_IDENTITY;
}

Test(sp_handshake_respond_batch, refuses_every_tampered_byte)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        begin(kind | PARTIES_ONE_TIME);
        for (size_t i = 0; i < p.message_len; i++) {
            p.message[i] ^= 0x20;
            if (i < p.overhead_bytes - SP_TAG_BYTES)
                expect_refused(error_at(i));
            p.message[i] ^= 0x20;
        }
        expect_agreement();
    }
}

Test(sp_handshake_respond_batch, refuses_other_secrets)
{
    uint8_t other[32] = {9};
    begin(PARTIES_PQXDH);
    p.respond.signed_prekey_secret = other;
    expect_refused(SP_HANDSHAKE_IDENTITY);
    p.respond.signed_prekey_secret = p.signed_prekey_secret;
    sp_ml_kem_key_free(&p.kem_key);
    p.kem_seed[0] ^= 1;
    cr_assert_eq(sp_ml_kem_key_init(&p.kem_key, p.kem_seed), 0);
    expect_refused(SP_HANDSHAKE_IDENTITY);
}

// A one-time prekey does not lead to the identity, but to the secret.
Test(sp_handshake_respond_batch, disagrees_about_another_one_time_prekey)
{
    begin(PARTIES_ONE_TIME);
    p.one_time_prekey_secret[5] ^= 1;
    parties_respond(&p);
    cr_assert_arr_eq(p.initiate.handshake.header_key, p.respond.handshake.header_key, 32);
    cr_assert_neq(memcmp(p.initiate.handshake.sk, p.respond.handshake.sk, 32), 0);
}

Test(sp_handshake_respond_batch, refuses_ephemeral_keys_of_small_order)
{
    begin(PARTIES_PQXDH);
    for (size_t i = 0; i < PARTIES_SMALL_ORDERS; i++) {
        memcpy(p.message + 12, parties_small_order[i], 32);
        expect_refused(SP_HANDSHAKE_POINT);
    }
}

Test(sp_handshake_respond_batch, refuses_initiators_outside_the_subgroup)
{
    begin(0);
    parties_leave_subgroup(p.a.ed25519);
    parties_seal(&p);
    expect_refused(SP_HANDSHAKE_POINT);
    memset(p.a.ed25519, 0, 32); // of order 4
    parties_seal(&p);
    expect_refused(SP_HANDSHAKE_POINT);
    begin(PARTIES_HYBRID);
    parties_leave_subgroup(p.a.ed25519);
    parties_seal(&p);
    expect_refused(SP_HANDSHAKE_POINT);
}

// ---- the transcript -----------------------------------------------------------------------------

enum { ED25519 = 0, ML_DSA_65 = 32, ED25519_SIGNATURE = 1984, ML_DSA_65_SIGNATURE = 2048 };
#define IDENTITY_BYTES 5357u

// Open the sealed identity of q's message, or seal it again: whoever makes a message knows its
// header key and can put anything there.
static void unseal(const struct parties *q, uint8_t identity[IDENTITY_BYTES])
{
    static const uint8_t nonce[SP_NONCE_BYTES];
    const size_t at = q->kind & PARTIES_PQXDH ? 1136 : 44;
    bool ok;
    const struct sp_aead_job job = {
        .raw_key = q->initiate.handshake.header_key,
        .nonce = nonce,
        .ad = q->message,
        .ad_len = at,
        .in = q->message + at,
        .out = identity,
        .len = IDENTITY_BYTES,
        .tag = (uint8_t *)(uintptr_t)(q->message + at + IDENTITY_BYTES),
    };
    cr_assert(sp_aead_open_batch(&job, 1, &ok));
}

static void reseal(struct parties *q, const uint8_t identity[IDENTITY_BYTES])
{
    static const uint8_t nonce[SP_NONCE_BYTES];
    const size_t at = q->kind & PARTIES_PQXDH ? 1136 : 44;
    const struct sp_aead_job job = {
        .raw_key = q->initiate.handshake.header_key,
        .nonce = nonce,
        .ad = q->message,
        .ad_len = at,
        .in = identity,
        .out = q->message + at,
        .len = IDENTITY_BYTES,
        .tag = q->message + at + IDENTITY_BYTES,
    };
    cr_assert_eq(sp_aead_seal_batch(&job, 1), 0);
}

Test(sp_handshake_respond_batch, refuses_either_bad_signature_of_the_transcript)
{
    static uint8_t identity[IDENTITY_BYTES];
    begin(PARTIES_HYBRID | PARTIES_PQXDH);
    unseal(&p, identity);
    reseal(&p, identity);
    expect_agreement();
    for (size_t i = ED25519_SIGNATURE; i < IDENTITY_BYTES; i += i < ML_DSA_65_SIGNATURE ? 1 : 61) {
        identity[i] ^= 0x02;
        reseal(&p, identity);
        expect_refused(SP_HANDSHAKE_SIGNATURE);
        identity[i] ^= 0x02;
    }
    for (size_t i = ML_DSA_65; i < ED25519_SIGNATURE; i += 61) {
        identity[i] ^= 0x02;
        reseal(&p, identity);
        expect_refused(SP_HANDSHAKE_SIGNATURE);
        identity[i] ^= 0x02;
    }
}

Test(sp_handshake_respond_batch, refuses_the_transcript_of_another_message)
{
    static uint8_t identity[IDENTITY_BYTES], earlier[IDENTITY_BYTES];
    begin(PARTIES_HYBRID | PARTIES_PQXDH);
    unseal(&p, earlier);
    parties_initiate(&p); // A again, to the same bundle
    parties_seal(&p);
    unseal(&p, identity);
    cr_assert_arr_eq(identity, earlier, ED25519_SIGNATURE);
    memcpy(identity + ED25519_SIGNATURE, earlier + ED25519_SIGNATURE, 64);
    reseal(&p, identity);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
    parties_seal(&p);
    unseal(&p, identity);
    memcpy(identity + ML_DSA_65_SIGNATURE, earlier + ML_DSA_65_SIGNATURE,
           SP_ML_DSA_SIGNATURE_BYTES);
    reseal(&p, identity);
    expect_refused(SP_HANDSHAKE_SIGNATURE);
}

// Clear parts can be alike: what is signed says between whom, too.
Test(sp_handshake_respond_batch, refuses_the_transcript_of_other_parties)
{
    uint8_t *const spoilt[] = {p.a_session.local_mailbox, p.a_session.remote_mailbox,
                               p.initiate.handshake.ad + 5, p.initiate.handshake.ad + 38};
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        begin(PARTIES_HYBRID);
        parties_init_session(&p, true);
        *spoilt[i] ^= 1;
        cr_assert_eq(parties_try_seal(&p, PARTIES_TEXT, PARTIES_TEXT_BYTES), 0);
        expect_refused(SP_HANDSHAKE_SIGNATURE);
    }
}

// Somebody who names A, or only one of A's keys, and signs with their own.
Test(sp_handshake_respond_batch, refuses_an_identity_that_was_exchanged)
{
    static struct parties mallory;
    static uint8_t identity[IDENTITY_BYTES];
    parties_random(&mallory, PARTIES_HYBRID);
    for (int key = 0; key < 2; key++) {
        begin(PARTIES_HYBRID);
        unseal(&p, identity);
        if (key == 0)
            memcpy(identity + ED25519, mallory.a.ed25519, 32);
        else
            memcpy(identity + ML_DSA_65, sp_ml_dsa_key_public(&mallory.a.ml_dsa),
                   SP_ML_DSA_PUBLIC_BYTES);
        reseal(&p, identity);
        expect_refused(SP_HANDSHAKE_SIGNATURE);
    }
    parties_free(&mallory);
}

// ---- the machine --------------------------------------------------------------------------------

Test(sp_handshake_respond_batch, reports_a_provider_that_fails)
{
    begin(PARTIES_PQXDH);
    hkdf_fails = true;
    expect_refused(-EIO);
    hkdf_fails = false;
    decapsulation_fails = true;
    expect_refused(-EIO);
    decapsulation_fails = false;
    expect_agreement();
}
