// The coordinator of agents: one thread, one poll(). Every wait has a bound: of connecting, of
// silence, of the set-up, of the run's own length.
#include "coordinator.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent_live.h"
#include "agent_peer.h"
#include "agent_result.h"
#include "clock.h"
#include "display.h"
#include "judgement.h"
#include "outcome_merge.h"
#include "population.h"
#include "procstat.h"

#define START_IN_NS (200 * NS_PER_MS)
#define INTERVAL_NS NS_PER_S
#define WAIT_MAX_MS 100
// Beyond the drain: results are written and sent.
#define RESULT_GRACE_NS (30 * NS_PER_S)

struct coordinator {
    struct outcome *out;
    const struct options *options;
    const struct coordinator_config *config;
    struct agent_peer_run run;
    struct agent_peer *peers;
    uint32_t count;
    struct display display;
    int signal_fd;
    enum shard_phase phase;
    bool is_stopping;
    uint64_t began_ns, measure_ns, end_ns;
    uint64_t deadline_ns; // of the phase
    uint64_t next_interval_ns;
    struct series_mark interval_from;
    uint64_t server_cpu_from_ns; // at the window's begin
    uint64_t own_cpu_from_ns;
};

static uint64_t own_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// ---- the relay's process ------------------------------------------------------------------------

static void complain_of_server(struct coordinator *c, int err)
{
    if (c->out->server_text[0] == '\0')
        snprintf(c->out->server_text, sizeof c->out->server_text, "process %d cannot be read: %s",
                 (int)c->options->server_pid, strerror(-err));
}

static uint64_t read_server_rss(struct coordinator *c)
{
    struct procstat stat = {0};
    int err = c->options->server_pid > 0 ? procstat_read(c->options->server_pid, &stat) : 0;

    if (err == 0 && c->options->server_pid > 0 && stat.rss_bytes == 0)
        err = -ESRCH; // it has ended and nobody has asked how
    if (err < 0)
        complain_of_server(c, err);
    return err < 0 ? 0 : stat.rss_bytes;
}

static uint64_t read_server_cpu(struct coordinator *c)
{
    uint64_t cpu_ns = 0;
    int err = c->options->server_pid > 0 ? procstat_cpu_ns(c->options->server_pid, &cpu_ns) : 0;

    if (err < 0)
        complain_of_server(c, err);
    return cpu_ns;
}

// ---- live ---------------------------------------------------------------------------------------

