// The recorder behind control_fake.h. Allocation fails by the linker's --wrap and OpenSSL's own
// hook, and only while the control plane is at work.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "control_fake.h"

static unsigned fail_skip, fail_count;
static bool handling;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

static bool may_allocate(void)
{
    if (!handling || fail_count == 0)
        return true;
    if (fail_skip > 0) {
        fail_skip--;
        return true;
    }
    fail_count--;
    return false;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    return may_allocate() ? __real_realloc(old, size) : NULL;
}

static void *allocate_openssl(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? __real_malloc(size) : NULL;
}

static void *reallocate_openssl(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return may_allocate() ? __real_realloc(old, size) : NULL;
}

static void free_openssl(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

// Before OpenSSL's first allocation, or it takes no hook.
__attribute__((constructor)) static void hook_openssl(void)
{
    if (!CRYPTO_set_mem_functions(allocate_openssl, reallocate_openssl, free_openssl))
        abort();
}

void fake_fail_allocations(unsigned skip, unsigned count)
{
    fail_skip = skip;
    fail_count = count;
}

static void record(void *ctx, const struct control_action *action)
{
    struct fake *f = ctx;

    cr_assert_lt(f->action_count, FAKE_ACTIONS);
    // Nothing may follow a close, and only data actions have data.
    for (uint32_t i = 0; i < f->action_count; i++) {
        if (peer_is_same(f->actions[i].peer, action->peer))
            cr_assert_neq(f->actions[i].op, CONTROL_CLOSE);
    }
    cr_assert_eq(action->data != NULL,
                 action->op != CONTROL_CLOSE && action->op != CONTROL_LOGGED_IN);
    f->actions[f->action_count++] = *action;
}

static uint32_t find_attached(const struct fake *f, const uint8_t *mailbox)
{
    uint32_t i = 0;

    while (i < f->attached_count && memcmp(f->mailboxes[i], mailbox, WIRE_MAILBOX_BYTES) != 0)
        i++;
    return i;
}

static int attach(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer)
{
    struct fake *f = ctx;
    uint32_t i = find_attached(f, mailbox);

    if (f->attach_fails)
        return -12;
    cr_assert_lt(i, FAKE_SLOTS);
    memcpy(f->mailboxes[i], mailbox, WIRE_MAILBOX_BYTES);
    f->attached[i] = peer;
    if (i == f->attached_count)
        f->attached_count++;
    return 0;
}

static void detach(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer)
{
    struct fake *f = ctx;
    uint32_t i = find_attached(f, mailbox);

    if (i == f->attached_count || !peer_is_same(f->attached[i], peer))
        return;
    f->attached_count--;
    memcpy(f->mailboxes[i], f->mailboxes[f->attached_count], WIRE_MAILBOX_BYTES);
    f->attached[i] = f->attached[f->attached_count];
}

const struct peer *fake_attached(const struct fake *f, const uint8_t mailbox[WIRE_MAILBOX_BYTES])
{
    uint32_t i = find_attached(f, mailbox);

    return i < f->attached_count ? &f->attached[i] : NULL;
}

uint64_t fake_stat(const struct fake *f, enum stats_counter counter)
{
    return stats_read(&f->stats, counter);
}

struct control_config fake_config(void)
{
    return (struct control_config){.workers = FAKE_WORKERS,
                                   .slots = FAKE_SLOTS,
                                   .max_users = 1000,
                                   .bundle_rate_per_s = 0,
                                   .bundle_burst = 0,
                                   .login_timeout_ms = 30000,
                                   .outbox_bytes = 262144,
                                   .max_ttl_s = LIMIT_TTL_S,
                                   .store_total_bytes = 64 * MIB,
                                   .prekey_total_bytes = LIMIT_PREKEY_TOTAL_BYTES};
}

struct fake *fake_start(const struct control_config *config)
{
    struct fake *f = calloc(1, sizeof *f);
    struct control_ops ops = {.ctx = f, .act = record, .attach = attach, .detach = detach};

    cr_assert_not_null(f);
    // As main does. OpenSSL sets itself up now, once for the process, with all the memory it wants.
    cr_assert_null(control_check_libraries());
    f->now_ns = 1000 * NS_PER_S;
    handling = true;
    f->control = control_create(config, &ops, &f->stats);
    handling = false;
    if (f->control)
        return f;
    free(f);
    return NULL;
}

void fake_stop(struct fake *f)
{
    control_destroy(f->control);
    for (uint32_t i = 0; i < f->action_count; i++)
        free(f->actions[i].data);
    free(f);
}

static void handle(struct fake *f, const struct control_event *event)
{
    handling = true;
    control_handle_event(f->control, event, f->now_ns);
    handling = false;
}

static void handle_copy(struct fake *f, enum control_event_op op, struct peer peer,
                        const void *data, size_t len)
{
    struct control_event event = {.op = op, .peer = peer, .len = (uint32_t)len};

    // Exactly as long as announced, so that a sanitizer sees a read beyond.
    if (data) {
        event.data = malloc(len);
        cr_assert(event.data || len == 0);
        if (len)
            memcpy(event.data, data, len);
    }
    handle(f, &event);
}

void fake_text_len(struct fake *f, struct peer peer, const char *text, size_t len)
{
    handle_copy(f, CONTROL_TEXT, peer, text, len);
}

void fake_text(struct fake *f, struct peer peer, const char *format, ...)
{
    static char text[LIMIT_CONTROL_BYTES + 1];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cr_assert(len >= 0 && (size_t)len < sizeof text);
    fake_text_len(f, peer, text, (size_t)len);
}

const char *fake_base64(const uint8_t *bytes, size_t len)
{
    static char texts[16][90000];
    static unsigned next;
    char *text = texts[next++ % COUNT_OF(texts)];

    return sodium_bin2base64(text, sizeof texts[0], bytes, len,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void make_id(uint8_t out[WIRE_MESSAGE_ID_BYTES], uint32_t number)
{
    memset(out, 0xa5, WIRE_MESSAGE_ID_BYTES);
    store_be32(out, number);
}

const char *fake_id(uint32_t number)
{
    uint8_t id[WIRE_MESSAGE_ID_BYTES];

    make_id(id, number);
    return fake_base64(id, sizeof id);
}

size_t fake_envelope(uint8_t *out, const uint8_t mailbox[WIRE_MAILBOX_BYTES], uint32_t number,
                     uint8_t flags, uint32_t ttl_s, uint32_t len)
{
    struct wire_envelope header = {.kind = 2, .flags = flags, .ttl_s = ttl_s};

    header.ciphertext_len = len;
    memcpy(header.mailbox, mailbox, WIRE_MAILBOX_BYTES);
    make_id(header.message_id, number);
    wire_encode_header(out, &header);
    memset(out + WIRE_HEADER_BYTES, (int)(number & 0xff), len);
    return WIRE_HEADER_BYTES + len;
}

void fake_durable(struct fake *f, struct peer peer, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                  uint32_t number, uint8_t flags, uint32_t ttl_s, uint32_t len)
{
    static uint8_t bytes[WIRE_HEADER_BYTES + LIMIT_ENVELOPE_BYTES];
    size_t size = fake_envelope(bytes, mailbox, number, flags, ttl_s, len);

    handle_copy(f, CONTROL_DURABLE, peer, bytes, size);
}

static EVP_PKEY *make_ml_dsa_pair(const struct fake_client *client)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "ML-DSA-65", NULL);
    uint8_t seed[sizeof client->ml_dsa_seed];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, seed, sizeof seed),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *pair = NULL;

    memcpy(seed, client->ml_dsa_seed, sizeof seed);
    cr_assert_eq(EVP_PKEY_keygen_init(context), 1);
    cr_assert_eq(EVP_PKEY_CTX_set_params(context, parameters), 1);
    cr_assert_eq(EVP_PKEY_generate(context, &pair), 1);
    EVP_PKEY_CTX_free(context);
    return pair;
}

