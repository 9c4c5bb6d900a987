// Frames of the terminal view: what they say, and that they stay within the screen.
#include <criterion/criterion.h>
#include <string.h>

#include "screen.h"

static struct options o;
static struct live live;
static struct series_point points[40];
static struct screen screen;
static char frame[16 * KIB];

static void setup(void)
{
    o = (struct options){.url = "ws://127.0.0.1:8086",
                         .connections = 100,
                         .threads = 2,
                         .server_pid = 4711,
                         .duration_ns = 10 * NS_PER_S};
    for (unsigned i = 0; i < COUNT_OF(points); i++)
        points[i] = (struct series_point){.len_ns = NS_PER_S,
                                          .delivered = 100 * (i + 1),
                                          .p50_ns = NS_PER_MS,
                                          .p99_ns = 2 * NS_PER_MS};
    live = (struct live){.options = &o,
                         .phase = SHARD_MEASURE,
                         .elapsed_ns = 4 * NS_PER_S,
                         .length_ns = 10 * NS_PER_S,
                         .pulse = {.sent = 1010, .delivered = 1000, .refused = 3, .alive = 99},
                         .busy_pct = {40, 60},
                         .has_server = true,
                         .server_cpu_ns = 2 * NS_PER_S,
                         .points = points,
                         .point_count = COUNT_OF(points)};
    screen = (struct screen){.columns = 100, .rows = 30, .per_s = 4000, .p50_ns = 1500 * NS_PER_US};
}

TestSuite(screen, .init = setup);

static void format(void)
{
    size_t len = screen_format(&screen, &live, frame, sizeof frame - 1);

    frame[len] = '\0';
}

// Cells of each line, without control sequences; returns the number of lines.
static unsigned measure(unsigned *widest)
{
    unsigned lines = 0, cells = 0;

    *widest = 0;
    for (const char *at = frame; *at; at++) {
        if (*at == '\033') {
            at = strpbrk(at, "mKJ");
            cr_assert_not_null(at, "a sequence that does not end");
        } else if (*at == '\n') {
            lines++;
            *widest = cells > *widest ? cells : *widest;
            cells = 0;
        } else if (*at != '\r' && ((unsigned char)*at & 0xc0) != 0x80)
            cells++;
    }
    return lines;
}

Test(screen, format_says_what_goes_on)
{
    static const char *const words[] = {"ws://127.0.0.1:8086",
                                        "measure  4 of 10 s",
                                        "4000/s",
                                        "1.50 ms",
                                        "1010 sent",
                                        "1000 delivered, 7 in flight",
                                        "refused 3",
                                        "connections 99 of 100",
                                        "ok so far; busy 40 %, 60 %",
                                        "50 % CPU, 2000000 ns for each envelope"};

    format();
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        cr_assert(strstr(frame, words[i]), "'%s' is not in\n%s", words[i], frame);
    cr_assert_null(strstr(frame, "\033[3"), "no colour unless asked for");
    cr_assert(strstr(frame, "_"), "ASCII bars");
    cr_assert_null(strstr(frame, "█"));
}

Test(screen, format_unicode_and_colour)
{
    screen.has_unicode = screen.has_colour = true;
    live.pulse.faults = 2;
    live.verdict = (struct verdict){.level = VERDICT_SUSPECT, .reason_count = 1};
    strcpy(live.verdict.reasons[0], "a reason");
    format();
    cr_assert(strstr(frame, "▁") && strstr(frame, "█"));
    cr_assert(strstr(frame, "\033[31m2"), "faults are red");
    cr_assert(strstr(frame, "\033[33msuspect"));
    cr_assert(strstr(frame, "- a reason"));
}

Test(screen, format_stays_on_the_screen)
{
    unsigned widest;

    screen.has_unicode = screen.has_colour = true;
    for (unsigned columns = 20; columns <= 300; columns += 7) {
        for (unsigned rows = 4; rows <= 40; rows += 3) {
            screen.columns = columns;
            screen.rows = rows;
            format();
            cr_assert_lt(measure(&widest), rows, "the last line would scroll");
            cr_assert_lt(widest, columns + 1);
        }
    }
}

Test(screen, format_keeps_its_bound)
{
    static char bytes[16 * KIB];

    screen.has_unicode = screen.has_colour = true;
    for (size_t cap = 16; cap < 4096; cap += 13) {
        memset(bytes, 0x7f, sizeof bytes);
        cr_assert_leq(screen_format(&screen, &live, bytes, cap), cap);
        cr_assert_eq(bytes[cap], 0x7f);
    }
}

Test(screen, format_takes_no_control_sequences_from_outside)
{
    o.url = "ws://\033]0;owned\007\x9b/";
    format();
    cr_assert(strstr(frame, "ws://?]0;owned??\x2f"), "%s", frame);
}

Test(screen, format_of_the_set_up_and_of_idle)
{
    live.phase = SHARD_SETUP;
    live.pulse.settled = 25;
    live.point_count = 0;
    o.mode = OPTIONS_IDLE;
    format();
    cr_assert(strstr(frame, "set-up  25 of 100 ready"));
    cr_assert_null(strstr(frame, "p99"));
}

Test(screen, format_without_the_relay)
{
    live.has_server = false;
    format();
    cr_assert(strstr(frame, "its process cannot be read"));
    o.server_pid = 0;
    format();
    cr_assert_null(strstr(frame, "  relay"));
}

Test(screen, format_when_interrupted)
{
    live.interrupted = true;
    format();
    cr_assert(strstr(frame, "ending: what is under way is still drained"));
}
