// The coordinator: starts the generator threads, sets the run's times when all users are ready,
// samples live counters each second, and puts the outcome together. Never touches a socket.
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cpu.h"
#include "display.h"
#include "engine.h"
#include "judgement.h"
#include "output_file.h"
#include "procstat.h"
#include "sealcrypto.h"

#define START_DELAY_NS (10 * NS_PER_MS)
#define INTERVAL_NS NS_PER_S
// A director is asked so often.
#define DIRECTOR_NS (20 * NS_PER_MS)

struct run {
    struct outcome *out;
    const struct options *options;
    const struct run_part *part;
    struct shard *shards;
    uint32_t shard_count;     // started
    uint32_t user_count;      // theirs
    struct schedule schedule; // open loop
    struct source_list sources;
    struct shard_clock clock;
    struct display display;
    sigset_t signals;
    clockid_t cpu_clocks[OPTIONS_THREADS_MAX];     // of the shards' threads
    uint64_t busy_ns[OPTIONS_THREADS_MAX];         // theirs, when last read
    struct series_mark window_from, interval_from; // zero until the window begins
    uint64_t window_busy_ns[OPTIONS_THREADS_MAX];
    uint64_t coordinator_cpu_ns; // at the window's begin
    uint64_t next_interval_ns;
    struct machine_mark machine_from;
};

static void block_signals(struct run *r)
{
    sigemptyset(&r->signals);
    sigaddset(&r->signals, SIGINT);
    sigaddset(&r->signals, SIGTERM);
    sigaddset(&r->signals, SIGUSR1); // a thread has something to tell
    pthread_sigmask(SIG_BLOCK, &r->signals, NULL);
}

// Sleep until the time has come or a signal does.
static void await(struct run *r, uint64_t deadline_ns)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / NS_PER_S),
                            .tv_nsec = (long)(wait_ns % NS_PER_S)};
    int signal;

    if (r->part->director && wait_ns > DIRECTOR_NS)
        wait = (struct timespec){.tv_nsec = DIRECTOR_NS};
    signal = sigtimedwait(&r->signals, NULL, &wait);
    if (signal == SIGINT || signal == SIGTERM)
        r->out->interrupted = true;
}

static struct pulse_sample sample(const struct run *r)
{
    struct pulse_sample s = {0};

    for (uint32_t i = 0; i < r->shard_count; i++)
        pulse_collect(&s, &r->shards[i].pulse);
    s.at_ns = clock_now_ns();
    return s;
}

