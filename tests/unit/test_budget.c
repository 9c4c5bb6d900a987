// The latency budget: parts that add up, trails that forget in order and never lie.
#include <criterion/criterion.h>
#include <string.h>

#include "budget.h"

#define DEPTH 16u

static struct budget_send sends[DEPTH];
static struct budget_trail trail;

static void setup(void)
{
    budget_init_trail(&trail, sends, DEPTH);
}

TestSuite(budget, .init = setup);

// The sealed time the trail knows of a send, 0 when it does not.
static uint64_t sealed_of(uint16_t number)
{
    struct budget_times times = {.sealed_ns = 99, .taken_ns = 99};

    budget_find_send(&trail, number, &times);
    cr_assert_eq(times.sealed_ns == 0, times.taken_ns == 0, "both or none");
    return times.sealed_ns;
}

static void send_all(uint16_t count, uint64_t sealed_ns)
{
    budget_push_send(&trail, count, sealed_ns);
    budget_complete_send(&trail, sealed_ns + 5);
}

Test(budget, trail_depth_follows_load_and_memory)
{
    cr_assert_eq(budget_trail_depth(2, 1), 1);
    cr_assert_eq(budget_trail_depth(100000, 5), 8, "never more than can be under way");
    cr_assert_eq(budget_trail_depth(2, 0), BUDGET_TRAIL_MAX);
    cr_assert_eq(budget_trail_depth(1000, 0), 256);
    cr_assert_eq(budget_trail_depth(100000, 0), BUDGET_TRAIL_MIN);
    cr_assert_eq(budget_trail_depth(0, 0), BUDGET_TRAIL_MAX);
}

Test(budget, find_send_in_order_across_the_wrap_of_numbers)
{
    for (uint32_t n = 0; n < 200000; n++) {
        send_all(3, 100 + n);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(sealed_of((uint16_t)n), 100 + n);
        cr_assert_eq(trail.count, 0, "the last envelope ends it");
    }
}

Test(budget, find_send_of_several_recipients)
{
    for (uint64_t n = 0; n < 4; n++)
        send_all(2, 100 * (n + 1));
    cr_assert_eq(sealed_of(3), 400, "the quick one has all of its");
    cr_assert_eq(sealed_of(1), 200);
    cr_assert_eq(sealed_of(1), 200);
    cr_assert_eq(sealed_of(1), 0, "there were two");
    cr_assert_eq(sealed_of(0), 100, "the slow one has its first");
    cr_assert_eq(sealed_of(0), 100);
    cr_assert_eq(trail.count, 2, "both of the oldest have come");
    cr_assert_eq(sealed_of(7), 0, "never sent");
}

Test(budget, find_send_forgets_what_was_lost)
{
    send_all(1, 100);
    for (uint16_t n = 1; n <= DEPTH / 2; n++) {
        send_all(1, 100 + n);
        cr_assert_eq(sealed_of(n), 100 + n);
    }
    cr_assert_eq(sealed_of(0), 100, "half a trail late");
    send_all(1, 500); // lost
    for (uint16_t n = 2; n <= DEPTH / 2 + 2; n++) {
        send_all(1, 500 + n);
        cr_assert_eq(sealed_of(DEPTH / 2 + n), 500 + n);
    }
    cr_assert_eq(trail.count, 0);
    cr_assert_eq(sealed_of(DEPTH / 2 + 1), 0);
}

Test(budget, complete_send_of_a_trail_of_nothing)
{
    struct budget_trail nothing = {0};
    struct budget_times times;

    budget_complete_send(&nothing, 5);
    budget_find_send(&nothing, 0, &times);
    cr_assert_eq(times.sealed_ns, 0);
}

Test(budget, find_send_under_way_is_not_known)
{
    budget_push_send(&trail, 3, 100);
    cr_assert_eq(sealed_of(0), 0, "received before the kernel had all of it");
    budget_complete_send(&trail, 150);
    cr_assert_eq(sealed_of(0), 100);
    cr_assert_eq(sealed_of(0), 100);
    budget_push_send(&trail, 1, 200);
    cr_assert_eq(sealed_of(1), 0);
    cr_assert_eq(trail.count, 0);
    budget_complete_send(&trail, 250); // of one that is forgotten
    send_all(1, 300);
    cr_assert_eq(sealed_of(2), 300);
}

Test(budget, push_send_beyond_the_trail)
{
    for (uint64_t n = 0; n < DEPTH + 3; n++)
        send_all(1, 100 + n);
    for (uint16_t n = 0; n < DEPTH; n++)
        cr_assert_eq(sealed_of(n), 100 + n);
    cr_assert_eq(sealed_of(DEPTH), 0, "it was full");
    send_all(1, 500);
    send_all(1, 600);
    cr_assert_eq(sealed_of(DEPTH + 4), 600, "and has room again");
    cr_assert_eq(sealed_of(DEPTH + 3), 500);
}

static void expect_sum(const struct budget *b)
{
    uint64_t sum = 0;
    double mean = 0;

    for (unsigned i = 0; i < BUDGET_PART_COUNT; i++) {
        sum += b->part_ns[i];
        mean += budget_mean_ns(b, (enum budget_part)i);
    }
    cr_assert_eq(sum, b->response_ns);
    cr_assert_float_eq(mean, budget_mean_response_ns(b), 1e-6);
}

Test(budget, add_parts_make_the_response)
{
    struct budget b = {0}, sum = {0};
    struct budget_times times = {10, 21, 33, 46, 60, 75, 91};

    budget_add(&b, &times, 1);
    for (unsigned i = 0; i < BUDGET_unattributed; i++)
        cr_assert_eq(b.part_ns[i], 11 + i, "%s", budget_part_name((enum budget_part)i));
    expect_sum(&b);
    times.sealed_ns = times.taken_ns = 0;
    budget_add(&b, &times, 1);
    cr_assert_eq(b.unattributed, 1);
    cr_assert_eq(b.part_ns[BUDGET_unattributed], 75 - 33);
    cr_assert_eq(b.part_ns[BUDGET_server_network], 15, "nothing is guessed");
    expect_sum(&b);
    budget_merge(&sum, &b);
    budget_merge(&sum, &b);
    cr_assert_eq(sum.count, 4);
    expect_sum(&sum);
    cr_assert_eq(budget_mean_response_ns(&sum), 81);
}

Test(budget, mean_of_nothing)
{
    struct budget b = {0};

    cr_assert_eq(budget_mean_ns(&b, BUDGET_seal), 0);
    cr_assert_eq(budget_mean_response_ns(&b), 0);
    cr_assert_str_eq(budget_part_name(BUDGET_unattributed), "unattributed");
}
