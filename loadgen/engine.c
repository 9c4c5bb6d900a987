// The loop of one generator thread. One thread = one ring = its own connections; it shares nothing
// with the others. Reads the clock about five times a turn, whatever the turn carries.
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "clock.h"
#include "cpu.h"
#include "population.h"
#include "procstat.h"
#include "reader.h"

#define SQ_ENTRIES 2048u
#define RECEIVE_GROUP 1u
// The run's times may change (an interrupt): look at least this often.
#define WAIT_MAX_NS (20 * NS_PER_MS)
#define STALL_NS (100 * NS_PER_MS)
#define CLOSE_NS NS_PER_S
#define BLIND_MAX_NS (10 * NS_PER_S)
// Arrivals noticed in a turn: after a stall the backlog is worked off without starving receives.
#define PACE_MAX 1024u
#define PREFETCH_AHEAD 4u

void shard_fail(struct shard *s, enum shard_failure failure, const char *format, ...)
{
    va_list args;

    if (atomic_load(&s->failure) != SHARD_FAILURE_NONE)
        return;
    va_start(args, format);
    vsnprintf(s->failure_text, sizeof s->failure_text, format, args);
    va_end(args);
    atomic_store(&s->failure, (int)failure);
    atomic_store(&s->clock->stop, true);
    pthread_kill(s->coordinator, SIGUSR1);
}

static uint32_t power_of_two_from(uint32_t n, uint32_t min, uint32_t max)
{
    uint32_t p = min;

    while (p < n && p < max)
        p *= 2;
    return p;
}

static int init(struct shard *s)
{
    // A whole envelope frame and a control message fit a chunk.
    uint32_t frame = s->options->payload_bytes + 256;
    uint32_t control =
        options_are_post_quantum(s->options) ? SHARD_POST_QUANTUM_CHUNK_BYTES : SHARD_CHUNK_BYTES;
    uint32_t chunk = frame > control ? frame : control;
    uint32_t buffers = power_of_two_from(s->client_count, 256, 4096);
    int err = ring_init(&s->ring, SQ_ENTRIES, s->client_count);

    if (err < 0)
        return err;
    err = bufring_init(&s->receive_buffers, &s->ring, RECEIVE_GROUP, buffers,
                       buffers > 1024 ? 4 * KIB : 16 * KIB);
    if (err == 0)
        err = pool_init(&s->chunks, chunk, 3 * s->client_count + 2 * DOWNLINK_BATCH);
    if (err == 0)
        err = pool_init(&s->tls_partials, TLS_RECORD_MAX_BYTES, s->client_count);
    if (err == 0)
        err = arena_init(&s->arena);
    if (err == 0)
        err = population_init(s);
    if (err == 0)
        err = travel_init(s);
    if (err == 0)
        err = downlink_init(s);
    if (err == 0)
        err = handshake_init(s);
    if (err == 0)
        err = uplink_init(s);
    s->tls_scratch = malloc(TLS_FLIGHT_MAX_BYTES);
    if (err == 0 && !s->tls_scratch)
        err = -ENOMEM;
    timer_wheel_init(&s->timers, clock_now_ns());
    s->measure_ns = s->end_ns = s->drain_ns = UINT64_MAX;
    return err;
}

