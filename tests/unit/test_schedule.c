// The integral of the rate and its inverse, against closed forms and a numerical integral.
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "schedule.h"

static struct schedule s;

static void build(uint64_t warmup_ns, const char *first, ...)
{
    struct stage_list list = {0};
    char reason[STAGE_REASON_BYTES];
    va_list texts;

    va_start(texts, first);
    for (const char *text = first; text; text = va_arg(texts, const char *))
        cr_assert_eq(stage_list_parse(&list, text, reason), 0, "%s", reason);
    va_end(texts);
    schedule_init(&s, &list, warmup_ns);
}

// The rate at a time, straight from the pieces.
static double rate_at(double t_s)
{
    for (uint32_t i = 0; i < s.count; i++) {
        const struct schedule_piece *p = &s.pieces[i];
        double into_s = t_s - (double)p->begin_ns / 1e9, len_s = (double)p->len_ns / 1e9;

        if (into_s >= 0 && into_s < len_s)
            return p->from_per_s + (p->to_per_s - p->from_per_s) * into_s / len_s;
    }
    return 0;
}

Test(schedule, smooth_hold_is_exact_for_long_runs)
{
    uint32_t piece = 0;

    build(0, "hold 100h at 3000", NULL);
    for (uint64_t k = 0; k < 1080000000; k += 9973) {
        uint64_t at_ns = schedule_smooth_ns(&s, (double)k, &piece);

        cr_assert_leq(llabs((long long)(at_ns - k * 1000000000 / 3000)), 1, "arrival %lu", k);
    }
    cr_assert_eq(schedule_smooth_ns(&s, 1080000000, &piece), SCHEDULE_NEVER_NS);
}

Test(schedule, smooth_ramp_is_the_closed_form)
{
    uint32_t piece = 0;

    // Rate 100·t: the integral is 50·t².
    build(0, "ramp 20s to 2000", NULL);
    for (unsigned k = 0; k < 20000; k++) {
        double at_s = (double)schedule_smooth_ns(&s, k, &piece) / 1e9;

        cr_assert_float_eq(at_s, sqrt(k / 50.0), 2e-9, "arrival %u at %.9f", k, at_s);
    }
    cr_assert_eq(schedule_smooth_ns(&s, 20000, &piece), SCHEDULE_NEVER_NS);
}

Test(schedule, smooth_inverts_the_integral_of_any_stages)
{
    uint32_t piece = 0;
    double t_s = 0, sum = 0;
    const double step_s = 1e-5;

    build(500 * NS_PER_MS, "hold 1s at 100", "ramp 2s to 900", "spike 300ms to 5000", "hold 500ms",
          "hold 1s at 0", "ramp 1s from 700 to 0", "step 3x200ms from 50 by 50", NULL);
    for (unsigned k = 0; k < 4000; k++) {
        uint64_t at_ns = schedule_smooth_ns(&s, k, &piece);

        if (at_ns == SCHEDULE_NEVER_NS) {
            // 50 of the warm-up, 100, 1000, 1500, 450, 0, 350, 60.
            cr_assert_eq(k, 3510);
            return;
        }
        for (; t_s + step_s <= (double)at_ns / 1e9; t_s += step_s)
            sum += rate_at(t_s + step_s / 2) * step_s;
        cr_assert_float_eq(sum, k, 0.2, "the integral at arrival %u is %.3f", k, sum);
    }
}

Test(schedule, smooth_total_is_the_sum_of_the_stages)
{
    uint32_t piece = 0;

    build(500 * NS_PER_MS, "hold 1s at 100", "ramp 2s to 900", "spike 300ms to 5000", NULL);
    cr_assert_eq(s.end_ns, 3800 * NS_PER_MS);
    cr_assert_lt(schedule_smooth_ns(&s, 2649, &piece), s.end_ns);
    cr_assert_eq(schedule_smooth_ns(&s, 2650, &piece), SCHEDULE_NEVER_NS);
}

Test(schedule, smooth_skips_a_pause)
{
    uint32_t piece = 0;

    build(0, "hold 1s at 10", "hold 5s at 0", "hold 1s at 10", NULL);
    cr_assert_eq(schedule_smooth_ns(&s, 9, &piece), 900 * NS_PER_MS);
    cr_assert_eq(schedule_smooth_ns(&s, 10, &piece), 6 * NS_PER_S);
    cr_assert_eq(schedule_smooth_ns(&s, 11, &piece), 6100 * NS_PER_MS);
}

Test(schedule, smooth_never_goes_back)
{
    uint32_t piece = 0;
    uint64_t last_ns = 0;

    build(0, "ramp 1s to 1000", "ramp 1s to 0", "ramp 1s to 333.3", "hold 1s", NULL);
    for (double k = 0; k < 2000; k += 0.37) {
        uint64_t at_ns = schedule_smooth_ns(&s, k, &piece);

        cr_assert_geq(at_ns, last_ns);
        last_ns = at_ns;
    }
}

Test(schedule, bursts_are_at_once)
{
    uint32_t piece = 0;

    build(NS_PER_S, "hold 1s at 5", "burst 3 every 500ms for 2s at 1", "hold 1s at 5",
          "burst 2 every 10s for 1s", NULL);
    for (uint64_t k = 0; k < 12; k++)
        cr_assert_eq(schedule_burst_ns(&s, k, &piece), 2 * NS_PER_S + k / 3 * 500 * NS_PER_MS);
    cr_assert_eq(schedule_burst_ns(&s, 12, &piece), 5 * NS_PER_S);
    cr_assert_eq(schedule_burst_ns(&s, 13, &piece), 5 * NS_PER_S);
    cr_assert_eq(schedule_burst_ns(&s, 14, &piece), SCHEDULE_NEVER_NS);
}

Test(schedule, warmup_has_the_first_rate)
{
    uint32_t piece = 0;

    build(2 * NS_PER_S, "ramp 1s from 100 to 200", NULL);
    cr_assert_eq(s.first_stage, 1);
    cr_assert_eq(schedule_smooth_ns(&s, 150, &piece), 1500 * NS_PER_MS);
    cr_assert_eq(schedule_smooth_ns(&s, 200, &piece), 2 * NS_PER_S);
}

Test(schedule, find_stage_at_edges)
{
    build(NS_PER_S, "hold 1s at 5", "hold 2s at 6", "hold 1s at 7", NULL);
    cr_assert_eq(schedule_find_stage(&s, 0), -1, "warm-up");
    cr_assert_eq(schedule_find_stage(&s, NS_PER_S - 1), -1);
    cr_assert_eq(schedule_find_stage(&s, NS_PER_S), 0);
    cr_assert_eq(schedule_find_stage(&s, 2 * NS_PER_S - 1), 0);
    cr_assert_eq(schedule_find_stage(&s, 2 * NS_PER_S), 1);
    cr_assert_eq(schedule_find_stage(&s, 4 * NS_PER_S), 2);
    cr_assert_eq(schedule_find_stage(&s, 5 * NS_PER_S - 1), 2);
    cr_assert_eq(schedule_find_stage(&s, 5 * NS_PER_S), -1, "after the end");
    build(0, "hold 1s at 5", NULL);
    cr_assert_eq(schedule_find_stage(&s, 0), 0);
}
