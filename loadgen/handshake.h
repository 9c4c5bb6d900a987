// X3DH or PQXDH between the two users of a pair, through the relay: bundle → verify → initial
// message → respond → answer. The public-key work of a turn is done in batches over all pairs, a
// bounded number each turn, so that received messages wait some ten milliseconds at most. Only the
// even user of a pair initiates, only the odd one responds. Thread: the shard's.
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
#define HANDSHAKE_INITIAL_MAX_BYTES (LEDGER_RECORD_BYTES + SP_INITIAL_OVERHEAD_MAX_BYTES)

// Clients whose bundles or initial messages wait, in their order: a ring with a place for each
// pair, each place with `stride_bytes` of what came.
struct handshake_queue {
    struct client **clients;
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
// The even user of a pair asks for its partner's bundle.
void handshake_begin(struct shard *s, struct client *c);
// Copied; nothing happens unless it was asked for.
void handshake_on_bundle(struct shard *s, struct client *c, const struct sp_bundle_storage *bundle);
// Copied. One that no handshake is under way for counts as not opened.
void handshake_on_initial(struct shard *s, struct client *c, const uint8_t *ciphertext, size_t len);
// The answer opened at the initiator.
void handshake_on_answer(struct shard *s, struct client *c, uint64_t received_ns);
// The relay refused an initial message or an answer.
void handshake_on_refused(struct shard *s, struct client *c);
// get_bundle was refused: again a little later.
void handshake_on_rate_limit(struct shard *s, struct client *c);
void handshake_on_retry(struct shard *s, struct client *c);
// Handshake mode: the window is over.
void handshake_end_load(struct shard *s);
// The drain is over: initial messages that still wait here were not lost.
void handshake_end_drain(struct shard *s);
bool handshake_is_waiting(const struct shard *s);
// A batch of what waits.
void handshake_flush(struct shard *s);

#endif
