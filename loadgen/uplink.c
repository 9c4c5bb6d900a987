// The sending path: due envelopes → frames → sealed → masked → one send for each connection.
// Runs on the shard's thread once a turn; never allocates, never blocks.
#include "uplink.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "reader.h"
#include "sealcrypto.h"
#include "shard.h"
#include "travel.h"
#include "user_control.h"

#define ENVELOPE_AT_KIND 1u
#define ENVELOPE_AT_FLAGS 2u
#define ENVELOPE_AT_LENGTH 4u
#define ENVELOPE_AT_MESSAGE_NUMBER 32u // the second half of the message id
#define MESSAGE_ID_BYTES WIRE_MESSAGE_ID_BYTES
// An ack of so many ids takes 3.3 KiB of the control chunk.
#define ACK_IDS 128u
#define ACK_FRAME_BYTES (ACK_IDS * 25u + 64u)

static uint32_t envelope_bytes(uint32_t payload_bytes)
{
    return WIRE_HEADER_BYTES + payload_bytes + SP_SESSION_OVERHEAD_BYTES;
}

int uplink_init(struct shard *s)
{
    struct uplink *u = &s->uplink;
    uint32_t payload = s->options->payload_bytes;
    static const uint8_t no_mask[4];

    u->frame_header_len =
        (uint32_t)ws_encode_header(u->frame_header, WS_BINARY, envelope_bytes(payload), no_mask);
    u->frame_bytes = u->frame_header_len + envelope_bytes(payload);
    u->piece_frames = UPLINK_PIECE_MAX_BYTES / u->frame_bytes;
    if (u->piece_frames == 0)
        u->piece_frames = 1;
    if (u->piece_frames > UPLINK_PIECE_FRAMES)
        u->piece_frames = UPLINK_PIECE_FRAMES;
    u->mask_at = sizeof u->random;
    u->ready = calloc(s->client_count, sizeof *u->ready);
    u->filler = malloc(payload);
    if (s->tls) {
        u->plain_cap = 4 * (UPLINK_PIECE_MAX_BYTES + s->chunks.stride_bytes);
        u->plain = malloc(u->plain_cap);
    }
    if (!u->ready || !u->filler || (s->tls && !u->plain))
        return -ENOMEM;
    plan_fill(u->filler, payload, s->options->seed);
    return 0;
}

void uplink_free(struct shard *s)
{
    free(s->uplink.ready);
    free(s->uplink.filler);
    free(s->uplink.plain);
}

// Four fresh bytes for each frame (RFC 6455 section 5.3), drawn from the system in bulk.
static uint32_t take_mask_key(struct shard *s)
{
    struct uplink *u = &s->uplink;
    uint32_t key;

    if (u->mask_at == sizeof u->random) {
        int err = sp_random(u->random, sizeof u->random);

        if (err < 0)
            shard_fail(s, SHARD_FAILURE_INTERNAL, "no random bytes: %s", strerror(-err));
        u->mask_at = 0;
    }
    memcpy(&key, u->random + u->mask_at, sizeof key);
    u->mask_at += sizeof key;
    return key;
}

static void mask(uint8_t *bytes, size_t len, uint32_t key)
{
    uint8_t key_bytes[sizeof key];

    memcpy(key_bytes, &key, sizeof key);
    ws_mask(bytes, len, key_bytes);
}

void uplink_mark_ready(struct shard *s, struct client *c)
{
    if (c->is_ready || c->is_sending)
        return;
    c->is_ready = true;
    s->uplink.ready[s->uplink.ready_count++] = c;
}

bool uplink_push_due(struct shard *s, struct client *c, uint64_t intended_ns, uint64_t noticed_ns)
{
    if (c->due_count > c->due_mask) {
        c->is_held = c->is_held || c->is_sending || s->uplink.is_blocked;
        return false;
    }
    c->due[(c->due_head + c->due_count++) & c->due_mask] =
        (struct client_due){intended_ns, noticed_ns};
    s->due_pending += c->dialog_count;
    uplink_mark_ready(s, c);
    return true;
}

// Envelopes that wait on c: one for each dialog of each due, less those of the first that are gone.
static uint32_t count_due(const struct client *c)
{
    return c->due_count * c->dialog_count - c->due_dialog;
}