static void add_sample(struct pulse_sample *into, const struct pulse_sample *from)
{
    into->sent += from->sent;
    into->delivered += from->delivered;
    into->refused += from->refused;
    into->faults += from->faults;
    into->handshakes += from->handshakes;
    into->waiting += from->waiting;
    into->connected += from->connected;
    into->settled += from->settled;
    into->alive += from->alive;
    for (unsigned i = 0; i < PULSE_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

// The sums of the agents' last pulses.
static struct series_mark mark(struct coordinator *c)
{
    struct series_mark m = {.has_server = c->options->server_pid > 0};

    for (uint32_t i = 0; i < c->count; i++)
        add_sample(&m.pulse, &c->peers[i].live.pulse);
    m.pulse.at_ns = clock_now_ns();
    m.server_cpu_ns = read_server_cpu(c);
    return m;
}

static struct pulse_sample window_sample(const struct coordinator *c)
{
    struct pulse_sample s = {.at_ns = c->measure_ns};

    for (uint32_t i = 0; i < c->count; i++)
        add_sample(&s, &c->peers[i].live.window);
    return s;
}

static void judge_live(struct live *l)
{
    struct verdict_input in = {.open_loop = l->options->rate_per_s > 0};

    for (uint32_t i = 0; i < l->options->threads; i++)
        in.busiest_pct = fmax(in.busiest_pct, l->busy_pct[i]);
    verdict_judge(&l->verdict, &in);
}

static void show(struct coordinator *c)
{
    const struct outcome *out = c->out;
    struct agent_live agents[AGENT_LIST_MAX];
    struct series_mark now;
    struct procstat stat;
    struct live l;

    if (clock_now_ns() < display_next_ns(&c->display))
        return;
    now = mark(c);
    l = (struct live){.options = c->options,
                      .target = out->target,
                      .run_id = out->run_id,
                      .started = out->started,
                      .phase = c->phase,
                      .interrupted = out->interrupted,
                      .setup_ns = out->setup_ns,
                      .length_ns = c->options->duration_ns,
                      .pulse = now.pulse,
                      .window = c->phase >= SHARD_MEASURE ? window_sample(c) : now.pulse,
                      .has_server = now.has_server,
                      .server_rss_before_bytes = out->server_rss_before_bytes,
                      .points = out->series.points,
                      .point_count = out->series.count,
                      .agents = agents,
                      .agent_count = c->count};
    for (uint32_t i = 0; i < c->count; i++) {
        const struct agent_peer *p = &c->peers[i];

        agent_live_fill(&agents[i], p, &out->agents[i]);
        l.elapsed_ns = p->live.elapsed_ns > l.elapsed_ns ? p->live.elapsed_ns : l.elapsed_ns;
        memcpy(l.busy_pct + p->first_thread, p->live.busy_pct,
               p->thread_count * sizeof *l.busy_pct);
    }
    if (c->phase >= SHARD_MEASURE && now.has_server)
        l.server_cpu_ns = now.server_cpu_ns - c->server_cpu_from_ns;
    if (now.has_server && procstat_read(c->options->server_pid, &stat) == 0)
        l.server_rss_bytes = stat.rss_bytes;
    judge_live(&l);
    display_show(&c->display, &l);
}

// ---- the window ---------------------------------------------------------------------------------

static void close_interval(struct coordinator *c)
{
    struct series_mark now = mark(c);

    series_add(&c->out->series, c->measure_ns, &c->interval_from, &now);
    c->interval_from = now;
}

static void begin_window(struct coordinator *c)
{
    c->phase = SHARD_MEASURE;
    c->interval_from = mark(c);
    c->server_cpu_from_ns = c->interval_from.server_cpu_ns;
    c->own_cpu_from_ns = own_cpu_ns();
    c->next_interval_ns = c->measure_ns + INTERVAL_NS;
}

static void end_window(struct coordinator *c)
{
    uint64_t now_ns = clock_now_ns();

    c->phase = SHARD_DRAIN;
    close_interval(c);
    c->out->server_cpu_ns = c->interval_from.server_cpu_ns - c->server_cpu_from_ns;
    c->out->server_rss_bytes = read_server_rss(c);
    if (c->config->processes)
        c->out->share = machine_find_share(c->options, c->options->server_pid);
    if (now_ns > c->measure_ns)
        c->out->coordinator_busy_pct =
            100.0 * (double)(own_cpu_ns() - c->own_cpu_from_ns) / (double)(now_ns - c->measure_ns);
    c->deadline_ns = now_ns + c->options->drain_ns + RESULT_GRACE_NS;
}

static void stop_all(struct coordinator *c)
{
    if (c->is_stopping)
        return;
    c->is_stopping = true;
    for (uint32_t i = 0; i < c->count; i++)
        agent_peer_stop(&c->peers[i]);
    if (c->phase == SHARD_MEASURE)
        end_window(c);
    c->deadline_ns = clock_now_ns() + c->options->drain_ns + RESULT_GRACE_NS;
}

// End the run if an objective that asks for it is certainly missed by all agents together.
static void check_thresholds(struct coordinator *c)
{
    struct outcome *out = c->out;
    struct pulse_sample from = window_sample(c);
    double value = 0;
    int missed =
        threshold_list_find_missed(&c->options->thresholds, c->options->mode == OPTIONS_HANDSHAKE,
                                   &from, &c->interval_from.pulse, &value);

    for (uint32_t i = 0; i < c->count; i++) {
        // Before its window's begin an agent has told nothing of it.
        if (c->peers[i].live.phase < SHARD_MEASURE)
            return;
    }
    if (missed < 0)
        return;
    out->is_aborted = true;
    out->aborted_by = (uint32_t)missed;
    out->aborted_after_ns = c->interval_from.pulse.at_ns - c->measure_ns;
    out->aborted_at_value = value;
    stop_all(c);
}

// ---- phases -------------------------------------------------------------------------------------

static bool all(const struct coordinator *c, bool (*is)(const struct agent_peer *))
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (!is(&c->peers[i]))
            return false;
    }
    return true;
}

