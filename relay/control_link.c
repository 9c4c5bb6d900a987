// The control thread: takes events from every worker, runs the control plane, brings actions back.
#include "control_link.h"

#include <urcu-qsbr.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "conn.h"
#include "mailbox.h"
#include "message.h"
#include "outbox.h"
#include "route.h"
#include "send.h"
#include "spsc.h"
#include "waker.h"
#include "worker.h"

#define TICK_NS NS_PER_S
#define EVENTS_PER_TURN 256u // of one worker, before the next worker's
#define FULL_WAIT_MS 1       // for a worker whose ring of actions is full; it never waits for us

struct lane {
    struct spsc events;           // the worker pushes
    struct spsc actions;          // the control thread pushes
    _Atomic uint64_t event_bytes; // in `events`
    bool pushed_events;           // the worker's: since its last wake of us
    bool pushed_actions;          // ours
};

struct control_link {
    struct control *control;
    struct lane *lanes; // by worker
    struct worker *workers;
    uint32_t worker_count;
    struct mailbox_directory *directory;
    struct waker waker;
    pthread_t thread;
    _Atomic bool stopping;
    struct stats stats;
};

// ---- the control thread -------------------------------------------------------------------------

static void wake_workers(struct control_link *l)
{
    for (uint32_t i = 0; i < l->worker_count; i++) {
        if (!l->lanes[i].pushed_actions)
            continue;
        l->lanes[i].pushed_actions = false;
        waker_wake(&l->workers[i].waker);
    }
}

static void act(void *ctx, const struct control_action *action)
{
    struct control_link *l = ctx;
    struct lane *lane = &l->lanes[action->peer.worker];

    lane->pushed_actions = true;
    while (!spsc_push(&lane->actions, action)) {
        // The worker empties its ring every turn; it has ended only once we are stopping.
        if (atomic_load_explicit(&l->stopping, memory_order_acquire)) {
            free(action->data);
            return;
        }
        wake_workers(l);
        lane->pushed_actions = true;
        poll(NULL, 0, FULL_WAIT_MS);
    }
}

static int attach(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer)
{
    struct control_link *l = ctx;

    return mailbox_attach(l->directory, mailbox, peer);
}

static void detach(void *ctx, const uint8_t mailbox[WIRE_MAILBOX_BYTES], struct peer peer)
{
    struct control_link *l = ctx;

    mailbox_detach(l->directory, mailbox, peer);
}

static bool handle_events(struct control_link *l)
{
    uint64_t now_ns = clock_now_ns();
    struct control_event event;
    bool any = false;

    for (uint32_t i = 0; i < l->worker_count; i++) {
        for (uint32_t n = 0; n < EVENTS_PER_TURN && spsc_pop(&l->lanes[i].events, &event); n++) {
            atomic_fetch_sub_explicit(&l->lanes[i].event_bytes, event.len, memory_order_relaxed);
            control_handle_event(l->control, &event, now_ns);
            any = true;
        }
    }
    return any;
}

static bool is_idle(struct control_link *l)
{
    for (uint32_t i = 0; i < l->worker_count; i++)
        if (!spsc_is_empty(&l->lanes[i].events))
            return false;
    return true;
}

static void rest(struct control_link *l, uint64_t until_ns)
{
    struct pollfd p = {.fd = l->waker.fd, .events = POLLIN};
    uint64_t now_ns = clock_now_ns(), count;

    waker_park(&l->waker);
    if (is_idle(l) && now_ns < until_ns &&
        !atomic_load_explicit(&l->stopping, memory_order_acquire)) {
        if (poll(&p, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1) > 0 &&
            read(l->waker.fd, &count, sizeof count) < 0)
            assert(errno == EAGAIN);
    }
    waker_unpark(&l->waker);
}

