// Drives sp_initial_decode, sp_handshake_respond_batch and sp_initial_open_batch with the
// responder's fixed keys, in every suite, kind of identity and mode. Property: nothing is taken but
// the one message that was sealed for them, and what is not taken leaves zeroed outputs and the
// one-time secrets as they were.
//
// The first byte of the input chooses: bits 0 … 3 the kind; bit 4 clear, the rest is a message;
// set, the rest is an edit of the genuine message of that kind (triples: offset u16, XOR), so that
// inputs get past the length and the header.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sealcrypto.h"

#define KIND_ONE_TIME 0x01u
#define KIND_PQXDH 0x02u
#define KIND_HYBRID 0x04u
#define KIND_RATCHET 0x08u
#define KINDS 16u
#define KIND_EDIT 0x10u

#define TEXT_BYTES 24u
#define MESSAGE_BYTES_MAX (TEXT_BYTES + SP_INITIAL_OVERHEAD_MAX_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const uint8_t signed_prekey_secret[1][32] = {{4}}, one_time_secret[1][32] = {{5}};
static struct sp_identity identity_a[2], identity_b[2]; // Ed25519 alone, hybrid
static struct sp_ml_kem_key kem_key;
static struct {
    uint8_t message[MESSAGE_BYTES_MAX];
    size_t len;
} genuine[KINDS];

static enum sp_suite suite_of(unsigned kind)
{
    return kind & KIND_PQXDH ? SP_SUITE_PQXDH : SP_SUITE_X3DH;
}

static void sign(const struct sp_identity *b, const uint8_t *message, size_t len, uint8_t *ed25519,
                 uint8_t *ml_dsa)
{
    const struct sp_ed25519_job job = {b->ed25519, b->seed, message, len, ed25519};
    const struct sp_ml_dsa_job pq = {&b->ml_dsa, NULL, message, len, ml_dsa};
    sp_ed25519_sign_batch(&job, 1);
    const int error = b->ml_dsa.state == NULL ? 0 : sp_ml_dsa_sign_batch(&pq, 1);
    assert(error == 0);
}

// B's bundle of this kind.
static void make_bundle(struct sp_bundle_storage *out, unsigned kind)
{
    const struct sp_identity *b = &identity_b[kind & KIND_HYBRID ? 1 : 0];
    uint8_t encoded[SP_ENCODED_KEM_KEY_BYTES];
    struct sp_bundle *bundle = &out->bundle;
    memset(out, 0, sizeof(*out));
    memcpy(bundle->identity_key, b->ed25519, 32);
    bundle->signed_prekey_id = 1;
    sp_x25519_base_batch(&bundle->signed_prekey, signed_prekey_secret, 1);
    bundle->has_one_time_prekey = (kind & KIND_ONE_TIME) != 0;
    bundle->one_time_prekey_id = kind & KIND_ONE_TIME ? 2 : 0;
    sp_x25519_base_batch(&bundle->one_time_prekey, one_time_secret, 1);
    bundle->kem_prekey = kind & KIND_PQXDH ? &out->kem_prekey : NULL;
    out->kem_prekey.id = 3;
    memcpy(out->kem_prekey.key, sp_ml_kem_key_public(&kem_key), SP_ML_KEM_PUBLIC_BYTES);
    sp_encode_x25519(encoded, bundle->signed_prekey);
    sign(b, encoded, SP_ENCODED_KEY_BYTES, bundle->signed_prekey_signature,
         out->ml_dsa.signed_prekey_signature);
    sp_encode_ml_kem(encoded, out->kem_prekey.key);
    sign(b, encoded, SP_ENCODED_KEM_KEY_BYTES, out->kem_prekey.signature,
         out->ml_dsa.kem_prekey_signature);
    if ((kind & KIND_HYBRID) == 0)
        return;
    bundle->ml_dsa = &out->ml_dsa;
    memcpy(out->ml_dsa.key, sp_ml_dsa_key_public(&b->ml_dsa), SP_ML_DSA_PUBLIC_BYTES);
}

static void open_session(struct sp_session *out, const struct sp_handshake *handshake,
                         unsigned kind, bool initiator)
{
    const struct sp_identity *a = &identity_a[kind & KIND_HYBRID ? 1 : 0];
    const struct sp_identity *b = &identity_b[kind & KIND_HYBRID ? 1 : 0];
    struct sp_session_init_job job = {
        .session = out,
        .handshake = handshake,
        .initiator = initiator,
        .local = sp_identity_public(initiator ? a : b),
        .remote = sp_identity_public(initiator ? b : a),
        .mode = kind & KIND_RATCHET ? SP_SESSION_RATCHET : SP_SESSION_COUNTER,
        .skipped_max = 1,
    };
    sp_session_init_batch(&job, 1);
    assert(job.result == 0);
}

