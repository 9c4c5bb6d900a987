// Outcomes as JSON: each encoder has its decoder behind it. Pure, but for memory.
#include "outcome_codec.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "pulse_codec.h"
#include "tally_codec.h"

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

#define POINT_COUNTS(X)                                                                            \
    X(at_ns) X(len_ns) X(sent) X(delivered) X(handshakes) X(refused) X(faults) X(busy_ns)
#define TEXTS(X) X(failure_text) X(disconnect_text) X(tls_group)
#define SHARES(X) X(steal_pct) X(coordinator_busy_pct)
#define COUNTS(X) X(setup_ns) X(throttled_ns)
#define FLAGS(X) X(has_begun) X(interrupted)

// ---- values -------------------------------------------------------------------------------------

static int get_text(yyjson_val *from, const char *key, char *out, size_t cap)
{
    yyjson_val *value = yyjson_obj_get(from, key);
    const char *text = yyjson_get_str(value);
    size_t len = yyjson_get_len(value);

    if (!text || len >= cap || strlen(text) != len)
        return -EBADMSG;
    memcpy(out, text, len + 1);
    return 0;
}

// What a relay answered may be in it, so any byte: what is not ASCII is replaced.
static bool add_text(doc_t *d, val_t *to, const char *key, const char *text)
{
    char plain[VERDICT_REASON_BYTES > SHARD_FAILURE_BYTES ? VERDICT_REASON_BYTES
                                                          : SHARD_FAILURE_BYTES];
    size_t len = strlen(text);

    for (size_t i = 0; i <= len; i++)
        plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    return yyjson_mut_obj_add_strcpy(d, to, key, plain);
}

static int get_flag(yyjson_val *from, const char *key, bool *out)
{
    yyjson_val *value = yyjson_obj_get(from, key);

    *out = yyjson_get_bool(value);
    return yyjson_is_bool(value) ? 0 : -EBADMSG;
}

static int get_share(yyjson_val *from, const char *key, double *out)
{
    yyjson_val *value = yyjson_obj_get(from, key);

    *out = yyjson_get_num(value);
    return yyjson_is_num(value) && isfinite(*out) && *out >= 0 ? 0 : -EBADMSG;
}

static int get_bounded(yyjson_val *from, const char *key, uint64_t max, uint32_t *out)
{
    uint64_t value = 0;
    int err = tally_codec_get_count(from, key, &value);

    *out = (uint32_t)value;
    return err || value > max ? -EBADMSG : 0;
}

// ---- the series ---------------------------------------------------------------------------------

static val_t *encode_series(doc_t *d, const struct series *s)
{
    val_t *o = yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    bool ok = yyjson_mut_obj_add_uint(d, o, "steps_per_point", s->steps_per_point) &&
              yyjson_mut_obj_add_val(d, o, "points", list);

    for (uint32_t i = 0; i < s->count && ok; i++) {
        const struct series_point *p = &s->points[i];
        val_t *to = yyjson_mut_arr_add_obj(d, list);

        ok = yyjson_mut_obj_add_uint(d, to, "steps", p->steps) &&
             yyjson_mut_obj_add_val(d, to, "buckets",
                                    tally_codec_encode_buckets(d, s->buckets[i], PULSE_BUCKETS));
#define X(name) ok = ok && yyjson_mut_obj_add_uint(d, to, #name, p->name);
        POINT_COUNTS(X)
#undef X
    }
    return ok ? o : NULL;
}

static int decode_point(struct series *s, uint32_t index, yyjson_val *from)
{
    struct series_point *p = &s->points[index];
    int err = get_bounded(from, "steps", UINT32_MAX, &p->steps);

#define X(name) err = err ? err : tally_codec_get_count(from, #name, &p->name);
    POINT_COUNTS(X)
#undef X
    if (err == 0)
        err = tally_codec_decode_buckets(s->buckets[index], PULSE_BUCKETS,
                                         yyjson_obj_get(from, "buckets"));
    if (err == 0)
        series_find_percentiles(s, index);
    return err;
}

static int decode_series(struct series *s, yyjson_val *from)
{
    yyjson_val *list = yyjson_obj_get(from, "points"), *item;
    int err = get_bounded(from, "steps_per_point", 1u << 24, &s->steps_per_point);
    size_t i, count;

    if (err || !yyjson_is_arr(list) || yyjson_arr_size(list) > SERIES_POINTS_MAX ||
        s->steps_per_point == 0 || (s->steps_per_point & (s->steps_per_point - 1)) != 0)
        return -EBADMSG;
    yyjson_arr_foreach(list, i, count, item)
    {
        err = err ? err : decode_point(s, (uint32_t)i, item);
    }
    s->count = (uint32_t)yyjson_arr_size(list);
    return err;
}

// ---- the verdict, the backlog -------------------------------------------------------------------

