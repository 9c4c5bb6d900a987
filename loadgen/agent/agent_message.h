// What coordinator and agent say to each other. Pure.
//
//    coordinator                                  agent
//    hello {protocol, version, token}       →
//                                           ←     welcome {}  |  refused {reason}
//    prepare {run_id, thread, threads,      →             users connect, log in, agree on keys
//             argv, ca}
//                                           ←     pulse {live}, twice a second from here on
//                                           ←     ready {}
//    start {in_ns}                          →             once all are ready; relative, because
//                                                         clocks of machines are never compared
//    stop {}                                →             an interrupt, an objective, a lost agent
//                                           ←     result {outcome}  |  failed {exit_code, reason}
#ifndef SEALPOST_AGENT_MESSAGE_H
#define SEALPOST_AGENT_MESSAGE_H

#include <stdint.h>
#include <yyjson.h>

#include "units.h"

#define AGENT_MESSAGE_PROTOCOL 2u
#define AGENT_MESSAGE_ARGS_MAX 1024u
#define AGENT_MESSAGE_REASON_BYTES 512u
// start: not further away.
#define AGENT_MESSAGE_START_MAX_NS (10 * NS_PER_S)

#define AGENT_MESSAGE_TYPES(X)                                                                     \
    X(hello) X(welcome) X(refused) X(prepare) X(pulse) X(ready) X(start) X(stop) X(result) X(failed)

enum agent_message_type {
#define X(name) AGENT_MESSAGE_##name,
    AGENT_MESSAGE_TYPES(X)
#undef X
        AGENT_MESSAGE_TYPE_COUNT
};

// A message that was read; everything points into its document.
struct agent_message {
    enum agent_message_type type;
    uint64_t protocol;        // hello
    const char *version;      // hello
    const char *token;        // hello; "": none
    const char *reason;       // refused, failed
    uint64_t run_id;          // prepare
    uint32_t thread, threads; // prepare: the first one, how many
    yyjson_val *argv;         // prepare: array of strings, AGENT_MESSAGE_ARGS_MAX at most
    const char *ca;           // prepare; "": none
    uint64_t in_ns;           // start
    uint32_t exit_code;       // failed
    yyjson_val *body;         // pulse: live; result: outcome
};

// Errors: -EBADMSG: not one of these messages, or a member is missing or out of its bounds.
NODISCARD int agent_message_decode(struct agent_message *m, yyjson_doc *d);

// New messages; NULL for want of memory. Strings are borrowed until the document is written.
yyjson_mut_doc *agent_message_encode_hello(const char *version, const char *token);
yyjson_mut_doc *agent_message_encode_plain(enum agent_message_type type); // welcome, ready, stop
yyjson_mut_doc *agent_message_encode_refused(const char *reason);
yyjson_mut_doc *agent_message_encode_prepare(uint64_t run_id, uint32_t thread, uint32_t threads,
                                             char **argv, uint32_t argc, const char *ca);
yyjson_mut_doc *agent_message_encode_start(uint64_t in_ns);
yyjson_mut_doc *agent_message_encode_failed(uint32_t exit_code, const char *reason);
// A document of type pulse or result that waits for its body: agent_message_set_body.
yyjson_mut_doc *agent_message_encode_body(enum agent_message_type type);
// Owner: returns `d`, or frees it and returns NULL when there is no body.
yyjson_mut_doc *agent_message_set_body(yyjson_mut_doc *d, yyjson_mut_val *body);

#endif
