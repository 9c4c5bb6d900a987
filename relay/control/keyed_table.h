// A hash table of intrusive nodes whose hash has a random key (SipHash), so that hostile names and
// ids cannot be made to collide. The bucket array is sized once and touched lazily: adding never
// fails and never moves anything.
// Thread: one; the control thread here.
#ifndef SEALPOST_KEYED_TABLE_H
#define SEALPOST_KEYED_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "units.h"

struct keyed_node {
    struct keyed_node *next;
};

struct keyed_table {
    struct keyed_node **buckets;
    uint64_t mask;
    uint8_t key[crypto_shorthash_KEYBYTES];
};

// Room for `expected` nodes at about one in a bucket; more only make the chains longer.
// Errors: -ENOMEM.
NODISCARD int keyed_table_init(struct keyed_table *t, uint64_t expected);
void keyed_table_free(struct keyed_table *t);

// Where the chain of this key begins: the caller walks it and compares.
struct keyed_node **keyed_table_find_bucket(const struct keyed_table *t, const void *key,
                                            size_t len);

static inline void keyed_table_push(struct keyed_node **bucket, struct keyed_node *node)
{
    node->next = *bucket;
    *bucket = node;
}

// The node must be in this bucket.
void keyed_table_remove(struct keyed_node **bucket, const struct keyed_node *node);

#endif