uint32_t uplink_drop_due(struct shard *s, struct client *c)
{
    uint32_t dropped = count_due(c);

    s->due_pending -= dropped;
    c->due_count = c->due_dialog = 0;
    return dropped;
}

// Several dialogs: is this the last envelope of its round? One that was lost never comes; its
// round's place is taken when the ring comes round.
static bool complete_round(struct client *c, uint64_t sequence)
{
    struct client_round *r = &c->rounds[sequence & c->due_mask];

    return r->sequence == sequence && r->missing > 0 && --r->missing == 0;
}

void uplink_push_next(struct shard *s, struct client *c, uint64_t sequence, uint64_t now_ns,
                      bool was_refused)
{
    if (c->dialog_count > 1 && !complete_round(c, sequence))
        return;
    if (was_refused && c->group->behaviour == GROUP_OFFLINE)
        travel_on_taken(s, c);
    if (!c->is_talking || now_ns >= s->end_ns || s->phase > SHARD_MEASURE)
        return;
    if (was_refused && c->group->behaviour == GROUP_SLOW_READER)
        reader_rest(s, c);
    else if (!uplink_push_due(s, c, now_ns, now_ns))
        client_close(s, c, "the relay answered an envelope twice");
}

// Room for `len` bytes at the end of a chunk, NULL (and the client closed) when there is none.
static uint8_t *extend(struct shard *s, struct client *c, struct client_bytes *b, size_t len)
{
    if (!b->bytes) {
        b->bytes = pool_get(&s->chunks);
        b->len = 0;
    }
    if (!b->bytes || s->chunks.stride_bytes - b->len < len) {
        client_close(s, c, "too much to say at once");
        return NULL;
    }
    b->len += (uint32_t)len;
    return b->bytes + b->len - len;
}

static void release(struct shard *s, struct client_bytes *b)
{
    if (b->bytes)
        pool_put(&s->chunks, b->bytes);
    *b = (struct client_bytes){0};
}

void uplink_push_frame(struct shard *s, struct client *c, enum ws_opcode opcode,
                       const uint8_t *payload, size_t len)
{
    uint32_t key = take_mask_key(s);
    uint8_t key_bytes[sizeof key];
    uint8_t *at = extend(s, c, &c->control, ws_header_len(len, true) + len);

    if (!at)
        return;
    memcpy(key_bytes, &key, sizeof key);
    at += ws_encode_header(at, opcode, len, key_bytes);
    memcpy(at, payload, len);
    ws_mask(at, len, key_bytes);
    uplink_mark_ready(s, c);
}

void uplink_push_bytes(struct shard *s, struct client *c, const void *bytes, size_t len)
{
    uint8_t *at = extend(s, c, &c->control, len);

    if (!at)
        return;
    memcpy(at, bytes, len);
    uplink_mark_ready(s, c);
}

void uplink_push_records(struct shard *s, struct client *c, const uint8_t *bytes, size_t len)
{
    uint8_t *at = extend(s, c, &c->records, len);

    if (!at)
        return;
    memcpy(at, bytes, len);
    uplink_mark_ready(s, c);
}

void uplink_push_ack(struct shard *s, struct client *c, const uint8_t message_id[16])
{
    uint8_t *at = extend(s, c, &c->acks, MESSAGE_ID_BYTES);

    if (!at)
        return;
    memcpy(at, message_id, MESSAGE_ID_BYTES);
    uplink_mark_ready(s, c);
}

void uplink_push_envelope(struct shard *s, struct dialog *d, uint8_t kind,
                          const uint8_t *ciphertext, size_t len)
{
    uint8_t envelope[WIRE_HEADER_BYTES + HANDSHAKE_INITIAL_MAX_BYTES];

    assert(len <= HANDSHAKE_INITIAL_MAX_BYTES);
    memcpy(envelope, d->header, WIRE_HEADER_BYTES);
    envelope[ENVELOPE_AT_KIND] = kind;
    envelope[ENVELOPE_AT_FLAGS] = 0;
    store_be32(envelope + ENVELOPE_AT_LENGTH, (uint32_t)len);
    store_be64(envelope + ENVELOPE_AT_MESSAGE_NUMBER,
               DIALOG_HANDSHAKE_MESSAGE | d->message_base | d->next_handshake_message++);
    memcpy(envelope + WIRE_HEADER_BYTES, ciphertext, len);
    uplink_push_frame(s, d->owner, WS_BINARY, envelope, WIRE_HEADER_BYTES + len);
}

