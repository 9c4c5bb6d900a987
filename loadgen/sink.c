// The sink's thread: accept, frames, forwarding, one send under way for each connection. Allocates
// when a connection or a user comes, never for an envelope.
#include "sink.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bufring.h"
#include "clock.h"
#include "cpu.h"
#include "http_upgrade.h"
#include "pool.h"
#include "ring.h"
#include "sink_users.h"
#include "wire.h"
#include "ws.h"

#define SQ_ENTRIES 2048u
#define RECEIVE_GROUP 1u
#define BUFFERS 1024u
#define BUFFER_BYTES (16u * KIB)
#define TURN_COMPLETIONS 256u
// Whether it is to end is looked at this often when nothing happens.
#define WAIT_MAX_NS (20 * NS_PER_MS)
#define BACKLOG 4096
// The largest message is a control message.
#define FRAME_MAX_BYTES (SINK_USERS_TEXT_MAX_BYTES + WS_HEADER_MAX_BYTES)
// What waits for one connection; the relay's own bound. Full: the sender is told recipient_busy.
#define OUTBOX_BYTES (256u * KIB)
#define ENVELOPE_MAX_BYTES (64u * KIB)

enum op { OP_ACCEPT = 1, OP_RECEIVE, OP_SEND, OP_CLOSE };

enum conn_state {
    CONN_FREE,
    CONN_UPGRADING,
    CONN_OPEN,
    CONN_CLOSING, // shut down; free when nothing is with the kernel any more
};

struct bytes {
    uint8_t *at; // NULL: none
    uint32_t len;
};

struct conn {
    enum conn_state state;
    uint32_t in_kernel;  // requests
    uint32_t generation; // of the slot's tenants
    uint32_t user;
    bool is_ready; // in the list of those with something to send
    bool needs_rearm;
    struct bytes pending, flying;
    struct bytes carry; // a frame that is not whole yet
    struct http_upgrade *upgrade;
};

// With a rate: an envelope in the queue, as the frame it will be sent in.
struct job {
    uint64_t departs_ns;
    uint32_t conn, generation;
    struct bytes frame;
};

struct sink {
    struct sink_options options;
    pthread_t thread;
    sem_t started;
    int start_error;
    _Atomic bool stop;
    int listener;
    uint16_t port;
    // The thread's.
    struct ring ring;
    struct bufring receive_buffers;
    struct pool outboxes, carries, frames;
    struct conn *conns;
    uint32_t *ready, ready_count;
    uint32_t *rearm, rearm_count;
    struct sink_users users;
    struct job *queue; // ring
    uint32_t queue_head, queue_count;
    uint64_t service_ns, idle_from_ns; // the server is free from then on
    uint64_t now_ns;
    char text[SINK_USERS_TEXT_MAX_BYTES];
    struct sink_counts counts;
};

static void submit_accept(struct sink *s)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&s->ring);

    io_uring_prep_multishot_accept_direct(sqe, s->listener, NULL, NULL, 0);
    sqe->user_data = ring_tag(OP_ACCEPT, 0, 0);
}

static void submit_receive(struct sink *s, uint32_t slot)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&s->ring);

    io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = s->receive_buffers.group;
    sqe->user_data = ring_tag(OP_RECEIVE, 0, slot);
    s->conns[slot].in_kernel++;
    s->conns[slot].needs_rearm = false;
}

static void drop_bytes(struct pool *from, struct bytes *b)
{
    if (b->at)
        pool_put(from, b->at);
    *b = (struct bytes){0};
}

static void close_if_done(struct sink *s, uint32_t slot)
{
    struct conn *c = &s->conns[slot];
    struct io_uring_sqe *sqe;

    if (c->state != CONN_CLOSING || c->in_kernel > 0)
        return;
    drop_bytes(&s->outboxes, &c->flying);
    c->state = CONN_FREE;
    sqe = ring_get_sqe(&s->ring);
    io_uring_prep_close_direct(sqe, slot);
    sqe->user_data = ring_tag(OP_CLOSE, 0, slot);
}

