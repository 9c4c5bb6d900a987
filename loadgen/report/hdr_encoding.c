// HdrHistogram's V2 encoding.
//
//   0x1C849314 | length | zlib( 0x1C849313 | payload length | 0 | digits | lowest (8) |
//                               highest (8) | ratio (double, 8) | payload )
//
// All big-endian. The payload: a ZigZag LEB128 number for each count up to the last that is not
// zero, a negative one for a run of two zeros or more; a number has nine bytes at most, the ninth
// whole.
#include "hdr_encoding.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "units.h"

#define COOKIE 0x1C849313u
#define COMPRESSED_COOKIE 0x1C849314u
#define HEADER_BYTES 40u
#define COMPRESSED_HEADER_BYTES 8u
#define NUMBER_BYTES 9u
#define HALF_BITS 10u // of half the sub-buckets

void hdr_encoding_clear(struct hdr_encoding *e)
{
    memset(e, 0, sizeof *e);
}

// Bucket b holds values from 2^(b+10) up, its upper half of sub-buckets only; bucket 0 both halves.
static uint32_t index_of(uint64_t value)
{
    uint32_t bucket =
        63u - (uint32_t)__builtin_clzll(value | (HDR_ENCODING_SUB_BUCKETS - 1)) - HALF_BITS;
    uint32_t sub = (uint32_t)(value >> bucket);

    return ((bucket + 1) << HALF_BITS) + sub - HDR_ENCODING_SUB_BUCKETS / 2;
}

void hdr_encoding_add(struct hdr_encoding *e, uint64_t value, uint64_t count)
{
    e->counts[index_of(value < HDR_ENCODING_HIGHEST ? value : HDR_ENCODING_HIGHEST)] += count;
}

void hdr_encoding_add_hist(struct hdr_encoding *e, const struct hist *h)
{
    size_t bucket = 0;
    uint64_t value, count;

    while (hist_next(h, &bucket, &value, &count))
        hdr_encoding_add(e, value, count);
}

static size_t put_number(uint8_t *out, int64_t number)
{
    uint64_t zigzag = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    size_t len = 0;

    while (zigzag >= 0x80 && len < NUMBER_BYTES - 1) {
        out[len++] = (uint8_t)(zigzag | 0x80);
        zigzag >>= 7;
    }
    out[len++] = (uint8_t)zigzag;
    return len;
}

static size_t put_counts(uint8_t *out, const uint64_t *counts)
{
    size_t end = HDR_ENCODING_COUNTS, len = 0;

    while (end > 0 && counts[end - 1] == 0)
        end--;
    for (size_t at = 0; at < end;) {
        size_t zeros = 0;

        while (counts[at + zeros] == 0)
            zeros++;
        len += put_number(out + len, zeros > 1 ? -(int64_t)zeros : (int64_t)counts[at]);
        at += zeros > 0 ? zeros : 1;
    }
    return len;
}

static void put_header(uint8_t *out, size_t payload)
{
    double ratio = 1;
    uint64_t ratio_bits;

    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    store_be32(out, COOKIE);
    store_be32(out + 4, (uint32_t)payload);
    store_be32(out + 8, 0); // no shifted values
    store_be32(out + 12, HDR_ENCODING_DIGITS);
    store_be64(out + 16, 1);
    store_be64(out + 24, HDR_ENCODING_HIGHEST);
    store_be64(out + 32, ratio_bits);
}

char *hdr_encoding_format(const struct hdr_encoding *e)
{
    size_t cap = HEADER_BYTES + (size_t)HDR_ENCODING_COUNTS * NUMBER_BYTES, len, text_cap;
    uLongf packed_len = compressBound(cap);
    uint8_t *plain = malloc(cap), *packed = malloc(COMPRESSED_HEADER_BYTES + packed_len);
    char *text = NULL;

    if (!plain || !packed)
        goto cleanup;
    len = put_counts(plain + HEADER_BYTES, e->counts);
    put_header(plain, len);
    if (compress(packed + COMPRESSED_HEADER_BYTES, &packed_len, plain, HEADER_BYTES + len) != Z_OK)
        goto cleanup;
    store_be32(packed, COMPRESSED_COOKIE);
    store_be32(packed + 4, (uint32_t)packed_len);
    packed_len += COMPRESSED_HEADER_BYTES;
    text_cap = sodium_base64_encoded_len(packed_len, sodium_base64_VARIANT_ORIGINAL);
    text = malloc(text_cap);
    if (text)
        sodium_bin2base64(text, text_cap, packed, packed_len, sodium_base64_VARIANT_ORIGINAL);

cleanup:
    free(plain);
    free(packed);
    return text;
}
