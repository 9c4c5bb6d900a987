// One connection to the live page's server: reads a request head, writes an answer or a stream of
// events. Never waits, holds one text at most. Thread: the web's.
#ifndef SEALPOST_WEB_CLIENT_H
#define SEALPOST_WEB_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "web_request.h"
#include "web_text.h"

#define WEB_CLIENT_HEAD_BYTES 1024u // of an answer
// A browser on the same machine needs milliseconds for each of these.
#define WEB_CLIENT_REQUEST_NS (10 * NS_PER_S) // accept → head complete
#define WEB_CLIENT_ANSWER_NS (30 * NS_PER_S)  // an answer, or an event, until it is taken
#define WEB_CLIENT_LINGER_NS NS_PER_S         // answer sent → the other end's close

enum web_client_state {
    WEB_CLIENT_FREE,
    WEB_CLIENT_READING,
    WEB_CLIENT_ANSWERING,
    WEB_CLIENT_STREAMING, // events, one after the other
    WEB_CLIENT_LINGERING, // all is sent; what still comes in is thrown away
};

struct web_client {
    enum web_client_state state;
    int fd;
    bool is_surplus; // over the limit of connections: 503
    uint64_t deadline_ns;
    uint64_t version; // of the last event it was given
    struct web_request request;
    size_t head_len, sent; // sent: of head and text together
    struct web_text *text;
    char head[WEB_CLIENT_HEAD_BYTES];
};

void web_client_open(struct web_client *c, int fd, bool is_surplus, uint64_t now_ns);
void web_client_close(struct web_client *c);
// Read what has come. Returns 1 when a request is complete (answer it), 0 when not, -1 when the
// connection is closed now. Wrong requests are answered inside.
int web_client_read(struct web_client *c, uint64_t now_ns);
// Begin an answer: 200, with the reference to `text`, and further header lines (each ending in
// CRLF).
void web_client_answer(struct web_client *c, const char *type, const char *lines,
                       struct web_text *text, uint64_t now_ns);
// Begin an answer without a body: 400, 404, 405, 421, 431 or 503.
void web_client_refuse(struct web_client *c, int status, uint64_t now_ns);
// Begin a stream of events.
void web_client_stream(struct web_client *c, uint64_t now_ns);
// Is it ready for the next event, with nothing under way?
bool web_client_is_idle_stream(const struct web_client *c);
// Send an event, with the reference to it. The stream must be idle.
void web_client_push(struct web_client *c, struct web_text *event, uint64_t now_ns);
// Is there something to send?
bool web_client_has_output(const struct web_client *c);
// Send what the socket takes now; closes the connection when that fails. True: some was taken.
bool web_client_flush(struct web_client *c, uint64_t now_ns);

#endif
