// Lines of the terminal view. Everything that came from outside (the address) is cut down to
// printable ASCII first: it must not move the cursor.
#include "screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1536u // SCREEN_COLUMNS_MAX cells of three bytes, and control sequences
#define NAME_COLUMNS 13u
#define VALUE_COLUMNS 14u

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define BLUE "\033[34m"
#define PLAIN "\033[0m"

struct line {
    const struct screen *screen;
    size_t len;
    unsigned cells;
    char bytes[LINE_BYTES];
};

struct frame {
    char *out;
    size_t cap, len;
    unsigned lines_left;
};

// A control sequence: no cell.
static void style(struct line *l, const char *sequence)
{
    size_t len = strlen(sequence);

    if (!l->screen->has_colour || l->len + len >= LINE_BYTES)
        return;
    memcpy(l->bytes + l->len, sequence, len);
    l->len += len;
}

static void put_cell(struct line *l, const char *cell)
{
    size_t len = strlen(cell);

    if (l->cells + 1 >= l->screen->columns || l->len + len >= LINE_BYTES)
        return;
    memcpy(l->bytes + l->len, cell, len);
    l->len += len;
    l->cells++;
}

PRINTF_LIKE(2, 3) static void put(struct line *l, const char *format, ...)
{
    char text[SCREEN_COLUMNS_MAX * 2];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (const char *at = text; *at; at++) {
        char cell[2] = {*at >= ' ' && *at < 0x7f ? *at : '?', '\0'};

        put_cell(l, cell);
    }
}

static void fill_to(struct line *l, unsigned cells)
{
    while (l->cells < cells && l->cells + 1 < l->screen->columns)
        put_cell(l, " ");
}

static void end_line(struct frame *f, struct line *l)
{
    static const char end[] = PLAIN "\033[K\r\n";

    if (f->lines_left > 0 && f->len + l->len + sizeof end < f->cap) {
        f->lines_left--;
        memcpy(f->out + f->len, l->bytes, l->len);
        memcpy(f->out + f->len + l->len, end, sizeof end - 1);
        f->len += l->len + sizeof end - 1;
    }
    l->len = l->cells = 0;
}

static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii_bars[] = {"_", ".", "-", "=", "+", "*", "#", "@"};

enum quantity { QUANTITY_RATE, QUANTITY_P50, QUANTITY_P99 };

static double quantity_of(const struct live *l, const struct series_point *p, enum quantity q)
{
    uint64_t count = l->options->mode == OPTIONS_HANDSHAKE ? p->handshakes : p->delivered;

    return q == QUANTITY_P50   ? (double)p->p50_ns
           : q == QUANTITY_P99 ? (double)p->p99_ns
           : p->len_ns == 0    ? 0
                               : (double)count * 1e9 / (double)p->len_ns;
}

// The latest points, from nothing to the largest of them.
static void put_history(struct line *line, const struct live *l, enum quantity q)
{
    unsigned room =
        line->screen->columns > line->cells + 2 ? line->screen->columns - line->cells - 2 : 0;
    uint32_t first = l->point_count > room ? l->point_count - room : 0;
    double most = 0;

    for (uint32_t i = first; i < l->point_count; i++) {
        double value = quantity_of(l, &l->points[i], q);

        most = value > most ? value : most;
    }
    style(line, BLUE);
    for (uint32_t i = first; i < l->point_count; i++) {
        double share = most > 0 ? quantity_of(l, &l->points[i], q) / most : 0;
        unsigned step = (unsigned)(share * (COUNT_OF(bars) - 1) + 0.5);

        put_cell(line, line->screen->has_unicode ? bars[step] : ascii_bars[step]);
    }
    style(line, PLAIN);
}

static void put_name(struct line *l, const char *name)
{
    style(l, DIM);
    put(l, "  %s", name);
    style(l, PLAIN);
    fill_to(l, 2 + NAME_COLUMNS);
}

static void put_value(struct line *l, const char *text)
{
    style(l, BOLD);
    put(l, "%s", text);
    style(l, PLAIN);
    fill_to(l, 2 + NAME_COLUMNS + VALUE_COLUMNS);
}

static const char *format_latency(uint64_t ns, char text[32])
{
    if (ns == 0)
        return "-";
    if (ns < NS_PER_MS)
        snprintf(text, 32, "%.0f us", (double)ns / 1e3);
    else if (ns < NS_PER_S)
        snprintf(text, 32, "%.2f ms", (double)ns / 1e6);
    else
        snprintf(text, 32, "%.2f s", (double)ns / 1e9);
    return text;
}

static void put_title(struct frame *f, struct line *line, const struct live *l)
{
    const struct options *o = l->options;

    style(line, BOLD);
    put(line, "  sealpost-load");
    style(line, PLAIN);
    put(line, "  %s  %s  %u connections, %u thread%s", options_mode_name(o->mode), o->url,
        o->connections, o->threads, o->threads == 1 ? "" : "s");
    end_line(f, line);
}

