// Verdicts and exit codes of comparisons made by hand.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "comparison.h"
#include "measured.h"

static struct measurement_list base, new, noise;
static struct comparison c;
static struct comparison_options options;
static char reason[COMPARISON_REASON_BYTES];

// Six repeats within 2 %, and the same five apart.
static const double steady[] = {100, 101, 99, 100.5, 99.5, 100.2};

static void init(void)
{
    comparison_options_init(&options);
}

static void fini(void)
{
    measurement_list_free(&base);
    measurement_list_free(&new);
    measurement_list_free(&noise);
}

TestSuite(comparison, .init = init, .fini = fini);

static int make(void)
{
    return comparison_make(&c, &options, &base, &new, &noise, reason);
}

// Both sides of one pattern and metric: `steady`, and the same times a factor.
static void give(enum metric metric, double factor)
{
    double other[6];

    for (size_t i = 0; i < 6; i++)
        other[i] = steady[i] * factor;
    measured_add_all(&base, "p", "base.json", metric, steady, 6);
    measured_add_all(&new, "p", "new.json", metric, other, 6);
}

static enum comparison_verdict verdict(void)
{
    cr_assert(eq(int, make(), 0), "%s", reason);
    cr_assert(eq(u32, c.group_count, 1));
    cr_assert(eq(u32, c.groups[0].row_count, 1));
    return c.groups[0].rows[0].verdict;
}

Test(comparison, worse_is_by_direction)
{
    give(METRIC_server_cpu, 1.10);
    cr_expect(verdict() == COMPARISON_WORSE);
    cr_expect(fabs(c.groups[0].rows[0].change - 0.10) < 1e-9);
    cr_expect(c.groups[0].rows[0].p < 0.01);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 3));
    fini();
    give(METRIC_throughput, 1.10);
    cr_expect(verdict() == COMPARISON_BETTER);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 0));
    fini();
    give(METRIC_throughput, 0.90);
    cr_expect(verdict() == COMPARISON_WORSE);
}

Test(comparison, every_metric_has_its_direction)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        bool rate = i == METRIC_throughput || i == METRIC_handshakes || i == METRIC_ratio_to_raw;

        give((enum metric)i, 1.2);
        cr_expect(verdict() == (rate ? COMPARISON_BETTER : COMPARISON_WORSE), "%s",
                  metric_kinds[i].name);
        fini();
    }
}

Test(comparison, same_below_the_effect)
{
    // All six are higher, so the ranks differ for certain: by too little to count.
    give(METRIC_server_cpu, 1.03);
    cr_expect(verdict() == COMPARISON_SAME);
    cr_expect(c.groups[0].rows[0].p < 0.01);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 0));
    options.effect[METRIC_server_cpu] = 0.02;
    cr_expect(verdict() == COMPARISON_WORSE);
}

// What the machine does to pair i.
static double machine(int i)
{
    return 100 * (1 + i * 5 % 12 / 24.0);
}

// Twelve pairs: the second of each takes `factor` times as much. On the new side they may stand in
// another order.
static void give_pairs(double factor, bool in_order)
{
    for (int at = 0; at < 12; at++) {
        int i = in_order ? at : 11 - at;
        struct measurement *m = measured_add(&base, "p", "base.json");

        m->values[METRIC_server_cpu] = machine(at);
        snprintf(m->pair, sizeof m->pair, "run#%d", at);
        m = measured_add(&new, "p", "new.json");
        m->values[METRIC_server_cpu] = machine(i) * factor * (1 + (i % 3 - 1) * 0.004);
        snprintf(m->pair, sizeof m->pair, "run#%d", i);
    }
}

Test(comparison, pairs_tell_what_the_machine_hides)
{
    options.effect[METRIC_server_cpu] = 0.03;
    give_pairs(1.05, true);
    cr_expect(verdict() == COMPARISON_WORSE);
    cr_expect(c.groups[0].rows[0].is_paired);
    cr_expect(fabs(c.groups[0].rows[0].change - 0.05) < 0.005);
    fini();
    give_pairs(1.05, false);
    cr_expect(verdict() == COMPARISON_WORSE, "pairs are found by name, not by place");
    fini();
    give_pairs(1.0, true);
    cr_expect(verdict() == COMPARISON_SAME);
    // The same values without their pairs are lost in what the machine does.
    fini();
    give_pairs(1.05, true);
    for (size_t i = 0; i < base.count; i++)
        base.items[i].pair[0] = '\0';
    cr_expect(verdict() == COMPARISON_UNCLEAR);
    cr_expect(c.groups[0].rows[0].is_paired == false);
}