static void write_acks(struct shard *s, struct client *c)
{
    char text[USER_CONTROL_MAX_BYTES];
    uint32_t count = c->acks.len / MESSAGE_ID_BYTES;

    if (count > ACK_IDS)
        count = ACK_IDS;
    if (c->control.len + ACK_FRAME_BYTES > s->chunks.stride_bytes)
        return; // with the next send
    size_t len = user_control_encode_ack(text, (const uint8_t(*)[16])c->acks.bytes, count);
    uplink_push_frame(s, c, WS_TEXT, (const uint8_t *)text, len);
    c->acks.len -= count * MESSAGE_ID_BYTES;
    if (c->acks.len == 0)
        release(s, &c->acks);
    else
        memmove(c->acks.bytes, c->acks.bytes + count * MESSAGE_ID_BYTES, c->acks.len);
}

static bool is_measured(const struct shard *s, uint64_t intended_ns)
{
    return intended_ns >= s->measure_ns && intended_ns < s->end_ns;
}

// The dialog whose envelope is next, and with its last dialog the first due is done.
static struct dialog *take_due(struct shard *s, struct client *c, struct client_due *due)
{
    struct dialog *d = c->dialogs;

    *due = c->due[c->due_head & c->due_mask];
    if (c->dialog_count > 1) {
        d += c->due_dialog;
        if (c->due_dialog == 0 && !shard_is_open_loop(s))
            c->rounds[d->next_sequence & c->due_mask] =
                (struct client_round){d->next_sequence, c->dialog_count};
        if (++c->due_dialog < c->dialog_count)
            return d;
        c->due_dialog = 0;
    }
    c->due_head++;
    c->due_count--;
    return d;
}

static bool is_fixed(const struct shard *s)
{
    return s->options->payload.kind == PAYLOAD_FIXED;
}

// The running count of c's envelopes, over all its dialogs, of which each is sent as many.
static uint64_t next_number(const struct client *c)
{
    const struct dialog *next = &c->dialogs[c->due_dialog];

    return next->next_sequence * c->dialog_count + c->due_dialog;
}

// How many of c's due envelopes go into one piece, and the bytes of their frames.
static uint32_t measure_frames(struct shard *s, const struct client *c, size_t *bytes)
{
    struct uplink *u = &s->uplink;
    uint32_t most = count_due(c), frames;

    if (is_fixed(s)) {
        frames = most < u->piece_frames ? most : u->piece_frames;
        *bytes = (size_t)frames * u->frame_bytes;
        return frames;
    }
    if (most > UPLINK_PIECE_FRAMES)
        most = UPLINK_PIECE_FRAMES;
    *bytes = 0;
    for (frames = 0; frames < most; frames++) {
        uint32_t payload = payload_draw(&s->options->payload, s->options->seed, c->number,
                                        next_number(c) + frames);
        size_t frame = ws_header_len(envelope_bytes(payload), true) + envelope_bytes(payload);

        if (frames > 0 && *bytes + frame > UPLINK_PIECE_MAX_BYTES)
            break;
        u->payloads[frames] = payload;
        *bytes += frame;
    }
    return frames;
}

// The frame's header; returns its length.
static size_t build_frame_header(struct shard *s, uint8_t *at, uint32_t payload_bytes)
{
    static const uint8_t no_mask[4];
    struct uplink *u = &s->uplink;

    if (!is_fixed(s))
        return ws_encode_header(at, WS_BINARY, envelope_bytes(payload_bytes), no_mask);
    memcpy(at, u->frame_header, u->frame_header_len);
    return u->frame_header_len;
}

static void flush_waits(struct shard *s)
{
    struct uplink *u = &s->uplink;

    if (u->wait_count > 0)
        hist_record_many(&s->tally.send_queue, u->wait_ns, u->wait_count);
    u->wait_count = 0;
}

static void record_wait(struct shard *s, uint64_t wait_ns)
{
    struct uplink *u = &s->uplink;

    if (wait_ns != u->wait_ns)
        flush_waits(s);
    u->wait_ns = wait_ns;
    u->wait_count++;
}

