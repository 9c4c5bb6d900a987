// The search against servers that are formulas: where it ends, and what it says when it cannot.
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "search.h"

#define OBJECTIVE_S 0.020

static struct search s;
static struct search_answer a;
static uint64_t seed;

struct server {
    double capacity_per_s; // M/M/1: the 99th percentile at rate r is ln(100) / (capacity − r)
    double limit_per_s;    // above, the generator cannot; 0: never
    double noise;          // of the percentile, up to this share more or less
    double hiccups;        // share of trials that miss whatever the rate
};

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / (double)(1ull << 53);
}

static struct search_outcome serve(const struct server *server, double rate)
{
    bool is_limited = server->limit_per_s > 0 && rate > server->limit_per_s;
    double p99_s = rate < server->capacity_per_s ? log(100) / (server->capacity_per_s - rate) : 1e9;

    // Beyond its limit the generator is late, and the response with it.
    p99_s *= 1 + server->noise * (2 * uniform() - 1);
    return (struct search_outcome){
        .offered_per_s = rate,
        .achieved_per_s = fmin(rate, server->capacity_per_s) * (1 + 0.001 * (uniform() - 0.5)),
        .is_met = p99_s < OBJECTIVE_S && uniform() >= server->hiccups && !is_limited,
        .is_limited = is_limited,
    };
}

static struct search_config config(double first)
{
    return (struct search_config){.first_per_s = first,
                                  .min_per_s = 1,
                                  .max_per_s = 1e8,
                                  .precision = 0.02,
                                  .repeats = 3,
                                  .trials_max = 60};
}

static void run(const struct server *server, struct search_config c)
{
    double rate, scale;

    search_init(&s, &c);
    while (search_next(&s, &rate, &scale)) {
        struct search_outcome o = serve(server, rate);

        cr_assert_leq(rate, c.max_per_s);
        cr_assert(scale >= 1 && scale <= SEARCH_WINDOW_GROWTH_MAX);
        search_tell(&s, &o);
    }
    cr_assert_leq(s.trial_count, c.trials_max);
    search_answer(&s, &a);
}

// The highest rate at which the formula meets the objective.
static double truth(const struct server *server)
{
    return server->capacity_per_s - log(100) / OBJECTIVE_S;
}

Test(search, next_finds_the_rate_of_a_queue)
{
    for (double capacity = 3000; capacity < 3e6; capacity *= 1.7) {
        struct server server = {.capacity_per_s = capacity};

        run(&server, config(1000));
        cr_assert_eq(a.bound, SEARCH_BY_RELAY);
        cr_assert(a.is_confirmed);
        cr_assert_leq(a.rate_per_s, truth(&server));
        cr_assert_geq(a.rate_per_s, truth(&server) * 0.98, "%.0f of %.0f", a.rate_per_s,
                      truth(&server));
        cr_assert_geq(a.failed_per_s, truth(&server));
        // One in the search and three repeats.
        cr_assert_geq(a.sample_count, 4);
        cr_assert(a.lower_per_s <= a.achieved_per_s && a.achieved_per_s <= a.upper_per_s);
        cr_assert(a.lower_per_s < a.upper_per_s);
        cr_assert_float_eq(a.achieved_per_s, a.rate_per_s, a.rate_per_s * 0.001);
    }
}

Test(search, next_first_rate_far_above)
{
    struct server server = {.capacity_per_s = 5000};

    run(&server, config(100000));
    cr_assert_eq(a.bound, SEARCH_BY_RELAY);
    cr_assert(a.rate_per_s <= truth(&server) && a.rate_per_s >= truth(&server) * 0.98);
}

Test(search, next_nothing_passes)
{
    struct server server = {.capacity_per_s = 1};

    run(&server, config(1000));
    cr_assert_eq(a.bound, SEARCH_BY_NOTHING);
    cr_assert_eq(a.rate_per_s, 0);
    cr_assert_not(a.is_confirmed);
    cr_assert_eq(s.trial_count, 2 * 10, "each rate fails twice, down to 1.95");
    cr_assert_float_eq(a.failed_per_s, 1000.0 / 512, 1e-6);
}