static void close_conn(struct sink *s, uint32_t slot)
{
    struct conn *c = &s->conns[slot];
    struct io_uring_sqe *sqe;

    if (c->state == CONN_FREE || c->state == CONN_CLOSING)
        return;
    sink_users_leave(&s->users, c->user, slot);
    c->state = CONN_CLOSING;
    c->generation++;
    drop_bytes(&s->outboxes, &c->pending);
    drop_bytes(&s->carries, &c->carry);
    free(c->upgrade);
    c->upgrade = NULL;
    sqe = ring_get_sqe(&s->ring);
    io_uring_prep_shutdown(sqe, (int)slot, SHUT_RDWR);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = ring_tag(OP_CLOSE, 1, slot);
    c->in_kernel++;
}

// Room at the end of what waits for a connection; NULL when it is full or closed.
static uint8_t *extend(struct sink *s, uint32_t slot, size_t len)
{
    struct conn *c = &s->conns[slot];

    if (c->state != CONN_OPEN)
        return NULL;
    if (!c->pending.at) {
        c->pending.at = pool_get(&s->outboxes);
        assert(c->pending.at); // two for each connection
    }
    if (OUTBOX_BYTES - c->pending.len < len)
        return NULL;
    c->pending.len += (uint32_t)len;
    if (!c->is_ready) {
        c->is_ready = true;
        s->ready[s->ready_count++] = slot;
    }
    return c->pending.at + c->pending.len - len;
}

static void send_frame(struct sink *s, uint32_t slot, enum ws_opcode opcode, const void *payload,
                       size_t len)
{
    uint8_t *at = extend(s, slot, ws_header_len(len, false) + len);

    if (!at) {
        close_conn(s, slot); // it does not read its own answers
        return;
    }
    at += ws_encode_header(at, opcode, len, NULL);
    memcpy(at, payload, len);
}

static void refuse(struct sink *s, uint32_t slot, const struct wire_envelope *e, const char *code)
{
    s->counts.refused++;
    send_frame(s, slot, WS_TEXT, s->text, sink_users_refuse(s->text, code, e->message_id));
}

// Service begins when the one before it is over.
static uint8_t *enqueue(struct sink *s, uint32_t to, size_t len)
{
    uint32_t at = (s->queue_head + s->queue_count) % s->options.queue_max;
    struct job *job = &s->queue[at];

    if (s->queue_count == s->options.queue_max)
        return NULL;
    if (s->idle_from_ns < s->now_ns)
        s->idle_from_ns = s->now_ns;
    s->idle_from_ns += s->service_ns;
    *job = (struct job){.departs_ns = s->idle_from_ns,
                        .conn = to,
                        .generation = s->conns[to].generation,
                        .frame = {pool_get(&s->frames), (uint32_t)len}};
    assert(job->frame.at); // one for each place in the queue
    s->queue_count++;
    return job->frame.at;
}

// The envelopes whose service is over.
static void serve(struct sink *s)
{
    while (s->queue_count > 0 && s->queue[s->queue_head].departs_ns <= s->now_ns) {
        struct job *job = &s->queue[s->queue_head];
        uint8_t *at = NULL;

        if (s->conns[job->conn].generation == job->generation)
            at = extend(s, job->conn, job->frame.len);
        if (at) {
            memcpy(at, job->frame.at, job->frame.len);
            s->counts.forwarded++;
        } else {
            s->counts.dropped++;
        }
        drop_bytes(&s->frames, &job->frame);
        s->queue_head = (s->queue_head + 1) % s->options.queue_max;
        s->queue_count--;
    }
}

