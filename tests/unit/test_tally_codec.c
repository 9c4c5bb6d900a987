// Tallies as JSON: no field is forgotten, none is taken for another, and merging what travelled is
// merging what was there.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tally_codec.h"

static uint64_t seed;

// Another value for each field.
static uint64_t next(void)
{
    return ++seed;
}

static void fill_hist(struct hist *h)
{
    hist_record_many(h, next() * 1000, next());
    hist_record(h, next() * 100000);
}

static void make(struct tally *t)
{
    cr_assert_eq(tally_init(t), 0);
    cr_assert_eq(tally_add_stages(t, 2), 0);
    cr_assert_eq(tally_add_groups(t, 3), 0);
}

static void fill(struct tally *t)
{
    make(t);
#define X(name) fill_hist(&t->name);
    TALLY_HISTOGRAMS(X)
#undef X
    // Everything behind the histograms is a count.
    for (uint64_t *at = (uint64_t *)&t->ledger; at < (uint64_t *)(t + 1); at++)
        *at = next();
    for (unsigned i = 0; i < 2; i++) {
        struct stage_tally *s = &t->stages[i];

        fill_hist(&s->response);
        fill_hist(&s->schedule_lag);
        for (uint64_t *at = (uint64_t *)(&s->schedule_lag + 1); at < (uint64_t *)(s + 1); at++)
            *at = next();
    }
    for (unsigned i = 0; i < 3; i++) {
        struct tally_group *g = &t->groups[i];
#define X(name) fill_hist(&g->name);
        TALLY_GROUP_HISTOGRAMS(X)
#undef X
#define X(name) g->name = next();
        TALLY_GROUP_COUNTS(X)
#undef X
        g->storms = next();
    }
}

static void assert_same_hist(const struct hist *a, const struct hist *b, const char *name)
{
    cr_assert(a->total == b->total && a->min == b->min && a->max == b->max &&
                  memcmp(&a->sum, &b->sum, sizeof a->sum) == 0 &&
                  memcmp(a->counts, b->counts, a->bucket_count * sizeof *a->counts) == 0,
              "%s", name);
}

static void assert_same(const struct tally *a, const struct tally *b)
{
#define X(name) assert_same_hist(&a->name, &b->name, #name);
    TALLY_HISTOGRAMS(X)
#undef X
    cr_assert_eq(memcmp(&a->ledger, &b->ledger, sizeof *a - offsetof(struct tally, ledger)), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_same_hist(&a->stages[i].response, &b->stages[i].response, "stage");
        assert_same_hist(&a->stages[i].schedule_lag, &b->stages[i].schedule_lag, "stage");
        cr_assert_eq(a->stages[i].offered, b->stages[i].offered);
        cr_assert_eq(a->stages[i].sent, b->stages[i].sent);
        cr_assert_eq(a->stages[i].delivered, b->stages[i].delivered);
    }
    for (unsigned i = 0; i < 3; i++) {
#define X(name) assert_same_hist(&a->groups[i].name, &b->groups[i].name, #name);
        TALLY_GROUP_HISTOGRAMS(X)
#undef X
#define X(name) cr_assert_eq(a->groups[i].name, b->groups[i].name, #name);
        TALLY_GROUP_COUNTS(X)
#undef X
        cr_assert_eq(a->groups[i].storms, b->groups[i].storms);
    }
}

// As it travels: written as text, read again.
static int travel(struct tally *to, const struct tally *from, const char *without)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *value = tally_codec_encode(d, from);
    yyjson_doc *read;
    size_t len;
    char *text;
    int err;

    cr_assert_not_null(value);
    if (without)
        cr_assert_not_null(yyjson_mut_obj_remove_key(value, without));
    yyjson_mut_doc_set_root(d, value);
    text = yyjson_mut_write(d, 0, &len);
    read = yyjson_read(text, len, 0);
    err = tally_codec_decode(to, yyjson_doc_get_root(read));
    yyjson_doc_free(read);
    free(text);
    yyjson_mut_doc_free(d);
    return err;
}

Test(tally_codec, round_trip_of_every_field)
{
    static struct tally from, to;

    fill(&from);
    make(&to);
    cr_assert_eq(travel(&to, &from, NULL), 0);
    assert_same(&from, &to);
    tally_free(&from);
    tally_free(&to);
}

Test(tally_codec, merge_of_what_travelled)
{
    static struct tally a, b, whole, from_a, from_b, merged;

    fill(&a);
    fill(&b);
    make(&whole);
    make(&merged);
    make(&from_a);
    make(&from_b);
    cr_assert_eq(travel(&from_a, &a, NULL), 0);
    cr_assert_eq(travel(&from_b, &b, NULL), 0);
    tally_merge(&whole, &a);
    tally_merge(&whole, &b);
    tally_merge(&merged, &from_a);
    tally_merge(&merged, &from_b);
    assert_same(&whole, &merged);
}

Test(tally_codec, a_missing_member_is_refused)
{
    static const char *const members[] = {"histograms", "counts", "ledger", "refused",
                                          "budget",     "groups", "stages", "window_ns"};
    static struct tally from, to;

    fill(&from);
    make(&to);
    for (unsigned i = 0; i < sizeof members / sizeof *members; i++)
        cr_assert_eq(travel(&to, &from, members[i]), -EBADMSG, "%s", members[i]);
}

Test(tally_codec, other_stages_and_groups_are_refused)
{
    static struct tally from, to;

    fill(&from);
    cr_assert_eq(tally_init(&to), 0);
    cr_assert_eq(tally_add_stages(&to, 2), 0);
    cr_assert_eq(tally_add_groups(&to, 2), 0);
    cr_assert_eq(travel(&to, &from, NULL), -EBADMSG);
}

Test(tally_codec, buckets_of_other_types_are_refused)
{
    static const char *const texts[] = {"1", "\"*\"", "\"AA\"", "null", "\"AQ==\""};
    uint64_t counts[8];

    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        yyjson_doc *d = yyjson_read(texts[i], strlen(texts[i]), 0);

        cr_assert_eq(tally_codec_decode_buckets(counts, 8, yyjson_doc_get_root(d)), -EBADMSG, "%s",
                     texts[i]);
        yyjson_doc_free(d);
    }
}
