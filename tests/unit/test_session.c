// Session messages: vectors, replay and reordering, tampering, exhaustion, and nonces that never
// come twice. The AEAD calls are watched on their way down.
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sealcrypto.h"
#include "session_pair.h"
#include "vectors.h"

#define SEEN_MAX 4096u

// Every (key, nonce) that was sealed with, and how many AEAD calls were made.
static struct {
    uint8_t key[SP_KEY_BYTES];
    uint8_t nonce[SP_NONCE_BYTES];
} seen[SEEN_MAX];
static size_t seen_count, seal_calls, open_calls, key_init_calls, key_init_fails_at;
static bool seal_fails;

// Which raw key the last prepared ones came from.
#define PREPARED_MAX 512u
static struct {
    const void *state;
    uint8_t raw[SP_KEY_BYTES];
} prepared[PREPARED_MAX];
static size_t prepared_count;

static const uint8_t *raw_of(const void *state)
{
    for (size_t i = prepared_count; i > 0; i--) {
        if (prepared[(i - 1) % PREPARED_MAX].state == state)
            return prepared[(i - 1) % PREPARED_MAX].raw;
    }
    cr_assert_fail("a key nobody prepared");
    return NULL;
}

int __real_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count);
int __wrap_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count);
bool __real_sp_aead_open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok);
bool __wrap_sp_aead_open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok);
int __real_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw);
int __wrap_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw);

int __wrap_sp_aead_seal_batch(const struct sp_aead_job *jobs, size_t count)
{
    seal_calls++;
    for (size_t i = 0; i < count; i++) {
        cr_assert_lt(seen_count, SEEN_MAX);
        memcpy(seen[seen_count].key,
               jobs[i].key == NULL ? jobs[i].raw_key : raw_of(jobs[i].key->state), SP_KEY_BYTES);
        memcpy(seen[seen_count++].nonce, jobs[i].nonce, SP_NONCE_BYTES);
    }
    return seal_fails ? -EIO : __real_sp_aead_seal_batch(jobs, count);
}

bool __wrap_sp_aead_open_batch(const struct sp_aead_job *jobs, size_t count, bool *ok)
{
    open_calls++;
    return __real_sp_aead_open_batch(jobs, count, ok);
}

int __wrap_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw)
{
    if (++key_init_calls == key_init_fails_at)
        return -ENOMEM;
    const int error = __real_sp_aead_key_init(key, raw);
    prepared[prepared_count % PREPARED_MAX].state = key->state;
    memcpy(prepared[prepared_count++ % PREPARED_MAX].raw, raw, SP_KEY_BYTES);
    return error;
}

static struct session_pair p;

static void start(void)
{
    cr_assert_eq(sp_init(), 0);
    pair_random_handshake(&p, SP_SUITE_X3DH);
    pair_open(&p, SP_SESSION_COUNTER, 0);
}

static void stop(void)
{
    pair_free(&p);
}

TestSuite(sp_session_init_batch, .init = start, .fini = stop);
TestSuite(sp_session_seal_batch, .init = start, .fini = stop);
TestSuite(sp_session_open_batch, .init = start, .fini = stop);

// The message of A with this counter.
static void seal_at(uint64_t counter, uint8_t out[MESSAGE_BYTES])
{
    p.a.sending.counter = counter;
    pair_seal_text(&p.a, out);
}

static int receive_at(uint64_t counter)
{
    uint8_t message[MESSAGE_BYTES];
    seal_at(counter, message);
    return pair_receive(&p.b, message);
}

// ---- set-up -------------------------------------------------------------------------------------

static void expect_message(struct sp_session *from, struct sp_session *to, struct vector_record *v,
                           const char *text_name, const char *message_name)
{
    const struct vector_field *text = vector_get(v, text_name);
    const struct vector_field *expected = vector_get(v, message_name);
    uint8_t message[128], back[128];
    cr_assert_eq(expected->len, text->len + SP_SESSION_OVERHEAD_BYTES);
    cr_assert_eq(pair_seal(from, message, text->bytes, text->len), 0);
    cr_assert_arr_eq(message, expected->bytes, expected->len);
    cr_assert_eq(pair_open_one(to, back, message, expected->len), 0);
    cr_assert_arr_eq(back, text->bytes, text->len);
}

