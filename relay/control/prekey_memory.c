// The count behind the header. Control thread. Never holds a pointer: who allocates knows the size
// until it frees.
#include <assert.h>
#include <stdlib.h>

#include "prekey_memory.h"

void *prekey_memory_alloc(struct prekey_memory *m, size_t bytes)
{
    uint64_t charge = bytes + PREKEY_MEMORY_OVERHEAD_BYTES;
    void *memory;

    if (charge > m->max_bytes - m->used_bytes) {
        stats_bump(m->stats, STATS_prekey_memory_full);
        return NULL;
    }
    memory = calloc(1, bytes);
    if (!memory)
        return NULL;
    m->used_bytes += charge;
    stats_add(m->stats, STATS_prekey_memory_bytes, charge);
    return memory;
}

void prekey_memory_free(struct prekey_memory *m, void *memory, size_t bytes)
{
    uint64_t charge = bytes + PREKEY_MEMORY_OVERHEAD_BYTES;

    if (!memory)
        return;
    assert(m->used_bytes >= charge);
    m->used_bytes -= charge;
    stats_subtract(m->stats, STATS_prekey_memory_bytes, charge);
    free(memory);
}
