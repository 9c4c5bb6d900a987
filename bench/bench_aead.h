// What the implementations of the AES-256-GCM benchmark share: sessions and their keys, slots of
// messages.
//
// All sessions have the same key, each in memory of its own: what a key costs is where it lies and
// how it is prepared, never its value, and so one sealed message serves every session. That the
// nonce repeats is of no concern here: nothing is sent.
#ifndef SEALPOST_BENCH_AEAD_H
#define SEALPOST_BENCH_AEAD_H

#include "bench_micro.h"
#include "sealcrypto.h"

#define BENCH_AEAD_AD_BYTES 16u

enum { BENCH_AEAD_SEAL, BENCH_AEAD_OPEN };

struct bench_aead_cell {
    struct bench_micro_cell cell;
    struct bench_micro_point point;
    // Sessions in the order of their visits.
    uint32_t *order;
    unsigned visit;
    uint8_t (*raw)[SP_KEY_BYTES];
    void *keys; // prepared, of the implementation
    // Slot i: input at in + i × stride, output likewise; a tag follows its ciphertext.
    uint8_t *buffers, *in, *out;
    size_t stride;
    unsigned slot;
    uint8_t (*nonces)[SP_NONCE_BYTES], (*ads)[BENCH_AEAD_AD_BYTES];
    // The library only.
    struct sp_aead_job *jobs; // one for each slot
    bool ok[BENCH_MICRO_BATCH_MAX];
};

// Prepared keys belong to all cells of one implementation that measure the same work, as they would
// to one program: nobody has its keys in cache because it has several cells.
struct bench_key_pool {
    void *(*make)(const struct bench_aead_cell *c);
    void (*discard)(void *keys, unsigned count);
    unsigned users, count;
    void *keys;
};

static inline struct bench_aead_cell *bench_aead_of(struct bench_micro_cell *cell)
{
    return CONTAINER_OF(cell, struct bench_aead_cell, cell);
}

static inline uint32_t bench_aead_next_session(struct bench_aead_cell *c)
{
    uint32_t session = c->order[c->visit++];

    if (c->visit == c->point.sessions)
        c->visit = 0;
    return session;
}

static inline unsigned bench_aead_next_slots(struct bench_aead_cell *c, unsigned count)
{
    unsigned slot = c->slot;

    c->slot += count;
    if (c->slot == c->point.slots)
        c->slot = 0;
    return slot;
}

// A cell whose prepared keys come from `pool`.
struct bench_aead_cell *bench_aead_create(const struct bench_micro_point *p,
                                          struct bench_key_pool *pool);
void bench_aead_destroy(struct bench_aead_cell *c, struct bench_key_pool *pool);

extern const struct bench_micro_impl bench_aead_evp, bench_aead_ipsec_mb, bench_aead_libsodium;
// Free the manager that it keeps.
void bench_aead_ipsec_mb_free(void);

#endif
