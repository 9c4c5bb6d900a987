// The offline queue: limits by name, order, expiry, and a long random run against a naive model.
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#include "relay/control/store.h"
#include "relay/limits.h"

static const struct store_limits roomy = {
    .mailbox_envelopes = 1024, .mailbox_bytes = 8 * MIB, .total_bytes = 64 * MIB};

static void id_of(uint8_t out[16], uint32_t number)
{
    memset(out, 0, 16);
    store_be32(out, number);
}

static enum store_result put(struct store *s, uint32_t mailbox, uint32_t message,
                             const uint8_t *bytes, uint32_t len, uint64_t expires_ns)
{
    struct store_entry entry = {.envelope = bytes, .len = len};
    uint8_t box[16], id[16];

    id_of(box, mailbox);
    id_of(id, message);
    return store_put(s, box, id, &entry, expires_ns);
}

static struct store *create(const struct store_limits *limits)
{
    struct store *s;

    cr_assert_geq(sodium_init(), 0);
    s = store_create(limits);
    cr_assert_not_null(s);
    return s;
}

Test(store_memory, put_keeps_a_copy_and_the_receipt)
{
    struct store *s = create(&roomy);
    uint8_t bytes[3] = {1, 2, 3};
    struct store_entry in = {.envelope = bytes,
                             .len = 3,
                             .receipt = true,
                             .receipt_to = {.slot = 7, .generation = 8, .worker = 1}};
    struct store_entry out;
    uint8_t box[16], id[16];

    id_of(box, 1);
    id_of(id, 2);
    cr_assert_not(store_next(s, box, 0, &out));
    cr_assert_eq(store_put(s, box, id, &in, 100), STORE_OK);
    bytes[0] = 9;
    cr_assert(store_next(s, box, 0, &out));
    cr_assert_arr_eq(out.envelope, ((uint8_t[]){1, 2, 3}), 3);
    cr_assert_eq(out.len, 3);
    cr_assert(out.receipt && peer_is_same(out.receipt_to, in.receipt_to));
    cr_assert_not(store_next(s, box, out.sequence, &out));
    cr_assert(store_delete(s, box, id, &out));
    cr_assert_null(out.envelope);
    cr_assert(out.receipt && peer_is_same(out.receipt_to, in.receipt_to));
    cr_assert_not(store_delete(s, box, id, &out));
    store_destroy(s);
}

Test(store_memory, put_duplicate_turns_the_receipt_only)
{
    struct store *s = create(&roomy);
    struct store_entry first = {.envelope = (const uint8_t *)"a", .len = 1};
    struct store_entry again = {
        .envelope = (const uint8_t *)"bb", .len = 2, .receipt = true, .receipt_to = {.slot = 5}};
    struct store_entry out;
    uint8_t box[16], id[16];

    id_of(box, 1);
    id_of(id, 2);
    cr_assert_eq(store_put(s, box, id, &first, 100), STORE_OK);
    cr_assert_eq(store_put(s, box, id, &again, 100), STORE_DUPLICATE);
    cr_assert_eq(store_put(s, box, id, &first, 100), STORE_DUPLICATE);
    cr_assert_eq(store_count(s, box), 1);
    cr_assert(store_next(s, box, 0, &out));
    cr_assert_eq(out.len, 1);
    cr_assert(out.receipt && out.receipt_to.slot == 5);
    // The same id in another mailbox is another envelope.
    cr_assert_eq(put(s, 2, 2, (const uint8_t *)"c", 1, 100), STORE_OK);
    store_destroy(s);
}

