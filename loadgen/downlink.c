// The receiving path: bytes → (TLS) → frames → envelopes → opened batch → ledger → latency.
// Runs on the shard's thread; frames are parsed and envelopes opened where they were received, only
// a frame that spans two receives is copied. Never allocates.
#include "downlink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "shard.h"
#include "user_control.h"
#include "wire.h"
#include "ws.h"

int downlink_init(struct shard *s)
{
    struct downlink *d = &s->downlink;

    d->control_scratch = malloc(USER_CONTROL_SCRATCH_BYTES);
    if (s->tls)
        d->plain = malloc(DOWNLINK_PLAIN_BYTES);
    return d->control_scratch && (d->plain || !s->tls) ? 0 : -ENOMEM;
}

void downlink_free(struct shard *s)
{
    free(s->downlink.control_scratch);
    free(s->downlink.plain);
}

// For its group alone what waited in a mailbox: it did so on purpose. False when that is all.
static bool measure_apart(struct shard *s, struct client *c, const struct ledger_record *record,
                          uint64_t opened_ns, bool in_window)
{
    bool is_measured = (record->flags & LEDGER_FLAG_MEASURED) != 0;

    c->tally->delivered += in_window;
    if (is_measured)
        hist_record(&c->tally->response, opened_ns - record->intended_ns);
    if (!group_is_offline(c->group))
        return true;
    if (is_measured && shard_find_stage(s, record->intended_ns))
        shard_find_stage(s, record->intended_ns)->delivered++;
    return false;
}

static void measure(struct shard *s, struct dialog *d, const struct ledger_record *record,
                    uint64_t opened_ns)
{
    struct budget_times times = {.intended_ns = record->intended_ns,
                                 .noticed_ns = ledger_noticed_ns(record),
                                 .sent_ns = record->sent_ns,
                                 .received_ns = s->now_ns,
                                 .opened_ns = opened_ns};
    bool in_window = opened_ns >= s->measure_ns && opened_ns < s->end_ns;

    s->tally.delivered += in_window;
    budget_find_send(&d->partner->trail, record->send, &times); // makes room, measured or not
    if (d->owner->is_apart && !measure_apart(s, d->owner, record, opened_ns, in_window))
        return;
    arrivals_push(s, &times, (record->flags & LEDGER_FLAG_MEASURED) != 0);
}

// A job that did not open: which fault is it?
static void count_unopened(struct shard *s, int result)
{
    // The session's window saw the counter before the ledger could see the sequence.
    if (result == SP_SESSION_REPLAY)
        s->tally.ledger.duplicate++;
    else
        s->tally.ledger.auth_fail++;
    // Nothing on this session opens any more.
    if (result == SP_SESSION_AHEAD)
        s->tally.ledger.ahead++;
}

// Returns whether a new envelope of the other end's was delivered.
static bool deliver(struct shard *s, struct dialog *d, const struct sp_session_job *job,
                    uint64_t opened_ns)
{
    struct client *c = d->owner;
    struct ledger_record record;
    enum ledger_result result;

    if (job->result != 0 || job->len < SP_SESSION_OVERHEAD_BYTES + LEDGER_RECORD_BYTES) {
        count_unopened(s, job->result);
        pulse_add(&s->pulse.faults, 1);
        return false;
    }
    ledger_decode_record(&record, job->out);
    result = ledger_check(&d->flow, &s->tally.ledger, &record, s->run_id, d->partner->number,
                          c->number, opened_ns >= s->end_ns);
    if (result != LEDGER_IN_ORDER)
        pulse_add(&s->pulse.faults, 1);
    if (result != LEDGER_IN_ORDER && result != LEDGER_REORDERED)
        return false;
    if (record.flags & LEDGER_FLAG_HANDSHAKE) {
        handshake_on_answer(s, d, opened_ns);
        return false;
    }
    d->received++;
    measure(s, d, &record, opened_ns);
    if (!shard_is_open_loop(s))
        uplink_push_next(s, d->partner, record.sequence, opened_ns, false);
    return true;
}

static void open_batch(struct shard *s)
{
    struct downlink *d = &s->downlink;
    uint32_t count = d->job_count, delivered = 0;
    uint64_t began_ns, opened_ns;

    if (count == 0)
        return;
    began_ns = clock_now_ns();
    sp_session_open_batch(d->jobs, count);
    opened_ns = clock_now_ns();
    for (uint32_t i = 0; i < count; i++)
        delivered += deliver(s, d->dialogs[i], &d->jobs[i], opened_ns);
    arrivals_flush(s);
    if (s->phase == SHARD_MEASURE)
        hist_record_many(&s->tally.open_cost, (opened_ns - began_ns) / count, count);
    pulse_add(&s->pulse.delivered, delivered);
    d->job_count = 0;
}