static void *run(void *arg)
{
    struct control_link *l = arg;
    uint64_t tick_ns = clock_now_ns() + TICK_NS;

    urcu_qsbr_register_thread();
    pthread_setname_np(pthread_self(), "control");
    while (!atomic_load_explicit(&l->stopping, memory_order_acquire)) {
        bool any = handle_events(l);

        wake_workers(l);
        if (clock_now_ns() >= tick_ns) {
            control_tick(l->control, clock_now_ns());
            mailbox_reclaim(l->directory);
            tick_ns = clock_now_ns() + TICK_NS;
        }
        urcu_qsbr_quiescent_state();
        if (any)
            continue;
        urcu_qsbr_thread_offline();
        rest(l, tick_ns);
        urcu_qsbr_thread_online();
    }
    while (handle_events(l))
        ;
    urcu_qsbr_unregister_thread();
    return NULL;
}

static void free_lanes(struct control_link *l)
{
    for (uint32_t i = 0; i < l->worker_count; i++) {
        struct control_action action;

        while (spsc_pop(&l->lanes[i].actions, &action))
            free(action.data);
        spsc_free(&l->lanes[i].events);
        spsc_free(&l->lanes[i].actions);
    }
    free(l->lanes);
}

struct control_link *control_link_create(const struct config *config, struct worker *workers,
                                         struct mailbox_directory *directory)
{
    struct control_link *l = calloc(1, sizeof *l);
    struct control_config settings = {
        .workers = config->workers,
        .slots = config->connections,
        .max_users = config->max_users,
        .bundle_rate_per_s = config->bundle_rate_per_s,
        .bundle_burst = config->bundle_rate_per_s == LIMIT_BUNDLE_RATE_PER_S
                            ? LIMIT_BUNDLE_BURST
                            : 2 * config->bundle_rate_per_s,
        .login_timeout_ms = config->login_timeout_ms,
        .outbox_bytes = config->outbox_bytes,
        .max_ttl_s = config->max_ttl_s,
        .store_total_bytes = config->store_bytes,
        .prekey_total_bytes = config->prekey_bytes,
    };
    struct control_ops ops = {.ctx = l, .act = act, .attach = attach, .detach = detach};

    if (!l)
        return NULL;
    l->workers = workers;
    l->worker_count = config->workers;
    l->directory = directory;
    if (waker_init(&l->waker, EFD_NONBLOCK) < 0)
        goto cleanup_link;
    l->lanes = aligned_alloc(CACHE_LINE_BYTES, l->worker_count * sizeof *l->lanes);
    if (!l->lanes)
        goto cleanup_waker;
    memset(l->lanes, 0, l->worker_count * sizeof *l->lanes);
    for (uint32_t i = 0; i < l->worker_count; i++)
        if (spsc_init(&l->lanes[i].events, sizeof(struct control_event), LIMIT_CONTROL_EVENTS) <
                0 ||
            spsc_init(&l->lanes[i].actions, sizeof(struct control_action), LIMIT_CONTROL_ACTIONS) <
                0)
            goto cleanup_lanes;
    l->control = control_create(&settings, &ops, &l->stats);
    if (!l->control)
        goto cleanup_lanes;
    if (pthread_create(&l->thread, NULL, run, l) != 0)
        goto cleanup_control;
    return l;

cleanup_control:
    control_destroy(l->control);
cleanup_lanes:
    free_lanes(l);
cleanup_waker:
    waker_free(&l->waker);
cleanup_link:
    free(l);
    return NULL;
}

void control_link_destroy(struct control_link *l)
{
    if (!l)
        return;
    atomic_store_explicit(&l->stopping, true, memory_order_release);
    waker_wake(&l->waker);
    pthread_join(l->thread, NULL);
    control_destroy(l->control);
    free_lanes(l);
    waker_free(&l->waker);
    free(l);
}

const struct stats *control_link_stats(const struct control_link *l)
{
    return &l->stats;
}

// ---- the workers --------------------------------------------------------------------------------

