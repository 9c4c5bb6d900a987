// Re-keying in counter mode: both directions on their own, late messages of the epoch before, what
// is over, forgeries, and running out of memory.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sealcrypto.h"
#include "session_pair.h"
#include "vectors.h"

static struct session_pair p;
static bool malloc_fails;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
int __real_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw);
int __wrap_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw);

void *__wrap_malloc(size_t size)
{
    return malloc_fails ? NULL : __real_malloc(size);
}

int __wrap_sp_aead_key_init(struct sp_aead_key *key, const uint8_t *raw)
{
    if (!malloc_fails)
        return __real_sp_aead_key_init(key, raw);
    key->state = NULL;
    return -ENOMEM;
}

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

TestSuite(sp_session_rekey, .init = start, .fini = stop);

Test(sp_session_rekey, is_followed_by_the_first_message_that_opens)
{
    uint8_t message[MESSAGE_BYTES];
    for (int epoch = 0; epoch < 5; epoch++) {
        for (int i = 0; i < 3; i++) {
            pair_seal_text(&p.a, message);
            cr_assert_eq(pair_receive(&p.b, message), 0);
            cr_assert_eq(pair_receive(&p.b, message), SP_SESSION_REPLAY);
        }
        cr_assert_eq(sp_session_rekey(&p.a), 0);
        cr_assert_eq(p.a.sending.counter, 0);
        cr_assert_eq(p.a.sending.epoch, (uint32_t)epoch + 1);
        // The other direction has not moved.
        pair_seal_text(&p.b, message);
        cr_assert_eq(pair_receive(&p.a, message), 0);
        cr_assert_null(p.a.receiving.previous);
    }
}

Test(sp_session_rekey, changes_key_and_id)
{
    uint8_t before[MESSAGE_BYTES], after[MESSAGE_BYTES];
    p.a.sending.counter = 9;
    pair_seal_text(&p.a, before);
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    p.a.sending.counter = 9;
    pair_seal_text(&p.a, after);
    cr_assert(memcmp(before, after, SP_SESSION_ID_BYTES) != 0);
    cr_assert(memcmp(before + 16, after + 16, TEXT_BYTES) != 0);
    // The old id in front of a new message does not help.
    memcpy(after, before, SP_SESSION_ID_BYTES);
    cr_assert_eq(pair_receive(&p.b, after), SP_SESSION_FORGED);
}

Test(sp_session_rekey, lets_late_messages_of_the_epoch_before_in_once)
{
    uint8_t late[3][MESSAGE_BYTES], fresh[MESSAGE_BYTES];
    for (size_t i = 0; i < 3; i++)
        pair_seal_text(&p.a, late[i]);
    cr_assert_eq(pair_receive(&p.b, late[1]), 0);
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    pair_seal_text(&p.a, fresh);
    cr_assert_eq(pair_receive(&p.b, fresh), 0);
    cr_assert_eq(pair_receive(&p.b, late[2]), 0);
    cr_assert_eq(pair_receive(&p.b, late[1]), SP_SESSION_REPLAY);
    cr_assert_eq(pair_receive(&p.b, late[0]), 0);
    cr_assert_eq(pair_receive(&p.b, late[0]), SP_SESSION_REPLAY);
    cr_assert_eq(pair_receive(&p.b, fresh), SP_SESSION_REPLAY);
}

Test(sp_session_rekey, ends_the_epoch_before_the_last)
{
    uint8_t old[MESSAGE_BYTES], message[MESSAGE_BYTES];
    pair_seal_text(&p.a, old);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(sp_session_rekey(&p.a), 0);
        pair_seal_text(&p.a, message);
        cr_assert_eq(pair_receive(&p.b, message), 0);
    }
    cr_assert_eq(pair_receive(&p.b, old), SP_SESSION_UNKNOWN);
}

