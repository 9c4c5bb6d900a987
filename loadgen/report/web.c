// The live page's thread: accept, read, answer, push. poll() over a bounded table of connections.
#include "web.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent_live.h"
#include "clock.h"
#include "page.h"
#include "report.h"
#include "web_client.h"

// Connections over WEB_CLIENTS_MAX live just long enough to be told so; when these are taken too,
// further ones wait in the listen queue.
#define SURPLUS_MAX 4u
#define SLOTS (WEB_CLIENTS_MAX + SURPLUS_MAX)
#define BACKLOG 16
#define REST_NS NS_PER_S // without descriptors: until the next accept
#define GIVE_UP_MS 20    // at the end: nobody took anything
#define FINISH_NS (200 * NS_PER_MS)
#define NICE 10 // the generator's threads come first

enum { POLL_WAKE, POLL_LISTEN, POLL_CLIENTS };

struct web {
    pthread_t thread;
    int listen_fd, wake_fd;
    int argc;
    char **argv;
    char url[WEB_URL_BYTES];
    // Handed over, under the lock.
    pthread_mutex_t lock;
    uint64_t version; // 0: nothing yet
    bool is_over;
    const char *final; // borrowed until the thread has ended
    struct live live;
    struct series_point points[SERIES_POINTS_MAX];
    struct agent_live agents[AGENT_LIST_MAX];
    // The thread's.
    struct live shown;
    struct series_point shown_points[SERIES_POINTS_MAX];
    struct agent_live shown_agents[AGENT_LIST_MAX];
    uint64_t shown_version; // of `shown`
    struct web_text *event; // `shown` as an event; NULL: not formatted yet
    uint64_t rest_until_ns; // no accept before
    struct web_client clients[SLOTS];
};

static void fetch(struct web *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->version != w->shown_version) {
        w->shown_version = w->version;
        w->shown = w->live;
        memcpy(w->shown_points, w->points, w->live.point_count * sizeof *w->points);
        w->shown.points = w->shown_points;
        memcpy(w->shown_agents, w->agents, w->live.agent_count * sizeof *w->agents);
        w->shown.agents = w->shown_agents;
        web_text_put(w->event);
        w->event = NULL;
    }
    pthread_mutex_unlock(&w->lock);
}

static struct web_text *format_event(const char *name, const char *json)
{
    char *bytes = NULL;
    int len = asprintf(&bytes, "%sdata: %s\n\n", name, json);

    return len < 0 ? NULL : web_text_create(bytes, (size_t)len);
}

static void push_events(struct web *w, uint64_t now_ns)
{
    for (unsigned i = 0; i < SLOTS && w->shown_version > 0; i++) {
        struct web_client *c = &w->clients[i];

        if (!web_client_is_idle_stream(c) || c->version == w->shown_version)
            continue;
        if (!w->event) {
            char *json = report_format_live(&w->shown, w->argc, w->argv);

            w->event = json ? format_event("", json) : NULL;
            free(json);
            if (!w->event)
                return; // memory is short: the next second may be better
        }
        c->version = w->shown_version;
        web_client_push(c, web_text_get(w->event), now_ns);
    }
}

static void answer_result(struct web *w, struct web_client *c, uint64_t now_ns)
{
    char *json = w->shown_version > 0 ? report_format_live(&w->shown, w->argc, w->argv) : NULL;
    struct web_text *text = json ? web_text_create(json, strlen(json)) : NULL;

    if (text)
        web_client_answer(c, "application/json", "", text, now_ns);
    else
        web_client_refuse(c, 503, now_ns); // no figures yet
}

static void answer_page(struct web *w, struct web_client *c, uint64_t now_ns)
{
    char policy[PAGE_POLICY_BYTES], line[PAGE_POLICY_BYTES + 64];
    char *json = w->shown_version > 0 ? report_format_live(&w->shown, w->argc, w->argv) : NULL;
    size_t len = 0;
    char *page = page_format(PAGE_LIVE, json, NULL, &len);
    struct web_text *text = web_text_create(page, len);

    free(json);
    if (!text) {
        web_client_refuse(c, 503, now_ns);
        return;
    }
    page_format_policy(PAGE_LIVE, policy);
    snprintf(line, sizeof line, "Content-Security-Policy: %s; frame-ancestors 'none'\r\n", policy);
    web_client_answer(c, "text/html; charset=utf-8", line, text, now_ns);
}

