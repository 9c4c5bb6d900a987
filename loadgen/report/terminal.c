// The terminal. It is opened a second time so that "non-blocking" is ours alone: the description
// that standard error has is shared with the shell.
#include "terminal.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// The alternate screen, no cursor, no wrapping of long lines.
#define TAKE "\033[?1049h\033[?25l\033[?7l\033[2J"
// Cancels a sequence that was cut, then undoes TAKE.
#define GIVE_BACK "\030\033[0m\033[?7h\033[?25h\033[?1049l"

static const int fatal_signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT};
static volatile sig_atomic_t taken_fd = -1; // for the handler: there is one screen to take

// A failed assertion must not leave its message on a screen that goes away.
static void give_back_and_die(int number)
{
    if (taken_fd >= 0 && write(taken_fd, GIVE_BACK, sizeof GIVE_BACK - 1) < 0)
        taken_fd = -1;
    raise(number); // its default, which SA_RESETHAND has put back
}

static void watch_fatal_signals(void)
{
    struct sigaction action = {.sa_handler = give_back_and_die, .sa_flags = (int)SA_RESETHAND};

    for (unsigned i = 0; i < COUNT_OF(fatal_signals); i++)
        sigaction(fatal_signals[i], &action, NULL);
}

bool terminal_open(struct terminal *t, int fd)
{
    const char *kind = getenv("TERM");
    char path[32];

    t->fd = -1;
    t->is_taken = false;
    t->pending_len = t->pending_at = 0;
    if (!isatty(fd) || !kind || kind[0] == '\0' || strcmp(kind, "dumb") == 0)
        return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    t->fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return t->fd >= 0;
}

bool terminal_size(const struct terminal *t, unsigned *columns, unsigned *rows)
{
    struct winsize size;

    if (t->fd < 0 || ioctl(t->fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
        return false;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return true;
}

// True: nothing is left.
static bool flush(struct terminal *t)
{
    while (t->pending_at < t->pending_len) {
        ssize_t n = write(t->fd, t->pending + t->pending_at, t->pending_len - t->pending_at);

        if (n <= 0)
            return false;
        t->pending_at += (size_t)n;
    }
    t->pending_len = t->pending_at = 0;
    return true;
}

bool terminal_draw(struct terminal *t, const char *frame, size_t len)
{
    static const char home[] = "\033[H";

    assert(len <= sizeof t->pending - sizeof TAKE - sizeof home);
    if (t->fd < 0 || !flush(t))
        return false;
    if (!t->is_taken) {
        memcpy(t->pending, TAKE, sizeof TAKE - 1);
        t->pending_len = sizeof TAKE - 1;
        t->is_taken = true;
        taken_fd = t->fd;
        watch_fatal_signals();
    }
    memcpy(t->pending + t->pending_len, home, sizeof home - 1);
    t->pending_len += sizeof home - 1;
    memcpy(t->pending + t->pending_len, frame, len);
    t->pending_len += len;
    flush(t);
    return true;
}

void terminal_close(struct terminal *t)
{
    if (t->fd < 0)
        return;
    taken_fd = -1;
    if (t->is_taken && write(t->fd, GIVE_BACK, sizeof GIVE_BACK - 1) < 0)
        t->is_taken = false; // nobody reads it: it keeps what it shows
    close(t->fd);
    t->fd = -1;
}
