// What --check says, and that its estimate of memory grows with what takes memory.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "preview.h"

#define URL "ws://127.0.0.1:1"

static struct options o;
static char text[8192];

#define PREVIEW(...) preview((char *[]){"sealpost-load", "--check", __VA_ARGS__, NULL})

static void preview(char **argv)
{
    char reason[OPTIONS_REASON_BYTES];
    int argc = 0;
    FILE *f;

    while (argv[argc])
        argc++;
    options_free(&o);
    cr_assert_eq(options_parse(&o, argc, argv, reason), 0, "%s", reason);
    memset(text, 0, sizeof text);
    f = fmemopen(text, sizeof text, "w");
    preview_print(&o, f);
    fclose(f);
}

static void expect(const char *part)
{
    cr_assert(strstr(text, part), "'%s' lacks '%s'", text, part);
}

static void teardown(void)
{
    options_free(&o);
}

TestSuite(preview, .fini = teardown);

Test(preview, print_closed_loop)
{
    PREVIEW("-c", "1000", "-t", "2", "-w", "4");
    expect("relay       not given");
    expect("users       1000, one connection each, on 2 threads");
    expect("closed loop, 4 envelopes in flight for each user");
    expect("warm-up 1 s, window 10 s, drain (2 s at most)");
    expect("time        13 s and the set-up");
    expect("MiB");
}

Test(preview, print_stages)
{
    PREVIEW(URL, "--stage", "calm: hold 10s at 100", "--stage", "ramp 20m to 300", "--stage",
            "burst 50 every 500ms for 10s", "-T", "lost:count==0");
    expect(URL);
    expect("calm                 at     0 ms for     10 s: 100/s, 1000 envelopes");
    expect("ramp                 at     10 s for   20 min: 100/s to 300/s, 240000 envelopes");
    expect("300/s and 50 at once every 500 ms, 4000 envelopes");
    expect("objectives  lost:count==0");
}

Test(preview, print_rate_is_one_stage)
{
    PREVIEW("-r", "250", "--arrival", "poisson");
    expect("open loop, poisson arrivals, seed 1, 250/s in the mean");
    expect("hold                 at     0 ms for     10 s: 250/s, 2500 envelopes");
}

Test(preview, print_groups)
{
    PREVIEW("-c", "1000", "--group", "chat,share=3", "--group", "fan-out,recipients=9", "--group",
            "churn,online=5s,offline=500ms", "-r", "100");
    expect("  groups      600 chat, 600 of them send\n");
    expect(" 200 fan-out, 20 of them send to 9 each\n");
    expect(" 200 churn, 200 of them send; there for 5 s, away for 500 ms in the mean\n");
    expect("100/s, 1000 envelopes, a round of a fan-out counted as one\n");
    PREVIEW("-c", "100", "--group", "offline,offline=3s", "--group", "slow-reader,read=5000",
            "--group", "storm,every=2s");
    expect(" 34 offline, 17 of them send; the others are away for 3 s at a time\n");
    expect(", 17 of them send; the others read 5000 bytes a second\n");
    expect("; they drop and return together every 2 s\n");
    PREVIEW("-m", "idle", "-c", "3");
    expect("mode        idle");
}

Test(preview, print_names_the_scenario)
{
    PREVIEW("--scenario", "burst");
    expect("scenario burst: ");
}

Test(preview, estimate_memory_grows_with_what_takes_it)
{
    struct preview_memory small, users, depth, threads;

    PREVIEW("-c", "100");
    small = preview_estimate_memory(&o);
    PREVIEW("-c", "10000");
    users = preview_estimate_memory(&o);
    PREVIEW("-c", "10000", "-w", "1000");
    depth = preview_estimate_memory(&o);
    PREVIEW("-c", "100", "-t", "4");
    threads = preview_estimate_memory(&o);
    cr_assert_eq(users.users_bytes, 100 * small.users_bytes);
    cr_assert_eq(users.threads_bytes, small.threads_bytes);
    cr_assert_gt(depth.users_bytes, users.users_bytes);
    cr_assert_eq(threads.threads_bytes, 4 * small.threads_bytes);
    cr_assert_lt(small.users_bytes + small.threads_bytes,
                 small.users_most_bytes + small.threads_most_bytes);
}

Test(preview, estimate_memory_of_ratchets_that_follow_an_absence)
{
    struct preview_memory counter, ratchet;

    PREVIEW("-c", "100", "--group", "offline", "--group", "chat");
    counter = preview_estimate_memory(&o);
    PREVIEW("-c", "100", "--group", "offline", "--group", "chat", "--session", "ratchet");
    ratchet = preview_estimate_memory(&o);
    cr_assert_eq(ratchet.users_most_bytes, counter.users_most_bytes + 25 * 4096 * 40);
}

Test(preview, estimate_memory_of_sessions_to_resume)
{
    struct preview_memory full, resumed;

    PREVIEW("-c", "100", "--group", "storm", "--group", "churn");
    full = preview_estimate_memory(&o);
    PREVIEW("-c", "100", "--group", "storm,resume=yes", "--group", "churn");
    resumed = preview_estimate_memory(&o);
    cr_assert_eq(resumed.users_bytes, full.users_bytes + 50 * CLIENT_TLS_SESSION_BYTES);
    cr_assert_eq(resumed.users_most_bytes, full.users_most_bytes + 50 * CLIENT_TLS_SESSION_BYTES);
}
