// The initial message: vectors, the whole way of it, forgeries of every byte, and counter 0.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "parties.h"
#include "sealcrypto.h"
#include "vectors.h"

#define TEXT_BYTES 12u
#define MESSAGE_BYTES (TEXT_BYTES + SP_INITIAL_OVERHEAD_BYTES)

static size_t seal_calls, seal_fails_at;
static bool key_init_fails;

int __real_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count);
int __wrap_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count);
int __real_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw);
int __wrap_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw);

int __wrap_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    if (++seal_calls == seal_fails_at)
        return -EIO;
    return __real_sp_aead_seal_batch(jobs, count);
}

int __wrap_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw)
{
    return key_init_fails ? -ENOMEM : __real_sp_aead_key_init(key, raw);
}

static struct parties p;
static const uint8_t text[TEXT_BYTES] = "hello, Bob!";
static uint8_t message[MESSAGE_BYTES];

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
    parties_random(&p, true);
    parties_open_sessions(&p);
}

static void stop(void)
{
    parties_free(&p);
}

TestSuite(sp_initial_seal, .init = start, .fini = stop);
TestSuite(sp_initial_decode, .init = start, .fini = stop);
TestSuite(sp_initial_open, .init = start, .fini = stop);

static void seal_message(void)
{
    cr_assert_eq(sp_initial_seal(message, &p.a, &p.initiate, text, TEXT_BYTES), 0);
}

// ---- sealing ------------------------------------------------------------------------------------

// Every step of the responder, from the message and its own keys alone.
static void open_as_responder(struct parties *q, const struct vector_field *in, uint8_t *out)
{
    struct sp_initial_header header;
    struct sp_session session;
    uint8_t header_key[32], identity[32];
    bool ok;
    cr_assert_eq(sp_initial_decode(&header, in->bytes, in->len), 0);
    cr_assert_eq(header.signed_prekey_id, q->bundle.signed_prekey_id);
    cr_assert_eq(header.one_time_prekey_id, q->bundle.one_time_prekey_id);
    cr_assert(sp_x3dh_header_key(header_key, q->signed_prekey_secret, header.ephemeral_public));
    cr_assert(sp_initial_open_identity(identity, header_key, in->bytes, in->len));
    cr_assert_arr_eq(identity, q->identity_a, 32);
    q->respond.initiator_identity_key = identity;
    q->respond.ephemeral_public = header.ephemeral_public;
    cr_assert(sp_x3dh_respond_batch(&q->respond, 1, &ok));
    cr_assert_eq(sp_session_init(&session, &q->respond.result, false, q->identity_b, identity), 0);
    cr_assert_eq(sp_initial_open(out, &session, in->bytes, in->len), 0);
    sp_session_free(&session);
}

Test(sp_initial_seal, reproduces_the_vectors)
{
    static struct vector_record v;
    static struct parties q;
    FILE *in = vector_open("x3dh.txt");
    uint8_t out[256];
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        const struct vector_field *expected = vector_get(&v, "initial");
        const struct vector_field *words = vector_get(&v, "initial_text");
        parties_load(&q, &v);
        parties_open_sessions(&q);
        cr_assert_eq(expected->len, words->len + SP_INITIAL_OVERHEAD_BYTES);
        cr_assert_eq(sp_initial_seal(out, &q.a, &q.initiate, words->bytes, words->len), 0);
        cr_assert_arr_eq(out, expected->bytes, expected->len);
        open_as_responder(&q, expected, out);
        cr_assert_arr_eq(out, words->bytes, words->len);
        parties_free(&q);
    }
    fclose(in);
    cr_assert_eq(count, 2);
}

