// Receiving: from a completion to whole messages. Frames are decoded and unmasked where the kernel
// (or TLS) put them; only a frame split over two receives is put together by copying.
#include "receive.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "conn.h"
#include "events.h"
#include "http_upgrade.h"
#include "message.h"
#include "send.h"
#include "tls.h"
#include "worker.h"
#include "ws.h"

// One receive yields at most its own bytes of plaintext and one record begun before, and TLS wants
// room for one more each time it is asked.
#define PLAIN_PER_RECEIVE (LIMIT_RECEIVE_BUFFER_BYTES + 2u * TLS_RECORD_CIPHERTEXT_MAX)
// Space in front of copied payloads for a server's frame header.
#define HEADROOM 16u

static_assert(HEADROOM >= WS_SERVER_HEADER_MAX_BYTES, "a header fits in front");
static_assert(LIMIT_PLAIN_BUFFER_BYTES >= LIMIT_MESSAGE_BYTES + HEADROOM, "a message fits");
static_assert(LIMIT_PLAIN_BUFFER_BYTES >= PLAIN_PER_RECEIVE, "what a receive brings fits");

// ---- memory of the turn -------------------------------------------------------------------------

int receive_arena_init(struct receive_arena *a, uint32_t connections)
{
    int err;

    *a = (struct receive_arena){.plain_current = LIMIT_PLAIN_BUFFERS};
    err = pool_init(&a->small, sizeof(struct partial) + LIMIT_PARTIAL_SMALL_BYTES, connections);
    if (err < 0)
        return err;
    err = pool_init(&a->large, sizeof(struct partial) + LIMIT_PARTIAL_LARGE_BYTES,
                    LIMIT_PARTIAL_LARGE);
    if (err == 0)
        err = pool_init(&a->records, TLS_RECORD_MAX_BYTES, connections);
    if (err < 0)
        goto cleanup;
    a->holds = malloc(RECEIVE_HOLDS_MAX * sizeof *a->holds);
    a->plain = mmap(NULL, (size_t)LIMIT_PLAIN_BUFFERS * LIMIT_PLAIN_BUFFER_BYTES,
                    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a->plain == MAP_FAILED)
        a->plain = NULL;
    err = -ENOMEM;
    if (!a->holds || !a->plain)
        goto cleanup;
    for (uint32_t i = 0; i < LIMIT_PLAIN_BUFFERS; i++)
        a->plain_free[a->plain_free_count++] = (uint16_t)(LIMIT_PLAIN_BUFFERS - 1 - i);
    return 0;

cleanup:
    receive_arena_free(a);
    return err;
}

void receive_arena_free(struct receive_arena *a)
{
    if (a->plain)
        munmap(a->plain, (size_t)LIMIT_PLAIN_BUFFERS * LIMIT_PLAIN_BUFFER_BYTES);
    free(a->holds);
    if (a->records.base)
        pool_free(&a->records);
    if (a->large.base)
        pool_free(&a->large);
    pool_free(&a->small);
}

static uint8_t *plain_at(const struct receive_arena *a, uint32_t id)
{
    return a->plain + (size_t)id * LIMIT_PLAIN_BUFFER_BYTES;
}

void receive_hold_get(struct worker *w, struct hold h)
{
    switch (h.kind) {
    case HOLD_RECEIVED:
        bufring_get(&w->buffers, (uint16_t)h.id);
        break;
    case HOLD_PLAIN:
        w->receive.plain_refs[h.id]++;
        break;
    case HOLD_PARTIAL:
        h.partial->refs++;
        break;
    case HOLD_NONE:
        assert(false && "a message must be held by something");
    }
}

void receive_hold_put(struct worker *w, struct hold h)
{
    struct receive_arena *a = &w->receive;

    switch (h.kind) {
    case HOLD_RECEIVED:
        bufring_put(&w->buffers, (uint16_t)h.id);
        break;
    case HOLD_PLAIN:
        if (--a->plain_refs[h.id] == 0)
            a->plain_free[a->plain_free_count++] = (uint16_t)h.id;
        break;
    case HOLD_PARTIAL:
        if (--h.partial->refs == 0)
            pool_put(h.partial->large ? &a->large : &a->small, h.partial);
        break;
    case HOLD_NONE:
        break;
    }
}