static void on_envelope(struct sink *s, uint32_t slot, const struct ws_frame *frame,
                        const uint8_t *payload)
{
    size_t len = frame->payload_len, frame_len = ws_header_len(len, false) + len;
    uint8_t header[WIRE_HEADER_BYTES], *at;
    struct wire_envelope e;
    uint32_t to;

    if (len <= sizeof header || len > ENVELOPE_MAX_BYTES + sizeof header) {
        close_conn(s, slot);
        return;
    }
    s->counts.received++;
    ws_mask_to(header, payload, sizeof header, frame->mask);
    memcpy(e.mailbox, header + 8, sizeof e.mailbox);
    memcpy(e.message_id, header + 24, sizeof e.message_id);
    e.flags = header[2];
    to = sink_users_find_conn(&s->users, e.mailbox);
    if (to == SINK_USERS_NOBODY) {
        refuse(s, slot, &e, "recipient_absent");
        return;
    }
    at = s->queue ? enqueue(s, to, frame_len) : extend(s, to, frame_len);
    if (!at) {
        refuse(s, slot, &e, s->queue ? "relay_busy" : "recipient_busy");
        return;
    }
    at += ws_encode_header(at, WS_BINARY, len, NULL);
    ws_mask_to(at, payload, len, frame->mask);
    s->counts.forwarded += !s->queue;
    if (e.flags & WIRE_FLAG_DURABLE)
        send_frame(s, slot, WS_TEXT, s->text, sink_users_accept(s->text, e.message_id));
}

static void on_frame(struct sink *s, uint32_t slot, const struct ws_frame *frame, uint8_t *payload)
{
    struct conn *c = &s->conns[slot];
    size_t len = frame->payload_len;

    if (frame->opcode == WS_BINARY && frame->fin && c->user != SINK_USERS_NOBODY) {
        on_envelope(s, slot, frame, payload);
    } else if (frame->opcode == WS_TEXT && frame->fin) {
        ws_mask(payload, len, frame->mask);
        len = sink_users_answer(&s->users, slot, &c->user, (const char *)payload, len, s->text);
        if (len > 0)
            send_frame(s, slot, WS_TEXT, s->text, len);
    } else if (frame->opcode == WS_PING) {
        ws_mask(payload, len, frame->mask);
        send_frame(s, slot, WS_PONG, payload, len);
    } else if (frame->opcode != WS_PONG) {
        close_conn(s, slot); // a close, a fragment, an envelope before the login
    }
}

// Bytes that the frame at `bytes` has in all as far as that is known: more than `len` when it is
// not whole. 0: it is broken.
static size_t measure(struct ws_frame *frame, const uint8_t *bytes, size_t len)
{
    ssize_t used = ws_decode_header(frame, bytes, len, WS_FROM_CLIENT, SINK_USERS_TEXT_MAX_BYTES);

    if (used < 0)
        return 0;
    return used == 0 ? len + 1 : (size_t)used + frame->payload_len;
}

// Go on with a frame that began in an earlier receive; returns the bytes used.
static size_t fill_carry(struct sink *s, uint32_t slot, const uint8_t *bytes, size_t len)
{
    struct conn *c = &s->conns[slot];
    struct bytes *carry = &c->carry;
    struct ws_frame frame;
    size_t used = 0, need, part;

    while ((need = measure(&frame, carry->at, carry->len)) > carry->len && used < len) {
        part = need - carry->len < len - used ? need - carry->len : len - used;
        memcpy(carry->at + carry->len, bytes + used, part);
        carry->len += (uint32_t)part;
        used += part;
    }
    if (need == 0) {
        close_conn(s, slot);
    } else if (need == carry->len) {
        struct bytes whole = *carry;

        *carry = (struct bytes){0};
        on_frame(s, slot, &frame, whole.at + frame.header_len);
        drop_bytes(&s->carries, &whole);
    }
    return used;
}

