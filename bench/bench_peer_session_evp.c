// Session messages by OpenSSL, one at a time, framed as docs/PROTOCOL.md section 6 has them. At its
// best: a context for each session in counter mode, one for all message keys of ratchets, and one
// MAC context that keeps its digest. Opening checks session id and counter, and keeps no replay
// window, which favours it. Main thread only.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "bench_hkdf.h"
#include "bench_session.h"

#define HEADER_BYTES 16u
#define AD_BYTES 41u
#define LABEL_BYTES 19u
#define KEYS_BYTES 72u // key, what leads to the answer, session id: where every mode begins

struct session {
    EVP_CIPHER_CTX *cipher; // counter mode
    uint8_t chain[32];      // ratchet
    uint64_t counter;       // next
    uint8_t id[SP_SESSION_ID_BYTES];
};

struct evp {
    struct session *sessions; // one for each slot
    uint8_t initiator[SP_MAILBOX_BYTES], responder[SP_MAILBOX_BYTES];
    EVP_CIPHER_CTX *message_cipher; // ratchet
    EVP_MAC_CTX *mac;
};

// What of a message goes into the cipher beside its text.
struct parts {
    uint8_t nonce[SP_NONCE_BYTES];
    uint8_t ad[AD_BYTES];
};

static void put_u64(uint8_t out[8], uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(out, &value, sizeof value);
}

static EVP_CIPHER_CTX *make_cipher(const uint8_t key[SP_KEY_BYTES], bool sealing)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    BENCH_MICRO_NEED(EVP_CipherInit_ex2(ctx, EVP_aes_256_gcm(), key, NULL, sealing, NULL) == 1);
    return ctx;
}

static EVP_MAC_CTX *make_mac(void)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};

    EVP_MAC_free(hmac);
    BENCH_MICRO_NEED(EVP_MAC_CTX_set_params(mac, params) == 1);
    return mac;
}

static bool mac_one(EVP_MAC_CTX *mac, const uint8_t *key, uint8_t input, uint8_t out[32])
{
    size_t len;

    return EVP_MAC_init(mac, key, key ? 32 : 0, NULL) == 1 && EVP_MAC_update(mac, &input, 1) == 1 &&
           EVP_MAC_final(mac, out, &len, 32) == 1;
}

// The second MAC is under the same key, which the context still has.
static bool step(EVP_MAC_CTX *mac, const uint8_t chain[32], uint8_t message_key[32],
                 uint8_t next[32])
{
    return mac_one(mac, chain, 1, message_key) && mac_one(mac, NULL, 2, next);
}

// The initiator's direction, from the handshake. Counter 0 is the initial message's.
static void start_session(const struct bench_session_cell *c, struct evp *e, EVP_KDF_CTX *kdf,
                          unsigned slot)
{
    const struct sp_handshake *handshake = &c->handshakes[slot];
    const bool ratchet = bench_session_is_ratchet(c), sealing = bench_session_is_sealing(c);
    uint8_t info[LABEL_BYTES + SP_HANDSHAKE_AD_BYTES], keys[104];
    struct session *s = &e->sessions[slot];
    const struct sp_hkdf_job job = {.ikm = handshake->sk,
                                    .ikm_len = sizeof handshake->sk,
                                    .info = info,
                                    .info_len = LABEL_BYTES + handshake->ad_len,
                                    .out = keys,
                                    .out_len = ratchet ? KEYS_BYTES : sizeof keys};

    memcpy(info, ratchet ? "sealpost.v1 ratchet" : "sealpost.v1 session", LABEL_BYTES);
    memcpy(info + LABEL_BYTES, handshake->ad, handshake->ad_len);
    BENCH_MICRO_NEED(bench_hkdf_evp(kdf, &job));
    memcpy(s->id, keys + 64, sizeof s->id);
    memcpy(s->chain, keys, sizeof s->chain);
    s->counter = sealing ? 1 : 2;
    if (!ratchet)
        s->cipher = make_cipher(keys, sealing);
    for (uint64_t n = 0; ratchet && n < s->counter; n++) {
        uint8_t message_key[32], next[32];

        BENCH_MICRO_NEED(step(e->mac, s->chain, message_key, next));
        memcpy(s->chain, next, sizeof next);
    }
}

static struct bench_micro_cell *prepare(const struct bench_micro_point *p)
{
    static const uint8_t no_key[SP_KEY_BYTES];
    struct bench_session_cell *c = bench_session_create(p);
    struct evp *e = bench_micro_alloc(1, sizeof *e);
    EVP_KDF_CTX *kdf = bench_hkdf_evp_create();

    e->mac = make_mac();
    e->message_cipher = make_cipher(no_key, bench_session_is_sealing(c));
    e->sessions = bench_micro_alloc(p->slots, sizeof *e->sessions);
    sp_mailbox_id(e->initiator, &(struct sp_identity_key){c->initiator, NULL});
    sp_mailbox_id(e->responder, &(struct sp_identity_key){c->responder, NULL});
    for (unsigned i = 0; i < p->slots; i++)
        start_session(c, e, kdf, i);
    EVP_KDF_CTX_free(kdf);
    c->own = e;
    return &c->cell;
}

