// The timer wheel against the plain rule: a timer fires at the first advance to or past its
// deadline rounded up to a tick, in order of ticks.
#include <criterion/criterion.h>

#include "timer.h"

#define TIMER_COUNT 2000u
#define LONGEST_NS (TIMER_TICK_NS << 24) // what the four levels span

struct record {
    struct timer *fired[TIMER_COUNT];
    uint32_t count;
};

static void on_fire(struct timer *t, void *ctx)
{
    struct record *r = ctx;

    cr_assert_not(timer_is_armed(t));
    cr_assert_lt(r->count, TIMER_COUNT);
    r->fired[r->count++] = t;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Arm one timer, and let the wheel's own wait lead the time to it.
static void check_one(uint64_t start_ns, uint64_t deadline_ns)
{
    struct timer_wheel w;
    struct timer t;
    struct record r = {.count = 0};
    uint64_t now_ns = start_ns;
    // One for each level, and two for each time a later deadline is re-armed.
    uint64_t steps = TIMER_LEVELS + 2 * ((deadline_ns - start_ns) / LONGEST_NS);

    timer_wheel_init(&w, start_ns);
    timer_init(&t);
    timer_arm(&w, &t, deadline_ns);
    cr_assert(timer_is_armed(&t));
    while (r.count == 0) {
        uint64_t wait_ns = timer_wheel_wait_ns(&w, now_ns);
        cr_assert_neq(wait_ns, UINT64_MAX);
        now_ns += wait_ns;
        // A lower bound: never past the tick that ends behind the deadline.
        cr_assert_lt(now_ns, deadline_ns + TIMER_TICK_NS);
        timer_wheel_advance(&w, now_ns, on_fire, &r);
        cr_assert_gt(steps--, 0, "too many wake-ups");
    }
    cr_assert_eq(r.fired[0], &t);
    cr_assert_geq(now_ns, deadline_ns);
    cr_assert_eq(w.armed, 0);
    cr_assert_eq(timer_wheel_wait_ns(&w, now_ns), UINT64_MAX);
}

Test(timer_arm, over_all_levels)
{
    static const uint64_t starts_ns[] = {0, 1, 8 * NS_PER_MS - 1, 123456789012345ull};

    for (size_t i = 0; i < COUNT_OF(starts_ns); i++) {
        for (uint32_t bit = 0; bit < 52; bit++) {
            check_one(starts_ns[i], starts_ns[i] + (1ull << bit));
            check_one(starts_ns[i], starts_ns[i] + (1ull << bit) - 1 + TIMER_TICK_NS);
        }
        for (uint32_t level = 1; level <= TIMER_LEVELS; level++) {
            uint64_t edge_ns = TIMER_TICK_NS << 6 * level;
            check_one(starts_ns[i], starts_ns[i] + edge_ns - TIMER_TICK_NS);
            check_one(starts_ns[i], starts_ns[i] + edge_ns);
            check_one(starts_ns[i], starts_ns[i] + edge_ns + 1);
        }
    }
}

Test(timer_arm, beyond_the_longest)
{
    check_one(5000, 5000 + LONGEST_NS);
    check_one(5000, 5000 + 3 * LONGEST_NS + 12345);
}

Test(timer_arm, in_the_past_fires_at_the_next_advance)
{
    struct timer_wheel w;
    struct timer t;
    struct record r = {.count = 0};

    timer_wheel_init(&w, NS_PER_S);
    timer_init(&t);
    timer_arm(&w, &t, NS_PER_MS);
    cr_assert_eq(timer_wheel_wait_ns(&w, NS_PER_S), 0);
    timer_wheel_advance(&w, NS_PER_S, on_fire, &r); // time has not moved
    cr_assert_eq(r.count, 1);
}

Test(timer_arm, never_overflows)
{
    struct timer_wheel w;
    struct timer t;
    struct record r = {.count = 0};

    timer_wheel_init(&w, 0);
    timer_init(&t);
    timer_arm(&w, &t, UINT64_MAX);
    timer_wheel_advance(&w, UINT64_MAX - 2 * TIMER_TICK_NS, on_fire, &r);
    cr_assert_eq(r.count, 0);
    cr_assert_leq(timer_wheel_wait_ns(&w, UINT64_MAX - 2 * TIMER_TICK_NS), 2 * TIMER_TICK_NS);
    timer_cancel(&w, &t);
    cr_assert_eq(w.armed, 0);
}

Test(timer_arm, again_moves_it)
{
    struct timer_wheel w;
    struct timer t;
    struct record r = {.count = 0};

    timer_wheel_init(&w, 0);
    timer_init(&t);
    for (uint64_t i = 1; i <= 100; i++)
        timer_arm(&w, &t, i * NS_PER_S);
    cr_assert_eq(w.armed, 1);
    timer_wheel_advance(&w, 100 * NS_PER_S - 1, on_fire, &r);
    cr_assert_eq(r.count, 0);
    timer_arm(&w, &t, 101 * NS_PER_S);
    timer_wheel_advance(&w, 101 * NS_PER_S, on_fire, &r);
    cr_assert_eq(r.count, 1);
}

Test(timer_cancel, on_every_level)
{
    struct timer_wheel w;
    struct timer timers[6];
    struct record r = {.count = 0};

    timer_wheel_init(&w, 0);
    for (uint32_t i = 0; i < COUNT_OF(timers); i++) {
        timer_init(&timers[i]);
        timer_cancel(&w, &timers[i]); // harmless
        timer_arm(&w, &timers[i], i == 0 ? 0 : TIMER_TICK_NS << 6 * (i - 1));
    }
    cr_assert_eq(w.armed, COUNT_OF(timers));
    for (uint32_t i = 0; i < COUNT_OF(timers); i++) {
        timer_cancel(&w, &timers[i]);
        cr_assert_not(timer_is_armed(&timers[i]));
    }
    timer_cancel(&w, &timers[0]);
    cr_assert_eq(w.armed, 0);
    cr_assert_eq(timer_wheel_wait_ns(&w, 0), UINT64_MAX);
    timer_wheel_advance(&w, 2 * LONGEST_NS, on_fire, &r);
    cr_assert_eq(r.count, 0);
}

// Many timers, random cancels and random steps of time, against each timer's own deadline.
static void check_many(uint64_t seed, uint64_t span_ns, uint64_t step_ns)
{
    static struct timer timers[TIMER_COUNT];
    static uint64_t deadlines_ns[TIMER_COUNT];
    struct record r = {.count = 0};
    struct timer_wheel w;
    uint64_t state = seed, now_ns = next_random(&state) >> 10, last_tick = 0;
    uint32_t cancelled = 0;

    timer_wheel_init(&w, now_ns);
    for (uint32_t i = 0; i < TIMER_COUNT; i++) {
        timer_init(&timers[i]);
        deadlines_ns[i] = now_ns + 1 + next_random(&state) % span_ns;
        timer_arm(&w, &timers[i], deadlines_ns[i]);
    }
    for (uint32_t i = 0; i < TIMER_COUNT; i += 7) {
        timer_cancel(&w, &timers[i]);
        cancelled++;
    }
    while (w.armed > 0) {
        uint32_t before = r.count;
        now_ns += next_random(&state) % step_ns;
        timer_wheel_advance(&w, now_ns, on_fire, &r);
        for (uint32_t i = before; i < r.count; i++) {
            uint64_t deadline_ns = deadlines_ns[r.fired[i] - timers];
            cr_assert_leq(deadline_ns, now_ns, "fired early");
            cr_assert_geq(r.fired[i]->deadline_tick, last_tick, "fired out of order");
            last_tick = r.fired[i]->deadline_tick;
        }
        for (uint32_t i = 0; i < TIMER_COUNT; i++) {
            if (timer_is_armed(&timers[i])) // not late: its tick has not been reached
                cr_assert_gt(timers[i].deadline_tick, now_ns / TIMER_TICK_NS);
        }
    }
    cr_assert_eq(r.count, TIMER_COUNT - cancelled);
}

Test(timer_wheel_advance, many_near)
{
    check_many(11, NS_PER_S, 20 * NS_PER_MS);
}

Test(timer_wheel_advance, many_over_minutes)
{
    check_many(12, 600 * NS_PER_S, 3 * NS_PER_S);
}

Test(timer_wheel_advance, many_over_days_in_big_jumps)
{
    check_many(13, 3 * LONGEST_NS, LONGEST_NS / 50);
}

Test(timer_wheel_advance, one_jump_over_everything)
{
    check_many(14, 2 * LONGEST_NS, 8 * LONGEST_NS);
}

Test(timer_wheel_advance, time_does_not_go_back)
{
    struct timer_wheel w;
    struct timer t;
    struct record r = {.count = 0};

    timer_wheel_init(&w, 10 * NS_PER_S);
    timer_init(&t);
    timer_arm(&w, &t, 11 * NS_PER_S);
    timer_wheel_advance(&w, NS_PER_S, on_fire, &r);
    cr_assert_eq(r.count, 0);
    timer_wheel_advance(&w, 11 * NS_PER_S, on_fire, &r);
    cr_assert_eq(r.count, 1);
}

// What a callback below does to the wheel.
struct meddler {
    struct timer_wheel *w;
    struct timer *other;
    uint64_t again_ns; // re-arm the fired timer for this, if not 0
    uint32_t count;
};

static void meddle(struct timer *t, void *ctx)
{
    struct meddler *m = ctx;

    m->count++;
    if (m->other != NULL)
        timer_cancel(m->w, m->other);
    if (m->again_ns != 0)
        timer_arm(m->w, t, m->again_ns);
}

Test(timer_wheel_advance, fire_cancels_another_of_the_same_tick)
{
    struct timer_wheel w;
    struct timer a, b;

    timer_wheel_init(&w, 0);
    timer_init(&a);
    timer_init(&b);
    timer_arm(&w, &a, NS_PER_S);
    timer_arm(&w, &b, NS_PER_S);
    struct meddler m = {.w = &w, .other = &b};
    timer_wheel_advance(&w, NS_PER_S, meddle, &m);
    cr_assert_eq(m.count, 1);
    cr_assert_not(timer_is_armed(&b));
    cr_assert_eq(w.armed, 0);
}

Test(timer_wheel_advance, fire_arms_itself_again)
{
    struct timer_wheel w;
    struct timer t;

    timer_wheel_init(&w, 0);
    timer_init(&t);
    timer_arm(&w, &t, NS_PER_S);
    struct meddler m = {.w = &w, .again_ns = 2 * NS_PER_S};
    timer_wheel_advance(&w, NS_PER_S, meddle, &m);
    cr_assert_eq(m.count, 1);
    cr_assert(timer_is_armed(&t));
    cr_assert_eq(w.armed, 1);
    timer_wheel_advance(&w, 2 * NS_PER_S - 1, meddle, &m);
    cr_assert_eq(m.count, 1);
    m.again_ns = 0;
    timer_wheel_advance(&w, 2 * NS_PER_S, meddle, &m);
    cr_assert_eq(m.count, 2);
    cr_assert_eq(w.armed, 0);
}

Test(timer_wheel_advance, fire_arms_itself_for_the_past)
{
    struct timer_wheel w;
    struct timer t;

    timer_wheel_init(&w, 0);
    timer_init(&t);
    timer_arm(&w, &t, NS_PER_S);
    struct meddler m = {.w = &w, .again_ns = 1};
    timer_wheel_advance(&w, 5 * NS_PER_S, meddle, &m); // must end
    cr_assert_eq(m.count, 1);
    cr_assert_eq(timer_wheel_wait_ns(&w, 5 * NS_PER_S), 0);
    timer_wheel_advance(&w, 5 * NS_PER_S, meddle, &m);
    cr_assert_eq(m.count, 2);
    timer_cancel(&w, &t);
}

Test(timer_wheel_advance, fire_arms_itself_within_the_jump)
{
    struct timer_wheel w;
    struct timer t;

    timer_wheel_init(&w, 0);
    timer_init(&t);
    timer_arm(&w, &t, NS_PER_S);
    struct meddler m = {.w = &w, .again_ns = 2 * NS_PER_S};
    timer_wheel_advance(&w, 3 * NS_PER_S, meddle, &m); // 1 s, then 2 s; at 2 s armed for 2 s: past
    cr_assert_eq(m.count, 2);
    cr_assert_eq(timer_wheel_wait_ns(&w, 3 * NS_PER_S), 0);
    timer_cancel(&w, &t);
}
