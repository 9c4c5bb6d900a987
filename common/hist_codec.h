// A histogram, or any array of counters, as a compact byte string that travels between processes.
// Pure: no I/O.
//
//    counters   (gap, count)*       varints: counters that are 0 before this one; its value, > 0
//    histogram  1 | total | min | max | sum | counters
//                                   varints, but for the version's byte and the sum: the 8 bytes of
//                                   a double, big-endian
//
// A varint has 7 bits in each byte, the least significant first; the top bit tells that another
// byte follows. There is one encoding of each histogram: decoders take no other.
#ifndef SEALPOST_HIST_CODEC_H
#define SEALPOST_HIST_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "hist.h"
#include "units.h"

#define HIST_CODEC_VERSION 1u
#define HIST_CODEC_VARINT_MAX_BYTES 10u

enum hist_codec_error {
    HIST_CODEC_VERSION_UNKNOWN = -1,
    HIST_CODEC_TRUNCATED = -2,  // it ends within a number
    HIST_CODEC_VARINT_BAD = -3, // longer than it has to be, or over 64 bits
    HIST_CODEC_RANGE = -4,      // a counter behind the last one, or one of 0
    HIST_CODEC_SUM_BAD = -5,    // total, min, max or sum do not fit the counters
};

// Bytes that the encoding of `count` counters, of a histogram, takes at most.
size_t hist_codec_counts_bound(size_t count);
size_t hist_codec_bound(const struct hist *h);

// Write the encoding, `*_bound` bytes at most; returns how many.
size_t hist_codec_encode_counts(uint8_t *out, const uint64_t *counts, size_t count);
size_t hist_codec_encode(uint8_t *out, const struct hist *h);

// Read all of `in`; `counts` is written as a whole. Returns 0. Errors: enum hist_codec_error;
// counters are then all 0.
NODISCARD int hist_codec_decode_counts(uint64_t *counts, size_t count, const uint8_t *in,
                                       size_t len);
// The same into a histogram that hist_init has made.
NODISCARD int hist_codec_decode(struct hist *h, const uint8_t *in, size_t len);

#endif