static void consume(struct sink *s, uint32_t slot, uint8_t *bytes, size_t len)
{
    struct conn *c = &s->conns[slot];
    struct ws_frame frame;
    size_t at = 0, need;

    while (at < len && c->state == CONN_OPEN) {
        if (c->carry.at) {
            at += fill_carry(s, slot, bytes + at, len - at);
            continue;
        }
        need = measure(&frame, bytes + at, len - at);
        if (need == 0) {
            close_conn(s, slot);
            return;
        }
        if (need > len - at) {
            c->carry = (struct bytes){pool_get(&s->carries), (uint32_t)(len - at)};
            assert(c->carry.at); // one for each connection
            memcpy(c->carry.at, bytes + at, len - at);
            return;
        }
        on_frame(s, slot, &frame, bytes + at + frame.header_len);
        at += need;
    }
}

static void on_request(struct sink *s, uint32_t slot, uint8_t *bytes, size_t len)
{
    struct conn *c = &s->conns[slot];
    char response[HTTP_RESPONSE_MAX_BYTES];
    ssize_t used = http_upgrade_decode_request(c->upgrade, bytes, len);
    uint8_t *at;
    size_t response_len;

    if (used == 0)
        return;
    if (used < 0) {
        close_conn(s, slot);
        return;
    }
    response_len = http_upgrade_encode_response(
        c->upgrade, http_upgrade_offers(c->upgrade, "sealpost.v1") ? "sealpost.v1" : NULL,
        response);
    free(c->upgrade);
    c->upgrade = NULL;
    c->state = CONN_OPEN;
    at = extend(s, slot, response_len);
    assert(at); // the first bytes of an open connection's outbox
    memcpy(at, response, response_len);
    send_frame(s, slot, WS_TEXT, s->text, sink_users_greet(s->text));
    consume(s, slot, bytes + used, len - (size_t)used);
}

static void on_accept(struct sink *s, const struct io_uring_cqe *cqe)
{
    struct conn *c;

    if (!(cqe->flags & IORING_CQE_F_MORE))
        submit_accept(s);
    if (cqe->res < 0)
        return; // the peer has left again, or no slot is free
    c = &s->conns[cqe->res];
    assert(c->state == CONN_FREE);
    s->counts.connections++;
    *c = (struct conn){.state = CONN_UPGRADING,
                       .generation = c->generation,
                       .user = SINK_USERS_NOBODY,
                       .is_ready = c->is_ready,
                       .upgrade = malloc(http_upgrade_size_bytes)};
    submit_receive(s, (uint32_t)cqe->res);
    if (c->upgrade)
        http_upgrade_init(c->upgrade);
    else
        close_conn(s, (uint32_t)cqe->res);
}

static void on_receive(struct sink *s, uint32_t slot, const struct io_uring_cqe *cqe)
{
    struct conn *c = &s->conns[slot];

    if (cqe->flags & IORING_CQE_F_BUFFER) {
        uint16_t id = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        uint8_t *bytes = bufring_at(&s->receive_buffers, id);

        bufring_take(&s->receive_buffers, id);
        if (c->state == CONN_UPGRADING)
            on_request(s, slot, bytes, (size_t)cqe->res);
        else if (c->state == CONN_OPEN)
            consume(s, slot, bytes, (size_t)cqe->res);
        bufring_put(&s->receive_buffers, id);
    } else if (cqe->res != -ENOBUFS) {
        close_conn(s, slot);
    }
    if (cqe->flags & IORING_CQE_F_MORE)
        return;
    c->in_kernel--;
    if (c->state == CONN_CLOSING) {
        close_if_done(s, slot);
    } else if (!c->needs_rearm) {
        c->needs_rearm = true;
        s->rearm[s->rearm_count++] = slot;
    }
}

static void on_sent(struct sink *s, uint32_t slot, int result)
{
    struct conn *c = &s->conns[slot];
    bool whole = result >= 0 && (uint32_t)result == c->flying.len;

    c->in_kernel--;
    drop_bytes(&s->outboxes, &c->flying);
    if (!whole)
        close_conn(s, slot);
    close_if_done(s, slot);
    if (c->state != CONN_FREE && c->pending.len > 0 && !c->is_ready) {
        c->is_ready = true;
        s->ready[s->ready_count++] = slot;
    }
}

