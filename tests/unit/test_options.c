// The command line: defaults, units, and a sentence for everything that cannot be.
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <string.h>

#include "exit_code.h"
#include "options.h"

#define URL "ws://127.0.0.1:8080"

static struct options o;
static char reason[OPTIONS_REASON_BYTES];

#define PARSE(...) parse((char *[]){"sealpost-load", __VA_ARGS__, NULL})

static int parse(char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return options_parse(&o, argc, argv, reason);
}

Test(options, parse_defaults)
{
    cr_assert_eq(PARSE(URL), 0);
    cr_assert_str_eq(o.url, URL);
    cr_assert_eq(o.mode, OPTIONS_TALK);
    cr_assert_eq(o.connections, 100);
    cr_assert_eq(o.in_flight, 1);
    cr_assert_eq(o.payload_bytes, 256);
    cr_assert_eq(o.rate_per_s, 0);
    cr_assert_eq(o.warmup_ns, NS_PER_S);
    cr_assert_eq(o.duration_ns, 10 * NS_PER_S);
    cr_assert_eq(o.drain_ns, 2 * NS_PER_S);
    cr_assert_eq(o.setup_timeout_ns, 20 * NS_PER_S + 100 * 5 * NS_PER_MS);
    cr_assert_eq(o.threads, 1);
    cr_assert_eq(o.pin_count, 0);
    cr_assert(o.source_addresses_auto);
    cr_assert_not(o.durable);
    cr_assert_eq(o.progress_ns, NS_PER_S);
    cr_assert_eq(o.suite, SP_SUITE_X3DH);
    cr_assert_not(o.is_hybrid);
    cr_assert_eq(o.session, SP_SESSION_COUNTER);
}

Test(options, parse_cryptography)
{
    cr_assert_eq(PARSE(URL, "--suite", "pqxdh", "--auth", "hybrid", "--session", "ratchet"), 0);
    cr_assert_eq(o.suite, SP_SUITE_PQXDH);
    cr_assert(o.is_hybrid);
    cr_assert_eq(o.session, SP_SESSION_RATCHET);
    cr_assert_eq(o.setup_timeout_ns, 20 * NS_PER_S + 100 * 20 * NS_PER_MS);
    cr_assert_eq(PARSE(URL, "--suite", "x3dh", "--auth", "ed25519", "--session", "counter"), 0);
    cr_assert_str_eq(options_suite_name(o.suite), "x3dh");
    cr_assert_str_eq(options_auth_name(o.is_hybrid), "ed25519");
    cr_assert_str_eq(options_session_name(o.session), "counter");
    cr_assert_eq(PARSE(URL, "-m", "idle", "--auth", "hybrid"), 0);
    cr_assert_eq(PARSE(URL, "--suite", "kyber"), -EINVAL);
    cr_assert_eq(PARSE(URL, "--auth", "rsa"), -EINVAL);
    cr_assert_eq(PARSE(URL, "--session", "double"), -EINVAL);
    cr_assert_eq(PARSE(URL, "-m", "idle", "--suite", "pqxdh"), -EINVAL);
    cr_assert_eq(PARSE(URL, "-m", "idle", "--session", "ratchet"), -EINVAL);
    cr_assert_eq(PARSE(URL, "-m", "idle", "--idle-anonymous", "--auth", "hybrid"), -EINVAL);
}

Test(options, parse_closed_loop)
{
    cr_assert_eq(PARSE(URL, "-c", "1000", "-w", "64", "-p", "48", "-d", "500ms", "--warmup", "0",
                       "--drain=2m", "-t", "3", "--pin", "0,2-3", "--seed", "7", "--durable", "-o",
                       "x.json", "--server-pid", "42"),
                 0);
    cr_assert_eq(o.connections, 1000);
    cr_assert_eq(o.in_flight, 64);
    cr_assert_eq(o.payload_bytes, 48);
    cr_assert_eq(o.duration_ns, 500 * NS_PER_MS);
    cr_assert_eq(o.warmup_ns, 0);
    cr_assert_eq(o.drain_ns, 120 * NS_PER_S);
    cr_assert_eq(o.threads, 3);
    cr_assert_eq(o.pin_count, 3);
    cr_assert_eq(o.pin[2], 3);
    cr_assert_eq(o.seed, 7);
    cr_assert(o.durable);
    cr_assert_str_eq(o.json_file, "x.json");
    cr_assert_eq(o.server_pid, 42);
}

Test(options, parse_open_loop)
{
    cr_assert_eq(PARSE(URL, "--rate", "2500.5", "--arrival", "poisson", "--source-addresses", "3"),
                 0);
    cr_assert_float_eq(o.rate_per_s, 2500.5, 1e-9);
    cr_assert_eq(o.arrival, PLAN_POISSON);
    cr_assert_eq(o.source_addresses, 3);
    cr_assert_not(o.source_addresses_auto);
}

