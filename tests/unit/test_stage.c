// The text of stages: every form, what follows from the stage before, and every refusal.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "stage.h"

static struct stage_list l;
static char reason[STAGE_REASON_BYTES];

static const struct stage *parse(const char *text)
{
    uint32_t before = l.count;

    cr_assert_eq(stage_list_parse(&l, text, reason), 0, "%s: %s", text, reason);
    return &l.stages[before];
}

Test(stage, parse_hold)
{
    const struct stage *s = parse("hold 10s at 1000");

    cr_assert_eq(l.count, 1);
    cr_assert_eq(s->kind, STAGE_HOLD);
    cr_assert_str_eq(s->name, "hold");
    cr_assert_eq(s->len_ns, 10 * NS_PER_S);
    cr_assert_eq(s->from_per_s, 1000);
    cr_assert_eq(s->to_per_s, 1000);
    cr_assert_eq(s->burst_every_ns, 0);
    cr_assert_float_eq(stage_smooth_count(s), 10000, 1e-9);
    cr_assert_eq(stage_burst_total(s), 0);
}

Test(stage, parse_units_and_space)
{
    cr_assert_eq(parse("  hold\t1500ms  at 2.5/s ")->len_ns, 1500 * NS_PER_MS);
    cr_assert_eq(l.stages[0].from_per_s, 2.5);
    cr_assert_eq(parse("hold 2m at 1")->len_ns, 120 * NS_PER_S);
    cr_assert_eq(parse("hold 1h at 1")->len_ns, 3600 * NS_PER_S);
    cr_assert_eq(parse("hold 0.5 at 1")->len_ns, NS_PER_S / 2);
    cr_assert_eq(stage_list_len_ns(&l), 3722 * NS_PER_S);
}

Test(stage, parse_ramp_goes_on_from_the_stage_before)
{
    const struct stage *s = parse("ramp 30s to 20000");

    cr_assert_eq(s->from_per_s, 0, "the first one begins at nothing");
    cr_assert_eq(s->to_per_s, 20000);
    cr_assert_float_eq(stage_smooth_count(s), 300000, 1e-9);
    s = parse("ramp 10s to 500");
    cr_assert_eq(s->from_per_s, 20000);
    s = parse("ramp 10s from 100 to 200");
    cr_assert_eq(s->from_per_s, 100);
    cr_assert_eq(parse("hold 10s")->from_per_s, 200);
}

Test(stage, parse_step_makes_a_stage_of_each)
{
    parse("step 5x10s from 1000 by 500");
    cr_assert_eq(l.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        cr_assert_eq(l.stages[i].from_per_s, 1000 + 500 * i);
        cr_assert_eq(l.stages[i].to_per_s, 1000 + 500 * i);
        cr_assert_eq(l.stages[i].len_ns, 10 * NS_PER_S);
    }
    cr_assert_str_eq(l.stages[0].name, "step-1");
    cr_assert_str_eq(l.stages[4].name, "step-5");
    cr_assert_eq(parse("hold 1s")->from_per_s, 3000);
    parse("down: step 3x1s from 300 by -100");
    cr_assert_str_eq(l.stages[8].name, "down-3");
    cr_assert_eq(l.stages[8].from_per_s, 100);
}

Test(stage, parse_burst)
{
    const struct stage *s = parse("burst 500 every 1s for 10s at 100");

    cr_assert_eq(s->burst_count, 500);
    cr_assert_eq(s->burst_every_ns, NS_PER_S);
    cr_assert_eq(s->len_ns, 10 * NS_PER_S);
    cr_assert_eq(s->from_per_s, 100);
    cr_assert_eq(stage_burst_total(s), 5000, "at 0 s … 9 s");
    s = parse("burst 7 every 3s for 10s");
    cr_assert_eq(s->from_per_s, 100, "on top of the rate before");
    cr_assert_eq(stage_burst_total(s), 28, "at 0, 3, 6, 9 s");
}

Test(stage, parse_spike_gives_the_rate_back)
{
    parse("hold 10s at 1000");
    cr_assert_eq(parse("spike 2s to 50000")->from_per_s, 50000);
    cr_assert_eq(parse("hold 10s")->from_per_s, 1000);
}

Test(stage, parse_names)
{
    cr_assert_str_eq(parse("calm: hold 1s at 1")->name, "calm");
    cr_assert_str_eq(parse("Peak_2.b=spike 1s to 9")->name, "Peak_2.b");
    cr_assert_str_eq(parse("x:hold 1s at 1")->name, "x");
    parse("a-name-of-twenty-eight-chars: step 10x1s from 1 by 1");
    cr_assert_str_eq(l.stages[12].name, "a-name-of-twenty-eight-chars-10", "nothing is cut");
}

