// The table for people.
#include <criterion/criterion.h>
#include <string.h>

#include "sealcrypto.h"
#include "summary.h"

static struct options o;
static struct target t;
static struct outcome out;

static void setup(void)
{
    cr_assert_eq(sp_init(), 0);
    o = (struct options){.url = "ws://127.0.0.1:1",
                         .connections = 10,
                         .in_flight = 1,
                         .payload_bytes = 256,
                         .duration_ns = 2 * NS_PER_S,
                         .threads = 2,
                         .suite = SP_SUITE_PQXDH,
                         .is_hybrid = true,
                         .session = SP_SESSION_RATCHET};
    t = (struct target){.loopback = true};
    out = (struct outcome){.options = &o, .target = &t, .has_begun = true};
    cr_assert_eq(tally_init(&out.tally), 0);
    out.tally.window_ns = 2 * NS_PER_S;
}

static void teardown(void)
{
    run_free(&out);
}

TestSuite(summary, .init = setup, .fini = teardown);

static void summarise(char *text, size_t cap)
{
    FILE *f = fmemopen(text, cap, "w");

    cr_assert_not_null(f);
    summary_print(&out, f);
    fclose(f);
}

Test(summary, print_summary_names_the_cryptography)
{
    char text[4096], line[128];

    o.mode = OPTIONS_HANDSHAKE;
    out.tally.handshakes_with_last_resort = 3;
    snprintf(line, sizeof line, "  cryptography   %s; suite pqxdh, auth hybrid, session ratchet\n",
             sp_tier());
    summarise(text, sizeof text);
    cr_assert(strstr(text, line), "'%s'", text);
    cr_assert(strstr(text, "3 with the last-resort KEM prekey"), "'%s'", text);
    o.suite = SP_SUITE_X3DH;
    o.is_hybrid = false;
    o.session = SP_SESSION_COUNTER;
    snprintf(line, sizeof line, "  cryptography   %s\n", sp_tier());
    summarise(text, sizeof text);
    cr_assert(strstr(text, line), "'%s'", text);
    cr_assert_null(strstr(text, "last-resort"), "'%s'", text);
}

Test(summary, print_shows_percentiles_with_samples_only)
{
    char text[4096];

    for (uint64_t n = 1; n <= 1000; n++)
        hist_record(&out.tally.response, n * 1000);
    summarise(text, sizeof text);
    cr_assert(strstr(text, "  response             500.1       900.1       990.2           -"),
              "'%s'", text);
    cr_assert_null(strstr(text, "uncorrected"), "'%s'", text);
}

Test(summary, print_of_a_run_that_did_not_begin)
{
    char text[4096];

    out.has_begun = false;
    out.failure = SHARD_FAILURE_UNREACHABLE;
    strcpy(out.failure_text, "cannot connect");
    summarise(text, sizeof text);
    cr_assert_str_eq(text, "sealpost-load: cannot connect\n");
}
