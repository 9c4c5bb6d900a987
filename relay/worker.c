// The loop of one worker: wait, take the turn's completions, one switch over them, flush, submit.
//
// Read on from here in the order an envelope goes:
//   worker → receive → message → route → outbox → send
#include "worker.h"

#include <urcu-qsbr.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "control_link.h"
#include "http_upgrade.h"
#include "link.h"
#include "log.h"
#include "send.h"
#include "worker_op.h"

#define SQ_ENTRIES 4096u
#define BUFFER_GROUP 1u
#define HANDSHAKE_BUFFER_GROUP 2u
#define BLOCKED_WAIT_NS NS_PER_MS // for what only another thread can bring

// ---- accepting ----------------------------------------------------------------------------------

// A multishot accept takes all that is queued before we hear of the first, and closes those that
// find no slot. So it is used only while there are slots for everything the queues can hold; with
// fewer, accepts go one by one, never more under way than free slots.
static bool has_slots_for_many(const struct worker *w)
{
    return w->conn_count - w->live > LIMIT_LISTEN_BACKLOG * w->listener_count;
}

static void submit_accept(struct worker *w, uint32_t listener)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&w->ring);

    if (has_slots_for_many(w)) {
        io_uring_prep_multishot_accept_direct(sqe, w->listeners[listener], NULL, NULL, 0);
        w->accepting_many |= 1u << listener;
    } else {
        io_uring_prep_accept_direct(sqe, w->listeners[listener], NULL, NULL, 0,
                                    IORING_FILE_INDEX_ALLOC);
    }
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_ACCEPT, 0, listener));
    w->accepting |= 1u << listener;
}

static void cancel_accept(struct worker *w, uint32_t listener)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&w->ring);

    io_uring_prep_cancel64(sqe, ring_tag(WORKER_OP_ACCEPT, 0, listener), 0);
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_CANCEL, 0, 0));
    w->accepting_many &= ~(1u << listener);
}

// Once per turn: arm what can be armed, and go from many to single accepts in time.
static void keep_accepting(struct worker *w)
{
    uint32_t all = (1u << w->listener_count) - 1;

    if (w->drain_seen)
        return;
    if (w->accepting_many != 0 && !has_slots_for_many(w))
        for (uint32_t i = 0; i < w->listener_count; i++)
            if (w->accepting_many & 1u << i)
                cancel_accept(w, i);
    if (w->live == w->conn_count && !w->accept_full)
        stats_bump(&w->stats, STATS_accept_paused_descriptors);
    w->accept_full = w->live == w->conn_count;
    if (w->accepting == all || timer_is_armed(&w->accept_rest))
        return;
    for (uint32_t i = 0; i < w->listener_count; i++) {
        uint32_t under_way = (uint32_t)__builtin_popcount(w->accepting);

        if (!(w->accepting & 1u << i) && w->conn_count - w->live > under_way)
            submit_accept(w, i);
    }
}

static void accept_complete(struct worker *w, uint32_t listener, int result, uint32_t flags)
{
    if (!(flags & IORING_CQE_F_MORE)) {
        w->accepting &= ~(1u << listener);
        w->accepting_many &= ~(1u << listener);
    }
    if (result >= 0) {
        conn_open(w, (uint32_t)result, w->config->listeners[listener].tls);
    } else if (result == -ENFILE || result == -EMFILE || result == -ENOMEM || result == -ENOBUFS) {
        stats_bump(&w->stats, STATS_accept_paused_descriptors);
        timer_arm(&w->wheel, &w->accept_rest, w->now_ns + LIMIT_ACCEPT_REST_MS * NS_PER_MS);
    }
}

// ---- completions --------------------------------------------------------------------------------

static void submit_wake(struct worker *w)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&w->ring);

    io_uring_prep_read(sqe, w->waker.fd, &w->waker_value, sizeof w->waker_value, 0);
    io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_WAKE, 0, 0));
}

// A handshake costs as much as a thousand envelopes. Only so many in a turn; what the others sent
// waits, in order, so that established traffic goes on in between.
static bool must_wait(const struct worker *w, const struct conn *c)
{
    return c->deferred > 0 ||
           (c->state == CONN_TLS && w->handshake_steps >= LIMIT_HANDSHAKE_STEPS_PER_TURN);
}

static void receive_or_defer(struct worker *w, struct conn *c, const struct worker_completion *done)
{
    if (must_wait(w, c)) {
        assert(w->later_count < w->later_capacity);
        w->later[(w->later_first + w->later_count++) % w->later_capacity] = *done;
        c->deferred++;
        return;
    }
    if (c->state == CONN_TLS)
        w->handshake_steps++;
    receive_complete(w, c, done->result, done->flags);
}

