// Tallies as JSON: each encoder has its decoder behind it. Pure, but for memory.
#include "tally_codec.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "hist_codec.h"

#define BASE64 sodium_base64_VARIANT_ORIGINAL

typedef yyjson_mut_doc doc_t; // opaque handles of yyjson
typedef yyjson_mut_val val_t;

// ---- bytes --------------------------------------------------------------------------------------

static val_t *encode_bytes(doc_t *d, const uint8_t *bytes, size_t len)
{
    size_t cap = sodium_base64_encoded_len(len, BASE64);
    char *text = malloc(cap);
    val_t *value;

    if (!text)
        return NULL;
    sodium_bin2base64(text, cap, bytes, len, BASE64);
    value = yyjson_mut_strcpy(d, text);
    free(text);
    return value;
}

// Owner: *bytes is for free().
static int decode_bytes(yyjson_val *from, uint8_t **bytes, size_t *len)
{
    size_t text_len = yyjson_get_len(from);
    const char *text = yyjson_get_str(from), *end = NULL;
    size_t cap = text_len / 4 * 3 + 3;

    *bytes = NULL;
    if (!text)
        return -EBADMSG;
    *bytes = malloc(cap);
    if (!*bytes)
        return -ENOMEM;
    if (sodium_base642bin(*bytes, cap, text, text_len, NULL, len, &end, BASE64) == 0 &&
        end == text + text_len)
        return 0;
    free(*bytes);
    *bytes = NULL;
    return -EBADMSG;
}

val_t *tally_codec_encode_buckets(doc_t *d, const uint64_t *counts, size_t count)
{
    uint8_t *bytes = malloc(hist_codec_counts_bound(count));
    val_t *value = NULL;

    if (bytes)
        value = encode_bytes(d, bytes, hist_codec_encode_counts(bytes, counts, count));
    free(bytes);
    return value;
}

int tally_codec_decode_buckets(uint64_t *counts, size_t count, yyjson_val *from)
{
    uint8_t *bytes;
    size_t len;
    int err = decode_bytes(from, &bytes, &len);

    if (err < 0)
        return err;
    if (hist_codec_decode_counts(counts, count, bytes, len) < 0)
        err = -EBADMSG;
    free(bytes);
    return err;
}

// ---- members ------------------------------------------------------------------------------------

static bool add_hist(doc_t *d, val_t *to, const char *key, const struct hist *h)
{
    uint8_t *bytes = malloc(hist_codec_bound(h));
    val_t *value = NULL;

    if (bytes)
        value = encode_bytes(d, bytes, hist_codec_encode(bytes, h));
    free(bytes);
    return yyjson_mut_obj_add_val(d, to, key, value);
}

static int get_hist(yyjson_val *from, const char *key, struct hist *h)
{
    uint8_t *bytes;
    size_t len;
    int err = decode_bytes(yyjson_obj_get(from, key), &bytes, &len);

    if (err < 0)
        return err;
    if (hist_codec_decode(h, bytes, len) < 0)
        err = -EBADMSG;
    free(bytes);
    return err;
}

int tally_codec_get_count(yyjson_val *from, const char *key, uint64_t *out)
{
    yyjson_val *value = yyjson_obj_get(from, key);

    if (!yyjson_is_uint(value))
        return -EBADMSG;
    *out = yyjson_get_uint(value);
    return 0;
}

// The steps of all encoders (to `to`) and decoders (from `from`): one field each.
#define ADD_HIST(name) ok = ok && add_hist(d, to, #name, &t->name);
#define GET_HIST(name) err = err ? err : get_hist(from, #name, &t->name);
#define ADD_COUNT(name) ok = ok && yyjson_mut_obj_add_uint(d, to, #name, t->name);
#define GET_COUNT(name) err = err ? err : tally_codec_get_count(from, #name, &t->name);

// ---- the parts ----------------------------------------------------------------------------------

static bool encode_ledger(doc_t *d, val_t *to, const struct ledger_counts *t)
{
    bool ok = true;

    LEDGER_COUNTS(ADD_COUNT)
    return ok;
}

static int decode_ledger(struct ledger_counts *t, yyjson_val *from)
{
    int err = 0;

    LEDGER_COUNTS(GET_COUNT)
    return err;
}

static bool encode_refusals(doc_t *d, val_t *to, const uint64_t refused[TALLY_REFUSAL_COUNT])
{
    bool ok = true;

    for (unsigned i = 0; i < TALLY_REFUSAL_COUNT; i++)
        ok = ok &&
             yyjson_mut_obj_add_uint(d, to, tally_refusal_name((enum tally_refusal)i), refused[i]);
    return ok;
}

static int decode_refusals(uint64_t refused[TALLY_REFUSAL_COUNT], yyjson_val *from)
{
    int err = 0;

    for (unsigned i = 0; i < TALLY_REFUSAL_COUNT && err == 0; i++)
        err = tally_codec_get_count(from, tally_refusal_name((enum tally_refusal)i), &refused[i]);
    return err;
}

#define BUDGET_SUMS(X) X(count) X(unattributed) X(response_ns)
_Static_assert(sizeof(struct budget) == (3 + BUDGET_PART_COUNT) * sizeof(uint64_t),
               "all of a budget travels");

static bool encode_budget(doc_t *d, val_t *to, const struct budget *t)
{
    val_t *parts = yyjson_mut_obj_add_obj(d, to, "parts");
    bool ok = true;

    BUDGET_SUMS(ADD_COUNT)
    for (unsigned i = 0; i < BUDGET_PART_COUNT; i++)
        ok = ok && yyjson_mut_obj_add_uint(d, parts, budget_part_name((enum budget_part)i),
                                           t->part_ns[i]);
    return ok;
}

