// A request to the live page's server: llhttp splits the head, this file keeps what matters and
// refuses the rest. GET of three paths, one request for each connection, no body. No I/O.
#ifndef SEALPOST_WEB_REQUEST_H
#define SEALPOST_WEB_REQUEST_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "units.h"

#define WEB_REQUEST_HEAD_MAX_BYTES (8u * KIB) // over it: 431
#define WEB_REQUEST_PATH_MAX_BYTES 32u        // a longer one is unknown: 404
#define WEB_REQUEST_HOST_MAX_BYTES 64u        // a longer one is no address

enum web_request_error {
    WEB_REQUEST_BAD = -1,            // 400: not HTTP/1, no Host or several, a body
    WEB_REQUEST_BAD_METHOD = -2,     // 405
    WEB_REQUEST_HEAD_TOO_LARGE = -3, // 431
    WEB_REQUEST_BAD_HOST = -4,       // 421: a name; see web_request_decode
    WEB_REQUEST_BAD_PATH = -5,       // 404
};

enum web_resource { WEB_RESOURCE_PAGE, WEB_RESOURCE_RESULT, WEB_RESOURCE_EVENTS };

struct web_request {
    llhttp_t parser;
    size_t seen;
    bool is_host, has_body; // of the header under way; of the request
    uint32_t name_len, path_len, host_len, host_count;
    char name[16]; // of the header under way, lower case; longer ones are of no interest
    char path[WEB_REQUEST_PATH_MAX_BYTES];
    char host[WEB_REQUEST_HOST_MAX_BYTES];
    bool is_complete;
    enum web_resource resource;
};

void web_request_init(struct web_request *r);
// Feed received bytes (any split). Returns bytes consumed when the head is complete and allowed, 0
// if more is needed, or an error. Not to be fed again after either end.
//
// The Host must be localhost or a numeric address, at any port (it may be forwarded). A page of
// some other site whose name is made to point at this machine (DNS rebinding) sends that name, and
// would otherwise be allowed by its browser to read the answer.
// Errors: WEB_REQUEST_BAD, WEB_REQUEST_BAD_METHOD, WEB_REQUEST_HEAD_TOO_LARGE,
// WEB_REQUEST_BAD_HOST, WEB_REQUEST_BAD_PATH.
NODISCARD ssize_t web_request_decode(struct web_request *r, const uint8_t *bytes, size_t len);
// The status an error is answered with.
int web_request_error_status(enum web_request_error error);

#endif
