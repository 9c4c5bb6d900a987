// The raw forwarder: what the kernel alone costs. Connections are paired in the order in which they
// are accepted; bytes received on one are sent to its partner straight from the received buffer.
// One thread, one ring. It never frames, parses, copies or allocates a message.
//
// Choices that measured best: one system call for each turn; sends gathered once per turn, all that
// is pending for a connection in one vectored send; few large receive buffers (against 4,096 of
// 4 KiB: a third less processor time for each pipelined message, the same for a sparse one).
// Measured without gain and left out: a minimum wait, MSG_WAITALL, MSG_DONTWAIT, longer gathers.
//
// It is a yardstick, not a service: nothing keeps a flooding connection from taking all buffers.
#include "bench_forwarder.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_address.h"
#include "bufring.h"
#include "ring.h"

#define SQ_ENTRIES 2048u    // more than this pending is submitted in two calls
#define BUFFER_COUNT 1024u  // when all are in use, receiving rests until a send completes
#define BUFFER_BYTES 32768u // holds the 64 messages of a pipelining sender
#define GATHER_MAX 16u      // buffers in one send; the rest waits for the next turn
#define BUFFER_GROUP 0
#define LISTEN_BACKLOG 4096
#define NONE UINT32_MAX

enum op { OP_ACCEPT, OP_RECEIVE, OP_SEND, OP_SHUTDOWN, OP_CLOSE, OP_SIGNAL };

enum link_state {
    LINK_FREE,    // its descriptor slot is the kernel's to give
    LINK_OPEN,    // accepted; carries bytes as soon as it has a partner
    LINK_CLOSING, // shut down; waits until its requests are back
};

struct link {
    enum link_state state;
    uint32_t partner; // NONE until the next connection is accepted
    uint32_t head;    // queue of received buffers to be sent on this link, linked by next[]
    uint32_t tail;
    uint32_t head_offset; // bytes of the head buffer that are sent already
    uint32_t requests;    // receive, send, shutdown in the kernel
    bool receiving;
    bool sending;
    bool dirty;   // stands in forwarder.dirty, perhaps since an earlier tenant
    bool starved; // stands in forwarder.starved, likewise
    struct msghdr message;
    struct iovec gather[GATHER_MAX];
};

struct forwarder {
    struct ring ring;
    struct bufring buffers;
    struct link *links;
    uint32_t link_count;
    uint32_t *dirty; // links with something to send
    uint32_t dirty_count;
    uint32_t *starved; // links whose receive ended for want of a buffer
    uint32_t starved_count;
    uint32_t unpaired; // the link that waits for a partner
    int listener;
    int signals;
    bool accepting;
    bool stopping;
    uint32_t next[BUFFER_COUNT]; // queue links and lengths, by buffer id
    uint32_t len[BUFFER_COUNT];
};

static void submit_accept(struct forwarder *f)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&f->ring);

    io_uring_prep_multishot_accept_direct(sqe, f->listener, NULL, NULL, 0);
    io_uring_sqe_set_data64(sqe, ring_tag(OP_ACCEPT, 0, 0));
    f->accepting = true;
}

static void submit_receive(struct forwarder *f, uint32_t slot)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&f->ring);

    io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, ring_tag(OP_RECEIVE, 0, slot));
    f->links[slot].requests++;
    f->links[slot].receiving = true;
}

// All that is pending for the link, up to GATHER_MAX buffers, in one send.
static void submit_send(struct forwarder *f, uint32_t slot)
{
    struct link *l = &f->links[slot];
    struct io_uring_sqe *sqe = ring_get_sqe(&f->ring);
    uint32_t offset = l->head_offset;
    size_t count = 0;

    for (uint32_t id = l->head; id != NONE && count < GATHER_MAX; id = f->next[id]) {
        l->gather[count++] =
            (struct iovec){.iov_base = bufring_at(&f->buffers, (uint16_t)id) + offset,
                           .iov_len = f->len[id] - offset};
        offset = 0;
    }
    assert(count > 0);
    if (count == 1) {
        io_uring_prep_send(sqe, (int)slot, l->gather[0].iov_base, l->gather[0].iov_len,
                           MSG_NOSIGNAL);
    } else {
        l->message = (struct msghdr){.msg_iov = l->gather, .msg_iovlen = count};
        io_uring_prep_sendmsg(sqe, (int)slot, &l->message, MSG_NOSIGNAL);
    }
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, ring_tag(OP_SEND, 0, slot));
    l->sending = true;
    l->requests++;
}

static void mark_dirty(struct forwarder *f, uint32_t slot)
{
    struct link *l = &f->links[slot];

    if (l->dirty || l->sending || l->head == NONE)
        return;
    l->dirty = true;
    f->dirty[f->dirty_count++] = slot;
}

