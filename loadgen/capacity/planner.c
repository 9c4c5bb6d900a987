// The planner's arithmetic, each step also as text. No I/O.
#include "planner.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define DESCRIPTORS_RESERVED 64.0 // listeners, rings, standard streams

static const struct member {
    const char *name;
    size_t at;
    double min, max;
    double preset;
    bool is_needed;
} members[] = {
#define AT(member) offsetof(struct planner_demand, member)
    {"users", AT(users), 1, 1e11, 0, true},
    {"messages", AT(messages), 0.001, 1e7, 0, true},
    {"peak", AT(peak), 1, 1e4, 0, true},
    {"online", AT(online), 0.0001, 100, 1, false},
    {"headroom", AT(headroom), 0.01, 1, 0.6, false},
    {"cores", AT(cores), 0.1, 4096, 1, false},
    {"memory", AT(memory_bytes), MIB, 1e15, 16.0 * 1024 * MIB, false},
    {"descriptors", AT(descriptors), 128, 1e9, 1048576, false},
    {"nic", AT(nic_bits_per_s), 1e6, 1e13, 1e10, false},
    {"payload", AT(payload_bytes), 1, 65536, 0, false},
    {"cpu_ns", AT(cpu_ns), 1, 1e9, 0, false},
    {"rss_bytes", AT(rss_bytes), 1, 1e9, 0, false},
#undef AT
};

static double *member_of(struct planner_demand *d, const struct member *m)
{
    return (double *)(void *)((char *)d + m->at);
}

PRINTF_LIKE(2, 3) static int refuse(char *reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reason, PLANNER_REASON_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static const struct member *find_member(const char *name, size_t len)
{
    for (unsigned i = 0; i < COUNT_OF(members); i++) {
        if (strlen(members[i].name) == len && memcmp(members[i].name, name, len) == 0)
            return &members[i];
    }
    return NULL;
}

// The factor a unit stands for, 0 if there is no such unit.
static double unit_of(const char *unit, size_t len)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {{"", 1},       {"KiB", KIB}, {"MiB", MIB}, {"GiB", 1024.0 * MIB},
                 {"Mbit", 1e6}, {"Gbit", 1e9}};

    for (unsigned i = 0; i < COUNT_OF(units); i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, unit, len) == 0)
            return units[i].factor;
    }
    return 0;
}

// One NAME=VALUE of `len` characters.
static int parse_member(struct planner_demand *d, const char *text, size_t len, char *reason)
{
    const char *equals = memchr(text, '=', len);
    const struct member *m = equals ? find_member(text, (size_t)(equals - text)) : NULL;
    char *end;
    double value;

    if (!m)
        return refuse(reason,
                      "--plan does not know '%.*s'; it takes users=, messages= (a day, each user), "
                      "peak=, online=, headroom=, cores=, memory=, descriptors=, nic=, payload=, "
                      "cpu_ns= and rss_bytes=",
                      (int)len, text);
    if (!isdigit((unsigned char)equals[1]))
        return refuse(reason, "--plan: %s= takes a number, not '%.*s'", m->name,
                      (int)(len - (size_t)(equals + 1 - text)), equals + 1);
    value = strtod(equals + 1, &end);
    value *= unit_of(end, end <= text + len ? (size_t)(text + len - end) : 1);
    if (!(value >= m->min && value <= m->max))
        return refuse(reason, "--plan: %s= takes a number from %g to %g, not '%.*s'", m->name,
                      m->min, m->max, (int)(len - (size_t)(equals + 1 - text)), equals + 1);
    *member_of(d, m) = value;
    return 0;
}

int planner_parse(struct planner_demand *d, const char *text, char reason[PLANNER_REASON_BYTES])
{
    *d = (struct planner_demand){.users = 0};
    for (unsigned i = 0; i < COUNT_OF(members); i++)
        *member_of(d, &members[i]) = members[i].preset;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        int err = parse_member(d, text, len, reason);

        if (err < 0)
            return err;
        text += len;
        if (*text == ',')
            text++;
    }
    for (unsigned i = 0; i < COUNT_OF(members); i++) {
        if (members[i].is_needed && *member_of(d, &members[i]) == 0)
            return refuse(reason,
                          "--plan lacks %s=: write for instance users=1e6,messages=40,peak=10",
                          members[i].name);
    }
    return 0;
}

PRINTF_LIKE(3, 4)
static void add(struct planner_answer *a, const char *name, const char *format, ...)
{
    va_list args;

    assert(a->line_count < PLANNER_LINES_MAX);
    a->lines[a->line_count].name = name;
    va_start(args, format);
    vsnprintf(a->lines[a->line_count++].text, PLANNER_LINE_BYTES, format, args);
    va_end(args);
}

static void plan_rate(struct planner_answer *a, const struct planner_demand *d)
{
    a->mean_per_s = d->users * d->messages / PLANNER_SECONDS_PER_DAY;
    a->peak_per_s = a->mean_per_s * d->peak;
    a->connections = d->users * d->online;
    add(a, "peak rate", "%.0f users x %g messages / 86400 s x %g = %.0f envelopes a second",
        d->users, d->messages, d->peak, a->peak_per_s);
    add(a, "connections", "%.0f users x %g online = %.0f", d->users, d->online, a->connections);
}