Test(comparison, pairs_that_are_not_whole_or_few)
{
    give_pairs(1.2, true);
    new.count--;
    cr_assert(eq(int, make(), 0));
    cr_expect(c.groups[0].rows[0].is_paired == false,
              "one has no partner: none is compared in pairs");
    base.count = new.count = 7;
    cr_expect(verdict() == COMPARISON_UNCLEAR && c.groups[0].rows[0].is_paired);
    cr_expect(eq(str, c.groups[0].rows[0].why, "8 repeats are needed on each side"));
}

Test(comparison, noise_floor_hides_what_one_build_differs_by)
{
    const double first[] = {100, 101, 99}, second[] = {112, 113, 111}, third[] = {105, 106, 104};

    give(METRIC_server_cpu, 1.10);
    measured_add_all(&noise, "p", "1.json", METRIC_server_cpu, first, 3);
    measured_add_all(&noise, "p", "2.json", METRIC_server_cpu, second, 3);
    measured_add_all(&noise, "p", "3.json", METRIC_server_cpu, third, 3);
    cr_expect(verdict() == COMPARISON_SAME);
    // Medians 100, 112, 105.
    cr_expect(fabs(c.groups[0].rows[0].noise - 0.12) < 1e-9);
    fini();
    // The same change over a quieter machine counts.
    give(METRIC_server_cpu, 1.10);
    measured_add_all(&noise, "p", "1.json", METRIC_server_cpu, first, 3);
    cr_expect(verdict() == COMPARISON_WORSE);
    cr_expect(fabs(c.groups[0].rows[0].noise - (101.0 / 99 - 1)) < 1e-9, "one file: each result");
}

Test(comparison, noise_from_too_few_runs)
{
    give(METRIC_server_cpu, 1.10);
    measured_add_all(&noise, "p", "1.json", METRIC_server_cpu, steady, 2);
    cr_expect(eq(int, make(), -EINVAL));
    cr_expect(eq(str, reason, "the noise floor needs at least 3 runs of one build, there are 2"));
}

Test(comparison, unclear_with_few_repeats)
{
    const double four[] = {200, 201, 202, 203};

    measured_add_all(&base, "p", "b", METRIC_server_cpu, steady, 6);
    measured_add_all(&new, "p", "n", METRIC_server_cpu, four, 4);
    cr_expect(verdict() == COMPARISON_UNCLEAR);
    cr_expect(eq(str, c.groups[0].rows[0].why, "5 repeats are needed on each side"));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 4));
}

Test(comparison, unclear_when_the_interval_is_wide)
{
    const double wild[] = {70, 100, 130, 85, 115, 101};

    measured_add_all(&base, "p", "b", METRIC_server_cpu, steady, 6);
    measured_add_all(&new, "p", "n", METRIC_server_cpu, wild, 6);
    cr_expect(verdict() == COMPARISON_UNCLEAR);
    cr_expect(c.groups[0].rows[0].may_be_worse);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 4));
}

// An improvement that is not certain is no reason to fail: it is no regression either way.
Test(comparison, unclear_but_not_worse)
{
    const double lower[] = {70, 99, 80, 85, 101, 100}, wide[] = {100, 101, 99, 100, 101, 102};

    measured_add_all(&base, "p", "b", METRIC_server_cpu, wide, 6);
    measured_add_all(&new, "p", "n", METRIC_server_cpu, lower, 6);
    cr_expect(verdict() == COMPARISON_UNCLEAR);
    cr_expect(c.groups[0].rows[0].may_be_worse == false);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 0));
}

Test(comparison, gate_decides)
{
    give(METRIC_server_cpu, 1.5);
    options.is_gate[METRIC_server_cpu] = false;
    cr_expect(verdict() == COMPARISON_WORSE);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 0));
    options.is_shown[METRIC_server_cpu] = false;
    cr_assert(eq(int, make(), -EINVAL), "nothing is left to judge");
}

Test(comparison, limited_is_left_out_and_named)
{
    give(METRIC_server_cpu, 1);
    for (size_t i = 0; i < 2; i++) {
        new.items[i].trust = MEASUREMENT_LIMITED;
        strcpy(new.items[i].reason, "no more ports");
        new.items[i].values[METRIC_server_cpu] = 1e6;
    }
    cr_expect(verdict() == COMPARISON_UNCLEAR);
    cr_expect(eq(sz, c.groups[0].rows[0].new_count, 4));
    cr_assert(eq(u32, c.note_count, 1));
    cr_expect(eq(str, c.notes[0], "new: new.json, p: limited, left out: no more ports"));
}

