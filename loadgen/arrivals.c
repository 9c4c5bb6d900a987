// Opened envelopes into histograms, a run of equal ones at a time. Never allocates, no clock.
#include "arrivals.h"

#include "shard.h"

static bool is_same(const struct budget_times *a, const struct budget_times *b)
{
    uint64_t differs = 0;

    differs |= a->intended_ns ^ b->intended_ns;
    differs |= a->noticed_ns ^ b->noticed_ns;
    differs |= a->sent_ns ^ b->sent_ns;
    differs |= a->sealed_ns ^ b->sealed_ns;
    differs |= a->taken_ns ^ b->taken_ns;
    differs |= a->received_ns ^ b->received_ns;
    differs |= a->opened_ns ^ b->opened_ns;
    return differs == 0;
}

static void record(struct shard *s, const struct budget_times *times, uint32_t count)
{
    struct stage_tally *stage = shard_find_stage(s, times->intended_ns);
    struct tally *t = &s->tally;
    uint64_t response_ns = times->opened_ns - times->intended_ns;

    budget_add(&t->budget, times, count);
    hist_record_many(&t->response, response_ns, count);
    hist_record_many(&t->uncorrected, times->opened_ns - times->sent_ns, count);
    hist_record_many(&t->open, times->opened_ns - times->received_ns, count);
    if (stage) {
        stage->delivered += count;
        hist_record_many(&stage->response, response_ns, count);
    }
    if (times->sealed_ns == 0)
        return;
    hist_record_many(&t->seal, times->sealed_ns - times->sent_ns, count);
    hist_record_many(&t->socket_queue, times->taken_ns - times->sealed_ns, count);
    hist_record_many(&t->server_network, times->received_ns - times->taken_ns, count);
}

void arrivals_flush(struct shard *s)
{
    struct arrivals *a = &s->arrivals;

    if (a->count == 0)
        return;
    pulse_record(&s->pulse, a->times.opened_ns - a->times.intended_ns, a->count);
    if (a->is_measured)
        record(s, &a->times, a->count);
    a->count = 0;
}

void arrivals_push(struct shard *s, const struct budget_times *times, bool is_measured)
{
    struct arrivals *a = &s->arrivals;

    if (a->count > 0 && (a->is_measured != is_measured || !is_same(&a->times, times)))
        arrivals_flush(s);
    a->times = *times;
    a->is_measured = is_measured;
    a->count++;
}
