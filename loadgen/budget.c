// The latency budget: trails of sends and the sums of the parts. Called for every envelope: no
// clock, no allocation, no search beyond the oldest sends.
#include "budget.h"

#include <assert.h>

uint32_t budget_trail_depth(uint32_t connections, uint32_t in_flight)
{
    size_t each =
        BUDGET_TRAILS_BYTES / sizeof(struct budget_send) / (connections ? connections : 1);
    uint32_t depth = 1;

    while (depth < BUDGET_TRAIL_MAX && (in_flight == 0 || depth < in_flight) &&
           (depth < BUDGET_TRAIL_MIN || 2 * depth <= each))
        depth *= 2;
    return depth;
}

void budget_init_trail(struct budget_trail *t, struct budget_send *sends, uint32_t depth)
{
    assert(depth > 0 && depth <= BUDGET_TRAIL_MAX && (depth & (depth - 1)) == 0);
    *t = (struct budget_trail){.sends = sends, .mask = (uint16_t)(depth - 1)};
}

static struct budget_send *at(const struct budget_trail *t, uint32_t place)
{
    return &t->sends[(t->head + place) & t->mask];
}

void budget_push_send(struct budget_trail *t, uint16_t count, uint64_t sealed_ns)
{
    uint16_t number = t->next++;

    t->under_way = 0;
    if (t->count > t->mask)
        return;
    *at(t, t->count) =
        (struct budget_send){.number = number, .left = count, .sealed_ns = sealed_ns};
    t->under_way = (uint16_t)(((t->head + t->count++) & t->mask) + 1);
}

void budget_complete_send(struct budget_trail *t, uint64_t taken_ns)
{
    // Also when it was forgotten meanwhile: its entry is free until the next send is pushed.
    if (t->under_way > 0)
        t->sends[t->under_way - 1].taken_ns = taken_ns;
    t->under_way = 0;
}

// Later than the oldest by how many sends, those that were not remembered included. Numbers wrap.
static int32_t behind(const struct budget_trail *t, uint16_t number)
{
    return (int16_t)(number - at(t, 0)->number);
}

static void forget_old(struct budget_trail *t, uint16_t number)
{
    while (t->count > 0 && (at(t, 0)->left == 0 || behind(t, number) > (t->mask + 1) / 2)) {
        t->head = (t->head + 1) & t->mask;
        t->count--;
    }
}

// NULL when it is not remembered (any more).
static struct budget_send *find(const struct budget_trail *t, uint16_t number)
{
    int32_t wanted = t->count > 0 ? behind(t, number) : -1;
    uint32_t from = 0, to = t->count;

    // In the usual case none is missing in between, and it is right there.
    if (wanted >= 0 && wanted < (int32_t)t->count && at(t, (uint32_t)wanted)->number == number)
        return at(t, (uint32_t)wanted);
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        int16_t off = (int16_t)(number - at(t, middle)->number);

        if (off == 0)
            return at(t, middle);
        if (off > 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

void budget_find_send(struct budget_trail *t, uint16_t number, struct budget_times *times)
{
    struct budget_send *send;

    times->sealed_ns = times->taken_ns = 0;
    forget_old(t, number);
    send = find(t, number);
    if (!send || send->left == 0)
        return;
    // A piece received in part before the rest was taken: when the kernel took this one is not
    // known.
    if (send->taken_ns != 0) {
        times->sealed_ns = send->sealed_ns;
        times->taken_ns = send->taken_ns;
    }
    send->left--;
    forget_old(t, number);
}

void budget_add(struct budget *b, const struct budget_times *times, uint64_t count)
{
    const struct budget_times *t = times;

    b->count += count;
    b->response_ns += (t->opened_ns - t->intended_ns) * count;
    b->part_ns[BUDGET_schedule_lag] += (t->noticed_ns - t->intended_ns) * count;
    b->part_ns[BUDGET_send_queue] += (t->sent_ns - t->noticed_ns) * count;
    b->part_ns[BUDGET_open] += (t->opened_ns - t->received_ns) * count;
    if (t->sealed_ns == 0) {
        b->unattributed += count;
        b->part_ns[BUDGET_unattributed] += (t->received_ns - t->sent_ns) * count;
        return;
    }
    b->part_ns[BUDGET_seal] += (t->sealed_ns - t->sent_ns) * count;
    b->part_ns[BUDGET_socket_queue] += (t->taken_ns - t->sealed_ns) * count;
    b->part_ns[BUDGET_server_network] += (t->received_ns - t->taken_ns) * count;
}

void budget_merge(struct budget *into, const struct budget *from)
{
    into->count += from->count;
    into->unattributed += from->unattributed;
    into->response_ns += from->response_ns;
    for (unsigned i = 0; i < BUDGET_PART_COUNT; i++)
        into->part_ns[i] += from->part_ns[i];
}

double budget_mean_ns(const struct budget *b, enum budget_part part)
{
    return b->count == 0 ? 0 : (double)b->part_ns[part] / (double)b->count;
}

double budget_mean_response_ns(const struct budget *b)
{
    return b->count == 0 ? 0 : (double)b->response_ns / (double)b->count;
}

const char *budget_part_name(enum budget_part part)
{
    static const char *const names[] = {
#define X(name) #name,
        BUDGET_PARTS(X)
#undef X
    };

    return names[part];
}
