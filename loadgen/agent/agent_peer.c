// One agent: connect, hello, and what each of its messages changes.
#include "agent_peer.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_message.h"
#include "clock.h"
#include "outcome_codec.h"
#include "pulse_codec.h"

void agent_peer_lose(struct agent_peer *p, enum exit_code code, const char *format, ...)
{
    va_list args;

    if (agent_peer_is_over(p))
        return;
    va_start(args, format);
    vsnprintf(p->reason, sizeof p->reason, format, args);
    va_end(args);
    p->code = code;
    p->state = AGENT_PEER_LOST;
    agent_channel_close(&p->channel);
}

static void push(struct agent_peer *p, yyjson_mut_doc *d)
{
    int err = agent_channel_push(&p->channel, d);

    if (err == 0)
        err = agent_channel_flush(&p->channel);
    if (err == -ENOMEM)
        agent_peer_lose(p, EXIT_CODE_INTERNAL, "out of memory");
    else if (err < 0)
        agent_peer_lose(p, EXIT_CODE_UNREACHABLE, "the connection broke: %s", strerror(-err));
}

static void greet(struct agent_peer *p)
{
    p->state = AGENT_PEER_GREETING;
    push(p, agent_message_encode_hello(SEALPOST_VERSION, p->run->token));
}

void agent_peer_adopt(struct agent_peer *p, int fd)
{
    agent_channel_open(&p->channel, fd, AGENT_CHANNEL_TO_COORDINATOR_BYTES);
    p->deadline_ns = clock_now_ns() + AGENT_PEER_CONNECT_NS;
    greet(p);
}

void agent_peer_connect(struct agent_peer *p)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char host[AGENT_LIST_NAME_BYTES], port[8];
    struct addrinfo *found = NULL;
    int one = 1, fd, err = agent_list_split_name(p->name, host, port);

    p->channel.fd = -1;
    if (err == 0)
        err = getaddrinfo(host, port, &hints, &found);
    if (err != 0) {
        agent_peer_lose(p, EXIT_CODE_UNREACHABLE, "cannot be reached: %s", gai_strerror(err));
        return;
    }
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd < 0 || (connect(fd, found->ai_addr, found->ai_addrlen) < 0 && errno != EINPROGRESS)) {
        agent_peer_lose(p, EXIT_CODE_UNREACHABLE, "cannot be reached: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
    } else {
        agent_channel_open(&p->channel, fd, AGENT_CHANNEL_TO_COORDINATOR_BYTES);
        p->state = AGENT_PEER_CONNECTING;
        p->deadline_ns = clock_now_ns() + AGENT_PEER_CONNECT_NS;
    }
    freeaddrinfo(found);
}

void agent_peer_free(struct agent_peer *p)
{
    agent_channel_close(&p->channel);
    if (p->has_outcome)
        run_free(&p->outcome);
    p->has_outcome = false;
}

int agent_peer_fd(const struct agent_peer *p)
{
    return agent_peer_is_over(p) ? -1 : p->channel.fd;
}

short agent_peer_events(const struct agent_peer *p)
{
    bool writes = p->state == AGENT_PEER_CONNECTING || agent_channel_pending(&p->channel) > 0;

    return (short)(POLLIN | (writes ? POLLOUT : 0));
}

// ---- messages -----------------------------------------------------------------------------------

static void prepare(struct agent_peer *p)
{
    const struct agent_peer_run *run = p->run;

    p->state = AGENT_PEER_SETTING_UP;
    push(p, agent_message_encode_prepare(run->run_id, p->first_thread, p->thread_count, run->argv,
                                         run->argc, run->ca));
}

static void take_pulse(struct agent_peer *p, yyjson_val *body)
{
    struct live live = {0};

    if (pulse_codec_decode(&live, body, p->thread_count) < 0)
        agent_peer_lose(p, EXIT_CODE_INTERNAL, "told something that is no pulse");
    else
        p->live = live;
}

static void take_result(struct agent_peer *p, yyjson_val *body)
{
    int err = run_init_outcome(&p->outcome, p->run->options, p->run->target);

    p->has_outcome = err == 0;
    if (err == 0)
        err = outcome_codec_decode(&p->outcome, body, p->thread_count);
    if (err < 0) {
        if (p->has_outcome)
            run_free(&p->outcome);
        p->has_outcome = false;
        agent_peer_lose(p, EXIT_CODE_INTERNAL, "%s",
                        err == -ENOMEM ? "out of memory" : "told something that is no result");
        return;
    }
    p->state = AGENT_PEER_DONE;
    agent_channel_close(&p->channel);
}

