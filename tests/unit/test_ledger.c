// The ledger: exact counts for every fault, one by one and in random mixtures against a model that
// remembers everything.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "ledger.h"

#define RUN 0x1122334455667788ull
#define ALICE 10u
#define BOB 11u

static struct ledger_flow flow;
static struct ledger_counts counts;

static void reset(void)
{
    memset(&flow, 0, sizeof flow);
    memset(&counts, 0, sizeof counts);
}

static struct ledger_record from_alice(uint64_t sequence)
{
    return (struct ledger_record){.run_id = RUN,
                                  .sender = ALICE,
                                  .receiver = BOB,
                                  .sequence = sequence,
                                  .flags = LEDGER_FLAG_MEASURED};
}

static enum ledger_result check(struct ledger_record r, bool late)
{
    return ledger_check(&flow, &counts, &r, RUN, ALICE, BOB, late);
}

static enum ledger_result see(uint64_t sequence)
{
    return check(from_alice(sequence), false);
}

TestSuite(ledger, .init = reset);

Test(ledger, encode_record_round_trip)
{
    struct ledger_record in = {RUN, 1, 2, 3, 4, 5, 6, 7, 8}, out;
    uint8_t bytes[LEDGER_RECORD_BYTES];

    ledger_encode_record(bytes, &in);
    ledger_decode_record(&out, bytes);
    cr_assert_eq(memcmp(&in, &out, sizeof in), 0);
}

Test(ledger, check_in_order)
{
    for (uint64_t n = 0; n < 5000; n++)
        cr_assert_eq(see(n), LEDGER_IN_ORDER);
    counts.expected = 5000;
    ledger_settle(&counts);
    cr_assert_eq(counts.received, 5000);
    cr_assert_eq(counts.gaps, 0);
    cr_assert_not(ledger_has_faults(&counts));
}

Test(ledger, check_loss)
{
    for (uint64_t n = 0; n < 100; n++) {
        if (n != 30 && n != 31 && n != 99)
            see(n);
    }
    counts.expected = 100;
    ledger_settle(&counts);
    cr_assert_eq(counts.lost, 3);
    cr_assert_eq(counts.gaps, 1);
    cr_assert(ledger_has_faults(&counts));
}

static bool refuse(uint64_t sequence)
{
    return ledger_refuse(&flow, &counts, sequence);
}

static void expect_lost(uint64_t expected, uint64_t lost)
{
    counts.expected = expected;
    ledger_settle(&counts);
    cr_assert_eq(counts.lost, lost);
}

Test(ledger, refuse_is_not_lost)
{
    see(0);
    cr_assert(refuse(1));
    cr_assert(refuse(2));
    expect_lost(3, 0);
    cr_assert_eq(counts.refused, 2);
    cr_assert_not(ledger_has_faults(&counts));
}

Test(ledger, refuse_does_not_move_the_order)
{
    see(0);
    refuse(5);
    cr_assert_eq(see(1), LEDGER_IN_ORDER);
    cr_assert_eq(see(4), LEDGER_IN_ORDER);
    cr_assert_eq(see(6), LEDGER_IN_ORDER);
    cr_assert_eq(counts.reordered, 0);
}

Test(ledger, refuse_twice_hides_no_loss)
{
    see(0);
    cr_assert(refuse(2));
    cr_assert_not(refuse(2));
    cr_assert_not(refuse(2));
    expect_lost(3, 1); // number 1
    cr_assert_eq(counts.refused, 1);
    cr_assert_eq(counts.duplicate, 2);
}

Test(ledger, refuse_of_what_came_hides_no_loss)
{
    see(0);
    see(2);
    cr_assert_not(refuse(0));
    cr_assert_not(refuse(2));
    expect_lost(3, 1);
    cr_assert_eq(counts.refused, 0);
    cr_assert_eq(counts.duplicate, 2);
}

Test(ledger, check_of_what_was_refused_hides_no_loss)
{
    refuse(0);
    refuse(3);
    cr_assert_eq(see(0), LEDGER_DUPLICATE);
    cr_assert_eq(see(3), LEDGER_DUPLICATE);
    cr_assert_eq(see(3), LEDGER_DUPLICATE);
    cr_assert_eq(see(2), LEDGER_REORDERED);
    expect_lost(4, 1);
    cr_assert_eq(counts.received, 1);
    cr_assert_eq(counts.duplicate, 3);
}