Test(store_memory, put_refuses_over_each_limit)
{
    static uint8_t bytes[1000];
    struct store_limits limits = {
        .mailbox_envelopes = 3, .mailbox_bytes = 2000, .total_bytes = 6000};
    struct store *s = create(&limits);
    uint8_t box[16], id[16];
    uint32_t stored = 0;

    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(put(s, 1, i, bytes, 10, 100), STORE_OK);
    cr_assert_eq(put(s, 1, 3, bytes, 10, 100), STORE_MAILBOX_FULL);
    cr_assert_eq(put(s, 1, 0, bytes, 10, 100), STORE_DUPLICATE);
    cr_assert_eq(put(s, 2, 0, bytes, 1000, 100), STORE_OK);
    cr_assert_eq(put(s, 2, 1, bytes, 1000, 100), STORE_OK);
    cr_assert_eq(put(s, 2, 2, bytes, 1, 100), STORE_MAILBOX_FULL);
    while (put(s, 10 + stored, 0, bytes, 500, 100) == STORE_OK)
        stored++;
    cr_assert_eq(put(s, 999, 0, bytes, 500, 100), STORE_FULL);
    // What is full is usable again after a deletion.
    id_of(box, 2);
    id_of(id, 0);
    cr_assert(store_delete(s, box, id, NULL));
    cr_assert_eq(put(s, 999, 0, bytes, 500, 100), STORE_OK);
    store_destroy(s);
}

Test(store_memory, put_charges_what_an_entry_really_takes)
{
    struct store_limits limits = {
        .mailbox_envelopes = 1024, .mailbox_bytes = 8 * MIB, .total_bytes = 1 * MIB};
    struct store *s = create(&limits);
    uint32_t stored = 0;

    while (put(s, stored, 0, (const uint8_t *)"x", 1, 100) == STORE_OK)
        stored++;
    cr_assert_gt(stored, 3000);
    cr_assert_lt(stored, MIB / 150);
    store_destroy(s);
}

Test(store_memory, expire_deletes_the_longest_expired_first)
{
    struct store *s = create(&roomy);
    static const uint64_t times[] = {50, 20, 70, 10, 40, 30, 60};
    struct store_entry out;
    uint8_t box[16], expected[16];

    for (uint32_t i = 0; i < COUNT_OF(times); i++)
        cr_assert_eq(put(s, (uint32_t)times[i], i, (const uint8_t *)"seven b", i + 1, times[i]),
                     STORE_OK);
    cr_assert_not(store_expire(s, 9, box, &out));
    for (uint32_t at = 10; at <= 40; at += 10) {
        cr_assert(store_expire(s, 40, box, &out));
        id_of(expected, at);
        cr_assert_arr_eq(box, expected, 16);
        cr_assert_eq(times[out.len - 1], at);
    }
    cr_assert_not(store_expire(s, 49, box, &out));
    store_destroy(s);
}

// The model: a plain array, searched from the front.

enum { MODEL_MAX = 4096, MAILBOXES = 6, MESSAGES = 64 };

struct model_entry {
    uint32_t mailbox, message, len;
    uint64_t sequence, expires_ns;
    uint8_t fill;
};

struct model {
    struct model_entry entries[MODEL_MAX]; // in the order put
    uint32_t count;
};

static struct model_entry *model_find(struct model *m, uint32_t mailbox, uint32_t message)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->entries[i].mailbox == mailbox && m->entries[i].message == message)
            return &m->entries[i];
    }
    return NULL;
}

static void model_remove(struct model *m, struct model_entry *entry)
{
    size_t index = (size_t)(entry - m->entries);

    m->count--;
    memmove(entry, entry + 1, (m->count - index) * sizeof *entry);
}

static void model_sums(const struct model *m, uint32_t mailbox, uint32_t *count, uint64_t *bytes)
{
    *count = 0;
    *bytes = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->entries[i].mailbox == mailbox) {
            *count += 1;
            *bytes += m->entries[i].len;
        }
    }
}

static void check_mailbox(struct store *s, const struct model *m, uint32_t mailbox)
{
    struct store_entry out = {.sequence = 0};
    uint64_t bytes;
    uint32_t count;
    uint8_t box[16];

    id_of(box, mailbox);
    model_sums(m, mailbox, &count, &bytes);
    cr_assert_eq(store_count(s, box), count);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct model_entry *expected = &m->entries[i];

        if (expected->mailbox != mailbox)
            continue;
        cr_assert(store_next(s, box, out.sequence, &out));
        cr_assert_eq(out.sequence, expected->sequence);
        cr_assert_eq(out.len, expected->len);
        cr_assert_eq(out.envelope[0], expected->fill);
        cr_assert_eq(out.envelope[out.len - 1], expected->fill);
    }
    cr_assert_not(store_next(s, box, out.sequence, &out));
}

