// Starting and ending a relay. Polls: it runs between measurements.
#include "server_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000u
#define POLL_MS 10u

// Append `text`; false if there is no room.
static bool append(char *out, size_t *len, const char *text, size_t text_len)
{
    if (*len + text_len >= SERVER_PROCESS_COMMAND_BYTES)
        return false;
    memcpy(out + *len, text, text_len);
    *len += text_len;
    out[*len] = '\0';
    return true;
}

int server_process_format(char out[SERVER_PROCESS_COMMAND_BYTES], const char *command,
                          const char *url, unsigned value, char reason[SERVER_PROCESS_REASON_BYTES])
{
    char number[16];
    size_t len = 0;
    bool fits = true;

    snprintf(number, sizeof number, "%u", value);
    out[0] = '\0';
    while (*command != '\0' && fits) {
        if (strncmp(command, "{url}", 5) == 0) {
            fits = append(out, &len, url, strlen(url));
            command += 5;
        } else if (strncmp(command, "{}", 2) == 0) {
            fits = append(out, &len, number, strlen(number));
            command += 2;
        } else {
            fits = append(out, &len, command++, 1);
        }
    }
    if (fits)
        return 0;
    snprintf(reason, SERVER_PROCESS_REASON_BYTES, "--server-command is longer than %u characters",
             SERVER_PROCESS_COMMAND_BYTES - 1);
    return -EINVAL;
}

static bool accepts(const struct target *t)
{
    int fd = target_open_socket(t, 0, 0);
    bool connected =
        fd >= 0 && connect(fd, (const struct sockaddr *)&t->address, t->address_len) == 0;

    if (fd >= 0)
        close(fd);
    return connected;
}

static void run_child(const char *command, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    // It ends with us however we end; a Ctrl-C is for us alone to answer.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static bool is_interrupted(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM));
}

static void pause_for_poll(void)
{
    nanosleep(&(struct timespec){.tv_nsec = POLL_MS * (long)NS_PER_MS}, NULL);
}

static int await_server(struct server_process *s, const struct target *t, char *reason)
{
    for (unsigned waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += POLL_MS) {
        int status;

        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            snprintf(reason, SERVER_PROCESS_REASON_BYTES,
                     "the server of --server-command ended at once (%s %d)",
                     WIFEXITED(status) ? "exit code" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
            return -ECHILD;
        }
        if (is_interrupted()) {
            snprintf(reason, SERVER_PROCESS_REASON_BYTES, "interrupted");
            return -EINTR;
        }
        if (accepts(t))
            return 0;
        pause_for_poll();
    }
    snprintf(reason, SERVER_PROCESS_REASON_BYTES,
             "the server of --server-command does not accept at %s after %u s", t->authority,
             PATIENCE_MS / 1000);
    return -ETIMEDOUT;
}

int server_process_start(struct server_process *s, const char *command, const struct target *t,
                         char reason[SERVER_PROCESS_REASON_BYTES])
{
    char line[SERVER_PROCESS_COMMAND_BYTES + 8];
    pid_t parent = getpid();
    int err;

    *s = (struct server_process){.target = t};
    if (accepts(t)) {
        snprintf(reason, SERVER_PROCESS_REASON_BYTES,
                 "something accepts at %s already: end it, or leave --server-command out",
                 t->authority);
        return -EADDRINUSE;
    }
    // exec: the process we know is the server, not a shell that waits for it.
    snprintf(line, sizeof line, "exec %s", command);
    s->pid = fork();
    if (s->pid < 0) {
        err = -errno;
        s->pid = 0;
        snprintf(reason, SERVER_PROCESS_REASON_BYTES, "no process for --server-command: %s",
                 strerror(-err));
        return err;
    }
    if (s->pid == 0)
        run_child(line, parent);
    err = await_server(s, t, reason);
    if (err < 0)
        server_process_stop(s);
    return err;
}

static void end(struct server_process *s)
{
    kill(s->pid, SIGTERM);
    for (unsigned waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += POLL_MS) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
            return;
        pause_for_poll();
    }
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

void server_process_stop(struct server_process *s)
{
    if (s->pid == 0)
        return;
    end(s);
    s->pid = 0;
    for (unsigned waited_ms = 0; waited_ms < PATIENCE_MS && accepts(s->target);
         waited_ms += POLL_MS)
        pause_for_poll();
}
