// The driving client. One thread, one ring. Every connection has as many ready-made messages in
// its output buffer as it may have in flight; sending is stamping and one send, no copy.
// The clock is read twice a turn, not for each message: when completions are there and when the
// sends go out, which are the moments the kernel and this client exchange data.
#include "bench_client.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench_stream.h"
#include "bufring.h"
#include "clock.h"
#include "procstat.h"
#include "ring.h"

#define SQ_ENTRIES 2048u
#define BUFFER_COUNT 1024u
#define BUFFER_BYTES 32768u // holds the 64 messages of a pipelining partner
#define BUFFER_GROUP 0
#define READY_TIMEOUT_NS (15 * NS_PER_S)
#define DRAIN_QUIET_NS (2 * NS_PER_S) // nothing arrived for so long: the rest is lost
#define WAIT_NS (100 * NS_PER_MS)     // bound of one wait: phases end though nothing arrives

enum op { OP_RECEIVE, OP_SEND };

struct peer {
    uint32_t credit; // messages it may still put in flight
    bool receiving;
    bool sending;
    bool sending_control; // the send under way is `control`, not messages
    bool dirty;           // stands in client.dirty
    const char *control;  // to be sent before messages
    uint32_t control_len;
    uint32_t send_offset; // of the send under way
    uint32_t send_len;
    uint8_t *messages; // in_flight messages, complete but for their stamps
    uint64_t next_sequence;
    struct bench_ledger ledger; // of what the partner sent
    struct bench_stream stream;
};

struct client {
    const struct bench_client_plan *plan;
    struct bench_client_result *result;
    struct ring ring;
    struct bufring buffers;
    struct peer *peers;
    uint8_t *messages;
    size_t message_bytes;
    size_t stamp_offset; // of the stamp in a message
    uint32_t *dirty;
    uint32_t dirty_count;
    uint32_t *starved;
    uint32_t starved_count;
    uint32_t ready_count;
    uint64_t delivered; // distinct and to the right receiver
    uint64_t arrived_ns;
    bool sending_messages; // off before the subscriptions stand and while draining
    bool measuring;
    const char *problem;
    char (*hellos)[BENCH_HELLO_MAX];
};

static int fail(struct client *c, int err, const char *problem)
{
    c->problem = problem;
    return err;
}

static void mark_dirty(struct client *c, uint32_t index)
{
    struct peer *p = &c->peers[index];

    if (p->dirty || p->sending)
        return;
    p->dirty = true;
    c->dirty[c->dirty_count++] = index;
}

static void submit_receive(struct client *c, uint32_t index)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&c->ring);

    io_uring_prep_recv_multishot(sqe, (int)index, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, ring_tag(OP_RECEIVE, 0, index));
}

static void submit_send(struct client *c, uint32_t index)
{
    struct peer *p = &c->peers[index];
    struct io_uring_sqe *sqe = ring_get_sqe(&c->ring);
    const uint8_t *from = p->sending_control ? (const uint8_t *)p->control : p->messages;

    io_uring_prep_send(sqe, (int)index, from + p->send_offset, p->send_len - p->send_offset,
                       MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, ring_tag(OP_SEND, 0, index));
    p->sending = true;
}

// All messages the connection has credit for, in one send.
static void stamp_messages(struct client *c, uint32_t index, uint64_t now_ns)
{
    struct peer *p = &c->peers[index];
    uint8_t *at = p->messages + c->stamp_offset;

    for (uint32_t i = 0; i < p->credit; i++) {
        struct bench_stamp stamp = {.sequence = p->next_sequence++,
                                    .sent_ns = now_ns,
                                    .sender = index,
                                    .mark = BENCH_STAMP_MARK};

        memcpy(at, &stamp, sizeof stamp);
        at += c->message_bytes;
    }
    p->send_offset = 0;
    p->send_len = p->credit * (uint32_t)c->message_bytes;
    c->result->delivery.sent += p->credit;
    p->credit = 0;
}

