// HdrHistogram's interval log.
#include <errno.h>
#include <stdlib.h>

#include "hdr_encoding.h"
#include "output_format.h"

static int put_line(FILE *to, const char *tag, double at_s, double length_s, uint64_t max_ns,
                    const struct hdr_encoding *e)
{
    char *text = hdr_encoding_format(e);

    if (!text)
        return -ENOMEM;
    if (tag)
        fprintf(to, "Tag=%s,", tag);
    fprintf(to, "%.3f,%.3f,%.3f,%s\n", at_s, length_s, (double)max_ns / 1e6, text);
    free(text);
    return 0;
}

static int put_interval(FILE *to, const struct series *s, uint32_t i, struct hdr_encoding *e)
{
    const struct series_point *p = &s->points[i];

    hdr_encoding_clear(e);
    for (uint32_t bucket = 0; bucket < PULSE_BUCKETS; bucket++) {
        if (s->buckets[i][bucket] > 0)
            hdr_encoding_add(e, pulse_bucket_high(bucket), s->buckets[i][bucket]);
    }
    return put_line(to, NULL, (double)p->at_ns / 1e9, (double)p->len_ns / 1e9, p->max_ns, e);
}

static int put_total(FILE *to, const struct outcome *out, const char *name, const struct hist *h,
                     struct hdr_encoding *e)
{
    if (h->total == 0)
        return 0;
    hdr_encoding_clear(e);
    hdr_encoding_add_hist(e, h);
    return put_line(to, name, 0, (double)out->tally.window_ns / 1e9, h->max, e);
}

int output_format_hlog(FILE *to, const struct outcome *out)
{
    struct hdr_encoding *e = malloc(sizeof *e);
    int err = e ? 0 : -ENOMEM;

    fprintf(
        to,
        "#[Intervals: response latency in buckets of 7 %%; tagged: whole window, three digits]\n"
        "#[Histogram log format version 1.3]\n"
        "#[StartTime: %.3f (seconds since epoch)]\n"
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
        "\"Interval_Compressed_Histogram\"\n",
        (double)out->started);
    for (uint32_t i = 0; i < out->series.count && err == 0; i++)
        err = put_interval(to, &out->series, i, e);
#define X(name) err = err ? err : put_total(to, out, #name, &out->tally.name, e);
    TALLY_HISTOGRAMS(X)
#undef X
    free(e);
    return err;
}
