// Child processes of a side-by-side run. Main thread only.
#include "bench_child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define STOP_TIMEOUT_NS (10 * NS_PER_S)
#define CAPTURE_TIMEOUT_NS (10 * NS_PER_S)
#define EXIT_NO_PROGRAM 127
#define EXIT_BY_SIGNAL 128

static int interrupt_fd = -1;
static sigset_t interrupts;

int bench_child_init(void)
{
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigaddset(&interrupts, SIGTERM);
    // A reader that left (`… | head`) must not end us before the clean-up.
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &interrupts, NULL) < 0)
        return -errno;
    interrupt_fd = signalfd(-1, &interrupts, SFD_CLOEXEC);
    return interrupt_fd < 0 ? -errno : 0;
}

bool bench_child_is_interrupted(void)
{
    struct pollfd fd = {.fd = interrupt_fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

// Wait until `fd` is readable. The interrupt stays readable, so later waits end at once as well.
static int wait_readable(int fd, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = interrupt_fd, .events = POLLIN}};
        uint64_t now_ns = clock_now_ns();
        uint64_t left_ms = now_ns < deadline_ns ? (deadline_ns - now_ns) / NS_PER_MS + 1 : 0;
        int n = poll(fds, COUNT_OF(fds), (int)left_ms);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && fds[1].revents)
            return -EINTR;
        if (n > 0)
            return 0;
        if (left_ms == 0)
            return -ETIMEDOUT;
    }
}

// In the child, between fork and exec.
static void become(const struct bench_child_setup *setup, int piped, int input, pid_t parent)
{
    int log = open(setup->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int devnull = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int other = setup->piped_fd == STDOUT_FILENO ? STDERR_FILENO : STDOUT_FILENO;
    cpu_set_t set;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) // it ended before the line above
        _exit(EXIT_NO_PROGRAM);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &interrupts, NULL);
    if (setup->cpu != BENCH_CHILD_ANY_CPU) {
        CPU_ZERO(&set);
        CPU_SET((size_t)setup->cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set) < 0)
            _exit(EXIT_NO_PROGRAM);
    }
    if (log < 0 || devnull < 0 || dup2(input >= 0 ? input : devnull, STDIN_FILENO) < 0 ||
        dup2(piped, setup->piped_fd) < 0 || dup2(log, other) < 0)
        _exit(EXIT_NO_PROGRAM);
    execvp(setup->argv[0], (char *const *)(uintptr_t)setup->argv);
    _exit(EXIT_NO_PROGRAM);
}

static void close_input(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int bench_child_start(struct bench_child *c, const struct bench_child_setup *setup)
{
    pid_t parent = getpid();
    int pipes[2], inputs[2] = {-1, -1}, err = 0;

    assert(interrupt_fd >= 0);
    *c = (struct bench_child){.pidfd = -1, .out = -1, .in = -1};
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return -errno;
    if (setup->has_input && pipe2(inputs, O_CLOEXEC) < 0) {
        err = -errno;
        close(pipes[0]);
        close(pipes[1]);
        return err;
    }
    c->pid = fork();
    if (c->pid == 0)
        become(setup, pipes[1], inputs[0], parent);
    if (c->pid < 0)
        err = -errno;
    close(pipes[1]);
    close_input(&inputs[0]);
    c->in = inputs[1];
    c->out = pipes[0];
    if (err == 0) {
        c->pidfd = pidfd_open(c->pid, 0);
        if (c->pidfd < 0)
            err = -errno;
    }
    if (err < 0) {
        if (c->pid < 0) {
            close(c->out);
            close_input(&c->in);
            c->pid = 0;
        }
        bench_child_kill(c);
    }
    return err;
}

// Take one whole line out of what has been received. Returns false if there is none yet; a line
// longer than the buffer is cut.
static bool take_line(struct bench_child *c, char *out, size_t cap)
{
    char *lf = memchr(c->line, '\n', c->line_len);
    size_t len, used;

    if (!lf && c->line_len < sizeof c->line)
        return false;
    len = lf ? (size_t)(lf - c->line) : c->line_len;
    used = lf ? len + 1 : len;
    if (len >= cap)
        len = cap - 1;
    memcpy(out, c->line, len);
    out[len] = '\0';
    c->line_len -= used;
    memmove(c->line, c->line + used, c->line_len);
    return true;
}

int bench_child_wait_line(struct bench_child *c, const char *text, uint64_t timeout_ns, char *out,
                          size_t cap)
{
    uint64_t deadline_ns = clock_now_ns() + timeout_ns;

    for (;;) {
        ssize_t n;
        int err;

        while (take_line(c, out, cap))
            if (strstr(out, text))
                return 0;
        err = wait_readable(c->out, deadline_ns);
        if (err < 0)
            return err;
        n = read(c->out, c->line + c->line_len, sizeof c->line - c->line_len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EPIPE;
        if (n > 0)
            c->line_len += (size_t)n;
    }
}

static int reap(struct bench_child *c)
{
    int status = 0;

    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (c->pidfd >= 0)
        close(c->pidfd);
    if (c->out >= 0)
        close(c->out);
    close_input(&c->in);
    c->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BY_SIGNAL + WTERMSIG(status);
}

void bench_child_release(struct bench_child *c)
{
    close_input(&c->in);
}

// Read on to the end of its output, so that it never blocks on a full pipe.
static int drain(struct bench_child *c, uint64_t deadline_ns)
{
    ssize_t n;

    do {
        int err = wait_readable(c->out, deadline_ns);

        if (err < 0)
            return err;
        n = read(c->out, c->line, sizeof c->line);
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -errno : 0;
}

int bench_child_wait(struct bench_child *c, uint64_t timeout_ns)
{
    uint64_t deadline_ns = clock_now_ns() + timeout_ns;
    int err = drain(c, deadline_ns);

    if (err == 0)
        err = wait_readable(c->pidfd, deadline_ns);
    if (err < 0) {
        bench_child_kill(c);
        return err;
    }
    return reap(c);
}

int bench_child_stop(struct bench_child *c)
{
    kill(c->pid, SIGTERM);
    return bench_child_wait(c, STOP_TIMEOUT_NS);
}

void bench_child_kill(struct bench_child *c)
{
    if (c->pid == 0)
        return;
    kill(c->pid, SIGKILL);
    (void)reap(c);
}

int bench_child_capture(const char *const *argv, char *out, size_t cap)
{
    struct bench_child_setup setup = {
        .argv = argv, .cpu = BENCH_CHILD_ANY_CPU, .piped_fd = STDOUT_FILENO, .log = "/dev/null"};
    struct bench_child c;
    int err = bench_child_start(&c, &setup);

    out[0] = '\0';
    if (err < 0)
        return err;
    err = bench_child_wait_line(&c, "", CAPTURE_TIMEOUT_NS, out, cap);
    if (err == -EPIPE)
        out[0] = '\0';
    err = bench_child_wait(&c, CAPTURE_TIMEOUT_NS);
    return err > 0 ? -ECHILD : err;
}