void receive_hold_until_turn_end(struct worker *w, struct hold h)
{
    struct receive_arena *a = &w->receive;

    // At most one received buffer, one plaintext buffer and one partial message for each receive.
    assert(a->hold_count < RECEIVE_HOLDS_MAX);
    a->holds[a->hold_count++] = h;
}

void receive_release_turn(struct worker *w)
{
    struct receive_arena *a = &w->receive;

    for (uint32_t i = 0; i < a->hold_count; i++)
        receive_hold_put(w, a->holds[i]);
    a->hold_count = 0;
    // Nobody else has the buffer being filled: fill it from the start again while it is warm.
    if (a->plain_current != LIMIT_PLAIN_BUFFERS && a->plain_refs[a->plain_current] == 1 &&
        (a->current.kind != HOLD_PLAIN || a->current.id != a->plain_current))
        a->plain_used = 0;
}

// `bytes` of plaintext space that live to the turn's end; the caller says how much it used.
static uint8_t *reserve_plain(struct worker *w, size_t bytes)
{
    struct receive_arena *a = &w->receive;

    if (a->plain_current == LIMIT_PLAIN_BUFFERS ||
        LIMIT_PLAIN_BUFFER_BYTES - a->plain_used < bytes) {
        if (a->plain_free_count == 0)
            return NULL;
        if (a->plain_current != LIMIT_PLAIN_BUFFERS)
            receive_hold_until_turn_end(w,
                                        (struct hold){.kind = HOLD_PLAIN, .id = a->plain_current});
        a->plain_current = a->plain_free[--a->plain_free_count];
        a->plain_refs[a->plain_current] = 1; // the filler's
        a->plain_used = 0;
    }
    a->current = (struct hold){.kind = HOLD_PLAIN, .id = a->plain_current};
    return plain_at(a, a->plain_current) + a->plain_used;
}

uint8_t *receive_copy(struct worker *w, const uint8_t *bytes, size_t len)
{
    uint8_t *at = reserve_plain(w, HEADROOM + len);

    if (!at)
        return NULL;
    if (len > 0) // an empty message may have no address
        memcpy(at + HEADROOM, bytes, len);
    w->receive.plain_used += (uint32_t)(HEADROOM + len);
    return at + HEADROOM;
}

// One receive takes at most a partial frame of each kind, and a plaintext buffer or two.
bool receive_has_room(const struct receive_arena *a)
{
    return a->small.capacity - a->small.used >= 2 && a->large.capacity - a->large.used >= 2 &&
           a->plain_free_count >= 2;
}

// ---- frames -------------------------------------------------------------------------------------

static void no_buffers(struct worker *w, struct conn *c)
{
    stats_bump(&w->stats, STATS_closed_no_buffers);
    conn_close(w, c, 1013);
}

static void frame_failed(struct worker *w, struct conn *c, enum ws_error error)
{
    static const enum stats_counter counters[] = {
        [-WS_BAD_RESERVED_BITS] = STATS_frame_bad_reserved_bits,
        [-WS_BAD_OPCODE] = STATS_frame_bad_opcode,
        [-WS_BAD_CONTROL] = STATS_frame_bad_control,
        [-WS_BAD_LENGTH] = STATS_frame_bad_length,
        [-WS_NOT_MASKED] = STATS_frame_not_masked,
        [-WS_TOO_LARGE] = STATS_frame_too_large,
    };

    stats_bump(&w->stats, counters[-error]);
    conn_close(w, c, ws_error_close_code(error));
}

static ssize_t decode_frame(const struct conn *c, struct ws_frame *frame, const uint8_t *bytes,
                            size_t len)
{
    uint64_t limit = LIMIT_CONTROL_BYTES;
    unsigned opcode = len > 0 ? bytes[0] & 0x0Fu : WS_TEXT;

    if (opcode == WS_CONTINUATION && c->in_fragments)
        limit = c->fragment_room; // the limits hold for the whole message
    else if (opcode == WS_BINARY && !c->echo)
        limit = LIMIT_ENVELOPE_BYTES + WIRE_HEADER_BYTES;
    return ws_decode_header(frame, bytes, len, WS_FROM_CLIENT, limit);
}