static void finish(struct shard *s)
{
    if (s->clients)
        population_count(s);
    for (uint32_t i = 0; s->clients && i < s->opened; i++)
        client_free(s, &s->clients[i]);
    downlink_free(s);
    handshake_free(s);
    uplink_free(s);
    travel_free(s);
    bufring_free(&s->receive_buffers);
    ring_free(&s->ring); // sends under way end here, so the arena goes after it
    arena_free(&s->arena);
    pool_free(&s->chunks);
    pool_free(&s->tls_partials);
    free(s->tls_scratch);
    population_free(s);
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// An edge of the measured window: 0 begins it, 1 ends it.
static void mark_edge(struct shard *s, int edge)
{
    uint64_t busy_ns = thread_cpu_ns();

    if (s->index == 0 && s->options->server_pid > 0 && s->server_error == 0)
        s->server_error = procstat_cpu_ns(s->options->server_pid, &s->server_cpu_ns[edge]);
    if (edge == 0) {
        if (s->now_ns < s->measure_ns)
            s->measure_ns = s->now_ns; // all connections are gone in the warm-up
        s->busy_at_measure_ns = busy_ns;
        return;
    }
    s->tally.busy_ns = busy_ns - s->busy_at_measure_ns;
    if (s->now_ns < s->end_ns)
        s->end_ns = s->now_ns; // all connections are gone: the window ends here
    s->tally.window_ns = s->end_ns - s->measure_ns;
}

static void begin_schedule(struct shard *s)
{
    const struct options *o = s->options;
    struct plan_slots slots = population_slots(o, s->index);

    assert(slots.senders == s->sender_count);
    // A slack of 50 µs would be schedule lag.
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    plan_init(&s->plan, s->schedule, o->arrival, &slots, o->seed);
}

static void begin_load(struct shard *s)
{
    const struct options *o = s->options;
    bool open_loop = shard_is_open_loop(s);

    if (open_loop && s->sender_count > 0)
        begin_schedule(s);
    for (uint32_t i = 0; i < s->sender_count; i++) {
        struct client *c = s->senders[i];

        // Offline users of the closed loop begin when the other one is away.
        c->is_talking = c->state == CLIENT_READY && (open_loop || !group_is_offline(c->group));
        for (uint32_t n = 0; c->is_talking && !open_loop && n < o->in_flight; n++) {
            bool has_room = uplink_push_due(s, c, s->now_ns, s->now_ns);

            assert(has_room);
        }
    }
    for (uint32_t i = 0; i < s->client_count; i++) {
        struct client *c = &s->clients[i];

        if (client_is_leader(c) && group_is_handshaking(c->group) && c->state == CLIENT_READY)
            handshake_begin(s, c);
    }
    travel_begin_load(s);
}

// A closed loop sends nothing after the window; an open one still owes what was scheduled.
static void end_load(struct shard *s)
{
    handshake_end_load(s);
    travel_end_load(s);
    reader_end_load(s);
    for (uint32_t i = 0; i < s->client_count && !shard_is_open_loop(s); i++)
        uplink_drop_due(s, &s->clients[i]);
}

static bool is_drained(const struct shard *s)
{
    const struct tally *t = &s->tally;

    if (shard_is_open_loop(s) && s->sender_count > 0 &&
        s->start_ns + plan_next_ns(&s->plan) < s->end_ns)
        return false;
    // That the relay took a durable one may be told after it came.
    if (s->options->durable && t->accepted + t->ledger.refused < t->ledger.expected)
        return false;
    return s->due_pending == 0 && t->ledger.received + t->ledger.refused >= t->ledger.expected &&
           t->handshakes_done + t->handshakes_failed >= t->handshakes_started;
}

static void begin_closing(struct shard *s)
{
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 0xFF};

    s->close_by_ns = s->now_ns + CLOSE_NS;
    handshake_end_drain(s);
    for (uint32_t i = 0; i < s->opened; i++) {
        struct client *c = &s->clients[i];

        if (c->state == CLIENT_AWAY) { // it has no connection to end
            c->state = CLIENT_CLOSED;
            s->away--;
            s->alive--;
        } else if (c->state <= CLIENT_UPGRADING) { // on its way back
            client_close(s, c, "the run is over");
        } else if (c->state != CLIENT_CLOSED && !c->is_leaving) {
            uplink_push_frame(s, c, WS_CLOSE, normal, sizeof normal);
        }
    }
}

static void read_clock(struct shard *s)
{
    uint64_t start_ns = atomic_load_explicit(&s->clock->start_ns, memory_order_acquire);

    if (start_ns == 0 || s->phase >= SHARD_DRAIN)
        return;
    s->start_ns = start_ns;
    s->measure_ns = atomic_load_explicit(&s->clock->measure_ns, memory_order_relaxed);
    s->end_ns = atomic_load_explicit(&s->clock->end_ns, memory_order_relaxed);
    s->drain_ns = atomic_load_explicit(&s->clock->drain_ns, memory_order_relaxed);
}

