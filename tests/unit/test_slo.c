// Objectives of the capacity command: short forms, whole ones, and the samples they need.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "slo.h"

static struct threshold_list list;
static char reason[THRESHOLD_REASON_BYTES];

static void add(const char *text, const char *whole)
{
    cr_assert_eq(slo_add(&list, text, reason), 0, "%s: %s", text, reason);
    cr_assert_str_eq(list.items[list.count - 1].text, whole);
}

static void refuse(const char *text, const char *says)
{
    cr_assert_eq(slo_add(&list, text, reason), -EINVAL, "'%s' is taken", text);
    cr_assert(strstr(reason, says), "'%s': '%s' lacks '%s'", text, reason, says);
    cr_assert_eq(list.count, 0);
}

Test(slo, add_short_forms)
{
    add("p99<20ms", "response:p(99)<20ms");
    cr_assert_eq(list.items[0].percentile, 99);
    add("p99.9<=50ms", "response:p(99.9)<=50ms");
    add("p50<2", "response:p(50)<2");
    add("med<2ms", "response:med<2ms");
    add("max<1s", "response:max<1s");
    cr_assert_eq(list.count, 5);
}

Test(slo, add_whole_thresholds)
{
    add("lost:count==0", "lost:count==0");
    add("response:p(90)<10ms", "response:p(90)<10ms");
    add("p99<20 ms", "response:p(99)<20 ms");
}

Test(slo, add_mistakes)
{
    char longest[THRESHOLD_TEXT_BYTES];

    refuse("", "avg, min");
    refuse("p99", "comparison");
    refuse("p<20ms", "avg, min");
    refuse("p101<20ms", "0 to 100");
    refuse("p9.9.9<20ms", ") is missing");
    refuse("q99<20ms", "avg, min");
    refuse("p99<20ms,abort", "one objective for each");
    refuse("p99<20ms,p50<1ms", "one objective for each");
    refuse("latency:p(99)<20ms", "no metric");
    memset(longest, '9', sizeof longest);
    longest[0] = 'p';
    longest[sizeof longest - 1] = '\0';
    refuse(longest, "characters at most");
}

Test(slo, samples_needed)
{
    cr_assert_eq(slo_samples_needed(&list), 1);
    add("max<1s", "response:max<1s");
    cr_assert_eq(slo_samples_needed(&list), 1);
    add("p50<1s", "response:p(50)<1s");
    cr_assert_eq(slo_samples_needed(&list), 20);
    add("p99.9<1s", "response:p(99.9)<1s");
    cr_assert_eq(slo_samples_needed(&list), 10000);
    add("p99<1s", "response:p(99)<1s");
    cr_assert_eq(slo_samples_needed(&list), 10000, "the highest counts");
    add("p100<1s", "response:p(100)<1s");
    cr_assert_eq(slo_samples_needed(&list), 10000, "the greatest is always known");
}

Test(slo, join)
{
    char text[SLO_TEXTS_BYTES];

    slo_join(&list, text);
    cr_assert_str_eq(text, "");
    add("p99<20ms", "response:p(99)<20ms");
    add("lost:count==0", "lost:count==0");
    slo_join(&list, text);
    cr_assert_str_eq(text, "response:p(99)<20ms and lost:count==0");
    while (list.count < THRESHOLD_LIST_MAX)
        add("server_rss_bytes_per_conn:value<1000", "server_rss_bytes_per_conn:value<1000");
    slo_join(&list, text);
    cr_assert_eq(strlen(text), sizeof text - 1, "cut, not overrun");
}
