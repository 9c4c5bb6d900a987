// The live line. Runs on the coordinator's thread.
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "procstat.h"

#define TEXT_BYTES 256

void progress_init(struct progress *p, const struct options *o, uint64_t now_ns)
{
    *p = (struct progress){.is_terminal = isatty(STDERR_FILENO), .interval_ns = o->progress_ns};
    p->next_ns = p->interval_ns > 0 ? now_ns + p->interval_ns : UINT64_MAX;
    p->last.at_ns = now_ns;
}

static int show_server(struct progress *p, pid_t pid, double seconds, char *out, size_t cap)
{
    uint64_t cpu_ns, last_ns = p->last_server_cpu_ns;

    if (pid <= 0 || procstat_cpu_ns(pid, &cpu_ns) < 0)
        return 0;
    p->last_server_cpu_ns = cpu_ns;
    if (last_ns == 0)
        return 0;
    return snprintf(out, cap, "  relay %.0f %% CPU", (double)(cpu_ns - last_ns) / seconds / 1e7);
}

static int show_load(struct progress *p, const struct live *l, double seconds, char *out,
                     size_t cap)
{
    const struct options *o = l->options;
    const struct pulse_sample *now = &l->pulse, *last = &p->last;

    if (o->mode == OPTIONS_IDLE)
        return snprintf(out, cap, "%u connections", now->alive);
    if (o->mode == OPTIONS_HANDSHAKE)
        return snprintf(out, cap, "%.0f handshakes/s  p50 %.0f us  p99 %.0f us  faults %llu",
                        (double)(now->handshakes - last->handshakes) / seconds,
                        (double)pulse_percentile(last, now, 50) / 1e3,
                        (double)pulse_percentile(last, now, 99) / 1e3,
                        (unsigned long long)now->faults);
    return snprintf(
        out, cap, "%.0f/s  p50 %.0f us  p99 %.0f us  in flight %llu  faults %llu  refused %llu",
        (double)(now->delivered - last->delivered) / seconds,
        (double)pulse_percentile(last, now, 50) / 1e3,
        (double)pulse_percentile(last, now, 99) / 1e3, (unsigned long long)live_in_flight(l),
        (unsigned long long)now->faults, (unsigned long long)now->refused);
}

void progress_show(struct progress *p, const struct live *l)
{
    const struct options *o = l->options;
    const struct pulse_sample *now = &l->pulse;
    double seconds = (double)(now->at_ns - p->last.at_ns) / 1e9;
    char text[TEXT_BYTES];
    int len;

    if (p->interval_ns == 0)
        return;
    p->next_ns = now->at_ns + p->interval_ns;
    len = snprintf(text, sizeof text, "%-8s ", live_phase_name(l->phase));
    if (l->phase <= SHARD_WAITING)
        len += snprintf(text + len, sizeof text - (size_t)len, "%u connected, %u ready of %u",
                        now->connected, now->settled, o->connections);
    else
        len += show_load(p, l, seconds, text + len, sizeof text - (size_t)len);
    if ((size_t)len < sizeof text)
        show_server(p, o->server_pid, seconds, text + len, sizeof text - (size_t)len);
    fprintf(stderr, p->is_terminal ? "\r\033[K%s" : "%s\n", text);
    fflush(stderr);
    p->is_dirty = p->is_terminal;
    p->last = *now;
}

void progress_finish(struct progress *p)
{
    if (p->is_dirty)
        fputc('\n', stderr);
    p->is_dirty = false;
}