// While the loop does not look nothing comes, and that is no loss of the relay's: the drain gets
// the time back. Bounded, so that a machine that stands still again and again ends a run all the
// same.
static void give_drain_back(struct shard *s)
{
    uint64_t from_ns = s->looked_ns > s->end_ns ? s->looked_ns : s->end_ns;

    if (s->phase > SHARD_DRAIN || s->now_ns <= from_ns || s->now_ns - from_ns <= STALL_NS)
        return;
    s->blind_ns += s->now_ns - from_ns;
    if (s->blind_ns > BLIND_MAX_NS)
        s->blind_ns = BLIND_MAX_NS;
}

static uint64_t drain_until_ns(const struct shard *s)
{
    return s->drain_ns == UINT64_MAX ? UINT64_MAX : s->drain_ns + s->blind_ns;
}

static enum shard_phase next_phase(struct shard *s)
{
    uint64_t now_ns = s->now_ns;
    bool all_gone = s->alive == 0;

    switch (s->phase) {
    case SHARD_SETUP:
        if (atomic_load_explicit(&s->clock->stop, memory_order_relaxed))
            return SHARD_DONE;
        return s->settled == s->client_count ? SHARD_WAITING : SHARD_SETUP;
    case SHARD_WAITING:
        if (atomic_load_explicit(&s->clock->stop, memory_order_relaxed))
            return SHARD_DONE;
        return s->start_ns != 0 && now_ns >= s->start_ns ? SHARD_WARMUP : SHARD_WAITING;
    case SHARD_WARMUP:
        return now_ns >= s->measure_ns || all_gone ? SHARD_MEASURE : SHARD_WARMUP;
    case SHARD_MEASURE:
        return now_ns >= s->end_ns || all_gone ? SHARD_DRAIN : SHARD_MEASURE;
    case SHARD_DRAIN:
        // What is there by its end counts, so there is a look after it.
        return s->looked_ns >= drain_until_ns(s) || all_gone || is_drained(s) ? SHARD_CLOSING
                                                                              : SHARD_DRAIN;
    case SHARD_CLOSING:
        return all_gone || now_ns >= s->close_by_ns ? SHARD_DONE : SHARD_CLOSING;
    case SHARD_DONE:
        break;
    }
    return SHARD_DONE;
}

static void update_phase(struct shard *s)
{
    enum shard_phase next;

    read_clock(s);
    while ((next = next_phase(s)) != s->phase) {
        s->phase = next;
        if (next == SHARD_WAITING)
            pthread_kill(s->coordinator, SIGUSR1);
        else if (next == SHARD_WARMUP)
            begin_load(s);
        else if (next == SHARD_MEASURE)
            mark_edge(s, 0);
        else if (next == SHARD_DRAIN)
            mark_edge(s, 1), end_load(s);
        else if (next == SHARD_CLOSING)
            begin_closing(s);
    }
}

static void on_receive(struct shard *s, struct client *c, const struct io_uring_cqe *cqe)
{
    if (cqe->res > 0)
        downlink_on_data(s, c, (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT), (size_t)cqe->res);
    else if (cqe->res == 0)
        client_close(s, c, "the relay closed the connection");
    else if (cqe->res != -ENOBUFS)
        client_close(s, c, strerror(-cqe->res));
    if (cqe->flags & IORING_CQE_F_MORE)
        return;
    c->is_receiving = false;
    if (reader_is_slow(c) && cqe->res > 0)
        reader_on_received(c, (uint32_t)cqe->res);
    if (!client_is_gone(c) && !c->needs_rearm) {
        c->needs_rearm = true;
        s->rearm[s->rearm_count++] = c;
    }
}

static void dispatch(struct shard *s, const struct io_uring_cqe *cqe)
{
    struct client *c = &s->clients[ring_tag_slot(cqe->user_data)];

    // A slot is used again only when nothing of its connection before can complete.
    assert(ring_tag_generation(cqe->user_data) == c->generation);
    switch ((enum shard_op)ring_tag_op(cqe->user_data)) {
    case SHARD_OP_CONNECT:
        client_on_connect(s, c, cqe->res);
        break;
    case SHARD_OP_RECEIVE:
        on_receive(s, c, cqe);
        break;
    case SHARD_OP_SEND:
        uplink_on_sent(s, c, cqe->res);
        break;
    case SHARD_OP_CLOSE:
        c->operations--;
        break;
    }
    if (c->state == CLIENT_AWAY && client_is_back(c))
        travel_on_gone(s, c);
}