// Unmasking writes each payload as far to the front as the server's shorter headers allow (*to, at
// most `bytes`): messages that follow one another close up, and go out as one run of bytes.
static void on_frame(struct worker *w, struct conn *c, const struct ws_frame *frame, uint8_t *bytes,
                     uint8_t **to)
{
    bool whole_data = frame->fin && (frame->opcode == WS_BINARY || frame->opcode == WS_TEXT);

    if (whole_data && !c->in_fragments) {
        uint8_t *payload = *to + ws_header_len(frame->payload_len, false);

        ws_mask_to(payload, bytes + frame->header_len, frame->payload_len, frame->mask);
        *to = payload + frame->payload_len;
        message_on_data(w, c, (enum ws_opcode)frame->opcode, payload, frame->payload_len);
    } else {
        events_on_frame(w, c, frame, bytes, frame->header_len + frame->payload_len);
    }
}

void receive_drop_partial(struct worker *w, struct conn *c)
{
    if (!c->partial)
        return;
    receive_hold_put(w, (struct hold){.kind = HOLD_PARTIAL, .partial = c->partial});
    c->partial = NULL;
}

static struct partial *new_partial(struct worker *w, size_t bytes)
{
    bool large = bytes > LIMIT_PARTIAL_SMALL_BYTES;
    struct pool *pool = large ? &w->receive.large : &w->receive.small;
    struct partial *p = pool_get(pool);

    if (p) {
        p->len = 0;
        p->cap = large ? LIMIT_PARTIAL_LARGE_BYTES : LIMIT_PARTIAL_SMALL_BYTES;
        p->refs = 1;
        p->large = large;
    }
    return p;
}

// Keep the begin of a frame until the rest comes. A large buffer is for bytes that are there, not
// for bytes that are announced.
static void keep_partial(struct worker *w, struct conn *c, const uint8_t *bytes, size_t len)
{
    c->partial = new_partial(w, len);
    if (!c->partial) {
        no_buffers(w, c);
        return;
    }
    memcpy(c->partial->bytes, bytes, len);
    c->partial->len = (uint32_t)len;
    if (c->message_deadline_ns != 0)
        return; // a fragmented message is under way and has its time already
    c->message_deadline_ns = w->now_ns + LIMIT_MESSAGE_MS * NS_PER_MS;
    conn_arm_timer(w, c, c->message_deadline_ns);
}

// Take exactly what the partial frame still lacks; returns how many bytes were used.
static size_t complete_partial(struct worker *w, struct conn *c, const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    while (c->partial) {
        struct partial *p = c->partial;
        struct ws_frame frame;
        ssize_t header_len = decode_frame(c, &frame, p->bytes, p->len);
        size_t want, n;

        if (header_len < 0) {
            frame_failed(w, c, (enum ws_error)header_len);
            return len;
        }
        // Byte by byte through a header, so that nothing of the next frame is taken.
        want = header_len == 0 ? p->len + 1u : (size_t)header_len + frame.payload_len;
        n = want - p->len < len - used ? want - p->len : len - used;
        if (p->len + n > p->cap) {
            c->partial = new_partial(w, want);
            if (c->partial) {
                memcpy(c->partial->bytes, p->bytes, p->len);
                c->partial->len = p->len;
            }
            receive_hold_put(w, (struct hold){.kind = HOLD_PARTIAL, .partial = p});
            if (!c->partial) {
                no_buffers(w, c);
                return len;
            }
            continue;
        }
        if (header_len > 0 && p->len == want) {
            struct hold around = w->receive.current;
            struct hold own = {.kind = HOLD_PARTIAL, .partial = p};
            uint8_t *to = p->bytes;

            c->partial = NULL;
            if (!c->in_fragments)
                c->message_deadline_ns = 0;
            w->receive.current = own;
            on_frame(w, c, &frame, p->bytes, &to);
            receive_hold_until_turn_end(w, own);
            w->receive.current = around;
            return used;
        }
        if (n == 0)
            return used;
        memcpy(p->bytes + p->len, bytes + used, n);
        p->len += (uint32_t)n;
        used += n;
    }
    return used;
}