Test(sp_initial_seal, works_in_place_and_empty)
{
    static struct parties q;
    uint8_t expected[MESSAGE_BYTES];
    seal_message();
    memcpy(expected, message, sizeof(expected));
    p.a.send_counter = 0;
    memcpy(message + 92, text, TEXT_BYTES);
    cr_assert_eq(sp_initial_seal(message, &p.a, &p.initiate, message + 92, TEXT_BYTES), 0);
    cr_assert_arr_eq(message, expected, sizeof(expected));
    cr_assert_eq(sp_initial_open(message + 92, &p.b, message, sizeof(message)), 0);
    cr_assert_arr_eq(message + 92, text, TEXT_BYTES);

    parties_random(&q, false);
    parties_open_sessions(&q);
    cr_assert_eq(sp_initial_seal(message, &q.a, &q.initiate, NULL, 0), 0);
    cr_assert_eq(sp_initial_open(NULL, &q.b, message, SP_INITIAL_OVERHEAD_BYTES), 0);
    parties_free(&q);
}

Test(sp_initial_seal, takes_counter_zero_once)
{
    uint8_t later[SP_SESSION_OVERHEAD_BYTES];
    struct sp_session_job job = {.session = &p.a, .out = later};
    seal_message();
    cr_assert_eq(sp_initial_seal(message, &p.a, &p.initiate, text, TEXT_BYTES), -EINVAL);
    cr_assert(vector_is_zero(message, sizeof(message)));
    sp_session_seal_batch(&job, 1);
    cr_assert(job.result == 0 && job.counter == 1);
}

Test(sp_initial_seal, comes_before_session_messages)
{
    uint8_t first[SP_SESSION_OVERHEAD_BYTES];
    struct sp_session_job job = {.session = &p.a, .out = first};
    sp_session_seal_batch(&job, 1);
    cr_assert_eq(sp_initial_seal(message, &p.a, &p.initiate, text, TEXT_BYTES), -EINVAL);
}

Test(sp_initial_seal, zeroes_when_the_provider_fails)
{
    for (size_t call = 1; call <= 2; call++) {
        seal_calls = 0;
        seal_fails_at = call;
        memset(message, 0xAA, sizeof(message));
        cr_assert_eq(sp_initial_seal(message, &p.a, &p.initiate, text, TEXT_BYTES), -EIO);
        cr_assert(vector_is_zero(message, sizeof(message)));
        cr_assert_eq(p.a.send_counter, call - 1); // spent once the payload was tried
    }
    p.a.send_counter = 0;
    key_init_fails = true;
    cr_assert_eq(sp_initial_seal(message, &p.a, &p.initiate, text, TEXT_BYTES), -ENOMEM);
    cr_assert(vector_is_zero(message, sizeof(message)));
}

Test(sp_initial_seal, hides_the_sender)
{
    seal_message();
    cr_assert_null(memmem(message, sizeof(message), p.identity_a, 32));
    cr_assert_null(memmem(message, sizeof(message), p.a.local_mailbox, SP_MAILBOX_BYTES));
}

// ---- decoding -----------------------------------------------------------------------------------

Test(sp_initial_decode, refuses_every_truncation)
{
    struct sp_initial_header header;
    seal_message();
    for (size_t len = 0; len < SP_INITIAL_OVERHEAD_BYTES; len++) {
        memset(&header, 0xAA, sizeof(header));
        cr_assert_eq(sp_initial_decode(&header, message, len), SP_SESSION_TRUNCATED);
        cr_assert(vector_is_zero(&header, sizeof(header)));
    }
    cr_assert_eq(sp_initial_decode(&header, message, SP_INITIAL_OVERHEAD_BYTES), 0);
}

Test(sp_initial_decode, refuses_what_the_header_may_not_say)
{
    // offset, value
    static const uint8_t bad[][2] = {{0, 0}, {0, 2}, {1, 2}, {1, 3}, {1, 0x81}, {2, 1}, {3, 1}};
    struct sp_initial_header header;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        p.a.send_counter = 0;
        seal_message();
        message[bad[i][0]] = bad[i][1];
        memset(&header, 0xAA, sizeof(header));
        cr_assert_eq(sp_initial_decode(&header, message, sizeof(message)), SP_SESSION_FORGED);
        cr_assert(vector_is_zero(&header, sizeof(header)));
    }
}

