// Arrival times of the open loop. Pure; runs on the generator thread that owns the plan.
#include "plan.h"

#include <assert.h>
#include <math.h>

struct plan_slots plan_slots_of(uint32_t senders, uint32_t unit, uint32_t part, uint32_t parts)
{
    uint32_t units = senders / unit, extra = units % parts;

    assert(unit > 0 && part < parts && units >= parts);
    return (struct plan_slots){
        .senders = (units / parts + (part < extra)) * unit,
        .total = units * unit,
        .part = part,
        .parts = parts,
        .base = units / parts * unit,
        .extra_before = (part < extra ? part : extra) * unit,
    };
}

// The number in the whole run of this part's n-th arrival.
static uint64_t number_of(const struct plan_slots *slots, uint64_t n)
{
    uint64_t round = n / slots->senders;
    uint32_t sender = (uint32_t)(n % slots->senders), place;

    if (sender < slots->base)
        place = sender * slots->parts + slots->part;
    else
        place = slots->base * slots->parts + slots->extra_before + sender - slots->base;
    return round * slots->total + place;
}

static void advance_smooth(struct plan *p)
{
    double k;

    if (p->arrival == PLAN_POISSON) {
        // A mean of 1 in this part's share of the integral.
        p->at += -log(prng_unit(prng_draw(&p->random))) * p->slots.total / p->slots.senders;
        k = p->at;
    } else {
        k = (double)number_of(&p->slots, p->smooth.index);
    }
    p->smooth.next_ns = schedule_smooth_ns(p->schedule, k, &p->smooth.piece);
}

static void advance_bursts(struct plan *p)
{
    p->bursts.next_ns =
        schedule_burst_ns(p->schedule, number_of(&p->slots, p->bursts.index), &p->bursts.piece);
}

void plan_init(struct plan *p, const struct schedule *schedule, enum plan_arrival arrival,
               const struct plan_slots *slots, uint64_t seed)
{
    assert(slots->senders > 0 && slots->part < slots->parts);
    *p = (struct plan){.schedule = schedule, .arrival = arrival, .slots = *slots};
    prng_init(&p->random, seed ^ (uint64_t)(slots->part + 1) * 0xD1B54A32D192ED03ull);
    advance_smooth(p);
    advance_bursts(p);
}

uint32_t plan_pop(struct plan *p)
{
    uint32_t senders = p->slots.senders, sender;

    if (p->bursts.next_ns < p->smooth.next_ns) {
        sender = (uint32_t)(p->bursts.index++ % senders);
        advance_bursts(p);
        return sender;
    }
    if (p->arrival == PLAN_POISSON)
        sender = (uint32_t)(((prng_draw(&p->random) >> 32) * senders) >> 32);
    else
        sender = (uint32_t)(p->smooth.index % senders);
    p->smooth.index++;
    advance_smooth(p);
    return sender;
}

void plan_fill(uint8_t *out, size_t len, uint64_t seed)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = prng_mix(&seed);
        memcpy(out + at, &word, len - at < 8 ? len - at : 8);
    }
}