Test(sp_session_init_batch, reproduces_the_vectors)
{
    static struct vector_record v;
    static struct session_pair q;
    FILE *in = vector_open("x3dh.txt");
    size_t count = 0;
    for (; vector_next(in, &v); count++) {
        memset(&q, 0, sizeof(q));
        memcpy(q.identity_a, vector_bytes(&v, "identity_a"), 32);
        memcpy(q.identity_b, vector_bytes(&v, "identity_b"), 32);
        memcpy(q.handshake.sk, vector_bytes(&v, "sk"), 32);
        memcpy(q.handshake.ad, vector_bytes(&v, "ad"), 66);
        q.handshake.suite = SP_SUITE_X3DH;
        q.handshake.ad_len = 66;
        q.answer_id = vector_bytes(&v, "id_ba");
        pair_open(&q, SP_SESSION_COUNTER, 0);
        cr_assert_arr_eq(q.a.sending.id, vector_bytes(&v, "id_ab"), SP_SESSION_ID_BYTES);
        cr_assert_arr_eq(q.b.receiving.id, vector_bytes(&v, "id_ab"), SP_SESSION_ID_BYTES);
        cr_assert_arr_eq(q.b.sending.id, vector_bytes(&v, "id_ba"), SP_SESSION_ID_BYTES);
        expect_message(&q.a, &q.b, &v, "session_text", "session");
        expect_message(&q.b, &q.a, &v, "reply_text", "reply");
        cr_assert_arr_eq(q.a.receiving.id, vector_bytes(&v, "id_ba"), SP_SESSION_ID_BYTES);
        pair_free(&q);
        pair_open(&q, SP_SESSION_RATCHET, 1);
        expect_message(&q.b, &q.a, &v, "reply_text", "reply_ratchet");
        pair_free(&q);
    }
    fclose(in);
    cr_assert_eq(count, 2);
}

Test(sp_session_init_batch, leaves_nothing_when_out_of_memory)
{
    struct sp_session_init_job jobs[2];
    static struct session_pair q;
    for (size_t i = 1; i <= 3; i++) { // one key of the initiator's, two of the responder's
        pair_random_handshake(&q, SP_SUITE_X3DH);
        pair_make_jobs(&q, SP_SESSION_COUNTER, 0, jobs);
        memset(&q.a, 0xAA, sizeof(q.a));
        memset(&q.b, 0xAA, sizeof(q.b));
        key_init_calls = 0;
        key_init_fails_at = i;
        sp_session_init_batch(jobs, 2);
        const size_t failed = i == 1 ? 0 : 1;
        cr_assert_eq(jobs[failed].result, -ENOMEM);
        cr_assert_eq(jobs[1 - failed].result, 0);
        cr_assert(vector_is_zero(jobs[failed].session, sizeof(q.a)));
        sp_session_free(jobs[1 - failed].session);
    }
}

// X3DH section 4.3: a responder that is made to answer the same handshake twice must not do it with
// the same keys.
Test(sp_session_init_batch, answers_a_replayed_handshake_under_other_keys)
{
    static struct session_pair q;
    struct sp_session_init_job jobs[2];
    struct sp_session twins[2], *a = &q.a;
    uint8_t message[2][MESSAGE_BYTES];
    for (int mode = SP_SESSION_COUNTER; mode <= SP_SESSION_RATCHET; mode++) {
        pair_random_handshake(&q, SP_SUITE_X3DH);
        pair_make_jobs(&q, (enum sp_session_mode)mode, 8, jobs);
        sp_session_init_batch(jobs, 1);
        for (size_t i = 0; i < 2; i++) {
            jobs[1].session = &twins[i];
            sp_session_init_batch(&jobs[1], 1);
            cr_assert_eq(jobs[1].result, 0);
            pair_seal_text(&twins[i], message[i]);
        }
        cr_assert(memcmp(message[0], message[1], SP_SESSION_ID_BYTES) != 0);
        cr_assert(memcmp(message[0] + 16, message[1] + 16, TEXT_BYTES) != 0);
        // The initiator takes the first of the two that it opens, and only that one.
        cr_assert_eq(pair_receive(a, message[1]), 0);
        cr_assert_eq(pair_receive(a, message[0]), SP_SESSION_UNKNOWN);
        for (size_t i = 0; i < 2; i++)
            sp_session_free(&twins[i]);
        sp_session_free(a);
    }
}