static void random_put(struct store *s, struct model *m, const struct store_limits *limits,
                       uint64_t now_ns)
{
    struct model_entry new = {.mailbox = (uint32_t)rand() % MAILBOXES,
                              .message = (uint32_t)rand() % MESSAGES,
                              .len = 1 + (uint32_t)rand() % 300,
                              .expires_ns = now_ns + (uint64_t)rand() % 400,
                              .fill = (uint8_t)rand()};
    enum store_result expected = STORE_OK;
    struct store_entry last = {.sequence = 0};
    uint8_t bytes[300];
    uint8_t box[16];
    uint64_t sum;
    uint32_t count;

    model_sums(m, new.mailbox, &count, &sum);
    if (model_find(m, new.mailbox, new.message))
        expected = STORE_DUPLICATE;
    else if (count == limits->mailbox_envelopes || sum + new.len > limits->mailbox_bytes)
        expected = STORE_MAILBOX_FULL;
    memset(bytes, new.fill, sizeof bytes);
    cr_assert_eq(put(s, new.mailbox, new.message, bytes, new.len, new.expires_ns), expected);
    if (expected != STORE_OK)
        return;
    // Its sequence is the last one of the mailbox.
    id_of(box, new.mailbox);
    while (store_next(s, box, last.sequence, &last))
        new.sequence = last.sequence;
    m->entries[m->count++] = new;
}

static void random_delete(struct store *s, struct model *m)
{
    uint32_t mailbox = (uint32_t)rand() % MAILBOXES;
    uint32_t message = (uint32_t)rand() % MESSAGES;
    struct model_entry *expected = model_find(m, mailbox, message);
    struct store_entry out;
    uint8_t box[16], id[16];

    id_of(box, mailbox);
    id_of(id, message);
    cr_assert_eq(store_delete(s, box, id, &out), expected != NULL);
    if (expected) {
        cr_assert_eq(out.sequence, expected->sequence);
        cr_assert_eq(out.len, expected->len);
        model_remove(m, expected);
    }
}

static void expire_all(struct store *s, struct model *m, uint64_t now_ns)
{
    struct store_entry out;
    uint64_t last_ns = 0;
    uint8_t box[16];

    while (store_expire(s, now_ns, box, &out)) {
        struct model_entry *expected = NULL;

        for (uint32_t i = 0; i < m->count && !expected; i++) {
            if (m->entries[i].mailbox == load_be32(box) && m->entries[i].sequence == out.sequence)
                expected = &m->entries[i];
        }
        cr_assert_not_null(expected);
        cr_assert_leq(expected->expires_ns, now_ns);
        cr_assert_geq(expected->expires_ns, last_ns);
        last_ns = expected->expires_ns;
        model_remove(m, expected);
    }
    for (uint32_t i = 0; i < m->count; i++)
        cr_assert_gt(m->entries[i].expires_ns, now_ns);
}

Test(store_memory, all_agrees_with_a_naive_model)
{
    static struct model model;
    struct store_limits limits = {
        .mailbox_envelopes = 40, .mailbox_bytes = 5000, .total_bytes = 1 * MIB};
    struct store *s = create(&limits);
    uint64_t now_ns = 1;

    srand(20240501);
    for (uint32_t step = 0; step < 60000; step++) {
        int what = rand() % 100;

        if (what < 60)
            random_put(s, &model, &limits, now_ns);
        else if (what < 95)
            random_delete(s, &model);
        else
            expire_all(s, &model, now_ns += (uint64_t)rand() % 40);
        if (step % 64 == 0) {
            for (uint32_t box = 0; box < MAILBOXES; box++)
                check_mailbox(s, &model, box);
        }
    }
    expire_all(s, &model, UINT64_MAX);
    cr_assert_eq(model.count, 0);
    store_destroy(s);
}