Test(search, next_noise)
{
    for (seed = 1; seed <= 200; seed++) {
        struct server server = {.capacity_per_s = 20000, .noise = 0.3, .hiccups = 0.02};
        uint64_t kept = seed;
        struct search_config c = config(1000);

        c.trials_max = SEARCH_TRIALS_MAX;
        run(&server, c);
        cr_assert(a.is_confirmed, "seed %lu", kept);
        cr_assert(a.rate_per_s > truth(&server) * 0.85 && a.rate_per_s < truth(&server) * 1.01,
                  "seed %lu: %.0f of %.0f", kept, a.rate_per_s, truth(&server));
        seed = kept;
    }
}

Test(search, next_generator_is_the_limit)
{
    struct server server = {.capacity_per_s = 1e6, .limit_per_s = 30000};

    run(&server, config(1000));
    cr_assert_eq(a.bound, SEARCH_BY_GENERATOR);
    cr_assert(a.is_confirmed);
    cr_assert(a.rate_per_s <= 30000 && a.rate_per_s >= 30000 * 0.9);
    cr_assert_eq(a.failed_per_s, 0, "the relay has not failed");
    for (uint32_t i = 0; i < s.trial_count; i++)
        cr_assert(s.trials[i].verdict == SEARCH_PASS || s.trials[i].verdict == SEARCH_LIMITED);
}

Test(search, next_generator_is_the_limit_at_once)
{
    struct server server = {.capacity_per_s = 1e6, .limit_per_s = 300};

    run(&server, config(1000));
    cr_assert_eq(a.bound, SEARCH_BY_GENERATOR);
    cr_assert(a.rate_per_s <= 300 && a.rate_per_s >= 300 * 0.9);
}

Test(search, next_limited_above_the_relay)
{
    // 32,000 is above both, and what it says about the relay is nothing.
    struct server server = {.capacity_per_s = 20000, .limit_per_s = 30000};

    run(&server, config(1000));
    cr_assert_eq(a.bound, SEARCH_BY_RELAY);
    cr_assert(a.rate_per_s <= truth(&server) && a.rate_per_s >= truth(&server) * 0.98);
}

Test(search, next_max_rate)
{
    struct server server = {.capacity_per_s = 1e6};
    struct search_config c = config(1000);

    c.max_per_s = 5000;
    run(&server, c);
    cr_assert_eq(a.bound, SEARCH_BY_MAX_RATE);
    cr_assert(a.is_confirmed);
    cr_assert_eq(a.rate_per_s, 5000);
    cr_assert_eq(a.failed_per_s, 0);
}

Test(search, next_trials_run_out)
{
    struct server server = {.capacity_per_s = 1e6};
    struct search_config c = config(1000);

    c.trials_max = 4;
    run(&server, c);
    cr_assert_eq(a.bound, SEARCH_BY_TRIALS);
    cr_assert_not(a.is_confirmed);
    cr_assert_eq(a.rate_per_s, 8000);
    cr_assert_eq(s.trial_count, 4);
}

Test(search, answer_before_any_trial)
{
    struct search_config c = config(1000);

    search_init(&s, &c);
    search_answer(&s, &a);
    cr_assert_eq(a.bound, SEARCH_BY_NOTHING);
    cr_assert_eq(a.rate_per_s, 0);
}

static enum search_verdict tell(struct search_outcome o, double *rate)
{
    double scale;
    enum search_verdict verdict;

    cr_assert(search_next(&s, rate, &scale));
    if (o.offered_per_s == 0)
        o.offered_per_s = *rate;
    verdict = search_tell(&s, &o);
    search_next(&s, rate, &scale);
    return verdict;
}

#define TELL(...) tell((struct search_outcome){__VA_ARGS__}, &rate)

