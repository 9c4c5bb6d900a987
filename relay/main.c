// sealpost-relay: start, signals, statistics, end. The main thread carries no traffic.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "control_link.h"
#include "link.h"
#include "log.h"
#include "mailbox.h"
#include "tls.h"
#include "worker.h"

#define EXIT_START 1 // something of the start failed; bad options exit 2
#define STATS_INTERVAL_S 1

struct relay {
    struct config config;
    struct worker *workers;
    struct link *links;
    struct mailbox_directory *directory;
    struct control_link *control;
    struct tls_context *tls;
    _Atomic bool draining;
    _Atomic uint32_t undrained;
};

// One sentence, then the end.
static void PRINTF_LIKE(1, 2) fail(const char *format, ...)
{
    va_list args;

    fputs("sealpost-relay: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_START);
}

static void format_address(const struct sockaddr_storage *address, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN];

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, cap, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, cap, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

// A listening socket; accepted ones inherit its options. A port of 0 is replaced by the one taken,
// so that the other workers listen on the same.
static int listen_on(struct config_listener *l)
{
    static const int one = 1, idle_s = 120, unsent = LIMIT_UNSENT_BYTES;
    char text[80];
    int fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("no socket can be opened: %s", strerror(errno));
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        fail("a socket option is refused: %s", strerror(errno));
    format_address(&l->address, text, sizeof text);
    if (bind(fd, (struct sockaddr *)&l->address, l->address_len) < 0)
        fail("cannot listen on %s: %s; choose another address with --listen", text,
             strerror(errno));
    if (listen(fd, LIMIT_LISTEN_BACKLOG) < 0)
        fail("cannot listen on %s: %s", text, strerror(errno));
    if (getsockname(fd, (struct sockaddr *)&l->address, &l->address_len) < 0)
        fail("the address of %s cannot be read: %s", text, strerror(errno));
    return fd;
}

// A port that somebody else listens on would be shared by SO_REUSEPORT without a word: ask first.
static void refuse_taken_port(const struct config_listener *l)
{
    char text[80];
    int fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static const int one = 1;

    if (fd < 0)
        fail("no socket can be opened: %s", strerror(errno));
    format_address(&l->address, text, sizeof text);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(fd, (const struct sockaddr *)&l->address, l->address_len) < 0)
        fail("cannot listen on %s: %s; choose another address with --listen", text,
             strerror(errno));
    close(fd);
}

static void prepare_tls(struct relay *r)
{
    const struct config *c = &r->config;
    char reason[TLS_REASON_BYTES];
    bool wanted = false;
    int err;

    for (uint32_t i = 0; i < c->listener_count; i++)
        wanted |= c->listeners[i].tls;
    if (!wanted) {
        if (c->certificate_file || c->key_file || c->certificate_out)
            fail("a certificate is given but no address uses it; add --listen wss://ADDRESS:PORT");
        return;
    }
    r->tls = tls_context_create_server(c->certificate_file, c->key_file, reason);
    if (!r->tls)
        fail("%s; see --tls-certificate and --tls-key", reason);
    if (!c->certificate_file)
        log_info("no certificate given: using a self-signed one for localhost");
    if (!c->certificate_out)
        return;
    err = tls_context_write_certificate(r->tls, c->certificate_out);
    if (err < 0)
        fail("cannot write the certificate to %s: %s", c->certificate_out, strerror(-err));
}

static void check_descriptors(const struct config *c)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && c->connections > files.rlim_cur)
        fail("--connections %u needs as many descriptors, RLIMIT_NOFILE is %llu; raise it "
             "(ulimit -n) or use more workers",
             c->connections, (unsigned long long)files.rlim_cur);
}

static void start_workers(struct relay *r)
{
    struct config *c = &r->config;
    size_t link_count = (size_t)c->workers * c->workers;

    r->workers = calloc(c->workers, sizeof *r->workers);
    r->links = aligned_alloc(CACHE_LINE_BYTES, link_count * sizeof *r->links);
    r->directory = mailbox_directory_create(c->workers * c->connections);
    if (!r->workers || !r->links || !r->directory)
        fail("out of memory at start; lower --workers or --connections");
    for (size_t i = 0; i < link_count; i++)
        if (link_init(&r->links[i]) < 0)
            fail("out of memory at start; lower --workers");
    for (uint32_t i = 0; i < c->listener_count; i++)
        refuse_taken_port(&c->listeners[i]);
    for (uint32_t i = 0; i < c->workers; i++) {
        struct worker *w = &r->workers[i];

        w->number = (uint16_t)i;
        w->config = c;
        w->workers = r->workers;
        w->worker_count = c->workers;
        w->links = r->links;
        w->directory = r->directory;
        w->tls = r->tls;
        w->draining = &r->draining;
        w->undrained = &r->undrained;
        w->listener_count = c->listener_count;
        for (uint32_t k = 0; k < c->listener_count; k++)
            w->listeners[k] = listen_on(&c->listeners[k]);
    }
    atomic_store(&r->undrained, c->workers);
    // Started before the workers, so that a worker's first event has somewhere to go; it wakes
    // none before one has spoken.
    r->control = control_link_create(c, r->workers, r->directory);
    if (!r->control)
        fail("the control thread cannot be started; lower --max-users or --connections");
    for (uint32_t i = 0; i < c->workers; i++) {
        struct worker *w = &r->workers[i];
        int err;

        w->control = r->control;
        err = worker_start(w);
        if (err < 0)
            fail("worker %u cannot have %s: %s", i, w->start_what, strerror(-err));
    }
}

