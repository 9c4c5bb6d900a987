// Any bytes as events on four connections, two of them logged in, the second as a hybrid user: the
// control plane must not crash, must act on live connections only, must close after an error that
// closes, and then be silent.
//
// Input: repeated  operation (1) | connection (1) | length (u16) | that many bytes.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <sodium.h>

#include "relay/control/control.h"
#include "relay/control/ml_dsa_verifier.h"
#include "relay/limits.h"

enum { CONNECTIONS = 4, LOGGED_IN = 2 };

struct seen {
    struct peer peer;
    bool open;
    bool closed_by_us;
    bool must_close; // the last text was an error that closes
    bool logged_in;
    uint8_t challenge[32];
};

static struct seen seen[CONNECTIONS];
static uint8_t mailboxes[LOGGED_IN][WIRE_MAILBOX_BYTES];
// Of the hybrid user, in every run.
static EVP_PKEY *ml_dsa_pair;
static uint8_t ml_dsa_key[ML_DSA_65_KEY_BYTES];
static uint8_t ml_dsa_signature[ML_DSA_65_SIGNATURE_BYTES];
static bool is_signed;
static struct stats stats;

static bool contains(const struct control_action *action, const char *text)
{
    return memmem(action->data, action->len, text, strlen(text)) != NULL;
}

static bool is_closing_error(const struct control_action *action)
{
    static const char *const codes[] = {"not_logged_in", "already_logged_in", "bad_signature",
                                        "identity_mismatch", "relay_full"};
    char head[64];

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        snprintf(head, sizeof head, "{\"type\":\"error\",\"code\":\"%s\"", codes[i]);
        if (action->len >= strlen(head) && !memcmp(action->data, head, strlen(head)))
            return true;
    }
    return false;
}