Test(options, parse_stages)
{
    cr_assert_eq(PARSE(URL, "--stage", "calm: hold 10s at 100", "--stage", "ramp 20s to 300",
                       "--stage=burst 50 every 1s for 10s", "--arrival", "poisson"),
                 0);
    cr_assert_eq(o.stages.count, 3);
    cr_assert_str_eq(o.stages.stages[0].name, "calm");
    cr_assert_eq(o.duration_ns, 40 * NS_PER_S, "the window is the stages' sum");
    cr_assert_float_eq(o.rate_per_s, (1000 + 4000 + 3000 + 500) / 40.0, 1e-9, "their mean");
    cr_assert_eq(o.arrival, PLAN_POISSON);
}

Test(options, parse_sources)
{
    cr_assert_eq(PARSE(URL, "--source-addresses", "127.1.0.0/24", "-c", "100000"), 0, "%s", reason);
    cr_assert_eq(o.sources.count, 254);
    cr_assert_not(o.source_addresses_auto);
    cr_assert_eq(PARSE(URL, "--source-addresses", "127.1.0.0/24", "--source-addresses", "auto"), 0);
    cr_assert_eq(o.sources.count, 0, "the last one counts");
    cr_assert(o.source_addresses_auto);
}

Test(options, parse_payload_distribution)
{
    cr_assert_eq(PARSE(URL, "-p", "choice:64*3,1024*1"), 0);
    cr_assert_eq(o.payload.kind, PAYLOAD_CHOICE);
    cr_assert_eq(o.payload_bytes, 1024, "buffers are for the largest");
    cr_assert_str_eq(o.payload_text, "choice:64*3,1024*1");
}

Test(options, parse_modes)
{
    cr_assert_eq(PARSE(URL, "--mode", "handshake"), 0);
    cr_assert_eq(o.mode, OPTIONS_HANDSHAKE);
    cr_assert_eq(PARSE(URL, "--mode", "idle", "--idle-anonymous", "-c", "3"), 0);
    cr_assert_eq(o.mode, OPTIONS_IDLE);
    cr_assert(o.idle_anonymous);
    cr_assert_str_eq(options_mode_name(OPTIONS_IDLE), "idle");
    cr_assert_str_eq(options_arrival_name(PLAN_POISSON), "poisson");
}

Test(options, parse_groups)
{
    cr_assert_eq(PARSE(URL), 0);
    cr_assert_eq(o.group_count, 1);
    cr_assert_eq(o.groups[0].behaviour, GROUP_CHAT);
    cr_assert_eq(o.groups[0].users, 100);
    cr_assert_eq(PARSE(URL, "--group", "idle,share=3", "--group", "handshake", "-c", "40"), 0);
    cr_assert_eq(o.mode, OPTIONS_HANDSHAKE);
    cr_assert_eq(o.group_count, 2);
    cr_assert_eq(o.groups[0].users, 30);
    cr_assert_eq(o.groups[1].users, 10);
    cr_assert_eq(PARSE(URL, "--group", "handshake", "--group", "offline", "-p", "99"), 0);
    cr_assert_eq(o.mode, OPTIONS_TALK);
    cr_assert_eq(o.groups[1].messages, GROUP_MESSAGES_DEFAULT);
    cr_assert_eq(PARSE(URL, "--group", "idle", "-c", "3"), 0);
    cr_assert_eq(o.mode, OPTIONS_IDLE);
}

Test(options, parse_absences_of_a_ratchet)
{
    cr_assert_eq(
        PARSE(URL, "-c", "4", "--group=offline,offline=3s", "--session", "ratchet", "-r", "2048"),
        0, "%s", reason);
    cr_assert_eq(PARSE(URL, "-c", "4", "--group=offline,offline=3s", "-r", "9000"), 0);
    cr_assert_eq(
        PARSE(URL, "-c", "4", "--group=offline,offline=3s,messages=1024", "--session", "ratchet"),
        0);
    // The others' share is not theirs.
    cr_assert_eq(PARSE(URL, "-c", "12", "--group=offline,offline=3s,share=1", "--group",
                       "chat,share=2", "--session", "ratchet", "-r", "10000"),
                 0, "%s", reason);
}

Test(options, parse_too_many_groups)
{
    char *argv[GROUPS_MAX + 5] = {"sealpost-load", URL};

    for (unsigned i = 0; i <= GROUPS_MAX; i++)
        argv[2 + i] = "--group=idle";
    cr_assert_eq(parse(argv), -EINVAL);
    cr_assert(strstr(reason, "16 groups"));
}

Test(options, parse_quiet_silences_progress)
{
    cr_assert_eq(PARSE(URL, "-q"), 0);
    cr_assert_eq(o.progress_ns, 0);
}

struct refusal {
    const char *args[6];
    const char *says; // a part of the sentence
};