Test(search, tell_the_three_rules)
{
    struct search_config c = config(1000);
    double rate;

    search_init(&s, &c);
    cr_assert_eq(TELL(.achieved_per_s = 1000, .is_met = true), SEARCH_PASS);
    cr_assert_eq(rate, 2000);
    cr_assert_eq(TELL(.achieved_per_s = 2000), SEARCH_MISSED_OBJECTIVE);
    cr_assert_eq(rate, 2000, "once may be the machine's");
    cr_assert_eq(TELL(.achieved_per_s = 1599, .is_met = true), SEARCH_SHORT_OF_TARGET);
    cr_assert_eq(rate, 1500);
    cr_assert_eq(TELL(.achieved_per_s = 1500, .is_met = true, .is_faulty = true), SEARCH_FAULTY);
    cr_assert_eq(TELL(.achieved_per_s = 1200, .is_met = true), SEARCH_PASS, "80 % are enough");
    cr_assert_eq(TELL(.achieved_per_s = 1, .is_limited = true), SEARCH_LIMITED);
    cr_assert_eq(TELL(.achieved_per_s = 1, .is_met = true, .is_limited = true), SEARCH_LIMITED);
    cr_assert_eq(TELL(.achieved_per_s = rate, .is_met = true, .is_limited = true), SEARCH_PASS,
                 "late, and yet in time");
}

Test(search, tell_what_was_not_sent)
{
    struct search_config c = config(1000);
    double rate;

    search_init(&s, &c);
    cr_assert_eq(TELL(.achieved_per_s = 1000, .is_met = true), SEARCH_PASS);
    // 85 % came through of a rate that was never offered: it is not the relay's answer to it.
    cr_assert_eq(TELL(.achieved_per_s = 1700, .is_met = true, .is_not_offered = true),
                 SEARCH_LIMITED);
    cr_assert_eq(rate, 2000);
    // And of one that was, with the objective met by those that were sent.
    cr_assert_eq(TELL(.achieved_per_s = 1900, .is_met = true, .is_not_taken = true),
                 SEARCH_NOT_TAKEN);
    cr_assert_eq(
        TELL(.achieved_per_s = 1900, .is_met = true, .is_not_taken = true, .is_limited = true),
        SEARCH_LIMITED);
    cr_assert_eq(TELL(.achieved_per_s = 1990, .is_met = true), SEARCH_PASS);
}

Test(search, next_generator_that_leaves_envelopes_unsent_is_at_least)
{
    struct search_config c = config(1000);
    double rate, scale;

    search_init(&s, &c);
    while (search_next(&s, &rate, &scale)) {
        bool is_too_fast = rate > 3000; // for the generator; the objective is met by what it sends
        struct search_outcome o = {.offered_per_s = rate,
                                   .achieved_per_s = is_too_fast ? 0.9 * rate : rate,
                                   .is_met = true,
                                   .is_not_offered = is_too_fast};

        search_tell(&s, &o);
    }
    search_answer(&s, &a);
    cr_assert_eq(a.bound, SEARCH_BY_GENERATOR);
    cr_assert(a.rate_per_s <= 3000 && a.rate_per_s > 2500);
}

Test(search, tell_short_of_best)
{
    struct search_config c = config(1000);
    double rate;

    search_init(&s, &c);
    TELL(.achieved_per_s = 1900, .is_met = true);
    cr_assert_eq(TELL(.achieved_per_s = 1700, .is_met = true), SEARCH_SHORT_OF_BEST);
    cr_assert_eq(TELL(.achieved_per_s = 1711, .is_met = true), SEARCH_PASS);
}

Test(search, tell_few_arrivals_are_not_a_failure)
{
    struct search_config c = config(1000);
    double rate;

    search_init(&s, &c);
    cr_assert_eq(TELL(.offered_per_s = 700, .achieved_per_s = 699, .is_met = true), SEARCH_PASS);
    cr_assert_eq(TELL(.offered_per_s = 2500, .achieved_per_s = 1999, .is_met = true),
                 SEARCH_SHORT_OF_TARGET);
    // Shares of what arrived, times the rate: 1,000 for the first trial.
    cr_assert_eq(TELL(.offered_per_s = 800, .achieved_per_s = 800, .is_met = true), SEARCH_PASS);
    cr_assert_eq(TELL(.offered_per_s = 0.1, .achieved_per_s = 0, .is_met = true),
                 SEARCH_SHORT_OF_TARGET, "nothing came through");
}

