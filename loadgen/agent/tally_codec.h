// A tally as a JSON value, and back: what it holds travels between processes exactly. Made from the
// lists that the structs are made from, so no field can be left out. Pure.
//
//    {"histograms": {name: base64, …}, "counts": {name: n, …}, "ledger": {…}, "refused": {…},
//     "budget": {"count", "unattributed", "response_ns", "parts": {…}}, "window_ns": n,
//     "groups": [{"histograms": {…}, "counts": {…}, "storms": n}, …],
//     "stages": [{"histograms": {…}, "counts": {…}}, …]}
#ifndef SEALPOST_TALLY_CODEC_H
#define SEALPOST_TALLY_CODEC_H

#include <yyjson.h>

#include "tally.h"
#include "units.h"

// Every histogram and counter of `t` in a new value; NULL for want of memory.
yyjson_mut_val *tally_codec_encode(yyjson_mut_doc *d, const struct tally *t);
// Read into a tally that tally_init has made, with the stages and groups that are expected.
// Errors: -EBADMSG (a member is missing, has the wrong type or does not decode, or there are other
// numbers of stages and groups), -ENOMEM. What `t` holds is then not to be used.
NODISCARD int tally_codec_decode(struct tally *t, yyjson_val *from);

// Counters as base64, alone: the live ones of a pulse and of the series. NULL for want of memory.
yyjson_mut_val *tally_codec_encode_buckets(yyjson_mut_doc *d, const uint64_t *counts, size_t count);
// Errors: -EBADMSG, -ENOMEM.
NODISCARD int tally_codec_decode_buckets(uint64_t *counts, size_t count, yyjson_val *from);
// The unsigned number `key` of `from`. Errors: -EBADMSG.
NODISCARD int tally_codec_get_count(yyjson_val *from, const char *key, uint64_t *out);

#endif
