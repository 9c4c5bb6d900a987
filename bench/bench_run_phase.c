// One phase of a side-by-side run: a fresh server on one processor, its client on the other, the
// client's result read back. Main thread only.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bench_run.h"

#define SET_UP_NS (180 * NS_PER_S) // a client's whole time beyond the measured one
#define RESULT_BYTES_MAX (4 * MIB)
#define LOG_TAIL_BYTES 2000
#define EXIT_LIMITED 112 // sealpost-load: the figures stand, the generator bounded them

static void add(struct bench_command *c, const char *argument)
{
    c->argv[c->count++] = argument;
}

void bench_command_add(struct bench_command *c, const char *option, const char *value)
{
    add(c, option);
    add(c, value);
}

// What every client is told: where it runs, whom it measures, where the result goes.
static void begin_command(struct bench_run *run, struct bench_lane *lane)
{
    const struct bench_run_options *o = &run->options;
    const struct bench_server *server = &lane->server;
    struct bench_command *c = &lane->command;

    *c = (struct bench_command){0};
    snprintf(c->json, sizeof c->json, "%s/%s-client.json", run->temp, lane->name);
    snprintf(c->log, sizeof c->log, "%s/%s-client.log", run->temp, lane->name);
    snprintf(c->seconds, sizeof c->seconds, "%g", o->seconds);
    snprintf(c->warmup, sizeof c->warmup, "%g", o->warmup_seconds);
    snprintf(c->cpu, sizeof c->cpu, "%d", lane->place->client_cpu);
    snprintf(c->pid, sizeof c->pid, "%d", (int)server->child.pid);
    unlink(c->json);
    unlink(c->log);
    if (server->kind->protocol) {
        add(c, run->self);
        add(c, "drive");
        bench_command_add(c, "--protocol", server->kind->protocol);
        bench_command_add(c, "--target", server->target);
    } else {
        add(c, lane->place->load);
        add(c, server->target);
        add(c, "--quiet");
        if (server->ca[0] != '\0')
            bench_command_add(c, "--ca", server->ca);
    }
    bench_command_add(c, "--pin", c->cpu);
    bench_command_add(c, "--server-pid", c->pid);
    bench_command_add(c, "--json", c->json);
}

// The end of a log, for a phase that failed.
static void print_tail(const char *path)
{
    char text[LOG_TAIL_BYTES + 1];
    FILE *f = fopen(path, "re");
    size_t len;

    if (!f)
        return;
    if (fseek(f, -LOG_TAIL_BYTES, SEEK_END) < 0)
        rewind(f);
    len = fread(text, 1, LOG_TAIL_BYTES, f);
    text[len] = '\0';
    fputs(text, stderr);
    fclose(f);
}

static int say_failed(const struct bench_server *server, const char *what, int err)
{
    if (err == -EINTR)
        return err;
    fprintf(stderr, "bench: %s: %s", server->kind->name, what);
    if (err < 0)
        fprintf(stderr, " (%s)", strerror(-err));
    fputc('\n', stderr);
    print_tail(server->log);
    return err < 0 ? err : -EIO;
}

static int read_result(const char *path, char **text, size_t *len)
{
    FILE *f = fopen(path, "re");

    if (!f)
        return -errno;
    *text = malloc(RESULT_BYTES_MAX);
    *len = *text ? fread(*text, 1, RESULT_BYTES_MAX, f) : 0;
    fclose(f);
    return *text ? 0 : -ENOMEM;
}

int bench_lane_start(struct bench_lane *lane, const struct bench_server_kind *kind,
                     const struct bench_place *place, const char *name)
{
    int err;

    *lane = (struct bench_lane){.place = place, .name = name};
    err = bench_server_start(&lane->server, kind, place, name);
    return err < 0 ? say_failed(&lane->server, "did not start", err) : 0;
}

int bench_lane_drive(struct bench_run *run, struct bench_lane *lane, bool is_held,
                     bench_extend *extend, const void *context)
{
    struct bench_command *c = &lane->command;
    struct bench_child_setup setup = {.argv = c->argv,
                                      .cpu = lane->place->client_cpu,
                                      .piped_fd = STDOUT_FILENO,
                                      .log = c->log,
                                      .has_input = is_held};
    int err;

    begin_command(run, lane);
    extend(run, c, context);
    if (is_held)
        add(c, "--hold");
    err = bench_child_start(&lane->client, &setup);
    return err < 0 ? say_failed(&lane->server, "its client did not start", err) : 0;
}

// A client's own words, then the server's.
static int say_client_failed(struct bench_lane *lane, int err)
{
    if (err != -EINTR)
        print_tail(lane->command.log);
    return say_failed(&lane->server, "its client failed", err);
}

int bench_lane_await(struct bench_lane *lane)
{
    char line[64];
    int err = bench_child_wait_line(&lane->client, "ready", SET_UP_NS, line, sizeof line);

    return err < 0 ? say_client_failed(lane, err) : 0;
}

// Returns its exit code if that leaves a valid result, or -errno.
static int end_client(struct bench_run *run, struct bench_lane *lane)
{
    double measured_s = run->options.seconds + run->options.warmup_seconds;
    int code =
        bench_child_wait(&lane->client, SET_UP_NS + (uint64_t)(measured_s * (double)NS_PER_S));

    if (code == BENCH_EXIT_PASS || code == BENCH_EXIT_DELIVERY || code == EXIT_LIMITED)
        return code;
    if (code >= 0)
        fprintf(stderr, "bench: %s ended with code %d\n", lane->command.argv[0], code);
    return say_client_failed(lane, code);
}

int bench_lane_finish(struct bench_run *run, struct bench_lane *lane)
{
    int err, code = end_client(run, lane);

    if (code < 0)
        return code;
    if (code == BENCH_EXIT_DELIVERY) {
        run->delivery_failed = true;
        fprintf(stderr, "bench: %s: DELIVERY FAILED\n", lane->name);
    }
    err = bench_server_stop(&lane->server);
    if (err < 0)
        return say_failed(&lane->server, "did not end with code 0", err == -EIO ? 0 : err);
    return read_result(lane->command.json, &lane->text, &lane->len);
}

void bench_lane_kill(struct bench_lane *lane)
{
    bench_child_kill(&lane->client);
    bench_child_kill(&lane->server.child);
    free(lane->text);
    lane->text = NULL;
}

int bench_run_phase(struct bench_run *run, const struct bench_server_kind *kind,
                    bench_extend *extend, const void *context, char **text, size_t *len)
{
    struct bench_lane *lane = malloc(sizeof *lane);
    int err;

    *text = NULL;
    if (!lane)
        return -ENOMEM;
    err = bench_lane_start(lane, kind, &run->options.place, kind->name);
    if (err == 0)
        err = bench_lane_drive(run, lane, false, extend, context);
    if (err == 0)
        err = bench_lane_finish(run, lane);
    if (err == 0) {
        *text = lane->text;
        *len = lane->len;
        lane->text = NULL;
    }
    bench_lane_kill(lane);
    free(lane);
    return err;
}