// With many connections each completion's state and data are out of the first caches: ask for them
// a few completions early.
static void prefetch(const struct shard *s, const struct io_uring_cqe *cqe)
{
    const struct client *c = &s->clients[ring_tag_slot(cqe->user_data)];

    __builtin_prefetch(c, 1);
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        const uint8_t *bytes =
            bufring_at(&s->receive_buffers, (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT));

        __builtin_prefetch(bytes);
        __builtin_prefetch(bytes + CACHE_LINE_BYTES);
        __builtin_prefetch(&c->dialog, 1);
        __builtin_prefetch(&c->dialog.session, 1);
        __builtin_prefetch(c->persona.mailbox);
        __builtin_prefetch(&c->dialog.flow, 1);
        __builtin_prefetch(&c->carry, 1);
    }
}

static void handle_completions(struct shard *s)
{
    struct io_uring_cqe *cqes[SHARD_TURN_COMPLETIONS];
    unsigned count = io_uring_peek_batch_cqe(&s->ring.uring, cqes, SHARD_TURN_COMPLETIONS);

    for (unsigned i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            prefetch(s, cqes[i + PREFETCH_AHEAD]);
        dispatch(s, cqes[i]);
    }
    io_uring_cq_advance(&s->ring.uring, count);
}

static void open_some(struct shard *s)
{
    while (s->phase == SHARD_SETUP && s->opened < s->client_count &&
           s->opening < SHARD_OPENING_MAX && atomic_load(&s->failure) == SHARD_FAILURE_NONE)
        client_open(s, &s->clients[s->opened++]);
    atomic_store_explicit(&s->pulse.alive, s->alive - s->away, memory_order_relaxed);
}

// So many wait on the connection already that this one never will: whose fault is it?
static void count_full(struct shard *s, const struct client *c, uint64_t intended_ns)
{
    if (intended_ns < s->measure_ns)
        return;
    s->tally.backlog_full += c->dialog_count;
    if (!c->is_held)
        s->tally.not_paced += c->dialog_count;
}

// Open loop: envelopes whose time has come.
static void pace(struct shard *s)
{
    for (unsigned i = 0; i < PACE_MAX; i++) {
        uint64_t intended_ns = s->start_ns + plan_next_ns(&s->plan);
        struct client *c;

        if (intended_ns > s->now_ns || intended_ns >= s->end_ns)
            return;
        c = s->senders[plan_pop(&s->plan)];
        if (!c->is_talking && c->leader->travel != CLIENT_PRESENT) {
            c->tally->skipped += intended_ns >= s->measure_ns ? c->dialog_count : 0;
            continue;
        }
        if (intended_ns >= s->measure_ns) {
            struct stage_tally *stage = shard_find_stage(s, intended_ns);

            s->tally.scheduled += c->dialog_count;
            hist_record(&s->tally.schedule_lag, s->now_ns - intended_ns);
            if (stage) {
                stage->offered += c->dialog_count;
                hist_record(&stage->schedule_lag, s->now_ns - intended_ns);
            }
        }
        // Not sent (scheduled − sent): the connection or its partner is gone, or the relay does
        // not take what is there already.
        if (c->is_talking && !uplink_push_due(s, c, intended_ns, s->now_ns))
            count_full(s, c, intended_ns);
    }
}

static bool is_pacing(const struct shard *s)
{
    return s->sender_count > 0 && shard_is_open_loop(s) && s->phase >= SHARD_WARMUP &&
           s->phase <= SHARD_DRAIN;
}

