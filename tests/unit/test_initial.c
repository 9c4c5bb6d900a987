// The initial message: vectors, the whole way of it in every kind, forgeries of every byte,
// counter 0, and the end of the one-time secrets.
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "parties.h"
#include "sealcrypto.h"
#include "vectors.h"

#define MANY 40u

static size_t seal_calls, seal_fails_at;
static bool signing_fails;

int __real_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count);
int __wrap_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count);
int __real_sp_ml_dsa_sign_batch(const struct sp_ml_dsa_job *jobs, size_t count);
int __wrap_sp_ml_dsa_sign_batch(const struct sp_ml_dsa_job *jobs, size_t count);

int __wrap_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    if (++seal_calls == seal_fails_at)
        return -EIO;
    return __real_sp_aead_seal_batch(jobs, count);
}

int __wrap_sp_ml_dsa_sign_batch(const struct sp_ml_dsa_job *jobs, size_t count)
{
    return signing_fails ? -EIO : __real_sp_ml_dsa_sign_batch(jobs, count);
}

static struct parties p;
static uint8_t text[PARTIES_TEXT_BYTES];

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
}

static void stop(void)
{
    parties_free(&p);
}

TestSuite(sp_initial_overhead_bytes);
TestSuite(sp_initial_decode, .init = start, .fini = stop);
TestSuite(sp_initial_seal_batch, .init = start, .fini = stop);
TestSuite(sp_initial_open_batch, .init = start, .fini = stop);

// Both sessions, A's message sealed and not opened.
static void begin(unsigned kind)
{
    parties_free(&p);
    parties_random(&p, kind);
    parties_shake_hands(&p);
}

static int open_message(const uint8_t *message, size_t len)
{
    struct sp_initial_open_job job = {
        .session = &p.b_session, .in = message, .len = len, .out = text, .result = 1};
    memset(text, 0xAA, sizeof(text));
    sp_initial_open_batch(&job, 1);
    return job.result;
}

static void expect_text(void)
{
    cr_assert_eq(open_message(p.message, p.message_len), 0);
    cr_assert_arr_eq(text, PARTIES_TEXT, PARTIES_TEXT_BYTES);
}

// A message each way.
static void expect_conversation(void)
{
    uint8_t sealed[SP_SESSION_OVERHEAD_BYTES + 2], opened[2];
    for (int i = 0; i < 4; i++) {
        struct sp_session *from = i % 2 ? &p.a_session : &p.b_session;
        struct sp_session *to = i % 2 ? &p.b_session : &p.a_session;
        struct sp_session_job job = {
            .session = from, .in = (const uint8_t *)"hi", .len = 2, .out = sealed, .result = 1};
        sp_session_seal_batch(&job, 1);
        cr_assert_eq(job.result, 0);
        job = (struct sp_session_job){
            .session = to, .in = sealed, .len = sizeof(sealed), .out = opened, .result = 1};
        sp_session_open_batch(&job, 1);
        cr_assert_eq(job.result, 0);
        cr_assert_arr_eq(opened, "hi", 2);
    }
}

// ---- sizes and decoding -------------------------------------------------------------------------

Test(sp_initial_overhead_bytes, adds_up)
{
    cr_assert_eq(sp_initial_overhead_bytes(SP_SUITE_X3DH, false), 108);
    cr_assert_eq(sp_initial_overhead_bytes(SP_SUITE_PQXDH, false), 1200);
    cr_assert_eq(sp_initial_overhead_bytes(SP_SUITE_X3DH, true), 5433);
    cr_assert_eq(sp_initial_overhead_bytes(SP_SUITE_PQXDH, true), SP_INITIAL_OVERHEAD_MAX_BYTES);
}

static void expect_malformed(size_t len)
{
    struct sp_initial_header header;
    memset(&header, 0xAA, sizeof(header));
    cr_assert_eq(sp_initial_decode(&header, p.message, len), SP_HANDSHAKE_MALFORMED);
    cr_assert(vector_is_zero(&header, sizeof(header)));
    memset(text, 0xAA, sizeof(text));
    cr_assert_eq(open_message(p.message, len), SP_HANDSHAKE_MALFORMED);
}

