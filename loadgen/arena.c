// Segments of outgoing bytes. Owned by one generator thread; never allocates after arena_init.
#include "arena.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#define TOTAL_BYTES ((size_t)ARENA_SEGMENTS * ARENA_SEGMENT_BYTES)

int arena_init(struct arena *a)
{
    *a = (struct arena){0};
    a->base = mmap(NULL, TOTAL_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a->base == MAP_FAILED) {
        a->base = NULL;
        return -ENOMEM;
    }
    for (unsigned i = ARENA_SEGMENTS - 1; i > 0; i--)
        a->free[a->free_count++] = (uint16_t)i;
    return 0;
}

void arena_free(struct arena *a)
{
    if (a->base)
        munmap(a->base, TOTAL_BYTES);
    a->base = NULL;
}

uint8_t *arena_get(struct arena *a, size_t len, uint16_t *segment)
{
    uint8_t *piece;

    assert(len > 0 && len <= ARENA_SEGMENT_BYTES);
    if (a->pieces[a->current] == 0)
        a->used = 0;
    if (a->used + len > ARENA_SEGMENT_BYTES) {
        if (a->free_count == 0)
            return NULL;
        a->current = a->free[--a->free_count];
        a->used = 0;
    }
    piece = a->base + (size_t)a->current * ARENA_SEGMENT_BYTES + a->used;
    a->used += (uint32_t)len;
    a->pieces[a->current]++;
    *segment = a->current;
    return piece;
}

void arena_trim(struct arena *a, size_t unused_len)
{
    assert(unused_len <= a->used);
    a->used -= (uint32_t)unused_len;
}

void arena_put(struct arena *a, uint16_t segment)
{
    assert(a->pieces[segment] > 0);
    if (--a->pieces[segment] == 0 && segment != a->current)
        a->free[a->free_count++] = segment;
}