// One session message, unsealed, at `at`; its seal job. Returns where the next one begins.
static uint8_t *build_frame(struct shard *s, struct client *c, uint8_t *at, uint32_t payload_bytes)
{
    struct uplink *u = &s->uplink;
    struct client_due due;
    struct dialog *d = take_due(s, c, &due);
    bool measured = is_measured(s, due.intended_ns);
    uint8_t *envelope = at + build_frame_header(s, at, payload_bytes);
    uint8_t *ciphertext = envelope + WIRE_HEADER_BYTES;
    uint32_t key = take_mask_key(s), job = u->job_count++;
    struct ledger_record record = {
        .run_id = s->run_id,
        .sender = c->number,
        .receiver = d->partner->number,
        .sequence = d->next_sequence++,
        .intended_ns = due.intended_ns,
        .sent_ns = u->batch_ns,
        .flags = measured ? LEDGER_FLAG_MEASURED : 0,
        .send = c->trail.next,
        .lag_16ns = ledger_lag_16ns(due.intended_ns, due.noticed_ns),
    };

    memcpy(envelope - sizeof key, &key, sizeof key);
    memcpy(envelope, d->header, WIRE_HEADER_BYTES);
    if (!is_fixed(s))
        store_be32(envelope + ENVELOPE_AT_LENGTH, payload_bytes + SP_SESSION_OVERHEAD_BYTES);
    store_be64(envelope + ENVELOPE_AT_MESSAGE_NUMBER, d->message_base | record.sequence);
    ledger_encode_record(ciphertext + 16, &record);
    memcpy(ciphertext + 16 + LEDGER_RECORD_BYTES, u->filler, payload_bytes - LEDGER_RECORD_BYTES);
    u->jobs[job] = (struct sp_session_job){
        .session = &d->session, .in = ciphertext + 16, .len = payload_bytes, .out = ciphertext};
    u->envelopes[job] = envelope;
    u->mask_keys[job] = key;
    recorder_push(&s->recorder,
                  (struct recorder_row){due.intended_ns, u->batch_ns, c->number, payload_bytes});
    if (measured) {
        struct stage_tally *stage = shard_find_stage(s, due.intended_ns);

        record_wait(s, u->batch_ns - due.noticed_ns);
        s->tally.sent++;
        if (stage)
            stage->sent++;
        if (!shard_is_open_loop(s))
            s->tally.scheduled++;
    }
    return envelope + envelope_bytes(payload_bytes);
}

// Everything that waits on one connection becomes a piece. False when the arena is full.
static bool build_piece(struct shard *s, struct client *c)
{
    struct uplink *u = &s->uplink;
    size_t plain_len, room, frames_len;
    uint32_t frames = measure_frames(s, c, &frames_len);
    struct uplink_piece piece = {.client = c, .frames = (uint16_t)frames};
    uint8_t *at;

    if (c->acks.len > 0)
        write_acks(s, c);
    plain_len = c->control.len + frames_len;
    room = c->records.len + (s->tls && plain_len > 0 ? tls_write_bound(plain_len) : plain_len);
    piece.bytes = arena_get(&s->arena, room, &piece.segment);
    if (!piece.bytes)
        return false;
    if (c->records.len > 0)
        memcpy(piece.bytes, c->records.bytes, c->records.len);
    piece.len = c->records.len;
    release(s, &c->records);
    at = piece.bytes + piece.len;
    if (s->tls) {
        piece.plain = at = u->plain + u->plain_len;
        piece.plain_len = (uint32_t)plain_len;
        u->plain_len += plain_len;
    } else {
        piece.len += (uint32_t)plain_len;
    }
    if (c->control.len > 0)
        memcpy(at, c->control.bytes, c->control.len);
    at += c->control.len;
    release(s, &c->control);
    if (frames > 0 && u->batch_ns == 0)
        u->batch_ns = clock_now_ns();
    for (uint32_t i = 0; i < frames; i++)
        at = build_frame(s, c, at, is_fixed(s) ? s->options->payload_bytes : u->payloads[i]);
    s->due_pending -= frames;
    c->is_held = c->is_held && c->due_count > 0;
    u->pieces[u->piece_count++] = piece;
    return true;
}

