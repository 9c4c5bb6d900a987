// The table at the end of a run. Runs once, after the run.
#include "summary.h"

#include <inttypes.h>

#include "agent_report.h"
#include "group_result.h"
#include "handshake.h"
#include "outcome_metrics.h"
#include "result_json.h"
#include "sealcrypto.h"
#include "stage_result.h"
#include "threshold_report.h"

static const struct {
    const char *name;
    double p;
} percentiles[] = {
#define X(name, p) {name, p},
    RESULT_JSON_PERCENTILES(X)
#undef X
};

static void print_hist(FILE *to, const char *name, const struct hist *h)
{
    if (h->total == 0)
        return;
    fprintf(to, "  %-14s", name);
    for (unsigned i = 0; i < COUNT_OF(percentiles); i++) {
        if (hist_percentile_supported(h, percentiles[i].p))
            fprintf(to, " %11.1f", (double)hist_percentile(h, percentiles[i].p) / 1e3);
        else
            fprintf(to, " %11s", "-");
    }
    fprintf(to, " %11.1f\n", (double)h->max / 1e3);
}

static void print_latency(FILE *to, const struct outcome *out)
{
    const struct tally *t = &out->tally;

    if (out->options->mode == OPTIONS_IDLE && t->tls_handshake.total == 0)
        return;
    fprintf(to, "\n  %-14s %11s %11s %11s %11s %11s %11s\n", "latency, us", "p50", "p90", "p99",
            "p99.9", "p99.99", "max");
#define X(name) print_hist(to, #name, &t->name);
    TALLY_HISTOGRAMS(X)
#undef X
}

static void print_budget(FILE *to, const struct budget *b)
{
    const char *separator = "";

    if (b->count == 0)
        return;
    fprintf(to, "\n  mean response  %.1f us:", budget_mean_response_ns(b) / 1e3);
    for (unsigned i = 0; i < BUDGET_PART_COUNT; i++) {
        enum budget_part part = (enum budget_part)i;

        if (b->part_ns[i] == 0)
            continue;
        fprintf(to, "%s %s %.1f", separator, budget_part_name(part), budget_mean_ns(b, part) / 1e3);
        separator = ",";
    }
    fputc('\n', to);
}

static void print_cryptography(FILE *to, const struct options *o)
{
    fprintf(to, "  cryptography   %s", sp_tier());
    if (options_are_post_quantum(o) || o->session != SP_SESSION_COUNTER)
        fprintf(to, "; suite %s, auth %s, session %s", options_suite_name(o->suite),
                options_auth_name(o->is_hybrid), options_session_name(o->session));
    fputc('\n', to);
}

static void print_handshakes(FILE *to, const struct outcome *out)
{
    const struct tally *t = &out->tally;

    fprintf(to,
            "  handshakes     %" PRIu64 " in %.2f s: %.0f/s (%" PRIu64
            " more without one-time prekey, ",
            t->handshakes, (double)t->window_ns / 1e9,
            outcome_metrics_per_second(out, t->handshakes), t->handshakes_without_one_time);
    if (out->options->suite == SP_SUITE_PQXDH)
        fprintf(to, "%" PRIu64 " with the last-resort KEM prekey, ",
                t->handshakes_with_last_resort);
    fprintf(to, "%" PRIu64 " failed)\n", t->handshakes_failed);
}

static void print_load(FILE *to, const struct outcome *out)
{
    const struct options *o = out->options;
    const struct tally *t = &out->tally;
    const struct ledger_counts *l = &t->ledger;

    if (o->mode == OPTIONS_TALK)
        fprintf(to, "  envelopes      %" PRIu64 " in %.2f s: %.0f/s\n", t->delivered,
                (double)t->window_ns / 1e9, outcome_metrics_per_second(out, t->delivered));
    else if (o->mode == OPTIONS_HANDSHAKE)
        print_handshakes(to, out);
    else
        fprintf(to, "  held           %" PRIu64 " connections for %.2f s\n",
                t->connected - t->disconnected, (double)t->window_ns / 1e9);
    if (o->rate_per_s > 0)
        fprintf(to, "  offered        %.0f/s: %" PRIu64 " scheduled, %" PRIu64 " not sent\n",
                o->rate_per_s, t->scheduled, t->scheduled - t->sent);
    if (t->rate_limited > 0)
        fprintf(to, "  rate limited   %" PRIu64 " bundles (the relay's --bundle-rate)\n",
                t->rate_limited);
    if (o->mode == OPTIONS_TALK || ledger_has_faults(l))
        fprintf(to,
                "  delivery       %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64
                " lost, %" PRIu64 " duplicate, %" PRIu64 " reordered,\n                 %" PRIu64
                " misrouted, %" PRIu64 " not opened, %" PRIu64 " foreign, %" PRIu64 " refused\n",
                l->expected, l->received, l->lost, l->duplicate, l->reordered, l->misrouted,
                l->auth_fail, l->foreign, l->refused);
    if (l->ahead > 0)
        fprintf(to,
                "                 %" PRIu64
                " of those not opened were further ahead than a ratchet "
                "follows: more than\n                 %u before were refused or lost; lower the "
                "rate, or leave out --session ratchet\n",
                l->ahead, HANDSHAKE_SKIPPED_MAX);
    if (t->disconnected > 0)
        fprintf(to, "  disconnected   %" PRIu64 " connections; the first: %s\n", t->disconnected,
                out->disconnect_text);
}