static void fire(struct timer *t, void *ctx)
{
    struct shard *s = ctx;
    struct client *c = CONTAINER_OF(t, struct client, timer);

    // What the set-up waits for is the same for all.
    if (s->phase >= SHARD_WARMUP && c->group->behaviour == GROUP_SLOW_READER)
        reader_on_timer(s, c);
    else if (s->phase >= SHARD_WARMUP && group_is_travelling(c->group))
        travel_on_timer(s, c);
    else
        handshake_on_retry(s, c);
}

static uint64_t until(uint64_t deadline_ns, uint64_t now_ns)
{
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

static uint64_t wait_ns(const struct shard *s, uint64_t now_ns)
{
    uint64_t wait = timer_wheel_wait_ns(&s->timers, now_ns), edge_ns = UINT64_MAX;

    if (handshake_is_waiting(s))
        return 0;
    if (is_pacing(s)) {
        uint64_t due_ns = s->start_ns + plan_next_ns(&s->plan);

        if (due_ns < s->end_ns)
            wait = until(due_ns, now_ns);
    }
    if (s->phase == SHARD_WAITING && s->start_ns != 0)
        edge_ns = s->start_ns;
    else if (s->phase == SHARD_WARMUP)
        edge_ns = s->measure_ns;
    else if (s->phase == SHARD_MEASURE)
        edge_ns = s->end_ns;
    else if (s->phase == SHARD_DRAIN)
        edge_ns = drain_until_ns(s);
    if (travel_next_ns(s) < edge_ns)
        edge_ns = travel_next_ns(s);
    if (until(edge_ns, now_ns) < wait)
        wait = until(edge_ns, now_ns);
    return wait < WAIT_MAX_NS ? wait : WAIT_MAX_NS;
}

static void rearm(struct shard *s)
{
    bufring_commit(&s->receive_buffers);
    for (uint32_t i = 0; i < s->rearm_count; i++) {
        if (!client_is_gone(s->rearm[i]))
            client_arm_receive(s, s->rearm[i]);
    }
    s->rearm_count = 0;
}

static void turn(struct shard *s)
{
    uint64_t over_ns;

    s->now_ns = clock_now_ns();
    give_drain_back(s);
    update_phase(s);
    s->looked_ns = s->now_ns;
    handle_completions(s);
    downlink_flush(s);
    if (handshake_is_waiting(s))
        handshake_flush(s);
    if (is_pacing(s))
        pace(s);
    if (s->timers.armed > 0)
        timer_wheel_advance(&s->timers, s->now_ns, fire, s);
    travel_turn(s);
    open_some(s);
    uplink_flush(s);
    rearm(s);
    atomic_store_explicit(&s->pulse.waiting, s->due_pending, memory_order_relaxed);
    over_ns = clock_now_ns();
    if (s->phase == SHARD_MEASURE)
        hist_record(&s->tally.turn, over_ns - s->now_ns);
    if (s->phase == SHARD_MEASURE && over_ns - s->now_ns > STALL_NS) {
        s->tally.stalls++;
        s->tally.stalled_ns += over_ns - s->now_ns;
    }
    s->now_ns = over_ns;
}

static void loop(struct shard *s)
{
    while (s->phase != SHARD_DONE) {
        int err = ring_submit_and_wait(&s->ring, 1, wait_ns(s, s->now_ns), 0);

        if (err < 0 && err != -ETIME && err != -EINTR && err != -EBUSY) {
            shard_fail(s, SHARD_FAILURE_INTERNAL, "the ring failed: %s", strerror(-err));
            return;
        }
        turn(s);
    }
}

void *engine_run(void *arg)
{
    struct shard *s = arg;
    const struct options *o = s->options;
    int err = 0;

    if (o->pin_count > 0)
        err = cpu_pin_thread(o->pin[s->index % o->pin_count]);
    if (err == 0)
        err = init(s);
    if (err == 0)
        loop(s);
    else
        shard_fail(s, err == -EMFILE ? SHARD_FAILURE_LIMITED : SHARD_FAILURE_INTERNAL,
                   "a generator thread cannot be set up: %s", strerror(-err));
    if (s->phase == SHARD_DONE)
        finish(s);
    atomic_store(&s->is_done, true);
    pthread_kill(s->coordinator, SIGUSR1);
    return NULL;
}