Test(search, tell_a_repeat_that_fails_steps_down)
{
    struct search_config c = config(1000);
    double rate, scale;

    c.max_per_s = 1000;
    search_init(&s, &c);
    TELL(.achieved_per_s = 1000, .is_met = true);
    cr_assert_eq(s.phase, SEARCH_REPEAT);
    TELL(.achieved_per_s = 1000, .is_met = true);
    TELL(.achieved_per_s = 1000);
    cr_assert_float_eq(rate, 980, 1e-6);
    TELL(.achieved_per_s = 980);
    cr_assert_float_eq(rate, 980 * 0.96, 1e-6, "twice as far");
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(TELL(.achieved_per_s = 940, .is_met = true), SEARCH_PASS);
    cr_assert_not(search_next(&s, &rate, &scale));
    search_answer(&s, &a);
    cr_assert_eq(a.bound, SEARCH_BY_RELAY);
    cr_assert(a.is_confirmed);
    cr_assert_float_eq(a.rate_per_s, 980 * 0.96, 1e-6);
    cr_assert_eq(a.sample_count, 3);
}

Test(search, tell_a_failure_that_was_the_machines)
{
    struct server server = {.capacity_per_s = 20000};
    struct search_config c = config(1000);
    double rate, scale;

    search_init(&s, &c);
    TELL(.achieved_per_s = 1000, .is_met = true);
    TELL(.achieved_per_s = 2000);
    TELL(.achieved_per_s = 2000);
    while (search_next(&s, &rate, &scale)) {
        struct search_outcome o = serve(&server, rate);

        search_tell(&s, &o);
    }
    search_answer(&s, &a);
    cr_assert_eq(s.verifications, 2);
    cr_assert(a.rate_per_s <= truth(&server) && a.rate_per_s >= truth(&server) * 0.98);
    cr_assert_geq(a.failed_per_s, truth(&server));
}

Test(search, next_window_grows_while_narrowing)
{
    struct server server = {.capacity_per_s = 20000};
    double last = 1;

    run(&server, config(1000));
    for (uint32_t i = 0; i < s.trial_count; i++) {
        if (s.trials[i].phase == SEARCH_GROW)
            cr_assert_eq(s.trials[i].window_scale, 1);
        cr_assert_geq(s.trials[i].window_scale, last);
        last = s.trials[i].window_scale;
    }
    cr_assert_gt(last, 2);
}

Test(search, answer_interval)
{
    struct search_config c = config(1000);
    double rate;

    c.max_per_s = 1000;
    search_init(&s, &c);
    TELL(.achieved_per_s = 990, .is_met = true);
    TELL(.achieved_per_s = 1000, .is_met = true);
    TELL(.achieved_per_s = 1010, .is_met = true);
    search_answer(&s, &a);
    cr_assert_eq(a.sample_count, 3);
    cr_assert_float_eq(a.achieved_per_s, 1000, 1e-9);
    // Student's t for two degrees of freedom, standard deviation 10, three samples.
    cr_assert_float_eq(a.upper_per_s - 1000, 4.303 * 10 / sqrt(3), 1e-6);
    cr_assert_float_eq(1000 - a.lower_per_s, 4.303 * 10 / sqrt(3), 1e-6);
}

Test(search, names)
{
    cr_assert_str_eq(search_bound_name(SEARCH_BY_GENERATOR), "generator");
    cr_assert_str_eq(search_bound_name(SEARCH_BY_NOTHING), "nothing");
    cr_assert_str_eq(search_phase_name(SEARCH_REPEAT), "repeat");
    cr_assert(strstr(search_verdict_text(SEARCH_LIMITED), "generator"));
}