Test(comparison, suspect_is_used_with_a_warning)
{
    give(METRIC_server_cpu, 1);
    new.items[3].trust = MEASUREMENT_SUSPECT;
    strcpy(new.items[3].reason, "busy");
    cr_expect(verdict() == COMPARISON_SAME);
    cr_expect(eq(str, c.notes[0], "new: new.json, p: suspect: busy"));
}

Test(comparison, faults_fail)
{
    give(METRIC_server_cpu, 1);
    new.items[0].trust = MEASUREMENT_FAULTY;
    strcpy(new.items[0].reason, "3 lost");
    cr_assert(eq(int, make(), 0));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 3));
    cr_expect(eq(str, c.notes[0], "new: new.json, p: faulty, left out: 3 lost"));
    base.items[0].trust = MEASUREMENT_FAULTY;
    strcpy(base.items[0].reason, "1 duplicate");
    cr_expect(eq(int, make(), -EINVAL));
    cr_expect(
        eq(str, reason, "the base is no measure: base.json had delivery faults (1 duplicate)"));
}

Test(comparison, other_tests_are_refused_by_field)
{
    give(METRIC_server_cpu, 1);
    measured_set(&base, SETTING_payload_bytes, "256");
    measured_set(&new, SETTING_payload_bytes, "1024");
    strcpy(new.items[0].name, "q");
    for (size_t i = 1; i < 6; i++)
        strcpy(new.items[i].name, "q");
    cr_expect(eq(int, make(), -EINVAL));
    cr_expect(eq(str, reason,
                 "these results are of different tests: payload_bytes is 256 in the base and 1024 "
                 "in the new results"));
}

Test(comparison, mixed_sides_are_refused)
{
    give(METRIC_server_cpu, 1);
    measured_set(&base, SETTING_auth, "ed25519");
    strcpy(base.items[4].settings[SETTING_auth], "hybrid");
    cr_expect(eq(int, make(), -EINVAL));
    cr_expect(eq(str, reason,
                 "the base mixes different tests: auth is ed25519 in base.json and hybrid in "
                 "base.json"));
}

Test(comparison, another_machine_leaves_the_ratios)
{
    give(METRIC_server_cpu, 2);
    give(METRIC_cpu_ratio_to_raw, 1);
    measured_set(&base, SETTING_cpu_id, "AuthenticAMD 25/17");
    measured_set(&new, SETTING_cpu_id, "AuthenticAMD 26/2");
    cr_assert(eq(int, make(), 0));
    cr_expect(c.groups[0].rows[0].verdict == COMPARISON_NOT_JUDGED);
    cr_expect(eq(str, c.groups[0].rows[0].why, "another machine"));
    cr_expect(c.groups[0].rows[1].verdict == COMPARISON_SAME);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 0));
    cr_expect(eq(str, c.notes[0],
                 "p: another machine (cpu_id: AuthenticAMD 25/17, then AuthenticAMD 26/2): only "
                 "ratios to raw are judged"));
    fini();
    give(METRIC_server_cpu, 2);
    measured_set(&base, SETTING_cpu, "A");
    measured_set(&new, SETTING_cpu, "B");
    cr_expect(eq(int, make(), -EINVAL));
    cr_expect(eq(str, reason,
                 "the results are of different machines (A; B) and have no ratios to the raw "
                 "forwarder: measure both on one machine"));
}

Test(comparison, yardstick_is_not_judged)
{
    give(METRIC_server_cpu, 2);
    give(METRIC_cpu_ratio_to_raw, 1);
    measured_add_all(&base, "q", "b", METRIC_server_cpu, steady, 6);
    measured_add_all(&new, "q", "n", METRIC_server_cpu, steady, 6);
    for (size_t i = 0; i < 12; i++)
        base.items[i].is_yardstick = new.items[i].is_yardstick = true;
    cr_assert(eq(int, make(), 0));
    cr_assert(eq(u32, c.groups[0].row_count, 1), "its ratio to itself is not shown");
    cr_expect(c.groups[0].rows[0].verdict == COMPARISON_NOT_JUDGED);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 0));
    cr_expect(eq(str, c.notes[0],
                 "p itself changed by +100.0 %: so did the machine; trust the ratios to raw"));
}

