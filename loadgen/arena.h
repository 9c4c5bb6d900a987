// Memory of outgoing bytes: segments that pieces are cut from one after the other. A piece lives
// until its send has completed; a segment is used again when all its pieces are back. The segment
// that was free last is taken first, so that the working set stays as small as the load allows.
// Thread: one owner.
#ifndef SEALPOST_ARENA_H
#define SEALPOST_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "units.h"

#define ARENA_SEGMENT_BYTES (256u * KIB)
// 64 MiB a thread: what may lie in sends the relay does not take. Full: sending waits.
#define ARENA_SEGMENTS 256u

struct arena {
    uint8_t *base;
    uint32_t used; // bytes of the current segment
    uint16_t current;
    uint16_t free_count;
    uint16_t free[ARENA_SEGMENTS];
    uint32_t pieces[ARENA_SEGMENTS]; // alive in each segment
};

// Reserve address space; memory becomes resident when first used. Errors: -ENOMEM.
NODISCARD int arena_init(struct arena *a);
void arena_free(struct arena *a);
// A piece of `len` ≤ ARENA_SEGMENT_BYTES, and its segment for arena_put; NULL when full.
NODISCARD uint8_t *arena_get(struct arena *a, size_t len, uint16_t *segment);
// Give back the end of the piece that was cut last.
void arena_trim(struct arena *a, size_t unused_len);
void arena_put(struct arena *a, uint16_t segment);

#endif
