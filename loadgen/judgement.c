// The judgement of an outcome. Pure; runs when everything is counted, and again when more is known.
#include "judgement.h"

#include <stdio.h>

#include "agent_result.h"
#include "outcome_metrics.h"

// Of the run; of its slowest group when all of it is in groups (users who are offline).
static uint64_t response_p99_ns(const struct tally *t)
{
    uint64_t longest_ns = hist_percentile(&t->response, 99);

    for (uint32_t i = 0; i < t->group_count && t->response.total == 0; i++) {
        uint64_t p99_ns = hist_percentile(&t->groups[i].response, 99);

        longest_ns = p99_ns > longest_ns ? p99_ns : longest_ns;
    }
    return longest_ns;
}

// Objectives on the exact figures. True if all are met.
static bool judge_thresholds(struct outcome *out)
{
    const struct threshold_list *list = &out->options->thresholds;
    struct threshold_metrics m;
    bool ok;

    outcome_metrics_collect(out, &m);
    ok = threshold_list_judge(list, &m, out->thresholds);
    for (uint32_t i = 0; i < list->count && !out->has_begun; i++) {
        out->thresholds[i] = (struct threshold_result){.ok = false};
        snprintf(out->thresholds[i].reason, THRESHOLD_REASON_BYTES, "the run did not begin");
        ok = false;
    }
    if (out->is_aborted) {
        const struct threshold *t = &list->items[out->aborted_by];
        struct threshold_result *missed = &out->thresholds[out->aborted_by];

        missed->ok = ok = false;
        snprintf(missed->reason, THRESHOLD_REASON_BYTES,
                 "it ended the run after %.1f s: %s %s %.6g%s", (double)out->aborted_after_ns / 1e9,
                 threshold_metric_name(t->metric),
                 t->comparison == THRESHOLD_ABOVE || t->comparison == THRESHOLD_AT_LEAST
                     ? "was at most"
                     : "was at least",
                 threshold_is_latency(t) ? out->aborted_at_value / 1e6 : out->aborted_at_value,
                 threshold_is_latency(t) ? " ms" : "");
    }
    return ok;
}

// What the verdict is made from. Of a run over agents: what only the whole shows; the rest is
// theirs.
static struct verdict_input verdict_input_of(const struct outcome *out)
{
    const struct tally *t = &out->tally;
    struct verdict_input in = {
        .open_loop = out->options->rate_per_s > 0,
        .schedule_lag_p99_ns = hist_percentile(&t->schedule_lag, 99),
        .response_p99_ns = response_p99_ns(t),
        .scheduled = t->scheduled,
        .sent = t->sent,
        .not_paced = t->not_paced,
        .window_ns = t->window_ns,
        .share = out->share,
        .backlog = &out->backlog,
    };

    for (uint32_t i = 0; i < out->options->threads; i++)
        in.busy_pct += out->busy_pct[i];
    if (out->has_server && t->window_ns > 0)
        in.relay_busy_pct = 100.0 * (double)out->server_cpu_ns / (double)t->window_ns;
    if (out->agents)
        return in;
    in.sockets_exhausted = out->failure == SHARD_FAILURE_LIMITED;
    in.stalls = t->stalls;
    in.stalled_ns = t->stalled_ns;
    in.steal_pct = out->steal_pct;
    in.throttled_ns = out->throttled_ns;
    in.ceiling_per_s = out->ceiling.per_s;
    in.ceiling_busy_pct = out->ceiling.busy_pct;
    if (t->window_ns > 0)
        in.achieved_per_s = (double)t->delivered * 1e9 / (double)t->window_ns;
    for (uint32_t i = 0; i < out->options->threads; i++) {
        if (out->busy_pct[i] > in.busiest_pct)
            in.busiest_pct = out->busy_pct[i];
    }
    return in;
}

// An agent's verdict is part of the whole's, whatever the others say.
static void add_agents(struct outcome *out)
{
    uint32_t own_count = out->verdict.reason_count;

    for (uint32_t i = 0; out->agents && i < out->agent_count; i++)
        verdict_add_agent(&out->verdict, own_count, &out->agents[i].verdict, out->agents[i].name);
}

void judgement_make(struct outcome *out)
{
    struct tally *t = &out->tally;
    struct verdict_input in = verdict_input_of(out);
    struct exit_causes causes = {
        .internal =
            out->failure == SHARD_FAILURE_INTERNAL || out->failure == SHARD_FAILURE_PROTOCOL,
        .bad_options = out->has_bad_options,
        .interrupted = out->interrupted,
        .unreachable = out->failure == SHARD_FAILURE_UNREACHABLE,
        .integrity = ledger_has_faults(&t->ledger) || t->disconnected > 0,
    };

    verdict_judge(&out->verdict, &in);
    add_agents(out);
    causes.limited = out->verdict.level == VERDICT_LIMITED;
    causes.threshold = !judge_thresholds(out);
    out->exit_code = exit_code_of(&causes);
}
