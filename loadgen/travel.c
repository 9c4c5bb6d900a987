// Departures and returns of a shard's users. Runs on the shard's thread; never allocates after
// travel_init. What a turn does here is bounded by the units that are on their way.
#include "travel.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "clock.h"
#include "shard.h"

// A unit that is not quiet by then leaves all the same (counted): something was lost, or is stuck.
// A mailbox may hold megabytes.
#define QUIET_NS (2 * NS_PER_S)
#define QUIET_OFFLINE_NS (10 * NS_PER_S)
// After a connection that failed on the way back.
#define RETRY_NS (100 * NS_PER_MS)
#define TRIES_MAX 30u
// Of its mean: what an exponential time may last at most.
#define EXPONENTIAL_MAX 20.0

int travel_init(struct shard *s)
{
    struct travels *t = &s->travels;

    t->stopping = calloc(s->client_count, sizeof(*t->stopping));
    t->returning = calloc(s->client_count, sizeof(*t->returning));
    t->random = s->options->seed ^ (uint64_t)(s->index + 1) * 0x9E3779B97F4A7C15ull;
    for (uint32_t i = 0; i < GROUPS_MAX; i++)
        t->storms[i].next_ns = UINT64_MAX;
    return t->stopping && t->returning ? 0 : -ENOMEM;
}

void travel_free(struct shard *s)
{
    free(s->travels.stopping);
    free(s->travels.returning);
}

static uint64_t exponential_ns(struct shard *s, uint64_t mean_ns)
{
    uint64_t z = s->travels.random += 0x9E3779B97F4A7C15ull; // splitmix64
    double times;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
    times = -log(((double)(z >> 11) + 1) * 0x1p-53); // of (0, 1]
    return (uint64_t)((times < EXPONENTIAL_MAX ? times : EXPONENTIAL_MAX) * (double)mean_ns);
}

static struct client *other(const struct client *leader)
{
    return leader->dialogs[0].partner;
}

static struct travel_storm *storm_of(struct shard *s, const struct client *c)
{
    return &s->travels.storms[c->group - s->options->groups];
}

static bool is_there(const struct client *leader)
{
    return leader->state == CLIENT_READY && other(leader)->state == CLIENT_READY;
}

// ---- leaving ------------------------------------------------------------------------------------

static void stop(struct shard *s, struct client *leader)
{
    struct travels *t = &s->travels;

    leader->travel = CLIENT_STOPPING;
    leader->travel_since_ns = s->now_ns;
    if (!group_is_offline(leader->group))
        leader->is_talking = other(leader)->is_talking = false;
    assert(t->stopping_count < s->client_count);
    t->stopping[t->stopping_count++] = leader;
}

// Has everything this user sent arrived or been refused, and been said?
static bool is_quiet_side(const struct client *c)
{
    const struct dialog *d = &c->dialogs[0];
    bool is_durable = d->header[2] != 0; // its flags

    return c->due_count == 0 && dialog_in_flight(d) == 0 && c->control.len == 0 &&
           c->acks.len == 0 && !c->is_sending &&
           (!is_durable || c->accepted + (uint32_t)d->refused == (uint32_t)d->next_sequence);
}

static void storm_drop(struct shard *s, struct travel_storm *storm);

static void leave(struct shard *s, struct client *leader)
{
    struct travel_storm *storm = storm_of(s, leader);

    leader->travel = CLIENT_LEAVING;
    if (leader->group->behaviour == GROUP_STORM) {
        if (--storm->not_quiet == 0)
            storm_drop(s, storm);
        return;
    }
    leader->tally->departures += group_is_offline(leader->group) ? 1 : 2;
    client_leave(s, other(leader));
    if (!group_is_offline(leader->group))
        client_leave(s, leader);
}

// Offline: the mailbox is empty.
static void finish_drain(struct client *leader)
{
    leader->is_draining = false;
    leader->tally->drained += leader->queued;
    if (leader->queued > 0)
        hist_record(&leader->tally->drain, clock_now_ns() - leader->travel_since_ns);
}

// One that stops: true when it does so no longer.
static bool settle(struct shard *s, struct client *leader)
{
    uint64_t limit_ns = group_is_offline(leader->group) ? QUIET_OFFLINE_NS : QUIET_NS;
    bool is_quiet, was_long = s->now_ns > leader->travel_since_ns + limit_ns;
    struct travel_storm *storm = storm_of(s, leader);

    if (!is_there(leader)) { // somebody is lost: the other one stays alone
        leader->travel = CLIENT_PRESENT;
        if (leader->group->behaviour == GROUP_STORM && --storm->not_quiet == 0)
            storm_drop(s, storm);
        return true;
    }
    if (leader->is_draining && dialog_in_flight(&leader->dialogs[0]) == 0)
        finish_drain(leader);
    if (!shard_is_loading(s)) { // nobody leaves any more
        if (!leader->is_draining)
            leader->travel = CLIENT_PRESENT;
        if (!group_is_offline(leader->group)) // an open loop still owes what was scheduled
            leader->is_talking = other(leader)->is_talking = true;
        return !leader->is_draining;
    }
    is_quiet = is_quiet_side(leader) && is_quiet_side(other(leader));
    if (!is_quiet && !was_long)
        return false;
    leader->tally->impatient += !is_quiet;
    leader->is_draining = false;
    leave(s, leader);
    return true;
}

