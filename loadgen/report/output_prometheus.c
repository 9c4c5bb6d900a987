// Prometheus' text format.
#include <inttypes.h>

#include "output_format.h"
#include "output_metric.h"

#define PREFIX "sealpost_load_"

static void put_hist(FILE *to, const char *name, const struct hist *h)
{
    uint64_t counts[OUTPUT_BOUNDS_COUNT + 1], sum = 0;

    if (h->total == 0)
        return;
    output_metric_count(h, counts);
    fprintf(to, "# HELP " PREFIX "%s_seconds Latency in the measured window\n", name);
    fprintf(to, "# TYPE " PREFIX "%s_seconds histogram\n", name);
    for (uint32_t i = 0; i < OUTPUT_BOUNDS_COUNT; i++) {
        sum += counts[i];
        fprintf(to, PREFIX "%s_seconds_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                (double)output_metric_bounds_ns[i] / 1e9, sum);
    }
    fprintf(to, PREFIX "%s_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, h->total);
    fprintf(to, PREFIX "%s_seconds_sum %.9g\n", name, h->sum / 1e9);
    fprintf(to, PREFIX "%s_seconds_count %" PRIu64 "\n", name, h->total);
}

void output_format_prometheus(FILE *to, const struct outcome *out)
{
    struct output_metric metrics[OUTPUT_METRICS_MAX];
    uint32_t count = output_metric_list(out, metrics);

    for (uint32_t i = 0; i < count; i++) {
        const struct output_metric *m = &metrics[i];

        fprintf(to, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n" PREFIX "%s %.12g\n", m->name,
                m->help, m->name, m->is_counter ? "counter" : "gauge", m->name, m->value);
    }
#define X(name) put_hist(to, #name, &out->tally.name);
    TALLY_HISTOGRAMS(X)
#undef X
}
