// Live figures in the shape of the result. Counters of threads are read while they move, so their
// sums need not fit each other exactly; the final result's do.
#include "live_report.h"

#include <math.h>

#include "agent_report.h"
#include "percentile_curve.h"
#include "result_json.h"

#define SUPPORTING_SAMPLES 10.0

void live_report_fill(struct outcome *out, const struct live *l)
{
    const struct pulse_sample *now = &l->pulse, *from = &l->window;

    *out = (struct outcome){.options = l->options,
                            .target = l->target,
                            .run_id = l->run_id,
                            .started = l->started,
                            .setup_ns = l->setup_ns,
                            .has_begun = l->phase > SHARD_WAITING,
                            .interrupted = l->interrupted,
                            .has_server = l->has_server,
                            .server_cpu_ns = l->server_cpu_ns,
                            .server_rss_before_bytes = l->server_rss_before_bytes,
                            .server_rss_bytes = l->server_rss_bytes,
                            .verdict = l->verdict};
    strcpy(out->tls_group, "TLSv1.3"); // the group is told when the run has ended
    for (uint32_t i = 0; i < l->options->threads; i++)
        out->busy_pct[i] = l->busy_pct[i];
    out->series.points = (struct series_point *)(uintptr_t)l->points;
    out->series.count = l->point_count;
    out->tally.window_ns = l->elapsed_ns;
    out->tally.delivered = now->delivered - from->delivered;
    out->tally.handshakes = now->handshakes - from->handshakes;
    out->tally.scheduled = out->tally.sent = now->sent - from->sent;
    out->tally.connected = now->connected;
    out->tally.ledger.expected = now->sent;
    out->tally.ledger.received = now->delivered;
    out->tally.ledger.refused = now->refused;
}

static void add_curve(yyjson_mut_doc *d, yyjson_mut_val *o, const uint64_t *buckets, uint64_t count)
{
    yyjson_mut_val *curve = yyjson_mut_obj_add_arr(d, o, "curve");

    for (uint32_t i = 0; i < PERCENTILE_CURVE_POINTS_MAX; i++) {
        double p = percentile_curve_at(i);
        yyjson_mut_val *point;

        if ((double)count * (1 - p / 100) < SUPPORTING_SAMPLES)
            break;
        point = yyjson_mut_arr_add_arr(d, curve);
        yyjson_mut_arr_add_real(d, point, round(p * 1e6) / 1e6);
        yyjson_mut_arr_add_real(d, point, (double)pulse_value_at(buckets, count, p) / 1e3);
    }
}

static void add_latency(yyjson_mut_doc *d, yyjson_mut_val *root, const struct live *l)
{
    yyjson_mut_val *latency = yyjson_mut_obj_get(root, "latency_us");
    yyjson_mut_val *o = yyjson_mut_obj(d);
    uint64_t buckets[PULSE_BUCKETS], count;

    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        buckets[i] = l->pulse.buckets[i] - l->window.buckets[i];
    count = pulse_count(buckets);
    yyjson_mut_obj_add_uint(d, o, "count", count);
    yyjson_mut_obj_add_null(d, o, "mean");
#define X(name, p)                                                                                 \
    result_json_add_optional(d, o, name, (double)count *(1 - p / 100.0) >= SUPPORTING_SAMPLES,     \
                             (double)pulse_value_at(buckets, count, p) / 1e3);
    RESULT_JSON_PERCENTILES(X)
#undef X
    result_json_add_optional(d, o, "max", count > 0,
                             (double)pulse_value_at(buckets, count, 100) / 1e3);
    add_curve(d, o, buckets, count);
    yyjson_mut_obj_put(
        latency,
        yyjson_mut_str(d, l->options->mode == OPTIONS_HANDSHAKE ? "handshake" : "response"), o);
}

void live_report_add(yyjson_mut_doc *d, yyjson_mut_val *root, const struct live *l)
{
    yyjson_mut_val *o = yyjson_mut_obj_add_obj(d, root, "live");

    // Not judged yet: no word is better than a wrong one.
    yyjson_mut_obj_remove_key(root, "thresholds");
    yyjson_mut_obj_remove_key(root, "aborted_by");
    yyjson_mut_obj_remove_key(root, "agents");
    agent_report_add_live(d, root, l);
    yyjson_mut_obj_add_str(d, o, "phase", live_phase_name(l->phase));
    result_json_add_real(d, o, "elapsed_s", (double)l->elapsed_ns / 1e9);
    result_json_add_real(d, o, "length_s", (double)l->length_ns / 1e9);
    yyjson_mut_obj_add_uint(d, o, "wanted", l->options->connections);
    yyjson_mut_obj_add_uint(d, o, "settled", l->pulse.settled);
    yyjson_mut_obj_add_uint(d, o, "alive", l->pulse.alive);
    yyjson_mut_obj_add_uint(d, o, "in_flight", live_in_flight(l));
    yyjson_mut_obj_add_uint(d, o, "faults", l->pulse.faults);
    add_latency(d, root, l);
}
