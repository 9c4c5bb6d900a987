// Options of what a run shows and leaves behind.
#ifndef SEALPOST_REPORT_OPTIONS_H
#define SEALPOST_REPORT_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "units.h"

#define REPORT_OPTIONS_REASON_BYTES 256u

enum report_view { REPORT_VIEW_AUTO, REPORT_VIEW_ALWAYS, REPORT_VIEW_NEVER };

struct report_options {
    enum report_view view;
    const char *html_file; // NULL: none
    bool has_web;
    struct sockaddr_storage web_address;
    socklen_t web_address_len;
};

// Its input: where options and complaints go. `reason` holds REPORT_OPTIONS_REASON_BYTES.
struct report_option_parse {
    struct report_options *options;
    char *reason;
};
extern const struct argp report_options_argp;

// [ADDRESS:]PORT; the address is 127.0.0.1 if none is given, and never looked up.
NODISCARD bool report_options_parse_web(struct report_options *o, const char *text);

#endif
