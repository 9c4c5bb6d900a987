// Sessions in ratchet mode: the chain as HMACs, order, loss, the bounded store, forgeries, batches,
// and that nothing used is kept.
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "sealcrypto.h"
#include "session_pair.h"
#include "vectors.h"

#define SKIPPED_MAX 10u
#define STORE_BYTES (8u + SKIPPED_MAX * 40u) // two counts, then counter and key of each
#define SENT_MAX 200u

static struct session_pair p;
static uint8_t sent[SENT_MAX][MESSAGE_BYTES]; // of A, by order of sealing; counters start at 1
static bool calloc_fails;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return calloc_fails ? NULL : __real_calloc(count, size);
}

static void start(void)
{
    uint8_t first[MESSAGE_BYTES];
    cr_assert_eq(sp_init(), 0);
    pair_random_handshake(&p, SP_SUITE_X3DH);
    pair_open(&p, SP_SESSION_RATCHET, SKIPPED_MAX);
    pair_seal_text(&p.a, first); // brings both ends past the initial message's counter
    cr_assert_eq(pair_receive(&p.b, first), 0);
    for (size_t i = 0; i < SENT_MAX; i++)
        pair_seal_text(&p.a, sent[i]);
}

static void stop(void)
{
    pair_free(&p);
}

TestSuite(ratchet, .init = start, .fini = stop);

static uint64_t counter_of(const uint8_t *message)
{
    uint64_t counter = 0;
    for (size_t i = 0; i < 8; i++)
        counter = counter << 8 | message[8 + i];
    return counter;
}

// Receive sent[from] … sent[to − 1] in one batch; all must open.
static void receive_range(size_t from, size_t to)
{
    static uint8_t out[SENT_MAX][TEXT_BYTES];
    struct sp_session_job jobs[SENT_MAX];
    for (size_t i = from; i < to; i++)
        jobs[i - from] =
            (struct sp_session_job){&p.b, sent[i], MESSAGE_BYTES, out[i - from], -1, 0};
    sp_session_open_batch(jobs, to - from);
    for (size_t i = from; i < to; i++) {
        cr_assert_eq(jobs[i - from].result, 0, "%zu: %d", i, jobs[i - from].result);
        cr_assert_arr_eq(out[i - from], PAIR_TEXT, TEXT_BYTES);
    }
}

// HMAC-SHA-256 by libsodium.
static void hmac(uint8_t out[32], const uint8_t key[32], uint8_t constant)
{
    crypto_auth_hmacsha256(out, &constant, 1, key);
}

Test(ratchet, seals_with_the_message_keys_of_the_chain)
{
    uint8_t chain[32], key[32], next[32], message[MESSAGE_BYTES], plain[TEXT_BYTES];
    uint8_t ad[41] = {0}, nonce[12] = {0};
    memcpy(chain, p.a.sending.secret, 32);
    for (uint64_t n = 0; n < 70; n++) {
        pair_seal_text(&p.a, message);
        hmac(key, chain, 0x01);
        hmac(next, chain, 0x02);
        memcpy(chain, next, 32);
        memcpy(ad, p.a.local_mailbox, 16);
        memcpy(ad + 16, p.a.remote_mailbox, 16);
        ad[32] = 2;
        memcpy(ad + 33, message + 8, 8);
        memcpy(nonce + 4, message + 8, 8);
        cr_assert_eq(counter_of(message), SENT_MAX + 2 + n);
        bool ok;
        const struct sp_aead_job job = {.raw_key = key,
                                        .nonce = nonce,
                                        .ad = ad,
                                        .ad_len = sizeof(ad),
                                        .in = message + 16,
                                        .out = plain,
                                        .len = TEXT_BYTES,
                                        .tag = message + 16 + TEXT_BYTES};
        cr_assert(sp_aead_open_batch(&job, 1, &ok));
        cr_assert_arr_eq(plain, PAIR_TEXT, TEXT_BYTES);
        cr_assert_arr_eq(p.a.sending.secret, chain, 32);
    }
}

Test(ratchet, derives_its_chains_from_its_own_label)
{
    static struct session_pair q;
    q = p;
    pair_open(&q, SP_SESSION_COUNTER, 0);
    cr_assert(memcmp(q.a.sending.id, p.a.sending.id, SP_SESSION_ID_BYTES) != 0);
    pair_free(&q);
}