static void dispatch(struct sink *s, const struct io_uring_cqe *cqe)
{
    uint32_t slot = ring_tag_slot(cqe->user_data);

    switch ((enum op)ring_tag_op(cqe->user_data)) {
    case OP_ACCEPT:
        on_accept(s, cqe);
        break;
    case OP_RECEIVE:
        on_receive(s, slot, cqe);
        break;
    case OP_SEND:
        on_sent(s, slot, cqe->res);
        break;
    case OP_CLOSE:
        if (ring_tag_generation(cqe->user_data) == 1) { // the shutdown
            s->conns[slot].in_kernel--;
            close_if_done(s, slot);
        }
        break;
    }
}

static void flush(struct sink *s)
{
    for (uint32_t i = 0; i < s->ready_count; i++) {
        uint32_t slot = s->ready[i];
        struct conn *c = &s->conns[slot];
        struct io_uring_sqe *sqe;

        c->is_ready = false;
        if (c->state == CONN_FREE || c->state == CONN_CLOSING || c->flying.at || !c->pending.at)
            continue;
        c->flying = c->pending;
        c->pending = (struct bytes){0};
        sqe = ring_get_sqe(&s->ring);
        io_uring_prep_send(sqe, (int)slot, c->flying.at, c->flying.len, MSG_WAITALL | MSG_NOSIGNAL);
        sqe->flags |= IOSQE_FIXED_FILE;
        sqe->user_data = ring_tag(OP_SEND, 0, slot);
        c->in_kernel++;
    }
    s->ready_count = 0;
}

static void rearm(struct sink *s)
{
    bufring_commit(&s->receive_buffers);
    for (uint32_t i = 0; i < s->rearm_count; i++) {
        struct conn *c = &s->conns[s->rearm[i]];

        if (c->needs_rearm && (c->state == CONN_OPEN || c->state == CONN_UPGRADING))
            submit_receive(s, s->rearm[i]);
    }
    s->rearm_count = 0;
}

static uint64_t wait_ns(const struct sink *s)
{
    uint64_t now_ns, departs_ns;

    if (s->queue_count == 0)
        return WAIT_MAX_NS;
    now_ns = clock_now_ns();
    departs_ns = s->queue[s->queue_head].departs_ns;
    return departs_ns <= now_ns                ? 0
           : departs_ns - now_ns < WAIT_MAX_NS ? departs_ns - now_ns
                                               : WAIT_MAX_NS;
}

static void loop(struct sink *s)
{
    struct io_uring_cqe *cqes[TURN_COMPLETIONS];

    while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
        int err = ring_submit_and_wait(&s->ring, 1, wait_ns(s), 0);
        unsigned count;

        if (err < 0 && err != -ETIME && err != -EINTR && err != -EBUSY)
            return; // its clients see a relay that has died
        s->now_ns = clock_now_ns();
        serve(s);
        count = io_uring_peek_batch_cqe(&s->ring.uring, cqes, TURN_COMPLETIONS);
        for (unsigned i = 0; i < count; i++)
            dispatch(s, cqes[i]);
        io_uring_cq_advance(&s->ring.uring, count);
        flush(s);
        rearm(s);
    }
}

