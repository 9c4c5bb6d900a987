// sealpost-load agent: waits for coordinators. Each is served by a process of its own, so that what
// a run leaves behind, or breaks, ends with it; meanwhile every other coordinator is told to come
// back later. One thread, one poll().
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_channel.h"
#include "agent_message.h"
#include "agent_options.h"
#include "agent_session.h"
#include "clock.h"
#include "command.h"

#define BACKLOG 16
// After SIGTERM: a run that goes on drains and tells its result.
#define END_NS (10 * NS_PER_S)

struct agent {
    struct agent_options options;
    int listener, signal_fd;
    pid_t worker; // 0: nobody is served
    bool is_ending;
    uint64_t end_ns;
    sigset_t signals;
};

static int open_listener(struct agent *a)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    int one = 1;

    a->listener =
        socket(a->options.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->listener < 0 ||
        setsockopt(a->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(a->listener, (struct sockaddr *)&a->options.address, a->options.address_len) < 0 ||
        listen(a->listener, BACKLOG) < 0 ||
        getsockname(a->listener, (struct sockaddr *)&at, &len) < 0)
        return -errno;
    if (getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EINVAL;
    printf(strchr(host, ':') ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
    fflush(stdout);
    return 0;
}

static void serve(struct agent *a, int fd)
{
    struct agent_session_config config = {.token = a->options.token, .sources = a->options.sources};

    close(a->listener);
    close(a->signal_fd);
    // SIGTERM is the run's from here on; before it begins it ends the process.
    pthread_sigmask(SIG_UNBLOCK, &a->signals, NULL);
    agent_session_serve(fd, &config);
    fflush(NULL);
    _exit(0);
}

// What a second coordinator hears. It fits the socket of a new connection.
static void refuse(int fd)
{
    struct agent_channel channel;
    char bytes[512];

    agent_channel_open(&channel, fd, AGENT_CHANNEL_TO_AGENT_BYTES);
    // What it has said is read, or closing would take our answer away.
    (void)!recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (agent_channel_push(
            &channel, agent_message_encode_refused("busy: another coordinator's run goes on")) == 0)
        (void)!agent_channel_flush(&channel);
    shutdown(fd, SHUT_WR);
    agent_channel_close(&channel);
}

static void accept_one(struct agent *a)
{
    int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (a->worker > 0 || a->is_ending) {
        refuse(fd);
        return;
    }
    fflush(NULL);
    a->worker = fork();
    if (a->worker == 0)
        serve(a, fd);
    if (a->worker < 0) {
        fprintf(stderr, "sealpost-load: no process for a coordinator: %s\n", strerror(errno));
        a->worker = 0;
    }
    close(fd);
}

static void on_signal(struct agent *a)
{
    struct signalfd_siginfo info;

    while (read(a->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD || a->is_ending)
            continue;
        a->is_ending = true;
        a->end_ns = clock_now_ns() + END_NS;
        if (a->worker > 0)
            kill(a->worker, SIGTERM);
    }
    if (a->worker > 0 && waitpid(a->worker, NULL, WNOHANG) == a->worker)
        a->worker = 0;
}

static void loop(struct agent *a)
{
    while (!a->is_ending || a->worker > 0) {
        struct pollfd fds[] = {{.fd = a->listener, .events = POLLIN},
                               {.fd = a->signal_fd, .events = POLLIN}};

        poll(fds, 2, a->is_ending ? 100 : -1);
        on_signal(a);
        if (fds[0].revents & POLLIN)
            accept_one(a);
        if (a->is_ending && a->worker > 0 && clock_now_ns() >= a->end_ns) {
            kill(a->worker, SIGKILL);
            waitpid(a->worker, NULL, 0);
            a->worker = 0;
        }
    }
}

int command_agent(int argc, char **argv)
{
    char reason[AGENT_LIST_REASON_BYTES];
    static struct agent agent;
    int err;

    if (agent_options_parse(&agent.options, argc, argv, reason) < 0) {
        fprintf(stderr, "sealpost-load: %s\n", reason);
        return EXIT_CODE_BAD_OPTIONS;
    }
    if (!command_prepare())
        return EXIT_CODE_INTERNAL;
    sigemptyset(&agent.signals);
    sigaddset(&agent.signals, SIGTERM);
    sigaddset(&agent.signals, SIGINT);
    sigaddset(&agent.signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &agent.signals, NULL);
    agent.signal_fd = signalfd(-1, &agent.signals, SFD_CLOEXEC | SFD_NONBLOCK);
    err = agent.signal_fd < 0 ? -errno : open_listener(&agent);
    if (err < 0) {
        fprintf(stderr, "sealpost-load: cannot listen: %s\n", strerror(-err));
        return EXIT_CODE_INTERNAL;
    }
    loop(&agent);
    return EXIT_CODE_PASS;
}
