// Distributions of sizes: the grammar with its refusals, the statistics, and that runs repeat.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "payload.h"

enum { DRAWS = 100000, LEAST = 48, MOST = 65504 };

static struct payload p;
static char reason[PAYLOAD_REASON_BYTES];

static void parse(const char *text)
{
    cr_assert_eq(payload_parse(&p, text, LEAST, MOST, reason), 0, "%s: %s", text, reason);
}

Test(payload, parse_fixed)
{
    parse("256");
    cr_assert_eq(p.kind, PAYLOAD_FIXED);
    cr_assert_eq(p.min_bytes, 256);
    cr_assert_eq(p.max_bytes, 256);
    cr_assert_eq(payload_draw(&p, 1, 2, 3), 256);
}

Test(payload, draw_uniform_reaches_every_size_evenly)
{
    unsigned seen[10] = {0};

    parse("uniform:100-109");
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t size = payload_draw(&p, 1, 7, i);

        cr_assert(size >= 100 && size <= 109);
        seen[size - 100]++;
    }
    // The standard error is 0.95 % of 10,000.
    for (unsigned i = 0; i < 10; i++)
        cr_assert_float_eq(seen[i], DRAWS / 10.0, DRAWS / 10.0 * 0.05, "%u: %u", i, seen[i]);
}

Test(payload, draw_lognormal_has_its_median_and_spread)
{
    unsigned below = 0, within = 0;

    parse("lognormal:1000,0.5");
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t size = payload_draw(&p, 3, i, 0);

        cr_assert(size >= LEAST && size <= MOST);
        below += size < 1000;
        within += size >= 607 && size <= 1649; // e^±0.5: one sigma
    }
    cr_assert_float_eq(below, DRAWS / 2.0, DRAWS * 0.01, "%u below the median", below);
    cr_assert_float_eq(within, DRAWS * 0.6827, DRAWS * 0.01, "%u within a sigma", within);
}

Test(payload, draw_lognormal_keeps_its_bounds)
{
    unsigned at_min = 0, at_max = 0;

    parse("lognormal:300,2,200-400");
    cr_assert_eq(p.max_bytes, 400);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t size = payload_draw(&p, 3, 1, i);

        cr_assert(size >= 200 && size <= 400);
        at_min += size == 200;
        at_max += size == 400;
    }
    cr_assert(at_min > DRAWS / 4 && at_max > DRAWS / 4, "what is outside becomes the bound");
}

Test(payload, draw_choice_follows_weights)
{
    unsigned seen[3] = {0};

    parse("choice:64*70,1024*25,16384*5");
    cr_assert_eq(p.min_bytes, 64);
    cr_assert_eq(p.max_bytes, 16384);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t size = payload_draw(&p, 1, 1, i);

        cr_assert(size == 64 || size == 1024 || size == 16384, "%u", size);
        seen[size == 64 ? 0 : size == 1024 ? 1 : 2]++;
    }
    cr_assert_float_eq(seen[0], DRAWS * 0.70, DRAWS * 0.01);
    cr_assert_float_eq(seen[1], DRAWS * 0.25, DRAWS * 0.01);
    cr_assert_float_eq(seen[2], DRAWS * 0.05, DRAWS * 0.005);
}

Test(payload, draw_depends_on_seed_sender_and_number_alone)
{
    unsigned same_seed = 0, same_sender = 0, same_number = 0;

    parse("uniform:100-10000");
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t size = payload_draw(&p, 5, i, 2 * i);

        cr_assert_eq(size, payload_draw(&p, 5, i, 2 * i));
        same_seed += size == payload_draw(&p, 6, i, 2 * i);
        same_sender += size == payload_draw(&p, 5, i + 1, 2 * i);
        same_number += size == payload_draw(&p, 5, i, 2 * i + 1);
    }
    cr_assert(same_seed < 10 && same_sender < 10 && same_number < 10, "%u %u %u", same_seed,
              same_sender, same_number);
}

Test(payload, parse_refuses)
{
    static const char *const bad[] = {
        "",
        "x",
        "-5",
        "256b",
        " 256",
        "uniform:",
        "uniform:64",
        "uniform:200-100",
        "uniform:64-128,1",
        "lognormal:300",
        "lognormal:300,x",
        "lognormal:300,9",
        "lognormal:300,-1",
        "lognormal:300,1,400-500", // the median is outside
        "lognormal:300,1,200-400x",
        "lognormal:300,1,200",
        "choice:",
        "choice:64",
        "choice:64*0",
        "choice:64*1,",
        "choice:64*1000001",
        "choice:64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,64*1,"
        "64*1", // 17 of them
        "normal:5,3",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(payload_parse(&p, bad[i], LEAST, MOST, reason), -EINVAL, "'%s'", bad[i]);
        cr_assert(strstr(reason, "takes bytes like"), "'%s': %s", bad[i], reason);
    }
}

Test(payload, parse_refuses_sizes_out_of_bounds)
{
    static const char *const bad[] = {
        "47",
        "65505",
        "99999999999999999999",
        "uniform:47-100",
        "uniform:100-65505",
        "lognormal:300,1,10-400",
        "lognormal:300,1,100-70000",
        "choice:64*1,40*1",
        "choice:64*1,70000*1",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(payload_parse(&p, bad[i], LEAST, MOST, reason), -EINVAL, "'%s'", bad[i]);
        cr_assert(strstr(reason, "from 48") && strstr(reason, "to 65504"), "%s", reason);
    }
}
