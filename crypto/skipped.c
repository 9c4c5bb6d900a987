// Keys of messages that a ratchet has passed by and that may still come. The thread that owns the
// session. Only create allocates. Bounded: the oldest keys make room, their messages are lost.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct skipped_key {
    uint64_t counter;
    uint8_t message_key[32];
};

// A chain only moves forward, so that keys are appended in the order of their counters.
struct sp_skipped {
    uint32_t max, count;
    struct skipped_key keys[];
};

struct sp_skipped *sp_skipped_create(uint32_t max)
{
    assert(max >= 1 && max <= SP_SKIPPED_MAX);
    struct sp_skipped *store = calloc(1, sizeof(*store) + max * sizeof(store->keys[0]));
    if (store != NULL)
        store->max = max;
    return store;
}

void sp_skipped_destroy(struct sp_skipped *store)
{
    if (store == NULL)
        return;
    sp_wipe(store, sizeof(*store) + store->max * sizeof(store->keys[0]));
    free(store);
}

uint32_t sp_skipped_max(const struct sp_skipped *store)
{
    return store->max;
}

// The first key whose counter is not below.
static uint32_t find(const struct sp_skipped *store, uint64_t counter)
{
    uint32_t low = 0, high = store->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (store->keys[middle].counter < counter)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct sp_skipped *store, uint32_t at, uint64_t counter)
{
    return at < store->count && store->keys[at].counter == counter;
}

// Take `count` keys out from `at` on; what is left behind at the end is wiped.
static void close_up(struct sp_skipped *store, uint32_t at, uint32_t count)
{
    struct skipped_key *keys = store->keys;
    memmove(&keys[at], &keys[at + count], (store->count - at - count) * sizeof(keys[0]));
    store->count -= count;
    sp_wipe(&keys[store->count], count * sizeof(keys[0]));
}

bool sp_skipped_find(const struct sp_skipped *store, uint64_t counter, uint8_t message_key[32])
{
    const uint32_t at = find(store, counter);
    if (!is_at(store, at, counter))
        return false;
    memcpy(message_key, store->keys[at].message_key, 32);
    return true;
}

void sp_skipped_drop(struct sp_skipped *store, uint64_t counter)
{
    const uint32_t at = find(store, counter);
    assert(is_at(store, at, counter));
    close_up(store, at, 1);
}

void sp_skipped_walk(struct sp_skipped *store, uint8_t chain[32], uint64_t from, uint64_t to)
{
    assert(from <= to && to - from <= store->max);
    const uint32_t room = store->max - store->count, wanted = (uint32_t)(to - from);
    if (wanted > room)
        close_up(store, 0, wanted - room);
    for (; from < to; from++) {
        struct skipped_key *key = &store->keys[store->count++];
        uint8_t message_key[1][32], next[1][32];
        key->counter = from;
        memcpy(next[0], chain, 32);
        sp_active->hash->chain_step(next, message_key, 1);
        memcpy(key->message_key, message_key[0], 32);
        memcpy(chain, next[0], 32);
        sp_wipe(message_key, sizeof(message_key));
        sp_wipe(next, sizeof(next));
    }
}
