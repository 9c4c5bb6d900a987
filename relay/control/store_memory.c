// The offline queue in memory. Control thread. Survives disconnects, not a restart.
// Every entry is in four places at once: its mailbox's list (order of delivery), the table of ids
// (acknowledgement), the heap (expiry), and the byte counts. link_entry and unlink_entry keep them
// together; a mailbox exists while it holds an entry.
#include <assert.h>
#include <stdlib.h>

#include "keyed_table.h"
#include "list.h"
#include "store.h"

struct stored_mailbox {
    struct keyed_node by_id;
    struct list entries; // rising sequence
    uint64_t bytes;
    uint32_t count;
    uint8_t id[WIRE_MAILBOX_BYTES];
};

// What an entry is found by.
struct entry_key {
    uint8_t mailbox[WIRE_MAILBOX_BYTES];
    uint8_t message_id[WIRE_MESSAGE_ID_BYTES];
};

struct stored_entry {
    struct keyed_node by_key;
    struct list in_mailbox;
    struct stored_mailbox *mailbox;
    uint64_t sequence;
    uint64_t expires_ns;
    struct entry_key key;
    struct peer receipt_to;
    uint32_t heap_index;
    uint32_t len;
    bool receipt;
    uint8_t envelope[];
};

// What one entry takes beside its envelope, at worst: itself, a mailbox of its own, the
// allocator's share of both, a place in the heap. Counted, so that total_bytes bounds real memory.
#define ENTRY_OVERHEAD_BYTES                                                                       \
    (sizeof(struct stored_entry) + sizeof(struct stored_mailbox) + 2 * 16 + sizeof(void *))

struct store {
    struct store_limits limits;
    struct keyed_table mailboxes;
    struct keyed_table entries;
    struct stored_entry **heap; // smallest expires_ns first; room for all total_bytes allows
    uint32_t heap_count;
    uint32_t heap_max;
    uint64_t bytes;
    uint64_t last_sequence;
};

static uint64_t compute_charge_bytes(uint32_t len)
{
    return len + ENTRY_OVERHEAD_BYTES;
}

static struct stored_mailbox *find_mailbox(const struct store *s,
                                           const uint8_t id[WIRE_MAILBOX_BYTES])
{
    struct keyed_node *node = *keyed_table_find_bucket(&s->mailboxes, id, WIRE_MAILBOX_BYTES);

    for (; node; node = node->next) {
        struct stored_mailbox *mailbox = CONTAINER_OF(node, struct stored_mailbox, by_id);

        if (!memcmp(mailbox->id, id, WIRE_MAILBOX_BYTES))
            return mailbox;
    }
    return NULL;
}

static struct stored_entry *find_entry(const struct store *s, const struct entry_key *key)
{
    struct keyed_node *node = *keyed_table_find_bucket(&s->entries, key, sizeof *key);

    for (; node; node = node->next) {
        struct stored_entry *entry = CONTAINER_OF(node, struct stored_entry, by_key);

        if (!memcmp(&entry->key, key, sizeof *key))
            return entry;
    }
    return NULL;
}

// The heap: a parent expires no later than its two children; each entry knows its place.

static void place(struct store *s, uint32_t index, struct stored_entry *entry)
{
    s->heap[index] = entry;
    entry->heap_index = index;
}

static void sift_up(struct store *s, struct stored_entry *entry, uint32_t index)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;

        if (s->heap[parent]->expires_ns <= entry->expires_ns)
            break;
        place(s, index, s->heap[parent]);
        index = parent;
    }
    place(s, index, entry);
}

static void sift_down(struct store *s, struct stored_entry *entry, uint32_t index)
{
    for (;;) {
        uint32_t child = 2 * index + 1;

        if (child >= s->heap_count)
            break;
        if (child + 1 < s->heap_count &&
            s->heap[child + 1]->expires_ns < s->heap[child]->expires_ns)
            child++;
        if (entry->expires_ns <= s->heap[child]->expires_ns)
            break;
        place(s, index, s->heap[child]);
        index = child;
    }
    place(s, index, entry);
}

static void heap_push(struct store *s, struct stored_entry *entry)
{
    assert(s->heap_count < s->heap_max);
    sift_up(s, entry, s->heap_count++);
}

static void heap_remove(struct store *s, const struct stored_entry *entry)
{
    uint32_t index = entry->heap_index;
    struct stored_entry *last = s->heap[--s->heap_count];

    assert(s->heap[index] == entry);
    if (last == entry)
        return;
    sift_down(s, last, index);
    sift_up(s, last, last->heap_index);
}

static void link_entry(struct store *s, struct stored_mailbox *mailbox, struct stored_entry *entry)
{
    entry->mailbox = mailbox;
    list_push(&mailbox->entries, &entry->in_mailbox);
    keyed_table_push(keyed_table_find_bucket(&s->entries, &entry->key, sizeof entry->key),
                     &entry->by_key);
    heap_push(s, entry);
    mailbox->count++;
    mailbox->bytes += entry->len;
    s->bytes += compute_charge_bytes(entry->len);
}

// Take the entry out of every place and free it, and its mailbox when that was its last.
static void unlink_entry(struct store *s, struct stored_entry *entry, struct store_entry *out)
{
    struct stored_mailbox *mailbox = entry->mailbox;

    if (out) {
        *out = (struct store_entry){.sequence = entry->sequence,
                                    .len = entry->len,
                                    .receipt_to = entry->receipt_to,
                                    .receipt = entry->receipt};
    }
    heap_remove(s, entry);
    keyed_table_remove(keyed_table_find_bucket(&s->entries, &entry->key, sizeof entry->key),
                       &entry->by_key);
    list_remove(&entry->in_mailbox);
    mailbox->count--;
    mailbox->bytes -= entry->len;
    s->bytes -= compute_charge_bytes(entry->len);
    free(entry);
    if (mailbox->count == 0) {
        assert(mailbox->bytes == 0);
        keyed_table_remove(keyed_table_find_bucket(&s->mailboxes, mailbox->id, sizeof mailbox->id),
                           &mailbox->by_id);
        free(mailbox);
    }
}

