// The servers a run compares. Main thread only.
#include "bench_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_address.h"

#define START_TIMEOUT_NS (15 * NS_PER_S)
#define ARGUMENTS_MAX 16
#define TEMP_NAME_MAX 64

const struct bench_server_kind bench_server_kinds[BENCH_SERVER_KINDS] = {
    {.name = "raw", .protocol = "raw"},
    {.name = "relay-ws", .scheme = "ws"},
    {.name = "relay-wss", .scheme = "wss"},
    {.name = "nats", .program = "nats-server", .protocol = "nats", .peer = true},
    {.name = "redis", .program = "redis-server", .protocol = "redis", .peer = true},
    {.name = "mosquitto", .program = "mosquitto", .protocol = "mqtt", .peer = true},
};

// How to start one server, and how it says that it listens.
struct recipe {
    const char *argv[ARGUMENTS_MAX];
    int ready_fd;
    const char *ready_text;
};

// A port nobody listens on: the peers do not say which one they were given.
static int find_port(char out[8])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        err = -errno;
    close(fd);
    snprintf(out, 8, "%u", ntohs(at.sin_port));
    return err;
}

// Everything at its fastest for messages that are not kept: no queue limits, no Nagle, no log
// line for each connection.
static int write_mosquitto_config(const char *path, const char *port)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return -errno;
    fprintf(f,
            "listener %s 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_inflight_messages 0\nmax_queued_messages 0\npersistence false\n"
            "connection_messages false\nlog_dest stderr\n"
            "log_type error\nlog_type warning\nlog_type information\n%s",
            port,
            // As root it would change its user, and lose the signal that ends it with us.
            geteuid() == 0 ? "user root\n" : "");
    return fclose(f) == 0 ? 0 : -errno;
}

static int write_recipe(struct bench_server *s, const struct bench_place *place, const char *file,
                        char port[8], char config[PATH_MAX], struct recipe *r)
{
    const char *name = s->kind->name;

    *r = (struct recipe){.ready_fd = STDOUT_FILENO, .ready_text = "listening on "};
    if (strcmp(name, "raw") == 0) {
        memcpy(r->argv, (const char *[]){place->self, "forward", "--listen", "127.0.0.1:0", NULL},
               5 * sizeof *r->argv);
    } else if (s->kind->scheme) {
        bool tls = strcmp(s->kind->scheme, "wss") == 0;
        const char *argv[] = {place->relay,
                              "--workers",
                              "1",
                              "--listen",
                              tls ? "wss://127.0.0.1:0" : "ws://127.0.0.1:0",
                              tls ? "--tls-certificate-out" : NULL,
                              s->ca,
                              NULL};

        if (tls)
            snprintf(s->ca, sizeof s->ca, "%s/%s.pem", place->temp, file);
        memcpy(r->argv, argv, sizeof argv);
    } else if (strcmp(name, "nats") == 0) {
        memcpy(r->argv, (const char *[]){s->kind->program, "-a", "127.0.0.1", "-p", port, NULL},
               6 * sizeof *r->argv);
        r->ready_fd = STDERR_FILENO;
        r->ready_text = "Server is ready";
    } else if (strcmp(name, "redis") == 0) {
        memcpy(r->argv,
               (const char *[]){s->kind->program, "--port", port, "--bind", "127.0.0.1", "--save",
                                "", "--appendonly", "no", "--dir", place->temp, NULL},
               12 * sizeof *r->argv);
        r->ready_text = "Ready to accept connections";
    } else {
        snprintf(config, PATH_MAX, "%s/mosquitto.conf", place->temp);
        memcpy(r->argv, (const char *[]){s->kind->program, "-c", config, NULL},
               4 * sizeof *r->argv);
        r->ready_fd = STDERR_FILENO;
        r->ready_text = " running";
        return write_mosquitto_config(config, port);
    }
    return 0;
}

int bench_server_start(struct bench_server *s, const struct bench_server_kind *kind,
                       const struct bench_place *place, const char *name)
{
    char port[8] = "", config[PATH_MAX], line[512];
    struct bench_child_setup setup = {.cpu = place->server_cpu, .log = s->log};
    struct recipe recipe;
    int err;

    *s = (struct bench_server){.kind = kind};
    snprintf(s->log, sizeof s->log, "%s/%s.log", place->temp, name);
    unlink(s->log);
    if (kind->peer && (err = find_port(port)) < 0)
        return err;
    err = write_recipe(s, place, name, port, config, &recipe);
    if (err < 0)
        return err;
    setup.argv = recipe.argv;
    setup.piped_fd = recipe.ready_fd;
    err = bench_child_start(&s->child, &setup);
    if (err < 0)
        return err;
    err = bench_child_wait_line(&s->child, recipe.ready_text, START_TIMEOUT_NS, line, sizeof line);
    if (err < 0) {
        bench_child_kill(&s->child);
        return err;
    }
    if (kind->peer)
        snprintf(s->target, sizeof s->target, "127.0.0.1:%s", port);
    else
        snprintf(s->target, sizeof s->target, "%s",
                 strstr(line, recipe.ready_text) + strlen(recipe.ready_text));
    return 0;
}

int bench_server_stop(struct bench_server *s)
{
    int code = bench_child_stop(&s->child);

    if (code < 0)
        return code;
    // nats-server and mosquitto end with 0 or 1 on SIGTERM, depending on their version.
    return code == 0 || (s->kind->peer && code == 1) ? 0 : -EIO;
}

void bench_server_version(const struct bench_server_kind *kind, char *out, size_t cap)
{
    // mosquitto's --help begins with its version; it has no --version.
    const char *argv[] = {
        kind->program, kind->protocol && strcmp(kind->protocol, "mqtt") == 0 ? "-h" : "--version",
        NULL};

    out[0] = '\0';
    // mosquitto prints its help and ends with 3: the line counts, not the code.
    if (kind->program && bench_child_capture(argv, out, cap) < 0)
        return;
}
