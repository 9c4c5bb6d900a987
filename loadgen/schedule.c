// The integral of the offered rate and its inverse. Pure; any thread.
#include "schedule.h"

#include <assert.h>
#include <math.h>

static void add_piece(struct schedule *s, const struct stage *stage)
{
    struct schedule_piece *p = &s->pieces[s->count];
    const struct schedule_piece *before = s->count > 0 ? p - 1 : NULL;

    *p = (struct schedule_piece){
        .begin_ns = s->end_ns,
        .len_ns = stage->len_ns,
        .from_per_s = stage->from_per_s,
        .to_per_s = stage->to_per_s,
        .smooth_before = before ? before->smooth_after : 0,
        .bursts_before = before ? before->bursts_after : 0,
        .burst_every_ns = stage->burst_every_ns,
        .burst_count = stage->burst_count,
    };
    p->smooth_after = p->smooth_before + stage_smooth_count(stage);
    p->bursts_after = p->bursts_before + stage_burst_total(stage);
    s->end_ns += stage->len_ns;
    s->count++;
}

void schedule_init(struct schedule *s, const struct stage_list *stages, uint64_t warmup_ns)
{
    assert(stages->count > 0 && stages->count <= STAGE_MAX);
    *s = (struct schedule){0};
    if (warmup_ns > 0) {
        double rate_per_s = stages->stages[0].from_per_s;

        add_piece(s, &(struct stage){
                         .len_ns = warmup_ns, .from_per_s = rate_per_s, .to_per_s = rate_per_s});
        s->first_stage = 1;
    }
    for (uint32_t i = 0; i < stages->count; i++)
        add_piece(s, &stages->stages[i]);
}

// Seconds into a piece until its integral is y > 0. The rate is r(t) = from + slope·t, so
// y = from·t + slope·t²/2; this form of the root loses nothing for slopes near 0 or falling rates.
static double invert(const struct schedule_piece *p, double y)
{
    double slope = (p->to_per_s - p->from_per_s) * (double)NS_PER_S / (double)p->len_ns;
    double root = p->from_per_s * p->from_per_s + 2 * slope * y;

    return 2 * y / (p->from_per_s + sqrt(root > 0 ? root : 0));
}

uint64_t schedule_smooth_ns(const struct schedule *s, double k, uint32_t *piece)
{
    const struct schedule_piece *p;
    double y, into_ns;

    while (*piece < s->count && k >= s->pieces[*piece].smooth_after)
        ++*piece;
    if (*piece == s->count)
        return SCHEDULE_NEVER_NS;
    p = &s->pieces[*piece];
    y = k - p->smooth_before;
    into_ns = y > 0 ? invert(p, y) * (double)NS_PER_S : 0;
    // Rounding must not push an arrival over the edge of its piece.
    return p->begin_ns + (into_ns < (double)(p->len_ns - 1) ? (uint64_t)into_ns : p->len_ns - 1);
}

uint64_t schedule_burst_ns(const struct schedule *s, uint64_t k, uint32_t *piece)
{
    const struct schedule_piece *p;

    while (*piece < s->count && k >= s->pieces[*piece].bursts_after)
        ++*piece;
    if (*piece == s->count)
        return SCHEDULE_NEVER_NS;
    p = &s->pieces[*piece];
    return p->begin_ns + (k - p->bursts_before) / p->burst_count * p->burst_every_ns;
}

int schedule_find_stage(const struct schedule *s, uint64_t at_ns)
{
    if (at_ns >= s->end_ns)
        return -1;
    for (uint32_t i = s->count; i-- > s->first_stage;) {
        if (at_ns >= s->pieces[i].begin_ns)
            return (int)(i - s->first_stage);
    }
    return -1;
}
