// The keyed hash table: buckets, hash, removal. Control thread. Never allocates after init.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "keyed_table.h"

int keyed_table_init(struct keyed_table *t, uint64_t expected)
{
    uint64_t count = 16;

    while (count < expected && count < UINT64_C(1) << 32)
        count *= 2;
    // Large callocs are zero pages until they are written: an empty table costs nothing.
    t->buckets = calloc(count, sizeof(struct keyed_node *));
    if (!t->buckets)
        return -ENOMEM;
    t->mask = count - 1;
    crypto_shorthash_keygen(t->key);
    return 0;
}

void keyed_table_free(struct keyed_table *t)
{
    free(t->buckets);
    t->buckets = NULL;
}

struct keyed_node **keyed_table_find_bucket(const struct keyed_table *t, const void *key,
                                            size_t len)
{
    uint64_t hash;

    static_assert(sizeof hash == crypto_shorthash_BYTES, "one word of hash");
    crypto_shorthash((uint8_t *)&hash, key, len, t->key);
    return &t->buckets[hash & t->mask];
}

void keyed_table_remove(struct keyed_node **bucket, const struct keyed_node *node)
{
    while (*bucket != node) {
        assert(*bucket);
        bucket = &(*bucket)->next;
    }
    *bucket = node->next;
}