static void seal(struct shard *s)
{
    struct uplink *u = &s->uplink;
    uint64_t began_ns = clock_now_ns(), share_ns;

    sp_session_seal_batch(u->jobs, u->job_count);
    share_ns = (clock_now_ns() - began_ns) / u->job_count;
    for (uint32_t i = 0; i < u->job_count; i++) {
        if (u->jobs[i].result != 0)
            shard_fail(s, SHARD_FAILURE_INTERNAL, "an envelope could not be sealed (%d)",
                       u->jobs[i].result);
        mask(u->envelopes[i], envelope_bytes((uint32_t)u->jobs[i].len), u->mask_keys[i]);
    }
    if (s->phase == SHARD_MEASURE)
        hist_record_many(&s->tally.seal_cost, share_ns, u->job_count);
    s->tally.ledger.expected += u->job_count;
    pulse_add(&s->pulse.sent, u->job_count);
}

// The relay's side of a broken TLS channel is told by client_close.
static void write_records(struct shard *s, struct uplink_piece *piece)
{
    struct client *c = piece->client;
    struct tls_out out = {piece->bytes, piece->len, piece->len + tls_write_bound(piece->plain_len)};

    if (piece->plain_len == 0 || !c->tls)
        return;
    if (tls_write(c->tls, piece->plain, piece->plain_len, &out) < 0)
        client_close(s, c, "TLS failed");
    piece->len = (uint32_t)out.len;
}

static void submit(struct shard *s, struct uplink_piece *piece, uint64_t sealed_ns)
{
    struct client *c = piece->client;
    struct io_uring_sqe *sqe;

    if (client_is_gone(c)) {
        arena_put(&s->arena, piece->segment);
        return;
    }
    sqe = ring_get_sqe(&s->ring);
    // The kernel goes on by itself when the socket takes only a part.
    io_uring_prep_send(sqe, (int)c->slot, piece->bytes, piece->len, MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = ring_tag(SHARD_OP_SEND, c->generation, c->slot);
    c->is_sending = true;
    c->send_segment = piece->segment;
    c->send_len = piece->len;
    if (piece->frames > 0)
        budget_push_send(&c->trail, piece->frames, sealed_ns);
}

static void finish_batch(struct shard *s)
{
    struct uplink *u = &s->uplink;
    uint64_t sealed_ns = 0;

    if (u->job_count > 0)
        seal(s);
    for (uint32_t i = 0; s->tls && i < u->piece_count; i++)
        write_records(s, &u->pieces[i]);
    if (u->job_count > 0)
        sealed_ns = clock_now_ns();
    for (uint32_t i = 0; i < u->piece_count; i++)
        submit(s, &u->pieces[i], sealed_ns);
    flush_waits(s);
    u->job_count = 0;
    u->piece_count = 0;
    u->plain_len = 0;
    u->batch_ns = 0;
}

static bool batch_is_full(const struct shard *s)
{
    const struct uplink *u = &s->uplink;

    return u->job_count >= UPLINK_BATCH || u->piece_count == UPLINK_BATCH ||
           (s->tls &&
            u->plain_cap - u->plain_len < UPLINK_PIECE_MAX_BYTES + s->chunks.stride_bytes);
}

static bool has_something(const struct client *c)
{
    return c->due_count > 0 || c->control.len > 0 || c->records.len > 0 || c->acks.len > 0;
}

void uplink_flush(struct shard *s)
{
    struct uplink *u = &s->uplink;
    uint32_t at = 0;

    u->is_blocked = false;
    for (; at < u->ready_count; at++) {
        struct client *c = u->ready[at];

        if (client_is_gone(c) || c->is_sending || !has_something(c)) {
            c->is_ready = false;
            continue;
        }
        if (batch_is_full(s))
            finish_batch(s);
        if (!build_piece(s, c)) {
            u->is_blocked = true; // the arena is full: go on when sends have completed
            break;
        }
        c->is_ready = false;
    }
    finish_batch(s);
    u->ready_count -= at;
    memmove(u->ready, u->ready + at, u->ready_count * sizeof *u->ready);
}

void uplink_on_sent(struct shard *s, struct client *c, int result)
{
    c->is_sending = false;
    c->is_held = c->is_held || c->due_count > c->due_mask;
    budget_complete_send(&c->trail, s->now_ns);
    arena_put(&s->arena, c->send_segment);
    if (client_is_gone(c))
        return;
    if (result < 0 || (uint32_t)result != c->send_len)
        client_close(s, c, result < 0 ? strerror(-result) : "a send was cut short");
    else if (has_something(c))
        uplink_mark_ready(s, c);
}
