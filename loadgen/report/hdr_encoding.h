// A histogram in the encoding of the HdrHistogram libraries (V2, compressed, base64), which .hlog
// files carry: tools of any language read it. Pure.
#ifndef SEALPOST_HDR_ENCODING_H
#define SEALPOST_HDR_ENCODING_H

#include <stddef.h>
#include <stdint.h>

#include "hist.h"

// Three significant digits over 1 … 2^40−1, as struct hist has them: 2,048 sub-buckets.
#define HDR_ENCODING_DIGITS 3u
#define HDR_ENCODING_SUB_BUCKETS 2048u
#define HDR_ENCODING_BUCKETS 30u
#define HDR_ENCODING_HIGHEST ((1ull << 40) - 1)
#define HDR_ENCODING_COUNTS ((HDR_ENCODING_BUCKETS + 1) * HDR_ENCODING_SUB_BUCKETS / 2)

// Values and how often they came, put where HdrHistogram has them. Values over
// HDR_ENCODING_HIGHEST count as that.
struct hdr_encoding {
    uint64_t counts[HDR_ENCODING_COUNTS];
};

void hdr_encoding_clear(struct hdr_encoding *e);
void hdr_encoding_add(struct hdr_encoding *e, uint64_t value, uint64_t count);
void hdr_encoding_add_hist(struct hdr_encoding *e, const struct hist *h);
// As text, zero-terminated, for free(); NULL when memory is short.
char *hdr_encoding_format(const struct hdr_encoding *e);

#endif
