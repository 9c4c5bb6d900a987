// A connection's received bytes, however they are cut, turned into events. Pure: no I/O.
#ifndef SEALPOST_BENCH_STREAM_H
#define SEALPOST_BENCH_STREAM_H

#include <stdbool.h>

#include "bench_protocol.h"

#define BENCH_CARRY_BYTES 1024u // the longest frame head of any protocol (INFO of NATS)

// Invariant: at most one of `skip_bytes` and `carry_len` is not 0.
struct bench_stream {
    const struct bench_protocol *protocol;
    size_t payload_bytes;
    size_t skip_bytes; // rest of the frame under way
    bool in_message;   // the frame under way is a message, its stamp is `stamp`
    struct bench_stamp stamp;
    uint32_t carry_len;
    uint8_t carry[BENCH_CARRY_BYTES]; // the beginning of a frame head cut by the end of the input
};

struct bench_event {
    enum bench_frame_kind kind; // never BENCH_FRAME_OTHER
    struct bench_stamp stamp;   // of a MESSAGE: its last byte has arrived
};

// payload_bytes: ≥ BENCH_STAMP_BYTES.
void bench_stream_init(struct bench_stream *s, const struct bench_protocol *protocol,
                       size_t payload_bytes);

// Take bytes from the input, advancing *in and *len, up to the next event. Returns 1: *out is one,
// call again; 0: all input is taken; < 0: enum bench_protocol_error, the stream is dead.
int bench_stream_next(struct bench_stream *s, const uint8_t **in, size_t *len,
                      struct bench_event *out);

#endif
