// The objectives of a run: how many, which one ends it, all judged.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "threshold_list.h"

static struct threshold_list list;
static struct threshold_metrics m;
static struct threshold_result results[THRESHOLD_LIST_MAX];
static struct pulse_sample from, to;
static char reason[THRESHOLD_REASON_BYTES];
static double value;

static void add(const char *text)
{
    cr_assert_eq(threshold_list_add(&list, text, reason), 0, "%s", reason);
}

Test(threshold_list, add_bound)
{
    for (unsigned i = 0; i < THRESHOLD_LIST_MAX; i++)
        add("lost:count==0");
    cr_assert_eq(threshold_list_add(&list, "lost:count==0", reason), -EINVAL);
    cr_assert(strstr(reason, "32 times"));
    cr_assert_eq(list.count, THRESHOLD_LIST_MAX);
}

Test(threshold_list, add_refused_leaves_the_list)
{
    add("lost:count==0");
    cr_assert_eq(threshold_list_add(&list, "nothing", reason), -EINVAL);
    cr_assert_eq(list.count, 1);
}

Test(threshold_list, judge_all)
{
    cr_assert(threshold_list_judge(&list, &m, results), "no objective is met");
    add("lost:count==0");
    add("duplicate:count==0");
    add("delivered:count>0");
    m.counters[THRESHOLD_delivered] = 1;
    cr_assert(threshold_list_judge(&list, &m, results));
    m.counters[THRESHOLD_duplicate] = 2;
    cr_assert_not(threshold_list_judge(&list, &m, results));
    cr_assert(results[0].ok && !results[1].ok && results[2].ok);
}

Test(threshold_list, find_missed_waits_for_the_delay)
{
    add("faults:count==0");
    add("faults:count==0,abort=2s");
    add("refused:count==0,abort");
    to.at_ns = NS_PER_S;
    cr_assert_eq(threshold_list_find_missed(&list, false, &from, &to, &value), -1);
    to.faults = 1;
    cr_assert_eq(threshold_list_find_missed(&list, false, &from, &to, &value), -1, "too early");
    to.refused = 1;
    cr_assert_eq(threshold_list_find_missed(&list, false, &from, &to, &value), 2);
    to.at_ns = 2 * NS_PER_S;
    cr_assert_eq(threshold_list_find_missed(&list, false, &from, &to, &value), 1);
    cr_assert_eq(value, 1);
}
