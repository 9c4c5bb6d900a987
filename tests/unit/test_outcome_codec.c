// Outcomes that travel, and their merge: a whole that is the sum of its parts.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "outcome_codec.h"
#include "outcome_merge.h"
#include "population.h"
#include "pulse_codec.h"

static const struct options options = {.threads = 4, .group_count = 1};
static const struct target target;

static void make(struct outcome *out)
{
    cr_assert_eq(run_init_outcome(out, &options, &target), 0);
}

static void add_second(struct outcome *out, uint64_t at_s, uint64_t delivered, uint64_t latency_ns)
{
    static struct series_mark from, to;

    from.pulse.at_ns = (1000 + at_s) * NS_PER_S;
    to = from;
    to.pulse.at_ns += NS_PER_S;
    to.pulse.delivered = delivered;
    to.pulse.buckets[pulse_bucket(latency_ns)] = delivered;
    to.busy_ns = 5;
    series_add(&out->series, 1000 * NS_PER_S, &from, &to);
}

static void fill(struct outcome *out, uint64_t latency_ns)
{
    make(out);
    out->has_begun = true;
    out->setup_ns = 77;
    out->steal_pct = 1.25;
    out->throttled_ns = 9;
    out->busy_pct[0] = 12.5;
    out->busy_pct[1] = 99.0 / 7;
    out->backlog = (struct backlog){.count = 3, .waiting = {1, 2, 3}};
    strcpy(out->tls_group, "X25519");
    verdict_add(&out->verdict, VERDICT_SUSPECT, VERDICT_STEAL, "one thing");
    verdict_add(&out->verdict, VERDICT_OK, VERDICT_SHARED, "caf\xe9 and more");
    hist_record_many(&out->tally.response, latency_ns, 100);
    out->tally.delivered = 100;
    out->tally.window_ns = 2 * NS_PER_S;
    add_second(out, 0, 40, latency_ns);
    add_second(out, 1, 60, latency_ns);
}

static int travel(struct outcome *to, const struct outcome *from, const char *without)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *value = outcome_codec_encode(d, from, 2);
    yyjson_doc *read;
    size_t len;
    char *text;
    int err;

    cr_assert_not_null(value);
    if (without)
        cr_assert_not_null(yyjson_mut_obj_remove_key(value, without));
    yyjson_mut_doc_set_root(d, value);
    text = yyjson_mut_write(d, 0, &len);
    read = yyjson_read(text, len, 0);
    err = outcome_codec_decode(to, yyjson_doc_get_root(read), 2);
    yyjson_doc_free(read);
    free(text);
    yyjson_mut_doc_free(d);
    return err;
}

Test(outcome_codec, round_trip)
{
    static struct outcome from, to;

    fill(&from, 5000);
    make(&to);
    cr_assert_eq(travel(&to, &from, NULL), 0);
    cr_assert(to.has_begun && !to.interrupted && to.setup_ns == 77 && to.throttled_ns == 9);
    cr_assert(to.steal_pct == 1.25 && to.busy_pct[0] == 12.5 && to.busy_pct[1] == 99.0 / 7);
    cr_assert_str_eq(to.tls_group, "X25519");
    cr_assert_eq(to.verdict.level, VERDICT_SUSPECT);
    cr_assert_eq(to.verdict.reason_count, 2);
    cr_assert_str_eq(to.verdict.reasons[0], "one thing");
    cr_assert_eq(to.verdict.causes[0], VERDICT_STEAL);
    cr_assert_eq(to.verdict.causes[1], VERDICT_SHARED);
    cr_assert_str_eq(to.verdict.reasons[1], "caf? and more");
    cr_assert(to.backlog.count == 3 && to.backlog.waiting[2] == 3);
    cr_assert_eq(to.series.count, 2);
    cr_assert_eq(memcmp(to.series.points, from.series.points, 2 * sizeof *to.series.points), 0);
    cr_assert_eq(to.tally.response.total, 100);
    run_free(&from);
    run_free(&to);
}

Test(outcome_codec, a_missing_member_is_refused)
{
    static const char *const members[] = {"failure",   "has_begun", "interrupted", "failure_text",
                                          "tls_group", "setup_ns",  "steal_pct",   "tally",
                                          "busy_pct",  "series",    "backlog",     "verdict"};

    for (unsigned i = 0; i < sizeof members / sizeof *members; i++) {
        static struct outcome from, to;

        fill(&from, 5000);
        make(&to);
        cr_assert_eq(travel(&to, &from, members[i]), -EBADMSG, "%s", members[i]);
        run_free(&from);
        run_free(&to);
    }
}

Test(outcome_codec, another_number_of_threads_is_refused)
{
    static struct outcome from, to;
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);

    fill(&from, 5000);
    make(&to);
    yyjson_mut_doc_set_root(d, outcome_codec_encode(d, &from, 3));
    yyjson_doc *read = yyjson_mut_doc_imut_copy(d, NULL);
    cr_assert_eq(outcome_codec_decode(&to, yyjson_doc_get_root(read), 2), -EBADMSG);
    yyjson_doc_free(read);
    yyjson_mut_doc_free(d);
}