static void announce(const struct config *c)
{
    for (uint32_t i = 0; i < c->listener_count; i++) {
        char text[80];

        format_address(&c->listeners[i].address, text, sizeof text);
        printf("listening on %s://%s\n", c->listeners[i].tls ? "wss" : "ws", text);
    }
    fflush(stdout);
}

// ---- statistics ---------------------------------------------------------------------------------

static uint64_t total(const struct relay *r, enum stats_counter counter)
{
    uint64_t sum = stats_read(control_link_stats(r->control), counter);

    for (uint32_t i = 0; i < r->config.workers; i++)
        sum += stats_read(&r->workers[i].stats, counter);
    return sum;
}

// Write beside the file and rename, so that a reader never sees half of it. Errors: -errno.
NODISCARD static int write_stats_file(const struct relay *r)
{
    char temporary[4096];
    FILE *f;

    snprintf(temporary, sizeof temporary, "%s.new", r->config.stats_file);
    f = fopen(temporary, "we");
    if (!f)
        return -errno;
    fputc('{', f);
    for (int i = 0; i < STATS_COUNT; i++)
        fprintf(f, "%s\n  \"%s\": %llu", i > 0 ? "," : "",
                stats_counter_name((enum stats_counter)i),
                (unsigned long long)total(r, (enum stats_counter)i));
    fputs("\n}\n", f);
    return fclose(f) != 0 || rename(temporary, r->config.stats_file) < 0 ? -errno : 0;
}

static void write_stats(const struct relay *r)
{
    int err = r->config.stats_file ? write_stats_file(r) : 0;

    if (err < 0)
        log_warn("the statistics cannot be written to %s: %s", r->config.stats_file,
                 strerror(-err));
}

static void wait_for_end(const struct relay *r, const sigset_t *ends)
{
    struct timespec interval = {.tv_sec = STATS_INTERVAL_S};

    for (;;) {
        int number =
            r->config.stats_file ? sigtimedwait(ends, NULL, &interval) : sigwaitinfo(ends, NULL);

        if (number > 0)
            return;
        write_stats(r);
    }
}

// ---- start and end ------------------------------------------------------------------------------

static void end(struct relay *r)
{
    uint32_t count = r->config.workers;

    atomic_store_explicit(&r->draining, true, memory_order_release);
    for (uint32_t i = 0; i < count; i++)
        waker_wake(&r->workers[i].waker);
    for (uint32_t i = 0; i < count; i++)
        worker_join(&r->workers[i]);
    write_stats(r);
    control_link_destroy(r->control);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < r->workers[i].listener_count; k++)
            close(r->workers[i].listeners[k]);
    for (size_t i = 0; i < (size_t)count * count; i++)
        link_free(&r->links[i]);
    mailbox_directory_destroy(r->directory);
    tls_context_destroy(r->tls);
    free(r->links);
    free(r->workers);
}

int main(int argc, char **argv)
{
    static struct relay relay;
    const char *missing;
    sigset_t ends;
    int err;

    config_parse(&relay.config, argc, argv);
    missing = ring_check_kernel();
    if (missing)
        fail("%s", missing);
    missing = control_check_libraries();
    if (missing)
        fail("%s", missing);
    check_descriptors(&relay.config);
    prepare_tls(&relay);
    // Every thread inherits the mask: signals come to this one only, when it asks.
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    start_workers(&relay);
    if (relay.config.stats_file && (err = write_stats_file(&relay)) < 0)
        fail("the statistics cannot be written to %s: %s; choose another file with --stats",
             relay.config.stats_file, strerror(-err));
    announce(&relay.config);
    wait_for_end(&relay, &ends);
    log_info("draining");
    end(&relay);
    log_info("ended");
    return 0;
}
