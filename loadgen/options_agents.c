// Options of a run over several processes or machines. Runs once, before any thread.
#include "options_agents.h"

#include <string.h>
#include <unistr.h>

#include "option_value.h"

enum { KEY_AGENTS = OPTION_KEYS_AGENTS, KEY_PROCESSES, KEY_TOKEN_FILE };

static const struct argp_option option_table[] = {
    {"agents", KEY_AGENTS, "HOST:PORT,...", 0,
     "Share the load out among these (sealpost-load agent), --threads each, and report the whole",
     0},
    {"processes", KEY_PROCESSES, "N", 0,
     "Share it out among N processes on this machine, --threads each", 0},
    {"token-file", KEY_TOKEN_FILE, "FILE", 0, "Its first line is the agents' token", 0},
    {0},
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct option_parse *p = state->input;
    struct options *o = p->o;

    switch (key) {
    case KEY_AGENTS:
        return agent_list_parse(&o->agents, arg, p->reason) < 0 ? EINVAL : 0;
    case KEY_PROCESSES:
        return option_parse_count_32(p, "processes", arg, 1, AGENT_LIST_MAX, &o->processes);
    case KEY_TOKEN_FILE:
        o->token_file = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_agents_argp = {option_table, parse_one, 0, 0, 0, 0, 0};

int options_agents_check(struct option_parse *p)
{
    struct options *o = p->o;
    uint32_t agents = options_agent_count(o);

    if (o->token_file && o->agents.count == 0)
        return option_refuse(p, "--token-file belongs to --agents");
    if (agents == 0)
        return 0;
    if (p->own)
        return option_refuse(p, "--agents and --processes belong to single runs");
    if (o->agents.count > 0 && o->processes > 0)
        return option_refuse(p, "--agents or --processes; give one of them");
    if (o->record_file)
        return option_refuse(p, "--record belongs to a run in one process, without --agents and "
                                "--processes");
    if (o->ceiling_ns > 0)
        return option_refuse(p, "--ceiling measures one process: run it without --agents and "
                                "--processes");
    if (o->is_held)
        return option_refuse(p, "--hold belongs to a run in one process, without --agents and "
                                "--processes");
    if (o->threads > OPTIONS_THREADS_MAX / agents)
        return option_refuse(p, "%u agents with %u threads each are more than %u threads", agents,
                             o->threads, OPTIONS_THREADS_MAX);
    o->threads *= agents;
    return 0;
}

int options_agents_check_texts(struct option_parse *p, int argc, char **argv)
{
    if (options_agent_count(p->o) == 0)
        return 0;
    // The program's name stays here.
    for (int i = 1; i < argc; i++) {
        if (u8_check((const uint8_t *)argv[i], strlen(argv[i])))
            return option_refuse(p,
                                 "'%s' is not UTF-8: agents and processes cannot be told that; "
                                 "use another name, or leave out --agents and --processes",
                                 argv[i]);
    }
    return 0;
}
