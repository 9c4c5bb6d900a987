// Receive buffers shared with the kernel. The reference counting is in the header.
#include "bufring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define COUNT_MAX 32768u

int bufring_init(struct bufring *b, struct ring *r, uint16_t group, uint32_t count,
                 uint32_t buffer_bytes)
{
    int err = 0;

    if (count == 0 || count > COUNT_MAX || (count & (count - 1)) != 0 || buffer_bytes == 0)
        return -EINVAL;
    *b = (struct bufring){.buffer_bytes = buffer_bytes, .count = count, .group = group, .ring = r};
    b->refs = calloc(count, sizeof *b->refs);
    if (!b->refs)
        return -ENOMEM;
    b->base = mmap(NULL, (size_t)count * buffer_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b->base == MAP_FAILED) {
        err = -errno;
        goto cleanup;
    }
    b->entries = io_uring_setup_buf_ring(&r->uring, count, group, 0, &err);
    if (!b->entries) {
        munmap(b->base, (size_t)count * buffer_bytes);
        goto cleanup;
    }
    for (uint32_t id = 0; id < count; id++)
        io_uring_buf_ring_add(b->entries, bufring_at(b, (uint16_t)id), buffer_bytes, (uint16_t)id,
                              io_uring_buf_ring_mask(count), (int)id);
    io_uring_buf_ring_advance(b->entries, (int)count);
    return 0;

cleanup:
    free(b->refs);
    b->refs = NULL;
    return err;
}

void bufring_free(struct bufring *b)
{
    if (!b->refs)
        return;
    io_uring_free_buf_ring(&b->ring->uring, b->entries, b->count, b->group);
    munmap(b->base, (size_t)b->count * b->buffer_bytes);
    free(b->refs);
    b->refs = NULL;
}
