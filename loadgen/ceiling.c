// Measuring the ceiling: a run like the one to come, against a sink of our own. Runs before it, on
// the main thread.
#include "ceiling.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run.h"
#include "sink.h"
#include "target.h"

#define WARMUP_NS (200 * NS_PER_MS)
// Open loop: envelopes in flight over all connections, enough that the generator never waits.
#define SATURATING 512u

bool ceiling_applies(const struct options *o)
{
    for (uint32_t i = 0; i < o->group_count; i++) {
        if (o->groups[i].behaviour != GROUP_CHAT && o->groups[i].behaviour != GROUP_FAN_OUT)
            return false;
    }
    return o->mode == OPTIONS_TALK;
}

static bool is_pinned_to(const struct options *o, unsigned cpu)
{
    for (uint32_t i = 0; i < o->pin_count; i++) {
        if (o->pin[i] == cpu)
            return true;
    }
    return false;
}

static bool may_use(const struct options *o, const cpu_set_t *relay, unsigned cpu)
{
    return !is_pinned_to(o, cpu) && CPU_ISSET(cpu, relay);
}

// The sink where the relay is, if that is known, but on no processor of the generator.
static int start_sink(struct ceiling *c, const struct options *o, struct sink **sink)
{
    struct sink_options options = {.connections = c->connections, .pin = -1};
    unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
    cpu_set_t relay;
    int err = -EINVAL;

    if (o->pin_count == 0)
        return sink_create(sink, &options);
    if (o->server_pid <= 0 || sched_getaffinity(o->server_pid, sizeof relay, &relay) < 0)
        memset(&relay, 0xFF, sizeof relay);
    for (unsigned cpu = 0; cpu < cpus && cpu < CPU_SETSIZE && err == -EINVAL; cpu++) {
        options.pin = (int)cpu;
        if (may_use(o, &relay, cpu))
            err = sink_create(sink, &options); // -EINVAL: not a processor of this process
    }
    if (err != -EINVAL)
        return err;
    c->colocated = true;
    options.pin = (int)o->pin[0];
    return sink_create(sink, &options);
}

// What is to be run, with all that is not the client's work left out.
static struct options options_of(const struct ceiling *c, const struct options *o, const char *url)
{
    struct options run = *o;

    run.url = url;
    run.connections = c->connections;
    run.groups[0] = (struct group){.behaviour = GROUP_CHAT, .share = 1, .users = c->connections};
    run.group_count = 1; // whatever the groups do, sealing and opening is the client's work
    if (o->rate_per_s > 0) {
        run.rate_per_s = 0;
        run.stages.count = 0;
        run.in_flight = (SATURATING + c->connections - 1) / c->connections;
    }
    run.warmup_ns = WARMUP_NS;
    run.duration_ns = o->ceiling_ns;
    run.source_addresses_auto = true;
    run.sources = (struct source_list){0};
    run.ca_file = NULL;
    run.insecure = false;
    run.json_file = NULL;
    run.record_file = NULL;
    run.thresholds.count = 0;
    run.server_pid = 0;
    run.progress_ns = 0;
    run.quiet = true;
    return run;
}

static void measure(struct ceiling *c, const struct options *o, uint16_t port)
{
    char url[64], reason[TARGET_REASON_BYTES], split[GROUP_REASON_BYTES];
    struct target target;
    struct outcome out;
    struct options options;

    snprintf(url, sizeof url, "ws://127.0.0.1:%u", port);
    options = options_of(c, o, url);
    if (group_split(options.groups, options.group_count, options.connections, split) < 0) {
        snprintf(c->reason, sizeof c->reason, "with %u connections: %.*s", c->connections,
                 (int)sizeof c->reason - 40, split);
        return;
    }
    if (target_parse(&target, url, reason) < 0 || target_resolve(&target, reason) < 0 ||
        run_load(&out, &options, &target, NULL) < 0) {
        snprintf(c->reason, sizeof c->reason, "the run against the sink cannot be set up");
        return;
    }
    c->interrupted = out.interrupted;
    if (out.interrupted)
        snprintf(c->reason, sizeof c->reason, "interrupted");
    else if (!out.has_begun || out.tally.window_ns == 0)
        snprintf(c->reason, sizeof c->reason, "%.*s", (int)sizeof c->reason - 1, out.failure_text);
    else if (ledger_has_faults(&out.tally.ledger) || out.tally.disconnected > 0)
        snprintf(c->reason, sizeof c->reason, "envelopes were lost on the way to the sink");
    else
        c->per_s = (double)out.tally.delivered * 1e9 / (double)out.tally.window_ns;
    for (uint32_t i = 0; i < o->threads; i++) {
        if (out.busy_pct[i] > c->busy_pct)
            c->busy_pct = out.busy_pct[i];
    }
    run_free(&out);
}

void ceiling_measure(struct ceiling *c, const struct options *o)
{
    struct sink *sink;
    int err;

    *c = (struct ceiling){.connections = o->connections < CEILING_CONNECTIONS_MAX
                                             ? o->connections
                                             : CEILING_CONNECTIONS_MAX};
    if (!ceiling_applies(o)) {
        snprintf(c->reason, sizeof c->reason, "only chat and fan-out have a ceiling");
        return;
    }
    err = start_sink(c, o, &sink);
    if (err < 0) {
        snprintf(c->reason, sizeof c->reason, "the sink cannot be started: %s", strerror(-err));
        return;
    }
    measure(c, o, sink_port(sink));
    sink_destroy(sink);
}