Test(sp_initial_decode, says_what_the_message_says)
{
    struct sp_initial_header header;
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        p.message[4] = 0x12; // the first byte of the signed prekey's id
        cr_assert_eq(sp_initial_decode(&header, p.message, p.message_len), 0);
        cr_assert_eq(header.suite, kind & PARTIES_PQXDH ? SP_SUITE_PQXDH : SP_SUITE_X3DH);
        cr_assert_eq(header.is_hybrid, (kind & PARTIES_HYBRID) != 0);
        cr_assert_eq(header.is_ratchet, (kind & PARTIES_RATCHET) != 0);
        cr_assert_eq(header.signed_prekey_id, 0x12000001);
        cr_assert_eq(header.one_time_prekey_id, kind & PARTIES_ONE_TIME ? 7 : 0);
        cr_assert_eq(header.kem_prekey_id, kind & PARTIES_PQXDH ? 9 : 0);
        cr_assert_arr_eq(header.ephemeral_public, p.initiate.ephemeral_public, 32);
        cr_assert_eq(header.overhead_bytes, p.overhead_bytes);
    }
}

Test(sp_initial_decode, refuses_every_truncation)
{
    struct sp_initial_header header;
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        for (size_t len = 0; len < p.overhead_bytes; len++)
            expect_malformed(len);
        cr_assert_eq(sp_initial_decode(&header, p.message, p.overhead_bytes), 0);
    }
}

Test(sp_initial_decode, refuses_what_the_header_may_not_say)
{
    // offset, value
    static const uint8_t bad[][2] = {{0, 0}, {0, 3}, {0, 0x81}, {1, 8}, {1, 0x81}, {2, 1}, {3, 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(PARTIES_ONE_TIME);
        p.message[bad[i][0]] = bad[i][1];
        expect_malformed(p.message_len);
    }
}

Test(sp_initial_decode, refuses_ids_of_zero_and_a_flag_that_disagrees)
{
    struct sp_initial_header header;
    begin(PARTIES_ONE_TIME | PARTIES_PQXDH);
    p.message[1] = 0; // an id, no flag
    expect_malformed(p.message_len);
    memset(p.message + 8, 0, 4);
    cr_assert_eq(sp_initial_decode(&header, p.message, p.message_len), 0);
    p.message[1] = 1; // a flag, no id
    expect_malformed(p.message_len);
    p.message[11] = 7;
    cr_assert_eq(sp_initial_decode(&header, p.message, p.message_len), 0);
    memset(p.message + 4, 0, 4);
    expect_malformed(p.message_len);
    p.message[4] = 1;
    memset(p.message + 44, 0, 4);
    expect_malformed(p.message_len);
}

// ---- sealing ------------------------------------------------------------------------------------

static void reproduce(struct vector_record *v, const char *name)
{
    const struct vector_field *expected = vector_get(v, name);
    const struct vector_field *words = vector_get(v, "initial_text");
    uint8_t opened[64];
    struct sp_initial_open_job job = {
        .session = &p.b_session, .in = expected->bytes, .len = expected->len, .out = opened};
    parties_init_session(&p, true);
    cr_assert_eq(parties_try_seal(&p, words->bytes, words->len), 0);
    cr_assert_eq(p.message_len, expected->len);
    // ML-DSA signatures are hedged. Of a hybrid message all before them is alike, if sealed.
    const size_t front = p.overhead_bytes - SP_TAG_BYTES - SP_TAG_BYTES - SP_ML_DSA_SIGNATURE_BYTES;
    cr_assert_arr_eq(p.message, expected->bytes, p.kind & PARTIES_HYBRID ? front : expected->len);
    p.respond.message = expected->bytes;
    parties_respond(&p);
    parties_init_session(&p, false);
    sp_initial_open_batch(&job, 1);
    cr_assert_eq(job.result, 0);
    cr_assert_arr_eq(opened, words->bytes, words->len);
}

static size_t reproduce_all(const char *file)
{
    static struct vector_record v;
    FILE *in = vector_open(file);
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        parties_free(&p);
        parties_load(&p, &v);
        parties_initiate(&p);
        reproduce(&v, "initial");
        expect_conversation();
        p.kind |= PARTIES_RATCHET;
        reproduce(&v, "initial_ratchet");
        expect_conversation();
    }
    fclose(in);
    return count;
}

Test(sp_initial_seal_batch, reproduces_the_vectors)
{
    cr_assert_eq(reproduce_all("x3dh.txt"), 2);
    cr_assert_eq(reproduce_all("pqxdh.txt"), 5);
}