// ---- coming back --------------------------------------------------------------------------------

static void push_returning(struct shard *s, struct client *c)
{
    struct travels *t = &s->travels;

    assert(t->returning_count < s->client_count);
    t->returning[(t->returning_head + t->returning_count++) % s->client_count] = c;
}

static void come_back(struct shard *s, struct client *leader)
{
    leader->travel = CLIENT_RETURNING;
    leader->left_to_send = 0;
    leader->missing = group_is_offline(leader->group) ? 1 : 2;
    push_returning(s, other(leader));
    if (!group_is_offline(leader->group))
        push_returning(s, leader);
}

// The closed loop begins again. What the user left in flight, if it was impatient, is part of it.
static void talk(struct shard *s, struct client *c)
{
    uint64_t left = dialog_in_flight(&c->dialogs[0]);

    c->is_talking = true;
    for (uint64_t i = left; i < s->options->in_flight && !shard_is_open_loop(s); i++) {
        bool has_room = uplink_push_due(s, c, s->now_ns, s->now_ns);

        assert(has_room);
    }
}

static void unit_is_back(struct shard *s, struct client *leader, uint64_t now_ns)
{
    struct travel_storm *storm = storm_of(s, leader);

    leader->travel = CLIENT_PRESENT;
    if (group_is_offline(leader->group)) {
        stop(s, leader);
        leader->travel_since_ns = now_ns;
        leader->is_draining = true;
        leader->queued = (uint32_t)dialog_in_flight(&leader->dialogs[0]);
        return;
    }
    if (leader->group->behaviour == GROUP_STORM && --storm->not_back == 0) {
        storm->is_on = false;
        if (!storm->has_losses)
            hist_record(&leader->tally->recovery, now_ns - storm->dropped_ns);
    }
    if (!shard_is_loading(s) || !is_there(leader))
        return;
    talk(s, leader);
    talk(s, other(leader));
    if (leader->group->behaviour == GROUP_CHURN)
        timer_arm(&s->timers, &leader->timer, now_ns + exponential_ns(s, leader->group->online_ns));
}

void travel_on_ready(struct shard *s, struct client *c, uint64_t now_ns)
{
    struct client *leader = c->leader;

    c->tries = 0;
    c->tally->returns++;
    // A session that the relay did not take is no failure: the handshake was a full one.
    if (c->tls && tls_was_resumed(c->tls))
        c->tally->tls_resumed++;
    else if (c->tls)
        c->tally->tls_full++;
    hist_record(&c->tally->reconnect, now_ns - c->connect_began_ns);
    // When the other one was lost meanwhile there is nobody to talk to.
    if (leader->travel == CLIENT_RETURNING && --leader->missing == 0)
        unit_is_back(s, leader, now_ns);
}

bool travel_retry(struct shard *s, struct client *c)
{
    (void)s;
    if (!c->is_registered || !c->leader || c->leader->travel != CLIENT_RETURNING ||
        c->tries == TRIES_MAX)
        return false;
    c->tries++;
    c->tally->retries++;
    return true;
}

void travel_on_lost(struct shard *s, struct client *c)
{
    struct client *leader = c->leader;
    struct travel_storm *storm;

    if (!leader || leader->group->behaviour != GROUP_STORM)
        return;
    storm = storm_of(s, leader);
    storm->has_losses = true;
    if (leader->travel == CLIENT_RETURNING) {
        leader->travel = CLIENT_PRESENT;
        storm->is_on = --storm->not_back > 0;
    }
}

// Everybody of the unit who leaves has no connection any more.
static void begin_absence(struct shard *s, struct client *leader)
{
    uint64_t away_ns = leader->group->offline_ns;
    uint32_t first = s->options->in_flight;

    leader->travel = CLIENT_ABSENT;
    if (!shard_is_loading(s)) {
        if (group_is_offline(leader->group))
            come_back(s, leader);
        return;
    }
    if (!group_is_offline(leader->group))
        away_ns = exponential_ns(s, away_ns);
    timer_arm(&s->timers, &leader->timer, clock_now_ns() + away_ns);
    if (!group_is_offline(leader->group) || shard_is_open_loop(s) || leader->state != CLIENT_READY)
        return;
    leader->left_to_send = leader->group->messages;
    for (uint32_t i = 0; i < first; i++)
        travel_on_taken(s, leader);
}

void travel_on_taken(struct shard *s, struct client *c)
{
    if (c->left_to_send == 0 || !shard_is_loading(s) || s->now_ns >= s->end_ns)
        return;
    if (uplink_push_due(s, c, s->now_ns, s->now_ns))
        c->left_to_send--;
}

