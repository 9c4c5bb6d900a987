// The initial message, which goes with one X3DH handshake. The thread that owns the session. Pure
// but for the header key, whose prepared form is allocated for the time of a call.
//
//       0        1        2                 4                          8
//      +--------+--------+-----------------+--------------------------+
//      | suite  | flags  | 0 (2)           | signed prekey id (u32)   |
//      +--------+--------+-----------------+--------------------------+  8
//      | one-time prekey id (u32, or 0)    | EK_A (32) …              |
//      +-----------------------------------+--------------------------+ 44
//      | sealed IK_A (32) ‖ tag (16)                                  |
//      +--------------------------------------------------------------+ 92
//      | sealed bytes … ‖ tag (16)
//
// Source: docs/PROTOCOL.md section 6.
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "internal.h"

#define SUITE 1u
#define FLAG_ONE_TIME_PREKEY 0x01u
#define IDENTITY_AT 44u
#define PAYLOAD_AT 92u

static void put_u32(uint8_t out[4], uint32_t value)
{
    for (int i = 3; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

static uint32_t get_u32(const uint8_t in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static const uint8_t zero_nonce[SP_NONCE_BYTES]; // counter 0, of either key

// Associated data of the payload: all that stands before it, then that of a message.
static void encode_payload_ad(uint8_t ad[PAYLOAD_AT + SP_AD_BYTES], const uint8_t *message,
                              const uint8_t sender[SP_MAILBOX_BYTES],
                              const uint8_t recipient[SP_MAILBOX_BYTES])
{
    memcpy(ad, message, PAYLOAD_AT);
    sp_ad_encode(ad + PAYLOAD_AT, sender, recipient, SP_KIND_INITIAL, 0);
}

static void encode_header(uint8_t out[IDENTITY_AT], const struct sp_x3dh_initiate_job *handshake)
{
    const struct sp_bundle *bundle = handshake->bundle;
    out[0] = SUITE;
    out[1] = bundle->has_one_time_prekey ? FLAG_ONE_TIME_PREKEY : 0;
    out[2] = out[3] = 0;
    put_u32(out + 4, bundle->signed_prekey_id);
    put_u32(out + 8, bundle->has_one_time_prekey ? bundle->one_time_prekey_id : 0);
    memcpy(out + 12, handshake->ephemeral_public, 32);
}

static int seal_identity(uint8_t *message, const struct sp_x3dh_initiate_job *handshake)
{
    struct sp_aead_key key;
    int error = sp_aead_key_init(&key, handshake->result.header_key);
    if (error != 0)
        return error;
    const struct sp_aead_job job = {
        .key = &key,
        .nonce = zero_nonce,
        .ad = message,
        .ad_len = IDENTITY_AT,
        .in = handshake->identity_key,
        .out = message + IDENTITY_AT,
        .len = 32,
        .tag = message + IDENTITY_AT + 32,
    };
    error = sp_aead_seal_batch(&job, 1);
    sp_aead_key_free(&key);
    return error;
}

int sp_initial_seal(uint8_t *out, struct sp_session *s,
                    const struct sp_x3dh_initiate_job *handshake, const uint8_t *in, size_t len)
{
    assert(s->initiator && len <= INT_MAX);
    uint8_t ad[PAYLOAD_AT + SP_AD_BYTES];
    int error = -EINVAL;
    if (s->send_counter != 0)
        goto cleanup;
    encode_header(out, handshake);
    error = seal_identity(out, handshake);
    if (error != 0)
        goto cleanup;

    encode_payload_ad(ad, out, s->local_mailbox, s->remote_mailbox);
    const struct sp_aead_job job = {
        .key = &s->send_key,
        .nonce = zero_nonce,
        .ad = ad,
        .ad_len = sizeof(ad),
        .in = in,
        .out = out + PAYLOAD_AT,
        .len = len,
        .tag = out + PAYLOAD_AT + len,
    };
    s->send_counter = 1; // spent, whatever becomes of the message
    error = sp_aead_seal_batch(&job, 1);

cleanup:
    if (error != 0)
        memset(out, 0, len + SP_INITIAL_OVERHEAD_BYTES);
    return error;
}

int sp_initial_decode(struct sp_initial_header *out, const uint8_t *in, size_t len)
{
    memset(out, 0, sizeof(*out));
    if (len < SP_INITIAL_OVERHEAD_BYTES)
        return SP_SESSION_TRUNCATED;
    const bool one_time = in[1] == FLAG_ONE_TIME_PREKEY;
    if (in[0] != SUITE || (in[1] & ~FLAG_ONE_TIME_PREKEY) != 0 || in[2] != 0 || in[3] != 0)
        return SP_SESSION_FORGED;
    if (one_time != (get_u32(in + 8) != 0))
        return SP_SESSION_FORGED;
    out->signed_prekey_id = get_u32(in + 4);
    out->one_time_prekey_id = get_u32(in + 8);
    memcpy(out->ephemeral_public, in + 12, 32);
    return 0;
}

bool sp_initial_open_identity(uint8_t identity_key[32], const uint8_t header_key[32],
                              const uint8_t *in, size_t len)
{
    struct sp_initial_header header;
    struct sp_aead_key key;
    bool ok;
    memset(identity_key, 0, 32);
    if (sp_initial_decode(&header, in, len) != 0 || sp_aead_key_init(&key, header_key) != 0)
        return false;
    const struct sp_aead_job job = {
        .key = &key,
        .nonce = zero_nonce,
        .ad = in,
        .ad_len = IDENTITY_AT,
        .in = in + IDENTITY_AT,
        .out = identity_key,
        .len = 32,
        .tag = (uint8_t *)(uintptr_t)(in + IDENTITY_AT + 32), // only read
    };
    (void)!sp_aead_open_batch(&job, 1, &ok);
    sp_aead_key_free(&key);
    return ok;
}

// What can be told without opening.
static int check(const struct sp_session *s, const uint8_t *in, size_t len)
{
    struct sp_initial_header header;
    const int error = sp_initial_decode(&header, in, len);
    if (error != 0)
        return error;
    return sp_window_accepts(s, 0) ? 0 : SP_SESSION_REPLAY;
}

int sp_initial_open(uint8_t *out, struct sp_session *s, const uint8_t *in, size_t len)
{
    uint8_t ad[PAYLOAD_AT + SP_AD_BYTES];
    bool ok;
    int error = check(s, in, len);
    if (error != 0)
        goto cleanup;
    encode_payload_ad(ad, in, s->remote_mailbox, s->local_mailbox);
    assert(len - SP_INITIAL_OVERHEAD_BYTES <= INT_MAX);
    const struct sp_aead_job job = {
        .key = &s->receive_key,
        .nonce = zero_nonce,
        .ad = ad,
        .ad_len = sizeof(ad),
        .in = in + PAYLOAD_AT,
        .out = out,
        .len = len - SP_INITIAL_OVERHEAD_BYTES,
        .tag = (uint8_t *)(uintptr_t)(in + len - SP_TAG_BYTES), // only read
    };
    if (sp_aead_open_batch(&job, 1, &ok))
        sp_window_mark(s, 0);
    else
        error = SP_SESSION_FORGED;

cleanup:
    if (error != 0 && len > SP_INITIAL_OVERHEAD_BYTES)
        memset(out, 0, len - SP_INITIAL_OVERHEAD_BYTES);
    return error;
}