// A message of `from` is this one, byte for byte, and `to` opens it.
static void expect_session_message(struct sp_session *from, struct sp_session *to,
                                   struct vector_record *v, const char *text_name, const char *name)
{
    const struct vector_field *words = vector_get(v, text_name), *expected = vector_get(v, name);
    uint8_t sealed[128], opened[128];
    struct sp_session_job job = {
        .session = from, .in = words->bytes, .len = words->len, .out = sealed, .result = 1};
    sp_session_seal_batch(&job, 1);
    cr_assert_eq(job.result, 0);
    cr_assert_eq(expected->len, words->len + SP_SESSION_OVERHEAD_BYTES);
    cr_assert_arr_eq(sealed, expected->bytes, expected->len);
    job = (struct sp_session_job){
        .session = to, .in = sealed, .len = expected->len, .out = opened, .result = 1};
    sp_session_open_batch(&job, 1);
    cr_assert_eq(job.result, 0);
    cr_assert_arr_eq(opened, words->bytes, words->len);
}

// What another implementation derives from a whole handshake: every key and id of the sessions.
Test(sp_initial_seal_batch, leads_to_the_sessions_of_the_vectors)
{
    static struct vector_record v;
    FILE *in = vector_open("pqxdh.txt");
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        const uint8_t *keys = vector_bytes(&v, "session_keys");
        const uint8_t *chains = vector_bytes(&v, "ratchet_keys");
        parties_free(&p);
        parties_load(&p, &v);
        p.answer_id = vector_bytes(&v, "id_ba");
        parties_shake_hands(&p);
        cr_assert_arr_eq(p.a_session.sending.id, keys + 64, 8);
        cr_assert_arr_eq(p.a_session.receiving.secret, keys + 32, 32);
        cr_assert_arr_eq(p.a_session.sending.secret, keys + 72, 32);
        expect_session_message(&p.a_session, &p.b_session, &v, "session_text", "session");
        expect_session_message(&p.b_session, &p.a_session, &v, "reply_text", "reply");
        cr_assert_eq(sp_session_rekey(&p.a_session), 0);
        expect_session_message(&p.a_session, &p.b_session, &v, "session_text",
                               "session_next_epoch");
        p.kind |= PARTIES_RATCHET;
        parties_shake_hands(&p);
        cr_assert_arr_eq(p.a_session.receiving.secret, chains + 32, 32);
        expect_session_message(&p.a_session, &p.b_session, &v, "session_text", "session_ratchet");
        expect_session_message(&p.b_session, &p.a_session, &v, "reply_text", "reply_ratchet");
    }
    fclose(in);
    cr_assert_eq(count, 5);
}

Test(sp_initial_seal_batch, leads_to_a_conversation_in_every_kind)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        expect_text();
        expect_conversation();
    }
}

Test(sp_initial_seal_batch, works_in_place_and_empty)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        const size_t at = p.overhead_bytes - SP_TAG_BYTES;
        parties_init_session(&p, true);
        memcpy(p.message + at, PARTIES_TEXT, PARTIES_TEXT_BYTES);
        cr_assert_eq(parties_try_seal(&p, p.message + at, PARTIES_TEXT_BYTES), 0);
        struct sp_initial_open_job job = {.session = &p.b_session,
                                          .in = p.message,
                                          .len = p.message_len,
                                          .out = p.message + at,
                                          .result = 1};
        sp_initial_open_batch(&job, 1);
        cr_assert_eq(job.result, 0);
        cr_assert_arr_eq(p.message + at, PARTIES_TEXT, PARTIES_TEXT_BYTES);

        begin(kind);
        parties_init_session(&p, true);
        cr_assert_eq(parties_try_seal(&p, NULL, 0), 0);
        job = (struct sp_initial_open_job){
            .session = &p.b_session, .in = p.message, .len = p.message_len, .result = 1};
        sp_initial_open_batch(&job, 1);
        cr_assert_eq(job.result, 0);
    }
}

static void seal_reply_of_a(void)
{
    uint8_t first[SP_SESSION_OVERHEAD_BYTES];
    struct sp_session_job job = {.session = &p.a_session, .out = first, .result = 1};
    sp_session_seal_batch(&job, 1);
    cr_assert(job.result == 0 && job.counter == 1);
}

