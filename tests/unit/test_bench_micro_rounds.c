// The measuring of the micro-benchmarks: turns, rounds, statistics, with implementations that take
// a known time.
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <math.h>

#include "bench_micro_rounds.h"
#include "clock.h"

#define SEATS 5u
#define FAST_NS 2000u
#define SLOW_NS 10000u

// An implementation that only waits, and writes down when it did.
struct fake_cell {
    struct bench_micro_cell cell;
    unsigned name;
    uint64_t call_ns;
    unsigned calls_left; // before it fails
};

static unsigned seen[4096], seen_count;
static unsigned turns_left; // before it is stopped

static bool run_fake(struct bench_micro_cell *cell, unsigned calls)
{
    struct fake_cell *f = CONTAINER_OF(cell, struct fake_cell, cell);
    bool good = f->calls_left >= calls;

    cr_assert(seen_count < COUNT_OF(seen));
    seen[seen_count++] = f->name;
    f->calls_left -= good ? calls : 0;
    for (; calls > 0; calls--)
        for (uint64_t end_ns = clock_now_ns() + f->call_ns; clock_now_ns() < end_ns;)
            ;
    return good;
}

static const struct bench_micro_impl fake = {.name = "fake", .run = {run_fake}};

static bool never(void)
{
    return false;
}

static bool when_over(void)
{
    return turns_left-- == 0;
}

static void sit(struct bench_micro_seat *seats, struct fake_cell *cells, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cells[i] = (struct fake_cell){.name = i, .call_ns = FAST_NS, .calls_left = UINT32_MAX};
        seats[i] = (struct bench_micro_seat){
            .impl = &fake,
            .cell = &cells[i].cell,
            .row = {.op = "wait", .impl = "fake", .point = {.batch = 1, .slots = 4}},
        };
    }
}

Test(bench_micro_rounds, turn_is_a_permutation)
{
    for (unsigned count = 1; count <= 17; count++)
        for (unsigned round = 0; round < 40; round++) {
            uint32_t taken = 0;

            for (unsigned position = 0; position < count; position++) {
                unsigned seat = bench_micro_turn(round, position, count);

                cr_assert(lt(u32, seat, count));
                taken |= 1u << seat;
            }
            cr_assert(eq(u32, taken, (uint32_t)((1ull << count) - 1)));
        }
}

// Nobody always follows the same neighbour, and everybody begins a round at some time.
Test(bench_micro_rounds, turn_changes_first_and_neighbours)
{
    uint32_t first = 0, before_zero = 0;

    for (unsigned round = 0; round < 15; round++) {
        first |= 1u << bench_micro_turn(round, 0, SEATS);
        for (unsigned position = 1; position < SEATS; position++)
            if (bench_micro_turn(round, position, SEATS) == 0)
                before_zero |= 1u << bench_micro_turn(round, position - 1, SEATS);
    }
    cr_assert(eq(u32, first, (1u << SEATS) - 1));
    cr_assert(eq(int, __builtin_popcount(before_zero), 2));
}

Test(bench_micro_rounds, measure_every_seat_in_every_round)
{
    struct bench_micro_seat seats[SEATS];
    struct fake_cell cells[SEATS];
    const struct bench_micro_seat *failed;
    double round_ns;
    unsigned measured;

    sit(seats, cells, SEATS);
    cells[1].call_ns = SLOW_NS;
    seats[2].row.point.batch = 4;
    cr_assert(eq(int, bench_micro_measure(seats, SEATS, 6, NS_PER_MS / 2, never, &failed), 0));
    measured = seen_count - 6 * SEATS;
    for (unsigned turn = 0; turn < 6 * SEATS; turn++)
        cr_assert(
            eq(u32, seen[measured + turn], bench_micro_turn(turn / SEATS, turn % SEATS, SEATS)));
    for (unsigned i = 0; i < SEATS; i++) {
        double floor_ns = (double)cells[i].call_ns / seats[i].row.point.batch;

        cr_assert(eq(u32, seats[i].row.rounds, 6));
        for (unsigned round = 0; round < 6; round++)
            cr_assert(ge(dbl, seats[i].row.ns[round], floor_ns));
        // The time the round was given, once the machine was not taken away in one of them.
        round_ns = seats[i].calls * (double)cells[i].call_ns;
        cr_assert(le(dbl, round_ns, (double)(NS_PER_MS / 2 + SLOW_NS)));
        cr_assert(ge(dbl, round_ns, 0.1 * NS_PER_MS));
    }
}

