// Histograms as bytes: what goes in comes out, and nothing else is taken.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "hist_codec.h"

static struct hist a, b;
static uint8_t *bytes;

static void setup(void)
{
    cr_assert_eq(hist_init(&a), 0);
    cr_assert_eq(hist_init(&b), 0);
    bytes = malloc(hist_codec_bound(&a));
}

static void teardown(void)
{
    hist_free(&a);
    hist_free(&b);
    free(bytes);
}

TestSuite(hist_codec, .init = setup, .fini = teardown);

static void assert_same(void)
{
    cr_assert_eq(a.total, b.total);
    cr_assert_eq(a.min, b.min);
    cr_assert_eq(a.max, b.max);
    cr_assert_eq(memcmp(&a.sum, &b.sum, sizeof a.sum), 0);
    cr_assert_eq(memcmp(a.counts, b.counts, a.bucket_count * sizeof *a.counts), 0);
}

static size_t encode(void)
{
    size_t len = hist_codec_encode(bytes, &a);

    cr_assert_leq(len, hist_codec_bound(&a));
    return len;
}

// From memory of exactly this size, so that a sanitizer sees every byte too many.
static int decode(size_t len)
{
    uint8_t *exact = malloc(len + !len);
    int err;

    memcpy(exact, bytes, len);
    err = hist_codec_decode(&b, exact, len);
    free(exact);
    return err;
}

Test(hist_codec, empty_round_trip)
{
    hist_record(&b, 5); // what was there is gone
    cr_assert_eq(decode(encode()), 0);
    assert_same();
}

Test(hist_codec, round_trip_is_exact)
{
    uint64_t value = 1;

    for (int i = 0; i < 20000; i++) {
        value = value * 6364136223846793005u + 1442695040888963407u;
        hist_record(&a, value >> (20 + value % 40));
    }
    hist_record(&a, 0);
    hist_record(&a, UINT64_MAX);
    hist_record_many(&a, 77, 1ull << 60);
    cr_assert_eq(decode(encode()), 0);
    assert_same();
    for (double p = 0; p <= 100; p += 12.5)
        cr_assert_eq(hist_percentile(&a, p), hist_percentile(&b, p));
}

Test(hist_codec, every_bucket_fits_the_bound)
{
    for (size_t i = 0; i < a.bucket_count; i++)
        a.counts[i] = UINT64_MAX;
    cr_assert_leq(hist_codec_encode_counts(bytes, a.counts, a.bucket_count),
                  hist_codec_counts_bound(a.bucket_count));
    for (size_t i = 1; i < a.bucket_count; i += 2)
        a.counts[i] = 0;
    cr_assert_leq(hist_codec_encode_counts(bytes, a.counts, a.bucket_count),
                  hist_codec_counts_bound(a.bucket_count));
}

Test(hist_codec, truncated)
{
    hist_record_many(&a, 1000, 300);
    hist_record_many(&a, 5000000, 300);
    size_t len = encode();

    for (size_t i = 0; i < len; i++) {
        cr_assert_lt(decode(i), 0, "%zu of %zu bytes", i, len);
        cr_assert_eq(b.total, 0);
    }
    cr_assert_eq(decode(0), HIST_CODEC_TRUNCATED);
    cr_assert_eq(decode(len - 1), HIST_CODEC_TRUNCATED);
    cr_assert_eq(decode(len), 0);
}

Test(hist_codec, version)
{
    size_t len = encode();

    bytes[0] = HIST_CODEC_VERSION + 1;
    cr_assert_eq(decode(len), HIST_CODEC_VERSION_UNKNOWN);
}

Test(hist_codec, varints_have_one_form)
{
    static const uint8_t longer[] = {0x80, 0x00, 1},
                         over[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02, 1};
    static const uint8_t most[] = {0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01};
    uint64_t counts[4];

    cr_assert_eq(hist_codec_decode_counts(counts, 4, longer, sizeof longer), HIST_CODEC_VARINT_BAD);
    cr_assert_eq(hist_codec_decode_counts(counts, 4, over, sizeof over), HIST_CODEC_VARINT_BAD);
    cr_assert_eq(hist_codec_decode_counts(counts, 4, most, sizeof most), 0);
    cr_assert_eq(counts[0], UINT64_MAX);
}

Test(hist_codec, counters_stay_in_range)
{
    static const uint8_t last[] = {3, 9}, behind[] = {4, 9}, zero[] = {0, 0},
                         one_more[] = {3, 9, 0, 1};
    uint64_t counts[4] = {7, 7, 7, 7};

    cr_assert_eq(hist_codec_decode_counts(counts, 4, last, 2), 0);
    cr_assert(counts[0] == 0 && counts[3] == 9);
    cr_assert_eq(hist_codec_decode_counts(counts, 4, behind, 2), HIST_CODEC_RANGE);
    cr_assert_eq(hist_codec_decode_counts(counts, 4, zero, 2), HIST_CODEC_RANGE);
    cr_assert_eq(hist_codec_decode_counts(counts, 4, one_more, 4), HIST_CODEC_RANGE);
    cr_assert_eq(counts[3], 0);
}

Test(hist_codec, totals_must_fit)
{
    hist_record_many(&a, 1000, 3);
    hist_record(&a, 2000);
    struct hist good = a;

    a.total++;
    cr_assert_eq(decode(encode()), HIST_CODEC_SUM_BAD);
    a = good;
    a.min = 900;
    cr_assert_eq(decode(encode()), HIST_CODEC_SUM_BAD);
    a = good;
    a.max = 90000;
    cr_assert_eq(decode(encode()), HIST_CODEC_SUM_BAD);
    a = good;
    a.sum = -1;
    cr_assert_eq(decode(encode()), HIST_CODEC_SUM_BAD);
    a.sum = 1e308 * 10;
    cr_assert_eq(decode(encode()), HIST_CODEC_SUM_BAD);
    a = good;
    cr_assert_eq(decode(encode()), 0);
}