static bool is_ready(const struct agent_peer *p)
{
    return p->state == AGENT_PEER_READY;
}

static bool is_over(const struct agent_peer *p)
{
    return agent_peer_is_over(p);
}

static void start_all(struct coordinator *c)
{
    uint64_t now_ns = clock_now_ns();

    for (uint32_t i = 0; i < c->count; i++)
        agent_peer_start(&c->peers[i], START_IN_NS);
    c->phase = SHARD_WARMUP;
    c->measure_ns = now_ns + START_IN_NS + c->options->warmup_ns;
    c->end_ns = c->measure_ns + c->options->duration_ns;
    c->deadline_ns = c->end_ns + c->options->drain_ns + RESULT_GRACE_NS;
}

// An agent that is lost, or whose part failed, ends the run for all.
static void look_for_losses(struct coordinator *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const struct agent_peer *p = &c->peers[i];
        bool failed = p->has_outcome && p->outcome.failure != SHARD_FAILURE_NONE;

        // One that ends by itself before the others was told to from outside.
        if (p->has_outcome && p->outcome.interrupted && !c->is_stopping)
            c->out->interrupted = true;
        if (p->state == AGENT_PEER_LOST || failed || c->out->interrupted)
            stop_all(c);
    }
}

static void enforce_deadline(struct coordinator *c, uint64_t now_ns)
{
    if (now_ns < c->deadline_ns)
        return;
    for (uint32_t i = 0; i < c->count; i++)
        agent_peer_lose(&c->peers[i], EXIT_CODE_UNREACHABLE,
                        c->phase == SHARD_SETUP ? "was not ready in time (--setup-timeout)"
                                                : "did not send its result in time");
    stop_all(c);
}

static void advance(struct coordinator *c)
{
    uint64_t now_ns = clock_now_ns();

    if (c->phase == SHARD_SETUP) {
        c->out->setup_ns = now_ns - c->began_ns;
        if (!c->is_stopping && all(c, is_ready))
            start_all(c);
    } else if (c->phase == SHARD_WARMUP && now_ns >= c->measure_ns && !c->is_stopping) {
        begin_window(c);
    } else if (c->phase == SHARD_MEASURE && now_ns >= c->end_ns) {
        end_window(c);
    } else if (c->phase == SHARD_MEASURE && now_ns >= c->next_interval_ns) {
        close_interval(c);
        while (c->next_interval_ns <= now_ns)
            c->next_interval_ns += INTERVAL_NS;
        check_thresholds(c);
    }
    enforce_deadline(c, now_ns);
    look_for_losses(c);
    show(c);
}

// ---- the loop -----------------------------------------------------------------------------------

static int wait_ms(const struct coordinator *c)
{
    uint64_t now_ns = clock_now_ns(), next_ns = c->deadline_ns;

    if (c->phase == SHARD_WARMUP && c->measure_ns < next_ns)
        next_ns = c->measure_ns;
    if (c->phase == SHARD_MEASURE)
        next_ns = c->end_ns < c->next_interval_ns ? c->end_ns : c->next_interval_ns;
    if (next_ns <= now_ns)
        return 0;
    next_ns = (next_ns - now_ns) / NS_PER_MS + 1;
    return next_ns < WAIT_MAX_MS ? (int)next_ns : WAIT_MAX_MS;
}

