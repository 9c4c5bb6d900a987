// Objectives: the grammar with a sentence for each mistake, judgement on exact and coarse figures.
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "threshold.h"

static struct threshold t;
static struct threshold_metrics m;
static struct threshold_result r;
static struct pulse_sample from, to;
static struct hist h;
static char reason[THRESHOLD_REASON_BYTES];
static double value;

static void setup(void)
{
    cr_assert_eq(hist_init(&h), 0);
}

static void teardown(void)
{
    hist_free(&h);
}

TestSuite(threshold, .init = setup, .fini = teardown);

static void parse(const char *text)
{
    cr_assert_eq(threshold_parse(&t, text, reason), 0, "%s: %s", text, reason);
    cr_assert_str_eq(t.text, text);
    cr_assert_str_eq(reason, "");
}

static void refuse(const char *text, const char *says)
{
    cr_assert_eq(threshold_parse(&t, text, reason), -EINVAL, "'%s' is taken", text);
    cr_assert(strstr(reason, says), "'%s': '%s' lacks '%s'", text, reason, says);
}

Test(threshold, parse_latency)
{
    parse("response:p(99)<20ms");
    cr_assert_eq(t.metric, THRESHOLD_response);
    cr_assert_eq(t.method, THRESHOLD_PERCENTILE);
    cr_assert_eq(t.percentile, 99);
    cr_assert_eq(t.comparison, THRESHOLD_BELOW);
    cr_assert_float_eq(t.limit, 20e6, 1e-3);
    cr_assert_not(t.abort);
    cr_assert(threshold_is_latency(&t));
    parse("seal:p( 99.9 ) <= 250 us");
    cr_assert_eq(t.metric, THRESHOLD_seal);
    cr_assert_eq(t.percentile, 99.9);
    cr_assert_eq(t.comparison, THRESHOLD_AT_MOST);
    cr_assert_float_eq(t.limit, 250e3, 1e-3);
    parse("handshake:med>1.5s");
    cr_assert_eq(t.percentile, 50);
    cr_assert_eq(t.comparison, THRESHOLD_ABOVE);
    cr_assert_float_eq(t.limit, 1.5e9, 1e-3);
}

Test(threshold, parse_unit_is_milliseconds)
{
    parse("response:avg<200");
    cr_assert_eq(t.method, THRESHOLD_AVG);
    cr_assert_float_eq(t.limit, 200e6, 1e-3);
}

Test(threshold, parse_every_method_and_comparison)
{
    static const char *const methods[] = {"avg", "min", "max", "med", "p(95)"};
    static const struct {
        const char *text;
        enum threshold_comparison comparison;
    } comparisons[] = {{"<", THRESHOLD_BELOW},     {"<=", THRESHOLD_AT_MOST},
                       {">", THRESHOLD_ABOVE},     {">=", THRESHOLD_AT_LEAST},
                       {"==", THRESHOLD_EQUAL},    {"===", THRESHOLD_EQUAL},
                       {"!=", THRESHOLD_NOT_EQUAL}};
    char text[64];

    for (unsigned i = 0; i < COUNT_OF(methods); i++) {
        for (unsigned j = 0; j < COUNT_OF(comparisons); j++) {
            snprintf(text, sizeof text, "response:%s%s7ms", methods[i], comparisons[j].text);
            parse(text);
            cr_assert_eq(t.comparison, comparisons[j].comparison);
            cr_assert_float_eq(t.limit, 7e6, 1e-3);
        }
    }
}

Test(threshold, parse_counters_and_gauges)
{
    parse("lost:count==0");
    cr_assert_eq(t.metric, THRESHOLD_lost);
    cr_assert_str_eq(threshold_unit(&t), "");
    parse("delivery_lost:count==0");
    cr_assert_eq(t.metric, THRESHOLD_lost);
    parse("delivered:rate>=1000");
    cr_assert_eq(t.method, THRESHOLD_RATE);
    cr_assert_eq(t.limit, 1000);
    cr_assert_str_eq(threshold_unit(&t), "per_s");
    parse("server_cpu_ns_per_msg:value<9000.5");
    cr_assert_eq(t.metric, THRESHOLD_server_cpu_ns_per_msg);
    cr_assert_str_eq(threshold_metric_name(t.metric), "server_cpu_ns_per_msg");
}

Test(threshold, parse_abort)
{
    parse("response:p(99)<20ms,abort");
    cr_assert(t.abort);
    cr_assert_eq(t.abort_delay_ns, 0);
    parse("response:p(99)<20ms, abort=5s");
    cr_assert_eq(t.abort_delay_ns, 5 * NS_PER_S);
    parse("faults:count==0,abort=250ms");
    cr_assert_eq(t.abort_delay_ns, 250 * NS_PER_MS);
    parse("rate:value>10,abort=2m");
    cr_assert_eq(t.abort_delay_ns, 120 * NS_PER_S);
    parse("refused:count<5,abort=3");
    cr_assert_eq(t.abort_delay_ns, 3 * NS_PER_S);
}