Test(outcome_merge, percentiles_are_of_all_samples)
{
    static struct outcome fast, slow, whole;

    fill(&fast, 1000);
    fill(&slow, 9000000);
    make(&whole);
    outcome_merge(&whole, &fast, "a", 0, 2);
    outcome_merge(&whole, &slow, "b", 2, 2);
    cr_assert_eq(whole.tally.response.total, 200);
    cr_assert_eq(hist_percentile(&whole.tally.response, 50), 1000);
    cr_assert_geq(hist_percentile(&whole.tally.response, 99), 9000000);
    cr_assert_eq(whole.tally.window_ns, 2 * NS_PER_S);
    cr_assert(whole.busy_pct[0] == 12.5 && whole.busy_pct[2] == 12.5);
    cr_assert_eq(whole.throttled_ns, 9, "one quota stopped both");
    cr_assert_eq(whole.backlog.waiting[2], 6);
    cr_assert_eq(whole.series.count, 2);
    cr_assert_eq(whole.series.points[1].delivered, 120);
    cr_assert_eq(whole.series.points[1].busy_ns, 10);
    cr_assert_lt(whole.series.points[1].p50_ns, 2000);
    cr_assert_geq(whole.series.points[1].p99_ns, 9000000);
    run_free(&fast);
    run_free(&slow);
    run_free(&whole);
}

Test(outcome_merge, first_failure_is_told_with_its_name)
{
    static struct outcome a, b, whole;

    make(&a);
    make(&b);
    make(&whole);
    b.failure = SHARD_FAILURE_UNREACHABLE;
    strcpy(b.failure_text, "nobody there");
    outcome_merge(&whole, &a, "first", 0, 2);
    outcome_merge(&whole, &b, "second", 2, 2);
    cr_assert_eq(whole.failure, SHARD_FAILURE_UNREACHABLE);
    cr_assert_str_eq(whole.failure_text, "second: nobody there");
}

Test(outcome_merge, a_backlog_point_must_be_known_of_all)
{
    static struct outcome a, b, whole;

    make(&a);
    make(&b);
    make(&whole);
    a.backlog = (struct backlog){.count = 4, .waiting = {1, 2, 3, 4}};
    b.backlog = (struct backlog){.count = 2, .waiting = {10, 20}};
    outcome_merge(&whole, &a, "a", 0, 2);
    outcome_merge(&whole, &b, "b", 2, 2);
    cr_assert_eq(whole.backlog.count, 2);
    cr_assert_eq(whole.backlog.waiting[1], 22);
}

// One that ended before its window began has no points, wherever it stands among the others.
Test(outcome_merge, an_agent_without_points_is_not_the_first)
{
    for (unsigned without = 0; without < 3; without++) {
        static struct outcome parts[3], whole;

        make(&whole);
        for (unsigned i = 0; i < 3; i++) {
            make(&parts[i]);
            if (i != without)
                parts[i].backlog = (struct backlog){.count = 3, .waiting = {10, 20, 30}};
            outcome_merge(&whole, &parts[i], "a", i, 1);
            run_free(&parts[i]);
        }
        cr_assert_eq(whole.backlog.count, 0, "without %u", without);
        run_free(&whole);
    }
}

Test(pulse_codec, round_trip)
{
    static struct live from, to;
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);

    from.phase = SHARD_MEASURE;
    from.setup_ns = 1;
    from.elapsed_ns = 2;
    from.busy_pct[1] = 3.5;
    from.pulse = (struct pulse_sample){.sent = 1,
                                       .delivered = 2,
                                       .refused = 3,
                                       .faults = 4,
                                       .handshakes = 5,
                                       .waiting = 6,
                                       .connected = 7,
                                       .settled = 8,
                                       .alive = 9,
                                       .buckets = {[3] = 10, [1000] = 11}};
    from.window = from.pulse;
    from.window.sent = 12;
    yyjson_mut_doc_set_root(d, pulse_codec_encode(d, &from, 2));
    yyjson_doc *read = yyjson_mut_doc_imut_copy(d, NULL);
    cr_assert_eq(pulse_codec_decode(&to, yyjson_doc_get_root(read), 2), 0);
    cr_assert_eq(memcmp(&from, &to, sizeof from), 0);
    cr_assert_eq(pulse_codec_decode(&to, yyjson_doc_get_root(read), 3), -EBADMSG);
    yyjson_doc_free(read);
    yyjson_mut_doc_free(d);
}

// Agents are runs of threads: whatever their number, users and senders add up to the whole's.
Test(population, parts_add_up_exactly)
{
    struct options o = {.threads = 12, .group_count = 2};
    char reason[GROUP_REASON_BYTES];
    uint32_t users = 0, senders = 0, total = 0;

    cr_assert_eq(group_parse(&o.groups[0], "chat,share=3", reason), 0);
    cr_assert_eq(group_parse(&o.groups[1], "fan-out,recipients=4", reason), 0);
    cr_assert_eq(group_split(o.groups, 2, 1000, reason), 0);
    for (uint32_t i = 0; i < o.threads; i++) {
        uint32_t each[GROUPS_MAX];
        struct plan_slots slots = population_slots(&o, i);

        users += group_deal(o.groups, 2, i, o.threads, each);
        senders += slots.senders;
        total = slots.total;
    }
    cr_assert_eq(users, 1000);
    cr_assert_eq(senders, total);
}
