// The poisoning check's two parties: identities, prekeys, handshake, sessions and their messages,
// with every seed, private key, derived key and text poisoned. What a party sends, its ids
// included, is public from then on. One thread.
#include <string.h>

#include "poison.h"
#include "sealcrypto.h"

#define TEXT_BYTES 100u
#define MESSAGE_BYTES_MAX (TEXT_BYTES + SP_INITIAL_OVERHEAD_MAX_BYTES)

struct parties {
    struct sp_identity a, b;
    uint8_t signed_prekey_secret[32], one_time_prekey_secret[32], ephemeral_secret[32];
    uint8_t kem_seed[SP_ML_KEM_SEED_BYTES], kem_randomness[32];
    struct sp_ml_kem_key kem_key;
    struct sp_kem_prekey kem_prekey;
    struct sp_bundle bundle;
    struct sp_initiate_job initiate;
    struct sp_respond_job respond;
    struct sp_session a_session, b_session;
    uint8_t text[TEXT_BYTES], opened[TEXT_BYTES], message[MESSAGE_BYTES_MAX];
};

static void make_identity(struct sp_identity *identity)
{
    uint8_t seed[32];
    poison_fill(seed, sizeof(seed));
    poison_secret(seed, sizeof(seed));
    poison_check(sp_identity_init(identity, seed, NULL) == 0, "no identity");
    poison_public(identity->ed25519, sizeof(identity->ed25519));
    poison_public(identity->x25519, sizeof(identity->x25519));
}

static void make_prekey(uint8_t public_key[32], uint8_t secret[32])
{
    uint8_t in[1][32], out[1][32];
    poison_fill(secret, 32);
    poison_secret(secret, 32);
    memcpy(in[0], secret, 32);
    sp_x25519_base_batch(out, (const uint8_t(*)[32])in, 1);
    poison_public(out, sizeof(out));
    memcpy(public_key, out[0], 32);
}

static void sign(const struct sp_identity *signer, const uint8_t *message, size_t len,
                 uint8_t signature[64])
{
    const struct sp_ed25519_job job = {signer->ed25519, signer->seed, message, len, signature};
    sp_ed25519_sign_batch(&job, 1);
    poison_public(signature, 64);
}

static void make_kem_prekey(struct parties *p)
{
    uint8_t encoded[SP_ENCODED_KEM_KEY_BYTES];
    poison_fill(p->kem_seed, sizeof(p->kem_seed));
    poison_secret(p->kem_seed, sizeof(p->kem_seed));
    poison_check(sp_ml_kem_key_init(&p->kem_key, p->kem_seed) == 0, "no KEM key");
    p->kem_prekey.id = 9;
    poison_public(sp_ml_kem_key_public(&p->kem_key), SP_ML_KEM_PUBLIC_BYTES);
    memcpy(p->kem_prekey.key, sp_ml_kem_key_public(&p->kem_key), SP_ML_KEM_PUBLIC_BYTES);
    sp_encode_ml_kem(encoded, p->kem_prekey.key);
    sign(&p->b, encoded, sizeof(encoded), p->kem_prekey.signature);
    p->bundle.kem_prekey = &p->kem_prekey;
}

static void make_parties(struct parties *p, enum sp_suite suite)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    memset(p, 0, sizeof(*p));
    make_identity(&p->a);
    make_identity(&p->b);
    memcpy(p->bundle.identity_key, p->b.ed25519, 32);
    p->bundle.signed_prekey_id = 1;
    make_prekey(p->bundle.signed_prekey, p->signed_prekey_secret);
    sp_encode_x25519(encoded, p->bundle.signed_prekey);
    sign(&p->b, encoded, sizeof(encoded), p->bundle.signed_prekey_signature);
    p->bundle.has_one_time_prekey = true;
    p->bundle.one_time_prekey_id = 7;
    make_prekey(p->bundle.one_time_prekey, p->one_time_prekey_secret);
    if (suite == SP_SUITE_PQXDH)
        make_kem_prekey(p);
    poison_fill(p->ephemeral_secret, sizeof(p->ephemeral_secret));
    poison_secret(p->ephemeral_secret, sizeof(p->ephemeral_secret));
    poison_fill(p->kem_randomness, sizeof(p->kem_randomness));
    poison_secret(p->kem_randomness, sizeof(p->kem_randomness));
}

static void begin_session(struct sp_session *s, const struct sp_handshake *handshake,
                          const struct parties *p, bool initiator, enum sp_session_mode mode)
{
    const struct sp_identity_key a = sp_identity_public(&p->a), b = sp_identity_public(&p->b);
    struct sp_session_init_job job = {
        .session = s,
        .handshake = handshake,
        .initiator = initiator,
        .local = initiator ? a : b,
        .remote = initiator ? b : a,
        .mode = mode,
        .skipped_max = 10,
    };
    sp_session_init_batch(&job, 1);
    poison_check(job.result == 0, "no session");
    poison_public(s->sending.id, sizeof(s->sending.id));
    poison_public(s->receiving.id, sizeof(s->receiving.id));
    poison_public(s->receiving.next_id, sizeof(s->receiving.next_id));
}

