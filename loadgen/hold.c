// A run that begins on a word from outside. Never blocks: standard input is looked at between the
// coordinator's other steps.
#include "hold.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define INPUT_BYTES 256u

static uint64_t next_ns(void *ctx)
{
    (void)ctx;
    return UINT64_MAX;
}

static void tell(void *ctx, const struct live *live)
{
    (void)ctx;
    (void)live;
}

static void settled(void *ctx)
{
    (void)ctx;
    puts("ready");
    fflush(stdout);
}

// A whole line, or the end of the input: whoever held us back has gone.
static bool is_told(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char text[INPUT_BYTES];
    ssize_t n;

    if (poll(&in, 1, 0) <= 0)
        return false;
    n = read(STDIN_FILENO, text, sizeof text);
    if (n < 0)
        return errno != EINTR && errno != EAGAIN;
    return n == 0 || memchr(text, '\n', (size_t)n) != NULL;
}

static enum run_order ask(void *ctx)
{
    struct hold *h = ctx;

    if (h->start_ns == 0 && is_told())
        h->start_ns = clock_now_ns();
    return h->start_ns != 0 ? RUN_ORDER_START : RUN_ORDER_NONE;
}

static uint64_t start_ns(void *ctx)
{
    return ((struct hold *)ctx)->start_ns;
}

struct run_director hold_director(struct hold *h)
{
    *h = (struct hold){0};
    return (struct run_director){.ctx = h,
                                 .next_ns = next_ns,
                                 .tell = tell,
                                 .settled = settled,
                                 .ask = ask,
                                 .start_ns = start_ns};
}