static void on_session_message(struct shard *s, struct client *c,
                               const struct wire_envelope *envelope)
{
    struct downlink *d = &s->downlink;
    uint8_t *ciphertext = (uint8_t *)(uintptr_t)envelope->ciphertext;
    struct dialog *dialog = NULL;

    // It begins with its session's id.
    if (envelope->ciphertext_len >= SP_SESSION_OVERHEAD_BYTES)
        dialog = c->dialog_count <= 1 ? c->dialogs : dialog_find_session(c, ciphertext);
    if (!dialog || !dialog->has_session) {
        s->tally.ledger.auth_fail++;
        pulse_add(&s->pulse.faults, 1);
        return;
    }
    // Its acknowledgement would come behind our close: the relay keeps it for the next login.
    if (c->is_leaving && (envelope->flags & WIRE_FLAG_DURABLE))
        return;
    d->dialogs[d->job_count] = dialog;
    d->jobs[d->job_count++] = (struct sp_session_job){.session = &dialog->session,
                                                      .in = ciphertext,
                                                      .len = envelope->ciphertext_len,
                                                      .out = ciphertext + 16};
    if (envelope->flags & WIRE_FLAG_DURABLE)
        uplink_push_ack(s, c, envelope->message_id);
    if (d->job_count == DOWNLINK_BATCH)
        open_batch(s);
}

static void on_envelope(struct shard *s, struct client *c, const uint8_t *message, size_t len)
{
    struct wire_envelope envelope;

    if (wire_decode_envelope(&envelope, message, len, s->chunks.stride_bytes) < 0) {
        client_close(s, c, "the relay sent a broken envelope");
        return;
    }
    if (memcmp(envelope.mailbox, c->persona.mailbox, WIRE_MAILBOX_BYTES) != 0) {
        s->tally.ledger.misrouted++;
        pulse_add(&s->pulse.faults, 1);
        return;
    }
    if (envelope.kind == WIRE_KIND_SESSION)
        on_session_message(s, c, &envelope);
    else
        handshake_on_initial(s, c, envelope.ciphertext, envelope.ciphertext_len);
}

static void on_close(struct shard *s, struct client *c, const uint8_t *payload, size_t len)
{
    char why[64];
    unsigned code = len >= 2 ? (unsigned)payload[0] << 8 | payload[1] : 1005;

    snprintf(why, sizeof why, "the relay closed with code %u", code);
    client_close(s, c, why);
}

static void on_frame(struct shard *s, struct client *c, const struct ws_frame *frame,
                     const uint8_t *payload)
{
    size_t len = frame->payload_len;

    // After the drain only the close is awaited: what comes now came too late.
    if (s->phase >= SHARD_CLOSING && frame->opcode != WS_CLOSE)
        return;
    if (frame->opcode == WS_BINARY && frame->fin)
        on_envelope(s, c, payload, len);
    else if (frame->opcode == WS_TEXT && frame->fin)
        client_on_control(s, c, payload, len);
    else if (frame->opcode == WS_PING)
        uplink_push_frame(s, c, WS_PONG, payload, len);
    else if (frame->opcode == WS_CLOSE)
        on_close(s, c, payload, len);
    else if (frame->opcode != WS_PONG)
        client_close(s, c, "the relay fragmented a message"); // it has no reason to
}

// The header at `bytes`: 1 known, 0 not whole yet, -1 the client was closed.
static int decode(struct shard *s, struct client *c, struct ws_frame *frame, const uint8_t *bytes,
                  size_t len)
{
    ssize_t used = ws_decode_header(frame, bytes, len, WS_FROM_SERVER,
                                    s->chunks.stride_bytes - WS_HEADER_MAX_BYTES);

    if (used < 0) {
        char why[64];

        snprintf(why, sizeof why, "the relay sent a bad frame (%s)",
                 ws_error_name((enum ws_error)used));
        client_close(s, c, why);
        return -1;
    }
    return used > 0;
}

// The start of a frame whose rest comes with a later receive.
static void begin_carry(struct shard *s, struct client *c, const uint8_t *bytes, size_t len,
                        uint64_t need)
{
    c->carry.bytes = pool_get(&s->chunks);
    if (!c->carry.bytes) {
        client_close(s, c, "no memory for a split frame");
        return;
    }
    memcpy(c->carry.bytes, bytes, len);
    c->carry.len = (uint32_t)len;
    c->carry_need = need;
}