static void make_genuine(unsigned kind)
{
    static const uint8_t ephemeral[32] = {3}, randomness[32] = {6};
    static struct sp_bundle_storage storage;
    struct sp_session session;
    make_bundle(&storage, kind);
    struct sp_initiate_job a = {
        .identity = &identity_a[kind & KIND_HYBRID ? 1 : 0],
        .bundle = &storage.bundle,
        .suite = suite_of(kind),
        .ephemeral_secret = ephemeral,
        .kem_randomness = randomness,
    };
    sp_handshake_initiate_batch(&a, 1);
    assert(a.result == 0);
    open_session(&session, &a.handshake, kind, true);
    genuine[kind].len =
        TEXT_BYTES + sp_initial_overhead_bytes(suite_of(kind), (kind & KIND_HYBRID) != 0);
    struct sp_initial_seal_job job = {
        .session = &session,
        .handshake = &a,
        .in = (const uint8_t *)"the only genuine message",
        .len = TEXT_BYTES,
        .out = genuine[kind].message,
    };
    sp_initial_seal_batch(&job, 1);
    assert(job.result == 0);
    sp_session_free(&session);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const uint8_t seed_a[32] = {1}, seed_b[32] = {2}, kem_seed[64] = {7};
    int error = sp_init();
    for (size_t i = 0; i < 2; i++) {
        error |= sp_identity_init(&identity_a[i], seed_a, i == 0 ? NULL : seed_a);
        error |= sp_identity_init(&identity_b[i], seed_b, i == 0 ? NULL : seed_b);
    }
    error |= sp_ml_kem_key_init(&kem_key, kem_seed);
    assert(error == 0);
    for (unsigned kind = 0; kind < KINDS; kind++)
        make_genuine(kind);
    return 0;
}

static bool is_zero(const void *bytes, size_t len)
{
    uint8_t all = 0;
    for (size_t i = 0; i < len; i++)
        all |= ((const uint8_t *)bytes)[i];
    return all == 0;
}

static void check_open(const struct sp_handshake *handshake, unsigned kind, const uint8_t *message,
                       size_t len, size_t overhead_bytes)
{
    const bool is_genuine =
        len == genuine[kind].len && memcmp(message, genuine[kind].message, len) == 0;
    struct sp_session session;
    uint8_t secret[32], *out = malloc(len - overhead_bytes + 1);
    assert(out != NULL);
    memset(out, 0xAA, len - overhead_bytes);
    memcpy(secret, one_time_secret[0], 32);
    open_session(&session, handshake, kind, false);
    struct sp_initial_open_job job = {
        .session = &session,
        .in = message,
        .len = len,
        .out = out,
        .one_time_prekey_secret = secret,
    };
    sp_initial_open_batch(&job, 1);
    assert(job.result == (is_genuine ? 0 : SP_SESSION_FORGED));
    assert(is_genuine || is_zero(out, len - overhead_bytes));
    assert(is_zero(secret, 32) == is_genuine);
    sp_session_free(&session);
    free(out);
}

// The identity hangs on everything before the payload, and on nothing else.
static bool has_genuine_front(unsigned kind, const uint8_t *message, size_t len)
{
    const size_t front = genuine[kind].len - TEXT_BYTES - SP_TAG_BYTES;
    return len >= front + SP_TAG_BYTES && memcmp(message, genuine[kind].message, front) == 0;
}

static void check(unsigned kind, const uint8_t *message, size_t len)
{
    static uint8_t ml_dsa_65[SP_ML_DSA_PUBLIC_BYTES];
    struct sp_initial_header header;
    if (sp_initial_decode(&header, message, len) != 0)
        assert(is_zero(&header, sizeof(header)));
    else
        assert(len >= header.overhead_bytes && header.signed_prekey_id != 0);
    const bool is_hybrid = (kind & KIND_HYBRID) != 0;
    struct sp_respond_job job = {
        .identity = &identity_b[is_hybrid ? 1 : 0],
        .suite = suite_of(kind),
        .message = message,
        .len = len,
        .signed_prekey_secret = signed_prekey_secret[0],
        .one_time_prekey_secret = kind & KIND_ONE_TIME ? one_time_secret[0] : NULL,
        .kem_key = kind & KIND_PQXDH ? &kem_key : NULL,
        .initiator_ml_dsa_65 = is_hybrid ? ml_dsa_65 : NULL,
    };
    memset(ml_dsa_65, is_hybrid ? 0xAA : 0, sizeof(ml_dsa_65));
    sp_handshake_respond_batch(&job, 1);
    assert((job.result == 0) == has_genuine_front(kind, message, len));
    if (job.result == 0) {
        assert(memcmp(job.initiator_ed25519, identity_a[0].ed25519, 32) == 0);
        check_open(&job.handshake, kind, message, len, header.overhead_bytes);
    } else {
        assert(job.result <= SP_HANDSHAKE_SUITE && job.result >= SP_HANDSHAKE_IDENTITY);
        assert(is_zero(job.initiator_ed25519, 32) && is_zero(ml_dsa_65, sizeof(ml_dsa_65)));
        assert(is_zero(&job.handshake, sizeof(job.handshake)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t edited[MESSAGE_BYTES_MAX];
    if (size == 0)
        return 0;
    const unsigned kind = data[0] % KINDS;
    if ((data[0] & KIND_EDIT) == 0) {
        check(kind, data + 1, size - 1);
        return 0;
    }
    memcpy(edited, genuine[kind].message, genuine[kind].len);
    for (size_t i = 1; i + 2 < size; i += 3)
        edited[((size_t)data[i] << 8 | data[i + 1]) % genuine[kind].len] ^= data[i + 2];
    check(kind, edited, genuine[kind].len);
    return 0;
}