Test(ratchet, opens_in_order_in_batches_of_any_size)
{
    receive_range(0, 1);
    receive_range(1, 3);
    receive_range(3, 103); // more than one chunk, all of one session
    receive_range(103, SENT_MAX);
    cr_assert_arr_eq(p.a.sending.secret, p.b.receiving.secret, 32);
}

Test(ratchet, opens_each_message_once)
{
    receive_range(0, 5);
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(pair_receive(&p.b, sent[i]), SP_SESSION_REPLAY);
    cr_assert_eq(pair_receive(&p.b, sent[5]), 0);
}

Test(ratchet, opens_what_was_overtaken_once)
{
    const size_t order[] = {3, 1, 0, 2, 9, 4, 8, 6, 5, 7};
    for (size_t i = 0; i < 10; i++) {
        cr_assert_eq(pair_receive(&p.b, sent[order[i]]), 0, "%zu", order[i]);
        cr_assert_eq(pair_receive(&p.b, sent[order[i]]), SP_SESSION_REPLAY);
    }
    receive_range(10, 20);
}

Test(ratchet, refuses_what_is_too_far_ahead)
{
    cr_assert_eq(pair_receive(&p.b, sent[SKIPPED_MAX + 1]), SP_SESSION_AHEAD);
    cr_assert_eq(pair_receive(&p.b, sent[SKIPPED_MAX]), 0);
    for (size_t i = 0; i < SKIPPED_MAX; i++)
        cr_assert_eq(pair_receive(&p.b, sent[i]), 0);
}

Test(ratchet, forgets_the_oldest_key_when_the_store_is_full)
{
    cr_assert_eq(pair_receive(&p.b, sent[SKIPPED_MAX]), 0);     // keeps 0 … 9
    cr_assert_eq(pair_receive(&p.b, sent[4]), 0);               // nine are left
    cr_assert_eq(pair_receive(&p.b, sent[SKIPPED_MAX + 4]), 0); // three more: 0 and 1 go
    cr_assert_eq(pair_receive(&p.b, sent[0]), SP_SESSION_REPLAY);
    cr_assert_eq(pair_receive(&p.b, sent[1]), SP_SESSION_REPLAY);
    for (size_t i = 2; i < SKIPPED_MAX + 4; i++)
        cr_assert_eq(pair_receive(&p.b, sent[i]),
                     i == 4 || i == SKIPPED_MAX ? SP_SESSION_REPLAY : 0, "%zu", i);
}

Test(ratchet, is_not_moved_by_a_forgery)
{
    uint8_t forged[MESSAGE_BYTES];
    const size_t at[] = {0, 5, SKIPPED_MAX};
    const struct sp_session before = p.b;
    for (size_t i = 0; i < 3; i++) {
        memcpy(forged, sent[at[i]], sizeof(forged));
        forged[20] ^= 1;
        cr_assert_eq(pair_receive(&p.b, forged), SP_SESSION_FORGED);
        cr_assert_eq(memcmp(&before, &p.b, sizeof(before)), 0);
    }
    cr_assert_eq(pair_receive(&p.b, sent[5]), 0);
    memcpy(forged, sent[2], sizeof(forged)); // whose key is in the store by now
    forged[20] ^= 1;
    cr_assert_eq(pair_receive(&p.b, forged), SP_SESSION_FORGED);
    cr_assert_eq(pair_receive(&p.b, sent[2]), 0);
}

// Messages of one session in a batch, some of them forged: those behind still open, and the forged
// ones' counters can still come.
Test(ratchet, passes_by_forgeries_within_a_batch)
{
    uint8_t forged[8][MESSAGE_BYTES], out[8][TEXT_BYTES];
    struct sp_session_job jobs[8];
    memcpy(forged, sent, sizeof(forged));
    forged[0][20] ^= 1;
    forged[1][35] ^= 1;
    forged[4][MESSAGE_BYTES - 1] ^= 1;
    for (size_t i = 0; i < 8; i++)
        jobs[i] = (struct sp_session_job){&p.b, forged[i], MESSAGE_BYTES, out[i], -1, 0};
    sp_session_open_batch(jobs, 8);
    for (size_t i = 0; i < 8; i++) {
        const bool bad = i == 0 || i == 1 || i == 4;
        cr_assert_eq(jobs[i].result, bad ? SP_SESSION_FORGED : 0, "%zu: %d", i, jobs[i].result);
        if (bad)
            cr_assert(vector_is_zero(out[i], TEXT_BYTES));
        cr_assert_eq(pair_receive(&p.b, sent[i]), bad ? 0 : SP_SESSION_REPLAY);
    }
}

