// Memory for prekeys and ML-DSA-65 identity keys, counted against one bound for all users: what
// each of them may publish, times all who may register, is more than a machine has.
// Thread: one; the control thread here.
#ifndef SEALPOST_PREKEY_MEMORY_H
#define SEALPOST_PREKEY_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "relay/stats.h"
#include "units.h"

struct prekey_memory {
    uint64_t max_bytes;
    uint64_t used_bytes;
    struct stats *stats;
};

// What an allocation is counted as beside its bytes: the allocator's share.
#define PREKEY_MEMORY_OVERHEAD_BYTES 16u

// Zeroed.
// Errors: NULL when the bound would be exceeded or memory is short.
NODISCARD void *prekey_memory_alloc(struct prekey_memory *m, size_t bytes);
// `bytes` is what it was allocated with. NULL is fine, whatever `bytes` says.
void prekey_memory_free(struct prekey_memory *m, void *memory, size_t bytes);

#endif