Test(sp_initial_seal_batch, takes_counter_zero_once)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        cr_assert_eq(parties_try_seal(&p, PARTIES_TEXT, PARTIES_TEXT_BYTES), -EINVAL);
        cr_assert(vector_is_zero(p.message, p.message_len));
        seal_reply_of_a();
        parties_init_session(&p, true);
        seal_reply_of_a(); // once there is a session message, the initial one can no longer be
        cr_assert_eq(parties_try_seal(&p, PARTIES_TEXT, PARTIES_TEXT_BYTES), -EINVAL);
        cr_assert(vector_is_zero(p.message, p.message_len));
    }
}

Test(sp_initial_seal_batch, zeroes_when_the_provider_fails)
{
    begin(PARTIES_PQXDH);
    for (size_t call = 1; call <= 2; call++) {
        parties_init_session(&p, true);
        seal_calls = 0;
        seal_fails_at = call;
        memset(p.message, 0xAA, p.message_len);
        cr_assert_eq(parties_try_seal(&p, PARTIES_TEXT, PARTIES_TEXT_BYTES), -EIO);
        cr_assert(vector_is_zero(p.message, p.message_len));
        cr_assert_eq(p.a_session.sending.counter, call - 1); // spent once the payload was tried
    }
    seal_fails_at = 0;
    begin(PARTIES_HYBRID);
    parties_init_session(&p, true);
    signing_fails = true;
    cr_assert_eq(parties_try_seal(&p, PARTIES_TEXT, PARTIES_TEXT_BYTES), -EIO);
    cr_assert(vector_is_zero(p.message, p.message_len));
    cr_assert_eq(p.a_session.sending.counter, 0);
    signing_fails = false;
    cr_assert_eq(parties_try_seal(&p, PARTIES_TEXT, PARTIES_TEXT_BYTES), 0);
}

Test(sp_initial_seal_batch, hides_the_sender)
{
    begin(PARTIES_PQXDH | PARTIES_HYBRID);
    const uint8_t *ml_dsa_65 = sp_ml_dsa_key_public(&p.a.ml_dsa);
    cr_assert_null(memmem(p.message, p.message_len, p.a.ed25519, 16));
    cr_assert_null(memmem(p.message, p.message_len, p.a.x25519, 16));
    cr_assert_null(memmem(p.message, p.message_len, p.a_session.local_mailbox, 8));
    for (size_t i = 0; i + 16 <= SP_ML_DSA_PUBLIC_BYTES; i += 16)
        cr_assert_null(memmem(p.message, p.message_len, ml_dsa_65 + i, 16));
}

// ---- batches ------------------------------------------------------------------------------------

static struct parties of[MANY];

static void begin_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        parties_random(&of[i], (unsigned)(i * 7 % PARTIES_KINDS));
        parties_initiate(&of[i]);
        parties_seal(&of[i]);
        parties_respond(&of[i]);
    }
}

static void end_many(void)
{
    for (size_t i = 0; i < MANY; i++)
        parties_free(&of[i]);
}

Test(sp_initial_seal_batch, judges_each_job_by_itself)
{
    static struct sp_initial_seal_job jobs[MANY];
    begin_many();
    for (size_t count = 1; count <= MANY; count++) {
        const size_t bad = count * 11 % count;
        for (size_t i = 0; i < count; i++) {
            parties_init_session(&of[i], true);
            of[i].a_session.sending.counter = i == bad ? 1 : 0;
            memset(of[i].message, 0xAA, of[i].message_len);
            jobs[i] = (struct sp_initial_seal_job){
                .session = &of[i].a_session,
                .handshake = &of[i].initiate,
                .in = (const uint8_t *)PARTIES_TEXT,
                .len = PARTIES_TEXT_BYTES,
                .out = of[i].message,
                .result = 1,
            };
        }
        sp_initial_seal_batch(jobs, count);
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(jobs[i].result, i == bad ? -EINVAL : 0);
            cr_assert_eq(vector_is_zero(of[i].message, of[i].message_len), i == bad);
        }
    }
    end_many();
}

