// A bounded ring between one producer thread and one consumer thread. Each side keeps a copy of the
// other's index and reads the shared one only when the copy says full (or empty), so a busy ring
// moves few cache lines. Never blocks, never allocates after spsc_init.
#include <errno.h>
#include <stdlib.h>

#include "spsc.h"

// Indices run freely and wrap at 2^32; `tail - head` is the number of items.
static uint8_t *item_at(const struct spsc *q, uint32_t index)
{
    return q->items + (size_t)(index & q->mask) * q->item_bytes;
}

int spsc_init(struct spsc *q, uint32_t item_bytes, uint32_t capacity)
{
    if (item_bytes == 0 || capacity == 0 || (capacity & (capacity - 1)) != 0)
        return -EINVAL;
    memset(q, 0, sizeof *q);
    q->items = malloc((size_t)item_bytes * capacity);
    if (q->items == NULL)
        return -ENOMEM;
    q->mask = capacity - 1;
    q->item_bytes = item_bytes;
    return 0;
}

void spsc_free(struct spsc *q)
{
    free(q->items);
    memset(q, 0, sizeof *q);
}

bool spsc_push(struct spsc *q, const void *item)
{
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

    if (tail - q->cached_head > q->mask && spsc_room(q) == 0)
        return false;
    memcpy(item_at(q, tail), item, q->item_bytes);
    // Release: the item before the index that shows it.
    atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
    return true;
}

uint32_t spsc_room(struct spsc *q)
{
    uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

    // Acquire: the consumer has copied an item out before its slot is written again.
    q->cached_head = atomic_load_explicit(&q->head, memory_order_acquire);
    return q->mask + 1 - (tail - q->cached_head);
}

bool spsc_pop(struct spsc *q, void *item)
{
    uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

    if (head == q->cached_tail) {
        q->cached_tail = atomic_load_explicit(&q->tail, memory_order_acquire);
        if (head == q->cached_tail)
            return false;
    }
    memcpy(item, item_at(q, head), q->item_bytes);
    atomic_store_explicit(&q->head, head + 1, memory_order_release);
    return true;
}

bool spsc_is_empty(const struct spsc *q)
{
    uint32_t head = atomic_load_explicit(&q->head, memory_order_acquire);

    return head == atomic_load_explicit(&q->tail, memory_order_acquire);
}
