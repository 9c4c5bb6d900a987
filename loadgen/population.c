// Lays out the users of a shard: group after group, unit after unit, the leader of each unit first.
// Everything they need on the message path is allocated here.
#include "population.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard.h"

static uint32_t power_of_two_from(uint32_t n)
{
    uint32_t p = 1;

    while (p < n)
        p *= 2;
    return p;
}

// Of a thread.
static uint32_t count_senders(const struct options *o, uint32_t thread)
{
    uint32_t users[GROUPS_MAX], senders = 0;

    group_deal(o->groups, o->group_count, thread, o->threads, users);
    for (uint32_t i = 0; i < o->group_count; i++)
        senders += group_senders(&o->groups[i], users[i]);
    return senders;
}

struct plan_slots population_slots(const struct options *o, uint32_t thread)
{
    struct plan_slots slots = {.part = thread, .parts = o->threads, .base = UINT32_MAX};

    for (uint32_t i = 0; i < o->threads; i++) {
        uint32_t senders = count_senders(o, i);

        slots.total += senders;
        if (senders < slots.base)
            slots.base = senders;
        if (i == thread)
            slots.senders = senders;
    }
    for (uint32_t i = 0; i < thread; i++)
        slots.extra_before += count_senders(o, i) - slots.base;
    return slots;
}

// Envelopes or rounds that can wait on a sender.
static uint32_t due_depth(const struct shard *s)
{
    return shard_is_open_loop(s) ? SHARD_BACKLOG : power_of_two_from(s->options->in_flight);
}

// Sends of a sender that the budget remembers.
static uint32_t trail_depth(const struct shard *s)
{
    bool is_known = !shard_is_open_loop(s);

    for (uint32_t i = 0; i < s->options->group_count; i++)
        is_known = is_known && s->options->groups[i].behaviour != GROUP_FAN_OUT;
    return budget_trail_depth(s->client_count, is_known ? s->options->in_flight : 0);
}

static int allocate(struct shard *s)
{
    uint32_t senders = 0, dialogs = 0, broadcasters = 0, depth = due_depth(s);

    for (uint32_t i = 0; i < s->options->group_count; i++) {
        const struct group *g = &s->options->groups[i];
        uint32_t users = s->group_users[i];

        senders += group_senders(g, users);
        if (g->behaviour == GROUP_FAN_OUT) {
            broadcasters += users / group_unit_users(g);
            dialogs += users / group_unit_users(g) * g->recipients;
        }
    }
    // calloc of nothing may be NULL: one more of each.
    s->clients = aligned_alloc(CACHE_LINE_BYTES, s->client_count * sizeof *s->clients);
    if (s->clients)
        memset(s->clients, 0, s->client_count * sizeof *s->clients);
    s->rearm = calloc(s->client_count, sizeof(*s->rearm));
    s->senders = calloc(senders + 1, sizeof(*s->senders));
    s->dialogs = calloc(dialogs + 1, sizeof *s->dialogs);
    s->due_slab = calloc((size_t)senders * depth + 1, sizeof *s->due_slab);
    s->trail_slab = calloc((size_t)senders * trail_depth(s) + 1, sizeof *s->trail_slab);
    s->rounds = calloc((size_t)broadcasters * depth + 1, sizeof *s->rounds);
    return s->clients && s->rearm && s->senders && s->dialogs && s->due_slab && s->trail_slab &&
                   s->rounds
               ? 0
               : -ENOMEM;
}

static void add_sender(struct shard *s, struct client *c)
{
    uint32_t depth = due_depth(s);

    c->due = s->due_slab + (size_t)s->sender_count * depth;
    c->due_mask = depth - 1;
    budget_init_trail(&c->trail, s->trail_slab + (size_t)s->sender_count * trail_depth(s),
                      trail_depth(s));
    s->senders[s->sender_count++] = c;
}

// The users of one unit, the first `count` from `leader` on.
static void make_unit(struct shard *s, struct client *leader, uint32_t count,
                      struct dialog **dialogs, struct client_round **rounds)
{
    const struct group *g = leader->group;
    uint32_t depth = due_depth(s), senders = group_senders(g, count);

    leader->leader = leader;
    leader->missing = count;
    leader->dialog_count = count - 1;
    leader->dialogs = &leader->dialog;
    if (g->behaviour == GROUP_FAN_OUT && count > 2) {
        leader->dialogs = *dialogs;
        leader->rounds = *rounds;
        *dialogs += count - 1;
        *rounds += depth;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct client *c = leader + i;

        c->leader = leader;
        c->dialog_count = 1;
        c->dialogs = &c->dialog;
        dialog_join(&leader->dialogs[i - 1], leader, i - 1, &c->dialog, c);
    }
    for (uint32_t i = 0; i < senders; i++)
        add_sender(s, leader + i);
    s->initiator_count++;
    s->responder_count += count - 1;
}

int population_init(struct shard *s)
{
    int err = allocate(s);
    struct dialog *dialogs = s->dialogs;
    struct client_round *rounds = s->rounds;
    uint32_t slot = 0;

    if (err < 0)
        return err;
    for (uint32_t i = 0; i < s->options->group_count; i++) {
        const struct group *g = &s->options->groups[i];
        uint32_t unit = group_unit_users(g);

        for (uint32_t n = 0; n < s->group_users[i]; n++, slot++) {
            struct client *c = &s->clients[slot];

            c->number = s->first_number + slot;
            c->slot = slot;
            c->group = g;
            c->tally = &s->tally.groups[i];
            c->is_apart = s->options->group_count > 1 || group_is_offline(g);
            budget_init_trail(&c->trail, NULL, 1); // who sends gets a longer one
            timer_init(&c->timer);
        }
        for (uint32_t n = 0; n < s->group_users[i] && unit > 1; n += unit)
            make_unit(s, &s->clients[slot - s->group_users[i] + n], unit, &dialogs, &rounds);
    }
    assert(slot == s->client_count);
    return 0;
}

// What came although it was refused so long ago that the ledger could not tell (ledger_refuse): it
// was answered twice, and must not hide one of another dialog that is lost.
static void settle(struct shard *s, struct dialog *d)
{
    uint64_t answered = d->peer->received + d->refused;
    uint64_t twice = answered > d->next_sequence ? answered - d->next_sequence : 0;

    s->tally.ledger.duplicate += twice;
    s->tally.ledger.refused -= twice;
    d->refused -= twice;
}

void population_count(struct shard *s)
{
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];

        for (uint32_t n = 0; n < c->dialog_count; n++) {
            settle(s, &c->dialogs[n]);
            c->tally->sent += c->dialogs[n].next_sequence;
            c->tally->received += c->dialogs[n].received;
            c->tally->refused += c->dialogs[n].refused;
        }
    }
    if (!s->clients[0].is_apart)
        s->tally.groups[0].delivered = s->tally.delivered;
}

void population_free(struct shard *s)
{
    free(s->rounds);
    free(s->trail_slab);
    free(s->due_slab);
    free(s->dialogs);
    free(s->senders);
    free(s->rearm);
    free(s->clients);
}
