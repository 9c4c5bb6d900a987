// Intervals of a run: added each second, merged in pairs when full. No clock, no I/O.
#include "series.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUPPORTING_SAMPLES 10.0 // as in hist.h
#define PAGE_BYTES 4096u

_Static_assert(SERIES_POINTS_MAX % 2 == 0, "pairs leave none over");

// All of it now: a run takes the same memory in its first second and in its last, and no interval
// waits for a page.
static void touch(void *memory, size_t bytes)
{
    volatile uint8_t *at = memory;

    for (size_t i = 0; i < bytes; i += PAGE_BYTES)
        at[i] = 0;
}

int series_init(struct series *s)
{
    *s = (struct series){.steps_per_point = 1};
    s->points = calloc(SERIES_POINTS_MAX, sizeof *s->points);
    s->buckets = calloc(SERIES_POINTS_MAX, sizeof *s->buckets);
    if (!s->points || !s->buckets) {
        series_free(s);
        return -ENOMEM;
    }
    touch(s->points, SERIES_POINTS_MAX * sizeof *s->points);
    touch(s->buckets, SERIES_POINTS_MAX * sizeof *s->buckets);
    return 0;
}

void series_free(struct series *s)
{
    free(s->points);
    free(s->buckets);
    *s = (struct series){0};
}

bool series_supports(const struct series_point *p, double percentile)
{
    // 100 − 99.9 is not exact.
    return (double)p->latency_count * (100 - percentile) / 100 >= SUPPORTING_SAMPLES - 1e-6;
}

static void find_point_percentiles(struct series_point *p, const uint64_t buckets[PULSE_BUCKETS])
{
    p->latency_count = pulse_count(buckets);
    p->p50_ns = pulse_value_at(buckets, p->latency_count, 50);
    p->p90_ns = pulse_value_at(buckets, p->latency_count, 90);
    p->p99_ns = pulse_value_at(buckets, p->latency_count, 99);
    p->p99_9_ns = pulse_value_at(buckets, p->latency_count, 99.9);
    p->max_ns = pulse_value_at(buckets, p->latency_count, 100);
}

// `from` came right after `into`. Percentiles are found when the buckets are complete.
static void merge(struct series_point *into, uint64_t into_buckets[PULSE_BUCKETS],
                  const struct series_point *from, const uint64_t from_buckets[PULSE_BUCKETS])
{
    into->len_ns += from->len_ns;
    into->steps += from->steps;
    into->sent += from->sent;
    into->delivered += from->delivered;
    into->handshakes += from->handshakes;
    into->refused += from->refused;
    into->faults += from->faults;
    into->busy_ns += from->busy_ns;
    into->has_server = into->has_server && from->has_server;
    into->server_cpu_ns += from->server_cpu_ns;
    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        into_buckets[i] += from_buckets[i];
}

static void halve(struct series *s)
{
    for (uint32_t i = 0; 2 * i < s->count; i++) {
        struct series_point both = s->points[2 * i];

        memmove(s->buckets[i], s->buckets[2 * i], sizeof s->buckets[i]);
        if (2 * i + 1 < s->count)
            merge(&both, s->buckets[i], &s->points[2 * i + 1], s->buckets[2 * i + 1]);
        find_point_percentiles(&both, s->buckets[i]);
        s->points[i] = both;
    }
    s->count = (s->count + 1) / 2;
    s->steps_per_point *= 2;
}

void series_add(struct series *s, uint64_t origin_ns, const struct series_mark *from,
                const struct series_mark *to)
{
    const struct pulse_sample *a = &from->pulse, *b = &to->pulse;
    struct series_point step = {
        .at_ns = a->at_ns > origin_ns ? a->at_ns - origin_ns : 0,
        .len_ns = b->at_ns - a->at_ns,
        .steps = 1,
        .sent = b->sent - a->sent,
        .delivered = b->delivered - a->delivered,
        .handshakes = b->handshakes - a->handshakes,
        .refused = b->refused - a->refused,
        .faults = b->faults - a->faults,
        .busy_ns = to->busy_ns - from->busy_ns,
        .has_server = from->has_server && to->has_server,
        .server_cpu_ns = to->server_cpu_ns - from->server_cpu_ns,
    };
    uint64_t buckets[PULSE_BUCKETS];
    struct series_point *last;

    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        buckets[i] = b->buckets[i] - a->buckets[i];
    if (s->count > 0 && s->points[s->count - 1].steps < s->steps_per_point) {
        last = &s->points[s->count - 1];
        merge(last, s->buckets[s->count - 1], &step, buckets);
    } else {
        if (s->count == SERIES_POINTS_MAX)
            halve(s);
        last = &s->points[s->count++];
        *last = step;
        memcpy(s->buckets[s->count - 1], buckets, sizeof buckets);
    }
    find_point_percentiles(last, s->buckets[s->count - 1]);
}

void series_find_percentiles(struct series *s, uint32_t index)
{
    assert(index < SERIES_POINTS_MAX);
    find_point_percentiles(&s->points[index], s->buckets[index]);
}

// The same time, elsewhere.
static void add_beside(struct series *s, uint32_t index, const struct series_point *from,
                       const uint64_t from_buckets[PULSE_BUCKETS])
{
    struct series_point *into = &s->points[index];

    into->len_ns = from->len_ns > into->len_ns ? from->len_ns : into->len_ns;
    into->steps = from->steps > into->steps ? from->steps : into->steps;
    into->sent += from->sent;
    into->delivered += from->delivered;
    into->handshakes += from->handshakes;
    into->refused += from->refused;
    into->faults += from->faults;
    into->busy_ns += from->busy_ns;
    into->has_server = into->has_server || from->has_server;
    into->server_cpu_ns += from->server_cpu_ns;
    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        s->buckets[index][i] += from_buckets[i];
    series_find_percentiles(s, index);
}

void series_merge(struct series *into, struct series *from)
{
    while (into->count > 0 && into->steps_per_point < from->steps_per_point)
        halve(into);
    while (from->count > 0 && from->steps_per_point < into->steps_per_point)
        halve(from);
    into->steps_per_point = from->steps_per_point;
    for (uint32_t i = 0; i < from->count; i++) {
        if (i < into->count) {
            add_beside(into, i, &from->points[i], from->buckets[i]);
            continue;
        }
        into->points[i] = from->points[i];
        memcpy(into->buckets[i], from->buckets[i], sizeof into->buckets[i]);
        into->count = i + 1;
    }
}