Test(comparison, missing_patterns_and_metrics)
{
    give(METRIC_server_cpu, 1);
    measured_add_all(&base, "gone", "b", METRIC_server_cpu, steady, 6);
    measured_add_all(&new, "added", "n", METRIC_server_cpu, steady, 6);
    cr_assert(eq(int, make(), 0));
    cr_assert(eq(u32, c.note_count, 2));
    cr_expect(eq(str, c.notes[0], "gone is missing from the new results"));
    cr_expect(eq(str, c.notes[1], "added has no base"));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 4), "what was not measured is not passed");
    fini();
    give(METRIC_server_cpu, 1);
    measured_add_all(&base, "p", "b", METRIC_throughput, steady, 6);
    cr_assert(eq(int, make(), 0));
    cr_expect(eq(str, c.notes[0], "p: only the base's results have throughput"));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 4));
}

Test(comparison, no_baseline)
{
    measured_add_all(&new, "p", "n", METRIC_server_cpu, steady, 6);
    cr_assert(eq(int, make(), 0));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 2));
    measured_add_all(&base, "q", "b", METRIC_server_cpu, steady, 6);
    measured_add_all(&base, "r", "b", METRIC_server_cpu, steady, 6);
    cr_assert(eq(int, make(), 0));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 2), "not of the same patterns");
    measurement_list_free(&new);
    cr_assert(eq(int, make(), 0));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 4), "nothing new is not a pass");
}

Test(comparison, confirm)
{
    static struct comparison again;

    give(METRIC_server_cpu, 1.2);
    cr_assert(verdict() == COMPARISON_WORSE);
    again = c;
    comparison_confirm(&c, &again);
    cr_expect(c.groups[0].rows[0].verdict == COMPARISON_WORSE);
    cr_expect(eq(str, c.groups[0].rows[0].why, "confirmed by a second measurement"));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 3));
    again.groups[0].rows[0].verdict = COMPARISON_SAME;
    comparison_confirm(&c, &again);
    cr_expect(c.groups[0].rows[0].verdict == COMPARISON_UNCLEAR);
    cr_expect(eq(str, c.groups[0].rows[0].why, "worse, but same when measured again"));
    cr_expect(eq(int, (int)comparison_exit_code(&c), 4));
}

Test(comparison, confirm_of_what_was_not_measured_again)
{
    static struct comparison nothing;

    give(METRIC_server_cpu, 1.2);
    cr_assert(verdict() == COMPARISON_WORSE);
    comparison_confirm(&c, &nothing);
    cr_expect(c.groups[0].rows[0].verdict == COMPARISON_UNCLEAR);
    cr_expect(eq(str, c.groups[0].rows[0].why, "worse, but nothing when measured again"));
    nothing.has_faults = true;
    comparison_confirm(&c, &nothing);
    cr_expect(eq(int, (int)comparison_exit_code(&c), 3), "faults of the repetition are faults");
}

Test(comparison, is_the_same_every_time)
{
    static struct comparison first;

    give(METRIC_server_cpu, 1.04);
    cr_assert(eq(int, make(), 0));
    first = c;
    cr_assert(eq(int, make(), 0));
    cr_expect(memcmp(&first, &c, sizeof c) == 0);
}

Test(comparison, bounds)
{
    give(METRIC_server_cpu, 1);
    for (unsigned i = 0; i < COMPARISON_GROUPS_MAX; i++) {
        char name[16];

        snprintf(name, sizeof name, "n%u", i);
        measured_add(&base, name, "b")->values[METRIC_server_cpu] = 1;
        measured_add(&new, name, "n")->values[METRIC_server_cpu] = 1;
    }
    cr_expect(eq(int, make(), -EINVAL));
    cr_expect(eq(str, reason, "more than 64 patterns"));
    fini();
    for (unsigned i = 0; i <= 1024; i++)
        measured_add_all(&base, "p", "b", METRIC_server_cpu, steady, 1);
    measured_add_all(&new, "p", "n", METRIC_server_cpu, steady, 6);
    cr_expect(eq(int, make(), -EINVAL));
    cr_expect(eq(str, reason, "more than 1024 repeats of p"));
}

Test(comparison, notes_are_counted_when_full)
{
    memset(&c, 0, sizeof c);
    for (unsigned i = 0; i < COMPARISON_NOTES_MAX + 3; i++)
        comparison_add_note(&c, "%u", i);
    cr_expect(eq(u32, c.note_count, COMPARISON_NOTES_MAX));
    cr_expect(eq(u32, c.notes_dropped, 3));
}
