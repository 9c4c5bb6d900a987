// The generator's judgement of itself. Pure; runs once, after the run.
#include "verdict.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define BUSY_CLOSED_PCT 95.0
#define BUSY_OPEN_PCT 80.0
#define STEAL_PCT 5.0
#define NOT_SENT_SHARE 0.01
#define STALLED_SHARE 0.05
#define LAG_SHARE 0.1
#define CEILING_SUSPECT_PCT 80.0
#define CEILING_LIMITED_PCT 90.0

PRINTF_LIKE(3, 4)
static void add(struct verdict *v, enum verdict_level level, const char *format, ...)
{
    va_list args;

    assert(v->reason_count < VERDICT_REASONS_MAX);
    if (level > v->level)
        v->level = level;
    va_start(args, format);
    vsnprintf(v->reasons[v->reason_count++], VERDICT_REASON_BYTES, format, args);
    va_end(args);
}

static void judge_schedule(struct verdict *v, const struct verdict_input *in)
{
    if (in->schedule_lag_p99_ns > NS_PER_MS &&
        (double)in->schedule_lag_p99_ns > LAG_SHARE * (double)in->response_p99_ns)
        add(v, VERDICT_LIMITED,
            "the schedule was noticed late: p99 %.1f ms of a response of %.1f ms",
            (double)in->schedule_lag_p99_ns / 1e6, (double)in->response_p99_ns / 1e6);
    if (in->scheduled > 0 &&
        (double)(in->scheduled - in->sent) >= NOT_SENT_SHARE * (double)in->scheduled)
        add(v, VERDICT_SUSPECT, "%llu of %llu scheduled envelopes were not sent",
            (unsigned long long)(in->scheduled - in->sent), (unsigned long long)in->scheduled);
}

static void judge_ceiling(struct verdict *v, const struct verdict_input *in)
{
    double pct = in->ceiling_per_s > 0 ? 100 * in->achieved_per_s / in->ceiling_per_s : 0;

    if (pct >= CEILING_SUSPECT_PCT)
        add(v, pct >= CEILING_LIMITED_PCT ? VERDICT_LIMITED : VERDICT_SUSPECT,
            "%.0f/s are %.0f %% of what the generator reaches alone (%.0f/s): the relay may carry "
            "more; use more --threads, processors or machines",
            in->achieved_per_s, pct, in->ceiling_per_s);
}

void verdict_judge(struct verdict *v, const struct verdict_input *in)
{
    *v = (struct verdict){.level = VERDICT_OK};
    if (in->sockets_exhausted)
        add(v, VERDICT_LIMITED, "this machine has no more sockets, ports or descriptors");
    if (in->open_loop)
        judge_schedule(v, in);
    if (in->busiest_pct >= (in->open_loop ? BUSY_OPEN_PCT : BUSY_CLOSED_PCT))
        add(v, VERDICT_SUSPECT, "the busiest generator thread used %.0f %% of its processor%s",
            in->busiest_pct, in->open_loop ? "" : ": the relay may carry more");
    judge_ceiling(v, in);
    if (in->stalls > 0)
        add(v,
            (double)in->stalled_ns >= STALLED_SHARE * (double)in->window_ns ? VERDICT_LIMITED
                                                                            : VERDICT_SUSPECT,
            "%llu loop turns of over 100 ms, %.0f ms in all", (unsigned long long)in->stalls,
            (double)in->stalled_ns / 1e6);
    if (in->steal_pct >= STEAL_PCT)
        add(v, VERDICT_SUSPECT, "the hypervisor took %.0f %% of the processors' time",
            in->steal_pct);
}

const char *verdict_level_name(enum verdict_level level)
{
    static const char *const names[] = {"ok", "suspect", "limited"};

    return names[level];
}