Test(ratchet, refuses_what_follows_more_forgeries_than_keys_are_kept)
{
    uint8_t forged[SKIPPED_MAX + 2][MESSAGE_BYTES], out[SKIPPED_MAX + 2][TEXT_BYTES];
    struct sp_session_job jobs[SKIPPED_MAX + 2];
    memcpy(forged, sent, sizeof(forged));
    for (size_t i = 0; i < SKIPPED_MAX + 2; i++) {
        forged[i][20] ^= i < SKIPPED_MAX + 1;
        jobs[i] = (struct sp_session_job){&p.b, forged[i], MESSAGE_BYTES, out[i], -1, 0};
    }
    sp_session_open_batch(jobs, SKIPPED_MAX + 2);
    for (size_t i = 0; i < SKIPPED_MAX + 1; i++)
        cr_assert_eq(jobs[i].result, SP_SESSION_FORGED);
    cr_assert_eq(jobs[SKIPPED_MAX + 1].result, SP_SESSION_AHEAD);
    cr_assert(vector_is_zero(out[SKIPPED_MAX + 1], TEXT_BYTES));
    receive_range(0, SKIPPED_MAX + 2);
}

// Random order with loss and duplicates over several sessions at once, batch sizes mixed, against
// the plain definition: a set of what was accepted, and the chain's end.
Test(ratchet, keeps_its_books_under_random_order)
{
    static bool accepted[SENT_MAX];
    uint64_t next = 0; // of the chain, by index of `sent`
    uint8_t dice[2];
    for (int turn = 0; turn < 3000; turn++) {
        cr_assert_eq(sp_random(dice, sizeof(dice)), 0);
        const uint64_t back = dice[0] % 16, ahead = dice[1] % 4 == 0 ? dice[1] % 13 : 0;
        const uint64_t at = next + ahead >= back ? next + ahead - back : 0;
        if (at >= SENT_MAX)
            break;
        const int result = pair_receive(&p.b, sent[at]);
        if (at >= next) {
            cr_assert_eq(result, at - next > SKIPPED_MAX ? SP_SESSION_AHEAD : 0);
            next = result == 0 ? at + 1 : next;
        } else if (accepted[at]) {
            cr_assert_eq(result, SP_SESSION_REPLAY);
        } else {
            // In the store unless newer keys pushed it out.
            uint32_t newer = 0;
            for (uint64_t i = at + 1; i < next; i++)
                newer += !accepted[i];
            if (newer >= SKIPPED_MAX)
                cr_assert_eq(result, SP_SESSION_REPLAY);
            else
                cr_assert(result == 0 || result == SP_SESSION_REPLAY);
        }
        accepted[at] = accepted[at] || result == 0;
    }
    cr_assert_gt(next, SENT_MAX / 2);
}

Test(ratchet, seals_many_sessions_in_one_batch_as_one_by_one)
{
    static struct session_pair pairs[7], twins[7];
    static uint8_t out[150][MESSAGE_BYTES], expected[MESSAGE_BYTES];
    struct sp_session_job jobs[150];
    for (size_t i = 0; i < 7; i++) {
        pair_random_handshake(&pairs[i], SP_SUITE_X3DH);
        twins[i] = pairs[i];
        pair_open(&pairs[i], SP_SESSION_RATCHET, 200);
        pair_open(&twins[i], SP_SESSION_RATCHET, 200);
    }
    for (size_t i = 0; i < 150; i++)
        jobs[i] = (struct sp_session_job){
            &pairs[i * i % 7].a, (const uint8_t *)PAIR_TEXT, TEXT_BYTES, out[i], -1, 0};
    sp_session_seal_batch(jobs, 150);
    for (size_t i = 0; i < 150; i++) {
        cr_assert_eq(jobs[i].result, 0);
        pair_seal_text(&twins[i * i % 7].a, expected);
        cr_assert_arr_eq(out[i], expected, MESSAGE_BYTES);
    }
    for (size_t i = 0; i < 150; i++)
        cr_assert_eq(pair_receive(&pairs[i * i % 7].b, out[i]), 0);
    for (size_t i = 0; i < 7; i++) {
        pair_free(&pairs[i]);
        pair_free(&twins[i]);
    }
}

