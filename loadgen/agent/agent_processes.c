// Starting and ending the agents of this machine. Only processes that were started here are ended.
#include "agent_processes.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent_session.h"

#define PATIENCE_MS 5000u
#define POLL_MS 10u

// An agent that ends by itself when the other end of its socket does.
static void serve(struct agent_processes *p, int fd)
{
    const struct agent_session_config config = {.token = ""};

    // An interrupt at the terminal is the coordinator's to pass on.
    setpgid(0, 0);
    for (uint32_t i = 0; i < p->count; i++)
        close(p->fds[i]);
    agent_session_serve(fd, &config);
    fflush(NULL);
    _exit(0);
}

int agent_processes_start(struct agent_processes *p, uint32_t count)
{
    int err = 0;

    *p = (struct agent_processes){0};
    fflush(NULL); // or each of them would write it again
    while (p->count < count && err == 0) {
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
            err = -errno;
            break;
        }
        pid = fork();
        if (pid == 0) {
            close(pair[0]);
            serve(p, pair[1]);
        }
        close(pair[1]);
        if (pid < 0) {
            err = -errno;
            close(pair[0]);
            break;
        }
        p->pids[p->count] = pid;
        p->fds[p->count++] = pair[0];
    }
    if (err < 0)
        agent_processes_end(p);
    return err;
}

static bool has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) != 0;
}

void agent_processes_end(struct agent_processes *p)
{
    uint32_t waited_ms = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        if (p->fds[i] >= 0)
            close(p->fds[i]);
    }
    for (uint32_t i = 0; i < p->count; i++) {
        while (!has_ended(p->pids[i])) {
            if (waited_ms >= PATIENCE_MS) {
                kill(p->pids[i], SIGKILL);
                waitpid(p->pids[i], NULL, 0);
                break;
            }
            nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
            waited_ms += POLL_MS;
        }
    }
    p->count = 0;
}