static void plan_processors(struct planner_answer *a, const struct planner_demand *d,
                            const struct planner_cost *cost)
{
    double cpu_ns = d->cpu_ns > 0 ? d->cpu_ns : cost->cpu_ns_per_envelope;

    if (cpu_ns > 0) {
        a->cores = a->peak_per_s * cpu_ns / 1e9 / d->headroom;
        a->relays_by[PLANNER_BY_PROCESSORS] = a->cores / d->cores;
        add(a, "processors",
            "%.0f/s x %.0f ns / %g headroom = %.2f cores / %g a relay = %.2f relays", a->peak_per_s,
            cpu_ns, d->headroom, a->cores, d->cores, a->relays_by[PLANNER_BY_PROCESSORS]);
    } else if (cost->rate_per_s > 0) {
        a->relays_by[PLANNER_BY_PROCESSORS] = a->peak_per_s / (cost->rate_per_s * d->headroom);
        add(a, "processors",
            "%.0f/s / (%.0f/s measured x %g headroom) = %.2f relays as measured (cores unknown: "
            "give --server-pid or cpu_ns=)",
            a->peak_per_s, cost->rate_per_s, d->headroom, a->relays_by[PLANNER_BY_PROCESSORS]);
    } else {
        add(a, "processors", "unknown: no capacity was found; give --server-pid or cpu_ns=");
    }
}

static void plan_memory(struct planner_answer *a, const struct planner_demand *d,
                        const struct planner_cost *cost)
{
    double rss = d->rss_bytes > 0 ? d->rss_bytes : cost->rss_bytes_per_connection, each;

    if (rss <= 0) {
        add(a, "memory", "unknown: give --server-pid, or rss_bytes= of a connection");
        return;
    }
    each = rss + PLANNER_KERNEL_BYTES_PER_CONNECTION;
    a->memory_bytes = a->connections * each;
    a->relays_by[PLANNER_BY_MEMORY] = a->memory_bytes / (d->memory_bytes * PLANNER_MEMORY_SHARE);
    add(a, "memory",
        "%.0f connections x (%.0f B relay + %.0f B kernel) = %.2f GiB / (%.2f GiB x %g) = %.2f "
        "relays",
        a->connections, rss, PLANNER_KERNEL_BYTES_PER_CONNECTION, a->memory_bytes / (1024.0 * MIB),
        d->memory_bytes / (1024.0 * MIB), PLANNER_MEMORY_SHARE, a->relays_by[PLANNER_BY_MEMORY]);
}

static void plan_network(struct planner_answer *a, const struct planner_demand *d,
                         const struct planner_cost *cost)
{
    int tls = cost->tls ? PLANNER_TLS_BYTES : 0;
    double in_bytes = d->payload_bytes + PLANNER_WIRE_BYTES_IN + tls;
    double out_bytes = d->payload_bytes + PLANNER_WIRE_BYTES_OUT + tls;

    a->relays_by[PLANNER_BY_DESCRIPTORS] = a->connections / (d->descriptors - DESCRIPTORS_RESERVED);
    add(a, "descriptors",
        "%.0f connections / (%.0f a process - %.0f) = %.2f relays; ports: one listens, "
        "but a proxy in front needs a source address for each 28,000 connections",
        a->connections, d->descriptors, DESCRIPTORS_RESERVED, a->relays_by[PLANNER_BY_DESCRIPTORS]);
    a->bits_per_s = a->peak_per_s * fmax(in_bytes, out_bytes) * 8;
    a->relays_by[PLANNER_BY_NETWORK] = a->bits_per_s / (d->nic_bits_per_s * d->headroom);
    add(a, "network",
        "%.0f/s x (%.0f B + %d B headers%s) x 8 = %.1f Mbit/s in, %.1f out; / (%.0f Mbit/s x %g) = "
        "%.2f relays",
        a->peak_per_s, d->payload_bytes, PLANNER_WIRE_BYTES_IN + tls, cost->tls ? " with TLS" : "",
        a->peak_per_s * in_bytes * 8 / 1e6, a->peak_per_s * out_bytes * 8 / 1e6,
        d->nic_bits_per_s / 1e6, d->headroom, a->relays_by[PLANNER_BY_NETWORK]);
}

void planner_answer(struct planner_answer *a, const struct planner_demand *d,
                    const struct planner_cost *cost)
{
    *a = (struct planner_answer){.line_count = 0};
    for (unsigned i = 0; i < PLANNER_LIMIT_COUNT; i++)
        a->relays_by[i] = -1;
    plan_rate(a, d);
    plan_processors(a, d, cost);
    plan_memory(a, d, cost);
    plan_network(a, d, cost);
    for (unsigned i = 0; i < PLANNER_LIMIT_COUNT; i++) {
        if (a->relays_by[i] > a->relays_by[a->breaks_first])
            a->breaks_first = (enum planner_limit)i;
    }
    a->relays = fmax(1, ceil(a->relays_by[a->breaks_first] * (1 - 1e-12)));
    add(a, "relays", "%.0f; what breaks first: %s%s", a->relays,
        planner_limit_name(a->breaks_first),
        a->relays_by[PLANNER_BY_PROCESSORS] < 0 || a->relays_by[PLANNER_BY_MEMORY] < 0
            ? ", of what is known"
            : "");
}

const char *planner_limit_name(enum planner_limit limit)
{
    static const char *const names[] = {"processors", "memory", "descriptors", "network"};

    return names[limit];
}
