// Histograms as bytes: encode and decode next to each other. Strict, reads no byte behind `len`.
#include "hist_codec.h"

#include <math.h>
#include <string.h>

// Version, three varints, the sum.
#define HEAD_MAX_BYTES (1 + 3 * HIST_CODEC_VARINT_MAX_BYTES + 8)

static uint8_t *put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static int take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte;

        if (*at == end)
            return HIST_CODEC_TRUNCATED;
        byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return HIST_CODEC_VARINT_BAD;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte & 0x80)
            continue;
        return byte == 0 && shift > 0 ? HIST_CODEC_VARINT_BAD : 0;
    }
}

size_t hist_codec_counts_bound(size_t count)
{
    // A gap of one byte costs at least one counter that has none of its own.
    return count * (HIST_CODEC_VARINT_MAX_BYTES + 1) + HIST_CODEC_VARINT_MAX_BYTES;
}

size_t hist_codec_bound(const struct hist *h)
{
    return HEAD_MAX_BYTES + hist_codec_counts_bound(h->bucket_count);
}

size_t hist_codec_encode_counts(uint8_t *out, const uint64_t *counts, size_t count)
{
    uint8_t *at = out;
    size_t gap = 0;

    for (size_t i = 0; i < count; i++) {
        if (counts[i] == 0) {
            gap++;
            continue;
        }
        at = put_varint(at, gap);
        at = put_varint(at, counts[i]);
        gap = 0;
    }
    return (size_t)(at - out);
}

static int decode_counts(uint64_t *counts, size_t count, const uint8_t *at, const uint8_t *end)
{
    size_t next = 0;

    while (at != end) {
        uint64_t gap, value;
        int err = take_varint(&at, end, &gap);

        if (err == 0)
            err = take_varint(&at, end, &value);
        if (err < 0)
            return err;
        if (next >= count || gap >= count - next || value == 0)
            return HIST_CODEC_RANGE;
        next += gap;
        counts[next++] = value;
    }
    return 0;
}

int hist_codec_decode_counts(uint64_t *counts, size_t count, const uint8_t *in, size_t len)
{
    int err;

    memset(counts, 0, count * sizeof *counts);
    err = decode_counts(counts, count, in, in + len);
    if (err < 0)
        memset(counts, 0, count * sizeof *counts);
    return err;
}

size_t hist_codec_encode(uint8_t *out, const struct hist *h)
{
    uint8_t *at = out;
    uint64_t bits;

    *at++ = HIST_CODEC_VERSION;
    at = put_varint(at, h->total);
    at = put_varint(at, h->min);
    at = put_varint(at, h->max);
    memcpy(&bits, &h->sum, sizeof bits);
    store_be64(at, bits);
    at += sizeof bits;
    at += hist_codec_encode_counts(at, h->counts, h->bucket_count);
    return (size_t)(at - out);
}

// Do total, min, max and sum fit the counters?
static bool is_consistent(const struct hist *h)
{
    uint64_t total = 0;
    size_t first = h->bucket_count, last = 0;

    for (size_t i = 0; i < h->bucket_count; i++) {
        if (h->counts[i] == 0)
            continue;
        if (__builtin_add_overflow(total, h->counts[i], &total))
            return false;
        first = first == h->bucket_count ? i : first;
        last = i;
    }
    if (total != h->total || !isfinite(h->sum) || signbit(h->sum))
        return false;
    if (total == 0)
        return h->min == 0 && h->max == 0 && h->sum == 0;
    return h->min <= h->max && hist_bucket_of(h->min) == first && hist_bucket_of(h->max) == last;
}

static int decode(struct hist *h, const uint8_t *at, const uint8_t *end)
{
    uint64_t bits;
    int err;

    if (at == end)
        return HIST_CODEC_TRUNCATED;
    if (*at++ != HIST_CODEC_VERSION)
        return HIST_CODEC_VERSION_UNKNOWN;
    err = take_varint(&at, end, &h->total);
    if (err == 0)
        err = take_varint(&at, end, &h->min);
    if (err == 0)
        err = take_varint(&at, end, &h->max);
    if (err < 0)
        return err;
    if (end - at < (ptrdiff_t)sizeof bits)
        return HIST_CODEC_TRUNCATED;
    bits = load_be64(at);
    memcpy(&h->sum, &bits, sizeof bits);
    err = decode_counts(h->counts, h->bucket_count, at + sizeof bits, end);
    if (err < 0)
        return err;
    return is_consistent(h) ? 0 : HIST_CODEC_SUM_BAD;
}

int hist_codec_decode(struct hist *h, const uint8_t *in, size_t len)
{
    int err;

    hist_clear(h);
    err = decode(h, in, in + len);
    if (err < 0)
        hist_clear(h);
    return err;
}
