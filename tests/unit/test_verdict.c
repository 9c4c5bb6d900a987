// The generator's judgement of itself: each rule on both sides of its bound.
#include <criterion/criterion.h>
#include <string.h>

#include "verdict.h"

static struct verdict v;

static struct verdict_input good(bool open_loop)
{
    return (struct verdict_input){.open_loop = open_loop,
                                  .busiest_pct = 50,
                                  .schedule_lag_p99_ns = 20 * NS_PER_US,
                                  .response_p99_ns = 300 * NS_PER_US,
                                  .scheduled = 10000,
                                  .sent = 10000,
                                  .window_ns = 10 * NS_PER_S};
}

static enum verdict_level judge(struct verdict_input in, const char *says)
{
    verdict_judge(&v, &in);
    cr_assert_eq(v.reason_count, v.level == VERDICT_OK ? 0 : 1);
    if (v.reason_count > 0)
        cr_assert(strstr(v.reasons[0], says), "'%s' lacks '%s'", v.reasons[0], says);
    return v.level;
}

Test(verdict, judge_ok)
{
    cr_assert_eq(judge(good(true), ""), VERDICT_OK);
    cr_assert_eq(judge(good(false), ""), VERDICT_OK);
    cr_assert_str_eq(verdict_level_name(VERDICT_LIMITED), "limited");
}

Test(verdict, judge_sockets)
{
    struct verdict_input in = good(false);

    in.sockets_exhausted = true;
    cr_assert_eq(judge(in, "descriptors"), VERDICT_LIMITED);
}

Test(verdict, judge_schedule_lag)
{
    struct verdict_input in = good(true);

    in.schedule_lag_p99_ns = 2 * NS_PER_MS;
    in.response_p99_ns = 10 * NS_PER_MS;
    cr_assert_eq(judge(in, "noticed late"), VERDICT_LIMITED);
    in.response_p99_ns = 30 * NS_PER_MS;
    cr_assert_eq(judge(in, ""), VERDICT_OK, "a tenth of the response is allowed");
    in.schedule_lag_p99_ns = 900 * NS_PER_US;
    in.response_p99_ns = NS_PER_MS;
    cr_assert_eq(judge(in, ""), VERDICT_OK, "a millisecond is allowed");
    in = good(false);
    in.schedule_lag_p99_ns = 2 * NS_PER_MS;
    cr_assert_eq(judge(in, ""), VERDICT_OK, "a closed loop has no schedule");
}

Test(verdict, judge_not_sent)
{
    struct verdict_input in = good(true);

    in.sent = 9901;
    cr_assert_eq(judge(in, ""), VERDICT_OK);
    in.sent = 9900;
    cr_assert_eq(judge(in, "100 of 10000"), VERDICT_SUSPECT);
    in.not_paced = 1;
    cr_assert_eq(judge(in, ""), VERDICT_OK, "neither is a share that matters");
}

Test(verdict, judge_not_paced)
{
    struct verdict_input in = good(true);

    in.sent = 9000;
    in.not_paced = 99;
    cr_assert_eq(judge(in, "901 of 10000 scheduled envelopes were not sent: the relay did not"),
                 VERDICT_SUSPECT);
    in.not_paced = 1000;
    cr_assert_eq(
        judge(in, "1000 of 10000 scheduled envelopes were not sent: more than 64 were due"),
        VERDICT_LIMITED);
    in.open_loop = false;
    cr_assert_eq(judge(in, ""), VERDICT_OK);
}

Test(verdict, judge_busy)
{
    struct verdict_input in = good(true);

    in.busiest_pct = 80;
    cr_assert_eq(judge(in, "80 %"), VERDICT_SUSPECT);
    in.open_loop = false;
    cr_assert_eq(judge(in, ""), VERDICT_OK);
    in.busiest_pct = 95;
    cr_assert_eq(judge(in, "may carry more"), VERDICT_SUSPECT);
}

Test(verdict, judge_ceiling)
{
    struct verdict_input in = good(false);

    in.achieved_per_s = 79900;
    cr_assert_eq(judge(in, ""), VERDICT_OK, "not measured");
    in.ceiling_per_s = 100000;
    cr_assert_eq(judge(in, ""), VERDICT_OK);
    in.achieved_per_s = 80000;
    cr_assert_eq(judge(in, "80 % of what the generator reaches alone (100000/s,"), VERDICT_SUSPECT);
    in.achieved_per_s = 90000;
    cr_assert_eq(judge(in, "not busy): the relay may carry more; use more --connections"),
                 VERDICT_SUSPECT);
    in.ceiling_busy_pct = 80;
    cr_assert_eq(judge(in, "use more --threads, processors"), VERDICT_LIMITED);
}

Test(verdict, judge_stalls)
{
    struct verdict_input in = good(false);

    in.stalls = 1;
    in.stalled_ns = 120 * NS_PER_MS;
    cr_assert_eq(judge(in, "120 ms"), VERDICT_SUSPECT);
    in.stalled_ns = 500 * NS_PER_MS;
    cr_assert_eq(judge(in, "500 ms"), VERDICT_LIMITED);
}

Test(verdict, judge_steal)
{
    struct verdict_input in = good(false);

    in.steal_pct = 4.9;
    cr_assert_eq(judge(in, ""), VERDICT_OK);
    in.steal_pct = 5;
    cr_assert_eq(judge(in, "hypervisor"), VERDICT_SUSPECT);
}