static void resume_deferred(struct worker *w)
{
    w->handshake_steps = 0;
    while (w->later_count > 0 && w->handshake_steps < LIMIT_HANDSHAKE_STEPS_PER_TURN) {
        struct worker_completion done = w->later[w->later_first];
        struct conn *c = conn_find(w, ring_tag_slot(done.tag), ring_tag_generation(done.tag));

        w->later_first = (w->later_first + 1) % w->later_capacity;
        w->later_count--;
        assert(c && c->deferred > 0);
        c->deferred--;
        if (c->state == CONN_TLS)
            w->handshake_steps++;
        receive_complete(w, c, done.result, done.flags);
    }
}

static void complete(struct worker *w, const struct worker_completion *done)
{
    enum worker_op op = (enum worker_op)ring_tag_op(done->tag);
    uint32_t slot = ring_tag_slot(done->tag);
    struct conn *c = NULL;

    if (op == WORKER_OP_RECEIVE || op == WORKER_OP_SEND || op == WORKER_OP_WRITABLE ||
        op == WORKER_OP_SHUTDOWN || op == WORKER_OP_CLOSE || op == WORKER_OP_PEEK) {
        // A slot is not given away before all of its operations are back.
        c = conn_find(w, slot, ring_tag_generation(done->tag));
        assert(c);
    }
    switch (op) {
    case WORKER_OP_ACCEPT:
        accept_complete(w, slot, done->result, done->flags);
        break;
    case WORKER_OP_RECEIVE:
        receive_or_defer(w, c, done);
        break;
    case WORKER_OP_SEND:
        send_complete(w, c, done->result);
        break;
    case WORKER_OP_WRITABLE:
        c->polling = false;
        send_writable(w, c);
        conn_operation_done(w, c);
        break;
    case WORKER_OP_SHUTDOWN:
        conn_operation_done(w, c);
        break;
    case WORKER_OP_CLOSE:
        conn_closed(w, c);
        break;
    case WORKER_OP_WAKE:
        submit_wake(w);
        break;
    case WORKER_OP_CANCEL:
        break;
    case WORKER_OP_PEEK:
        // With bytes there, or nothing, the receive does its work.
        if (done->result == 0 || (done->result < 0 && done->result != -EAGAIN))
            receive_ended(w, c, done->result);
        conn_operation_done(w, c);
        break;
    }
}

void worker_reap_sends(struct worker *w)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;

    // In a long pass the done ones make room for those to come.
    if (w->batch_next > w->batch_capacity / 2) {
        w->batch_count -= w->batch_next;
        memmove(w->batch, w->batch + w->batch_next, w->batch_count * sizeof *w->batch);
        w->batch_next = 0;
    }
    io_uring_for_each_cqe(&w->ring.uring, head, cqe)
    {
        struct worker_completion done = {io_uring_cqe_get_data64(cqe), cqe->res, cqe->flags};

        if (ring_tag_op(done.tag) == WORKER_OP_SEND) {
            complete(w, &done);
        } else {
            assert(w->batch_count < w->batch_capacity); // twice what can be under way fits
            w->batch[w->batch_count++] = done;
        }
        count++;
    }
    io_uring_cq_advance(&w->ring.uring, count);
}

// Handling a completion may reap more; they are handled in the same pass.
static void handle_batch(struct worker *w)
{
    while (w->batch_next < w->batch_count) {
        struct worker_completion done = w->batch[w->batch_next++];

        complete(w, &done);
    }
    w->batch_next = w->batch_count = 0;
}

// ---- timers -------------------------------------------------------------------------------------

// Look at the next few connections: a dead socket whose end the receive missed shows to a peek.
static void sweep(struct worker *w)
{
    uint32_t step = w->conn_count / (LIMIT_SWEEP_MS / LIMIT_SWEEP_STEP_MS) + 1;

    timer_arm(&w->wheel, &w->sweep, w->now_ns + LIMIT_SWEEP_STEP_MS * NS_PER_MS);
    for (uint32_t i = 0; i < step; i++) {
        struct conn *c = &w->conns[w->sweep_slot];
        struct io_uring_sqe *sqe;

        w->sweep_slot = (w->sweep_slot + 1) % w->conn_count;
        if (!conn_is_alive(c) || !c->receiving || c->deferred > 0)
            continue;
        sqe = ring_get_sqe(&w->ring);
        io_uring_prep_recv(sqe, (int)c->slot, &w->peeked, sizeof w->peeked,
                           MSG_PEEK | MSG_DONTWAIT);
        sqe->flags |= IOSQE_FIXED_FILE;
        io_uring_sqe_set_data64(sqe, ring_tag(WORKER_OP_PEEK, c->generation, c->slot));
        c->operations++;
    }
}

