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
#define THROTTLED_SHARE 0.05
#define SHARED_PCT 90.0
#define CEILING_SUSPECT_PCT 80.0
#define CEILING_LIMITED_PCT 90.0

static void add_list(struct verdict *v, enum verdict_level level, enum verdict_cause cause,
                     const char *format, va_list args)
{
    if (level > v->level)
        v->level = level;
    if (v->reason_count == VERDICT_REASONS_MAX)
        return;
    v->causes[v->reason_count] = cause;
    vsnprintf(v->reasons[v->reason_count++], VERDICT_REASON_BYTES, format, args);
}

PRINTF_LIKE(4, 5)
static void add(struct verdict *v, enum verdict_level level, enum verdict_cause cause,
                const char *format, ...)
{
    va_list args;

    assert(v->reason_count < VERDICT_REASONS_MAX);
    va_start(args, format);
    add_list(v, level, cause, format, args);
    va_end(args);
}

void verdict_add(struct verdict *v, enum verdict_level level, enum verdict_cause cause,
                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_list(v, level, cause, format, args);
    va_end(args);
}

static bool has_cause(const struct verdict *v, uint32_t count, enum verdict_cause cause)
{
    for (uint32_t i = 0; i < count; i++) {
        if (v->causes[i] == cause)
            return true;
    }
    return false;
}

void verdict_add_agent(struct verdict *v, uint32_t own_count, const struct verdict *agent,
                       const char *name)
{
    if (agent->level > v->level)
        v->level = agent->level;
    for (uint32_t i = 0; i < agent->reason_count; i++) {
        if (!has_cause(v, own_count, agent->causes[i]))
            verdict_add(v, agent->level, agent->causes[i], "%.80s: %.160s", name,
                        agent->reasons[i]);
    }
}

bool verdict_is_noticeable(uint64_t not_sent, uint64_t scheduled)
{
    return scheduled > 0 && (double)not_sent >= NOT_SENT_SHARE * (double)scheduled;
}

static void judge_schedule(struct verdict *v, const struct verdict_input *in)
{
    uint64_t not_taken = in->scheduled - in->sent - in->not_paced;

    if (in->schedule_lag_p99_ns > NS_PER_MS &&
        (double)in->schedule_lag_p99_ns > LAG_SHARE * (double)in->response_p99_ns)
        add(v, VERDICT_LIMITED, VERDICT_LATENESS,
            "the schedule was noticed late: p99 %.1f ms of a response of %.1f ms; give the "
            "generator processors of its own (--pin), more --threads, or a lower --rate",
            (double)in->schedule_lag_p99_ns / 1e6, (double)in->response_p99_ns / 1e6);
    if (verdict_is_noticeable(in->not_paced, in->scheduled))
        add(v, VERDICT_LIMITED, VERDICT_NOT_PACED,
            "%llu of %llu scheduled envelopes were not sent: more than 64 were due at once on a "
            "connection that was free; use more --connections or --threads, or a lower --rate",
            (unsigned long long)in->not_paced, (unsigned long long)in->scheduled);
    if (verdict_is_noticeable(not_taken, in->scheduled))
        add(v, VERDICT_SUSPECT, VERDICT_NOT_SENT,
            "%llu of %llu scheduled envelopes were not sent: the relay did not take them; lower "
            "--rate, or use more --connections",
            (unsigned long long)not_taken, (unsigned long long)in->scheduled);
    if (in->backlog && backlog_is_growing(in->backlog, in->scheduled))
        add(v, VERDICT_SUSPECT, VERDICT_BACKLOG,
            "the envelopes that wait grew from %llu to %llu through the window: the relay takes "
            "less than is offered, and percentiles depend on the duration; lower --rate",
            (unsigned long long)in->backlog->waiting[0],
            (unsigned long long)in->backlog->waiting[in->backlog->count - 1]);
}

static void judge_ceiling(struct verdict *v, const struct verdict_input *in)
{
    double pct = in->ceiling_per_s > 0 ? 100 * in->achieved_per_s / in->ceiling_per_s : 0;
    bool was_busy = in->ceiling_busy_pct >= BUSY_OPEN_PCT;

    if (pct >= CEILING_SUSPECT_PCT)
        add(v, was_busy && pct >= CEILING_LIMITED_PCT ? VERDICT_LIMITED : VERDICT_SUSPECT,
            VERDICT_CEILING,
            "%.0f/s are %.0f %% of what the generator reaches alone (%.0f/s%s): the relay may "
            "carry "
            "more; use more %s",
            in->achieved_per_s, pct, in->ceiling_per_s, was_busy ? "" : ", and it was not busy",
            was_busy ? "--threads, processors or machines"
                     : "--connections, --in-flight or --threads");
}

static void judge_stalls(struct verdict *v, const struct verdict_input *in)
{
    bool limits = (double)in->stalled_ns >= STALLED_SHARE * (double)in->window_ns;

    if (in->stalls > 0)
        add(v, limits ? VERDICT_LIMITED : VERDICT_SUSPECT, VERDICT_STALLS,
            "%llu loop turns of over 100 ms, %.0f ms in all: something else had the processor; "
            "--pin the generator to a quiet one",
            (unsigned long long)in->stalls, (double)in->stalled_ns / 1e6);
}

// What others did to the processors.
static void judge_machine(struct verdict *v, const struct verdict_input *in)
{
    double both_pct = in->busy_pct + in->relay_busy_pct;

    if (in->steal_pct >= STEAL_PCT)
        add(v, VERDICT_SUSPECT, VERDICT_STEAL,
            "the hypervisor took %.0f %% of the processors' time; use a machine of its own, or "
            "compare ratios only",
            in->steal_pct);
    if (in->throttled_ns > 0)
        add(v,
            (double)in->throttled_ns >= THROTTLED_SHARE * (double)in->window_ns ? VERDICT_LIMITED
                                                                                : VERDICT_SUSPECT,
            VERDICT_QUOTA,
            "a cpu quota stopped the generator for %.1f ms; raise the container's cpu limit "
            "(cpu.max)",
            (double)in->throttled_ns / 1e6);
    if (in->share.shared > 0 && both_pct >= SHARED_PCT * in->share.all)
        add(v, VERDICT_SUSPECT, VERDICT_SHARED,
            "generator and relay share %u of %u processors and used %.0f %% of %u %%; --pin them "
            "apart, or use two machines",
            in->share.shared, in->share.all, both_pct, 100 * in->share.all);
}

void verdict_judge(struct verdict *v, const struct verdict_input *in)
{
    *v = (struct verdict){.level = VERDICT_OK};
    if (in->sockets_exhausted)
        add(v, VERDICT_LIMITED, VERDICT_SOCKETS,
            "this machine has no more sockets, ports or descriptors; raise ulimit -n, or use more "
            "--source-addresses or --threads");
    if (in->open_loop)
        judge_schedule(v, in);
    if (in->busiest_pct >= (in->open_loop ? BUSY_OPEN_PCT : BUSY_CLOSED_PCT))
        add(v, VERDICT_SUSPECT, VERDICT_BUSY,
            "the busiest generator thread used %.0f %% of its processor%s; use more --threads",
            in->busiest_pct, in->open_loop ? "" : ": the relay may carry more");
    judge_ceiling(v, in);
    judge_stalls(v, in);
    judge_machine(v, in);
}

const char *verdict_level_name(enum verdict_level level)
{
    static const char *const names[] = {"ok", "suspect", "limited"};

    return names[level];
}