static void answer(struct web *w, struct web_client *c, uint64_t now_ns)
{
    switch (c->request.resource) {
    case WEB_RESOURCE_PAGE:
        answer_page(w, c, now_ns);
        break;
    case WEB_RESOURCE_RESULT:
        answer_result(w, c, now_ns);
        break;
    case WEB_RESOURCE_EVENTS:
        web_client_stream(c, now_ns);
        break;
    }
}

static void accept_client(struct web *w, uint64_t now_ns)
{
    struct web_client *found = NULL;
    unsigned used = 0;
    int fd;

    for (unsigned i = 0; i < SLOTS; i++) {
        if (w->clients[i].state != WEB_CLIENT_FREE)
            used++;
        else if (!found)
            found = &w->clients[i];
    }
    assert(found); // not polled for otherwise
    fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        web_client_open(found, fd, used >= WEB_CLIENTS_MAX, now_ns);
    else if (errno != EAGAIN && errno != ECONNABORTED)
        w->rest_until_ns = now_ns + REST_NS; // it stays ready: asking again at once would spin
}

// What to wait for. Returns for how long, in ms; -1 for as long as it takes.
static int prepare_poll(struct web *w, struct pollfd polls[POLL_CLIENTS + SLOTS], uint64_t now_ns)
{
    bool rests = w->rest_until_ns > now_ns, has_room = false;
    uint64_t deadline_ns = rests ? w->rest_until_ns : UINT64_MAX;

    for (unsigned i = 0; i < SLOTS; i++) {
        struct web_client *c = &w->clients[i];

        if (c->state != WEB_CLIENT_FREE && c->deadline_ns <= now_ns)
            web_client_close(c);
        polls[POLL_CLIENTS + i] = (struct pollfd){.fd = -1};
        if (c->state == WEB_CLIENT_FREE) {
            has_room = true;
            continue;
        }
        polls[POLL_CLIENTS + i] = (struct pollfd){
            .fd = c->fd, .events = (short)(POLLIN | (web_client_has_output(c) ? POLLOUT : 0))};
        if (c->deadline_ns < deadline_ns)
            deadline_ns = c->deadline_ns;
    }
    polls[POLL_WAKE] = (struct pollfd){.fd = w->wake_fd, .events = POLLIN};
    polls[POLL_LISTEN] =
        (struct pollfd){.fd = has_room && !rests ? w->listen_fd : -1, .events = POLLIN};
    return deadline_ns == UINT64_MAX ? -1 : (int)((deadline_ns - now_ns) / NS_PER_MS + 1);
}

static void handle(struct web *w, const struct pollfd polls[POLL_CLIENTS + SLOTS])
{
    uint64_t now_ns = clock_now_ns();

    fetch(w);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct web_client *c = &w->clients[i];
        short events = polls[POLL_CLIENTS + i].revents;

        if (c->state == WEB_CLIENT_FREE || events == 0)
            continue;
        if (events & POLLOUT)
            web_client_flush(c, now_ns);
        if (c->state != WEB_CLIENT_FREE && (events & (POLLIN | POLLHUP | POLLERR)) &&
            web_client_read(c, now_ns) == 1)
            answer(w, c, now_ns);
    }
    if (polls[POLL_LISTEN].revents & POLLIN)
        accept_client(w, now_ns);
    push_events(w, now_ns);
}

// One round of the end: give the final event to streams that are through with the one before, send.
// True: some was taken and some is left.
static bool finish_round(struct web *w, struct web_text *final, struct pollfd *polls)
{
    bool progress = false, has_output = false;
    uint64_t now_ns = clock_now_ns();

    for (unsigned i = 0; i < SLOTS; i++) {
        struct web_client *c = &w->clients[i];

        progress = web_client_flush(c, now_ns) || progress;
        if (final && web_client_is_idle_stream(c) && c->version != UINT64_MAX) {
            c->version = UINT64_MAX;
            web_client_push(c, web_text_get(final), now_ns);
            progress = true;
        }
        polls[i] = (struct pollfd){.fd = web_client_has_output(c) ? c->fd : -1, .events = POLLOUT};
        has_output = has_output || web_client_has_output(c);
    }
    return progress && has_output;
}

