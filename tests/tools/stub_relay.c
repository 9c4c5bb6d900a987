// stub-relay: the load tester's sink (loadgen/sink.h) as a program, with a capacity that is exactly
// known: --rate R serves R envelopes a second, one after the other. Prints its address on a line of
// its own, ends on SIGTERM or SIGINT, and then prints what it did as one JSON object.
#include <argp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ring.h"
#include "sealcrypto.h"
#include "sink.h"

static const struct argp_option option_table[] = {
    {"rate", 'r', "R", 0, "Envelopes a second it can serve (as many as the machine can)", 0},
    {"queue", 'q', "N", 0, "With a rate: envelopes that may wait, more are refused (4096)", 0},
    {"connections", 'c', "N", 0, "At most so many (2048)", 0},
    {"pin", 'p', "CPU", 0, "Run on this processor", 0},
    {0},
};

static double number(struct argp_state *state, const char *option, const char *text, double min,
                     double max)
{
    char *end;
    double value = strtod(text, &end);

    if (*end != '\0' || end == text || !(value >= min && value <= max))
        argp_error(state, "--%s takes a number from %.0f to %.0f, not '%s'", option, min, max,
                   text);
    return value;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct sink_options *o = state->input;

    switch (key) {
    case 'r':
        o->rate_per_s = number(state, "rate", arg, 1, 1e7);
        return 0;
    case 'q':
        o->queue_max = (uint32_t)number(state, "queue", arg, 1, 1e6);
        return 0;
    case 'c':
        o->connections = (uint32_t)number(state, "connections", arg, 1, 1e5);
        return 0;
    case 'p':
        o->pin = (int)number(state, "pin", arg, 0, 1023);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// The ring's table of descriptors is bounded by the limit of the process.
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    static const struct argp argp = {option_table,
                                     parse_one,
                                     NULL,
                                     "A relay that does nothing but forward, at a known rate.",
                                     0,
                                     0,
                                     0};
    struct sink_options options = {.connections = 2048, .pin = -1, .queue_max = 4096};
    struct sink_counts counts;
    struct sink *sink;
    sigset_t signals;
    int number_of_signal, err;

    argp_parse(&argp, argc, argv, 0, NULL, &options);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_descriptor_limit();
    err = sp_init(); // mailbox ids
    if (err == 0)
        err = sink_create(&sink, &options);
    if (err < 0) {
        fprintf(stderr, "stub-relay: %s\n", strerror(-err));
        return EXIT_FAILURE;
    }
    printf("listening on ws://127.0.0.1:%u\n", sink_port(sink));
    fflush(stdout);
    while (sigwait(&signals, &number_of_signal) != 0)
        ;
    counts = sink_destroy(sink);
    printf("{\"connections\":%" PRIu64 ",\"received\":%" PRIu64 ",\"forwarded\":%" PRIu64
           ",\"refused\":%" PRIu64 ",\"dropped\":%" PRIu64 "}\n",
           counts.connections, counts.received, counts.forwarded, counts.refused, counts.dropped);
    return EXIT_SUCCESS;
}
