// The directory of connected mailboxes over liburcu's lock-free hash table, QSBR flavour: a reader
// pays no barrier; workers announce a quiescent state once per loop turn.
#include "mailbox.h"

#include <urcu-qsbr.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/rculfhash.h>

struct entry {
    struct cds_lfht_node node;
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    struct peer peer;
    struct entry *next_removed;
};

struct mailbox_directory {
    struct cds_lfht *table;
    struct entry *removed; // unlinked, maybe still read
    uint64_t key[2]; // hash key: clients choose their mailbox ids and must not aim at a bucket
};

// Multiply-and-fold of both halves with secret keys.
static unsigned long hash_of(const struct mailbox_directory *d, const uint8_t *mailbox)
{
    uint64_t a, b;
    unsigned __int128 product;

    memcpy(&a, mailbox, 8);
    memcpy(&b, mailbox + 8, 8);
    product = (unsigned __int128)(a ^ d->key[0]) * (b ^ d->key[1]);
    return (unsigned long)((uint64_t)product ^ (uint64_t)(product >> 64));
}

static int matches(struct cds_lfht_node *node, const void *mailbox)
{
    const struct entry *e = CONTAINER_OF(node, struct entry, node);

    return memcmp(e->mailbox, mailbox, WIRE_MAILBOX_BYTES) == 0;
}

struct mailbox_directory *mailbox_directory_create(uint32_t expected)
{
    struct mailbox_directory *d = calloc(1, sizeof *d);
    unsigned long buckets = 64;

    if (!d)
        return NULL;
    while (buckets < expected)
        buckets *= 2;
    randombytes_buf(d->key, sizeof d->key);
    // No automatic resizing: it would bring a helper thread of its own, and the bound is known.
    d->table = cds_lfht_new_flavor(buckets, buckets, buckets, 0, &urcu_qsbr_flavor, NULL);
    if (!d->table) {
        free(d);
        return NULL;
    }
    return d;
}

void mailbox_reclaim(struct mailbox_directory *d)
{
    if (!d->removed)
        return;
    urcu_qsbr_synchronize_rcu();
    while (d->removed) {
        struct entry *e = d->removed;

        d->removed = e->next_removed;
        free(e);
    }
}

void mailbox_directory_destroy(struct mailbox_directory *d)
{
    struct cds_lfht_iter iter;
    struct entry *e;

    if (!d)
        return;
    urcu_qsbr_register_thread(); // the main thread, at the end
    urcu_qsbr_read_lock();
    cds_lfht_for_each_entry(d->table, &iter, e, node)
    {
        if (cds_lfht_del(d->table, &e->node) == 0) {
            e->next_removed = d->removed;
            d->removed = e;
        }
    }
    urcu_qsbr_read_unlock();
    urcu_qsbr_thread_offline();
    mailbox_reclaim(d);
    urcu_qsbr_thread_online();
    cds_lfht_destroy(d->table, NULL);
    urcu_qsbr_unregister_thread();
    sodium_memzero(d->key, sizeof d->key);
    free(d);
}

int mailbox_attach(struct mailbox_directory *d, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                   struct peer peer)
{
    struct entry *e = malloc(sizeof *e);
    struct cds_lfht_node *old;

    if (!e)
        return -ENOMEM;
    cds_lfht_node_init(&e->node);
    memcpy(e->mailbox, mailbox, WIRE_MAILBOX_BYTES);
    e->peer = peer;
    urcu_qsbr_read_lock();
    old = cds_lfht_add_replace(d->table, hash_of(d, mailbox), matches, mailbox, &e->node);
    urcu_qsbr_read_unlock();
    if (old) {
        struct entry *replaced = CONTAINER_OF(old, struct entry, node);

        replaced->next_removed = d->removed;
        d->removed = replaced;
    }
    return 0;
}

static struct entry *lookup(struct mailbox_directory *d, const uint8_t *mailbox)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(d->table, hash_of(d, mailbox), matches, mailbox, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? CONTAINER_OF(node, struct entry, node) : NULL;
}

void mailbox_detach(struct mailbox_directory *d, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                    struct peer peer)
{
    struct entry *e;

    urcu_qsbr_read_lock();
    e = lookup(d, mailbox);
    if (e && peer_is_same(e->peer, peer) && cds_lfht_del(d->table, &e->node) == 0) {
        e->next_removed = d->removed;
        d->removed = e;
    }
    urcu_qsbr_read_unlock();
}

bool mailbox_find(struct mailbox_directory *d, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                  struct peer *out)
{
    const struct entry *e;

    urcu_qsbr_read_lock();
    e = lookup(d, mailbox);
    if (e)
        *out = e->peer;
    urcu_qsbr_read_unlock();
    return e != NULL;
}
