// `sealpost-bench drive`: the command line and the report of the driving client. One thread.
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "bench.h"
#include "bench_address.h"
#include "bench_client.h"
#include "clock.h"
#include "cpu.h"
#include "log.h"
#include "ring.h"

enum { KEY_IN_FLIGHT = 256, KEY_WARMUP, KEY_SERVER_PID, KEY_JSON, KEY_PAYLOAD, KEY_HOLD };

struct drive_options {
    struct bench_client_plan plan;
    const char *target;
    const char *json;
    int pin;
};

static const struct argp_option option_table[] = {
    {"protocol", 'P', "NAME", 0, "raw, nats, redis or mqtt", 0},
    {"target", 't', "ADDRESS:PORT", 0, "the server", 0},
    {"connections", 'n', "N", 0, "connections, in pairs (default 100)", 0},
    {"in-flight", KEY_IN_FLIGHT, "W", 0, "messages in flight from each connection (default 1)", 0},
    {"payload", KEY_PAYLOAD, "BYTES", 0, "payload of each message (default 288)", 0},
    {"seconds", 's', "S", 0, "measured time (default 3)", 0},
    {"warmup", KEY_WARMUP, "S", 0, "unmeasured time before it (default 1)", 0},
    {"hold", KEY_HOLD, NULL, 0,
     "say 'ready' when connected and begin when standard input has a line or ends", 0},
    {"pin", 'p', "CPU", 0, "run on this processor", 0},
    {"server-pid", KEY_SERVER_PID, "PID", 0, "measure this process's processor time", 0},
    {"json", KEY_JSON, "FILE", 0, "write the result there ('-': standard output)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct drive_options *o = state->input;

    switch (key) {
    case 'P':
        o->plan.protocol = bench_protocol_find(arg);
        if (!o->plan.protocol)
            argp_error(state, "--protocol: '%s' is not raw, nats, redis or mqtt", arg);
        return 0;
    case 't':
        o->target = arg;
        if (bench_address_parse(arg, &o->plan.target) < 0)
            argp_error(state, "--target: '%s' is not an IPv4 ADDRESS:PORT", arg);
        return 0;
    case 'n':
        o->plan.connections =
            (uint32_t)bench_number_parse(state, "--connections", arg, 2, BENCH_CONNECTIONS_MAX);
        if (o->plan.connections % 2 != 0)
            argp_error(state, "--connections: %s is odd; connections work in pairs", arg);
        return 0;
    case KEY_IN_FLIGHT:
        o->plan.in_flight =
            (uint32_t)bench_number_parse(state, "--in-flight", arg, 1, BENCH_IN_FLIGHT_MAX);
        return 0;
    case KEY_PAYLOAD:
        o->plan.payload_bytes = (size_t)bench_number_parse(state, "--payload", arg,
                                                           BENCH_STAMP_BYTES, BENCH_PAYLOAD_MAX);
        return 0;
    case 's':
        o->plan.measure_ns = bench_seconds_parse(state, "--seconds", arg);
        return 0;
    case KEY_WARMUP:
        o->plan.warmup_ns = bench_seconds_parse(state, "--warmup", arg);
        return 0;
    case 'p':
        o->pin = (int)bench_number_parse(state, "--pin", arg, 0, CPU_LIST_MAX - 1);
        return 0;
    case KEY_SERVER_PID:
        o->plan.server_pid = (pid_t)bench_number_parse(state, "--server-pid", arg, 1, INT32_MAX);
        return 0;
    case KEY_HOLD:
        o->plan.is_held = true;
        return 0;
    case KEY_JSON:
        o->json = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->plan.protocol || !o->target)
            argp_error(state, "--protocol and --target are needed");
        if (o->plan.is_held && o->json && strcmp(o->json, "-") == 0)
            argp_error(state, "--hold says 'ready' on standard output: give --json a file");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static double per_second(const struct bench_client_result *r)
{
    return (double)r->messages * (double)NS_PER_S / (double)r->window_ns;
}

static double busy_pct(const struct bench_client_result *r)
{
    return 100.0 * (double)r->client_cpu_ns / (double)r->window_ns;
}

static double cpu_ns_per_msg(const struct bench_client_result *r)
{
    return r->messages > 0 ? (double)r->server_cpu_ns / (double)r->messages : 0;
}

static int delivery_failed(const struct bench_delivery *d)
{
    return d->lost + d->duplicate + d->reordered + d->misrouted > 0;
}

static void add_latency(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct hist *h)
{
    static const struct {
        const char *key;
        double percentile;
    } points[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99}};
    yyjson_mut_val *latency = yyjson_mut_obj_add_obj(doc, root, "latency_us");
    yyjson_mut_val *response = yyjson_mut_obj_add_obj(doc, latency, "response");

    yyjson_mut_obj_add_uint(doc, response, "count", h->total);
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        if (hist_percentile_supported(h, points[i].percentile))
            yyjson_mut_obj_add_real(doc, response, points[i].key,
                                    (double)hist_percentile(h, points[i].percentile) / 1e3);
        else
            yyjson_mut_obj_add_null(doc, response, points[i].key);
    }
    yyjson_mut_obj_add_real(doc, response, "max", (double)h->max / 1e3);
}

