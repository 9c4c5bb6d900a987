// Intervals of a run as CSV.
#include <inttypes.h>

#include "output_format.h"

static void put_us(FILE *to, bool has, uint64_t ns)
{
    if (has)
        fprintf(to, ",%.3f", (double)ns / 1e3);
    else
        fputc(',', to);
}

void output_format_csv(FILE *to, const struct outcome *out)
{
    fputs("at_s,length_s,sent,delivered,handshakes,refused,faults,delivered_per_s,p50_us,p90_us,"
          "p99_us,p99_9_us,max_us,generator_busy_pct,server_cpu_pct\r\n",
          to);
    for (uint32_t i = 0; i < out->series.count; i++) {
        const struct series_point *p = &out->series.points[i];
        double seconds = (double)p->len_ns / 1e9;
        bool any = p->latency_count > 0;

        fprintf(to, "%.3f,%.3f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.3f",
                (double)p->at_ns / 1e9, seconds, p->sent, p->delivered, p->handshakes, p->refused,
                p->faults, seconds > 0 ? (double)p->delivered / seconds : 0);
        put_us(to, series_supports(p, 50), p->p50_ns);
        put_us(to, series_supports(p, 90), p->p90_ns);
        put_us(to, series_supports(p, 99), p->p99_ns);
        put_us(to, series_supports(p, 99.9), p->p99_9_ns);
        put_us(to, any, p->max_ns);
        // The mean of its threads, as in the JSON result.
        fprintf(to, ",%.2f",
                p->len_ns > 0
                    ? 100.0 * (double)p->busy_ns / (double)p->len_ns / out->options->threads
                    : 0);
        if (p->has_server && p->len_ns > 0)
            fprintf(to, ",%.2f\r\n", 100.0 * (double)p->server_cpu_ns / (double)p->len_ns);
        else
            fputs(",\r\n", to);
    }
}