static void flush(struct client *c)
{
    uint64_t now_ns = clock_now_ns();

    bufring_commit(&c->buffers);
    // A receive that ended for want of a buffer is armed again only when the kernel has some.
    if (c->starved_count > 0 && c->buffers.held < c->buffers.count) {
        for (uint32_t i = 0; i < c->starved_count; i++)
            submit_receive(c, c->starved[i]);
        c->starved_count = 0;
    }
    for (uint32_t i = 0; i < c->dirty_count; i++) {
        uint32_t index = c->dirty[i];
        struct peer *p = &c->peers[index];

        p->dirty = false;
        if (p->control) {
            p->sending_control = true;
            p->send_offset = 0;
            p->send_len = p->control_len;
        } else if (c->sending_messages && p->credit > 0) {
            stamp_messages(c, index, now_ns);
        } else {
            continue;
        }
        submit_send(c, index);
    }
    c->dirty_count = 0;
}

static void take_message(struct client *c, uint32_t index, const struct bench_stamp *stamp)
{
    struct bench_delivery *d = &c->result->delivery;
    enum bench_ledger_verdict verdict;

    d->received++;
    if (stamp->sender != (index ^ 1)) {
        d->misrouted++;
        return;
    }
    verdict = bench_ledger_take(&c->peers[index].ledger, stamp->sequence);
    if (verdict == BENCH_LEDGER_DUPLICATE) {
        d->duplicate++;
        return;
    }
    if (verdict == BENCH_LEDGER_REORDERED)
        d->reordered++;
    c->delivered++;
    if (c->measuring)
        hist_record(&c->result->latency, c->arrived_ns - stamp->sent_ns);
    c->peers[stamp->sender].credit++;
    mark_dirty(c, stamp->sender);
}

static int take_bytes(struct client *c, uint32_t index, const uint8_t *in, size_t len)
{
    const struct bench_protocol *protocol = c->plan->protocol;
    struct peer *p = &c->peers[index];
    struct bench_event event;
    int more;

    while ((more = bench_stream_next(&p->stream, &in, &len, &event)) > 0) {
        if (event.kind == BENCH_FRAME_MESSAGE) {
            take_message(c, index, &event.stamp);
        } else if (event.kind == BENCH_FRAME_READY) {
            c->ready_count++;
        } else {
            p->control = protocol->pong;
            p->control_len = (uint32_t)strlen(protocol->pong);
            mark_dirty(c, index);
        }
    }
    return more < 0 ? fail(c, -EPROTO, bench_protocol_error_text(more)) : 0;
}

static int complete_receive(struct client *c, uint32_t index, int res, unsigned flags)
{
    int err = 0;

    if (flags & IORING_CQE_F_BUFFER) {
        uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);

        bufring_take(&c->buffers, id);
        if (res > 0)
            err = take_bytes(c, index, bufring_at(&c->buffers, id), (size_t)res);
        bufring_put(&c->buffers, id);
    }
    if (flags & IORING_CQE_F_MORE)
        return err;
    if (res == -ENOBUFS)
        c->starved[c->starved_count++] = index;
    else if (res > 0)
        submit_receive(c, index);
    else
        return fail(c, res < 0 ? res : -ECONNRESET, "the server closed a connection");
    return err;
}

static int complete_send(struct client *c, uint32_t index, int res)
{
    struct peer *p = &c->peers[index];

    p->sending = false;
    if (res < 0)
        return fail(c, res, "a connection broke while sending");
    p->send_offset += (uint32_t)res;
    if (p->send_offset < p->send_len) {
        submit_send(c, index);
        return 0;
    }
    if (p->sending_control) {
        p->sending_control = false;
        p->control = NULL;
    }
    if (p->control || p->credit > 0)
        mark_dirty(c, index);
    return 0;
}

