// The offline queue: durable envelopes kept from acceptance to acknowledgement. An interface: the
// store in memory stands behind it now; what it promises is written for one on disk.
// Thread: the control thread alone.
#ifndef SEALPOST_STORE_H
#define SEALPOST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/peer.h"
#include "units.h"
#include "wire.h"

struct store;

struct store_limits {
    uint32_t mailbox_envelopes;
    uint64_t mailbox_bytes; // of envelopes
    uint64_t total_bytes;   // of envelopes and of what the store needs beside each
};

enum store_result {
    STORE_OK = 0,
    STORE_MAILBOX_FULL = -1,
    STORE_FULL = -2,
    STORE_DUPLICATE = -3, // this mailbox holds this message id already: accepted before, kept once
    STORE_FAILED = -4,    // the medium failed (memory, disk)
};

// One stored envelope, whole (header included).
struct store_entry {
    uint64_t sequence; // rises within a mailbox for the store's whole life; the order of delivery
    const uint8_t *envelope; // borrowed until the next call that changes the store
    uint32_t len;
    struct peer receipt_to; // who asked for `delivered`; only while this process lives
    bool receipt;
};

// Errors: NULL when memory is short.
struct store *store_create(const struct store_limits *limits);
void store_destroy(struct store *s);

// Keep a copy of this envelope until acknowledged or expired at `expires_ns` (monotonic clock).
// `entry->sequence` is not read. A duplicate that asks for a receipt turns the receipt to its
// sender: who sends again after a reconnect still hears of it.
// Errors: STORE_DUPLICATE, STORE_MAILBOX_FULL, STORE_FULL, STORE_FAILED; nothing stored then.
NODISCARD enum store_result store_put(struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                                      const uint8_t message_id[WIRE_MESSAGE_ID_BYTES],
                                      const struct store_entry *entry, uint64_t expires_ns);
// The first entry of the mailbox with sequence > `after` (0 for the first). False if none.
// Walks over the entries up to `after` that are still there: keep those few.
bool store_next(struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES], uint64_t after,
                struct store_entry *out);
// Delete by message id; `out` (may be NULL) gets len, sequence and receipt of what was deleted,
// not the bytes. False if the mailbox holds no such id.
bool store_delete(struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES],
                  const uint8_t message_id[WIRE_MESSAGE_ID_BYTES], struct store_entry *out);
uint32_t store_count(const struct store *s, const uint8_t mailbox[WIRE_MAILBOX_BYTES]);
// Delete one entry that has expired, the longest expired first, and tell whose and which it was
// (as store_delete). False if nothing has expired.
bool store_expire(struct store *s, uint64_t now_ns, uint8_t mailbox[WIRE_MAILBOX_BYTES],
                  struct store_entry *out);

#endif