static void sign_ml_dsa(const struct fake_client *client,
                        uint8_t signature[FAKE_ML_DSA_SIGNATURE_BYTES], const uint8_t *message,
                        size_t message_len)
{
    EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(NULL, "ML-DSA-65", NULL);
    EVP_PKEY *pair = make_ml_dsa_pair(client);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
    size_t len = FAKE_ML_DSA_SIGNATURE_BYTES;

    cr_assert_eq(EVP_PKEY_sign_message_init(context, algorithm, NULL), 1);
    cr_assert_eq(EVP_PKEY_sign(context, signature, &len, message, message_len), 1);
    cr_assert_eq(len, FAKE_ML_DSA_SIGNATURE_BYTES);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(pair);
    EVP_SIGNATURE_free(algorithm);
}

static void compute_mailbox(struct fake_client *client)
{
    uint8_t labelled[19 + 32 + FAKE_ML_DSA_KEY_BYTES];
    uint8_t hash[crypto_hash_sha256_BYTES];

    memcpy(labelled, "sealpost.v1 mailbox", 19);
    memcpy(labelled + 19, client->identity_key, 32);
    memcpy(labelled + 19 + 32, client->ml_dsa_65, FAKE_ML_DSA_KEY_BYTES);
    crypto_hash_sha256(hash, labelled, client->is_hybrid ? sizeof labelled : 19 + 32);
    memcpy(client->mailbox, hash, WIRE_MAILBOX_BYTES);
}