Test(sp_initial_open_batch, judges_each_job_by_itself)
{
    static struct sp_initial_open_job jobs[MANY];
    static uint8_t texts[MANY][PARTIES_TEXT_BYTES];
    begin_many();
    for (size_t count = 1; count <= MANY; count++) {
        for (size_t bad = 0; bad < count; bad++) {
            uint8_t *flipped = &of[bad].message[bad % 2 ? 2 : of[bad].overhead_bytes - 3];
            *flipped ^= 1;
            for (size_t i = 0; i < count; i++) {
                parties_init_session(&of[i], false);
                memset(texts[i], 0xAA, PARTIES_TEXT_BYTES);
                jobs[i] = (struct sp_initial_open_job){
                    .session = &of[i].b_session,
                    .in = of[i].message,
                    .len = of[i].message_len,
                    .out = texts[i],
                    .result = 1,
                };
            }
            sp_initial_open_batch(jobs, count);
            *flipped ^= 1;
            for (size_t i = 0; i < count; i++) {
                const int due = bad % 2 ? SP_HANDSHAKE_MALFORMED : SP_SESSION_FORGED;
                cr_assert_eq(jobs[i].result, i == bad ? due : 0);
                if (i != bad)
                    cr_assert_arr_eq(texts[i], PARTIES_TEXT, PARTIES_TEXT_BYTES);
                else if (due == SP_SESSION_FORGED)
                    cr_assert(vector_is_zero(texts[i], PARTIES_TEXT_BYTES));
            }
        }
    }
    end_many();
}

Test(sp_initial_open_batch, takes_a_message_once_in_a_batch)
{
    for (unsigned mode = 0; mode <= PARTIES_RATCHET; mode += PARTIES_RATCHET) {
        uint8_t twice[2][PARTIES_TEXT_BYTES];
        begin(mode);
        struct sp_initial_open_job jobs[2] = {
            {.session = &p.b_session, .in = p.message, .len = p.message_len, .out = twice[0]},
            {.session = &p.b_session, .in = p.message, .len = p.message_len, .out = twice[1]},
        };
        sp_initial_open_batch(jobs, 2);
        cr_assert_eq(jobs[0].result, 0);
        cr_assert_eq(jobs[1].result, SP_SESSION_REPLAY);
        cr_assert_arr_eq(twice[0], PARTIES_TEXT, PARTIES_TEXT_BYTES);
        cr_assert(vector_is_zero(twice[1], PARTIES_TEXT_BYTES));
    }
}

// ---- opening ------------------------------------------------------------------------------------

Test(sp_initial_open_batch, refuses_every_tampered_byte)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        for (size_t i = 0; i < p.message_len; i++) {
            const bool is_id_without_flag = !(kind & PARTIES_ONE_TIME) && i >= 8 && i < 12;
            const bool is_malformed = i < 4 || is_id_without_flag;
            p.message[i] ^= 0x20;
            cr_assert_eq(open_message(p.message, p.message_len),
                         is_malformed ? SP_HANDSHAKE_MALFORMED : SP_SESSION_FORGED, "byte %zu", i);
            cr_assert(is_malformed || vector_is_zero(text, sizeof(text)));
            p.message[i] ^= 0x20;
        }
        expect_text();
    }
}

Test(sp_initial_open_batch, refuses_every_truncation)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        for (size_t len = p.overhead_bytes; len < p.message_len; len++)
            cr_assert_eq(open_message(p.message, len), SP_SESSION_FORGED);
        expect_text();
    }
}

Test(sp_initial_open_batch, refuses_a_message_of_other_parties)
{
    static struct parties other;
    begin(PARTIES_PQXDH);
    parties_random(&other, PARTIES_PQXDH);
    parties_shake_hands(&other);
    cr_assert_eq(open_message(other.message, other.message_len), SP_SESSION_FORGED);
    cr_assert(vector_is_zero(text, sizeof(text)));
    // The right keys, but for another mailbox.
    p.b_session.local_mailbox[3] ^= 1;
    cr_assert_eq(open_message(p.message, p.message_len), SP_SESSION_FORGED);
    p.b_session.local_mailbox[3] ^= 1;
    expect_text();
    parties_free(&other);
}

Test(sp_initial_open_batch, refuses_a_replay)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind);
        expect_text();
        cr_assert_eq(open_message(p.message, p.message_len), SP_SESSION_REPLAY);
        cr_assert(vector_is_zero(text, sizeof(text)));
    }
}

