// --html, --web, --view. Runs once, before any thread.
#include "report_options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_HTML = 0x700, KEY_WEB, KEY_VIEW, KEY_LINES };

static const struct argp_option option_table[] = {
    {0, 0, 0, 0, "Reports:", 7},
    {"html", KEY_HTML, "FILE", 0, "Write a page with charts, one file; - is standard output", 7},
    {"web", KEY_WEB, "[ADDRESS:]PORT", 0,
     "Serve that page while the run goes on (127.0.0.1; port 0: any, it is printed)", 7},
    {"view", KEY_VIEW, "WHEN", 0,
     "Live view on the terminal: auto (default: if it has 64 columns and 16 rows), always, never",
     7},
    {"progress-lines", KEY_LINES, 0, 0, "Plain progress lines, also on a terminal", 7},
    {0},
};

static bool parse_port(const char *text, in_port_t *port)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end != '\0' || errno || value > 65535)
        return false;
    *port = htons((uint16_t)value);
    return true;
}

bool report_options_parse_web(struct report_options *o, const char *text)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&o->web_address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&o->web_address;
    const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
    char host[INET6_ADDRSTRLEN + 2] = "127.0.0.1";
    size_t len = colon ? (size_t)(colon - text) : 0;

    memset(&o->web_address, 0, sizeof o->web_address);
    if (colon) {
        if (len == 0 || len >= sizeof host)
            return false;
        memcpy(host, text, len);
        host[len] = '\0';
        if (strcmp(host, "localhost") == 0)
            strcpy(host, "127.0.0.1");
    }
    o->has_web = true;
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        six->sin6_family = AF_INET6;
        o->web_address_len = sizeof *six;
        return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 &&
               parse_port(port, &six->sin6_port);
    }
    four->sin_family = AF_INET;
    o->web_address_len = sizeof *four;
    return inet_pton(AF_INET, host, &four->sin_addr) == 1 && parse_port(port, &four->sin_port);
}

static int parse_view(struct report_option_parse *p, const char *text)
{
    static const char *const names[] = {"auto", "always", "never"};

    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            p->options->view = (enum report_view)i;
            return 0;
        }
    }
    snprintf(p->reason, REPORT_OPTIONS_REASON_BYTES,
             "--view takes auto, always or never, not '%.100s'", text);
    return EINVAL;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct report_option_parse *p = state->input;

    switch (key) {
    case KEY_HTML:
        p->options->html_file = arg;
        return 0;
    case KEY_WEB:
        if (report_options_parse_web(p->options, arg))
            return 0;
        snprintf(p->reason, REPORT_OPTIONS_REASON_BYTES,
                 "--web takes a port or a numeric address and a port, like 8090, 0.0.0.0:8090 or "
                 "[::1]:8090, not '%.100s'",
                 arg);
        return EINVAL;
    case KEY_VIEW:
        return parse_view(p, arg);
    case KEY_LINES:
        p->options->view = REPORT_VIEW_NEVER;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp report_options_argp = {option_table, parse_one, 0, 0, 0, 0, 0};