void fake_client_init(struct fake_client *client, const char *name)
{
    uint8_t seed[crypto_sign_SEEDBYTES];

    cr_assert_geq(sodium_init(), 0);
    memset(client, 0, sizeof *client);
    client->name = name;
    crypto_hash_sha256(seed, (const uint8_t *)name, strlen(name));
    crypto_sign_seed_keypair(client->identity_key, client->secret_key, seed);
    compute_mailbox(client);
}

void fake_hybrid_init(struct fake_client *client, const char *name)
{
    size_t len = FAKE_ML_DSA_KEY_BYTES;
    EVP_PKEY *pair;

    fake_client_init(client, name);
    client->is_hybrid = true;
    crypto_hash_sha256(client->ml_dsa_seed, (const uint8_t *)name, strlen(name));
    pair = make_ml_dsa_pair(client);
    cr_assert_eq(EVP_PKEY_get_raw_public_key(pair, client->ml_dsa_65, &len), 1);
    cr_assert_eq(len, FAKE_ML_DSA_KEY_BYTES);
    EVP_PKEY_free(pair);
    compute_mailbox(client);
}

struct control_action *fake_take(struct fake *f, struct peer peer, enum control_action_op op)
{
    for (uint32_t i = 0; i < f->action_count; i++) {
        struct control_action *action = &f->actions[i];

        if (f->taken[i] || !peer_is_same(action->peer, peer))
            continue;
        f->taken[i] = true;
        cr_assert_eq(action->op, op, "wanted action %d, got %d: %.*s", op, action->op,
                     action->data ? (int)action->len : 0, (const char *)action->data);
        return action;
    }
    cr_assert_fail("wanted action %d, got none", op);
    return NULL;
}

void fake_expect(struct fake *f, struct peer peer, const char *format, ...)
{
    static char text[LIMIT_CONTROL_BYTES];
    const struct control_action *action = fake_take(f, peer, CONTROL_SEND_TEXT);
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cr_assert(action->len == (uint32_t)len && !memcmp(action->data, text, action->len),
              "wanted %s\ngot %.*s", text, (int)action->len, (const char *)action->data);
}

void fake_expect_error(struct fake *f, struct peer peer, const char *code, const char *tail)
{
    const struct control_action *action = fake_take(f, peer, CONTROL_SEND_TEXT);
    char head[128], end[128];
    int head_len, end_len;

    head_len =
        snprintf(head, sizeof head, "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"", code);
    end_len = snprintf(end, sizeof end, "\"%s}", tail);
    cr_assert(
        (int)action->len > head_len + end_len && !memcmp(action->data, head, (size_t)head_len) &&
            !memcmp(action->data + action->len - end_len, end, (size_t)end_len) &&
            // No further member in between.
            !memchr(action->data + head_len, '"', action->len - (size_t)(head_len + end_len)),
        "wanted error %s…%s, got %.*s", head, end, (int)action->len, (const char *)action->data);
}

void fake_expect_close(struct fake *f, struct peer peer, uint16_t close_code)
{
    cr_assert_eq(fake_take(f, peer, CONTROL_CLOSE)->close_code, close_code);
    fake_expect_nothing(f, peer);
}

void fake_expect_envelope(struct fake *f, struct peer peer, uint32_t number)
{
    const struct control_action *action = fake_take(f, peer, CONTROL_SEND_ENVELOPE);
    struct wire_envelope header;
    uint8_t id[WIRE_MESSAGE_ID_BYTES];

    cr_assert_eq(wire_decode_envelope(&header, action->data, action->len, LIMIT_ENVELOPE_BYTES),
                 action->len);
    make_id(id, number);
    cr_assert_eq(load_be32(header.message_id), number, "wanted envelope %u, got %u", number,
                 load_be32(header.message_id));
    cr_assert_arr_eq(header.message_id, id, sizeof id);
    cr_assert_eq(header.ciphertext[header.ciphertext_len - 1], (uint8_t)number);
}

uint32_t fake_count(const struct fake *f, struct peer peer)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < f->action_count; i++)
        count += !f->taken[i] && peer_is_same(f->actions[i].peer, peer);
    return count;
}

void fake_expect_nothing(struct fake *f, struct peer peer)
{
    cr_assert_eq(fake_count(f, peer), 0);
}