static val_t *encode_verdict(doc_t *d, const struct verdict *v)
{
    val_t *o = yyjson_mut_obj(d), *list = yyjson_mut_arr(d);
    bool ok = yyjson_mut_obj_add_uint(d, o, "level", v->level) &&
              yyjson_mut_obj_add_val(d, o, "reasons", list);

    for (uint32_t i = 0; i < v->reason_count && ok; i++) {
        val_t *reason = yyjson_mut_arr_add_obj(d, list);

        ok = yyjson_mut_obj_add_uint(d, reason, "cause", v->causes[i]) &&
             add_text(d, reason, "text", v->reasons[i]);
    }
    return ok ? o : NULL;
}

static int decode_verdict(struct verdict *v, yyjson_val *from)
{
    yyjson_val *list = yyjson_obj_get(from, "reasons"), *item;
    uint32_t level;
    int err = get_bounded(from, "level", VERDICT_LIMITED, &level);
    size_t i, count;

    if (err || !yyjson_is_arr(list) || yyjson_arr_size(list) > VERDICT_REASONS_MAX)
        return -EBADMSG;
    v->level = (enum verdict_level)level;
    v->reason_count = (uint32_t)yyjson_arr_size(list);
    yyjson_arr_foreach(list, i, count, item)
    {
        uint32_t cause = 0;

        err = err ? err : get_bounded(item, "cause", VERDICT_CAUSE_COUNT - 1, &cause);
        err = err ? err : get_text(item, "text", v->reasons[i], VERDICT_REASON_BYTES);
        v->causes[i] = (enum verdict_cause)cause;
    }
    return err;
}

static val_t *encode_backlog(doc_t *d, const struct backlog *b)
{
    val_t *list = yyjson_mut_arr(d);
    bool ok = list != NULL;

    for (uint32_t i = 0; i < b->count && ok; i++)
        ok = yyjson_mut_arr_add_uint(d, list, b->waiting[i]);
    return ok ? list : NULL;
}

static int decode_backlog(struct backlog *b, yyjson_val *list)
{
    yyjson_val *item;
    size_t i, count;

    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > BACKLOG_POINTS)
        return -EBADMSG;
    b->count = (uint32_t)yyjson_arr_size(list);
    yyjson_arr_foreach(list, i, count, item)
    {
        if (!yyjson_is_uint(item))
            return -EBADMSG;
        b->waiting[i] = yyjson_get_uint(item);
    }
    return 0;
}

// ---- the whole ----------------------------------------------------------------------------------

val_t *outcome_codec_encode(doc_t *d, const struct outcome *out, uint32_t thread_count)
{
    val_t *to = yyjson_mut_obj(d);
    bool ok = yyjson_mut_obj_add_uint(d, to, "failure", out->failure);

#define X(name) ok = ok && yyjson_mut_obj_add_bool(d, to, #name, out->name);
    FLAGS(X)
#undef X
#define X(name) ok = ok && add_text(d, to, #name, out->name);
    TEXTS(X)
#undef X
#define X(name) ok = ok && yyjson_mut_obj_add_uint(d, to, #name, out->name);
    COUNTS(X)
#undef X
#define X(name) ok = ok && yyjson_mut_obj_add_real(d, to, #name, out->name);
    SHARES(X)
#undef X
    ok = ok && yyjson_mut_obj_add_val(d, to, "tally", tally_codec_encode(d, &out->tally)) &&
         yyjson_mut_obj_add_val(d, to, "busy_pct",
                                pulse_codec_encode_busy(d, out->busy_pct, thread_count)) &&
         yyjson_mut_obj_add_val(d, to, "series", encode_series(d, &out->series)) &&
         yyjson_mut_obj_add_val(d, to, "backlog", encode_backlog(d, &out->backlog)) &&
         yyjson_mut_obj_add_val(d, to, "verdict", encode_verdict(d, &out->verdict));
    return ok ? to : NULL;
}

int outcome_codec_decode(struct outcome *out, yyjson_val *from, uint32_t thread_count)
{
    uint32_t failure;
    int err = get_bounded(from, "failure", SHARD_FAILURE_INTERNAL, &failure);

    if (err == 0)
        out->failure = (enum shard_failure)failure;
#define X(name) err = err ? err : get_flag(from, #name, &out->name);
    FLAGS(X)
#undef X
#define X(name) err = err ? err : get_text(from, #name, out->name, sizeof out->name);
    TEXTS(X)
#undef X
#define X(name) err = err ? err : tally_codec_get_count(from, #name, &out->name);
    COUNTS(X)
#undef X
#define X(name) err = err ? err : get_share(from, #name, &out->name);
    SHARES(X)
#undef X
    err = err ? err : tally_codec_decode(&out->tally, yyjson_obj_get(from, "tally"));
    err = err ? err
              : pulse_codec_decode_busy(out->busy_pct, thread_count,
                                        yyjson_obj_get(from, "busy_pct"));
    err = err ? err : decode_series(&out->series, yyjson_obj_get(from, "series"));
    err = err ? err : decode_backlog(&out->backlog, yyjson_obj_get(from, "backlog"));
    return err ? err : decode_verdict(&out->verdict, yyjson_obj_get(from, "verdict"));
}