static void print_server(FILE *to, const struct outcome *out)
{
    uint64_t count = outcome_metrics_operations(out);

    if (out->options->server_pid > 0 && !out->has_server)
        fprintf(to, "  relay          not measured: %s\n", out->server_text);
    if (!out->has_server)
        return;
    fprintf(to, "  relay          %.1f %% CPU",
            out->tally.window_ns > 0
                ? 100.0 * (double)out->server_cpu_ns / (double)out->tally.window_ns
                : 0);
    if (count > 0)
        fprintf(to, ", %.0f ns for each %s", (double)out->server_cpu_ns / (double)count,
                out->options->mode == OPTIONS_HANDSHAKE ? "handshake" : "envelope");
    fprintf(to, ", %.0f B resident for each connection (%.1f MiB in all)\n",
            outcome_metrics_rss_per_connection(out), (double)out->server_rss_bytes / MIB);
}

static void print_ceiling(FILE *to, const struct outcome *out)
{
    const struct ceiling *c = &out->ceiling;

    if (c->per_s > 0)
        fprintf(to,
                "  ceiling        %.0f/s against the sink (ws, %u connections, busy %.0f %%%s): "
                "%.0f %% reached\n",
                c->per_s, c->connections, c->busy_pct,
                c->colocated ? ", on the generator's processor" : "",
                100 * outcome_metrics_per_second(out, out->tally.delivered) / c->per_s);
    else if (c->reason[0] != '\0')
        fprintf(to, "  ceiling        not measured: %s\n", c->reason);
}

void summary_print(const struct outcome *out, FILE *to)
{
    if (!out->has_begun) {
        fprintf(to, "sealpost-load: %s\n",
                out->failure != SHARD_FAILURE_NONE ? out->failure_text
                                                   : "interrupted during the set-up");
        return;
    }
    fprintf(to, "\n%s %s, %u connections, %u thread%s%s%s\n", options_mode_name(out->options->mode),
            out->options->url, out->options->connections, out->options->threads,
            out->options->threads == 1 ? "" : "s", out->tls_group[0] ? ", TLS 1.3 " : "",
            out->tls_group);
    if (out->failure != SHARD_FAILURE_NONE)
        fprintf(to, "  failed         %s\n", out->failure_text);
    fprintf(to, "  set-up         %.2f s\n", (double)out->setup_ns / 1e9);
    print_cryptography(to, out->options);
    print_load(to, out);
    group_result_print(out, to);
    print_server(to, out);
    fprintf(to, "  generator      %s", verdict_level_name(out->verdict.level));
    for (uint32_t i = 0; i < out->options->threads; i++)
        fprintf(to, "%s%.0f %%", i == 0 ? "; busy " : ", ", out->busy_pct[i]);
    fputc('\n', to);
    print_ceiling(to, out);
    for (uint32_t i = 0; i < out->verdict.reason_count; i++)
        fprintf(to, "                 - %s\n", out->verdict.reasons[i]);
    agent_report_print(out, to);
    if (out->not_recorded > 0)
        fprintf(to,
                "  recorded       %" PRIu64 " envelopes; there was no room for %" PRIu64 " more\n",
                out->recorded, out->not_recorded);
    threshold_report_print(to, out);
    print_latency(to, out);
    print_budget(to, &out->tally.budget);
    stage_result_print(out, to);
}