Test(ledger, refuse_out_of_order)
{
    cr_assert(refuse(9));
    cr_assert(refuse(3));
    cr_assert(refuse(4));
    cr_assert_not(refuse(3));
    cr_assert_eq(counts.refused, 3);
}

Test(ledger, refuse_window_edge)
{
    cr_assert(refuse(0));
    cr_assert(refuse(LEDGER_WINDOW_BITS + 1));
    // The oldest that can still be told, and the first that cannot.
    cr_assert(refuse(2));
    cr_assert_not(refuse(1));
}

// What waits at a slow recipient comes long after later ones were refused.
Test(ledger, check_far_behind_the_refusals)
{
    for (uint64_t n = 5; n < 5 * LEDGER_WINDOW_BITS; n++)
        cr_assert(refuse(n));
    for (uint64_t n = 0; n < 5; n++)
        cr_assert_eq(see(n), LEDGER_IN_ORDER);
    expect_lost(5 * LEDGER_WINDOW_BITS, 0);
    cr_assert_not(ledger_has_faults(&counts));
}

Test(ledger, check_duplicate)
{
    see(0);
    see(1);
    cr_assert_eq(see(1), LEDGER_DUPLICATE);
    cr_assert_eq(see(0), LEDGER_DUPLICATE);
    cr_assert_eq(counts.received, 2);
    cr_assert_eq(counts.duplicate, 2);
}

Test(ledger, check_reordered)
{
    see(0);
    see(3);
    cr_assert_eq(see(1), LEDGER_REORDERED);
    cr_assert_eq(see(2), LEDGER_REORDERED);
    cr_assert_eq(see(2), LEDGER_DUPLICATE);
    cr_assert_eq(see(4), LEDGER_IN_ORDER);
    cr_assert_eq(counts.received, 5);
    cr_assert_eq(counts.reordered, 2);
    cr_assert_eq(counts.duplicate, 1);
}

Test(ledger, check_window_edge)
{
    see(0);
    see(LEDGER_WINDOW_BITS + 1);
    // The oldest that can still be told, and the first that cannot.
    cr_assert_eq(see(2), LEDGER_REORDERED);
    cr_assert_eq(see(1), LEDGER_DUPLICATE);
}

Test(ledger, check_jump_over_whole_window)
{
    for (uint64_t n = 0; n < 2000; n++)
        see(n);
    cr_assert_eq(see(2000 + 5 * LEDGER_WINDOW_BITS), LEDGER_IN_ORDER);
    cr_assert_eq(see(1999 + 5 * LEDGER_WINDOW_BITS), LEDGER_REORDERED);
    cr_assert_eq(counts.gaps, 1);
}

Test(ledger, check_foreign)
{
    struct ledger_record r = from_alice(0);

    r.run_id++;
    cr_assert_eq(check(r, false), LEDGER_FOREIGN);
    cr_assert_eq(counts.foreign, 1);
    cr_assert_eq(counts.received, 0);
    cr_assert(ledger_has_faults(&counts));
}

Test(ledger, check_misrouted)
{
    struct ledger_record r = from_alice(0);

    r.receiver = BOB + 2;
    cr_assert_eq(check(r, false), LEDGER_MISROUTED);
    r = from_alice(0);
    r.sender = BOB;
    cr_assert_eq(check(r, false), LEDGER_MISROUTED);
    cr_assert_eq(counts.misrouted, 2);
    cr_assert_eq(flow.next, 0, "a misrouted record does not move the flow");
}

Test(ledger, check_late)
{
    struct ledger_record r = from_alice(1);

    see(0);
    check(r, true);
    check(r, true); // a duplicate is not late as well
    r = from_alice(2);
    r.flags = 0;
    check(r, true); // not measured: warm-up
    cr_assert_eq(counts.late, 1);
    cr_assert_eq(counts.duplicate, 1);
    cr_assert_eq(counts.received, 3);
}

Test(ledger, check_handshake_is_outside_the_sequence)
{
    struct ledger_record r = from_alice(77);

    r.flags = LEDGER_FLAG_HANDSHAKE;
    cr_assert_eq(check(r, false), LEDGER_IN_ORDER);
    cr_assert_eq(flow.next, 0);
    cr_assert_eq(counts.received, 0);
}