static void read_challenge(struct seen *s, const struct control_action *action)
{
    static const char before[] = "\"challenge\":\"";
    const char *at = memmem(action->data, action->len, before, sizeof before - 1);
    size_t len;

    assert(at);
    assert(sodium_base642bin(s->challenge, 32, at + sizeof before - 1, 43, NULL, &len, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
}

static void act(void *ctx, const struct control_action *action)
{
    struct seen *s = &seen[action->peer.slot];
    struct wire_envelope header;

    (void)ctx;
    assert(action->peer.slot < CONNECTIONS && action->peer.worker == 0);
    assert(s->open && !s->closed_by_us && peer_is_same(s->peer, action->peer));
    assert(!s->must_close || action->op == CONTROL_CLOSE);
    switch (action->op) {
    case CONTROL_SEND_TEXT:
        assert(action->len > 2 && action->data[0] == '{' && action->data[action->len - 1] == '}');
        s->must_close = is_closing_error(action);
        if (contains(action, "\"type\":\"hello\""))
            read_challenge(s, action);
        break;
    case CONTROL_SEND_ENVELOPE:
    case CONTROL_ROUTE:
        assert(s->logged_in);
        assert(wire_decode_envelope(&header, action->data, action->len, LIMIT_ENVELOPE_BYTES) > 0);
        assert((action->op == CONTROL_ROUTE) == !(header.flags & WIRE_FLAG_DURABLE));
        break;
    case CONTROL_LOGGED_IN:
        s->logged_in = true;
        break;
    case CONTROL_CLOSE:
        assert(action->close_code == 1013 || action->close_code == 4401 ||
               action->close_code == 4409);
        s->must_close = false;
        s->closed_by_us = true;
        break;
    }
    free(action->data);
}

static int attach(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer)
{
    (void)ctx;
    (void)mailbox;
    assert(seen[peer.slot].open && peer_is_same(seen[peer.slot].peer, peer));
    return 0;
}

static void detach(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer)
{
    (void)ctx;
    (void)mailbox;
    assert(peer_is_same(seen[peer.slot].peer, peer));
}

static void handle(struct control *c, enum control_event_op op, struct peer peer, const void *data,
                   size_t len, uint64_t now_ns)
{
    struct control_event event = {.op = op, .peer = peer, .len = (uint32_t)len};

    if (data) {
        event.data = malloc(len ? len : 1);
        assert(event.data);
        memcpy(event.data, data, len);
    }
    control_handle_event(c, &event, now_ns);
    for (int i = 0; i < CONNECTIONS; i++)
        assert(!seen[i].must_close);
}

static void open_one(struct control *c, uint32_t slot, uint64_t now_ns)
{
    struct seen *s = &seen[slot];

    if (s->open)
        return;
    s->peer = (struct peer){.slot = slot, .generation = s->peer.generation + 1};
    s->open = true;
    s->closed_by_us = false;
    s->logged_in = false;
    handle(c, CONTROL_OPENED, s->peer, NULL, 0, now_ns);
}

// The same challenge each time, so that the costly signature is made once for all runs.
static void sign_ml_dsa(const uint8_t *message, size_t message_len)
{
    EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(NULL, "ML-DSA-65", NULL);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, ml_dsa_pair, NULL);
    size_t len = sizeof ml_dsa_signature;

    assert(EVP_PKEY_sign_message_init(context, algorithm, NULL) == 1);
    assert(EVP_PKEY_sign(context, ml_dsa_signature, &len, message, message_len) == 1);
    EVP_PKEY_CTX_free(context);
    EVP_SIGNATURE_free(algorithm);
    is_signed = true;
}

static const char *encode64(const uint8_t *bytes, size_t len)
{
    static char texts[4][ML_DSA_65_SIGNATURE_BYTES * 4 / 3 + 8];
    static unsigned next;

    return sodium_bin2base64(texts[next++ % COUNT_OF(texts)], sizeof texts[0], bytes, len,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void compute_mailbox(uint32_t slot, const uint8_t key[32], bool is_hybrid)
{
    uint8_t message[19 + 32 + ML_DSA_65_KEY_BYTES] = "sealpost.v1 mailbox", hash[32];

    memcpy(message + 19, key, 32);
    memcpy(message + 51, ml_dsa_key, sizeof ml_dsa_key);
    crypto_hash_sha256(hash, message, is_hybrid ? sizeof message : 51);
    memcpy(mailboxes[slot], hash, WIRE_MAILBOX_BYTES);
}

// A user for each of the first connections, named "0", "1", with a key of its own, "1" with two.
static void log_in(struct control *c, uint32_t slot, uint64_t now_ns)
{
    uint8_t seed[crypto_sign_SEEDBYTES] = {(uint8_t)(slot + 1)};
    uint8_t key[32], secret[64], signature[64];
    uint8_t message[128 + ML_DSA_65_KEY_BYTES] = "sealpost.v1 register";
    size_t len = sizeof "sealpost.v1 register";
    bool is_hybrid = slot == 1;
    char text[10000];

    crypto_sign_seed_keypair(key, secret, seed);
    memcpy(message + len, seen[slot].challenge, 32);
    len += 32;
    message[len++] = 1;
    message[len++] = (uint8_t)('0' + slot);
    memcpy(message + len, key, 32);
    len += 32;
    if (is_hybrid) {
        memcpy(message + len, ml_dsa_key, sizeof ml_dsa_key);
        len += sizeof ml_dsa_key;
        if (!is_signed)
            sign_ml_dsa(message, len);
    }
    crypto_sign_detached(signature, NULL, message, len, secret);
    len = (size_t)snprintf(
        text, sizeof text,
        "{\"type\":\"register\",\"name\":\"%u\",\"identity_keys\":{\"ed25519\":\"%s\"%s%s%s},"
        "\"signatures\":{\"ed25519\":\"%s\"%s%s%s}}",
        slot, encode64(key, 32), is_hybrid ? ",\"ml_dsa_65\":\"" : "",
        is_hybrid ? encode64(ml_dsa_key, sizeof ml_dsa_key) : "", is_hybrid ? "\"" : "",
        encode64(signature, 64), is_hybrid ? ",\"ml_dsa_65\":\"" : "",
        is_hybrid ? encode64(ml_dsa_signature, sizeof ml_dsa_signature) : "",
        is_hybrid ? "\"" : "");
    handle(c, CONTROL_TEXT, seen[slot].peer, text, len, now_ns);
    assert(seen[slot].logged_in);
    compute_mailbox(slot, key, is_hybrid);
}

// Valid as the hot path would let it through: mailbox, id and flags from the input.
static void send_durable(struct control *c, uint32_t slot, const uint8_t *data, size_t len,
                         uint64_t now_ns)
{
    struct wire_envelope header = {.kind = 1, .flags = WIRE_FLAG_DURABLE, .ciphertext_len = 1};
    uint8_t envelope[WIRE_HEADER_BYTES + 256] = {0};

    // Only a connection that was logged in sends these.
    if (!seen[slot].logged_in)
        return;
    memcpy(header.mailbox, mailboxes[0], sizeof header.mailbox);
    if (len > 0) {
        memcpy(header.mailbox, mailboxes[data[0] % LOGGED_IN], sizeof header.mailbox);
        header.mailbox[0] ^= data[0] >> 7;
        header.flags |= data[0] & WIRE_FLAG_RECEIPT;
        header.ttl_s = data[0] >> 4;
        header.ciphertext_len += data[0];
    }
    if (len > 1)
        header.message_id[0] = data[1];
    wire_encode_header(envelope, &header);
    handle(c, CONTROL_DURABLE, seen[slot].peer, envelope, WIRE_HEADER_BYTES + header.ciphertext_len,
           now_ns);
}

static void run_one(struct control *c, uint8_t op, uint32_t slot, const uint8_t *data, size_t len,
                    uint64_t *now_ns)
{
    switch (op % 8) {
    case 0:
        if (seen[slot].open) {
            // What control still does for it, it does before it knows.
            handle(c, CONTROL_CLOSED, seen[slot].peer, NULL, 0, *now_ns);
            seen[slot].open = false;
        }
        break;
    case 1:
        open_one(c, slot, *now_ns);
        break;
    case 2:
        send_durable(c, slot, data, len, *now_ns);
        break;
    case 3:
        *now_ns += len * NS_PER_S;
        control_tick(c, *now_ns);
        break;
    default:
        handle(c, CONTROL_TEXT, seen[slot].peer, data, len, *now_ns);
    }
}

static const char *name_random(void)
{
    return "constant";
}

static uint32_t draw(void)
{
    return 4;
}

static void fill(void *const out, const size_t len)
{
    memset(out, 4, len);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct randombytes_implementation constant = {
        .implementation_name = name_random, .random = draw, .buf = fill};
    size_t len = sizeof ml_dsa_key;

    (void)argc;
    (void)argv;
    assert(randombytes_set_implementation(&constant) == 0);
    ml_dsa_pair = EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-65");
    assert(ml_dsa_pair && EVP_PKEY_get_raw_public_key(ml_dsa_pair, ml_dsa_key, &len) == 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_config config = {.workers = 1,
                                    .slots = CONNECTIONS,
                                    .max_users = LOGGED_IN + 1,
                                    .bundle_rate_per_s = 50,
                                    .bundle_burst = 100,
                                    .max_ttl_s = 60,
                                    .store_total_bytes = 32 * KIB,
                                    .prekey_total_bytes = 32 * KIB};
    struct control_ops ops = {.act = act, .attach = attach, .detach = detach};
    uint64_t now_ns = NS_PER_S;
    struct control *c = control_create(&config, &ops, &stats);

    assert(c);
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        open_one(c, i, now_ns);
    for (uint32_t i = 0; i < LOGGED_IN; i++)
        log_in(c, i, now_ns);
    while (size >= 4) {
        size_t len = (size_t)data[2] << 8 | data[3];

        len = len < size - 4 ? len : size - 4;
        run_one(c, data[0], data[1] % CONNECTIONS, data + 4, len, &now_ns);
        data += 4 + len;
        size -= 4 + len;
    }
    control_destroy(c);
    return 0;
}