Test(threshold, parse_mistakes)
{
    char longest[THRESHOLD_TEXT_BYTES + 1];

    memset(longest, 'x', THRESHOLD_TEXT_BYTES);
    longest[THRESHOLD_TEXT_BYTES] = '\0';
    refuse(longest, "127 characters");
    refuse("", "lacks its metric");
    refuse("p(99)<20", "lacks its metric");
    refuse("latency:p(99)<20", "no metric 'latency'");
    refuse(":p(99)<20", "no metric ''");
    refuse("response:", "avg, min");
    refuse("response:p99<20", "avg, min");
    refuse("response:mean<20", "avg, min");
    refuse("response:p(100.1)<20", "0 to 100");
    refuse("response:p()<20", "0 to 100");
    refuse("response:p(-1)<20", "0 to 100");
    refuse("response:p(99<20", ") is missing");
    refuse("response:count>20", "a latency has");
    refuse("delivered:p(99)<20", "count and rate");
    refuse("lost:rate<1", "count alone");
    refuse("rate:count<1", "value alone");
    refuse("response:avg", "comparison is missing");
    refuse("response:avg=20", "comparison is missing");
    refuse("response:avg<", "number is missing");
    refuse("response:avg<-1", "number is missing");
    refuse("response:avg<1e3", "too much");
    refuse("response:avg<inf", "number is missing");
    refuse("response:avg<0x10", "too much");
    refuse("response:avg<20min", "units are");
    refuse("response:avg<2m", "units are");
    refuse("lost:count==0ms", "no unit");
    refuse("response:avg<20 && p(99)<30", "two thresholds");
    refuse("response:avg<20,", "comes abort");
    refuse("response:avg<20,stop", "comes abort");
    refuse("response:avg<20,abort=", "delay");
    refuse("response:avg<20,abort=5h", "delay");
    refuse("response:avg<20,abort=5000000", "delay");
    refuse("response:avg<20,abort,abort", "delay");
    refuse("lost:count==0,abort", "only after the run");
    refuse("seal:avg<1,abort", "only after the run");
}

static void judge(const char *text, bool ok, const char *says)
{
    parse(text);
    threshold_judge(&t, &m, &r);
    cr_assert_eq(r.ok, ok, "%s: %s", text, r.reason);
    cr_assert(strstr(r.reason, says), "%s: '%s' lacks '%s'", text, r.reason, says);
    cr_assert_eq(r.ok, r.reason[0] == '\0', "a reason for what failed, none for the rest");
}

Test(threshold, judge_latency)
{
    for (unsigned i = 1; i <= 1000; i++)
        hist_record(&h, i * NS_PER_MS);
    m.latencies[THRESHOLD_response] = &h;
    judge("response:p(99)<=991ms", true, "");
    cr_assert(r.is_known);
    cr_assert_float_eq(r.value, 990e6, 1e6);
    judge("response:p(99)<990ms", false, "response is 990");
    cr_assert(r.is_known);
    cr_assert_float_eq(threshold_in_unit(&t, r.value), 990e3, 1e3);
    judge("response:avg<=500.5ms", true, "");
    judge("response:min>=1", true, "");
    judge("response:min>1", false, "response is 1 ms");
    judge("response:max<=1s", true, "");
    judge("response:p(100)<=1s", true, "");
    judge("response:max<1s", false, "1000 ms");
    judge("response:med<502", true, "");
    judge("response:p(0)<2ms", true, "");
    judge("response:max==1000", true, "");
    judge("response:max!=1000", false, "");
}

Test(threshold, judge_too_few_samples_fail)
{
    for (unsigned i = 0; i < 999; i++)
        hist_record(&h, NS_PER_MS);
    m.latencies[THRESHOLD_response] = &h;
    judge("response:p(99)<1s", false, "999 samples");
    cr_assert_not(r.is_known);
    hist_record(&h, NS_PER_MS);
    judge("response:p(99)<1s", true, "");
    judge("response:p(99.9)<1s", false, "too few for p(99.9)");
    judge("response:avg<1s", true, "");
}

Test(threshold, judge_no_sample_fails)
{
    m.latencies[THRESHOLD_open] = &h;
    judge("open:max<1s", false, "open has no sample");
    judge("seal:avg>0", false, "seal has no sample");
}

Test(threshold, judge_counters)
{
    m.counters[THRESHOLD_delivered] = 5000;
    m.counters[THRESHOLD_lost] = 1;
    judge("delivered:count>=5000", true, "");
    judge("delivered:rate>1", false, "nothing was measured");
    cr_assert_not(r.is_known);
    m.window_ns = 2 * NS_PER_S;
    judge("delivered:rate>=2500", true, "");
    judge("delivered:rate>2500", false, "2500 a second");
    judge("lost:count==0", false, "lost is 1");
    judge("faults:count==0", true, "");
}

