// Do the envelopes that wait grow through the window?
#include <criterion/criterion.h>

#include "backlog.h"

// Samples every tenth of a window of 1,000 ns.
static struct backlog looked_at(const uint64_t waiting[11])
{
    struct backlog b;

    backlog_begin(&b, 0, 1000, waiting[0]);
    for (uint64_t i = 1; i <= 10; i++)
        backlog_sample(&b, 101 * i, waiting[i]);
    return b;
}

Test(backlog, is_growing_at_every_quarter)
{
    struct backlog b = looked_at((uint64_t[]){0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100});

    cr_assert_eq(b.count, BACKLOG_POINTS);
    cr_assert(backlog_is_growing(&b, 10000));
    cr_assert_not(backlog_is_growing(&b, 10001), "under a hundredth of the scheduled");
    b = looked_at((uint64_t[]){1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100});
    cr_assert_not(backlog_is_growing(&b, 100), "under a hundred");
}

Test(backlog, is_growing_not_with_ups_and_downs)
{
    struct backlog b = looked_at((uint64_t[]){0, 0, 0, 900, 0, 0, 800, 0, 0, 0, 1000});

    cr_assert_not(backlog_is_growing(&b, 1000));
    b = looked_at((uint64_t[]){500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500});
    cr_assert_not(backlog_is_growing(&b, 1000), "full, not growing");
}

Test(backlog, is_growing_needs_three_looks)
{
    struct backlog b;

    backlog_begin(&b, 0, 1000, 0);
    backlog_sample(&b, 1100, 5000);
    backlog_sample(&b, 1200, 6000);
    cr_assert_eq(b.count, 2, "all quarters have passed");
    cr_assert_not(backlog_is_growing(&b, 100));
}

Test(backlog, merge)
{
    const struct backlog part = {.count = 3, .waiting = {1, 2, 3}}, none = {0};
    struct backlog whole = {0};

    backlog_merge(&whole, &part);
    backlog_merge(&whole, &part);
    cr_assert(whole.count == 3 && whole.waiting[2] == 6);
    backlog_merge(&whole, &none);
    backlog_merge(&whole, &part);
    cr_assert_eq(whole.count, 0, "what one has not is not known of all");
}
