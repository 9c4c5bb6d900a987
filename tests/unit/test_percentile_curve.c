// The percentile curve: its steps, its end, its bound.
#include <criterion/criterion.h>

#include "percentile_curve.h"

static struct percentile_point points[PERCENTILE_CURVE_POINTS_MAX];

Test(percentile_curve, at_halves_its_steps)
{
    static const double expected[] = {0,  50.0 / 3,     100.0 / 3, 50, 50 + 25.0 / 3, 50 + 50.0 / 3,
                                      75, 75 + 12.5 / 3};

    for (uint32_t i = 0; i < COUNT_OF(expected); i++)
        cr_assert_float_eq(percentile_curve_at(i), expected[i], 1e-9);
    for (uint32_t i = 1; i < PERCENTILE_CURVE_POINTS_MAX; i++)
        cr_assert_gt(percentile_curve_at(i), percentile_curve_at(i - 1));
    cr_assert_lt(percentile_curve_at(PERCENTILE_CURVE_POINTS_MAX - 1), 100);
}

Test(percentile_curve, of_ends_with_ten_samples_beyond)
{
    struct hist h;
    uint32_t count;

    cr_assert_eq(hist_init(&h), 0);
    cr_assert_eq(percentile_curve_of(&h, points), 0);
    for (uint64_t n = 1; n <= 100000; n++)
        hist_record(&h, n);
    count = percentile_curve_of(&h, points);
    cr_assert(hist_percentile_supported(&h, points[count - 1].percentile));
    cr_assert_not(hist_percentile_supported(&h, percentile_curve_at(count)));
    for (uint32_t i = 0; i < count; i++)
        cr_assert_float_eq((double)points[i].value, points[i].percentile * 1000, 51);
    hist_free(&h);
}

Test(percentile_curve, of_is_bounded)
{
    struct hist h;

    cr_assert_eq(hist_init(&h), 0);
    hist_record(&h, 7);
    h.counts[7] = h.total = 1ull << 50; // years of load
    cr_assert_eq(percentile_curve_of(&h, points), PERCENTILE_CURVE_POINTS_MAX);
    hist_free(&h);
}