void travel_on_gone(struct shard *s, struct client *c)
{
    struct client *leader = c->leader;
    bool leader_is_away = leader->state == CLIENT_AWAY && client_is_back(leader);
    bool other_is_away = other(leader)->state == CLIENT_AWAY && client_is_back(other(leader));

    if (leader->travel == CLIENT_LEAVING && other_is_away &&
        (leader_is_away || group_is_offline(leader->group)))
        begin_absence(s, leader);
    else if (leader->travel == CLIENT_RETURNING && c->tries > 0)
        timer_arm(&s->timers, &c->timer, clock_now_ns() + RETRY_NS);
    else if (leader->travel == CLIENT_RETURNING)
        push_returning(s, c);
}

void travel_on_timer(struct shard *s, struct client *c)
{
    if (c->is_leaving && !client_is_gone(c)) {
        client_drop(s, c); // the relay does not answer our close
    } else if (c->state == CLIENT_AWAY && c->leader->travel == CLIENT_RETURNING) {
        push_returning(s, c); // another try
    } else if (client_is_leader(c) && c->travel == CLIENT_ABSENT) {
        if (shard_is_loading(s))
            come_back(s, c);
    } else if (client_is_leader(c) && c->travel == CLIENT_PRESENT && is_there(c)) {
        if (shard_is_loading(s))
            stop(s, c);
    }
}

// ---- storms -------------------------------------------------------------------------------------

// All units of the group that are quiet lose their connections, now.
static void storm_drop(struct shard *s, struct travel_storm *storm)
{
    const struct group *g = &s->options->groups[storm - s->travels.storms];

    storm->dropped_ns = clock_now_ns();
    storm->not_back = 0;
    storm->has_losses = false;
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];

        if (c->group != g || !client_is_leader(c) || c->travel != CLIENT_LEAVING)
            continue;
        c->travel = CLIENT_PRESENT;
        if (!is_there(c))
            continue;
        client_drop(s, c);
        client_drop(s, other(c));
        c->travel = CLIENT_RETURNING;
        c->missing = 2;
        c->tally->departures += 2;
        storm->not_back++;
    }
    storm->is_on = storm->not_back > 0;
    s->tally.groups[g - s->options->groups].storms += storm->is_on;
}

static void storm_begin(struct shard *s, struct travel_storm *storm)
{
    const struct group *g = &s->options->groups[storm - s->travels.storms];

    while (storm->next_ns <= s->now_ns)
        storm->next_ns += g->every_ns;
    if (storm->is_on) // the last one is not over: this one does not take place
        return;
    storm->not_quiet = 0;
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];

        if (c->group == g && client_is_leader(c) && c->travel == CLIENT_PRESENT && is_there(c)) {
            storm->not_quiet++;
            stop(s, c);
        }
    }
    storm->is_on = storm->not_quiet > 0;
}

uint64_t travel_next_ns(const struct shard *s)
{
    uint64_t next_ns = UINT64_MAX;

    for (uint32_t i = 0; i < s->options->group_count; i++) {
        if (s->travels.storms[i].next_ns < next_ns)
            next_ns = s->travels.storms[i].next_ns;
    }
    return next_ns;
}

// ---- the run's course ---------------------------------------------------------------------------

void travel_begin_load(struct shard *s)
{
    for (uint32_t i = 0; i < s->options->group_count; i++) {
        if (s->options->groups[i].behaviour == GROUP_STORM && s->group_users[i] > 0)
            s->travels.storms[i].next_ns = s->start_ns + s->options->groups[i].every_ns;
    }
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];

        if (!client_is_leader(c) || !is_there(c))
            continue;
        if (c->group->behaviour == GROUP_CHURN)
            timer_arm(&s->timers, &c->timer, s->now_ns + exponential_ns(s, c->group->online_ns));
        else if (c->group->behaviour == GROUP_OFFLINE)
            stop(s, c);
    }
}

void travel_end_load(struct shard *s)
{
    for (uint32_t i = 0; i < s->options->group_count; i++)
        s->travels.storms[i].next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];

        if (client_is_leader(c) && group_is_offline(c->group) && c->travel == CLIENT_ABSENT) {
            timer_cancel(&s->timers, &c->timer);
            come_back(s, c);
        }
    }
}

void travel_turn(struct shard *s)
{
    struct travels *t = &s->travels;
    uint32_t kept = 0, count = t->stopping_count;

    if (s->phase >= SHARD_CLOSING)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (!settle(s, t->stopping[i]))
            t->stopping[kept++] = t->stopping[i];
    }
    t->stopping_count = kept;
    for (uint32_t i = 0; i < s->options->group_count; i++) {
        if (t->storms[i].next_ns <= s->now_ns && shard_is_loading(s))
            storm_begin(s, &t->storms[i]);
    }
    while (t->returning_count > 0 && s->opening < SHARD_OPENING_MAX &&
           atomic_load(&s->failure) == SHARD_FAILURE_NONE) {
        struct client *c = t->returning[t->returning_head];

        t->returning_head = (t->returning_head + 1) % s->client_count;
        t->returning_count--;
        client_reopen(s, c);
    }
}