static void wait_for_any(struct coordinator *c)
{
    struct pollfd fds[AGENT_LIST_MAX + 1] = {{.fd = c->signal_fd, .events = POLLIN}};
    struct signalfd_siginfo info;

    for (uint32_t i = 0; i < c->count; i++)
        fds[i + 1] = (struct pollfd){.fd = agent_peer_fd(&c->peers[i]),
                                     .events = agent_peer_events(&c->peers[i])};
    poll(fds, c->count + 1, wait_ms(c));
    if (fds[0].revents & POLLIN && read(c->signal_fd, &info, sizeof info) > 0)
        c->out->interrupted = true;
    for (uint32_t i = 0; i < c->count; i++)
        agent_peer_step(&c->peers[i], fds[i + 1].revents & (POLLIN | POLLHUP | POLLERR),
                        fds[i + 1].revents & POLLOUT, clock_now_ns());
}

// Of the mean rate; 0 in a closed loop.
static double thread_rate(const struct options *o, uint32_t thread)
{
    struct plan_slots slots = population_slots(o, thread);

    return slots.total > 0 ? o->rate_per_s * slots.senders / slots.total : 0;
}

// What of the run is this one's.
static void fill_share(struct agent_result *r, const struct options *o, const struct agent_peer *p)
{
    r->first_thread = p->first_thread;
    r->thread_count = p->thread_count;
    for (uint32_t i = 0; i < p->thread_count; i++) {
        uint32_t users[GROUPS_MAX];

        r->connections +=
            group_deal(o->groups, o->group_count, p->first_thread + i, o->threads, users);
        r->rate_per_s += thread_rate(o, p->first_thread + i);
    }
}

static void open_peers(struct coordinator *c)
{
    uint32_t each = c->options->threads / c->count;

    for (uint32_t i = 0; i < c->count; i++) {
        struct agent_peer *p = &c->peers[i];

        p->run = &c->run;
        p->first_thread = i * each;
        p->thread_count = each;
        fill_share(&c->out->agents[i], c->options, p);
        if (!c->config->processes) {
            p->name = c->options->agents.names[i];
            agent_peer_connect(p);
            continue;
        }
        p->name = c->out->agents[i].name;
        agent_peer_adopt(p, c->config->processes->fds[i]);
        c->config->processes->fds[i] = -1;
    }
}

// ---- the outcome --------------------------------------------------------------------------------

static uint64_t supported_percentile(const struct hist *h, double p)
{
    return hist_percentile_supported(h, p) ? hist_percentile(h, p) : 0;
}

static void fill_result(struct agent_result *r, const struct agent_peer *p)
{
    r->has_result = p->has_outcome;
    if (p->state == AGENT_PEER_LOST)
        snprintf(r->failure_text, sizeof r->failure_text, "%.250s", p->reason);
    if (!p->has_outcome)
        return;
    if (p->outcome.failure != SHARD_FAILURE_NONE)
        snprintf(r->failure_text, sizeof r->failure_text, "%s", p->outcome.failure_text);
    r->verdict = p->outcome.verdict;
    r->ledger = p->outcome.tally.ledger;
    r->sent = p->outcome.tally.sent;
    r->delivered = p->outcome.tally.delivered;
    r->handshakes = p->outcome.tally.handshakes;
    r->connected = p->outcome.tally.connected;
    r->disconnected = p->outcome.tally.disconnected;
    r->response_count = p->outcome.tally.response.total;
    r->response_p50_ns = supported_percentile(&p->outcome.tally.response, 50);
    r->response_p99_ns = supported_percentile(&p->outcome.tally.response, 99);
    r->window_ns = p->outcome.tally.window_ns;
    r->setup_ns = p->outcome.setup_ns;
    r->steal_pct = p->outcome.steal_pct;
}