static void finish(struct bench_micro_cell *cell)
{
    struct bench_session_cell *c = bench_session_of(cell);
    struct evp *e = c->own;

    for (unsigned i = 0; i < c->point.slots; i++)
        EVP_CIPHER_CTX_free(e->sessions[i].cipher);
    EVP_CIPHER_CTX_free(e->message_cipher);
    EVP_MAC_CTX_free(e->mac);
    free(e->sessions);
    free(e);
    bench_session_destroy(c);
}

static void make_parts(struct parts *parts, const struct evp *e, uint64_t counter)
{
    memset(parts->nonce, 0, 4);
    put_u64(parts->nonce + 4, counter);
    memcpy(parts->ad, e->initiator, SP_MAILBOX_BYTES);
    memcpy(parts->ad + SP_MAILBOX_BYTES, e->responder, SP_MAILBOX_BYTES);
    parts->ad[2 * SP_MAILBOX_BYTES] = 2;
    put_u64(parts->ad + 2 * SP_MAILBOX_BYTES + 1, counter);
}

static bool seal_one(struct evp *e, struct session *s, const uint8_t *text, int len, uint8_t *out,
                     bool ratchet)
{
    EVP_CIPHER_CTX *ctx = ratchet ? e->message_cipher : s->cipher;
    uint8_t message_key[32], next[32], *sealed = out + HEADER_BYTES;
    OSSL_PARAM tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, sealed + len, SP_TAG_BYTES),
        OSSL_PARAM_construct_end()};
    struct parts parts;
    int n;

    if (ratchet && !step(e->mac, s->chain, message_key, next))
        return false;
    memcpy(out, s->id, sizeof s->id);
    put_u64(out + sizeof s->id, s->counter);
    make_parts(&parts, e, s->counter++);
    if (EVP_EncryptInit_ex2(ctx, NULL, ratchet ? message_key : NULL, parts.nonce, NULL) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &n, parts.ad, AD_BYTES) != 1 ||
        EVP_EncryptUpdate(ctx, sealed, &n, text, len) != 1 ||
        EVP_EncryptFinal_ex(ctx, sealed + len, &n) != 1 || EVP_CIPHER_CTX_get_params(ctx, tag) != 1)
        return false;
    if (ratchet)
        memcpy(s->chain, next, sizeof next);
    return true;
}

// The session stays as it is, to open the same message again.
static bool open_one(struct evp *e, const struct session *s, const uint8_t *message, int len,
                     uint8_t *out, bool ratchet)
{
    EVP_CIPHER_CTX *ctx = ratchet ? e->message_cipher : s->cipher;
    uint8_t message_key[32], next[32], *sealed = (uint8_t *)(uintptr_t)message + HEADER_BYTES;
    OSSL_PARAM tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, sealed + len, SP_TAG_BYTES),
        OSSL_PARAM_construct_end()};
    struct parts parts;
    uint64_t counter;
    int n;

    memcpy(&counter, message + sizeof s->id, sizeof counter);
    counter = __builtin_bswap64(counter);
    if (memcmp(message, s->id, sizeof s->id) != 0 || counter != s->counter)
        return false;
    if (ratchet && !step(e->mac, s->chain, message_key, next))
        return false;
    make_parts(&parts, e, counter);
    return EVP_DecryptInit_ex2(ctx, NULL, ratchet ? message_key : NULL, parts.nonce, tag) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, parts.ad, AD_BYTES) == 1 &&
           EVP_DecryptUpdate(ctx, out, &n, sealed, len) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + len, &n) == 1;
}

static bool seal(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_session_cell *c = bench_session_of(cell);
    struct evp *e = c->own;
    const bool ratchet = bench_session_is_ratchet(c);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_session_next_slots(c, 1);

        good &= seal_one(e, &e->sessions[slot], c->text, (int)c->point.bytes,
                         c->out + slot * c->stride, ratchet);
    }
    return good;
}

static bool open(struct bench_micro_cell *cell, unsigned calls)
{
    struct bench_session_cell *c = bench_session_of(cell);
    struct evp *e = c->own;
    const bool ratchet = bench_session_is_ratchet(c);
    bool good = true;

    for (; calls > 0; calls--) {
        unsigned slot = bench_session_next_slots(c, 1);

        good &= open_one(e, &e->sessions[slot], c->messages + slot * c->stride, (int)c->point.bytes,
                         c->out + slot * c->stride, ratchet);
    }
    return good;
}

const struct bench_micro_impl bench_session_evp = {
    .name = "evp",
    .prepare = prepare,
    .run = {[BENCH_COUNTER_SEAL] = seal,
            [BENCH_COUNTER_OPEN] = open,
            [BENCH_RATCHET_SEAL] = seal,
            [BENCH_RATCHET_OPEN] = open},
    .finish = finish,
};
