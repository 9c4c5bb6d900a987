// The sweep's sizes as text, and what goes into its fit.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "sweep.h"

static struct sweep s;
static char reason[SWEEP_REASON_BYTES];

static void refuse(const char *text)
{
    cr_assert_eq(sweep_parse(&s.range, text, reason), -EINVAL, "'%s' is taken", text);
    cr_assert(strstr(reason, "--sweep takes"), "%s", reason);
}

Test(sweep, parse)
{
    cr_assert_eq(sweep_parse(&s.range, "connections=10,100,1000", reason), 0);
    cr_assert_eq(s.range.over, SWEEP_CONNECTIONS);
    cr_assert_eq(s.range.count, 3);
    cr_assert_eq(s.range.sizes[2], 1000);
    cr_assert_eq(sweep_parse(&s.range, "workers=3", reason), 0);
    cr_assert_eq(s.range.over, SWEEP_WORKERS);
    cr_assert_eq(s.range.count, 1);
    cr_assert_str_eq(sweep_over_name(SWEEP_WORKERS), "workers");
}

Test(sweep, parse_mistakes)
{
    char longest[4 * SWEEP_POINTS_MAX] = "workers=1";

    refuse("");
    refuse("connections");
    refuse("connections=");
    refuse("=1");
    refuse("worker=1");
    refuse("workersx=1");
    refuse("connections=1,2");
    refuse("connections=0");
    refuse("connections=3");
    refuse("connections=1000002");
    refuse("connections=2,");
    refuse("connections=2,,4");
    refuse("connections=2;4");
    refuse("connections=-2");
    refuse("workers=0");
    refuse("workers=1025");
    refuse("workers=99999999999999999999");
    for (unsigned i = 1; i < SWEEP_POINTS_MAX; i++)
        strcat(longest, ",1");
    cr_assert_eq(sweep_parse(&s.range, longest, reason), 0);
    cr_assert_eq(s.range.count, SWEEP_POINTS_MAX);
    strcat(longest, ",1");
    refuse(longest);
}

Test(sweep, fit_leaves_out_what_says_nothing)
{
    struct trial t = {.level = VERDICT_OK};

    cr_assert_eq(sweep_parse(&s.range, "workers=1,2,4,8,16,32", reason), 0);
    for (unsigned i = 0; i < 6; i++) {
        t.achieved_per_s = usl_predict(1000, 0.1, 0.001, s.range.sizes[i]);
        t.level = i == 1 ? VERDICT_LIMITED : VERDICT_OK;
        t.is_faulty = i == 2;
        if (i == 1 || i == 2)
            t.achieved_per_s = 1;
        sweep_add(&s, &t);
    }
    sweep_fit(&s);
    cr_assert_eq(s.fit.used, 4);
    cr_assert(s.fit.is_meaningful, "%s", s.fit.reason);
    cr_assert_float_eq(s.fit.sigma, 0.1, 1e-3);
    s.point_count = 3;
    sweep_fit(&s);
    cr_assert_not(s.fit.is_meaningful);
}
