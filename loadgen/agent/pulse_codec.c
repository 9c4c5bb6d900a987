// Live figures as JSON: each encoder has its decoder behind it.
#include "pulse_codec.h"

#include <errno.h>
#include <math.h>

#include "tally_codec.h"

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

#define SAMPLE_COUNTS(X) X(sent) X(delivered) X(refused) X(faults) X(handshakes) X(waiting)
#define SAMPLE_COUNTS_32(X) X(connected) X(settled) X(alive)
_Static_assert(sizeof(struct pulse_sample) == (1 + 6 + 2 + PULSE_BUCKETS) * sizeof(uint64_t),
               "all of a sample travels, but for its time");

static val_t *encode_sample(doc_t *d, const struct pulse_sample *s)
{
    val_t *to = yyjson_mut_obj(d);
    bool ok = true;

#define X(name) ok = ok && yyjson_mut_obj_add_uint(d, to, #name, s->name);
    SAMPLE_COUNTS(X)
    SAMPLE_COUNTS_32(X)
#undef X
    ok = ok && yyjson_mut_obj_add_val(d, to, "buckets",
                                      tally_codec_encode_buckets(d, s->buckets, PULSE_BUCKETS));
    return ok ? to : NULL;
}

static int get_count_32(yyjson_val *from, const char *key, uint32_t *out)
{
    uint64_t value;
    int err = tally_codec_get_count(from, key, &value);

    if (err == 0 && value > UINT32_MAX)
        err = -EBADMSG;
    if (err == 0)
        *out = (uint32_t)value;
    return err;
}

static int decode_sample(struct pulse_sample *s, yyjson_val *from)
{
    int err = 0;

#define X(name) err = err ? err : tally_codec_get_count(from, #name, &s->name);
    SAMPLE_COUNTS(X)
#undef X
#define X(name) err = err ? err : get_count_32(from, #name, &s->name);
    SAMPLE_COUNTS_32(X)
#undef X
    return err ? err
               : tally_codec_decode_buckets(s->buckets, PULSE_BUCKETS,
                                            yyjson_obj_get(from, "buckets"));
}

val_t *pulse_codec_encode_busy(doc_t *d, const double *busy_pct, uint32_t count)
{
    val_t *list = yyjson_mut_arr(d);
    bool ok = true;

    for (uint32_t i = 0; i < count && ok; i++)
        ok = yyjson_mut_arr_add_real(d, list, busy_pct[i]);
    return ok ? list : NULL;
}

int pulse_codec_decode_busy(double *busy_pct, uint32_t count, yyjson_val *from)
{
    size_t i, n;
    yyjson_val *item;

    if (!yyjson_is_arr(from) || yyjson_arr_size(from) != count)
        return -EBADMSG;
    yyjson_arr_foreach(from, i, n, item)
    {
        busy_pct[i] = yyjson_get_num(item);
        if (!yyjson_is_num(item) || !isfinite(busy_pct[i]) || busy_pct[i] < 0)
            return -EBADMSG;
    }
    return 0;
}

val_t *pulse_codec_encode(doc_t *d, const struct live *l, uint32_t thread_count)
{
    val_t *to = yyjson_mut_obj(d);
    bool ok = yyjson_mut_obj_add_uint(d, to, "phase", l->phase) &&
              yyjson_mut_obj_add_uint(d, to, "setup_ns", l->setup_ns) &&
              yyjson_mut_obj_add_uint(d, to, "elapsed_ns", l->elapsed_ns) &&
              yyjson_mut_obj_add_val(d, to, "pulse", encode_sample(d, &l->pulse)) &&
              yyjson_mut_obj_add_val(d, to, "window", encode_sample(d, &l->window)) &&
              yyjson_mut_obj_add_val(d, to, "busy_pct",
                                     pulse_codec_encode_busy(d, l->busy_pct, thread_count));

    return ok ? to : NULL;
}

int pulse_codec_decode(struct live *l, yyjson_val *from, uint32_t thread_count)
{
    uint64_t phase;
    int err = tally_codec_get_count(from, "phase", &phase);

    if (err == 0 && phase > SHARD_DONE)
        err = -EBADMSG;
    if (err == 0)
        l->phase = (enum shard_phase)phase;
    err = err ? err : tally_codec_get_count(from, "setup_ns", &l->setup_ns);
    err = err ? err : tally_codec_get_count(from, "elapsed_ns", &l->elapsed_ns);
    err = err ? err : decode_sample(&l->pulse, yyjson_obj_get(from, "pulse"));
    err = err ? err : decode_sample(&l->window, yyjson_obj_get(from, "window"));
    return err ? err
               : pulse_codec_decode_busy(l->busy_pct, thread_count,
                                         yyjson_obj_get(from, "busy_pct"));
}
