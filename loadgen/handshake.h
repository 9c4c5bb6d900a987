// X3DH or PQXDH between the two ends of a dialog, through the relay: bundle → verify → initial
// message → respond → answer. The public-key work of a turn is done in batches over all dialogs, a
// bounded number each turn, so that received messages wait some ten milliseconds at most. Only the
// leader of a unit initiates, for one of its dialogs at a time: so an answer whose session id is
// new belongs to that one. The others respond. Thread: the shard's.
#ifndef SEALPOST_HANDSHAKE_H
#define SEALPOST_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "sealcrypto.h"
#include "units.h"

struct shard;

#define HANDSHAKE_BATCH_MAX 32u // of each side, each turn
// The initial message carries a ledger record.
// A ratchet's keys for messages that were overtaken or refused. The relay keeps the order, so few
// are needed; but of what is sent to somebody who is away a whole absence's may be refused.
#define HANDSHAKE_SKIPPED_MAX 64u
#define HANDSHAKE_SKIPPED_AWAY_MAX SP_SKIPPED_MAX
#define HANDSHAKE_SKIPPED_KEY_BYTES 40u // a counter and a key
#define HANDSHAKE_INITIAL_MAX_BYTES (LEDGER_RECORD_BYTES + SP_INITIAL_OVERHEAD_MAX_BYTES)

// Dialogs whose bundles or initial messages wait, in their order: a ring with a place for each
// initiator or responder, each place with `stride_bytes` of what came.
struct handshake_queue {
    struct dialog **dialogs;
    uint8_t *places;
    size_t stride_bytes;
    uint32_t head, count, capacity;
};

struct handshakes {
    struct handshake_queue bundles;  // the front of a struct sp_bundle_storage that is needed
    struct handshake_queue initials; // whole messages, all of initial_bytes
    uint32_t initial_bytes;
    uint32_t batch;
};

// Errors: -ENOMEM.
NODISCARD int handshake_init(struct shard *s);
void handshake_free(struct shard *s);
// The leader of a unit asks for the bundle of the user its current dialog is with.
void handshake_begin(struct shard *s, struct client *c);
// Copied; nothing happens unless it was asked for.
void handshake_on_bundle(struct shard *s, struct client *c, const struct sp_bundle_storage *bundle);
// Copied. One that no handshake is under way for counts as not opened.
void handshake_on_initial(struct shard *s, struct client *c, const uint8_t *ciphertext, size_t len);
// The answer opened at the initiator.
void handshake_on_answer(struct shard *s, struct dialog *d, uint64_t received_ns);
// The relay refused an initial message or an answer of this end.
void handshake_on_refused(struct shard *s, struct dialog *d);
// get_bundle was refused: again a little later.
void handshake_on_rate_limit(struct shard *s, struct client *c);
void handshake_on_retry(struct shard *s, struct client *c);
// Handshake groups: the window is over.
void handshake_end_load(struct shard *s);
// The drain is over: initial messages that still wait here were not lost.
void handshake_end_drain(struct shard *s);
bool handshake_is_waiting(const struct shard *s);
// A batch of what waits.
void handshake_flush(struct shard *s);

#endif