static void timer_fired(struct timer *t, void *ctx)
{
    struct worker *w = ctx;

    if (t == &w->sweep) {
        sweep(w);
    } else if (t != &w->accept_rest) { // keep_accepting sees that the rest is over
        send_make_room(w);
        conn_timer_fired(w, CONTAINER_OF(t, struct conn, timer));
    }
}

// ---- drain --------------------------------------------------------------------------------------

static void begin_drain(struct worker *w)
{
    w->drain_seen = true;
    w->drain_deadline_ns = w->now_ns + w->config->drain_ms * NS_PER_MS;
    timer_cancel(&w->wheel, &w->accept_rest);
    for (uint32_t i = 0; i < w->listener_count; i++)
        if (w->accepting & 1u << i)
            cancel_accept(w, i);
    for (uint32_t i = 0; i < w->conn_count; i++) {
        struct conn *c = &w->conns[i];

        if (!conn_is_alive(c) || c->state == CONN_CLOSING)
            continue;
        send_make_room(w);
        if (!conn_is_alive(c))
            continue;
        stats_bump(&w->stats, STATS_closed_drain);
        if (c->state == CONN_OPEN)
            conn_close(w, c, 1001);
        else if (c->state == CONN_UPGRADE)
            conn_refuse_full(w, c);
        else
            conn_kill(w, c);
    }
}

// Drained: no connection here, none anywhere (so nobody pushes to a link any more), and every
// reference over the links is back.
static bool is_drained(struct worker *w)
{
    if (!w->drain_seen)
        return false;
    if (w->live > 0) {
        if (w->now_ns < w->drain_deadline_ns)
            return false;
        for (uint32_t i = 0; i < w->conn_count; i++)
            conn_kill(w, &w->conns[i]);
        return false;
    }
    if (!w->drained) {
        w->drained = true;
        atomic_fetch_sub_explicit(w->undrained, 1, memory_order_acq_rel);
    }
    return atomic_load_explicit(w->undrained, memory_order_acquire) == 0 && link_is_settled(w) &&
           w->outbox.in_flight == 0;
}

// ---- the loop -----------------------------------------------------------------------------------

static void rearm_receives(struct worker *w)
{
    struct list *node;

    // Who finds no buffer again comes back to the list with its next completion.
    while ((node = list_pop(&w->rearm)) != NULL)
        conn_receive(w, CONTAINER_OF(node, struct conn, waiting));
}

static void wait_for_work(struct worker *w)
{
    uint64_t wait_ns = timer_wheel_wait_ns(&w->wheel, w->now_ns);
    int err;

    if (w->drain_seen && wait_ns > 10 * NS_PER_MS)
        wait_ns = 10 * NS_PER_MS;
    waker_park(&w->waker);
    if (!link_is_idle(w) || !control_link_is_idle(w) || w->later_count > 0 ||
        (!w->drain_seen && atomic_load_explicit(w->draining, memory_order_acquire)))
        wait_ns = 0;
    else if (wait_ns > BLOCKED_WAIT_NS &&
             (!list_is_empty(&w->farewell) || !list_is_empty(&w->rearm)))
        wait_ns = BLOCKED_WAIT_NS;
    urcu_qsbr_thread_offline();
    err = ring_submit_and_wait(&w->ring, SQ_ENTRIES / 4, wait_ns, w->config->min_wait_us);
    urcu_qsbr_thread_online();
    waker_unpark(&w->waker);
    if (err < 0 && err != -ETIME && err != -EINTR && err != -EBUSY && err != -EAGAIN) {
        log_error("worker %u: waiting on io_uring failed: %s", w->number, strerror(-err));
        poll(NULL, 0, 100); // nothing is lost by trying again, slowly
    }
}

static void turn(struct worker *w)
{
    w->now_ns = clock_now_ns();
    stats_bump(&w->stats, STATS_turns);
    worker_reap_sends(w);
    if (w->outbox.in_flight == 0)
        send_release_turn(w);
    bufring_commit(&w->buffers);
    bufring_commit(&w->handshake_buffers);
    if (!w->drain_seen && atomic_load_explicit(w->draining, memory_order_acquire))
        begin_drain(w);
    link_collect(w);
    resume_deferred(w);
    handle_batch(w);
    link_deliver(w);
    control_link_deliver(w);
    timer_wheel_advance(&w->wheel, w->now_ns, timer_fired, w);
    handle_batch(w); // what early ends of the turn brought since
    conn_retry_farewells(w);
    rearm_receives(w);
    keep_accepting(w);
    send_flush(w);
    if (w->outbox.in_flight == 0)
        send_release_turn(w); // nothing was sent, nothing to wait for
    link_wake(w);
    control_link_wake(w);
}

