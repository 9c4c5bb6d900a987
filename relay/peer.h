// The address of one connection, valid on any thread: which worker, which slot, and the slot's
// generation, so that a late message for a closed connection finds nobody.
#ifndef SEALPOST_PEER_H
#define SEALPOST_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct peer {
    uint32_t slot;
    uint32_t generation;
    uint16_t worker;
};

static inline bool peer_is_same(struct peer a, struct peer b)
{
    return a.slot == b.slot && a.generation == b.generation && a.worker == b.worker;
}

#endif