static int init_memory(struct sink *s)
{
    uint32_t n = s->options.connections;
    int err = pool_init(&s->outboxes, OUTBOX_BYTES, 2 * n); // one waits, one is under way

    s->conns = calloc(n, sizeof *s->conns);
    s->ready = calloc(n, sizeof *s->ready);
    s->rearm = calloc(n, sizeof *s->rearm);
    if (err == 0)
        err = pool_init(&s->carries, FRAME_MAX_BYTES, n);
    if (err == 0)
        err = sink_users_init(&s->users, n);
    if (err == 0 && s->options.rate_per_s > 0) {
        s->service_ns = (uint64_t)((double)NS_PER_S / s->options.rate_per_s + 0.5);
        s->queue = calloc(s->options.queue_max, sizeof *s->queue);
        err = s->queue ? pool_init(&s->frames, ENVELOPE_MAX_BYTES + KIB, s->options.queue_max)
                       : -ENOMEM;
    }
    return err == 0 && s->conns && s->ready && s->rearm ? 0 : -ENOMEM;
}

static void release(struct sink *s)
{
    for (uint32_t i = 0; s->conns && i < s->options.connections; i++) {
        drop_bytes(&s->outboxes, &s->conns[i].pending);
        drop_bytes(&s->outboxes, &s->conns[i].flying);
        drop_bytes(&s->carries, &s->conns[i].carry);
        free(s->conns[i].upgrade);
    }
    while (s->queue_count > 0) {
        drop_bytes(&s->frames, &s->queue[s->queue_head].frame);
        s->queue_head = (s->queue_head + 1) % s->options.queue_max;
        s->queue_count--;
    }
    pool_free(&s->outboxes);
    pool_free(&s->carries);
    pool_free(&s->frames);
    sink_users_free(&s->users);
    free(s->queue);
    free(s->conns);
    free(s->ready);
    free(s->rearm);
}

static int init_ring(struct sink *s)
{
    int err = ring_init(&s->ring, SQ_ENTRIES, s->options.connections);

    if (err < 0)
        return err;
    err = bufring_init(&s->receive_buffers, &s->ring, RECEIVE_GROUP, BUFFERS, BUFFER_BYTES);
    if (err < 0)
        ring_free(&s->ring);
    return err;
}

static void *run(void *arg)
{
    struct sink *s = arg;
    int err = s->options.pin >= 0 ? cpu_pin_thread((unsigned)s->options.pin) : 0;

    if (err == 0)
        err = init_ring(s);
    s->start_error = err;
    if (err == 0) {
        if (s->queue)
            prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
        submit_accept(s);
    }
    sem_post(&s->started);
    if (err < 0)
        return NULL;
    loop(s);
    bufring_free(&s->receive_buffers);
    ring_free(&s->ring); // sends under way end here, so their memory goes after it
    return NULL;
}

static int listen_anywhere(struct sink *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int one = 1;

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // What is accepted inherits TCP_NODELAY.
    if (s->listener < 0 ||
        setsockopt(s->listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        bind(s->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(s->listener, BACKLOG) < 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &len) < 0)
        return -errno;
    s->port = ntohs(address.sin_port);
    return 0;
}

// The thread takes no signals: they are for whoever waits for them.
static int start_thread(struct sink *s)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = -pthread_create(&s->thread, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err < 0)
        return err;
    while (sem_wait(&s->started) < 0)
        ; // a signal
    if (s->start_error < 0)
        pthread_join(s->thread, NULL);
    return s->start_error;
}

int sink_create(struct sink **out, const struct sink_options *options)
{
    struct sink *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->options = *options;
    s->listener = -1;
    sem_init(&s->started, 0, 0);
    err = init_memory(s);
    if (err == 0)
        err = listen_anywhere(s);
    if (err == 0)
        err = start_thread(s);
    if (err == 0) {
        *out = s;
        return 0;
    }
    release(s);
    if (s->listener >= 0)
        close(s->listener);
    sem_destroy(&s->started);
    free(s);
    return err;
}

uint16_t sink_port(const struct sink *s)
{
    return s->port;
}

struct sink_counts sink_destroy(struct sink *s)
{
    struct sink_counts counts;

    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    counts = s->counts;
    release(s);
    close(s->listener);
    sem_destroy(&s->started);
    free(s);
    return counts;
}