static void release_chunks(struct shard *s)
{
    struct downlink *d = &s->downlink;

    while (d->chunk_count > 0)
        pool_put(&s->chunks, d->chunks[--d->chunk_count]);
}

// Complete a carried frame; returns the bytes used.
static size_t fill_carry(struct shard *s, struct client *c, const uint8_t *bytes, size_t len)
{
    struct downlink *d = &s->downlink;
    struct ws_frame frame;
    size_t used = 0, part;
    uint8_t *chunk = c->carry.bytes;

    while (c->carry_need == 0 && used < len) {
        int known;

        chunk[c->carry.len++] = bytes[used++];
        known = decode(s, c, &frame, chunk, c->carry.len);
        if (known < 0)
            return len;
        if (known)
            c->carry_need = frame.header_len + frame.payload_len;
    }
    if (c->carry_need == 0)
        return used;
    part = c->carry_need - c->carry.len;
    if (part > len - used)
        part = len - used;
    memcpy(chunk + c->carry.len, bytes + used, part);
    c->carry.len += (uint32_t)part;
    used += part;
    if (c->carry.len < c->carry_need)
        return used;
    if (decode(s, c, &frame, chunk, c->carry.len) <= 0)
        return len;
    c->carry = (struct client_bytes){0};
    c->carry_need = 0;
    if (d->chunk_count == DOWNLINK_BATCH) {
        open_batch(s);
        release_chunks(s);
    }
    on_frame(s, c, &frame, chunk + frame.header_len);
    d->chunks[d->chunk_count++] = chunk;
    return used;
}

static void consume(struct shard *s, struct client *c, const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    if (c->state == CLIENT_UPGRADING) {
        int64_t used = client_on_answer(s, c, bytes, len);

        if (used < 0)
            return;
        at = (size_t)used;
    }
    while (at < len && !client_is_gone(c)) {
        struct ws_frame frame;
        int known;

        if (c->carry.bytes) {
            at += fill_carry(s, c, bytes + at, len - at);
            continue;
        }
        known = decode(s, c, &frame, bytes + at, len - at);
        if (known < 0)
            return;
        if (!known || len - at - frame.header_len < frame.payload_len) {
            begin_carry(s, c, bytes + at, len - at,
                        known ? frame.header_len + frame.payload_len : 0);
            return;
        }
        at += frame.header_len;
        on_frame(s, c, &frame, bytes + at);
        at += frame.payload_len;
    }
}

static void consume_records(struct shard *s, struct client *c, const uint8_t *bytes, size_t len)
{
    struct downlink *d = &s->downlink;

    tls_feed(c->tls, bytes, len);
    while (!client_is_gone(c)) {
        struct tls_out out = {.bytes = s->tls_scratch, .cap = TLS_FLIGHT_MAX_BYTES};
        ssize_t got;

        if (DOWNLINK_PLAIN_BYTES - d->plain_len < TLS_RECORD_CIPHERTEXT_MAX)
            downlink_flush(s);
        got = tls_read(c->tls, d->plain + d->plain_len, TLS_RECORD_CIPHERTEXT_MAX, &out);
        if (out.len > 0)
            uplink_push_records(s, c, out.bytes, out.len);
        if (c->state == CLIENT_SECURING && got >= 0 && tls_is_established(c->tls))
            client_on_secured(s, c);
        if (got == 0 || client_is_gone(c))
            return;
        if (got < 0) {
            client_close(s, c,
                         got == TLS_CLOSED ? "the relay closed the TLS channel"
                         : c->state == CLIENT_SECURING
                             ? "the TLS handshake failed (certificate not trusted?)"
                             : "TLS failed");
            return;
        }
        consume(s, c, d->plain + d->plain_len, (size_t)got);
        d->plain_len += (size_t)got;
    }
}

void downlink_on_data(struct shard *s, struct client *c, uint16_t id, size_t len)
{
    struct downlink *d = &s->downlink;
    uint8_t *bytes = bufring_at(&s->receive_buffers, id);

    bufring_take(&s->receive_buffers, id);
    if (client_is_gone(c) || c->tls) {
        if (!client_is_gone(c))
            consume_records(s, c, bytes, len);
        bufring_put(&s->receive_buffers, id);
        return;
    }
    consume(s, c, bytes, len);
    if (d->held_count == DOWNLINK_HELD_MAX)
        downlink_flush(s);
    d->held[d->held_count++] = id;
}

void downlink_flush(struct shard *s)
{
    struct downlink *d = &s->downlink;

    open_batch(s);
    while (d->held_count > 0)
        bufring_put(&s->receive_buffers, d->held[--d->held_count]);
    release_chunks(s);
    d->plain_len = 0;
}