bool control_link_push(struct worker *w, enum control_event_op op, struct peer peer,
                       const void *bytes, size_t len)
{
    struct lane *lane = &w->control->lanes[w->number];
    struct control_event event = {.op = op, .peer = peer, .len = (uint32_t)len};

    if (spsc_room(&lane->events) == 0 ||
        atomic_load_explicit(&lane->event_bytes, memory_order_relaxed) + len >
            LIMIT_CONTROL_EVENT_BYTES)
        return false;
    if (len > 0) {
        event.data = malloc(len);
        if (!event.data)
            return false;
        memcpy(event.data, bytes, len);
    }
    atomic_fetch_add_explicit(&lane->event_bytes, len, memory_order_relaxed);
    if (!spsc_push(&lane->events, &event)) {
        atomic_fetch_sub_explicit(&lane->event_bytes, len, memory_order_relaxed);
        free(event.data);
        return false;
    }
    lane->pushed_events = true;
    return true;
}

static void send_action(struct worker *w, struct conn *c, enum ws_opcode opcode,
                        const struct control_action *action)
{
    if (outbox_push_copy(w, c, (int)opcode, action->data, action->len) ||
        (send_early(w, c) && outbox_push_copy(w, c, (int)opcode, action->data, action->len)))
        return;
    if (!conn_is_alive(c) || c->state == CONN_CLOSING)
        return;
    // An answer must not be missing from the sequence, nor a durable envelope wait for a reader
    // that does not read: it is delivered again at the next login.
    stats_bump(&w->stats, STATS_closed_outbox_full);
    conn_close(w, c, 4408);
}

static void route_action(struct worker *w, struct conn *c, const struct control_action *action)
{
    struct wire_envelope envelope;
    uint8_t *message = receive_copy(w, action->data, action->len);

    if (!message) {
        stats_bump(&w->stats, STATS_refused_relay_busy);
        message_refuse(w, c, "relay_busy", "no buffer for the envelope, try again", NULL);
        return;
    }
    if (wire_decode_envelope(&envelope, message, action->len, LIMIT_ENVELOPE_BYTES) < 0)
        assert(false && "the control plane lets valid envelopes through only");
    stats_bump(&w->stats, STATS_envelopes_in);
    route_envelope(w, c, &envelope, message, action->len);
}

static void carry_out(struct worker *w, const struct control_action *action)
{
    struct conn *c = conn_find(w, action->peer.slot, action->peer.generation);

    // An envelope that was sent before the close still goes its way.
    if (!c || (c->state != CONN_OPEN && action->op != CONTROL_ROUTE))
        return;
    switch (action->op) {
    case CONTROL_SEND_TEXT:
        send_action(w, c, WS_TEXT, action);
        // The answer to the login stands before the first envelope.
        c->reachable = c->logged_in;
        break;
    case CONTROL_SEND_ENVELOPE:
        send_action(w, c, WS_BINARY, action);
        break;
    case CONTROL_ROUTE:
        route_action(w, c, action);
        break;
    case CONTROL_LOGGED_IN:
        conn_logged_in(w, c, action->mailbox);
        break;
    case CONTROL_CLOSE:
        if (action->close_code == 4409)
            stats_bump(&w->stats, STATS_closed_displaced);
        conn_close(w, c, action->close_code);
        break;
    }
}

void control_link_deliver(struct worker *w)
{
    struct lane *lane = &w->control->lanes[w->number];
    struct control_action action;

    while (spsc_pop(&lane->actions, &action)) {
        carry_out(w, &action);
        free(action.data);
        send_make_room(w);
    }
}

void control_link_wake(struct worker *w)
{
    struct lane *lane = &w->control->lanes[w->number];

    if (!lane->pushed_events)
        return;
    lane->pushed_events = false;
    waker_wake(&w->control->waker);
}

bool control_link_is_idle(const struct worker *w)
{
    return spsc_is_empty(&w->control->lanes[w->number].actions);
}
