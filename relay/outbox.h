// What is queued for connections. Messages of the running turn are pieces that point at where the
// bytes were received; nothing is copied. A turn's memory (received buffers, pieces, answers,
// sealed records) lives until the turn's sends are back, then goes all at once; bytes a socket did
// not take are copied into the connection's backlog first. So a slow reader costs its own bounded
// backlog and never a receive buffer.
// Thread: the worker's.
#ifndef SEALPOST_OUTBOX_H
#define SEALPOST_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "limits.h"
#include "pool.h"
#include "tls.h"
#include "units.h"
#include "ws.h"

struct worker;
struct conn;

#define OUTBOX_NONE UINT32_MAX
#define OUTBOX_SEALED 0x80000000u // in piece.len: records of TLS already, not to be sealed

struct piece {
    uint8_t *bytes;
    uint32_t len; // with OUTBOX_SEALED
    uint32_t next;
};

// What the ring is sending for one connection.
struct flight {
    struct msghdr message;
    uint32_t bytes;
    bool from_backlog;
};

struct backlog_chunk {
    struct backlog_chunk *next;
    uint32_t begin, end; // unsent: bytes[begin … end)
    uint8_t bytes[LIMIT_BACKLOG_CHUNK_BYTES - 16];
};

struct outbox_arena {
    struct piece *pieces;
    uint32_t piece_count;
    struct iovec *iovecs;
    uint32_t iovec_count;
    struct flight *flights; // by slot
    uint32_t in_flight;     // sends in the ring
    uint8_t *sealed;        // LIMIT_SEALED_BYTES
    size_t sealed_len;
    size_t to_seal;   // bound of what the queued pieces will add
    uint8_t *answers; // LIMIT_ANSWER_BYTES
    size_t answers_len;
    uint8_t *gather; // one record's plaintext
    struct pool chunks;
};

// Errors: -ENOMEM.
NODISCARD int outbox_arena_init(struct outbox_arena *a, uint32_t connections);
void outbox_arena_free(struct outbox_arena *a, uint32_t connections);
// Is there room for one more message of any kind, whatever it causes to be answered?
bool outbox_has_room(const struct outbox_arena *a);
// The turn's sends are back: pieces, answers and sealed records are gone.
void outbox_arena_reset(struct outbox_arena *a);

// Queue one WebSocket message. Its header is written right in front of `payload`, where
// ws_header_len(len, false) bytes must be writable; both live until the turn's end.
// False when the connection's outbox is full; nothing is queued then.
NODISCARD bool outbox_push_message(struct worker *w, struct conn *c, enum ws_opcode opcode,
                                   uint8_t *payload, size_t len);
// Queue a copy of `len` bytes, framed as a text message or (opcode 0xFF) as they are.
NODISCARD bool outbox_push_copy(struct worker *w, struct conn *c, int opcode, const void *bytes,
                                size_t len);
#define OUTBOX_UNFRAMED 0xFF

// TLS: where records may be written now (TLS_FLIGHT_MAX_BYTES free) …
struct tls_out outbox_records_begin(struct worker *w);
// … and what was written there goes to this connection before anything not sealed yet.
void outbox_records_end(struct worker *w, struct conn *c, const struct tls_out *out);

// Append bytes to the backlog. False when the chunks are all out.
NODISCARD bool outbox_append_backlog(struct worker *w, struct conn *c, const uint8_t *bytes,
                                     size_t len);
// Put the rest of what a send did not take in front of the backlog: the bytes of `message` from
// `sent` on. False when the chunks are all out.
NODISCARD bool outbox_keep_rest(struct worker *w, struct conn *c, const struct msghdr *message,
                                size_t sent);
// The first `sent` bytes of the backlog are gone.
void outbox_consume_backlog(struct worker *w, struct conn *c, size_t sent);
void outbox_drop_backlog(struct worker *w, struct conn *c);

#endif