// One turn: send what is due, wait, take what has arrived.
static int turn(struct client *c)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    int err;

    flush(c);
    err = ring_submit_and_wait(&c->ring, 1, WAIT_NS, 0);
    if (err < 0 && err != -ETIME && err != -EINTR)
        return fail(c, err, "waiting for completions failed");
    c->arrived_ns = clock_now_ns();
    err = 0;
    io_uring_for_each_cqe(&c->ring.uring, head, cqe)
    {
        uint32_t index = ring_tag_slot(cqe->user_data);

        if (err == 0)
            err = ring_tag_op(cqe->user_data) == OP_SEND
                      ? complete_send(c, index, cqe->res)
                      : complete_receive(c, index, cqe->res, cqe->flags);
        count++;
    }
    io_uring_cq_advance(&c->ring.uring, count);
    return err;
}

// Connect in order: a server that pairs connections sees them in this order.
static int connect_all(struct client *c)
{
    const struct sockaddr *target = (const struct sockaddr *)&c->plan->target;
    int on = 1;

    for (uint32_t i = 0; i < c->plan->connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int err = fd < 0 ? -errno : 0;

        if (fd >= 0 && (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
                        connect(fd, target, sizeof c->plan->target) < 0))
            err = -errno;
        if (err == 0)
            err = io_uring_register_files_update(&c->ring.uring, i, &fd, 1);
        if (fd >= 0)
            close(fd); // the ring's table holds it
        if (err < 0)
            return fail(c, err, "the server cannot be connected to");
    }
    return 0;
}

static void fill_messages(struct client *c, uint32_t index)
{
    const struct bench_client_plan *plan = c->plan;
    struct peer *p = &c->peers[index];
    uint8_t head[BENCH_HEAD_MAX];
    size_t head_len = plan->protocol->encode_head(head, index ^ 1, plan->payload_bytes);
    size_t tail_len = strlen(plan->protocol->tail);

    for (uint32_t i = 0; i < plan->in_flight; i++) {
        uint8_t *at = p->messages + i * c->message_bytes;

        memcpy(at, head, head_len);
        memset(at + head_len, (int)(i & 0xFF), plan->payload_bytes);
        memcpy(at + head_len + plan->payload_bytes, plan->protocol->tail, tail_len);
    }
}

// Subjects are equally long, so every message has the same size and the stamp the same place.
static int prepare(struct client *c)
{
    const struct bench_client_plan *plan = c->plan;
    uint8_t head[BENCH_HEAD_MAX];
    size_t head_len = plan->protocol->encode_head(head, 0, plan->payload_bytes);

    c->stamp_offset = head_len;
    c->message_bytes = head_len + plan->payload_bytes + strlen(plan->protocol->tail);
    c->peers = calloc(plan->connections, sizeof *c->peers);
    c->dirty = calloc(plan->connections, sizeof *c->dirty);
    c->starved = calloc(plan->connections, sizeof *c->starved);
    c->hellos = calloc(plan->connections, sizeof *c->hellos);
    c->messages = calloc((size_t)plan->connections * plan->in_flight, c->message_bytes);
    if (!c->peers || !c->dirty || !c->starved || !c->hellos || !c->messages)
        return fail(c, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < plan->connections; i++) {
        struct peer *p = &c->peers[i];

        p->messages = c->messages + (size_t)i * plan->in_flight * c->message_bytes;
        p->credit = plan->in_flight;
        bench_stream_init(&p->stream, plan->protocol, plan->payload_bytes);
        fill_messages(c, i);
    }
    return bufring_init(&c->buffers, &c->ring, BUFFER_GROUP, BUFFER_COUNT, BUFFER_BYTES);
}

// Every subscription must stand before the first message is published.
static int subscribe_all(struct client *c)
{
    uint64_t deadline_ns = clock_now_ns() + READY_TIMEOUT_NS;

    for (uint32_t i = 0; i < c->plan->connections; i++) {
        struct peer *p = &c->peers[i];
        size_t len = c->plan->protocol->encode_hello((uint8_t *)c->hellos[i], i);

        submit_receive(c, i);
        if (len == 0) {
            c->ready_count++;
            continue;
        }
        p->control = c->hellos[i];
        p->control_len = (uint32_t)len;
        mark_dirty(c, i);
    }
    while (c->ready_count < c->plan->connections) {
        int err = turn(c);

        if (err < 0)
            return err;
        if (clock_now_ns() > deadline_ns)
            return fail(c, -ETIMEDOUT, "the server did not confirm every subscription in time");
    }
    return 0;
}