static void mark_starved(struct forwarder *f, uint32_t slot)
{
    if (f->links[slot].starved)
        return;
    f->links[slot].starved = true;
    f->starved[f->starved_count++] = slot;
}

static void push_buffer(struct forwarder *f, uint32_t slot, uint32_t id, uint32_t len)
{
    struct link *l = &f->links[slot];

    f->next[id] = NONE;
    f->len[id] = len;
    if (l->head == NONE)
        l->head = id;
    else
        f->next[l->tail] = id;
    l->tail = id;
    mark_dirty(f, slot);
}

// `sent` bytes of the queue's front are with the kernel: give those buffers back.
static void pop_sent(struct forwarder *f, struct link *l, uint32_t sent)
{
    while (sent > 0) {
        uint32_t id = l->head;
        uint32_t rest = f->len[id] - l->head_offset;

        if (sent < rest) {
            l->head_offset += sent;
            return;
        }
        sent -= rest;
        l->head = f->next[id];
        l->head_offset = 0;
        bufring_put(&f->buffers, (uint16_t)id);
    }
}

// Close one link once none of its requests is in the kernel any more.
static void settle_closing(struct forwarder *f, uint32_t slot)
{
    struct link *l = &f->links[slot];
    struct io_uring_sqe *sqe;

    if (l->state != LINK_CLOSING || l->requests > 0)
        return;
    while (l->head != NONE) {
        uint32_t id = l->head;

        l->head = f->next[id];
        bufring_put(&f->buffers, (uint16_t)id);
    }
    sqe = ring_get_sqe(&f->ring);
    io_uring_prep_close_direct(sqe, slot);
    io_uring_sqe_set_data64(sqe, ring_tag(OP_CLOSE, 0, slot));
    l->requests++;
}

static void begin_closing(struct forwarder *f, uint32_t slot)
{
    struct link *l = &f->links[slot];
    struct io_uring_sqe *sqe;

    if (l->state != LINK_OPEN)
        return;
    l->state = LINK_CLOSING;
    if (f->unpaired == slot)
        f->unpaired = NONE;
    // The shutdown ends the multishot receive and a send that waits for room.
    sqe = ring_get_sqe(&f->ring);
    io_uring_prep_shutdown(sqe, (int)slot, SHUT_RDWR);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, ring_tag(OP_SHUTDOWN, 0, slot));
    l->requests++;
}

// A pair lives and ends together.
static void close_pair(struct forwarder *f, uint32_t slot)
{
    uint32_t partner = f->links[slot].partner;

    begin_closing(f, slot);
    if (partner != NONE) {
        f->links[slot].partner = NONE;
        f->links[partner].partner = NONE;
        begin_closing(f, partner);
    }
}

static void complete_accept(struct forwarder *f, int res, unsigned flags)
{
    uint32_t slot = (uint32_t)res;
    struct link *l;

    if (!(flags & IORING_CQE_F_MORE))
        f->accepting = false; // armed again when a slot is free (complete_close) or at once below
    if (res < 0) {
        if (res != -ENFILE && res != -EMFILE)
            submit_accept(f);
        return;
    }
    assert(slot < f->link_count && f->links[slot].state == LINK_FREE);
    l = &f->links[slot];
    *l = (struct link){.state = LINK_OPEN,
                       .partner = f->unpaired,
                       .head = NONE,
                       .dirty = l->dirty,
                       .starved = l->starved};
    if (f->unpaired == NONE) {
        f->unpaired = slot;
    } else {
        // Nobody receives before there is somebody to send to.
        f->links[f->unpaired].partner = slot;
        submit_receive(f, f->unpaired);
        submit_receive(f, slot);
        f->unpaired = NONE;
    }
    if (!f->accepting)
        submit_accept(f);
}

static void complete_receive(struct forwarder *f, uint32_t slot, int res, unsigned flags)
{
    struct link *l = &f->links[slot];

    if (flags & IORING_CQE_F_BUFFER) {
        uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;

        bufring_take(&f->buffers, (uint16_t)id);
        if (res > 0 && l->partner != NONE)
            push_buffer(f, l->partner, id, (uint32_t)res);
        else
            bufring_put(&f->buffers, (uint16_t)id);
    }
    if (flags & IORING_CQE_F_MORE)
        return;
    l->requests--;
    l->receiving = false;
    if (l->state == LINK_CLOSING)
        settle_closing(f, slot);
    else if (res == -ENOBUFS)
        mark_starved(f, slot);
    else if (res > 0)
        submit_receive(f, slot);
    else
        close_pair(f, slot);
}

