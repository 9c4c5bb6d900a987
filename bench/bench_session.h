// What the implementations of the session benchmark share: a session for each slot, and its
// messages.
#ifndef SEALPOST_BENCH_SESSION_H
#define SEALPOST_BENCH_SESSION_H

#include "bench_micro.h"
#include "sealcrypto.h"

enum bench_session_op {
    BENCH_COUNTER_SEAL,
    BENCH_COUNTER_OPEN,
    BENCH_RATCHET_SEAL,
    BENCH_RATCHET_OPEN,
    BENCH_SESSION_OPS
};

// Slot i: the session of handshake i. Sealing makes its next message. Opening opens the same one
// each time, which the session has forgotten it had: in all implementations what a message changes
// is put back first.
struct bench_session_cell {
    struct bench_micro_cell cell;
    struct bench_micro_point point;
    unsigned slot;
    size_t stride;           // of messages and texts
    uint8_t *messages, *out; // slot i at i × stride; to open: sealed by the library
    uint8_t *text;           // the same in all slots
    // What both sides know before a session.
    struct sp_handshake *handshakes;
    uint8_t initiator[32], responder[32]; // identities
    void *own;                            // of the implementation
};

static inline struct bench_session_cell *bench_session_of(struct bench_micro_cell *cell)
{
    return CONTAINER_OF(cell, struct bench_session_cell, cell);
}

static inline bool bench_session_is_sealing(const struct bench_session_cell *c)
{
    return c->point.op == BENCH_COUNTER_SEAL || c->point.op == BENCH_RATCHET_SEAL;
}

static inline bool bench_session_is_ratchet(const struct bench_session_cell *c)
{
    return c->point.op == BENCH_RATCHET_SEAL || c->point.op == BENCH_RATCHET_OPEN;
}

static inline unsigned bench_session_next_slots(struct bench_session_cell *c, unsigned count)
{
    unsigned slot = c->slot;

    c->slot += count;
    if (c->slot == c->point.slots)
        c->slot = 0;
    return slot;
}

struct bench_session_cell *bench_session_create(const struct bench_micro_point *p);
void bench_session_destroy(struct bench_session_cell *c);

// OpenSSL, one message at a time.
extern const struct bench_micro_impl bench_session_evp;

#endif
