// Signatures by identities: gathered, then one batch of each kind. Any thread. Public data only.
#include <assert.h>

#include "signatures.h"

// The job types serve signing, too, which writes there; verifying only reads.
static uint8_t *only_read(const uint8_t *signature)
{
    return (uint8_t *)(uintptr_t)signature;
}

void sp_signatures_add(struct sp_signatures *s, struct sp_identity_key signer,
                       const uint8_t *message, size_t message_len,
                       const uint8_t ed25519_signature[SP_SIGNATURE_BYTES],
                       const uint8_t *ml_dsa_signature, int *result)
{
    assert(s->ed25519_count < SP_SIGNATURES_MAX);
    s->ed25519_result[s->ed25519_count] = result;
    s->ed25519[s->ed25519_count++] = (struct sp_ed25519_job){
        .public_key = signer.ed25519,
        .message = message,
        .message_len = message_len,
        .signature = only_read(ed25519_signature),
    };
    if (signer.ml_dsa_65 == NULL)
        return;
    s->ml_dsa_result[s->ml_dsa_count] = result;
    s->ml_dsa[s->ml_dsa_count++] = (struct sp_ml_dsa_job){
        .public_key = signer.ml_dsa_65,
        .message = message,
        .message_len = message_len,
        .signature = only_read(ml_dsa_signature),
    };
}

static void settle(int *const *result, const bool *ok, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!ok[i])
            *result[i] = SP_HANDSHAKE_SIGNATURE;
    }
}

void sp_signatures_verify(struct sp_signatures *s)
{
    bool ok[SP_SIGNATURES_MAX];
    (void)!sp_ed25519_verify_batch(s->ed25519, s->ed25519_count, ok);
    settle(s->ed25519_result, ok, s->ed25519_count);
    (void)!sp_ml_dsa_verify_batch(s->ml_dsa, s->ml_dsa_count, ok);
    settle(s->ml_dsa_result, ok, s->ml_dsa_count);
}