Test(sp_initial_decode, refuses_a_flag_without_id_and_an_id_without_flag)
{
    struct sp_initial_header header;
    seal_message();
    message[1] = 0;
    cr_assert_eq(sp_initial_decode(&header, message, sizeof(message)), SP_SESSION_FORGED);
    memset(message + 8, 0, 4);
    cr_assert_eq(sp_initial_decode(&header, message, sizeof(message)), 0);
    message[1] = 1;
    cr_assert_eq(sp_initial_decode(&header, message, sizeof(message)), SP_SESSION_FORGED);
}

// ---- opening ------------------------------------------------------------------------------------

Test(sp_initial_open, refuses_every_tampered_byte)
{
    uint8_t out[TEXT_BYTES], identity[32];
    const uint8_t *header_key = p.respond.result.header_key;
    seal_message();
    for (size_t i = 0; i < MESSAGE_BYTES; i++) {
        message[i] ^= 0x20;
        memset(out, 0xAA, sizeof(out));
        memset(identity, 0xAA, sizeof(identity));
        cr_assert_eq(sp_initial_open(out, &p.b, message, sizeof(message)), SP_SESSION_FORGED);
        cr_assert(vector_is_zero(out, sizeof(out)));
        // The payload is not the identity's business.
        cr_assert_eq(sp_initial_open_identity(identity, header_key, message, sizeof(message)),
                     i >= 92);
        cr_assert_eq(vector_is_zero(identity, sizeof(identity)), i < 92);
        message[i] ^= 0x20;
    }
    cr_assert_eq(sp_initial_open(out, &p.b, message, sizeof(message)), 0);
}

Test(sp_initial_open, refuses_every_truncation)
{
    uint8_t out[TEXT_BYTES];
    seal_message();
    for (size_t len = 0; len < MESSAGE_BYTES; len++)
        cr_assert_eq(sp_initial_open(out, &p.b, message, len),
                     len < SP_INITIAL_OVERHEAD_BYTES ? SP_SESSION_TRUNCATED : SP_SESSION_FORGED);
}

Test(sp_initial_open, refuses_a_replay)
{
    uint8_t out[TEXT_BYTES];
    seal_message();
    cr_assert_eq(sp_initial_open(out, &p.b, message, sizeof(message)), 0);
    cr_assert_arr_eq(out, text, TEXT_BYTES);
    cr_assert_eq(sp_initial_open(out, &p.b, message, sizeof(message)), SP_SESSION_REPLAY);
    cr_assert(vector_is_zero(out, sizeof(out)));
}

Test(sp_initial_open, may_come_after_session_messages)
{
    uint8_t later[SP_SESSION_OVERHEAD_BYTES], out[TEXT_BYTES];
    struct sp_session_job job = {.session = &p.a, .out = later};
    seal_message();
    sp_session_seal_batch(&job, 1);
    job = (struct sp_session_job){
        .session = &p.b, .in = later, .len = SP_SESSION_OVERHEAD_BYTES, .out = out};
    sp_session_open_batch(&job, 1);
    cr_assert_eq(job.result, 0);
    cr_assert_eq(sp_initial_open(out, &p.b, message, sizeof(message)), 0);
}

Test(sp_initial_open, refuses_another_header_key_or_no_memory)
{
    uint8_t identity[32], other[32] = {1};
    seal_message();
    cr_assert_not(sp_initial_open_identity(identity, other, message, sizeof(message)));
    cr_assert(vector_is_zero(identity, sizeof(identity)));
    key_init_fails = true;
    memset(identity, 0xAA, sizeof(identity));
    cr_assert_not(
        sp_initial_open_identity(identity, p.respond.result.header_key, message, sizeof(message)));
    cr_assert(vector_is_zero(identity, sizeof(identity)));
}
