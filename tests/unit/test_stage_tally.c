// Measurements of stages: created, merged, counted apart from each other.
#include <criterion/criterion.h>

#include "tally.h"

Test(stage_tally, create_nothing_for_none)
{
    struct stage_tally *stages = (struct stage_tally *)1;

    cr_assert_eq(stage_tally_create(&stages, 0), 0);
    cr_assert_null(stages);
    stage_tally_destroy(stages, 0);
}

Test(stage_tally, merge_adds_stage_by_stage)
{
    struct tally a, b;

    cr_assert_eq(tally_init(&a), 0);
    cr_assert_eq(tally_init(&b), 0);
    cr_assert_eq(tally_add_stages(&a, 3), 0);
    cr_assert_eq(tally_add_stages(&b, 3), 0);
    a.stages[0].offered = 5;
    b.stages[0].offered = 6;
    b.stages[2].sent = 7;
    b.stages[2].delivered = 4;
    hist_record(&a.stages[1].response, 1000);
    hist_record(&b.stages[1].response, 2000);
    hist_record(&b.stages[1].schedule_lag, 3000);
    tally_merge(&a, &b);
    cr_assert_eq(a.stages[0].offered, 11);
    cr_assert_eq(a.stages[1].offered, 0);
    cr_assert_eq(a.stages[2].sent, 7);
    cr_assert_eq(a.stages[2].delivered, 4);
    cr_assert_eq(a.stages[1].response.total, 2);
    cr_assert_eq(a.stages[1].schedule_lag.max, 3000);
    cr_assert_eq(a.stages[0].response.total, 0);
    tally_free(&a);
    tally_free(&b);
}