static void put_progress(struct frame *f, struct line *line, const struct live *l)
{
    bool setup = l->phase <= SHARD_WAITING;
    double share = setup              ? (double)l->pulse.settled / l->options->connections
                   : l->length_ns > 0 ? (double)l->elapsed_ns / (double)l->length_ns
                                      : 0;
    unsigned width, done;
    char text[64];

    if (setup)
        snprintf(text, sizeof text, "%s  %u of %u ready", live_phase_name(l->phase),
                 l->pulse.settled, l->options->connections);
    else
        snprintf(text, sizeof text, "%s  %.0f of %.0f s", live_phase_name(l->phase),
                 (double)l->elapsed_ns / 1e9, (double)l->length_ns / 1e9);
    width = 6 + (unsigned)strlen(text);
    width = line->screen->columns > width ? line->screen->columns - width : 0;
    done = (unsigned)((share > 1 ? 1 : share) * width);
    put(line, "  ");
    style(line, BLUE);
    for (unsigned i = 0; i < width; i++) {
        if (i == done)
            style(line, DIM);
        put_cell(line, !line->screen->has_unicode ? (i < done ? "=" : "-") : "━");
    }
    style(line, PLAIN);
    put(line, "  %s", text);
    end_line(f, line);
}

static void put_rates(struct frame *f, struct line *line, const struct live *l)
{
    const struct screen *s = line->screen;
    char text[64], latency[32];

    put_name(line, l->options->mode == OPTIONS_HANDSHAKE ? "handshakes" : "delivered");
    snprintf(text, sizeof text, "%.0f/s", s->per_s);
    put_value(line, text);
    put_history(line, l, QUANTITY_RATE);
    end_line(f, line);
    put_name(line, "p50");
    put_value(line, format_latency(s->p50_ns, latency));
    put_history(line, l, QUANTITY_P50);
    end_line(f, line);
    put_name(line, "p99");
    put_value(line, format_latency(s->p99_ns, latency));
    put_history(line, l, QUANTITY_P99);
    end_line(f, line);
}

static void put_delivery(struct frame *f, struct line *line, const struct live *l)
{
    const struct pulse_sample *p = &l->pulse;

    put_name(line, "envelopes");
    put(line, "%llu sent (%.0f/s), %llu delivered, ", (unsigned long long)p->sent,
        line->screen->sent_per_s, (unsigned long long)p->delivered);
    style(line, BOLD);
    put(line, "%llu in flight", (unsigned long long)live_in_flight(l));
    style(line, PLAIN);
    end_line(f, line);
    put_name(line, "faults");
    style(line, p->faults > 0 ? RED : GREEN);
    put(line, "%llu", (unsigned long long)p->faults);
    style(line, PLAIN);
    put(line, "   refused %llu   connections %u of %u", (unsigned long long)p->refused, p->alive,
        l->options->connections);
    end_line(f, line);
}

static void put_verdict(struct frame *f, struct line *line, const struct live *l)
{
    static const char *const colours[] = {GREEN, YELLOW, RED};

    put_name(line, "generator");
    style(line, colours[l->verdict.level]);
    put(line, "%s", verdict_level_name(l->verdict.level));
    style(line, PLAIN);
    put(line, " so far; busy");
    for (uint32_t i = 0; i < l->options->threads; i++)
        put(line, "%s %.0f %%", i == 0 ? "" : ",", l->busy_pct[i]);
    end_line(f, line);
    for (uint32_t i = 0; i < l->verdict.reason_count; i++) {
        put_name(line, "");
        put(line, "- %s", l->verdict.reasons[i]);
        end_line(f, line);
    }
}

static void put_server(struct frame *f, struct line *line, const struct live *l)
{
    uint64_t count = live_operations(l);

    if (l->options->server_pid <= 0)
        return;
    put_name(line, "relay");
    if (!l->has_server) {
        put(line, "its process cannot be read");
    } else {
        if (l->elapsed_ns > 0)
            put(line, "%.0f %% CPU, ", 100.0 * (double)l->server_cpu_ns / (double)l->elapsed_ns);
        if (count > 0)
            put(line, "%.0f ns for each %s, ", (double)l->server_cpu_ns / (double)count,
                l->options->mode == OPTIONS_HANDSHAKE ? "handshake" : "envelope");
        put(line, "%.1f MiB", (double)l->server_rss_bytes / MIB);
    }
    end_line(f, line);
}

size_t screen_format(const struct screen *s, const struct live *l, char *out, size_t cap)
{
    static const char clear[] = "\033[J";
    struct screen bounded = *s;
    struct line line = {.screen = &bounded};
    // Room for what ends the frame.
    struct frame f = {.out = out, .cap = cap - sizeof clear, .lines_left = s->rows - 1};

    if (bounded.columns > SCREEN_COLUMNS_MAX)
        bounded.columns = SCREEN_COLUMNS_MAX;
    end_line(&f, &line);
    put_title(&f, &line, l);
    put_progress(&f, &line, l);
    end_line(&f, &line);
    if (l->options->mode != OPTIONS_IDLE)
        put_rates(&f, &line, l);
    put_delivery(&f, &line, l);
    end_line(&f, &line);
    put_verdict(&f, &line, l);
    put_server(&f, &line, l);
    end_line(&f, &line);
    style(&line, DIM);
    put(&line, l->interrupted ? "  ending: what is under way is still drained"
                              : "  Ctrl-C ends the load; the result is still written");
    end_line(&f, &line);
    memcpy(out + f.len, clear, sizeof clear - 1);
    return f.len + sizeof clear - 1;
}
