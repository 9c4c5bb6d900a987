// Options of the load. Runs once, before any thread.
#include "options_load.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "ledger.h"
#include "option_value.h"

enum {
    KEY_ARRIVAL = OPTION_KEYS_LOAD,
    KEY_STAGE,
    KEY_DURABLE,
    KEY_ANONYMOUS,
    KEY_SEED,
    KEY_GROUP,
};

static const struct argp_option option_table[] = {
    {"mode", 'm', "MODE", 0, "talk (default), handshake or idle", 0},
    {"group", KEY_GROUP, "GROUP", 0,
     "Instead of a mode: BEHAVIOUR[,key=value]..., again for each group; see GROUPS below", 0},
    {"connections", 'c', "N", 0, "Users, one connection each; talk and handshake pair them (100)",
     0},
    {"in-flight", 'w', "W", 0, "Closed loop: envelopes in flight for each connection (1)", 0},
    {"rate", 'r', "R", 0, "Open loop: envelopes (fan-out: rounds) a second over all connections",
     0},
    {"stage", KEY_STAGE, "STAGE", 0,
     "Open loop: the rate over time, a stage for each --stage; see STAGES below", 0},
    {"arrival", KEY_ARRIVAL, "HOW", 0, "Open loop: constant (default) or poisson", 0},
    {"payload", 'p', "SIZE", 0,
     "Plaintext of an envelope in bytes, at least 48 (256), or uniform:A-B, "
     "lognormal:MEDIAN,SIGMA[,MIN-MAX], choice:BYTES*WEIGHT,…",
     0},
    {"durable", KEY_DURABLE, 0, 0, "Durable envelopes, acknowledged by the recipient", 0},
    {"idle-anonymous", KEY_ANONYMOUS, 0, 0, "Idle: upgrade only, no login", 0},
    {"seed", KEY_SEED, "N", 0, "Of schedule, payload sizes and filler; keys are always random (1)",
     0},
    {0},
};

static const char *const mode_names[] = {"talk", "handshake", "idle"};
static const char *const arrival_names[] = {"constant", "poisson"};

static int parse_rate(struct option_parse *p, const char *text)
{
    char *end;

    p->has_rate = true;
    p->o->rate_per_s = strtod(text, &end);
    if (!isdigit((unsigned char)*text) || *end != '\0' || !(p->o->rate_per_s >= 0.001) ||
        p->o->rate_per_s > 1e8)
        return option_refuse(p, "--rate takes envelopes a second from 0.001 to 100000000, not '%s'",
                             text);
    return 0;
}

static int parse_stage(struct option_parse *p, const char *text)
{
    char reason[STAGE_REASON_BYTES];

    if (stage_list_parse(&p->o->stages, text, reason) < 0)
        return option_refuse(p, "--stage '%.80s': %s", text, reason);
    return 0;
}

static int parse_group(struct option_parse *p, const char *text)
{
    struct options *o = p->o;

    static_assert(GROUP_REASON_BYTES <= OPTIONS_REASON_BYTES, "a group's reason fits");
    if (o->group_count == GROUPS_MAX)
        return option_refuse(p, "%u groups are the most", GROUPS_MAX);
    return group_parse(&o->groups[o->group_count++], text, p->reason) < 0 ? EINVAL : 0;
}

static int parse_payload(struct option_parse *p, const char *text)
{
    struct options *o = p->o;
    char reason[PAYLOAD_REASON_BYTES];

    p->has_payload = true;
    if (payload_parse(&o->payload, text, LEDGER_RECORD_BYTES, OPTIONS_PAYLOAD_MAX_BYTES, reason) <
        0)
        return option_refuse(p, "--payload %s", reason);
    o->payload_bytes = o->payload.max_bytes;
    o->payload_text = text;
    return 0;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;
    struct options *o = p->o;
    int word = 0, err;

    switch (key) {
    case 'm':
        p->has_mode = true;
        err = option_parse_word(p, "mode", arg, mode_names, COUNT_OF(mode_names), &word);
        o->mode = (enum options_mode)word;
        return err;
    case 'c':
        return option_parse_count_32(p, "connections", arg, 1, OPTIONS_CONNECTIONS_MAX,
                                     &o->connections);
    case 'w':
        p->has_in_flight = true;
        return option_parse_count_32(p, "in-flight", arg, 1, OPTIONS_IN_FLIGHT_MAX, &o->in_flight);
    case 'r':
        return parse_rate(p, arg);
    case KEY_STAGE:
        return parse_stage(p, arg);
    case KEY_GROUP:
        return parse_group(p, arg);
    case KEY_ARRIVAL:
        p->has_arrival = true;
        err = option_parse_word(p, "arrival", arg, arrival_names, COUNT_OF(arrival_names), &word);
        o->arrival = (enum plan_arrival)word;
        return err;
    case 'p':
        return parse_payload(p, arg);
    case KEY_DURABLE:
        o->durable = true;
        return 0;
    case KEY_ANONYMOUS:
        o->idle_anonymous = true;
        return 0;
    case KEY_SEED:
        return option_parse_count(p, "seed", arg, 0, UINT64_MAX, &o->seed);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_load_argp = {option_table, parse_one, 0, 0, 0, 0, 0};

const char *options_mode_name(enum options_mode mode)
{
    return mode_names[mode];
}

const char *options_arrival_name(enum plan_arrival arrival)
{
    return arrival_names[arrival];
}