static void complete_send(struct forwarder *f, uint32_t slot, int res)
{
    struct link *l = &f->links[slot];

    l->requests--;
    l->sending = false;
    if (res > 0)
        pop_sent(f, l, (uint32_t)res);
    if (l->state == LINK_CLOSING)
        settle_closing(f, slot);
    else if (res < 0)
        close_pair(f, slot);
    else
        mark_dirty(f, slot);
}

static void complete(struct forwarder *f, const struct io_uring_cqe *cqe)
{
    uint32_t slot = ring_tag_slot(cqe->user_data);

    switch ((enum op)ring_tag_op(cqe->user_data)) {
    case OP_ACCEPT:
        complete_accept(f, cqe->res, cqe->flags);
        break;
    case OP_RECEIVE:
        complete_receive(f, slot, cqe->res, cqe->flags);
        break;
    case OP_SEND:
        complete_send(f, slot, cqe->res);
        break;
    case OP_SHUTDOWN:
        f->links[slot].requests--;
        settle_closing(f, slot);
        break;
    case OP_CLOSE:
        f->links[slot].requests--;
        f->links[slot].state = LINK_FREE;
        if (!f->accepting)
            submit_accept(f);
        break;
    case OP_SIGNAL:
        f->stopping = true;
        break;
    }
}

// Receives that ended for want of a buffer are armed again only when the kernel has some.
static void rearm_starved(struct forwarder *f)
{
    if (f->starved_count == 0 || f->buffers.held == f->buffers.count)
        return;
    for (uint32_t i = 0; i < f->starved_count; i++) {
        struct link *l = &f->links[f->starved[i]];

        l->starved = false;
        if (l->state == LINK_OPEN && l->partner != NONE && !l->receiving)
            submit_receive(f, f->starved[i]);
    }
    f->starved_count = 0;
}

static void flush(struct forwarder *f)
{
    bufring_commit(&f->buffers);
    rearm_starved(f);
    for (uint32_t i = 0; i < f->dirty_count; i++) {
        uint32_t slot = f->dirty[i];
        struct link *l = &f->links[slot];

        l->dirty = false;
        if (l->state == LINK_OPEN && !l->sending && l->head != NONE)
            submit_send(f, slot);
    }
    f->dirty_count = 0;
}

static int loop(struct forwarder *f)
{
    while (!f->stopping) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        int err;

        flush(f);
        err = ring_submit_and_wait(&f->ring, 1, UINT64_MAX, 0);
        if (err < 0 && err != -EINTR && err != -ETIME)
            return err;
        io_uring_for_each_cqe(&f->ring.uring, head, cqe)
        {
            complete(f, cqe);
            count++;
        }
        io_uring_cq_advance(&f->ring.uring, count);
    }
    return 0;
}

// TCP_NODELAY is inherited by what the listener accepts.
static int open_listener(const struct sockaddr_in *where)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)where, sizeof *where) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0) {
        int err = -errno;

        close(fd);
        return err;
    }
    return fd;
}

static int open_signals(void)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int start(struct forwarder *f, const struct sockaddr_in *where, uint32_t connections)
{
    struct io_uring_sqe *sqe;
    int err;

    f->unpaired = NONE;
    f->link_count = connections;
    f->links = calloc(f->link_count, sizeof *f->links);
    f->dirty = calloc(f->link_count, sizeof *f->dirty);
    f->starved = calloc(f->link_count, sizeof *f->starved);
    if (!f->links || !f->dirty || !f->starved)
        return -ENOMEM;
    f->listener = open_listener(where);
    if (f->listener < 0)
        return f->listener;
    f->signals = open_signals();
    if (f->signals < 0)
        return f->signals;
    err = bufring_init(&f->buffers, &f->ring, BUFFER_GROUP, BUFFER_COUNT, BUFFER_BYTES);
    if (err < 0)
        return err;
    sqe = ring_get_sqe(&f->ring);
    io_uring_prep_poll_add(sqe, f->signals, POLLIN);
    io_uring_sqe_set_data64(sqe, ring_tag(OP_SIGNAL, 0, 0));
    submit_accept(f);
    return 0;
}

static void print_listening(int listener)
{
    char text[BENCH_ADDRESS_TEXT_MAX];
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    getsockname(listener, (struct sockaddr *)&at, &len);
    bench_address_format(&at, text);
    printf("listening on %s\n", text);
    fflush(stdout);
}

int bench_forwarder_run(const struct sockaddr_in *where, uint32_t connections)
{
    struct forwarder *f = calloc(1, sizeof *f);
    int err = f ? ring_init(&f->ring, SQ_ENTRIES, connections) : -ENOMEM;

    if (err == 0) {
        err = start(f, where, connections);
        if (err == 0) {
            print_listening(f->listener);
            err = loop(f);
        }
        bufring_free(&f->buffers);
        ring_free(&f->ring);
        free(f->links);
        free(f->dirty);
        free(f->starved);
    }
    free(f);
    return err;
}
