// HdrHistogram's encoding against what its own port wrote (tests/vectors/make_hdr_vectors.mjs). The
// compressed bytes may differ from one zlib to another, what is in them must not.
#include <criterion/criterion.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "hdr_encoding.h"

#define PLAIN_MAX (1u << 20)

static struct hdr_encoding encoding;

struct plain {
    uint8_t bytes[PLAIN_MAX];
    uLongf len;
};

static void decode(struct plain *p, const char *text)
{
    static uint8_t packed[PLAIN_MAX];
    size_t len;

    cr_assert_eq(sodium_base642bin(packed, sizeof packed, text, strlen(text), "\n", &len, NULL,
                                   sodium_base64_VARIANT_ORIGINAL),
                 0);
    cr_assert_eq(load_be32(packed), 0x1C849314u);
    cr_assert_eq(load_be32(packed + 4), len - 8);
    p->len = sizeof p->bytes;
    cr_assert_eq(uncompress(p->bytes, &p->len, packed + 8, len - 8), Z_OK);
}

static void expect_same(const char *name, const char *text, const char *expected_text)
{
    static struct plain got, expected;

    decode(&got, text);
    decode(&expected, expected_text);
    cr_assert_eq(got.len, expected.len, "%s: %lu bytes instead of %lu", name, got.len,
                 expected.len);
    // That port writes 1 for the shift of values and an integer for their ratio, where the
    // libraries in Java and C write 0 and a double, as we do.
    cr_assert_eq(load_be32(got.bytes + 8), 0);
    cr_assert_eq(load_be64(got.bytes + 32), 0x3FF0000000000000u);
    memcpy(expected.bytes + 8, got.bytes + 8, 4);
    memcpy(expected.bytes + 32, got.bytes + 32, 8);
    cr_assert(memcmp(got.bytes, expected.bytes, got.len) == 0, "%s", name);
}

static void add_values(char *list)
{
    for (char *pair = strtok(list, ","); pair; pair = strtok(NULL, ",")) {
        uint64_t value, count;

        cr_assert_eq(sscanf(pair, "%" SCNu64 ":%" SCNu64, &value, &count), 2);
        hdr_encoding_add(&encoding, value, count);
    }
}

Test(hdr_encoding, format_as_the_library)
{
    FILE *f = fopen(SEALPOST_VECTORS "/hdr_histogram.txt", "r");
    char name[32], list[1024], expected[16384];
    int seen = 0;

    cr_assert_not_null(f);
    cr_assert_neq(fscanf(f, "#%*[^\n]\n"), EOF);
    while (fscanf(f, "%31s %1023s %16383s", name, list, expected) == 3) {
        char *text;

        hdr_encoding_clear(&encoding);
        add_values(list);
        text = hdr_encoding_format(&encoding);
        cr_assert_not_null(text);
        expect_same(name, text, expected);
        free(text);
        seen++;
    }
    fclose(f);
    cr_assert_eq(seen, 4);
}

Test(hdr_encoding, add_hist_keeps_every_sample)
{
    struct hist h;
    uint64_t total = 0;

    cr_assert_eq(hist_init(&h), 0);
    for (uint64_t v = 1; v < 1ull << 45; v = v * 3 + 1)
        hist_record(&h, v);
    hdr_encoding_clear(&encoding);
    hdr_encoding_add_hist(&encoding, &h);
    for (size_t i = 0; i < HDR_ENCODING_COUNTS; i++)
        total += encoding.counts[i];
    cr_assert_eq(total, h.total);
    cr_assert_gt(encoding.counts[HDR_ENCODING_COUNTS - 1], 0); // the too large ones
    hist_free(&h);
}

Test(hdr_encoding, format_of_nothing)
{
    static struct plain p;
    char *text;

    hdr_encoding_clear(&encoding);
    text = hdr_encoding_format(&encoding);
    decode(&p, text);
    cr_assert_eq(p.len, 40);
    free(text);
}