// Whatever comes first and does not open leaves the initiator waiting as before; the answers may be
// overtaken by each other, also within a batch.
Test(sp_session_init_batch, waits_for_an_answer_that_opens)
{
    static struct session_pair q;
    uint8_t message[4][MESSAGE_BYTES], forged[MESSAGE_BYTES], out[5][TEXT_BYTES];
    for (int mode = SP_SESSION_COUNTER; mode <= SP_SESSION_RATCHET; mode++) {
        pair_random_handshake(&q, SP_SUITE_PQXDH);
        pair_open(&q, (enum sp_session_mode)mode, 8);
        for (size_t i = 0; i < 4; i++)
            pair_seal_text(&q.b, message[i]);
        const struct sp_session before = q.a;
        for (size_t i = 0; i < MESSAGE_BYTES; i++) {
            memcpy(forged, message[1], sizeof(forged));
            forged[i] ^= 1;
            cr_assert_eq(pair_receive(&q.a, forged), i >= 8 && i < 15 && mode == SP_SESSION_RATCHET
                                                         ? SP_SESSION_AHEAD
                                                         : SP_SESSION_FORGED);
        }
        cr_assert_eq(memcmp(&before, &q.a, sizeof(before)), 0);
        const uint8_t *in[] = {forged, message[2], message[0], message[2], message[3]};
        const int expected[] = {SP_SESSION_FORGED, 0, 0, SP_SESSION_REPLAY, 0};
        struct sp_session_job jobs[5];
        for (size_t i = 0; i < 5; i++)
            jobs[i] = (struct sp_session_job){&q.a, in[i], MESSAGE_BYTES, out[i], -1, 0};
        sp_session_open_batch(jobs, 5);
        for (size_t i = 0; i < 5; i++)
            cr_assert_eq(jobs[i].result, expected[i], "%zu: %d", i, jobs[i].result);
        cr_assert_eq(pair_receive(&q.a, message[1]), 0);
        pair_free(&q);
    }
}

// Sixteen sessions are derived at once: each count, both modes and both suites mixed.
// A handshake that failed is zeroed: keys out of it would be everybody's.
Test(sp_session_init_batch, asserts_a_handshake_that_came_out_well, .signal = SIGABRT)
{
    static struct session_pair q;
    pair_random_handshake(&q, SP_SUITE_X3DH);
    memset(&q.handshake, 0, sizeof(q.handshake));
    pair_open(&q, SP_SESSION_COUNTER, 0);
}

Test(sp_session_init_batch, agrees_with_itself_for_every_count)
{
    static struct session_pair pairs[40];
    static struct sp_session_init_job jobs[80];
    uint8_t message[MESSAGE_BYTES];
    for (size_t count = 1; count <= 40; count++) {
        for (size_t i = 0; i < count; i++) {
            pair_random_handshake(&pairs[i], i % 3 == 0 ? SP_SUITE_PQXDH : SP_SUITE_X3DH);
            pair_make_jobs(&pairs[i], i % 2 == 0 ? SP_SESSION_COUNTER : SP_SESSION_RATCHET, 8,
                           &jobs[2 * i]);
        }
        sp_session_init_batch(jobs, 2 * count);
        for (size_t i = 0; i < count; i++) {
            cr_assert(jobs[2 * i].result == 0 && jobs[2 * i + 1].result == 0);
            pair_seal_text(&pairs[i].a, message);
            // The ratchet's counter 0 has gone past with the initial message.
            cr_assert_eq(pair_receive(&pairs[i].b, message), 0);
            pair_seal_text(&pairs[i].b, message);
            cr_assert_eq(pair_receive(&pairs[i].a, message), 0);
            pair_free(&pairs[i]);
        }
    }
}