Test(bench_micro_rounds, measure_cold_visits_each_session_once)
{
    struct bench_micro_seat seats[3];
    struct fake_cell cells[3];
    const struct bench_micro_seat *failed;

    sit(seats, cells, 3);
    for (unsigned i = 0; i < 3; i++) {
        seats[i].row.point.cold = true;
        seats[i].row.point.sessions = 24;
    }
    seats[1].row.point.batch = 8;
    seats[2].row.point.batch = 32; // more than there are: at least one call
    cr_assert(eq(int, bench_micro_measure(seats, 3, 5, NS_PER_MS, never, &failed), 0));
    cr_assert(eq(u32, seats[0].calls, 24));
    cr_assert(eq(u32, seats[1].calls, 3));
    cr_assert(eq(u32, seats[2].calls, 1));
}

Test(bench_micro_rounds, measure_names_the_seat_that_failed)
{
    struct bench_micro_seat seats[3];
    struct fake_cell cells[3];
    const struct bench_micro_seat *failed;

    sit(seats, cells, 3);
    cells[1].calls_left = 0; // while it warms up
    cr_assert(eq(int, bench_micro_measure(seats, 3, 2, NS_PER_MS, never, &failed), -EBADMSG));
    cr_assert(eq(ptr, (void *)failed, &seats[1]));

    sit(seats, cells, 3);
    cells[2].call_ns = NS_PER_MS; // one call warms it up, and one is a round
    cells[2].calls_left = 2;
    cr_assert(eq(int, bench_micro_measure(seats, 3, 5, NS_PER_MS / 10, never, &failed), -EBADMSG));
    cr_assert(eq(ptr, (void *)failed, &seats[2]));
    cr_assert(eq(u32, seats[2].row.rounds, 2));
}

Test(bench_micro_rounds, measure_stops)
{
    struct bench_micro_seat seats[3];
    struct fake_cell cells[3];
    const struct bench_micro_seat *failed;

    sit(seats, cells, 3);
    turns_left = 1; // while they warm up
    cr_assert(eq(int, bench_micro_measure(seats, 3, 2, NS_PER_MS, when_over, &failed), -EINTR));
    sit(seats, cells, 3);
    turns_left = 5; // in the first round
    cr_assert(eq(int, bench_micro_measure(seats, 3, 2, NS_PER_MS, when_over, &failed), -EINTR));
    cr_assert(eq(u32, seats[0].row.rounds + seats[1].row.rounds + seats[2].row.rounds, 2));
}

Test(bench_micro_rounds, ns_of_odd_and_even)
{
    struct bench_micro_row row = {.rounds = 3, .ns = {30, 10, 20, 40}};
    struct bench_stat odd = bench_micro_ns(&row), even;

    row.rounds = 4;
    even = bench_micro_ns(&row);
    cr_assert(odd.median == 20 && odd.min == 10 && odd.max == 30);
    cr_assert(even.median == 25 && even.min == 10 && even.max == 40);
}

// The median of the rounds' ratios, which is not the ratio of the medians.
Test(bench_micro_rounds, ratio_within_a_round)
{
    const struct bench_micro_row ours = {.rounds = 3, .ns = {10, 20, 40}};
    const struct bench_micro_row theirs = {.rounds = 3, .ns = {30, 40, 40}};

    cr_assert(bench_micro_ratio(&ours, &theirs) == 2);
    cr_assert(bench_micro_ratio(&theirs, &ours) == 0.5);
}

Test(bench_micro_rounds, peer_row_of_the_same_work)
{
    const struct bench_micro_row rows[] = {
        {.op = "a", .impl = "us", .point = {.bytes = 64, .batch = 1}},
        {.op = "a", .impl = "us", .point = {.bytes = 64, .batch = 8}},
        {.op = "a", .impl = "single", .point = {.bytes = 64, .batch = 1}},
        {.op = "a", .impl = "array", .point = {.bytes = 64, .batch = 1}},
        {.op = "a", .impl = "array", .point = {.bytes = 64, .batch = 8}},
        {.op = "a", .impl = "single", .point = {.bytes = 64, .batch = 1, .cold = true}},
        {.op = "a", .impl = "single", .point = {.bytes = 64, .batch = 1, .fresh = true}},
        {.op = "b", .impl = "single", .point = {.bytes = 64, .batch = 1}},
        {.op = "a", .impl = "single", .point = {.bytes = 256, .batch = 1}},
    };
    const size_t count = COUNT_OF(rows);

    cr_assert(bench_micro_peer_row(rows, count, &rows[0], "single") == &rows[2]);
    cr_assert(bench_micro_peer_row(rows, count, &rows[1], "single") == &rows[2]);
    cr_assert(bench_micro_peer_row(rows, count, &rows[0], "array") == &rows[3]);
    cr_assert(bench_micro_peer_row(rows, count, &rows[1], "array") == &rows[4]);
    cr_assert(bench_micro_peer_row(rows, count, &rows[5], "array") == NULL);
    cr_assert(bench_micro_peer_row(rows, count, &rows[8], "single") == &rows[8]);
    cr_assert(bench_micro_peer_row(rows, count, &rows[1], "nobody") == NULL);
}
