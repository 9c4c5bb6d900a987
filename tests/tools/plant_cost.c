// A regression of exactly known size, for testing what detects them: preloaded into the relay
// (LD_PRELOAD), it burns SEALPOST_PLANT_PCT percent of whatever processor time a thread takes
// between its waits for completions, at those waits. The relay itself is the same program.
#include <dlfcn.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READS 1000

static double share;
static uint64_t read_ns; // what one look at the clock costs

static uint64_t thread_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((constructor)) static void read_share(void)
{
    const char *text = getenv("SEALPOST_PLANT_PCT");

    uint64_t begin_ns = thread_ns();

    for (int i = 0; i < READS; i++)
        read_ns = (thread_ns() - begin_ns) / READS;
    share = text ? strtod(text, NULL) / 100 : 0;
    if (share > 0 && share < 10)
        return;
    fputs("plant_cost: SEALPOST_PLANT_PCT must be above 0 and below 1000\n", stderr);
    abort();
}

// The first look is part of what is burnt, and not of the work before it.
static void burn(void)
{
    static __thread uint64_t left_ns, burnt_ns, worked_ns;
    uint64_t now_ns = thread_ns(), begin_ns = now_ns - read_ns;

    worked_ns += begin_ns > left_ns ? begin_ns - left_ns : 0;
    while ((double)(burnt_ns + now_ns - begin_ns) < share * (double)worked_ns)
        now_ns = thread_ns();
    burnt_ns += now_ns - begin_ns;
    left_ns = now_ns;
}

// The ways a worker waits (common/ring.c).
#define WRAP(name, parameters, arguments)                                                          \
    int name parameters                                                                            \
    {                                                                                              \
        static int(*real) parameters;                                                              \
                                                                                                   \
        if (!real) {                                                                               \
            void *found = dlsym(RTLD_NEXT, #name);                                                 \
                                                                                                   \
            memcpy(&real, &found, sizeof real);                                                    \
        }                                                                                          \
        burn();                                                                                    \
        return real arguments;                                                                     \
    }

WRAP(io_uring_submit_and_get_events, (struct io_uring * r), (r))
WRAP(io_uring_submit_and_wait, (struct io_uring * r, unsigned n), (r, n))
WRAP(io_uring_submit_and_wait_timeout,
     (struct io_uring * r, struct io_uring_cqe **cqe, unsigned n, struct __kernel_timespec *ts,
      sigset_t *mask),
     (r, cqe, n, ts, mask))
