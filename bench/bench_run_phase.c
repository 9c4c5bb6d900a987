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
static void begin_command(struct bench_run *run, struct bench_command *c,
                          const struct bench_server *server)
{
    const struct bench_run_options *o = &run->options;

    *c = (struct bench_command){0};
    snprintf(c->json, sizeof c->json, "%s/client.json", run->temp);
    snprintf(c->log, sizeof c->log, "%s/client.log", run->temp);
    snprintf(c->seconds, sizeof c->seconds, "%g", o->seconds);
    snprintf(c->warmup, sizeof c->warmup, "%g", o->warmup_seconds);
    snprintf(c->cpu, sizeof c->cpu, "%d", o->place.client_cpu);
    snprintf(c->pid, sizeof c->pid, "%d", (int)server->child.pid);
    unlink(c->json);
    unlink(c->log);
    if (server->kind->protocol) {
        add(c, run->self);
        add(c, "drive");
        bench_command_add(c, "--protocol", server->kind->protocol);
        bench_command_add(c, "--target", server->target);
    } else {
        add(c, run->options.place.load);
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

// Run the client to its end. Returns its exit code if that leaves a valid result, or -errno.
static int run_client(struct bench_run *run, struct bench_command *c,
                      const struct bench_server *server)
{
    struct bench_child_setup setup = {.argv = c->argv,
                                      .cpu = run->options.place.client_cpu,
                                      .piped_fd = STDOUT_FILENO,
                                      .log = c->log};
    double measured_s = run->options.seconds + run->options.warmup_seconds;
    struct bench_child child;
    int code = bench_child_start(&child, &setup);

    if (code < 0)
        return say_failed(server, "its client did not start", code);
    code = bench_child_wait(&child, SET_UP_NS + (uint64_t)(measured_s * (double)NS_PER_S));
    if (code == BENCH_EXIT_PASS || code == BENCH_EXIT_DELIVERY || code == EXIT_LIMITED)
        return code;
    if (code >= 0)
        fprintf(stderr, "bench: %s ended with code %d\n", c->argv[0], code);
    if (code != -EINTR)
        print_tail(c->log);
    return say_failed(server, "its client failed", code);
}

int bench_run_phase(struct bench_run *run, const struct bench_server_kind *kind,
                    void (*extend)(struct bench_run *, struct bench_command *, const void *),
                    const void *context, char **text, size_t *len)
{
    struct bench_server *server = malloc(sizeof *server);
    struct bench_command *command = malloc(sizeof *command);
    int code, err = server && command ? 0 : -ENOMEM;

    *text = NULL;
    if (err < 0)
        goto cleanup;
    err = bench_server_start(server, kind, &run->options.place);
    if (err < 0) {
        err = say_failed(server, "did not start", err);
        goto cleanup;
    }
    begin_command(run, command, server);
    extend(run, command, context);
    code = run_client(run, command, server);
    if (code < 0) {
        bench_child_kill(&server->child);
        err = code;
        goto cleanup;
    }
    if (code == BENCH_EXIT_DELIVERY) {
        run->delivery_failed = true;
        fprintf(stderr, "bench: %s: DELIVERY FAILED\n", kind->name);
    }
    err = bench_server_stop(server);
    if (err < 0)
        err = say_failed(server, "did not end with code 0", err == -EIO ? 0 : err);
    else
        err = read_result(command->json, text, len);

cleanup:
    free(server);
    free(command);
    return err;
}
