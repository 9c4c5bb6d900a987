// `sealpost-bench forward`: the command line of the raw forwarder.
#include <argp.h>
#include <string.h>

#include "bench.h"
#include "bench_address.h"
#include "bench_forwarder.h"
#include "cpu.h"
#include "log.h"
#include "ring.h"

#define CONNECTIONS_DEFAULT 4096u
#define CONNECTIONS_MAX 65536u // the kernel's bound on a ring's descriptor table is RLIMIT_NOFILE

struct forward_options {
    struct sockaddr_in listen;
    unsigned connections;
    int pin;
};

static const struct argp_option option_table[] = {
    {"listen", 'l', "ADDRESS:PORT", 0, "where to listen (default 127.0.0.1:0, any free port)", 0},
    {"pin", 'p', "CPU", 0, "run on this processor", 0},
    {"connections", 'n', "N", 0, "at most this many connections (default 4096)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct forward_options *o = state->input;

    switch (key) {
    case 'l':
        if (bench_address_parse(arg, &o->listen) < 0)
            argp_error(state, "--listen: '%s' is not an IPv4 ADDRESS:PORT", arg);
        return 0;
    case 'p':
        o->pin = (int)bench_number_parse(state, "--pin", arg, 0, CPU_LIST_MAX - 1);
        return 0;
    case 'n':
        o->connections =
            (unsigned)bench_number_parse(state, "--connections", arg, 2, CONNECTIONS_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int bench_forward_main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_table,
        .parser = parse_option,
        .doc = "Forward bytes between pairs of connections, as fast as the kernel allows.\v"
               "Connections are paired in the order in which they are accepted. Prints 'listening "
               "on ADDRESS:PORT' when ready; SIGTERM ends it.",
    };
    struct forward_options options = {.connections = CONNECTIONS_DEFAULT, .pin = -1};
    const char *missing;
    int err;

    argp_err_exit_status = BENCH_EXIT_CONFIGURATION;
    bench_address_parse("127.0.0.1:0", &options.listen);
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    missing = ring_check_kernel();
    if (missing) {
        log_error("%s", missing);
        return BENCH_EXIT_INTERNAL;
    }
    if (options.pin >= 0 && (err = cpu_pin_thread((unsigned)options.pin)) < 0) {
        log_error("processor %d is not available: %s", options.pin, strerror(-err));
        return BENCH_EXIT_CONFIGURATION;
    }
    err = bench_forwarder_run(&options.listen, options.connections);
    if (err < 0)
        log_error("the forwarder ended: %s", strerror(-err));
    return err < 0 ? BENCH_EXIT_INTERNAL : BENCH_EXIT_PASS;
}
