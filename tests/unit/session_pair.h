// Two ends of a session out of a made-up handshake, for the tests of sessions.
#ifndef SEALPOST_TEST_SESSION_PAIR_H
#define SEALPOST_TEST_SESSION_PAIR_H

#include <criterion/criterion.h>
#include <string.h>

#include "sealcrypto.h"
#include "vectors.h"

#define TEXT_BYTES 20u
#define MESSAGE_BYTES (TEXT_BYTES + SP_SESSION_OVERHEAD_BYTES)
#define PAIR_TEXT "twenty bytes of text"

struct session_pair {
    uint8_t identity_a[32], identity_b[32];
    struct sp_handshake handshake;
    const uint8_t *answer_id; // NULL: drawn
    struct sp_session a, b;   // A is the initiator
};

static inline void pair_random_handshake(struct session_pair *p, enum sp_suite suite)
{
    memset(p, 0, sizeof(*p));
    cr_assert_eq(sp_random(p->identity_a, 32) | sp_random(p->identity_b, 32), 0);
    cr_assert_eq(sp_random(p->handshake.sk, 32), 0);
    cr_assert_eq(sp_random(p->handshake.ad, sizeof(p->handshake.ad)), 0);
    p->handshake.suite = suite;
    p->handshake.ad_len = suite == SP_SUITE_PQXDH ? SP_HANDSHAKE_AD_BYTES : 66;
}

static inline void pair_make_jobs(struct session_pair *p, enum sp_session_mode mode,
                                  uint32_t skipped_max, struct sp_session_init_job jobs[2])
{
    jobs[0] = (struct sp_session_init_job){.session = &p->a,
                                           .handshake = &p->handshake,
                                           .initiator = true,
                                           .local.ed25519 = p->identity_a,
                                           .remote.ed25519 = p->identity_b,
                                           .mode = mode,
                                           .skipped_max = skipped_max,
                                           .result = -1};
    jobs[1] = jobs[0];
    jobs[1].session = &p->b;
    jobs[1].initiator = false;
    jobs[1].answer_id = p->answer_id;
    jobs[1].local = jobs[0].remote;
    jobs[1].remote = jobs[0].local;
}

static inline void pair_open(struct session_pair *p, enum sp_session_mode mode,
                             uint32_t skipped_max)
{
    struct sp_session_init_job jobs[2];
    pair_make_jobs(p, mode, skipped_max, jobs);
    sp_session_init_batch(jobs, 2);
    cr_assert(jobs[0].result == 0 && jobs[1].result == 0);
}

static inline void pair_free(struct session_pair *p)
{
    sp_session_free(&p->a);
    sp_session_free(&p->b);
}

static inline int pair_seal(struct sp_session *s, uint8_t *out, const void *text, size_t len)
{
    struct sp_session_job job = {.session = s, .in = text, .len = len, .out = out, .result = -1};
    sp_session_seal_batch(&job, 1);
    return job.result;
}

static inline int pair_open_one(struct sp_session *s, uint8_t *out, const uint8_t *in, size_t len)
{
    struct sp_session_job job = {.session = s, .in = in, .len = len, .out = out, .result = -1};
    sp_session_open_batch(&job, 1);
    return job.result;
}

// The next message of `s`.
static inline void pair_seal_text(struct sp_session *s, uint8_t out[MESSAGE_BYTES])
{
    cr_assert_eq(pair_seal(s, out, PAIR_TEXT, TEXT_BYTES), 0);
}

// What opening comes to; the text is judged.
static inline int pair_receive(struct sp_session *s, const uint8_t message[MESSAGE_BYTES])
{
    uint8_t text[TEXT_BYTES];
    memset(text, 0xAA, sizeof(text));
    const int result = pair_open_one(s, text, message, MESSAGE_BYTES);
    if (result == 0)
        cr_assert_arr_eq(text, PAIR_TEXT, TEXT_BYTES);
    else
        cr_assert(vector_is_zero(text, sizeof(text)));
    return result;
}

#endif
