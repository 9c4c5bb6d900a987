// Figures of a run that more than one reader derives. Runs after the run.
#include "outcome_metrics.h"

#include <math.h>

uint64_t outcome_metrics_operations(const struct outcome *out)
{
    return out->options->mode == OPTIONS_HANDSHAKE
               ? out->tally.handshakes + out->tally.handshakes_without_one_time
               : out->tally.delivered;
}

double outcome_metrics_rss_per_connection(const struct outcome *out)
{
    return ((double)out->server_rss_bytes - (double)out->server_rss_before_bytes) /
           (double)out->options->connections;
}

double outcome_metrics_per_second(const struct outcome *out, uint64_t count)
{
    return out->tally.window_ns == 0 ? 0 : (double)count * 1e9 / (double)out->tally.window_ns;
}

static void collect_counters(const struct outcome *out, uint64_t *counters)
{
    const struct tally *t = &out->tally;
    const struct ledger_counts *l = &t->ledger;

    counters[THRESHOLD_delivered] = t->delivered;
    counters[THRESHOLD_scheduled] = t->scheduled;
    counters[THRESHOLD_sent] = t->sent;
    counters[THRESHOLD_handshakes] = t->handshakes;
    counters[THRESHOLD_faults] =
        l->lost + l->duplicate + l->reordered + l->misrouted + l->auth_fail + l->foreign;
    counters[THRESHOLD_expected] = l->expected;
    counters[THRESHOLD_received] = l->received;
    counters[THRESHOLD_lost] = l->lost;
    counters[THRESHOLD_duplicate] = l->duplicate;
    counters[THRESHOLD_reordered] = l->reordered;
    counters[THRESHOLD_gaps] = l->gaps;
    counters[THRESHOLD_late] = l->late;
    counters[THRESHOLD_misrouted] = l->misrouted;
    counters[THRESHOLD_auth_fail] = l->auth_fail;
    counters[THRESHOLD_foreign] = l->foreign;
    counters[THRESHOLD_refused] = l->refused;
    counters[THRESHOLD_disconnected] = t->disconnected;
    counters[THRESHOLD_not_sent] = t->scheduled - t->sent;
    counters[THRESHOLD_backlog_full] = t->backlog_full;
    counters[THRESHOLD_handshakes_failed] = t->handshakes_failed;
    counters[THRESHOLD_rate_limited] = t->rate_limited;
    counters[THRESHOLD_stalls] = t->stalls;
}

static void collect_gauges(const struct outcome *out, double *gauges)
{
    uint64_t count = outcome_metrics_operations(out);
    double window_ns = (double)out->tally.window_ns;
    double busiest_pct = 0;

    for (uint32_t i = 0; i < out->options->threads; i++)
        busiest_pct = fmax(busiest_pct, out->busy_pct[i]);
    gauges[THRESHOLD_rate] = window_ns > 0 ? (double)count * 1e9 / window_ns : NAN;
    gauges[THRESHOLD_server_cpu_ns_per_msg] =
        out->has_server && count > 0 ? (double)out->server_cpu_ns / (double)count : NAN;
    gauges[THRESHOLD_server_busy_pct] =
        out->has_server && window_ns > 0 ? 100.0 * (double)out->server_cpu_ns / window_ns : NAN;
    gauges[THRESHOLD_server_rss_bytes_per_conn] =
        out->has_server ? outcome_metrics_rss_per_connection(out) : NAN;
    gauges[THRESHOLD_generator_busy_pct] = busiest_pct;
    gauges[THRESHOLD_steal_pct] = out->steal_pct;
    gauges[THRESHOLD_setup_s] = (double)out->setup_ns / 1e9;
}

void outcome_metrics_collect(const struct outcome *out, struct threshold_metrics *m)
{
    *m = (struct threshold_metrics){.window_ns = out->tally.window_ns};
#define X(name) m->latencies[THRESHOLD_##name] = &out->tally.name;
    TALLY_HISTOGRAMS(X)
#undef X
    collect_counters(out, m->counters);
    collect_gauges(out, m->gauges);
}