Test(threshold, judge_gauges)
{
    m.gauges[THRESHOLD_server_cpu_ns_per_msg] = NAN;
    m.gauges[THRESHOLD_rate] = 100;
    m.gauges[THRESHOLD_steal_pct] = NAN;
    judge("server_cpu_ns_per_msg:value<1", false, "--server-pid");
    cr_assert_not(r.is_known);
    judge("steal_pct:value<1", false, "was not measured");
    judge("rate:value>99.5", true, "");
    judge("rate:value<50", false, "rate is 100");
}

static void add_coarse(uint64_t latency_ns, uint64_t count)
{
    to.buckets[pulse_bucket(latency_ns)] += count;
    to.delivered += count;
}

static bool missed(const char *text)
{
    parse(text);
    return threshold_is_missed(&t, false, &from, &to, &value);
}

Test(threshold, is_missed_only_when_the_whole_bucket_is)
{
    uint32_t bucket = pulse_bucket(20 * NS_PER_MS);
    double low_ms = (double)pulse_bucket_low(bucket) / 1e6;
    double high_ms = (double)pulse_bucket_high(bucket) / 1e6;
    char text[64];

    add_coarse(20 * NS_PER_MS, 1000);
    cr_assert(low_ms < 20 && high_ms > 20);
    cr_assert_not(missed("response:p(99)<20ms,abort"), "20 ms may be 19.9");
    snprintf(text, sizeof text, "response:p(99)<%.4fms,abort", low_ms - 0.001);
    cr_assert(missed(text));
    cr_assert_float_eq(value, low_ms * 1e6, 1);
    snprintf(text, sizeof text, "response:p(99)>%.4fms,abort", high_ms - 0.001);
    cr_assert_not(missed(text));
    snprintf(text, sizeof text, "response:p(99)>%.4fms,abort", high_ms + 0.001);
    cr_assert(missed(text));
    cr_assert_not(missed("response:p(99)==20ms,abort"));
    cr_assert(missed("response:p(99)==30ms,abort"));
    cr_assert(missed("response:avg<18ms,abort"));
    cr_assert_not(missed("response:avg<20ms,abort"));
}

Test(threshold, is_missed_needs_samples)
{
    cr_assert_not(missed("response:p(50)<1us,abort"));
    add_coarse(NS_PER_S, 19);
    cr_assert_not(missed("response:p(50)<1ms,abort"), "nine beyond");
    add_coarse(NS_PER_S, 1);
    cr_assert(missed("response:p(50)<1ms,abort"));
    cr_assert_not(missed("response:p(99)<1ms,abort"));
}

Test(threshold, is_missed_counts_from_the_first_sample)
{
    from.buckets[pulse_bucket(NS_PER_S)] = 1000;
    to.buckets[pulse_bucket(NS_PER_S)] = 1000;
    add_coarse(NS_PER_MS, 1000);
    cr_assert_not(missed("response:p(99)<2ms,abort"));
    cr_assert_not(missed("response:max<2ms,abort"));
}

Test(threshold, is_missed_extremes)
{
    add_coarse(5 * NS_PER_MS, 1);
    cr_assert(missed("response:max<4ms,abort"));
    cr_assert_not(missed("response:max>6ms,abort"), "a greater one may come");
    cr_assert(missed("response:min>6ms,abort"));
    cr_assert_not(missed("response:min<4ms,abort"), "a smaller one may come");
}

Test(threshold, is_missed_counters)
{
    from.at_ns = 0;
    to.at_ns = 2 * NS_PER_S;
    add_coarse(NS_PER_MS, 100);
    cr_assert(missed("rate:value>50,abort"));
    cr_assert_not(missed("rate:value>=50,abort"));
    cr_assert(missed("delivered:rate>=51,abort"));
    cr_assert_not(missed("delivered:count>1000,abort"), "it may still come to that");
    cr_assert(missed("delivered:count<100,abort"));
    cr_assert_not(missed("faults:count==0,abort"));
    to.faults = 3;
    cr_assert(missed("faults:count==0,abort"));
    cr_assert_eq(value, 3);
    cr_assert_not(missed("faults:count==4,abort"));
    cr_assert_not(missed("refused:count<1,abort"));
    to.refused = 1;
    cr_assert(missed("refused:count<1,abort"));
    to.handshakes = 7;
    cr_assert(missed("handshakes:count<=6,abort"));
}

Test(threshold, is_missed_handshakes)
{
    to.at_ns = NS_PER_S;
    to.handshakes = 100;
    add_coarse(NS_PER_S, 100);
    parse("handshake:med<1ms,abort");
    cr_assert_not(threshold_is_missed(&t, false, &from, &to, &value));
    cr_assert(threshold_is_missed(&t, true, &from, &to, &value));
    parse("response:med<1ms,abort");
    cr_assert_not(threshold_is_missed(&t, true, &from, &to, &value));
    parse("rate:value>100,abort");
    cr_assert(threshold_is_missed(&t, true, &from, &to, &value));
}