// ---- sealing ------------------------------------------------------------------------------------

Test(sp_session_seal_batch, round_trips_every_length_in_place)
{
    uint8_t buffer[300 + SP_SESSION_OVERHEAD_BYTES], text[300];
    cr_assert_eq(sp_random(text, sizeof(text)), 0);
    for (size_t len = 0; len <= sizeof(text); len++) {
        memcpy(buffer + 16, text, len);
        cr_assert_eq(pair_seal(&p.a, buffer, buffer + 16, len), 0);
        cr_assert_eq(pair_open_one(&p.b, buffer + 16, buffer, len + SP_SESSION_OVERHEAD_BYTES), 0);
        cr_assert_arr_eq(buffer + 16, text, len);
    }
}

Test(sp_session_seal_batch, leaves_counter_zero_to_the_initial_message)
{
    uint8_t message[SP_SESSION_OVERHEAD_BYTES];
    struct sp_session_job job = {.session = &p.a, .out = message};
    sp_session_seal_batch(&job, 1);
    cr_assert(job.result == 0 && job.counter == 1);
    job.session = &p.b; // of the other direction nothing is reserved
    sp_session_seal_batch(&job, 1);
    cr_assert(job.result == 0 && job.counter == 0);
}

// Random batches over four directions, two of them ratchets; then every (key, nonce) is looked at.
Test(sp_session_seal_batch, never_repeats_a_key_and_nonce)
{
    static struct session_pair q;
    static uint8_t out[200][MESSAGE_BYTES];
    static const uint8_t text[TEXT_BYTES];
    struct sp_session_job jobs[200];
    uint8_t choice[200];
    pair_random_handshake(&q, SP_SUITE_PQXDH);
    pair_open(&q, SP_SESSION_COUNTER, 0);
    pair_free(&q);
    pair_open(&q, SP_SESSION_RATCHET, 64);
    struct sp_session *sessions[] = {&p.a, &p.b, &q.a, &q.b};
    uint64_t last[4] = {0};
    for (size_t round = 0; round < 15; round++) {
        cr_assert_eq(sp_random(choice, sizeof(choice)), 0);
        for (size_t i = 0; i < 200; i++)
            jobs[i] =
                (struct sp_session_job){sessions[choice[i] % 4], text, TEXT_BYTES, out[i], -1, 0};
        seal_fails = round == 7; // counters of a failed batch are spent too
        sp_session_seal_batch(jobs, 200);
        if (round % 4 == 3)
            cr_assert_eq(sp_session_rekey(&p.a), 0);
        for (size_t i = 0; i < 200; i++) {
            const size_t which = choice[i] % 4;
            cr_assert_eq(jobs[i].result, seal_fails ? -EIO : 0);
            cr_assert(jobs[i].counter == last[which] + 1 || jobs[i].counter <= 1);
            last[which] = jobs[i].counter;
        }
    }
    cr_assert_eq(seen_count, 15 * 200);
    for (size_t i = 0; i < seen_count; i++) {
        cr_assert(vector_is_zero(seen[i].nonce, 4));
        for (size_t j = 0; j < i; j++)
            cr_assert(memcmp(&seen[i], &seen[j], sizeof(seen[i])) != 0);
    }
    pair_free(&q);
}

Test(sp_session_seal_batch, makes_one_call_for_64_messages)
{
    static uint8_t out[130][SP_SESSION_OVERHEAD_BYTES];
    struct sp_session_job jobs[130];
    for (size_t i = 0; i < 130; i++)
        jobs[i] = (struct sp_session_job){.session = &p.a, .out = out[i]};
    sp_session_seal_batch(jobs, 130);
    cr_assert_eq(seal_calls, 3);
    for (size_t i = 0; i < 130; i++) {
        cr_assert(jobs[i].result == 0 && jobs[i].counter == i + 1);
        jobs[i] = (struct sp_session_job){
            .session = &p.b, .in = out[i], .len = SP_SESSION_OVERHEAD_BYTES};
    }
    sp_session_open_batch(jobs, 130);
    cr_assert_eq(open_calls, 3);
    for (size_t i = 0; i < 130; i++)
        cr_assert(jobs[i].result == 0 && jobs[i].counter == i + 1);
}

