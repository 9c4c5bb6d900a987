// A connection between coordinator and agent: JSON messages, each behind its length.
//
//    0        4
//    | length | JSON, `length` bytes |        big-endian; 1 … the reader's bound
//
// Never blocks; the owner polls. Thread: one owner.
#ifndef SEALPOST_AGENT_CHANNEL_H
#define SEALPOST_AGENT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

#include "units.h"

#define AGENT_CHANNEL_HEAD_BYTES 4u
// What an agent takes: options, a scenario's settings, a CA's text.
#define AGENT_CHANNEL_TO_AGENT_BYTES (4u * MIB)
// What a coordinator takes: a result with every histogram, stage and group.
#define AGENT_CHANNEL_TO_COORDINATOR_BYTES (128u * MIB)

struct agent_channel {
    int fd;                // -1: closed
    uint8_t *in;           // bytes that are not a whole message yet
    size_t in_len, in_cap; //
    size_t in_max;         // of a message
    uint8_t *out;          // messages that the socket has not taken
    size_t out_len, out_at;
};

// Owner: takes `fd` and makes it non-blocking. `max_bytes` is the largest message that is read.
void agent_channel_open(struct agent_channel *c, int fd, size_t max_bytes);
void agent_channel_close(struct agent_channel *c);

// Queue a message. Owner: `d` is freed. NULL stands for a message for which there was no memory.
// Errors: -ENOMEM.
NODISCARD int agent_channel_push(struct agent_channel *c, yyjson_mut_doc *d);
// Bytes that wait for the socket.
static inline size_t agent_channel_pending(const struct agent_channel *c)
{
    return c->out_len - c->out_at;
}
// Send what the socket takes. Errors: -errno: the connection is over.
NODISCARD int agent_channel_flush(struct agent_channel *c);
// Receive what is there. Errors: -ECONNRESET at its end, -EMSGSIZE (a message over the bound, or of
// no length), -ENOMEM, -errno.
NODISCARD int agent_channel_read(struct agent_channel *c);
// The next whole message, for yyjson_doc_free(); NULL when there is none yet.
// Errors: -EBADMSG: it is not JSON.
NODISCARD int agent_channel_take(struct agent_channel *c, yyjson_doc **message);

// The length of the message that `in` begins with: > 0 the whole of it is there, with its head; 0
// need more. Errors: -EMSGSIZE. Pure.
NODISCARD ssize_t agent_channel_decode_head(const uint8_t *in, size_t len, size_t max_bytes);

#endif
