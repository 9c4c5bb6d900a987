// The live page: a small HTTP server on a thread of its own that shows a run while it goes on.
// GET / is the page, /result.json the figures as they are, /events the same as a stream of
// server-sent events, one a second, the last one named "end" with the final result.
//
// It never touches the generator's threads and never delays the run or its end: the coordinator
// hands a copy of its figures over and does not wait for the lock; documents are formatted on this
// thread, and only while somebody looks.
#ifndef SEALPOST_WEB_H
#define SEALPOST_WEB_H

#include "live.h"
#include "report_options.h"

#define WEB_CLIENTS_MAX 16u // one more gets 503
#define WEB_URL_BYTES 64u
#define WEB_REASON_BYTES 256u

struct web;

// Listen and start the thread, if the options ask for it; *web is NULL if not. argc and argv are
// how the program was called; they must stay. Errors: -errno, with one sentence in reason.
NODISCARD int web_create(struct web **web, const struct report_options *o, int argc, char **argv,
                         char reason[WEB_REASON_BYTES]);
// Where to find it; with port 0 the one that was chosen.
const char *web_url(const struct web *w);
// Hand figures over. Skipped when the thread holds the last ones at this very moment.
// Thread: the coordinator.
void web_publish(struct web *w, const struct live *l);
// Send the final result to those who take it at once, end the thread, free. `result` (JSON in one
// line) may be NULL: there is none. A connection that takes nothing for 20 ms is given up, all of
// them are after 200 ms. NULL is fine.
void web_finish(struct web *w, const char *result);

#endif