static void take_challenge(struct fake *f, struct fake_client *client)
{
    const struct control_action *action = fake_take(f, client->peer, CONTROL_SEND_TEXT);
    static const char before[] = "{\"type\":\"hello\",\"protocol\":1,\"challenge\":\"";
    size_t len;

    cr_assert_eq(memcmp(action->data, before, sizeof before - 1), 0);
    cr_assert_eq(sodium_base642bin(client->challenge, 32,
                                   (const char *)action->data + sizeof before - 1, 43, NULL, &len,
                                   NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                 0);
    cr_assert_eq(len, 32);
}

void fake_open(struct fake *f, struct fake_client *client, uint32_t slot, uint32_t generation)
{
    client->peer = (struct peer){
        .slot = slot, .generation = generation, .worker = (uint16_t)(slot % FAKE_WORKERS)};
    handle_copy(f, CONTROL_OPENED, client->peer, NULL, 0);
    take_challenge(f, client);
}

void fake_close(struct fake *f, struct fake_client *client)
{
    handle_copy(f, CONTROL_CLOSED, client->peer, NULL, 0);
}

// A member, a comma before it, where `wanted`; otherwise nothing.
static const char *optional(bool wanted, const uint8_t *bytes, size_t len)
{
    static char texts[2][FAKE_ML_DSA_SIGNATURE_BYTES * 4 / 3 + 32];
    static unsigned next;
    char *text = texts[next++ % COUNT_OF(texts)];

    text[0] = '\0';
    if (wanted)
        snprintf(text, sizeof texts[0], ",\"ml_dsa_65\":\"%s\"", fake_base64(bytes, len));
    return text;
}

const char *fake_cut_login_text(const struct fake_client *client, const char *verb, bool with_key,
                                bool with_signature)
{
    static char text[10000];
    uint8_t message[256 + FAKE_ML_DSA_KEY_BYTES];
    uint8_t signature[64], second[FAKE_ML_DSA_SIGNATURE_BYTES];
    size_t len = 0;
    size_t name_len = strlen(client->name);

    len += (size_t)sprintf((char *)message, "sealpost.v1 %s", verb) + 1;
    memcpy(message + len, client->challenge, 32);
    len += 32;
    message[len++] = (uint8_t)name_len;
    memcpy(message + len, client->name, name_len);
    len += name_len;
    memcpy(message + len, client->identity_key, 32);
    len += 32;
    if (client->is_hybrid) {
        memcpy(message + len, client->ml_dsa_65, FAKE_ML_DSA_KEY_BYTES);
        len += FAKE_ML_DSA_KEY_BYTES;
    }
    crypto_sign_detached(signature, NULL, message, len, client->secret_key);
    if (with_signature)
        sign_ml_dsa(client, second, message, len);
    snprintf(text, sizeof text,
             "{\"type\":\"%s\",\"id\":1,\"name\":\"%s\",\"identity_keys\":{\"ed25519\":\"%s\"%s},"
             "\"signatures\":{\"ed25519\":\"%s\"%s}}",
             verb, client->name, fake_base64(client->identity_key, 32),
             optional(with_key, client->ml_dsa_65, sizeof client->ml_dsa_65),
             fake_base64(signature, sizeof signature),
             optional(with_signature, second, sizeof second));
    return text;
}

const char *fake_login_text(const struct fake_client *client, const char *verb)
{
    return fake_cut_login_text(client, verb, client->is_hybrid, client->is_hybrid);
}

static void take_admission(struct fake *f, const struct fake_client *client)
{
    const struct control_action *action = fake_take(f, client->peer, CONTROL_LOGGED_IN);

    cr_assert_arr_eq(action->mailbox, client->mailbox, WIRE_MAILBOX_BYTES);
}

static void join(struct fake *f, struct fake_client *client, uint32_t slot)
{
    fake_open(f, client, slot, 1);
    fake_text(f, client->peer, "%s", fake_login_text(client, "register"));
    take_admission(f, client);
    fake_expect(f, client->peer,
                "{\"type\":\"registered\",\"id\":1,\"name\":\"%s\",\"mailbox\":\"%s\","
                "\"one_time_prekeys\":0,\"one_time_kem_prekeys\":0,\"queued\":0}",
                client->name, fake_base64(client->mailbox, 16));
    fake_expect_nothing(f, client->peer);
}

void fake_join(struct fake *f, struct fake_client *client, const char *name, uint32_t slot)
{
    fake_client_init(client, name);
    join(f, client, slot);
}

void fake_join_hybrid(struct fake *f, struct fake_client *client, const char *name, uint32_t slot)
{
    fake_hybrid_init(client, name);
    join(f, client, slot);
}

void fake_rejoin(struct fake *f, struct fake_client *client, uint32_t slot, uint32_t generation,
                 uint32_t queued)
{
    fake_open(f, client, slot, generation);
    fake_text(f, client->peer, "%s", fake_login_text(client, "login"));
    take_admission(f, client);
    fake_expect(f, client->peer,
                "{\"type\":\"logged_in\",\"id\":1,\"name\":\"%s\",\"mailbox\":\"%s\","
                "\"one_time_prekeys\":0,\"one_time_kem_prekeys\":0,\"queued\":%u}",
                client->name, fake_base64(client->mailbox, 16), queued);
}
