// A counterpart for the generator that does as little as can be done: real loopback sockets, ws
// only, one thread with a ring of its own. What a generator reaches against it is the generator's
// ceiling. With a rate it serves like one queue of exactly known capacity, which is what searches
// for a capacity are tested against.
//
// It registers users without verifying anything (sink_users.h) and copies each envelope, unmasked
// on the way, into the recipient's next send. Not a relay: no fragments, no user lists or
// signalling, nothing stored; a durable envelope is accepted and forwarded once. What breaks a rule
// of WebSocket or of the envelope header is disconnected.
#ifndef SEALPOST_SINK_H
#define SEALPOST_SINK_H

#include <stdint.h>

#include "units.h"

struct sink;

struct sink_options {
    uint32_t connections; // at most; one more is closed at once
    int pin;              // processor; -1: none
    double rate_per_s;    // envelopes a second it serves at most; 0: as many as it can
    uint32_t queue_max;   // with a rate: envelopes waiting; one more is refused, relay_busy
};

struct sink_counts {
    uint64_t connections; // accepted
    uint64_t received;    // envelopes
    uint64_t forwarded;
    uint64_t refused; // answered with an error
    uint64_t dropped; // with a rate: the recipient left while they waited
};

// Listen on a free port of 127.0.0.1 and start the thread. Errors: -errno, -ENOMEM, -EINVAL (pin).
NODISCARD int sink_create(struct sink **out, const struct sink_options *options);
uint16_t sink_port(const struct sink *s);
// End the thread and everything it holds; returns what it did.
struct sink_counts sink_destroy(struct sink *s);

#endif