static void finish(struct web *w)
{
    struct web_text *final = w->final ? format_event("event: end\n", w->final) : NULL;
    uint64_t end_ns = clock_now_ns() + FINISH_NS;
    struct pollfd polls[SLOTS];

    while (finish_round(w, final, polls) && clock_now_ns() < end_ns)
        poll(polls, SLOTS, GIVE_UP_MS);
    web_text_put(final);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct web_client *c = &w->clients[i];

        // Bytes that were not read would make the close a reset, and the browser lose what it has.
        if (c->state != WEB_CLIENT_FREE && web_client_read(c, end_ns) == 0)
            web_client_close(c);
    }
}

static bool is_over(struct web *w)
{
    bool over;

    pthread_mutex_lock(&w->lock);
    over = w->is_over;
    pthread_mutex_unlock(&w->lock);
    return over;
}

static void *serve(void *arg)
{
    struct pollfd polls[POLL_CLIENTS + SLOTS];
    struct web *w = arg;
    uint64_t count;

    if (setpriority(PRIO_PROCESS, 0, NICE) < 0) // of this thread alone, as Linux has it
        errno = 0;
    while (!is_over(w)) {
        int timeout_ms = prepare_poll(w, polls, clock_now_ns());

        if (poll(polls, COUNT_OF(polls), timeout_ms) < 0)
            continue; // EINTR cannot be: every signal is blocked here; ENOMEM passes
        if ((polls[POLL_WAKE].revents & POLLIN) && read(w->wake_fd, &count, sizeof count) < 0)
            continue;
        handle(w, polls);
    }
    finish(w);
    return NULL;
}

static int start_thread(struct web *w)
{
    sigset_t all, before;
    int err;

    // Signals of the process are the coordinator's.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = -pthread_create(&w->thread, NULL, serve, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

static int listen_on(struct web *w, const struct report_options *o)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN];
    int one = 1;

    w->listen_fd = socket(o->web_address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (w->listen_fd < 0)
        return -errno;
    if (setsockopt(w->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(w->listen_fd, (const struct sockaddr *)&o->web_address, o->web_address_len) < 0 ||
        listen(w->listen_fd, BACKLOG) < 0 ||
        getsockname(w->listen_fd, (struct sockaddr *)&address, &len) < 0)
        return -errno;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;

        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf(w->url, sizeof w->url, "http://[%s]:%u/", host, ntohs(six->sin6_port));
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address;

        inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        snprintf(w->url, sizeof w->url, "http://%s:%u/", host, ntohs(four->sin_port));
    }
    return 0;
}

static void destroy(struct web *w)
{
    for (unsigned i = 0; i < SLOTS; i++)
        web_client_close(&w->clients[i]);
    web_text_put(w->event);
    if (w->listen_fd >= 0)
        close(w->listen_fd);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int web_create(struct web **web, const struct report_options *o, int argc, char **argv,
               char reason[WEB_REASON_BYTES])
{
    struct web *w;
    int err;

    *web = NULL;
    if (!o->has_web)
        return 0;
    w = calloc(1, sizeof *w);
    if (!w) {
        snprintf(reason, WEB_REASON_BYTES, "--web: out of memory");
        return -ENOMEM;
    }
    w->argc = argc;
    w->argv = argv;
    w->listen_fd = -1;
    pthread_mutex_init(&w->lock, NULL);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = w->wake_fd < 0 ? -errno : listen_on(w, o);
    if (err == 0)
        err = start_thread(w);
    if (err < 0) {
        snprintf(reason, WEB_REASON_BYTES, "--web cannot listen there: %s", strerror(-err));
        destroy(w);
        return err;
    }
    *web = w;
    return 0;
}

const char *web_url(const struct web *w)
{
    return w->url;
}

static void wake(struct web *w)
{
    uint64_t one = 1;
    ssize_t n = write(w->wake_fd, &one, sizeof one);

    assert(n == sizeof one || errno == EAGAIN); // full: it is awake
}

void web_publish(struct web *w, const struct live *l)
{
    assert(l->point_count <= SERIES_POINTS_MAX && l->agent_count <= AGENT_LIST_MAX);
    if (pthread_mutex_trylock(&w->lock) != 0)
        return;
    w->live = *l;
    memcpy(w->points, l->points, l->point_count * sizeof *l->points);
    if (l->agent_count > 0)
        memcpy(w->agents, l->agents, l->agent_count * sizeof *l->agents);
    w->version++;
    pthread_mutex_unlock(&w->lock);
    wake(w);
}

void web_finish(struct web *w, const char *result)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_over = true;
    w->final = result;
    pthread_mutex_unlock(&w->lock);
    wake(w);
    pthread_join(w->thread, NULL);
    destroy(w);
}
