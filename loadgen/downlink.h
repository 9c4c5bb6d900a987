// From the relay to the clients. Received bytes become frames where they lie, frames envelopes;
// the session messages of a turn are opened in one batch over all connections, checked against the
// ledger, measured, and the freed slots filled again. Thread: the shard's; never allocates.
#ifndef SEALPOST_DOWNLINK_H
#define SEALPOST_DOWNLINK_H

#include <stdint.h>

#include "client.h"
#include "sealcrypto.h"
#include "units.h"

struct shard;

#define DOWNLINK_BATCH 128u
#define DOWNLINK_HELD_MAX 256u
#define DOWNLINK_PLAIN_BYTES (256u * KIB)

struct downlink {
    struct sp_session_job jobs[DOWNLINK_BATCH];
    struct dialog *dialogs[DOWNLINK_BATCH];
    uint32_t job_count;
    uint16_t held[DOWNLINK_HELD_MAX]; // receive buffers the jobs point into
    uint32_t held_count;
    uint8_t *chunks[DOWNLINK_BATCH + 1]; // carries the jobs point into
    uint32_t chunk_count;
    uint8_t *plain; // wss: decrypted records the jobs point into
    size_t plain_len;
    uint8_t *control_scratch; // JSON
};

// Errors: -ENOMEM.
NODISCARD int downlink_init(struct shard *s);
void downlink_free(struct shard *s);
// A receive completed with `len` > 0 bytes in receive buffer `id`.
void downlink_on_data(struct shard *s, struct client *c, uint16_t id, size_t len);
// Open, check and measure what is queued; afterwards no received byte is referred to.
void downlink_flush(struct shard *s);

#endif