Test(sp_session_seal_batch, is_exhausted_before_the_last_counter)
{
    static const uint8_t text[TEXT_BYTES];
    uint8_t out[3][MESSAGE_BYTES], back[TEXT_BYTES];
    struct sp_session_job jobs[3];
    memset(out, 0xAA, sizeof(out));
    p.a.sending.counter = UINT64_MAX - 1;
    for (size_t i = 0; i < 3; i++)
        jobs[i] = (struct sp_session_job){&p.a, text, TEXT_BYTES, out[i], -1, 0};
    sp_session_seal_batch(jobs, 3);
    cr_assert(jobs[0].result == 0 && jobs[0].counter == UINT64_MAX - 1);
    for (size_t i = 1; i < 3; i++) {
        cr_assert_eq(jobs[i].result, SP_SESSION_EXHAUSTED);
        cr_assert(vector_is_zero(out[i], MESSAGE_BYTES));
    }
    cr_assert_eq(pair_open_one(&p.b, back, out[0], MESSAGE_BYTES), 0);
    cr_assert_eq(p.b.receiving.highest, UINT64_MAX - 1);
}

Test(sp_session_seal_batch, zeroes_all_when_the_provider_fails)
{
    static const uint8_t text[TEXT_BYTES];
    uint8_t out[2][MESSAGE_BYTES];
    struct sp_session_job jobs[2];
    memset(out, 0xAA, sizeof(out));
    for (size_t i = 0; i < 2; i++)
        jobs[i] = (struct sp_session_job){&p.a, text, TEXT_BYTES, out[i], 0, 0};
    seal_fails = true;
    sp_session_seal_batch(jobs, 2);
    cr_assert(jobs[0].result == -EIO && jobs[1].result == -EIO);
    cr_assert(vector_is_zero(out, sizeof(out)));
    cr_assert_eq(p.a.sending.counter, 3);
}

// ---- the window ---------------------------------------------------------------------------------

Test(sp_session_open_batch, refuses_a_replay)
{
    cr_assert_eq(receive_at(5), 0);
    cr_assert_eq(receive_at(5), SP_SESSION_REPLAY);
    cr_assert_eq(receive_at(6), 0);
    cr_assert_eq(receive_at(5), SP_SESSION_REPLAY);
}

Test(sp_session_open_batch, accepts_any_order_within_the_window_once)
{
    cr_assert_eq(receive_at(3000), 0);
    for (uint64_t i = 0; i < SP_WINDOW_BITS - 1; i++) // 389 and 1023 have no common factor
        cr_assert_eq(receive_at(3000 - 1 - i * 389 % (SP_WINDOW_BITS - 1)), 0);
    for (uint64_t counter = 3000 - SP_WINDOW_BITS + 1; counter <= 3000; counter++)
        cr_assert_eq(receive_at(counter), SP_SESSION_REPLAY, "%lu", (unsigned long)counter);
}

Test(sp_session_open_batch, refuses_what_is_behind_the_window)
{
    cr_assert_eq(receive_at(1), 0);
    cr_assert_eq(receive_at(SP_WINDOW_BITS + 10), 0);
    cr_assert_eq(receive_at(10), SP_SESSION_REPLAY);
    cr_assert_eq(receive_at(11), 0);
    cr_assert_eq(receive_at(1), SP_SESSION_REPLAY);
}