// The same members as the load tester's result has for the same things.
static yyjson_mut_doc *make_json(const struct drive_options *o, const struct bench_client_result *r)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_val *messages, *delivery, *generator, *busy;

    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "protocol", o->plan.protocol->name);
    yyjson_mut_obj_add_uint(doc, root, "connections", o->plan.connections);
    yyjson_mut_obj_add_uint(doc, root, "in_flight", o->plan.in_flight);
    yyjson_mut_obj_add_uint(doc, root, "payload_bytes", o->plan.payload_bytes);
    yyjson_mut_obj_add_real(doc, root, "seconds", (double)r->window_ns / (double)NS_PER_S);
    messages = yyjson_mut_obj_add_obj(doc, root, "messages");
    yyjson_mut_obj_add_uint(doc, messages, "count", r->messages);
    yyjson_mut_obj_add_real(doc, messages, "per_s", per_second(r));
    delivery = yyjson_mut_obj_add_obj(doc, root, "delivery");
    yyjson_mut_obj_add_uint(doc, delivery, "expected", r->delivery.sent);
    yyjson_mut_obj_add_uint(doc, delivery, "received", r->delivery.received);
    yyjson_mut_obj_add_uint(doc, delivery, "lost", r->delivery.lost);
    yyjson_mut_obj_add_uint(doc, delivery, "duplicate", r->delivery.duplicate);
    yyjson_mut_obj_add_uint(doc, delivery, "reordered", r->delivery.reordered);
    yyjson_mut_obj_add_uint(doc, delivery, "misrouted", r->delivery.misrouted);
    add_latency(doc, root, &r->latency);
    generator = yyjson_mut_obj_add_obj(doc, root, "generator");
    busy = yyjson_mut_obj_add_arr(doc, generator, "busy_pct_per_thread");
    yyjson_mut_arr_add_real(doc, busy, busy_pct(r));
    if (o->plan.server_pid > 0) {
        yyjson_mut_val *server = yyjson_mut_obj_add_obj(doc, root, "server");

        yyjson_mut_obj_add_real(doc, server, "cpu_ns_per_msg", cpu_ns_per_msg(r));
    }
    return doc;
}

static int write_json(const struct drive_options *o, const struct bench_client_result *r)
{
    yyjson_mut_doc *doc = make_json(o, r);
    yyjson_write_err err = {0};
    bool done = strcmp(o->json, "-") == 0
                    ? yyjson_mut_write_fp(stdout, doc, YYJSON_WRITE_PRETTY, NULL, &err)
                    : yyjson_mut_write_file(o->json, doc, YYJSON_WRITE_PRETTY, NULL, &err);

    yyjson_mut_doc_free(doc);
    if (!done)
        log_error("%s: %s", o->json, err.msg);
    return done ? 0 : -EIO;
}

static void print_text(const struct drive_options *o, const struct bench_client_result *r)
{
    const struct hist *h = &r->latency;
    const struct bench_delivery *d = &r->delivery;

    printf("%s: %.0f messages/s (%u connections, %u in flight each, %zu B), latency p50 %.0f us, "
           "p99 %.0f us, client thread %.0f %% busy",
           o->plan.protocol->name, per_second(r), o->plan.connections, o->plan.in_flight,
           o->plan.payload_bytes, (double)hist_percentile(h, 50) / 1e3,
           (double)hist_percentile(h, 99) / 1e3, busy_pct(r));
    if (o->plan.server_pid > 0)
        printf(", server %.0f ns/message", cpu_ns_per_msg(r));
    printf("\ndelivery: %lu sent, %lu lost, %lu duplicate, %lu reordered, %lu misrouted\n", d->sent,
           d->lost, d->duplicate, d->reordered, d->misrouted);
}

static int drive(const struct drive_options *o)
{
    struct bench_client_result result;
    const char *problem = NULL;
    int code, err = bench_client_run(&o->plan, &result, &problem);

    if (err < 0) {
        log_error("%s at %s: %s (%s)", o->plan.protocol->name, o->target, problem, strerror(-err));
        code = err == -ENOMEM || err == -EMFILE ? BENCH_EXIT_INTERNAL : BENCH_EXIT_UNREACHABLE;
    } else {
        code = delivery_failed(&result.delivery) ? BENCH_EXIT_DELIVERY : BENCH_EXIT_PASS;
        if (!o->json || strcmp(o->json, "-") != 0)
            print_text(o, &result);
        if (o->json && write_json(o, &result) < 0)
            code = BENCH_EXIT_INTERNAL;
    }
    hist_free(&result.latency);
    return code;
}

int bench_drive_main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_table,
        .parser = parse_option,
        .doc = "Drive one server: N connections in pairs, W messages in flight from each to its "
               "partner, closed loop.\vEvery message is accounted for. Exit codes: 0 pass, 1 "
               "internal error, 104 bad command line, 111 messages lost, duplicate, reordered or "
               "misrouted, 113 server unreachable or not speaking the protocol.",
    };
    struct drive_options options = {.plan = {.connections = 100,
                                             .in_flight = 1,
                                             .payload_bytes = 288,
                                             .warmup_ns = NS_PER_S,
                                             .measure_ns = 3 * NS_PER_S},
                                    .pin = -1};
    const char *missing;
    int err;

    argp_err_exit_status = BENCH_EXIT_CONFIGURATION;
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
    return drive(&options);
}
