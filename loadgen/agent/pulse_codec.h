// How far a part of a run is, as a JSON value, and back: what an agent tells each second. Times of
// day do not travel; each side reads its own clock. Pure.
#ifndef SEALPOST_PULSE_CODEC_H
#define SEALPOST_PULSE_CODEC_H

#include <yyjson.h>

#include "live.h"
#include "units.h"

// NULL for want of memory.
yyjson_mut_val *pulse_codec_encode(yyjson_mut_doc *d, const struct live *l, uint32_t thread_count);
// Fill in phase, setup_ns, elapsed_ns, pulse, window (both without at_ns) and the first
// `thread_count` of busy_pct. Errors: -EBADMSG, -ENOMEM.
NODISCARD int pulse_codec_decode(struct live *l, yyjson_val *from, uint32_t thread_count);

// An array of `count` percentages. Errors: -EBADMSG.
yyjson_mut_val *pulse_codec_encode_busy(yyjson_mut_doc *d, const double *busy_pct, uint32_t count);
NODISCARD int pulse_codec_decode_busy(double *busy_pct, uint32_t count, yyjson_val *from);

#endif
