// Merging the measurements of threads, and the names of refusals.
#include <criterion/criterion.h>

#include "tally.h"

static struct tally a, sum;

static void setup(void)
{
    cr_assert_eq(tally_init(&a), 0);
    cr_assert_eq(tally_add_groups(&a, 2), 0);
    cr_assert_eq(tally_init(&sum), 0);
    cr_assert_eq(tally_add_groups(&sum, 2), 0);
}

static void teardown(void)
{
    tally_free(&a);
    tally_free(&sum);
}

TestSuite(tally, .init = setup, .fini = teardown);

Test(tally, merge_sums_every_counter)
{
    // Everything behind the histograms is a count.
    uint64_t *from = (uint64_t *)&a.ledger, *into = (uint64_t *)&sum.ledger;
    size_t n = (sizeof a - offsetof(struct tally, ledger)) / sizeof *from;
    size_t window = (offsetof(struct tally, window_ns) - offsetof(struct tally, ledger)) / 8;

    for (size_t i = 0; i < n; i++)
        from[i] = i + 1;
    tally_merge(&sum, &a);
    tally_merge(&sum, &a);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(into[i], i == window ? i + 1 : 2 * (i + 1), "counter %zu", i);
}

Test(tally, merge_adds_every_histogram)
{
#define X(name) hist_record(&a.name, 1000);
    TALLY_HISTOGRAMS(X)
#undef X
    tally_merge(&sum, &a);
    tally_merge(&sum, &a);
#define X(name) cr_assert_eq(sum.name.total, 2, #name);
    TALLY_HISTOGRAMS(X)
#undef X
}

Test(tally, merge_adds_every_group)
{
#define X(name) hist_record(&a.groups[1].name, 1000);
    TALLY_GROUP_HISTOGRAMS(X)
#undef X
#define X(name) a.groups[1].name = 3;
    TALLY_GROUP_COUNTS(X)
#undef X
    a.groups[1].storms = 5;
    tally_merge(&sum, &a);
    a.groups[1].storms = 4; // another thread saw as many of the same storms
    tally_merge(&sum, &a);
#define X(name) cr_assert_eq(sum.groups[1].name.total, 2, #name);
    TALLY_GROUP_HISTOGRAMS(X)
#undef X
#define X(name) cr_assert_eq(sum.groups[1].name, 6, #name);
    TALLY_GROUP_COUNTS(X)
#undef X
    cr_assert_eq(sum.groups[1].storms, 5);
    cr_assert_eq(sum.groups[0].sent, 0);
    cr_assert_eq(sum.groups[0].response.total, 0);
}

Test(tally, find_refusal_by_code)
{
    for (unsigned i = 0; i < TALLY_REFUSAL_COUNT; i++)
        cr_assert_eq(tally_find_refusal(tally_refusal_name((enum tally_refusal)i)), i);
    cr_assert_eq(tally_find_refusal("something_new"), TALLY_REFUSAL_other);
}
