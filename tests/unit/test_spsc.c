// The ring between two threads: bounds, order, wrap-around, and a real pair of threads.
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "spsc.h"

struct item {
    uint64_t number;
    uint64_t check;
    uint8_t odd_size[5];
};

Test(spsc_init, refuses_nonsense)
{
    struct spsc q;

    cr_assert_eq(spsc_init(&q, 0, 8), -EINVAL);
    cr_assert_eq(spsc_init(&q, 8, 0), -EINVAL);
    cr_assert_eq(spsc_init(&q, 8, 3), -EINVAL);
    cr_assert_eq(spsc_init(&q, 8, 12), -EINVAL);
}

Test(spsc_push, full_and_empty)
{
    for (uint32_t capacity = 1; capacity <= 64; capacity *= 2) {
        struct spsc q;
        uint32_t value;

        cr_assert_eq(spsc_init(&q, sizeof value, capacity), 0);
        cr_assert(spsc_is_empty(&q));
        cr_assert_not(spsc_pop(&q, &value));
        for (uint32_t i = 0; i < capacity; i++) {
            cr_assert_eq(spsc_room(&q), capacity - i);
            cr_assert(spsc_push(&q, &i));
        }
        value = 1000;
        cr_assert_eq(spsc_room(&q), 0);
        cr_assert_not(spsc_push(&q, &value));
        cr_assert_not(spsc_is_empty(&q));
        for (uint32_t i = 0; i < capacity; i++) {
            cr_assert(spsc_pop(&q, &value));
            cr_assert_eq(value, i);
        }
        cr_assert_not(spsc_pop(&q, &value));
        cr_assert(spsc_is_empty(&q));
        cr_assert_eq(spsc_room(&q), capacity);
        spsc_free(&q);
    }
}

Test(spsc_push, wraps_around)
{
    struct spsc q;
    uint32_t pushed = 0, popped = 0;

    cr_assert_eq(spsc_init(&q, sizeof pushed, 8), 0);
    // Just before the indices themselves wrap at 2^32.
    atomic_store(&q.head, UINT32_MAX - 20);
    atomic_store(&q.tail, UINT32_MAX - 20);
    q.cached_head = q.cached_tail = UINT32_MAX - 20;
    for (uint32_t round = 0; round < 100; round++) {
        uint32_t burst = round % 8 + 1;
        for (uint32_t i = 0; i < burst; i++) {
            cr_assert(spsc_push(&q, &pushed));
            pushed++;
        }
        cr_assert_eq(spsc_room(&q), 8 - burst);
        for (uint32_t i = 0; i < burst; i++) {
            uint32_t value;
            cr_assert(spsc_pop(&q, &value));
            cr_assert_eq(value, popped++);
        }
        cr_assert(spsc_is_empty(&q));
    }
    spsc_free(&q);
}

#define ITEM_COUNT 1000000u

static void *produce(void *arg)
{
    struct spsc *q = arg;

    for (uint64_t i = 0; i < ITEM_COUNT; i++) {
        struct item item = {.number = i, .check = ~i, .odd_size = {(uint8_t)i}};
        while (!spsc_push(q, &item))
            sched_yield(); // full: let the consumer run
    }
    return NULL;
}

static void pass_between_threads(uint32_t capacity)
{
    struct spsc q;
    pthread_t producer;

    cr_assert_eq(spsc_init(&q, sizeof(struct item), capacity), 0);
    cr_assert_eq(pthread_create(&producer, NULL, produce, &q), 0);
    for (uint64_t i = 0; i < ITEM_COUNT; i++) {
        struct item item;
        while (!spsc_pop(&q, &item))
            sched_yield();
        // One plain test: Criterion's own would be most of a million turns.
        if (item.number != i || item.check != ~i || item.odd_size[0] != (uint8_t)i)
            cr_assert_fail("item %lu came as %lu", i, item.number);
    }
    cr_assert_eq(pthread_join(producer, NULL), 0);
    cr_assert(spsc_is_empty(&q));
    spsc_free(&q);
}

Test(spsc_push, a_million_between_two_threads)
{
    pass_between_threads(1024);
}

Test(spsc_push, a_million_through_a_ring_of_two)
{
    pass_between_threads(2);
}