Test(sp_session_open_batch, keeps_the_window_right_over_jumps)
{
    // Against the plain definition: a set of all accepted counters and the highest of them.
    static bool accepted[20000];
    uint64_t highest = 0;
    uint32_t jump;
    for (int i = 0; i < 3000; i++) {
        cr_assert_eq(sp_random((uint8_t *)&jump, sizeof(jump)), 0);
        const uint64_t range = jump % 100 == 0 ? 3000 : 40;
        uint64_t counter = highest + jump / 128 % range;
        const uint64_t back = jump / 1024 % 1200;
        counter = jump % 2 == 0 && counter > back ? counter - back : counter;
        counter = counter == 0 ? 1 : counter;
        if (counter >= 20000)
            break;
        const bool fresh = counter + SP_WINDOW_BITS > highest && !accepted[counter];
        cr_assert_eq(receive_at(counter), fresh ? 0 : SP_SESSION_REPLAY);
        accepted[counter] = true;
        highest = counter > highest ? counter : highest;
    }
    cr_assert_gt(highest, 3 * SP_WINDOW_BITS);
}

Test(sp_session_open_batch, survives_the_highest_counter)
{
    p.b.receiving.highest = UINT64_MAX; // what a peer may bring about that breaks the rule
    cr_assert_eq(receive_at(UINT64_MAX - 3), 0);
    cr_assert_eq(receive_at(UINT64_MAX - 3), SP_SESSION_REPLAY);
    cr_assert_eq(receive_at(UINT64_MAX - 2), 0);
    cr_assert_eq(p.b.receiving.highest, UINT64_MAX);
}

Test(sp_session_open_batch, accepts_duplicates_of_a_batch_once)
{
    uint8_t message[2][MESSAGE_BYTES], forged[MESSAGE_BYTES], out[6][TEXT_BYTES];
    seal_at(9, message[0]);
    seal_at(8, message[1]);
    memcpy(forged, message[0], sizeof(forged));
    forged[20] ^= 1;
    const uint8_t *in[] = {forged, message[0], message[1], message[0], message[1], forged};
    const int expected[] = {SP_SESSION_FORGED, 0, 0, SP_SESSION_REPLAY, SP_SESSION_REPLAY,
                            SP_SESSION_FORGED};
    struct sp_session_job jobs[6];
    memset(out, 0xAA, sizeof(out));
    for (size_t i = 0; i < 6; i++)
        jobs[i] = (struct sp_session_job){&p.b, in[i], MESSAGE_BYTES, out[i], -1, 0};
    sp_session_open_batch(jobs, 6);
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(jobs[i].result, expected[i], "job %zu: %d", i, jobs[i].result);
        if (expected[i] == 0)
            cr_assert_arr_eq(out[i], "twenty bytes of text", TEXT_BYTES);
        else
            cr_assert(vector_is_zero(out[i], TEXT_BYTES));
    }
}

// In one batch the window moves on: what it left behind is a replay even though it looked fresh.
Test(sp_session_open_batch, refuses_what_fell_behind_within_a_batch)
{
    uint8_t message[2][MESSAGE_BYTES], out[2][TEXT_BYTES];
    seal_at(5000, message[0]);
    seal_at(1, message[1]);
    struct sp_session_job jobs[] = {
        {&p.b, message[0], MESSAGE_BYTES, out[0], -1, 0},
        {&p.b, message[1], MESSAGE_BYTES, out[1], -1, 0},
    };
    sp_session_open_batch(jobs, 2);
    cr_assert_eq(jobs[0].result, 0);
    cr_assert_eq(jobs[1].result, SP_SESSION_REPLAY);
    cr_assert(vector_is_zero(out[1], TEXT_BYTES));
}

// ---- what others can do -------------------------------------------------------------------------

Test(sp_session_open_batch, refuses_every_tampered_byte_and_keeps_the_window)
{
    uint8_t message[MESSAGE_BYTES], text[TEXT_BYTES];
    seal_at(3, message);
    const struct sp_session before = p.b;
    for (size_t i = 0; i < MESSAGE_BYTES; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            message[i] ^= (uint8_t)(1u << bit);
            memset(text, 0xAA, sizeof(text));
            cr_assert_eq(pair_open_one(&p.b, text, message, sizeof(message)),
                         i < 8 ? SP_SESSION_UNKNOWN : SP_SESSION_FORGED);
            cr_assert(vector_is_zero(text, sizeof(text)));
            message[i] ^= (uint8_t)(1u << bit);
        }
    }
    cr_assert_eq(memcmp(&before, &p.b, sizeof(before)), 0);
    cr_assert_eq(pair_open_one(&p.b, text, message, sizeof(message)), 0);
}