Test(sp_initial_open_batch, may_come_after_session_messages)
{
    for (unsigned mode = 0; mode <= PARTIES_RATCHET; mode += PARTIES_RATCHET) {
        begin(mode);
        expect_conversation();
        expect_text();
        cr_assert_eq(open_message(p.message, p.message_len), SP_SESSION_REPLAY);
    }
}

// ---- the end of the one-time secrets ------------------------------------------------------------

static int open_and_destroy(void)
{
    struct sp_initial_open_job job = {
        .session = &p.b_session,
        .in = p.message,
        .len = p.message_len,
        .out = text,
        .one_time_prekey_secret = p.one_time_prekey_secret,
        .one_time_kem_key = p.kind & PARTIES_PQXDH ? &p.kem_key : NULL,
        .result = 1,
    };
    sp_initial_open_batch(&job, 1);
    return job.result;
}

static void expect_secrets(bool there)
{
    cr_assert_eq(vector_is_zero(p.one_time_prekey_secret, 32), !there);
    if (p.kind & PARTIES_PQXDH)
        cr_assert_eq(p.kem_key.state != NULL, there);
}

Test(sp_initial_open_batch, destroys_one_time_secrets_once_opened)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind | PARTIES_ONE_TIME);
        expect_secrets(true); // the handshake alone does not
        cr_assert_eq(open_and_destroy(), 0);
        expect_secrets(false);
    }
}

Test(sp_initial_open_batch, keeps_one_time_secrets_of_what_does_not_open)
{
    for (unsigned kind = 0; kind < PARTIES_KINDS; kind++) {
        begin(kind | PARTIES_ONE_TIME);
        p.message[p.message_len - 1] ^= 1;
        cr_assert_eq(open_and_destroy(), SP_SESSION_FORGED);
        expect_secrets(true);
        p.message[p.message_len - 1] ^= 1;
        p.message[2] ^= 1;
        cr_assert_eq(open_and_destroy(), SP_HANDSHAKE_MALFORMED);
        expect_secrets(true);
        p.message[2] ^= 1;
        expect_text();
        cr_assert_eq(open_and_destroy(), SP_SESSION_REPLAY);
        expect_secrets(true);
    }
}

// A relay that delivers a message twice may have both in one batch: both handshakes come out well
// before the first of them is opened.
Test(sp_initial_open_batch, takes_one_time_secrets_once_in_a_batch)
{
    const struct {
        unsigned kind;
        bool has_secret, has_kem_key;
    } cases[] = {{PARTIES_ONE_TIME, true, false},
                 {PARTIES_ONE_TIME | PARTIES_RATCHET, true, false},
                 {PARTIES_PQXDH, false, true},
                 {PARTIES_PQXDH | PARTIES_ONE_TIME | PARTIES_RATCHET, true, true}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        static struct parties replayed[MANY];
        static uint8_t texts[MANY][PARTIES_TEXT_BYTES];
        struct sp_initial_open_job jobs[MANY];
        begin(cases[c].kind);
        for (size_t i = 0; i < MANY; i++) {
            replayed[i] = p;
            memset(&replayed[i].b_session, 0, sizeof(replayed[i].b_session));
            parties_init_session(&replayed[i], false);
            memset(texts[i], 0xAA, PARTIES_TEXT_BYTES);
            jobs[i] = (struct sp_initial_open_job){
                .session = &replayed[i].b_session,
                .in = p.message,
                .len = p.message_len,
                .out = texts[i],
                .one_time_prekey_secret = cases[c].has_secret ? p.one_time_prekey_secret : NULL,
                .one_time_kem_key = cases[c].has_kem_key ? &p.kem_key : NULL,
                .result = 1,
            };
        }
        sp_initial_open_batch(jobs, MANY);
        cr_assert_eq(jobs[0].result, 0);
        cr_assert_arr_eq(texts[0], PARTIES_TEXT, PARTIES_TEXT_BYTES);
        for (size_t i = 1; i < MANY; i++) {
            cr_assert_eq(jobs[i].result, SP_SESSION_REPLAY, "case %zu: %d", c, jobs[i].result);
            cr_assert(vector_is_zero(texts[i], PARTIES_TEXT_BYTES));
        }
        for (size_t i = 0; i < MANY; i++)
            sp_session_free(&replayed[i].b_session);
    }
}