Test(ledger, add_sums_every_field)
{
    struct ledger_counts a, sum = {0};
    uint64_t *fields = (uint64_t *)&a, *sums = (uint64_t *)&sum;
    size_t n = sizeof a / sizeof *fields;

    for (size_t i = 0; i < n; i++)
        fields[i] = i + 1;
    ledger_add(&sum, &a);
    ledger_add(&sum, &a);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(sums[i], 2 * (i + 1), "field %zu", i);
}

// ---- random mixtures ----------------------------------------------------------------------------

#define MODEL_MAX 20000u

struct model {
    bool seen[MODEL_MAX], refused[MODEL_MAX];
    uint64_t next, refused_next;
    struct ledger_counts counts;
};

static bool model_has_come(const struct model *m, uint64_t sequence)
{
    return sequence < m->next && (m->seen[sequence] || m->next - sequence > LEDGER_WINDOW_BITS);
}

static void model_refuse(struct model *m, uint64_t sequence)
{
    if (model_has_come(m, sequence) || m->refused[sequence] ||
        (sequence < m->refused_next && m->refused_next - sequence > LEDGER_WINDOW_BITS)) {
        m->counts.duplicate++;
        return;
    }
    m->counts.refused++;
    m->refused[sequence] = true;
    if (sequence >= m->refused_next)
        m->refused_next = sequence + 1;
}

static void model_see(struct model *m, const struct ledger_record *r, bool late)
{
    struct ledger_counts *c = &m->counts;

    if (r->run_id != RUN) {
        c->foreign++;
        return;
    }
    if (r->sender != ALICE || r->receiver != BOB) {
        c->misrouted++;
        return;
    }
    if (model_has_come(m, r->sequence)) {
        c->duplicate++;
        return;
    }
    c->gaps += r->sequence > m->next;
    if (m->refused[r->sequence] && m->refused_next - r->sequence <= LEDGER_WINDOW_BITS) {
        c->duplicate++;
        m->seen[r->sequence] = true;
        m->next = r->sequence >= m->next ? r->sequence + 1 : m->next;
        return;
    }
    c->received++;
    c->reordered += r->sequence < m->next;
    c->late += late && (r->flags & LEDGER_FLAG_MEASURED);
    m->seen[r->sequence] = true;
    if (r->sequence >= m->next)
        m->next = r->sequence + 1;
}

static void mix(unsigned seed)
{
    static struct model m;
    static uint64_t line[2 * MODEL_MAX];
    size_t count = 0;
    unsigned reach = seed % 2 ? 20 : 3000; // within the window, and beyond it

    reset();
    memset(&m, 0, sizeof m);
    srandom(seed);
    for (uint64_t n = 0; n < MODEL_MAX / 2; n++) {
        if (random() % 10 == 0)
            continue; // lost
        line[count++] = n;
        if (random() % 10 == 0)
            line[count++] = n; // twice
    }
    for (size_t i = 0; i < count; i++) {
        size_t other = i + (size_t)random() % reach;

        if (random() % 8 == 0 && other < count) {
            uint64_t swap = line[i];
            line[i] = line[other];
            line[other] = swap;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct ledger_record r = from_alice(line[i]);
        bool late = i > count - 100;

        if (random() % 50 == 0)
            r.run_id = 1;
        else if (random() % 50 == 0)
            r.receiver = 99;
        else if (random() % 50 == 0)
            r.flags = 0;
        if (random() % 20 == 0) {
            refuse(line[i]); // instead of it, or as well
            model_refuse(&m, line[i]);
            if (random() % 4 != 0)
                continue;
        }
        check(r, late);
        model_see(&m, &r, late);
    }
    counts.expected = m.counts.expected = MODEL_MAX / 2;
    ledger_settle(&counts);
    m.counts.lost = m.counts.expected - m.counts.received - m.counts.refused;
    cr_assert_eq(memcmp(&counts, &m.counts, sizeof counts), 0, "seed %u", seed);
    cr_assert_gt(counts.lost, 0);
    cr_assert_gt(counts.duplicate, 0);
    cr_assert_gt(counts.reordered, 0);
    cr_assert_gt(counts.refused, 0);
    cr_assert_gt(counts.foreign, 0);
    cr_assert_gt(counts.misrouted, 0);
    cr_assert_gt(counts.late, 0);
}

Test(ledger, check_random_mixtures_against_model)
{
    for (unsigned seed = 1; seed <= 40; seed++)
        mix(seed);
}