Test(sp_session_open_batch, refuses_every_truncation)
{
    uint8_t message[MESSAGE_BYTES], text[TEXT_BYTES];
    seal_at(3, message);
    for (size_t len = 0; len < MESSAGE_BYTES; len++)
        cr_assert_eq(pair_open_one(&p.b, text, message, len),
                     len < SP_SESSION_OVERHEAD_BYTES ? SP_SESSION_TRUNCATED : SP_SESSION_FORGED);
    cr_assert_eq(pair_open_one(&p.b, text, message, MESSAGE_BYTES), 0);
}

// `count` times the same PIECE_BYTES of memory in a row: lengths nobody has the memory for.
#define PIECE_BYTES ((size_t)16 << 20)

static uint8_t *map_pieces(size_t count)
{
    const int file = memfd_create("piece", 0);
    uint8_t *all = mmap(NULL, count * PIECE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(file >= 0 && all != MAP_FAILED && ftruncate(file, PIECE_BYTES) == 0);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(mmap(all + i * PIECE_BYTES, PIECE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_FIXED, file, 0),
                     all + i * PIECE_BYTES);
    close(file);
    return all;
}

// The sender chooses the length: it must not end the process.
Test(sp_session_open_batch, refuses_what_no_cipher_call_takes)
{
    const size_t pieces = ((size_t)1 << 31) / PIECE_BYTES + 1;
    const size_t len = ((size_t)1 << 31) + SP_SESSION_OVERHEAD_BYTES;
    uint8_t *message = map_pieces(pieces);
    static struct session_pair q;
    pair_random_handshake(&q, SP_SUITE_X3DH);
    pair_open(&q, SP_SESSION_RATCHET, 4);
    memcpy(message, p.b.receiving.id, SP_SESSION_ID_BYTES);
    cr_assert_eq(pair_open_one(&p.b, message + 16, message, len), SP_SESSION_FORGED);
    memcpy(message, q.b.receiving.id, SP_SESSION_ID_BYTES);
    cr_assert_eq(pair_open_one(&q.b, message + 16, message, len), SP_SESSION_FORGED);
    munmap(message, pieces * PIECE_BYTES);
    pair_free(&q);
}

Test(sp_session_open_batch, refuses_another_session)
{
    static struct session_pair q;
    uint8_t message[MESSAGE_BYTES], text[TEXT_BYTES];
    pair_random_handshake(&q, SP_SUITE_PQXDH);
    pair_open(&q, SP_SESSION_COUNTER, 0);
    seal_at(3, message);
    cr_assert_eq(pair_open_one(&q.b, text, message, sizeof(message)), SP_SESSION_UNKNOWN);
    cr_assert_eq(pair_open_one(&p.a, text, message, sizeof(message)),
                 SP_SESSION_FORGED); // reflected
    memcpy(message, q.b.receiving.id, SP_SESSION_ID_BYTES);
    cr_assert_eq(pair_open_one(&q.b, text, message, sizeof(message)), SP_SESSION_FORGED);
    pair_free(&q);
}

// The mailboxes are in the associated data: with the same keys, between others, nothing opens.
Test(sp_session_open_batch, binds_sender_and_recipient)
{
    uint8_t message[MESSAGE_BYTES], text[TEXT_BYTES];
    seal_at(3, message);
    p.b.local_mailbox[15] ^= 1;
    cr_assert_eq(pair_open_one(&p.b, text, message, sizeof(message)), SP_SESSION_FORGED);
    p.b.local_mailbox[15] ^= 1;
    p.b.remote_mailbox[0] ^= 1;
    cr_assert_eq(pair_open_one(&p.b, text, message, sizeof(message)), SP_SESSION_FORGED);
    p.b.remote_mailbox[0] ^= 1;
    cr_assert_eq(pair_open_one(&p.b, text, message, sizeof(message)), 0);
}
