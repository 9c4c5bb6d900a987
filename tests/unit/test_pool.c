// The object pool: bounds, reuse, and that memory is touched only when used.
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pool.h"

#define CAPACITY 100u

Test(pool_init, refuses_nonsense)
{
    struct pool p;

    cr_assert_eq(pool_init(&p, 0, 1), -EINVAL);
    cr_assert_eq(pool_init(&p, 1, 0), -EINVAL);
    cr_assert_eq(pool_init(&p, SIZE_MAX, 1), -ENOMEM);     // rounding up overflows
    cr_assert_eq(pool_init(&p, SIZE_MAX / 2, 3), -ENOMEM); // the product overflows
    cr_assert_eq(pool_init(&p, SIZE_MAX / 4, 1), -ENOMEM); // no such address space
    pool_free(&p);                                         // harmless after a failure
}

Test(pool_get, until_exhausted)
{
    struct pool p;
    uint8_t *objects[CAPACITY];

    cr_assert_eq(pool_init(&p, 65, CAPACITY), 0);
    cr_assert_eq(p.stride_bytes, 128);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        objects[i] = pool_get(&p);
        cr_assert_not_null(objects[i]);
        cr_assert_eq((uintptr_t)objects[i] % 64, 0);
        memset(objects[i], (int)i, 65);
        cr_assert_eq(p.used, i + 1);
    }
    cr_assert_null(pool_get(&p));
    cr_assert_eq(p.used, CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++) { // nobody wrote into a neighbour
        for (uint32_t byte = 0; byte < 65; byte++)
            cr_assert_eq(objects[i][byte], i);
    }
    pool_put(&p, objects[42]);
    cr_assert_eq(pool_get(&p), objects[42]);
    cr_assert_null(pool_get(&p));
    for (uint32_t i = 0; i < CAPACITY; i++)
        pool_put(&p, objects[i]);
    cr_assert_eq(p.used, 0);
    pool_free(&p);
}

Test(pool_get, last_in_first_out)
{
    struct pool p;
    void *objects[4];

    cr_assert_eq(pool_init(&p, 8, CAPACITY), 0);
    for (uint32_t i = 0; i < 4; i++)
        objects[i] = pool_get(&p);
    pool_put(&p, objects[2]);
    pool_put(&p, objects[0]);
    pool_put(&p, objects[3]);
    cr_assert_eq(pool_get(&p), objects[3]);
    cr_assert_eq(pool_get(&p), objects[0]);
    cr_assert_eq(pool_get(&p), objects[2]);
    cr_assert_eq(p.touched, 4); // reuse comes before a fresh one
    for (uint32_t i = 0; i < 4; i++)
        pool_put(&p, objects[i]);
    pool_free(&p);
}

Test(pool_index, round_trip)
{
    struct pool p;
    void *objects[CAPACITY];

    cr_assert_eq(pool_init(&p, 200, CAPACITY), 0);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        objects[i] = pool_get(&p);
        cr_assert_lt(pool_index(&p, objects[i]), CAPACITY);
        cr_assert_eq(pool_at(&p, pool_index(&p, objects[i])), objects[i]);
    }
    for (uint32_t i = 1; i < CAPACITY; i++)
        cr_assert_neq(pool_index(&p, objects[i]), pool_index(&p, objects[i - 1]));
    for (uint32_t i = 0; i < CAPACITY; i++)
        pool_put(&p, objects[i]);
    pool_free(&p);
}

Test(pool_index, foreign_pointer, .signal = SIGABRT)
{
    struct pool p;
    uint8_t *object;

    cr_assert_eq(pool_init(&p, 64, 2), 0);
    object = pool_get(&p);
    pool_put(&p, object + 8);
}

Test(pool_free, object_still_out, .signal = SIGABRT)
{
    struct pool p;

    cr_assert_eq(pool_init(&p, 64, 2), 0);
    cr_assert_not_null(pool_get(&p));
    pool_free(&p);
}

Test(pool_get, touches_only_what_is_used)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t resident[16];
    struct pool p;

    cr_assert_eq(pool_init(&p, page_bytes, 1u << 24), 0); // 64 GiB of addresses
    void *first = pool_get(&p);
    void *second = pool_get(&p);
    memset(first, 1, page_bytes);
    memset(second, 1, page_bytes);
    cr_assert_eq(mincore(p.base, COUNT_OF(resident) * page_bytes, resident), 0);
    for (size_t i = 0; i < COUNT_OF(resident); i++)
        cr_assert_eq(resident[i] & 1, i < 2, "page %zu", i);
    pool_put(&p, second);
    pool_put(&p, first);
    pool_free(&p);
}