// Forward secrecy: with the state taken now, nothing that was received can be opened.
// Both modes in one batch, taking turns: the order within each session is the batch's.
Test(ratchet, shares_a_batch_with_counter_mode)
{
    enum { COUNT = 150, FORGED_COUNTER = 70, FORGED_RATCHET = 71 };
    static uint8_t messages[COUNT][MESSAGE_BYTES], out[COUNT][TEXT_BYTES];
    struct sp_session_job seal[COUNT], open[COUNT];
    struct session_pair q;
    pair_random_handshake(&q, SP_SUITE_X3DH);
    pair_open(&q, SP_SESSION_COUNTER, 0);
    const uint64_t first[2] = {1, p.a.sending.counter};
    receive_range(0, SENT_MAX);
    for (size_t i = 0; i < COUNT; i++)
        seal[i] = (struct sp_session_job){
            i % 2 == 0 ? &q.a : &p.a, (const uint8_t *)PAIR_TEXT, TEXT_BYTES, messages[i], -1, 0};
    sp_session_seal_batch(seal, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert_eq(seal[i].result, 0);
        cr_assert_eq(seal[i].counter, first[i % 2] + i / 2);
        cr_assert_eq(counter_of(messages[i]), seal[i].counter);
        open[i] = (struct sp_session_job){
            i % 2 == 0 ? &q.b : &p.b, messages[i], MESSAGE_BYTES, out[i], -1, 0};
    }
    messages[FORGED_COUNTER][20] ^= 1;
    messages[FORGED_RATCHET][20] ^= 1;
    sp_session_open_batch(open, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const bool forged = i == FORGED_COUNTER || i == FORGED_RATCHET;
        cr_assert_eq(open[i].result, forged ? SP_SESSION_FORGED : 0, "%zu: %d", i, open[i].result);
        cr_assert(forged ? vector_is_zero(out[i], TEXT_BYTES)
                         : memcmp(out[i], PAIR_TEXT, TEXT_BYTES) == 0);
    }
    messages[FORGED_COUNTER][20] ^= 1;
    messages[FORGED_RATCHET][20] ^= 1;
    sp_session_open_batch(open, COUNT); // again: only the two that did not open
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(open[i].result,
                     i == FORGED_COUNTER || i == FORGED_RATCHET ? 0 : SP_SESSION_REPLAY);
    pair_free(&q);
}

Test(ratchet, keeps_no_key_that_was_used)
{
    uint8_t chain[32], key[32];
    memcpy(chain, p.b.receiving.secret, 32);
    cr_assert_eq(pair_receive(&p.b, sent[3]), 0); // keys of 0 … 2 go into the store
    for (size_t n = 0; n < 4; n++) {
        hmac(key, chain, 0x01);
        hmac(chain, chain, 0x02);
        const void *found = memmem(p.b.receiving.skipped, STORE_BYTES, key, 32);
        cr_assert_eq(found != NULL, n < 3, "%zu", n);
        cr_assert(memmem(&p.b, sizeof(p.b), key, 32) == NULL);
        if (n < 3) {
            cr_assert_eq(pair_receive(&p.b, sent[n]), 0);
            cr_assert_null(memmem(p.b.receiving.skipped, STORE_BYTES, key, 32));
        }
    }
    cr_assert_arr_eq(p.b.receiving.secret, chain, 32);
}

Test(ratchet, is_exhausted_before_the_last_counter)
{
    uint8_t message[MESSAGE_BYTES];
    p.a.sending.counter = UINT64_MAX - 1;
    p.b.receiving.highest = UINT64_MAX - 1;
    memcpy(p.b.receiving.secret, p.a.sending.secret, 32);
    pair_seal_text(&p.a, message);
    cr_assert_eq(pair_receive(&p.b, message), 0);
    cr_assert_eq(pair_seal(&p.a, message, PAIR_TEXT, TEXT_BYTES), SP_SESSION_EXHAUSTED);
    memset(message + 8, 0xFF, 8); // and nobody else can use it
    memcpy(message, p.b.receiving.id, SP_SESSION_ID_BYTES);
    cr_assert_eq(pair_receive(&p.b, message), SP_SESSION_AHEAD);
}

Test(ratchet, is_not_made_when_out_of_memory)
{
    static struct session_pair q;
    struct sp_session_init_job jobs[2];
    pair_random_handshake(&q, SP_SUITE_X3DH);
    pair_make_jobs(&q, SP_SESSION_RATCHET, SP_SKIPPED_MAX, jobs);
    calloc_fails = true;
    sp_session_init_batch(jobs, 2);
    calloc_fails = false;
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(jobs[i].result, -ENOMEM);
        cr_assert(vector_is_zero(jobs[i].session, sizeof(q.a)));
    }
}
