// From the clients to the relay. A turn's due envelopes of all connections are built, sealed in one
// batch, masked, and sent: one send for everything that waits on a connection, one send in flight
// for each socket. Thread: the shard's; never allocates after uplink_init.
#ifndef SEALPOST_UPLINK_H
#define SEALPOST_UPLINK_H

#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "sealcrypto.h"
#include "units.h"
#include "ws.h"

struct shard;

// A batch is sealed when it holds this many: enough for wide kernels, little enough (46 KiB at 256
// B) to stay in the first-level cache's neighbourhood.
#define UPLINK_BATCH 128u
// One connection adds at most this many frames to a send.
#define UPLINK_PIECE_FRAMES 256u
#define UPLINK_JOBS_MAX (UPLINK_BATCH + UPLINK_PIECE_FRAMES)
#define UPLINK_PIECE_MAX_BYTES (96u * KIB)
#define UPLINK_MASK_KEYS_BYTES 4096u

struct uplink_piece {
    struct client *client;
    uint8_t *bytes;
    uint32_t len;   // of what is sent; wss: of the records in front so far
    uint8_t *plain; // wss: what becomes records
    uint32_t plain_len;
    uint16_t frames; // envelopes in it
    uint16_t segment;
};

struct uplink {
    struct client **ready; // clients with something to send
    uint32_t ready_count;
    bool is_blocked; // the arena was full: those that are ready wait for others' sends
    struct sp_session_job jobs[UPLINK_JOBS_MAX];
    uint8_t *envelopes[UPLINK_JOBS_MAX]; // what is masked when sealed
    uint32_t mask_keys[UPLINK_JOBS_MAX];
    uint32_t job_count;
    struct uplink_piece pieces[UPLINK_BATCH];
    uint32_t piece_count;
    // Payloads of one size: every frame has this header and length.
    uint8_t frame_header[WS_HEADER_MAX_BYTES];
    uint32_t frame_header_len, frame_bytes, piece_frames;
    uint32_t payloads[UPLINK_PIECE_FRAMES]; // of the piece under construction
    uint8_t *filler;                        // payload behind the ledger record
    uint8_t *plain;                         // wss: a batch's plaintext
    size_t plain_len, plain_cap;
    uint64_t batch_ns; // "sent" of the batch under construction; 0: not begun
    uint64_t wait_ns;  // sent − noticed of the last wait_count envelopes, recorded together
    uint32_t wait_count;
    size_t mask_at;
    uint8_t random[UPLINK_MASK_KEYS_BYTES];
};

// Errors: -ENOMEM, -EIO.
NODISCARD int uplink_init(struct shard *s);
void uplink_free(struct shard *s);

// One more envelope on each of c's dialogs. False, and nothing done, when its ring is full; c's
// is_held tells why.
NODISCARD bool uplink_push_due(struct shard *s, struct client *c, uint64_t intended_ns,
                               uint64_t noticed_ns);
// Closed loop: an envelope of c's with this sequence has arrived or was refused. When it was the
// last one of its due, the next is due; after a refusal some behaviours wait.
void uplink_push_next(struct shard *s, struct client *c, uint64_t sequence, uint64_t now_ns,
                      bool was_refused);
// Forget the envelopes that were not built yet; returns how many.
uint32_t uplink_drop_due(struct shard *s, struct client *c);
// Queue a whole masked frame: control messages, initial messages, pongs, close. Closes the client
// when its chunk is full.
void uplink_push_frame(struct shard *s, struct client *c, enum ws_opcode opcode,
                       const uint8_t *payload, size_t len);
// Queue bytes as they are: the HTTP request.
void uplink_push_bytes(struct shard *s, struct client *c, const void *bytes, size_t len);
// Queue TLS records; they go before everything that is not sealed into records yet.
void uplink_push_records(struct shard *s, struct client *c, const uint8_t *bytes, size_t len);
// Remember to acknowledge a durable envelope.
void uplink_push_ack(struct shard *s, struct client *c, const uint8_t message_id[16]);
// Queue a handshake's message around a ciphertext that is sealed already.
void uplink_push_envelope(struct shard *s, struct dialog *d, uint8_t kind,
                          const uint8_t *ciphertext, size_t len);
// The client has something to send.
void uplink_mark_ready(struct shard *s, struct client *c);
// Build, seal and submit all that can go now.
void uplink_flush(struct shard *s);
void uplink_on_sent(struct shard *s, struct client *c, int result);

#endif