static void on_message(struct agent_peer *p, const struct agent_message *m)
{
    enum agent_peer_state state = p->state;
    bool is_loaded = state >= AGENT_PEER_SETTING_UP && state <= AGENT_PEER_RUNNING;

    if (m->type == AGENT_MESSAGE_welcome && state == AGENT_PEER_GREETING)
        prepare(p);
    else if (m->type == AGENT_MESSAGE_refused && state == AGENT_PEER_GREETING)
        agent_peer_lose(p, EXIT_CODE_UNREACHABLE, "refused: %s", m->reason);
    else if (m->type == AGENT_MESSAGE_failed && state == AGENT_PEER_SETTING_UP)
        agent_peer_lose(p, (enum exit_code)m->exit_code, "%s", m->reason);
    else if (m->type == AGENT_MESSAGE_ready && state == AGENT_PEER_SETTING_UP)
        p->state = AGENT_PEER_READY;
    else if (m->type == AGENT_MESSAGE_pulse && is_loaded)
        take_pulse(p, m->body);
    else if (m->type == AGENT_MESSAGE_result && is_loaded)
        take_result(p, m->body);
    else
        agent_peer_lose(p, EXIT_CODE_INTERNAL, "said what it must not say now");
}

static void take_all(struct agent_peer *p, uint64_t now_ns)
{
    while (!agent_peer_is_over(p)) {
        int read_err = agent_channel_read(&p->channel);
        struct agent_message message;
        yyjson_doc *d = NULL;
        int err = agent_channel_take(&p->channel, &d);

        if (err == 0 && d)
            err = agent_message_decode(&message, d);
        if (err < 0)
            agent_peer_lose(p, EXIT_CODE_INTERNAL, "does not speak the protocol of agents");
        else if (d)
            on_message(p, &message);
        else if (read_err < 0)
            agent_peer_lose(p, EXIT_CODE_UNREACHABLE, "%s: %s",
                            p->state < AGENT_PEER_SETTING_UP ? "closed the connection"
                                                             : "disappeared",
                            strerror(-read_err));
        yyjson_doc_free(d);
        if (!d)
            return;
        p->deadline_ns = now_ns + AGENT_PEER_SILENCE_NS;
    }
}

static void finish_connect(struct agent_peer *p)
{
    int err = 0;
    socklen_t len = sizeof err;

    if (getsockopt(p->channel.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err != 0)
        agent_peer_lose(p, EXIT_CODE_UNREACHABLE, "cannot be reached: %s", strerror(err));
    else
        greet(p);
}

void agent_peer_step(struct agent_peer *p, bool is_readable, bool is_writable, uint64_t now_ns)
{
    int err = 0;

    if (agent_peer_is_over(p))
        return;
    if (p->state == AGENT_PEER_CONNECTING && (is_writable || is_readable))
        finish_connect(p);
    else if (is_writable)
        err = agent_channel_flush(&p->channel);
    // What it said before the connection broke is read first.
    if (p->state != AGENT_PEER_CONNECTING && (is_readable || err < 0))
        take_all(p, now_ns);
    if (err < 0)
        agent_peer_lose(p, EXIT_CODE_UNREACHABLE, "the connection broke: %s", strerror(-err));
    if (now_ns >= p->deadline_ns)
        agent_peer_lose(p, EXIT_CODE_UNREACHABLE,
                        p->state <= AGENT_PEER_GREETING ? "did not answer within %.0f s"
                                                        : "said nothing for %.0f s",
                        (double)(p->state <= AGENT_PEER_GREETING ? AGENT_PEER_CONNECT_NS
                                                                 : AGENT_PEER_SILENCE_NS) /
                            1e9);
}

void agent_peer_start(struct agent_peer *p, uint64_t in_ns)
{
    if (p->state != AGENT_PEER_READY)
        return;
    p->state = AGENT_PEER_RUNNING;
    push(p, agent_message_encode_start(in_ns));
}

void agent_peer_stop(struct agent_peer *p)
{
    if (p->state < AGENT_PEER_SETTING_UP)
        agent_peer_lose(p, EXIT_CODE_INTERRUPTED, "was not needed any more");
    else if (!agent_peer_is_over(p))
        push(p, agent_message_encode_plain(AGENT_MESSAGE_stop));
}