struct edge {
    uint64_t at_ns;
    uint64_t delivered;
    uint64_t client_cpu_ns;
    uint64_t server_cpu_ns;
};

static int read_edge(struct client *c, struct edge *e)
{
    struct timespec t;
    int err;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    *e = (struct edge){.at_ns = clock_now_ns(),
                       .delivered = c->delivered,
                       .client_cpu_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec};
    if (c->plan->server_pid == 0)
        return 0;
    err = procstat_cpu_ns(c->plan->server_pid, &e->server_cpu_ns);
    return err < 0 ? fail(c, err, "the server's processor time cannot be read") : 0;
}

static int run_until(struct client *c, uint64_t end_ns)
{
    int err = 0;

    while (err == 0 && clock_now_ns() < end_ns)
        err = turn(c);
    return err;
}

static int drain(struct client *c)
{
    uint64_t quiet_since_ns = clock_now_ns();
    uint64_t seen = c->delivered;
    int err = 0;

    c->sending_messages = false;
    while (err == 0 && c->delivered < c->result->delivery.sent) {
        err = turn(c);
        if (c->delivered != seen) {
            seen = c->delivered;
            quiet_since_ns = clock_now_ns();
        } else if (clock_now_ns() - quiet_since_ns > DRAIN_QUIET_NS) {
            break;
        }
    }
    c->result->delivery.lost = c->result->delivery.sent - c->delivered;
    return err;
}

static int measure(struct client *c)
{
    struct edge first, last;
    int err;

    c->sending_messages = true;
    for (uint32_t i = 0; i < c->plan->connections; i++)
        mark_dirty(c, i);
    err = run_until(c, clock_now_ns() + c->plan->warmup_ns);
    if (err == 0)
        err = read_edge(c, &first);
    c->measuring = true;
    if (err == 0)
        err = run_until(c, first.at_ns + c->plan->measure_ns);
    if (err == 0)
        err = read_edge(c, &last);
    c->measuring = false;
    if (err < 0)
        return err;
    c->result->window_ns = last.at_ns - first.at_ns;
    c->result->messages = last.delivered - first.delivered;
    c->result->client_cpu_ns = last.client_cpu_ns - first.client_cpu_ns;
    c->result->server_cpu_ns = last.server_cpu_ns - first.server_cpu_ns;
    return drain(c);
}

// As sealpost-load --hold, but blocking: an idle connection needs nothing meanwhile.
static void await_word(void)
{
    int c;

    puts("ready");
    fflush(stdout);
    do
        c = getchar();
    while (c != '\n' && c != EOF);
}

int bench_client_run(const struct bench_client_plan *plan, struct bench_client_result *result,
                     const char **problem)
{
    struct client c = {.plan = plan, .result = result};
    int err;

    assert(plan->connections % 2 == 0 && plan->in_flight > 0);
    *result = (struct bench_client_result){0};
    err = hist_init(&result->latency);
    if (err == 0)
        err = ring_init(&c.ring, SQ_ENTRIES, plan->connections);
    if (err < 0) {
        *problem = "the ring cannot be set up (too few file descriptors allowed?)";
        return err;
    }
    c.problem = "out of memory";
    err = prepare(&c);
    if (err == 0)
        err = connect_all(&c);
    if (err == 0)
        err = subscribe_all(&c);
    if (err == 0 && plan->is_held)
        await_word();
    if (err == 0)
        err = measure(&c);
    *problem = c.problem;
    bufring_free(&c.buffers);
    ring_free(&c.ring);
    free(c.peers);
    free(c.dirty);
    free(c.starved);
    free(c.hellos);
    free(c.messages);
    return err;
}