static struct stored_mailbox *add_mailbox(struct store *s, const uint8_t id[WIRE_MAILBOX_BYTES])
{
    struct stored_mailbox *mailbox = malloc(sizeof *mailbox);

    if (!mailbox)
        return NULL;
    list_init(&mailbox->entries);
    mailbox->bytes = 0;
    mailbox->count = 0;
    memcpy(mailbox->id, id, WIRE_MAILBOX_BYTES);
    keyed_table_push(keyed_table_find_bucket(&s->mailboxes, id, WIRE_MAILBOX_BYTES),
                     &mailbox->by_id);
    return mailbox;
}

static enum store_result check_limits(const struct store *s, const struct stored_mailbox *mailbox,
                                      uint32_t len)
{
    uint32_t count = mailbox ? mailbox->count : 0;
    uint64_t bytes = mailbox ? mailbox->bytes : 0;

    if (count >= s->limits.mailbox_envelopes || bytes + len > s->limits.mailbox_bytes)
        return STORE_MAILBOX_FULL;
    if (s->bytes + compute_charge_bytes(len) > s->limits.total_bytes)
        return STORE_FULL;
    return STORE_OK;
}

struct store *store_create(const struct store_limits *limits)
{
    struct store *s = calloc(1, sizeof *s);
    uint64_t max = limits->total_bytes / ENTRY_OVERHEAD_BYTES + 1;

    if (!s)
        return NULL;
    assert(max < UINT32_MAX);
    s->limits = *limits;
    s->heap_max = (uint32_t)max;
    s->heap = malloc(max * sizeof(struct stored_entry *));
    if (!s->heap || keyed_table_init(&s->mailboxes, max) || keyed_table_init(&s->entries, max)) {
        store_destroy(s);
        return NULL;
    }
    return s;
}

void store_destroy(struct store *s)
{
    if (!s)
        return;
    while (s->heap_count > 0)
        unlink_entry(s, s->heap[s->heap_count - 1], NULL);
    keyed_table_free(&s->entries);
    keyed_table_free(&s->mailboxes);
    free(s->heap);
    free(s);
}

enum store_result store_put(struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                            const uint8_t message_id[WIRE_MESSAGE_ID_BYTES],
                            const struct store_entry *entry, uint64_t expires_ns)
{
    struct stored_mailbox *box = find_mailbox(s, mailbox);
    enum store_result result;
    struct stored_entry *kept;
    struct entry_key key;

    memcpy(key.mailbox, mailbox, WIRE_MAILBOX_BYTES);
    memcpy(key.message_id, message_id, WIRE_MESSAGE_ID_BYTES);
    kept = box ? find_entry(s, &key) : NULL;
    if (kept) {
        if (entry->receipt) {
            kept->receipt = true;
            kept->receipt_to = entry->receipt_to;
        }
        return STORE_DUPLICATE;
    }
    result = check_limits(s, box, entry->len);
    if (result != STORE_OK)
        return result;

    kept = malloc(sizeof *kept + entry->len);
    if (!kept)
        return STORE_FAILED;
    if (!box)
        box = add_mailbox(s, mailbox);
    if (!box) {
        free(kept);
        return STORE_FAILED;
    }
    kept->sequence = ++s->last_sequence;
    kept->expires_ns = expires_ns;
    kept->key = key;
    kept->receipt_to = entry->receipt_to;
    kept->receipt = entry->receipt;
    kept->len = entry->len;
    memcpy(kept->envelope, entry->envelope, entry->len);
    link_entry(s, box, kept);
    return STORE_OK;
}

bool store_next(struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES], uint64_t after,
                struct store_entry *out)
{
    struct stored_mailbox *box = find_mailbox(s, mailbox);

    if (!box)
        return false;
    for (struct list *node = box->entries.next; node != &box->entries; node = node->next) {
        struct stored_entry *entry = CONTAINER_OF(node, struct stored_entry, in_mailbox);

        if (entry->sequence <= after)
            continue;
        *out = (struct store_entry){.sequence = entry->sequence,
                                    .envelope = entry->envelope,
                                    .len = entry->len,
                                    .receipt_to = entry->receipt_to,
                                    .receipt = entry->receipt};
        return true;
    }
    return false;
}

bool store_delete(struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                  const uint8_t message_id[WIRE_MESSAGE_ID_BYTES], struct store_entry *out)
{
    struct stored_entry *entry;
    struct entry_key key;

    memcpy(key.mailbox, mailbox, WIRE_MAILBOX_BYTES);
    memcpy(key.message_id, message_id, WIRE_MESSAGE_ID_BYTES);
    entry = find_entry(s, &key);
    if (!entry)
        return false;
    unlink_entry(s, entry, out);
    return true;
}

uint32_t store_count(const struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES])
{
    const struct stored_mailbox *box = find_mailbox(s, mailbox);

    return box ? box->count : 0;
}

bool store_expire(struct store *s, uint64_t now_ns, uint8_t mailbox[WIRE_MAILBOX_BYTES],
                  struct store_entry *out)
{
    if (s->heap_count == 0 || s->heap[0]->expires_ns > now_ns)
        return false;
    memcpy(mailbox, s->heap[0]->key.mailbox, WIRE_MAILBOX_BYTES);
    unlink_entry(s, s->heap[0], out);
    return true;
}