static const struct refusal refusals[] = {
    {{"-c", "10"}, "the relay is missing"},
    {{URL, "ws://second"}, "one relay at a time"},
    {{URL, "-c", "0"}, "--connections"},
    {{URL, "-c", "abc"}, "'abc'"},
    {{URL, "-c", "10x"}, "'10x'"},
    {{URL, "-c", "-4"}, "'-4'"},
    {{URL, "-c", "99999999999999999999999"}, "--connections"},
    {{URL, "-c", "7"}, "even"},
    {{URL, "-c", "7", "-m", "handshake"}, "even"},
    {{URL, "-m", "shout"}, "'shout'"},
    {{URL, "-w", "0"}, "--in-flight"},
    {{URL, "-w", "5000"}, "4096"},
    {{URL, "-p", "47"}, "48"},
    {{URL, "-p", "70000"}, "--payload"},
    {{URL, "-p", "uniform:9-10"}, "--payload takes sizes from 48"},
    {{URL, "-p", "gauss:9,10"}, "'gauss:9,10'"},
    {{URL, "-r", "0"}, "--rate"},
    {{URL, "-r", "nan"}, "--rate"},
    {{URL, "-r", "10", "-w", "2"}, "closed loop"},
    {{URL, "--arrival", "poisson"}, "belongs to --rate"},
    {{URL, "--stage", "hold 10s"}, "no envelope at all"},
    {{URL, "--stage", "hold at 5"}, "--stage 'hold at 5': 'at' is not a time"},
    {{URL, "--stage", "hold 1s at 5", "-r", "5"}, "an open loop of its own"},
    {{URL, "--stage", "hold 1s at 5", "-w", "5"}, "an open loop of its own"},
    {{URL, "--stage", "hold 1s at 5", "-d", "5"}, "as long as they say"},
    {{URL, "--stage", "hold 1s at 5", "-m", "idle"}, "belong to --mode talk"},
    {{URL, "-r", "9", "--arrival", "bursty"}, "'bursty'"},
    {{URL, "-d", "0"}, "--duration"},
    {{URL, "-d", "10h"}, "'10h'"},
    {{URL, "-d", "-1s"}, "'-1s'"},
    {{URL, "-d", "1e300"}, "--duration"},
    {{URL, "--drain", "soon"}, "--drain"},
    {{URL, "-m", "idle", "-w", "2"}, "belong to --mode talk"},
    {{URL, "-m", "handshake", "--durable"}, "belong to --mode talk"},
    {{URL, "--idle-anonymous"}, "belongs to --mode idle"},
    {{URL, "-t", "0"}, "--threads"},
    {{URL, "-c", "4", "-t", "3"}, "too many"},
    {{URL, "--pin", "one"}, "--pin"},
    {{URL, "--source-addresses", "many"}, "--source-addresses takes auto, a number, addresses"},
    {{URL, "--source-addresses", "0"}, "--source-addresses takes a whole number from 1 to 256"},
    {{URL, "--source-addresses", "127.1.0.0/16"}, "256 addresses at most"},
    {{URL, "--source-addresses", "127.0.0.2", "-c", "25002"}, "too many for 1 address of"},
    {{URL, "--source-addresses", "2", "-c", "50002"}, "too many for 2 addresses of"},
    {{URL, "--ca", "x.pem", "--insecure"}, "give one of them"},
    {{URL, "--server-pid", "0"}, "--server-pid"},
    {{URL, "--seed", "x"}, "--seed"},
    {{URL, "--group", "shout"}, "'shout'"},
    {{URL, "-m", "talk", "--group", "chat"}, "give one of them"},
    {{URL, "-c", "7", "--group=chat"}, "6 can"},
    {{URL, "--group=idle", "-w", "2"}, "no group sends"},
    {{URL, "--group=idle", "--suite", "pqxdh"}, "--suite"},
    {{URL, "--group=offline,messages=3", "-r", "9"}, "closed loop"},
    {{URL, "--group=slow-reader", "--durable"}, "transient"},
    {{URL, "--group=slow-reader", "--session", "ratchet"}, "refusals"},
    {{URL, "--group=offline,messages=3", "--stage", "hold 1s at 9"}, "closed loop"},
    {{URL, "-c", "4", "--group=idle", "-t", "5"}, "too many"},
    {{URL, "-c4", "--group=offline,offline=3s", "--session=ratchet", "-r2050"},
     "3075 envelopes for each user are due in 3 s"},
    {{URL, "-c4", "--group=offline,offline=3s", "--session=ratchet", "--stage",
      "burst 1000 every 500ms for 1s at 51"},
     "3076 envelopes"},
};

Test(options, parse_refuses_with_a_sentence)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        char *argv[8] = {"sealpost-load"};

        memcpy(argv + 1, refusals[i].args, sizeof refusals[i].args);
        cr_assert_eq(parse(argv), -EINVAL, "case %zu (%s)", i, refusals[i].says);
        cr_assert(strstr(reason, refusals[i].says), "case %zu: '%s' lacks '%s'", i, reason,
                  refusals[i].says);
        cr_assert_null(strchr(reason, '\n'));
    }
}

Test(options, parse_unknown_option_exits_104, .exit_code = EXIT_CODE_BAD_OPTIONS)
{
    cr_redirect_stderr();
    (void)!PARSE(URL, "--no-such-thing");
}

Test(options, parse_help_exits_0, .exit_code = 0)
{
    cr_redirect_stdout();
    (void)!PARSE("--help");
    cr_assert_fail("--help goes on");
}