// Leaves the last reading of a thread that has ended.
static void read_cpu_clock(clockid_t clock, uint64_t *cpu_ns)
{
    struct timespec t;

    if (clock_gettime(clock, &t) == 0)
        *cpu_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct series_mark mark(struct run *r)
{
    struct series_mark m = {.pulse = sample(r)};

    for (uint32_t i = 0; i < r->shard_count; i++) {
        read_cpu_clock(r->cpu_clocks[i], &r->busy_ns[i]);
        m.busy_ns += r->busy_ns[i];
    }
    m.has_server = r->options->server_pid > 0 &&
                   procstat_cpu_ns(r->options->server_pid, &m.server_cpu_ns) == 0;
    return m;
}

static uint64_t read_server_rss(struct run *r)
{
    struct procstat stat;
    int err;

    if (r->options->server_pid <= 0)
        return 0;
    err = procstat_read(r->options->server_pid, &stat);
    if (err == 0 && stat.rss_bytes == 0)
        err = -ESRCH; // it has ended and nobody has asked how
    if (err < 0) {
        snprintf(r->out->server_text, sizeof r->out->server_text, "process %d cannot be read: %s",
                 (int)r->options->server_pid, strerror(-err));
        return 0;
    }
    return stat.rss_bytes;
}

static void find_sources(struct source_list *sources, const struct options *o,
                         const struct target *t)
{
    sources->count = 0;
    if (o->sources.count > 0)
        *sources = o->sources;
    else if (t->loopback && t->address.ss_family == AF_INET)
        source_list_init_loopback(sources,
                                  o->source_addresses_auto
                                      ? (o->connections - 1) / SOURCE_LIST_CONNECTIONS_QUICK + 1
                                      : o->source_addresses);
}

static int start_threads(struct run *r, const struct target *t, struct tls_context *tls)
{
    const struct options *o = r->options;
    uint32_t first = 0, users[GROUPS_MAX];
    int err = 0;

    for (uint32_t i = 0; i < r->part->first_thread; i++)
        first += group_deal(o->groups, o->group_count, i, o->threads, users);
    for (uint32_t i = 0; i < r->part->thread_count && err == 0; i++) {
        struct shard *s = &r->shards[i];

        s->options = o;
        s->target = t;
        s->tls = tls;
        s->schedule = &r->schedule;
        s->clock = &r->clock;
        s->coordinator = pthread_self();
        s->index = r->part->first_thread + i;
        s->first_number = first;
        s->client_count =
            group_deal(o->groups, o->group_count, s->index, o->threads, s->group_users);
        s->source_addresses = &r->sources;
        s->run_id = r->out->run_id;
        first += s->client_count;
        r->user_count += s->client_count;
        err = tally_init(&s->tally);
        if (err == 0)
            err = tally_add_stages(&s->tally, o->stages.count);
        if (err == 0)
            err = tally_add_groups(&s->tally, o->group_count);
        if (err == 0)
            err = recorder_init(&s->recorder, o->record_file ? RECORDER_ROWS_MAX / o->threads : 0);
        if (err == 0)
            err = -pthread_create(&s->thread, NULL, engine_run, s);
        if (err == 0)
            err = -pthread_getcpuclockid(s->thread, &r->cpu_clocks[r->shard_count++]);
        else
            tally_free(&s->tally), recorder_free(&s->recorder);
    }
    return err;
}

static bool all_done(const struct run *r)
{
    for (uint32_t i = 0; i < r->shard_count; i++) {
        if (!atomic_load(&r->shards[i].is_done))
            return false;
    }
    return true;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// What can be judged while it runs.
static void judge_live(struct live *l)
{
    struct verdict_input in = {.open_loop = l->options->rate_per_s > 0};

    for (uint32_t i = 0; i < l->options->threads; i++)
        in.busiest_pct = l->busy_pct[i] > in.busiest_pct ? l->busy_pct[i] : in.busiest_pct;
    verdict_judge(&l->verdict, &in);
}

static void fill_live(struct run *r, enum shard_phase phase, struct live *l)
{
    const struct outcome *out = r->out;
    struct series_mark now = mark(r);
    uint64_t measure_ns = atomic_load(&r->clock.measure_ns);
    uint64_t end_ns = atomic_load(&r->clock.end_ns), until_ns = now.pulse.at_ns;
    bool has_window = phase >= SHARD_MEASURE;
    struct procstat stat;

    *l = (struct live){.options = out->options,
                       .target = out->target,
                       .run_id = out->run_id,
                       .started = out->started,
                       .phase = phase,
                       .interrupted = out->interrupted,
                       .setup_ns = out->setup_ns,
                       .length_ns = r->options->duration_ns,
                       .pulse = now.pulse,
                       .window = has_window ? r->window_from.pulse : now.pulse,
                       .has_server = now.has_server,
                       .server_rss_before_bytes = out->server_rss_before_bytes,
                       .points = out->series.points,
                       .point_count = out->series.count};
    if (has_window) {
        until_ns = until_ns < end_ns ? until_ns : end_ns;
        l->elapsed_ns = until_ns > measure_ns ? until_ns - measure_ns : 0;
    }
    if (has_window && now.has_server && r->window_from.has_server)
        l->server_cpu_ns = now.server_cpu_ns - r->window_from.server_cpu_ns;
    for (uint32_t i = 0; i < r->shard_count && l->elapsed_ns > 0; i++)
        l->busy_pct[i] = 100.0 * (double)(r->busy_ns[i] - r->window_busy_ns[i]) /
                         (double)(now.pulse.at_ns - r->window_from.pulse.at_ns);
    if (now.has_server && procstat_read(r->options->server_pid, &stat) == 0)
        l->server_rss_bytes = stat.rss_bytes;
    judge_live(l);
}

// Tell the director, and do what it orders.
static void consult(struct run *r, enum shard_phase phase)
{
    const struct run_director *d = r->part->director;
    struct live live;

    if (!d)
        return;
    if (clock_now_ns() >= d->next_ns(d->ctx)) {
        fill_live(r, phase, &live);
        d->tell(d->ctx, &live);
    }
    if (d->ask(d->ctx) == RUN_ORDER_STOP)
        r->out->interrupted = true;
}

static void show(struct run *r, enum shard_phase phase)
{
    struct live live;

    consult(r, phase);
    if (clock_now_ns() < display_next_ns(&r->display))
        return;
    fill_live(r, phase, &live);
    display_show(&r->display, &live);
}

// Wait until every user is ready. False when there is nothing to measure.
static bool await_setup(struct run *r)
{
    uint64_t began_ns = clock_now_ns(), deadline_ns = began_ns + r->options->setup_timeout_ns;
    struct pulse_sample now;

    for (;;) {
        now = sample(r);
        r->out->setup_ns = now.at_ns - began_ns;
        if (atomic_load(&r->clock.stop) || r->out->interrupted)
            break;
        if (now.settled == r->user_count)
            return true;
        if (now.at_ns >= deadline_ns) {
            r->out->failure = now.settled == 0 ? SHARD_FAILURE_UNREACHABLE : SHARD_FAILURE_PROTOCOL;
            snprintf(r->out->failure_text, sizeof r->out->failure_text,
                     "only %u of %u users were ready after %.0f s (--setup-timeout); %u connected",
                     now.settled, r->user_count, (double)r->out->setup_ns / 1e9, now.connected);
            break;
        }
        show(r, SHARD_SETUP);
        await(r, earliest(display_next_ns(&r->display), deadline_ns));
    }
    atomic_store(&r->clock.stop, true);
    return false;
}

// All users are ready: wait for the others' and the word to start. False when it does not come.
static bool await_start(struct run *r, uint64_t *start_ns)
{
    const struct run_director *d = r->part->director;
    uint64_t deadline_ns = clock_now_ns() + r->options->setup_timeout_ns + RUN_START_GRACE_NS;

    *start_ns = clock_now_ns() + START_DELAY_NS;
    if (!d)
        return true;
    d->settled(d->ctx);
    while (!r->out->interrupted && !atomic_load(&r->clock.stop)) {
        if (d->ask(d->ctx) == RUN_ORDER_START) {
            *start_ns = d->start_ns(d->ctx);
            return true;
        }
        if (clock_now_ns() >= deadline_ns) {
            r->out->failure = SHARD_FAILURE_INTERNAL;
            snprintf(r->out->failure_text, sizeof r->out->failure_text,
                     "nobody said when to start");
            break;
        }
        show(r, SHARD_WAITING);
        await(r, deadline_ns);
    }
    atomic_store(&r->clock.stop, true);
    return false;
}

static void set_clock(struct run *r, uint64_t start_ns)
{
    const struct options *o = r->options;
    uint64_t measure_ns = start_ns + o->warmup_ns, end_ns = measure_ns + o->duration_ns;

    atomic_store(&r->clock.measure_ns, measure_ns);
    atomic_store(&r->clock.end_ns, end_ns);
    atomic_store(&r->clock.drain_ns, end_ns + o->drain_ns);
    atomic_store_explicit(&r->clock.start_ns, start_ns, memory_order_release);
}

// End the load now; what is under way is still drained.
static void cut_short(struct run *r)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t measure_ns = atomic_load(&r->clock.measure_ns);

    if (now_ns >= atomic_load(&r->clock.end_ns))
        return;
    if (measure_ns > now_ns)
        atomic_store(&r->clock.measure_ns, now_ns);
    atomic_store(&r->clock.end_ns, now_ns);
    atomic_store(&r->clock.drain_ns, now_ns + r->options->drain_ns);
}

// Scheduled, and not yet answered.
static uint64_t count_waiting(const struct pulse_sample *p)
{
    uint64_t given = p->waiting + p->sent, answered = p->delivered + p->refused;

    return given > answered ? given - answered : 0;
}

static void close_interval(struct run *r, uint64_t measure_ns)
{
    struct series_mark now = mark(r);

    series_add(&r->out->series, measure_ns, &r->interval_from, &now);
    backlog_sample(&r->out->backlog, now.pulse.at_ns, count_waiting(&now.pulse));
    r->interval_from = now;
}

// End the run if an objective that asks for it is certainly missed, by the interval's sample.
static void check_thresholds(struct run *r)
{
    struct outcome *out = r->out;
    const struct threshold_list *list = &r->options->thresholds;
    double value = 0;
    int missed = threshold_list_find_missed(list, r->options->mode == OPTIONS_HANDSHAKE,
                                            &r->window_from.pulse, &r->interval_from.pulse, &value);

    if (missed < 0)
        return;
    out->is_aborted = true;
    out->aborted_by = (uint32_t)missed;
    out->aborted_after_ns = r->interval_from.pulse.at_ns - r->window_from.pulse.at_ns;
    out->aborted_at_value = value;
}

static enum shard_phase phase_at(const struct run *r, uint64_t now_ns)
{
    return now_ns < r->clock.measure_ns ? SHARD_WARMUP
           : now_ns < r->clock.end_ns   ? SHARD_MEASURE
           : now_ns < r->clock.drain_ns ? SHARD_DRAIN
                                        : SHARD_CLOSING;
}

static void begin_window(struct run *r, uint64_t now_ns)
{
    machine_read(&r->machine_from);
    r->window_from = r->interval_from = mark(r);
    memcpy(r->window_busy_ns, r->busy_ns, sizeof r->busy_ns);
    backlog_begin(&r->out->backlog, now_ns, atomic_load(&r->clock.end_ns),
                  count_waiting(&r->interval_from.pulse));
    read_cpu_clock(CLOCK_THREAD_CPUTIME_ID, &r->coordinator_cpu_ns);
    r->next_interval_ns = now_ns + INTERVAL_NS;
}

static void end_window(struct run *r, uint64_t measure_ns)
{
    struct machine_mark machine;
    uint64_t cpu_ns = 0, now_ns = clock_now_ns();

    read_cpu_clock(CLOCK_THREAD_CPUTIME_ID, &cpu_ns);
    if (now_ns > measure_ns)
        r->out->coordinator_busy_pct =
            100.0 * (double)(cpu_ns - r->coordinator_cpu_ns) / (double)(now_ns - measure_ns);
    close_interval(r, measure_ns);
    machine_read(&machine);
    if (machine.total > r->machine_from.total)
        r->out->steal_pct = 100.0 * (double)(machine.steal - r->machine_from.steal) /
                            (double)(machine.total - r->machine_from.total);
    r->out->throttled_ns = machine.throttled_ns - r->machine_from.throttled_ns;
    r->out->share = machine_find_share(r->options, r->options->server_pid);
    r->out->server_rss_bytes = read_server_rss(r);
}

static void watch(struct run *r)
{
    enum shard_phase phase = SHARD_WARMUP;
    bool is_cut = false;

    while (!all_done(r)) {
        uint64_t now_ns = clock_now_ns(), measure_ns = atomic_load(&r->clock.measure_ns);
        uint64_t edge_ns = UINT64_MAX;

        if ((r->out->interrupted || r->out->is_aborted || atomic_load(&r->clock.stop)) && !is_cut) {
            is_cut = true;
            cut_short(r);
            continue;
        }
        if (phase == SHARD_WARMUP && phase_at(r, now_ns) > phase) {
            phase = SHARD_MEASURE;
            begin_window(r, measure_ns);
        } else if (phase == SHARD_MEASURE && phase_at(r, now_ns) > phase) {
            phase = SHARD_DRAIN;
            end_window(r, measure_ns);
        } else if (phase == SHARD_MEASURE && now_ns >= r->next_interval_ns) {
            close_interval(r, measure_ns);
            // After a pause one interval is long; none of the next is of no time.
            while (r->next_interval_ns <= now_ns)
                r->next_interval_ns += INTERVAL_NS;
            check_thresholds(r);
            if (r->out->is_aborted)
                continue;
        }
        show(r, phase);
        if (phase == SHARD_WARMUP)
            edge_ns = measure_ns;
        else if (phase == SHARD_MEASURE)
            edge_ns = earliest(atomic_load(&r->clock.end_ns), r->next_interval_ns);
        await(r, earliest(edge_ns, earliest(display_next_ns(&r->display), now_ns + NS_PER_S)));
    }
    if (phase == SHARD_MEASURE)
        end_window(r, atomic_load(&r->clock.measure_ns));
}

static int fill_record(const void *run, FILE *to)
{
    const struct recorder *recorders[OPTIONS_THREADS_MAX];
    const struct run *r = run;

    for (uint32_t i = 0; i < r->shard_count; i++)
        recorders[i] = &r->shards[i].recorder;
    return recorder_write(to, recorders, r->shard_count, atomic_load(&r->clock.start_ns));
}

// What the threads recorded, when they have ended.
static void write_record(struct run *r)
{
    struct outcome *out = r->out;

    if (!r->options->record_file)
        return;
    for (uint32_t i = 0; i < r->shard_count; i++) {
        out->recorded += r->shards[i].recorder.count;
        out->not_recorded += r->shards[i].recorder.dropped;
    }
    out->record_error = output_file_write(r->options->record_file, fill_record, r);
    for (uint32_t i = 0; i < r->shard_count; i++)
        recorder_free(&r->shards[i].recorder);
}

static void collect(struct run *r)
{
    struct outcome *out = r->out;

    for (uint32_t i = 0; i < r->shard_count; i++) {
        struct shard *s = &r->shards[i];
        int failure = atomic_load(&s->failure);

        pthread_join(s->thread, NULL);
        tally_merge(&out->tally, &s->tally);
        if (s->tally.window_ns > 0)
            out->busy_pct[i] = 100.0 * (double)s->tally.busy_ns / (double)s->tally.window_ns;
        if (failure != SHARD_FAILURE_NONE && out->failure == SHARD_FAILURE_NONE) {
            out->failure = (enum shard_failure)failure;
            memcpy(out->failure_text, s->failure_text, sizeof out->failure_text);
        }
        if (out->disconnect_text[0] == '\0')
            memcpy(out->disconnect_text, s->disconnect_text, sizeof out->disconnect_text);
        if (out->tls_group[0] == '\0')
            memcpy(out->tls_group, s->tls_group, sizeof out->tls_group);
        tally_free(&s->tally);
    }
    ledger_settle(&out->tally.ledger);
    // A handshake that began and never ended lost one of its envelopes.
    if (out->has_begun)
        out->tally.ledger.lost += out->tally.handshakes_started - out->tally.handshakes_done -
                                  out->tally.handshakes_failed;
    if (r->shard_count == 0 || r->options->server_pid <= 0)
        return;
    if (r->shards[0].server_error < 0 && out->server_text[0] == '\0')
        snprintf(out->server_text, sizeof out->server_text, "process %d: %s",
                 (int)r->options->server_pid, strerror(-r->shards[0].server_error));
    out->has_server = out->has_begun && out->server_text[0] == '\0';
    out->server_cpu_ns = r->shards[0].server_cpu_ns[1] - r->shards[0].server_cpu_ns[0];
}

static void init_schedule(struct schedule *schedule, const struct options *o)
{
    struct stage_list one;

    if (o->rate_per_s <= 0)
        return;
    stage_list_init_hold(&one, o->rate_per_s, o->duration_ns);
    schedule_init(schedule, o->stages.count > 0 ? &o->stages : &one, o->warmup_ns);
}

int run_init_outcome(struct outcome *out, const struct options *o, const struct target *t)
{
    int err;

    *out = (struct outcome){.options = o, .target = t, .started = time(NULL)};
    err = tally_init(&out->tally);
    if (err == 0)
        err = tally_add_stages(&out->tally, o->stages.count);
    if (err == 0)
        err = tally_add_groups(&out->tally, o->group_count);
    if (err == 0)
        err = series_init(&out->series);
    if (err == 0 && sp_random((uint8_t *)&out->run_id, sizeof out->run_id) < 0)
        err = -ENOMEM;
    if (err < 0)
        run_free(out);
    return err;
}

int run_load(struct outcome *out, const struct options *o, const struct target *t,
             struct tls_context *tls)
{
    const struct run_part all = {.thread_count = o->threads};

    return run_load_part(out, o, &all, t, tls, NULL);
}

int run_load_part(struct outcome *out, const struct options *o, const struct run_part *part,
                  const struct target *t, struct tls_context *tls, struct web *web)
{
    struct run r = {.out = out, .options = o, .part = part};
    uint64_t start_ns;
    int err = run_init_outcome(out, o, t);

    assert(part->first_thread + part->thread_count <= o->threads);
    if (err < 0)
        return err;
    if (part->run_id != 0)
        out->run_id = part->run_id;
    r.shards = calloc(part->thread_count, sizeof *r.shards);
    if (!r.shards) {
        run_free(out);
        return -ENOMEM;
    }
    init_schedule(&r.schedule, o);
    find_sources(&r.sources, o, t);
    out->server_rss_before_bytes = read_server_rss(&r);
    block_signals(&r);
    display_init(&r.display, o, web, clock_now_ns());
    err = start_threads(&r, t, tls);
    if (err < 0) {
        out->failure = SHARD_FAILURE_INTERNAL;
        snprintf(out->failure_text, sizeof out->failure_text, "a thread cannot be started: %s",
                 strerror(-err));
        atomic_store(&r.clock.stop, true);
    } else if (await_setup(&r) && await_start(&r, &start_ns)) {
        out->has_begun = true;
        set_clock(&r, start_ns);
        watch(&r);
    }
    collect(&r);
    write_record(&r);
    display_finish(&r.display);
    judgement_make(out);
    free(r.shards);
    return 0;
}

void run_set_ceiling(struct outcome *out, const struct ceiling *c)
{
    out->ceiling = *c;
    judgement_make(out);
}

void run_free(struct outcome *out)
{
    tally_free(&out->tally);
    series_free(&out->series);
    free(out->agents);
    out->agents = NULL;
}
