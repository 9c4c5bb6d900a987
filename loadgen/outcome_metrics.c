// Figures of a run that more than one reader derives. Runs after the run.
#include "outcome_metrics.h"

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