static void loop(struct worker *w)
{
    w->now_ns = clock_now_ns();
    submit_wake(w);
    keep_accepting(w);
    timer_arm(&w->wheel, &w->sweep, w->now_ns + LIMIT_SWEEP_STEP_MS * NS_PER_MS);
    while (!is_drained(w)) {
        wait_for_work(w);
        turn(w);
    }
}

// ---- set-up -------------------------------------------------------------------------------------

static int reserve(struct worker *w)
{
    const struct config *config = w->config;
    int err;

    w->start_what = "its ring (is RLIMIT_NOFILE at least --connections?)";
    w->conn_count = config->connections;
    err = ring_init(&w->ring, SQ_ENTRIES, w->conn_count);
    if (err < 0)
        return err;
    w->start_what = "its receive buffers";
    err = bufring_init(&w->buffers, &w->ring, BUFFER_GROUP, LIMIT_RECEIVE_BUFFERS,
                       LIMIT_RECEIVE_BUFFER_BYTES);
    if (err < 0)
        return err;
    err = bufring_init(&w->handshake_buffers, &w->ring, HANDSHAKE_BUFFER_GROUP,
                       LIMIT_HANDSHAKE_BUFFERS, LIMIT_HANDSHAKE_BUFFER_BYTES);
    if (err < 0)
        return err;
    w->start_what = "its memory";
    w->conns = mmap(NULL, w->conn_count * sizeof *w->conns, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w->conns == MAP_FAILED)
        return -ENOMEM;
    // Each connection can have a poll, two shutdowns, a peek, a close and the end of its receive
    // there, each buffer a receive, each listener a few accepts.
    w->batch_capacity = 2 * (6 * w->conn_count + LIMIT_RECEIVE_BUFFERS + LIMIT_HANDSHAKE_BUFFERS +
                             LIMIT_LISTENERS * (LIMIT_LISTEN_BACKLOG + 4u) + 16);
    w->batch = malloc(w->batch_capacity * sizeof *w->batch);
    // Each deferred completion holds a handshake's buffer or is the last of its connection.
    w->later_capacity = LIMIT_HANDSHAKE_BUFFERS + w->conn_count;
    w->later = malloc(w->later_capacity * sizeof *w->later);
    if (!w->batch || !w->later)
        return -ENOMEM;
    err = pool_init(&w->upgrades, http_upgrade_size_bytes, LIMIT_UPGRADES);
    if (err == 0)
        err = outbox_arena_init(&w->outbox, w->conn_count);
    if (err == 0)
        err = receive_arena_init(&w->receive, w->conn_count);
    return err;
}

static void release(struct worker *w)
{
    bufring_free(&w->buffers);
    bufring_free(&w->handshake_buffers);
    ring_free(&w->ring);
    munmap(w->conns, w->conn_count * sizeof *w->conns);
    free(w->batch);
    free(w->later);
    pool_free(&w->upgrades);
    outbox_arena_free(&w->outbox, w->conn_count);
    receive_arena_free(&w->receive);
}

// The ring belongs to the thread that makes it, so everything is reserved here.
static void *run(void *arg)
{
    struct worker *w = arg;
    char name[16];

    snprintf(name, sizeof name, "worker-%u", w->number);
    pthread_setname_np(pthread_self(), name);
    w->start_error = 0;
    if (w->config->pin_count > 0) {
        w->start_what = "its processor (see --pin)";
        w->start_error = cpu_pin_thread(w->config->pin[w->number % w->config->pin_count]);
    }
    if (w->start_error == 0)
        w->start_error = reserve(w);
    if (w->start_error < 0) {
        sem_post(&w->started); // the process ends; nothing is taken apart
        return NULL;
    }
    urcu_qsbr_register_thread();
    sem_post(&w->started);
    loop(w);
    urcu_qsbr_unregister_thread();
    release(w);
    return NULL;
}

int worker_start(struct worker *w)
{
    int err;

    list_init(&w->dirty);
    list_init(&w->rearm);
    list_init(&w->farewell);
    timer_init(&w->accept_rest);
    timer_init(&w->sweep);
    timer_wheel_init(&w->wheel, clock_now_ns());
    w->start_what = "an eventfd";
    err = waker_init(&w->waker, 0);
    if (err < 0)
        return err;
    sem_init(&w->started, 0, 0);
    w->start_what = "a thread";
    err = pthread_create(&w->thread, NULL, run, w);
    if (err != 0)
        return -err;
    while (sem_wait(&w->started) < 0)
        continue; // EINTR
    return w->start_error;
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
    waker_free(&w->waker);
    sem_destroy(&w->started);
}
