// The planner: its question as text, its arithmetic against figures worked out by hand.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "planner.h"

static struct planner_demand d;
static struct planner_answer a;
static char reason[PLANNER_REASON_BYTES];

static void parse(const char *text)
{
    reason[0] = '\0';
    cr_assert_eq(planner_parse(&d, text, reason), 0, "%s", reason);
}

static void refuse(const char *text, const char *says)
{
    cr_assert_eq(planner_parse(&d, text, reason), -EINVAL, "'%s' is taken", text);
    cr_assert(strstr(reason, says), "'%s': '%s' lacks '%s'", text, reason, says);
}

Test(planner, parse_defaults)
{
    parse("users=1e6,messages=40,peak=10");
    cr_assert_eq(d.users, 1e6);
    cr_assert_eq(d.messages, 40);
    cr_assert_eq(d.peak, 10);
    cr_assert_eq(d.online, 1);
    cr_assert_eq(d.headroom, 0.6);
    cr_assert_eq(d.cores, 1);
    cr_assert_eq(d.memory_bytes, 16.0 * 1024 * MIB);
    cr_assert_eq(d.descriptors, 1048576);
    cr_assert_eq(d.nic_bits_per_s, 1e10);
    cr_assert_eq(d.cpu_ns, 0);
}

Test(planner, parse_members_and_units)
{
    parse("peak=2,users=5000,messages=1.5,headroom=0.5,cores=8,memory=64GiB,descriptors=65536,"
          "nic=2.5Gbit,online=0.25,payload=512,cpu_ns=9000,rss_bytes=2KiB");
    cr_assert_eq(d.messages, 1.5);
    cr_assert_eq(d.cores, 8);
    cr_assert_eq(d.memory_bytes, 64.0 * 1024 * MIB);
    cr_assert_eq(d.nic_bits_per_s, 2.5e9);
    cr_assert_eq(d.online, 0.25);
    cr_assert_eq(d.payload_bytes, 512);
    cr_assert_eq(d.cpu_ns, 9000);
    cr_assert_eq(d.rss_bytes, 2048);
}

Test(planner, parse_mistakes)
{
    refuse("", "lacks users=");
    refuse("users=1e6,messages=40", "lacks peak=");
    refuse("users", "does not know 'users'");
    refuse("user=3", "does not know 'user=3'");
    refuse("users=many", "takes a number");
    refuse("users=-4", "takes a number");
    refuse("users=,messages=4", "takes a number");
    refuse("users=0", "from 1 to");
    refuse("users=nan", "takes a number");
    refuse("users=1e12", "from 1 to");
    refuse("users=10k", "from 1 to");
    refuse("headroom=1.5", "from 0.01 to 1");
    refuse("peak=0.5", "from 1 to");
    refuse("memory=16GB", "memory= takes");
}

Test(planner, answer_by_hand)
{
    struct planner_cost cost = {
        .cpu_ns_per_envelope = 10000, .rss_bytes_per_connection = 1580, .tls = true};

    parse("users=8.64e6,messages=10,peak=6,headroom=0.6,cores=4,memory=10GiB,payload=256");
    planner_answer(&a, &d, &cost);
    cr_assert_float_eq(a.mean_per_s, 1000, 1e-6);
    cr_assert_float_eq(a.peak_per_s, 6000, 1e-6);
    cr_assert_float_eq(a.connections, 8.64e6, 1);
    // 6,000/s x 10 us = 0.06 cores, a tenth of a core with headroom.
    cr_assert_float_eq(a.cores, 0.1, 1e-9);
    cr_assert_float_eq(a.relays_by[PLANNER_BY_PROCESSORS], 0.025, 1e-9);
    // 1,580 + 4,420 = 6,000 B each: 51.84 GB of 80 % of 10 GiB.
    cr_assert_float_eq(a.memory_bytes, 51.84e9, 1);
    cr_assert_float_eq(a.relays_by[PLANNER_BY_MEMORY], 51.84e9 / (0.8 * 10 * 1024 * MIB), 1e-9);
    cr_assert_float_eq(a.relays_by[PLANNER_BY_DESCRIPTORS], 8.64e6 / (1048576 - 64), 1e-9);
    // 256 + 140 + 22 B.
    cr_assert_float_eq(a.bits_per_s, 6000.0 * 418 * 8, 1e-3);
    cr_assert_float_eq(a.relays_by[PLANNER_BY_NETWORK], 6000.0 * 418 * 8 / 6e9, 1e-9);
    cr_assert_eq(a.relays, 9);
    cr_assert_eq(a.breaks_first, PLANNER_BY_DESCRIPTORS);
    cr_assert_eq(a.line_count, 7);
    cr_assert(strstr(a.lines[a.line_count - 1].text, "9; what breaks first: descriptors"));
    cr_assert_not(strstr(a.lines[a.line_count - 1].text, "of what is known"));
}

