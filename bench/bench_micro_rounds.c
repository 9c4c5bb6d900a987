// Measuring cells side by side. Main thread only.
#include "bench_micro_rounds.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define WARM_NS NS_PER_MS
#define SWEEP_BYTES_DEFAULT (64u * MIB)
#define SWEEP_BYTES_MAX (512u * MIB)

unsigned bench_micro_turn(unsigned round, unsigned position, unsigned count)
{
    assert(position < count);
    return (round + (round % 2 ? count - 1 - position : position)) % count;
}

// Read as much as the last cache holds, so that keys come from memory, for everybody alike.
static void sweep(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i += CACHE_LINE_BYTES)
        __asm__ volatile("" : : "r"(((volatile uint8_t *)bytes)[i]));
}

static size_t sweep_bytes(void)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);

    if (cache <= 0)
        return SWEEP_BYTES_DEFAULT;
    return 2 * (size_t)cache < SWEEP_BYTES_MAX ? 2 * (size_t)cache : SWEEP_BYTES_MAX;
}

// Run `calls` calls, and note how fast one was at best. Returns how long they took.
static uint64_t run(struct bench_micro_seat *seat, unsigned calls, bool *good)
{
    uint64_t start_ns = clock_now_ns(), spent_ns;
    double call_ns;

    *good = seat->impl->run[seat->row.point.op](seat->cell, calls);
    spent_ns = clock_now_ns() - start_ns;
    call_ns = (double)spent_ns / calls;
    if (seat->call_ns == 0 || call_ns < seat->call_ns)
        seat->call_ns = call_ns;
    return spent_ns;
}

static bool warm_up(struct bench_micro_seat *seat)
{
    uint64_t spent_ns = 0;
    bool good = true;

    for (unsigned calls = 1; good && spent_ns < WARM_NS; calls *= 2)
        spent_ns = run(seat, calls, &good);
    return good;
}

// How many calls make a round: by the best speed so far, since one moment in which the machine did
// something else must not shorten all rounds to come.
static unsigned plan_round(const struct bench_micro_seat *seat, uint64_t round_ns)
{
    const struct bench_micro_point *p = &seat->row.point;
    unsigned calls = (unsigned)((double)round_ns / seat->call_ns) + 1;
    unsigned visits = p->sessions / p->batch > 0 ? p->sessions / p->batch : 1;

    return p->cold && calls > visits ? visits : calls;
}

static bool measure_round(struct bench_micro_seat *seat, uint64_t round_ns)
{
    bool good;

    seat->calls = plan_round(seat, round_ns);
    seat->row.ns[seat->row.rounds++] = (double)run(seat, seat->calls, &good) /
                                       ((double)seat->calls * (double)seat->row.point.batch);
    return good;
}

int bench_micro_measure(struct bench_micro_seat *seats, unsigned count, unsigned rounds,
                        uint64_t round_ns, bool (*is_stopped)(void),
                        const struct bench_micro_seat **failed)
{
    const bool cold = count > 0 && seats[0].row.point.cold; // all or none
    size_t swept_bytes = cold ? sweep_bytes() : 0;
    uint8_t *swept = cold ? malloc(swept_bytes) : NULL;
    int err = cold && !swept ? -ENOMEM : 0;

    assert(rounds <= BENCH_ROUNDS_MAX);
    if (swept)
        memset(swept, 1, swept_bytes); // pages of its own
    for (unsigned i = 0; err == 0 && i < count; i++) {
        *failed = &seats[i];
        err = is_stopped() ? -EINTR : warm_up(&seats[i]) ? 0 : -EBADMSG;
    }
    for (unsigned turn = 0; err == 0 && turn < rounds * count; turn++) {
        struct bench_micro_seat *seat = &seats[bench_micro_turn(turn / count, turn % count, count)];

        if (cold)
            sweep(swept, swept_bytes);
        *failed = seat;
        err = is_stopped() ? -EINTR : measure_round(seat, round_ns) ? 0 : -EBADMSG;
    }
    free(swept);
    return err;
}

struct bench_stat bench_micro_ns(const struct bench_micro_row *row)
{
    return bench_stat_of(row->ns, row->rounds);
}

double bench_micro_ratio(const struct bench_micro_row *row, const struct bench_micro_row *peer)
{
    double ratios[BENCH_ROUNDS_MAX];
    unsigned count = row->rounds < peer->rounds ? row->rounds : peer->rounds;

    for (unsigned i = 0; i < count; i++)
        ratios[i] = peer->ns[i] / row->ns[i];
    return bench_stat_of(ratios, count).median;
}

bool bench_micro_is_same_work(const struct bench_micro_row *a, const struct bench_micro_row *b)
{
    return strcmp(a->op, b->op) == 0 && a->point.fresh == b->point.fresh &&
           a->point.cold == b->point.cold && a->point.bytes == b->point.bytes;
}

const struct bench_micro_row *bench_micro_peer_row(const struct bench_micro_row *rows, size_t count,
                                                   const struct bench_micro_row *row,
                                                   const char *impl)
{
    const struct bench_micro_row *best = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct bench_micro_row *at = &rows[i];

        if (strcmp(at->impl, impl) != 0 || !bench_micro_is_same_work(at, row))
            continue;
        if (at->point.batch == row->point.batch)
            return at;
        if (at->point.batch == 1)
            best = at;
    }
    return best;
}