static void check_text(struct parties *p)
{
    poison_public(p->opened, sizeof(p->opened));
    poison_public(p->text, sizeof(p->text));
    poison_check(memcmp(p->opened, p->text, sizeof(p->text)) == 0, "another text");
    memset(p->opened, 0, sizeof(p->opened));
    poison_secret(p->text, sizeof(p->text));
}

// The handshake with the initial message.
static void shake_hands(struct parties *p, enum sp_suite suite, enum sp_session_mode mode)
{
    p->initiate = (struct sp_initiate_job){
        .identity = &p->a,
        .bundle = &p->bundle,
        .suite = suite,
        .ephemeral_secret = p->ephemeral_secret,
        .kem_randomness = p->kem_randomness,
    };
    sp_handshake_initiate_batch(&p->initiate, 1);
    poison_check(p->initiate.result == 0, "not initiated");
    poison_public(p->initiate.ephemeral_public, sizeof(p->initiate.ephemeral_public));
    poison_public(p->initiate.kem_ciphertext, sizeof(p->initiate.kem_ciphertext));
    begin_session(&p->a_session, &p->initiate.handshake, p, true, mode);

    const size_t len = TEXT_BYTES + sp_initial_overhead_bytes(suite, false);
    struct sp_initial_seal_job seal = {&p->a_session, &p->initiate, p->text,
                                       TEXT_BYTES,    p->message,   -1};
    sp_initial_seal_batch(&seal, 1);
    poison_check(seal.result == 0, "not sealed");
    poison_public(p->message, len);

    p->respond = (struct sp_respond_job){
        .identity = &p->b,
        .suite = suite,
        .message = p->message,
        .len = len,
        .signed_prekey_secret = p->signed_prekey_secret,
        .one_time_prekey_secret = p->one_time_prekey_secret,
        .kem_key = suite == SP_SUITE_PQXDH ? &p->kem_key : NULL,
    };
    sp_handshake_respond_batch(&p->respond, 1);
    poison_check(p->respond.result == 0, "not responded");
    begin_session(&p->b_session, &p->respond.handshake, p, false, mode);
    struct sp_initial_open_job open = {
        .session = &p->b_session, .in = p->message, .len = len, .out = p->opened};
    sp_initial_open_batch(&open, 1);
    poison_check(open.result == 0, "not opened");
    check_text(p);
}

static void send_text(struct parties *p, struct sp_session *from, struct sp_session *to)
{
    const size_t len = TEXT_BYTES + SP_SESSION_OVERHEAD_BYTES;
    struct sp_session_job seal = {
        .session = from, .in = p->text, .len = TEXT_BYTES, .out = p->message};
    sp_session_seal_batch(&seal, 1);
    poison_check(seal.result == 0, "not sealed");
    poison_public(p->message, len);
    if (to == NULL)
        return;
    struct sp_session_job open = {.session = to, .in = p->message, .len = len, .out = p->opened};
    sp_session_open_batch(&open, 1);
    poison_check(open.result == 0, "not opened");
    check_text(p);
}

static void rekey(struct parties *p)
{
    poison_check(sp_session_rekey(&p->a_session) == 0, "no epoch");
    poison_public(p->a_session.sending.id, sizeof(p->a_session.sending.id));
    send_text(p, &p->a_session, &p->b_session);
    poison_public(p->b_session.receiving.id, sizeof(p->b_session.receiving.id));
    poison_public(p->b_session.receiving.next_id, sizeof(p->b_session.receiving.next_id));
}

static void converse(enum sp_suite suite, enum sp_session_mode mode)
{
    static struct parties p;
    make_parties(&p, suite);
    poison_fill(p.text, sizeof(p.text));
    poison_secret(p.text, sizeof(p.text));
    shake_hands(&p, suite, mode);
    send_text(&p, &p.a_session, &p.b_session);
    send_text(&p, &p.b_session, &p.a_session);
    send_text(&p, &p.a_session, NULL); // lost, or late: the ratchet goes past it
    send_text(&p, &p.a_session, &p.b_session);
    if (mode == SP_SESSION_COUNTER)
        rekey(&p);
    p.message[30] ^= 1; // forged, and of a counter that has been
    struct sp_session_job forged = {.session = &p.b_session,
                                    .in = p.message,
                                    .len = TEXT_BYTES + SP_SESSION_OVERHEAD_BYTES,
                                    .out = p.opened};
    sp_session_open_batch(&forged, 1);
    poison_check(forged.result != 0, "a forged message was opened");
    sp_session_free(&p.a_session);
    sp_session_free(&p.b_session);
    sp_ml_kem_key_free(&p.kem_key);
    sp_identity_free(&p.a);
    sp_identity_free(&p.b);
}

void poison_x3dh(void)
{
    converse(SP_SUITE_X3DH, SP_SESSION_COUNTER);
}

void poison_x3dh_ratchet(void)
{
    converse(SP_SUITE_X3DH, SP_SESSION_RATCHET);
}

void poison_pqxdh(void)
{
    converse(SP_SUITE_PQXDH, SP_SESSION_COUNTER);
}
