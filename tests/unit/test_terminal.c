// The screen that is drawn on: taken, given back, never waited for. On a pseudo-terminal.
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"

static int master, slave;
static struct terminal t;
static char seen[256 * KIB];

static void setup(void)
{
    struct winsize size = {.ws_row = 30, .ws_col = 100};

    setenv("TERM", "xterm", 1);
    cr_assert_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
}

static void teardown(void)
{
    close(master);
    close(slave);
}

TestSuite(terminal, .init = setup, .fini = teardown);

// What the terminal got until now.
static size_t read_seen(void)
{
    struct pollfd p = {.fd = master, .events = POLLIN};
    size_t len = 0;

    while (poll(&p, 1, 200) == 1 && len < sizeof seen - 1) {
        ssize_t n = read(master, seen + len, sizeof seen - 1 - len);

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    seen[len] = '\0';
    return len;
}

Test(terminal, draw_takes_the_screen_and_close_gives_it_back)
{
    unsigned columns = 0, rows = 0;

    cr_assert(terminal_open(&t, slave));
    cr_assert(terminal_size(&t, &columns, &rows));
    cr_assert_eq(columns, 100);
    cr_assert_eq(rows, 30);
    cr_assert(terminal_draw(&t, "one", 3));
    cr_assert(terminal_draw(&t, "two", 3));
    terminal_close(&t);
    read_seen();
    cr_assert_str_eq(seen, "\033[?1049h\033[?25l\033[?7l\033[2J\033[Hone\033[Htwo"
                           "\030\033[0m\033[?7h\033[?25h\033[?1049l");
    cr_assert_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0, "the shell's description is as it was");
}

Test(terminal, close_of_a_screen_not_taken_is_silent)
{
    cr_assert(terminal_open(&t, slave));
    terminal_close(&t);
    terminal_close(&t);
    cr_assert_eq(read_seen(), 0);
}

Test(terminal, draw_does_not_wait_for_a_terminal_nobody_reads)
{
    static char frame[16 * KIB];
    unsigned dropped = 0;
    size_t len;

    memset(frame, 'x', sizeof frame);
    cr_assert(terminal_open(&t, slave));
    for (unsigned i = 0; i < 100; i++)
        dropped += !terminal_draw(&t, frame, sizeof frame);
    cr_assert_gt(dropped, 50);
    // It is read again: what was cut is completed before anything new.
    len = read_seen();
    cr_assert_lt(len, 100 * sizeof frame);
    cr_assert(terminal_draw(&t, "new", 3) || read_seen() > 0);
    terminal_close(&t);
    len += read_seen();
    cr_assert_gt(len, sizeof frame);
    cr_assert(strstr(seen, "\033[?1049l"));
}

Test(terminal, close_does_not_wait_either)
{
    static char frame[16 * KIB];

    memset(frame, 'x', sizeof frame);
    cr_assert(terminal_open(&t, slave));
    while (terminal_draw(&t, frame, sizeof frame))
        continue;
    terminal_close(&t);
    cr_assert_eq(t.fd, -1);
}

Test(terminal, open_refuses_what_has_no_cursor)
{
    int pipes[2];

    cr_assert_eq(pipe(pipes), 0);
    cr_assert_not(terminal_open(&t, pipes[1]));
    setenv("TERM", "dumb", 1);
    cr_assert_not(terminal_open(&t, slave));
    unsetenv("TERM");
    cr_assert_not(terminal_open(&t, slave));
    cr_assert_not(terminal_draw(&t, "x", 1));
}