Test(planner, answer_each_resource_can_break_first)
{
    struct planner_cost cost = {.cpu_ns_per_envelope = 10000, .rss_bytes_per_connection = 1000};

    parse("users=1e6,messages=864,peak=10,payload=256");
    planner_answer(&a, &d, &cost);
    cr_assert_eq(a.breaks_first, PLANNER_BY_PROCESSORS);
    cr_assert_float_eq(a.cores, 1e5 * 1e-5 / 0.6, 1e-9);
    cr_assert_eq(a.relays, 2);
    parse("users=1e6,messages=1,peak=1,memory=1GiB");
    planner_answer(&a, &d, &cost);
    cr_assert_eq(a.breaks_first, PLANNER_BY_MEMORY);
    parse("users=1e6,messages=1,peak=1,descriptors=1024");
    planner_answer(&a, &d, &cost);
    cr_assert_eq(a.breaks_first, PLANNER_BY_DESCRIPTORS);
    cr_assert_eq(a.relays, 1042);
    parse("users=1e6,messages=8640,peak=1,nic=100Mbit,payload=4096");
    planner_answer(&a, &d, &cost);
    cr_assert_eq(a.breaks_first, PLANNER_BY_NETWORK);
    cr_assert_str_eq(planner_limit_name(a.breaks_first), "network");
}

Test(planner, answer_own_figures_win)
{
    struct planner_cost cost = {.cpu_ns_per_envelope = 10000, .rss_bytes_per_connection = 1000};

    parse("users=1e6,messages=864,peak=1,cpu_ns=5000,rss_bytes=580,headroom=1");
    planner_answer(&a, &d, &cost);
    cr_assert_float_eq(a.cores, 1e4 * 5e-6, 1e-9);
    cr_assert_float_eq(a.memory_bytes, 5e9, 1);
}

Test(planner, answer_without_a_processor_cost)
{
    struct planner_cost cost = {.rate_per_s = 5000};

    parse("users=1e6,messages=864,peak=1,headroom=0.5");
    planner_answer(&a, &d, &cost);
    cr_assert_float_eq(a.relays_by[PLANNER_BY_PROCESSORS], 4, 1e-9);
    cr_assert_eq(a.relays, 4, "4 exactly is not 5");
    cr_assert_eq(a.cores, 0);
    cr_assert(strstr(a.lines[2].text, "5000/s measured"));
    cr_assert(strstr(a.lines[3].text, "unknown"));
}

Test(planner, answer_says_what_is_unknown)
{
    struct planner_cost cost = {.tls = false};

    parse("users=1000,messages=1,peak=1");
    planner_answer(&a, &d, &cost);
    cr_assert_lt(a.relays_by[PLANNER_BY_PROCESSORS], 0);
    cr_assert_lt(a.relays_by[PLANNER_BY_MEMORY], 0);
    cr_assert_eq(a.relays, 1);
    cr_assert(strstr(a.lines[a.line_count - 1].text, "of what is known"));
}