static void on_frames(struct worker *w, struct conn *c, uint8_t *bytes, size_t len)
{
    struct hold here = w->receive.current;
    size_t at = c->partial ? complete_partial(w, c, bytes, len) : 0;
    uint8_t *to = bytes + at;

    while (at < len && c->state == CONN_OPEN) {
        struct ws_frame frame;
        ssize_t header_len = decode_frame(c, &frame, bytes + at, len - at);

        if (header_len < 0) {
            frame_failed(w, c, (enum ws_error)header_len);
            return;
        }
        if (header_len == 0 || frame.payload_len > len - at - (size_t)header_len) {
            keep_partial(w, c, bytes + at, len - at);
            return;
        }
        w->receive.current = here;
        on_frame(w, c, &frame, bytes + at, &to);
        at += (size_t)header_len + frame.payload_len;
        send_make_room(w);
    }
}

// ---- upgrade ------------------------------------------------------------------------------------

static void refuse_upgrade(struct worker *w, struct conn *c, int status)
{
    char text[HTTP_RESPONSE_MAX_BYTES];
    size_t len = http_upgrade_encode_refusal(status, text);
    enum stats_counter counter = status == 404   ? STATS_http_not_found
                                 : status == 405 ? STATS_http_bad_method
                                 : status == 426 ? STATS_http_upgrade_required
                                 : status == 431 ? STATS_http_head_too_large
                                                 : STATS_http_bad_request;

    stats_bump(&w->stats, counter);
    if (!outbox_push_copy(w, c, OUTBOX_UNFRAMED, text, len)) {
        conn_kill(w, c);
        return;
    }
    conn_close(w, c, 0);
}

// Returns how many bytes belonged to the request; `len` when there is nothing behind it.
static size_t on_upgrade(struct worker *w, struct conn *c, const uint8_t *bytes, size_t len)
{
    ssize_t used;
    char text[HTTP_RESPONSE_MAX_BYTES];
    const char *protocol = NULL;
    bool echo;
    size_t text_len;

    if (!c->upgrade && !conn_begin_upgrade(w, c))
        return len;
    used = http_upgrade_decode_request(c->upgrade, bytes, len);
    if (used == 0)
        return len;
    if (used < 0) {
        refuse_upgrade(w, c, http_upgrade_error_status((enum http_upgrade_error)used));
        return len;
    }
    echo = w->config->echo && strcmp(http_upgrade_path(c->upgrade), "/echo") == 0;
    if (!echo && strcmp(http_upgrade_path(c->upgrade), "/v1") != 0) {
        refuse_upgrade(w, c, 404);
        return len;
    }
    if (http_upgrade_offers(c->upgrade, "sealpost.v1"))
        protocol = "sealpost.v1";
    if (!echo && !protocol) {
        refuse_upgrade(w, c, 426);
        return len;
    }
    text_len = http_upgrade_encode_response(c->upgrade, protocol, text);
    if (!outbox_push_copy(w, c, OUTBOX_UNFRAMED, text, text_len)) {
        conn_kill(w, c);
        return len;
    }
    conn_upgraded(w, c, echo);
    return (size_t)used;
}

static void on_plain(struct worker *w, struct conn *c, uint8_t *bytes, size_t len)
{
    size_t at = 0;

    if (c->state == CONN_UPGRADE)
        at = on_upgrade(w, c, bytes, len);
    if (c->state == CONN_OPEN && at < len)
        on_frames(w, c, bytes + at, len - at);
}

// ---- TLS and completions ------------------------------------------------------------------------

static void tls_ended(struct worker *w, struct conn *c, ssize_t why)
{
    if (c->state == CONN_CLOSING)
        return; // the WebSocket said it all
    if (why == TLS_NO_BUFFER)
        stats_bump(&w->stats, STATS_closed_no_buffers);
    else if (why == TLS_CLOSED)
        stats_bump(&w->stats, STATS_closed_by_peer);
    else
        stats_bump(&w->stats, c->state == CONN_TLS ? STATS_tls_failed : STATS_closed_socket_error);
    conn_close(w, c, 0);
}

