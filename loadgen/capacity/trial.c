// One trial. Runs on the main thread; a run makes and joins its own.
#include "trial.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "group.h"
#include "outcome_metrics.h"
#include "run.h"

_Static_assert(GROUP_REASON_BYTES <= TRIAL_REASON_BYTES, "a group's reason fits");

// Arrivals are random: so much more than what is needed on average.
#define SAMPLES_MARGIN 1.25
// As much longer may the set-up take for each connection more than the command has: keys of the
// slowest kind.
#define SETUP_PER_CONNECTION_NS (20 * NS_PER_MS)

double trial_lowest_rate(uint64_t samples)
{
    return (double)samples * SAMPLES_MARGIN * 1e9 / (double)TRIAL_WINDOW_MAX_NS;
}

// The first thing that was wrong, in the order of its weight.
static void explain(const struct outcome *out, struct trial *t)
{
    const struct ledger_counts *l = &out->tally.ledger;

    if (!out->has_begun) {
        snprintf(t->reason, sizeof t->reason, "%s", out->failure_text);
    } else if (t->level == VERDICT_LIMITED) {
        // What to do about it stands behind the semicolon: not for each trial again.
        snprintf(t->reason, sizeof t->reason, "%.*s", (int)strcspn(out->verdict.reasons[0], ";"),
                 out->verdict.reasons[0]);
    } else if (t->is_faulty) {
        snprintf(t->reason, sizeof t->reason,
                 "%llu lost, %llu duplicate, %llu reordered, %llu refused, %llu disconnected",
                 (unsigned long long)l->lost, (unsigned long long)l->duplicate,
                 (unsigned long long)l->reordered, (unsigned long long)l->refused,
                 (unsigned long long)out->tally.disconnected);
    }
    if (t->reason[0] == '\0' && t->is_not_taken)
        snprintf(t->reason, sizeof t->reason, "%llu of %llu were not sent",
                 (unsigned long long)(out->tally.scheduled - out->tally.sent),
                 (unsigned long long)out->tally.scheduled);
    for (uint32_t i = 0; i < out->options->thresholds.count && t->reason[0] == '\0'; i++) {
        if (!out->thresholds[i].ok)
            snprintf(t->reason, sizeof t->reason, "%s", out->thresholds[i].reason);
    }
}

static enum exit_code failure_of(const struct outcome *out)
{
    switch (out->failure) {
    case SHARD_FAILURE_UNREACHABLE:
        return EXIT_CODE_UNREACHABLE;
    case SHARD_FAILURE_PROTOCOL:
    case SHARD_FAILURE_INTERNAL:
        return EXIT_CODE_INTERNAL;
    default: // that sockets ran out is in the verdict
        return EXIT_CODE_PASS;
    }
}

static void condense(const struct outcome *out, struct trial *t)
{
    const struct hist *response = &out->tally.response;
    uint64_t count = outcome_metrics_operations(out);

    t->rate_per_s = out->options->rate_per_s;
    t->connections = out->options->connections;
    t->window_s = (double)out->tally.window_ns / 1e9;
    t->delivered = out->tally.delivered;
    t->offered_per_s = outcome_metrics_per_second(out, out->tally.scheduled);
    t->achieved_per_s = outcome_metrics_per_second(out, out->tally.delivered);
    t->has_p50 = hist_percentile_supported(response, 50);
    t->has_p99 = hist_percentile_supported(response, 99);
    t->p50_ns = (double)hist_percentile(response, 50);
    t->p99_ns = (double)hist_percentile(response, 99);
    t->level = out->verdict.level;
    t->is_met = out->has_begun;
    for (uint32_t i = 0; i < out->options->thresholds.count; i++)
        t->is_met = t->is_met && out->thresholds[i].ok;
    t->is_faulty = ledger_has_faults(&out->tally.ledger) || out->tally.disconnected > 0 ||
                   out->tally.ledger.refused > 0;
    t->is_not_offered = verdict_is_noticeable(out->tally.not_paced, out->tally.scheduled);
    t->is_not_taken = verdict_is_noticeable(
        out->tally.scheduled - out->tally.sent - out->tally.not_paced, out->tally.scheduled);
    t->has_server = out->has_server;
    t->cpu_ns_per_msg =
        out->has_server && count > 0 ? (double)out->server_cpu_ns / (double)count : 0;
    t->rss_bytes = out->has_server ? (double)out->server_rss_bytes : 0;
    t->is_interrupted = out->interrupted;
    t->failure = failure_of(out);
    explain(out, t);
}

// A thread has at least one unit: users that belong together.
static uint32_t clamp_threads(const struct options *o)
{
    uint32_t units = 0;

    for (uint32_t i = 0; i < o->group_count; i++)
        units += group_units(&o->groups[i]);
    return o->threads < units ? o->threads : units;
}

static void run(const struct trial_setting *setting, struct options *o, struct trial *t)
{
    struct outcome out;

    memset(t, 0, sizeof *t);
    static_assert(OPTIONS_REASON_BYTES <= TRIAL_REASON_BYTES, "the reason fits");
    if (options_split_users(o, t->reason) < 0) {
        t->failure = EXIT_CODE_BAD_OPTIONS;
        return;
    }
    o->server_pid = setting->server_pid;
    o->threads = clamp_threads(o);
    if (o->connections > setting->options->connections) {
        uint64_t more = o->connections - setting->options->connections;

        o->setup_timeout_ns += more * SETUP_PER_CONNECTION_NS;
    }
    o->quiet = true;
    o->progress_ns = 0;
    o->report.view = REPORT_VIEW_NEVER;
    if (run_load(&out, o, setting->target, setting->tls) < 0) {
        t->failure = EXIT_CODE_INTERNAL;
        snprintf(t->reason, sizeof t->reason, "out of memory");
        return;
    }
    condense(&out, t);
    run_free(&out);
}

void trial_run_rate(const struct trial_setting *setting, double rate_per_s, double window_scale,
                    uint64_t samples, struct trial *out)
{
    struct options o = *setting->options;
    double needed_ns = (double)samples * SAMPLES_MARGIN / rate_per_s * 1e9;

    o.rate_per_s = rate_per_s;
    o.duration_ns = (uint64_t)fmin(fmax((double)o.duration_ns * window_scale, needed_ns),
                                   fmax((double)o.duration_ns, (double)TRIAL_WINDOW_MAX_NS));
    run(setting, &o, out);
}

void trial_run_closed(const struct trial_setting *setting, uint32_t connections, struct trial *out)
{
    struct options o = *setting->options;

    o.rate_per_s = 0;
    o.connections = connections;
    o.thresholds.count = 0;
    run(setting, &o, out);
}

void trial_run_idle(const struct trial_setting *setting, uint32_t connections, struct trial *out)
{
    struct options o = *setting->options;

    o.mode = OPTIONS_IDLE;
    o.groups[0] = (struct group){.behaviour = GROUP_IDLE, .share = 1};
    o.group_count = 1;
    o.rate_per_s = 0;
    o.durable = false;
    o.connections = connections;
    o.thresholds.count = 0;
    o.duration_ns = NS_PER_S / 2;
    o.warmup_ns = NS_PER_S / 10;
    run(setting, &o, out);
}