static void note_loss(struct outcome *out, const struct agent_peer *p)
{
    if (p->state != AGENT_PEER_LOST || p->code == EXIT_CODE_INTERRUPTED)
        return;
    if (out->failure != SHARD_FAILURE_NONE || out->has_bad_options)
        return;
    out->has_bad_options = p->code == EXIT_CODE_BAD_OPTIONS;
    out->failure =
        p->code == EXIT_CODE_UNREACHABLE ? SHARD_FAILURE_UNREACHABLE : SHARD_FAILURE_INTERNAL;
    if (out->has_bad_options)
        out->failure = SHARD_FAILURE_UNREACHABLE; // the run did not begin; 104 comes first
    snprintf(out->failure_text, sizeof out->failure_text, "agent %.60s %.180s", p->name, p->reason);
}

static void collect(struct coordinator *c)
{
    struct outcome *out = c->out;
    uint64_t setup_ns = out->setup_ns;

    for (uint32_t i = 0; i < c->count; i++)
        note_loss(out, &c->peers[i]);
    for (uint32_t i = 0; i < c->count; i++) {
        struct agent_peer *p = &c->peers[i];

        fill_result(&out->agents[i], p);
        if (p->has_outcome)
            outcome_merge(out, &p->outcome, p->name, p->first_thread, p->thread_count);
    }
    out->setup_ns = setup_ns; // with the wait for the slowest
    out->has_server = out->has_begun && c->options->server_pid > 0 && out->server_text[0] == '\0';
}

// The agents' intervals are the exact ones; of its own the coordinator keeps what only it knows.
static void keep_server_only(struct series *s)
{
    memset(s->buckets, 0, s->count * sizeof *s->buckets);
    for (uint32_t i = 0; i < s->count; i++) {
        struct series_point *p = &s->points[i];

        *p = (struct series_point){.at_ns = p->at_ns,
                                   .steps = p->steps,
                                   .has_server = p->has_server,
                                   .server_cpu_ns = p->server_cpu_ns};
    }
}

static int init(struct coordinator *c, const struct target *t)
{
    struct outcome *out = c->out;
    int err = run_init_outcome(out, c->options, t);
    sigset_t signals;

    if (err < 0)
        return err;
    c->peers = calloc(c->count, sizeof *c->peers);
    out->agents = calloc(c->count, sizeof *out->agents);
    if (!c->peers || !out->agents) {
        free(c->peers);
        run_free(out);
        return -ENOMEM;
    }
    out->agent_count = c->count;
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->config->processes)
            snprintf(out->agents[i].name, sizeof out->agents[i].name, "process %u", i + 1);
        else
            snprintf(out->agents[i].name, sizeof out->agents[i].name, "%s",
                     c->options->agents.names[i]);
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    c->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return 0;
}

int coordinator_run(struct outcome *out, const struct options *o, const struct target *t,
                    const struct coordinator_config *config, struct web *web)
{
    struct coordinator c = {.out = out,
                            .options = o,
                            .config = config,
                            .count = options_agent_count(o),
                            .phase = SHARD_SETUP};
    int err = init(&c, t);

    if (err < 0)
        return err;
    c.run = (struct agent_peer_run){.options = o,
                                    .target = t,
                                    .run_id = out->run_id,
                                    .token = config->token,
                                    .ca = config->ca,
                                    .argv = config->argv,
                                    .argc = config->argc};
    c.began_ns = clock_now_ns();
    c.deadline_ns = c.began_ns + AGENT_PEER_CONNECT_NS + o->setup_timeout_ns + RUN_START_GRACE_NS;
    out->server_rss_before_bytes = read_server_rss(&c);
    display_init(&c.display, o, web, c.began_ns);
    open_peers(&c);
    while (!all(&c, is_over)) {
        advance(&c);
        wait_for_any(&c);
    }
    look_for_losses(&c);
    if (c.phase == SHARD_MEASURE)
        end_window(&c);
    display_finish(&c.display);
    keep_server_only(&out->series);
    collect(&c);
    judgement_make(out);
    for (uint32_t i = 0; i < c.count; i++)
        agent_peer_free(&c.peers[i]);
    free(c.peers);
    close(c.signal_fd);
    return 0;
}