// A receiver that never sees one epoch cannot follow to the one after it.
Test(sp_session_rekey, must_not_be_done_twice_without_a_message)
{
    uint8_t message[MESSAGE_BYTES];
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    pair_seal_text(&p.a, message);
    cr_assert_eq(pair_receive(&p.b, message), SP_SESSION_UNKNOWN);
}

Test(sp_session_rekey, is_the_way_out_of_exhaustion)
{
    uint8_t message[MESSAGE_BYTES];
    p.a.sending.counter = UINT64_MAX;
    cr_assert_eq(pair_seal(&p.a, message, PAIR_TEXT, TEXT_BYTES), SP_SESSION_EXHAUSTED);
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    pair_seal_text(&p.a, message);
    cr_assert_eq(pair_receive(&p.b, message), 0);
}

Test(sp_session_rekey, is_not_followed_for_a_forgery)
{
    uint8_t message[MESSAGE_BYTES];
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    pair_seal_text(&p.a, message);
    const struct sp_session before = p.b;
    for (size_t i = SP_SESSION_ID_BYTES; i < MESSAGE_BYTES; i++) {
        message[i] ^= 1;
        cr_assert_eq(pair_receive(&p.b, message), SP_SESSION_FORGED);
        message[i] ^= 1;
    }
    cr_assert_eq(memcmp(&before, &p.b, sizeof(before)), 0);
    cr_assert_eq(pair_receive(&p.b, message), 0);
}

// In one batch: two of the old epoch, the first two of the new one, a late one, a replay.
Test(sp_session_rekey, is_followed_inside_of_a_batch)
{
    uint8_t in[6][MESSAGE_BYTES], out[6][TEXT_BYTES];
    const size_t order[6] = {0, 1, 3, 4, 2, 3};
    const int expected[6] = {0, 0, 0, 0, 0, SP_SESSION_REPLAY};
    struct sp_session_job jobs[6];
    for (size_t i = 0; i < 3; i++)
        pair_seal_text(&p.a, in[i]);
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    pair_seal_text(&p.a, in[3]);
    pair_seal_text(&p.a, in[4]);
    for (size_t i = 0; i < 6; i++)
        jobs[i] = (struct sp_session_job){&p.b, in[order[i]], MESSAGE_BYTES, out[i], -1, 0};
    sp_session_open_batch(jobs, 6);
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(jobs[i].result, expected[i], "job %zu: %d", i, jobs[i].result);
        if (expected[i] == 0)
            cr_assert_arr_eq(out[i], PAIR_TEXT, TEXT_BYTES);
    }
}

Test(sp_session_rekey, leaves_the_session_when_out_of_memory)
{
    uint8_t message[2][MESSAGE_BYTES];
    const struct sp_session before = p.a;
    malloc_fails = true;
    cr_assert_eq(sp_session_rekey(&p.a), -ENOMEM);
    malloc_fails = false;
    cr_assert_eq(memcmp(&before, &p.a, sizeof(before)), 0);

    pair_seal_text(&p.a, message[0]);
    cr_assert_eq(sp_session_rekey(&p.a), 0);
    pair_seal_text(&p.a, message[1]);
    malloc_fails = true;
    cr_assert_eq(pair_receive(&p.b, message[1]), -ENOMEM);
    malloc_fails = false;
    cr_assert_null(p.b.receiving.previous);
    cr_assert_eq(pair_receive(&p.b, message[1]), 0); // the same one, once there is memory
    cr_assert_eq(pair_receive(&p.b, message[0]), 0);
}

Test(sp_session_rekey, is_refused_to_a_ratchet)
{
    static struct session_pair q;
    uint8_t message[MESSAGE_BYTES];
    pair_random_handshake(&q, SP_SUITE_X3DH);
    pair_open(&q, SP_SESSION_RATCHET, 4);
    cr_assert_eq(sp_session_rekey(&q.a), -EINVAL);
    pair_seal_text(&q.a, message);
    cr_assert_eq(pair_receive(&q.b, message), 0);
    pair_free(&q);
}