Test(verdict, judge_throttling)
{
    struct verdict_input in = good(false);

    in.throttled_ns = NS_PER_MS;
    cr_assert_eq(judge(in, "1.0 ms; raise the container's cpu limit"), VERDICT_SUSPECT);
    in.throttled_ns = 500 * NS_PER_MS;
    cr_assert_eq(judge(in, "quota"), VERDICT_LIMITED);
}

Test(verdict, judge_shared_processors)
{
    struct verdict_input in = good(false);

    in.share = (struct machine_share){.shared = 1, .all = 2};
    in.busy_pct = 90;
    in.relay_busy_pct = 89;
    cr_assert_eq(judge(in, ""), VERDICT_OK);
    in.relay_busy_pct = 90;
    cr_assert_eq(judge(in, "share 1 of 2 processors and used 180 % of 200 %; --pin them apart"),
                 VERDICT_SUSPECT);
    in.share.shared = 0;
    cr_assert_eq(judge(in, ""), VERDICT_OK, "each has its own");
}

Test(verdict, judge_backlog)
{
    struct verdict_input in = good(true);
    struct backlog b = {.waiting = {10, 100, 200, 300, 400}, .count = 5};

    in.backlog = &b;
    cr_assert_eq(judge(in, "from 10 to 400"), VERDICT_SUSPECT);
    b.waiting[3] = 200;
    cr_assert_eq(judge(in, ""), VERDICT_OK);
    b.waiting[3] = 300;
    in.open_loop = false;
    cr_assert_eq(judge(in, ""), VERDICT_OK, "a closed loop's backlog is bounded");
}

Test(verdict, judge_says_what_to_do)
{
    struct verdict_input in = good(true);

    in.sockets_exhausted = true;
    cr_assert_eq(judge(in, "raise ulimit -n"), VERDICT_LIMITED);
    in = good(true);
    in.steal_pct = 9;
    cr_assert_eq(judge(in, "machine of its own"), VERDICT_SUSPECT);
    in = good(true);
    in.busiest_pct = 99;
    cr_assert_eq(judge(in, "use more --threads"), VERDICT_SUSPECT);
}

Test(verdict, judge_everything_at_once)
{
    struct backlog b = {.waiting = {0, 100, 200}, .count = 3};
    struct verdict_input in = {.open_loop = true,
                               .sockets_exhausted = true,
                               .busiest_pct = 100,
                               .schedule_lag_p99_ns = NS_PER_S,
                               .response_p99_ns = NS_PER_S,
                               .scheduled = 100,
                               .not_paced = 10,
                               .stalls = 9,
                               .stalled_ns = 5 * NS_PER_S,
                               .window_ns = 10 * NS_PER_S,
                               .steal_pct = 50,
                               .achieved_per_s = 10,
                               .ceiling_per_s = 10,
                               .ceiling_busy_pct = 100,
                               .throttled_ns = NS_PER_S,
                               .share = {1, 1},
                               .busy_pct = 100,
                               .backlog = &b};

    verdict_judge(&v, &in);
    cr_assert_eq(v.level, VERDICT_LIMITED);
    cr_assert_eq(v.reason_count, 11);
    for (uint32_t i = 0; i < v.reason_count; i++)
        cr_assert_lt(strlen(v.reasons[i]), VERDICT_REASON_BYTES - 1, "cut off: %s", v.reasons[i]);
}

// Each agent's schedule is late, and so is the whole's: that is said once.
Test(verdict, add_agent_says_what_the_whole_shows_once)
{
    struct verdict_input in = good(true);
    struct verdict agent = {0};

    in.schedule_lag_p99_ns = 2 * NS_PER_MS;
    in.response_p99_ns = 10 * NS_PER_MS;
    in.steal_pct = 9;
    verdict_judge(&agent, &in);
    cr_assert_eq(agent.reason_count, 2);
    in.steal_pct = 0;
    verdict_judge(&v, &in);
    verdict_add_agent(&v, 1, &agent, "a:1");
    verdict_add_agent(&v, 1, &agent, "b:1");
    cr_assert_eq(v.reason_count, 3);
    cr_assert(strstr(v.reasons[0], "noticed late"));
    cr_assert_eq(strncmp(v.reasons[1], "a:1: the hypervisor", 19), 0, "%s", v.reasons[1]);
    cr_assert_eq(strncmp(v.reasons[2], "b:1: the hypervisor", 19), 0, "%s", v.reasons[2]);
}

// What only one of them shows is not lost in the whole.
Test(verdict, add_agent_keeps_what_the_whole_does_not_show)
{
    struct verdict_input in = good(true);
    struct verdict agent = {0};

    verdict_judge(&v, &in);
    in.schedule_lag_p99_ns = 2 * NS_PER_MS;
    in.response_p99_ns = 10 * NS_PER_MS;
    verdict_judge(&agent, &in);
    verdict_add_agent(&v, 0, &agent, "a:1");
    cr_assert_eq(v.level, VERDICT_LIMITED);
    cr_assert_eq(v.reason_count, 1);
    cr_assert_eq(strncmp(v.reasons[0], "a:1: the schedule", 17), 0);
}