static int decode_budget(struct budget *t, yyjson_val *from)
{
    yyjson_val *parts = yyjson_obj_get(from, "parts");
    int err = 0;

    BUDGET_SUMS(GET_COUNT)
    for (unsigned i = 0; i < BUDGET_PART_COUNT && err == 0; i++)
        err = tally_codec_get_count(parts, budget_part_name((enum budget_part)i), &t->part_ns[i]);
    return err;
}

static bool encode_group(doc_t *d, val_t *group, const struct tally_group *t)
{
    val_t *to = yyjson_mut_obj_add_obj(d, group, "histograms");
    bool ok = true;

    TALLY_GROUP_HISTOGRAMS(ADD_HIST)
    to = yyjson_mut_obj_add_obj(d, group, "counts");
    TALLY_GROUP_COUNTS(ADD_COUNT)
    return ok && yyjson_mut_obj_add_uint(d, group, "storms", t->storms);
}

static int decode_group(struct tally_group *t, yyjson_val *group)
{
    yyjson_val *from = yyjson_obj_get(group, "histograms");
    int err = 0;

    TALLY_GROUP_HISTOGRAMS(GET_HIST)
    from = yyjson_obj_get(group, "counts");
    TALLY_GROUP_COUNTS(GET_COUNT)
    return err ? err : tally_codec_get_count(group, "storms", &t->storms);
}

#define STAGE_HISTOGRAMS(X) X(response) X(schedule_lag)
#define STAGE_COUNTS(X) X(offered) X(sent) X(delivered)
_Static_assert(sizeof(struct stage_tally) == 2 * sizeof(struct hist) + 3 * sizeof(uint64_t),
               "all of a stage travels");

static bool encode_stage(doc_t *d, val_t *stage, const struct stage_tally *t)
{
    val_t *to = yyjson_mut_obj_add_obj(d, stage, "histograms");
    bool ok = true;

    STAGE_HISTOGRAMS(ADD_HIST)
    to = yyjson_mut_obj_add_obj(d, stage, "counts");
    STAGE_COUNTS(ADD_COUNT)
    return ok;
}

static int decode_stage(struct stage_tally *t, yyjson_val *stage)
{
    yyjson_val *from = yyjson_obj_get(stage, "histograms");
    int err = 0;

    STAGE_HISTOGRAMS(GET_HIST)
    from = yyjson_obj_get(stage, "counts");
    STAGE_COUNTS(GET_COUNT)
    return err;
}

// ---- the whole ----------------------------------------------------------------------------------

val_t *tally_codec_encode(doc_t *d, const struct tally *t)
{
    val_t *all = yyjson_mut_obj(d), *list;
    val_t *to = yyjson_mut_obj_add_obj(d, all, "histograms");
    bool ok = true;

    TALLY_HISTOGRAMS(ADD_HIST)
    to = yyjson_mut_obj_add_obj(d, all, "counts");
    TALLY_COUNTS(ADD_COUNT)
    ok = ok && yyjson_mut_obj_add_uint(d, all, "window_ns", t->window_ns);
    ok = ok && encode_ledger(d, yyjson_mut_obj_add_obj(d, all, "ledger"), &t->ledger);
    ok = ok && encode_refusals(d, yyjson_mut_obj_add_obj(d, all, "refused"), t->refused);
    ok = ok && encode_budget(d, yyjson_mut_obj_add_obj(d, all, "budget"), &t->budget);
    list = yyjson_mut_obj_add_arr(d, all, "groups");
    for (uint32_t i = 0; i < t->group_count && ok; i++)
        ok = encode_group(d, yyjson_mut_arr_add_obj(d, list), &t->groups[i]);
    list = yyjson_mut_obj_add_arr(d, all, "stages");
    for (uint32_t i = 0; i < t->stage_count && ok; i++)
        ok = encode_stage(d, yyjson_mut_arr_add_obj(d, list), &t->stages[i]);
    return ok ? all : NULL;
}

static int decode_lists(struct tally *t, yyjson_val *all)
{
    yyjson_val *groups = yyjson_obj_get(all, "groups");
    yyjson_val *stages = yyjson_obj_get(all, "stages"), *item;
    size_t i, count;
    int err = 0;

    if (!yyjson_is_arr(groups) || yyjson_arr_size(groups) != t->group_count ||
        !yyjson_is_arr(stages) || yyjson_arr_size(stages) != t->stage_count)
        return -EBADMSG;
    yyjson_arr_foreach(groups, i, count, item)
    {
        err = err ? err : decode_group(&t->groups[i], item);
    }
    yyjson_arr_foreach(stages, i, count, item)
    {
        err = err ? err : decode_stage(&t->stages[i], item);
    }
    return err;
}

int tally_codec_decode(struct tally *t, yyjson_val *all)
{
    yyjson_val *from = yyjson_obj_get(all, "histograms");
    int err = 0;

    TALLY_HISTOGRAMS(GET_HIST)
    from = yyjson_obj_get(all, "counts");
    TALLY_COUNTS(GET_COUNT)
    err = err ? err : tally_codec_get_count(all, "window_ns", &t->window_ns);
    err = err ? err : decode_ledger(&t->ledger, yyjson_obj_get(all, "ledger"));
    err = err ? err : decode_refusals(t->refused, yyjson_obj_get(all, "refused"));
    err = err ? err : decode_budget(&t->budget, yyjson_obj_get(all, "budget"));
    return err ? err : decode_lists(t, all);
}
