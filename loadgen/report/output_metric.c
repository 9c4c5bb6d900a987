// Names, units and values of a run's metrics.
#include "output_metric.h"

#include <string.h>

#include "outcome_metrics.h"

#define US 1000ull

const uint64_t output_metric_bounds_ns[OUTPUT_BOUNDS_COUNT] = {
    5 * US,          10 * US,        20 * US,        50 * US,         100 * US,
    200 * US,        500 * US,       NS_PER_MS,      2 * NS_PER_MS,   5 * NS_PER_MS,
    10 * NS_PER_MS,  20 * NS_PER_MS, 50 * NS_PER_MS, 100 * NS_PER_MS, 200 * NS_PER_MS,
    500 * NS_PER_MS, NS_PER_S,       2 * NS_PER_S,   5 * NS_PER_S,    10 * NS_PER_S,
    20 * NS_PER_S,   50 * NS_PER_S,
};

static void add(struct output_metric *metrics, uint32_t *count, struct output_metric metric)
{
    metrics[(*count)++] = metric;
}

static void add_counts(struct output_metric *m, uint32_t *n, const struct outcome *out)
{
    const struct tally *t = &out->tally;
    const struct ledger_counts *l = &t->ledger;
    const struct output_metric counters[] = {
        {"envelopes_scheduled_total", "Envelopes scheduled in the measured window", "1", true,
         (double)t->scheduled},
        {"envelopes_sent_total", "Of these, sent", "1", true, (double)t->sent},
        {"envelopes_delivered_total", "Envelopes opened in the measured window", "1", true,
         (double)t->delivered},
        {"envelopes_lost_total", "Sent in the run and not received by the end of the drain", "1",
         true, (double)l->lost},
        {"envelopes_duplicate_total", "Received again", "1", true, (double)l->duplicate},
        {"envelopes_reordered_total", "Received after a later one", "1", true,
         (double)l->reordered},
        {"envelopes_misrouted_total", "Received by somebody else", "1", true, (double)l->misrouted},
        {"envelopes_auth_fail_total", "Received and not opened", "1", true, (double)l->auth_fail},
        {"envelopes_foreign_total", "Opened, but not of this run", "1", true, (double)l->foreign},
        {"envelopes_refused_total", "Answered by the relay with an error", "1", true,
         (double)l->refused},
        {"handshakes_total", "Handshakes completed with a one-time prekey in the window", "1", true,
         (double)t->handshakes},
        {"handshakes_failed_total", "Handshakes that failed", "1", true,
         (double)t->handshakes_failed},
        {"connections_total", "Connections made", "1", true, (double)t->connected},
        {"disconnects_total", "Connections that ended before the generator ended them", "1", true,
         (double)t->disconnected},
    };

    for (unsigned i = 0; i < COUNT_OF(counters); i++)
        add(m, n, counters[i]);
}

static void add_server(struct output_metric *m, uint32_t *n, const struct outcome *out)
{
    uint64_t operations = outcome_metrics_operations(out);

    if (!out->has_server)
        return;
    add(m, n,
        (struct output_metric){"server_cpu_seconds_total",
                               "Processor time of the relay in the measured window", "s", true,
                               (double)out->server_cpu_ns / 1e9});
    add(m, n,
        (struct output_metric){"server_resident_bytes",
                               "Resident memory of the relay at the window's end", "By", false,
                               (double)out->server_rss_bytes});
    if (operations > 0)
        add(m, n,
            (struct output_metric){"server_cpu_seconds_per_operation",
                                   "The relay's processor time for an envelope or handshake", "s",
                                   false, (double)out->server_cpu_ns / 1e9 / (double)operations});
}

uint32_t output_metric_list(const struct outcome *out,
                            struct output_metric metrics[OUTPUT_METRICS_MAX])
{
    const struct tally *t = &out->tally;
    double busiest = 0;
    uint32_t n = 0;

    add_counts(metrics, &n, out);
    add_server(metrics, &n, out);
    for (uint32_t i = 0; i < out->options->threads; i++)
        busiest = out->busy_pct[i] > busiest ? out->busy_pct[i] : busiest;
    add(metrics, &n,
        (struct output_metric){"window_seconds", "Length of the measured window", "s", false,
                               (double)t->window_ns / 1e9});
    add(metrics, &n,
        (struct output_metric){"envelopes_per_second", "Delivered in the window", "1/s", false,
                               outcome_metrics_per_second(out, t->delivered)});
    add(metrics, &n,
        (struct output_metric){"generator_busy_percent",
                               "Processor use of the busiest generator thread", "%", false,
                               busiest});
    add(metrics, &n,
        (struct output_metric){"generator_verdict",
                               "0 ok, 1 suspect, 2 limited: the result is not valid", "1", false,
                               (double)out->verdict.level});
    add(metrics, &n,
        (struct output_metric){"exit_code", "What the run ended with", "1", false,
                               (double)out->exit_code});
    return n;
}

void output_metric_count(const struct hist *h, uint64_t counts[OUTPUT_BOUNDS_COUNT + 1])
{
    size_t bucket = 0;
    uint64_t value, count;
    uint32_t at = 0;

    memset(counts, 0, (OUTPUT_BOUNDS_COUNT + 1) * sizeof *counts);
    while (hist_next(h, &bucket, &value, &count)) {
        while (at < OUTPUT_BOUNDS_COUNT && value > output_metric_bounds_ns[at])
            at++;
        counts[at] += count;
    }
}
