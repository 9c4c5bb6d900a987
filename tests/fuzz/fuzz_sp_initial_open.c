// Drives sp_initial_decode, sp_initial_open_identity and sp_initial_open with the responder's fixed
// keys. Property: nothing opens but the one message that was sealed for them, and what does not
// open leaves zeroed outputs.
//
// The first byte of the input chooses: even, the rest is a message; odd, the rest is an edit of the
// genuine message (pairs of offset and XOR), so that inputs get past the length and the header.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sealcrypto.h"

#define TEXT_BYTES 24u
#define GENUINE_BYTES (TEXT_BYTES + SP_INITIAL_OVERHEAD_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static uint8_t genuine[GENUINE_BYTES], identity_a[32], header_key[32];
static struct sp_session responder;

static void sign(const uint8_t public_key[32], const uint8_t seed[32], struct sp_bundle *bundle)
{
    uint8_t encoded[SP_ENCODED_KEY_BYTES];
    sp_encode_x25519(encoded, bundle->signed_prekey);
    const struct sp_ed25519_job job = {
        .public_key = public_key,
        .seed = seed,
        .message = encoded,
        .message_len = sizeof(encoded),
        .signature = bundle->signed_prekey_signature,
    };
    sp_ed25519_sign_batch(&job, 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const uint8_t seed_a[32] = {1}, seed_b[32] = {2}, ephemeral[32] = {3};
    static const uint8_t prekey_secret[1][32] = {{4}};
    static const uint8_t text[TEXT_BYTES] = "the only genuine message";
    struct sp_bundle bundle = {.signed_prekey_id = 1};
    struct sp_session initiator;
    bool ok;

    int error = sp_init();
    assert(error == 0);
    sp_ed25519_public(identity_a, seed_a);
    sp_ed25519_public(bundle.identity_key, seed_b);
    sp_x25519_base_batch(&bundle.signed_prekey, prekey_secret, 1);
    sign(bundle.identity_key, seed_b, &bundle);

    struct sp_x3dh_initiate_job a = {
        .identity_seed = seed_a,
        .identity_key = identity_a,
        .bundle = &bundle,
        .ephemeral_secret = ephemeral,
    };
    ok = sp_x3dh_initiate_batch(&a, 1, &ok);
    assert(ok);
    struct sp_x3dh_respond_job b = {
        .identity_seed = seed_b,
        .identity_key = bundle.identity_key,
        .signed_prekey_secret = prekey_secret[0],
        .initiator_identity_key = identity_a,
        .ephemeral_public = a.ephemeral_public,
    };
    ok = sp_x3dh_respond_batch(&b, 1, &ok);
    assert(ok);
    error = sp_session_init(&initiator, &a.result, true, identity_a, bundle.identity_key);
    assert(error == 0);
    error = sp_session_init(&responder, &b.result, false, bundle.identity_key, identity_a);
    assert(error == 0);
    error = sp_initial_seal(genuine, &initiator, &a, text, TEXT_BYTES);
    assert(error == 0);
    memcpy(header_key, a.result.header_key, sizeof(header_key));
    sp_session_free(&initiator);
    return 0;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t all = 0;
    for (size_t i = 0; i < len; i++)
        all |= bytes[i];
    return all == 0;
}

static void check(const uint8_t *message, size_t len)
{
    const bool is_genuine = len == GENUINE_BYTES && memcmp(message, genuine, GENUINE_BYTES) == 0;
    const size_t out_len = len < SP_INITIAL_OVERHEAD_BYTES ? 0 : len - SP_INITIAL_OVERHEAD_BYTES;
    struct sp_initial_header header;
    uint8_t identity[32];
    uint8_t *out = malloc(out_len + 1);
    assert(out != NULL);
    memset(out, 0xAA, out_len);

    if (sp_initial_decode(&header, message, len) != 0)
        assert(is_zero(header.ephemeral_public, sizeof(header.ephemeral_public)));
    // The identity hangs on the first 92 bytes only.
    if (sp_initial_open_identity(identity, header_key, message, len))
        assert(memcmp(message, genuine, 92) == 0 && memcmp(identity, identity_a, 32) == 0);
    else
        assert(is_zero(identity, sizeof(identity)));

    memset(responder.window, 0, sizeof(responder.window)); // or the genuine one opened once only
    const int result = sp_initial_open(out, &responder, message, len);
    assert((result == 0) == is_genuine);
    assert(result == 0 || is_zero(out, out_len));
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t edited[GENUINE_BYTES];
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        check(data + 1, size - 1);
        return 0;
    }
    memcpy(edited, genuine, sizeof(edited));
    for (size_t i = 1; i + 1 < size; i += 2)
        edited[data[i] % GENUINE_BYTES] ^= data[i + 1];
    check(edited, sizeof(edited));
    return 0;
}
