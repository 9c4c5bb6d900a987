// The live view: rates of the last second, then a frame. Never waits.
#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RATE_NS NS_PER_S

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);

        // The first one that is set decides, as in setlocale.
        if (value && value[0] != '\0')
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

bool view_open(struct view *v, bool always, uint64_t now_ns)
{
    const char *no_colour = getenv("NO_COLOR");

    *v = (struct view){
        .screen = {.has_unicode = speaks_utf8(), .has_colour = !no_colour || no_colour[0] == '\0'},
        .from.at_ns = now_ns};
    if (!terminal_open(&v->terminal, STDERR_FILENO))
        return false;
    if (terminal_size(&v->terminal, &v->screen.columns, &v->screen.rows) &&
        (always || (v->screen.columns >= SCREEN_COLUMNS_MIN && v->screen.rows >= SCREEN_ROWS_MIN)))
        return true;
    terminal_close(&v->terminal);
    return false;
}

static void find_rates(struct view *v, const struct live *l)
{
    const struct pulse_sample *to = &l->pulse, *from = &v->from;
    bool handshakes = l->options->mode == OPTIONS_HANDSHAKE;
    double seconds = (double)(to->at_ns - from->at_ns) / 1e9;

    v->screen.per_s =
        (double)(handshakes ? to->handshakes - from->handshakes : to->delivered - from->delivered) /
        seconds;
    v->screen.sent_per_s = (double)(to->sent - from->sent) / seconds;
    v->screen.p50_ns = pulse_percentile(from, to, 50);
    v->screen.p99_ns = pulse_percentile(from, to, 99);
    v->from = *to;
}

void view_show(struct view *v, const struct live *l)
{
    char frame[TERMINAL_FRAME_MAX_BYTES - KIB];
    size_t len;

    if (l->pulse.at_ns >= v->from.at_ns + RATE_NS)
        find_rates(v, l);
    // Asked each time: people resize windows.
    if (!terminal_size(&v->terminal, &v->screen.columns, &v->screen.rows))
        return;
    if (v->screen.columns < 20 || v->screen.rows < 4)
        return;
    len = screen_format(&v->screen, l, frame, sizeof frame);
    terminal_draw(&v->terminal, frame, len);
}

void view_close(struct view *v)
{
    terminal_close(&v->terminal);
}
