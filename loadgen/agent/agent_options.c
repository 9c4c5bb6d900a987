// Options of an agent. Runs once.
#include "agent_options.h"

#include <argp.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "exit_code.h"

enum { KEY_LISTEN = 'l', KEY_TOKEN_FILE = 256, KEY_SOURCES };

static const char doc[] =
    "Make load for a coordinator: sealpost-load run ... --agents HOST:PORT. Whoever has the token "
    "says which relay is loaded and how; nothing else is done for it, no file is written. One "
    "coordinator at a time, again and again, until SIGTERM.";

static const struct argp_option option_table[] = {
    {"listen", KEY_LISTEN, "ADDRESS:PORT", 0,
     "Where coordinators connect to (127.0.0.1:8087); port 0: any, it is printed", 0},
    {"token-file", KEY_TOKEN_FILE, "FILE", 0,
     "Its first line is the token that coordinators must show; needed but on loopback", 0},
    {"source-addresses", KEY_SOURCES, "SOURCES", 0,
     "Connect from these addresses of this machine, whatever the coordinator says", 0},
    {0},
};

struct parse {
    struct agent_options *o;
    char *reason;
    const char *listen;
};

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int find_address(struct agent_options *o, const char *text, char *reason)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    char host[AGENT_LIST_NAME_BYTES], port[8] = "0", any[AGENT_LIST_NAME_BYTES];
    const char *colon = strrchr(text, ':');
    struct addrinfo *found;

    // Port 0 names no agent, but is a place to listen at.
    if (colon && strcmp(colon, ":0") == 0)
        snprintf(any, sizeof any, "%.*s:1", (int)(colon - text), text);
    else
        snprintf(any, sizeof any, "%s", text);
    if (strlen(text) >= sizeof any - 2 || agent_list_split_name(any, host, port) < 0 ||
        getaddrinfo(host, colon && strcmp(colon, ":0") == 0 ? "0" : port, &hints, &found) != 0) {
        snprintf(reason, AGENT_LIST_REASON_BYTES,
                 "--listen takes an address of this machine and a port like 0.0.0.0:8087, not "
                 "'%.80s'",
                 text);
        return -EINVAL;
    }
    memcpy(&o->address, found->ai_addr, found->ai_addrlen);
    o->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct parse *p = state->input;
    char half[SOURCE_LIST_REASON_BYTES];

    switch (key) {
    case KEY_LISTEN:
        p->listen = arg;
        return 0;
    case KEY_TOKEN_FILE:
        return agent_list_read_token(arg, p->o->token, p->reason) < 0 ? EINVAL : 0;
    case KEY_SOURCES:
        if (source_list_parse(&p->o->sources, arg, half) == 0)
            return 0;
        snprintf(p->reason, AGENT_LIST_REASON_BYTES, "--source-addresses %.160s", half);
        return EINVAL;
    case ARGP_KEY_ARG:
        snprintf(p->reason, AGENT_LIST_REASON_BYTES,
                 "'%.80s' is too much: the coordinator names the relay", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int agent_options_parse(struct agent_options *o, int argc, char **argv,
                        char reason[AGENT_LIST_REASON_BYTES])
{
    const struct argp argp = {option_table, parse_one, NULL, doc, 0, 0, 0};
    struct parse p = {.o = o, .reason = reason, .listen = "127.0.0.1:8087"};

    *o = (struct agent_options){0};
    reason[0] = '\0';
    argp_program_version = "sealpost-load " SEALPOST_VERSION;
    argp_err_exit_status = EXIT_CODE_BAD_OPTIONS;
    if (argp_parse(&argp, argc, argv, 0, NULL, &p) != 0) {
        if (reason[0] == '\0')
            snprintf(reason, AGENT_LIST_REASON_BYTES, "the options cannot be read");
        return -EINVAL;
    }
    if (find_address(o, p.listen, reason) < 0)
        return -EINVAL;
    if (o->token[0] != '\0' || is_loopback(&o->address))
        return 0;
    snprintf(reason, AGENT_LIST_REASON_BYTES,
             "an agent that listens at %.60s needs --token-file: others can reach it there",
             p.listen);
    return -EINVAL;
}