// A record that came in part has its time from its first byte, whatever came before it.
static void watch_record(struct worker *w, struct conn *c, bool completed)
{
    if (!tls_is_mid_record(c->tls)) {
        c->record_deadline_ns = 0;
    } else if (completed || c->record_deadline_ns == 0) {
        c->record_deadline_ns = w->now_ns + LIMIT_MESSAGE_MS * NS_PER_MS;
        conn_arm_timer(w, c, c->record_deadline_ns);
    }
}

static void on_records(struct worker *w, struct conn *c, const uint8_t *records, size_t len)
{
    uint8_t *plain = reserve_plain(w, PLAIN_PER_RECEIVE);
    struct tls_out out;
    size_t plain_len = 0;
    ssize_t n;

    if (!plain) {
        stats_bump(&w->stats, STATS_closed_no_buffers);
        conn_kill(w, c);
        return;
    }
    out = outbox_records_begin(w);
    tls_feed(c->tls, records, len);
    while ((n = tls_read(c->tls, plain + plain_len, PLAIN_PER_RECEIVE - plain_len, &out)) > 0)
        plain_len += (size_t)n;
    outbox_records_end(w, c, &out);
    w->receive.plain_used += (uint32_t)plain_len;
    if (c->state == CONN_TLS && tls_is_established(c->tls))
        conn_secured(w, c);
    if (plain_len > 0) {
        struct hold parsed = w->receive.current;

        // What is parsed may let the turn be released, or another buffer be begun.
        receive_hold_get(w, parsed);
        on_plain(w, c, plain, plain_len);
        receive_hold_put(w, parsed);
    }
    if (!conn_is_alive(c))
        return;
    if (n < 0)
        tls_ended(w, c, n);
    else if (c->state == CONN_OPEN)
        watch_record(w, c, plain_len > 0);
}

static void on_data(struct worker *w, struct conn *c, struct bufring *ring, uint16_t id, size_t len)
{
    struct hold h = {.kind = HOLD_RECEIVED, .id = id};
    uint8_t *bytes = bufring_at(ring, id);

    send_make_room(w); // may end the connection
    if (c->state == CONN_CLOSING || c->state == CONN_DEAD) {
        bufring_put(ring, id);
        return;
    }
    stats_bump(&w->stats, STATS_receives);
    if (c->secure) {
        if (c->tls || conn_begin_tls(w, c))
            on_records(w, c, bytes, len);
        bufring_put(ring, id); // the plaintext is elsewhere
    } else {
        w->receive.current = h;
        on_plain(w, c, bytes, len);
        receive_hold_until_turn_end(w, h);
    }
    w->receive.current = (struct hold){.kind = HOLD_NONE};
}

void receive_ended(struct worker *w, struct conn *c, int result)
{
    if (c->state == CONN_CLOSING) {
        // What we had to say may still be on its way.
        if (c->backlog_first == NULL && c->first_piece == OUTBOX_NONE && !c->sending)
            conn_kill(w, c);
        return;
    }
    if (!conn_is_alive(c))
        return;
    stats_bump(&w->stats, result == 0 ? STATS_closed_by_peer : STATS_closed_socket_error);
    conn_kill(w, c);
}

void receive_complete(struct worker *w, struct conn *c, int result, uint32_t cqe_flags)
{
    bool more = (cqe_flags & IORING_CQE_F_MORE) != 0;
    struct bufring *ring = c->handshake_receive ? &w->handshake_buffers : &w->buffers;

    if (!more)
        c->receiving = false;
    if (cqe_flags & IORING_CQE_F_BUFFER) {
        uint16_t id = (uint16_t)(cqe_flags >> IORING_CQE_BUFFER_SHIFT);

        bufring_take(ring, id);
        if (result > 0)
            on_data(w, c, ring, id, (size_t)result);
        else
            bufring_put(ring, id);
    }
    if (result == -ENOBUFS) {
        // A state, not a failure: the turn's buffers come back at its end.
        stats_bump(&w->stats, STATS_receive_out_of_buffers);
    } else if (result <= 0) {
        receive_ended(w, c, result);
    }
    if (!more) {
        bool again = conn_is_alive(c) && (result > 0 || result == -ENOBUFS);

        if (again && !list_is_linked(&c->waiting))
            list_push(&w->rearm, &c->waiting);
        conn_operation_done(w, c);
    }
}