static const struct {
    const char *text, *says;
} refusals[] = {
    {"", "hold, ramp, step, burst or spike"},
    {"wait 10s", "'wait' is no stage"},
    {"hold", "a time is missing"},
    {"hold soon at 5", "'soon' is not a time"},
    {"hold 10 days at 5", "does not know 'days'"},
    {"hold 10s at", "a rate is missing"},
    {"hold 10s at fast", "'fast' is not a rate"},
    {"hold 10s at -5", "'-5' is not a rate"},
    {"hold 10s at 1e5", "'1e5' is not a rate"},
    {"hold 10s at 0x10", "'0x10' is not a rate"},
    {"hold 10s at nan", "'nan' is not a rate"},
    {"hold 10s at 100000001", "from 0 to 100000000"},
    {"hold 0s at 5", "from 1 us to 31 days"},
    {"hold 745h at 5", "from 1 us to 31 days"},
    {"hold 10s to 5", "hold does not know 'to'"},
    {"hold 10s at 5 forever", "does not know 'forever'"},
    {"ramp 10s", "ramp needs 'to RATE'"},
    {"ramp 10s at 5", "ramp does not know 'at'"},
    {"step 10s from 1 by 1", "like 5x10s"},
    {"step 0x10s from 1 by 1", "like 5x10s"},
    {"step 2.5x10s from 1 by 1", "like 5x10s"},
    {"step 33x1s from 1 by 1", "32 at most"},
    {"step 2x from 1 by 1", "is not a time"},
    {"step 2x1s by 1", "needs 'from RATE'"},
    {"step 2x1s from 1", "'by RATE'"},
    {"step 3x1s from 100 by -51", "would be -2"},
    {"step 3x1s from 100000000 by 1", "would be"},
    {"burst", "how many envelopes"},
    {"burst 0 every 1s for 2s", "how many envelopes"},
    {"burst 10000001 every 1s for 2s", "how many envelopes"},
    {"burst 5 for 2s", "'every TIME'"},
    {"burst 5 every 1s", "'for TIME'"},
    {"burst 10000000 every 0.001ms for 700h", "more envelopes than"},
    {"spike 2s", "spike needs 'to RATE'"},
    {"a b: hold 1s at 1", "'a' is no stage"},
    {": hold 1s at 1", "a stage's name has"},
    {"a-name-that-is-much-too-long-x: hold 1s at 1", "a stage's name has"},
    {"hold 10s at 000000000000000000000000000000000000000000000000000000000000000000000000005",
     "a rate is missing"},
};

Test(stage, parse_refuses_and_changes_nothing)
{
    parse("hold 10s at 1000");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        cr_assert_eq(stage_list_parse(&l, refusals[i].text, reason), -EINVAL, "'%s'",
                     refusals[i].text);
        cr_assert(strstr(reason, refusals[i].says), "'%s': '%s' lacks '%s'", refusals[i].text,
                  reason, refusals[i].says);
        cr_assert_eq(l.count, 1);
        cr_assert_eq(l.rate_per_s, 1000);
    }
}

Test(stage, parse_bounds_the_list)
{
    char text[STAGE_TEXT_MAX_BYTES + 2];

    parse("step 31x1s from 1 by 1");
    cr_assert_eq(stage_list_parse(&l, "step 2x1s from 1 by 1", reason), -EINVAL);
    cr_assert(strstr(reason, "32 stages at most"), "%s", reason);
    parse("hold 1s");
    cr_assert_eq(stage_list_parse(&l, "hold 1s", reason), -EINVAL);
    memset(text, ' ', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_assert_eq(stage_list_parse(&l, text, reason), -EINVAL);
    cr_assert(strstr(reason, "256 characters"), "%s", reason);
}

Test(stage, parse_bounds_the_time)
{
    parse("hold 400h at 1");
    cr_assert_eq(stage_list_parse(&l, "hold 400h at 1", reason), -EINVAL);
    cr_assert(strstr(reason, "longer than 31 days"), "%s", reason);
}

Test(stage, init_hold_is_the_short_form)
{
    stage_list_init_hold(&l, 250, 4 * NS_PER_S);
    cr_assert_eq(l.count, 1);
    cr_assert_float_eq(stage_smooth_count(&l.stages[0]), 1000, 1e-9);
    cr_assert_str_eq(stage_kind_name(l.stages[0].kind), "hold");
}
